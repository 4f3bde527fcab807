/* Receiving a snapshot: written to a partial file, verified as a whole, then installed. One at a
 * time; formats: snapshot_send.c. Chunks that arrive while one is being written wait in a short
 * list, which the sender's window bounds. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>

#define CHUNK_HEAD_BYTES 16u
#define CHUNKS_WAITING_MAX 8u

enum receiving_step { RECEIVING_OPEN = 1, RECEIVING_WRITE, RECEIVING_FINISH, RECEIVING_CLOSE };

struct waiting_chunk {
    struct list list;
    struct blob *message;
};

struct receiving {
    struct env_work work;
    struct list list; /* group->receivings_ended, once ended */
    struct group *group;
    uint64_t from, boot;
    uint64_t leader_term;
    struct log_base base;
    struct buf state;
    uint64_t size, offset;
    enum receiving_step step;
    bool accepted; /* by the protocol */
    bool answered; /* and the sender knows */
    bool working, ended;
    struct list chunks;
    unsigned chunk_count;
    struct blob *writing;
    struct snapshot_receiver *receiver;
    char folder[544];
    enum cairn_status status;
};

static struct link *link_of(const struct receiving *receiving) {
    struct link *link = peer_link(receiving->group->node, receiving->from);
    return link != NULL && link->hello.boot == receiving->boot ? link : NULL;
}

static void drop_chunks(struct receiving *receiving) {
    LIST_EACH_SAFE(item, &receiving->chunks) {
        struct waiting_chunk *chunk = container_of(item, struct waiting_chunk, list);
        list_remove(item);
        blob_unref(chunk->message);
        cairn_free(chunk);
    }
    blob_unref(receiving->writing);
    receiving->writing = NULL;
}

static void receiving_free(struct receiving *receiving) {
    list_remove(&receiving->list);
    drop_chunks(receiving);
    buf_free(&receiving->state);
    cairn_free(receiving);
}

static void submit(struct receiving *receiving, enum receiving_step step) {
    receiving->step = step;
    receiving->working = true;
    receiving->group->node->works++;
    env_work(receiving->group->node->env, ENV_QUEUE_BULK, &receiving->work);
}

/* Ends it; the partial file stays for a later resume. */
static void stop(struct receiving *receiving) {
    receiving->ended = true;
    if (receiving->group->receiving == receiving)
        receiving->group->receiving = NULL;
    list_remove(&receiving->list);
    list_push(&receiving->group->receivings_ended, &receiving->list);
    if (receiving->working)
        return;
    if (receiving->receiver != NULL)
        submit(receiving, RECEIVING_CLOSE);
    else
        receiving_free(receiving);
}

static void ack_at(struct receiving *receiving, struct link *link, uint64_t offset,
                   enum cairn_status status, bool complete) {
    struct buf body = {0};
    buf_u64(&body, receiving->base.index);
    buf_u64(&body, offset);
    /* Peers of an earlier version know no shortage: to them it is a busy node, which it is. */
    buf_u8(&body, (uint8_t)(status == CAIRN_EXHAUSTED ? CAIRN_BUSY : status));
    buf_u8(&body, complete);
    link_send(link, LANE_CONTROL, FRAME_SNAPSHOT_ACK, receiving->group->id, buf_view(&body), NULL,
              0);
    buf_free(&body);
}

static void ack(struct receiving *receiving, enum cairn_status status, bool complete) {
    struct link *link = link_of(receiving);
    if (link != NULL)
        ack_at(receiving, link, receiving->offset, status, complete);
}

static void send_answer(struct group *group, struct link *link, uint64_t index, bool accept,
                        uint64_t offset) {
    struct buf body = {0};
    buf_u64(&body, index);
    buf_u8(&body, accept);
    buf_u64(&body, offset);
    link_send(link, LANE_CONTROL, FRAME_SNAPSHOT_ANSWER, group->id, buf_view(&body), NULL, 0);
    buf_free(&body);
}

