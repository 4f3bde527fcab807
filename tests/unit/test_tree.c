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
                                                  "children /a, deleted /a/b");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_created_read_changed_and_deleted),
        cmocka_unit_test(null_data_is_not_empty_data),
        cmocka_unit_test(what_zookeeper_has_from_the_start_is_there_and_stays),
        cmocka_unit_test(the_reported_cversion_counts_creations_twice_less_children),
        cmocka_unit_test(paths_that_zookeeper_refuses_are_refused),
        cmocka_unit_test(a_multi_happens_as_a_whole_or_not_at_all),
        cmocka_unit_test(ephemerals_go_with_their_session_in_one_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
