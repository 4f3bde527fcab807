/* COMMAND: the command table, told to clients. */
#include "front/redis/redis_internal.h"

#include <string.h>

static void put_lower(struct buf *out, const char *name) {
    char text[64];
    size_t i = 0;
    for (; name[i] && i + 1 < sizeof text; i++)
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    resp_put_bulk(out, bytes_of(text, i));
}

struct told_flag {
    bool on;
    const char *name, *category;
};

static size_t flags_of(const struct command *command, struct told_flag flags[8]) {
    const struct told_flag all[] = {
        {command->kv_flags & KV_WRITE, "write", "@write"},
        {command->kv_flags & KV_READ, "readonly", "@read"},
        {command->kv_flags & KV_OOM, "denyoom", NULL},
        {command->kv_flags & KV_FAST, "fast", "@fast"},
        {command->kv_flags & KV_PUBSUB || strcmp(command->group, "pubsub") == 0, "pubsub",
         "@pubsub"},
        {command->flags & CMD_NO_MULTI, "no_multi", NULL},
        {command->flags & CMD_NO_AUTH, "no_auth", NULL},
        {command->flags & CMD_ADMIN, "admin", "@admin"},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].on)
            flags[count++] = all[i];
    return count;
}

/* Ten elements, as Redis 7 tells them. */
static void put_info(struct call *call, const struct command *command) {
    struct buf *out = call->out;
    int protocol = call->conn->protocol;
    struct told_flag flags[8];
    size_t count = flags_of(command, flags), categories = 0;
    resp_put_array(out, 10);
    put_lower(out, command->name);
    resp_put_int(out, command->arity);
    resp_put_set(out, protocol, count);
    for (size_t i = 0; i < count; i++) {
        resp_put_status(out, flags[i].name);
        categories += flags[i].category != NULL;
    }
    resp_put_int(out, command->first_key);
    resp_put_int(out, command->last_key);
    resp_put_int(out, command->key_step);
    resp_put_set(out, protocol, categories);
    for (size_t i = 0; i < count; i++)
        if (flags[i].category != NULL)
            resp_put_status(out, flags[i].category);
    resp_put_array(out, 0); /* tips */
    resp_put_array(out, 0); /* key specifications */
    resp_put_array(out, 0); /* subcommands */
}

static void all_infos(struct call *call) {
    resp_put_array(call->out, command_count());
    for (size_t i = 0; i < command_count(); i++)
        put_info(call, command_at(i));
}

static void some_infos(struct call *call) {
    resp_put_array(call->out, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = command_find(call->args[i]);
        if (command != NULL)
            put_info(call, command);
        else
            resp_put_nil(call->out, call->conn->protocol);
    }
}

static void put_docs(struct call *call, const struct command *command) {
    struct buf *out = call->out;
    put_lower(out, command->name);
    resp_put_map(out, call->conn->protocol, 3);
    resp_put_cstr(out, "summary");
    resp_put_cstr(out, command->summary);
    resp_put_cstr(out, "since");
    resp_put_cstr(out, command->since);
    resp_put_cstr(out, "group");
    resp_put_cstr(out, command->group);
}

static void docs(struct call *call) {
    size_t known = 0;
    for (size_t i = 2; i < call->argc; i++)
        known += command_find(call->args[i]) != NULL;
    resp_put_map(call->out, call->conn->protocol, call->argc == 2 ? command_count() : known);
    for (size_t i = 0; call->argc == 2 && i < command_count(); i++)
        put_docs(call, command_at(i));
    for (size_t i = 2; i < call->argc; i++)
        if (command_find(call->args[i]) != NULL)
            put_docs(call, command_find(call->args[i]));
}

static void list(struct call *call) {
    if (call->argc != 2 && !(call->argc == 5 && arg_is(call, 2, "FILTERBY"))) {
        resp_put_error(call->out, "ERR syntax error");
        return;
    }
    resp_put_array(call->out, command_count());
    for (size_t i = 0; i < command_count(); i++)
        put_lower(call->out, command_at(i)->name);
}

static void get_keys(struct call *call) {
    size_t argc = call->argc - 2; /* of the command asked about, its name included */
    const struct command *command = command_find(call->args[2]);
    if (command == NULL) {
        resp_put_error(call->out, "ERR Invalid command specified");
        return;
    }
    bool fits =
        command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
    if (!fits) {
        resp_put_error(call->out, "ERR Invalid number of arguments specified for command");
        return;
    }
    if (command->first_key == 0) {
        resp_put_error(call->out, "ERR The command has no key arguments");
        return;
    }
    size_t first = (size_t)command->first_key, step = (size_t)command->key_step;
    size_t last =
        command->last_key >= 0 ? (size_t)command->last_key : argc - (size_t)-command->last_key;
    resp_put_array(call->out, last >= first ? (last - first) / step + 1 : 0);
    for (size_t i = first; i <= last; i += step)
        resp_put_bulk(call->out, call->args[2 + i]);
}

void cmd_command(struct call *call) {
    static const char *const help[] = {"(no subcommand)",
                                       "    All commands.",
                                       "COUNT",
                                       "    How many there are.",
                                       "DOCS [<command> ...]",
                                       "    What they are for.",
                                       "GETKEYS <command> ...",
                                       "    The keys of a whole command.",
                                       "INFO [<command> ...]",
                                       "    Arity, flags, key positions.",
                                       "LIST",
                                       "    Their names.",
                                       "HELP",
                                       "    Print this help."};
    if (call->argc == 1 || (call->argc == 2 && arg_is(call, 1, "INFO")))
        all_infos(call);
    else if (arg_is(call, 1, "INFO"))
        some_infos(call);
    else if (arg_is(call, 1, "COUNT") && call->argc == 2)
        resp_put_int(call->out, (int64_t)command_count());
    else if (arg_is(call, 1, "DOCS"))
        docs(call);
    else if (arg_is(call, 1, "LIST"))
        list(call);
    else if (arg_is(call, 1, "GETKEYS") && call->argc > 2)
        get_keys(call);
    else if (arg_is(call, 1, "HELP"))
        reply_help(call, help, sizeof help / sizeof *help);
    else
        reply_subcommand_error(call);
}
