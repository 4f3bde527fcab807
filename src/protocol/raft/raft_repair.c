#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

bool raft_damaged(const struct replica *raft) {
    return raft->hole_count > 0;
}

bool raft_hole_covers(const struct replica *raft, uint64_t index) {
    for (uint32_t i = 0; i < raft->hole_count; i++)
        if (index >= raft->holes[i].first && index <= raft->holes[i].last)
            return true;
    return false;
}

static void drop_fill(struct replica *raft) {
    for (size_t i = 0; i < raft->fill_count; i++)
        outbox_bury(&raft->journal.out, &raft->fill[i]);
    raft->fill_count = raft->fill_bytes = 0;
}

static void drop_hole(struct replica *raft, uint32_t at) {
    if (raft->holes[at].behind.blob != NULL)
        outbox_bury(&raft->journal.out, &raft->holes[at].behind);
    raft->hole_count--;
    memmove(&raft->holes[at], &raft->holes[at + 1],
            (raft->hole_count - at) * sizeof raft->holes[0]);
}

void raft_holes_drop(struct replica *raft) {
    drop_fill(raft);
    while (raft->hole_count > 0)
        drop_hole(raft, raft->hole_count - 1);
    raft->repair_refused = 0;
}

void raft_hole_fill(struct replica *raft, struct raft_hole *hole, const struct entry *entries,
                    size_t count) {
    for (size_t i = 0; i < count; i++) {
        cairn_assert(entries[i].index == hole->first && hole->first <= hole->last);
        log_set_term(&raft->journal.log, entries[i].index, entries[i].term);
        hole->first++;
        hole->chain_before = entries[i].chain;
        struct config config;
        if (entries[i].kind == ENTRY_CONFIG &&
            config_decode(entries[i].payload, &config) == CAIRN_OK)
            journal_config_push(&raft->journal, entries[i].index, &config);
    }
    raft_config_changed(raft);
    if (hole->first > hole->last)
        drop_hole(raft, (uint32_t)(hole - raft->holes));
}

/* ---- asking ---- */

/* A leader may have joined after all that this replica's log tells of members. */
static bool may_be_asked(const struct replica *raft, const struct raft_peer *peer) {
    return peer->member || peer->id == raft->leader;
}

static void fetch_from(struct replica *raft, uint64_t to, uint64_t first, uint64_t last) {
    last = rare_limit(raft->options.rare, RARE_RAFT_REPAIR_ONE, first, last);
    struct raft_message message = {.type = RAFT_REPAIR_FETCH,
                                   .term = raft->term,
                                   .request = raft->repair_nonce,
                                   .first = first,
                                   .last = last};
    raft_send(raft, to, 0, &message, NULL, 0);
}

/* Where a round trip takes longer than this, no leader is elected either. */
static void fetch_more(struct replica *raft) {
    const struct raft_hole *hole = &raft->holes[0];
    raft->repair_peer_until = raft->now + raft->options.election_timeout_min_ns;
    const struct raft_peer *peer = raft_peer(raft, raft->repair_peer);
    if (peer != NULL && may_be_asked(raft, peer))
        fetch_from(raft, raft->repair_peer, hole->first + raft->fill_count, hole->last);
}

static uint64_t next_peer(const struct replica *raft) {
    uint64_t lowest = 0, above = 0;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        bool refused = raft->repair_refused & 1ull << i && peer->id != raft->leader;
        if (!may_be_asked(raft, peer) || refused)
            continue;
        if (lowest == 0 || peer->id < lowest)
            lowest = peer->id;
        if (peer->id > raft->repair_peer && (above == 0 || peer->id < above))
            above = peer->id;
    }
    return above ? above : lowest;
}

static void ask_next_peer(struct replica *raft) {
    drop_fill(raft);
    raft->repair_peer = next_peer(raft);
    if (raft->repair_peer != 0) {
        fetch_more(raft);
        return;
    }
    if (!raft->repair_warned)
        outbox_trace(&raft->journal.out, 2, "entry %" PRIu64 " is damaged and no peer holds it",
                     raft->holes[0].first);
    raft->repair_warned = true;
    raft->repair_refused = 0; /* ask again: one may lead by then */
}

