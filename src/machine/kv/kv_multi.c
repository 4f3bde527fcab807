#include "machine/kv/kv_internal.h"

void kv_do_publish(struct kv_call *call) {
    change_put_head(call->view->changes, CHANGE_PUBLISH, call->args[0], call->args[1].len);
    kv_copy(call->view, call->args[1], call->view->changes);
    reply_int(call->reply, 0);
}

void kv_do_versions(struct kv_call *call) {
    reply_array(call->reply, (uint32_t)call->argc);
    for (size_t i = 0; i < call->argc && !kv_view_over(call->view); i++) {
        const struct vmap_item *item = kv_view_get(call->view, call->args[i]);
        reply_int(call->reply, item ? (int64_t)item->version : 0);
    }
}

/* True when all watched keys are as they were. */
static bool watches_hold(struct kv_call *call, size_t count) {
    if (call->view->machine->options.mutant == MUTANT_WATCH_IGNORED)
        return true;
    for (size_t i = 0; i < count; i++) {
        const struct vmap_item *item = kv_view_get(call->view, call->args[1 + 2 * i]);
        if (item == NULL && call->view->machine->options.mutant == MUTANT_WATCH_MISSES_DELETE)
            continue;
        if ((item ? item->version : 0) != get_u64(call->args[2 + 2 * i].data))
            return false;
    }
    return true;
}

/* A part's command; NULL when it is malformed or not for this transaction. */
static const struct kv_command *part_command(const struct kv_view *view, struct bytes part) {
    struct kv_parsed parsed;
    if (kv_decode(part, &parsed) != CAIRN_OK)
        return NULL;
    const struct kv_command *command = parsed.command;
    kv_parsed_free(&parsed);
    if (command == NULL || (command->flags & KV_INTERNAL))
        return NULL;
    return view->reading && !(command->flags & KV_READ) ? NULL : command;
}

/* False, and the error answered, when it can't be carried out as a whole. */
static bool transaction_fits(struct kv_call *call, size_t watches) {
    const struct machine *machine = call->view->machine;
    bool full =
        machine->options.memory_max != 0 && kv_memory_used(machine) > machine->options.memory_max;
    for (size_t i = 0; i < watches; i++) {
        if (call->args[2 + 2 * i].len != 8 || call->args[1 + 2 * i].len > KV_KEY_MAX) {
            reply_error(call->reply, "ERR malformed transaction");
            return false;
        }
    }
    for (size_t i = 1 + 2 * watches; i < call->argc && !kv_view_over(call->view); i++) {
        const struct kv_command *command = part_command(call->view, call->args[i]);
        work_charge(call->view->work, WORK_LOOKUP);
        if (command == NULL) {
            reply_error(call->reply, "ERR malformed transaction");
            return false;
        }
        if (full && (command->flags & KV_OOM)) {
            reply_error(call->reply, "OOM command not allowed when used memory > 'maxmemory'.");
            return false;
        }
    }
    return true;
}

void kv_do_transaction(struct kv_call *call) {
    size_t watches = call->args[0].len == 4 ? get_u32(call->args[0].data) : SIZE_MAX;
    if (watches > (call->argc - 1) / 2) {
        reply_error(call->reply, "ERR malformed transaction");
        return;
    }
    if (!transaction_fits(call, watches))
        return;
    if (!watches_hold(call, watches)) {
        reply_nil_array(call->reply);
        return;
    }
    size_t first = 1 + 2 * watches;
    reply_array(call->reply, (uint32_t)(call->argc - first));
    for (size_t i = first; i < call->argc && !kv_view_over(call->view); i++) {
        struct kv_parsed parsed;
        if (kv_decode(call->args[i], &parsed) != CAIRN_OK)
            return; /* was decoded above */
        work_charge(call->view->work, WORK_LOOKUP);
        kv_run(call->view, &parsed, call->reply);
        kv_parsed_free(&parsed);
    }
}
