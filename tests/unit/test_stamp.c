#include "core/progress.h"
#include "core/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND 1000000000ull
#define WALL 1700000000000ull

static void time_follows_a_steady_clock(void **state) {
    struct stamps stamps = {0};
    uint64_t order, time, before = 0;
    for (uint64_t i = 0; i < 10000; i++) { /* many entries within each millisecond */
        stamps_next(&stamps, 1 + i * 100000, WALL + i / 10, &order, &time);
        assert_true(order > before);
        before = order;
    }
    assert_in_range(time, WALL + 990, WALL + 1010);
}

static void a_wall_clock_that_jumps_is_followed_slowly(void **state) {
    struct stamps stamps = {0};
    uint64_t order, first, time;
    stamps_next(&stamps, SECOND, WALL, &order, &first);
    stamps_next(&stamps, 2 * SECOND, WALL + 365 * 86400000ull, &order, &time);
    assert_int_equal(time, first + 1100);
    stamps_next(&stamps, 3 * SECOND, WALL - 365 * 86400000ull, &order, &time);
    assert_int_equal(time, first + 2000);
}

static void after_a_restart_time_does_not_go_back(void **state) {
    struct stamps stamps = {0};
    uint64_t order, time;
    stamps_restore(&stamps, 500, WALL + 5000);
    stamps_next(&stamps, 1, WALL, &order, &time);
    assert_int_equal(time, WALL + 5000);
    assert_true(order > 500);
    struct stamps late = {0};
    stamps_restore(&late, 500, WALL);
    assert_int_equal(stamps_time_ms(&late, 1, WALL + 90000), WALL + 90000);
}

static void order_survives_a_wall_clock_at_the_end_of_time(void **state) {
    struct stamps stamps = {0};
    uint64_t first, second, time;
    stamps_next(&stamps, 1, UINT64_MAX, &first, &time);
    stamps_next(&stamps, 2, UINT64_MAX, &second, &time);
    assert_int_equal(second, first + 1);
    assert_true(second < STAMP_ORDER_MAX);
}

static void progress_keeps_to_its_limits_and_forgets_what_it_lost(void **state) {
    const struct progress_limits limits = {2, 100};
    struct progress progress = {0};
    progress_reset(&progress, 1);
    progress_sent(&progress, 0, 0, 1);
    assert_false(progress_may_send(&progress, &limits)); /* one probe at a time */
    assert_false(progress_acked(&progress, 0));
    progress_sent(&progress, 1, 10, 2);
    progress_sent(&progress, 2, 10, 3);
    assert_false(progress_may_send(&progress, &limits));
    assert_true(progress_acked(&progress, 1));
    assert_true(progress_may_send(&progress, &limits));
    progress_tick(&progress, 5, 8);
    assert_int_equal(progress.state, PROGRESS_REPLICATE);
    progress_tick(&progress, 5, 9);
    assert_int_equal(progress.state, PROGRESS_PROBE);
    assert_int_equal(progress.next, 2);
    assert_int_equal(progress.inflight_bytes, 0);
    progress_check(&progress, 2);
    progress_free(&progress);
}

static void copies_of_what_may_be_on_its_way_do_not_fill_a_slow_link(void **state) {
    const struct progress_limits limits = {2, 100};
    struct progress progress = {0};
    progress_reset(&progress, 1);
    assert_false(progress.bare);
    progress_sent(&progress, 1, 10, 0);
    progress_tick(&progress, 5, 1);
    assert_true(progress_may_send(&progress, &limits)); /* repeated, without its entries */
    assert_true(progress.bare);
    progress_answered(&progress, 0, 100);
    assert_true(progress_acked(&progress, 1));
    progress_sent(&progress, 2, 10, 100);
    progress_tick(&progress, 11, 300); /* the last answer took 100 */
    assert_int_equal(progress.state, PROGRESS_REPLICATE);
    progress_tick(&progress, 11, 301);
    assert_int_equal(progress.state, PROGRESS_PROBE);
    assert_true(progress.bare);
    progress_probe(&progress); /* a new link: what was on its way is lost */
    assert_false(progress.bare);
    progress_answered(&progress, 0, 1000);
    progress_acked(&progress, 1);
    progress_sent(&progress, 2, 10, 1000);
    progress_tick(&progress, 11, 1221); /* 20 times the patience at most */
    assert_int_equal(progress.state, PROGRESS_PROBE);
    progress_free(&progress);
}

