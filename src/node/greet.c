/* How a link begins: hellos, proofs of the shared secret (proof.h), facts (facts.c).
 *
 * Both sides say hello at once. When both hellos carry a nonce, the side that dialled proves the
 * secret first, and is answered with the other side's proof only when its own is right: a stranger
 * that dials gets nothing to guess the secret by. When only one has a nonce, the two go on without
 * proofs, or not at all, as the one with the secret wants it.
 */
#include "node/node_internal.h"

#include <string.h>

void link_greet(struct link *link) {
    struct node *node = link->node;
    if (link->state != LINK_HELLO || link->frames_out > 0 || link->only_looks)
        return;
    struct hello hello = {
        .wire_min = WIRE_VERSION_MIN,
        .wire_max = node->options.wire_version_max,
        .cluster = node->options.identity.cluster,
        .epoch = node->options.identity.epoch,
        .node = node->options.identity.node,
        .incarnation = node->options.identity.incarnation,
        .boot = node->boot,
        .expected = link->dialled && link->peer ? link->peer->id : 0,
        .has_secret = node->options.secrets.count > 0,
        .asks = node->options.secrets.count > 0 && !node->options.secrets.optional,
    };
    memcpy(hello.address, node->options.peer_address, sizeof hello.address);
    if (hello.has_secret)
        env_entropy(node->env, hello.nonce, sizeof hello.nonce);
    hello_encode(&link->hello_sent, &hello);
    link_send(link, LANE_CONTROL, FRAME_HELLO, 0, buf_view(&link->hello_sent), NULL, 0);
    link_flush(link);
}

/* Which node may not talk to us, and why; NULL: welcome. */
static const char *hello_refusal(const struct link *link, const struct hello *hello) {
    const struct node_options *options = &link->node->options;
    if (hello->cluster != options->identity.cluster)
        return "it belongs to another cluster";
    if (hello->node == options->identity.node)
        return "it claims to be this very node";
    if (hello->expected != 0 && hello->expected != options->identity.node)
        return "it wanted to reach another node";
    if (link->dialled && link->peer && link->peer->id != hello->node)
        return "it is not the node that was expected at this address";
    if (hello->wire_min > options->wire_version_max || hello->wire_max < WIRE_VERSION_MIN)
        return "no common wire version";
    if (options->secrets.count > 0 && !options->secrets.optional && !hello->has_secret)
        return "it has no secret, and this node asks for one (peer.secret_file)";
    if (options->secrets.count == 0 && hello->asks)
        return "it asks for a secret, and this node has none (peer.secret_file)";
    const struct link *live =
        peer_find(link->node, hello->node) ? peer_find(link->node, hello->node)->link : NULL;
    const struct member *member = node_member(link->node, hello->node);
    if (live != NULL && member != NULL && member->incarnation != 0 &&
        member->incarnation == live->hello.incarnation &&
        hello->incarnation != live->hello.incarnation)
        return "a live node with that id and the right data is connected (impostor)";
    return NULL;
}

/* What keeps a dialled peer's link from coming up is told in health. */
static void note_refusal(struct link *link, const char *refusal) {
    if (!link->dialled || link->peer == NULL || link->peer->refusal == refusal)
        return;
    link->peer->refusal = refusal;
    peers_tell_refusal(link->node);
}

static void refuse_link(struct link *link, const char *refusal) {
    link->node->counted.counters.links_refused++;
    node_log(link->node, 2, "refused a connection %s node %llu: %s", link->dialled ? "to" : "from",
             (unsigned long long)link->hello.node, refusal);
    note_refusal(link, refusal);
    link_drop(link, refusal);
}

void link_up(struct link *link) {
    struct node *node = link->node;
    link->state = LINK_UP;
    link->since_ns = env_now(node->env);
    node_log(node, 0, "link to node %llu is up, wire version %u",
             (unsigned long long)link->hello.node, link->wire_version);
    NODE_EACH_GROUP(group, node) {
        removal_tell(group, link);
        group_peer(group, EVENT_PEER_UP, link);
    }
}

/* ---- proofs ---- */

static void agree(struct link *link) {
    struct node *node = link->node;
    const char *refusal = epoch_refusal(node, link->hello.epoch);
    if (refusal != NULL) {
        refuse_link(link, refusal);
        return;
    }
    buf_free(&link->hello_sent);
    buf_free(&link->hello_got);
    link->wire_version = link->hello.wire_max < node->options.wire_version_max
                             ? link->hello.wire_max
                             : node->options.wire_version_max;
    if (link->wire_version < WIRE_VERSION_3) {
        if (peer_take_link(link))
            link_up(link);
        return;
    }
    link->state = LINK_FACTS;
    facts_send(link);
}

