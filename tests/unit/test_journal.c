#include "core/journal.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct replica_options options = {.id = 1,
                                               .heartbeat_ns = 10,
                                               .disk_stall_ns = 1000,
                                               .append_bytes_max = 1 << 20,
                                               .window_bytes_max = 1 << 20,
                                               .apply_bytes_max = 1 << 20,
                                               .inflight_max = 4,
                                               .inflight_bytes_max = 1 << 20};

static struct journal *journal_new(void) {
    struct journal *journal = cairn_alloc_zero(sizeof *journal);
    journal_open(journal, &options);
    journal->now = 100;
    return journal;
}

static void journal_end(struct journal *journal) {
    journal_check(journal);
    journal_free(journal);
    cairn_free(journal);
}

static void place(struct journal *journal, uint64_t term, enum entry_kind kind,
                  struct bytes payload) {
    struct blob *blob = blob_new(entry_size(payload.len));
    journal_place(journal, term, 1, kind, payload, blob, blob->data);
    blob_unref(blob);
}

static const struct effect *last_effect(const struct journal *journal) {
    return &journal->out.effects[journal->out.effect_count - 1];
}

static uint64_t persist(struct journal *journal) {
    return journal_persist(journal, BYTES("hard"));
}

static void entries_are_durable_when_their_persist_is(void **state) {
    struct journal *journal = journal_new();
    place(journal, 1, ENTRY_COMMAND, BYTES("a"));
    place(journal, 1, ENTRY_COMMAND, BYTES("b"));
    uint64_t first = persist(journal);
    place(journal, 1, ENTRY_COMMAND, BYTES("c"));
    uint64_t second = persist(journal);
    assert_int_equal(second, first + 1);
    assert_int_equal(journal->durable_index, 0);
    assert_true(journal_persisted(journal, first));
    assert_int_equal(journal->durable_index, 2);
    assert_true(journal_persisted(journal, second));
    assert_int_equal(journal->durable_index, 3);
    journal_end(journal);
}

/* What was cut away while it was on its way does not make its successor durable. */
static void a_cut_takes_back_what_is_under_way(void **state) {
    struct journal *journal = journal_new();
    place(journal, 1, ENTRY_COMMAND, BYTES("a"));
    place(journal, 1, ENTRY_COMMAND, BYTES("b"));
    uint64_t old = persist(journal);
    journal_cut(journal, 2);
    place(journal, 2, ENTRY_COMMAND, BYTES("x"));
    uint64_t new = persist(journal);
    assert_int_equal(last_effect(journal)->persist.truncate_from, 2);
    journal_persisted(journal, old);
    assert_int_equal(journal->durable_index, 1);
    journal_persisted(journal, new);
    assert_int_equal(journal->durable_index, 2);
    journal_end(journal);
}

static void a_full_disk_is_tried_again_with_all_that_is_not_durable(void **state) {
    struct journal *journal = journal_new();
    place(journal, 1, ENTRY_COMMAND, BYTES("a"));
    uint64_t seq = persist(journal);
    journal_persist_failed(journal, seq, CAIRN_NO_SPACE);
    assert_true(journal->full);
    place(journal, 1, ENTRY_COMMAND, BYTES("b"));
    assert_int_equal(persist(journal), seq); /* waits */
    assert_false(journal_retry_due(journal));
    journal->now += 10;
    assert_true(journal_retry_due(journal));
    journal_retry(journal);
    assert_int_equal(last_effect(journal)->persist.count, 2);
    journal_persisted(journal, seq + 1);
    assert_false(journal->full);
    assert_int_equal(journal->durable_index, 2);
    journal_end(journal);
}

static struct journal *filled(void) {
    struct journal *journal = journal_new();
    place(journal, 1, ENTRY_COMMAND, BYTES("a"));
    journal_persist_failed(journal, persist(journal), CAIRN_NO_SPACE);
    return journal;
}

static void what_comes_while_a_full_disk_is_tried_is_not_forgotten(void **state) {
    struct journal *journal = filled();
    journal_retry(journal);
    uint64_t seq = journal->persist_seq;
    place(journal, 1, ENTRY_COMMAND, BYTES("b"));
    assert_int_equal(persist(journal), seq); /* waits */
    journal_persisted(journal, seq);
    assert_true(journal_dirty(journal));
    persist(journal);
    assert_int_equal(last_effect(journal)->persist.count, 1);
    assert_int_equal(last_effect(journal)->persist.entries[0].index, 2);
    journal_end(journal);
}

