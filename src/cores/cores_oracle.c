#include "cores/cores_oracle.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AUTHORS 16384u /* a power of two, above what a run's entries need */

/* The entry that was first seen with an index and a term. */
struct cores_author {
    uint32_t life; /* of the run; another: free */
    uint32_t index;
    uint64_t term;
    uint64_t chain;
};

static const struct {
    const char *text, *rule;
} rules[] = {
#define X(constant, text, rule) {text, rule},
    CORES_RULE_LIST(X)
#undef X
};

void cores_breach(struct cores_world *world, enum cores_rule rule, const char *format, ...) {
    if (world->broken != NULL)
        return;
    world->broken = rules[rule].text;
    world->rule = rules[rule].rule;
    va_list args;
    va_start(args, format);
    vsnprintf(world->detail, sizeof world->detail, format, args);
    va_end(args);
    cores_say(world, "  BROKEN: %s (%s)", world->broken, world->detail);
}

void cores_oracle_open(struct cores_world *world) {
    world->history = cairn_alloc_zero(CORES_INDEX_MAX * sizeof *world->history);
    world->authors = cairn_alloc_zero(AUTHORS * sizeof *world->authors);
}

void cores_oracle_begin(struct cores_world *world) {
    memset(world->history, 0, CORES_INDEX_MAX * sizeof *world->history);
    world->committed = world->commit_term = world->applied = world->highest_term = 0;
    memset(world->leader_of, 0, sizeof world->leader_of);
    memset(world->reads, 0, sizeof world->reads);
    world->author_life++;
    world->tags = world->acked = world->reads_done = world->elections = 0;
    world->named_count = 0;
    world->broken = world->rule = NULL;
}

void cores_oracle_close(struct cores_world *world) {
    cairn_free(world->history);
    cairn_free(world->authors);
}

static void tell(struct cores_world *world, const struct cores_node *node, struct cores_note note) {
    if (world->notes == NULL) {
        cores_oracle_judge(world, &world->nodes[node->id], &note);
        return;
    }
    struct cores_notes *notes = world->notes;
    if (notes->count == notes->cap) {
        notes->cap = notes->cap ? notes->cap * 2 : 64;
        notes->items = cairn_realloc(notes->items, notes->cap * sizeof *notes->items);
    }
    notes->items[notes->count++] = note;
}

/* ---- leaders and authors ---- */

/* By a leader, which goes by what was in force before. */
static void check_new_voters(struct cores_world *world, const struct cores_node *node,
                             const struct entry *entry, const struct config *next) {
    for (uint32_t i = 0; i < next->count; i++) {
        const struct member *member = &next->members[i];
        if (!member->voter || member->id == 0 || member->id > world->count ||
            world->nodes[member->id].harmed || config_is_voter(&node->config, member->id))
            continue; /* what a disk lost since, a leader can't know */
        if (cores_disk_last(&world->nodes[member->id]) < node->config_of)
            cores_breach(world, CORES_RULE_EARLY_VOTER,
                         "%" PRIu64 " makes %" PRIu64 " a voter in entry %" PRIu64
                         ", and its disk ends at %" PRIu64,
                         node->id, member->id, entry->index,
                         cores_disk_last(&world->nodes[member->id]));
    }
}

/* Members keep the folders that they are bound to, or are bound to others. */
static void check_bound(struct cores_world *world, const struct cores_node *node,
                        const struct entry *entry, const struct config *next) {
    for (uint32_t i = 0; i < next->count; i++) {
        const struct member *before = config_member(&node->config, next->members[i].id);
        if (before != NULL && before->incarnation != 0 && next->members[i].incarnation == 0)
            cores_breach(world, CORES_RULE_UNBOUND,
                         "entry %" PRIu64 " of %" PRIu64 " binds %" PRIu64 " to none", entry->index,
                         node->id, next->members[i].id);
    }
}

/* What a configuration's entry and a snapshot hold of it is encoded alike. */
static void name(struct cores_world *world, const struct cores_node *node,
                 const struct entry *entry) {
    for (unsigned i = 0; i < world->named_count; i++)
        if (world->named[i].index == entry->index && world->named[i].chain == entry->chain)
            return;
    struct config next;
    if (node->config.count > 0 && config_decode(entry->payload, &next) == CAIRN_OK) {
        check_new_voters(world, node, entry, &next);
        check_bound(world, node, entry, &next);
    }
    if (world->named_count == CORES_CONFIGS)
        world->exhausted = true;
    else
        world->named[world->named_count++] =
            (struct cores_named){entry->index, entry->chain, bytes_hash(entry->payload, 0)};
}

