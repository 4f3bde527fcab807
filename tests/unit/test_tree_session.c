#include "tree_text.h"

static const uint8_t secret[TREE_PASSWORD_BYTES] = "secret";

static const char *attach(struct tree_text *text, uint64_t session, const uint8_t *password,
                          uint64_t timeout_ms) {
    struct buf command = {0};
    const struct tree_caller caller = {.session = session};
    tree_put_head(&command, TREE_OP_SESSION_ATTACH, &caller);
    tree_put_session_attach(&command, password, timeout_ms, 2);
    const char *shown = tree_text_apply(text, buf_view(&command));
    buf_free(&command);
    return shown;
}

static void a_session_moves_with_its_password_and_the_old_holder_is_told(void **state) {
    static const uint8_t wrong[TREE_PASSWORD_BYTES] = "guess";
    struct tree_text text;
    tree_text_start(&text);
    uint64_t id = tree_text_open_session(&text, 4000);
    assert_string_equal(attach(&text, id, wrong, 4000), "-112");
    assert_string_equal(attach(&text, id + 1, secret, 4000), "-112");
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "ok %llu 6000", (unsigned long long)text.context.order + 10);
    assert_string_equal(attach(&text, id, secret, 6000), wanted);
    assert_string_equal(tree_text_changes(&text), "life 6000");
    tree_expect(&text, "set /a x", "-118");
    tree_expect(&text, "close", "-118");
    text.caller.holder = text.context.order - 20;
    tree_expect(&text, "set /a x", "ok v1 c0 a0 n0 l1");
    tree_text_stop(&text);
}

static void ids_look_as_zookeepers_and_none_is_given_twice(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    uint64_t first = tree_text_open_session(&text, 4000);
    assert_true(first >> 56 == 1);
    text.context.order -= 10; /* as when the 56 bits have come round */
    uint64_t second = tree_text_open_session(&text, 4000);
    assert_true(second == first + 1);
    tree_text_stop(&text);
}

static void an_expiry_spares_a_session_that_moved_meanwhile(void **state) {
    struct tree_text text;
    struct buf end = {0};
    tree_text_start(&text);
    uint64_t id = tree_text_open_session(&text, 4000);
    tree_expect(&text, "create /e - e", "ok /e v0 c0 a0 n0 l0 e");
    machine_tree.life_end(text.machine, id, &end);
    attach(&text, id, secret, 0);
    assert_string_equal(tree_text_apply(&text, buf_view(&end)), "-118");
    assert_string_equal(tree_text_changes(&text), "");
    buf_clear(&end);
    machine_tree.life_end(text.machine, id, &end);
    assert_string_equal(tree_text_apply(&text, buf_view(&end)), "ok");
    assert_string_equal(tree_text_changes(&text), "deleted /e, children /, life 0");
    assert_string_equal(tree_text_apply(&text, buf_view(&end)), "-112");
    buf_free(&end);
    tree_text_stop(&text);
}

static void zxids_rise_across_terms_and_a_used_up_counter(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    assert_true(text.zxid == (1ull << 32 | 1));
    tree_expect(&text, "create /a -", "-110");
    assert_true(text.zxid == (1ull << 32 | 2));
    tree_expect(&text, "stat /a", "ok v0 c0 a0 n0 l0");
    assert_true(text.zxid == (1ull << 32 | 2));
    text.context.term = 7;
    tree_expect(&text, "set /a x", "ok v1 c0 a0 n0 l1");
    assert_true(text.zxid == (2ull << 32 | 1));
    tree_text_stop(&text);
}

/* ---- snapshots ---- */

static void copy(struct machine *from, struct machine *to) {
    struct buf chunk = {0};
    void *snapshot = machine_tree.snapshot_begin(from);
    machine_tree.restore_begin(to);
    for (bool done = false; !done; buf_clear(&chunk)) {
        done = machine_tree.snapshot_chunk(snapshot, 100, &chunk);
        assert_int_equal(machine_tree.restore_chunk(to, 1, buf_view(&chunk)), CAIRN_OK);
    }
    assert_int_equal(machine_tree.restore_end(to), CAIRN_OK);
    machine_tree.snapshot_end(from, snapshot);
    buf_free(&chunk);
}

