/* Histories whose order is known, checked exactly in O(n log n): every change appended its unique
 * token to a text, and the text, read at the end, tells in which order all of them took effect.
 * Position p: after the p-th change. A change stands at a position of its own; a read, at the
 * position that its answer tells.
 *
 * What must hold: the text has each token once; every acknowledged change is in it, with the answer
 * that its position demands; nothing that surely failed is; and positions respect real time: what
 * began after another one had ended does not stand before it. Since each operation's answer is
 * compared with the state at its position, that is strict serializability of the whole history.
 */
#ifndef CAIRN_CHECK_ORDER_H
#define CAIRN_CHECK_ORDER_H

#include "check/verdict.h"

struct order_op {
    uint64_t invoke, complete; /* complete: UINT64_MAX when it is not known to have ended */
    bool change;
    bool failed;            /* surely not executed */
    uint32_t token;         /* of a change */
    uint64_t position;      /* told by the answer; meaningful when complete is known */
    const uint32_t *tokens; /* of a read that told the text: position of them; else NULL */
    size_t tag;
};

/* final: the text at the end. On a violation writes a sentence to error, and to *where the index in
 * ops of what is wrong (SIZE_MAX: the text itself). */
enum answer order_check(const struct order_op *ops, size_t count, const uint32_t *final,
                        size_t final_count, char *error, size_t error_size, size_t *where);

/* ---- the bank ---- */

#define BANK_ACCOUNTS 8

struct bank_op {
    struct order_op order; /* a change is a transfer */
    uint8_t from, to;
    int32_t amount;
    int64_t values[BANK_ACCOUNTS]; /* transfer: [0], [1] the balances after; else all balances */
    bool watched;                  /* transfer: values[2], [3] are what it had seen before */
    bool floating;                 /* a read that did not tell its position */
};

/* As order_check; besides, every balance that was told is the one at its position, and a floating
 * read fits some position that real time allows. */
enum answer bank_check(const struct bank_op *ops, size_t count, const uint32_t *final,
                       size_t final_count, char *error, size_t error_size, size_t *where);

/* ---- keys that expire ---- */

struct expiry_op {
    uint64_t invoke, complete;
    uint32_t key;
    bool write;      /* else a read */
    bool nil;        /* of a read */
    uint64_t ttl_ns; /* of a write */
    size_t tag;
};

/* A key is written once or more, each time for as long as that write says. A read that began after
 * the write ended finds it until its time is over (not earlier than ttl less early_ppm after the
 * write began), never before the first write began, and never again after a read that found it gone
 * unless it was written anew. */
enum answer expiry_check(const struct expiry_op *ops, size_t count, uint64_t early_ppm, char *error,
                         size_t error_size, size_t *where);

#endif
