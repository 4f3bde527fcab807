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
    {LEVEL_STRICT_SERIALIZABLE, LEVEL_SERIALIZABLE},
    {LEVEL_STRICT_SERIALIZABLE, LEVEL_STRONG_SNAPSHOT_ISOLATION},
    {LEVEL_SERIALIZABLE, LEVEL_SNAPSHOT_ISOLATION},
    {LEVEL_STRONG_SNAPSHOT_ISOLATION, LEVEL_SNAPSHOT_ISOLATION},
    {LEVEL_SNAPSHOT_ISOLATION, LEVEL_PREFIX},
    {LEVEL_PREFIX, LEVEL_TXN_CAUSAL},
    {LEVEL_TXN_CAUSAL, LEVEL_READ_ATOMIC},
    {LEVEL_READ_ATOMIC, LEVEL_READ_COMMITTED},
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
    {"si", LEVEL_SNAPSHOT_ISOLATION},
    {"strict", LEVEL_STRICT_SERIALIZABLE},
    {"prefix-consistency", LEVEL_PREFIX},
    {"ra", LEVEL_READ_ATOMIC},
    {"rc", LEVEL_READ_COMMITTED},
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
        return LEVEL_SERIALIZABLE;
    case LEVEL_CAUSAL_CONVERGENCE:
        return LEVEL_TXN_CAUSAL;
    default:
        return level;
    }
}

bool level_implies(enum level stronger, enum level weaker) {
    if (stronger == weaker)
        return true;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        if (edges[i][0] == stronger && level_implies(edges[i][1], weaker))
            return true;
    return false;
}