static void a_restored_machine_goes_on_as_the_one_it_came_from(void **state) {
    struct tree_text one, two;
    tree_text_start(&one);
    tree_text_start(&two);
    tree_text_open_session(&one, 4000);
    tree_expect(&one, "create /a data e", "ok /a v0 c0 a0 n0 l4 e");
    tree_expect(&one, "create /t - ttl=5", "ok /t v0 c0 a0 n0 l0");
    copy(one.machine, two.machine);
    assert_true(machine_tree.digest(one.machine) == machine_tree.digest(two.machine));
    assert_true(machine_tree.next_due(two.machine) == machine_tree.next_due(one.machine));
    two.caller = one.caller;
    two.context = one.context;
    tree_expect(&two, "ephemerals /", "ok [/a]");
    tree_expect(&two, "close", "ok");
    tree_expect(&one, "close", "ok");
    assert_true(machine_tree.digest(one.machine) == machine_tree.digest(two.machine));
    tree_text_stop(&one);
    tree_text_stop(&two);
}

static void a_malformed_snapshot_is_called_corrupt(void **state) {
    static const uint8_t orphan[] = {'n', 0, 0, 0,   0,   0,   0,   0,  0, 6, 0, 0,
                                     0,   0, 2, '/', 'a', '/', 'b', 17, 0, 0, 0};
    struct tree_text text;
    struct buf chunk = {0};
    tree_text_start(&text);
    void *snapshot = machine_tree.snapshot_begin(text.machine);
    assert_true(machine_tree.snapshot_chunk(snapshot, 1u << 20, &chunk));
    machine_tree.snapshot_end(text.machine, snapshot);
    machine_tree.restore_begin(text.machine);
    assert_int_equal(machine_tree.restore_end(text.machine), CAIRN_CORRUPT);
    assert_int_equal(machine_tree.restore_chunk(text.machine, 2, buf_view(&chunk)),
                     CAIRN_WRONG_VERSION);
    chunk.len--;
    assert_int_equal(machine_tree.restore_chunk(text.machine, 1, buf_view(&chunk)), CAIRN_CORRUPT);
    buf_clear(&chunk);
    buf_append(&chunk, orphan, sizeof orphan);
    for (int i = 0; i < 17; i++)
        buf_u8(&chunk, 0);
    machine_tree.restore_begin(text.machine);
    assert_int_equal(machine_tree.restore_chunk(text.machine, 1, buf_view(&chunk)), CAIRN_CORRUPT);
    buf_free(&chunk);
    tree_text_stop(&text);
}

/* ---- the servers ---- */

static const char *apply(struct tree_text *text, struct buf *command) {
    const char *shown = tree_text_apply(text, buf_view(command));
    buf_clear(command);
    return shown;
}

static void the_config_node_tells_the_members_and_their_client_addresses(void **state) {
    struct tree_text text;
    struct buf command = {0};
    struct config config = {.count = 2,
                            .members = {{.id = 1, .voter = true, .address = "h1:7101"},
                                        {.id = 2, .address = "h2:7102"}}};
    tree_text_start(&text);
    assert_true(machine_tree.members(text.machine, &config, &command));
    assert_string_equal(apply(&text, &command), "ok");
    assert_string_equal(tree_text_changes(&text), "data /zookeeper/config");
    assert_false(machine_tree.members(text.machine, &config, &command));
    assert_int_equal(command.len, 0);
    tree_put_head(&command, TREE_OP_SERVER, NULL);
    tree_put_server(&command, 1, BYTES("h1:2181"));
    struct buf again = {0};
    buf_bytes(&again, buf_view(&command));
    assert_string_equal(apply(&text, &command), "ok");
    tree_expect(&text, "get /zookeeper/config",
                "ok server.1=h1:7101:8101:participant;h1:2181\nserver.2=h2:7102:8102:observer\n"
                "version=100000002 v0 c0 a-1 n0 l90");
    assert_string_equal(apply(&text, &again), "ok");
    assert_string_equal(tree_text_changes(&text), "");
    tree_expect(&text, "set /zookeeper/config x", "-102");
    buf_free(&command);
    buf_free(&again);
    tree_text_stop(&text);
}

