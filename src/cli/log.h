/* A server's log: one line an event, for people on a terminal, key=value elsewhere. What repeats is
 * counted (log_limit.h). */
#ifndef CAIRN_CLI_LOG_H
#define CAIRN_CLI_LOG_H

#include "cli/log_limit.h"

#include <stdbool.h>
#include <stdint.h>

struct log {
    int level; /* lines below it are left out: 0 debug, 1 info, 2 warning */
    bool terminal;
    uint64_t node;
    struct log_limit limit;
};

/* format: terminal, logfmt, or auto. */
void log_open(struct log *log, const char *level, const char *format, uint64_t node);
void log_line(struct log *log, int level, const char *text);
/* To standard output, where nothing else goes, whatever the level: the node serves. fields:
 * key=value. */
void log_ready(const struct log *log, const char *fields);
/* Now and then: what was counted is told when its time is over. */
void log_turn(struct log *log);
void log_close(struct log *log);

#endif
