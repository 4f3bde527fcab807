/* per-key-sequential: with unique values, all operations of one value stand together in a key's
 * order, and so do values that a compare-and-set links. What is left is the order of these blocks:
 * process order between them must have no cycle, and none may go backwards inside one. All keys are
 * sorted at once, since no edge leads from one to another. */
#include "check/weak.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

/* Nodes: the writes, by their numbers, and behind them the initial value of each key. */
struct blocks {
    const struct causal *causal;
    uint32_t *root;  /* node -> the first node of its chain */
    uint32_t *depth; /* node -> its place in the chain */
    uint32_t *rank;  /* root -> where the block stands */
};

static uint32_t value_node(const struct causal *causal, uint32_t op) {
    const struct causal_op *at = &causal->ops[op];
    return at->from == FROM_INITIAL ? causal->count + at->key : at->from;
}

/* Whose value an operation belongs to; NOWHERE: it read something unknown. */
static uint32_t home_of(const struct causal *causal, uint32_t op) {
    return causal->ops[op].writes ? op : value_node(causal, op);
}

static void tell(const struct causal *causal, uint32_t a, uint32_t b, const char *what,
                 struct verdict *verdict) {
    verdict->answer = ANSWER_NO;
    verdict_op(verdict, causal->ops[a].op);
    verdict_op(verdict, causal->ops[b].op);
    history_describe(causal->history, causal->ops[a].op, &verdict->text);
    buf_printf(&verdict->text, " %s ", what);
    history_describe(causal->history, causal->ops[b].op, &verdict->text);
}

/* ---- chains ---- */

/* after[node]: the compare-and-set that replaced it. False: two did. */
static bool link_chains(const struct causal *causal, uint32_t *after, struct verdict *verdict) {
    for (uint32_t i = 0; i < causal->count; i++) {
        if (!causal->ops[i].writes || causal->ops[i].from == FROM_NOBODY)
            continue;
        uint32_t from = value_node(causal, i);
        if (after[from] != NOWHERE) {
            tell(causal, after[from], i, "replaced the same value as", verdict);
            return false;
        }
        after[from] = i;
    }
    return true;
}

static bool is_head(const struct causal *causal, uint32_t node) {
    return node >= causal->count ||
           (causal->ops[node].writes && causal->ops[node].from == FROM_NOBODY);
}

/* False: compare-and-sets lead in a circle, which has no head. */
static bool number_chains(struct blocks *blocks, const uint32_t *after, struct verdict *verdict) {
    const struct causal *causal = blocks->causal;
    for (uint32_t node = 0; node < causal->count + causal->key_count; node++)
        if (is_head(causal, node))
            for (uint32_t at = node, depth = 0; at != NOWHERE; at = after[at], depth++) {
                blocks->root[at] = node;
                blocks->depth[at] = depth;
            }
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].writes && blocks->root[i] == NOWHERE) {
            tell(causal, i, causal->ops[i].from, "stands in a circle of replacements with",
                 verdict);
            return false;
        }
    return true;
}

/* ---- the order of the blocks ---- */

static bool goes_back(const struct blocks *blocks, uint32_t before, uint32_t at) {
    uint32_t home_before = home_of(blocks->causal, before), home = home_of(blocks->causal, at);
    if (blocks->depth[home] != blocks->depth[home_before])
        return blocks->depth[home] < blocks->depth[home_before];
    return blocks->causal->ops[at].writes;
}

static bool link_process(const struct blocks *blocks, uint32_t process, uint32_t *last,
                         struct causal_graph *graph, struct verdict *verdict) {
    const struct causal *causal = blocks->causal;
    memset(last, 0xff, causal->key_count * sizeof *last);
    for (uint32_t i = causal->process_from[process]; i < causal->process_from[process + 1]; i++) {
        uint32_t at = causal->by_process[i], home = home_of(causal, at);
        if (home == NOWHERE)
            continue;
        uint32_t key = causal->ops[at].key, before = last[key], initial = causal->count + key;
        last[key] = at;
        if (blocks->root[home] != initial)
            graph_add(graph, initial, blocks->root[home], REASON_READ_BEFORE, FROM_NOBODY);
        if (before == NOWHERE)
            continue;
        uint32_t root_before = blocks->root[home_of(causal, before)];
        if (root_before != blocks->root[home]) {
            graph_add(graph, root_before, blocks->root[home], REASON_SESSION, FROM_NOBODY);
        } else if (goes_back(blocks, before, at)) {
            tell(causal, before, at, "comes before, and saw what came after,", verdict);
            return false;
        }
    }
    return true;
}