void cores_oracle_author(struct cores_world *world, const struct cores_node *node,
                         const struct entry *entry) {
    if (entry->kind == ENTRY_CONFIG && world->notes == NULL) /* a search changes no members */
        name(world, node, entry);
    if (entry->index >= CORES_INDEX_MAX || entry->term >= CORES_TERMS_MAX)
        world->exhausted = true;
    else
        tell(world, node,
             (struct cores_note){.kind = CORES_NOTE_AUTHOR,
                                 .index = entry->index,
                                 .term = entry->term,
                                 .chain = entry->chain});
}

static void judge_author(struct cores_world *world, const struct cores_node *node,
                         const struct cores_note *entry) {
    uint64_t at =
        (entry->index * 0x9e3779b97f4a7c15ull ^ entry->term * 0xc2b2ae3d27d4eb4full) >> 40;
    for (at &= AUTHORS - 1;; at = (at + 1) & (AUTHORS - 1)) {
        struct cores_author *author = &world->authors[at];
        if (author->life != world->author_life) {
            *author = (struct cores_author){world->author_life, (uint32_t)entry->index, entry->term,
                                            entry->chain};
            return;
        }
        if (author->index == entry->index && author->term == entry->term) {
            if (author->chain != entry->chain)
                cores_breach(world, CORES_RULE_TWO_AUTHORS,
                             "%" PRIu64 " writes another entry %" PRIu64 " of term %" PRIu64,
                             node->id, entry->index, entry->term);
            return;
        }
    }
}

/* The highest index that is known to be committed in a term up to this one: an older term's leader
 * and those that follow it need not have what a newer one committed. */
static uint64_t committed_by(const struct cores_world *world, uint64_t term) {
    uint64_t index = world->committed;
    while (index > 0 && (world->history[index].chain == 0 || world->history[index].term > term))
        index--;
    return index;
}

static void check_complete(struct cores_world *world, const struct cores_node *node, uint64_t term,
                           uint64_t last) {
    uint64_t chain, committed = committed_by(world, term);
    if (last < committed)
        cores_breach(world, CORES_RULE_INCOMPLETE,
                     "%" PRIu64 " leads term %" PRIu64 " with %" PRIu64 " entries, and %" PRIu64
                     " are committed",
                     node->id, term, last, committed);
    else if (committed > 0 && world->setup.protocol->chain_at(node->replica, committed, &chain) &&
             chain != world->history[committed].chain)
        cores_breach(world, CORES_RULE_INCOMPLETE,
                     "%" PRIu64 " leads term %" PRIu64 " with another entry %" PRIu64, node->id,
                     term, committed);
}

void cores_oracle_leader(struct cores_world *world, struct cores_node *node, uint64_t term) {
    struct belief belief;
    world->view->belief(node->replica, &belief);
    if (term >= CORES_TERMS_MAX)
        world->exhausted = true;
    else
        tell(world, node,
             (struct cores_note){.kind = CORES_NOTE_LEADER, .term = term, .last = belief.last});
}

static void judge_leader(struct cores_world *world, const struct cores_node *node, uint64_t term,
                         uint64_t last) {
    uint8_t known = world->leader_of[term];
    if (known == node->id)
        return;
    world->elections++;
    world->leader_of[term] = (uint8_t)node->id;
    if (term > world->highest_term)
        world->highest_term = term;
    if (known != 0)
        cores_breach(world, CORES_RULE_TWO_LEADERS, "%u and %" PRIu64 " in term %" PRIu64, known,
                     node->id, term);
    check_complete(world, node, term, last);
}

/* ---- committing and applying ---- */

/* term UINT64_MAX: not known yet; the end of the step tells it. */
static void agree(struct cores_world *world, const struct cores_node *node, uint64_t index,
                  uint64_t chain, uint64_t term) {
    if (index >= CORES_INDEX_MAX)
        return;
    if (world->history[index].chain == 0 && term != UINT64_MAX)
        world->history[index] = (struct cores_point){chain, term};
    else if (world->history[index].chain != 0 && world->history[index].chain != chain)
        cores_breach(world, CORES_RULE_TWO_COMMITTED, "%" PRIu64 " has another entry %" PRIu64,
                     node->id, index);
}

