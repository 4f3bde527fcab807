/* Long commands travel in pieces: the node whose client sent one puts it into the log in entries of
 * at most piece_bytes, with other entries between them, and then a last small one that executes the
 * whole (node/staging.h). So no entry is large, and nothing that carries entries stands still for
 * one: disks, links, heartbeats.
 *
 * The order of a client's requests holds: what it asked for behind a long command waits until that
 * one's last entry has left. Until then the command was surely not executed, whatever becomes of
 * its pieces, which are sent as often as it takes. If they are gone when the last entry is applied,
 * it executes nothing and all is sent anew.
 */
#ifndef CAIRN_NODE_UPLOAD_H
#define CAIRN_NODE_UPLOAD_H

#include "node/stack.h"

struct group;
struct request;

#define ENVELOPE_HEAD_MAX 24u

struct upload {
    struct request *request; /* NULL: it has ended; pieces under way come back */
    struct group *group;
    struct upload_id id;
    uint8_t head[ENVELOPE_HEAD_MAX]; /* a piece of its own, then those made of the parts */
    size_t head_len;
    struct command_part *parts; /* owned, with their buffers */
    size_t part_count;
    size_t part, part_at; /* where the next piece begins */
    size_t sent;          /* bytes given to the log */
    uint32_t under_way;   /* pieces */
    uint32_t attempts;
    struct buf last; /* the entry that executes the whole */
};

/* So long a command goes in pieces now. */
bool upload_wanted(const struct group *group, size_t len);
/* A request that was made just now goes in pieces from here on. It consists of the parts behind
 * `head`; their buffers are taken over, and one without a buffer lies in the request. */
void upload_begin(struct group *group, struct request *request, struct bytes head,
                  struct command_part *parts, size_t count);
/* Its last entry was applied without its pieces: all of it is sent anew. */
void upload_again(struct group *group, struct request *request);
/* The request ends; executed: its last entry was, so nothing is left of it in the log. */
void upload_end(struct request *request, bool executed);
/* Gives the log what it may have of each. */
void group_uploads_turn(struct group *group);
/* The client of this request has a long command before it whose last entry has not left. */
bool upload_before(const struct group *group, const struct request *request);

#endif
