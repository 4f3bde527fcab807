/* What may be committed: what a quorum has durable, of the leader's own term, and never anything
 * else at the same index again (Ongaro 2014, figure 3.2 and section 3.6.2; Junqueira, Reed and
 * Serafini 2011, section V). */
#include "sim/sim_oracle.h"

#include "base/alloc.h"

#include <stddef.h>
#include <string.h>

typedef unsigned long long ull;

struct oracle_other {
    struct oracle_other *next;
    struct oracle_point point;
};

/* ---- one author a term and index ---- */

static void author(struct oracle_replica *replica, struct oracle_index *at, uint64_t index,
                   struct oracle_point point) {
    if (at->author.term == 0)
        at->author = point;
    if (at->author.term == point.term) {
        if (at->author.chain != point.chain)
            oracle_fail(replica,
                        "one author for each term and index: another entry stands at %llu of term "
                        "%llu",
                        (ull)index, (ull)point.term);
        return;
    }
    struct oracle_other **other = &at->others;
    while (*other != NULL && (*other)->point.term != point.term)
        other = &(*other)->next;
    if (*other == NULL) {
        *other = cairn_alloc_zero(sizeof **other);
        (*other)->point = point;
    } else if ((*other)->point.chain != point.chain) {
        oracle_fail(replica,
                    "one author for each term and index: another entry stands at %llu of term %llu",
                    (ull)index, (ull)point.term);
    }
}

void oracle_persist(struct sim_oracle *oracle, struct oracle_replica *replica,
                    const struct effect *effect) {
    for (size_t i = 0; i < effect->persist.count; i++) {
        const struct entry *entry = &effect->persist.entries[i];
        author(replica, oracle_index(oracle, replica->keyspace, entry->index), entry->index,
               (struct oracle_point){entry->term, entry->chain});
        if (replica->seen.role == ROLE_LEADER && entry->term == replica->seen.term)
            oracle_request_placed(oracle, replica, entry);
    }
}

void oracle_commit_close(struct oracle_keyspace *keyspace) {
    for (uint64_t i = 0; i < keyspace->cap; i++)
        while (keyspace->at[i].others != NULL) {
            struct oracle_other *other = keyspace->at[i].others;
            keyspace->at[i].others = other->next;
            cairn_free(other);
        }
    cairn_free(keyspace->at);
    cairn_free(keyspace->configs);
}

/* ---- committing ---- */

static bool leads(const struct belief *belief) {
    return belief->role == ROLE_LEADER;
}

struct question {
    struct sim_oracle *oracle;
    uint32_t keyspace;
    uint64_t index, chain;
};

static uint64_t has_durable(const void *context, uint64_t id) {
    const struct question *question = context;
    if (id > SIM_NODES_MAX)
        return 2;
    const struct oracle_replica *replica = &question->oracle->replicas[id][question->keyspace];
    bool unseen = replica->node != NULL && replica->node->foreign != SIM_NATIVE;
    return unseen || oracle_was_durable(replica, question->index, question->chain) ? 2 : 1;
}

static bool on_a_quorum(const struct config *config, const struct question *question) {
    return quorum_votes(config, has_durable, question) == QUORUM_WON;
}

/* Of the configuration before the step or after it: one step may commit, and then append another
 * configuration, which is in force from then on. */
static bool may_be_committed(const struct oracle_replica *replica, const struct belief *now,
                             const struct question *question) {
    return now->config == NULL || on_a_quorum(now->config, question) ||
           (replica->config.count > 0 && on_a_quorum(&replica->config, question));
}

static void leader_commits(struct sim_oracle *oracle, struct oracle_replica *replica,
                           const struct belief *now, uint64_t chain) {
    struct oracle_keyspace *keyspace = &oracle->keyspaces[replica->keyspace];
    struct question question = {oracle, replica->keyspace, now->commit, chain};
    if (now->commit_term != 0 && now->commit_term != now->term)
        oracle_fail(replica,
                    "only entries of the leader's own term commit by counting: %llu is of term "
                    "%llu, and the leader's term is %llu",
                    (ull)now->commit, (ull)now->commit_term, (ull)now->term);
    if (!may_be_committed(replica, now, &question))
        oracle_fail(replica, "nothing commits before a quorum has it on disk: %llu in term %llu",
                    (ull)now->commit, (ull)now->term);
    if (now->term > keyspace->leading_term) {
        keyspace->leading_term = now->term;
        oracle_leases_ended(oracle, replica, now->term);
    }
}

