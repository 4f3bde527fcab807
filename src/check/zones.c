#include "check/zones.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define NO_CLUSTER UINT32_MAX
#define BEFORE_ALL (-1)

/* All operations of one state; clusters are numbered as states are. */
struct cluster {
    uint32_t writer; /* OP_NONE: the initial state, or one that no operation wrote */
    uint32_t from;   /* what a compare-and-set that wrote it replaced; STATE_NONE: none did */
    uint32_t after;  /* the cluster whose compare-and-set replaced it, if that happened */
    int64_t first_ret, last_call;
    uint32_t first_op, last_op; /* whose return and call these are; OP_NONE: the initial state's */
    bool read;
};

/* Clusters first .. of a chain, and the interval of all of them. */
struct block {
    uint32_t first;
    int64_t first_ret, last_call;
    uint32_t first_op, last_op;
    int64_t point; /* where it stands: forward: its first return */
};

struct zones {
    const struct history *history;
    uint32_t *state_of; /* scratch of value_states */
    struct state_op *ops;
    uint32_t op_count, op_cap;
    struct cluster *clusters;
    uint32_t count, cap;
    struct block *blocks; /* room for one a cluster */
    uint32_t block_count;
};

struct zones *zones_new(const struct history *history) {
    struct zones *zones = cairn_alloc_zero(sizeof *zones);
    zones->history = history;
    zones->state_of = cairn_alloc(history->values.count * sizeof *zones->state_of);
    memset(zones->state_of, 0xff, history->values.count * sizeof *zones->state_of);
    return zones;
}

void zones_free(struct zones *zones) {
    cairn_free(zones->state_of);
    cairn_free(zones->ops);
    cairn_free(zones->clusters);
    cairn_free(zones->blocks);
    cairn_free(zones);
}

static const struct op *op_at(const struct zones *zones, uint32_t op) {
    return &zones->history->ops[op];
}

static int64_t ret_of(const struct op *op) {
    return op->outcome == OP_INFO ? INT64_MAX : (int64_t)op->ret;
}

/* ---- clusters ---- */

static void open_clusters(struct zones *zones, uint32_t states) {
    if (states > zones->cap) {
        zones->cap = states * 2;
        zones->clusters = cairn_realloc(zones->clusters, zones->cap * sizeof *zones->clusters);
        zones->blocks = cairn_realloc(zones->blocks, zones->cap * sizeof *zones->blocks);
    }
    zones->count = states;
    zones->block_count = 0;
    for (uint32_t i = 0; i < states; i++)
        zones->clusters[i] = (struct cluster){.writer = OP_NONE,
                                              .from = STATE_NONE,
                                              .after = NO_CLUSTER,
                                              .first_ret = INT64_MAX,
                                              .last_call = INT64_MIN,
                                              .first_op = OP_NONE,
                                              .last_op = OP_NONE};
    zones->clusters[0].first_ret = zones->clusters[0].last_call = BEFORE_ALL;
}

static void widen(struct cluster *cluster, const struct op *op, uint32_t number) {
    if (ret_of(op) < cluster->first_ret || cluster->first_ret == INT64_MAX) {
        cluster->first_ret = ret_of(op);
        cluster->first_op = number;
    }
    if ((int64_t)op->call > cluster->last_call) {
        cluster->last_call = op->call;
        cluster->last_op = number;
    }
}

static void no_writer(struct zones *zones, uint32_t reader, struct verdict *verdict) {
    verdict_op(verdict, reader);
    verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
    history_describe(zones->history, reader, &verdict->text);
    buf_printf(&verdict->text, ": no operation wrote that value");
}

