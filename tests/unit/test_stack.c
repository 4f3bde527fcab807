/* The fixed stack over the real machine: exactly once, sessions, versions, snapshots. */
#include "core/reply.h"
#include "machine/kv/kv.h"
#include "node/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct stack stack;
    struct buf reply, changes;
    uint64_t index, time_ms;
};

static void start(struct fixture *fixture) {
    const struct machine_options options = {.value_bytes_max = 1 << 20, .work_max = 1 << 20};
    *fixture = (struct fixture){.time_ms = 1000};
    stack_open(&fixture->stack, &machine_kv, &options, 8);
}

static void stop(struct fixture *fixture) {
    stack_close(&fixture->stack);
    buf_free(&fixture->reply);
    buf_free(&fixture->changes);
}

static void carry_out(struct fixture *fixture, const struct buf *envelope, bool unheard) {
    struct entry entry = {.index = ++fixture->index,
                          .term = 1,
                          .order = fixture->index,
                          .time_ms = fixture->time_ms,
                          .kind = ENTRY_COMMAND,
                          .payload = buf_view(envelope)};
    buf_clear(&fixture->reply);
    stack_apply(&fixture->stack, &entry, &(struct stack_asks){.unheard = unheard}, &fixture->reply,
                &fixture->changes);
}

static struct reply_value apply(struct fixture *fixture, const struct buf *envelope) {
    struct reply_value value;
    carry_out(fixture, envelope, false);
    struct reader reader = reader_of(buf_view(&fixture->reply));
    assert_true(reply_next(&reader, &value));
    return value;
}

static void incr(struct buf *command) {
    struct bytes key = BYTES("counter");
    kv_encode(command, KV_INCR, &key, 1);
}

static int64_t open_session(struct fixture *fixture, uint64_t ttl_ms) {
    struct buf envelope = {0};
    stack_encode_open(&envelope, ttl_ms);
    struct reply_value value = apply(fixture, &envelope);
    buf_free(&envelope);
    return value.kind == REPLY_INT ? value.integer : -1;
}

static struct reply_value incr_once(struct fixture *fixture, int64_t session, uint64_t sequence) {
    struct buf envelope = {0}, command = {0};
    incr(&command);
    stack_encode_once(&envelope, (uint64_t)session, sequence, buf_view(&command));
    struct reply_value value = apply(fixture, &envelope);
    buf_free(&command);
    buf_free(&envelope);
    return value;
}

static void a_command_without_session_counts_each_time(void **state) {
    struct fixture fixture;
    struct buf envelope = {0}, command = {0};
    start(&fixture);
    incr(&command);
    stack_encode_machine(&envelope, buf_view(&command));
    assert_int_equal(apply(&fixture, &envelope).integer, 1);
    assert_int_equal(apply(&fixture, &envelope).integer, 2);
    buf_free(&command);
    buf_free(&envelope);
    stop(&fixture);
}

static void a_command_of_a_session_counts_once(void **state) {
    struct fixture fixture;
    start(&fixture);
    int64_t session = open_session(&fixture, 60000);
    assert_int_equal(incr_once(&fixture, session, 1).integer, 1);
    assert_int_equal(incr_once(&fixture, session, 1).integer, 1);
    assert_int_equal(incr_once(&fixture, session, 2).integer, 2);
    assert_int_equal(incr_once(&fixture, session, 1).integer, 1);
    assert_memory_equal(incr_once(&fixture, session + 1, 1).text.data, "NOSESSION", 9);
    assert_memory_equal(incr_once(&fixture, session, 100).text.data, "OUTOFWINDOW", 11);
    stop(&fixture);
}

/* One replica hears the replies, another does not: their states stay equal, and what is for a
 * session is whole on both. */
static void a_reply_that_nothing_hears_is_left_out(void **state) {
    static uint8_t long_value[100000];
    struct fixture heard, unheard;
    struct buf envelope = {0}, command = {0};
    const struct bytes set[] = {BYTES("key"), bytes_of(long_value, sizeof long_value)};
    memset(long_value, 'v', sizeof long_value);
    start(&heard);
    start(&unheard);
    int64_t session = open_session(&heard, 60000);
    assert_int_equal(open_session(&unheard, 60000), session);
    for (int i = 0; i < 3; i++) {
        buf_clear(&command);
        buf_clear(&envelope);
        kv_encode(&command, i == 0 ? KV_SET : i == 1 ? KV_GET : KV_GETDEL, set, i == 0 ? 2 : 1);
        if (i < 2)
            stack_encode_machine(&envelope, buf_view(&command));
        else
            stack_encode_once(&envelope, (uint64_t)session, 1, buf_view(&command));
        carry_out(&heard, &envelope, false);
        carry_out(&unheard, &envelope, true);
        assert_true(i == 2 || unheard.reply.len <= heard.reply.len);
    }
    assert_true(bytes_equal(buf_view(&heard.reply), buf_view(&unheard.reply)));
    assert_int_equal(stack_digest(&heard.stack), stack_digest(&unheard.stack));
    buf_free(&command);
    buf_free(&envelope);
    stop(&heard);
    stop(&unheard);
}

