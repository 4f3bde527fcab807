/* The histogram of how long something took. */
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void a_span_counts_in_its_bucket_and_in_all_above(void **state) {
    struct spans spans = {0};
    struct buf out = {0};
    spans_note(&spans, 10000);
    spans_note(&spans, 10001);
    spans_note(&spans, 1500000);
    spans_note(&spans, 200000000);
    struct metrics metrics = metrics_to(&out);
    metrics_put_one_span(&metrics, METRIC_ROUND_TIME, &spans);
    buf_u8(&out, 0);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "_bucket{le=\"1e-05\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{le=\"2e-05\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.001\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.002\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.1\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.2\"} 4\n"));
    assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "_count 4\n"));
    assert_non_null(strstr(text, "_max 0.200000000\n"));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_counts_in_its_bucket_and_in_all_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
