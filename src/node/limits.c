#include "node/limits.h"

#include "node/frame.h"
#include "storage/snapshot.h"

#define MS 1000000ull
#define SMALL_BYTES 150u
#define HELLO_NS 3000000000ull
#define HELLO_SHORT_NS 150000000ull
#define SILENCE_NS 5000000000ull
#define SILENCE_SHORT_NS 1300000000ull /* hardly more than a link is silent when all is well */
#define QUEUED_MAX (2u * FRAME_PAYLOAD_MAX)

static void open_links(struct node_limits *limits, struct rare *rare) {
    limits->dial_patience_ns = rare_limit(rare, RARE_DIAL_AT_ONCE, 0, 300 * MS);
    limits->forward_batch_bytes = rare_limit(rare, RARE_FORWARD_ALONE, 0, 256u << 10);
    limits->unsent_max = rare_limit(rare, RARE_FORWARD_SHORT, SMALL_BYTES, 8u << 20);
    limits->refused_retry_ns = rare_limit(rare, RARE_REFUSED_RETRY_LATE, 80 * MS, 5 * MS);
}

static void open_requests(struct node_limits *limits, struct rare *rare) {
    limits->proposals_max = rare_limit(rare, RARE_PROPOSE_ONE, 1, 4096);
    limits->due_inflight = (uint32_t)rare_limit(rare, RARE_DUE_ONE, 1, 8);
    limits->ends_under_way = (uint32_t)rare_limit(rare, RARE_ENDS_ONE, 1, 1000);
    limits->signs_ns = rare_limit(rare, RARE_SIGNS_AT_ONCE, 0, 50 * MS);
    limits->uploads = (uint32_t)rare_limit(rare, RARE_UPLOAD_ALONE, 1, 4);
    limits->upload_pieces = (uint32_t)rare_limit(rare, RARE_UPLOAD_WINDOW_ONE, 1, 8);
    limits->tidy_budget = rare_limit(rare, RARE_TIDY_ONE, 1, 256);
    limits->aim_retry_ns = rare_limit(rare, RARE_AIM_RETRY_SOON, 2 * MS, 50 * MS);
}

static void open_reads(struct node_limits *limits, struct rare *rare) {
    bool turn_short = rare_hit(rare, RARE_READ_TURN_SHORT);
    limits->turn_bytes_long = turn_short ? 1 : 8u << 20;
    limits->turn_bytes_max = turn_short ? SMALL_BYTES : 64u << 20;
    limits->long_answer_bytes = rare_limit(rare, RARE_READ_ALL_LONG, 0, 64u << 10);
    limits->read_retry_ns = rare_limit(rare, RARE_READ_RETRY_LATE, 80 * MS, 10 * MS);
    limits->due_patience_ns = rare_limit(rare, RARE_DUE_IMPATIENT, 0, 200 * MS);
    limits->long_slice_ns = rare_limit(rare, RARE_LONG_SLICE_SHORT, 20000, 500000);
    limits->long_at_once = (uint32_t)rare_limit(rare, RARE_LONG_ALONE, 1, 4);
    limits->gathered_each = rare_limit(rare, RARE_LONG_GATHERS_LITTLE, SMALL_BYTES, 4u << 20);
}

static void open_snapshots(struct node_limits *limits, struct rare *rare) {
    limits->snapshot_slice_chunks = (uint32_t)rare_limit(rare, RARE_SNAPSHOT_SLICE_ONE, 1, 4);
    limits->snapshot_chunk_bytes =
        rare_limit(rare, RARE_SNAPSHOT_CHUNK_SMALL, SMALL_BYTES, SNAPSHOT_CHUNK_BYTES);
    limits->send_chunk_bytes =
        rare_limit(rare, RARE_SEND_CHUNK_SMALL, SMALL_BYTES, FRAME_PAYLOAD_MAX - 64u);
    limits->send_chunks = (uint32_t)rare_limit(rare, RARE_SEND_WINDOW_ONE, 1, 3);
    limits->compare_every_ns = rare_limit(rare, RARE_COMPARE_OFTEN, 200 * MS, 5000 * MS);
    limits->scrub_every_ns = rare_limit(rare, RARE_SCRUB_FAST, 20 * MS, 1000 * MS);
    limits->scrub_bytes = rare_limit(rare, RARE_SCRUB_SMALL, 1, 256u << 10);
}

struct node_limits node_limits(struct rare *rare) {
    struct node_limits limits = {0};
    open_links(&limits, rare);
    open_requests(&limits, rare);
    open_reads(&limits, rare);
    open_snapshots(&limits, rare);
    return limits;
}

struct link_limits link_limits(struct rare *rare) {
    return (struct link_limits){
        .frame_bytes = (uint32_t)rare_limit(rare, RARE_LINK_FRAMES_SMALL, 60, FRAME_PAYLOAD_MAX),
        .queued_max = (uint32_t)rare_limit(rare, RARE_LINK_QUEUE_SHORT, 1, QUEUED_MAX),
        .pieces_max = (uint32_t)rare_limit(rare, RARE_LINK_PIECES_FEW, 2, LINK_PIECES_MAX),
        .hello_ns = rare_limit(rare, RARE_LINK_HELLO_SHORT, HELLO_SHORT_NS, HELLO_NS),
        .silence_ns = rare_limit(rare, RARE_LINK_SILENCE_SHORT, SILENCE_SHORT_NS, SILENCE_NS)};
}
