/* From arguments to execution: which command it is, whether it may run now, and what runs it. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/glob.h"

#include <ctype.h>
#include <errno.h>
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
        size_t from = text.len;
        for (size_t i = 1; i < argc && text.len - from < ARGS_QUOTED_MAX; i++) {
            size_t room = ARGS_QUOTED_MAX - (text.len - from);
            buf_printf(&text, "'%.*s' ", args[i].len < room ? (int)args[i].len : (int)room,
                       (const char *)args[i].data);
        }
    }
    resp_put_error_bytes(out, buf_view(&text));
    reply_end(conn, out);
    buf_free(&text);
}

/* A browser that was led to this port: nothing further that it says must be taken for commands. */
static bool is_web_request(struct bytes name) {
    return bytes_equal_nocase(name, BYTES("POST")) || bytes_equal_nocase(name, BYTES("Host:"));
}

static void lower_name(const struct command *command, char *out, size_t size) {
    size_t i = 0;
    for (; command->name[i] && i + 1 < size; i++)
        out[i] = command->name[i] >= 'A' && command->name[i] <= 'Z' ? (char)(command->name[i] + 32)
                                                                    : command->name[i];
    out[i] = 0;
}

/* Redis gives up the whole transaction when it is EXEC itself that can't be taken. */
static void refuse_command(struct conn *conn, const struct command *command, struct bytes text) {
    struct buf *out = reply_begin(conn);
    if (command->run == cmd_exec) {
        struct buf abort = {0};
        const uint8_t *blank = memchr(text.data, ' ', text.len);
        buf_printf(&abort, "EXECABORT Transaction discarded because of:%.*s",
                   (int)(text.data + text.len - blank), (const char *)blank);
        resp_put_error_bytes(out, buf_view(&abort));
        buf_free(&abort);
        multi_discard(conn);
        watch_forget(conn);
    } else {
        resp_put_error_bytes(out, text);
        if (conn->multi != NULL)
            conn->multi->broken = true;
    }
    reply_end(conn, out);
}

static void wrong_arity(struct conn *conn, const struct command *command,
                        const struct bytes *subcommand) {
    struct buf text = {0};
    char name[64];
    lower_name(command, name, sizeof name);
    buf_printf(&text, "ERR wrong number of arguments for '%s", name);
    for (size_t i = 0; subcommand != NULL && i < subcommand->len; i++)
        buf_printf(&text, "%s%c", i ? "" : "|", tolower(subcommand->data[i]));
    buf_printf(&text, "' command");
    refuse_command(conn, command, buf_view(&text));
    buf_free(&text);
}

static void unknown_subcommand(struct buf *out, const struct command *command,
                               struct bytes subcommand) {
    buf_printf(out, "ERR unknown subcommand '%.*s'. Try %s HELP.",
               subcommand.len < ARGS_QUOTED_MAX ? (int)subcommand.len : (int)ARGS_QUOTED_MAX,
               (const char *)subcommand.data, command->name);
}

/* Whether command and subcommand are there with that many arguments; false: an error is told. */
static bool shape_fits(struct conn *conn, const struct command *command, const struct bytes *args,
                       size_t argc) {
    int64_t count = (int64_t)argc;
    if (command->arity >= 0 ? count != command->arity : count < -command->arity) {
        wrong_arity(conn, command, NULL);
        return false;
    }
    enum subcommand_fit fit = subcommand_fit(command, args, argc);
    if (fit == SUBCOMMAND_ARITY) {
        wrong_arity(conn, command, &args[1]);
    } else if (fit == SUBCOMMAND_UNKNOWN) {
        struct buf text = {0};
        unknown_subcommand(&text, command, args[1]);
        refuse_command(conn, command, buf_view(&text));
        buf_free(&text);
    }
    return fit == SUBCOMMAND_FITS;
}

bool out_of_memory(const struct redis_front *front, const struct command *command) {
    return front->options.memory_max != 0 && command->kv_flags & KV_OOM &&
           node_machine_bytes(front->node, front->options.keyspace) > front->options.memory_max;
}

static void refuse_subscriber(struct conn *conn, const struct command *command) {
    struct buf text = {0};
    char name[64];
    lower_name(command, name, sizeof name);
    buf_printf(&text,
               "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
               "RESET are allowed in this context",
               name);
    refuse_command(conn, command, buf_view(&text));
    buf_free(&text);
}

bool patterns_fit(const struct command *command, const struct bytes *args, size_t argc) {
    if (command->opcode != KV_KEYS && command->opcode != KV_SCAN &&
        command->run != cmd_psubscribe && command->run != cmd_pubsub)
        return true;
    for (size_t i = 1; i < argc; i++)
        if (args[i].len > GLOB_PATTERN_MAX)
            return false;
    return true;
}

