/* cairn lint: what is wrong or odd with a history itself. */
#include "cli/cli.h"
#include "cli/history_file.h"

#include <inttypes.h>
#include <stdio.h>

struct lint_command {
    struct history_flags read;
    const char *path;
    bool json, quiet;
};

static void count_outcomes(const struct history *history, uint32_t *counts) {
    for (uint32_t i = 0; i < history->op_count; i++)
        counts[history->ops[i].outcome]++;
}

static void print_json(const struct lint *lint, const struct history *history,
                       enum read_format format) {
    struct buf out = {0};
    uint32_t counts[4] = {0};
    count_outcomes(history, counts);
    buf_printf(&out,
               "{\"format\":\"%s\",\"operations\":%" PRIu32 ",\"processes\":%" PRIu32
               ",\"ok\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"open\":%" PRIu32
               ",\"mismatched\":%" PRIu32 ",\"faults\":%" PRIu32,
               read_format_name(format), history->op_count, history->process_count, counts[OP_OK],
               counts[OP_FAIL], counts[OP_INFO], counts[OP_MISMATCH], history->fault_count);
    buf_printf(&out, ",\"errors\":%" PRIu32 ",\"warnings\":%" PRIu32 ",\"notes\":%" PRIu32,
               lint->totals[LINT_ERROR], lint->totals[LINT_WARNING], lint->totals[LINT_NOTE]);
    buf_printf(&out, ",\"findings\":[");
    for (uint32_t i = 0; i < lint->count; i++) {
        buf_printf(&out, "%s{\"line\":%" PRIu32 ",\"severity\":\"%s\",\"text\":", i == 0 ? "" : ",",
                   lint->at[i].line, lint_severity_name(lint->at[i].severity));
        text_print_json(lint_text(lint, i), &out);
        buf_u8(&out, '}');
    }
    buf_printf(&out, "]}\n");
    fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

static void print_summary(const struct lint *lint, const struct history *history,
                          enum read_format format) {
    uint32_t counts[4] = {0};
    count_outcomes(history, counts);
    printf("%s: %" PRIu32 " operations of %" PRIu32 " processes: %" PRIu32 " ok, %" PRIu32
           " failed, %" PRIu32 " open",
           read_format_name(format), history->op_count, history->process_count, counts[OP_OK],
           counts[OP_FAIL], counts[OP_INFO]);
    if (counts[OP_MISMATCH] != 0)
        printf(", %" PRIu32 " without a match", counts[OP_MISMATCH]);
    if (history->mop_count != 0)
        printf("; %" PRIu32 " reads and writes in them", history->mop_count);
    if (history->fault_count != 0)
        printf("; %" PRIu32 " faults", history->fault_count);
    printf("\n%" PRIu32 " errors, %" PRIu32 " warnings, %" PRIu32 " notes\n",
           lint->totals[LINT_ERROR], lint->totals[LINT_WARNING], lint->totals[LINT_NOTE]);
}

static int run(const struct lint_command *command) {
    struct history history;
    struct lint lint;
    enum read_format format = READ_AUTO;
    int code = EXIT_MISUSE;
    if (history_file_read_silently("lint", command->path, &command->read, NULL, &history, &lint,
                                   &format)) {
        lint_values(&lint, &history);
        lint_history(&lint, &history);
        lint_sort(&lint);
        code = lint.totals[LINT_ERROR] != 0 ? EXIT_MISUSE : EXIT_FINE;
        if (command->json) {
            print_json(&lint, &history, format);
        } else {
            history_file_print_lint(command->path, &lint, command->quiet ? LINT_WARNING : LINT_NOTE,
                                    UINT32_MAX, stdout);
            print_summary(&lint, &history, format);
        }
    }
    lint_free(&lint);
    history_free(&history);
    return code;
}

int cmd_lint(int argc, char **argv) {
    struct lint_command command = {0};
    const struct flag flags[] = {HISTORY_FLAGS(command.read),
                                 {"json", FLAG_SWITCH, &command.json},
                                 {"quiet", FLAG_SWITCH, &command.quiet}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("lint", "one FILE is wanted, or - for standard input");
    command.path = argv[1];
    return run(&command);
}