static void send_proof(struct link *link) {
    const struct buf *dialler = link->dialled ? &link->hello_sent : &link->hello_got;
    const struct buf *acceptor = link->dialled ? &link->hello_got : &link->hello_sent;
    uint8_t proof[PROOF_BYTES];
    proof_make(&link->node->options.secrets.of[0], link->dialled ? PROOF_DIALLER : PROOF_ACCEPTOR,
               buf_view(dialler), buf_view(acceptor), proof);
    link_send(link, LANE_CONTROL, FRAME_PROOF, 0, bytes_of(proof, sizeof proof), NULL, 0);
    link_flush(link);
}

static void take_proof(struct link *link, struct bytes proof) {
    const struct buf *dialler = link->dialled ? &link->hello_sent : &link->hello_got;
    const struct buf *acceptor = link->dialled ? &link->hello_got : &link->hello_sent;
    const struct peer_secrets *secrets = &link->node->options.secrets;
    enum proof_side theirs = link->dialled ? PROOF_ACCEPTOR : PROOF_DIALLER;
    const struct peer_secret *by =
        proof_find(secrets, theirs, buf_view(dialler), buf_view(acceptor), proof);
    if (by == NULL) {
        refuse_link(link, "its secret is another one (peer.secret_file)");
        return;
    }
    link->proved = true;
    link->proved_by = *by;
    if (!link->dialled)
        send_proof(link);
    agree(link);
}

void greet_ended(struct link *link, bool by_peer) {
    if (link->state == LINK_CONNECTING)
        note_refusal(link, NULL);
    if (link->state == LINK_PROOF && by_peer)
        note_refusal(link, "it does not take this node's secret (peer.secret_file)");
}

/* ---- what arrives ---- */

static void was_looked_for(struct link *link, const struct hello *hello) {
    struct node *node = link->node;
    bool found = hello->node == link->looks_for && hello->cluster == node->options.identity.cluster;
    uint64_t id = link->looks_for;
    link->looks_for = 0;
    link_drop(link, "it was only looked for");
    address_looked(node, id, found);
}

static void take_hello(struct link *link, struct bytes body) {
    struct hello hello;
    if (hello_decode(body, &hello) != CAIRN_OK) {
        link_malformed(link, "malformed hello");
        return;
    }
    if (link->only_looks) {
        was_looked_for(link, &hello);
        return;
    }
    const char *refusal = hello_refusal(link, &hello);
    link->hello = hello;
    if (refusal != NULL) {
        refuse_link(link, refusal);
        return;
    }
    link_greet(link);
    if (link->node->options.secrets.count == 0 || !hello.has_secret) {
        agree(link);
        return;
    }
    buf_bytes(&link->hello_got, body);
    link->state = LINK_PROOF;
    if (link->dialled)
        send_proof(link);
}

static void take_facts(struct link *link, struct bytes body) {
    const char *refusal = facts_refusal(link, body);
    if (refusal != NULL)
        refuse_link(link, refusal);
    else if (peer_take_link(link))
        founding_meet(link);
}

bool greet_take(struct link *link, enum frame_type type, struct bytes body) {
    static const struct {
        enum frame_type type;
        enum link_state state;
        void (*take)(struct link *link, struct bytes body);
    } greetings[] = {{FRAME_HELLO, LINK_HELLO, take_hello},
                     {FRAME_PROOF, LINK_PROOF, take_proof},
                     {FRAME_FACTS, LINK_FACTS, take_facts}};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        if (greetings[i].type != type)
            continue;
        if (greetings[i].state == link->state) {
            greetings[i].take(link, body);
        } else {
            link_malformed(link, "a greeting that has no place here");
        }
        return true;
    }
    return false;
}

/* ---- other secrets ---- */

static bool still_proved(const struct link *link) {
    const struct peer_secrets *secrets = &link->node->options.secrets;
    for (uint32_t i = 0; link->proved && i < secrets->count; i++)
        if (peer_secret_equal(&link->proved_by, &secrets->of[i]))
            return true;
    return !link->proved && (secrets->count == 0 || secrets->optional);
}

void node_set_secrets(struct node *node, const struct peer_secrets *secrets) {
    node->options.secrets = *secrets;
    LIST_EACH_SAFE(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        if (link->state == LINK_CONNECTING || link->only_looks)
            continue;
        bool greets = link->state < LINK_FACTS;
        if (greets || !still_proved(link))
            link_drop(link, greets ? "it began with former secrets"
                                   : "what it proved is no secret any more");
    }
    env_wake(node->env);
}
