/* A log that stays readable whatever repeats. */
#include "cli/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ull

struct written {
    struct log_limit limit;
    unsigned lines, told;
    char last[400];
};

static void tell(void *context, int level, const char *text) {
    struct written *written = context;
    written->told++;
    snprintf(written->last, sizeof written->last, "%s", text);
}

static void say(struct written *written, uint64_t now, int level, const char *text) {
    written->lines += log_limit_line(&written->limit, now, level, text, tell, written);
}

static struct written *fresh(void) {
    return test_calloc(1, sizeof(struct written));
}

static void a_flood_is_a_few_lines_and_a_count(void **state) {
    struct written *written = fresh();
    for (uint64_t i = 0; i < 450000; i++)
        say(written, SECOND + i * 20000, 2, "a message of node 3 is malformed");
    assert_int_equal(written->lines, LOG_LIMIT_SAME);
    log_limit_turn(&written->limit, 11 * SECOND, tell, written);
    assert_int_equal(written->told, 1);
    assert_string_equal(written->last, "repeated 449997 times in 10 s, the last: a message of node "
                                       "3 is malformed");
    test_free(written);
}

static void numbers_do_not_make_other_lines(void **state) {
    struct written *written = fresh();
    char text[100];
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "refused a connection from node %u: it has no secret", i * 37);
        say(written, SECOND + i, 2, text);
    }
    assert_int_equal(written->lines, LOG_LIMIT_ALIKE);
    log_limit_end(&written->limit, 5 * SECOND, tell, written);
    assert_int_equal(written->told, 1);
    assert_non_null(strstr(written->last, "repeated 9990 times in 4 s, the last: refused a "
                                          "connection from node 369963"));
    test_free(written);
}

static void what_lasts_for_hours_is_told_now_and_then(void **state) {
    struct written *written = fresh();
    for (uint64_t second = 1; second <= 3 * 3600; second++)
        say(written, second * SECOND, 2, "refused a connection from node 3: it has no secret");
    assert_int_equal(written->lines, LOG_LIMIT_SAME);
    assert_in_range(written->told, 3 * 6, 3 * 6 + 7); /* windows grow to ten minutes */
    test_free(written);
}

static void what_ended_begins_anew(void **state) {
    struct written *written = fresh();
    for (unsigned i = 0; i < 5; i++)
        say(written, SECOND, 2, "the disk is full");
    assert_int_equal(written->lines, 3);
    log_limit_turn(&written->limit, 12 * SECOND, tell, written); /* two were held */
    log_limit_turn(&written->limit, 40 * SECOND, tell, written); /* none since */
    say(written, 41 * SECOND, 2, "the disk is full");
    assert_int_equal(written->lines, 4);
    assert_int_equal(written->told, 1);
    test_free(written);
}

static void different_lines_and_debug_lines_all_pass(void **state) {
    struct written *written = fresh();
    char text[100];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "line %c%c%c", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        say(written, SECOND + i, 2, text);
        say(written, SECOND + i, 0, "the same again");
    }
    assert_int_equal(written->lines, 2000);
    for (unsigned i = 0; i < 5; i++)
        say(written, 2 * SECOND, 1, "certificates were read again"); /* each was asked for */
    assert_int_equal(written->lines, 2005);
    assert_int_equal(written->told, 0);
    test_free(written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_a_few_lines_and_a_count),
        cmocka_unit_test(numbers_do_not_make_other_lines),
        cmocka_unit_test(what_lasts_for_hours_is_told_now_and_then),
        cmocka_unit_test(what_ended_begins_anew),
        cmocka_unit_test(different_lines_and_debug_lines_all_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
