/* Long commands in pieces: what is staged in the replicated state, and the node's side of it. */
#include "node/stack.h"

#include "core/protocol.h"
#include "core/reply.h"
#include "machine/kv/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct stack stack;
    struct buf reply, changes;
    uint64_t index, time_ms;
};

static void start(struct fixture *fixture) {
    struct machine_options options = {.value_bytes_max = 1 << 20, .work_max = 1 << 20};
    *fixture = (struct fixture){.time_ms = 1000};
    stack_open(&fixture->stack, &machine_kv, &options, 8);
    fixture->stack.agreed.version = WIRE_VERSION_3;
}

static void stop(struct fixture *fixture) {
    stack_close(&fixture->stack);
    buf_free(&fixture->reply);
    buf_free(&fixture->changes);
}

/* Applies the envelope and frees it; the reply's kind. */
static enum reply_kind apply(struct fixture *fixture, struct buf *envelope) {
    struct blob *blob = blob_from(buf_view(envelope));
    struct entry entry = {.index = ++fixture->index,
                          .term = 1,
                          .order = fixture->index * 10,
                          .time_ms = fixture->time_ms,
                          .kind = ENTRY_COMMAND,
                          .payload = blob_view(blob),
                          .blob = blob};
    struct reply_value value;
    buf_clear(&fixture->reply);
    buf_clear(&fixture->changes);
    stack_apply(&fixture->stack, &entry, &(struct stack_asks){0}, &fixture->reply,
                &fixture->changes);
    struct reader reader = reader_of(buf_view(&fixture->reply));
    assert_true(reply_next(&reader, &value));
    blob_unref(blob);
    buf_free(envelope);
    return value.kind;
}

static struct buf set_command(const char *key, size_t len) {
    struct buf command = {0}, value = {0};
    memset(buf_reserve(&value, len), 'v', len);
    stack_encode_machine(&command, bytes_of(NULL, 0));
    kv_encode(&command, KV_SET, (struct bytes[]){bytes_cstr(key), bytes_of(value.data, len)}, 2);
    buf_free(&value);
    return command;
}

static enum reply_kind piece(struct fixture *fixture, uint64_t number, const struct buf *command,
                             size_t offset, size_t len) {
    struct buf envelope = {0};
    struct upload_id id = {7, number};
    stack_encode_piece(&envelope, id, command->len, offset);
    buf_bytes(&envelope, bytes_of(command->data + offset, len));
    return apply(fixture, &envelope);
}

static enum reply_kind whole(struct fixture *fixture, uint64_t number, size_t total) {
    struct buf envelope = {0};
    stack_encode_whole(&envelope, (struct upload_id){7, number}, total);
    return apply(fixture, &envelope);
}

static uint64_t keys(const struct fixture *fixture) {
    return fixture->stack.kind->count(fixture->stack.machine);
}

static void a_command_executes_when_all_its_pieces_are_there(void **state) {
    struct fixture fixture;
    start(&fixture);
    struct buf command = set_command("a", 100000);
    uint64_t before = stack_digest(&fixture.stack);
    assert_int_equal(piece(&fixture, 1, &command, 60000, 30000), REPLY_STATUS);
    assert_int_equal(piece(&fixture, 1, &command, 0, 60000), REPLY_STATUS);
    assert_true(stack_digest(&fixture.stack) != before);
    assert_int_equal(whole(&fixture, 1, command.len), REPLY_ERROR); /* one is missing */
    assert_true(fixture.stack.pieces_lost);
    assert_int_equal(keys(&fixture), 0);
    assert_int_equal(piece(&fixture, 1, &command, 0, 60000), REPLY_STATUS); /* sent twice */
    assert_int_equal(piece(&fixture, 1, &command, 90000, command.len - 90000), REPLY_STATUS);
    assert_int_equal(whole(&fixture, 1, command.len), REPLY_STATUS);
    assert_false(fixture.stack.pieces_lost);
    assert_int_equal(keys(&fixture), 1);
    assert_int_equal(staging_bytes(fixture.stack.staging), 0);
    assert_int_equal(whole(&fixture, 1, command.len), REPLY_ERROR); /* once only */
    buf_free(&command);
    stop(&fixture);
}