static bool gather(struct zones *zones, struct verdict *verdict) {
    for (uint32_t i = 0; i < zones->op_count; i++) {
        const struct state_op *op = &zones->ops[i];
        if (op->writes == STATE_NONE)
            continue;
        zones->clusters[op->writes].writer = op->op;
        zones->clusters[op->writes].from = op->reads;
        widen(&zones->clusters[op->writes], op_at(zones, op->op), op->op);
    }
    for (uint32_t i = 0; i < zones->op_count; i++) {
        const struct state_op *op = &zones->ops[i];
        if (op->writes != STATE_NONE || op->reads == STATE_NONE)
            continue;
        struct cluster *cluster = &zones->clusters[op->reads];
        if (op->reads != 0 && cluster->writer == OP_NONE) {
            no_writer(zones, op->op, verdict);
            return false;
        }
        cluster->read = true;
        widen(cluster, op_at(zones, op->op), op->op);
    }
    return true;
}

/* Open operations whose value no read saw may never have happened. A compare-and-set saw the value
 * that it replaced; so this is told from the end of each chain. */
static bool is_seen(const struct zones *zones, uint32_t number) {
    const struct cluster *cluster = &zones->clusters[number];
    if (cluster->writer == OP_NONE)
        return number == 0;
    return cluster->read || cluster->after != NO_CLUSTER ||
           op_at(zones, cluster->writer)->outcome == OP_OK;
}

/* ---- compare-and-set ---- */

static uint32_t before(const struct zones *zones, uint32_t number) {
    uint32_t from = zones->clusters[number].from;
    return from != STATE_NONE && zones->clusters[from].after == number ? from : NO_CLUSTER;
}

static void two_successors(struct zones *zones, uint32_t a, uint32_t b, struct verdict *verdict) {
    verdict_op(verdict, a);
    verdict_op(verdict, b);
    history_describe(zones->history, a, &verdict->text);
    buf_printf(&verdict->text, " and ");
    history_describe(zones->history, b, &verdict->text);
    buf_printf(&verdict->text, ": both replaced a value that was there only once");
}

static bool link(struct zones *zones, uint32_t number, struct verdict *verdict) {
    const struct cluster *to = &zones->clusters[number];
    struct cluster *from = &zones->clusters[to->from];
    if (to->from != 0 && from->writer == OP_NONE) {
        no_writer(zones, to->writer, verdict);
        return false;
    }
    if (from->after != NO_CLUSTER) {
        two_successors(zones, zones->clusters[from->after].writer, to->writer, verdict);
        return false;
    }
    from->after = number;
    return true;
}

/* Those that surely happened first; an open one is linked when what it wrote was seen, and then
 * what it compared with was seen too, back along the chain. */
static bool link_all(struct zones *zones, struct verdict *verdict) {
    for (uint32_t i = 0; i < zones->count; i++) {
        const struct cluster *cluster = &zones->clusters[i];
        if (cluster->from != STATE_NONE && op_at(zones, cluster->writer)->outcome == OP_OK &&
            !link(zones, i, verdict))
            return false;
    }
    for (uint32_t i = 0; i < zones->count; i++)
        for (uint32_t at = i; at != NO_CLUSTER && zones->clusters[at].from != STATE_NONE &&
                              before(zones, at) == NO_CLUSTER && is_seen(zones, at);
             at = before(zones, at))
            if (!link(zones, at, verdict))
                return false;
    return true;
}

/* ---- blocks ---- */

static void cycle_of_chain(struct zones *zones, uint32_t later, uint32_t late_op, uint32_t earlier,
                           uint32_t early_op, struct verdict *verdict) {
    verdict_edge(verdict, (struct edge){late_op, early_op, OP_NONE, VALUE_NONE, REASON_REAL_TIME});
    buf_printf(&verdict->text, "a value was seen before it was written");
    if (early_op == zones->clusters[later].writer) {
        verdict_edge(verdict,
                     (struct edge){early_op, late_op, OP_NONE, VALUE_NONE, REASON_READS_FROM});
        return;
    }
    uint32_t at = early_op;
    for (uint32_t cluster = zones->clusters[earlier].after;;
         cluster = zones->clusters[cluster].after) {
        uint32_t writer = zones->clusters[cluster].writer;
        bool first = cluster == zones->clusters[earlier].after;
        if (at != writer)
            verdict_edge(verdict, (struct edge){at, writer, OP_NONE, VALUE_NONE,
                                                first && at != zones->clusters[earlier].writer
                                                    ? REASON_READ_BEFORE
                                                    : REASON_READS_FROM});
        at = writer;
        if (cluster == later)
            break;
    }
    if (at != late_op)
        verdict_edge(verdict, (struct edge){at, late_op, OP_NONE, VALUE_NONE, REASON_READS_FROM});
}

