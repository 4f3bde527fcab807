/* What operators ask of a node in words: members and leadership. One grammar and one set of answers
 * for every door; each door decides which requests it lets through. No I/O.
 */
#ifndef CAIRN_NODE_ASK_H
#define CAIRN_NODE_ASK_H

#include "node/node.h"

enum node_ask_kind {
    NODE_ASK_MEMBERS, /* member list: node_members_list answers it at once */
    NODE_ASK_CHANGES, /* member status: node_members_barrier, then node_members_status */
    NODE_ASK_OPERATE  /* changes something: node_operate */
};

struct node_ask {
    enum node_ask_kind kind;
    enum node_operation operation; /* of NODE_ASK_OPERATE, with its arguments: */
    uint64_t id;
    char address[CONFIG_ADDRESS_MAX];
};

/* words: "member" or "leader", then what those take, in any case. NULL, or what is wrong with them:
 * an error's text, static. */
const char *node_ask_parse(const struct bytes *words, size_t count, struct node_ask *ask);

/* Replies. The keyspace's members: an array a member of id, address, "voter" or "learner", "leader"
 * or "follower". */
void node_members_list(const struct node *node, uint32_t keyspace, struct buf *reply);
/* The change of members under way and the last ends: a text a line. known: this node has heard of
 * all that others know. */
void node_members_status(const struct node *node, bool known, struct buf *reply);

#endif
