/* What a node takes in one go, keeps under way, or waits for, where no setting says so. Constants,
 * but in the simulator, which makes some of them small (base/rare.h).
 */
#ifndef CAIRN_NODE_LIMITS_H
#define CAIRN_NODE_LIMITS_H

#include "base/rare.h"

#define LINK_PIECES_MAX 48u /* of a frame */

/* Of a link, set when it begins. */
struct link_limits {
    uint32_t frame_bytes; /* of a message of the bulk lane that go in one frame */
    uint32_t queued_max;  /* the kernel and the env hold at most about so much of the bulk lane at a
                           * time, so that a control frame has little to wait behind */
    uint32_t pieces_max;  /* of a frame */
    uint64_t hello_ns;    /* until it must be up */
    uint64_t silence_ns;
};

/* Of a node, set when it opens. */
struct node_limits {
    uint64_t dial_patience_ns; /* the lower id lets the higher one dial first */
    size_t forward_batch_bytes;
    size_t unsent_max; /* a leader that reads slowly is not sent more: what has not left is surely
                        * not executed */
    uint64_t refused_retry_ns;
    size_t proposals_max;    /* in one event */
    uint32_t due_inflight;   /* batches, so that millions of keys may end at once without a round
                              * trip for each */
    uint32_t ends_under_way; /* of lives */
    uint64_t signs_ns;       /* signs of life are gathered for so long */
    uint32_t uploads;        /* long commands of a node that are on their way */
    uint32_t upload_pieces;  /* of one of them */
    size_t tidy_budget;      /* in one turn */
    uint64_t aim_retry_ns;
    /* What is copied into answers in one turn, but for one answer more: of clients that were
     * answered at length before, and of all. */
    size_t turn_bytes_long, turn_bytes_max;
    size_t long_answer_bytes;
    uint64_t read_retry_ns;
    uint64_t due_patience_ns;
    uint64_t long_slice_ns;
    uint32_t long_at_once;
    size_t gathered_each;           /* by a long read that may not be the only one */
    uint32_t snapshot_slice_chunks; /* a background job, so that log reads get their turn between */
    size_t snapshot_chunk_bytes;
    size_t send_chunk_bytes;
    uint32_t send_chunks; /* under way */
    uint64_t compare_every_ns;
    uint64_t scrub_every_ns;
    size_t scrub_bytes;
};

struct link_limits link_limits(struct rare *rare);
struct node_limits node_limits(struct rare *rare);

#endif
