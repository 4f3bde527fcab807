#include "check/order.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where each token stands ---- */

struct place {
    uint32_t token;
    uint64_t position;
};

static int by_token(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* By rising token; NULL: one stands there twice, which *twice names. */
static struct place *places_of(const uint32_t *final, size_t count, uint32_t *twice) {
    struct place *places = cairn_alloc((count + 1) * sizeof *places);
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){final[i], i + 1};
    qsort(places, count, sizeof *places, by_token);
    for (size_t i = 1; i < count; i++)
        if (places[i].token == places[i - 1].token) {
            *twice = places[i].token;
            cairn_free(places);
            return NULL;
        }
    return places;
}

static uint64_t position_of(const struct place *places, size_t count, uint32_t token) {
    struct place key = {token, 0};
    const struct place *found = bsearch(&key, places, count, sizeof *places, by_token);
    return found != NULL ? found->position : 0;
}

/* ---- one operation against the text ---- */

struct judged {
    const struct order_op *op;
    uint64_t position;
    size_t index;
};

static bool known(const struct order_op *op) {
    return op->complete != UINT64_MAX;
}

/* NULL: fine; else what is wrong. */
static const char *judge_one(const struct order_op *op, const struct place *places,
                             const uint32_t *final, size_t final_count, uint64_t *position) {
    if (!op->change) {
        *position = op->position;
        if (op->position > final_count)
            return "a read tells more changes than there ever were";
        for (size_t i = 0; op->tokens != NULL && i < op->position; i++)
            if (op->tokens[i] != final[i])
                return "a read tells another order than the text at the end";
        return NULL;
    }
    *position = position_of(places, final_count, op->token);
    if (op->failed)
        return *position != 0 ? "what was said not to be executed was" : NULL;
    if (!known(op))
        return NULL;
    if (*position == 0)
        return "an acknowledged change is lost";
    return *position != op->position ? "a change's answer tells another position than the text"
                                     : NULL;
}

/* ---- real time ---- */

static int by_invoke(const void *a, const void *b) {
    const struct judged *x = a, *y = b;
    if (x->op->invoke != y->op->invoke)
        return x->op->invoke < y->op->invoke ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int by_complete(const void *a, const void *b) {
    const struct judged *const *x = a, *const *y = b;
    uint64_t at = (*x)->op->complete, bt = (*y)->op->complete;
    return at < bt ? -1 : at > bt;
}

/* By rising invocation, with the highest position of all that had ended before. NULL: it holds. */
static const struct judged *find_disorder(struct judged *all, size_t count) {
    const struct judged **ended = cairn_alloc((count + 1) * sizeof *ended);
    const struct judged *wrong = NULL;
    size_t ended_count = 0, next = 0;
    uint64_t highest = 0;
    qsort(all, count, sizeof *all, by_invoke);
    for (size_t i = 0; i < count; i++)
        if (known(all[i].op))
            ended[ended_count++] = &all[i];
    qsort(ended, ended_count, sizeof *ended, by_complete);
    for (size_t i = 0; i < count && wrong == NULL; i++) {
        while (next < ended_count && ended[next]->op->complete < all[i].op->invoke) {
            if (ended[next]->position > highest)
                highest = ended[next]->position;
            next++;
        }
        bool behind = all[i].op->change ? all[i].position <= highest : all[i].position < highest;
        if (behind)
            wrong = &all[i];
    }
    cairn_free(ended);
    return wrong;
}

enum answer order_check(const struct order_op *ops, size_t count, const uint32_t *final,
                        size_t final_count, char *error, size_t error_size, size_t *where) {
    uint32_t twice = 0;
    struct place *places = places_of(final, final_count, &twice);
    *where = SIZE_MAX;
    if (places == NULL) {
        snprintf(error, error_size, "the change %08x took effect twice", twice);
        return ANSWER_NO;
    }
    struct judged *all = cairn_alloc((count + 1) * sizeof *all);
    const char *problem = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < count && problem == NULL; i++) {
        uint64_t position;
        problem = judge_one(&ops[i], places, final, final_count, &position);
        *where = problem ? i : SIZE_MAX;
        bool stands = ops[i].change ? position != 0 : known(&ops[i]);
        if (stands)
            all[kept++] = (struct judged){&ops[i], position, i};
    }
    if (problem == NULL) {
        const struct judged *wrong = find_disorder(all, kept);
        if (wrong != NULL) {
            problem = wrong->op->change ? "a change stands before one that had ended when it began"
                                        : "a read is older than what had ended when it began";
            *where = wrong->index;
        }
    }
    cairn_free(all);
    cairn_free(places);
    if (problem != NULL)
        snprintf(error, error_size, "%s", problem);
    return problem != NULL ? ANSWER_NO : ANSWER_YES;
}

