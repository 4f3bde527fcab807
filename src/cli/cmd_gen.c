/* cairn gen: histories of a given level. */
#include "check/gen.h"
#include "check/write.h"
#include "cli/cli.h"
#include "cli/history_file.h"

#include <inttypes.h>
#include <string.h>

struct gen_command {
    const char *model, *level, *values, *to, *path;
    uint64_t clients, ops, keys, seed, info;
    bool bad;
};

static void list_choices(struct buf *out, enum model model) {
    if (model == MODEL_NONE) {
        for (int m = 0; m < MODEL_COUNT; m++)
            buf_printf(out, "%s%s", m == 0 ? "" : ", ", model_name((enum model)m));
    } else {
        bool first = true;
        for (int level = 0; level < LEVEL_COUNT; level++)
            if (gen_has(model, (enum level)level)) {
                buf_printf(out, "%s%s", first ? "" : ", ", level_name((enum level)level));
                first = false;
            }
    }
    buf_u8(out, 0);
}

static int wrong_name(const char *what, const char *name, enum model model) {
    struct buf choices = {0};
    list_choices(&choices, model);
    int code = misuse("gen", "there is no %s '%s' to make histories of (there are: %s)", what, name,
                      (char *)choices.data);
    buf_free(&choices);
    return code;
}

static int options_of(const struct gen_command *command, struct gen_options *options) {
    *options = (struct gen_options){.clients = (uint32_t)command->clients,
                                    .ops = (uint32_t)command->ops,
                                    .keys = (uint32_t)command->keys,
                                    .info_percent = (uint32_t)command->info,
                                    .bad = command->bad,
                                    .seed = command->seed,
                                    .level = LEVEL_NONE};
    if (command->clients > UINT32_MAX || command->ops > UINT32_MAX || command->keys > UINT32_MAX ||
        command->info > 100)
        return misuse("gen", "a number is too large");
    options->model = model_of(command->model);
    if (options->model == MODEL_NONE)
        return wrong_name("model", command->model, MODEL_NONE);
    if (command->level != NULL) {
        options->level = level_of(command->level, model_transactional(options->model));
        if (options->level == LEVEL_NONE || !gen_has(options->model, options->level))
            return wrong_name("level", command->level, options->model);
    }
    if (strcmp(command->values, "unique") != 0 &&
        (!parse_number(command->values, &options->values) || options->values == 0))
        return misuse("gen", "--values is unique or a number, not '%s'", command->values);
    return EXIT_FINE;
}

static int run(const struct gen_options *options, enum write_format format, const char *path) {
    struct history history;
    struct buf why = {0};
    int code;
    if (gen_history(options, &history, &why))
        code = history_file_write("gen", &history, format, path, NULL) ? EXIT_FINE : EXIT_NO;
    else
        code = misuse("gen", "%.*s", (int)why.len, (const char *)why.data);
    buf_free(&why);
    history_free(&history);
    return code;
}

int cmd_gen(int argc, char **argv) {
    struct gen_command command = {.model = "register",
                                  .values = "unique",
                                  .to = "jsonl",
                                  .clients = 5,
                                  .ops = 100,
                                  .keys = 1,
                                  .seed = 1};
    const struct flag flags[] = {{"model", FLAG_TEXT, &command.model},
                                 {"level", FLAG_TEXT, &command.level},
                                 {"clients", FLAG_NUMBER, &command.clients},
                                 {"ops", FLAG_NUMBER, &command.ops},
                                 {"keys", FLAG_NUMBER, &command.keys},
                                 {"values", FLAG_TEXT, &command.values},
                                 {"seed", FLAG_NUMBER, &command.seed},
                                 {"info", FLAG_NUMBER, &command.info},
                                 {"bad", FLAG_SWITCH, &command.bad},
                                 {"to", FLAG_TEXT, &command.to},
                                 {"o", FLAG_TEXT, &command.path}};
    struct gen_options options;
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("gen", "unexpected '%s'", argv[1]);
    enum write_format format = write_format_of(command.to);
    if (format == WRITE_FORMAT_COUNT)
        return misuse("gen", "--to is jsonl, edn or awdit, not '%s'", command.to);
    int code = options_of(&command, &options);
    return code != EXIT_FINE ? code : run(&options, format, command.path);
}