/* The one that was asked can't help. */
static void ask_another(struct replica *raft) {
    drop_fill(raft);
    raft->repair_peer_until = raft->now;
}

/* No replica holds the entries any more: give up what lies behind the damage and take the leader's
 * log instead, without voting until it is here. */
static void give_up(struct replica *raft) {
    if (raft->amnesia) { /* the members that are to tell their terms may be among what would go */
        ask_another(raft);
        return;
    }
    uint64_t first = raft->holes[0].first;
    outbox_trace(&raft->journal.out, 2,
                 "entries from %" PRIu64 " are lost here and trimmed elsewhere", first);
    uint64_t chain = raft->holes[0].chain_before;
    raft_holes_drop(raft);
    log_truncate(&raft->journal.log, first);
    log_know_chain(&raft->journal.log, first - 1, chain);
    journal_config_truncate(&raft->journal, first);
    raft_config_changed(raft);
    journal_pending_cut(&raft->journal, first);
    raft->journal.truncate_dirty = first;
    raft->mending = true;
    raft->mend_target = 0;
    raft->journal.hard_dirty = true;
    raft_persist(raft);
}

/* ---- damage while running ---- */

/* So many election timeouts without a leader: a restart asks any peer for what is lost. */
#define LOST_PATIENCE 20u

/* The leader has all that is committed of what the disk lost, and of what lies behind it. */
static void take_from_leader(struct replica *raft) {
    uint64_t first = raft->lost_from;
    outbox_trace(&raft->journal.out, 2,
                 "entries from %" PRIu64 " are lost here: %" PRIu64 " gives them back", first,
                 raft->leader);
    journal_lose(&raft->journal, first);
    raft->seen_commit = raft->journal.commit;
    if (raft->verified >= first)
        raft->verified = first - 1;
    raft_config_changed(raft);
    raft->damage_first = first;
    raft->damage_last = first;
    raft->lost_from = 0;
    raft->mending = true;
    raft->mend_target = 0;
    raft->journal.hard_dirty = true;
    raft_persist(raft);
}

static void lost_advance(struct replica *raft) {
    if (raft->journal.apply_sent >= raft->lost_from ||
        raft->journal.log.window_first <= raft->lost_from) {
        raft->lost_from = 0; /* another read brought it, or it was cut off */
    } else if (raft->leader != 0) {
        take_from_leader(raft);
    } else if (raft->now - raft->lost_at > LOST_PATIENCE * raft->options.election_timeout_max_ns) {
        outbox_trace(&raft->journal.out, 2, "entry %" PRIu64 " is lost here and no peer leads",
                     raft->lost_from);
        raft->journal.failed = true;
    }
}

void raft_on_unreadable(struct replica *raft, uint64_t first, uint64_t last) {
    if (raft->installing || journal_unreadable(&raft->journal, first, last))
        return;
    if (raft_damaged(raft)) {
        /* Two repairs at once are a restart's to do. */
        raft->journal.failed = true;
        return;
    }
    if (raft->lost_from == 0)
        raft->lost_at = raft->now;
    if (raft->lost_from == 0 || first < raft->lost_from)
        raft->lost_from = first;
    raft->repair_at = raft->now;
    if (raft->role != ROLE_FOLLOWER)
        raft_become_follower(raft, raft->term, 0);
    lost_advance(raft);
}

/* One whose disk was replaced meanwhile has nothing to tell, and is no candidate under its former
 * folder any more. Where it was elected, another that voted for it tells the term. */
static bool others_told_terms(struct replica *raft) {
    const struct config *config = journal_config(&raft->journal);
    for (uint32_t i = 0; config != NULL && i < config->count; i++) {
        uint64_t id = config->members[i].id;
        if (id == raft->options.id || !config_is_voter(config, id))
            continue;
        const struct raft_peer *peer = raft_peer(raft, id);
        if (peer == NULL ||
            (!peer->term_told && journal_counts(&raft->journal, id, peer->incarnation)))
            return false;
    }
    return config != NULL;
}