/* Beside the loop. */
static void run(struct env_work *work) {
    struct receiving *receiving = container_of(work, struct receiving, work);
    struct env *env = receiving->group->node->env;
    switch (receiving->step) {
    case RECEIVING_OPEN:
        receiving->status =
            snapshot_receiver_open(env, receiving->folder, receiving->group->id,
                                   receiving->base.index, receiving->base.term, receiving->size,
                                   receiving->from, &receiving->receiver, &receiving->offset);
        break;
    case RECEIVING_WRITE: {
        struct bytes message = blob_view(receiving->writing);
        struct bytes data =
            bytes_of(message.data + CHUNK_HEAD_BYTES, message.len - CHUNK_HEAD_BYTES);
        receiving->status =
            snapshot_receiver_write(receiving->receiver, get_u64(message.data + 8), data);
        break;
    }
    case RECEIVING_FINISH:
        if (receiving->group->node->options.mutant == MUTANT_SNAPSHOT_UNVERIFIED)
            snapshot_receiver_unverified(receiving->receiver);
        receiving->status = snapshot_receiver_finish(receiving->receiver);
        receiving->receiver = NULL;
        break;
    case RECEIVING_CLOSE:
        snapshot_receiver_close(receiving->receiver);
        receiving->receiver = NULL;
        break;
    }
}

static void write_next(struct receiving *receiving) {
    if (receiving->working || receiving->receiver == NULL)
        return;
    if (receiving->offset == receiving->size) {
        submit(receiving, RECEIVING_FINISH);
        return;
    }
    struct list *first = list_first(&receiving->chunks);
    if (first == NULL)
        return;
    struct waiting_chunk *chunk = container_of(first, struct waiting_chunk, list);
    list_remove(first);
    receiving->chunk_count--;
    receiving->writing = chunk->message;
    cairn_free(chunk);
    submit(receiving, RECEIVING_WRITE);
}

static void received(struct receiving *receiving) {
    struct event event = {.kind = EVENT_SNAPSHOT_RECEIVED};
    event.snapshot.from = receiving->from;
    event.snapshot.term = receiving->leader_term;
    event.snapshot.base = receiving->base;
    group_step(receiving->group, &event);
    if (receiving->group->install == NULL) /* the protocol had no use for it any more */
        snapshot_receive_installed(receiving->group, CAIRN_OK);
}

static void give_up(struct receiving *receiving);

static void done(struct env_work *work) {
    struct receiving *receiving = container_of(work, struct receiving, work);
    struct link *link = link_of(receiving);
    receiving->group->node->works--;
    receiving->working = false;
    if (receiving->step == RECEIVING_WRITE) {
        if (receiving->status == CAIRN_OK)
            receiving->offset += receiving->writing->len - CHUNK_HEAD_BYTES;
        blob_unref(receiving->writing);
        receiving->writing = NULL;
    }
    if (receiving->ended) {
        stop(receiving);
        return;
    }
    if (receiving->status != CAIRN_OK) {
        node_log(receiving->group->node, 2, "receiving a snapshot from node %llu failed: %s",
                 (unsigned long long)receiving->from, cairn_status_text(receiving->status));
        if (receiving->step == RECEIVING_OPEN && link != NULL)
            send_answer(receiving->group, link, receiving->base.index, false, 0);
        else
            ack(receiving, receiving->status, true);
        stop(receiving);
        return;
    }
    receiving->answered = true;
    if (receiving->step == RECEIVING_WRITE && receiving->offset < receiving->size &&
        rare_hit(receiving->group->node->options.rare, RARE_RECEIVE_RENEWED)) {
        give_up(receiving);
        return;
    }
    if (receiving->step == RECEIVING_OPEN &&
        rare_hit(receiving->group->node->options.rare, RARE_SNAPSHOT_SYNC_OFTEN))
        snapshot_receiver_sync_at(receiving->receiver, 1);
    if (receiving->step == RECEIVING_OPEN && link != NULL)
        send_answer(receiving->group, link, receiving->base.index, true, receiving->offset);
    else if (receiving->step == RECEIVING_WRITE)
        ack(receiving, CAIRN_OK, false);
    if (receiving->step == RECEIVING_FINISH)
        received(receiving);
    else
        write_next(receiving);
}

/* For a newer offer. Its sender, if it is another one and lives, must not wait for ever. */
static void give_up(struct receiving *receiving) {
    struct link *link = link_of(receiving);
    if (receiving->answered)
        ack(receiving, CAIRN_CANCELLED, true);
    else if (link != NULL)
        send_answer(receiving->group, link, receiving->base.index, false, 0);
    stop(receiving);
}