/* Every index from the first that this replica did not know to be committed. */
static void note_committed(struct sim_oracle *oracle, struct oracle_replica *replica,
                           const struct belief *now) {
    struct oracle_keyspace *keyspace = &oracle->keyspaces[replica->keyspace];
    uint64_t from = replica->seen.commit + 1, chain;
    if (from <= keyspace->committed)
        from = keyspace->committed + 1;
    for (uint64_t index = from; index <= now->commit; index++) {
        struct oracle_index *at = oracle_index(oracle, replica->keyspace, index);
        if (!replica->protocol->chain_at(replica->inner, index, &chain))
            continue;
        at->committed_chain = chain;
        at->committed_in = now->term;
    }
    if (now->commit > keyspace->committed)
        keyspace->committed = now->commit;
}

/* One that hands over may commit and stop leading in one step. */
static void commit_rises(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct belief *now) {
    const struct oracle_keyspace *keyspace = &oracle->keyspaces[replica->keyspace];
    const struct belief *seen = &replica->seen;
    bool led = leads(now) || (leads(seen) && seen->term == now->term);
    uint64_t chain;
    bool known = replica->protocol->chain_at(replica->inner, now->commit, &chain);
    if (led && known)
        leader_commits(oracle, replica, now, chain);
    else if (!led && now->commit > keyspace->committed)
        oracle_fail(replica,
                    "a follower commits only what a leader committed: %llu, and no leader "
                    "committed more than %llu",
                    (ull)now->commit, (ull)keyspace->committed);
    const struct oracle_index *at = oracle_index(oracle, replica->keyspace, now->commit);
    if (known && at->committed_chain != 0 && at->committed_chain != chain)
        oracle_fail(replica,
                    "what is committed stays: another entry was committed at %llu, in term %llu",
                    (ull)now->commit, (ull)at->committed_in);
    if (led)
        note_committed(oracle, replica, now);
}

/* ---- leading ---- */

/* What leaders of earlier terms committed is in a new leader's log (section 5.4 of the paper of
 * 2014). One that is elected late, beside a later leader, needs no more. */
static void begins_to_lead(struct sim_oracle *oracle, struct oracle_replica *replica,
                           const struct belief *now) {
    uint64_t index = oracle->keyspaces[replica->keyspace].committed, chain;
    while (index > 0 && oracle_index(oracle, replica->keyspace, index)->committed_in >= now->term)
        index--;
    const struct oracle_index *at = oracle_index(oracle, replica->keyspace, index);
    if (index > now->last)
        oracle_fail(replica,
                    "a leader has all that was committed: the log of term %llu's ends at %llu, and "
                    "%llu was committed in term %llu",
                    (ull)now->term, (ull)now->last, (ull)index, (ull)at->committed_in);
    else if (index > 0 && at->committed_chain != 0 &&
             replica->protocol->chain_at(replica->inner, index, &chain) &&
             chain != at->committed_chain)
        oracle_fail(replica,
                    "a leader has all that was committed: term %llu's has another entry at %llu "
                    "than was committed in term %llu",
                    (ull)now->term, (ull)index, (ull)at->committed_in);
}

void oracle_commit_step(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct belief *now) {
    const struct belief *seen = &replica->seen;
    if (now->term < seen->term)
        oracle_fail(replica, "terms never fall: from %llu to %llu", (ull)seen->term,
                    (ull)now->term);
    if (leads(now) && (!leads(seen) || seen->term != now->term))
        begins_to_lead(oracle, replica, now);
    if (now->commit < seen->commit && oracle_image_holds(replica))
        oracle_fail(replica, "what is committed stays: the commit index fell from %llu to %llu",
                    (ull)seen->commit, (ull)now->commit);
    if (now->commit > seen->commit)
        commit_rises(oracle, replica, now);
    if (leads(now) && now->config != NULL)
        memcpy(&replica->config, now->config,
               offsetof(struct config, members[0]) +
                   now->config->count * sizeof now->config->members[0]);
    else
        replica->config.count = 0;
}

/* ---- applying ---- */

static bool has_voters_of(const struct config *a, const struct config *b) {
    for (uint32_t i = 0; i < b->count; i++)
        if (b->members[i].voter && !config_is_voter(a, b->members[i].id))
            return false;
    return true;
}

