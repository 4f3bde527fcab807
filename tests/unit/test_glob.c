#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool matches(const char *pattern, const char *text) {
    return glob_match(bytes_cstr(pattern), bytes_cstr(text), false);
}

static void stars_and_question_marks(void **state) {
    assert_true(matches("*", ""));
    assert_true(matches("a*c", "abbc"));
    assert_true(matches("a*b*c", "axxbyybzc"));
    assert_false(matches("a*c", "abcd"));
    assert_true(matches("a?c", "abc"));
    assert_false(matches("a?c", "ac"));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_true(matches("a**", "a"));
}

static void classes_ranges_and_escapes(void **state) {
    assert_true(matches("[abc]", "b"));
    assert_true(matches("[a-c]x", "bx"));
    assert_true(matches("[c-a]", "b"));
    assert_false(matches("[^a-c]", "b"));
    assert_true(matches("[^a-c]", "d"));
    assert_true(matches("[\\]]", "]"));
    assert_true(matches("\\*", "*"));
    assert_false(matches("\\*", "a"));
    assert_true(matches("a\\", "a\\"));
    assert_true(matches("[ab", "b")); /* never closed: ends with the pattern */
}

static void case_is_folded_on_demand(void **state) {
    assert_true(glob_match(BYTES("A[B-C]*"), BYTES("acx"), true));
    assert_false(glob_match(BYTES("A[B-C]*"), BYTES("acx"), false));
}

static void many_stars_take_no_exponential_time(void **state) {
    char pattern[201], text[2001];
    for (size_t i = 0; i < 200; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[199] = 'b';
    pattern[200] = '\0';
    memset(text, 'a', 2000);
    text[2000] = '\0';
    assert_false(matches(pattern, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_and_question_marks),
        cmocka_unit_test(classes_ranges_and_escapes),
        cmocka_unit_test(case_is_folded_on_demand),
        cmocka_unit_test(many_stars_take_no_exponential_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
