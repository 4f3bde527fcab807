#include "base/glob.h"
#include "base/prng.h"

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

/* As Redis' own function has it, which tries everything. */
static bool plain_match(struct bytes pattern, struct bytes text) {
    if (pattern.len == 0)
        return text.len == 0;
    if (pattern.data[0] == '*') {
        struct bytes rest = bytes_of(pattern.data + 1, pattern.len - 1);
        for (size_t skip = 0; skip <= text.len; skip++)
            if (plain_match(rest, bytes_of(text.data + skip, text.len - skip)))
                return true;
        return false;
    }
    size_t end = 1;
    if (pattern.data[0] == '[') {
        while (end < pattern.len && pattern.data[end] != ']')
            end++;
        end += end < pattern.len;
    } else if (pattern.data[0] == '\\' && pattern.len > 1) {
        end = 2;
    }
    return text.len > 0 && glob_match(bytes_of(pattern.data, end), bytes_of(text.data, 1), false) &&
           plain_match(bytes_of(pattern.data + end, pattern.len - end),
                       bytes_of(text.data + 1, text.len - 1));
}

static void random_patterns_match_as_when_everything_is_tried(void **state) {
    static const char *const parts[] = {"*", "*", "?", "a", "b", "[ab]", "[^a]", "\\b", "ab"};
    struct prng prng;
    unsigned matched = 0;
    prng_seed(&prng, 3);
    for (int round = 0; round < 200000; round++) {
        char pattern[100] = "", text[20];
        size_t len = prng_below(&prng, 14);
        for (uint64_t n = prng_below(&prng, 9); n > 0; n--)
            strcat(pattern, parts[prng_below(&prng, sizeof parts / sizeof *parts)]);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + prng_below(&prng, 2));
        bool want = plain_match(bytes_cstr(pattern), bytes_of(text, len));
        if (glob_match(bytes_cstr(pattern), bytes_of(text, len), false) != want)
            fail_msg("'%s' and '%.*s': %d is wrong", pattern, (int)len, text, !want);
        matched += want;
    }
    assert_in_range(matched, 20000, 180000);
}

/* head, then part over and over up to len, then tail. */
static struct buf repeated(const char *head, const char *part, size_t len, const char *tail) {
    struct buf out = {0};
    buf_bytes(&out, bytes_cstr(head));
    while (out.len + strlen(tail) < len)
        buf_bytes(&out, bytes_cstr(part));
    buf_bytes(&out, bytes_cstr(tail));
    return out;
}

static void no_pattern_costs_much_more_than_its_bound(void **state) {
    static const struct {
        const char *head, *part, *tail;
    } hard[] = {{"*", "a", "b"},     {"*", "a", "b*"},          {"*", "?a", "b*"},
                {"*", "*a", "b"},    {"*[", "x", "a]b*"},       {"*[^", "x", "b]b*"},
                {"*", "[ab]", "b*"}, {"*", "a?*", "b"},         {"*", "\\a", "b*"},
                {"?", "?", "b*"},    {"*a", "a*aaaaaaaaa", "b"}};
    static const size_t lengths[] = {10, 100, 1000, 20000};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
            struct buf text = repeated("", "a", 200000, "");
            struct buf pattern = repeated(hard[i].head, hard[i].part, lengths[n], hard[i].tail);
            uint64_t steps = 0, bound = glob_cost_max(pattern.len, text.len);
            assert_false(glob_match_counted(buf_view(&pattern), buf_view(&text), false, &steps));
            if (steps > 300 * pattern.len + 10 * bound)
                fail_msg("hard pattern %zu of %zu bytes: %llu steps, and the bound is %llu", i,
                         pattern.len, (unsigned long long)steps, (unsigned long long)bound);
            buf_free(&text);
            buf_free(&pattern);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_and_question_marks),
        cmocka_unit_test(classes_ranges_and_escapes),
        cmocka_unit_test(case_is_folded_on_demand),
        cmocka_unit_test(many_stars_take_no_exponential_time),
        cmocka_unit_test(random_patterns_match_as_when_everything_is_tried),
        cmocka_unit_test(no_pattern_costs_much_more_than_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