static void what_is_forgotten_is_removed_by_an_entry(void **state) {
    struct fixture fixture;
    struct buf due = {0}, drop = {0};
    start(&fixture);
    struct buf command = set_command("a", 1000);
    piece(&fixture, 1, &command, 0, 500);
    fixture.time_ms += 1000;
    piece(&fixture, 2, &command, 0, 500);
    assert_true(stack_next_due(&fixture.stack) == 1000 + STAGING_PATIENCE_MS);
    fixture.time_ms = 1000 + STAGING_PATIENCE_MS;
    assert_true(stack_due(&fixture.stack, fixture.time_ms, 0, &due));
    apply(&fixture, &due);
    assert_int_equal(staging_bytes(fixture.stack.staging), 500);
    stack_encode_pieces_drop(&drop, (struct upload_id){7, 2});
    apply(&fixture, &drop);
    assert_int_equal(staging_bytes(fixture.stack.staging), 0);
    assert_true(stack_next_due(&fixture.stack) == UINT64_MAX);
    buf_free(&command);
    stop(&fixture);
}

static void a_snapshot_holds_what_is_staged(void **state) {
    struct fixture from, to;
    start(&from);
    start(&to);
    struct buf command = set_command("a", 5000);
    piece(&from, 1, &command, 0, 3000);
    struct stack_snapshot *snapshot = stack_snapshot_begin(&from.stack);
    piece(&from, 2, &command, 0, 3000); /* the snapshot does not see it */
    stack_restore_begin(&to.stack);
    for (;;) {
        struct buf chunk = {0};
        uint32_t section, version;
        if (!stack_snapshot_next(snapshot, 700, &chunk, &section, &version))
            break;
        assert_int_equal(stack_restore_chunk(&to.stack, section, version, buf_view(&chunk)),
                         CAIRN_OK);
        buf_free(&chunk);
    }
    assert_int_equal(stack_restore_end(&to.stack), CAIRN_OK);
    stack_snapshot_end(&from.stack, snapshot);
    assert_int_equal(staging_bytes(to.stack.staging), 3000);
    struct buf drop = {0};
    stack_encode_pieces_drop(&drop, (struct upload_id){7, 2});
    apply(&from, &drop);
    assert_true(stack_digest(&from.stack) == stack_digest(&to.stack));
    piece(&to, 1, &command, 3000, command.len - 3000);
    assert_int_equal(whole(&to, 1, command.len), REPLY_STATUS);
    buf_free(&command);
    stop(&from);
    stop(&to);
}

static void malformed_pieces_are_refused(void **state) {
    struct fixture fixture;
    start(&fixture);
    struct buf command = set_command("a", 1000);
    assert_int_equal(piece(&fixture, 1, &command, 100, 500), REPLY_STATUS);
    assert_int_equal(piece(&fixture, 1, &command, 50, 100), REPLY_ERROR);  /* overlaps */
    assert_int_equal(piece(&fixture, 1, &command, 599, 100), REPLY_ERROR); /* likewise */
    command.len -= 1;
    assert_int_equal(piece(&fixture, 1, &command, 700, 100), REPLY_ERROR); /* another length */
    assert_int_equal(piece(&fixture, 3, &command, 0, 0), REPLY_ERROR);
    struct buf nested = {0};
    stack_encode_whole(&nested, (struct upload_id){7, 5}, 10);
    assert_int_equal(piece(&fixture, 4, &nested, 0, nested.len), REPLY_STATUS);
    assert_int_equal(whole(&fixture, 4, nested.len), REPLY_ERROR);
    buf_free(&nested);
    buf_free(&command);
    stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_executes_when_all_its_pieces_are_there),
        cmocka_unit_test(what_is_forgotten_is_removed_by_an_entry),
        cmocka_unit_test(a_snapshot_holds_what_is_staged),
        cmocka_unit_test(malformed_pieces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
