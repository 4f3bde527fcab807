/* The leader's table of lives: who ends, and who does not. */
#include "node/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS 1000000ull

struct fixture {
    struct lives lives;
    uint64_t now;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->now = 5000 * MS;
    lives_open(&fixture->lives);
    lives_begin(&fixture->lives, fixture->now);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    lives_clear(&fixture->lives);
    free(fixture);
    return 0;
}

/* Looks as often as a loop does that sends heartbeats; who ended on the way, 0: nobody. */
static uint64_t pass(struct fixture *fixture, uint64_t ms) {
    uint64_t ended = 0;
    for (uint64_t left = ms; left > 0 && ended == 0; left -= left < 40 ? left : 40) {
        fixture->now += (left < 40 ? left : 40) * MS;
        ended = lives_due(&fixture->lives, fixture->now);
    }
    return ended;
}

static void a_silent_life_ends_after_its_timeout_and_not_before(void **state) {
    struct fixture *fixture = *state;
    lives_put(&fixture->lives, 7, 2000, fixture->now);
    assert_int_equal(pass(fixture, 1990), 0);
    assert_int_equal(pass(fixture, 200), 7);
    assert_int_equal(pass(fixture, 5000), 0); /* once */
}

static void signs_keep_it(void **state) {
    struct fixture *fixture = *state;
    lives_put(&fixture->lives, 7, 2000, fixture->now);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pass(fixture, 1900), 0);
        lives_sign(&fixture->lives, 7, fixture->now);
    }
    assert_int_equal(pass(fixture, 2200), 7);
}

static void timeouts_longer_than_the_wheel_are_kept_too(void **state) {
    struct fixture *fixture = *state;
    lives_put(&fixture->lives, 7, 100000, fixture->now);
    assert_int_equal(pass(fixture, 99900), 0);
    assert_int_equal(pass(fixture, 300), 7);
}

static void time_in_which_the_leader_stood_still_does_not_count(void **state) {
    struct fixture *fixture = *state;
    lives_put(&fixture->lives, 7, 2000, fixture->now);
    assert_int_equal(pass(fixture, 1000), 0);
    fixture->now += 60000 * MS;
    assert_int_equal(pass(fixture, 900), 0);
    assert_int_equal(pass(fixture, 300), 7);
}

static void an_end_that_was_not_committed_is_proposed_again(void **state) {
    struct fixture *fixture = *state;
    lives_put(&fixture->lives, 7, 2000, fixture->now);
    assert_int_equal(pass(fixture, 2200), 7);
    lives_again(&fixture->lives, 7, fixture->now);
    assert_int_equal(pass(fixture, 400), 7);
    lives_put(&fixture->lives, 7, 2000, fixture->now); /* it was attached anew meanwhile */
    lives_again(&fixture->lives, 7, fixture->now);
    assert_int_equal(pass(fixture, 1900), 0);
    lives_remove(&fixture->lives, 7);
    assert_int_equal(pass(fixture, 5000), 0);
    assert_true(lives_deadline(&fixture->lives) == UINT64_MAX);
}

static void many_end_together(void **state) {
    struct fixture *fixture = *state;
    for (uint64_t id = 1; id <= 10000; id++)
        lives_put(&fixture->lives, id, 1000 + id % 7 * 500, fixture->now);
    size_t ended = 0;
    for (int i = 0; i < 200; i++) {
        fixture->now += 40 * MS;
        while (lives_due(&fixture->lives, fixture->now) != 0)
            ended++;
    }
    assert_int_equal(ended, 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_silent_life_ends_after_its_timeout_and_not_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(signs_keep_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timeouts_longer_than_the_wheel_are_kept_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(time_in_which_the_leader_stood_still_does_not_count, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_end_that_was_not_committed_is_proposed_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_end_together, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
