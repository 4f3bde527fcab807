#include "base/ini.h"
#include "cli/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect_refused(const char *text, const char *reason) {
    struct settings settings;
    char error[512] = "";
    settings_default(&settings);
    assert_false(settings_parse(&settings, text, error, sizeof error));
    assert_non_null(strstr(error, reason));
}

static char *example(void) {
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    settings_print_example(file);
    fclose(file);
    return text;
}

static void the_example_parses_and_equals_the_defaults(void **state) {
    struct settings defaults, parsed;
    char error[512] = "", *text = example();
    settings_default(&defaults);
    memset(&parsed, 0, sizeof parsed);
    assert_true(settings_parse(&parsed, text, error, sizeof error));
    assert_memory_equal(&parsed, &defaults, sizeof defaults);
    assert_true(settings_check(&defaults, error, sizeof error));
    free(text);
}

static bool take_number(struct settings *settings, const char *section, const char *key,
                        uint64_t number) {
    char text[32], error[512] = "";
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return settings_set(settings, section, key, text, error, sizeof error);
}

/* Another value than the default's is taken, and changes something. */
static bool take_other_value(void *context, const char *section, const char *key,
                             const char *value) {
    struct settings *settings = context;
    struct settings before = *settings;
    char error[512] = "", *end;
    uint64_t number = strtoull(value, &end, 10);
    if (*value != 0 && *end == 0) {
        assert_true(take_number(settings, section, key, number + 1) ||
                    take_number(settings, section, key, number - 1));
    } else {
        const char *other = strcmp(value, "yes") == 0  ? "no"
                            : strcmp(value, "no") == 0 ? "yes"
                                                       : "other";
        assert_true(settings_set(settings, section, key, other, error, sizeof error));
    }
    assert_memory_not_equal(&before, settings, sizeof before);
    return true;
}

static void every_key_of_the_example_sets_something(void **state) {
    struct settings settings;
    char *text = example();
    settings_default(&settings);
    assert_int_equal(ini_text(bytes_cstr(text), take_other_value, &settings), 0);
    assert_int_equal(settings.node, 2);
    assert_string_equal(settings.redis_listen, "other");
    assert_true(settings.bootstrap);
    free(text);
}

static void what_is_wrong_is_told_with_its_line(void **state) {
    expect_refused("[node]\n\nid = x\n", "line 3: node.id is a number from 1 to");
    expect_refused("[node]\nid = 0\n", "line 2: node.id is a number");
    expect_refused("[node]\nid = -1\n", "line 2");
    expect_refused("[node]\nid = 18446744073709551616\n", "line 2");
    expect_refused("[node]\nnosuch = 1\n", "line 2: there is no setting node.nosuch");
    expect_refused("[raft]\nlease_reads = perhaps\n", "line 2: raft.lease_reads is yes or no");
    expect_refused("id = 1\n", "line 1");
    expect_refused("[node\n", "line 1");
    expect_refused("[node]\nid\n", "line 2");
    expect_refused("[node]\n= 1\n", "line 2");
}

static void values_may_hold_anything_and_lines_be_long(void **state) {
    struct settings settings;
    struct config members;
    struct buf text = {0};
    char error[512] = "";
    settings_default(&settings);
    buf_printf(
        &text,
        "\xef\xbb\xbf; a comment\r\n[redis]\r\n  password = a;b#c=d e \r\n[cluster]\nmembers =");
    for (int id = 1; id <= 14; id++)
        buf_printf(&text, " %d=a-rather-long-name-of-a-host-%d.example:7101", id, id);
    buf_u8(&text, 0);
    assert_true(settings_parse(&settings, (const char *)text.data, error, sizeof error));
    assert_string_equal(settings.password, "a;b#c=d e");
    assert_true(settings_members(settings.members, &members));
    assert_int_equal(members.count, 14);
    buf_free(&text);
}

