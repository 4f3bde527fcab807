/* The facts of a history that proofs are checked against: what each transaction read from outside
 * itself, and what it left written. Plain and quadratic in the length of a transaction. For
 * txn_verify alone.
 */
#ifndef CAIRN_CHECK_TXN_FACTS_H
#define CAIRN_CHECK_TXN_FACTS_H

#include "check/txn_verify.h"

struct fact_read {
    uint32_t op, key, value;
    uint32_t len; /* of lists: elements that are not own ones */
    bool not ;    /* of a cas that did not match: anything but value */
};
struct fact_write {
    uint32_t op, key, value; /* value: the last one, or the first appended */
    uint32_t appended;
};
struct txn_facts {
    const struct history *history;
    bool lists;
    enum level level;        /* as of transactions */
    struct fact_read *reads; /* by operation, then in program order */
    uint32_t read_count, read_cap;
    uint32_t *read_at;         /* by operation */
    struct fact_write *writes; /* by key, then by operation; none of failed ones */
    uint32_t write_count, write_cap;
    bool *broken; /* by operation: its list lacks what was there at first, or it does not read what
                   * it wrote itself */
};

/* False: the history has other operations than reads, writes and appends. */
bool txn_facts_make(struct txn_facts *facts, const struct history *history, enum model model,
                    enum level level);
void txn_facts_free(struct txn_facts *facts);
/* The writes of a key: [*at, *end). */
void txn_facts_key(const struct txn_facts *facts, uint32_t key, uint32_t *at, uint32_t *end);
const struct fact_write *txn_facts_write(const struct txn_facts *facts, uint32_t op, uint32_t key);
/* Elements of a list behind what the key held at first. */
const uint32_t *txn_facts_list(const struct txn_facts *facts, uint32_t key, uint32_t list,
                               uint32_t *len);
/* The i-th element that the operation appends to the key. */
uint32_t txn_facts_appended(const struct txn_facts *facts, uint32_t op, uint32_t key, uint32_t i);

/* Could the read have seen this write, or (write NULL) the first version? */
bool txn_facts_fits(const struct txn_facts *facts, const struct fact_read *read,
                    const struct fact_write *write);
/* Which write was read, when only one can have been; false: several, or none. NULL: the first
 * version. */
bool txn_facts_source(const struct txn_facts *facts, const struct fact_read *read,
                      const struct fact_write **source);

/* The parts of txn_verify. */
enum txn_verified txn_verify_order(const struct txn_facts *facts, const uint32_t *order,
                                   uint32_t count, struct limits *limits, struct buf *why);
enum txn_verified txn_verify_cycle(const struct txn_facts *facts, const struct verdict *verdict,
                                   struct limits *limits, struct buf *why);
enum txn_verified txn_verify_closure(const struct txn_facts *facts, struct limits *limits,
                                     struct buf *why);
/* Nothing explains what the operation has read. */
bool txn_verify_impossible(const struct txn_facts *facts, uint32_t op);
/* Does the list that was read have what the write appended? *at: where. */
bool txn_facts_in_list(const struct txn_facts *facts, const struct fact_read *read,
                       const struct fact_write *write, uint32_t *at);

#endif
