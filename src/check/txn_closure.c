/* The rules of serializability, snapshot isolation and prefix, applied until nothing new follows or
 * something comes before itself. Cubic: for small histories. */
#include "check/txn_facts.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define OPS_MAX 800u

struct closure {
    const struct txn_facts *facts;
    bool split, conflict, sessions, real_time;
    uint32_t nodes, words;
    uint64_t *after;                   /* by node: a bit for each node that comes after it */
    bool *committed;                   /* by operation: it must have */
    const struct fact_write **sources; /* by read; see known */
    bool *known;
    bool changed, contradiction;
    struct limits *limits;
};

static uint32_t start(const struct closure *closure, uint32_t op) {
    return closure->split ? 2 * op : op;
}

static uint32_t commit(const struct closure *closure, uint32_t op) {
    return closure->split ? 2 * op + 1 : op;
}

static bool before(const struct closure *closure, uint32_t a, uint32_t b) {
    return closure->after[(size_t)a * closure->words + b / 64] >> (b % 64) & 1;
}

static void add(struct closure *closure, uint32_t a, uint32_t b) {
    if (before(closure, a, b) || closure->contradiction)
        return;
    closure->changed = true;
    closure->contradiction = a == b || before(closure, b, a);
    const uint64_t *more = closure->after + (size_t)b * closure->words;
    for (uint32_t n = 0; n < closure->nodes; n++) {
        if (n != a && !before(closure, n, a))
            continue;
        uint64_t *row = closure->after + (size_t)n * closure->words;
        for (uint32_t w = 0; w < closure->words; w++)
            row[w] |= more[w];
        row[b / 64] |= 1ull << (b % 64);
    }
    limits_over(closure->limits, 16);
}

/* Of lists, what stands before the last element was appended too: whose is it, if only one can have
 * done so? True: one more has committed. */
static bool list_commits(struct closure *closure, const struct fact_read *read) {
    const struct txn_facts *facts = closure->facts;
    uint32_t at, end, place;
    bool more = false;
    txn_facts_key(facts, read->key, &at, &end);
    for (uint32_t w = at; w < end && facts->lists; w++) {
        const struct fact_write *write = &facts->writes[w];
        bool only = !closure->committed[write->op] && txn_facts_in_list(facts, read, write, &place);
        for (uint32_t other = at; other < end && only; other++)
            only = other == w || facts->writes[other].value != write->value;
        closure->committed[write->op] |= only;
        more |= only;
    }
    return more;
}

/* What must have committed: all that is known to have, and what was read from. */
static void find_sources(struct closure *closure) {
    const struct txn_facts *facts = closure->facts;
    const struct history *history = facts->history;
    for (uint32_t op = 0; op < history->op_count; op++)
        closure->committed[op] =
            history->ops[op].outcome == OP_OK || history->ops[op].outcome == OP_MISMATCH;
    for (bool more = true; more;) {
        more = false;
        for (uint32_t r = 0; r < facts->read_count; r++) {
            if (closure->known[r] || !closure->committed[facts->reads[r].op])
                continue;
            closure->known[r] = txn_facts_source(facts, &facts->reads[r], &closure->sources[r]);
            more |= closure->known[r];
            if (closure->known[r] && closure->sources[r] != NULL)
                closure->committed[closure->sources[r]->op] = true;
            more |= list_commits(closure, &facts->reads[r]);
        }
    }
}

static void given(struct closure *closure) {
    const struct txn_facts *facts = closure->facts;
    const struct op *ops = facts->history->ops;
    uint32_t count = facts->history->op_count;
    for (uint32_t a = 0; a < count; a++) {
        if (!closure->committed[a])
            continue;
        if (closure->split)
            add(closure, start(closure, a), commit(closure, a));
        for (uint32_t b = 0; b < count; b++)
            if (closure->committed[b] &&
                ((closure->sessions && ops[a].process == ops[b].process && a < b) ||
                 (closure->real_time && ops[a].outcome != OP_INFO && ops[a].ret < ops[b].call)))
                add(closure, commit(closure, a), start(closure, b));
    }
    for (uint32_t r = 0; r < facts->read_count; r++)
        if (closure->known[r] && closure->sources[r] != NULL)
            add(closure, commit(closure, closure->sources[r]->op),
                start(closure, facts->reads[r].op));
}

