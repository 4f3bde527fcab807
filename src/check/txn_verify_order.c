/* Does a commit order satisfy the axiom of its level? */
#include "check/txn_facts.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define INIT UINT32_MAX
#define WAYS_MAX 10000u /* to read, where values were written twice */

/* A version of a key, by key and place in the order. */
struct version {
    uint32_t key, place;
    const struct fact_write *write;
    uint32_t len; /* of lists: elements so far */
};

struct replay {
    const struct txn_facts *facts;
    const uint32_t *order;
    uint32_t count;
    uint32_t *place; /* by operation; OP_NONE: it did not commit */
    struct version *versions;
    uint32_t version_count;
    uint32_t *past; /* place of the last of the session before, by place; INIT: none */
    struct limits *limits;
    struct buf *why;
};

static bool refuse(struct replay *replay, uint32_t op, const char *what) {
    buf_clear(replay->why);
    history_describe(replay->facts->history, op, replay->why);
    buf_printf(replay->why, " %s", what);
    return false;
}

/* ---- the order itself ---- */

static bool each_once(struct replay *replay) {
    const struct history *history = replay->facts->history;
    for (uint32_t i = 0; i < replay->count; i++) {
        uint32_t op = replay->order[i];
        if (op >= history->op_count || history->ops[op].outcome == OP_FAIL) {
            buf_printf(replay->why, "the order has an operation that did not happen");
            return false;
        }
        if (replay->place[op] != OP_NONE)
            return refuse(replay, op, "is twice in the order");
        replay->place[op] = i;
    }
    for (uint32_t op = 0; op < history->op_count; op++)
        if (replay->place[op] == OP_NONE && history->ops[op].outcome != OP_FAIL &&
            history->ops[op].outcome != OP_INFO)
            return refuse(replay, op, "is not in the order");
    return true;
}

static bool in_sessions(struct replay *replay) {
    const struct history *history = replay->facts->history;
    uint32_t most = 0;
    for (uint32_t op = 0; op < history->op_count; op++)
        most = history->ops[op].process > most ? history->ops[op].process : most;
    uint32_t *last = cairn_alloc((most + 1u) * sizeof *last);
    memset(last, 0xff, (most + 1u) * sizeof *last);
    bool fine = true;
    for (uint32_t op = 0; op < history->op_count && fine; op++) {
        if (replay->place[op] == OP_NONE)
            continue;
        uint32_t *before = &last[history->ops[op].process];
        if (*before != INIT && *before > replay->place[op])
            fine = refuse(replay, op, "stands before its session's operation before it");
        replay->past[replay->place[op]] = *before;
        *before = replay->place[op];
    }
    cairn_free(last);
    return fine;
}

static bool in_real_time(struct replay *replay) {
    const struct history *history = replay->facts->history;
    uint32_t first_end = UINT32_MAX;
    for (uint32_t i = replay->count; i-- > 0;) {
        const struct op *op = &history->ops[replay->order[i]];
        if (first_end < op->call)
            return refuse(replay, replay->order[i], "began after one behind it had ended");
        if (op->outcome != OP_INFO && op->ret < first_end)
            first_end = op->ret;
    }
    return true;
}

/* ---- versions ---- */

