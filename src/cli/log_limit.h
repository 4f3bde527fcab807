/* Keeps a log readable, and its disk free, whatever repeats. Pure: the caller gives the time and
 * writes the lines.
 *
 * Lines are of one shape when they differ in numbers only. In a window of ten seconds a warning is
 * let through three times with the same words, and ten lines of one shape; what comes beyond is
 * counted, and told with the last of them when the window ends. While it goes on, windows double up
 * to ten minutes. Debug lines are not counted: all of them were asked for.
 */
#ifndef CAIRN_CLI_LOG_LIMIT_H
#define CAIRN_CLI_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LIMIT_SHAPES 64u
#define LOG_LIMIT_SAME 3u
#define LOG_LIMIT_ALIKE 10u
#define LOG_LIMIT_WINDOW_NS 10000000000ull
#define LOG_LIMIT_WINDOW_MOST_NS 600000000000ull
#define LOG_LIMIT_TEXT 256u

struct log_shape {
    uint64_t shape; /* 0: unused */
    int level;
    uint64_t began_ns, window_ns;
    uint64_t used_ns;
    struct {
        uint64_t words;
        uint32_t count;
    } through[LOG_LIMIT_ALIKE]; /* in this window, and of those before it */
    uint32_t through_count;
    uint64_t held;
    char last[LOG_LIMIT_TEXT];
};

struct log_limit {
    struct log_shape shapes[LOG_LIMIT_SHAPES];
    uint64_t next_ns; /* no window ends before */
};

/* How a window's held lines are told. */
typedef void log_limit_tell(void *context, int level, const char *text);

/* True: write the line. Windows that are over are told before. */
bool log_limit_line(struct log_limit *limit, uint64_t now_ns, int level, const char *text,
                    log_limit_tell *tell, void *context);
/* Tells of windows that are over. Cheap when there are none. */
void log_limit_turn(struct log_limit *limit, uint64_t now_ns, log_limit_tell *tell, void *context);
/* Tells of all that is held: the log ends. */
void log_limit_end(struct log_limit *limit, uint64_t now_ns, log_limit_tell *tell, void *context);

#endif
