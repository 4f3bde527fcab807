/* Arbitrary messages to a replica of Zab. The input is cut into messages: a sender, a type and
 * bytes for its fields, often of the session and the epoch that the replica is in, so that phases
 * are reached; then the executor's duties are done. What must hold: no assertion, and Zab's own
 * invariants after every step. */
#include "protocol/zab/zab_internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct replica *make(bool leases) {
    struct replica_options options = {.group = 1,
                                      .id = 1,
                                      .seed = 1,
                                      .election_timeout_min_ns = 1000,
                                      .election_timeout_max_ns = 2000,
                                      .heartbeat_ns = 100,
                                      .disk_stall_ns = 100000,
                                      .lease_reads = leases,
                                      .entry_bytes_max = 4096,
                                      .append_bytes_max = 512,
                                      .inflight_max = 4,
                                      .inflight_bytes_max = 4096,
                                      .uncommitted_bytes_max = 4096,
                                      .window_bytes_max = 512,
                                      .apply_bytes_max = 512};
    for (uint64_t id = 1; id <= 3; id++)
        config_add(&options.bootstrap, &(struct member){.id = id, .voter = true});
    return protocol_zab.create(&options);
}

/* What the executor owes: persists complete, committed entries are applied. */
static void serve(struct replica *replica, struct effects effects, uint64_t now) {
    uint64_t applied = 0, seq = 0;
    struct event event = {.now = now};
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->kind == EFFECT_PERSIST)
            seq = effect->persist.seq;
        if (effect->kind == EFFECT_APPLY)
            applied = effect->apply.entries[effect->apply.count - 1].index;
    }
    if (applied != 0) {
        event.kind = EVENT_APPLIED;
        event.applied.index = applied;
        protocol_zab.step(replica, &event);
    }
    if (seq != 0) {
        event.kind = EVENT_PERSISTED;
        event.persisted.seq = seq;
        serve(replica, protocol_zab.step(replica, &event), now);
    }
}

static uint64_t number(struct reader *reader, uint64_t base) {
    uint8_t byte = read_u8(reader);
    return byte & 64 ? base + (byte & 3) - 1 : byte & 15;
}

static void fill(struct replica *replica, struct reader *reader, struct zab_message *message,
                 uint64_t from) {
    const struct log *log = &replica->journal.log;
    const struct zab_peer *peer = zab_peer_of(replica, from);
    message->term = number(reader, replica->accepted + 1);
    message->nonce = zab_leads(replica) && peer ? peer->nonce : replica->nonce;
    if ((read_u8(reader) & 7) == 7)
        message->nonce++;
    message->index = number(reader, log->last + 1);
    message->log_term = number(reader, log_last_term(log) + 1);
    if (message->log_term > message->term && message->type != ZAB_NOTIFICATION)
        message->log_term = message->term;
    if (!log_chain(log, message->index, &message->chain))
        message->chain = read_u8(reader);
    message->round = number(reader, replica->round + 1);
    message->leader = number(reader, 2);
    message->commit = number(reader, log->last + 1);
    message->last = number(reader, log->last + 1);
    message->flags = read_u8(reader) | (read_u8(reader) & 1u) << 8;
    message->request = replica->reads.request;
    message->status = read_u8(reader) & 31;
    message->sent_at = replica->now;
}

static struct effects message(struct replica *replica, struct reader *reader, uint64_t now) {
    uint8_t control = read_u8(reader);
    uint64_t from = 2 + (control >> 6 & 1);
    struct zab_run runs[2];
    struct zab_message head = {
        .type = (enum zab_message_type)(1 + (control & 63) % (ZAB_MESSAGE_COUNT - 1))};
    fill(replica, reader, &head, from);
    uint8_t body[2048], count = read_u8(reader) & 3;
    if (head.type == ZAB_ACK_EPOCH) {
        head.runs = runs;
        head.count = count % 3;
        for (uint32_t i = 0; i < head.count; i++)
            runs[i] = (struct zab_run){read_u8(reader) & 15, read_u8(reader) & 15};
    }
    zab_message_encode(&head, body);
    size_t size = zab_message_size(&head);
    uint64_t chain = head.chain;
    bool entries = head.type == ZAB_PROPOSE || head.type == ZAB_SYNC;
    for (uint32_t i = 0; entries && i < count; i++) {
        struct entry entry = {.index = head.index + 1 + i,
                              .term = number(reader, head.term),
                              .order = head.index + 1 + i,
                              .kind = (enum entry_kind)(1 + (read_u8(reader) & 1))};
        entry_encode(&entry, body + size, bytes_of("xyz", 3), chain);
        chain = entry.chain;
        size += entry.encoded.len;
        put_u32(body + 9, i + 1);
    }
    struct blob *frame = blob_from(bytes_of(body, size));
    struct event event = {.kind = EVENT_MESSAGE, .now = now};
    event.message.from = from;
    event.message.frame = frame;
    event.message.body = blob_view(frame);
    struct effects effects = protocol_zab.step(replica, &event);
    blob_unref(frame);
    return effects;
}

static struct effects other(struct replica *replica, struct reader *reader, uint8_t what,
                            uint64_t now) {
    struct event event = {.kind = EVENT_TICK, .now = now};
    struct proposal proposal = {1, BYTES("abc")};
    switch (what & 7) {
    case 0:
        break;
    case 1:
        event.kind = EVENT_PROPOSE;
        event.propose.items = &proposal;
        event.propose.count = 1;
        break;
    case 2:
        event.kind = EVENT_READ;
        break;
    case 3: /* the body itself is arbitrary */
        event.kind = EVENT_MESSAGE;
        event.message.from = 2;
        event.message.body = read_bytes(reader, what >> 3);
        event.message.frame = blob_from(event.message.body);
        event.message.body = blob_view(event.message.frame);
        struct effects effects = protocol_zab.step(replica, &event);
        blob_unref(event.message.frame);
        return effects;
    default:
        event.kind = what & 8 ? EVENT_PEER_UP : EVENT_PEER_DOWN;
        event.peer.id = 2 + (what >> 4 & 1);
    }
    return protocol_zab.step(replica, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader reader = reader_of(bytes_of(data, size));
    struct replica *replica = make(read_u8(&reader) & 1);
    uint64_t now = 1000000;
    serve(replica, protocol_zab.start(replica, now, 1), now);
    while (reader_left(&reader) > 0 && !reader.bad) {
        uint8_t what = read_u8(&reader);
        now += (what & 7) == 0 ? 50u * what : what;
        bool sends = (what & 7) > 4;
        serve(replica, sends ? message(replica, &reader, now) : other(replica, &reader, what, now),
              now);
        zab_check_deep(replica);
    }
    protocol_zab.destroy(replica);
    return 0;
}
