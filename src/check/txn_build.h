/* Inside txns_build: what is known while a history is read, before transactions have numbers.
 * Written values are entries of a table by (key, value); entries of one pair are chained.
 */
#ifndef CAIRN_CHECK_TXN_BUILD_H
#define CAIRN_CHECK_TXN_BUILD_H

#include "check/txn_history.h"

#define ENTRY_NONE UINT32_MAX

struct txn_entry {
    uint32_t key;   /* dense */
    uint32_t value; /* of the history */
    uint32_t op;
    uint32_t next;          /* of the same key and value */
    uint32_t before, after; /* the same operation's other writes of the key; ENTRY_NONE: no more */
    uint32_t place;         /* in the longest list of the key; ENTRY_NONE: in none */
};

/* A read from outside: its writer is an operation, or OP_NONE for the first version. */
struct txn_source {
    uint32_t op, key, writer;
    uint32_t list, len; /* of lists: the value, and how many of its elements others appended */
    uint32_t own;       /* of lists: the operation's first append to the key, perhaps later */
};

struct txn_build {
    struct txns *txns;
    const struct history *history;
    struct txn_picks *picks;
    struct limits *limits;
    enum txns_result result;

    uint32_t *key_of; /* value -> dense key; ENTRY_NONE: no key */
    uint32_t *keys;   /* dense key -> value */
    uint32_t key_count;
    bool lists; /* reads are of lists */

    struct txn_entry *entries;
    uint32_t entry_count, entry_cap;
    uint32_t *table;
    uint32_t table_size;

    struct txn_source *sources;
    uint32_t source_count, source_cap;

    bool *included;   /* by operation */
    uint32_t *queue;  /* operations whose reads are to be looked at */
    uint32_t queued;  /* of them */
    uint32_t *own_op; /* by key: the operation that wrote it, of those looked at so far the last; */
    uint32_t *own;    /* what it wrote */
    uint32_t *own_count;

    /* Of lists: the longest of each key as entries, [element_at[k], element_at[k + 1]). */
    uint32_t *element_at, *elements;
};

void txn_build_fault(struct txn_build *build, enum anomaly anomaly, uint32_t op, uint32_t other,
                     uint32_t key, uint32_t value);
/* Entries that hold the value; ENTRY_NONE: none. */
uint32_t txn_build_find(const struct txn_build *build, uint32_t key, uint32_t value);
/* The operation happened, since another saw it. */
void txn_build_include(struct txn_build *build, uint32_t op);
void txn_build_source(struct txn_build *build, const struct txn_source *source);
/* Which of `of` candidates this build takes. */
uint32_t txn_build_pick(struct txn_build *build, uint32_t of);

/* Register reads (txn_registers.c) and list reads (txn_lists.c) of one operation, in program
 * order. */
void txn_build_registers(struct txn_build *build, uint32_t op);
void txn_build_lists(struct txn_build *build, uint32_t op);
/* When all list reads are known: the longest list of each key, what each read took from which. */
void txn_build_versions(struct txn_build *build);
/* From sources and entries to transactions (txn_number.c). */
void txn_build_number(struct txn_build *build);

#endif