/* What the forgotten promise to a leader can have been: one of those that told asked for it. */
static uint64_t longest_promise(const struct replica *raft) {
    uint64_t longest = raft->options.election_timeout_min_ns;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].lease_told > longest)
            longest = raft->peers[i].lease_told;
    return longest;
}

/* The lost vote went to a candidate, whose own term is at least the vote's: once every other voter
 * told its term, not voting in the highest of them keeps the forgotten promise. */
static void end_amnesia(struct replica *raft) {
    if (!raft->amnesia || !others_told_terms(raft))
        return;
    raft->amnesia = false;
    lease_promise_start(&raft->promise, longest_promise(raft), raft->now);
    if (raft->vote == 0 && raft->options.mutant != MUTANT_AMNESIA_VOTES)
        raft->vote = RAFT_NO_CANDIDATE;
    raft->journal.hard_dirty = true;
    raft_persist(raft);
    outbox_trace(&raft->journal.out, 1, "the lost vote is settled: no vote in term %" PRIu64,
                 raft->term);
}

/* A leader tells a commit index with a heartbeat only as far as this replica acknowledged entries
 * (section 5.3), so one beyond the log says that they are gone: the disk is as an earlier image of
 * it was. What else it forgot is not known. An empty log is that of a disk in the place of another
 * one, which acknowledged those entries. */
void raft_notice_forgotten(struct replica *raft, uint64_t commit) {
    uint64_t last = raft->journal.log.last;
    if (raft->mending || raft->installing || last == 0 || commit <= last ||
        raft->options.mutant == MUTANT_IMAGE_UNNOTICED)
        return;
    outbox_trace(&raft->journal.out, 2,
                 "entries up to %" PRIu64 " were acknowledged and are not on this disk, which is "
                 "as it was earlier: no votes until a leader gives them back",
                 commit);
    raft->mending = true;
    raft->mend_target = 0;
    raft->journal.hard_dirty = true;
    raft->repair_at = raft->now;
}

void raft_repair_tick(struct replica *raft) {
    if (!raft_damaged(raft) && !raft->amnesia && !raft->mending && raft->lost_from == 0)
        return;
    if (raft->now < raft->repair_at)
        return;
    raft->repair_at = raft->now + raft->options.heartbeat_ns;
    if (raft->lost_from != 0)
        lost_advance(raft);
    if (raft_damaged(raft) && raft->now >= raft->repair_peer_until)
        ask_next_peer(raft);
    if (raft->amnesia) {
        for (uint32_t i = 0; i < raft->peer_count; i++)
            if (raft->peers[i].member && !raft->peers[i].term_told)
                fetch_from(raft, raft->peers[i].id, 1, 0);
        end_amnesia(raft);
    }
    if (raft->mending && raft->mend_target == 0 && raft->leader != 0)
        fetch_from(raft, raft->leader, 1, 0);
}

/* Voting again: all that this replica ever acknowledged lies at or below what the leader had when
 * it answered our question, so with that much of its log on the disk the promise is kept again. A
 * full disk may take the hard state that says so, and not the entries. */
void raft_mend_advance(struct replica *raft) {
    bool soon = raft->options.mutant == MUTANT_MENDED_TOO_SOON && raft->verified > 0;
    bool back = raft->mend_target != 0 && raft->verified >= raft->mend_target &&
                raft->journal.durable_index >= raft->mend_target;
    if (!raft->mending || (!back && !soon))
        return;
    raft->mending = false;
    raft->mend_target = 0;
    raft->damage_first = raft->damage_last = 0;
    raft->journal.hard_dirty = true;
    raft_persist(raft);
    outbox_trace(&raft->journal.out, 1,
                 "the lost end of the log is back: this replica votes again");
}

/* ---- answering ---- */