static void an_unused_session_ends_by_an_entry(void **state) {
    struct fixture fixture;
    struct buf envelope = {0};
    start(&fixture);
    int64_t session = open_session(&fixture, 2000);
    assert_int_equal(stack_next_due(&fixture.stack), 3000);
    assert_false(stack_due(&fixture.stack, 2999, 0, &envelope));
    assert_int_equal(envelope.len, 0);
    assert_true(stack_due(&fixture.stack, 3000, 0, &envelope));
    fixture.time_ms = 3000;
    apply(&fixture, &envelope);
    assert_int_equal(once_sessions(fixture.stack.once), 0);
    assert_memory_equal(incr_once(&fixture, session, 1).text.data, "NOSESSION", 9);
    assert_int_equal(open_session(&fixture, 1), -1); /* too short a life */
    buf_free(&envelope);
    stop(&fixture);
}

static void the_cluster_version_only_rises(void **state) {
    struct fixture fixture;
    struct buf envelope = {0};
    start(&fixture);
    uint32_t version = fixture.stack.agreed.version;
    stack_encode_version(&envelope, version + 1);
    apply(&fixture, &envelope);
    assert_int_equal(fixture.stack.agreed.version, version + 1);
    buf_clear(&envelope);
    stack_encode_version(&envelope, version);
    apply(&fixture, &envelope);
    assert_int_equal(fixture.stack.agreed.version, version + 1);
    buf_free(&envelope);
    stop(&fixture);
}

static void to_version_3(struct fixture *fixture) {
    struct buf envelope = {0};
    stack_encode_version(&envelope, WIRE_VERSION_3);
    apply(fixture, &envelope);
    buf_free(&envelope);
}

static enum reply_kind change_parameters(struct fixture *fixture, uint64_t revision,
                                         uint32_t window, uint64_t largest) {
    struct buf envelope = {0};
    stack_encode_parameters(&envelope, &(struct agreed_parameters){revision, window, largest});
    enum reply_kind kind = apply(fixture, &envelope).kind;
    buf_free(&envelope);
    return kind;
}

static enum reply_kind set_value(struct fixture *fixture, size_t len) {
    struct buf envelope = {0}, command = {0};
    uint8_t *value = calloc(1, len);
    struct bytes args[] = {BYTES("key"), bytes_of(value, len)};
    kv_encode(&command, KV_SET, args, 2);
    stack_encode_machine(&envelope, buf_view(&command));
    enum reply_kind kind = apply(fixture, &envelope).kind;
    buf_free(&envelope);
    buf_free(&command);
    free(value);
    return kind;
}

/* Two replicas whose nodes have other settings execute the same entries alike. */
static void commands_are_executed_by_what_is_agreed_not_by_settings(void **state) {
    for (int broken = 0; broken < 2; broken++) {
        struct fixture a, b;
        start(&a);
        start(&b);
        stack_set_own(&b.stack, &(struct agreed_parameters){0, 2, 1000});
        if (broken)
            b.stack.mutant = MUTANT_OWN_PARAMETERS;
        struct fixture *both[] = {&a, &b};
        int64_t last[2];
        for (int i = 0; i < 2; i++) {
            to_version_3(both[i]);
            assert_int_equal(change_parameters(both[i], 0, 16, 5000), REPLY_STATUS);
            assert_int_equal(change_parameters(both[i], 0, 4, 10), REPLY_ERROR); /* too late */
            assert_int_equal(change_parameters(both[i], 1, 0, 10), REPLY_ERROR); /* no window */
            int64_t session = open_session(both[i], 60000);
            incr_once(both[i], session, 1);
            incr_once(both[i], session, 10);
            last[i] = (int64_t)set_value(both[i], 3000);
        }
        bool equal = stack_digest(&a.stack) == stack_digest(&b.stack) && last[0] == last[1];
        assert_int_equal(equal, !broken);
        stop(&a);
        stop(&b);
    }
}

