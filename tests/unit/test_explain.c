/* The data of an explained verdict; what the page makes of it is tried in tests/client/explain.mjs.
 */
#include "check/check.h"
#include "check/explain.h"
#include "check/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

struct page {
    struct history history;
    struct verdict verdict, levels[LEVEL_COUNT];
    struct buf out;
    char *data; /* the JSON text, up to the tag that ends it */
    const char *tail;
};

static void make_page(struct page *page, const char *lines, uint32_t ops_max) {
    struct read_options options = {.times = true};
    struct check_options check = {
        .model = MODEL_REGISTER, .level = LEVEL_LINEARIZABLE, .by_key = true, .want_order = true};
    *page = (struct page){0};
    history_init(&page->history);
    struct history_reader *reader = history_reader_new(&options, &page->history, NULL);
    assert_true(history_reader_feed(reader, bytes_cstr(lines)));
    assert_true(history_reader_end(reader));
    history_reader_free(reader);
    check_history(&page->history, &check, &page->verdict);
    check_place(&page->history, &check, page->levels);
    explain_page(&(struct explanation){.history = &page->history,
                                       .name = "</script>.jsonl",
                                       .verdict = &page->verdict,
                                       .levels = page->levels,
                                       .ops_max = ops_max},
                 &page->out);
    buf_u8(&page->out, 0);
    page->data = strstr((char *)page->out.data, "{\"name\":");
    assert_non_null(page->data);
    page->tail = strchr(page->data, '<');
    assert_non_null(page->tail);
}

static void free_page(struct page *page) {
    for (int i = 0; i < LEVEL_COUNT; i++)
        verdict_free(&page->levels[i]);
    verdict_free(&page->verdict);
    history_free(&page->history);
    buf_free(&page->out);
}

#define EVENT(process, type, f, value, time)                     \
    "{\"process\":" #process ",\"type\":\"" type "\",\"f\":\"" f \
    "\",\"key\":\"x\",\"value\":" value ",\"time\":" #time "}\n"
static const char stale[] =
    EVENT(0, "invoke", "write", "1", 1000) EVENT(0, "ok", "write", "1", 1500)
        EVENT(0, "invoke", "write", "2", 2000) EVENT(0, "ok", "write", "2", 2500)
            EVENT(1, "invoke", "read", "null", 3000) EVENT(1, "ok", "read", "1", 3500);

static void nothing_of_a_history_can_end_the_script(void **state) {
    struct page page;
    make_page(&page,
              EVENT(0, "invoke", "write", "\"</script><!--<script>\"", 1)
                  EVENT(0, "ok", "write", "\"</script><!--<script>\"", 2),
              0);
    static const char own_end[] = "}</script>\n<script>\n'use strict';";
    assert_memory_equal(page.tail - 1, own_end, sizeof own_end - 1);
    assert_non_null(strstr(page.data, "\\u003c/script>"));
    free_page(&page);
}

static void columns_hold_differences(void **state) {
    struct page page;
    make_page(&page, stale, 0);
    assert_non_null(strstr(page.data, "\"call\":[0,2,2]"));
    assert_non_null(strstr(page.data, "\"ret\":[1,1,1]"));
    assert_non_null(strstr(page.data, "\"line\":[1,2,2]"));
    assert_non_null(strstr(page.data, "\"call_time\":[0,1000,1000]"));
    assert_non_null(strstr(page.data, "\"ret_time\":[500,500,500]"));
    free_page(&page);
}

static void a_verdict_comes_with_its_evidence_and_the_levels(void **state) {
    struct page page;
    make_page(&page, stale, 0);
    assert_non_null(strstr(page.data, "\"answer\":\"no\""));
    assert_non_null(strstr(page.data, "\"REAL_TIME\"]"));
    assert_non_null(strstr(page.data, "{\"name\":\"linearizable\",\"answer\":\"no\""));
    /* linearizable implies causal too, but by way of sequential */
    assert_non_null(strstr(page.data, "\"weaker\":[\"sequential\",\"convergence\"]"));
    free_page(&page);
}

static void of_too_many_operations_the_evidence_stays(void **state) {
    struct buf lines = {0};
    for (int i = 10; i < 60; i++)
        buf_printf(&lines,
                   "{\"process\":7,\"f\":\"write\",\"key\":\"y\",\"value\":%d,\"call\":%d0,"
                   "\"return\":%d5}\n",
                   i, i, i);
    for (int i = 0; i < 3; i++)
        buf_printf(&lines,
                   "{\"process\":%d,\"f\":\"%s\",\"key\":\"x\",\"value\":%d,\"call\":%d0,"
                   "\"return\":%d5}\n",
                   i, i < 2 ? "write" : "read", i == 1 ? 2 : 1, 100 + i, 100 + i);
    buf_u8(&lines, 0);
    struct page page;
    make_page(&page, (const char *)lines.data, 5);
    assert_int_equal(page.verdict.answer, ANSWER_NO);
    assert_non_null(strstr(page.data, "\"total\":53"));
    assert_non_null(strstr(page.data, "\"ops\":{\"count\":5"));
    for (uint32_t i = 0; i < page.verdict.edge_count; i++)
        assert_true(page.verdict.edges[i].from >= 50);
    assert_null(strstr(page.data, "\"edges\":[[-1"));
    free_page(&page);
    buf_free(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_history_can_end_the_script),
        cmocka_unit_test(columns_hold_differences),
        cmocka_unit_test(a_verdict_comes_with_its_evidence_and_the_levels),
        cmocka_unit_test(of_too_many_operations_the_evidence_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