/* Along a chain: nothing of a later value ended before something of an earlier one began, and no
 * read ended before its write began. */
static bool chain_in_order(struct zones *zones, uint32_t first, struct block *block,
                           struct verdict *verdict) {
    uint32_t latest = first, latest_cluster = first;
    *block = (struct block){.first = first,
                            .first_ret = INT64_MAX,
                            .last_call = INT64_MIN,
                            .first_op = OP_NONE,
                            .last_op = OP_NONE};
    for (uint32_t at = first; at != NO_CLUSTER; at = zones->clusters[at].after) {
        struct cluster *cluster = &zones->clusters[at];
        if (cluster->writer != OP_NONE &&
            cluster->first_ret < (int64_t)op_at(zones, cluster->writer)->call) {
            cycle_of_chain(zones, at, cluster->first_op, at, cluster->writer, verdict);
            return false;
        }
        if (cluster->first_ret < block->last_call) {
            cycle_of_chain(zones, at, cluster->first_op, latest_cluster, latest, verdict);
            return false;
        }
        if (cluster->first_ret < block->first_ret) {
            block->first_ret = cluster->first_ret;
            block->first_op = cluster->first_op;
        }
        if (cluster->last_call > block->last_call) {
            block->last_call = cluster->last_call;
            block->last_op = latest = cluster->last_op;
            latest_cluster = at;
        }
    }
    block->point = block->first_ret;
    return true;
}

/* Compare-and-sets that lead in a circle have no first. */
static bool no_circle(struct zones *zones, uint32_t clusters_in_blocks, struct verdict *verdict) {
    uint32_t seen = 0;
    for (uint32_t i = 0; i < zones->count; i++)
        seen += is_seen(zones, i);
    if (seen == clusters_in_blocks)
        return true;
    for (uint32_t i = 0; i < zones->count; i++) {
        uint32_t slow = i;
        for (uint32_t steps = 0; steps <= zones->count && slow != NO_CLUSTER; steps++)
            slow = before(zones, slow);
        if (slow == NO_CLUSTER)
            continue;
        for (uint32_t at = slow;;) {
            uint32_t next = zones->clusters[at].after;
            verdict_edge(verdict,
                         (struct edge){zones->clusters[at].writer, zones->clusters[next].writer,
                                       OP_NONE, VALUE_NONE, REASON_READS_FROM});
            at = next;
            if (at == slow)
                return false;
        }
    }
    cairn_assert(false);
    return false;
}

static bool make_blocks(struct zones *zones, struct verdict *verdict) {
    uint32_t in_blocks = 0;
    for (uint32_t i = 0; i < zones->count; i++) {
        if (before(zones, i) != NO_CLUSTER || !is_seen(zones, i))
            continue;
        if (!chain_in_order(zones, i, &zones->blocks[zones->block_count], verdict))
            return false;
        zones->block_count++;
        for (uint32_t at = i; at != NO_CLUSTER; at = zones->clusters[at].after)
            in_blocks++;
    }
    return no_circle(zones, in_blocks, verdict);
}

/* ---- zones ---- */

static bool is_forward(const struct block *block) {
    return block->first_ret < block->last_call;
}

static int by_first_ret(const void *a, const void *b) {
    const struct block *x = a, *y = b;
    return x->first_ret < y->first_ret ? -1 : x->first_ret > y->first_ret;
}