/* Why the command may not run on this connection now; NULL: it may. */
static const char *refusal(struct conn *conn, const struct command *command) {
    if (!conn->authenticated && !(command->flags & CMD_NO_AUTH))
        return "NOAUTH Authentication required.";
    if (conn->multi != NULL && command->flags & CMD_NO_MULTI)
        return "ERR Command not allowed inside a transaction";
    if (out_of_memory(conn->front, command))
        return "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
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
        if (call.holds_pushes)
            pushes_follow(conn, out);
        reply_end(conn, out);
    }
}

void exec_command(struct conn *conn, const struct bytes *args, size_t argc) {
    const struct command *command = command_find(args[0]);
    step_reply_mode(conn);
    conn->commands++;
    conn->front->total_commands++;
    if (!guest_may(conn, command))
        return;
    if (command == NULL && is_web_request(args[0])) {
        conn->front->protocol_errors++;
        conn_close_after_reply(conn);
        return;
    }
    if (command == NULL) {
        if (conn->multi != NULL)
            conn->multi->broken = true;
        unknown_command(conn, args, argc);
        return;
    }
    conn->last_command = command->name;
    if (!shape_fits(conn, command, args, argc))
        return;
    const char *why_not = refusal(conn, command);
    if (why_not == NULL && !patterns_fit(command, args, argc))
        why_not = PATTERN_TOO_LONG;
    if (why_not != NULL) {
        refuse_command(conn, command, bytes_cstr(why_not));
        return;
    }
    bool subscriber = conn->channel_count + conn->pattern_count > 0;
    if (subscriber && conn->protocol == 2 && !(command->flags & CMD_PUBSUB)) {
        refuse_subscriber(conn, command);
        return;
    }
    if (conn->multi != NULL && !(command->flags & CMD_AT_ONCE))
        multi_queue(conn, command, args, argc);
    else
        run_now(conn, command, args, argc);
}

/* Its reply may be long and can't be put off, for it comes about in the log: a write that answers
 * with values, or a read behind writes of its own client. */
static bool is_heavy(const struct call *call) {
    const struct command *command = call->command;
    switch (command->opcode) {
    case KV_GETSET:
    case KV_GETDEL:
    case KV_GETEX:
        return true;
    case KV_SET:
        return call->argc > 3;
    default:
        return call->reads || command->kv_flags & KV_READ ? call->conn->client.writes_inflight > 0
                                                          : command->opcode == 0;
    }
}

struct slot *exec_encoded(struct call *call, struct buf *encoded,
                          void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                         struct buf *)) {
    struct command_part part = {*encoded, buf_view(encoded)};
    *encoded = (struct buf){0};
    return exec_parts(call, &part, 1, finish);
}

struct slot *exec_parts(struct call *call, struct command_part *parts, size_t count,
                        void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                       struct buf *)) {
    struct slot *slot = slot_new(call->conn, call->command);
    slot->finish = finish;
    if (is_heavy(call))
        slot_heavy(slot);
    enum cairn_status status =
        node_execute_parts(&call->conn->client, parts, count, slot_done, slot);
    for (size_t i = 0; i < count; i++)
        buf_free(&parts[i].buf);
    if (status != CAIRN_OK) {
        resp_put_error(&slot->reply, status_error(status));
        slot_answered(slot);
        return NULL;
    }
    return slot;
}

void exec_machine(struct call *call) {
    struct command_part part =
        conn_command(call->conn, call->command->opcode, call->args + 1, call->argc - 1);
    exec_parts(call, &part, 1, NULL);
}

bool arg_int_or(struct call *call, size_t at, int64_t *value, const char *error) {
    char text[24], *end;
    struct bytes arg = call->args[at];
    if (arg.len > 0 && arg.len < sizeof text && (arg.data[0] == '-' || isdigit(arg.data[0]))) {
        memcpy(text, arg.data, arg.len);
        text[arg.len] = 0;
        errno = 0;
        *value = strtoll(text, &end, 10);
        if (end == text + arg.len && errno == 0)
            return true;
    }
    resp_put_error(call->out, error);
    return false;
}

bool arg_int(struct call *call, size_t at, int64_t *value) {
    return arg_int_or(call, at, value, "ERR value is not an integer or out of range");
}

bool arg_is(const struct call *call, size_t at, const char *word) {
    return at < call->argc && bytes_equal_nocase(call->args[at], bytes_cstr(word));
}

void reply_subcommand_error(struct call *call) {
    struct buf text = {0};
    unknown_subcommand(&text, call->command, call->args[1]);
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