struct holders {
    const struct cores_world *world;
    uint64_t index, chain;
};

static uint64_t holds(const void *context, uint64_t id) {
    const struct holders *holders = context;
    if (id == 0 || id > holders->world->count)
        return 0;
    const struct cores_node *node = &holders->world->nodes[id];
    /* What it acknowledged it had; that it lost it since is for those to mend that go on. */
    return node->harmed || cores_disk_holds(node, holders->index, holders->chain);
}

/* By the configuration in force when the replica's step began, or when it ended. */
static void check_quorum(struct cores_world *world, const struct cores_node *node, uint64_t commit,
                         uint64_t term) {
    struct holders holders = {world, commit, world->history[commit].chain};
    if (holders.chain == 0)
        return; /* a snapshot stands for it */
    bool quorum =
        (node->config.count > 0 && quorum_reached(&node->config, holds, &holders) > 0) ||
        (node->next_config != NULL && quorum_reached(node->next_config, holds, &holders) > 0);
    if (!quorum)
        cores_breach(world, CORES_RULE_NO_QUORUM,
                     "%" PRIu64 " calls %" PRIu64 " committed in term %" PRIu64, node->id, commit,
                     term);
}

static void judge_commit(struct cores_world *world, const struct cores_node *node,
                         const struct cores_note *note) {
    uint64_t chain, commit = note->index;
    for (uint64_t index = note->last + 1; index <= commit; index++)
        if (world->setup.protocol->chain_at(node->replica, index, &chain))
            agree(world, node, index, chain, note->term);
    if (commit > world->committed) {
        check_quorum(world, node, commit, note->term);
        world->committed = commit;
        if (note->term > world->commit_term)
            world->commit_term = note->term;
    }
}

static void commit_rose(struct cores_world *world, struct cores_node *node,
                        const struct belief *belief) {
    if (belief->commit >= CORES_INDEX_MAX) {
        world->exhausted = true;
        return;
    }
    node->next_config = belief->config;
    tell(world, node,
         (struct cores_note){.kind = CORES_NOTE_COMMIT,
                             .index = belief->commit,
                             .term = belief->term,
                             .last = node->belief.commit});
    node->next_config = NULL;
}

void cores_oracle_apply(struct cores_world *world, struct cores_node *node,
                        const struct entry *entry) {
    if (entry->index != node->applied + 1)
        cores_breach(world, CORES_RULE_APPLY_ORDER,
                     "%" PRIu64 " applies %" PRIu64 " behind %" PRIu64, node->id, entry->index,
                     node->applied);
    node->applied = entry->index;
    tell(world, node,
         (struct cores_note){
             .kind = CORES_NOTE_APPLY, .index = entry->index, .chain = entry->chain});
}

static void judge_apply(struct cores_world *world, const struct cores_node *node,
                        const struct cores_note *note) {
    agree(world, node, note->index, note->chain, UINT64_MAX);
    if (note->index > world->applied)
        world->applied = note->index;
}

void cores_oracle_install(struct cores_world *world, struct cores_node *node,
                          const struct log_base *base) {
    if (base->index < node->applied)
        cores_breach(world, CORES_RULE_OLD_SNAPSHOT,
                     "%" PRIu64 " installs %" PRIu64 " over %" PRIu64, node->id, base->index,
                     node->applied);
    agree(world, node, base->index, base->chain, world->commit_term);
}

/* ---- configurations ---- */

void cores_oracle_config(struct cores_world *world, struct cores_node *node, uint64_t index) {
    node->config_index = index;
    node->config_last = UINT64_MAX; /* to be looked at */
}

/* The index of the newest configuration among the entries up to last; 0: none that is known. */
static uint64_t newest_config(const struct cores_world *world, const struct cores_node *node,
                              uint64_t last) {
    uint64_t newest = 0, chain;
    for (unsigned i = 0; i < world->named_count; i++) {
        const struct cores_named *named = &world->named[i];
        if (named->index > newest && named->index <= last &&
            world->setup.protocol->chain_at(node->replica, named->index, &chain) &&
            chain == named->chain)
            newest = named->index;
    }
    return newest;
}

