/* Does each edge of a cycle stand in the history, and does the level forbid such a cycle? */
#include "check/txn_facts.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* Has `op` a read of the key, before read `end`, whose only source is `from` (OP_NONE: the first
 * version)? *at: the first such. VALUE_NONE as key: any. */
static bool has_read_from(const struct txn_facts *facts, uint32_t op, uint32_t from, uint32_t key,
                          uint32_t end, uint32_t *at) {
    for (*at = facts->read_at[op]; *at < end; (*at)++) {
        const struct fact_read *read = &facts->reads[*at];
        const struct fact_write *source;
        if ((key == VALUE_NONE || read->key == key) && txn_facts_source(facts, read, &source) &&
            (source ? source->op : OP_NONE) == from)
            return true;
    }
    return false;
}

static bool reads_from(const struct txn_facts *facts, uint32_t op, uint32_t from, uint32_t key) {
    uint32_t at;
    return has_read_from(facts, op, from, key, facts->read_at[op + 1], &at);
}

static bool in_session(const struct txn_facts *facts, uint32_t a, uint32_t b) {
    const struct op *ops = facts->history->ops;
    return ops[a].process == ops[b].process && a < b;
}

/* A way over reads-from, and session order where the level has it. */
static bool causally_before(const struct txn_facts *facts, uint32_t a, uint32_t b) {
    const struct history *history = facts->history;
    uint32_t *queue = cairn_alloc((history->op_count + 1u) * sizeof *queue), count = 0;
    bool *seen = cairn_alloc_zero(history->op_count + 1u), found = false;
    bool sessions = level_axiom(facts->level).sessions;
    queue[count++] = b;
    seen[b] = true;
    for (uint32_t i = 0; i < count && !found; i++) {
        uint32_t op = queue[i], before = OP_NONE;
        for (uint32_t other = op; sessions && other-- > 0 && before == OP_NONE;)
            if (history->ops[other].process == history->ops[op].process &&
                history->ops[other].outcome != OP_FAIL)
                before = other;
        for (uint32_t r = facts->read_at[op]; r <= facts->read_at[op + 1]; r++) {
            const struct fact_write *source = NULL;
            uint32_t next = before;
            if (r < facts->read_at[op + 1])
                next = txn_facts_source(facts, &facts->reads[r], &source) && source ? source->op
                                                                                    : OP_NONE;
            if (next == OP_NONE || seen[next])
                continue;
            seen[next] = true;
            queue[count++] = next;
            found |= next == a;
        }
    }
    cairn_free(queue);
    cairn_free(seen);
    return found;
}

static bool must_know(const struct txn_facts *facts, const struct edge *edge, uint32_t read) {
    uint32_t at;
    struct level_axiom axiom = level_axiom(facts->level);
    switch (axiom.view) {
    case VIEW_NOTHING:
        return false;
    case VIEW_READ_BEFORE:
        return has_read_from(facts, edge->by, edge->from, VALUE_NONE, read, &at);
    case VIEW_READ:
        return (axiom.sessions && in_session(facts, edge->from, edge->by)) ||
               reads_from(facts, edge->by, edge->from, VALUE_NONE);
    default:
        return causally_before(facts, edge->from, edge->by);
    }
}

/* Any read of `by` from `to` may be the one that is meant. */
static bool is_earlier(const struct txn_facts *facts, const struct edge *edge) {
    if (edge->by == OP_NONE || edge->from == OP_NONE ||
        txn_facts_write(facts, edge->from, edge->key) == NULL)
        return false;
    for (uint32_t r = facts->read_at[edge->by]; r < facts->read_at[edge->by + 1]; r++) {
        const struct fact_write *source;
        if (facts->reads[r].key == edge->key &&
            txn_facts_source(facts, &facts->reads[r], &source) &&
            (source ? source->op : OP_NONE) == edge->to && must_know(facts, edge, r))
            return true;
    }
    return false;
}

static bool overwrites(const struct txn_facts *facts, const struct edge *edge) {
    const struct fact_write *to = txn_facts_write(facts, edge->to, edge->key);
    if (edge->from == OP_NONE || to == NULL)
        return to != NULL;
    const struct fact_write *from = txn_facts_write(facts, edge->from, edge->key);
    uint32_t here, there;
    for (uint32_t r = 0; r < facts->read_count && from != NULL && facts->lists; r++)
        if (facts->reads[r].key == edge->key &&
            txn_facts_in_list(facts, &facts->reads[r], from, &here) &&
            (!txn_facts_in_list(facts, &facts->reads[r], to, &there) || here < there))
            return true;
    return false;
}

