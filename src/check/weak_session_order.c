/* Orders that show read-your-writes and monotonic-reads: for each process, of its own operations
 * that read or write and of all writes. Both levels ask for less than program order, so that what a
 * process has read from others can be moved to where it fits.
 *
 * Read-your-writes: the process's operations in their order, but
 * - a read of what the process itself writes later stands right behind that write;
 * - a read of another's write waits: the write and all its readers stand together, before the
 *   process's compare-and-set that read that write too, or else at the end.
 * A read is kept behind the process's earlier writes only, so it may always wait.
 *
 * Monotonic reads: the process's reads in their order, the write that each read from before the
 * first such read. */
#include "check/weak.h"

#include "base/alloc.h"

#include <string.h>

struct session_order {
    const struct causal *causal;
    struct order *order;
    uint32_t process;
    bool *placed;    /* by operation of causal */
    uint32_t *first; /* by write: the first read of the process that waits for it; OP_NONE */
    uint32_t *next;  /* by read: the next one that waits for the same write */
};

static void place(struct session_order *to, uint32_t at) {
    if (to->placed[at])
        return;
    to->placed[at] = true;
    order_push(to->order, to->causal->ops[at].op);
}

static bool is_own(const struct session_order *to, uint32_t at) {
    return to->causal->ops[at].process == to->process;
}

/* Reads wait for the write that they read from, unless it is an own one that was there before. */
static bool waits(const struct session_order *to, uint32_t at) {
    const struct causal_op *op = &to->causal->ops[at];
    if (op->writes || op->from >= FROM_INITIAL)
        return false;
    return !is_own(to, op->from) || to->causal->ops[op->from].position > op->position;
}

/* The write and the process's reads that wait for it. */
static void place_group(struct session_order *to, uint32_t write) {
    place(to, write);
    for (uint32_t at = to->first[write]; at != OP_NONE; at = to->next[at])
        place(to, at);
}

static void own_writes_first(struct session_order *to) {
    const struct causal *causal = to->causal;
    uint32_t from = causal->process_from[to->process], end = causal->process_from[to->process + 1];
    memset(to->first, 0xff, (causal->count + 1) * sizeof *to->first);
    for (uint32_t i = end; i > from; i--) {
        uint32_t at = causal->by_process[i - 1];
        if (!waits(to, at))
            continue;
        to->next[at] = to->first[causal->ops[at].from];
        to->first[causal->ops[at].from] = at;
    }
    for (uint32_t i = from; i < end; i++) {
        uint32_t at = causal->by_process[i];
        const struct causal_op *op = &causal->ops[at];
        if (waits(to, at))
            continue;
        if (op->writes && op->from < FROM_INITIAL && !is_own(to, op->from))
            place_group(to, op->from);
        if (op->writes || op->from != FROM_NOBODY)
            place_group(to, at);
    }
    for (uint32_t write = 0; write < causal->count; write++)
        if (causal->ops[write].writes && !to->placed[write])
            place_group(to, write);
}

static void reads_in_turn(struct session_order *to) {
    const struct causal *causal = to->causal;
    for (uint32_t i = causal->process_from[to->process]; i < causal->process_from[to->process + 1];
         i++) {
        uint32_t at = causal->by_process[i], from = causal->ops[at].from;
        if (from == FROM_NOBODY)
            continue;
        if (from != FROM_INITIAL)
            place(to, from);
        place(to, at);
    }
    for (uint32_t write = 0; write < causal->count; write++)
        if (causal->ops[write].writes)
            place(to, write);
}

void weak_session_orders(const struct causal *causal, enum level level, struct verdict *verdict) {
    size_t count = causal->count + 1;
    struct session_order to = {.causal = causal,
                               .placed = cairn_alloc(count),
                               .first = cairn_alloc(count * sizeof *to.first),
                               .next = cairn_alloc(count * sizeof *to.next)};
    for (uint32_t p = 0; p < causal->process_count; p++) {
        uint32_t any = causal->by_process[causal->process_from[p]];
        to.process = p;
        to.order = verdict_order(verdict, SCOPE_PROCESS,
                                 causal->history->ops[causal->ops[any].op].process);
        memset(to.placed, false, count);
        if (level == LEVEL_READ_YOUR_WRITES)
            own_writes_first(&to);
        else
            reads_in_turn(&to);
    }
    cairn_free(to.placed);
    cairn_free(to.first);
    cairn_free(to.next);
}
