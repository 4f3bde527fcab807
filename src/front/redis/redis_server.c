/* Connection and server commands: PING, HELLO, AUTH, QUIT, RESET, SELECT, TIME ... */
#include "front/redis/redis_internal.h"

#include <string.h>

void cmd_ping(struct call *call) {
    const struct conn *conn = call->conn;
    if (call->argc > 2) {
        resp_put_error(call->out, "ERR wrong number of arguments for 'ping' command");
        return;
    }
    if (conn->protocol == 2 && conn->channel_count + conn->pattern_count > 0) {
        resp_put_array(call->out, 2);
        resp_put_cstr(call->out, "pong");
        resp_put_bulk(call->out, call->argc == 2 ? call->args[1] : bytes_of(NULL, 0));
    } else if (call->argc == 2) {
        resp_put_bulk(call->out, call->args[1]);
    } else {
        resp_put_status(call->out, "PONG");
    }
}

void cmd_echo(struct call *call) {
    resp_put_bulk(call->out, call->args[1]);
}

/* ---- AUTH and HELLO ---- */

/* In time that does not depend on where the difference is. */
static bool same_secret(struct bytes given, const char *secret) {
    size_t len = strlen(secret);
    uint8_t difference = given.len != len;
    for (size_t i = 0; i < given.len && len > 0; i++)
        difference |= (uint8_t)(given.data[i] ^ (uint8_t)secret[i % len]);
    return difference == 0;
}