static void a_reset_that_found_no_space_is_not_forgotten_for_a_later_hard_state(void **state) {
    struct journal *journal = filled();
    struct log_base base = {.index = 9, .term = 1};
    journal_install(journal, &base);
    journal_persist_failed(journal, persist(journal), CAIRN_NO_SPACE);
    journal->hard_dirty = true;
    journal_persisted(journal, persist(journal));
    journal_retry(journal);
    assert_true(last_effect(journal)->persist.reset);
    journal_end(journal);
}

static void a_full_disk_still_takes_what_is_kept_room_for(void **state) {
    struct journal *journal = filled();
    assert_true(journal_give_up(journal));
    assert_int_equal(journal->log.last, 0);
    place(journal, 2, ENTRY_NOOP, BYTES(""));
    uint64_t seq = persist(journal);
    assert_int_equal(last_effect(journal)->persist.room, ROOM_ALL);
    assert_false(journal_waits(journal, 1));
    journal_persisted(journal, seq);
    assert_true(journal->full && journal->durable_index == 1);
    journal_retry(journal); /* which asks whether there is room for commands */
    assert_int_equal(last_effect(journal)->persist.room, ROOM_COMMON);
    journal_persist_failed(journal, journal->persist_seq, CAIRN_NO_SPACE);
    struct entry noop = {.index = 2, .term = 2, .kind = ENTRY_NOOP};
    struct entry command = {.index = 2, .term = 2, .kind = ENTRY_COMMAND};
    assert_true(journal_may_take(journal, &noop, 1));
    assert_false(journal_may_take(journal, &command, 1));
    journal_end(journal);
}

static void what_is_on_its_way_to_the_disk_is_not_given_up(void **state) {
    struct journal *journal = filled();
    journal_give_up(journal);
    place(journal, 2, ENTRY_NOOP, BYTES(""));
    uint64_t seq = persist(journal); /* its durability is promised behind it */
    place(journal, 2, ENTRY_COMMAND, BYTES("b"));
    persist(journal);
    assert_true(journal_give_up(journal));
    assert_int_equal(journal->log.last, 1);
    assert_false(journal_give_up(journal));
    journal_persisted(journal, seq);
    assert_int_equal(journal->durable_index, 1);
    journal_end(journal);
}

static void committed_entries_are_applied_one_batch_at_a_time(void **state) {
    struct journal *journal = journal_new();
    place(journal, 1, ENTRY_COMMAND, BYTES("a"));
    place(journal, 1, ENTRY_COMMAND, BYTES("b"));
    assert_true(journal_commit_to(journal, 1));
    journal_apply(journal);
    assert_int_equal(last_effect(journal)->apply.count, 1);
    assert_true(journal_commit_to(journal, 9)); /* no further than the log */
    assert_int_equal(journal->commit, 2);
    size_t before = journal->out.effect_count;
    journal_apply(journal);
    assert_int_equal(journal->out.effect_count, before);
    journal_applied(journal, 1);
    journal_apply(journal);
    assert_int_equal(last_effect(journal)->apply.entries[0].index, 2);
    journal_applied(journal, 2);
    assert_false(journal_commit_to(journal, 2));
    journal_end(journal);
}

/* Fault 64: an uncommitted configuration goes with its entry. */
static void a_configuration_is_rolled_back_with_its_entry(void **state) {
    struct journal *journal = journal_new();
    struct config config = {0};
    for (uint64_t id = 1; id <= 3; id++) {
        config_add(&config, &(struct member){.id = id, .voter = true});
        struct buf payload = {0};
        config_encode(&payload, &config);
        place(journal, 1, ENTRY_CONFIG, buf_view(&payload));
        buf_free(&payload);
        journal_config_push(journal, id, &config);
    }
    journal_commit_to(journal, 1);
    assert_int_equal(journal_config(journal)->count, 3);
    assert_int_equal(journal_config_at(journal, 2)->count, 2);
    journal_cut(journal, 3);
    assert_int_equal(journal_config(journal)->count, 2);
    assert_int_equal(journal_config_index(journal), 2);
    assert_false(journal_is_member(journal, 3));
    journal_end(journal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_durable_when_their_persist_is),
        cmocka_unit_test(a_cut_takes_back_what_is_under_way),
        cmocka_unit_test(a_full_disk_is_tried_again_with_all_that_is_not_durable),
        cmocka_unit_test(what_comes_while_a_full_disk_is_tried_is_not_forgotten),
        cmocka_unit_test(a_reset_that_found_no_space_is_not_forgotten_for_a_later_hard_state),
        cmocka_unit_test(a_full_disk_still_takes_what_is_kept_room_for),
        cmocka_unit_test(what_is_on_its_way_to_the_disk_is_not_given_up),
        cmocka_unit_test(committed_entries_are_applied_one_batch_at_a_time),
        cmocka_unit_test(a_configuration_is_rolled_back_with_its_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
