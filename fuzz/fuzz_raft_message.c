/* Arbitrary messages to a replica. The input is cut into messages: a sender, a type and bytes for
 * its fields, so that most heads are well formed; then the executor's duties are done at random.
 * What must hold: no assertion, and raft's own invariants after every step. */
#include "protocol/raft/raft_internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct replica *make(void) {
    struct replica_options options = {.group = 1,
                                      .id = 1,
                                      .seed = 1,
                                      .election_timeout_min_ns = 1000,
                                      .election_timeout_max_ns = 2000,
                                      .heartbeat_ns = 100,
                                      .disk_stall_ns = 100000,
                                      .lease_reads = true,
                                      .entry_bytes_max = 4096,
                                      .append_bytes_max = 512,
                                      .inflight_max = 4,
                                      .inflight_bytes_max = 4096,
                                      .uncommitted_bytes_max = 4096,
                                      .window_bytes_max = 512,
                                      .apply_bytes_max = 512};
    for (uint64_t id = 1; id <= 3; id++)
        config_add(&options.bootstrap, &(struct member){.id = id, .voter = true});
    return protocol_raft.create(&options);
}

/* What the executor owes: persists complete, committed entries are applied. */
static void serve(struct replica *replica, struct effects effects, uint64_t now) {
    uint64_t applied = 0, seq = 0;
    bool install = false;
    struct event event = {.now = now};
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->kind == EFFECT_PERSIST)
            seq = effect->persist.seq;
        if (effect->kind == EFFECT_APPLY)
            applied = effect->apply.entries[effect->apply.count - 1].index;
        if (effect->kind == EFFECT_SNAPSHOT_INSTALL) {
            install = true;
            event.snapshot_installed.index = effect->snapshot_install.base.index;
        }
    }
    if (install) {
        event.kind = EVENT_SNAPSHOT_INSTALLED;
        protocol_raft.step(replica, &event);
    }
    if (seq != 0) {
        event.kind = EVENT_PERSISTED;
        event.persisted.seq = seq;
        protocol_raft.step(replica, &event);
    }
    if (applied != 0) {
        event.kind = EVENT_APPLIED;
        event.applied.index = applied;
        protocol_raft.step(replica, &event);
    }
}

static struct effects message(struct replica *replica, struct reader *reader, uint64_t now) {
    uint8_t control = read_u8(reader);
    struct raft_message head = {
        .type = (enum raft_message_type)(1 + control % (RAFT_MESSAGE_COUNT - 1))};
    uint8_t body[2048];
    size_t size = raft_message_size(&head);
    raft_message_encode(&head, body);
    if (control & 128) { /* small numbers: they agree with each other more often */
        for (size_t at = 13; at < size; at += 8)
            put_u64(body + at, read_u8(reader) & 15);
    } else {
        struct bytes fields = read_bytes(reader, size - 13);
        if (fields.len)
            memcpy(body + 13, fields.data, fields.len);
    }
    uint32_t count = read_u8(reader) & 3;
    uint64_t index = get_u64(body + 21) + 1, chain = size > 45 ? get_u64(body + 37) : 0;
    for (uint32_t i = 0; head.type == RAFT_APPEND && i < count; i++) {
        struct entry entry = {.index = index + i,
                              .term = read_u8(reader) & 15,
                              .order = index + i,
                              .kind = (enum entry_kind)(1 + (read_u8(reader) & 1))};
        entry_encode(&entry, body + size, bytes_of("xyz", 3), chain);
        chain = entry.chain;
        size += entry.encoded.len;
        put_u32(body + 9, i + 1);
    }
    struct blob *frame = blob_from(bytes_of(body, size));
    struct event event = {.kind = EVENT_MESSAGE, .now = now};
    event.message.from = 2 + (control >> 6 & 1);
    event.message.frame = frame;
    event.message.body = blob_view(frame);
    struct effects effects = protocol_raft.step(replica, &event);
    blob_unref(frame);
    return effects;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader reader = reader_of(bytes_of(data, size));
    struct replica *replica = make();
    uint64_t now = 1000000;
    serve(replica, protocol_raft.start(replica, now, 1), now);
    while (reader_left(&reader) > 0 && !reader.bad) {
        uint8_t what = read_u8(&reader);
        now += what;
        struct event event = {.kind = EVENT_TICK, .now = now};
        struct proposal proposal = {1, BYTES("abc")};
        struct effects effects;
        switch (what & 7) {
        case 0:
            now += 3000;
            event.now = now;
            effects = protocol_raft.step(replica, &event);
            break;
        case 1:
            event.kind = EVENT_PROPOSE;
            event.propose.items = &proposal;
            event.propose.count = 1;
            effects = protocol_raft.step(replica, &event);
            break;
        case 2:
            event.kind = EVENT_READ;
            effects = protocol_raft.step(replica, &event);
            break;
        case 3: /* the body itself is arbitrary */
            event.kind = EVENT_MESSAGE;
            event.message.from = 2;
            event.message.body = read_bytes(&reader, what >> 3);
            event.message.frame = blob_from(event.message.body);
            event.message.body = blob_view(event.message.frame);
            effects = protocol_raft.step(replica, &event);
            blob_unref(event.message.frame);
            break;
        default:
            effects = message(replica, &reader, now);
        }
        serve(replica, effects, now);
        raft_check_deep(replica);
    }
    protocol_raft.destroy(replica);
    return 0;
}