static bool read_before(const struct txn_facts *facts, const struct edge *edge) {
    const struct fact_write *to = txn_facts_write(facts, edge->to, edge->key), *source;
    uint32_t at;
    if (to == NULL || edge->from == edge->to)
        return false;
    for (uint32_t r = facts->read_at[edge->from]; r < facts->read_at[edge->from + 1]; r++) {
        const struct fact_read *read = &facts->reads[r];
        if (read->key != edge->key)
            continue;
        if (facts->lists ? !txn_facts_in_list(facts, read, to, &at)
                         : txn_facts_source(facts, read, &source) && source == NULL)
            return true;
    }
    return false;
}

static bool holds(const struct txn_facts *facts, const struct edge *edge) {
    const struct op *ops = facts->history->ops;
    struct level_axiom axiom = level_axiom(facts->level);
    if ((edge->from == OP_NONE || edge->to == OP_NONE) && edge->reason != REASON_EARLIER_WRITE &&
        edge->reason != REASON_OVERWRITES)
        return false;
    switch (edge->reason) {
    case REASON_SESSION:
        return axiom.sessions && in_session(facts, edge->from, edge->to);
    case REASON_REAL_TIME:
        return axiom.real_time && ops[edge->from].outcome != OP_INFO &&
               ops[edge->from].ret < ops[edge->to].call;
    case REASON_READS_FROM:
        return reads_from(facts, edge->to, edge->from, edge->key);
    case REASON_OVERWRITES:
        return edge->to != OP_NONE && overwrites(facts, edge);
    case REASON_READ_BEFORE:
        return read_before(facts, edge);
    case REASON_EARLIER_WRITE:
        return is_earlier(facts, edge);
    default:
        return false;
    }
}

/* Linearizable asks for no other order of a process than real time. */
static bool is_asked(const struct txn_facts *facts, enum level level, const struct edge *edge) {
    const struct op *ops = facts->history->ops;
    return level != LEVEL_LINEARIZABLE || edge->reason != REASON_SESSION ||
           op_precedes(&ops[edge->from], &ops[edge->to]);
}

/* Where starts and commits are two, an edge from a read leaves the start; the one before it has to
 * lead to the start. */
static bool leads_to_start(const struct level_axiom *axiom, const struct edge *edge) {
    return edge->reason == REASON_SESSION || edge->reason == REASON_READS_FROM ||
           (edge->reason == REASON_OVERWRITES && axiom->view == VIEW_SNAPSHOT) ||
           (edge->reason == REASON_REAL_TIME && axiom->real_time);
}

static bool is_forbidden(const struct txn_facts *facts, const struct verdict *verdict) {
    struct level_axiom axiom = level_axiom(facts->level);
    bool split = axiom.view == VIEW_PREFIX || axiom.view == VIEW_SNAPSHOT;
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        const struct edge *before =
            &verdict->edges[(i + verdict->edge_count - 1) % verdict->edge_count];
        bool reads = edge->reason == REASON_READ_BEFORE || edge->reason == REASON_LATER_WRITE;
        if (reads && axiom.view != VIEW_ALL && (!split || !leads_to_start(&axiom, before)))
            return false;
    }
    return true;
}

static bool well_formed(const struct txn_facts *facts, const struct verdict *verdict) {
    uint32_t count = facts->history->op_count;
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        if (edge->to != verdict->edges[(i + 1) % verdict->edge_count].from ||
            (edge->from != OP_NONE && edge->from >= count) ||
            (edge->by != OP_NONE && edge->by >= count))
            return false;
    }
    return true;
}

enum txn_verified txn_verify_cycle(const struct txn_facts *facts, const struct verdict *verdict,
                                   struct limits *limits, struct buf *why) {
    if (!well_formed(facts, verdict)) {
        buf_printf(why, "the edges are no cycle of operations");
        return TXN_REFUTED;
    }
    if (!is_forbidden(facts, verdict)) {
        buf_printf(why, "the level does not forbid such a cycle");
        return TXN_REFUTED;
    }
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        if (holds(facts, edge) && is_asked(facts, verdict->level, edge))
            continue;
        bool derived = edge->reason == REASON_EARLIER_WRITE || edge->reason == REASON_LATER_WRITE ||
                       edge->reason == REASON_OVERWRITES || edge->reason == REASON_DERIVED;
        if (derived && level_axiom(facts->level).view >= VIEW_PREFIX)
            return txn_verify_closure(facts, limits, why);
        buf_printf(why, "edge %u (%s) does not stand in the history", i, reason_text(edge->reason));
        return TXN_REFUTED;
    }
    return TXN_VERIFIED;
}