/* ---- the bank ---- */

struct balances {
    int64_t of[BANK_ACCOUNTS];
};

/* States by position, 0 to final_count; NULL: a token is of no operation. */
static struct balances *replay(const struct bank_op *ops, size_t count, const uint32_t *final,
                               size_t final_count) {
    struct balances *states = cairn_alloc_zero((final_count + 1) * sizeof *states);
    struct place *owners = cairn_alloc((count + 1) * sizeof *owners);
    size_t changes = 0;
    for (size_t i = 0; i < count; i++)
        if (ops[i].order.change)
            owners[changes++] = (struct place){ops[i].order.token, i};
    qsort(owners, changes, sizeof *owners, by_token);
    bool whole = true;
    for (size_t p = 0; p < final_count && whole; p++) {
        struct place key = {final[p], 0};
        const struct place *owner = bsearch(&key, owners, changes, sizeof *owners, by_token);
        states[p + 1] = states[p];
        if (owner == NULL) {
            whole = false;
            break;
        }
        const struct bank_op *op = &ops[owner->position];
        states[p + 1].of[op->from] -= op->amount;
        states[p + 1].of[op->to] += op->amount;
    }
    cairn_free(owners);
    if (!whole) {
        cairn_free(states);
        return NULL;
    }
    return states;
}

static const char *judge_balances(const struct bank_op *op, const struct balances *states) {
    uint64_t p = op->order.position;
    if (!op->order.change)
        return memcmp(op->values, states[p].of, sizeof states[p].of) != 0
                   ? "balances that never were, at the position that was told"
                   : NULL;
    if (op->values[0] != states[p].of[op->from] || op->values[1] != states[p].of[op->to])
        return "a transfer tells balances that never were at its position";
    if (op->watched &&
        (op->values[2] != states[p - 1].of[op->from] || op->values[3] != states[p - 1].of[op->to]))
        return "a watched account changed before the transfer, which was executed all the same";
    return NULL;
}

/* The first position at or above `from` with these balances; SIZE_MAX: none. */
static size_t find_state(const struct bank_op *op, const struct balances *states, size_t from,
                         size_t final_count) {
    for (size_t p = from; p <= final_count; p++)
        if (memcmp(op->values, states[p].of, sizeof states[p].of) == 0)
            return p;
    return SIZE_MAX;
}

/* A floating read takes the lowest position that fits and is not below what had ended before: any
 * higher one would only forbid more to those that follow. */
static const char *settle_floating(struct order_op *orders, const struct bank_op *ops, size_t count,
                                   const struct balances *states, size_t final_count,
                                   const uint32_t *final, size_t *where) {
    uint32_t twice;
    struct place *places = places_of(final, final_count, &twice);
    for (size_t i = 0; i < count && places != NULL; i++)
        if (orders[i].change && !known(&orders[i]))
            orders[i].position = position_of(places, final_count, orders[i].token);
    cairn_free(places);
    struct judged *all = cairn_alloc((count + 1) * sizeof *all);
    const struct judged **ended = cairn_alloc((count + 1) * sizeof *ended);
    size_t ended_count = 0, next = 0, highest = 0;
    const char *problem = NULL;
    for (size_t i = 0; i < count; i++)
        all[i] = (struct judged){&orders[i], 0, i};
    qsort(all, count, sizeof *all, by_invoke);
    for (size_t i = 0; i < count; i++)
        if (known(all[i].op) && !all[i].op->failed)
            ended[ended_count++] = &all[i];
    qsort(ended, ended_count, sizeof *ended, by_complete);
    for (size_t i = 0; i < count && problem == NULL; i++) {
        while (next < ended_count && ended[next]->op->complete < all[i].op->invoke) {
            if (ended[next]->op->position > highest)
                highest = ended[next]->op->position;
            next++;
        }
        size_t n = all[i].index;
        if (!ops[n].floating || !known(&orders[n]))
            continue;
        size_t found = find_state(&ops[n], states, highest, final_count);
        *where = n;
        if (found == SIZE_MAX)
            problem = "balances that never were since the last transfer that had ended";
        else
            orders[n].position = found;
    }
    cairn_free(ended);
    cairn_free(all);
    return problem;
}

