#include "check/txn_verify.h"

#include "check/txn_facts.h"
#include "check/unrecorded.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define TRIED_MAX 8u /* operations whose orders are tried one by one */

/* ---- a read that nothing explains ---- */

/* Is the list what whole transactions appended, one after the other? True as well when two could
 * have appended the same. */
static bool list_is_whole(const struct txn_facts *facts, const struct fact_read *read) {
    uint32_t len, at, end, place = 0;
    const uint32_t *list = txn_facts_list(facts, read->key, read->value, &len);
    txn_facts_key(facts, read->key, &at, &end);
    for (uint32_t i = 0; i < read->len; i++)
        for (uint32_t j = 0; j < i; j++)
            if (list[i] == list[j])
                return false;
    while (place < read->len) {
        const struct fact_write *found = NULL;
        for (uint32_t w = at; w < end; w++) {
            if (facts->writes[w].op == read->op || facts->writes[w].value != list[place])
                continue;
            if (found != NULL)
                return true;
            found = &facts->writes[w];
        }
        for (uint32_t i = 0; found != NULL && i < found->appended; i++)
            if (place + i >= read->len ||
                list[place + i] != txn_facts_appended(facts, found->op, read->key, i))
                return false;
        if (found == NULL)
            return false;
        place += found->appended;
    }
    return true;
}

static bool lists_agree(const struct txn_facts *facts, const struct fact_read *read) {
    uint32_t len, other_len;
    const uint32_t *list = txn_facts_list(facts, read->key, read->value, &len);
    for (uint32_t r = 0; r < facts->read_count; r++) {
        const struct fact_read *other = &facts->reads[r];
        if (other->key != read->key)
            continue;
        const uint32_t *theirs = txn_facts_list(facts, other->key, other->value, &other_len);
        uint32_t both = read->len < other->len ? read->len : other->len;
        if (both > 0 && memcmp(list, theirs, both * sizeof *list) != 0)
            return false;
    }
    return true;
}

static bool read_is_impossible(const struct txn_facts *facts, const struct fact_read *read) {
    if (facts->lists)
        return read->len > 0 && (!list_is_whole(facts, read) || !lists_agree(facts, read));
    uint32_t at, end;
    bool fits = txn_facts_fits(facts, read, NULL);
    txn_facts_key(facts, read->key, &at, &end);
    for (; at < end && !fits; at++)
        fits = txn_facts_fits(facts, read, &facts->writes[at]);
    return !fits;
}

bool txn_verify_impossible(const struct txn_facts *facts, uint32_t op) {
    if (op >= facts->history->op_count)
        return false;
    if (facts->broken[op])
        return true;
    for (uint32_t r = facts->read_at[op]; r < facts->read_at[op + 1]; r++)
        if (read_is_impossible(facts, &facts->reads[r]))
            return true;
    return false;
}

/* ---- a few operations that have no order ---- */

struct trial {
    struct txn_facts facts;
    uint32_t order[TRIED_MAX];
    bool used[TRIED_MAX];
    struct limits *limits;
    bool undecided;
};

static bool has_order(struct trial *trial, uint32_t placed) {
    struct buf why = {0};
    enum txn_verified result =
        txn_verify_order(&trial->facts, trial->order, placed, trial->limits, &why);
    buf_free(&why);
    trial->undecided |= result == TXN_UNVERIFIED;
    if (result == TXN_VERIFIED)
        return true;
    for (uint32_t op = 0; op < trial->facts.history->op_count; op++) {
        if (trial->used[op] || trial->facts.history->ops[op].outcome == OP_FAIL)
            continue;
        trial->used[op] = true;
        trial->order[placed] = op;
        if (has_order(trial, placed + 1))
            return true;
        trial->used[op] = false;
    }
    return false;
}

/* What may have been read by those that are kept is kept as well: then an order of all would be
 * an order of these. */
static bool is_closed(const struct txn_facts *facts, const bool *keep) {
    for (uint32_t r = 0; r < facts->read_count; r++) {
        const struct fact_read *read = &facts->reads[r];
        uint32_t at, end, place;
        txn_facts_key(facts, read->key, &at, &end);
        for (; at < end && keep[read->op]; at++)
            if (!keep[facts->writes[at].op] &&
                (txn_facts_fits(facts, read, &facts->writes[at]) ||
                 (facts->lists && txn_facts_in_list(facts, read, &facts->writes[at], &place))))
                return false;
    }
    return true;
}

static enum txn_verified try_orders(const struct txn_facts *facts, const struct verdict *verdict,
                                    struct limits *limits, struct buf *why) {
    const struct history *history = facts->history;
    if (verdict->op_count > TRIED_MAX) {
        buf_printf(why, "too many operations to try all their orders");
        return TXN_UNVERIFIED;
    }
    bool *keep = cairn_alloc_zero(history->op_count + 1u);
    for (uint32_t i = 0; i < verdict->op_count; i++)
        if (verdict->ops[i] < history->op_count)
            keep[verdict->ops[i]] = true;
    if (!is_closed(facts, keep)) {
        buf_printf(why, "an operation is left out that others of these may have read from");
        cairn_free(keep);
        return TXN_REFUTED;
    }
    struct history part;
    history_copy(&part, history, keep);
    struct trial trial = {.limits = limits};
    enum txn_verified result = TXN_UNVERIFIED;
    if (txn_facts_make(&trial.facts, &part, verdict->model,
                       level_of_transactions(verdict->level))) {
        bool order = has_order(&trial, 0);
        result = order ? TXN_REFUTED : trial.undecided ? TXN_UNVERIFIED : TXN_VERIFIED;
        buf_printf(why, order ? "the operations do have an order" : "");
    }
    txn_facts_free(&trial.facts);
    history_free(&part);
    cairn_free(keep);
    return result;
}

