/* Sending a snapshot to a peer that lags behind the log: offered, then streamed in chunks, a few
 * unacknowledged at a time, so that heartbeats and appends pass between. A link that breaks ends
 * it; when the protocol asks again, the peer says from which offset to go on.
 *
 * OFFER: u64 index, term, chain, order, time_ms, size, leader term; block protocol state.
 * ANSWER: u64 index, u8 accept, u64 offset. CHUNK: u64 index, u64 offset, bytes.
 * ACK: u64 index, u64 offset, u8 status (OK: so far so good; at the end: installed), u8 complete.
 * While it installs, the receiver tells offsets beyond the size: size and what is installed.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

enum sending_state { SENDING_WAITS = 1, SENDING_OPENS, SENDING_OFFERED, SENDING_STREAMS };

struct sending {
    struct env_work work;
    struct list list;
    struct group *group;
    uint64_t to;
    uint64_t index_min; /* what the protocol asked for */
    uint64_t term;
    enum sending_state state;
    bool working; /* a background job runs */
    bool ended;   /* to be freed when it ends */
    struct snapshot_reader *reader;
    struct snapshot_meta meta;
    uint64_t size;
    uint64_t offset; /* next to read */
    uint64_t acked;
    uint64_t slices; /* of the snapshot that it waits for, written so far */
    struct buf chunk;
    char folder[544];
    enum cairn_status status;
};

static void sending_free(struct sending *sending) {
    list_remove(&sending->list);
    if (sending->reader != NULL)
        snapshot_reader_close(sending->reader);
    buf_free(&sending->chunk);
    cairn_free(sending);
}

static void tell_protocol(struct group *group, uint64_t to, uint64_t index,
                          enum cairn_status status) {
    struct event event = {.kind = EVENT_SNAPSHOT_SENT};
    event.snapshot_sent.to = to;
    event.snapshot_sent.index = index;
    event.snapshot_sent.status = status;
    group_step(group, &event);
}

/* The last that is done with it: the step may end it. Slices count as a byte each: a sending that
 * is taken up again, with the file there already, must not seem to have less than the one before.
 */
static void tell_progress(struct sending *sending, uint64_t bytes) {
    struct event event = {.kind = EVENT_SNAPSHOT_PROGRESS};
    event.snapshot_progress.to = sending->to;
    event.snapshot_progress.bytes = sending->slices + bytes;
    group_step(sending->group, &event);
}

static void end(struct sending *sending, enum cairn_status status, bool tell) {
    struct group *group = sending->group;
    uint64_t to = sending->to, index = sending->meta.index;
    if (sending->ended)
        return;
    sending->ended = true;
    list_remove(&sending->list);
    list_push(&group->sendings_ended, &sending->list);
    if (!sending->working)
        sending_free(sending);
    if (status == CAIRN_OK)
        group->node->counted.counters.snapshots_sent++;
    if (tell)
        tell_protocol(group, to, index, status);
}

static struct link *link_of(struct sending *sending) {
    return peer_link(sending->group->node, sending->to);
}

static void submit(struct sending *sending) {
    sending->working = true;
    sending->group->node->works++;
    env_work(sending->group->node->env, ENV_QUEUE_BULK, &sending->work);
}

/* Beside the loop: opens the file, or reads the next chunk. */
static void run(struct env_work *work) {
    struct sending *sending = container_of(work, struct sending, work);
    struct env *env = sending->group->node->env;
    if (sending->reader == NULL) {
        sending->status =
            snapshot_reader_open(env, sending->folder, sending->group->id, 0, &sending->reader);
        return;
    }
    uint64_t left = sending->size - sending->offset;
    size_t most = sending->group->node->limits.send_chunk_bytes;
    size_t len = left < most ? (size_t)left : most;
    buf_clear(&sending->chunk);
    buf_u64(&sending->chunk, sending->meta.index);
    buf_u64(&sending->chunk, sending->offset);
    sending->status = snapshot_reader_raw(sending->reader, sending->offset,
                                          buf_reserve(&sending->chunk, len), len);
    sending->chunk.len += len;
}

static void offer(struct sending *sending) {
    struct link *link = link_of(sending);
    snapshot_reader_meta(sending->reader, &sending->meta);
    sending->size = snapshot_reader_size(sending->reader);
    if (link == NULL || sending->meta.index < sending->index_min) {
        end(sending, CAIRN_CLOSED, true);
        return;
    }
    struct buf body = {0};
    const uint64_t fields[] = {sending->meta.index, sending->meta.term,    sending->meta.chain,
                               sending->meta.order, sending->meta.time_ms, sending->size,
                               sending->term};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        buf_u64(&body, fields[i]);
    buf_block(&body, sending->meta.protocol);
    link_send(link, LANE_BULK, FRAME_SNAPSHOT_OFFER, sending->group->id, buf_view(&body), NULL, 0);
    buf_free(&body);
    sending->state = SENDING_OFFERED;
}

static void stream(struct sending *sending) {
    bool more = sending->offset < sending->size;
    const struct node_limits *limits = &sending->group->node->limits;
    bool window = sending->offset - sending->acked < limits->send_chunks * limits->send_chunk_bytes;
    if (sending->state == SENDING_STREAMS && !sending->working && more && window)
        submit(sending);
}

static bool is_damage(enum cairn_status status) {
    return status == CAIRN_CORRUPT || status == CAIRN_IO || status == CAIRN_NOT_FOUND ||
           status == CAIRN_TORN;
}

static void begin(struct sending *sending);

