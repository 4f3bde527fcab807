/* One command to a node, one answer, by its Redis port: what the shell stands on. */
#include "cli/cli.h"
#include "client/resp_client.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_ADDRESS "127.0.0.1:7001"
#define WORDS_MAX 64
#define INDENT_MAX 32

const char *call_address(const char *given) {
    return given ? given : DEFAULT_ADDRESS;
}

struct call_state {
    struct runtime *runtime;
    struct call_reply *reply;
    struct env_timer timer;
    struct resp_client *client;
    const struct bytes *args;
    size_t argc;
    bool done, closed;
};

static void finish(struct call_state *state, enum cairn_status status) {
    if (state->done)
        return;
    state->done = true;
    state->reply->status = status;
    runtime_stop(state->runtime);
}

static void on_reply(void *context, enum cairn_status status, struct bytes value) {
    struct call_state *state = context;
    if (!state->done)
        buf_bytes(&state->reply->value, value);
    finish(state, status);
}

static void on_auth(void *context, enum cairn_status status, struct bytes value) {
    struct call_state *state = context;
    if (status != CAIRN_OK || value.data[0] == '-') {
        on_reply(context, status, value);
        return;
    }
    resp_client_send(state->client, state->args, state->argc, on_reply, state);
    resp_client_flush(state->client);
}

static void on_close(void *context, enum cairn_status why) {
    struct call_state *state = context;
    state->closed = true;
    finish(state, why == CAIRN_OK ? CAIRN_CLOSED : why);
}

static void on_timeout(struct env_timer *timer) {
    finish(container_of(timer, struct call_state, timer), CAIRN_TIMEOUT);
}

void call_command(const char *address, const char *password, uint64_t timeout_ms,
                  const char *const *words, struct call_reply *reply) {
    struct runtime_options options = {0};
    struct call_state state = {.reply = reply, .timer = {.fire = on_timeout}};
    struct resp_client_events events = {.close = on_close, .context = &state};
    struct bytes args[WORDS_MAX];
    size_t argc = 0;
    *reply = (struct call_reply){0};
    for (; words[argc] != NULL && argc < WORDS_MAX; argc++)
        args[argc] = bytes_cstr(words[argc]);
    state.runtime = runtime_new(&options);
    struct env *env = runtime_env(state.runtime);
    state.client = resp_client_open(env, call_address(address), &events);
    state.args = args;
    state.argc = argc;
    if (password[0] != 0)
        resp_client_send(state.client, (struct bytes[]){BYTES("AUTH"), bytes_cstr(password)}, 2,
                         on_auth, &state);
    else
        resp_client_send(state.client, args, argc, on_reply, &state);
    env_timer_set(env, &state.timer, env_now(env) + timeout_ms * 1000000u);
    runtime_run(state.runtime);
    if (!state.closed)
        resp_client_close(state.client);
    env_timer_clear(env, &state.timer);
    runtime_free(state.runtime);
}

/* ---- printing a reply as redis-cli does ---- */

static void print_quoted(struct bytes text) {
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            printf("\\n");
        else if (c == '\r')
            printf("\\r");
        else if (c == '\t')
            printf("\\t");
        else if (c < 32 || c > 126)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    printf("\"\n");
}

static void print_value(struct reader *reader, int indent) {
    struct resp_value value;
    size_t used = 0;
    if (resp_value_read(bytes_of(reader->at, reader_left(reader)), &value, &used) != RESP_COMMAND)
        return;
    reader->at += used;
    switch (value.kind) {
    case RESP_STATUS:
    case RESP_DOUBLE:
        printf("%.*s\n", (int)value.text.len, (const char *)value.text.data);
        break;
    case RESP_ERROR_REPLY:
        printf("(error) %.*s\n", (int)value.text.len, (const char *)value.text.data);
        break;
    case RESP_INT:
        printf("(integer) %lld\n", (long long)value.integer);
        break;
    case RESP_BULK:
        print_quoted(value.text);
        break;
    case RESP_NIL:
        printf("(nil)\n");
        break;
    case RESP_BOOL:
        printf(value.integer ? "(true)\n" : "(false)\n");
        break;
    case RESP_ARRAY:
    case RESP_MAP: {
        size_t count = value.count * (value.kind == RESP_MAP ? 2 : 1);
        if (count == 0)
            printf("(empty)\n");
        for (size_t i = 0; i < count && indent < INDENT_MAX; i++) {
            printf("%*s%zu) ", i ? indent : 0, "", i + 1);
            print_value(reader, indent + 3);
        }
        break;
    }
    }
}

void call_print(struct bytes value) {
    struct reader reader = reader_of(value);
    print_value(&reader, 0);
}
