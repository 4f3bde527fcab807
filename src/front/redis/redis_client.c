/* CLIENT: what a connection is called, which are connected to this node, and their end. */
#include "front/redis/redis_internal.h"

#include <string.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define PAUSE_MS_MAX (365ll * 24 * 3600 * 1000)

static struct bytes text_of(const struct blob *blob) {
    return blob ? blob_view(blob) : bytes_of(NULL, 0);
}

static const char *type_of(const struct conn *conn) {
    return conn->channel_count + conn->pattern_count > 0 ? "pubsub" : "normal";
}

void client_describe(const struct conn *conn, struct buf *out) {
    uint64_t now = env_now(conn->front->env);
    struct bytes name = text_of(conn->name);
    struct bytes library = text_of(conn->library), version = text_of(conn->library_version);
    char command[64] = "NULL";
    if (conn->last_command != NULL)
        strncpy(command, conn->last_command, sizeof command - 1);
    for (char *c = command; *c && conn->last_command; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    buf_printf(out, "id=%llu addr=%s laddr=%s fd=0 name=%.*s age=%llu idle=%llu flags=%s db=0 ",
               (unsigned long long)conn->id, conn->address, conn->front->options.address,
               (int)name.len, (const char *)name.data,
               (unsigned long long)((now - conn->since_ns) / NS_PER_S),
               (unsigned long long)(now > conn->heard_ns ? (now - conn->heard_ns) / NS_PER_S : 0),
               conn->multi                                 ? "x"
               : conn->channel_count + conn->pattern_count ? "P"
                                                           : "N");
    buf_printf(out,
               "sub=%u psub=%u ssub=0 multi=%d qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu "
               "rbs=0 rbp=0 obl=%zu oll=%u omem=%zu tot-mem=%zu events=r cmd=%s user=default "
               "redir=-1 resp=%d lib-name=%.*s lib-ver=%.*s",
               conn->channel_count, conn->pattern_count, conn->multi ? (int)conn->multi->count : -1,
               conn->in.len, conn->in.cap - conn->in.len, conn->multi ? conn->multi->bytes : 0,
               conn->out.len, conn->slot_count, conn->out.cap,
               sizeof *conn + conn->in.cap + conn->out.cap, command, conn->protocol,
               (int)library.len, (const char *)library.data, (int)version.len,
               (const char *)version.data);
}

/* ---- names ---- */

static void set_name(struct call *call, struct blob **at, struct bytes value) {
    if (value.len > CLIENT_NAME_MAX) {
        resp_put_error(call->out, "ERR Client names cannot be longer than 1024 bytes.");
        return;
    }
    if (!client_name_ok(value)) {
        resp_put_error(call->out, "ERR Client names cannot contain spaces, newlines or special "
                                  "characters.");
        return;
    }
    blob_set(at, value);
    resp_put_status(call->out, "OK");
}

static void set_info(struct call *call) {
    if (arg_is(call, 2, "LIB-NAME"))
        set_name(call, &call->conn->library, call->args[3]);
    else if (arg_is(call, 2, "LIB-VER"))
        set_name(call, &call->conn->library_version, call->args[3]);
    else
        resp_put_error(call->out, "ERR Unrecognized option for CLIENT SETINFO");
}

static void get_name(struct call *call) {
    if (call->conn->name != NULL)
        resp_put_bulk(call->out, blob_view(call->conn->name));
    else
        resp_put_nil(call->out, call->conn->protocol);
}

/* ---- LIST and KILL ---- */

static bool type_known(const struct call *call, size_t at) {
    return arg_is(call, at, "normal") || arg_is(call, at, "pubsub") || arg_is(call, at, "master") ||
           arg_is(call, at, "replica") || arg_is(call, at, "slave");
}

static bool id_matches(const struct hnode *node, const void *key) {
    return container_of(node, struct conn, by_id)->id == *(const uint64_t *)key;
}

static const struct conn *find_id(const struct redis_front *front, uint64_t id) {
    struct hnode *node = hmap_find(&front->by_id, hash_u64(id), id_matches, &id);
    return node == NULL ? NULL : container_of(node, struct conn, by_id);
}

/* "<what> '<the argument>'" */
static void refuse_value(struct call *call, const char *what, size_t at) {
    struct bytes value = call->args[at];
    struct buf text = {0};
    buf_printf(&text, "%s '%.*s'", what, value.len < 128 ? (int)value.len : 128,
               (const char *)value.data);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

static void list_one(const struct conn *conn, struct buf *text) {
    if (conn == NULL)
        return;
    client_describe(conn, text);
    buf_u8(text, '\n');
}

static void list_clients(struct call *call) {
    bool by_type = call->argc == 4 && arg_is(call, 2, "TYPE");
    bool by_id = call->argc >= 4 && arg_is(call, 2, "ID");
    if (by_type && !type_known(call, 3)) {
        refuse_value(call, "ERR Unknown client type", 3);
        return;
    }
    if (call->argc > 2 && !by_type && !by_id) {
        resp_put_error(call->out, "ERR syntax error");
        return;
    }
    int64_t id;
    for (size_t i = 3; by_id && i < call->argc; i++)
        if (!arg_int_or(call, i, &id, "ERR Invalid client ID"))
            return;
    struct buf text = {0};
    for (size_t i = 3; by_id && i < call->argc; i++)
        if (arg_int(call, i, &id))
            list_one(find_id(call->conn->front, (uint64_t)id), &text);
    LIST_EACH(item, &call->conn->front->conns) {
        const struct conn *conn = container_of(item, struct conn, list);
        if (!by_id && (!by_type || bytes_equal_nocase(call->args[3], bytes_cstr(type_of(conn)))))
            list_one(conn, &text);
    }
    resp_put_verbatim(call->out, call->conn->protocol, buf_view(&text));
    buf_free(&text);
}

struct kill_filter {
    struct bytes address, own_address, type;
    int64_t id, age_min;
    bool by_id, skip_me;
};

static bool parse_filter(struct call *call, struct kill_filter *filter) {
    for (size_t i = 2; i < call->argc; i += 2) {
        if (i + 1 >= call->argc) {
            resp_put_error(call->out, "ERR syntax error");
            return false;
        }
        if (arg_is(call, i, "ID")) {
            const char *error = "ERR client-id should be greater than 0";
            filter->by_id = true;
            if (!arg_int_or(call, i + 1, &filter->id, error))
                return false;
            if (filter->id <= 0) {
                resp_put_error(call->out, error);
                return false;
            }
        } else if (arg_is(call, i, "MAXAGE")) {
            if (!arg_int(call, i + 1, &filter->age_min))
                return false;
        } else if (arg_is(call, i, "ADDR")) {
            filter->address = call->args[i + 1];
        } else if (arg_is(call, i, "LADDR")) {
            filter->own_address = call->args[i + 1];
        } else if (arg_is(call, i, "TYPE")) {
            filter->type = call->args[i + 1];
            if (!type_known(call, i + 1)) {
                refuse_value(call, "ERR Unknown client type", i + 1);
                return false;
            }
        } else if (arg_is(call, i, "USER")) {
            if (!bytes_equal(call->args[i + 1], BYTES("default"))) {
                refuse_value(call, "ERR No such user", i + 1);
                return false;
            }
        } else if (arg_is(call, i, "SKIPME") &&
                   (arg_is(call, i + 1, "yes") || arg_is(call, i + 1, "no"))) {
            filter->skip_me = arg_is(call, i + 1, "yes");
        } else {
            resp_put_error(call->out, "ERR syntax error");
            return false;
        }
    }
    return true;
}

static bool filter_takes(const struct kill_filter *filter, const struct conn *conn) {
    uint64_t age_s = (env_now(conn->front->env) - conn->since_ns) / NS_PER_S;
    if (filter->by_id && (uint64_t)filter->id != conn->id)
        return false;
    if (filter->address.data && !bytes_equal(filter->address, bytes_cstr(conn->address)))
        return false;
    if (filter->own_address.data &&
        !bytes_equal(filter->own_address, bytes_cstr(conn->front->options.address)))
        return false;
    if (filter->type.data && !bytes_equal_nocase(filter->type, bytes_cstr(type_of(conn))))
        return false;
    return filter->age_min <= 0 || age_s >= (uint64_t)filter->age_min;
}

static void kill(struct call *call) {
    struct kill_filter filter = {.skip_me = true};
    bool old_form = call->argc == 3;
    int64_t killed = 0;
    if (old_form) {
        filter.address = call->args[2];
        filter.skip_me = false;
    } else if (!parse_filter(call, &filter)) {
        return;
    }
    LIST_EACH(item, &call->conn->front->conns) {
        struct conn *conn = container_of(item, struct conn, list);
        if ((conn == call->conn && filter.skip_me) || !filter_takes(&filter, conn))
            continue;
        conn_close_after_reply(conn);
        killed++;
    }
    if (!old_form)
        resp_put_int(call->out, killed);
    else if (killed > 0)
        resp_put_status(call->out, "OK");
    else
        resp_put_error(call->out, "ERR No such client");
}

/* ---- REPLY, PAUSE ---- */

static void set_reply_mode(struct call *call) {
    struct conn *conn = call->conn;
    if (arg_is(call, 2, "ON")) {
        conn->reply_mode = REPLY_MODE_ON;
        resp_put_status(call->out, "OK");
    } else if (arg_is(call, 2, "OFF")) {
        conn->reply_mode = REPLY_MODE_OFF;
    } else if (arg_is(call, 2, "SKIP")) {
        if (conn->reply_mode != REPLY_MODE_OFF)
            conn->reply_mode = REPLY_MODE_SKIP;
    } else {
        resp_put_error(call->out, "ERR syntax error");
    }
}

static void pause(struct call *call) {
    struct redis_front *front = call->conn->front;
    int64_t ms;
    bool all = call->argc == 3 || arg_is(call, 3, "ALL");
    if (!all && !arg_is(call, 3, "WRITE")) {
        resp_put_error(call->out, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    const char *error = "ERR timeout is not an integer or out of range";
    if (!arg_int_or(call, 2, &ms, error))
        return;
    if (ms < 0 || ms > PAUSE_MS_MAX) {
        resp_put_error(call->out, ms < 0 ? "ERR timeout is negative" : error);
        return;
    }
    pause_begin(front, env_now(front->env) + (uint64_t)ms * NS_PER_MS, all);
    resp_put_status(call->out, "OK");
}

static void set_flag(struct call *call, bool *flag) {
    if (!arg_is(call, 2, "ON") && !arg_is(call, 2, "OFF")) {
        resp_put_error(call->out, "ERR syntax error");
        return;
    }
    *flag = arg_is(call, 2, "ON");
    resp_put_status(call->out, "OK");
}

static void describe_self(struct call *call) {
    struct buf text = {0};
    client_describe(call->conn, &text);
    buf_u8(&text, '\n');
    resp_put_verbatim(call->out, call->conn->protocol, buf_view(&text));
    buf_free(&text);
}

/* No command blocks a client so far. */
static void unblock(struct call *call) {
    int64_t id;
    if (!arg_int(call, 2, &id))
        return;
    if (call->argc == 4 && !arg_is(call, 3, "TIMEOUT") && !arg_is(call, 3, "ERROR"))
        resp_put_error(call->out, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    else
        resp_put_int(call->out, 0);
}

static void help(struct call *call) {
    static const char *const lines[] = {"GETNAME",
                                        "    The name of this connection.",
                                        "ID",
                                        "    The id of this connection.",
                                        "INFO",
                                        "    This connection, in one line.",
                                        "KILL <ip:port>|<option> <value> ...",
                                        "    Close connections of this node. Options are ID, ADDR,",
                                        "    LADDR, TYPE, USER, SKIPME, MAXAGE.",
                                        "LIST [TYPE <type>|ID <id> ...]",
                                        "    The connections of this node.",
                                        "NO-EVICT (ON|OFF)",
                                        "    Accepted: nothing is evicted.",
                                        "NO-TOUCH (ON|OFF)",
                                        "    Accepted.",
                                        "PAUSE <milliseconds> [WRITE|ALL]",
                                        "    Let the clients of this node wait.",
                                        "REPLY (ON|OFF|SKIP)",
                                        "    Whether this connection wants replies.",
                                        "SETINFO LIB-NAME|LIB-VER <value>",
                                        "    What the client library is.",
                                        "SETNAME <name>",
                                        "    Name this connection.",
                                        "UNBLOCK <id> [TIMEOUT|ERROR]",
                                        "    No command blocks so far: 0.",
                                        "UNPAUSE",
                                        "    End a pause.",
                                        "HELP",
                                        "    Print this help."};
    reply_help(call, lines, sizeof lines / sizeof *lines);
}

/* A subcommand by name and number of arguments; -1: any number from 2. */
static bool is(const struct call *call, const char *name, int argc) {
    return arg_is(call, 1, name) && (argc < 0 || call->argc == (size_t)argc);
}

void cmd_client(struct call *call) {
    struct conn *conn = call->conn;
    if (is(call, "ID", 2))
        resp_put_int(call->out, (int64_t)conn->id);
    else if (is(call, "INFO", 2))
        describe_self(call);
    else if (is(call, "LIST", -1))
        list_clients(call);
    else if (is(call, "KILL", -1) && call->argc > 2)
        kill(call);
    else if (is(call, "SETNAME", 3))
        set_name(call, &conn->name, call->args[2]);
    else if (is(call, "GETNAME", 2))
        get_name(call);
    else if (is(call, "SETINFO", 4))
        set_info(call);
    else if (is(call, "REPLY", 3))
        set_reply_mode(call);
    else if (is(call, "PAUSE", 3) || is(call, "PAUSE", 4))
        pause(call);
    else if (is(call, "UNPAUSE", 2)) {
        pause_end(conn->front);
        resp_put_status(call->out, "OK");
    } else if (is(call, "NO-EVICT", 3))
        set_flag(call, &conn->no_evict);
    else if (is(call, "NO-TOUCH", 3))
        set_flag(call, &conn->no_touch);
    else if (is(call, "UNBLOCK", 3) || is(call, "UNBLOCK", 4))
        unblock(call);
    else if (is(call, "GETREDIR", 2))
        resp_put_int(call->out, -1);
    else if (is(call, "HELP", 2))
        help(call);
    else
        reply_subcommand_error(call);
}
