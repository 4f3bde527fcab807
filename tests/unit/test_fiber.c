/* Calls that are left in the middle and entered again. */
#include "base/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct sum {
    struct fiber *fiber;
    int parts, done;
    double weight;
};

/* Deep enough to use its stack, with floating point across the gaps. */
static double walk(struct sum *sum, int depth, double factor) {
    volatile uint8_t room[256];
    memset((void *)room, depth, sizeof room);
    double below = depth > 0 ? walk(sum, depth - 1, factor * 1.5) : factor;
    if (depth % 10 == 0) {
        sum->done++;
        fiber_leave(sum->fiber);
    }
    assert_int_equal(room[17], (uint8_t)depth);
    return below + factor;
}

static void run(void *context) {
    struct sum *sum = context;
    sum->weight = walk(sum, sum->parts * 10, 1.0);
}

static void a_call_goes_on_where_it_left(void **state) {
    struct sum sums[20] = {0};
    for (int i = 0; i < 20; i++) {
        sums[i].fiber = fiber_new(65536);
        sums[i].parts = i % 4;
        bool ended = fiber_run(sums[i].fiber, run, &sums[i]);
        assert_false(ended);
        assert_int_equal(sums[i].done, 1);
    }
    for (int round = 2, left = 20; left > 0; round++)
        for (int i = 0; i < 20; i++) {
            if (sums[i].fiber == NULL || !fiber_go_on(sums[i].fiber))
                continue;
            assert_int_equal(sums[i].done, sums[i].parts + 1);
            assert_true(sums[i].weight >= 2.0);
            fiber_free(sums[i].fiber);
            sums[i].fiber = NULL;
            left--;
        }
}

static void count(void *context) {
    ++*(int *)context;
}

static void one_fiber_serves_many_calls(void **state) {
    struct fiber *fiber = fiber_new(16384);
    int counted = 0;
    for (int i = 0; i < 100000; i++)
        assert_true(fiber_run(fiber, count, &counted));
    assert_int_equal(counted, 100000);
    fiber_free(fiber);
}

static void leave_once(void *context) {
    fiber_leave(*(struct fiber **)context);
}

static void one_that_was_left_may_be_freed(void **state) {
    struct fiber *fiber = fiber_new(16384);
    assert_false(fiber_run(fiber, leave_once, &fiber));
    fiber_free(fiber);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_on_where_it_left),
        cmocka_unit_test(one_fiber_serves_many_calls),
        cmocka_unit_test(one_that_was_left_may_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
