#include "cli/history_file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)
#define SHOWN_FINDINGS 20u

static bool options_of(const char *subcommand, const struct history_flags *flags,
                       struct limits *limits, struct read_options *options) {
    *options = (struct read_options){.keyed = flags->keyed,
                                     .times = flags->times,
                                     .numbers = flags->numbers,
                                     .strict = flags->strict,
                                     .limits = limits};
    if (flags->format != NULL)
        options->format = read_format_of(flags->format);
    if (options->format == READ_FORMAT_COUNT) {
        misuse(subcommand,
               "there is no format '%s' (there are: auto, jsonl, edn, log, awdit, plume)",
               flags->format);
        return false;
    }
    options->by_time = flags->order != NULL && strcmp(flags->order, "time") == 0;
    if (flags->order != NULL && !options->by_time && strcmp(flags->order, "line") != 0) {
        misuse(subcommand, "--order is line or time, not '%s'", flags->order);
        return false;
    }
    options->nil_absent = flags->nil != NULL && strcmp(flags->nil, "absent") == 0;
    if (flags->nil != NULL && !options->nil_absent && strcmp(flags->nil, "any") != 0) {
        misuse(subcommand, "--nil is any (as knossos reads it) or absent, not '%s'", flags->nil);
        return false;
    }
    return true;
}

static bool feed_all(const char *subcommand, const char *path, int fd,
                     struct history_reader *reader) {
    uint8_t *chunk = cairn_alloc(CHUNK);
    bool good = true;
    for (;;) {
        ssize_t len = read(fd, chunk, CHUNK);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0) {
            fprintf(stderr, "cairn %s: can't read %s: %s\n", subcommand, path, strerror(errno));
            good = false;
        }
        if (len <= 0)
            break;
        if (!history_reader_feed(reader, bytes_of(chunk, (size_t)len))) {
            fprintf(stderr, "cairn %s: %s: %s\n", subcommand, path, history_reader_error(reader));
            good = false;
            break;
        }
    }
    cairn_free(chunk);
    if (!good)
        return false;
    if (history_reader_end(reader))
        return true;
    fprintf(stderr, "cairn %s: %s: %s\n", subcommand, path, history_reader_error(reader));
    return false;
}

static bool read_fd(const char *subcommand, const char *path, int fd,
                    const struct history_flags *flags, const struct read_options *options,
                    struct history *history, struct lint *lint, enum read_format *format) {
    struct history_reader *reader = history_reader_new(options, history, lint);
    bool good = feed_all(subcommand, path, fd, reader);
    if (format != NULL)
        *format = history_reader_format(reader);
    history_reader_free(reader);
    struct buf why = {0};
    if (good && flags->initial != NULL && !history_read_initial(history, flags->initial, &why)) {
        misuse(subcommand, "--initial: %.*s", (int)why.len, (const char *)why.data);
        good = false;
    }
    buf_free(&why);
    return good;
}

bool history_file_read_silently(const char *subcommand, const char *path,
                                const struct history_flags *flags, struct limits *limits,
                                struct history *history, struct lint *lint,
                                enum read_format *format) {
    struct read_options options;
    history_init(history);
    lint_init(lint);
    if (!options_of(subcommand, flags, limits, &options))
        return false;
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "cairn %s: can't open %s: %s\n", subcommand, path, strerror(errno));
        return false;
    }
    bool good = read_fd(subcommand, path, fd, flags, &options, history, lint, format);
    if (!standard)
        close(fd);
    return good;
}

bool history_file_read(const char *subcommand, const char *path, const struct history_flags *flags,
                       struct limits *limits, struct history *history, struct lint *lint) {
    if (!history_file_read_silently(subcommand, path, flags, limits, history, lint, NULL))
        return false;
    uint32_t errors = lint->totals[LINT_ERROR];
    if (errors == 0 || flags->lenient)
        return true;
    lint_sort(lint);
    history_file_print_lint(path, lint, LINT_ERROR, SHOWN_FINDINGS, stderr);
    fprintf(stderr,
            "cairn %s: this history can't be trusted (%" PRIu32
            " errors): see cairn lint, or go on with --lenient\n",
            subcommand, errors);
    return false;
}

void history_file_print_lint(const char *path, const struct lint *lint, enum lint_severity least,
                             uint32_t max, FILE *out) {
    uint32_t printed = 0;
    for (uint32_t i = 0; i < lint->count && printed < max; i++) {
        const struct finding *finding = &lint->at[i];
        if (finding->severity < least)
            continue;
        struct bytes text = lint_text(lint, i);
        fprintf(out, "%s:", path);
        if (finding->line != 0)
            fprintf(out, lint->numbered ? " event %" PRIu32 ":" : "%" PRIu32 ":", finding->line);
        fprintf(out, " %s: %.*s\n", lint_severity_name(finding->severity), (int)text.len,
                (const char *)text.data);
        printed++;
    }
}

FILE *history_file_output(const char *subcommand, const char *path) {
    if (path == NULL || strcmp(path, "-") == 0)
        return stdout;
    FILE *out = fopen(path, "we");
    if (out == NULL)
        fprintf(stderr, "cairn %s: can't write %s: %s\n", subcommand, path, strerror(errno));
    return out;
}

bool history_file_close(const char *subcommand, const char *path, FILE *out) {
    bool good = fflush(out) == 0 && !ferror(out);
    if (out != stdout)
        good &= fclose(out) == 0;
    if (!good)
        fprintf(stderr, "cairn %s: can't write %s: %s\n", subcommand,
                path == NULL ? "standard output" : path, strerror(errno));
    return good;
}

static void flush(void *context, struct bytes bytes) {
    fwrite(bytes.data, 1, bytes.len, context);
}

bool history_file_write(const char *subcommand, const struct history *history,
                        enum write_format format, const char *path, uint32_t *lost) {
    struct buf why = {0};
    if (lost != NULL)
        *lost = 0;
    FILE *out = history_file_output(subcommand, path);
    if (out == NULL)
        return false;
    struct history_writer writer = {
        .history = history, .format = format, .flush = flush, .context = out};
    bool good = history_write(&writer, &why);
    if (!good)
        fprintf(stderr, "cairn %s: %.*s\n", subcommand, (int)why.len, (const char *)why.data);
    if (lost != NULL && good)
        *lost = writer.lost;
    good &= history_file_close(subcommand, path, out);
    buf_free(&writer.out);
    buf_free(&why);
    return good;
}
