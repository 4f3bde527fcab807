#include "machine/kv/kv_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool kv_parse_int(struct bytes text, int64_t *value) {
    size_t at = 0;
    bool negative = text.len > 1 && text.data[0] == '-';
    at += negative;
    if (text.len == 1 && text.data[0] == '0') {
        *value = 0;
        return true;
    }
    if (at == text.len || text.len - at > 19 || text.data[at] < '1' || text.data[at] > '9')
        return false;
    uint64_t magnitude = 0; /* 19 digits fit */
    for (; at < text.len; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        magnitude = magnitude * 10 + (uint64_t)(text.data[at] - '0');
    }
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool kv_arg_int(struct kv_call *call, size_t arg, int64_t *value) {
    if (kv_parse_int(call->args[arg], value))
        return true;
    reply_error(call->reply, "ERR value is not an integer or out of range");
    return false;
}

bool kv_arg_is(const struct kv_call *call, size_t arg, const char *word) {
    return bytes_equal_nocase(call->args[arg], bytes_cstr(word));
}

struct bytes kv_int_text(int64_t value, char at[24]) {
    int len = snprintf(at, 24, "%lld", (long long)value);
    return bytes_of(at, (size_t)len);
}

bool kv_fits(struct kv_call *call, uint64_t len) {
    if (len <= call->view->machine->options.value_bytes_max && len <= UINT32_MAX)
        return true;
    reply_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

void kv_reply_syntax(struct kv_call *call) {
    reply_error(call->reply, "ERR syntax error");
}

const char *kv_call_name(const struct kv_call *call, char at[32]) {
    size_t i = 0;
    for (; call->command->name[i] != '\0' && i < 31; i++)
        at[i] = (char)tolower(call->command->name[i]);
    at[i] = '\0';
    return at;
}

void kv_reply_arity(struct kv_call *call) {
    char name[32];
    reply_errorf(call->reply, "ERR wrong number of arguments for '%s' command",
                 kv_call_name(call, name));
}

static bool invalid_expire(struct kv_call *call) {
    char name[32];
    reply_errorf(call->reply, "ERR invalid expire time in '%s' command", kv_call_name(call, name));
    return false;
}

bool kv_parse_deadline(struct kv_call *call, struct bytes text, bool seconds, bool relative,
                       uint64_t *deadline_ms) {
    int64_t when, base = relative ? (int64_t)call->view->time_ms : 0;
    if (!kv_parse_int(text, &when)) {
        reply_error(call->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (when <= 0 || (seconds && __builtin_mul_overflow(when, (int64_t)1000, &when)) ||
        __builtin_add_overflow(when, base, &when))
        return invalid_expire(call);
    *deadline_ms = (uint64_t)when;
    return true;
}

bool kv_get_string(struct kv_call *call, struct bytes key, const struct vmap_item **item) {
    *item = kv_view_get(call->view, key);
    if (*item == NULL || kv_is_string(*item))
        return true;
    reply_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
    return false;
}