/* One read, and another transaction that wrote its key. */
static void read_rules(struct closure *closure, const struct fact_read *read,
                       const struct fact_write *source, const struct fact_write *other) {
    uint32_t at, reader = start(closure, read->op), late = commit(closure, other->op);
    if (source == other || !closure->committed[other->op])
        return;
    bool newer = source == NULL ||
                 (closure->facts->lists && !txn_facts_in_list(closure->facts, read, other, &at)) ||
                 before(closure, commit(closure, source->op), late);
    if (newer && other->op != read->op)
        add(closure, reader, late);
    if (source == NULL)
        return;
    if (newer)
        add(closure, commit(closure, source->op), late);
    else if (closure->facts->lists || before(closure, late, reader))
        add(closure, late, commit(closure, source->op));
}

/* Two that wrote one key: whichever commits first is seen by the other. */
static void conflict_rules(struct closure *closure, uint32_t a, uint32_t b) {
    if (!closure->conflict || !closure->committed[a] || !closure->committed[b] || a == b)
        return;
    if (before(closure, commit(closure, a), commit(closure, b)) ||
        before(closure, start(closure, a), commit(closure, b)))
        add(closure, commit(closure, a), start(closure, b));
}

static void apply(struct closure *closure) {
    const struct txn_facts *facts = closure->facts;
    for (uint32_t r = 0; r < facts->read_count; r++) {
        uint32_t at, end;
        txn_facts_key(facts, facts->reads[r].key, &at, &end);
        for (; at < end && closure->known[r]; at++)
            read_rules(closure, &facts->reads[r], closure->sources[r], &facts->writes[at]);
    }
    for (uint32_t i = 0; i < facts->write_count; i++)
        for (uint32_t j = 0; j < facts->write_count; j++)
            if (facts->writes[i].key == facts->writes[j].key)
                conflict_rules(closure, facts->writes[i].op, facts->writes[j].op);
}

static enum txn_verified close_up(struct closure *closure, struct buf *why) {
    find_sources(closure);
    given(closure);
    do {
        closure->changed = false;
        apply(closure);
    } while (closure->changed && !closure->contradiction && !limits_over(closure->limits, 1));
    if (closure->contradiction)
        return TXN_VERIFIED;
    buf_printf(why, "the rules of the level lead to no contradiction");
    return limits_over(closure->limits, 0) ? TXN_UNVERIFIED : TXN_REFUTED;
}

enum txn_verified txn_verify_closure(const struct txn_facts *facts, struct limits *limits,
                                     struct buf *why) {
    uint32_t count = facts->history->op_count;
    struct level_axiom axiom = level_axiom(facts->level);
    struct closure closure = {.facts = facts, .limits = limits};
    closure.split = axiom.view != VIEW_ALL;
    closure.conflict = axiom.view == VIEW_SNAPSHOT;
    closure.sessions = axiom.sessions;
    closure.real_time = axiom.real_time;
    closure.nodes = closure.split ? 2 * count : count;
    closure.words = closure.nodes / 64 + 1;
    size_t size = (size_t)closure.nodes * closure.words * sizeof *closure.after;
    if (count > OPS_MAX || !limits_room(limits, size)) {
        buf_printf(why, "the history is too long to derive the edges again");
        return TXN_UNVERIFIED;
    }
    closure.after = cairn_alloc_zero(size + 1);
    closure.committed = cairn_alloc_zero(count + 1u);
    closure.known = cairn_alloc_zero(facts->read_count + 1u);
    closure.sources = cairn_alloc_zero((facts->read_count + 1u) * sizeof(void *));
    enum txn_verified result = close_up(&closure, why);
    cairn_free(closure.after);
    cairn_free(closure.committed);
    cairn_free(closure.known);
    cairn_free(closure.sources);
    return result;
}