static int by_point(const void *a, const void *b) {
    const struct block *x = a, *y = b;
    return x->point < y->point ? -1 : x->point > y->point;
}

static uint32_t any_op(const struct zones *zones, const struct block *block, uint32_t op) {
    if (op != OP_NONE)
        return op;
    return block->last_op != OP_NONE ? block->last_op : zones->clusters[block->first].writer;
}

static bool replaces(const struct op *op) {
    return op->f != OP_READ && op->outcome != OP_MISMATCH;
}

/* Of two values that each would have to stand before the other, what was called last saw the older
 * one: `behind`, of the other value, had ended before. */
static void say_stale(struct zones *zones, uint32_t stale, uint32_t behind, struct buf *text) {
    history_describe(zones->history, stale, text);
    buf_printf(text, op_at(zones, stale)->f == OP_READ ? " is stale: " : " comes too late: ");
    history_refer(zones->history, behind, text);
    buf_printf(text, replaces(op_at(zones, behind)) ? " had replaced that value before it began"
                                                    : " had seen a later value before it began");
}

static void say_overlap(struct zones *zones, const struct block *a, const struct block *b,
                        struct buf *text) {
    uint32_t a_last = any_op(zones, a, a->last_op), b_last = any_op(zones, b, b->last_op);
    if (a->first_op != OP_NONE && op_at(zones, b_last)->call > op_at(zones, a_last)->call)
        say_stale(zones, b_last, a->first_op, text);
    else
        say_stale(zones, a_last, any_op(zones, b, b->first_op), text);
}

/* a and b each would have to stand before the other. */
static void overlap(struct zones *zones, const struct block *a, const struct block *b,
                    struct verdict *verdict) {
    uint32_t a_last = any_op(zones, a, a->last_op), b_first = any_op(zones, b, b->first_op);
    uint32_t b_last = any_op(zones, b, b->last_op);
    say_overlap(zones, a, b, &verdict->text);
    if (a->first_op != OP_NONE && a->first_op != b_last)
        verdict_edge(verdict,
                     (struct edge){a->first_op, b_last, OP_NONE, VALUE_NONE, REASON_REAL_TIME});
    else
        verdict_edge(verdict,
                     (struct edge){OP_NONE, b_last, OP_NONE, VALUE_NONE, REASON_REAL_TIME});
    if (b_last != b_first)
        verdict_edge(verdict, (struct edge){b_last, b_first, OP_NONE, VALUE_NONE, REASON_TOGETHER});
    verdict_edge(verdict, (struct edge){b_first, a_last, OP_NONE, VALUE_NONE, REASON_REAL_TIME});
    if (a_last != a->first_op)
        verdict_edge(verdict,
                     (struct edge){a_last, a->first_op, OP_NONE, VALUE_NONE, REASON_TOGETHER});
}

/* blocks: sorted by first return. */
static bool zones_fit(struct zones *zones, struct verdict *verdict) {
    const struct block *last = NULL; /* the forward zone that reaches furthest */
    uint32_t forward = 0;
    for (uint32_t i = 0; i < zones->block_count; i++) {
        struct block *block = &zones->blocks[i];
        if (!is_forward(block))
            continue;
        if (last != NULL && block->first_ret < last->last_call) {
            overlap(zones, last, block, verdict);
            return false;
        }
        last = block;
        forward++;
    }
    if (forward == 0)
        forward = 1;
    struct block **walls = cairn_alloc(forward * sizeof *walls);
    uint32_t wall_count = 0;
    for (uint32_t i = 0; i < zones->block_count; i++)
        if (is_forward(&zones->blocks[i]))
            walls[wall_count++] = &zones->blocks[i];
    bool fit = true;
    for (uint32_t i = 0; i < zones->block_count && fit; i++) {
        struct block *block = &zones->blocks[i];
        if (is_forward(block))
            continue;
        uint32_t low = 0, high = wall_count; /* the first wall that ends after the last call */
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (walls[middle]->last_call <= block->last_call)
                low = middle + 1;
            else
                high = middle;
        }
        block->point = block->last_call;
        if (low < wall_count && walls[low]->first_ret < block->last_call) {
            if (block->first_ret < walls[low]->last_call) {
                overlap(zones, walls[low], block, verdict);
                fit = false;
            }
            block->point = walls[low]->last_call;
        }
    }
    cairn_free(walls);
    return fit;
}

