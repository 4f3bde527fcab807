/* read-your-writes, monotonic-reads, convergence: one pass each. */
#include "check/weak.h"

#include "base/alloc.h"

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

/* What a process reads is its own last write of the key, or another's write; never an older one of
 * its own, never the initial value. */
void weak_read_your_writes(const struct causal *causal, struct verdict *verdict) {
    verdict->answer = ANSWER_YES;
    for (uint32_t i = 0; i < causal->count; i++) {
        const struct causal_op *op = &causal->ops[i];
        if (op->from == FROM_NOBODY)
            continue;
        uint32_t own = causal_last_write(causal, op->process, op->key, op->position - 1);
        bool stale = op->from == FROM_INITIAL ||
                     (causal->ops[op->from].process == op->process && op->from != own);
        bool from_later = op->from < FROM_INITIAL && causal->ops[op->from].process == op->process &&
                          causal->ops[op->from].position > op->position;
        if (from_later) {
            tell(causal, verdict, op->from, i, "read what it wrote only later:");
            return;
        }
        if (own != FROM_NOBODY && stale) {
            tell(causal, verdict, own, i, "did not see its own");
            return;
        }
    }
}

/* The values that a process reads of one key come in one run each: it never goes back to one that
 * it had left, nor to the initial value. */
static uint32_t value_class(const struct causal *causal, uint32_t from) {
    return from == FROM_INITIAL ? causal->count : from;
}

void weak_monotonic_reads(const struct causal *causal, struct verdict *verdict) {
    uint32_t *last = cairn_alloc((causal->key_count + 1) * sizeof *last); /* reader, a key */
    uint32_t *left = cairn_alloc((causal->count + 1) * sizeof *left); /* by whom a value was left */
    memset(left, 0xff, (causal->count + 1) * sizeof *left);
    verdict->answer = ANSWER_YES;
    for (uint32_t p = 0; p < causal->process_count && verdict->answer == ANSWER_YES; p++) {
        memset(last, 0xff, causal->key_count * sizeof *last);
        for (uint32_t i = causal->process_from[p]; i < causal->process_from[p + 1]; i++) {
            uint32_t at = causal->by_process[i], key = causal->ops[at].key;
            uint32_t from = causal->ops[at].from, before = last[key];
            if (from == FROM_NOBODY)
                continue;
            if (before != FROM_NOBODY && causal->ops[before].from != from) {
                /* Initial values of all keys share one place: nothing may come back to any. */
                if (from == FROM_INITIAL || left[value_class(causal, from)] == p) {
                    tell(causal, verdict, before, at, "went back behind");
                    break;
                }
                left[value_class(causal, causal->ops[before].from)] = p;
            }
            last[key] = at;
        }
    }
    cairn_free(last);
    cairn_free(left);
}

/* Reads that began after everything written to their key had ended agree. */
void weak_convergence(const struct causal *causal, struct verdict *verdict) {
    const struct history *history = causal->history;
    uint32_t *ended = cairn_alloc_zero((causal->key_count + 1) * sizeof *ended);
    uint32_t *first = cairn_alloc((causal->key_count + 1) * sizeof *first);
    bool *written = cairn_alloc_zero(causal->key_count + 1);
    memset(first, 0xff, (causal->key_count + 1) * sizeof *first);
    for (uint32_t i = 0; i < causal->count; i++) {
        const struct op *op = &history->ops[causal->ops[i].op];
        uint32_t key = causal->ops[i].key;
        if (!causal->ops[i].writes)
            continue;
        written[key] = true;
        if (op->outcome == OP_INFO || op->ret > ended[key])
            ended[key] = op->outcome == OP_INFO ? OP_OPEN : op->ret;
    }
    verdict->answer = ANSWER_YES;
    for (uint32_t i = 0; i < causal->count && verdict->answer == ANSWER_YES; i++) {
        const struct causal_op *op = &causal->ops[i];
        if (op->writes || op->from == FROM_NOBODY ||
            (written[op->key] && history->ops[op->op].call <= ended[op->key]))
            continue;
        if (first[op->key] == FROM_NOBODY)
            first[op->key] = i;
        else if (causal->ops[first[op->key]].from != op->from)
            tell(causal, verdict, first[op->key], i, "still disagrees with");
    }
    cairn_free(ended);
    cairn_free(first);
    cairn_free(written);
}
