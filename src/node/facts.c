/* What two nodes of version 3 tell each other before anything else, right behind the hello: from
 * which cluster their data is, and by which parameters their logs begin. A cluster's name and a
 * member's id are in a configuration file; these are in the data.
 *
 * FACTS: u64 cluster number, u64 hash of the founders' configuration, u64 largest value,
 * u32 session window; more may follow in later versions.
 */
#include "node/node_internal.h"

#include "base/bytes.h"

struct facts {
    uint64_t number;
    uint64_t founders;
    struct agreed_parameters own;
};

/* 0: this folder was made to join. */
static uint64_t founders_hash(const struct identity *identity) {
    struct buf bytes = {0};
    if (identity->founders.count == 0)
        return 0;
    config_encode(&bytes, &identity->founders);
    uint64_t hash = bytes_hash(buf_view(&bytes), 0) | 1;
    buf_free(&bytes);
    return hash;
}

void facts_send(struct link *link) {
    const struct identity *identity = &link->node->options.identity;
    struct buf body = {0};
    buf_u64(&body, identity->number);
    buf_u64(&body, founders_hash(identity));
    buf_u64(&body, identity->value_bytes_max);
    buf_u32(&body, identity->session_window);
    link_send(link, LANE_CONTROL, FRAME_FACTS, 0, buf_view(&body), NULL, 0);
    buf_free(&body);
    link_flush(link);
}

/* ---- another cluster of the same name ---- */

/* No group's configuration lists it, and all are known. */
static bool is_stranger(const struct node *node, uint64_t id) {
    NODE_EACH_GROUP(group, node)
    if (group->config.count == 0 || config_member(&group->config, id) != NULL)
        return false;
    return true;
}

static const char *foreign(const struct node *node, uint64_t id, const struct facts *facts) {
    const struct identity *identity = &node->options.identity;
    if (facts->number != 0 && identity->number != 0 && facts->number != identity->number)
        return "its data is from another cluster of the same name";
    uint64_t founders = founders_hash(identity);
    /* Once one of them knows a number, that tells; a lost disk may have been founded anew. But a
     * stranger would take our word for its disk's having been replaced. */
    bool differs = facts->number == 0 && facts->founders != 0 && facts->founders != founders;
    if (differs && (identity->number == 0 ? founders != 0 : is_stranger(node, id)))
        return "its cluster was founded with other members: cluster.members must be the same on "
               "all nodes that found a cluster";
    return NULL;
}

/* ---- parameters before any were agreed ---- */

static bool all_agreed(const struct node *node) {
    NODE_EACH_GROUP(group, node)
    if (group->stack.agreed.parameters.revision == 0)
        return false;
    return true;
}

static bool adopt(struct node *node, const struct agreed_parameters *theirs) {
    struct identity *identity = &node->options.identity;
    struct identity before = *identity;
    identity->value_bytes_max = theirs->value_bytes_max;
    identity->session_window = theirs->session_window;
    if (!node_store_identity(node)) {
        *identity = before;
        return false;
    }
    NODE_EACH_GROUP(group, node)
    stack_set_own(&group->stack, theirs);
    return true;
}

/* Entries that precede the agreed parameters are executed by those that the cluster was founded
 * with: a node that joins takes them over, and founders must have the same. What another node that
 * joins has means nothing. */
static const char *differing(struct node *node, const struct facts *facts) {
    const struct identity *identity = &node->options.identity;
    bool they_join = facts->founders == 0 && facts->number == 0;
    if ((facts->own.value_bytes_max == identity->value_bytes_max &&
         facts->own.session_window == identity->session_window) ||
        they_join || all_agreed(node))
        return NULL;
    bool joins = identity->founders.count == 0 || facts->number != 0;
    if (node_holds_nothing(node) && joins)
        return adopt(node, &facts->own) ? NULL : "this node's identity can't be written now";
    return "its cluster was founded with other settings: session.window and redis.value_max_mb "
           "must be the same on all nodes that found a cluster";
}

static bool decode(struct bytes body, struct facts *facts) {
    struct reader reader = reader_of(body);
    facts->number = read_u64(&reader);
    facts->founders = read_u64(&reader);
    facts->own.value_bytes_max = read_u64(&reader);
    facts->own.session_window = read_u32(&reader);
    return !reader.bad && facts->own.value_bytes_max > 0 && facts->own.session_window > 0 &&
           facts->own.value_bytes_max <= AGREED_VALUE_BYTES_MAX &&
           facts->own.session_window <= AGREED_WINDOW_MAX;
}

const char *facts_refusal(struct link *link, struct bytes body) {
    struct facts facts = {0};
    if (!decode(body, &facts))
        return "malformed facts";
    const char *refusal = foreign(link->node, link->hello.node, &facts);
    if (refusal == NULL)
        refusal = differing(link->node, &facts);
    link->number = facts.number;
    return refusal;
}

/* Said once: a configuration file that does not tell the truth is worth a line. */
static void warn_settings(struct node *node) {
    const struct node_options *options = &node->options;
    if (node->settings_compared || !all_agreed(node))
        return;
    node->settings_compared = true;
    NODE_EACH_GROUP(group, node) {
        const struct agreed_parameters *in_force = &group->stack.agreed.parameters;
        if (in_force->session_window != options->session_window ||
            in_force->value_bytes_max != options->value_bytes_max)
            node_log(node, 2,
                     "%s keeps the parameters that the cluster agreed upon (session-window %u, "
                     "value-max-mb %llu), not those of this node's configuration; they are changed "
                     "by CAIRN.PARAMETER SET",
                     options->keyspaces[group->keyspace].name, in_force->session_window,
                     (unsigned long long)(in_force->value_bytes_max >> 20));
    }
}

/* ---- the number was drawn, or learnt ---- */

void facts_turn(struct node *node, uint64_t now) {
    warn_settings(node);
    struct identity *identity = &node->options.identity;
    uint64_t number = node->groups[0]->stack.agreed.cluster_number;
    if (number == 0 || number == identity->number || node->failed || now < node->number_retry_ns)
        return;
    if (identity->number != 0) {
        node_fail(node, CAIRN_CORRUPT, "this folder's log is from another cluster");
        return;
    }
    identity->number = number;
    node->number_retry_ns = 0;
    if (!node_store_identity(node)) {
        identity->number = 0;
        node->number_retry_ns = now + IDENTITY_RETRY_NS;
    }
    LIST_EACH_SAFE(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        if ((link->state == LINK_FOUNDING || link->state == LINK_UP) && link->number != 0 &&
            link->number != number)
            link_drop(link, "its data is from another cluster of the same name");
    }
}
