#include "machine/kv/kv_internal.h"

/* DEL, UNLINK */
void kv_do_del(struct kv_call *call) {
    int64_t count = 0;
    for (size_t i = 0; i < call->argc; i++) {
        if (kv_view_get(call->view, call->args[i]) != NULL)
            count += kv_view_delete(call->view, call->args[i]);
    }
    reply_int(call->reply, count);
}

/* EXISTS, TOUCH */
void kv_do_exists(struct kv_call *call) {
    int64_t count = 0;
    for (size_t i = 0; i < call->argc && !kv_view_over(call->view); i++)
        count += kv_view_get(call->view, call->args[i]) != NULL;
    reply_int(call->reply, count);
}

void kv_do_type(struct kv_call *call) {
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    reply_status(call->reply, item ? "string" : "none");
}

/* RENAME, RENAMENX */
void kv_do_rename(struct kv_call *call) {
    struct bytes from = call->args[0], to = call->args[1];
    bool only_new = call->command->opcode == KV_RENAMENX;
    const struct vmap_item *item = kv_view_get(call->view, from);
    if (item == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    bool same = bytes_equal(from, to);
    bool blocked = only_new && (same || kv_view_get(call->view, to) != NULL);
    if (!same && !blocked) {
        kv_view_rename(call->view, from, item, to);
    }
    if (only_new)
        reply_int(call->reply, !blocked);
    else
        reply_ok(call->reply);
}

/* COPY source destination [DB 0] [REPLACE] */
static bool copy_options(struct kv_call *call, bool *replace) {
    *replace = false;
    for (size_t i = 2; i < call->argc; i++) {
        int64_t db;
        if (kv_arg_is(call, i, "REPLACE")) {
            *replace = true;
        } else if (kv_arg_is(call, i, "DB") && i + 1 < call->argc) {
            if (!kv_arg_int(call, ++i, &db))
                return false;
            if (db != 0) {
                reply_error(call->reply, "ERR DB index is out of range");
                return false;
            }
        } else {
            kv_reply_syntax(call);
            return false;
        }
    }
    return true;
}

void kv_do_copy(struct kv_call *call) {
    struct bytes from = call->args[0], to = call->args[1];
    bool replace;
    if (!copy_options(call, &replace))
        return;
    if (bytes_equal(from, to)) {
        reply_error(call->reply, "ERR source and destination objects are the same");
        return;
    }
    const struct vmap_item *item = kv_view_get(call->view, from);
    bool done = item != NULL && (kv_view_get(call->view, to) == NULL || replace);
    if (done)
        kv_view_copy(call->view, item, to);
    reply_int(call->reply, done);
}

void kv_do_dbsize(struct kv_call *call) {
    kv_view_range(call->view);
    reply_int(call->reply, (int64_t)kv_view_count(call->view));
}

/* FLUSHDB, FLUSHALL; both modes drop everything at once and free it in slices. */
void kv_do_flush(struct kv_call *call) {
    if (call->argc > 1 ||
        (call->argc == 1 && !kv_arg_is(call, 0, "ASYNC") && !kv_arg_is(call, 0, "SYNC"))) {
        kv_reply_syntax(call);
        return;
    }
    kv_view_clear(call->view);
    change_put(call->view->changes, CHANGE_FLUSH, BYTES(""), BYTES(""));
    reply_ok(call->reply);
}