static int by_key_and_place(const void *a, const void *b) {
    const struct version *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void make_versions(struct replay *replay) {
    const struct txn_facts *facts = replay->facts;
    replay->versions = cairn_alloc((facts->write_count + 1u) * sizeof *replay->versions);
    for (uint32_t w = 0; w < facts->write_count; w++)
        if (replay->place[facts->writes[w].op] != OP_NONE)
            replay->versions[replay->version_count++] =
                (struct version){facts->writes[w].key, replay->place[facts->writes[w].op],
                                 &facts->writes[w], facts->writes[w].appended};
    qsort(replay->versions, replay->version_count, sizeof *replay->versions, by_key_and_place);
    for (uint32_t v = 1; v < replay->version_count; v++)
        if (replay->versions[v].key == replay->versions[v - 1].key)
            replay->versions[v].len += replay->versions[v - 1].len;
}

/* The first version of the key at or behind a place. */
static uint32_t version_from(const struct replay *replay, uint32_t key, uint32_t place) {
    struct version sought = {.key = key, .place = place};
    uint32_t low = 0, high = replay->version_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_key_and_place(&replay->versions[middle], &sought) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The version that is there after the commits before `place`; INIT: the first. */
static uint32_t version_before(const struct replay *replay, uint32_t key, uint32_t place) {
    uint32_t v = version_from(replay, key, place);
    return v > 0 && replay->versions[v - 1].key == key ? v - 1 : INIT;
}

static bool matches(const struct replay *replay, const struct fact_read *read, uint32_t v) {
    const struct version *version = v == INIT ? NULL : &replay->versions[v];
    if (version != NULL && replay->facts->lists && version->len != read->len)
        return false;
    return txn_facts_fits(replay->facts, read, version ? version->write : NULL);
}

/* Of lists: everything before the last writer's elements, too. */
static bool list_is_told(const struct replay *replay, const struct fact_read *read) {
    uint32_t len, done = 0;
    const uint32_t *list = txn_facts_list(replay->facts, read->key, read->value, &len);
    for (uint32_t v = version_from(replay, read->key, 0); done < read->len; v++) {
        if (v == replay->version_count || replay->versions[v].key != read->key)
            return false;
        uint32_t op = replay->order[replay->versions[v].place];
        for (; done < read->len && done < replay->versions[v].len; done++)
            if (list[done] != txn_facts_appended(replay->facts, op, read->key,
                                                 done + replay->versions[v].write->appended -
                                                     replay->versions[v].len))
                return false;
    }
    return true;
}

/* ---- levels with a snapshot ---- */

static bool share_key(const struct replay *replay, uint32_t place, uint32_t op, uint32_t *last) {
    const struct txn_facts *facts = replay->facts;
    const struct history *history = facts->history;
    uint32_t count = history->ops[op].f == OP_TXN ? history->ops[op].out : 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = history->ops[op].f == OP_TXN ? history->mops[history->ops[op].arg + i].key
                                                    : history->ops[op].key;
        if (txn_facts_write(facts, op, key) == NULL)
            continue;
        uint32_t v = version_before(replay, key, place);
        if (v != INIT && replay->versions[v].place + 1 > *last)
            *last = replay->versions[v].place + 1;
    }
    return *last > 0;
}

/* How many commits the transaction must see at least, not counting those it read from. */
static uint32_t must_see(const struct replay *replay, uint32_t place) {
    const struct history *history = replay->facts->history;
    uint32_t op = replay->order[place], least = 0;
    struct level_axiom axiom = level_axiom(replay->facts->level);
    if (replay->past[place] != INIT)
        least = replay->past[place] + 1;
    if (axiom.view == VIEW_SNAPSHOT)
        share_key(replay, place, op, &least);
    for (uint32_t i = place; i-- > least && axiom.real_time;)
        if (history->ops[replay->order[i]].outcome != OP_INFO &&
            history->ops[replay->order[i]].ret < history->ops[op].call)
            least = i + 1;
    return least;
}

/* Some number of commits, not fewer than it must see, explains all its reads. */
static bool has_snapshot(struct replay *replay, uint32_t place, bool latest) {
    const struct txn_facts *facts = replay->facts;
    uint32_t op = replay->order[place], seen = latest ? place : must_see(replay, place);
    for (uint32_t r = facts->read_at[op]; r < facts->read_at[op + 1];) {
        const struct fact_read *read = &facts->reads[r];
        uint32_t v = version_before(replay, read->key, seen);
        if (matches(replay, read, v)) {
            r++;
            continue;
        }
        v = v == INIT ? version_from(replay, read->key, 0) : v + 1;
        while (v < replay->version_count && replay->versions[v].key == read->key &&
               !matches(replay, read, v))
            v++;
        if (v == replay->version_count || replay->versions[v].key != read->key ||
            replay->versions[v].place >= place)
            return refuse(replay, op, "reads of no snapshot that it may have");
        seen = replay->versions[v].place + 1;
        r = facts->read_at[op];
    }
    return true;
}

/* ---- levels with a set of visible transactions ---- */

/* Does t2 (by operation) stand in V to read r of t3? For causal, `row` is the past of t3. */
static bool visible(const struct replay *replay, const uint32_t *sources, const uint32_t *row,
                    uint32_t t2, uint32_t r) {
    const struct txn_facts *facts = replay->facts;
    const struct op *ops = facts->history->ops;
    uint32_t t3 = facts->reads[r].op;
    struct level_axiom axiom = level_axiom(facts->level);
    if (axiom.view == VIEW_NOTHING)
        return false;
    if (axiom.view == VIEW_CAUSAL)
        return row[ops[t2].process] > t2;
    uint32_t end = axiom.view == VIEW_READ_BEFORE ? r : facts->read_at[t3 + 1];
    for (uint32_t e = facts->read_at[t3]; e < end; e++)
        if (sources[e] == t2)
            return true;
    return axiom.view == VIEW_READ && axiom.sessions && ops[t2].process == ops[t3].process &&
           t2 < t3;
}

static bool sees_no_newer(struct replay *replay, const uint32_t *sources, const uint32_t *row,
                          uint32_t r) {
    const struct fact_read *read = &replay->facts->reads[r];
    uint32_t from = sources[r] == OP_NONE ? 0 : replay->place[sources[r]] + 1;
    for (uint32_t v = version_from(replay, read->key, from);
         v < replay->version_count && replay->versions[v].key == read->key; v++) {
        uint32_t t2 = replay->versions[v].write->op;
        if (t2 != read->op && visible(replay, sources, row, t2, r))
            return refuse(replay, read->op, "reads an older value than one that it must know");
        if (limits_over(replay->limits, 1))
            return false;
    }
    return true;
}

/* The last operation (plus one) of each process in the past of each operation. */
static uint32_t *pasts_of(const struct replay *replay, const uint32_t *sources,
                          uint32_t processes) {
    const struct txn_facts *facts = replay->facts;
    size_t size = (size_t)facts->history->op_count * processes;
    if (!limits_room(replay->limits, size * sizeof(uint32_t)))
        return NULL;
    uint32_t *pasts = cairn_alloc_zero((size + 1) * sizeof *pasts);
    for (uint32_t i = 0; i < replay->count; i++) {
        uint32_t op = replay->order[i];
        uint32_t *row = pasts + (size_t)op * processes;
        for (uint32_t r = facts->read_at[op]; r <= facts->read_at[op + 1]; r++) {
            uint32_t before = r < facts->read_at[op + 1] ? sources[r]
                              : replay->past[i] == INIT  ? OP_NONE
                                                         : replay->order[replay->past[i]];
            if (before == OP_NONE)
                continue;
            for (uint32_t p = 0; p < processes; p++) {
                uint32_t theirs = pasts[(size_t)before * processes + p];
                row[p] = theirs > row[p] ? theirs : row[p];
            }
            uint32_t process = facts->history->ops[before].process;
            row[process] = before + 1 > row[process] ? before + 1 : row[process];
        }
    }
    return pasts;
}

/* The n-th of those before it in the order that the read may have seen (*op OP_NONE: the first
 * version); false: there are fewer. */
static bool nth_source(const struct replay *replay, uint32_t r, uint32_t n, uint32_t *op) {
    const struct txn_facts *facts = replay->facts;
    const struct fact_read *read = &facts->reads[r];
    uint32_t at, end;
    *op = OP_NONE;
    if (txn_facts_fits(facts, read, NULL) && n-- == 0)
        return true;
    txn_facts_key(facts, read->key, &at, &end);
    for (; at < end; at++) {
        *op = facts->writes[at].op;
        if (replay->place[*op] < replay->place[read->op] &&
            txn_facts_fits(facts, read, &facts->writes[at]) && n-- == 0)
            return true;
    }
    return false;
}

static bool first_sources(struct replay *replay, uint32_t *sources, uint32_t *picks) {
    const struct txn_facts *facts = replay->facts;
    for (uint32_t r = 0; r < facts->read_count; r++) {
        picks[r] = 0;
        sources[r] = OP_NONE;
        if (replay->place[facts->reads[r].op] != OP_NONE && !nth_source(replay, r, 0, &sources[r]))
            return refuse(replay, facts->reads[r].op, "reads from none before it");
        if (limits_over(replay->limits, 4))
            return false;
    }
    return true;
}

/* The next way to have read, where it is not clear which was; false: all were tried. */
static bool next_sources(struct replay *replay, uint32_t *sources, uint32_t *picks) {
    const struct txn_facts *facts = replay->facts;
    for (uint32_t r = facts->read_count; r-- > 0;) {
        if (replay->place[facts->reads[r].op] == OP_NONE || limits_over(replay->limits, 1))
            continue;
        if (nth_source(replay, r, ++picks[r], &sources[r]))
            return true;
        picks[r] = 0;
        nth_source(replay, r, 0, &sources[r]);
    }
    return false;
}

static enum txn_verified verify_sources(struct replay *replay, const uint32_t *sources,
                                        uint32_t processes) {
    const struct txn_facts *facts = replay->facts;
    enum txn_verified result = TXN_VERIFIED;
    uint32_t *pasts = NULL;
    if (level_axiom(facts->level).view == VIEW_CAUSAL) {
        pasts = pasts_of(replay, sources, processes);
        result = pasts ? TXN_VERIFIED : TXN_UNVERIFIED;
    }
    for (uint32_t r = 0; r < facts->read_count && result == TXN_VERIFIED; r++) {
        uint32_t op = facts->reads[r].op;
        if (replay->place[op] == OP_NONE)
            continue;
        const uint32_t *row = pasts ? pasts + (size_t)op * processes : NULL;
        if (!sees_no_newer(replay, sources, row, r))
            result = limits_over(replay->limits, 0) ? TXN_UNVERIFIED : TXN_REFUTED;
    }
    cairn_free(pasts);
    return result;
}

static enum txn_verified verify_visible(struct replay *replay) {
    const struct txn_facts *facts = replay->facts;
    uint32_t processes = 1, ways = 0;
    for (uint32_t op = 0; op < facts->history->op_count; op++)
        if (facts->history->ops[op].process >= processes)
            processes = facts->history->ops[op].process + 1;
    uint32_t *sources = cairn_alloc((facts->read_count + 1u) * sizeof *sources);
    uint32_t *picks = cairn_alloc((facts->read_count + 1u) * sizeof *picks);
    enum txn_verified result = TXN_REFUTED;
    if (first_sources(replay, sources, picks))
        do
            result =
                ways++ < WAYS_MAX ? verify_sources(replay, sources, processes) : TXN_UNVERIFIED;
        while (result == TXN_REFUTED && next_sources(replay, sources, picks));
    if (limits_over(replay->limits, 0))
        result = TXN_UNVERIFIED;
    cairn_free(sources);
    cairn_free(picks);
    return result;
}

/* ---- the whole ---- */

static enum txn_verified verify(struct replay *replay) {
    const struct txn_facts *facts = replay->facts;
    struct level_axiom axiom = level_axiom(facts->level);
    if (!each_once(replay) || (axiom.sessions && !in_sessions(replay)) ||
        (axiom.real_time && !in_real_time(replay)))
        return TXN_REFUTED;
    make_versions(replay);
    for (uint32_t r = 0; r < facts->read_count && facts->lists; r++)
        if (replay->place[facts->reads[r].op] != OP_NONE &&
            !list_is_told(replay, &facts->reads[r])) {
            refuse(replay, facts->reads[r].op, "reads a list in another order");
            return TXN_REFUTED;
        }
    if (axiom.view < VIEW_PREFIX)
        return verify_visible(replay);
    bool latest = axiom.view == VIEW_ALL;
    for (uint32_t i = 0; i < replay->count; i++) {
        if (!has_snapshot(replay, i, latest))
            return TXN_REFUTED;
        if (limits_over(replay->limits, 4))
            return TXN_UNVERIFIED;
    }
    return TXN_VERIFIED;
}

enum txn_verified txn_verify_order(const struct txn_facts *facts, const uint32_t *order,
                                   uint32_t count, struct limits *limits, struct buf *why) {
    size_t places = facts->history->op_count + 1u;
    struct replay replay = {.facts = facts,
                            .order = order,
                            .count = count,
                            .place = cairn_alloc(places * sizeof(uint32_t)),
                            .past = cairn_alloc((count + 1u) * sizeof(uint32_t)),
                            .limits = limits,
                            .why = why};
    memset(replay.place, 0xff, places * sizeof(uint32_t));
    memset(replay.past, 0xff, (count + 1u) * sizeof(uint32_t));
    enum txn_verified result = verify(&replay);
    cairn_free(replay.place);
    cairn_free(replay.past);
    cairn_free(replay.versions);
    return result;
}