/* A heartbeat that was on its way for long, and an entry that a leader sends again. */
static void an_old_word_does_not_hold_time_back(void **state) {
    struct stamps stamps = {0};
    stamps_hear(&stamps, 1, WALL, SECOND);
    stamps_hear(&stamps, 1, WALL + 10, 2 * SECOND);
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, WALL), WALL + 900);
    stamps_note(&stamps, 7, WALL - 500, 3 * SECOND);
    assert_int_equal(stamps_time_ms(&stamps, 3 * SECOND, WALL), WALL + 1800);
    stamps_hear(&stamps, 1, WALL + 2500, 3 * SECOND); /* a newer one counts */
    assert_int_equal(stamps_time_ms(&stamps, 3 * SECOND, WALL), WALL + 2500);
}

/* A replica that catches up after a restart, and leads before it heard a leader's time: the entries
 * are as old as they are, whenever they come. */
static void an_old_entry_after_a_restart_does_not_hold_time_back(void **state) {
    struct stamps stamps = {0};
    stamps_restore(&stamps, 5, WALL - 3600000);
    stamps_note(&stamps, 6, WALL - 3500000, SECOND);
    assert_int_equal(stamps_time_ms(&stamps, SECOND, WALL), WALL);
    assert_int_equal(stamps_time_ms(&stamps, SECOND, WALL - 4000000), WALL - 3500000);
    stamps_hear(&stamps, 1, WALL - 100, 2 * SECOND);
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, WALL + 90000), WALL - 100);
    stamps_note(&stamps, 7, WALL - 3400000, 3 * SECOND);
    assert_in_range(stamps_time_ms(&stamps, 3 * SECOND, 0), WALL + 700, WALL + 900);
}

/* A leader that restarted goes on from its last entry. A replica that heard nothing of it believes
 * that more time has passed, until it hears it. */
static void the_first_word_of_a_new_leader_counts(void **state) {
    struct stamps stamps = {0};
    stamps_hear(&stamps, 1, WALL, SECOND);
    stamps_note(&stamps, 7, WALL + 5, SECOND);
    stamps_hear(&stamps, 2, WALL + 100, 2 * SECOND);
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, 0), WALL + 100);
    stamps_hear(&stamps, 2, WALL + 50, 2 * SECOND); /* what is late in this term does not */
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, 0), WALL + 100);
    stamps_hear(&stamps, 3, WALL, 3 * SECOND); /* nor what would be before an entry */
    assert_int_equal(stamps_time_ms(&stamps, 3 * SECOND, 0), WALL + 5);
}

/* A leader of an older version tells none: then its entries are all there is to go by. */
static void no_time_at_all_is_not_the_year_1970(void **state) {
    struct stamps stamps = {0};
    stamps_hear(&stamps, 1, 0, SECOND); /* of an older version, before its first entry */
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, WALL), WALL);
}

static void a_leader_that_tells_no_time_is_followed_by_its_entries(void **state) {
    struct stamps stamps = {0};
    stamps_restore(&stamps, 5, WALL);
    stamps_hear(&stamps, 1, 0, SECOND);
    assert_int_equal(stamps_time_ms(&stamps, SECOND, WALL + 90000), WALL);
    stamps_note(&stamps, 6, WALL + 5000, 2 * SECOND);
    assert_int_equal(stamps_time_ms(&stamps, 2 * SECOND, WALL + 90000), WALL + 5000);
}

/* However long a leader with a slow clock follows a wall clock that is behind. */
static void a_follower_does_not_run_ahead_of_its_leader(void **state) {
    struct stamps leader = {.drift_ppm = 100000}, follower = leader;
    uint64_t order, time_ms;
    stamps_next(&leader, SECOND, WALL, &order, &time_ms);
    stamps_note(&follower, order, time_ms, SECOND);
    for (uint64_t i = 1; i <= 100000; i++) {
        uint64_t slow = SECOND + i * 900000, fast = SECOND + i * 1100000;
        time_ms = stamps_tell(&leader, slow, WALL);
        stamps_hear(&follower, 1, time_ms, fast);
        assert_in_range(stamps_time_ms(&follower, fast, WALL), time_ms, time_ms + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_follows_a_steady_clock),
        cmocka_unit_test(a_wall_clock_that_jumps_is_followed_slowly),
        cmocka_unit_test(after_a_restart_time_does_not_go_back),
        cmocka_unit_test(order_survives_a_wall_clock_at_the_end_of_time),
        cmocka_unit_test(progress_keeps_to_its_limits_and_forgets_what_it_lost),
        cmocka_unit_test(copies_of_what_may_be_on_its_way_do_not_fill_a_slow_link),
        cmocka_unit_test(an_old_word_does_not_hold_time_back),
        cmocka_unit_test(an_old_entry_after_a_restart_does_not_hold_time_back),
        cmocka_unit_test(the_first_word_of_a_new_leader_counts),
        cmocka_unit_test(no_time_at_all_is_not_the_year_1970),
        cmocka_unit_test(a_leader_that_tells_no_time_is_followed_by_its_entries),
        cmocka_unit_test(a_follower_does_not_run_ahead_of_its_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
