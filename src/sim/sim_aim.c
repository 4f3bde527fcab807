#include "sim/sim_aim.h"

#include "sim/sim_cluster.h"

#define SALT 0x61696du
#define CALLS_MAX 12u /* of an env, at one of which a process ends "in the middle" */

static const struct {
    const char *name, *text, *rule;
} rows[] = {
#define X(constant, name, text, rule) {name, text, rule},
    SIM_AIM_LIST(X)
#undef X
};

const char *sim_aim_name(enum sim_aim_row row) {
    return rows[row].name;
}

void sim_aim_list(FILE *out) {
    for (int row = 0; row < SIM_AIM_COUNT; row++)
        fprintf(out, "%-14s %s: %s\n", rows[row].name, rows[row].text, rows[row].rule);
}

/* ---- what a run has ---- */

void sim_aim_draw(struct sim_cluster *cluster) {
    struct sim_aim *aim = &cluster->aim;
    const struct sim_options *asked = &cluster->asked;
    prng_seed(&aim->prng, prng_mix(asked->seed, SALT));
    bool drawn = prng_chance(&aim->prng, 1, 3);
    if (asked->scenario != SIM_SWARM || asked->plan != NULL || asked->aim_mask == SIM_AIM_NONE)
        return;
    for (uint64_t left = prng_between(&aim->prng, 1, 3); left > 0; left--)
        aim->mask |= 1u << prng_below(&aim->prng, SIM_AIM_COUNT);
    if (asked->aim_mask != 0)
        aim->mask = asked->aim_mask;
    else if (!drawn)
        aim->mask = 0;
    aim->one_in = 1ull << prng_below(&aim->prng, 7);
    aim->rest_ns = prng_between(&aim->prng, 100 * SIM_MS, 1500 * SIM_MS);
    aim->length_ns = prng_between(&aim->prng, 1, 8) * cluster->defaults.election_timeout_max_ns / 2;
}

void sim_aim_describe(const struct sim_cluster *cluster, FILE *out) {
    const struct sim_aim *aim = &cluster->aim;
    for (int row = 0; row < SIM_AIM_COUNT; row++)
        if (aim->mask >> row & 1)
            fprintf(out, "  with aim, once in %llu: %s (%s)\n", (unsigned long long)aim->one_in,
                    rows[row].text, rows[row].rule);
}

/* ---- what can be done to a node in the middle of its step ---- */

static uint64_t below(struct sim_cluster *cluster, uint64_t bound) {
    return prng_below(&cluster->aim.prng, bound);
}

/* At the so manieth call of its env from now, the first is 1. */
static bool end_within(struct sim_node *node, uint64_t calls) {
    struct sim_host *host = &node->host;
    if (!sim_node_may_end(node) || host->kill_in_calls != 0)
        return false;
    host->kill_in_calls = 1 + below(node->cluster, calls);
    return true;
}

static void cut_over(void *target, uint64_t number) {
    struct sim_cluster *cluster = target;
    if (!cluster->healing)
        sim_net_heal(&cluster->net);
}

/* From all other nodes but `spared`; clients reach it still. */
static bool cut_off(struct sim_node *node, unsigned spared) {
    struct sim_cluster *cluster = node->cluster;
    for (unsigned other = 1; other <= SIM_NODES_MAX; other++)
        if (other != node->id && other != spared) {
            sim_net_block(&cluster->net, node->id, other, true);
            sim_net_block(&cluster->net, other, node->id, true);
        }
    sim_at(&cluster->world, cluster->world.now + cluster->aim.length_ns, cut_over, cluster, 0);
    return true;
}

static unsigned one_or_none(struct sim_cluster *cluster) {
    return below(cluster, 3) == 0 ? 1 + (unsigned)below(cluster, cluster->founders) : 0;
}

static bool end_or_cut(struct sim_node *node) {
    return below(node->cluster, 2) == 0 ? end_within(node, CALLS_MAX)
                                        : cut_off(node, one_or_none(node->cluster));
}

