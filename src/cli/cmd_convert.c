/* cairn convert: a history in another format. */
#include "check/write.h"
#include "cli/cli.h"
#include "cli/history_file.h"

#include <inttypes.h>
#include <stdio.h>

static int convert(const struct history *history, enum write_format format, const char *path) {
    uint32_t lost;
    bool good = history_file_write("convert", history, format, path, &lost);
    if (lost != 0)
        fprintf(stderr,
                "cairn convert: %" PRIu32 " operations or answers can't be told in this format\n",
                lost);
    return good ? EXIT_FINE : EXIT_NO;
}

int cmd_convert(int argc, char **argv) {
    struct history_flags read = {.times = true};
    const char *to = "jsonl", *path = NULL;
    const struct flag flags[] = {
        HISTORY_FLAGS(read), {"to", FLAG_TEXT, &to}, {"o", FLAG_TEXT, &path}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("convert", "one FILE is wanted, or - for standard input");
    enum write_format format = write_format_of(to);
    if (format == WRITE_FORMAT_COUNT)
        return misuse("convert", "--to is jsonl, edn or awdit, not '%s'", to);
    struct history history;
    struct lint lint;
    int code = EXIT_MISUSE;
    if (history_file_read("convert", argv[1], &read, NULL, &history, &lint))
        code =
            history.op_count > 0
                ? convert(&history, format, path)
                : misuse("convert", "there is no operation in %s, so nothing was written", argv[1]);
    lint_free(&lint);
    history_free(&history);
    return code;
}
