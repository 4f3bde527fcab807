#include "check/level.h"

#include "base/assert.h"

#include <string.h>

struct level_row {
    const char *name, *line;
    bool transactional;
};
static const struct level_row rows[LEVEL_COUNT] = {
#define X(name, text, transactional, line) {text, line, transactional},
    LEVEL_LIST(X)
#undef X
};

/* Direct implications; level_implies takes their closure. */
static const enum level edges[][2] = {
    {LEVEL_LINEARIZABLE, LEVEL_SEQUENTIAL},
    {LEVEL_SEQUENTIAL, LEVEL_CAUSAL_CONVERGENCE},
    {LEVEL_SEQUENTIAL, LEVEL_CAUSAL_MEMORY},
    {LEVEL_SEQUENTIAL, LEVEL_PER_KEY_SEQUENTIAL},
    {LEVEL_CAUSAL_CONVERGENCE, LEVEL_CAUSAL},
    {LEVEL_CAUSAL_MEMORY, LEVEL_CAUSAL},
    {LEVEL_CAUSAL_MEMORY, LEVEL_PRAM},
    {LEVEL_CAUSAL_MEMORY, LEVEL_WRITES_FOLLOW_READS},
    {LEVEL_CAUSAL_CONVERGENCE, LEVEL_MONOTONIC_READS},
    {LEVEL_CAUSAL, LEVEL_READ_YOUR_WRITES},
    {LEVEL_PRAM, LEVEL_READ_YOUR_WRITES},
    {LEVEL_PRAM, LEVEL_MONOTONIC_WRITES},
    {LEVEL_PER_KEY_SEQUENTIAL, LEVEL_READ_YOUR_WRITES},
    {LEVEL_PER_KEY_SEQUENTIAL, LEVEL_MONOTONIC_READS},
    {LEVEL_MONOTONIC_WRITES, LEVEL_MONOTONIC_READS},
    {LEVEL_WRITES_FOLLOW_READS, LEVEL_MONOTONIC_READS},
    {LEVEL_LINEARIZABLE, LEVEL_CONVERGENCE},
    {LEVEL_LINEARIZABLE, LEVEL_COUNTER_BOUNDS},
    {LEVEL_LINEARIZABLE, LEVEL_SET_COMPLETE},
    {LEVEL_SEQUENTIAL, LEVEL_BANK_TOTAL},
    {LEVEL_STRICT_SERIALIZABLE, LEVEL_SESSION_SERIALIZABLE},
    {LEVEL_STRICT_SERIALIZABLE, LEVEL_STRONG_SNAPSHOT_ISOLATION},
    {LEVEL_SESSION_SERIALIZABLE, LEVEL_SERIALIZABLE},
    {LEVEL_SESSION_SERIALIZABLE, LEVEL_SESSION_SNAPSHOT_ISOLATION},
    {LEVEL_SERIALIZABLE, LEVEL_SNAPSHOT_ISOLATION},
    {LEVEL_STRONG_SNAPSHOT_ISOLATION, LEVEL_SESSION_SNAPSHOT_ISOLATION},
    {LEVEL_SESSION_SNAPSHOT_ISOLATION, LEVEL_SNAPSHOT_ISOLATION},
    {LEVEL_SESSION_SNAPSHOT_ISOLATION, LEVEL_SESSION_PREFIX},
    {LEVEL_SNAPSHOT_ISOLATION, LEVEL_PREFIX},
    {LEVEL_SESSION_PREFIX, LEVEL_PREFIX},
    {LEVEL_SESSION_PREFIX, LEVEL_TXN_CAUSAL},
    {LEVEL_PREFIX, LEVEL_READ_ATOMIC},
    {LEVEL_TXN_CAUSAL, LEVEL_SESSION_READ_ATOMIC},
    {LEVEL_SESSION_READ_ATOMIC, LEVEL_READ_ATOMIC},
    {LEVEL_SESSION_READ_ATOMIC, LEVEL_SESSION_ATOMIC_VIEW},
    {LEVEL_READ_ATOMIC, LEVEL_ATOMIC_VIEW},
    {LEVEL_SESSION_ATOMIC_VIEW, LEVEL_ATOMIC_VIEW},
    {LEVEL_SESSION_ATOMIC_VIEW, LEVEL_SESSION_READ_COMMITTED},
    {LEVEL_ATOMIC_VIEW, LEVEL_READ_COMMITTED},
    {LEVEL_SESSION_READ_COMMITTED, LEVEL_READ_COMMITTED},
};

