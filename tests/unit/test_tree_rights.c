#include "tree_text.h"

#include "machine/tree/tree_internal.h"

static struct tree_acl acl_of(uint32_t permissions, const char *scheme, const char *id) {
    return (struct tree_acl){permissions, {bytes_cstr(scheme), bytes_cstr(id)}};
}

static void use(struct tree_text *text, const struct tree_acl *acl, uint32_t count) {
    text->acl = acl;
    text->acl_count = count;
}

static void each_right_is_asked_of_the_right_node(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    const struct tree_acl owner = acl_of(TREE_PERM_ALL, "digest", "u:hash");
    use(&text, &owner, 1);
    tree_expect(&text, "create /a x", "ok /a v0 c0 a0 n0 l1");
    tree_expect(&text, "get /a", "-102");
    tree_expect(&text, "ls /a", "-102");
    tree_expect(&text, "acl /a", "-102");
    tree_expect(&text, "count /a", "-102");
    tree_expect(&text, "stat /a", "ok v0 c0 a0 n0 l1");
    tree_expect(&text, "set /a y 7", "-102");
    tree_expect(&text, "create /a/b -", "-102");
    tree_expect(&text, "setacl /a", "-102");
    tree_expect(&text, "multi check /a 0", "ok [[-102]]");
    tree_text_identity(&text, "digest", "u:hash");
    tree_expect(&text, "create /a/b -", "ok /a/b v0 c0 a0 n0 l0");
    tree_expect(&text, "get /a", "ok x v0 c1 a0 n1 l1");
    text.caller.id_count = 0;
    tree_expect(&text, "delete /a/b", "-102");
    tree_text_identity(&text, "super", "");
    tree_expect(&text, "delete /a/b", "ok");
    text.caller.id_count = 0;
    tree_expect(&text, "delete /a", "ok"); /* the parent's right */
    tree_text_stop(&text);
}

static void digests_are_shown_to_whom_may_administer(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    const struct tree_acl acl[] = {acl_of(TREE_PERM_ALL, "digest", "u:hash"),
                                   acl_of(TREE_PERM_READ, "world", "anyone")};
    use(&text, acl, 2);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "acl /a", "ok digest:u:x:31,world:anyone:1 v0 c0 a0 n0 l0");
    tree_text_identity(&text, "digest", "u:hash");
    tree_expect(&text, "acl /a", "ok digest:u:hash:31,world:anyone:1 v0 c0 a0 n0 l0");
    tree_expect(&text, "acl /", "ok world:anyone:31 v0 c0 a0 n2 l0");
    tree_text_stop(&text);
}

static void the_scheme_auth_stands_for_the_callers_own_identities(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    const struct tree_acl acl[] = {acl_of(TREE_PERM_READ, "auth", ""),
                                   acl_of(TREE_PERM_READ, "auth", "")};
    use(&text, acl, 2);
    tree_expect(&text, "create /a -", "-114");
    tree_text_identity(&text, "ip", "127.0.0.1");
    tree_expect(&text, "create /a -", "-114");
    tree_text_identity(&text, "digest", "u:hash");
    tree_text_identity(&text, "sasl", "bob");
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    text.caller.ids = text.ids;
    tree_expect(&text, "acl /a", "ok digest:u:x:1,sasl:bob:1 v0 c0 a0 n0 l0");
    tree_text_stop(&text);
}

static void lists_that_mean_nothing_are_refused(void **state) {
    static const struct {
        const char *scheme, *id;
        bool valid;
    } cases[] = {{"world", "anyone", true}, {"world", "me", false},      {"digest", "a:b", true},
                 {"digest", ":b", true},    {"digest", "a:", false},     {"digest", "a:b:", true},
                 {"digest", "a::b", false}, {"digest", "", false},       {"ip", "10.0.0.0/8", true},
                 {"ip", "1.2.3", false},    {"ip", "1.2.3.4/33", false}, {"ip", "::1", true},
                 {"sasl", "u/h@R", true},   {"sasl", "a@b@c", false},    {"x509", "CN=a", true},
                 {"x509", "a", false},      {"super", "", false},        {"", "", false}};
    struct tree_text text;
    tree_text_start(&text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tree_acl acl = acl_of(TREE_PERM_ALL, cases[i].scheme, cases[i].id);
        use(&text, &acl, 1);
        bool taken = tree_text_run(&text, "create /n - s")[0] == 'o';
        if (taken != cases[i].valid)
            fail_msg("%s:%s", cases[i].scheme, cases[i].id);
    }
    use(&text, NULL, 0);
    tree_expect(&text, "create /a -", "-114");
    tree_expect(&text, "setacl /", "-114");
    tree_text_stop(&text);
}

