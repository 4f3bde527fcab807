/* cairn's own commands: exactly-once sessions, and what operators ask for. */
#include "front/redis/redis_internal.h"

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

static void put_members(struct call *call) {
    struct node_status status;
    node_status(call->conn->front->node, call->conn->front->options.keyspace, &status);
    const struct config *config = &status.replica.config;
    resp_put_array(call->out, config->count);
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        resp_put_array(call->out, 4);
        resp_put_int(call->out, (int64_t)member->id);
        resp_put_cstr(call->out, member->address);
        resp_put_cstr(call->out, member->voter || member->voter_old ? "voter" : "learner");
        resp_put_cstr(call->out, member->id == status.replica.leader ? "leader" : "follower");
    }
}

static void operate(struct call *call, enum node_operation operation, uint64_t id,
                    const char *address) {
    struct slot *slot = slot_new(call->conn, call->command);
    refused(slot, node_operate(&call->conn->client, operation, id, address, slot_done, slot));
}

/* A line a fact, as bulk strings. known: what other nodes know of it too is told. */
static void put_lines(const struct node *node, bool known, struct buf *out) {
    struct buf text = {0};
    uint32_t count = 0;
    node_members_tell(node, &text);
    if (!known)
        buf_printf(&text, "this is what this node knows: no majority tells whether it is all\n");
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    resp_put_array(out, count);
    for (size_t at = 0, i = 0; i < text.len; i++) {
        if (text.data[i] != '\n')
            continue;
        resp_put_bulk(out, bytes_of(text.data + at, i - at));
        at = i + 1;
    }
    buf_free(&text);
}

static void members_known(void *context, enum cairn_status status, struct bytes reply) {
    struct slot *slot = context;
    put_lines(slot->conn->front->node, status == CAIRN_OK, &slot->reply);
    slot_answered(slot);
}

/* An operator whose change was answered "of unknown fate" asks here next: what a node that lags
 * behind knows would be no answer. */
static void tell_members(struct call *call) {
    struct conn *conn = call->conn;
    struct slot *slot = slot_new(conn, call->command);
    if (node_members_barrier(&conn->client, members_known, slot) == CAIRN_OK)
        return;
    put_lines(conn->front->node, false, &slot->reply);
    slot_answered(slot);
}

static const struct member_word {
    const char *word;
    size_t argc;
    enum node_operation operation;
} member_words[] = {
    {"ADD", 4, NODE_MEMBER_ADD},       {"LEARNER", 4, NODE_MEMBER_LEARNER},
    {"MOVE", 4, NODE_MEMBER_MOVE},     {"PROMOTE", 3, NODE_MEMBER_PROMOTE},
    {"REMOVE", 3, NODE_MEMBER_REMOVE}, {"CANCEL", 2, NODE_MEMBER_CANCEL},
};

/* CAIRN.MEMBER LIST | STATUS | ADD id address | LEARNER id address | MOVE id address | PROMOTE id |
 * REMOVE id | CANCEL */
void cmd_cairn_member(struct call *call) {
    char address[CONFIG_ADDRESS_MAX] = "";
    int64_t id = 0;
    if (call->argc == 2 && arg_is(call, 1, "LIST")) {
        put_members(call);
        return;
    }
    if (call->argc == 2 && arg_is(call, 1, "STATUS")) {
        tell_members(call);
        return;
    }
    if (call->argc >= 3 && !arg_int(call, 2, &id))
        return;
    bool fits = call->argc < 4 || call->args[3].len < sizeof address;
    if (call->argc == 4 && fits && call->args[3].len > 0)
        memcpy(address, call->args[3].data, call->args[3].len);
    for (size_t i = 0; fits && i < sizeof member_words / sizeof *member_words; i++)
        if (call->argc == member_words[i].argc && arg_is(call, 1, member_words[i].word)) {
            operate(call, member_words[i].operation, (uint64_t)id, address);
            return;
        }
    resp_put_error(call->out,
                   "ERR usage: CAIRN.MEMBER LIST | STATUS | ADD id host:port | LEARNER id "
                   "host:port | MOVE id host:port | PROMOTE id | REMOVE id | CANCEL");
}

/* CAIRN.LEADER TRANSFER [id] */
void cmd_cairn_leader(struct call *call) {
    int64_t id = 0;
    if (!arg_is(call, 1, "TRANSFER") || call->argc > 3) {
        resp_put_error(call->out, "ERR usage: CAIRN.LEADER TRANSFER [id]");
        return;
    }
    if (call->argc == 3 && !arg_int(call, 2, &id))
        return;
    operate(call, NODE_LEADER_TRANSFER, (uint64_t)id, "");
}

void cmd_cairn_status(struct call *call) {
    struct buf json = {0};
    node_status_json(call->conn->front->node, &json);
    resp_put_bulk(call->out, buf_view(&json));
    buf_free(&json);
}