/* ---- the whole ---- */

static enum txn_verified verify_no(const struct txn_facts *facts, const struct verdict *verdict,
                                   struct limits *limits, struct buf *why) {
    if (verdict->edge_count > 0)
        return txn_verify_cycle(facts, verdict, limits, why);
    if (verdict->op_count == 0) {
        buf_printf(why, "there is no evidence to check");
        return TXN_UNVERIFIED;
    }
    for (uint32_t i = 0; i < verdict->op_count; i++)
        if (txn_verify_impossible(facts, verdict->ops[i]))
            return TXN_VERIFIED;
    return try_orders(facts, verdict, limits, why);
}

static enum txn_verified verify_yes(const struct txn_facts *facts, const struct verdict *verdict,
                                    struct limits *limits, struct buf *why) {
    if (verdict->order_count != 1 || verdict->orders[0].scope != SCOPE_ALL) {
        buf_printf(why, "there is no order of all operations");
        return TXN_REFUTED;
    }
    const struct order *order = &verdict->orders[0];
    for (uint32_t i = 0; i < order->count; i++)
        if (order->ops[i] < facts->history->op_count && facts->broken[order->ops[i]]) {
            buf_printf(
                why, "an operation does not read what it wrote itself, or what was there at first");
            return TXN_REFUTED;
        }
    return txn_verify_order(facts, order->ops, order->count, limits, why);
}

static enum txn_verified verify_history(const struct history *history,
                                        const struct verdict *verdict, struct limits *limits,
                                        struct buf *why) {
    struct txn_facts facts;
    enum txn_verified result = TXN_UNVERIFIED;
    if (!txn_facts_make(&facts, history, verdict->model, level_of_transactions(verdict->level)))
        buf_printf(why, "there are operations that are no reads, writes or appends");
    else if (verdict->answer == ANSWER_YES)
        result = verify_yes(&facts, verdict, limits, why);
    else if (verdict->answer == ANSWER_NO)
        result = verify_no(&facts, verdict, limits, why);
    else
        buf_printf(why, "only a yes or a no can be verified");
    txn_facts_free(&facts);
    return result;
}

/* ---- writers that were not recorded ---- */

static uint32_t invented_writer(const struct history *whole, uint32_t recorded, uint32_t key) {
    uint32_t found = OP_NONE;
    for (uint32_t op = recorded; op < whole->op_count; op++) {
        const struct op *of = &whole->ops[op];
        uint32_t wrote = of->f == OP_TXN ? whole->mops[of->arg].key : of->key;
        if (wrote == key)
            found = found == OP_NONE ? op : OP_NONE;
    }
    return found;
}

/* The edges name no operation where the writer is an invented one: it is the one of the key. */
static void name_invented(const struct history *whole, uint32_t recorded, struct edge *edges,
                          uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t writer = invented_writer(whole, recorded, edges[i].key);
        bool reads = edges[i].reason == REASON_READS_FROM;
        bool earlier = edges[i].reason == REASON_EARLIER_WRITE;
        bool overwrites = edges[i].reason == REASON_OVERWRITES;
        if ((reads || earlier) && edges[i].from == OP_NONE)
            edges[i].from = edges[(i + count - 1) % count].to = writer;
        if ((overwrites || edges[i].reason == REASON_READ_BEFORE) && edges[i].to == OP_NONE)
            edges[i].to = edges[(i + 1) % count].from = writer;
    }
}

static enum txn_verified verify_invented(const struct history *history,
                                         const struct verdict *verdict, struct limits *limits,
                                         struct buf *why) {
    struct history whole;
    if (unrecorded_invent(&whole, history) == 0)
        return verify_history(history, verdict, limits, why);
    enum txn_verified result = TXN_UNVERIFIED;
    if (verdict->answer == ANSWER_NO && verdict->edge_count > 0) {
        struct verdict named = *verdict;
        named.edges = cairn_alloc(verdict->edge_count * sizeof *named.edges);
        memcpy(named.edges, verdict->edges, verdict->edge_count * sizeof *named.edges);
        name_invented(&whole, history->op_count, named.edges, named.edge_count);
        result = verify_history(&whole, &named, limits, why);
        cairn_free(named.edges);
    } else {
        buf_printf(why, "the evidence leaves out writers that were not recorded");
    }
    history_free(&whole);
    return result;
}

enum txn_verified txn_verify(const struct history *history, const struct verdict *verdict,
                             struct limits *limits, struct buf *why) {
    struct history whole;
    if (verdict->model == MODEL_LONG_FORK)
        return verify_invented(history, verdict, limits, why);
    if (verdict->model != MODEL_TXN_RW || !history->may_miss_writes ||
        unrecorded_ignore(&whole, history) == 0)
        return verify_history(history, verdict, limits, why);
    enum txn_verified result = verify_history(&whole, verdict, limits, why);
    history_free(&whole);
    return result;
}