static void answer(struct replica *raft, struct raft_peer *peer, uint64_t nonce, uint64_t first,
                   uint64_t flags, const struct entry *entries, size_t count) {
    struct raft_message message = {.type = RAFT_REPAIR_ENTRIES,
                                   .term = raft->term,
                                   .flags =
                                       flags | (raft->role == ROLE_LEADER ? RAFT_FLAG_LEADER : 0),
                                   .request = nonce,
                                   .first = first,
                                   .last = raft->journal.log.last,
                                   .lease_ns = raft_lease_asked(raft)};
    raft_send(raft, peer->id, raft->journal.hard_seq, &message, entries, count);
}

/* Who asks has forgotten entries that it acknowledged: they count no more. */
static void forget_match(struct replica *raft, struct raft_peer *peer) {
    if (raft->role == ROLE_LEADER && peer->member &&
        raft->options.mutant != MUTANT_FORGOT_IGNORED) {
        progress_reset(&peer->stream.progress, raft->journal.log.last + 1);
        raft_replicate(raft, peer);
    }
}

void raft_on_repair_fetch(struct replica *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_member(raft, message->from);
    if (peer == NULL || raft->journal.failed || message->first == 0)
        return;
    uint64_t first = message->first, last = message->last;
    if (last < first) { /* only the term and, from a leader, its last index are asked for */
        forget_match(raft, peer);
        answer(raft, peer, message->request, first, 0, NULL, 0);
        return;
    }
    bool on_disk = first < raft->journal.log.window_first;
    if (first <= raft->journal.log.before_index ||
        (on_disk && first <= journal_gone(&raft->journal))) {
        answer(raft, peer, message->request, first, RAFT_FLAG_GONE, NULL, 0);
        return;
    }
    if (last > raft->journal.log.last)
        last = raft->journal.log.last;
    for (uint32_t i = 0; i < raft->hole_count; i++)
        if (raft->holes[i].last >= first && raft->holes[i].first <= last)
            last = raft->holes[i].first > first ? raft->holes[i].first - 1 : first - 1;
    if (last < first) {
        answer(raft, peer, message->request, first, 0, NULL, 0);
    } else if (first >= raft->journal.log.window_first) {
        size_t count, bytes;
        const struct entry *entries = log_slice(&raft->journal.log, first, last,
                                                raft->options.append_bytes_max, &count, &bytes);
        answer(raft, peer, message->request, first, 0, entries, count);
    } else {
        peer->fetch_tag = ++raft->journal.load_tags;
        peer->fetch_nonce = message->request;
        struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_LOAD);
        effect->load.tag = peer->fetch_tag;
        effect->load.first = first;
        effect->load.last =
            last < raft->journal.log.window_first ? last : raft->journal.log.window_first - 1;
        effect->load.bytes_max = raft->options.append_bytes_max;
    }
}

void raft_repair_loaded(struct replica *raft, struct raft_peer *peer, enum cairn_status status,
                        const struct entry *entries, size_t count) {
    peer->fetch_tag = 0;
    if (status != CAIRN_OK || count == 0)
        return;
    struct entry *copy = journal_hold(&raft->journal, entries, count);
    answer(raft, peer, peer->fetch_nonce, entries[0].index, 0, copy, count);
}

/* ---- filling ---- */

static void fill_push(struct replica *raft, struct entry *entry, struct blob *frame) {
    if (raft->fill_count == raft->fill_cap) {
        raft->fill_cap = raft->fill_cap ? raft->fill_cap * 2 : 16;
        raft->fill = cairn_realloc(raft->fill, raft->fill_cap * sizeof *raft->fill);
    }
    entry->blob = frame;
    raft->fill[raft->fill_count++] = entry_ref(entry);
    raft->fill_bytes += entry->encoded.len;
}

/* The chain from the entry before to the entry behind closes over the right entries only. */
static bool fill_closes(const struct replica *raft, const struct raft_hole *hole) {
    uint64_t chain = hole->chain_before;
    for (size_t i = 0; i < raft->fill_count; i++) {
        if (!entry_chain_holds(&raft->fill[i], chain))
            return false;
        chain = raft->fill[i].chain;
    }
    return entry_chain_holds(&hole->behind, chain) ||
           raft->options.mutant == MUTANT_HOLE_FILLED_UNCHECKED;
}

