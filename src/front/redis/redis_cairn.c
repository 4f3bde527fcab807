/* cairn's own commands: exactly-once sessions, and what operators ask for. */
#include "front/redis/redis_internal.h"
#include "node/ask.h"

#include <string.h>

#define SESSION_TTL_MS (3600ull * 1000)

static void refused(struct slot *slot, enum cairn_status status) {
    if (status == CAIRN_OK)
        return;
    resp_put_error(&slot->reply, status_error(status));
    slot_answered(slot);
}

/* CAIRN.SESSION [OPEN [ttl-ms]] -> id; CAIRN.SESSION CLOSE id -> 1 or 0. */
void cmd_cairn_session(struct call *call) {
    struct conn *conn = call->conn;
    int64_t number = (int64_t)SESSION_TTL_MS;
    bool open = call->argc == 1 || (arg_is(call, 1, "OPEN") && call->argc <= 3);
    bool close = arg_is(call, 1, "CLOSE") && call->argc == 3;
    if (!open && !close) {
        resp_put_error(call->out, "ERR usage: CAIRN.SESSION [OPEN [ttl-ms]] or CAIRN.SESSION CLOSE "
                                  "session");
        return;
    }
    if (call->argc == 3 && !arg_int(call, 2, &number))
        return;
    struct slot *slot = slot_new(conn, call->command);
    refused(slot, open ? node_session_open(&conn->client, (uint64_t)number, slot_done, slot)
                       : node_session_close(&conn->client, (uint64_t)number, slot_done, slot));
}

/* CAIRN.ONCE session sequence command ...: executed once however often it is sent; a retry gets the
 * first reply. */
void cmd_cairn_once(struct call *call) {
    struct conn *conn = call->conn;
    int64_t session, sequence;
    if (!arg_int(call, 1, &session) || !arg_int(call, 2, &sequence))
        return;
    const struct command *command = command_find(call->args[3]);
    size_t argc = call->argc - 3;
    if (command == NULL || command->opcode == 0) {
        resp_put_error(call->out, "ERR CAIRN.ONCE takes a command that reads or writes keys");
        return;
    }
    if (command->arity >= 0 ? argc != (size_t)command->arity : argc < (size_t)-command->arity) {
        resp_put_error(call->out,
                       "ERR wrong number of arguments for the command within CAIRN.ONCE");
        return;
    }
    if (out_of_memory(conn->front, command)) {
        resp_put_error(call->out, "OOM command not allowed when used memory > 'maxmemory'.");
        return;
    }
    if (!patterns_fit(command, call->args + 3, argc)) {
        resp_put_error(call->out, PATTERN_TOO_LONG);
        return;
    }
    struct command_part part = conn_command(conn, command->opcode, call->args + 4, argc - 1);
    struct slot *slot = slot_new(conn, command);
    slot_heavy(slot);
    refused(slot, node_once(&conn->client, (uint64_t)session, (uint64_t)sequence, &part, slot_done,
                            slot));
    buf_free(&part.buf);
}

/* ---- operators ---- */

#define WORDS_MAX 4

static void members_known(void *context, enum cairn_status status, struct bytes reply) {
    struct slot *slot = context;
    struct buf lines = {0};
    node_members_status(slot->conn->front->node, status == CAIRN_OK, &lines);
    slot_done(slot, CAIRN_OK, buf_view(&lines));
    buf_free(&lines);
}

/* An operator whose change was answered "of unknown fate" asks here next: what a node that lags
 * behind knows would be no answer. */
static void tell_changes(struct call *call) {
    struct conn *conn = call->conn;
    struct slot *slot = slot_new(conn, call->command);
    if (node_members_barrier(&conn->client, members_known, slot) != CAIRN_OK)
        members_known(slot, CAIRN_NO_QUORUM, bytes_of(NULL, 0));
}

static void tell_members(struct call *call) {
    const struct redis_front *front = call->conn->front;
    struct buf reply = {0};
    node_members_list(front->node, front->options.keyspace, &reply);
    struct reader reader = reader_of(buf_view(&reply));
    put_reply(call->out, call->conn->protocol, &reader);
    buf_free(&reply);
}

static void ask(struct call *call, const char *group) {
    struct bytes words[WORDS_MAX + 1];
    struct node_ask wanted;
    size_t count = call->argc <= WORDS_MAX ? call->argc : WORDS_MAX + 1; /* too many: no such */
    words[0] = bytes_cstr(group);
    for (size_t i = 1; i < count && i < call->argc; i++)
        words[i] = call->args[i];
    const char *error = node_ask_parse(words, count, &wanted);
    if (error != NULL) {
        resp_put_error(call->out, error);
    } else if (wanted.kind == NODE_ASK_MEMBERS) {
        tell_members(call);
    } else if (wanted.kind == NODE_ASK_CHANGES) {
        tell_changes(call);
    } else {
        struct slot *slot = slot_new(call->conn, call->command);
        refused(slot, node_operate(&call->conn->client, wanted.operation, wanted.id, wanted.address,
                                   slot_done, slot));
    }
}

/* CAIRN.MEMBER LIST | STATUS | ADD id address ... (node/ask.h) */
void cmd_cairn_member(struct call *call) {
    ask(call, "MEMBER");
}

/* CAIRN.LEADER TRANSFER [id] */
void cmd_cairn_leader(struct call *call) {
    ask(call, "LEADER");
}

void cmd_cairn_status(struct call *call) {
    struct buf json = {0};
    node_status_json(call->conn->front->node, &json);
    resp_put_bulk(call->out, buf_view(&json));
    buf_free(&json);
}
