#include "machine/kv/kv_internal.h"

#include <string.h>

static void reply_value(struct kv_call *call, const struct vmap_item *item) {
    if (item == NULL)
        reply_nil(call->reply);
    else {
        struct kv_value value = kv_value_of(call->view, item);
        kv_value_reply(call->view, &value, 0, value.len, call->reply);
    }
}

void kv_do_get(struct kv_call *call) {
    const struct vmap_item *item;
    if (kv_get_string(call, call->args[0], &item))
        reply_value(call, item);
}

void kv_do_mget(struct kv_call *call) {
    reply_array(call->reply, (uint32_t)call->argc);
    /* kv_run answers what is longer with an error: no need to gather it all. */
    for (size_t i = 0; i < call->argc && !call->view->too_long &&
                       call->reply->len <= KV_REPLY_MAX && !kv_view_over(call->view);
         i++) {
        const struct vmap_item *item = kv_view_get(call->view, call->args[i]);
        reply_value(call, item != NULL && kv_is_string(item) ? item : NULL);
    }
}

/* The options that SET and GETEX share. */
struct options {
    bool nx, xx, get, keep, persist;
    char unit;     /* 's' or 'm' seconds or milliseconds from now, 'S' or 'M' absolute; 0 none */
    size_t expire; /* the argument with the time */
};

static char expire_unit(const struct kv_call *call, size_t arg) {
    static const struct {
        const char *word;
        char unit;
    } units[] = {{"EX", 's'}, {"PX", 'm'}, {"EXAT", 'S'}, {"PXAT", 'M'}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (kv_arg_is(call, arg, units[i].word))
            return units[i].unit;
    }
    return 0;
}

static bool take_option(const struct kv_call *call, size_t *arg, bool is_set,
                        struct options *options) {
    char unit = expire_unit(call, *arg);
    if (unit != 0) {
        if (options->keep || options->persist || (options->unit != 0 && options->unit != unit) ||
            *arg + 1 >= call->argc)
            return false;
        options->unit = unit;
        options->expire = ++*arg;
        return true;
    }
    if (is_set && kv_arg_is(call, *arg, "NX") && !options->xx)
        return options->nx = true;
    if (is_set && kv_arg_is(call, *arg, "XX") && !options->nx)
        return options->xx = true;
    if (is_set && kv_arg_is(call, *arg, "GET"))
        return options->get = true;
    if (is_set && kv_arg_is(call, *arg, "KEEPTTL") && options->unit == 0)
        return options->keep = true;
    if (!is_set && kv_arg_is(call, *arg, "PERSIST") && options->unit == 0)
        return options->persist = true;
    return false;
}

static bool take_options(struct kv_call *call, size_t arg, bool is_set, struct options *options) {
    *options = (struct options){0};
    for (; arg < call->argc; arg++) {
        if (!take_option(call, &arg, is_set, options)) {
            kv_reply_syntax(call);
            return false;
        }
    }
    return true;
}

static bool option_deadline(struct kv_call *call, const struct options *options,
                            uint64_t *deadline_ms) {
    *deadline_ms = 0;
    return options->unit == 0 ||
           kv_parse_deadline(call, call->args[options->expire],
                             options->unit == 's' || options->unit == 'S',
                             options->unit == 's' || options->unit == 'm', deadline_ms);
}

void kv_do_set(struct kv_call *call) {
    struct options options;
    uint64_t deadline_ms;
    if (!take_options(call, 2, true, &options) || !option_deadline(call, &options, &deadline_ms) ||
        !kv_fits(call, call->args[1].len))
        return;
    const struct vmap_item *old = NULL;
    if (options.get) {
        if (!kv_get_string(call, call->args[0], &old))
            return;
        reply_value(call, old);
    } else if (options.nx || options.xx || options.keep) {
        old = kv_view_get(call->view, call->args[0]);
    }
    if ((options.nx && old != NULL) || (options.xx && old == NULL)) {
        if (!options.get)
            reply_nil(call->reply);
        return;
    }
    if (options.keep && old != NULL)
        deadline_ms = kv_item_deadline(old);
    kv_view_put(call->view, call->args[0], call->args[1], deadline_ms);
    if (!options.get)
        reply_ok(call->reply);
}

void kv_do_setnx(struct kv_call *call) {
    bool absent = kv_view_get(call->view, call->args[0]) == NULL;
    if (!kv_fits(call, call->args[1].len))
        return;
    if (absent)
        kv_view_put(call->view, call->args[0], call->args[1], 0);
    reply_int(call->reply, absent);
}