static void fill_hole(struct replica *raft) {
    struct raft_hole *hole = &raft->holes[0];
    if (!fill_closes(raft, hole)) {
        outbox_trace(&raft->journal.out, 1,
                     "entries from %" PRIu64 " for the repair at %" PRIu64 " do not fit",
                     raft->repair_peer, hole->first);
        /* The leader's entries follow from ours before the damage, so ours behind it are not the
         * leader's: they go as in any conflict. */
        if (raft->repair_peer == raft->leader)
            give_up(raft);
        else
            ask_another(raft);
        return;
    }
    outbox_trace(&raft->journal.out, 1, "repaired entries %" PRIu64 "..%" PRIu64 " from %" PRIu64,
                 hole->first, hole->last, raft->repair_peer);
    struct entry *copy = outbox_scratch(&raft->journal.out, raft->fill_count * sizeof *copy);
    memcpy(copy, raft->fill, raft->fill_count * sizeof *copy);
    size_t count = raft->fill_count;
    raft_hole_fill(raft, hole, copy, count);
    drop_fill(raft);
    raft_persist(raft);
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_PERSIST);
    effect->persist.seq = ++raft->journal.persist_seq;
    effect->persist.entries = copy;
    effect->persist.count = count;
    effect->persist.repaired = true;
    raft->journal.repaired_seq = raft->journal.persist_seq;
    raft->journal.hard_seq =
        raft->journal.persist_seq; /* nothing is promised before it is durable */
    raft->repair_refused = 0;
    raft->repair_warned = false;
    raft->repair_at = raft->repair_peer_until = raft->now;
}

static void take_fill(struct replica *raft, struct raft_message *message, struct blob *frame) {
    struct raft_hole *hole = &raft->holes[0];
    if (message->from != raft->repair_peer || message->first != hole->first + raft->fill_count)
        return;
    for (uint32_t i = 0; i < message->count && message->entries[i].index <= hole->last; i++)
        fill_push(raft, &message->entries[i], frame);
    if (hole->first + raft->fill_count > hole->last) {
        fill_hole(raft);
    } else if (raft->fill_bytes > raft->options.window_bytes_max + raft->options.append_bytes_max) {
        give_up(raft);
    } else if (message->count > 0) {
        fetch_more(raft);
    } else {
        ask_another(raft);
    }
}

void raft_on_repair_entries(struct replica *raft, struct raft_message *message,
                            struct blob *frame) {
    struct raft_peer *peer = raft_peer(raft, message->from);
    if (peer == NULL || !may_be_asked(raft, peer) || message->request != raft->repair_nonce)
        return;
    if (raft->amnesia && !peer->term_told) {
        peer->term_told = true;
        peer->lease_told = message->more ? lease_limited(message->lease_ns) : 0;
        if (message->term > raft->term)
            raft_become_follower(raft, message->term, 0);
        raft_persist(raft);
        end_amnesia(raft);
    }
    if (raft->mending && message->flags & RAFT_FLAG_LEADER && message->term == raft->term &&
        raft->leader == message->from) {
        if (raft->mend_target == 0)
            raft->mend_target = message->last;
        raft_mend_advance(raft);
    }
    if (!raft_damaged(raft))
        return;
    bool leads = message->flags & RAFT_FLAG_LEADER && message->from == raft->leader &&
                 message->term == raft->term;
    if (leads && message->last < raft->holes[0].last) {
        give_up(raft); /* the leader has no such entries: ours are no part of its log */
        return;
    }
    if (message->flags & RAFT_FLAG_GONE) {
        /* A leader that trimmed the entries has a snapshot to offer. */
        if (leads) {
            give_up(raft);
            return;
        }
        raft->repair_refused |= 1ull << (peer - raft->peers);
        if (peer->id == raft->repair_peer)
            ask_another(raft);
        return;
    }
    take_fill(raft, message, frame);
}