enum answer bank_check(const struct bank_op *ops, size_t count, const uint32_t *final,
                       size_t final_count, char *error, size_t error_size, size_t *where) {
    struct balances *states = replay(ops, count, final, final_count);
    *where = SIZE_MAX;
    if (states == NULL) {
        snprintf(error, error_size, "a transfer took effect that no client asked for");
        return ANSWER_NO;
    }
    struct order_op *orders = cairn_alloc((count + 1) * sizeof *orders);
    for (size_t i = 0; i < count; i++)
        orders[i] = ops[i].order;
    const char *problem = settle_floating(orders, ops, count, states, final_count, final, where);
    enum answer verdict = ANSWER_YES;
    if (problem == NULL)
        verdict = order_check(orders, count, final, final_count, error, error_size, where);
    for (size_t i = 0; i < count && problem == NULL && verdict == ANSWER_YES; i++) {
        if (!known(&orders[i]) || orders[i].failed || ops[i].floating)
            continue;
        problem = judge_balances(&ops[i], states);
        *where = i;
    }
    if (problem != NULL) {
        snprintf(error, error_size, "%s", problem);
        verdict = ANSWER_NO;
    }
    cairn_free(orders);
    cairn_free(states);
    return verdict;
}

/* ---- keys that expire ---- */

static int by_key_then_invoke(const void *a, const void *b) {
    const struct expiry_op *const *x = a, *const *y = b;
    if ((*x)->key != (*y)->key)
        return (*x)->key < (*y)->key ? -1 : 1;
    if ((*x)->invoke != (*y)->invoke)
        return (*x)->invoke < (*y)->invoke ? -1 : 1;
    return (*x)->tag < (*y)->tag ? -1 : (*x)->tag > (*y)->tag;
}

/* The operations of one key, by rising invocation. */
struct expiry_key {
    const struct expiry_op **ops;
    size_t count;
    uint64_t early_ppm;
};

/* Another write took its place before the read began. */
static bool is_replaced(const struct expiry_key *key, const struct expiry_op *write,
                        const struct expiry_op *read) {
    for (size_t i = 0; i < key->count; i++)
        if (key->ops[i]->write && key->ops[i]->invoke > write->complete &&
            key->ops[i]->complete < read->invoke)
            return true;
    return false;
}

/* Some write had ended, and the time of none that may have been the last one is over. */
static bool must_be_there(const struct expiry_key *key, const struct expiry_op *read) {
    bool written = false;
    for (size_t i = 0; i < key->count; i++) {
        const struct expiry_op *write = key->ops[i];
        if (!write->write || write->invoke > read->complete || is_replaced(key, write, read))
            continue;
        uint64_t least = write->ttl_ns - write->ttl_ns / 1000000 * key->early_ppm;
        if (read->complete >= write->invoke + (least > 2000000 ? least - 2000000 : 0))
            return false;
        written |= write->complete < read->invoke;
    }
    return written;
}

static bool could_be_written(const struct expiry_key *key, const struct expiry_op *read) {
    for (size_t i = 0; i < key->count; i++)
        if (key->ops[i]->write && key->ops[i]->invoke <= read->complete)
            return true;
    return false;
}

/* Gone stays gone, but for a write that may have come between the two. */
static bool is_back(const struct expiry_key *key, const struct expiry_op *gone,
                    const struct expiry_op *read) {
    if (gone->complete >= read->invoke)
        return false;
    for (size_t i = 0; i < key->count; i++)
        if (key->ops[i]->write && key->ops[i]->complete >= gone->invoke &&
            key->ops[i]->invoke <= read->complete)
            return false;
    return true;
}

static const char *judge_read(const struct expiry_key *key, const struct expiry_op *read) {
    if (read->nil)
        return must_be_there(key, read) ? "a key is gone before its time" : NULL;
    if (!could_be_written(key, read))
        return "a key is read that was not written yet";
    for (size_t i = 0; i < key->count; i++)
        if (!key->ops[i]->write && key->ops[i]->nil && is_back(key, key->ops[i], read))
            return "a key that was gone is there again";
    return NULL;
}

static const char *judge_key(const struct expiry_op **ops, size_t count, uint64_t early_ppm,
                             size_t *tag) {
    const struct expiry_key key = {ops, count, early_ppm};
    for (size_t i = 0; i < count; i++) {
        const char *problem = NULL;
        *tag = ops[i]->tag;
        if (!ops[i]->write && ops[i]->complete != UINT64_MAX)
            problem = judge_read(&key, ops[i]);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

enum answer expiry_check(const struct expiry_op *ops, size_t count, uint64_t early_ppm, char *error,
                         size_t error_size, size_t *where) {
    const struct expiry_op **sorted = cairn_alloc((count + 1) * sizeof *sorted);
    const char *problem = NULL;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &ops[i];
    qsort(sorted, count, sizeof *sorted, by_key_then_invoke);
    for (size_t from = 0; from < count && problem == NULL;) {
        size_t to = from;
        while (to < count && sorted[to]->key == sorted[from]->key)
            to++;
        problem = judge_key(sorted + from, to - from, early_ppm, where);
        from = to;
    }
    cairn_free(sorted);
    if (problem != NULL)
        snprintf(error, error_size, "%s", problem);
    return problem != NULL ? ANSWER_NO : ANSWER_YES;
}
