#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#include <string.h>

#define ATTEMPTS_MAX 5u

static struct upload_id next_id(struct group *group) {
    struct node *node = group->node;
    return (struct upload_id){.node = prng_mix(node->boot, node->options.identity.node),
                              .number = ++group->upload_numbers};
}

static void set_out(struct group *group, struct request *request) {
    struct upload *upload = request->upload;
    upload->id = next_id(group);
    upload->sent = upload->part = upload->part_at = 0;
    request_untag(group, request);
    list_remove(&request->queue);
    request->state = REQUEST_UPLOADING;
    list_push(&group->uploads, &request->queue);
}

bool upload_wanted(const struct group *group, size_t len) {
    size_t piece = group->node->options.piece_bytes;
    return group->stack.agreed.version >= WIRE_VERSION_3 && len > piece + piece / 4;
}

void upload_begin(struct group *group, struct request *request, struct bytes head,
                  struct command_part *parts, size_t count) {
    struct upload *upload = cairn_alloc_zero(sizeof *upload);
    *upload = (struct upload){
        .request = request, .group = group, .head_len = head.len, .part_count = count};
    cairn_assert(head.len <= ENVELOPE_HEAD_MAX);
    if (head.len > 0)
        memcpy(upload->head, head.data, head.len);
    upload->parts = cairn_alloc(count * sizeof *parts);
    memcpy(upload->parts, parts, count * sizeof *parts);
    for (size_t i = 0; i < count; i++)
        parts[i].buf = (struct buf){0};
    request->upload = upload;
    set_out(group, request);
}

static void upload_free(struct upload *upload) {
    buf_free(&upload->last);
    for (size_t i = 0; i < upload->part_count; i++)
        buf_free(&upload->parts[i].buf);
    cairn_free(upload->parts);
    cairn_free(upload);
}

static void nothing(void *context, enum cairn_status status, struct bytes reply) {}

/* What the log holds of it is of no use: a word that saves the time until it is forgotten. */
static void drop_pieces(struct upload *upload) {
    struct buf word = {0};
    stack_encode_pieces_drop(&word, upload->id);
    request_new_from(upload->group, ORIGIN_CLIENT, REQUEST_WRITE, buf_view(&word), nothing, NULL)
        ->retry_safe = true;
    buf_free(&word);
}

void upload_end(struct request *request, bool executed) {
    struct upload *upload = request->upload;
    if (upload == NULL)
        return;
    const struct node *node = upload->group->node;
    request->upload = NULL;
    upload->request = NULL;
    if (!executed && upload->sent > 0 && !node->closing && !node->stopping && !node->failed)
        drop_pieces(upload);
    if (upload->under_way == 0)
        upload_free(upload);
}

void upload_again(struct group *group, struct request *request) {
    struct upload *upload = request->upload;
    if (list_empty(&request->aging) || ++upload->attempts == ATTEMPTS_MAX) {
        request_finish(group, request, CAIRN_NOT_EXECUTED, bytes_of(NULL, 0));
        return;
    }
    if (request->client != NULL)
        request->client->writes_sent--;
    set_out(group, request);
}

/* All pieces are applied here: the last entry takes the request's place in its client's order. */
static void all_there(struct upload *upload) {
    struct request *request = upload->request;
    buf_clear(&upload->last);
    stack_encode_whole(&upload->last, upload->id, request->len);
    request->state = REQUEST_PENDING;
    list_remove(&request->queue);
    request_queue(&upload->group->pending_writes, request);
}

/* Whatever became of the piece, the command was not executed. */
static enum cairn_status outcome_of(enum cairn_status status) {
    switch (status) {
    case CAIRN_BUSY:
    case CAIRN_NO_SPACE:
    case CAIRN_SHUTDOWN:
        return status;
    default:
        return CAIRN_NO_QUORUM;
    }
}

static void piece_done(void *context, enum cairn_status status, struct bytes reply) {
    struct upload *upload = context;
    struct request *request = upload->request;
    struct reader reader = reader_of(reply);
    struct reply_value value = {0};
    upload->under_way--;
    if (request == NULL) {
        if (upload->under_way == 0)
            upload_free(upload);
        return;
    }
    if (request->state != REQUEST_UPLOADING)
        return; /* of an attempt before */
    bool taken = status == CAIRN_OK && reply_next(&reader, &value) && value.kind == REPLY_STATUS;
    if (!taken) {
        request_finish(upload->group, request, status == CAIRN_OK ? CAIRN_BUSY : outcome_of(status),
                       bytes_of(NULL, 0));
        return;
    }
    if (!list_empty(&request->aging)) { /* it goes on: its patience begins anew */
        list_remove(&request->aging);
        request_ages(upload->group, request);
    }
    if (upload->sent == request->len && upload->under_way == 0)
        all_there(upload);
}

static struct bytes next_piece(struct upload *upload) {
    if (upload->sent < upload->head_len)
        return bytes_of(upload->head, upload->head_len);
    while (upload->part_at == upload->parts[upload->part].bytes.len) {
        upload->part++;
        upload->part_at = 0;
    }
    struct bytes part = upload->parts[upload->part].bytes;
    size_t most = upload->group->node->options.piece_bytes, left = part.len - upload->part_at;
    struct bytes piece = bytes_of(part.data + upload->part_at, left < most ? left : most);
    upload->part_at += piece.len;
    return piece;
}

static void send_piece(struct group *group, struct request *request) {
    struct upload *upload = request->upload;
    struct bytes piece = next_piece(upload);
    struct buf head = {0};
    stack_encode_piece(&head, upload->id, request->len, upload->sent);
    request_new_parts(group, REQUEST_WRITE, buf_view(&head), piece, piece_done, upload)
        ->retry_safe = true;
    buf_free(&head);
    upload->sent += piece.len;
    upload->under_way++;
}

void group_uploads_turn(struct group *group) {
    const struct node_limits *limits = &group->node->limits;
    uint32_t active = 0;
    LIST_EACH(item, &group->uploads) {
        struct request *request = container_of(item, struct request, queue);
        if (++active > limits->uploads)
            break;
        while (request->upload->under_way < limits->upload_pieces &&
               request->upload->sent < request->len)
            send_piece(group, request);
    }
}

bool upload_before(const struct group *group, const struct request *request) {
    if (request->client == NULL)
        return false;
    LIST_EACH(item, &group->uploads) {
        const struct request *other = container_of(item, struct request, queue);
        if (other->client == request->client && other->order < request->order)
            return true;
    }
    return false;
}
