/* Causal: when t reads key x from v, and w is in the causal past of t and wrote x, then w commits
 * before v. Of each session only the last such w counts: the others come before it.
 *
 * The causal past of a transaction is one number a session: how many of its transactions are in it.
 * These rows are made in causal order, and a row is given back when it is not needed any more.
 */
#include "check/txn_weak.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define ROW_NONE UINT32_MAX

/* The writers of one key in one session, in session order. */
struct group {
    uint32_t session;
    uint32_t at, count; /* in writers */
    uint32_t hint;      /* the last answer: the next one is near */
};

struct causal {
    struct txn_graph *graph;
    uint32_t sessions; /* with transactions; sparse numbers are made dense */
    uint32_t *dense;   /* session -> number */
    struct group *groups;
    uint32_t *group_at; /* by key */
    uint32_t *writers;

    uint32_t **rows;     /* by transaction; NULL: none (yet, or any more) */
    uint32_t *needed_by; /* by transaction: how many have not looked at its row yet */
    uint32_t **spare;
    uint32_t spare_count, row_count;
};

static void make_dense(struct causal *causal) {
    const struct txns *txns = causal->graph->txns;
    causal->dense = cairn_alloc_zero((txns->session_count + 1u) * sizeof *causal->dense);
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s])
            causal->dense[s] = causal->sessions++;
}

/* Writes by rising transaction are writes session by session. */
static void make_groups(struct causal *causal) {
    const struct txns *txns = causal->graph->txns;
    uint32_t *fill = cairn_alloc_zero((txns->key_count + 2u) * sizeof *fill);
    causal->writers = cairn_alloc((txns->write_count + 1u) * sizeof *causal->writers);
    for (uint32_t k = 0; k < txns->key_count; k++)
        fill[k] = txns->keys[k].at;
    for (uint32_t w = 0; w < txns->write_count; w++)
        causal->writers[fill[txns->writes[w].key]++] = txns->writes[w].txn;
    cairn_free(fill);
    causal->groups = cairn_alloc((txns->write_count + 1u) * sizeof *causal->groups);
    causal->group_at = cairn_alloc((txns->key_count + 2u) * sizeof *causal->group_at);
    uint32_t count = 0;
    for (uint32_t k = 0; k < txns->key_count; k++) {
        causal->group_at[k] = count;
        const struct txn_key *key = &txns->keys[k];
        for (uint32_t i = key->at; i < key->at + key->count; i++) {
            uint32_t session = txns->at[causal->writers[i]].session;
            if (count == causal->group_at[k] || causal->groups[count - 1].session != session)
                causal->groups[count++] = (struct group){session, i, 0, 0};
            causal->groups[count - 1].count++;
        }
    }
    causal->group_at[txns->key_count] = count;
}

static void count_needs(struct causal *causal) {
    const struct txns *txns = causal->graph->txns;
    causal->rows = cairn_alloc_zero((txns->count + 1u) * sizeof *causal->rows);
    causal->needed_by = cairn_alloc_zero((txns->count + 1u) * sizeof *causal->needed_by);
    causal->spare = cairn_alloc((txns->count + 1u) * sizeof *causal->spare);
    for (uint32_t t = 0; t < txns->count; t++)
        if (!txns_first(txns, t))
            causal->needed_by[t - 1]++;
    for (uint32_t r = 0; r < txns->read_count; r++)
        if (txns->reads[r].version != TXN_INIT)
            causal->needed_by[txns->writes[txns->reads[r].version].txn]++;
}

static uint32_t *row_new(struct causal *causal) {
    size_t size = causal->sessions * sizeof(uint32_t);
    uint32_t *row;
    if (causal->spare_count > 0) {
        row = causal->spare[--causal->spare_count];
    } else {
        if (causal->row_count++ % 64 == 0 && !limits_room(causal->graph->limits, 64 * size))
            return NULL;
        row = cairn_alloc(size);
    }
    memset(row, 0, size);
    return row;
}

static void done_with(struct causal *causal, uint32_t t) {
    cairn_assert(causal->needed_by[t] > 0);
    if (--causal->needed_by[t] == 0) {
        causal->spare[causal->spare_count++] = causal->rows[t];
        causal->rows[t] = NULL;
    }
}

/* What `before` knows, and itself. */
static void join(struct causal *causal, uint32_t *row, uint32_t before) {
    const struct txns *txns = causal->graph->txns;
    uint32_t session = txns->at[before].session;
    uint32_t mine = causal->dense[session], place = before - txns->session_at[session] + 1;
    /* What already knows `before` knows all that it knew. */
    if (row[mine] >= place)
        return;
    const uint32_t *other = causal->rows[before];
    for (uint32_t s = 0; s < causal->sessions; s++)
        row[s] = other[s] > row[s] ? other[s] : row[s];
    row[mine] = place;
}

