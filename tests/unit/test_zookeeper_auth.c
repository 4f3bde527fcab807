#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "machine/tree/tree.h"
#include "wire/secret.h"
#include "zookeeper_box.h"

#include <string.h>

static struct zk_box *box_new(void) {
    struct zookeeper_options options;
    zookeeper_options_default(&options);
    strcpy(options.super_digest, "super:D/InIHSb7yEEbrWz8b9l71RjZJU="); /* of super:test */
    strcpy(options.sasl_users, "ann:secret bob:pw");
    return zk_box_new(&options);
}

static struct zk_box_client *served(struct zk_box *box) {
    struct jute_connect session = {.timeout_ms = 10000};
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    assert_true(zk_box_handshake(client, &session));
    return client;
}

static struct zk_box_answer answer_to(struct zk_box *box, struct zk_box_client *client, int32_t xid,
                                      int32_t op, struct buf *body) {
    struct zk_box_answer answer;
    zk_box_request(client, xid, op, buf_view(body));
    buf_free(body);
    zk_box_settle(box);
    assert_true(zk_box_take(client, &answer));
    assert_int_equal(answer.xid, xid);
    return answer;
}

static int32_t authenticate(struct zk_box *box, struct zk_box_client *client, const char *scheme,
                            const char *credential) {
    struct buf body = {0};
    jute_put_i32(&body, 0);
    jute_put_block(&body, bytes_cstr(scheme));
    jute_put_block(&body, bytes_cstr(credential));
    return answer_to(box, client, JUTE_XID_AUTH, JUTE_AUTH, &body).error;
}

static int32_t create(struct zk_box *box, struct zk_box_client *client, const char *scheme,
                      const char *id) {
    struct buf body = {0};
    struct jute_acl acl = {31, bytes_cstr(scheme), bytes_cstr(id)};
    jute_put_block(&body, BYTES("/a"));
    jute_put_block(&body, BYTES("x"));
    jute_put_i32(&body, 1);
    jute_put_acl(&body, &acl);
    jute_put_i32(&body, 0);
    return answer_to(box, client, 1, JUTE_CREATE, &body).error;
}

static int32_t get(struct zk_box *box, struct zk_box_client *client) {
    struct buf body = {0};
    jute_put_block(&body, BYTES("/a"));
    jute_put_bool(&body, false);
    return answer_to(box, client, 2, JUTE_GET, &body).error;
}

static void a_digest_opens_what_it_locked(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *owner = served(box), *other = served(box);
    assert_int_equal(authenticate(box, owner, "digest", "u:p"), TREE_OK);
    assert_int_equal(create(box, owner, "auth", ""), TREE_OK);
    assert_int_equal(get(box, owner), TREE_OK);
    assert_int_equal(get(box, other), TREE_NO_AUTH);
    assert_int_equal(authenticate(box, other, "digest", "u:other"), TREE_OK);
    assert_int_equal(get(box, other), TREE_NO_AUTH);
    assert_int_equal(authenticate(box, other, "digest", "u:p"), TREE_OK);
    assert_int_equal(get(box, other), TREE_OK);
    zk_box_free(box);
}

static void the_super_user_has_every_right(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *owner = served(box), *super = served(box);
    assert_int_equal(create(box, owner, "ip", "10.9.9.9"), TREE_OK);
    assert_int_equal(get(box, owner), TREE_NO_AUTH);
    assert_int_equal(authenticate(box, super, "digest", "super:test"), TREE_OK);
    assert_int_equal(get(box, super), TREE_OK);
    zk_box_free(box);
}

static void everybody_is_his_address(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *client = served(box);
    assert_int_equal(create(box, client, "ip", "10.0.0.0/8"), TREE_OK);
    assert_int_equal(get(box, client), TREE_OK);
    zk_box_free(box);
}