/* ---- seeded bugs ---- */

static void the_mutants_break_what_they_say(void **state) {
    struct tree_text text;
    tree_text_start_with(&text, MUTANT_TREE_EPHEMERAL_STAYS);
    tree_text_open_session(&text, 4000);
    tree_expect(&text, "create /a - e", "ok /a v0 c0 a0 n0 l0 e");
    tree_expect(&text, "create /b - e", "ok /b v0 c0 a0 n0 l0 e");
    tree_expect(&text, "close", "ok");
    tree_expect(&text, "ls /", "ok [b zookeeper] v0 c2 a0 n2 l0");
    tree_text_stop(&text);
    tree_text_start_with(&text, MUTANT_TREE_MULTI_PARTIAL);
    tree_expect(&text, "multi create /a - ; delete /b", "ok [[0] [-101]]");
    tree_expect(&text, "stat /a", "ok v0 c0 a0 n0 l0");
    tree_text_stop(&text);
    tree_text_start_with(&text, MUTANT_TREE_SEQUENCE_FROM_CHILDREN);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "delete /a", "ok");
    tree_expect(&text, "create /a - s", "ok /a0000000001 v0 c0 a0 n0 l0");
    tree_expect(&text, "delete /a0000000001", "ok");
    tree_expect(&text, "create /a - s", "ok /a0000000001 v0 c0 a0 n0 l0");
    tree_text_stop(&text);
    tree_text_start_with(&text, MUTANT_TREE_VERSION_IGNORED);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "set /a x 9", "ok v1 c0 a0 n0 l1");
    text.context.term = 2;
    tree_text_stop(&text);
    tree_text_start_with(&text, MUTANT_TREE_ZXID_REPEATS);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    uint64_t zxid = text.zxid;
    text.context.term = 2;
    tree_expect(&text, "set /a x", "ok v1 c0 a0 n0 l1");
    assert_true(text.zxid == zxid);
    tree_text_stop(&text);
}

static void a_snapshot_of_the_mutant_has_no_sessions(void **state) {
    struct tree_text one, two;
    tree_text_start_with(&one, MUTANT_TREE_SNAPSHOT_NO_SESSIONS);
    tree_text_start(&two);
    tree_text_open_session(&one, 4000);
    copy(one.machine, two.machine);
    uint64_t id, timeout_ms;
    assert_false(machine_tree.life_next(two.machine, 0, &id, &timeout_ms));
    tree_text_stop(&one);
    tree_text_stop(&two);
}

static void a_session_of_the_mutants_is_expired_or_written_for_by_the_wrong_one(void **state) {
    static const enum mutant mutants[] = {MUTANT_TREE_EXPIRY_IGNORES_HOLDER,
                                          MUTANT_TREE_MOVED_IGNORED};
    for (int i = 0; i < 2; i++) {
        struct tree_text text;
        struct buf end = {0};
        tree_text_start_with(&text, mutants[i]);
        uint64_t id = tree_text_open_session(&text, 4000);
        machine_tree.life_end(text.machine, id, &end);
        attach(&text, id, secret, 0);
        tree_expect(&text, "create /a -", i == 0 ? "-118" : "ok /a v0 c0 a0 n0 l0");
        assert_string_equal(tree_text_apply(&text, buf_view(&end)), i == 0 ? "ok" : "-118");
        buf_free(&end);
        tree_text_stop(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_moves_with_its_password_and_the_old_holder_is_told),
        cmocka_unit_test(ids_look_as_zookeepers_and_none_is_given_twice),
        cmocka_unit_test(an_expiry_spares_a_session_that_moved_meanwhile),
        cmocka_unit_test(zxids_rise_across_terms_and_a_used_up_counter),
        cmocka_unit_test(a_restored_machine_goes_on_as_the_one_it_came_from),
        cmocka_unit_test(a_malformed_snapshot_is_called_corrupt),
        cmocka_unit_test(the_config_node_tells_the_members_and_their_client_addresses),
        cmocka_unit_test(the_mutants_break_what_they_say),
        cmocka_unit_test(a_snapshot_of_the_mutant_has_no_sessions),
        cmocka_unit_test(a_session_of_the_mutants_is_expired_or_written_for_by_the_wrong_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