static bool authenticate(struct call *call, struct bytes user, struct bytes password) {
    const struct redis_options *options = &call->conn->front->options;
    bool known = bytes_equal(user, BYTES("default"));
    if (known && (options->password[0] == 0 || same_secret(password, options->password))) {
        input_authenticated(call->conn, true);
        return true;
    }
    call->conn->front->wrong_passwords++;
    front_warn(call->conn->front, "a wrong password from the Redis client %s", call->conn->address);
    wait_penalty(call->conn, call->command,
                 "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void cmd_auth(struct call *call) {
    if (call->argc > 3) {
        resp_put_error(call->out, "ERR syntax error");
        return;
    }
    if (call->argc == 2 && call->conn->front->options.password[0] == 0) {
        resp_put_error(call->out,
                       "ERR AUTH <password> called without any password configured for the default "
                       "user. Are you sure your configuration is correct?");
        return;
    }
    struct bytes user = call->argc == 3 ? call->args[1] : BYTES("default");
    if (authenticate(call, user, call->args[call->argc - 1]))
        resp_put_status(call->out, "OK");
}

static void put_hello(struct call *call) {
    struct conn *conn = call->conn;
    struct buf *out = call->out;
    resp_put_map(out, conn->protocol, 7);
    resp_put_cstr(out, "server");
    resp_put_cstr(out, "redis");
    resp_put_cstr(out, "version");
    resp_put_cstr(out, REDIS_VERSION_TOLD);
    resp_put_cstr(out, "proto");
    resp_put_int(out, conn->protocol);
    resp_put_cstr(out, "id");
    resp_put_int(out, (int64_t)conn->id);
    resp_put_cstr(out, "mode");
    resp_put_cstr(out, "standalone");
    resp_put_cstr(out, "role");
    resp_put_cstr(out, "master");
    resp_put_cstr(out, "modules");
    resp_put_array(out, 0);
}

bool client_name_ok(struct bytes name) {
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    return true;
}

/* The options behind the version; false: an error was answered. */
static bool hello_options(struct call *call, struct bytes *name) {
    for (size_t i = 2; i < call->argc; i++) {
        if (arg_is(call, i, "AUTH") && i + 2 < call->argc) {
            if (!authenticate(call, call->args[i + 1], call->args[i + 2]))
                return false;
            i += 2;
        } else if (arg_is(call, i, "SETNAME") && i + 1 < call->argc) {
            *name = call->args[++i];
            if (name->len > CLIENT_NAME_MAX || !client_name_ok(*name)) {
                resp_put_error(call->out, "ERR Client names cannot contain spaces, newlines or "
                                          "special characters.");
                return false;
            }
        } else {
            struct buf text = {0};
            buf_printf(&text, "ERR Syntax error in HELLO option '%.*s'",
                       call->args[i].len < 128 ? (int)call->args[i].len : 128,
                       (const char *)call->args[i].data);
            resp_put_error_bytes(call->out, buf_view(&text));
            buf_free(&text);
            return false;
        }
    }
    return true;
}

void cmd_hello(struct call *call) {
    struct conn *conn = call->conn;
    struct bytes name = {0};
    bool version_known = call->argc == 1 || arg_is(call, 1, "2") || arg_is(call, 1, "3");
    if (!version_known) {
        bool number =
            call->args[1].len > 0 && call->args[1].data[0] >= '0' && call->args[1].data[0] <= '9';
        resp_put_error(call->out, number
                                      ? "NOPROTO unsupported protocol version"
                                      : "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (!hello_options(call, &name))
        return;
    if (!conn->authenticated) {
        resp_put_error(call->out,
                       "NOAUTH HELLO must be called with the client already authenticated, "
                       "otherwise the HELLO AUTH <user> <pass> option can be used to "
                       "authenticate the client and select the RESP protocol version at the same "
                       "time");
        return;
    }
    if (call->argc > 1)
        conn->protocol = arg_is(call, 1, "3") ? 3 : 2;
    if (name.data != NULL)
        blob_set(&conn->name, name);
    call->holds_pushes = true;
    put_hello(call);
}

void cmd_quit(struct call *call) {
    resp_put_status(call->out, "OK");
    conn_close_after_reply(call->conn);
}

void cmd_reset(struct call *call) {
    struct conn *conn = call->conn;
    multi_discard(conn);
    watch_forget(conn);
    pubsub_leave_all(conn);
    conn->protocol = 2;
    conn->reply_mode = REPLY_MODE_ON;
    conn->no_evict = conn->no_touch = false;
    input_authenticated(conn, conn->front->options.password[0] == 0);
    blob_set(&conn->name, bytes_of(NULL, 0));
    resp_put_status(call->out, "RESET");
}

void cmd_select(struct call *call) {
    int64_t database;
    if (!arg_int(call, 1, &database))
        return;
    if (database == 0)
        resp_put_status(call->out, "OK");
    else
        resp_put_error(call->out, "ERR DB index is out of range");
}

void cmd_time(struct call *call) {
    struct env_wall wall = env_wall(call->conn->front->env);
    uint64_t ns = wall.earliest + (wall.latest - wall.earliest) / 2;
    struct buf number = {0};
    resp_put_array(call->out, 2);
    buf_printf(&number, "%llu", (unsigned long long)(ns / 1000000000u));
    resp_put_bulk(call->out, buf_view(&number));
    buf_clear(&number);
    buf_printf(&number, "%llu", (unsigned long long)(ns % 1000000000u / 1000));
    resp_put_bulk(call->out, buf_view(&number));
    buf_free(&number);
}

void cmd_lolwut(struct call *call) {
    static const char picture[] = "      __\n"
                                  "     /__\\\n"
                                  "    /____\\\n"
                                  "   (______)\n"
                                  "  (________)\n"
                                  " (__________)\n"
                                  "A cairn: stones that agree on where they lie.\n"
                                  "Redis ver. " REDIS_VERSION_TOLD " (cairn " CAIRN_VERSION ")\n";
    resp_put_verbatim(call->out, call->conn->protocol, BYTES(picture));
}

/* FUNCTION FLUSH is what test suites send between tests; there are no functions to flush. */
void cmd_function(struct call *call) {
    if (arg_is(call, 1, "FLUSH"))
        resp_put_status(call->out, "OK");
    else if (arg_is(call, 1, "LIST"))
        resp_put_array(call->out, 0);
    else
        resp_put_error(call->out, "ERR functions are not supported by this version of cairn");
}