static void power_gone(void *target, uint64_t number) {
    struct sim_cluster *cluster = target;
    for (unsigned id = 1; id <= SIM_NODES_MAX && !cluster->healing; id++)
        if (sim_node_may_end(&cluster->nodes[id]))
            sim_node_crash(&cluster->nodes[id], SIM_END_POWER, true,
                           10 * SIM_MS + below(cluster, 300 * SIM_MS));
}

/* ---- what is seen ---- */

static bool leads(const struct sim_sight *sight) {
    return sight->now->role == ROLE_LEADER;
}

static const struct effect *effect_of(const struct sim_sight *sight, enum effect_kind kind) {
    for (size_t i = 0; i < sight->effects.count; i++)
        if (sight->effects.items[i].kind == kind)
            return &sight->effects.items[i];
    return NULL;
}

static bool elected(const struct sim_sight *sight) {
    return leads(sight) &&
           (sight->before->role != ROLE_LEADER || sight->before->term != sight->now->term);
}

static bool committed(const struct sim_sight *sight) {
    return leads(sight) && sight->now->commit > sight->before->commit;
}

static bool placed(const struct sim_sight *sight) {
    const struct effect *effect = effect_of(sight, EFFECT_OUTCOME);
    return effect != NULL && effect->outcome.of == OUTCOME_PROPOSAL &&
           effect->outcome.status == CAIRN_OK;
}

enum said { SAID_VOTE, SAID_DURABLE, SAID_COMMIT };

/* The node to which a message leaves that says such a thing; 0: none. */
static unsigned said_to(const struct sim_sight *sight, enum said said) {
    for (size_t i = 0; i < sight->effects.count; i++) {
        const struct effect *effect = &sight->effects.items[i];
        struct claim claim;
        if (effect->kind != EFFECT_SEND || effect->send.count > 0 ||
            effect->send.to > SIM_NODES_MAX ||
            !sight->view->claim(effect->send.head, sight->node->id, effect->send.to, &claim))
            continue;
        bool it = said == SAID_VOTE      ? claim.vote != 0
                  : said == SAID_DURABLE ? claim.durable != 0 && claim.matches
                                         : claim.commit != 0;
        if (it)
            return (unsigned)effect->send.to;
    }
    return 0;
}

/* ---- the rows ---- */

static bool try_elected_cut(const struct sim_sight *sight) {
    return elected(sight) && cut_off(sight->node, one_or_none(sight->node->cluster));
}

static bool try_elected_end(const struct sim_sight *sight) {
    return elected(sight) && end_within(sight->node, CALLS_MAX);
}

static bool try_placed_cut(const struct sim_sight *sight) {
    return leads(sight) && placed(sight) && cut_off(sight->node, one_or_none(sight->node->cluster));
}

static bool try_commit_end(const struct sim_sight *sight) {
    return committed(sight) && end_within(sight->node, 1);
}

static bool try_commit_power(const struct sim_sight *sight) {
    struct sim_cluster *cluster = sight->node->cluster;
    if (!committed(sight))
        return false;
    sim_at(&cluster->world, cluster->world.now, power_gone, cluster, 0);
    return true;
}

static bool try_reply_end(const struct sim_sight *sight) {
    return leads(sight) && effect_of(sight, EFFECT_APPLY) != NULL && end_within(sight->node, 2);
}

static bool try_ack_end(const struct sim_sight *sight) {
    return !leads(sight) && said_to(sight, SAID_DURABLE) != 0 && end_within(sight->node, 4);
}

static bool try_vote_end(const struct sim_sight *sight) {
    return said_to(sight, SAID_VOTE) != 0 && end_within(sight->node, 6);
}

static bool try_write_end(const struct sim_sight *sight) {
    const struct effect *effect = effect_of(sight, EFFECT_PERSIST);
    return effect != NULL && effect->persist.count > 0 && end_within(sight->node, 4);
}

