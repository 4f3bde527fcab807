#include "machine/tree/tree_internal.h"

/* Parts take effect one after another on the state itself and are undone when one fails: later
 * parts see earlier ones whatever they do to the same path. */

static uint32_t results_of(enum tree_opcode opcode) {
    switch (opcode) {
    case TREE_OP_CREATE:
        return 2;
    case TREE_OP_SET_DATA:
    case TREE_OP_SET_ACL:
        return 1;
    default:
        return 0;
    }
}

/* Until the first that fails: *failed is its number, or the count of parts. */
static int32_t run(struct tree_view *view, struct buf *reply, uint32_t *failed) {
    struct reader reader = reader_of(view->call->parts);
    struct tree_part part;
    for (*failed = 0; *failed < view->call->part_count; ++*failed) {
        tree_parse_part(&reader, &part);
        reply_array(reply, 1 + results_of(part.opcode));
        reply_int(reply, TREE_OK);
        int32_t error = tree_do_part(view, &part, reply);
        if (error != TREE_OK)
            return error;
    }
    return TREE_OK;
}

static void answer_failed(struct buf *reply, uint32_t count, uint32_t failed, int32_t error) {
    for (uint32_t i = 0; i < count; i++) {
        reply_array(reply, 1);
        reply_int(reply, i < failed ? TREE_OK : i == failed ? error : TREE_INCONSISTENT);
    }
}

int32_t tree_multi(struct tree_view *view, struct buf *reply) {
    struct machine *machine = view->machine;
    uint32_t count = view->call->part_count, failed;
    view->undoable = true;
    buf_clear(&machine->undo);
    struct tree_head head = machine->head;
    size_t changes_at = view->changes->len;
    reply_array(reply, count);
    size_t reply_at = reply->len;
    int32_t error = run(view, reply, &failed);
    if (error != TREE_OK) {
        reply->len = reply_at;
        answer_failed(reply, count, failed, error);
        if (machine->options.mutant != MUTANT_TREE_MULTI_PARTIAL) {
            machine->head = head;
            if (machine->options.mutant != MUTANT_TREE_MULTI_TELLS_UNDONE)
                view->changes->len = changes_at;
            tree_undo(view);
        }
    }
    return TREE_OK;
}
