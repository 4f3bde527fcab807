/* The histogram of how long snapshot work keeps the loop. */
#include "node/slices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void a_slice_counts_in_its_bucket_and_in_all_above(void **state) {
    struct slices slices = {0};
    struct buf out = {0};
    slices_note(&slices, 10000);
    slices_note(&slices, 10001);
    slices_note(&slices, 1500000);
    slices_note(&slices, 200000000);
    slices_metrics(&slices, &out);
    buf_u8(&out, 0);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "_bucket{le=\"1e-05\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{le=\"2e-05\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.001\"} 2\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.002\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"0.1\"} 3\n"));
    assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "_count 4\n"));
    assert_non_null(strstr(text, "_max 0.200000000\n"));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_counts_in_its_bucket_and_in_all_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
