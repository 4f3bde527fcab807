/* read-your-writes, monotonic-reads, convergence: one pass each; and orders that show the first two
 * (weak_session_order.c). */
#include "check/weak.h"

#include "base/alloc.h"
#include "check/registers.h"

#include <string.h>

static void tell(const struct causal *causal, struct verdict *verdict, uint32_t a, uint32_t b,
                 const char *what) {
    verdict->answer = ANSWER_NO;
    verdict_op(verdict, causal->ops[a].op);
    verdict_op(verdict, causal->ops[b].op);
    history_describe(causal->history, causal->ops[b].op, &verdict->text);
    buf_printf(&verdict->text, " %s ", what);
    history_describe(causal->history, causal->ops[a].op, &verdict->text);
}

/* What a process reads is its own last write of the key, or another's write that it has not
 * replaced itself; never an older one of its own, never the initial value once it has written. What
 * it only writes later, a read may see, which nothing keeps before that write; a compare-and-set
 * may not, which is a write of its own and so comes before the later one. */
static bool sees_own(const struct causal *causal, uint32_t reader, const uint32_t *replaced_by,
                     struct verdict *verdict) {
    const struct causal_op *op = &causal->ops[reader];
    uint32_t own = causal_last_write(causal, op->process, op->key, op->position - 1);
    if (op->from == FROM_INITIAL) {
        if (own != FROM_NOBODY)
            tell(causal, verdict, own, reader, "did not see its own");
        return own == FROM_NOBODY;
    }
    const struct causal_op *from = &causal->ops[op->from];
    bool older = from->process == op->process && op->from != own &&
                 (from->position < op->position || op->writes);
    if (older || replaced_by[op->from] == op->process) {
        uint32_t missed = own == FROM_NOBODY ? op->from : own;
        tell(causal, verdict, missed, reader, "did not see its own");
        return false;
    }
    return true;
}

void weak_read_your_writes(const struct causal *causal, bool want_order, struct verdict *verdict) {
    uint32_t *replaced_by = cairn_alloc((causal->count + 1) * sizeof *replaced_by);
    memset(replaced_by, 0xff, (causal->count + 1) * sizeof *replaced_by);
    verdict->answer = ANSWER_YES;
    for (uint32_t i = 0; i < causal->count && verdict->answer == ANSWER_YES; i++) {
        const struct causal_op *op = &causal->ops[i];
        if (op->from == FROM_NOBODY || !sees_own(causal, i, replaced_by, verdict))
            continue;
        if (op->writes && op->from != FROM_INITIAL)
            replaced_by[op->from] = op->process;
    }
    cairn_free(replaced_by);
    if (verdict->answer == ANSWER_YES && want_order)
        weak_session_orders(causal, LEVEL_READ_YOUR_WRITES, verdict);
}

/* ---- monotonic reads: the values that a process reads of one key come in one run each; it never
 * goes back to one that it had left, nor to the initial value ---- */

struct runs {
    const struct causal *causal;
    uint32_t *now;     /* key -> the write whose value was read last; causal->count: the initial */
    uint32_t *by;      /* key -> what read it */
    uint32_t *left_by; /* write -> the process that left its value */
};

/* False: the value had been left before. */
static bool visit(struct runs *runs, uint32_t reader, uint32_t value, struct verdict *verdict) {
    const struct causal_op *op = &runs->causal->ops[reader];
    uint32_t now = runs->now[op->key];
    if (now == value)
        return true;
    bool initial = value == runs->causal->count;
    if (now != OP_NONE && (initial || runs->left_by[value] == op->process)) {
        tell(runs->causal, verdict, runs->by[op->key], reader, "went back behind");
        return false;
    }
    if (now != OP_NONE)
        runs->left_by[now] = op->process;
    runs->now[op->key] = value;
    runs->by[op->key] = reader;
    return true;
}

