/* From arguments to execution: which command it is, whether it may run now, and who runs it. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_QUOTED_MAX 128u

static void unknown_command(struct conn *conn, const struct bytes *args, size_t argc) {
    struct buf *out = reply_begin(conn);
    struct buf text = {0};
    int name_len = args[0].len < ARGS_QUOTED_MAX ? (int)args[0].len : (int)ARGS_QUOTED_MAX;
    if (command_is_foreign(args[0])) {
        buf_printf(
            &text,
            "ERR command '%.*s' is not supported by this version of cairn, which has strings "
            "and keys so far",
            name_len, (const char *)args[0].data);
    } else {
        buf_printf(&text, "ERR unknown command '%.*s', with args beginning with: ", name_len,
                   (const char *)args[0].data);
        for (size_t i = 1; i < argc && text.len < ARGS_QUOTED_MAX; i++)
            buf_printf(&text, "'%.*s' ",
                       args[i].len < ARGS_QUOTED_MAX ? (int)args[i].len : (int)ARGS_QUOTED_MAX,
                       (const char *)args[i].data);
    }
    resp_put_error_bytes(out, buf_view(&text));
    reply_end(conn, out);
    buf_free(&text);
}

static void refuse(struct conn *conn, const char *text) {
    struct buf *out = reply_begin(conn);
    resp_put_error(out, text);
    reply_end(conn, out);
}

static void lower_name(const struct command *command, char *out, size_t size) {
    size_t i = 0;
    for (; command->name[i] && i + 1 < size; i++)
        out[i] = command->name[i] >= 'A' && command->name[i] <= 'Z' ? (char)(command->name[i] + 32)
                                                                    : command->name[i];
    out[i] = 0;
}

static void wrong_arity(struct conn *conn, const struct command *command) {
    struct buf *out = reply_begin(conn);
    struct buf text = {0};
    char name[64];
    lower_name(command, name, sizeof name);
    buf_printf(&text, "ERR wrong number of arguments for '%s' command", name);
    resp_put_error_bytes(out, buf_view(&text));
    reply_end(conn, out);
    buf_free(&text);
}

static bool arity_fits(const struct command *command, size_t argc) {
    int64_t count = (int64_t)argc;
    return command->arity >= 0 ? count == command->arity : count >= -command->arity;
}

bool out_of_memory(const struct redis_front *front, const struct command *command) {
    return front->options.memory_max != 0 && command->kv_flags & KV_OOM &&
           node_machine_bytes(front->node) > front->options.memory_max;
}

/* Why the command may not run on this connection now; NULL: it may. */
static const char *refusal(struct conn *conn, const struct command *command) {
    if (!conn->authenticated && !(command->flags & CMD_NO_AUTH))
        return "NOAUTH Authentication required.";
    bool subscriber = conn->channel_count + conn->pattern_count > 0;
    if (subscriber && conn->protocol == 2 && !(command->flags & CMD_PUBSUB))
        return "ERR only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
               "this context";
    if (conn->multi != NULL && command->flags & CMD_NO_MULTI)
        return "ERR Command not allowed inside a transaction";
    if (out_of_memory(conn->front, command))
        return "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
}

static void spoil_multi(struct conn *conn) {
    if (conn->multi != NULL)
        conn->multi->broken = true;
}

/* CLIENT REPLY SKIP silences the one command that follows it. */
static void step_reply_mode(struct conn *conn) {
    if (conn->reply_mode == REPLY_MODE_SKIP)
        conn->reply_mode = REPLY_MODE_SKIPPING;
    else if (conn->reply_mode == REPLY_MODE_SKIPPING)
        conn->reply_mode = REPLY_MODE_ON;
}

void exec_local(struct conn *conn, const struct command *command, const struct bytes *args,
                size_t argc, struct buf *out) {
    struct call call = {.conn = conn, .command = command, .args = args, .argc = argc, .out = out};
    command->run(&call);
}

