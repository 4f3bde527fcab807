#include "machine/kv/kv_internal.h"

#include <stdio.h>

struct conditions {
    bool nx, xx, gt, lt;
};

static bool take_conditions(struct kv_call *call, struct conditions *on) {
    *on = (struct conditions){0};
    for (size_t i = 2; i < call->argc; i++) {
        if (kv_arg_is(call, i, "NX"))
            on->nx = true;
        else if (kv_arg_is(call, i, "XX"))
            on->xx = true;
        else if (kv_arg_is(call, i, "GT"))
            on->gt = true;
        else if (kv_arg_is(call, i, "LT"))
            on->lt = true;
        else {
            int len = call->args[i].len > 128 ? 128 : (int)call->args[i].len;
            reply_errorf(call->reply, "ERR Unsupported option %.*s", len,
                         (const char *)call->args[i].data);
            return false;
        }
    }
    if (on->nx && (on->xx || on->gt || on->lt))
        reply_error(call->reply,
                    "ERR NX and XX, GT or LT options at the same time are not compatible");
    else if (on->gt && on->lt)
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
    else
        return true;
    return false;
}

/* The deadline may lie in the past, or before the epoch. */
static bool take_deadline(struct kv_call *call, int64_t *deadline_ms) {
    enum kv_opcode opcode = call->command->opcode;
    bool seconds = opcode == KV_EXPIRE || opcode == KV_EXPIREAT;
    bool relative = opcode == KV_EXPIRE || opcode == KV_PEXPIRE;
    int64_t base = relative ? (int64_t)call->view->time_ms : 0;
    if (!kv_arg_int(call, 1, deadline_ms))
        return false;
    if ((!seconds || !__builtin_mul_overflow(*deadline_ms, (int64_t)1000, deadline_ms)) &&
        !__builtin_add_overflow(*deadline_ms, base, deadline_ms))
        return true;
    char name[32];
    reply_errorf(call->reply, "ERR invalid expire time in '%s' command", kv_call_name(call, name));
    return false;
}

/* now: the present deadline, 0 for none, which counts as later than any. */
static bool conditions_hold(const struct conditions *on, int64_t now, int64_t wanted) {
    return !(on->nx && now != 0) && !(on->xx && now == 0) &&
           !(on->gt && (now == 0 || wanted <= now)) && !(on->lt && now != 0 && wanted >= now);
}

/* EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT */
void kv_do_expire(struct kv_call *call) {
    struct conditions conditions;
    int64_t deadline_ms;
    if (!take_conditions(call, &conditions) || !take_deadline(call, &deadline_ms))
        return;
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    if (item == NULL || !conditions_hold(&conditions, (int64_t)kv_item_deadline(item), deadline_ms))
        reply_int(call->reply, 0);
    else {
        if (deadline_ms <= (int64_t)call->view->time_ms)
            kv_view_delete(call->view, call->args[0]);
        else
            kv_view_redate(call->view, call->args[0], item, (uint64_t)deadline_ms);
        reply_int(call->reply, 1);
    }
}

/* TTL, PTTL, EXPIRETIME, PEXPIRETIME */
void kv_do_ttl(struct kv_call *call) {
    enum kv_opcode opcode = call->command->opcode;
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    if (item == NULL || kv_item_deadline(item) == 0) {
        reply_int(call->reply, item ? -1 : -2);
        return;
    }
    uint64_t answer = kv_item_deadline(item);
    if (opcode == KV_TTL || opcode == KV_PTTL)
        answer -= call->view->time_ms;
    if (opcode == KV_TTL || opcode == KV_EXPIRETIME)
        answer = (answer + 500) / 1000;
    reply_int(call->reply, (int64_t)answer);
}

void kv_do_persist(struct kv_call *call) {
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    bool had = item != NULL && kv_item_deadline(item) != 0;
    if (had)
        kv_view_redate(call->view, call->args[0], item, 0);
    reply_int(call->reply, had);
}

/* What time brings about: drops those of the keys that are due when this is applied. */
void kv_do_expire_due(struct kv_call *call) {
    size_t before = vmap_count(call->view->machine->map);
    for (size_t i = 0; i < call->argc; i++)
        if (kv_view_get(call->view, call->args[i]) != NULL &&
            call->view->machine->options.mutant == MUTANT_EXPIRES_REDATED)
            kv_view_delete(call->view, call->args[i]);
    reply_int(call->reply, (int64_t)(before - vmap_count(call->view->machine->map)));
}
