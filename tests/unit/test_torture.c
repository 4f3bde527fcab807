/* The tormentor's pure parts: the proxy's rules, who dialled, the journal of what was not synced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "torture/layer.h"
#include "torture/proxy.h"

#define MS 1000000ull

static struct proxy_flow flow_new(void) {
    struct proxy_flow flow = {0};
    prng_seed(&flow.prng, 5);
    return flow;
}

static void a_free_link_passes_everything_on_at_once(void **state) {
    struct proxy_link link = {0};
    struct proxy_flow flow = flow_new();
    struct proxy_verdict verdict = proxy_judge(&link, &flow, 100, 40);
    assert_false(verdict.hold || verdict.cut);
    assert_int_equal(verdict.due_ns, 100);
    assert_int_equal(verdict.len, 40);
}

static void a_blocked_link_holds(void **state) {
    struct proxy_link link = {.blocked = 2};
    struct proxy_flow flow = flow_new();
    assert_true(proxy_judge(&link, &flow, 100, 40).hold);
    link.blocked--; /* one of two faults is over */
    assert_true(proxy_judge(&link, &flow, 100, 40).hold);
    link.blocked--;
    assert_false(proxy_judge(&link, &flow, 100, 40).hold);
}

static void jitter_never_changes_the_order(void **state) {
    struct proxy_link link = {.delay_us = 20000, .jitter_us = 15000};
    struct proxy_flow flow = flow_new();
    uint64_t last = 0;
    for (uint64_t now = 0; now < 1000 * MS; now += MS) {
        struct proxy_verdict verdict = proxy_judge(&link, &flow, now, 10);
        assert_true(verdict.due_ns >= now + 5 * MS && verdict.due_ns >= last);
        last = verdict.due_ns;
    }
}

/* TCP sends again: loss is delay, about 200 ms the first time. */
static void loss_makes_stalls_as_often_as_it_says(void **state) {
    struct proxy_link link = {.loss_percent = 30};
    unsigned stalled = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct proxy_flow flow = {0};
        prng_seed(&flow.prng, i);
        uint64_t due = proxy_judge(&link, &flow, 0, 10).due_ns;
        assert_true(due == 0 || due >= 200 * MS);
        stalled += due > 0;
    }
    assert_in_range(stalled, 250, 350);
}

static void a_cut_strikes_once_and_in_the_middle(void **state) {
    struct proxy_link link = {.cuts = 1};
    for (size_t len = 2; len < 100; len++) {
        struct proxy_flow flow = flow_new();
        struct proxy_verdict verdict = proxy_judge(&link, &flow, 0, len);
        assert_true(verdict.cut && verdict.len > 0 && verdict.len < len);
        assert_false(proxy_judge(&link, &flow, 0, len).cut);
    }
}

static void the_owner_is_found_by_both_ports(void **state) {
    const char *table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                        "retrnsmt   uid  timeout "
                        "inode\n"
                        "   0: 0100007F:1B59 00000000:0000 0A 00000000:00000000 00:00000000 "
                        "00000000     0        0 "
                        "11 1 0000000000000000 100 0 0 10 0\n"
                        "   1: 0100007F:C350 0100007F:1B59 01 00000000:00000000 00:00000000 "
                        "00000000     0        0 "
                        "22 1 0000000000000000 20 4 30 10 -1\n"
                        "   2: 0100007F:1B59 0100007F:C350 01 00000000:00000000 00:00000000 "
                        "00000000     0        0 "
                        "33 1 0000000000000000 20 4 30 10 -1\n";
    assert_int_equal(proxy_find_inode(table, 0xC350, 0x1B59), 22);
    assert_int_equal(proxy_find_inode(table, 0x1B59, 0xC350), 33);
    assert_int_equal(proxy_find_inode(table, 0xC351, 0x1B59), 0);
    assert_int_equal(proxy_find_inode("not a table", 1, 2), 0);
}

/* ---- the journal ---- */

struct files {
    char data[64], journal[64];
};

static void make_files(struct files *files) {
    snprintf(files->data, sizeof files->data, "undo-test-%d.data", (int)getpid());
    snprintf(files->journal, sizeof files->journal, "undo-test-%d.journal", (int)getpid());
}

static void remove_files(const struct files *files) {
    unlink(files->data);
    unlink(files->journal);
}

static void put_file(const char *path, const void *data, size_t len, const char *mode) {
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void put_record(const struct files *files, uint32_t kind, uint64_t offset, uint64_t size,
                       const char *old) {
    struct layer_record record = {.magic = LAYER_MAGIC,
                                  .kind = kind,
                                  .path_len = (uint32_t)strlen(files->data) + 1,
                                  .old_len = (uint32_t)strlen(old),
                                  .offset = offset,
                                  .old_size = size};
    put_file(files->journal, &record, sizeof record, "a");
    put_file(files->journal, files->data, record.path_len, "a");
    put_file(files->journal, old, record.old_len, "a");
}

static void expect(const struct files *files, const char *content) {
    char text[64] = "";
    FILE *file = fopen(files->data, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_int_equal(len, strlen(content));
    assert_string_equal(text, content);
}

static void what_was_not_synced_is_put_back(void **state) {
    struct files files;
    make_files(&files);
    put_file(files.data, "abXYef++", 8, "w");      /* was abcdef, then abZZef, then this */
    put_record(&files, LAYER_WRITTEN, 2, 6, "cd"); /* cd -> ZZ */
    put_record(&files, LAYER_WRITTEN, 2, 6, "ZZ"); /* ZZ -> XY */
    put_record(&files, LAYER_WRITTEN, 6, 6, "");   /* ++ behind the end */
    assert_int_equal(layer_undo(files.journal), 3);
    expect(&files, "abcdef");
    remove_files(&files);
}

static void what_was_synced_stays(void **state) {
    struct files files;
    make_files(&files);
    put_file(files.data, "abXYef++", 8, "w");
    put_record(&files, LAYER_WRITTEN, 2, 6, "cd");
    put_record(&files, LAYER_SYNCED, 0, 0, "");
    put_record(&files, LAYER_WRITTEN, 6, 6, "");
    assert_int_equal(layer_undo(files.journal), 1);
    expect(&files, "abXYef");
    remove_files(&files);
}

/* The process died while it wrote the last record: that write did not happen. */
static void a_torn_journal_is_read_as_far_as_it_goes(void **state) {
    struct files files;
    make_files(&files);
    put_file(files.data, "abXY", 4, "w");
    put_record(&files, LAYER_WRITTEN, 2, 4, "cd");
    struct layer_record torn = {.magic = LAYER_MAGIC, .path_len = 100};
    put_file(files.journal, &torn, sizeof torn, "a");
    assert_int_equal(layer_undo(files.journal), 1);
    expect(&files, "abcd");
    remove_files(&files);
    assert_int_equal(layer_undo(files.journal), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_link_passes_everything_on_at_once),
        cmocka_unit_test(a_blocked_link_holds),
        cmocka_unit_test(jitter_never_changes_the_order),
        cmocka_unit_test(loss_makes_stalls_as_often_as_it_says),
        cmocka_unit_test(a_cut_strikes_once_and_in_the_middle),
        cmocka_unit_test(the_owner_is_found_by_both_ports),
        cmocka_unit_test(what_was_not_synced_is_put_back),
        cmocka_unit_test(what_was_synced_stays),
        cmocka_unit_test(a_torn_journal_is_read_as_far_as_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
