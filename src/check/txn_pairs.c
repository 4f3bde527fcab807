/* Which pairs of writers are to be ordered. Of those whose order is known, only a writer and the
 * next ones after it count: what holds for later ones follows. Of each session these are found by
 * bisection, since what comes before or after a transaction is a beginning or an end of it. */
#include "check/txn_strong.h"

#include "check/txn_past.h"
#include "base/alloc.h"

#include <string.h>

/* The open writes of one key in one session, in session order. */
struct run {
    uint32_t at, count; /* in versions */
};

struct finder {
    const struct txn_past *past;
    struct txn_graph *graph;
    const struct txn_rules *rules;
    struct txn_pairs *pairs;
    uint32_t *versions; /* of the key that is looked at */
    struct run *runs;
    uint32_t run_count;
    uint32_t *next; /* versions after the one that is looked at, the first of each session */
};

void txn_pairs_free(struct txn_pairs *pairs) {
    cairn_free(pairs->at);
    memset(pairs, 0, sizeof *pairs);
}

static void push(struct finder *finder, uint32_t a, uint32_t b) {
    struct txn_pairs *pairs = finder->pairs;
    if (pairs->count == pairs->cap) {
        uint32_t cap = pairs->cap ? pairs->cap * 2 : 256;
        if (cap > UINT32_MAX / 8 || !limits_room(finder->graph->limits, cap * sizeof *pairs->at)) {
            finder->graph->stopped = true;
            return;
        }
        pairs->at = cairn_realloc(pairs->at, cap * sizeof *pairs->at);
        pairs->cap = cap;
    }
    pairs->at[pairs->count++] = a < b ? (struct txn_pair){a, b} : (struct txn_pair){b, a};
}

static bool was_read(const struct txns *txns, uint32_t version) {
    return txns->reader_at[version + 1] > txns->reader_at[version];
}

/* Two versions that were not read ask for nothing, unless their writers have to see each other. */
static bool matters(const struct finder *finder, uint32_t a, uint32_t b) {
    const struct txns *txns = finder->graph->txns;
    return finder->rules->conflict || was_read(txns, a) || was_read(txns, b);
}

/* Do the writers share a lower key for which the pair was found already? */
static bool had(const struct finder *finder, uint32_t a, uint32_t b) {
    const struct txns *txns = finder->graph->txns;
    const struct txn_write *writes = txns->writes;
    uint32_t i = txns->at[writes[a].txn].write_at, j = txns->at[writes[b].txn].write_at;
    while (i < a && j < b) {
        if (writes[i].key == writes[j].key && writes[i].rank == TXN_UNRANKED &&
            writes[j].rank == TXN_UNRANKED && matters(finder, i, j))
            return true;
        uint32_t x = writes[i].key, y = writes[j].key;
        i += x <= y;
        j += y <= x;
    }
    return false;
}

static bool precedes(const struct finder *finder, uint32_t a, uint32_t b) {
    const struct txn_write *writes = finder->graph->txns->writes;
    return txn_past_reaches(finder->past, writes[a].txn, writes[b].txn);
}

static bool add(void *context, uint32_t from, uint32_t to, enum txn_why why, uint32_t index) {
    struct finder *finder = context;
    if (!txn_past_reaches(finder->past, from, to))
        txn_graph_edge(finder->graph, from, to, why, index);
    return !finder->graph->stopped;
}

/* How many of the run are surely before the version, or it itself. */
static uint32_t count_before(const struct finder *finder, const struct run *run, uint32_t version) {
    const struct txns *txns = finder->graph->txns;
    uint32_t t = txns->writes[version].txn;
    uint32_t session = txns->at[txns->writes[finder->versions[run->at]].txn].session;
    uint32_t end = txns->session_at[session] + txn_past_count(finder->past, t, session);
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t other = txns->writes[finder->versions[run->at + middle]].txn;
        if (other < end || other == t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many of the run are not surely after it, when `from` are before it. Mostly a few more, so the
 * steps grow from there. */
static uint32_t count_not_after(const struct finder *finder, const struct run *run,
                                uint32_t version, uint32_t from) {
    uint32_t low = from, high = from, step = 1;
    while (high < run->count && !precedes(finder, version, finder->versions[run->at + high])) {
        low = high + 1;
        high += step;
        step *= 2;
    }
    high = high < run->count ? high : run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (precedes(finder, version, finder->versions[run->at + middle]))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void look_at_run(struct finder *finder, const struct run *run, uint32_t version,
                        uint32_t *next_count) {
    const struct txn_write *writes = finder->graph->txns->writes;
    uint32_t first = count_before(finder, run, version);
    uint32_t end = count_not_after(finder, run, version, first);
    for (uint32_t i = first; i < end; i++) {
        uint32_t other = finder->versions[run->at + i];
        if (writes[version].txn < writes[other].txn && matters(finder, version, other) &&
            !had(finder, version, other))
            push(finder, writes[version].txn, writes[other].txn);
    }
    if (end < run->count)
        finder->next[(*next_count)++] = finder->versions[run->at + end];
}

/* The first of the next ones stands before most others, which then follow from it. */
static void link_next(struct finder *finder, uint32_t version, uint32_t next_count) {
    const struct txn_write *writes = finder->graph->txns->writes;
    if (next_count == 0)
        return;
    uint32_t first = finder->next[0];
    for (uint32_t i = 1; i < next_count; i++)
        if (finder->past->at[writes[finder->next[i]].txn] < finder->past->at[writes[first].txn])
            first = finder->next[i];
    for (uint32_t i = 0; i < next_count; i++)
        if (finder->next[i] == first || !precedes(finder, first, finder->next[i]))
            txn_version_edges(finder->graph, finder->rules, version, finder->next[i], add, finder);
}

static void look_at_key(struct finder *finder, const struct txn_key *key) {
    const struct txns *txns = finder->graph->txns;
    finder->versions = txns->by_key + key->at + key->ranked;
    finder->run_count = 0;
    uint32_t count = key->count - key->ranked, session = TXN_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t mine = txns->at[txns->writes[finder->versions[i]].txn].session;
        if (mine != session)
            finder->runs[finder->run_count++] = (struct run){i, 0};
        session = mine;
        finder->runs[finder->run_count - 1].count++;
    }
    for (uint32_t i = 0; i < count && !finder->graph->stopped; i++) {
        uint32_t next_count = 0, pairs = finder->pairs->count;
        for (uint32_t r = 0; r < finder->run_count && !finder->graph->stopped; r++)
            look_at_run(finder, &finder->runs[r], finder->versions[i], &next_count);
        link_next(finder, finder->versions[i], next_count);
        if (limits_over(finder->graph->limits,
                        1 + finder->run_count + finder->pairs->count - pairs))
            finder->graph->stopped = true;
    }
}

void txn_pairs_find(struct txn_pairs *pairs, const struct txn_past *past,
                    const struct txn_rules *rules) {
    const struct txns *txns = past->graph->txns;
    memset(pairs, 0, sizeof *pairs);
    struct finder finder = {.past = past, .graph = past->graph, .rules = rules, .pairs = pairs};
    finder.runs = cairn_alloc((past->sessions + 1u) * sizeof *finder.runs);
    finder.next = cairn_alloc((past->sessions + 1u) * sizeof *finder.next);
    for (uint32_t k = 0; k < txns->key_count && !past->graph->stopped; k++)
        look_at_key(&finder, &txns->keys[k]);
    cairn_free(finder.runs);
    cairn_free(finder.next);
}
