/* Where members really are. A node says in its hello at which address it listens. Where that is not
 * what the configuration has, the first keyspace's leader looks: when no node of that id answers at
 * the recorded address, and one does at the announced, that is recorded, as if an operator had
 * moved the member. A look is a connection on which only the other side says hello.
 *
 * A peer is dialled at each address that is known for it, in turn: the recorded one, the one it
 * announced, and the one that this node was started with (cluster.members).
 */
#include "node/node_internal.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_PATIENCE_NS 3000000000ull
#define LOOK_AGAIN_NS 30000000000ull
#define MOVE_AGAIN_NS 1000000000ull /* one change of members at a time */

/* Others can dial it: a host that is no wildcard, and a port. */
static bool is_usable(const char *address) {
    const char *colon = strrchr(address, ':');
    static const char *const wildcards[] = {"", "*", "0.0.0.0", "::", "[::]"};
    if (colon == NULL || strtol(colon + 1, NULL, 10) <= 0)
        return false;
    for (size_t i = 0; i < sizeof wildcards / sizeof *wildcards; i++)
        if (strlen(wildcards[i]) == (size_t)(colon - address) &&
            memcmp(wildcards[i], address, (size_t)(colon - address)) == 0)
            return false;
    return true;
}

static const char *seed_of(const struct node *node, uint64_t id) {
    for (uint32_t i = 0; i < node->options.seed_count; i++)
        if (node->options.seeds[i].id == id)
            return node->options.seeds[i].address;
    return "";
}

const char *address_to_dial(const struct node *node, const struct peer *peer) {
    const char *known[3] = {peer->address};
    uint32_t count = 1;
    const char *others[] = {peer->announced, seed_of(node, peer->id)};
    for (size_t i = 0; i < 2; i++)
        if (others[i][0] != 0 && strcmp(others[i], peer->address) != 0 &&
            (count < 2 || strcmp(others[i], known[1]) != 0))
            known[count++] = others[i];
    return known[peer->failures % count];
}

/* ---- looking ---- */

static struct address_check *check_of(struct node *node, uint64_t id) {
    struct peer *peer = peer_find(node, id);
    if (id == node->options.identity.node)
        return &node->own_address;
    return peer == NULL ? NULL : &peer->check;
}

static void move(struct node *node, uint64_t id, const char *address) {
    struct wishes wishes = {0};
    if (wishes_add(&wishes, id, WISH_ROLE_KEPT, bytes_cstr(address)) != CAIRN_OK)
        return;
    node_log(node, 1, "member %llu is at %s now: that is to be recorded", (unsigned long long)id,
             address);
    operator_wish(node, &wishes);
}

static const char *announced_by(struct node *node, uint64_t id) {
    const struct peer *peer = peer_find(node, id);
    if (id == node->options.identity.node)
        return node->options.peer_address;
    return peer == NULL ? "" : peer->announced;
}

void address_looked(struct node *node, uint64_t id, bool found) {
    struct address_check *check = check_of(node, id);
    uint64_t now = env_now(node->env);
    if (check == NULL)
        return;
    bool of_recorded = !check->recorded_fails;
    check->link = NULL;
    check->at_ns = now + LOOK_AGAIN_NS;
    check->recorded_fails = false;
    bool own = id == node->options.identity.node; /* it listens there: that was seen at the start */
    if (of_recorded && !found && !own) {
        check->recorded_fails = true;
        check->at_ns = now;
    } else if ((of_recorded && !found) || (!of_recorded && found)) {
        check->at_ns = now + MOVE_AGAIN_NS;
        move(node, id, announced_by(node, id));
    }
    env_wake(node->env);
}

static void look(struct node *node, const struct member *member, uint64_t now) {
    struct address_check *check = check_of(node, member->id);
    const struct peer *peer = peer_find(node, member->id);
    bool own = member->id == node->options.identity.node;
    const char *announced = announced_by(node, member->id);
    if (check == NULL || (!own && peer->link == NULL) || !is_usable(announced) ||
        strcmp(announced, member->address) == 0)
        return;
    if (check->link != NULL && now - check->link->since_ns > LOOK_PATIENCE_NS)
        link_drop(check->link, "no node says hello there");
    else if (check->link == NULL && now >= check->at_ns)
        check->link =
            link_look(node, member->id, check->recorded_fails ? announced : member->address);
}

void addresses_turn(struct node *node, uint64_t now) {
    const struct group *first = node->groups[0];
    const struct config *config = &first->config;
    bool looks = first->role == ROLE_LEADER && first->applied_term == first->term &&
                 first->stack.agreed.version >= WIRE_VERSION_3 && first->stack.aims->now.id == 0 &&
                 !config->joint && !node->stopping && !node->failed;
    for (uint32_t i = 0; looks && i < config->count; i++)
        look(node, &config->members[i], now);
}