/* Only when the log's end or the configuration moved. */
static void check_config(struct cores_world *world, struct cores_node *node,
                         const struct belief *belief) {
    if (node->config_last == belief->last)
        return;
    node->config_last = belief->last;
    if (belief->config == NULL) /* that a replica has none any more is not told */
        node->config_index = 0;
    uint64_t newest = newest_config(world, node, belief->last);
    if (node->config_index > belief->last || newest > node->config_index)
        cores_breach(world, CORES_RULE_FALSE_CONFIG,
                     "%" PRIu64 " goes by entry %" PRIu64 " of %" PRIu64
                     ", and the newest is in entry %" PRIu64,
                     node->id, node->config_index, belief->last, newest);
}

/* The committed one. What was committed at an index that no core keeps in memory is not known. */
static const struct cores_named *committed_config(const struct cores_world *world, uint64_t index,
                                                  bool *unknown) {
    const struct cores_named *found = NULL;
    for (unsigned i = 0; i < world->named_count; i++) {
        const struct cores_named *named = &world->named[i];
        *unknown |= named->index <= index && world->history[named->index].chain == 0;
        if (named->index <= index && world->history[named->index].chain == named->chain &&
            (found == NULL || named->index > found->index))
            found = named;
    }
    return found;
}

void cores_oracle_snapshot(struct cores_world *world, const struct cores_node *node,
                           const struct log_base *base) {
    bool unknown = false;
    const struct cores_named *named = committed_config(world, base->index, &unknown);
    struct buf first = {0};
    struct config config;
    uint64_t hash;
    if (unknown || (named == NULL && base->state.len == 0))
        return; /* or a blank node, which knows of no founders */
    if (named != NULL) {
        hash = named->hash;
    } else {
        config = cores_first_config(world);
        config_encode(&first, &config);
        hash = bytes_hash(buf_view(&first), 0);
    }
    if (bytes_hash(base->state, 0) != hash)
        cores_breach(world, CORES_RULE_FALSE_SNAPSHOT, "%" PRIu64 " at %" PRIu64, node->id,
                     base->index);
    buf_free(&first);
}

/* ---- the disk ---- */

void cores_oracle_promise(struct cores_world *world, const struct cores_node *node,
                          const struct promise *before) {
    const struct promise *now = &node->image.promise;
    if (now->term < before->term ||
        (now->term == before->term && before->vote != 0 && now->vote != before->vote))
        cores_breach(world, CORES_RULE_PROMISE_BACK,
                     "%" PRIu64 " had term %" PRIu64 " and vote %" PRIu64 ", and writes %" PRIu64
                     " and %" PRIu64,
                     node->id, before->term, before->vote, now->term, now->vote);
}

uint64_t cores_oracle_held(const struct cores_world *world, const struct cores_node *node) {
    uint64_t last = cores_disk_last(node);
    uint64_t committed = committed_by(world, node->image.promise.term);
    uint64_t index = last < committed ? last : committed;
    while (index > 0 && !cores_disk_holds(node, index, world->history[index].chain))
        index--;
    return index;
}

void cores_oracle_kept(struct cores_world *world, const struct cores_node *node, uint64_t held) {
    if (held > 0 && !cores_disk_holds(node, held, world->history[held].chain))
        cores_breach(world, CORES_RULE_TAKEN_BACK, "%" PRIu64 " cuts %" PRIu64, node->id, held);
}

/* ---- what messages say ---- */

/* What is of that term only its leader can have written, which may have lost it since, with all
 * that the disk refused before it. */
static bool is_of_term(const struct cores_node *node, uint64_t index, uint64_t term) {
    const struct cores_image *image = &node->image;
    return image->count > 0 && index >= image->first && index < image->first + image->count &&
           image->entries[index - image->first].term == term;
}

static void check_acknowledgement(struct cores_world *world, const struct cores_node *node,
                                  uint64_t to, const struct claim *claim) {
    uint64_t mine;
    if (cores_disk_last(node) < claim->durable)
        cores_breach(world, CORES_RULE_EARLY_ACK,
                     "%" PRIu64 " acknowledges %" PRIu64 " and has %" PRIu64, node->id,
                     claim->durable, cores_disk_last(node));
    else if (claim->matches && !is_of_term(node, claim->durable, claim->term) &&
             cores_disk_chain(node, claim->durable, &mine))
        tell(world, node,
             (struct cores_note){.kind = CORES_NOTE_ACK,
                                 .to = to,
                                 .term = claim->term,
                                 .index = claim->durable,
                                 .chain = mine});
}