/* By level, from LEVEL_STRICT_SERIALIZABLE on. */
static const struct level_axiom axioms[] = {
    [LEVEL_STRICT_SERIALIZABLE] = {VIEW_ALL, .sessions = true, .real_time = true},
    [LEVEL_SESSION_SERIALIZABLE] = {VIEW_ALL, .sessions = true},
    [LEVEL_SERIALIZABLE] = {VIEW_ALL},
    [LEVEL_STRONG_SNAPSHOT_ISOLATION] = {VIEW_SNAPSHOT, .sessions = true, .real_time = true},
    [LEVEL_SESSION_SNAPSHOT_ISOLATION] = {VIEW_SNAPSHOT, .sessions = true},
    [LEVEL_SNAPSHOT_ISOLATION] = {VIEW_SNAPSHOT},
    [LEVEL_SESSION_PREFIX] = {VIEW_PREFIX, .sessions = true},
    [LEVEL_PREFIX] = {VIEW_PREFIX},
    [LEVEL_TXN_CAUSAL] = {VIEW_CAUSAL, .sessions = true},
    [LEVEL_SESSION_READ_ATOMIC] = {VIEW_READ, .sessions = true},
    [LEVEL_READ_ATOMIC] = {VIEW_READ},
    [LEVEL_SESSION_ATOMIC_VIEW] = {VIEW_READ_BEFORE, .sessions = true},
    [LEVEL_ATOMIC_VIEW] = {VIEW_READ_BEFORE},
    [LEVEL_SESSION_READ_COMMITTED] = {VIEW_NOTHING, .sessions = true},
    [LEVEL_READ_COMMITTED] = {VIEW_NOTHING},
};

static const struct {
    const char *name;
    enum level level;
} synonyms[] = {
    {"linearizability", LEVEL_LINEARIZABLE},
    {"sequential-consistency", LEVEL_SEQUENTIAL},
    {"causal+", LEVEL_CAUSAL_CONVERGENCE},
    {"ccv", LEVEL_CAUSAL_CONVERGENCE},
    {"cm", LEVEL_CAUSAL_MEMORY},
    {"cc", LEVEL_CAUSAL},
    {"fifo", LEVEL_PRAM},
    {"serializability", LEVEL_SERIALIZABLE},
    {"ser", LEVEL_SERIALIZABLE},
    {"pl-3", LEVEL_SERIALIZABLE},
    {"repeatable-read", LEVEL_SERIALIZABLE}, /* Adya's PL-2.99 differs by predicates only */
    {"pl-2.99", LEVEL_SERIALIZABLE},
    {"si", LEVEL_SNAPSHOT_ISOLATION},
    {"pl-si", LEVEL_SNAPSHOT_ISOLATION},
    {"strict", LEVEL_STRICT_SERIALIZABLE},
    {"strong-serializable", LEVEL_STRICT_SERIALIZABLE},
    {"pl-ss", LEVEL_STRICT_SERIALIZABLE},
    {"strong-session-serializable", LEVEL_SESSION_SERIALIZABLE},
    {"strong-session-snapshot-isolation", LEVEL_SESSION_SNAPSHOT_ISOLATION},
    {"strong-session-prefix", LEVEL_SESSION_PREFIX},
    {"strong-session-read-atomic", LEVEL_SESSION_READ_ATOMIC},
    {"strong-session-monotonic-atomic-view", LEVEL_SESSION_ATOMIC_VIEW},
    {"strong-session-read-committed", LEVEL_SESSION_READ_COMMITTED},
    {"prefix-consistency", LEVEL_PREFIX},
    {"ra", LEVEL_READ_ATOMIC},
    {"mav", LEVEL_ATOMIC_VIEW},
    {"rc", LEVEL_READ_COMMITTED},
    {"pl-2", LEVEL_READ_COMMITTED},
    {"tcc", LEVEL_TXN_CAUSAL},
    {"eventual", LEVEL_CONVERGENCE},
    {"set", LEVEL_SET_COMPLETE},
};

const char *level_name(enum level level) {
    cairn_assert(level < LEVEL_COUNT);
    return rows[level].name;
}

const char *level_line(enum level level) {
    cairn_assert(level < LEVEL_COUNT);
    return rows[level].line;
}

bool level_transactional(enum level level) {
    cairn_assert(level < LEVEL_COUNT);
    return rows[level].transactional;
}

enum level level_of(const char *name, bool transactional) {
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (rows[level].transactional == transactional && strcmp(rows[level].name, name) == 0)
            return (enum level)level;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (rows[synonyms[i].level].transactional == transactional &&
            strcmp(synonyms[i].name, name) == 0)
            return synonyms[i].level;
    return LEVEL_NONE;
}

enum level level_of_transactions(enum level level) {
    switch (level) {
    case LEVEL_LINEARIZABLE:
        return LEVEL_STRICT_SERIALIZABLE;
    case LEVEL_SEQUENTIAL:
        return LEVEL_SESSION_SERIALIZABLE;
    case LEVEL_CAUSAL_CONVERGENCE:
        return LEVEL_TXN_CAUSAL;
    default:
        return level;
    }
}

_Static_assert(LEVEL_COUNT < 64, "levels are bits of a number");

struct level_axiom level_axiom(enum level level) {
    level = level_of_transactions(level);
    cairn_assert(level_transactional(level));
    return axioms[level];
}

bool level_implies(enum level stronger, enum level weaker) {
    uint64_t implied = 1ull << stronger, before = 0;
    while (implied != before) {
        before = implied;
        for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
            if ((implied >> edges[i][0] & 1) != 0)
                implied |= 1ull << edges[i][1];
    }
    return (implied >> weaker & 1) != 0;
}
