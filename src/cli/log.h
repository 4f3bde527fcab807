/* A server's log: one line an event, for people on a terminal, key=value elsewhere. */
#ifndef CAIRN_CLI_LOG_H
#define CAIRN_CLI_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct log {
    int level; /* lines below it are left out: 0 debug, 1 info, 2 warning */
    bool terminal;
    uint64_t node;
};

/* format: terminal, logfmt, or auto. */
void log_open(struct log *log, const char *level, const char *format, uint64_t node);
void log_line(const struct log *log, int level, const char *text);

#endif