/* SETEX, PSETEX */
void kv_do_setex(struct kv_call *call) {
    uint64_t deadline_ms;
    bool seconds = call->command->opcode == KV_SETEX;
    if (!kv_parse_deadline(call, call->args[1], seconds, true, &deadline_ms) ||
        !kv_fits(call, call->args[2].len))
        return;
    kv_view_put(call->view, call->args[0], call->args[2], deadline_ms);
    reply_ok(call->reply);
}

void kv_do_getset(struct kv_call *call) {
    const struct vmap_item *old;
    if (!kv_fits(call, call->args[1].len) || !kv_get_string(call, call->args[0], &old))
        return;
    reply_value(call, old);
    kv_view_put(call->view, call->args[0], call->args[1], 0);
}

void kv_do_getdel(struct kv_call *call) {
    const struct vmap_item *item;
    if (!kv_get_string(call, call->args[0], &item))
        return;
    reply_value(call, item);
    if (item != NULL)
        kv_view_delete(call->view, call->args[0]);
}

void kv_do_getex(struct kv_call *call) {
    struct options options;
    uint64_t deadline_ms;
    const struct vmap_item *item;
    if (!take_options(call, 1, false, &options) || !kv_get_string(call, call->args[0], &item))
        return;
    if (item == NULL) {
        reply_nil(call->reply);
        return;
    }
    if (!option_deadline(call, &options, &deadline_ms))
        return;
    reply_value(call, item);
    if (options.unit != 0 || (options.persist && kv_item_deadline(item) != 0))
        kv_view_redate(call->view, call->args[0], item, deadline_ms);
}

/* MSET, MSETNX */
void kv_do_mset(struct kv_call *call) {
    if (call->argc % 2 != 0) {
        kv_reply_arity(call);
        return;
    }
    bool only_new = call->command->opcode == KV_MSETNX;
    for (size_t i = 0; i < call->argc; i += 2) {
        if (!kv_fits(call, call->args[i + 1].len))
            return;
        if (only_new && kv_view_get(call->view, call->args[i]) != NULL) {
            reply_int(call->reply, 0);
            return;
        }
    }
    for (size_t i = 0; i < call->argc; i += 2)
        kv_view_put(call->view, call->args[i], call->args[i + 1], 0);
    if (only_new)
        reply_int(call->reply, 1);
    else
        reply_ok(call->reply);
}

void kv_do_append(struct kv_call *call) {
    const struct vmap_item *old;
    if (!kv_get_string(call, call->args[0], &old))
        return;
    uint64_t before = kv_value_of(call->view, old).len;
    struct bytes more = call->args[1];
    if (!kv_fits(call, before + more.len))
        return;
    kv_value_patch(call->view, call->args[0], old, before + more.len, before, more);
    reply_int(call->reply, (int64_t)(before + more.len));
}

void kv_do_strlen(struct kv_call *call) {
    const struct vmap_item *item;
    if (kv_get_string(call, call->args[0], &item))
        reply_int(call->reply, (int64_t)kv_value_of(call->view, item).len);
}

/* GETRANGE, SUBSTR */
void kv_do_getrange(struct kv_call *call) {
    int64_t start, end;
    const struct vmap_item *item;
    if (!kv_arg_int(call, 1, &start) || !kv_arg_int(call, 2, &end) ||
        !kv_get_string(call, call->args[0], &item))
        return;
    struct kv_value value = kv_value_of(call->view, item);
    int64_t len = (int64_t)value.len;
    bool backwards = start < 0 && end < 0 && start > end;
    if (start < 0)
        start = start + len < 0 ? 0 : start + len;
    if (end < 0)
        end = end + len < 0 ? 0 : end + len;
    if (end >= len)
        end = len - 1;
    if (backwards || start > end)
        reply_bulk(call->reply, BYTES(""));
    else
        kv_value_reply(call->view, &value, (uint64_t)start, (uint64_t)(end - start + 1),
                       call->reply);
}

void kv_do_setrange(struct kv_call *call) {
    int64_t offset;
    const struct vmap_item *old;
    if (!kv_arg_int(call, 1, &offset))
        return;
    if (offset < 0) {
        reply_error(call->reply, "ERR offset is out of range");
        return;
    }
    if (!kv_get_string(call, call->args[0], &old))
        return;
    uint64_t before = kv_value_of(call->view, old).len;
    struct bytes patch = call->args[2];
    if (patch.len == 0) {
        reply_int(call->reply, (int64_t)before);
        return;
    }
    if (!kv_fits(call, (uint64_t)offset + patch.len))
        return;
    uint64_t end = (uint64_t)offset + patch.len;
    uint64_t len = end > before ? end : before;
    kv_value_patch(call->view, call->args[0], old, len, (uint64_t)offset, patch);
    reply_int(call->reply, (int64_t)len);
}