/* Section 6: old and new voters decide together in between. */
static void changes_by_joint(struct oracle_replica *replica, struct oracle_keyspace *keyspace,
                             const struct entry *entry) {
    struct config next;
    const struct config *now = &keyspace->config;
    if (config_decode(entry->payload, &next) != CAIRN_OK)
        return;
    if (now->count > 0 && !now->joint && !next.joint &&
        (!has_voters_of(now, &next) || !has_voters_of(&next, now)))
        oracle_fail(replica, "voters change by way of a joint configuration: not at %llu",
                    (ull)entry->index);
    for (uint32_t i = 0; i < next.count; i++) {
        const struct member *before = config_member(now, next.members[i].id);
        if (before != NULL && before->incarnation != 0 && next.members[i].incarnation == 0)
            oracle_fail(replica,
                        "a member that stays is bound to its folder: entry %llu frees %llu",
                        (ull)entry->index, (ull)next.members[i].id);
    }
    keyspace->config = next;
}

static void note_config(struct oracle_replica *replica, struct oracle_keyspace *keyspace,
                        const struct entry *entry) {
    size_t count = keyspace->config_count;
    if (count > 0 && keyspace->configs[count - 1].index >= entry->index)
        return;
    changes_by_joint(replica, keyspace, entry);
    if (count == keyspace->config_cap) {
        keyspace->config_cap = count ? 2 * count : 16;
        keyspace->configs =
            cairn_realloc(keyspace->configs, keyspace->config_cap * sizeof *keyspace->configs);
    }
    keyspace->configs[count].index = entry->index;
    keyspace->configs[count].hash = bytes_hash(entry->payload, 1);
    keyspace->config_count++;
}

static unsigned voters_in(const struct config *config) {
    unsigned count = 0;
    for (uint32_t i = 0; i < config->count; i++)
        count += config->members[i].voter;
    return count;
}

void oracle_apply(struct sim_oracle *oracle, struct oracle_replica *replica,
                  const struct effect *effect) {
    struct oracle_keyspace *keyspace = &oracle->keyspaces[replica->keyspace];
    for (size_t i = 0; i < effect->apply.count; i++) {
        const struct entry *entry = &effect->apply.entries[i];
        struct oracle_index *at = oracle_index(oracle, replica->keyspace, entry->index);
        at->time_ms = entry->time_ms;
        if (entry->index > keyspace->committed)
            oracle_fail(replica, "only what is committed is applied: %llu, and %llu is committed",
                        (ull)entry->index, (ull)keyspace->committed);
        if (at->committed_chain != 0 && at->committed_chain != entry->chain)
            oracle_fail(replica, "only what is committed is applied: another entry at %llu",
                        (ull)entry->index);
        if (entry->kind == ENTRY_CONFIG) {
            note_config(replica, keyspace, entry);
            oracle->voter_alone |= voters_in(&keyspace->config) < 2;
        }
        if (entry->index <= keyspace->applied)
            continue;
        if (entry->time_ms < keyspace->time_ms)
            oracle_fail(replica, "replicated time never falls: entry %llu takes back %llu ms",
                        (ull)entry->index, (ull)(keyspace->time_ms - entry->time_ms));
        oracle_time_applied(oracle, replica, entry);
        keyspace->applied = entry->index;
        keyspace->time_ms = entry->time_ms;
    }
}

uint64_t sim_oracle_time(struct sim_oracle *oracle, uint32_t keyspace, uint64_t index) {
    return oracle_index(oracle, keyspace, index)->time_ms;
}

/* A snapshot stands for a prefix of what is committed, configuration included (section 7). */
void oracle_snapshot(struct sim_oracle *oracle, struct oracle_replica *replica,
                     const struct log_base *base) {
    const struct oracle_keyspace *keyspace = &oracle->keyspaces[replica->keyspace];
    const struct oracle_index *at = oracle_index(oracle, replica->keyspace, base->index);
    if (base->index > keyspace->committed)
        oracle_fail(replica, "a snapshot holds only what is committed: index %llu",
                    (ull)base->index);
    if (at->committed_chain != 0 && at->committed_chain != base->chain)
        oracle_fail(replica, "a snapshot holds only what is committed: another entry at %llu",
                    (ull)base->index);
    size_t i = keyspace->config_count;
    while (i > 0 && keyspace->configs[i - 1].index > base->index)
        i--;
    if (i > 0 && bytes_hash(base->state, 1) != keyspace->configs[i - 1].hash)
        oracle_fail(replica,
                    "a snapshot holds the configuration that was committed at its index: that of "
                    "%llu at %llu",
                    (ull)keyspace->configs[i - 1].index, (ull)base->index);
}
