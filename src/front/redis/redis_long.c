/* Long replies and published messages. They stay as the machine made them, in memory taken over
 * from the node, and are put into the client's output a stretch at a time as the client takes them:
 * so a turn copies little, and no more of them is held twice than a stretch. Commands of the front
 * end's own in a transaction are carried out as their replies are put, for these may be long, too.
 */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"

#define TURN_BYTES (8u << 20) /* of all clients, but for one stretch more */
#define ITEMS 4096u           /* of a transaction's commands in a stretch, at most */
#define ITEM_COST 256u        /* of such a command, as bytes, and ... */
#define MADE_COST 4u          /* ... of a byte that it makes, for that is more than copying */

/* ---- what is long ---- */

static bool take_machine(struct slot *slot) {
    return node_reply_take(&slot->conn->client, &slot->machine);
}

/* Also a short one: what the front end's own commands answer may be long. */
static bool take_results(struct slot *slot, struct bytes reply) {
    if (!exec_begins(slot, reply, &slot->long_at))
        return false;
    if (!take_machine(slot))
        buf_bytes(&slot->machine, reply);
    slot->is_long = true;
    return true;
}

bool long_reply_take(struct slot *slot, struct bytes reply) {
    if (slot->multi != NULL)
        return take_results(slot, reply);
    if (reply.len < slot->conn->front->limits.long_bytes || slot->finish != NULL || slot->quiet ||
        !take_machine(slot))
        return false;
    slot->is_long = true;
    slot->values_left = 1;
    return true;
}

struct publication *publication_take(const struct redis_front *front, const struct change *change) {
    if (change->value.len < front->limits.long_bytes || change->owner == NULL)
        return NULL;
    struct publication *publication = cairn_alloc(sizeof *publication);
    *publication = (struct publication){1, *change->owner, change->value};
    *change->owner = (struct buf){0};
    return publication;
}

void publication_unref(struct publication *publication) {
    if (publication == NULL || --publication->refs > 0)
        return;
    buf_free(&publication->buf);
    cairn_free(publication);
}

void publication_push(struct conn *conn, struct publication *publication, struct buf *head) {
    struct slot *slot = slot_new(conn, NULL);
    resp_put_bulk_head(head, publication->message.len);
    slot->quiet = false; /* what CLIENT REPLY silences are replies */
    slot->reply = *head;
    *head = (struct buf){0};
    buf_bytes(&slot->pushes, BYTES("\r\n"));
    slot->is_long = true;
    slot->publication = publication;
    publication->refs++;
    conn->slot_bytes += long_left(slot) + slot->pushes.len;
    push_place(slot);
    slot_answered(slot);
}

static struct bytes long_bytes(const struct slot *slot) {
    return slot->publication != NULL ? slot->publication->message : buf_view(&slot->machine);
}

size_t long_left(const struct slot *slot) {
    return slot->is_long ? long_bytes(slot).len - slot->long_at : 0;
}

void long_free(struct slot *slot) {
    publication_unref(slot->publication);
    buf_free(&slot->machine);
    slot->publication = NULL;
    slot->is_long = false;
}

bool long_first(const struct conn *conn) {
    if (list_empty(&conn->slots))
        return false;
    const struct slot *first = container_of(conn->slots.next, struct slot, list);
    return first->done && first->is_long;
}

/* ---- putting it ---- */

static size_t stretch_of(const struct slot *slot) {
    return slot->conn->front->limits.stretch;
}

static void put_bulk_part(struct slot *slot, struct reader *reader, struct buf *out) {
    size_t room = stretch_of(slot) - out->len,
           part = slot->bulk_left < room ? slot->bulk_left : room;
    buf_bytes(out, read_bytes(reader, part));
    slot->bulk_left -= part;
    if (slot->bulk_left == 0)
        buf_bytes(out, BYTES("\r\n"));
}

/* A bulk's head alone, when it is long. False: what the machine said is malformed. */
static bool put_next(struct slot *slot, struct reader *reader, struct buf *out) {
    struct reply_value value;
    if (!reply_next(reader, &value))
        return false;
    if (value.kind == REPLY_BULK && value.text.len > stretch_of(slot)) {
        resp_put_bulk_head(out, value.text.len);
        slot->bulk_left = value.text.len;
        slot->values_left--;
        reader->at = value.text.data;
    } else {
        put_value(out, slot->protocol, &value, &slot->values_left);
    }
    return true;
}

static bool values_ended(const struct slot *slot) {
    return slot->values_left + slot->bulk_left == 0 && exec_ended(slot);
}

static void put_values(struct slot *slot, struct reader *reader, struct buf *out) {
    for (unsigned items = 0; out->len < stretch_of(slot) && !values_ended(slot) && items < ITEMS;) {
        if (slot->bulk_left > 0) {
            put_bulk_part(slot, reader, out);
        } else if (slot->values_left == 0) {
            size_t before = out->len;
            exec_next(slot, reader, out);
            items++;
            slot->conn->front->long_bytes += ITEM_COST + MADE_COST * (out->len - before);
        } else if (!put_next(slot, reader, out)) {
            resp_put_error(out, "ERR malformed reply from the machine");
            slot->conn->closing = true; /* it may stand in the middle of an array */
            slot->values_left = 0;
            if (slot->multi != NULL)
                slot->item = slot->multi->count;
        }
    }
    if (values_ended(slot))
        reader->at = reader->end;
}

static void put_message(const struct slot *slot, struct reader *reader, struct buf *out) {
    size_t stretch = stretch_of(slot);
    size_t room = out->len < stretch ? stretch - out->len : 0, left = reader_left(reader);
    buf_bytes(out, read_bytes(reader, left < room ? left : room));
}

static void put_stretch(struct slot *slot, struct buf *out) {
    struct conn *conn = slot->conn;
    struct bytes whole = long_bytes(slot);
    struct reader reader = reader_of(bytes_of(whole.data + slot->long_at, long_left(slot)));
    buf_bytes(out, buf_view(&slot->reply));
    conn->slot_bytes -= slot->reply.len;
    buf_free(&slot->reply);
    if (slot->publication != NULL)
        put_message(slot, &reader, out);
    else
        put_values(slot, &reader, out);
    size_t left = long_left(slot);
    slot->long_at = (size_t)(reader.at - whole.data);
    conn->slot_bytes -= left - long_left(slot);
}

bool long_put(struct slot *slot) {
    struct conn *conn = slot->conn;
    struct redis_front *front = conn->front;
    struct buf *out = &conn->out, unsaid = {0};
    size_t before = out->len;
    if (before >= front->limits.stretch || front->long_bytes >= TURN_BYTES ||
        env_stream_queued(front->env, &conn->stream) > 0)
        return false;
    put_stretch(slot, slot->quiet ? &unsaid : out);
    front->long_bytes += out->len - before + unsaid.len;
    buf_free(&unsaid);
    return long_left(slot) == 0 && values_ended(slot);
}

void long_go_on(struct conn *conn) {
    if (long_first(conn) && env_stream_queued(conn->front->env, &conn->stream) == 0)
        slots_release(conn);
}
