/* A history as the axioms of the transactional levels see it: transactions with their sessions,
 * what each read from outside itself and from which, what each left written. Made once, by
 * txns_build, and only read afterwards.
 *
 * Transactions are numbered session by session, in session order: the one before t in its session
 * is t - 1. A version is the write of a key that a transaction left; TXN_INIT is the version that
 * was there at first. Where lists were read, versions have a rank: their place in the lists.
 *
 * Memory: about 100 bytes a transaction, 40 a read or write.
 */
#ifndef CAIRN_CHECK_TXN_HISTORY_H
#define CAIRN_CHECK_TXN_HISTORY_H

#include "check/verdict.h"

#define TXN_INIT UINT32_MAX
#define TXN_NONE UINT32_MAX
#define TXN_UNRANKED UINT32_MAX
#define TXN_INDEX_MAX (1u << 28) /* of reads and of writes; what an edge's label can hold */

struct txn {
    uint32_t op;
    uint32_t session;
    uint32_t call, ret;
    uint32_t read_at, read_count;   /* in reads, in program order */
    uint32_t write_at, write_count; /* in writes, by rising key */
};
struct txn_read {
    uint32_t txn, key;
    uint32_t version; /* an index in writes, or TXN_INIT */
};
struct txn_write {
    uint32_t txn, key;
    uint32_t rank;
};
struct txn_key {
    uint32_t value;     /* of the history */
    uint32_t at, count; /* in by_key */
    uint32_t ranked;    /* that many of them come first, in the order of their ranks */
};

/* The ways to read where it is not known which write was read: which candidate each such read
 * takes, in the order in which txns_build meets them. */
struct txn_picks {
    uint32_t *pick, *of;
    uint32_t count, cap;
    uint32_t used; /* by the last build */
};
void txn_picks_free(struct txn_picks *picks);
/* The next way; false: all were tried. */
bool txn_picks_next(struct txn_picks *picks);

enum txns_result {
    TXNS_FINE,
    TXNS_FAULTY,  /* no level holds: fault_ops, anomalies, text */
    TXNS_UNCLEAR, /* cannot be told which write was read: text */
    TXNS_FOREIGN, /* operations that are no reads, writes or appends: text */
    TXNS_STOPPED  /* by the limits */
};

struct txns {
    const struct history *history;
    struct txn *at;
    uint32_t count;
    uint32_t *session_at; /* session s is [session_at[s], session_at[s + 1]) */
    uint32_t session_count;
    struct txn_read *reads;
    uint32_t read_count;
    struct txn_write *writes;
    uint32_t write_count;
    struct txn_key *keys;
    uint32_t key_count;
    uint32_t *by_key;    /* writes, key by key */
    uint32_t *reader_at; /* readers of version w: [reader_at[w], reader_at[w + 1]); of the first
                          * version of key k: the same at write_count + k */
    uint32_t *readers;   /* indices in reads */
    uint32_t anomalies;  /* bits of enum anomaly */
    uint32_t fault_ops[3];
    uint32_t fault_op_count;
    struct buf text; /* about the first fault */
};

/* lists: what is read are lists of appended elements, not what was written last. picks: blank at
 * first, then moved on by txn_picks_next. txns is to be freed whatever came out. */
enum txns_result txns_build(struct txns *txns, const struct history *history, bool lists,
                            struct txn_picks *picks, struct limits *limits);
void txns_free(struct txns *txns);

/* The same transactions with shorter sessions: each one for which `starts` is true begins a session
 * (starts NULL: every one does, so that there is no session order). All else is borrowed from
 * `txns`, which must outlive it; given back by txns_cut_free. */
void txns_cut(struct txns *cut, const struct txns *txns, const bool *starts);
void txns_cut_free(struct txns *cut);

/* No session has two transactions. */
bool txns_alone(const struct txns *txns);
/* The same transactions, dealt out to so many sessions in the order of their operations, whatever
 * sessions they had. All else is borrowed; given back by txns_deal_free. */
void txns_deal(struct txns *dealt, const struct txns *txns, uint32_t lanes);
void txns_deal_free(struct txns *dealt);

/* Which write of the key the transaction left; TXN_NONE: none. */
uint32_t txns_write_of(const struct txns *txns, uint32_t txn, uint32_t key);
static inline uint32_t txns_writer(const struct txns *txns, uint32_t version) {
    return version == TXN_INIT ? TXN_INIT : txns->writes[version].txn;
}
/* Is t the first of its session? */
static inline bool txns_first(const struct txns *txns, uint32_t t) {
    return t == txns->session_at[txns->at[t].session];
}

/* The micro-operations of any operation; those of single operations are put into `single`.
 * False: the operation is none of reads, writes and appends. */
bool txn_mops(const struct history *history, const struct op *op, struct mop single[2],
              const struct mop **mops, uint32_t *count);

#endif