static struct zk_box_client *certified(struct zk_box *box, const char *subject) {
    struct jute_connect session = {.timeout_ms = 10000};
    struct zk_box_client *client = zk_box_connect_tls(box, "10.0.0.2:5");
    zk_box_certify(client, subject);
    assert_true(zk_box_handshake(client, &session));
    return client;
}

static void a_certificate_is_an_identity(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *ann = certified(box, "CN=ann,O=people"), *nobody = certified(box, "");
    assert_int_equal(create(box, ann, "auth", ""), TREE_OK);
    assert_int_equal(get(box, ann), TREE_OK);
    assert_int_equal(get(box, nobody), TREE_NO_AUTH);
    assert_int_equal(get(box, certified(box, "CN=ann,O=people")), TREE_OK);
    assert_int_equal(get(box, certified(box, "CN=bob,O=people")), TREE_NO_AUTH);
    assert_int_equal(authenticate(box, ann, "x509", ""), TREE_OK);
    assert_int_equal(authenticate(box, nobody, "x509", "CN=ann,O=people"), TREE_AUTH_FAILED);
    zk_box_free(box);
}

static void connections_with_tls_are_counted_and_listed_apart(void **state) {
    struct zk_box *box = box_new();
    struct buf out = {0};
    served(box);
    certified(box, "CN=ann");
    zk_box_hang_up(zk_box_connect_tls(box, "10.0.0.3:5"));
    struct metrics metrics = metrics_to(&out);
    zookeeper_front_metrics(zk_box_front(box), &metrics);
    assert_true(zookeeper_front_command(zk_box_front(box), "connections", &out));
    buf_u8(&out, 0);
    const char *text = (const char *)out.data, *secure = strstr(text, "\"secure_connections\"");
    assert_non_null(strstr(text, "cairn_zookeeper_clients 2\n"));
    assert_non_null(strstr(text, "cairn_zookeeper_tls_clients 1\n"));
    assert_non_null(strstr(text, "cairn_zookeeper_tls_connections_total 1\n"));
    assert_non_null(strstr(text, "cairn_zookeeper_tls_failed_total 1\n"));
    assert_non_null(strstr(secure, "10.0.0.2:5"));
    assert_null(strstr(secure, "10.0.0.1:5"));
    buf_free(&out);
    zk_box_free(box);
}

static void watch(struct zk_box *box, struct zk_box_client *client) {
    struct buf body = {0};
    jute_put_block(&body, BYTES("/a"));
    jute_put_bool(&body, true);
    answer_to(box, client, 3, JUTE_EXISTS, &body);
}

static void who_may_not_read_a_node_is_not_told_of_its_changes(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *owner = served(box), *other = served(box);
    struct zk_box_answer event;
    watch(box, owner);
    watch(box, other);
    assert_int_equal(create(box, other, "ip", "10.9.9.9"), TREE_OK);
    assert_false(zk_box_take(owner, &event));
    assert_int_equal(authenticate(box, owner, "digest", "super:test"), TREE_OK);
    watch(box, owner);
    watch(box, other);
    struct buf body = {0};
    jute_put_block(&body, BYTES("/a"));
    jute_put_i32(&body, -1);
    answer_to(box, other, 4, JUTE_DELETE, &body);
    assert_false(zk_box_take(other, &event));
    assert_true(zk_box_take(owner, &event) && event.xid == JUTE_XID_NOTIFICATION);
    zk_box_free(box);
}

