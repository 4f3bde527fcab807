/* Promises to leaders, the leases that rest on them, and reads (Ongaro 2014, section 6.4). */
#include "sim/sim_oracle.h"

#include <string.h>

typedef unsigned long long ull;

#define RELEASE_BYTES_MAX 128u /* such messages are short */

/* ---- promises ---- */

static void promises(struct oracle_replica *replica, uint64_t to, const struct claim *claim,
                     uint64_t now) {
    const struct sim_host *host = &replica->node->host;
    uint64_t until = now + claim->lease_ns;
    if (replica->promises[to].leaves_at <= host->world->now)
        replica->promises[to].until_before = replica->promises[to].until;
    if (until > replica->promises[to].until)
        replica->promises[to].until = until;
    replica->promises[to].leaves_at = host->world->now + host->stall_ns;
    replica->promises[to].length = claim->lease_ns;
    if (claim->lease_ns <= replica->image.hard.lease_ns)
        replica->promises[to].kept_until = until;
    replica->promises[to].term = claim->term;
    replica->promises[to].incarnation = replica->node->incarnation;
}

/* What a round that was stopped in its middle had still to send never left, nor what waited for the
 * disk to know of a longer promise. */
void oracle_process_ended(struct oracle_replica *replica) {
    uint64_t now = replica->node->host.world->now;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        if (replica->promises[id].leaves_at > now) {
            replica->promises[id].until = replica->promises[id].until_before;
            replica->promises[id].leaves_at = 0;
        }
        if (replica->promises[id].length > replica->image.hard.lease_ns)
            replica->promises[id].until = replica->promises[id].kept_until;
    }
}

/* The leader that it promised something to may still answer reads by that. Of what another folder
 * promised it knows nothing: no quorum counts this one before it has the log. */
static void keeps_promises(struct oracle_replica *replica, uint64_t candidate, uint64_t term,
                           uint64_t now) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (id != candidate && replica->promises[id].until > now &&
            replica->promises[id].incarnation == replica->node->incarnation &&
            replica->promises[id].term < term)
            oracle_fail(replica,
                        "no voice for another while a promise to a leader runs: for %llu in term "
                        "%llu, and %llu us of what was promised to %u are left",
                        (ull)candidate, (ull)term,
                        (ull)((replica->promises[id].until - now) / SIM_US), id);
}

/* A word of an earlier term that was on its way for long releases from nothing of a later one. */
static void forget_promises(struct oracle_replica *replica, uint64_t term) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (replica->promises[id].term <= term)
            memset(&replica->promises[id], 0, sizeof replica->promises[id]);
}

void oracle_heard(struct oracle_replica *replica, const struct event *event) {
    struct claim claim;
    if (event->message.body.len <= RELEASE_BYTES_MAX &&
        replica->protocol->view->claim(event->message.body, event->message.from, replica->node->id,
                                       &claim) &&
        claim.releases)
        forget_promises(replica, claim.term);
}

void oracle_told(struct oracle_replica *replica, const struct event *event,
                 const struct effect *effect) {
    struct claim claim;
    uint64_t to = effect->send.to;
    if (effect->send.count > 0 || to > SIM_NODES_MAX ||
        !replica->protocol->view->claim(effect->send.head, replica->node->id, to, &claim))
        return;
    if (claim.lease_ns > 0)
        promises(replica, to, &claim, event->now);
    if (claim.vote != 0 && !claim.releases)
        keeps_promises(replica, claim.vote, claim.term, event->now);
}

/* ---- leases ---- */

#define ROUNDED_NS 2000u

struct question {
    struct sim_oracle *oracle;
    const struct oracle_replica *leader;
    uint64_t left_ns; /* of the leader's lease, by its clock */
};

/* However wrong both clocks run within the bound, the promise that is left outlives the lease. */
static bool outlives(const struct oracle_replica *voter, const struct question *question) {
    const struct oracle_replica *leader = question->leader;
    uint64_t until = voter->promises[leader->node->id].until;
    uint64_t clock = sim_host_clock(&voter->node->host);
    double drift = leader->node->options.clock_drift_ppm / 1e6;
    if (until <= clock)
        return false;
    double least = (double)(until - clock) * (1 - drift) / (1 + drift);
    return (double)question->left_ns <= least + ROUNDED_NS;
}

static uint64_t is_bound(const void *context, uint64_t id) {
    const struct question *question = context;
    const struct oracle_replica *leader = question->leader;
    if (id > SIM_NODES_MAX || id == leader->node->id)
        return 2;
    const struct oracle_replica *voter = &question->oracle->replicas[id][leader->keyspace];
    if (voter->node->was_old || voter->node->foreign != SIM_NATIVE)
        return 2; /* what it promises is not told, or not looked at */
    return outlives(voter, question) ? 2 : 1;
}

void oracle_leases_ended(struct sim_oracle *oracle, struct oracle_replica *leader, uint64_t term) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct oracle_replica *other = &oracle->replicas[id][leader->keyspace];
        if (other == leader || other->inner == NULL || other->seen.role != ROLE_LEADER ||
            other->seen.term >= term || other->node->host.dying || other->node->failed)
            continue;
        if (other->seen.lease_end > sim_host_clock(&other->node->host))
            oracle_fail(other,
                        "no lease runs beside a later leader: that of term %llu, and term %llu's "
                        "leader has committed",
                        (ull)other->seen.term, (ull)term);
    }
}

/* ---- reads ---- */

void oracle_read_begins(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct event *event) {
    uint32_t at = replica->read_count++ % ORACLE_READS;
    replica->reads[at].tag = event->read.tag;
    replica->reads[at].least = oracle->keyspaces[replica->keyspace].applied;
    uint64_t lease_end = replica->seen.lease_end;
    struct question question = {oracle, replica,
                                lease_end > event->now ? lease_end - event->now : 0};
    if (question.left_ns > 0 && replica->seen.config != NULL &&
        quorum_votes(replica->seen.config, is_bound, &question) != QUORUM_WON)
        oracle_fail(replica,
                    "a lease rests on promises of a quorum that still run: in term %llu %llu us of "
                    "it are left",
                    (ull)replica->seen.term, (ull)(question.left_ns / SIM_US));
}

void oracle_read_ready(struct oracle_replica *replica, const struct effect *effect) {
    if (effect->read_ready.status != CAIRN_OK)
        return;
    uint32_t count = replica->read_count < ORACLE_READS ? replica->read_count : ORACLE_READS;
    for (uint32_t i = 0; i < count; i++) {
        if (replica->reads[i].tag != effect->read_ready.tag)
            continue;
        if (effect->read_ready.index < replica->reads[i].least)
            oracle_fail(replica,
                        "a read sees all that was applied anywhere before it began: its index is "
                        "%llu, and %llu was applied",
                        (ull)effect->read_ready.index, (ull)replica->reads[i].least);
        return;
    }
}
