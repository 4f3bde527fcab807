/* cairn convert: a history in another format. */
#include "check/write.h"
#include "cli/cli.h"
#include "cli/history_file.h"

#include <inttypes.h>
#include <stdio.h>

static void flush(void *context, struct bytes bytes) {
    fwrite(bytes.data, 1, bytes.len, context);
}

static int write_out(const struct history *history, enum write_format format, const char *path) {
    FILE *out = history_file_output("convert", path);
    struct buf why = {0};
    if (out == NULL)
        return EXIT_NO;
    struct history_writer writer = {
        .history = history, .format = format, .flush = flush, .context = out};
    bool good = history_write(&writer, &why);
    if (!good)
        fprintf(stderr, "cairn convert: %.*s\n", (int)why.len, (const char *)why.data);
    else if (writer.lost != 0)
        fprintf(stderr,
                "cairn convert: %" PRIu32 " operations or answers can't be told in this format\n",
                writer.lost);
    good &= history_file_close("convert", path, out);
    buf_free(&writer.out);
    buf_free(&why);
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
        code = write_out(&history, format, path);
    lint_free(&lint);
    history_free(&history);
    return code;
}