static void done(struct env_work *work) {
    struct sending *sending = container_of(work, struct sending, work);
    struct link *link = link_of(sending);
    sending->group->node->works--;
    sending->working = false;
    if (sending->ended) {
        sending_free(sending);
        return;
    }
    if (is_damage(sending->status) && sending->state == SENDING_OPENS) {
        sending->group->snapshot_index =
            0; /* worthless: one of the state in memory takes its place */
        begin(sending);
        return;
    }
    if (sending->status != CAIRN_OK || link == NULL) {
        end(sending, sending->status != CAIRN_OK ? sending->status : CAIRN_CLOSED, true);
        return;
    }
    if (sending->state == SENDING_OPENS) {
        offer(sending);
        return;
    }
    link_send(link, LANE_BULK, FRAME_SNAPSHOT_CHUNK, sending->group->id, buf_view(&sending->chunk),
              NULL, 0);
    sending->offset += sending->chunk.len - 16;
    if (rare_hit(sending->group->node->options.rare, RARE_SEND_ENDS))
        end(sending, CAIRN_CANCELLED, true);
    else
        stream(sending);
}

static struct sending *sending_to(struct group *group, uint64_t to) {
    LIST_EACH(item, &group->sendings) {
        struct sending *sending = container_of(item, struct sending, list);
        if (sending->to == to)
            return sending;
    }
    return NULL;
}

static void begin(struct sending *sending) {
    if (sending->group->snapshot_index < sending->index_min ||
        sending->group->snapshot_index == 0) {
        sending->state = SENDING_WAITS; /* the turn begins one */
        env_wake(sending->group->node->env);
        return;
    }
    sending->state = SENDING_OPENS;
    submit(sending);
}

void snapshot_send_begin(struct group *group, uint64_t to, uint64_t index, uint64_t term) {
    if (sending_to(group, to) != NULL)
        return;
    struct sending *sending = cairn_alloc_zero(sizeof *sending);
    sending->group = group;
    sending->work = (struct env_work){.run = run, .done = done};
    sending->to = to;
    sending->index_min = index;
    sending->term = term;
    group_snapshot_folder(group, sending->folder, sizeof sending->folder);
    list_push(&group->sendings, &sending->list);
    begin(sending);
}

void snapshot_send_ready(struct group *group) {
    LIST_EACH_SAFE(item, &group->sendings) {
        struct sending *sending = container_of(item, struct sending, list);
        if (sending->state != SENDING_WAITS)
            continue;
        if (group->snapshot_index >= sending->index_min && group->snapshot_index > 0)
            begin(sending);
        else
            end(sending, CAIRN_IO, true); /* it could not be made; the protocol asks again */
    }
}

static struct sending *behind_of(struct group *group, uint64_t slices) {
    LIST_EACH(item, &group->sendings) {
        struct sending *sending = container_of(item, struct sending, list);
        if (sending->state == SENDING_WAITS && sending->slices < slices)
            return sending;
    }
    return NULL;
}

void snapshot_send_made(struct group *group, uint64_t slices) {
    for (struct sending *sending; (sending = behind_of(group, slices)) != NULL;) {
        sending->slices = slices;
        tell_progress(sending, 0);
    }
}

bool snapshot_send_waits(const struct group *group) {
    LIST_EACH(item, &group->sendings)
    if (container_of(item, const struct sending, list)->state == SENDING_WAITS)
        return true;
    return false;
}

void snapshot_send_answer(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    uint64_t index = read_u64(&reader);
    bool accept = read_u8(&reader) != 0;
    uint64_t offset = read_u64(&reader);
    struct sending *sending = sending_to(group, link->hello.node);
    if (!reader_done(&reader)) {
        link_malformed(link, "malformed answer to a snapshot offer");
        return;
    }
    if (sending == NULL || sending->state != SENDING_OFFERED || sending->meta.index != index ||
        offset > sending->size)
        return;
    if (!accept) {
        end(sending, CAIRN_REFUSED, true);
        return;
    }
    sending->state = SENDING_STREAMS;
    sending->offset = sending->acked = offset;
    stream(sending);
}

void snapshot_send_ack(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    uint64_t index = read_u64(&reader);
    uint64_t offset = read_u64(&reader);
    uint8_t status = read_u8(&reader);
    bool complete = read_u8(&reader) != 0;
    struct sending *sending = sending_to(group, link->hello.node);
    if (!reader_done(&reader) || status >= CAIRN_STATUS_COUNT) {
        link_malformed(link, "malformed word of a snapshot's progress");
        return;
    }
    if (sending == NULL || sending->state != SENDING_STREAMS || sending->meta.index != index)
        return;
    bool installs = offset > sending->size && sending->acked == sending->size;
    if (installs && !complete && status == CAIRN_OK) {
        tell_progress(sending, offset);
        return;
    }
    if (offset > sending->offset)
        return;
    if (complete || status != CAIRN_OK) {
        end(sending, (enum cairn_status)status, true);
        return;
    }
    sending->acked = offset;
    stream(sending);
    tell_progress(sending, offset);
}

void snapshot_send_link_lost(struct group *group, uint64_t peer) {
    struct sending *sending = sending_to(group, peer);
    if (sending != NULL)
        end(sending, CAIRN_CLOSED, true);
}

void snapshot_send_stop_all(struct group *group) {
    LIST_EACH_SAFE(item, &group->sendings)
    end(container_of(item, struct sending, list), CAIRN_CANCELLED, false);
}

void snapshot_send_close(struct group *group) {
    snapshot_send_stop_all(group);
    LIST_EACH_SAFE(item, &group->sendings_ended)
    sending_free(container_of(item, struct sending, list));
}