static void judge_acknowledgement(struct cores_world *world, const struct cores_node *node,
                                  const struct cores_note *note) {
    uint64_t leaders;
    const struct cores_node *leader = &world->nodes[note->to];
    enum role role = leader->belief.role; /* one that started again has forgotten what it sent */
    if (!leader->up || leader->belief.term != note->term ||
        (role != ROLE_LEADER && role != ROLE_CANDIDATE))
        return;
    if (world->setup.protocol->chain_at(leader->replica, note->index, &leaders) &&
        note->chain != leaders)
        cores_breach(world, CORES_RULE_FALSE_ACK, "%" PRIu64 " acknowledges another entry %" PRIu64,
                     node->id, note->index);
    else if (role == ROLE_LEADER && note->index > leader->belief.last)
        cores_breach(world, CORES_RULE_FALSE_ACK,
                     "%" PRIu64 " acknowledges entry %" PRIu64 ", and its leader has %" PRIu64,
                     node->id, note->index, leader->belief.last);
}

/* What the disk has promised to a later term since makes an older claim void. */
void cores_oracle_claim(struct cores_world *world, struct cores_node *node, uint64_t to,
                        struct bytes message, uint64_t clock) {
    struct claim claim;
    const struct promise *disk = &node->image.promise;
    if (!world->view->claim(message, node->id, to, &claim))
        return;
    cores_oracle_promises(world, node, to, &claim, clock);
    if (claim.term > node->told_term) {
        node->told_term = claim.term;
        node->told_vote = 0;
    }
    if (claim.term == node->told_term && claim.vote != 0)
        node->told_vote = claim.vote;
    if (claim.lease_ns > disk->lease_ns)
        cores_breach(world, CORES_RULE_EARLY_LEASE, "%" PRIu64 " promises %" PRIu64, node->id, to);
    if (disk->term < claim.term)
        cores_breach(world, CORES_RULE_EARLY_TERM,
                     "%" PRIu64 " tells term %" PRIu64 " and has %" PRIu64, node->id, claim.term,
                     disk->term);
    else if (disk->term == claim.term && claim.vote != 0 && disk->vote != claim.vote)
        cores_breach(world, CORES_RULE_EARLY_VOTE,
                     "%" PRIu64 " tells its vote for %" PRIu64 " in term %" PRIu64
                     ", and its disk has %" PRIu64,
                     node->id, claim.vote, claim.term, disk->vote);
    if (claim.durable > 0 && disk->term == claim.term)
        check_acknowledgement(world, node, to, &claim);
    cores_oracle_leads(world, node, to, &claim);
    cores_oracle_voice(world, node, &claim);
    cores_oracle_acked(world, node, &claim);
}

/* ---- reads and leases ---- */

uint64_t cores_oracle_ask(struct cores_world *world, const struct cores_node *node) {
    uint64_t tag = ++world->tags;
    tell(world, node, (struct cores_note){.kind = CORES_NOTE_ASK, .tag = tag});
    return tag;
}

static void judge_ask(struct cores_world *world, uint64_t tag) {
    world->reads[tag % CORES_READS].tag = tag;
    world->reads[tag % CORES_READS].floor = world->applied;
}

void cores_oracle_read(struct cores_world *world, const struct cores_node *node, uint64_t tag,
                       enum cairn_status status, uint64_t index) {
    if (status == CAIRN_OK)
        tell(world, node, (struct cores_note){.kind = CORES_NOTE_READ, .tag = tag, .index = index});
}

static void judge_read(struct cores_world *world, const struct cores_node *node, uint64_t tag,
                       uint64_t index) {
    if (world->reads[tag % CORES_READS].tag != tag)
        return;
    world->reads_done++;
    if (index < world->reads[tag % CORES_READS].floor)
        cores_breach(world, CORES_RULE_STALE_READ,
                     "%" PRIu64 " reads at %" PRIu64 ", and %" PRIu64 " was applied before",
                     node->id, index, world->reads[tag % CORES_READS].floor);
}