/* How many writers of the group stand before `end`, which is a transaction of its session. */
static uint32_t count_before(struct causal *causal, struct group *group, uint32_t end) {
    const uint32_t *writers = causal->writers + group->at;
    uint32_t low = 0, high = group->count, hint = group->hint;
    for (uint32_t step = 1; low < high; step *= 2) {
        if (hint < group->count && writers[hint] < end) {
            low = hint + 1;
            hint = hint + step < high ? hint + step : high;
            if (hint == high)
                break;
        } else {
            high = hint;
            if (hint == 0 || hint == low)
                break;
            hint = hint - low > step ? hint - step : low;
        }
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (writers[middle] < end)
            low = middle + 1;
        else
            high = middle;
    }
    group->hint = low;
    return low;
}

static bool knows(const struct causal *causal, uint32_t t, uint32_t other) {
    const struct txns *txns = causal->graph->txns;
    uint32_t session = txns->at[other].session;
    return causal->rows[t][causal->dense[session]] > other - txns->session_at[session];
}

static void look_at_read(struct causal *causal, const uint32_t *row, uint32_t read) {
    const struct txns *txns = causal->graph->txns;
    uint32_t key = txns->reads[read].key, t = txns->reads[read].txn;
    uint32_t writer = txns_writer(txns, txns->reads[read].version);
    for (uint32_t g = causal->group_at[key]; g < causal->group_at[key + 1]; g++) {
        struct group *group = &causal->groups[g];
        uint32_t known = row[causal->dense[group->session]];
        if (known == 0)
            continue;
        uint32_t before = count_before(causal, group, txns->session_at[group->session] + known);
        if (before == 0)
            continue;
        uint32_t last = causal->writers[group->at + before - 1];
        if (last == writer || last == t || (writer != TXN_INIT && knows(causal, writer, last)))
            continue;
        txn_graph_earlier(causal->graph, last, read);
    }
}

static bool look(struct causal *causal, uint32_t t) {
    const struct txns *txns = causal->graph->txns;
    const struct txn *txn = &txns->at[t];
    uint32_t *row = row_new(causal);
    if (row == NULL)
        return false;
    causal->rows[t] = row;
    if (!txns_first(txns, t))
        join(causal, row, t - 1);
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
        if (txns->reads[r].version != TXN_INIT)
            join(causal, row, txns->writes[txns->reads[r].version].txn);
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
        look_at_read(causal, row, r);
    if (!txns_first(txns, t))
        done_with(causal, t - 1);
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
        if (txns->reads[r].version != TXN_INIT)
            done_with(causal, txns->writes[txns->reads[r].version].txn);
    if (causal->needed_by[t] == 0) {
        causal->spare[causal->spare_count++] = row;
        causal->rows[t] = NULL;
    }
    return !causal->graph->stopped && !limits_over(causal->graph->limits, 1 + causal->sessions / 8);
}

static void finish(struct causal *causal) {
    for (uint32_t t = 0; t < causal->graph->txns->count; t++)
        cairn_free(causal->rows[t]);
    for (uint32_t i = 0; i < causal->spare_count; i++)
        cairn_free(causal->spare[i]);
    cairn_free(causal->rows);
    cairn_free(causal->spare);
    cairn_free(causal->needed_by);
    cairn_free(causal->dense);
    cairn_free(causal->groups);
    cairn_free(causal->group_at);
    cairn_free(causal->writers);
}

/* Session order and reads-from alone: causal order. */
static uint32_t order_of(struct txn_graph *graph, uint32_t *order) {
    const struct txns *txns = graph->txns;
    struct txn_graph past;
    txn_graph_init(&past, txns, false, graph->limits);
    for (uint32_t t = 0; t < txns->count; t++) {
        const struct txn *txn = &txns->at[t];
        if (!txns_first(txns, t))
            txn_graph_edge(&past, t - 1, t, WHY_SESSION, 0);
        for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
            if (txns->reads[r].version != TXN_INIT)
                txn_graph_edge(&past, txns->writes[txns->reads[r].version].txn, t, WHY_READS, r);
    }
    txn_graph_sort(&past);
    uint32_t placed = past.stopped ? 0 : txn_graph_order(&past, order);
    graph->stopped |= past.stopped;
    txn_graph_free(&past);
    return placed;
}

void txn_causal(struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    uint32_t *order = cairn_alloc((txns->count + 1u) * sizeof *order);
    if (order_of(graph, order) == txns->count) {
        struct causal causal = {.graph = graph};
        make_dense(&causal);
        make_groups(&causal);
        count_needs(&causal);
        for (uint32_t i = 0; i < txns->count; i++)
            if (!look(&causal, order[i]))
                break;
        finish(&causal);
    }
    cairn_free(order);
}