/* ---- the order ---- */

static uint32_t state_of(const struct state_op *op) {
    return op->writes != STATE_NONE ? op->writes : op->reads;
}

/* Each operation's place is its cluster's; reads stand in the order of their calls behind the
 * write. */
static void tell_order(struct zones *zones, uint32_t key, struct verdict *verdict) {
    qsort(zones->blocks, zones->block_count, sizeof *zones->blocks, by_point); /* needs room, too */
    uint32_t *place = cairn_alloc((zones->count + 1) * sizeof *place);
    uint32_t *next = cairn_alloc_zero((zones->count + 2) * sizeof *next);
    uint32_t places = 0;
    memset(place, 0xff, zones->count * sizeof *place);
    for (uint32_t i = 0; i < zones->block_count; i++)
        for (uint32_t at = zones->blocks[i].first; at != NO_CLUSTER; at = zones->clusters[at].after)
            place[at] = places++;
    for (uint32_t i = 0; i < zones->op_count; i++) {
        uint32_t state = state_of(&zones->ops[i]);
        if (state != STATE_NONE && place[state] != NO_CLUSTER)
            next[place[state] + 1]++;
    }
    for (uint32_t i = 0; i < places; i++)
        next[i + 1] += next[i];
    struct order *order = verdict_order(verdict, SCOPE_KEY, key);
    order->count = next[places];
    order->ops = cairn_alloc((order->count + 1) * sizeof *order->ops);
    for (int reads = 0; reads < 2; reads++)
        for (uint32_t i = 0; i < zones->op_count; i++) {
            const struct state_op *op = &zones->ops[i];
            uint32_t state = state_of(op);
            if (state != STATE_NONE && place[state] != NO_CLUSTER &&
                (op->writes == STATE_NONE) == (reads != 0))
                order->ops[next[place[state]]++] = op->op;
        }
    cairn_free(place);
    cairn_free(next);
}

static bool appends(const struct history *history, const uint32_t *ops, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (history->ops[ops[i]].f == OP_APPEND)
            return true;
    return false;
}

/* Which states an append led from and to only the texts that were read tell; so operations are
 * named, not edges that could be looked up one by one. */
static void name_only(struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        if (edge->from != OP_NONE)
            verdict_op(verdict, edge->from);
    }
    if (verdict->edge_count > 0) {
        buf_clear(&verdict->text);
        buf_printf(&verdict->text, "the texts that were read put these into no one order");
    }
    verdict->edge_count = 0;
}

bool zones_check(struct zones *zones, const uint32_t *ops, uint32_t count, uint32_t key,
                 bool want_order, bool *holds, struct verdict *verdict) {
    uint32_t states;
    bool texts = appends(zones->history, ops, count);
    if (count > zones->op_cap) {
        zones->op_cap = count;
        zones->ops = cairn_realloc(zones->ops, count * sizeof *zones->ops);
    }
    zones->op_count = count;
    if (!(texts ? text_states(zones->history, ops, count, key, zones->ops, &states)
                : value_states(zones->history, ops, count, key, zones->state_of, zones->ops,
                               &states)))
        return false;
    open_clusters(zones, states);
    *holds = gather(zones, verdict) && link_all(zones, verdict) && make_blocks(zones, verdict);
    if (*holds) {
        qsort(zones->blocks, zones->block_count, sizeof *zones->blocks, by_first_ret);
        *holds = zones_fit(zones, verdict);
    }
    if (*holds && want_order)
        tell_order(zones, key, verdict);
    if (!*holds && texts)
        name_only(verdict);
    return true;
}