static void addresses_match_by_their_first_bits(void **state) {
    static const struct {
        const char *address, *range;
        bool matches;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", true},  {"127.0.0.1", "127.0.0.2", false},
        {"10.1.2.3", "10.0.0.0/8", true},  {"11.1.2.3", "10.0.0.0/8", false},
        {"10.1.2.3", "10.1.2.2/31", true}, {"10.1.2.4", "10.1.2.2/31", false},
        {"1.2.3.4", "9.9.9.9/0", true},    {"::1", "::1", true},
        {"fe80::1:2", "fe80::/10", true},  {"fec0::1", "fe80::/10", false},
        {"::1", "0.0.0.1", false},         {"::ffff:1.2.3.4", "::ffff:102:304", true},
        {"1::2::3", "::/0", false},        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:0/112", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (tree_ip_matches(bytes_cstr(cases[i].address), bytes_cstr(cases[i].range)) !=
            cases[i].matches)
            fail_msg("%s in %s", cases[i].address, cases[i].range);
    }
    assert_false(tree_ip_valid(BYTES("1:2:3:4:5:6:7")));
    assert_false(tree_ip_valid(BYTES("1:2:3:4:5:6:7:")));
    assert_false(tree_ip_valid(BYTES("::/129")));
    assert_false(tree_ip_valid(BYTES(":")));
    assert_false(tree_ip_valid(BYTES("1.2.3.4.5")));
    assert_false(tree_ip_valid(BYTES("1.2.3.4/")));
}

static void the_version_of_a_list_rises_and_is_compared(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a -", "ok /a v0 c0 a0 n0 l0");
    tree_expect(&text, "setacl /a 1", "-103");
    tree_expect(&text, "setacl /a 0", "ok v0 c0 a1 n0 l0");
    assert_string_equal(tree_text_changes(&text), "");
    tree_expect(&text, "setacl /a", "ok v0 c0 a2 n0 l0");
    tree_text_stop(&text);
}

/* ---- quotas ---- */

static void a_quota_counts_what_is_below_it(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_expect(&text, "create /a xx", "ok /a v0 c0 a0 n0 l2");
    tree_expect(&text, "create /a/b yyy", "ok /a/b v0 c0 a0 n0 l3");
    tree_expect(&text, "create /zookeeper/quota/a -", "ok /zookeeper/quota/a v0 c0 a0 n0 l0");
    tree_text_run(&text, "create /zookeeper/quota/a/zookeeper_limits count=-1,bytes=-1");
    tree_text_run(&text, "create /zookeeper/quota/a/zookeeper_stats -");
    tree_expect(&text, "get /zookeeper/quota/a/zookeeper_stats",
                "ok count=2,bytes=5 v0 c0 a0 n0 l15");
    tree_text_run(&text, "create /a/b/c z");
    tree_text_run(&text, "set /a/b -");
    tree_expect(&text, "get /zookeeper/quota/a/zookeeper_stats",
                "ok count=3,bytes=3 v0 c0 a0 n0 l15");
    tree_text_run(&text, "multi delete /a/b/c ; set /a 1234 ; delete /none");
    tree_text_run(&text, "delete /a/b/c");
    tree_expect(&text, "get /zookeeper/quota/a/zookeeper_stats",
                "ok count=2,bytes=2 v0 c0 a0 n0 l15");
    tree_text_run(&text, "delete /zookeeper/quota/a/zookeeper_limits");
    tree_text_run(&text, "create /a/d 123456789");
    tree_expect(&text, "get /zookeeper/quota/a/zookeeper_stats",
                "ok count=2,bytes=2 v0 c0 a0 n0 l15");
    tree_text_stop(&text);
}

static void a_hard_limit_refuses_and_a_soft_one_counts(void **state) {
    struct tree_text text;
    tree_text_start(&text);
    tree_text_run(&text, "create /a -");
    tree_text_run(&text, "create /zookeeper/quota/a -");
    tree_text_run(&text, "create /zookeeper/quota/a/zookeeper_limits "
                         "count=1,bytes=4;countHardLimit=2;byteHardLimit=");
    tree_text_run(&text, "create /zookeeper/quota/a/zookeeper_stats -");
    tree_expect(&text, "create /a/b x", "ok /a/b v0 c0 a0 n0 l1");
    tree_expect(&text, "create /a/c -", "-125");
    tree_expect(&text, "multi create /a/c - ; create /q -", "ok [[-125] [-2]]");
    tree_expect(&text, "set /a 123456", "ok v1 c1 a0 n1 l6");
    assert_true(text.machine->head.quota_warnings == 1);
    tree_text_run(&text, "set /zookeeper/quota/a/zookeeper_limits byteHardLimit=7");
    tree_expect(&text, "set /a/b 12", "-125");
    tree_expect(&text, "set /a/b -", "ok v1 c0 a0 n0 l0");
    tree_text_stop(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_right_is_asked_of_the_right_node),
        cmocka_unit_test(digests_are_shown_to_whom_may_administer),
        cmocka_unit_test(the_scheme_auth_stands_for_the_callers_own_identities),
        cmocka_unit_test(lists_that_mean_nothing_are_refused),
        cmocka_unit_test(addresses_match_by_their_first_bits),
        cmocka_unit_test(the_version_of_a_list_rises_and_is_compared),
        cmocka_unit_test(a_quota_counts_what_is_below_it),
        cmocka_unit_test(a_hard_limit_refuses_and_a_soft_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
