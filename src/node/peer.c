/* Which peers there are, and one link to each. */
#include "node/node_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define DIAL_FIRST_NS 20000000ull     /* after a link was lost */
#define DIAL_SLOWEST_NS 1000000000ull /* back-off's end */
#define PING_NS 1000000000ull
#define TICK_NS 100000000ull

struct peer *peer_find(struct node *node, uint64_t id) {
    for (int i = 0; i < PEERS_MAX; i++)
        if (node->peers[i].id == id && id != 0)
            return &node->peers[i];
    return NULL;
}

struct link *peer_link(const struct node *node, uint64_t id) {
    const struct peer *peer = peer_find((struct node *)(uintptr_t)node, id);
    bool up = peer != NULL && peer->link != NULL && peer->link->state == LINK_UP;
    return up ? peer->link : NULL;
}

static bool peer_idle(const struct peer *peer) {
    return !peer->wanted && peer->link == NULL && peer->dialling == NULL;
}

/* A stranger that is neither wanted nor linked any more gives its place back. */
static void peer_forget_idle(struct node *node) {
    for (int i = 0; i < PEERS_MAX; i++)
        if (node->peers[i].id != 0 && peer_idle(&node->peers[i]))
            node->peers[i] = (struct peer){0};
}

static struct peer *peer_add(struct node *node, uint64_t id) {
    struct peer *peer = peer_find(node, id);
    if (peer == NULL)
        peer_forget_idle(node);
    for (int i = 0; peer == NULL && i < PEERS_MAX; i++)
        if (node->peers[i].id == 0) {
            peer = &node->peers[i];
            *peer = (struct peer){.id = id};
        }
    return peer;
}

/* The places are for members first. */
static void make_place(struct node *node) {
    for (int i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->link == NULL || node_member(node, peer->id) != NULL)
            continue;
        link_drop(peer->link, "a member needs its place");
        return;
    }
}

static uint64_t dial_delay(struct node *node, const struct peer *peer) {
    uint64_t delay = DIAL_FIRST_NS << (peer->failures < 6 ? peer->failures : 6);
    if (delay > DIAL_SLOWEST_NS)
        delay = DIAL_SLOWEST_NS;
    if (node->options.identity.node < peer->id)
        delay += node->limits.dial_patience_ns;
    return delay + prng_below(&node->prng, delay);
}

static void want(struct node *node, uint64_t id, const char *address) {
    if (id == node->options.identity.node)
        return;
    struct peer *peer = peer_add(node, id);
    if (peer == NULL) {
        make_place(node);
        peer = peer_add(node, id);
    }
    if (peer == NULL)
        return;
    if (strcmp(peer->address, address) != 0)
        memcpy(peer->address, address, sizeof peer->address);
    peer->wanted = true;
}

void peers_configure(struct node *node) {
    bool known = false;
    for (int i = 0; i < PEERS_MAX; i++)
        node->peers[i].wanted = false;
    NODE_EACH_GROUP(group, node) {
        const struct config *config = &group->config;
        known |= config->count > 0;
        for (uint32_t i = 0; i < config->count; i++)
            want(node, config->members[i].id, config->members[i].address);
    }
    if (!known)
        for (uint32_t i = 0; i < node->options.seed_count; i++)
            want(node, node->options.seeds[i].id, node->options.seeds[i].address);
    peer_forget_idle(node);
    node->peers_at_ns = 0;
}

/* Two links to one peer: the one from its newest start wins; of two from the same start, the one
 * that the higher id dialled, so that both sides choose alike. */
static bool newer_wins(const struct link *old, const struct link *fresh) {
    if (old->hello.boot != fresh->hello.boot)
        return true;
    const struct node *node = fresh->node;
    bool higher_dialled = fresh->dialled == (node->options.identity.node > fresh->hello.node);
    bool old_same_way = old->dialled == fresh->dialled;
    return higher_dialled || old_same_way;
}