static void an_operator_sets_time_back_and_nothing_else_moves_it(void **state) {
    struct fixture fixture;
    struct buf envelope = {0};
    start(&fixture);
    to_version_3(&fixture);
    fixture.time_ms = 90000000;
    stack_encode_time(&envelope, 90000001); /* forwards */
    assert_int_equal(apply(&fixture, &envelope).kind, REPLY_ERROR);
    int64_t session = open_session(&fixture, 60000);
    buf_clear(&envelope);
    stack_encode_time(&envelope, 3600000);
    assert_int_equal(apply(&fixture, &envelope).kind, REPLY_STATUS);
    assert_int_equal(agreed_time_ms(&fixture.stack.agreed, fixture.time_ms), 3600000);
    fixture.time_ms += 50000; /* the session's last use lies in the future now */
    assert_int_equal(incr_once(&fixture, session, 1).integer, 1);
    fixture.time_ms += 70000;
    assert_memory_equal(incr_once(&fixture, session, 2).text.data, "NOSESSION", 9);
    buf_free(&envelope);
    stop(&fixture);
}

static void the_first_number_stays(void **state) {
    struct fixture fixture;
    start(&fixture);
    for (uint64_t number = 7; number < 9; number++) {
        struct buf envelope = {0};
        stack_encode_number(&envelope, number);
        apply(&fixture, &envelope);
        buf_free(&envelope);
    }
    assert_int_equal(fixture.stack.agreed.cluster_number, 7);
    stop(&fixture);
}

static void what_is_no_envelope_is_answered_with_an_error(void **state) {
    struct fixture fixture;
    static const char *const wrong[] = {"", "\377", "\2", "\3short", "\6"};
    start(&fixture);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf envelope = {0};
        buf_bytes(&envelope, bytes_cstr(wrong[i]));
        struct reply_value value = apply(&fixture, &envelope);
        assert_true(value.kind == REPLY_ERROR || i == 4);
        buf_free(&envelope);
    }
    stop(&fixture);
}

static void a_snapshot_carries_machine_sessions_and_version(void **state) {
    struct fixture from, to;
    struct buf envelope = {0}, chunk = {0};
    uint32_t section, version;
    start(&from);
    start(&to);
    int64_t session = open_session(&from, 60000);
    for (uint64_t sequence = 1; sequence <= 20; sequence++)
        incr_once(&from, session, sequence);
    stack_encode_version(&envelope, WIRE_VERSION_3);
    apply(&from, &envelope);
    change_parameters(&from, 0, 8, 1 << 19);
    struct stack_snapshot *snapshot = stack_snapshot_begin(&from.stack);
    uint64_t digest = stack_digest(&from.stack);
    incr_once(&from, session, 21); /* later than the snapshot */
    stack_restore_begin(&to.stack);
    while (stack_snapshot_next(snapshot, 100, &chunk, &section, &version)) {
        assert_int_equal(stack_restore_chunk(&to.stack, section, version, buf_view(&chunk)),
                         CAIRN_OK);
        buf_clear(&chunk);
    }
    assert_int_equal(stack_restore_end(&to.stack), CAIRN_OK);
    stack_snapshot_end(&from.stack, snapshot);
    assert_int_equal(stack_digest(&to.stack), digest);
    assert_int_equal(incr_once(&to, session, 20).integer, 20);
    assert_int_equal(incr_once(&to, session, 21).integer, 21);
    buf_free(&chunk);
    buf_free(&envelope);
    stop(&from);
    stop(&to);
}

static void foreign_sections_and_versions_are_refused(void **state) {
    struct fixture fixture;
    start(&fixture);
    stack_restore_begin(&fixture.stack);
    assert_int_equal(stack_restore_chunk(&fixture.stack, 77, 1, BYTES("")), CAIRN_CORRUPT);
    assert_int_equal(stack_restore_chunk(&fixture.stack, STACK_SECTION_HEAD, 1, BYTES("abc")),
                     CAIRN_CORRUPT);
    assert_int_equal(stack_restore_chunk(&fixture.stack, STACK_SECTION_ONCE, 99, BYTES("")),
                     CAIRN_WRONG_VERSION);
    stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_without_session_counts_each_time),
        cmocka_unit_test(a_command_of_a_session_counts_once),
        cmocka_unit_test(a_reply_that_nothing_hears_is_left_out),
        cmocka_unit_test(an_unused_session_ends_by_an_entry),
        cmocka_unit_test(the_cluster_version_only_rises),
        cmocka_unit_test(commands_are_executed_by_what_is_agreed_not_by_settings),
        cmocka_unit_test(an_operator_sets_time_back_and_nothing_else_moves_it),
        cmocka_unit_test(the_first_number_stays),
        cmocka_unit_test(what_is_no_envelope_is_answered_with_an_error),
        cmocka_unit_test(a_snapshot_carries_machine_sessions_and_version),
        cmocka_unit_test(foreign_sections_and_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
