#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

#include <stdio.h>

#define HEAD_BYTES 13u /* type, incarnation, count of entries */

enum {
#define X(constant, name) FIELD_AT_##constant,
    RAFT_FIELDS(X)
#undef X
};
enum {
#define X(constant, name) FIELD_##constant = 1 << FIELD_AT_##constant,
    RAFT_FIELDS(X)
#undef X
};

static const struct field fields[] = {
#define X(constant, name) {#name, offsetof(struct raft_message, name)},
    RAFT_FIELDS(X)
#undef X
};

static const struct {
    const char *name;
    unsigned fields;
    unsigned added; /* in version 3 */
} shapes[] = {{"none", 0, 0},
#define X(constant, text, bits, more) {text, bits, more},
              RAFT_MESSAGES(X)
#undef X
};

const char *raft_message_name(enum raft_message_type type) {
    return shapes[type < RAFT_MESSAGE_COUNT ? type : RAFT_NO_MESSAGE].name;
}

static unsigned fields_of(const struct raft_message *message) {
    return shapes[message->type].fields | (message->more ? shapes[message->type].added : 0);
}

size_t raft_message_size(const struct raft_message *message) {
    return HEAD_BYTES + fields_size(fields_of(message));
}

void raft_message_encode(const struct raft_message *message, uint8_t *at) {
    cairn_assert(message->type > RAFT_NO_MESSAGE && message->type < RAFT_MESSAGE_COUNT);
    *at = (uint8_t)(message->type | (message->more ? RAFT_MORE_FIELDS : 0));
    put_u64(at + 1, message->incarnation);
    put_u32(at + 9, message->count);
    fields_encode(fields, fields_of(message), message, at + HEAD_BYTES);
}

static bool sane(const struct raft_message *message) {
    return message->term <= RAFT_NUMBER_MAX && message->index <= RAFT_NUMBER_MAX &&
           message->log_term <= RAFT_NUMBER_MAX && message->commit <= RAFT_NUMBER_MAX &&
           message->first <= RAFT_NUMBER_MAX && message->last <= RAFT_NUMBER_MAX &&
           message->conflict_term <= RAFT_NUMBER_MAX && message->log_term <= message->term;
}

static bool has_entries(enum raft_message_type type) {
    return type == RAFT_APPEND || type == RAFT_REPAIR_ENTRIES;
}

static enum cairn_status decode_entries(struct reader *reader, struct raft_message *message) {
    uint64_t index = message->type == RAFT_APPEND ? message->index : message->first - 1;
    uint64_t term = message->log_term;
    for (uint32_t i = 0; i < message->count; i++) {
        struct entry *entry = &message->entries[i];
        if (entry_decode(reader, entry) != CAIRN_OK || entry->index != ++index ||
            entry->term < term || entry->term == 0 || entry->term > RAFT_NUMBER_MAX ||
            entry->order > STAMP_ORDER_MAX || entry->time_ms > 2 * STAMP_TIME_MS_MAX)
            return CAIRN_MALFORMED;
        if (message->type == RAFT_APPEND && entry->term > message->term)
            return CAIRN_MALFORMED;
        term = entry->term;
    }
    return reader_done(reader) ? CAIRN_OK : CAIRN_MALFORMED;
}

enum cairn_status raft_message_decode(struct bytes body, struct raft_message *message,
                                      struct entry *entries, uint32_t entries_max) {
    *message = (struct raft_message){0};
    struct reader reader = reader_of(body);
    uint8_t type = read_u8(&reader);
    message->more = type & RAFT_MORE_FIELDS;
    type &= (uint8_t)~RAFT_MORE_FIELDS;
    message->incarnation = read_u64(&reader);
    message->count = read_u32(&reader);
    if (reader.bad || type == RAFT_NO_MESSAGE || type >= RAFT_MESSAGE_COUNT)
        return CAIRN_MALFORMED;
    message->type = (enum raft_message_type)type;
    fields_decode(fields, fields_of(message), message, &reader);
    if (reader.bad || !sane(message) || message->count > reader_left(&reader) / ENTRY_HEAD_BYTES)
        return CAIRN_MALFORMED;
    if (!has_entries(message->type))
        return message->count == 0 && reader_done(&reader) ? CAIRN_OK : CAIRN_MALFORMED;
    if (message->type == RAFT_REPAIR_ENTRIES && message->first == 0)
        return CAIRN_MALFORMED;
    if (entries == NULL)
        return CAIRN_OK;
    cairn_assert(message->count <= entries_max);
    message->entries = entries;
    return decode_entries(&reader, message);
}

bool raft_describe(struct bytes body, char *text, size_t size) {
    struct raft_message message;
    if (raft_message_decode(body, &message, NULL, 0) != CAIRN_OK)
        return false;
    size_t used = (size_t)snprintf(text, size, "%s", shapes[message.type].name);
    unsigned hidden = FIELD_SENT_AT | FIELD_CHAIN | FIELD_REQUEST | FIELD_WAIT_NS | FIELD_LEASE_NS |
                      FIELD_TIME_MS | FIELD_WALL_MS;
    used += fields_describe(fields, shapes[message.type].fields & ~hidden, &message, text + used,
                            size - used);
    if (message.count > 0 && used < size)
        snprintf(text + used, size - used, " entries=%u", message.count);
    return true;
}

void raft_send(struct replica *raft, uint64_t to, uint64_t after, struct raft_message *message,
               const struct entry *entries, size_t count) {
    cairn_assert(to != raft->options.id);
    message->incarnation = raft->options.incarnation;
    message->count = (uint32_t)count;
    const struct raft_peer *peer = raft_peer(raft, to);
    message->more =
        shapes[message->type].added != 0 && peer != NULL && peer->wire_version >= WIRE_VERSION_3;
    size_t size = raft_message_size(message);
    uint8_t *head = outbox_scratch(&raft->journal.out, size);
    raft_message_encode(message, head);
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_SEND);
    effect->send.to = to;
    effect->send.after = after;
    effect->send.lane = has_entries(message->type) ? LANE_BULK : LANE_CONTROL;
    effect->send.head = bytes_of(head, size);
    effect->send.entries = entries;
    effect->send.count = count;
}
