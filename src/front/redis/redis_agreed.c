/* What the cluster agreed upon besides its data, as operators see and change it: parameters and
 * replicated time, of every keyspace. */
#include "front/redis/redis_internal.h"

#include <string.h>

#define MB (1u << 20)

static struct agreed agreed_of(struct call *call, uint32_t keyspace, struct node_status *status) {
    node_status(call->conn->front->node, keyspace, status);
    return status->agreed;
}

/* The connection's own way into another keyspace than that of its data. */
static struct node_client *client_of(struct conn *conn, uint32_t keyspace) {
    if (keyspace == conn->front->options.keyspace)
        return &conn->client;
    if (conn->admin_open)
        node_client_close(&conn->admin);
    node_client_open(conn->front->node, keyspace, &conn->admin);
    conn->admin_open = true;
    return &conn->admin;
}

static bool keyspace_arg(struct call *call, size_t at, uint32_t *keyspace) {
    char name[16] = "";
    if (call->args[at].len < sizeof name)
        memcpy(name, call->args[at].data, call->args[at].len);
    if (node_keyspace_find(call->conn->front->node, name, keyspace))
        return true;
    resp_put_error(call->out, "ERR no keyspace has that name");
    return false;
}

static void answer_later(struct call *call, struct slot *slot, enum cairn_status status) {
    if (status == CAIRN_OK)
        return;
    resp_put_error(&slot->reply, status == CAIRN_WRONG_VERSION
                                     ? "ERR not every member has version 3 yet"
                                     : status_error(status));
    slot_answered(slot);
}

static void put_parameter(struct call *call, uint32_t keyspace, const char *name, uint64_t value,
                          uint64_t revision) {
    const struct node_options *options = node_get_options(call->conn->front->node);
    resp_put_array(call->out, 4);
    resp_put_cstr(call->out, options->keyspaces[keyspace].name);
    resp_put_cstr(call->out, name);
    resp_put_int(call->out, (int64_t)value);
    resp_put_int(call->out, (int64_t)revision);
}

static void list_parameters(struct call *call) {
    const struct node_options *options = node_get_options(call->conn->front->node);
    struct node_status status;
    resp_put_array(call->out, 2 * options->keyspace_count);
    for (uint32_t i = 0; i < options->keyspace_count; i++) {
        struct agreed agreed = agreed_of(call, i, &status);
        put_parameter(call, i, "session-window", agreed.parameters.session_window,
                      agreed.parameters.revision);
        put_parameter(call, i, "value-max-mb", agreed.parameters.value_bytes_max / MB,
                      agreed.parameters.revision);
    }
}

/* CAIRN.PARAMETER LIST | SET keyspace name value */
void cmd_cairn_parameter(struct call *call) {
    uint32_t keyspace;
    int64_t value;
    struct node_status status;
    if (arg_is(call, 1, "LIST") && call->argc == 2) {
        list_parameters(call);
        return;
    }
    bool window = call->argc == 5 && arg_is(call, 3, "session-window");
    bool largest = call->argc == 5 && arg_is(call, 3, "value-max-mb");
    if (!arg_is(call, 1, "SET") || (!window && !largest)) {
        resp_put_error(call->out, "ERR usage: CAIRN.PARAMETER LIST | SET keyspace session-window "
                                  "replies | SET keyspace value-max-mb megabytes");
        return;
    }
    if (!keyspace_arg(call, 2, &keyspace) || !arg_int(call, 4, &value))
        return;
    uint64_t most = window ? AGREED_WINDOW_MAX : AGREED_VALUE_BYTES_MAX / MB;
    if (value < 1 || (uint64_t)value > most) {
        resp_put_error(call->out, window ? "ERR session-window is between 1 and 65536"
                                         : "ERR value-max-mb is between 1 and 1024");
        return;
    }
    struct agreed_parameters wanted = agreed_of(call, keyspace, &status).parameters;
    if (window)
        wanted.session_window = (uint32_t)value;
    else
        wanted.value_bytes_max = (uint64_t)value * MB;
    struct slot *slot = slot_new(call->conn, call->command);
    answer_later(call, slot,
                 node_set_parameters(client_of(call->conn, keyspace), &wanted, slot_done, slot));
}

static void list_times(struct call *call) {
    const struct node_options *options = node_get_options(call->conn->front->node);
    struct node_status status;
    resp_put_array(call->out, options->keyspace_count);
    for (uint32_t i = 0; i < options->keyspace_count; i++) {
        agreed_of(call, i, &status);
        resp_put_array(call->out, 4);
        resp_put_cstr(call->out, options->keyspaces[i].name);
        resp_put_int(call->out, (int64_t)status.time_ms);
        resp_put_int(call->out, (int64_t)status.wall_ms);
        resp_put_int(call->out, (int64_t)status.agreed.time_back_ms);
    }
}

/* CAIRN.TIME -> for every keyspace its name, replicated time, this node's clock, and by how much
 * time was set back, all in ms; CAIRN.TIME BACK keyspace unix-ms. */
void cmd_cairn_time(struct call *call) {
    uint32_t keyspace;
    int64_t time_ms;
    if (call->argc == 1) {
        list_times(call);
        return;
    }
    if (!arg_is(call, 1, "BACK") || call->argc != 4) {
        resp_put_error(call->out, "ERR usage: CAIRN.TIME [BACK keyspace unix-time-in-ms]");
        return;
    }
    if (!keyspace_arg(call, 2, &keyspace) || !arg_int(call, 3, &time_ms))
        return;
    struct slot *slot = slot_new(call->conn, call->command);
    answer_later(call, slot,
                 node_set_time(client_of(call->conn, keyspace), time_ms > 0 ? (uint64_t)time_ms : 0,
                               slot_done, slot));
}