static void an_unknown_scheme_fails_and_ends_the_connection(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *client = served(box);
    assert_int_equal(authenticate(box, client, "kerberos", "x"), TREE_AUTH_FAILED);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

/* ---- SASL ---- */

static struct bytes directive(struct bytes token, const char *name) {
    const char *at = memmem(token.data, token.len, name, strlen(name));
    assert_non_null(at);
    at += strlen(name);
    const char *end = memchr(at, '"', token.len - (size_t)((const uint8_t *)at - token.data));
    assert_non_null(end);
    return bytes_of(at, (size_t)(end - at));
}

static int32_t sasl_as(struct zk_box *box, struct zk_box_client *client, const char *user,
                       const char *password, const char *authzid) {
    struct buf body = {0}, proof = {0};
    jute_put_block(&body, BYTES(""));
    struct reader reader = reader_of(answer_to(box, client, 1, JUTE_SASL, &body).body);
    struct bytes challenge = jute_take_block(&reader);
    struct secret_digest_md5 digest = {.user = bytes_cstr(user),
                                       .realm = directive(challenge, "realm=\""),
                                       .password = bytes_cstr(password),
                                       .nonce = directive(challenge, "nonce=\""),
                                       .cnonce = BYTES("c1"),
                                       .count = BYTES("00000001"),
                                       .quality = BYTES("auth"),
                                       .uri = BYTES("zookeeper/zk-sasl-md5")};
    if (authzid != NULL)
        digest.authzid = bytes_cstr(authzid);
    buf_printf(&proof,
               "charset=utf-8,username=\"%s\",realm=\"%.*s\",nonce=\"%.*s\",nc=00000001,"
               "cnonce=\"c1\",digest-uri=\"zookeeper/zk-sasl-md5\",qop=auth,response=",
               user, (int)digest.realm.len, (const char *)digest.realm.data, (int)digest.nonce.len,
               (const char *)digest.nonce.data);
    secret_digest_md5(&proof, &digest, false);
    if (authzid != NULL)
        buf_printf(&proof, ",authzid=\"%s\"", authzid);
    jute_put_block(&body, buf_view(&proof));
    buf_free(&proof);
    return answer_to(box, client, 2, JUTE_SASL, &body).error;
}

static int32_t sasl(struct zk_box *box, struct zk_box_client *client, const char *user,
                    const char *password) {
    return sasl_as(box, client, user, password, NULL);
}

static void sasl_proves_a_user_of_the_configuration(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *ann = served(box), *bob = served(box);
    assert_int_equal(sasl(box, ann, "ann", "secret"), TREE_OK);
    assert_int_equal(create(box, ann, "sasl", "ann"), TREE_OK);
    assert_int_equal(get(box, ann), TREE_OK);
    assert_int_equal(sasl(box, bob, "bob", "pw"), TREE_OK);
    assert_int_equal(get(box, bob), TREE_NO_AUTH);
    zk_box_free(box);
}

static void sasl_lets_a_user_act_as_himself_only(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *client = served(box);
    assert_int_equal(sasl_as(box, client, "ann", "secret", "ann"), TREE_OK);
    client = served(box);
    assert_int_equal(sasl_as(box, client, "ann", "secret", "bob"), TREE_AUTH_FAILED);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static void sasl_refuses_a_wrong_password_and_a_stranger(void **state) {
    struct zk_box *box = box_new();
    struct zk_box_client *client = served(box);
    assert_int_equal(sasl(box, client, "ann", "guess"), TREE_AUTH_FAILED);
    assert_true(zk_box_closed(client));
    client = served(box);
    assert_int_equal(sasl(box, client, "eve", "secret"), TREE_AUTH_FAILED);
    client = served(box);
    assert_int_equal(sasl(box, client, "ann:secret bob", "pw"), TREE_AUTH_FAILED);
    zk_box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_opens_what_it_locked),
        cmocka_unit_test(the_super_user_has_every_right),
        cmocka_unit_test(everybody_is_his_address),
        cmocka_unit_test(a_certificate_is_an_identity),
        cmocka_unit_test(connections_with_tls_are_counted_and_listed_apart),
        cmocka_unit_test(who_may_not_read_a_node_is_not_told_of_its_changes),
        cmocka_unit_test(an_unknown_scheme_fails_and_ends_the_connection),
        cmocka_unit_test(sasl_proves_a_user_of_the_configuration),
        cmocka_unit_test(sasl_lets_a_user_act_as_himself_only),
        cmocka_unit_test(sasl_refuses_a_wrong_password_and_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