bool peer_take_link(struct link *link) {
    struct node *node = link->node;
    struct peer *peer = peer_add(node, link->hello.node);
    if (peer == NULL) {
        link_drop(link, "too many peers");
        return false;
    }
    if (peer->link != NULL && !newer_wins(peer->link, link)) {
        link_drop(link, "a link to that node is up already");
        return false;
    }
    if (peer->link != NULL) {
        link_drop(peer->link, "a newer link to that node came up");
        peer = peer_add(node, link->hello.node); /* its place may have been given back */
        cairn_assert(peer != NULL && peer->link == NULL);
    }
    if (link->dialled)
        peer->dialling = NULL;
    if (peer->address[0] == 0)
        memcpy(peer->address, link->hello.address, sizeof peer->address);
    if (strcmp(peer->announced, link->hello.address) != 0) {
        memcpy(peer->announced, link->hello.address, sizeof peer->announced);
        peer->check.at_ns = 0;
    }
    link->peer = peer;
    peer->link = link;
    peer->failures = 0;
    peer->refusal = NULL;
    peers_tell_refusal(node);
    return true;
}

void peers_tell_refusal(struct node *node) {
    node->refused[0] = 0;
    for (int i = 0; i < PEERS_MAX && node->refused[0] == 0; i++)
        if (node->peers[i].id != 0 && node->peers[i].refusal != NULL)
            snprintf(node->refused, sizeof node->refused, "no leader: no link to node %llu: %s",
                     (unsigned long long)node->peers[i].id, node->peers[i].refusal);
}

void peer_forget_link(struct link *link) {
    struct peer *peer = link->peer;
    if (peer != NULL && peer->link == link)
        peer->link = NULL;
    if (peer != NULL && peer->dialling == link)
        peer->dialling = NULL;
    link->peer = NULL;
}

void peer_lose_link(struct link *link) {
    struct peer *peer = link->peer;
    struct node *node = link->node;
    if (peer == NULL)
        return;
    bool was_up = peer->link == link && link->state == LINK_UP;
    peer->failures += peer->dialling == link;
    peer->dial_at_ns = env_now(node->env) + dial_delay(node, peer);
    peer_forget_link(link);
    if (was_up) {
        NODE_EACH_GROUP(group, node) {
            forward_link_lost(group, link);
            snapshot_send_link_lost(group, link->hello.node);
            group_peer(group, EVENT_PEER_DOWN, link);
        }
    }
    node->peers_at_ns = 0;
}

static void link_tick(struct link *link, uint64_t now) {
    if (link->state == LINK_CONNECTING || link->state == LINK_HELLO || link->state == LINK_PROOF ||
        link->state == LINK_FACTS) {
        if (now - link->since_ns > link->limits.hello_ns)
            link_drop(link, "no hello in time");
    } else if (link->state == LINK_FOUNDING || link->state == LINK_UP) {
        if (now > link->heard_ns && now - link->heard_ns > link->limits.silence_ns)
            link_drop(link, "silent for too long");
        else if (now > link->sent_ns && now - link->sent_ns > PING_NS)
            link_send(link, LANE_CONTROL, FRAME_PING, 0, bytes_of(NULL, 0), NULL, 0);
        stranger_tick(link, now);
        if (link->state == LINK_UP && rare_hit(link->node->options.rare, RARE_LINK_ENDS))
            link_drop(link, "for once");
    }
}

uint64_t peers_tick(struct node *node, uint64_t now) {
    if (now < node->peers_at_ns)
        return node->peers_at_ns;
    LIST_EACH_SAFE(item, &node->links)
    link_tick(container_of(item, struct link, list), now);
    for (int i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->id == 0 || !peer->wanted || peer->link != NULL || peer->dialling != NULL)
            continue;
        if (peer->dial_at_ns == 0)
            peer->dial_at_ns =
                now + (node->options.identity.node < peer->id ? node->limits.dial_patience_ns : 0);
        if (now >= peer->dial_at_ns)
            peer->dialling = link_dial(node, peer);
    }
    node->peers_at_ns = now + TICK_NS;
    return node->peers_at_ns;
}

void peers_flush(struct node *node) {
    LIST_EACH_SAFE(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        link_greet(link);
        link_flush(link);
    }
}