/* What the handler writes is told at once, in its place; a machine's command writes nothing yet. */
static void run_now(struct conn *conn, const struct command *command, const struct bytes *args,
                    size_t argc) {
    struct call call = {.conn = conn, .command = command, .args = args, .argc = argc};
    bool was_quiet = conn->reply_mode != REPLY_MODE_ON;
    struct buf *answer = &conn->front->answer;
    buf_clear(answer);
    call.out = answer;
    command->run(&call);
    bool quiet = conn->reply_mode != REPLY_MODE_ON && (was_quiet || command->run == cmd_client);
    if (answer->len > 0 && !quiet) {
        struct buf *out = reply_begin(conn);
        buf_bytes(out, buf_view(answer));
        reply_end(conn, out);
    }
}

void exec_command(struct conn *conn, const struct bytes *args, size_t argc) {
    const struct command *command = command_find(args[0]);
    step_reply_mode(conn);
    conn->commands++;
    conn->front->total_commands++;
    if (command == NULL) {
        if (!conn->authenticated) {
            refuse(conn, "NOAUTH Authentication required.");
            return;
        }
        spoil_multi(conn);
        unknown_command(conn, args, argc);
        return;
    }
    conn->last_command = command->name;
    if (!arity_fits(command, argc)) {
        spoil_multi(conn);
        wrong_arity(conn, command);
        return;
    }
    const char *why_not = refusal(conn, command);
    if (why_not != NULL) {
        if (command->run != cmd_exec)
            spoil_multi(conn);
        refuse(conn, why_not);
        return;
    }
    if (conn->multi != NULL && !(command->flags & CMD_AT_ONCE))
        multi_queue(conn, command, args, argc);
    else
        run_now(conn, command, args, argc);
}

struct slot *exec_encoded(struct call *call, struct bytes encoded,
                          void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                         struct buf *)) {
    struct slot *slot = slot_new(call->conn, call->command);
    slot->finish = finish;
    enum cairn_status status = node_execute(&call->conn->client, encoded, slot_done, slot);
    if (status != CAIRN_OK) {
        resp_put_error(&slot->reply, status_error(status));
        slot_answered(slot);
        return NULL;
    }
    return slot;
}

void exec_machine(struct call *call) {
    struct buf encoded = {0};
    kv_encode(&encoded, call->command->opcode, call->args + 1, call->argc - 1);
    exec_encoded(call, buf_view(&encoded), NULL);
    buf_free(&encoded);
}

bool arg_int(struct call *call, size_t at, int64_t *value) {
    char text[24], *end;
    struct bytes arg = call->args[at];
    if (arg.len > 0 && arg.len < sizeof text && arg.data[0] != ' ') {
        memcpy(text, arg.data, arg.len);
        text[arg.len] = 0;
        *value = strtoll(text, &end, 10);
        if (*end == 0)
            return true;
    }
    resp_put_error(call->out, "ERR value is not an integer or out of range");
    return false;
}

bool arg_is(const struct call *call, size_t at, const char *word) {
    return at < call->argc && bytes_equal_nocase(call->args[at], bytes_cstr(word));
}

void reply_subcommand_error(struct call *call) {
    struct buf text = {0};
    buf_printf(&text, "ERR unknown subcommand '%.*s'. Try %s HELP.",
               call->args[1].len < ARGS_QUOTED_MAX ? (int)call->args[1].len : (int)ARGS_QUOTED_MAX,
               (const char *)call->args[1].data, call->command->name);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

void reply_help(struct call *call, const char *const *lines, size_t count) {
    resp_put_array(call->out, count + 1);
    struct buf head = {0};
    buf_printf(&head,
               "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", call->command->name);
    resp_put_status_bytes(call->out, buf_view(&head));
    for (size_t i = 0; i < count; i++)
        resp_put_status(call->out, lines[i]);
    buf_free(&head);
}
