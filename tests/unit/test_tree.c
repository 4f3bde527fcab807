#include "machine/tree/tree_import.h"
#include "tree_text.h"

static void a_node_is_created_read_changed_and_deleted(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a one", "ok /a v0 c0 a0 n0 l3");
    assert_string_equal(tree_text_changes(&text), "created /a, children /");
    tree_expect(&text, "get /a", "ok one v0 c0 a0 n0 l3");
    tree_expect(&text, "create /a x", "-110");
    tree_expect(&text, "set /a three 0", "ok v1 c0 a0 n0 l5");
    assert_string_equal(tree_text_changes(&text), "data /a");
    tree_expect(&text, "set /a x 0", "-103");
    tree_expect(&text, "set /b x", "-101");
    tree_expect(&text, "delete /a 0", "-103");
    tree_expect(&text, "delete /a 1", "ok");
    assert_string_equal(tree_text_changes(&text), "deleted /a, children /");
    tree_expect(&text, "delete /a", "-101");
    tree_expect(&text, "stat /a", "-101");
    tree_text_stop(&text);
}

static void null_data_is_not_empty_data(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a null", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "get /a", "ok null v0 c0 a0 n0 l0");
    tree_expect(&text, "set /a -", "ok v1 c0 a0 n0 l0");
    tree_expect(&text, "get /a", "ok - v1 c0 a0 n0 l0");
    tree_text_stop(&text);
}

static void what_zookeeper_has_from_the_start_is_there_and_stays(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "ls /", "ok [zookeeper] v0 c-1 a0 n1 l0");
    tree_expect(&text, "ls /zookeeper", "ok [config quota] v0 c-2 a0 n2 l0");
    tree_expect(&text, "delete /", "-8");
    tree_expect(&text, "delete /zookeeper", "-8");
    tree_expect(&text, "delete /zookeeper/config", "-8");
    tree_expect(&text, "delete /zookeeper/quota", "-8");
    tree_expect(&text, "count /", "ok 3");
    tree_text_stop(&text);
}

static void the_reported_cversion_counts_creations_twice_less_children(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/b -", "ok /a/b v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/c -", "ok /a/c v0 c0 a0 n0 l0");
    tree_expect(&text, "stat /a", "ok v0 c2 a0 n2 l0");
    tree_expect(&text, "delete /a/b", "ok");
    tree_expect(&text, "stat /a", "ok v0 c3 a0 n1 l0");
    tree_expect(&text, "delete /a", "-111");
    tree_expect(&text, "create /a/s - s", "ok /a/s0000000002 v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/ - s", "ok /a/0000000003 v0 c0 a0 n0 l0");
    tree_expect(&text, "ls /a", "ok [0000000003 c s0000000002] v0 c5 a0 n3 l0");
    tree_text_stop(&text);
}

static void paths_that_zookeeper_refuses_are_refused(void **state) {
    static const char *const bad[] = {"",
                                      "a",
                                      "/a/",
                                      "//a",
                                      "/a//b",
                                      "/.",
                                      "/a/..",
                                      "/a/./b",
                                      "/a\x01",
                                      "/a\x7f",
                                      "/\xc2\x80",
                                      "/\xed\xa0\x80",
                                      "/\xee\x80\x80",
                                      "/\xef\xbf\xbd",
                                      "/\xf0\x9f\x98\x80",
                                      "/\xff",
                                      "/\xc3"};
    static const char *const good[] = {
        "/", "/a", "/a/b", "/a.b", "/...", "/\xc3\xa9", "/\xe4\xb8\xad", "/a b", "/.a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tree_path_valid(bytes_cstr(bad[i])));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(tree_path_valid(bytes_cstr(good[i])));
    assert_false(tree_path_valid(BYTES("/a\0b")));
}

static void a_multi_happens_as_a_whole_or_not_at_all(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "multi create /a x ; set /a yy 0 ; create /a/b - ; delete /a/b ; check /a 1",
                "ok [[0 /a v0 c0 a0 n0 l1] [0 v1 c0 a0 n0 l2] [0 /a/b v0 c0 a0 n0 l0] [0] [0]]");
    assert_string_equal(tree_text_changes(&text), "created /a, children /, data /a, created /a/b, "
                                                  "children /a, deleted /a/b, children /a");
    uint64_t digest = machine_tree.digest(text.machine), zxid = text.zxid;
    tree_expect(&text, "multi set /a zz ; create /a/c - ; delete /a ; create /q -",
                "ok [[0] [0] [-111] [-2]]");
    assert_string_equal(tree_text_changes(&text), "");
    assert_true(text.zxid == zxid + 1);
    tree_expect(&text, "get /a", "ok yy v1 c2 a0 n0 l2");
    tree_expect(&text, "create /n - s", "ok /n0000000001 v0 c0 a0 n0 l0");
    assert_true(machine_tree.digest(text.machine) != digest);
    tree_text_stop(&text);
}

