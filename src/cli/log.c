#include "cli/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"debug", "info", "warning"};

void log_open(struct log *log, const char *level, const char *format, uint64_t node) {
    bool terminal =
        strcmp(format, "auto") == 0 ? isatty(STDERR_FILENO) : strcmp(format, "terminal") == 0;
    *log = (struct log){.level = 1, .terminal = terminal, .node = node};
    setvbuf(stderr, NULL, _IOLBF,
            0); /* one write a line: a byte each would soon fill a reader's pipe */
    for (int i = 0; i < 3; i++)
        if (strcmp(level, names[i]) == 0)
            log->level = i;
}

/* Quotes inside the text would end the value early. */
static void put_quoted(const char *text) {
    fputc('"', stderr);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stderr);
        fputc(*text == '\n' ? ' ' : *text, stderr);
    }
    fputs("\"\n", stderr);
}

/* The time, and behind it the level unless a person reads. */
static void put_head(const struct log *log, int level, FILE *out) {
    struct timespec now;
    struct tm parts;
    char stamp[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof stamp, log->terminal ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &parts);
    if (log->terminal)
        fprintf(out, "%s.%03ld ", stamp, now.tv_nsec / 1000000);
    else
        fprintf(out, "time=%s.%03ldZ level=%s ", stamp, now.tv_nsec / 1000000, names[level]);
}

static void write_line(void *context, int level, const char *text) {
    const struct log *log = context;
    static const char *const colours[] = {"\033[2m", "", "\033[33m"};
    if (log->terminal) {
        fputs(colours[level], stderr);
        put_head(log, level, stderr);
        fprintf(stderr, "%s%s\n", text, colours[level][0] ? "\033[0m" : "");
        return;
    }
    put_head(log, level, stderr);
    fprintf(stderr, "node=%llu msg=", (unsigned long long)log->node);
    put_quoted(text);
}

void log_ready(const struct log *log, const char *fields) {
    put_head(log, 1, stdout);
    printf("%sready node=%llu %s\n", log->terminal ? "" : "msg=", (unsigned long long)log->node,
           fields);
    fflush(stdout);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void log_line(struct log *log, int level, const char *text) {
    if (level >= log->level && log_limit_line(&log->limit, now_ns(), level, text, write_line, log))
        write_line(log, level, text);
}

void log_turn(struct log *log) {
    log_limit_turn(&log->limit, now_ns(), write_line, log);
}

void log_close(struct log *log) {
    log_limit_end(&log->limit, now_ns(), write_line, log);
}