static bool has_lease(const struct sim_sight *sight) {
    return leads(sight) && sight->now->lease_end > sim_host_clock(&sight->node->host);
}

static bool try_lease_cut(const struct sim_sight *sight) {
    return sight->event->kind == EVENT_READ && has_lease(sight) && cut_off(sight->node, 0);
}

static bool try_lease_stop(const struct sim_sight *sight) {
    struct sim_host *host = &sight->node->host;
    if (sight->event->kind != EVENT_READ || !has_lease(sight) || host->stall_after != 0)
        return false;
    host->stall_after = 1 + below(sight->node->cluster, 3);
    host->stall_length = sight->node->cluster->aim.length_ns;
    return true;
}

static bool try_snapshot_end(const struct sim_sight *sight) {
    bool begins = effect_of(sight, EFFECT_SNAPSHOT_INSTALL) != NULL ||
                  effect_of(sight, EFFECT_SNAPSHOT_SEND) != NULL;
    bool ends = sight->event->kind == EVENT_COMPACTED ||
                sight->event->kind == EVENT_SNAPSHOT_INSTALLED ||
                sight->event->kind == EVENT_SNAPSHOT_RECEIVED;
    return (begins || ends) && end_within(sight->node, 2 * CALLS_MAX);
}

static bool try_change_end(const struct sim_sight *sight) {
    const struct effect *effect = effect_of(sight, EFFECT_CONFIG);
    return leads(sight) && effect != NULL && end_or_cut(sight->node);
}

static bool try_transfer_end(const struct sim_sight *sight) {
    return (sight->event->kind == EVENT_TRANSFER || said_to(sight, SAID_VOTE) != 0) &&
           sight->before->role == ROLE_LEADER && end_or_cut(sight->node);
}

static bool try_hold(const struct sim_sight *sight) {
    struct sim_cluster *cluster = sight->node->cluster;
    unsigned to = said_to(sight, (enum said)below(cluster, 3));
    return to != 0 && sim_net_stall_one(&cluster->net, sight->node->id, to, cluster->aim.length_ns);
}

static bool (*const tries[])(const struct sim_sight *sight) = {
    [SIM_AIM_ELECTED_CUT] = try_elected_cut,
    [SIM_AIM_ELECTED_END] = try_elected_end,
    [SIM_AIM_PLACED_CUT] = try_placed_cut,
    [SIM_AIM_COMMIT_END] = try_commit_end,
    [SIM_AIM_COMMIT_POWER] = try_commit_power,
    [SIM_AIM_REPLY_END] = try_reply_end,
    [SIM_AIM_ACK_END] = try_ack_end,
    [SIM_AIM_VOTE_END] = try_vote_end,
    [SIM_AIM_WRITE_END] = try_write_end,
    [SIM_AIM_LEASE_CUT] = try_lease_cut,
    [SIM_AIM_LEASE_STOP] = try_lease_stop,
    [SIM_AIM_SNAPSHOT_END] = try_snapshot_end,
    [SIM_AIM_CHANGE_END] = try_change_end,
    [SIM_AIM_TRANSFER_END] = try_transfer_end,
    [SIM_AIM_HOLD] = try_hold,
};

void sim_aim_look(const struct sim_sight *sight) {
    struct sim_cluster *cluster = sight->node->cluster;
    struct sim_aim *aim = &cluster->aim;
    struct sim_world *world = &cluster->world;
    if (aim->mask == 0 || cluster->healing || world->now < aim->rest_until ||
        !sim_node_is_up(sight->node) || below(cluster, aim->one_in) != 0)
        return;
    for (int row = 0; row < SIM_AIM_COUNT; row++) {
        if (!(aim->mask >> row & 1) || !tries[row](sight))
            continue;
        sim_log(world, sight->node->host.name, "with aim: %s", rows[row].text);
        sim_note(world, SIM_FAULT, sight->node->id, 0x100u + (unsigned)row);
        cluster->result->aims[row]++;
        aim->rest_until = world->now + aim->rest_ns;
        return;
    }
}
