/* What leaves a machine for another: a promise leaves only when it is durable, and no two promises
 * that exclude each other leave at all. Looked at as bytes on a connection, so that it also holds
 * of what the executor does with what the protocol gave it. */
#include "sim/sim_oracle.h"

#include "node/frame.h"

typedef unsigned long long ull;

/* That a replica wanted to lead a term itself, its disk may lose: nothing is an answer to it then.
 */
static bool is_forgotten(const struct oracle_replica *replica, uint64_t to) {
    return to == replica->node->id && !oracle_image_holds(replica);
}

/* One voice a term, whatever the disk lost meanwhile, until the node goes by another folder. */
static void one_voice(struct oracle_replica *replica, uint64_t term, uint64_t to) {
    uint32_t count = replica->vote_count < ORACLE_VOTES ? replica->vote_count : ORACLE_VOTES;
    for (uint32_t i = 0; i < count; i++) {
        if (replica->votes[i].term != term ||
            replica->votes[i].incarnation != replica->node->incarnation)
            continue;
        if (is_forgotten(replica, replica->votes[i].to))
            replica->votes[i].to = to;
        else if (replica->votes[i].to != to)
            oracle_fail(replica, "one voice in a term: for %llu in term %llu, in which %llu had it",
                        (ull)to, (ull)term, (ull)replica->votes[i].to);
        return;
    }
    uint32_t at = replica->vote_count++ % ORACLE_VOTES;
    replica->votes[at].term = term;
    replica->votes[at].incarnation = replica->node->incarnation;
    replica->votes[at].to = to;
}

/* What is left of a promise must outlive a crash now. What waited for a disk that hung may be over,
 * and a shorter one in its place. */
static void length_is_durable(struct oracle_replica *replica, uint64_t to) {
    uint64_t now = sim_host_clock(&replica->node->host), until = replica->promises[to].until;
    uint64_t left = until > now ? until - now : 0;
    if (left > replica->image.hard.lease_ns)
        oracle_fail(replica,
                    "a promise is told only when its length is durable: %llu us are left, and the "
                    "disk has %llu us",
                    (ull)(left / SIM_US), (ull)(replica->image.hard.lease_ns / SIM_US));
}

static void hard_covers(struct oracle_replica *replica, const struct claim *claim,
                        uint64_t receiver) {
    const struct promise *hard = &replica->image.hard;
    if (claim->term > hard->term)
        oracle_fail(replica, "a term is told only when it is durable: %llu, and the disk has %llu",
                    (ull)claim->term, (ull)hard->term);
    else if (claim->vote != 0 && claim->term == hard->term && hard->vote != claim->vote)
        oracle_fail(replica,
                    "a voice is told only when it is durable: for %llu in term %llu, and the disk "
                    "has it for %llu",
                    (ull)claim->vote, (ull)claim->term, (ull)hard->vote);
    if (claim->lease_ns > 0)
        length_is_durable(replica, receiver);
}

/* What the leader of the term has at that index, if it lives and still leads. */
static bool leaders_chain(struct sim_oracle *oracle, uint32_t keyspace, uint64_t leader,
                          uint64_t term, uint64_t index, uint64_t *chain) {
    const struct oracle_replica *replica = &oracle->replicas[leader][keyspace];
    return replica->inner != NULL && replica->seen.role == ROLE_LEADER &&
           replica->seen.term == term && replica->protocol->chain_at(replica->inner, index, chain);
}

static void log_covers(struct sim_oracle *oracle, struct oracle_replica *replica,
                       const struct claim *claim, uint64_t to) {
    const struct oracle_log *log = &replica->image.log;
    struct oracle_point point;
    uint64_t chain;
    if (claim->term < replica->image.hard.term)
        return; /* it follows another since, and may have cut what this speaks of */
    if (claim->durable > log->last && claim->durable > replica->image.snapshot)
        oracle_fail(replica,
                    "entries are acknowledged only when they are durable: up to %llu, and the disk "
                    "has them up to %llu",
                    (ull)claim->durable, (ull)log->last);
    else if (claim->matches && oracle_log_at(log, claim->durable, &point) &&
             leaders_chain(oracle, replica->keyspace, to, claim->term, claim->durable, &chain) &&
             chain != point.chain)
        oracle_fail(replica,
                    "only the leader's own entries are acknowledged: %llu is another than %llu has",
                    (ull)claim->durable, (ull)to);
}

static void message_leaves(struct sim_oracle *oracle, struct sim_node *node, uint64_t to,
                           uint32_t keyspace, struct bytes body) {
    struct claim claim;
    struct oracle_replica *replica = &oracle->replicas[node->id][keyspace];
    if (replica->protocol == NULL || !replica->protocol->view->claim(body, node->id, to, &claim))
        return;
    if (claim.vote != 0)
        one_voice(replica, claim.term, claim.vote);
    if (claim.commit > oracle->keyspaces[keyspace].committed)
        oracle_fail(replica, "only what is committed is told as committed: %llu, and it is %llu",
                    (ull)claim.commit, (ull)oracle->keyspaces[keyspace].committed);
    if (!oracle_image_holds(replica))
        return;
    hard_covers(replica, &claim, to);
    log_covers(oracle, replica, &claim, to);
}

/* Every write holds whole frames. Of a message in several frames the first has its head. */
static void leaves(void *context, struct sim_end *end, unsigned to, const uint8_t *data,
                   size_t len) {
    struct sim_oracle *oracle = context;
    struct frame_head head;
    if (end->host->id > SIM_NODES_MAX || to > SIM_NODES_MAX || to == 0)
        return;
    for (size_t at = 0; len - at >= FRAME_HEAD_BYTES;) {
        if (frame_decode_head(data + at, &head) != CAIRN_OK ||
            head.payload_len > len - at - FRAME_HEAD_BYTES)
            return;
        uint32_t *left = &end->message_left[head.lane];
        bool first = *left == 0;
        *left = (first ? head.message_len : *left) - head.payload_len;
        uint64_t keyspace = head.group - NODE_GROUP_OF(0);
        if (first && head.type == FRAME_PROTOCOL && keyspace < SIM_KEYSPACES_MAX)
            message_leaves(oracle, &oracle->cluster->nodes[end->host->id], to, (uint32_t)keyspace,
                           bytes_of(data + at + FRAME_HEAD_BYTES, head.payload_len));
        at += FRAME_HEAD_BYTES + head.payload_len;
    }
}

void oracle_leave_watch(struct sim_oracle *oracle) {
    oracle->cluster->net.leaves = leaves;
    oracle->cluster->net.leaves_context = oracle;
}
