#include "machine/kv/kv_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Redis keeps a string of at most this many bytes in one piece with its header. */
#define EMBEDDED_MAX 44

static void reply_sub_arity(struct kv_call *call) {
    char container[32], sub[32];
    size_t len = call->args[0].len < 31 ? call->args[0].len : 31;
    for (size_t i = 0; i < len; i++)
        sub[i] = (char)tolower(call->args[0].data[i]);
    sub[len] = '\0';
    reply_errorf(call->reply, "ERR wrong number of arguments for '%s|%s' command",
                 kv_call_name(call, container), sub);
}

static void reply_unknown_sub(struct kv_call *call) {
    int len = call->args[0].len > 128 ? 128 : (int)call->args[0].len;
    reply_errorf(call->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", len,
                 (const char *)call->args[0].data, call->command->name);
}

static void reply_lines(struct kv_call *call, const char *const *lines, uint32_t count) {
    reply_array(call->reply, count);
    for (uint32_t i = 0; i < count; i++)
        reply_status(call->reply, lines[i]);
}

static const char *encoding_of(const struct kv_call *call, const struct vmap_item *item) {
    struct kv_value value = kv_value_of(call->view, item);
    int64_t number;
    if (kv_parse_int(value.whole, &number))
        return "int";
    return value.len <= EMBEDDED_MAX ? "embstr" : "raw";
}

static void object_about(struct kv_call *call) {
    const struct vmap_item *item = kv_view_get(call->view, call->args[1]);
    if (item == NULL)
        reply_nil(call->reply);
    else if (kv_arg_is(call, 0, "ENCODING"))
        reply_bulk(call->reply, bytes_cstr(encoding_of(call, item)));
    else if (kv_arg_is(call, 0, "FREQ"))
        reply_error(call->reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                    "Please note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    else
        reply_int(call->reply, kv_arg_is(call, 0, "REFCOUNT"));
}

void kv_do_object(struct kv_call *call) {
    static const char *const help[] = {
        "OBJECT ENCODING key: how the value is kept (int, embstr, raw)",
        "OBJECT FREQ key: an error, access frequencies are not tracked",
        "OBJECT IDLETIME key: 0, access times are not tracked",
        "OBJECT REFCOUNT key: 1",
    };
    bool is_help = kv_arg_is(call, 0, "HELP");
    if (!is_help && !kv_arg_is(call, 0, "ENCODING") && !kv_arg_is(call, 0, "FREQ") &&
        !kv_arg_is(call, 0, "IDLETIME") && !kv_arg_is(call, 0, "REFCOUNT"))
        reply_unknown_sub(call);
    else if (call->argc != (is_help ? 1 : 2))
        reply_sub_arity(call);
    else if (is_help)
        reply_lines(call, help, sizeof help / sizeof *help);
    else
        object_about(call);
}

/* MEMORY USAGE key [SAMPLES count] */
void kv_do_memory(struct kv_call *call) {
    int64_t samples;
    if (!kv_arg_is(call, 0, "USAGE")) {
        reply_unknown_sub(call);
        return;
    }
    if (call->argc < 2) {
        reply_sub_arity(call);
        return;
    }
    for (size_t i = 2; i < call->argc; i += 2) {
        if (!kv_arg_is(call, i, "SAMPLES") || i + 1 == call->argc) {
            kv_reply_syntax(call);
            return;
        }
        if (!kv_arg_int(call, i + 1, &samples))
            return;
        if (samples < 0) {
            kv_reply_syntax(call);
            return;
        }
    }
    const struct vmap_item *item = kv_view_get(call->view, call->args[1]);
    if (item == NULL)
        reply_nil(call->reply);
    else
        reply_int(call->reply,
                  (int64_t)(vmap_item_size(item) + kv_chunks_memory(call->view->machine, item)));
}
