/* What leaves on a link: two lanes, cut into frames, written once a turn. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static void control_frame(struct link *link, enum frame_type type, uint64_t group,
                          struct bytes body) {
    struct frame_head head = {type, LANE_CONTROL, (uint32_t)body.len, (uint32_t)body.len, group};
    uint8_t *at = buf_reserve(&link->control, FRAME_HEAD_BYTES);
    frame_encode_head(at, &head, link->frames_out++, &body, 1);
    link->control.len += FRAME_HEAD_BYTES;
    buf_bytes(&link->control, body);
}

void link_send(struct link *link, enum effect_lane lane, enum frame_type type, uint64_t group,
               struct bytes head, const struct entry *entries, size_t count) {
    if (link->state == LINK_CLOSING)
        return;
    if (lane == LANE_CONTROL && head.len <= FRAME_PAYLOAD_MAX) {
        cairn_assert(count == 0);
        control_frame(link, type, group, head);
        return;
    }
    struct outgoing *message = cairn_alloc(sizeof *message + count * sizeof *entries);
    message->type = type;
    message->group = group;
    message->sent = 0;
    message->head = blob_from(head);
    message->count = count;
    size_t total = head.len;
    for (size_t i = 0; i < count; i++) {
        message->entries[i] = entry_ref(&entries[i]);
        total += entries[i].encoded.len;
    }
    cairn_assert(total <= FRAME_MESSAGE_MAX);
    message->total = (uint32_t)total;
    link->bulk_bytes += total;
    list_push(&link->bulk, &message->list);
}

static void outgoing_free(struct link *link, struct outgoing *message) {
    list_remove(&message->list);
    link->bulk_bytes -= message->total;
    blob_unref(message->head);
    for (size_t i = 0; i < message->count; i++)
        entry_unref(&message->entries[i]);
    cairn_free(message);
}

void link_discard_bulk(struct link *link) {
    LIST_EACH_SAFE(item, &link->bulk)
    outgoing_free(link, container_of(item, struct outgoing, list));
}

/* Adds a piece, joining it to the one before where they lie side by side in one blob. */
static size_t add_piece(struct env_piece *pieces, size_t count, struct bytes data,
                        struct blob *blob) {
    if (data.len == 0)
        return count;
    if (count > 1 && pieces[count - 1].blob == blob &&
        pieces[count - 1].data.data + pieces[count - 1].data.len == data.data) {
        pieces[count - 1].data.len += data.len;
        return count;
    }
    pieces[count] = (struct env_piece){data, blob};
    return count + 1;
}

/* The part [skip, skip+most) of the message, as pieces behind the first (the frame's head). */
static size_t gather(const struct link *link, const struct outgoing *message,
                     struct env_piece *pieces, size_t *bytes) {
    size_t skip = message->sent, most = link->limits.frame_bytes;
    size_t count = 1;
    *bytes = 0;
    for (size_t i = 0; i <= message->count && *bytes < most && count < link->limits.pieces_max;
         i++) {
        struct blob *blob = i == 0 ? message->head : message->entries[i - 1].blob;
        struct bytes part = i == 0 ? blob_view(blob) : message->entries[i - 1].encoded;
        if (skip >= part.len) {
            skip -= part.len;
            continue;
        }
        size_t len = part.len - skip;
        if (len > most - *bytes)
            len = most - *bytes;
        count = add_piece(pieces, count, bytes_of(part.data + skip, len), blob);
        *bytes += len;
        skip = 0;
    }
    return count;
}

static void send_bulk_frame(struct link *link, struct outgoing *message) {
    struct env_piece pieces[LINK_PIECES_MAX + 1];
    struct bytes hashed[LINK_PIECES_MAX];
    uint8_t encoded[FRAME_HEAD_BYTES];
    size_t bytes;
    size_t count = gather(link, message, pieces, &bytes);
    for (size_t i = 1; i < count; i++)
        hashed[i - 1] = pieces[i].data;
    struct frame_head head = {message->type, LANE_BULK, (uint32_t)bytes, message->total,
                              message->group};
    frame_encode_head(encoded, &head, link->frames_out++, hashed, count - 1);
    pieces[0] = (struct env_piece){bytes_of(encoded, sizeof encoded), NULL};
    env_write(link->node->env, &link->stream, pieces, count);
    message->sent += (uint32_t)bytes;
}

static void flush_control(struct link *link) {
    if (link->control.len == 0)
        return;
    struct env_piece piece = {buf_view(&link->control), NULL};
    env_write(link->node->env, &link->stream, &piece, 1);
    buf_clear(&link->control);
    node_trim(&link->control);
}

void link_flush(struct link *link) {
    if (link->state == LINK_CONNECTING || link->state == LINK_CLOSING)
        return;
    if (link->control.len > 0 || !list_empty(&link->bulk))
        link->sent_ns = env_now(link->node->env);
    flush_control(link);
    while (!list_empty(&link->bulk) &&
           env_stream_queued(link->node->env, &link->stream) < link->limits.queued_max) {
        struct outgoing *message = container_of(list_first(&link->bulk), struct outgoing, list);
        send_bulk_frame(link, message);
        if (message->sent == message->total)
            outgoing_free(link, message);
    }
}
