#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_message_decodes_to_what_was_encoded(void **state) {
    for (int type = 1; type < RAFT_MESSAGE_COUNT; type++) {
        struct raft_message in = {.type = (enum raft_message_type)type,
                                  .incarnation = 7,
                                  .term = 9,
                                  .index = 8,
                                  .log_term = 6,
                                  .first = 1,
                                  .last = 5};
        uint8_t bytes[256];
        size_t size = raft_message_size(&in);
        raft_message_encode(&in, bytes);
        struct raft_message out;
        assert_int_equal(raft_message_decode(bytes_of(bytes, size), &out, NULL, 0), CAIRN_OK);
        assert_int_equal(out.type, type);
        assert_int_equal(out.incarnation, 7);
        assert_int_equal(out.term, 9);
        uint8_t again[256];
        raft_message_encode(&out, again);
        assert_memory_equal(bytes, again, size);
    }
}

static void cut_or_extended_messages_are_malformed(void **state) {
    struct raft_message in = {.type = RAFT_HEARTBEAT, .term = 9};
    uint8_t bytes[256] = {0};
    size_t size = raft_message_size(&in);
    raft_message_encode(&in, bytes);
    struct raft_message out;
    for (size_t len = 0; len <= size + 8; len++)
        assert_int_equal(raft_message_decode(bytes_of(bytes, len), &out, NULL, 0),
                         len == size ? CAIRN_OK : CAIRN_MALFORMED);
}

/* Fault 86: a count is refused before anything is allocated for it. */
static void lying_counts_are_malformed(void **state) {
    struct raft_message in = {.type = RAFT_APPEND, .term = 1};
    uint8_t bytes[256];
    size_t size = raft_message_size(&in);
    const uint32_t counts[] = {1, 2, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        in.count = counts[i];
        raft_message_encode(&in, bytes);
        struct raft_message out;
        assert_int_equal(raft_message_decode(bytes_of(bytes, size), &out, NULL, 0),
                         CAIRN_MALFORMED);
    }
}

static void entries_must_be_dense_and_of_rising_terms(void **state) {
    const struct {
        uint64_t index, term;
        enum cairn_status status;
    } cases[] = {{2, 1, CAIRN_OK},
                 {3, 1, CAIRN_MALFORMED},
                 {2, 5, CAIRN_MALFORMED},
                 {2, 0, CAIRN_MALFORMED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft_message in = {
            .type = RAFT_APPEND, .term = 2, .index = 1, .log_term = 1, .count = 1};
        uint8_t bytes[256];
        size_t size = raft_message_size(&in);
        raft_message_encode(&in, bytes);
        struct entry entry = {
            .index = cases[i].index, .term = cases[i].term, .order = 1, .kind = ENTRY_NOOP};
        entry_encode(&entry, bytes + size, bytes_of(NULL, 0), 0);
        size += entry_size(0);
        struct raft_message out;
        struct entry entries[1];
        assert_int_equal(raft_message_decode(bytes_of(bytes, size), &out, entries, 1),
                         cases[i].status);
    }
}

/* Faults 87, 88: shapes that no replica sends, and a term far ahead. */
static void impossible_messages_are_dropped(void **state) {
    struct replica_options options = {.id = 1,
                                      .election_timeout_min_ns = 10,
                                      .election_timeout_max_ns = 20,
                                      .heartbeat_ns = 1,
                                      .inflight_max = 1,
                                      .append_bytes_max = 1};
    struct replica *replica = protocol_raft.create(&options);
    protocol_raft.start(replica, 1, 1);
    const uint64_t terms[] = {TERM_STEP + 1, RAFT_NUMBER_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        struct raft_message in = {.type = RAFT_HEARTBEAT, .term = terms[i]};
        struct blob *frame = blob_new(raft_message_size(&in));
        raft_message_encode(&in, frame->data);
        struct event event = {.kind = EVENT_MESSAGE, .now = 2};
        event.message.from = 2;
        event.message.frame = frame;
        event.message.body = blob_view(frame);
        protocol_raft.step(replica, &event);
        blob_unref(frame);
        struct replica_status status;
        protocol_raft.status(replica, &status);
        assert_int_equal(status.term, 0);
    }
    protocol_raft.destroy(replica);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_decodes_to_what_was_encoded),
        cmocka_unit_test(cut_or_extended_messages_are_malformed),
        cmocka_unit_test(lying_counts_are_malformed),
        cmocka_unit_test(entries_must_be_dense_and_of_rising_terms),
        cmocka_unit_test(impossible_messages_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
