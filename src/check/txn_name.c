/* What a cycle is called (Adya et al. 2000; Cerone & Gotsman 2016; the names that testers use). */
#include "check/txn_cycle.h"

static bool is_read_before(const struct edge *edge) {
    return edge->reason == REASON_READ_BEFORE || edge->reason == REASON_LATER_WRITE;
}

static bool is_write_order(const struct edge *edge) {
    return edge->reason == REASON_OVERWRITES || edge->reason == REASON_EARLIER_WRITE;
}

struct census {
    uint32_t reads_before, writes, flows, unseen, adjacent;
};

static struct census count(const struct verdict *verdict) {
    struct census census = {0};
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        const struct edge *next = &verdict->edges[(i + 1) % verdict->edge_count];
        census.reads_before += is_read_before(edge);
        census.adjacent += is_read_before(edge) && is_read_before(next);
        census.writes += edge->reason == REASON_OVERWRITES;
        census.flows += edge->reason == REASON_READS_FROM;
        census.unseen += edge->reason == REASON_EARLIER_WRITE;
    }
    return census;
}

/* Two that wrote one key, and one of them had not seen the other. */
static bool loses_update(const struct verdict *verdict) {
    const struct edge *edges = verdict->edges;
    return verdict->edge_count == 2 && edges[0].key == edges[1].key &&
           (is_write_order(&edges[0]) || is_read_before(&edges[0])) &&
           (is_write_order(&edges[1]) || is_read_before(&edges[1]));
}

static bool forks(const struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        const struct edge *next = &verdict->edges[(i + 1) % verdict->edge_count];
        if (edge->reason == REASON_READS_FROM ? !is_read_before(next)
                                              : next->reason != REASON_READS_FROM)
            return false;
    }
    return verdict->edge_count == 4;
}

static uint32_t names_of(const struct verdict *verdict) {
    struct census census = count(verdict);
    if (census.reads_before == 0 && census.unseen > 0)
        return level_axiom(verdict->level).view <= VIEW_READ ? 1u << ANOMALY_FRACTURED_READ
                                                             : 1u << ANOMALY_CAUSAL_VIOLATION;
    if (census.reads_before == 0)
        return census.flows > 0 ? 1u << ANOMALY_G1C : 1u << ANOMALY_G0;
    uint32_t names = 0;
    if (census.reads_before == 1)
        names = 1u << ANOMALY_G_SINGLE;
    else if (census.adjacent == 0)
        names = 1u << ANOMALY_G_NONADJACENT | (forks(verdict) ? 1u << ANOMALY_LONG_FORK : 0);
    else
        names = 1u << ANOMALY_G2_ITEM;
    if (loses_update(verdict))
        names |= 1u << ANOMALY_LOST_UPDATE;
    else if (census.reads_before == 2 && verdict->edge_count == 2)
        names |= 1u << ANOMALY_WRITE_SKEW;
    return names;
}

void txn_cycle_name(struct verdict *verdict) {
    uint32_t names = names_of(verdict);
    verdict->anomalies |= names;
    const char *between = "";
    for (uint32_t i = 0; i < ANOMALY_COUNT; i++)
        if ((names >> i & 1) != 0) {
            buf_printf(&verdict->text, "%s%s", between, anomaly_name((enum anomaly)i));
            between = ", ";
        }
    buf_printf(&verdict->text, ": each of %u transactions would have to commit before the next, ",
               verdict->edge_count);
    buf_printf(&verdict->text, "and the last before the first");
}