void weak_monotonic_reads(const struct causal *causal, bool want_order, struct verdict *verdict) {
    struct runs runs = {.causal = causal};
    runs.now = cairn_alloc((causal->key_count + 1) * sizeof *runs.now);
    runs.by = cairn_alloc((causal->key_count + 1) * sizeof *runs.by);
    runs.left_by = cairn_alloc((causal->count + 1) * sizeof *runs.left_by);
    memset(runs.left_by, 0xff, (causal->count + 1) * sizeof *runs.left_by);
    verdict->answer = ANSWER_YES;
    for (uint32_t p = 0; p < causal->process_count && verdict->answer == ANSWER_YES; p++) {
        memset(runs.now, 0xff, causal->key_count * sizeof *runs.now);
        for (uint32_t i = causal->process_from[p]; i < causal->process_from[p + 1]; i++) {
            uint32_t at = causal->by_process[i], from = causal->ops[at].from;
            if (from == FROM_NOBODY)
                continue;
            /* A compare-and-set leaves what it read for what it wrote. */
            if (!visit(&runs, at, from == FROM_INITIAL ? causal->count : from, verdict) ||
                (causal->ops[at].writes && !visit(&runs, at, at, verdict)))
                break;
        }
    }
    cairn_free(runs.now);
    cairn_free(runs.by);
    cairn_free(runs.left_by);
    if (verdict->answer == ANSWER_YES && want_order)
        weak_session_orders(causal, LEVEL_MONOTONIC_READS, verdict);
}

/* ---- convergence: the last reads of all processes agree, of keys to which nothing is written any
 * more ---- */

/* When writing to each key had ended: a return; OP_OPEN: never as far as is known; 0: not begun. An
 * open write may take effect at any time, also when no operation has seen it so far. */
static void find_ends(const struct causal *causal, uint32_t *ended) {
    const struct history *history = causal->history;
    uint32_t *key_of = cairn_alloc(history->values.count * sizeof *key_of);
    memset(ended, 0, causal->key_count * sizeof *ended);
    memset(key_of, 0xff, history->values.count * sizeof *key_of);
    for (uint32_t key = 0; key < causal->key_count; key++)
        key_of[causal->key_values[key]] = key;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        uint32_t ret = op->outcome == OP_INFO ? OP_OPEN : op->ret, key = key_of[op->key];
        if (op->outcome != OP_FAIL && register_writes(history, op) != VALUE_NONE &&
            key != UINT32_MAX && ret > ended[key])
            ended[key] = ret;
    }
    cairn_free(key_of);
}

/* The last read with an answer of each process and key, from the end; it must agree with the
 * others' of its key. */
static void compare_last(const struct causal *causal, const uint32_t *ended,
                         struct verdict *verdict) {
    uint32_t *of_key = cairn_alloc((causal->key_count + 1) * sizeof *of_key);
    uint32_t *seen_by = cairn_alloc((causal->key_count + 1) * sizeof *seen_by);
    memset(of_key, 0xff, (causal->key_count + 1) * sizeof *of_key);
    memset(seen_by, 0xff, (causal->key_count + 1) * sizeof *seen_by);
    for (uint32_t p = 0; p < causal->process_count; p++)
        for (uint32_t i = causal->process_from[p + 1]; i > causal->process_from[p]; i--) {
            uint32_t at = causal->by_process[i - 1], key = causal->ops[at].key;
            if (causal->ops[at].writes || causal->ops[at].from == FROM_NOBODY || seen_by[key] == p)
                continue;
            seen_by[key] = p;
            if (ended[key] != 0 && causal->history->ops[causal->ops[at].op].call <= ended[key])
                continue;
            if (of_key[key] == FROM_NOBODY)
                of_key[key] = at;
            else if (causal->ops[of_key[key]].from != causal->ops[at].from &&
                     verdict->answer == ANSWER_YES)
                tell(causal, verdict, of_key[key], at, "still disagrees with");
        }
    cairn_free(of_key);
    cairn_free(seen_by);
}

void weak_convergence(const struct causal *causal, struct verdict *verdict) {
    uint32_t *ended = cairn_alloc((causal->key_count + 1) * sizeof *ended);
    find_ends(causal, ended);
    verdict->answer = ANSWER_YES;
    compare_last(causal, ended, verdict);
    cairn_free(ended);
}