void snapshot_receive_offer(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    struct log_base base = {0};
    base.index = read_u64(&reader);
    base.term = read_u64(&reader);
    base.chain = read_u64(&reader);
    base.order = read_u64(&reader);
    base.time_ms = read_u64(&reader);
    uint64_t size = read_u64(&reader);
    uint64_t leader_term = read_u64(&reader);
    base.state = read_block(&reader, SNAPSHOT_META_BYTES_MAX);
    if (!reader_done(&reader)) {
        link_malformed(link, "malformed snapshot offer");
        return;
    }
    if (group->install != NULL) {
        send_answer(group, link, base.index, false, 0);
        return;
    }
    if (group->receiving != NULL && leader_term < group->receiving->leader_term) {
        send_answer(group, link, base.index, false, 0); /* of a leader of old, delivered late */
        return;
    }
    if (group->receiving != NULL)
        give_up(group->receiving);
    struct receiving *receiving = cairn_alloc_zero(sizeof *receiving);
    receiving->group = group;
    receiving->work = (struct env_work){.run = run, .done = done};
    receiving->from = link->hello.node;
    receiving->boot = link->hello.boot;
    receiving->leader_term = leader_term;
    receiving->size = size;
    buf_bytes(&receiving->state, base.state);
    receiving->base = base;
    receiving->base.state = buf_view(&receiving->state);
    list_init(&receiving->list);
    list_init(&receiving->chunks);
    group_snapshot_folder(group, receiving->folder, sizeof receiving->folder);
    group->receiving = receiving;
    struct event event = {.kind = EVENT_SNAPSHOT_OFFERED};
    event.snapshot.from = receiving->from;
    event.snapshot.term = leader_term;
    event.snapshot.base = receiving->base;
    group_step(group, &event);
}

void snapshot_receive_answer(struct group *group, uint64_t from, bool accept) {
    struct receiving *receiving = group->receiving;
    if (receiving == NULL || receiving->from != from || receiving->accepted)
        return;
    struct link *link = link_of(receiving);
    if (!accept || link == NULL) {
        if (link != NULL)
            send_answer(group, link, receiving->base.index, false, 0);
        stop(receiving);
        return;
    }
    receiving->accepted = true;
    submit(receiving, RECEIVING_OPEN);
}

void snapshot_receive_chunk(struct group *group, struct link *link, struct blob *message) {
    struct receiving *receiving = group->receiving;
    if (message->len < CHUNK_HEAD_BYTES) {
        link_malformed(link, "malformed snapshot chunk");
        return;
    }
    if (receiving == NULL || !receiving->accepted || receiving->from != link->hello.node ||
        receiving->base.index != get_u64(message->data))
        return;
    if (receiving->chunk_count >= CHUNKS_WAITING_MAX) {
        link_drop(link, "snapshot chunks beyond the window");
        return;
    }
    struct waiting_chunk *chunk = cairn_alloc(sizeof *chunk);
    chunk->message = blob_ref(message);
    list_push(&receiving->chunks, &chunk->list);
    receiving->chunk_count++;
    write_next(receiving);
}

void snapshot_receive_installing(struct group *group, uint64_t bytes) {
    struct receiving *receiving = group->receiving;
    struct link *link = receiving == NULL ? NULL : link_of(receiving);
    if (link == NULL || link->wire_version < WIRE_VERSION_3)
        return;
    ack_at(receiving, link, receiving->size + bytes, CAIRN_OK, false);
}

void snapshot_receive_installed(struct group *group, enum cairn_status status) {
    struct receiving *receiving = group->receiving;
    if (receiving == NULL)
        return;
    ack(receiving, status, true);
    stop(receiving);
}

/* No job of theirs runs any more. */
static void close_one(struct receiving *receiving) {
    if (receiving->receiver != NULL)
        snapshot_receiver_close(receiving->receiver);
    receiving_free(receiving);
}

void snapshot_receive_close(struct group *group) {
    if (group->receiving != NULL)
        close_one(group->receiving);
    group->receiving = NULL;
    LIST_EACH_SAFE(item, &group->receivings_ended)
    close_one(container_of(item, struct receiving, list));
}