/* What a persistent watch hears last of a path must be so. */
static void a_multi_tells_whatever_it_does_to_a_path(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /m -", "ok /m v0 c0 a0 n0 l0");
    tree_expect(&text, "multi create /m/b - ; delete /m/b ; create /m/b -",
                "ok [[0 /m/b v0 c0 a0 n0 l0] [0] [0 /m/b v0 c0 a0 n0 l0]]");
    assert_string_equal(tree_text_changes(&text),
                        "created /m/b, children /m, deleted /m/b, children /m, created /m/b, "
                        "children /m");
    tree_expect(&text, "multi delete /m/b ; create /m/b - ; delete /m/b",
                "ok [[0] [0 /m/b v0 c0 a0 n0 l0] [0]]");
    assert_string_equal(tree_text_changes(&text),
                        "deleted /m/b, children /m, created /m/b, children /m, deleted /m/b, "
                        "children /m");
    tree_expect(&text, "multi set /m x ; set /m y", "ok [[0 v1 c6 a0 n0 l1] [0 v2 c6 a0 n0 l1]]");
    assert_string_equal(tree_text_changes(&text), "data /m, data /m");
    tree_text_stop(&text);
}

/* -1 in a request is any version, so no node has it (ZOOKEEPER-4743), once the cluster says so. */
static void versions_wrap_and_leave_out_minus_one(void **state) {
    struct tree_text text;
    const struct tree_import_step step = {.order = 1, .zxid = 1, .time_ms = 1};
    tree_text_start(&text);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    for (uint32_t version = 2; version <= 3; version++) {
        text.context.version = version;
        tree_import_set_data(text.machine, &step, BYTES("/a"), BYTES(""), -3);
        tree_expect(&text, "set /a x -3", "ok v-2 c0 a0 n0 l1");
        tree_expect(&text, "set /a x -2",
                    version == 2 ? "ok v-1 c0 a0 n0 l1" : "ok v0 c0 a0 n0 l1");
    }
    tree_import_set_data(text.machine, &step, BYTES("/a"), BYTES(""), INT32_MAX);
    tree_expect(&text, "set /a x", "ok v-2147483648 c0 a0 n0 l1");
    tree_text_stop(&text);
}

static void ephemerals_go_with_their_session_in_one_transaction(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /p -", "ok /p v0 c0 a0 n0 l0");
    uint64_t first = tree_text_open_session(&text, 4000);
    assert_string_equal(tree_text_changes(&text), "life 4000");
    tree_expect(&text, "create /p/e - e", "ok /p/e v0 c0 a0 n0 l0 e");
    tree_expect(&text, "create /p/f - e", "ok /p/f v0 c0 a0 n0 l0 e");
    tree_expect(&text, "create /p/e/x -", "-108");
    tree_expect(&text, "ephemerals /", "ok [/p/e /p/f]");
    struct tree_caller old = text.caller;
    tree_text_open_session(&text, 4000);
    tree_expect(&text, "ephemerals /", "ok []");
    tree_expect(&text, "delete /p/f", "ok");
    text.caller = old;
    tree_expect(&text, "close", "ok");
    assert_string_equal(tree_text_changes(&text), "deleted /p/e, children /p, life 0");
    tree_expect(&text, "ls /p", "ok [] v0 c4 a0 n0 l0");
    tree_expect(&text, "set /p x", "-112");
    uint64_t id, timeout_ms;
    assert_true(machine_tree.life_next(text.machine, 0, &id, &timeout_ms));
    assert_true(id != first && timeout_ms == 4000);
    assert_false(machine_tree.life_next(text.machine, id, &id, &timeout_ms));
    tree_text_stop(&text);
}

/* ---- time ---- */

/* Proposes and applies what is due now, as a leader would; false when nothing was. */
static bool reap(struct tree_text *text) {
    struct buf command = {0};
    bool due = machine_tree.due(text->machine, text->context.time_ms, 0, &command);
    if (due)
        assert_string_equal(tree_text_apply(text, buf_view(&command)), "ok");
    buf_free(&command);
    return due;
}

static void a_container_goes_a_minute_after_its_last_child(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /c - c", "ok /c v0 c0 a0 n0 l0");
    assert_true(machine_tree.next_due(text.machine) == UINT64_MAX);
    tree_expect(&text, "create /c/a -", "ok /c/a v0 c0 a0 n0 l0");
    tree_expect(&text, "delete /c/a", "ok");
    assert_true(machine_tree.next_due(text.machine) == 1060000);
    text.context.time_ms += 60000;
    tree_expect(&text, "create /c/b -", "ok /c/b v0 c0 a0 n0 l0");
    assert_false(reap(&text));
    tree_expect(&text, "delete /c/b", "ok");
    text.context.time_ms += 59999;
    assert_false(reap(&text));
    text.context.time_ms += 1;
    assert_true(reap(&text));
    assert_string_equal(tree_text_changes(&text), "deleted /c, children /");
    tree_expect(&text, "stat /c", "-101");
    tree_text_stop(&text);
}

