/* The objects that operations act on. A model says how an operation changes the state and what it
 * answers; the general search (linear_search.c) and the replay of proofs know nothing else. Faster
 * methods for some models stand beside it and are tested against it.
 */
#ifndef CAIRN_CHECK_MODEL_H
#define CAIRN_CHECK_MODEL_H

#include "check/history.h"
#include "check/limits.h"

/* X(constant, name, keyed: every key is an object of its own, transactional, one line) */
#define MODEL_LIST(X)                                                                             \
    X(REGISTER, "register", true, false, "read, write; also a map of registers")                  \
    X(CAS_REGISTER, "cas-register", true, false, "read, write, cas [from to]")                    \
    X(KV, "kv", true, false,                                                                      \
      "read (get), write (put), append to a text, cas, swap, delete, set-if-absent, add")         \
    X(MULTI_REGISTER, "multi-register", false, false, "txn of reads and writes, one object")      \
    X(APPEND, "append", true, false, "append of an element; read of the whole list")              \
    X(COUNTER, "counter", true, false, "add; read")                                               \
    X(SET, "set", true, false, "add, remove, contains; read of the whole set")                    \
    X(QUEUE, "queue", true, false, "enqueue, dequeue (null: empty), drain, peek")                 \
    X(UNORDERED_QUEUE, "unordered-queue", true, false,                                            \
      "enqueue, dequeue (null: empty), drain, peek; whatever is in it may come out")              \
    X(STACK, "stack", true, false, "push, pop (null: empty), peek")                               \
    X(PRIORITY_QUEUE, "priority-queue", true, false, "insert, delete-min, delete-max, peek")      \
    X(MUTEX, "mutex", true, false,                                                                \
      "acquire, try-acquire, release, also by another process than the holder")                   \
    X(OWNED_MUTEX, "owned-mutex", true, false, "as mutex; only the holder releases")              \
    X(REENTRANT_MUTEX, "reentrant-mutex", true, false,                                            \
      "as owned-mutex; the holder may acquire it again, and releases it as often")                \
    X(FENCED_MUTEX, "fenced-mutex", true, false,                                                  \
      "as owned-mutex; acquire answers a token above all before")                                 \
    X(SEMAPHORE, "semaphore", true, false,                                                        \
      "acquire n, try-acquire n, release n (1 unless it says) of the initial value (1)")          \
    X(BANK, "bank", false, false, "transfer {from to amount}; read of all balances")              \
    X(BANK_NONNEGATIVE, "bank-nonnegative", false, false, "as bank; no balance falls below zero") \
    X(UNIQUE_IDS, "unique-ids", true, false, "generate: every answer is another")                 \
    X(TXN_RW, "txn-rw", false, true, "transactions of [r k v] and [w k v]")                       \
    X(LONG_FORK, "long-fork", false, true,                                                        \
      "as txn-rw; each key is written once, perhaps unrecorded")                                  \
    X(TXN_APPEND, "txn-append", false, true, "transactions of [r k list] and [append k v]")
enum model {
#define X(name, text, keyed, transactional, line) MODEL_##name,
    MODEL_LIST(X)
#undef X
        MODEL_COUNT
};
#define MODEL_NONE MODEL_COUNT

const char *model_name(enum model model);
const char *model_line(enum model model);
bool model_keyed(enum model model);
bool model_transactional(enum model model);
/* A map of registers: register, cas-register, kv. */
bool model_is_register(enum model model);
/* bank, bank-nonnegative */
bool model_is_bank(enum model model);
/* By name, with synonyms (kv-register, kv-append, lock, list-append, rw-register ...). */
enum model model_of(const char *name);
/* The weakest model in the table that has all operations of the history; MODEL_NONE: there is none,
 * and `why` says which operation fits nowhere. */
enum model model_guess(const struct history *history, struct buf *why);
/* Every operation is one of the model's, with arguments of the right shape, and with no answer that
 * the model would not compare (answers.h). False: `why` says where. */
bool model_fits(enum model model, const struct history *history, struct buf *why);

#endif