static void members_are_pairs_of_id_and_address(void **state) {
    struct config members;
    assert_true(settings_members("", &members));
    assert_true(settings_members("2=b:2,1=a:1", &members));
    assert_int_equal(members.count, 2);
    assert_int_equal(members.members[0].id, 1);
    assert_string_equal(members.members[1].address, "b:2");
    static const char *const wrong[] = {"1", "1=", "1=a", "=a:1", "0=a:1", "x=a:1", "1=a:1 1=b:2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(settings_members(wrong[i], &members));
}

static void words_of_the_command_line_are_the_same_settings(void **state) {
    struct settings settings;
    char error[512] = "";
    settings_default(&settings);
    assert_true(settings_set_word(&settings, "redis.password=a.b=c", error, sizeof error));
    assert_string_equal(settings.password, "a.b=c");
    assert_false(settings_set_word(&settings, "redis.password", error, sizeof error));
    assert_false(settings_set_word(&settings, "password=x.y", error, sizeof error));
    assert_false(settings_set_word(&settings, "no.such=1", error, sizeof error));
    assert_non_null(strstr(error, "there is no setting no.such"));
}

static void expect_nonsense(const char *word, const char *reason) {
    struct settings settings;
    char error[512] = "";
    settings_default(&settings);
    assert_true(settings_set_word(&settings, word, error, sizeof error));
    assert_false(settings_check(&settings, error, sizeof error));
    assert_non_null(strstr(error, reason));
}

static void what_makes_no_sense_as_a_whole_is_refused(void **state) {
    expect_nonsense("raft.heartbeat_ms=100", "heartbeat");
    expect_nonsense("raft.election_timeout_max_ms=150", "election timeout");
    expect_nonsense("redis.listen=0.0.0.0:7001", "beyond_loopback");
    expect_nonsense("raft.consistency=none", "linearizable");
    expect_nonsense("logging.level=all", "debug");
    expect_nonsense("node.dir=", "folder");
    expect_nonsense("cluster.members=1", "cluster.members");
}

static bool agrees(struct settings *settings, const char *word, const char *reason) {
    char error[512] = "";
    assert_true(settings_set_word(settings, word, error, sizeof error));
    bool fine = settings_check(settings, error, sizeof error);
    assert_true(fine || strstr(error, reason) != NULL);
    return fine;
}

static void
a_port_with_tls_needs_its_files_and_may_be_open_when_certificates_are_required(void **state) {
    struct settings settings;
    settings_default(&settings);
    assert_false(agrees(&settings, "zookeeper.tls_listen=0.0.0.0:2281", "tls_cert"));
    assert_false(agrees(&settings, "zookeeper.tls_cert=s.pem", "tls_key"));
    assert_false(agrees(&settings, "zookeeper.tls_key=s.key", "tls_ca"));
    assert_true(agrees(&settings, "zookeeper.tls_ca=ca.pem", ""));
    assert_false(agrees(&settings, "zookeeper.tls_clients=wanted", "beyond_loopback"));
    assert_true(agrees(&settings, "network.beyond_loopback=yes", ""));
    assert_true(agrees(&settings, "zookeeper.tls_clients=none", ""));
    assert_true(agrees(&settings, "zookeeper.tls_ca=", ""));
    assert_false(agrees(&settings, "zookeeper.tls_clients=maybe", "none, wanted or required"));
}

static void settings_reach_the_node_and_the_front_end(void **state) {
    struct settings settings;
    struct node_options node;
    struct redis_options redis;
    char error[512] = "";
    settings_default(&settings);
    assert_true(settings_set_word(&settings, "raft.heartbeat_ms=7", error, sizeof error));
    assert_true(settings_set_word(&settings, "raft.consistency=stale", error, sizeof error));
    assert_true(settings_set_word(&settings, "redis.value_max_mb=2", error, sizeof error));
    assert_true(settings_set_word(&settings, "redis.memory_max_mb=3", error, sizeof error));
    settings_to_node(&settings, &node);
    settings_to_redis(&settings, &redis);
    assert_int_equal(node.heartbeat_ns, 7000000);
    assert_int_equal(node.keyspaces[SETTINGS_KV].consistency, NODE_STALE);
    assert_int_equal(node.value_bytes_max, 2 << 20);
    assert_int_equal(redis.bulk_bytes_max, 2 << 20);
    assert_int_equal(redis.memory_max, 3 << 20);
}

static void words_beyond_loopback_change_nothing(void **state) {
    static const struct {
        const char *listen, *tls, *words, *expected;
    } cases[] = {{"127.0.0.1:2181", "", "auto", "*"},
                 {"", "", "auto", "*"},
                 {"0.0.0.0:2181", "", "auto", "srvr,ruok,mntr,isro"},
                 {"127.0.0.1:2181", "10.0.0.1:2281", "auto", "srvr,ruok,mntr,isro"},
                 {"0.0.0.0:2181", "", "*", "*"},
                 {"127.0.0.1:2181", "", "ruok", "ruok"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings settings;
        struct zookeeper_options options;
        settings_default(&settings);
        strcpy(settings.zookeeper_listen, cases[i].listen);
        strcpy(settings.zookeeper_tls_listen, cases[i].tls);
        strcpy(settings.zookeeper_words, cases[i].words);
        settings_to_zookeeper(&settings, &options);
        assert_string_equal(options.words, cases[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_parses_and_equals_the_defaults),
        cmocka_unit_test(every_key_of_the_example_sets_something),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(values_may_hold_anything_and_lines_be_long),
        cmocka_unit_test(members_are_pairs_of_id_and_address),
        cmocka_unit_test(words_of_the_command_line_are_the_same_settings),
        cmocka_unit_test(what_makes_no_sense_as_a_whole_is_refused),
        cmocka_unit_test(
            a_port_with_tls_needs_its_files_and_may_be_open_when_certificates_are_required),
        cmocka_unit_test(settings_reach_the_node_and_the_front_end),
        cmocka_unit_test(words_beyond_loopback_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