static void a_ttl_counts_from_the_last_change_and_spares_parents(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /t - ttl=100", "ok /t v0 c0 a0 n0 l0");
    tree_expect(&text, "create /s - s ttl=500", "ok /s0000000001 v0 c0 a0 n0 l0");
    text.context.time_ms += 100;
    assert_false(reap(&text));
    tree_expect(&text, "set /t x", "ok v1 c0 a0 n0 l1");
    tree_expect(&text, "create /t/a -", "ok /t/a v0 c0 a0 n0 l0");
    text.context.time_ms += 101;
    assert_false(reap(&text));
    tree_expect(&text, "delete /t/a", "ok");
    assert_true(reap(&text));
    tree_expect(&text, "ls /", "ok [s0000000001 zookeeper] v0 c2 a0 n2 l0");
    tree_text_stop(&text);
}

static void reaping_looks_again_when_it_is_applied(void **state) {
    struct tree_text text;
    struct buf command = {0};
    tree_text_start(&text);
    tree_expect(&text, "create /t - ttl=100", "ok /t v0 c0 a0 n0 l0");
    assert_true(machine_tree.due(text.machine, text.context.time_ms + 101, 0, &command));
    text.context.time_ms += 101;
    tree_expect(&text, "set /t x", "ok v1 c0 a0 n0 l1");
    assert_string_equal(tree_text_apply(&text, buf_view(&command)), "ok");
    tree_expect(&text, "stat /t", "ok v1 c0 a0 n0 l1");
    tree_expect(&text, "delete /t", "ok");
    tree_expect(&text, "create /t - ttl=1", "ok /t v0 c0 a0 n0 l0");
    text.context.time_ms += 500;
    assert_string_equal(tree_text_apply(&text, buf_view(&command)), "ok"); /* another node now */
    tree_expect(&text, "stat /t", "ok v0 c0 a0 n0 l0");
    buf_free(&command);
    tree_text_stop(&text);
}

static void no_more_than_ten_thousand_a_minute_are_reaped(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    for (int i = 0; i < 11000; i++)
        tree_text_run(&text, "create /t - s ttl=1");
    text.context.time_ms += 10;
    int batches = 0;
    while (reap(&text))
        batches++;
    assert_int_equal(batches, 40); /* of 256 */
    assert_true(machine_tree.next_due(text.machine) == text.context.time_ms + 60000);
    text.context.time_ms += 60000;
    while (reap(&text))
        batches++;
    assert_int_equal(batches, 43);
    assert_int_equal(machine_tree.count(text.machine), 4);
    tree_text_stop(&text);
}

/* ---- the rest ---- */

static void a_sequence_wraps_as_a_signed_number(void **state) {
    struct tree_text text;
    struct buf chunk = {0};
    tree_text_start(&text);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/b -", "ok /a/b v0 c0 a0 n0 l0");
    void *snapshot = machine_tree.snapshot_begin(text.machine);
    machine_tree.snapshot_chunk(snapshot, 1u << 20, &chunk);
    machine_tree.snapshot_end(text.machine, snapshot);
    /* In the parent's record: its pzxid (epoch 1, counter 2), creations, children. */
    static const uint8_t now[] = {2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
    static const uint8_t most[] = {0xff, 0xff, 0xff, 0x7f};
    uint8_t *at = memmem(chunk.data, chunk.len, now, sizeof now);
    memcpy(at + 8, most, sizeof most);
    machine_tree.restore_begin(text.machine);
    assert_int_equal(machine_tree.restore_chunk(text.machine, 1, buf_view(&chunk)), CAIRN_OK);
    tree_expect(&text, "create /a/s - s", "ok /a/s2147483647 v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/s - s", "ok /a/s-2147483648 v0 c0 a0 n0 l0");
    tree_expect(&text, "create /a/s - s", "ok /a/s-2147483647 v0 c0 a0 n0 l0");
    buf_free(&chunk);
    tree_text_stop(&text);
}

static void a_subtree_is_counted_and_its_neighbours_are_not(void **state) {
    static const char *const paths[] = {"/a",  "/a/b",  "/a/b/c", "/a/b/c/d", "/a-",  "/a-/x",
                                        "/a0", "/a0/x", "/aa",    "/a/b0",    "/a/b-"};
    struct tree_text text;
    char line[64];
    tree_text_start(&text);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(line, sizeof line, "create %s -", paths[i]);
        assert_true(tree_text_run(&text, line)[0] == 'o');
    }
    tree_expect(&text, "count /a", "ok 5");
    tree_expect(&text, "ls /a", "ok [b b- b0] v0 c3 a0 n3 l0");
    tree_expect(&text, "count /a/b", "ok 2");
    tree_expect(&text, "count /aa", "ok 0");
    tree_expect(&text, "count /", "ok 14");
    tree_text_stop(&text);
}