static void tell_cycle(const struct blocks *blocks, uint32_t node, struct verdict *verdict) {
    const struct causal *causal = blocks->causal;
    uint32_t key = node < causal->count ? causal->ops[node].key : node - causal->count;
    verdict->answer = ANSWER_NO;
    history_say_key(causal->history, causal->key_values[key], &verdict->text);
    buf_printf(&verdict->text, "processes saw its values in orders that contradict each other");
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].key == key)
            verdict_op_new(verdict, causal->ops[i].op);
}

static bool order_blocks(struct blocks *blocks, struct verdict *verdict) {
    const struct causal *causal = blocks->causal;
    uint32_t nodes = causal->count + causal->key_count;
    struct causal_graph graph;
    uint32_t *last = cairn_alloc((causal->key_count + 1) * sizeof *last);
    uint32_t *order = cairn_alloc((nodes + 1) * sizeof *order);
    bool fits = true;
    graph_init(&graph, nodes);
    for (uint32_t p = 0; p < causal->process_count && fits; p++)
        fits = link_process(blocks, p, last, &graph, verdict);
    if (fits) {
        uint32_t cycle = graph_sort(&graph, NULL, 0, order);
        fits = cycle == OP_NONE;
        if (!fits)
            tell_cycle(blocks, cycle, verdict);
        for (uint32_t i = 0; i < nodes && fits; i++)
            blocks->rank[order[i]] = i;
    }
    graph_free(&graph);
    cairn_free(last);
    cairn_free(order);
    return fits;
}

/* ---- the keys' orders ---- */

static int in_order(const void *x, const void *y, void *context) {
    const struct blocks *blocks = context;
    const struct causal *causal = blocks->causal;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    uint32_t home_a = home_of(causal, a), home_b = home_of(causal, b);
    uint32_t mine[] = {causal->ops[a].key, blocks->rank[blocks->root[home_a]],
                       blocks->depth[home_a], !causal->ops[a].writes, a};
    uint32_t other[] = {causal->ops[b].key, blocks->rank[blocks->root[home_b]],
                        blocks->depth[home_b], !causal->ops[b].writes, b};
    for (int i = 0; i < 5; i++)
        if (mine[i] != other[i])
            return mine[i] < other[i] ? -1 : 1;
    return 0;
}

static void tell_orders(struct blocks *blocks, struct verdict *verdict) {
    const struct causal *causal = blocks->causal;
    uint32_t *sorted = cairn_alloc((causal->count + 1) * sizeof *sorted), count = 0;
    struct order *order = NULL;
    for (uint32_t i = 0; i < causal->count; i++)
        if (home_of(causal, i) != NOWHERE)
            sorted[count++] = i;
    qsort_r(sorted, count, sizeof *sorted, in_order, blocks);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = causal->ops[sorted[i]].key;
        if (i == 0 || causal->ops[sorted[i - 1]].key != key)
            order = verdict_order(verdict, SCOPE_KEY, causal->key_values[key]);
        order_push(order, causal->ops[sorted[i]].op);
    }
    cairn_free(sorted);
}

void weak_per_key(const struct causal *causal, struct verdict *verdict) {
    uint32_t nodes = causal->count + causal->key_count;
    struct blocks blocks = {.causal = causal};
    uint32_t *after = cairn_alloc((nodes + 1) * sizeof *after);
    blocks.root = cairn_alloc((nodes + 1) * sizeof *blocks.root);
    blocks.depth = cairn_alloc((nodes + 1) * sizeof *blocks.depth);
    blocks.rank = cairn_alloc((nodes + 1) * sizeof *blocks.rank);
    memset(after, 0xff, (nodes + 1) * sizeof *after);
    memset(blocks.root, 0xff, (nodes + 1) * sizeof *blocks.root);
    if (link_chains(causal, after, verdict) && number_chains(&blocks, after, verdict) &&
        order_blocks(&blocks, verdict)) {
        verdict->answer = ANSWER_YES;
        tell_orders(&blocks, verdict);
    }
    cairn_free(after);
    cairn_free(blocks.root);
    cairn_free(blocks.depth);
    cairn_free(blocks.rank);
}