static void check_leases(struct cores_world *world) {
    for (unsigned id = 1; id <= world->count; id++) {
        const struct cores_node *node = &world->nodes[id];
        if (!node->up || node->belief.role != ROLE_LEADER ||
            node->belief.term >= world->commit_term || node->belief.commit >= world->committed)
            continue;
        if (node->belief.lease_end > cores_clock(world, node))
            cores_breach(world, CORES_RULE_STALE_LEASE,
                         "%u of term %" PRIu64 " with %" PRIu64 ", and term %" PRIu64
                         " has committed %" PRIu64,
                         id, node->belief.term, node->belief.commit, world->commit_term,
                         world->committed);
    }
}

/* ---- judging ---- */

void cores_oracle_judge(struct cores_world *world, struct cores_node *node,
                        const struct cores_note *note) {
    switch (note->kind) {
    case CORES_NOTE_AUTHOR:
        judge_author(world, node, note);
        break;
    case CORES_NOTE_LEADER:
        judge_leader(world, node, note->term, note->last);
        break;
    case CORES_NOTE_APPLY:
        judge_apply(world, node, note);
        break;
    case CORES_NOTE_COMMIT:
        judge_commit(world, node, note);
        break;
    case CORES_NOTE_ACK:
        judge_acknowledgement(world, node, note);
        break;
    case CORES_NOTE_ASK:
        judge_ask(world, note->tag);
        break;
    case CORES_NOTE_READ:
        judge_read(world, node, note->tag, note->index);
        break;
    }
}

/* ---- each step ---- */

void cores_oracle_step(struct cores_world *world, struct cores_node *node) {
    struct belief belief;
    world->view->belief(node->replica, &belief);
    if (belief.commit > node->belief.commit)
        commit_rose(world, node, &belief);
    else if (belief.commit < node->belief.commit)
        cores_breach(world, CORES_RULE_COMMIT_BACK, "%" PRIu64 " from %" PRIu64 " to %" PRIu64,
                     node->id, node->belief.commit, belief.commit);
    if (node->applied > belief.commit)
        cores_breach(world, CORES_RULE_APPLY_ORDER,
                     "%" PRIu64 " applied %" PRIu64 " and calls %" PRIu64 " committed", node->id,
                     node->applied, belief.commit);
    if (belief.role == ROLE_LEADER && belief.last_term != belief.term)
        cores_breach(world, CORES_RULE_NO_OWN_ENTRY,
                     "%" PRIu64 " leads term %" PRIu64 ", and its last entry is of %" PRIu64,
                     node->id, belief.term, belief.last_term);
    if (node->belief.role != ROLE_LEADER || node->belief.term != belief.term || node->config_told)
        node->leads_since = cores_clock(world, node);
    world->leaders += (belief.role == ROLE_LEADER) - (node->belief.role == ROLE_LEADER);
    if (node->config_told && belief.config != NULL) {
        node->config = *belief.config;
        node->config_of = node->config_index;
    }
    node->config_told = false;
    check_config(world, node, &belief);
    node->belief = belief;
    if (world->leaders > 1)
        check_leases(world);
}

static uint64_t heard_of(const void *context, uint64_t id) {
    const struct cores_node *node = context;
    if (id == node->id)
        return UINT64_MAX;
    return id > 0 && id < CORES_IDS ? node->heard[id] : 0;
}

/* Any message counts as being heard, so this is later than a leader may think. */
void cores_oracle_tick(struct cores_world *world, const struct cores_node *node) {
    if (!node->up || node->belief.role != ROLE_LEADER)
        return;
    uint64_t heard = quorum_reached(&node->config, heard_of, node);
    uint64_t since = heard > node->leads_since ? heard : node->leads_since;
    uint64_t now = cores_clock(world, node), most = 2 * node->options.election_timeout_max_ns;
    if (heard != UINT64_MAX && now > since + most)
        cores_breach(world, CORES_RULE_DEAF_LEADER,
                     "%" PRIu64 " leads term %" PRIu64 ", and heard no quorum for %" PRIu64 " us",
                     node->id, node->belief.term, (now - since) / 1000);
}

void cores_oracle_started(struct cores_world *world, struct cores_node *node) {
    const struct belief *belief = &node->belief;
    if (belief->term < node->told_term || (belief->term == node->told_term &&
                                           node->told_vote != 0 && belief->vote != node->told_vote))
        cores_breach(world, CORES_RULE_FORGOTTEN,
                     "%" PRIu64 " told term %" PRIu64 " and a vote for %" PRIu64
                     ", and starts with %" PRIu64 " and %" PRIu64,
                     node->id, node->told_term, node->told_vote, belief->term, belief->vote);
}
