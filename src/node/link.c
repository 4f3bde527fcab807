/* One connection to a peer: its states, and frames coming in. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define GREETING_BYTES_MAX 4096u /* of a frame, until the link is up */

static const struct env_stream_events link_events;

static struct link *link_new(struct node *node, enum link_state state) {
    struct link *link = cairn_alloc_zero(sizeof *link);
    link->stream.events = &link_events;
    link->node = node;
    link->state = state;
    link->limits = link_limits(node->options.rare);
    link->since_ns = link->heard_ns = env_now(node->env);
    list_init(&link->bulk);
    list_push(&node->links, &link->list);
    return link;
}

static void link_free(struct link *link) {
    peer_forget_link(link); /* when the node closes no peer was told before */
    list_remove(&link->list);
    link_discard_bulk(link);
    for (int lane = 0; lane < 2; lane++)
        blob_unref(link->assembly[lane].blob);
    buf_free(&link->in);
    buf_free(&link->hello_sent);
    buf_free(&link->hello_got);
    buf_free(&link->control);
    buf_free(&link->replies);
    cairn_free(link);
}

static void end(struct link *link, int level, const char *why) {
    if (link->state == LINK_CLOSING)
        return;
    if (link->looks_for != 0) {
        uint64_t id = link->looks_for;
        link->looks_for = 0;
        address_looked(link->node, id, false);
    }
    greet_ended(link, false);
    node_log(link->node, level, "link to node %llu dropped: %s",
             (unsigned long long)(link->peer ? link->peer->id : link->hello.node), why);
    peer_lose_link(link);
    link->state = LINK_CLOSING;
    env_abort(link->node->env, &link->stream);
}

void link_drop(struct link *link, const char *why) {
    end(link, link->state == LINK_UP ? 1 : 0, why);
}

/* By a frame whose checksum is right: the sender is no sound node of this cluster. */
void link_malformed(struct link *link, const char *what) {
    link->node->counted.counters.frames_bad++;
    end(link, 2, what);
}

/* Of a keyspace that this node does not serve (yet): no group's. */
static void take_message(struct link *link, enum frame_type type, uint64_t id,
                         struct blob *message) {
    struct group *group = node_group(link->node, id);
    if (group == NULL)
        return;
    struct bytes body = blob_view(message);
    switch (type) {
    case FRAME_PROTOCOL:
        group_message(group, link, message);
        if (link->state == LINK_UP)
            epoch_adopt(link);
        return;
    case FRAME_FORWARD:
        forward_receive(group, link, body);
        return;
    case FRAME_FORWARD_REPLY:
        forward_receive_reply(group, link, body);
        return;
    case FRAME_SNAPSHOT_OFFER:
        snapshot_receive_offer(group, link, body);
        return;
    case FRAME_SNAPSHOT_ANSWER:
        snapshot_send_answer(group, link, body);
        return;
    case FRAME_SNAPSHOT_CHUNK:
        snapshot_receive_chunk(group, link, message);
        return;
    case FRAME_SNAPSHOT_ACK:
        snapshot_send_ack(group, link, body);
        return;
    case FRAME_LIVES:
        group_lives_receive(group, link, body);
        return;
    case FRAME_COMPARE:
        compare_asked(group, link, body);
        return;
    case FRAME_COMPARED:
        compare_answered(group, link, body);
        return;
    case FRAME_DIVERGED:
        compare_told(group, link, body);
        return;
    case FRAME_MEMBERS:
        removal_receive(group, link, body);
        return;
    case FRAME_HELLO:
    case FRAME_PING:
    case FRAME_FACTS:
    case FRAME_FOUNDING:
    case FRAME_PROOF:
    case FRAME_TYPE_COUNT:
        return;
    }
    link_malformed(link, "a frame of no known type");
}

/* Puts a frame's payload to its message; hands the message on when it is whole. */
static void take_frame(struct link *link, const struct frame_head *head, struct bytes payload) {
    if (greet_take(link, head->type, payload))
        return;
    bool meets = link->state == LINK_FOUNDING;
    if (meets && head->type == FRAME_FOUNDING)
        founding_receive(link, payload);
    else if (!(meets && head->type == FRAME_PING) && link->state != LINK_UP)
        link_malformed(link, "a frame that has no place here");
    if (link->state != LINK_UP || head->type == FRAME_PING)
        return;
    struct assembly *assembly = &link->assembly[head->lane];
    if (assembly->blob == NULL) {
        strangers_make_room(link, head);
        assembly->blob = blob_new(head->message_len);
        assembly->began_ns = link->heard_ns;
        assembly->filled = 0;
        assembly->type = head->type;
        assembly->group = head->group;
    }
    if (assembly->type != head->type || assembly->group != head->group ||
        assembly->blob->len != head->message_len ||
        payload.len > head->message_len - assembly->filled) {
        link_malformed(link, "frames of a message do not fit together");
        return;
    }
    if (payload.len)
        memcpy(assembly->blob->data + assembly->filled, payload.data, payload.len);
    assembly->filled += (uint32_t)payload.len;
    if (assembly->filled == head->message_len) {
        struct blob *message = assembly->blob;
        assembly->blob = NULL;
        take_message(link, head->type, head->group, message);
        blob_unref(message);
    }
}

