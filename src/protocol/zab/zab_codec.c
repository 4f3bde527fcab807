#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>

#define HEAD_BYTES 13u /* type, incarnation, count of what follows */
#define RUN_BYTES 16u

enum {
#define X(constant, name) FIELD_AT_##constant,
    ZAB_FIELDS(X)
#undef X
};
enum {
#define X(constant, name) FIELD_##constant = 1 << FIELD_AT_##constant,
    ZAB_FIELDS(X)
#undef X
};

static const struct field fields[] = {
#define X(constant, name) {#name, offsetof(struct zab_message, name)},
    ZAB_FIELDS(X)
#undef X
};

enum tail { NOTHING, RUNS, ENTRIES };

static const struct {
    const char *name;
    unsigned fields;
    unsigned added; /* in version 3 */
    enum tail tail;
} shapes[] = {{"none", 0, 0, NOTHING},
#define X(constant, text, bits, more, what) {text, bits, more, what},
              ZAB_MESSAGES(X)
#undef X
};

static unsigned fields_of(const struct zab_message *message) {
    return shapes[message->type].fields | (message->more ? shapes[message->type].added : 0);
}

size_t zab_message_size(const struct zab_message *message) {
    size_t size = HEAD_BYTES + fields_size(fields_of(message));
    return shapes[message->type].tail == RUNS ? size + RUN_BYTES * message->count : size;
}

void zab_message_encode(const struct zab_message *message, uint8_t *at) {
    cairn_assert(message->type > ZAB_NO_MESSAGE && message->type < ZAB_MESSAGE_COUNT);
    *at = (uint8_t)(message->type | (message->more ? ZAB_MORE_FIELDS : 0));
    put_u64(at + 1, message->incarnation);
    put_u32(at + 9, message->count);
    at = fields_encode(fields, fields_of(message), message, at + HEAD_BYTES);
    for (uint32_t i = 0; shapes[message->type].tail == RUNS && i < message->count; i++) {
        put_u64(at, message->runs[i].first);
        put_u64(at + 8, message->runs[i].term);
        at += RUN_BYTES;
    }
}

static bool sane(const struct zab_message *message) {
    return message->term <= ZAB_NUMBER_MAX && message->index <= ZAB_NUMBER_MAX &&
           message->log_term <= ZAB_NUMBER_MAX && message->commit <= ZAB_NUMBER_MAX &&
           message->last <= ZAB_NUMBER_MAX && message->round <= ZAB_NUMBER_MAX &&
           (message->type == ZAB_NOTIFICATION || message->log_term <= message->term);
}

static enum cairn_status decode_entries(struct reader *reader, struct zab_message *message) {
    uint64_t index = message->index, term = message->log_term;
    for (uint32_t i = 0; i < message->count; i++) {
        struct entry *entry = &message->entries[i];
        if (entry_decode(reader, entry) != CAIRN_OK || entry->index != ++index ||
            entry->term < term || entry->term == 0 || entry->term > message->term ||
            entry->order > STAMP_ORDER_MAX || entry->time_ms > 2 * STAMP_TIME_MS_MAX)
            return CAIRN_MALFORMED;
        term = entry->term;
    }
    return reader_done(reader) ? CAIRN_OK : CAIRN_MALFORMED;
}

static enum cairn_status decode_runs(struct reader *reader, struct zab_message *message) {
    for (uint32_t i = 0; i < message->count; i++) {
        struct zab_run *run = &message->runs[i];
        *run = (struct zab_run){read_u64(reader), read_u64(reader)};
        if (reader->bad || run->first == 0 || run->first > message->index || run->term == 0 ||
            run->term > message->log_term ||
            (i > 0 && (run->first <= run[-1].first || run->term < run[-1].term)))
            return CAIRN_MALFORMED;
    }
    return reader_done(reader) ? CAIRN_OK : CAIRN_MALFORMED;
}

enum cairn_status zab_message_decode(struct bytes body, struct zab_message *message,
                                     struct outbox *out) {
    *message = (struct zab_message){0};
    struct reader reader = reader_of(body);
    uint8_t type = read_u8(&reader);
    message->more = type & ZAB_MORE_FIELDS;
    type &= (uint8_t)~ZAB_MORE_FIELDS;
    message->incarnation = read_u64(&reader);
    message->count = read_u32(&reader);
    if (reader.bad || type == ZAB_NO_MESSAGE || type >= ZAB_MESSAGE_COUNT)
        return CAIRN_MALFORMED;
    message->type = (enum zab_message_type)type;
    fields_decode(fields, fields_of(message), message, &reader);
    if (reader.bad || !sane(message))
        return CAIRN_MALFORMED;
    switch (shapes[type].tail) {
    case NOTHING:
        return message->count == 0 && reader_done(&reader) ? CAIRN_OK : CAIRN_MALFORMED;
    case RUNS:
        if (message->count > ZAB_RUNS_MAX || reader_left(&reader) != message->count * RUN_BYTES)
            return CAIRN_MALFORMED;
        if (out == NULL)
            return CAIRN_OK;
        message->runs = outbox_scratch(out, message->count * sizeof *message->runs);
        return decode_runs(&reader, message);
    case ENTRIES:
        if (message->count > reader_left(&reader) / ENTRY_HEAD_BYTES)
            return CAIRN_MALFORMED;
        if (out == NULL)
            return CAIRN_OK;
        message->entries = outbox_scratch(out, message->count * sizeof *message->entries);
        return decode_entries(&reader, message);
    }
    return CAIRN_MALFORMED;
}

bool zab_describe(struct bytes body, char *text, size_t size) {
    struct zab_message message;
    if (zab_message_decode(body, &message, NULL) != CAIRN_OK)
        return false;
    size_t used = (size_t)snprintf(text, size, "%s", shapes[message.type].name);
    unsigned hidden = FIELD_SENT_AT | FIELD_CHAIN | FIELD_REQUEST | FIELD_NONCE | FIELD_LEASE_NS |
                      FIELD_TIME_MS | FIELD_WALL_MS;
    used += fields_describe(fields, shapes[message.type].fields & ~hidden, &message, text + used,
                            size - used);
    if (message.count > 0 && used < size)
        snprintf(text + used, size - used, " %s=%" PRIu32,
                 shapes[message.type].tail == RUNS ? "runs" : "entries", message.count);
    return true;
}

void zab_send(struct replica *zab, uint64_t to, uint64_t after, struct zab_message *message,
              const struct entry *entries, size_t count) {
    cairn_assert(to != zab->options.id && to != 0);
    message->incarnation = zab->options.incarnation;
    if (shapes[message->type].tail != RUNS)
        message->count = (uint32_t)count;
    const struct zab_peer *peer = zab_peer_of(zab, to);
    message->more =
        shapes[message->type].added != 0 && peer != NULL && peer->wire_version >= WIRE_VERSION_3;
    size_t size = zab_message_size(message);
    uint8_t *head = outbox_scratch(&zab->journal.out, size);
    zab_message_encode(message, head);
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_SEND);
    effect->send.to = to;
    effect->send.after = after;
    effect->send.lane = shapes[message->type].tail == ENTRIES ? LANE_BULK : LANE_CONTROL;
    effect->send.head = bytes_of(head, size);
    effect->send.entries = entries;
    effect->send.count = count;
}
