#include "machine/kv/kv_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool amount(struct kv_call *call, int64_t *by) {
    switch (call->command->opcode) {
    case KV_INCR:
        *by = 1;
        return true;
    case KV_DECR:
        *by = -1;
        return true;
    case KV_INCRBY:
        return kv_arg_int(call, 1, by);
    default: /* DECRBY */
        if (!kv_arg_int(call, 1, by))
            return false;
        if (*by == INT64_MIN) {
            reply_error(call->reply, "ERR decrement would overflow");
            return false;
        }
        *by = -*by;
        return true;
    }
}

/* INCR, DECR, INCRBY, DECRBY */
void kv_do_incr(struct kv_call *call) {
    int64_t by, value = 0;
    const struct vmap_item *item;
    if (!amount(call, &by) || !kv_get_string(call, call->args[0], &item))
        return;
    if (item != NULL && !kv_parse_int(kv_value_of(call->view, item).whole, &value)) {
        reply_error(call->reply, "ERR value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(value, by, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[24];
    kv_view_put(call->view, call->args[0], kv_int_text(value, text),
                item ? kv_item_deadline(item) : 0);
    reply_int(call->reply, value);
}

/* Longer than any finite long double in "%.17Lf". */
#define FLOAT_TEXT_MAX 5120

static bool parse_float(struct kv_call *call, struct bytes text, long double *value) {
    char copy[FLOAT_TEXT_MAX];
    if (text.len != 0 && text.len < sizeof copy && !isspace(text.data[0])) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
        char *end;
        errno = 0;
        *value = strtold(copy, &end);
        bool in_range = errno != ERANGE || (!isinf(*value) && *value != 0);
        if (end == copy + text.len && in_range && !isnan(*value))
            return true;
    }
    reply_error(call->reply, "ERR value is not a valid float");
    return false;
}

/* Seventeen decimals without trailing zeros: what Redis shows and stores. */
static struct bytes float_text(long double value, char at[FLOAT_TEXT_MAX]) {
    int len = snprintf(at, FLOAT_TEXT_MAX, "%.17Lf", value);
    while (at[len - 1] == '0')
        len--;
    if (at[len - 1] == '.')
        len--;
    struct bytes text = bytes_of(at, (size_t)len);
    return bytes_equal(text, BYTES("-0")) ? BYTES("0") : text;
}

void kv_do_incrbyfloat(struct kv_call *call) {
    const struct vmap_item *item;
    long double value = 0, by;
    char text[FLOAT_TEXT_MAX];
    if (!kv_get_string(call, call->args[0], &item) ||
        (item != NULL && !parse_float(call, kv_value_of(call->view, item).whole, &value)) ||
        !parse_float(call, call->args[1], &by))
        return;
    value += by;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct bytes shown = float_text(value, text);
    kv_view_put(call->view, call->args[0], shown, item ? kv_item_deadline(item) : 0);
    reply_bulk(call->reply, shown);
}