/* Takes one frame from the front; how many bytes it had, 0: it is not whole yet or the link ended.
 */
static size_t take_front(struct link *link, struct bytes bytes) {
    struct frame_head head;
    if (bytes.len < FRAME_HEAD_BYTES)
        return 0;
    enum cairn_status status = frame_decode_head(bytes.data, &head);
    if (status == CAIRN_OK && link->state != LINK_UP && head.payload_len > GREETING_BYTES_MAX)
        status = CAIRN_TOO_LARGE;
    size_t size = FRAME_HEAD_BYTES + head.payload_len;
    if (status == CAIRN_OK && bytes.len < size)
        return 0;
    struct bytes payload = bytes_of(bytes.data + FRAME_HEAD_BYTES, head.payload_len);
    if (status != CAIRN_OK || !frame_verify(bytes.data, link->frames_in, payload)) {
        link->node->counted.counters.frames_bad++;
        link_drop(link, "a damaged frame");
        return 0;
    }
    link->frames_in++;
    take_frame(link, &head, payload);
    return size;
}

void link_input(struct link *link, struct bytes bytes) {
    link->heard_ns = env_now(link->node->env);
    if (link->in.len > 0) {
        buf_bytes(&link->in, bytes);
        bytes = buf_view(&link->in);
    }
    size_t taken = 0;
    while (link->state != LINK_CLOSING) {
        size_t size = take_front(link, bytes_of(bytes.data + taken, bytes.len - taken));
        if (size == 0)
            break;
        taken += size;
    }
    if (link->in.len > 0) {
        buf_consume(&link->in, taken);
        if (link->in.len == 0 && link->in.cap > FRAME_PAYLOAD_MAX)
            buf_free(&link->in);
    } else if (link->state != LINK_CLOSING) {
        buf_append(&link->in, bytes.data + taken, bytes.len - taken);
    }
}

static void on_open(struct env_stream *stream) {
    struct link *link = container_of(stream, struct link, stream);
    if (link->state != LINK_CONNECTING)
        return;
    link->state = LINK_HELLO;
    link->since_ns = env_now(link->node->env);
    link_greet(link);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct link *link = container_of(stream, struct link, stream);
    if (link->state != LINK_CLOSING)
        link_input(link, bytes);
}

static void on_drain(struct env_stream *stream) {
    struct link *link = container_of(stream, struct link, stream);
    if (link->state != LINK_CLOSING)
        link_flush(link);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct link *link = container_of(stream, struct link, stream);
    if (!link->node->closing) {
        greet_ended(link, true);
        link_drop(link, cairn_status_text(why));
    }
    link_free(link);
}

static const struct env_stream_events link_events = {
    .open = on_open, .data = on_data, .drain = on_drain, .close = on_close};

struct link *link_dial(struct node *node, struct peer *peer) {
    struct link *link = link_new(node, LINK_CONNECTING);
    link->dialled = true;
    link->peer = peer;
    env_connect(node->env, address_to_dial(node, peer), &link->stream);
    return link;
}

struct link *link_look(struct node *node, uint64_t id, const char *address) {
    struct link *link = link_new(node, LINK_CONNECTING);
    link->dialled = link->only_looks = true;
    link->looks_for = id;
    env_connect(node->env, address, &link->stream);
    return link;
}

static struct env_stream *on_accept(struct env_listener *listener, const char *peer_address) {
    struct node *node = container_of(listener, struct node, listener);
    if (node->closing)
        return NULL;
    strangers_make_place(node);
    /* The stream is usable only once the env has it: the hello leaves at the turn's end. */
    return &link_new(node, LINK_HELLO)->stream;
}

enum cairn_status peers_open(struct node *node) {
    list_init(&node->links);
    node->listener.accept = on_accept;
    enum cairn_status status = env_listen(node->env, node->options.peer_address, &node->listener);
    node->listening = status == CAIRN_OK;
    return status;
}

void peers_disconnect(struct node *node) {
    if (node->listening)
        env_listener_close(node->env, &node->listener);
    node->listening = false;
    LIST_EACH(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        env_close(node->env, &link->stream);
    }
}

void peers_close(struct node *node) {
    if (node->listening)
        env_listener_close(node->env, &node->listener);
    LIST_EACH_SAFE(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        link_free(link);
    }
}
