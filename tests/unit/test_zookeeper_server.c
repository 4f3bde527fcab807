/* Servers as ZooKeeper's configuration writes them. */
#include "front/zookeeper/zookeeper_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct zk_server parsed(const char *text) {
    struct zk_server server;
    assert_true(zk_server_parse(bytes_cstr(text), &server));
    return server;
}

static void a_server_has_a_role_and_addresses(void **state) {
    struct zk_server server = parsed("server.4=host:2888:3888:observer;10.0.0.4:2181");
    assert_int_equal(server.id, 4);
    assert_false(server.voter);
    assert_int_equal(server.election, 3888);
    assert_string_equal(server.address, "host:2888");
    assert_string_equal(server.clients, "10.0.0.4:2181");
    server = parsed("server.5=[::1]:2888:3888;[::1]:2181");
    assert_true(server.voter);
    assert_string_equal(server.address, "[::1]:2888");
    assert_string_equal(server.clients, "[::1]:2181");
    server = parsed("server.6=host:2888;2181");
    assert_string_equal(server.clients, "0.0.0.0:2181");
    assert_int_equal(server.election, 0);
}

/* The role is the word in the role's place, wherever else the word stands. */
static void a_host_named_observer_is_no_role(void **state) {
    assert_true(parsed("server.7=observer:1:2:participant;observer-7.local:3").voter);
    assert_true(parsed("server.7=h:1:2;observer:3").voter);
    assert_false(parsed("server.7=participant:1:2:observer").voter);
}

static void what_is_no_server_is_refused(void **state) {
    static const char *const wrong[] = {"",
                                        "server.=h:1:2",
                                        "server.0=h:1:2",
                                        "server.4",
                                        "server.4=h",
                                        "server.4=:1:2",
                                        "server.4=h:0:2",
                                        "server.4=h:70000:2",
                                        "server.4=h:1:2:leader",
                                        "server.4=h:1:2:observers",
                                        "server.4=h:1:2;",
                                        "server.4=h:1:2;x",
                                        "server.4=h:1:2;h:",
                                        "server.4=h:1:2;1 ",
                                        "server.4=h:1:2:3:observer",
                                        "xserver.4=h:1:2"};
    struct zk_server server;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(zk_server_parse(bytes_cstr(wrong[i]), &server));
}

static void a_list_is_cut_at_commas_and_lines(void **state) {
    struct bytes list = BYTES("server.1=a:1:2,server.2=b:1:2\n\nversion=100000000\nserver.3=c:1:2"),
                 part;
    for (uint64_t id = 1; id <= 3; id++) {
        struct zk_server server;
        assert_true(zk_server_part(&list, &part));
        assert_true(zk_server_parse(part, &server));
        assert_int_equal(server.id, id);
    }
    assert_false(zk_server_part(&list, &part));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_has_a_role_and_addresses),
        cmocka_unit_test(a_host_named_observer_is_no_role),
        cmocka_unit_test(what_is_no_server_is_refused),
        cmocka_unit_test(a_list_is_cut_at_commas_and_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
