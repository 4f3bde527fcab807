/* Histories on the command line: FILE or "-", the flags that say how to read it, and the messages
 * when it can't be. Every command that takes a history uses this.
 *
 *     struct history_flags read = {0};
 *     const struct flag flags[] = {HISTORY_FLAGS(read), {"json", FLAG_SWITCH, &json}};
 *     ...
 *     if (!history_file_read("check", path, &read, NULL, &history, &lint))
 *         return EXIT_MISUSE;
 */
#ifndef CAIRN_CLI_HISTORY_FILE_H
#define CAIRN_CLI_HISTORY_FILE_H

#include "check/lint.h"
#include "check/read.h"
#include "check/write.h"
#include "cli/cli.h"

#include <stdio.h>

struct history_flags {
    const char *format, *order, *initial, *nil;
    bool keyed, times, lenient, numbers, strict;
};

#define HISTORY_FLAGS(of)                                                             \
    {"format", FLAG_TEXT, &(of).format}, {"order", FLAG_TEXT, &(of).order},           \
        {"initial", FLAG_TEXT, &(of).initial}, {"nil", FLAG_TEXT, &(of).nil},         \
        {"keyed", FLAG_SWITCH, &(of).keyed}, {"lenient", FLAG_SWITCH, &(of).lenient}, \
        {"numbers", FLAG_SWITCH, &(of).numbers}, {                                    \
        "strict", FLAG_SWITCH, &(of).strict                                           \
    }

/* Reads the whole of `path` ("-": standard input) into `history`, which is initialised here, as is
 * `lint`; both are to be freed whatever is returned. False: what is wrong was printed to standard
 * error; the exit code is EXIT_MISUSE. Findings that are errors make it false too, unless
 * `lenient`. limits may be NULL. */
bool history_file_read(const char *subcommand, const char *path, const struct history_flags *flags,
                       struct limits *limits, struct history *history, struct lint *lint);
/* As above without a word about findings, which the caller tells: for lint itself. */
bool history_file_read_silently(const char *subcommand, const char *path,
                                const struct history_flags *flags, struct limits *limits,
                                struct history *history, struct lint *lint,
                                enum read_format *format);
/* "FILE:17: error: process 3 ..." a line, at most `max` of them. */
void history_file_print_lint(const char *path, const struct lint *lint, enum lint_severity least,
                             uint32_t max, FILE *out);
/* Writes a history to FILE, or to standard output (NULL or "-"). False: a message was printed. lost
 * (may be NULL): operations and answers that the format can't hold. */
bool history_file_write(const char *subcommand, const struct history *history,
                        enum write_format format, const char *path, uint32_t *lost);
/* Where `-o FILE` or standard output (NULL or "-") leads; NULL: a message was printed. */
FILE *history_file_output(const char *subcommand, const char *path);
/* Writes all and closes what is not standard output. False: a message was printed. */
bool history_file_close(const char *subcommand, const char *path, FILE *out);

#endif
