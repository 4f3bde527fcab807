#include "core/reads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct effect *last_effect(const struct outbox *out) {
    return &out->effects[out->effect_count - 1];
}

static void a_read_waits_for_a_round_that_started_after_it(void **state) {
    struct outbox out = {0};
    struct reads reads = {.out = &out};
    reads_lead(&reads, (struct read_item){.tag = 5}, 8, 100, 1000);
    assert_true(reads_advance(&reads, 7, 7, 101)); /* round 8 must begin */
    assert_int_equal(out.effect_count, 0);
    assert_false(reads_advance(&reads, 8, 7, 101));
    assert_false(reads_advance(&reads, 8, 8, 102));
    assert_int_equal(last_effect(&out)->read_ready.tag, 5);
    assert_int_equal(last_effect(&out)->read_ready.status, CAIRN_OK);
    assert_int_equal(last_effect(&out)->read_ready.index, 100); /* as noted when it was asked */
    reads_free(&reads);
    outbox_free(&out);
}

static void a_new_leader_notes_the_index_once_its_epoch_is_committed(void **state) {
    struct outbox out = {0};
    struct reads reads = {.out = &out};
    reads_lead(&reads, (struct read_item){.tag = 5, .from = 3}, 1, 0, 1000);
    reads_advance(&reads, 1, 1, 0);
    assert_int_equal(reads.answer_count, 0);
    reads_advance(&reads, 1, 1, 40);
    assert_int_equal(reads.answer_count, 1); /* a peer's: the protocol sends it */
    assert_int_equal(reads.answers[0].to, 3);
    assert_int_equal(reads.answers[0].index, 40);
    reads_free(&reads);
    outbox_free(&out);
}

static void a_follower_asks_once_for_all_that_wait(void **state) {
    struct outbox out = {0};
    struct reads reads = {.out = &out};
    reads_follow(&reads, 1);
    assert_true(reads_ask(&reads, 100));
    uint64_t first = reads.request;
    reads_follow(&reads, 2);
    reads_follow(&reads, 3);
    assert_false(reads_ask(&reads, 100));
    reads_answered(&reads, first, CAIRN_OK, 50);
    assert_int_equal(out.effect_count, 1);
    assert_true(reads_ask(&reads, 200));
    reads_answered(&reads, first, CAIRN_OK, 50); /* an old answer */
    assert_int_equal(out.effect_count, 1);
    reads_answered(&reads, reads.request, CAIRN_STATUS_COUNT + 7, 60);
    assert_int_equal(out.effect_count, 3);
    assert_int_equal(last_effect(&out)->read_ready.status, CAIRN_NO_QUORUM);
    reads_free(&reads);
    outbox_free(&out);
}

static void reads_do_not_wait_for_ever(void **state) {
    struct outbox out = {0};
    struct reads reads = {.out = &out};
    reads_lead(&reads, (struct read_item){.tag = 5}, 8, 100, 1000);
    reads_follow(&reads, 6);
    reads_ask(&reads, 500);
    reads_tick_follower(&reads, 499);
    reads_tick_leader(&reads, 999);
    assert_int_equal(out.effect_count, 0);
    reads_tick_leader(&reads, 1000);
    assert_int_equal(last_effect(&out)->read_ready.tag, 5);
    reads_tick_follower(&reads, 500);
    assert_int_equal(last_effect(&out)->read_ready.tag, 6);
    assert_int_equal(last_effect(&out)->read_ready.status, CAIRN_NO_QUORUM);
    reads_free(&reads);
    outbox_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_a_round_that_started_after_it),
        cmocka_unit_test(a_new_leader_notes_the_index_once_its_epoch_is_committed),
        cmocka_unit_test(a_follower_asks_once_for_all_that_wait),
        cmocka_unit_test(reads_do_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
