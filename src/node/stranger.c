/* What connections may take of a node whose other side is no member, as far as it is known.
 *
 * Until a link is up only greetings are read, which are short and have three seconds; of accepted
 * links that still greet, the oldest makes room for the next. Then a node that is no member may say
 * what members say: it joins, or leads already by a configuration that is not known here yet. So
 * its messages are not cut short, but all that strangers have begun to send is bounded: the message
 * that was begun first goes, with its link, and none may take for ever. A link that proved the
 * secret is no stranger.
 */
#include "node/node_internal.h"

#define STRANGERS_GREETING PEERS_MAX
#define STRANGERS_BYTES_MAX (8u << 20)
#define STRANGER_PATIENCE_NS 10000000000ull
#define STRANGER_SLOWEST (64u << 10) /* bytes a second, behind that */

static bool is_stranger(const struct link *link) {
    return !link->proved && node_member(link->node, link->hello.node) == NULL;
}

static bool greets(const struct link *link) {
    return !link->dialled &&
           (link->state == LINK_HELLO || link->state == LINK_PROOF || link->state == LINK_FACTS);
}

void strangers_make_place(struct node *node) {
    struct link *oldest = NULL;
    size_t count = 0;
    LIST_EACH(item, &node->links) { /* oldest first */
        struct link *link = container_of(item, struct link, list);
        if (!greets(link))
            continue;
        count++;
        oldest = oldest == NULL ? link : oldest;
    }
    if (count >= STRANGERS_GREETING)
        link_drop(oldest, "others wait to say hello");
}

/* ---- messages that are not whole yet ---- */

static size_t bytes_begun(const struct link *link, uint64_t *since_ns) {
    size_t bytes = 0;
    *since_ns = UINT64_MAX;
    for (int lane = 0; lane < 2; lane++) {
        const struct assembly *assembly = &link->assembly[lane];
        if (assembly->blob == NULL)
            continue;
        bytes += assembly->blob->len;
        if (assembly->began_ns < *since_ns)
            *since_ns = assembly->began_ns;
    }
    return bytes;
}

/* Of all other strangers; first: whose message was begun first, NULL: none has begun one. */
static size_t others_begun(const struct link *but, struct link **first) {
    uint64_t earliest = UINT64_MAX, since;
    size_t bytes = 0;
    *first = NULL;
    LIST_EACH(item, &but->node->links) {
        struct link *link = container_of(item, struct link, list);
        if (link == but || link->state != LINK_UP || !is_stranger(link))
            continue;
        bytes += bytes_begun(link, &since);
        if (since < earliest) {
            earliest = since;
            *first = link;
        }
    }
    return bytes;
}

void strangers_make_room(struct link *link, const struct frame_head *head) {
    struct link *first;
    if (head->message_len == head->payload_len || !is_stranger(link))
        return;
    while (others_begun(link, &first) + head->message_len > STRANGERS_BYTES_MAX && first != NULL)
        link_drop(first, "too many unfinished messages of nodes that are no members");
}

void stranger_tick(struct link *link, uint64_t now) {
    uint64_t since, bytes = bytes_begun(link, &since);
    uint64_t patience = STRANGER_PATIENCE_NS + bytes / STRANGER_SLOWEST * 1000000000u;
    if (bytes > 0 && now > since && now - since > patience && is_stranger(link))
        link_drop(link, "a message of a node that is no member takes too long");
}
