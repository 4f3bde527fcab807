/* What is too long for one go, on a fiber that leaves at the end of each slice: reads, by the same
 * handlers on a frozen version of the state, and replies to writes (kv_later.h). */
#include "machine/kv/kv_internal.h"
#include "machine/kv/kv_later.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/fiber.h"
#include "base/list.h"

#define STACK_BYTES (256u << 10)

struct kv_long {
    struct machine frozen;                    /* of which the handlers see only maps and options */
    struct vmap_snapshot *map, *due, *chunks; /* of a read */
    struct kv_view view;
    struct blob
        *query; /* NULL: the reply to a write, made of `begun` and what was left out of it */
    struct buf begun;
    struct kv_later later;
    struct work work;
    struct fiber *fiber; /* from the first step on */
    struct buf reply;
};

static void leave(struct work *work) {
    fiber_leave(container_of(work, struct kv_long, work)->fiber);
}

void *kv_long_begin(struct machine *machine, const struct read_context *context,
                    struct bytes query) {
    struct kv_long *task = cairn_alloc_zero(sizeof *task);
    task->map = vmap_snapshot_take(machine->map);
    task->due = vmap_snapshot_take(machine->due);
    task->chunks = vmap_snapshot_take(machine->chunks);
    task->frozen = (struct machine){.options = machine->options,
                                    .map = vmap_snapshot_map(task->map),
                                    .due = vmap_snapshot_map(task->due),
                                    .chunks = vmap_snapshot_map(task->chunks),
                                    .time_ms = machine->time_ms};
    task->view = kv_read_view(&task->frozen, context);
    task->work.pause = leave;
    task->view.work = &task->work;
    task->query = blob_from(query);
    return task;
}

void *kv_long_later(struct machine *machine, struct kv_later *later, struct buf *reply) {
    struct kv_long *task = cairn_alloc_zero(sizeof *task);
    task->view.reading = true;
    task->work.pause = leave;
    task->view.work = &task->work;
    task->begun = *reply;
    task->later = *later;
    *reply = (struct buf){0};
    *later = (struct kv_later){0};
    return task;
}

static void run(void *context) {
    struct kv_long *task = context;
    if (task->query != NULL)
        kv_run_bytes(&task->view, blob_view(task->query), &task->reply);
    else
        kv_later_fill(&task->view, &task->later, buf_view(&task->begun), &task->reply);
}

bool kv_long_step(struct machine *machine, void *opaque, uint64_t budget_ns, struct buf *reply) {
    struct kv_long *task = opaque;
    cairn_assert(reply->len == 0);
    task->work.done = 0;
    task->work.limit = budget_ns;
    bool ended;
    if (task->fiber == NULL) {
        task->fiber = fiber_new(STACK_BYTES);
        ended = fiber_run(task->fiber, run, task);
    } else {
        ended = fiber_go_on(task->fiber);
    }
    if (!ended)
        return false;
    fiber_free(task->fiber);
    task->fiber = NULL;
    if (task->view.due)
        return true;
    struct buf room = *reply; /* it may be long: handed over, not copied */
    *reply = task->reply;
    task->reply = room;
    return true;
}

size_t kv_long_gathered(const void *opaque) {
    const struct kv_long *task = opaque;
    return task->reply.len;
}

void kv_long_end(struct machine *machine, void *opaque) {
    struct kv_long *task = opaque;
    if (task->fiber != NULL) { /* what the handler holds is freed by its end */
        task->work.limit = 0;
        task->view.over = true;
        bool ended = fiber_go_on(task->fiber);
        cairn_assert(ended);
        fiber_free(task->fiber);
    }
    if (task->query != NULL) {
        vmap_snapshot_release(machine->map, task->map);
        vmap_snapshot_release(machine->due, task->due);
        vmap_snapshot_release(machine->chunks, task->chunks);
        blob_unref(task->query);
    }
    kv_later_free(machine, &task->later);
    buf_free(&task->begun);
    buf_free(&task->frozen.key);
    buf_free(&task->frozen.due_key);
    buf_free(&task->reply);
    cairn_free(task);
}