static void an_ephemeral_wants_a_session_and_a_ttl_a_number(void **state) {
    struct tree_text text;
    struct buf command = {0};
    tree_text_start(&text);
    tree_expect(&text, "create /e - e", "-8");
    for (int i = 0; i < 3; i++) {
        static const uint64_t ttls[] = {0, TREE_TTL_MS_MAX + 1, TREE_TTL_MS_MAX};
        buf_clear(&command);
        tree_put_head(&command, TREE_OP_CREATE, NULL);
        tree_put_create(&command, TREE_TTL, BYTES("/t"), BYTES(""), &tree_text_open, 1, ttls[i]);
        assert_string_equal(tree_text_apply(&text, buf_view(&command)),
                            i < 2 ? "-8" : "ok /t v0 c0 a0 n0 l0");
    }
    buf_free(&command);
    tree_text_stop(&text);
}

/* The promise of docs/zookeeper.md. */
static void a_node_costs_little_beyond_its_path(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    size_t before = machine_tree.memory(text.machine);
    for (int i = 0; i < 20000; i++)
        tree_text_run(&text, "create /n - s");
    size_t each = (machine_tree.memory(text.machine) - before) / 20000 - strlen("/n0000000000");
    print_message("%zu bytes a node beyond its path\n", each);
    assert_true(each < 100);
    tree_text_stop(&text);
}

static void bytes_that_are_no_command_are_refused(void **state) {
    struct tree_text text;
    struct buf command = {0};
    tree_text_start(&text);
    uint64_t digest = machine_tree.digest(text.machine);
    tree_text_encode(&text, &command, "multi create /a x ; delete /a");
    for (size_t len = 0; len < command.len; len++) {
        struct bytes cut = bytes_of(command.data, len);
        assert_string_equal(tree_text_apply(&text, cut), "ERR malformed command");
        assert_false(machine_tree.is_read(cut));
    }
    assert_true(machine_tree.digest(text.machine) == digest);
    buf_free(&command);
    tree_text_stop(&text);
}

static void the_keys_of_a_command_are_its_paths_and_changed_parents(void **state) {
    struct tree_text text;
    struct buf command = {0};
    struct key_uses uses = {0};
    tree_text_start(&text);
    tree_text_encode(&text, &command, "multi create /a/b x ; check /c 1");
    assert_int_equal(machine_tree.keys(buf_view(&command), &uses), CAIRN_OK);
    assert_int_equal(uses.count, 3);
    assert_true(bytes_equal(uses.items[0].key, BYTES("/a")) && uses.items[0].write);
    assert_true(bytes_equal(uses.items[1].key, BYTES("/a/b")) && uses.items[1].write);
    assert_true(bytes_equal(uses.items[2].key, BYTES("/c")) && !uses.items[2].write);
    key_uses_free(&uses);
    buf_free(&command);
    tree_text_stop(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_created_read_changed_and_deleted),
        cmocka_unit_test(null_data_is_not_empty_data),
        cmocka_unit_test(what_zookeeper_has_from_the_start_is_there_and_stays),
        cmocka_unit_test(the_reported_cversion_counts_creations_twice_less_children),
        cmocka_unit_test(paths_that_zookeeper_refuses_are_refused),
        cmocka_unit_test(a_multi_happens_as_a_whole_or_not_at_all),
        cmocka_unit_test(a_multi_tells_whatever_it_does_to_a_path),
        cmocka_unit_test(versions_wrap_and_leave_out_minus_one),
        cmocka_unit_test(ephemerals_go_with_their_session_in_one_transaction),
        cmocka_unit_test(a_container_goes_a_minute_after_its_last_child),
        cmocka_unit_test(a_ttl_counts_from_the_last_change_and_spares_parents),
        cmocka_unit_test(reaping_looks_again_when_it_is_applied),
        cmocka_unit_test(no_more_than_ten_thousand_a_minute_are_reaped),
        cmocka_unit_test(a_sequence_wraps_as_a_signed_number),
        cmocka_unit_test(a_subtree_is_counted_and_its_neighbours_are_not),
        cmocka_unit_test(an_ephemeral_wants_a_session_and_a_ttl_a_number),
        cmocka_unit_test(a_node_costs_little_beyond_its_path),
        cmocka_unit_test(bytes_that_are_no_command_are_refused),
        cmocka_unit_test(the_keys_of_a_command_are_its_paths_and_changed_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
