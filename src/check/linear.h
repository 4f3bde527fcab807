/* Is a history of one key linearizable? (Herlihy & Wing 1990.) Exact: a search in the manner of
 * Wing & Gong, just in time (Lowe 2017): only when an operation returns must it have taken effect,
 * and then the search places it, and before it whatever of the open ones is needed. What is
 * remembered between two returns is the set of states that are possible, each with the open
 * operations that have taken effect in it.
 *
 * An operation of unknown fate stays open for ever. Three rules keep that affordable, none of which
 * loses a history: one that changes nothing is not placed; one that overwrites blindly is placed
 * only directly before one that sees it; of several alike the eldest is placed first.
 */
#ifndef CAIRN_CHECK_LINEAR_H
#define CAIRN_CHECK_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check_verdict { CHECK_OK, CHECK_VIOLATION, CHECK_UNDECIDED };

enum linear_kind {
    LINEAR_WRITE = 1, /* argument */
    LINEAR_READ,      /* result or nil */
    LINEAR_SETNX,     /* argument; result: 1 when it was set, 0 when something was there */
    LINEAR_GETSET,    /* argument; result or nil: what was there */
    LINEAR_DELETE,    /* result: 1 when something was there */
    LINEAR_ADD        /* argument, to 0 when nothing was there; result: the sum */
};

struct linear_op {
    enum linear_kind kind;
    uint64_t invoke;
    uint64_t complete; /* UINT64_MAX: unknown whether, and when, it took effect */
    int64_t argument;
    int64_t result; /* meaningful when it completed */
    bool nil;
    size_t tag; /* the caller's */
};

/* The key is empty at first. Operations in any order. steps_max: how long to search before the
 * answer is UNDECIDED. At a violation *where is the index in ops of the operation that could not be
 * placed. */
enum check_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t steps_max,
                                size_t *where);

#endif
