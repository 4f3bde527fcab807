#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/secret.h"

static void the_digest_of_a_user_is_that_of_zookeeper(void **state) {
    struct buf out = {0};
    secret_sha1_base64(&out, BYTES("super:test"));
    assert_true(bytes_equal(buf_view(&out), BYTES("D/InIHSb7yEEbrWz8b9l71RjZJU=")));
    buf_free(&out);
}

/* RFC 2831, section 4. */
static void digest_md5_gives_the_proofs_of_its_rfc(void **state) {
    struct secret_digest_md5 digest = {
        .user = BYTES("chris"),
        .realm = BYTES("elwood.innosoft.com"),
        .password = BYTES("secret"),
        .nonce = BYTES("OA6MG9tEQGm2hh"),
        .cnonce = BYTES("OA6MHXh6VqTrRk"),
        .count = BYTES("00000001"),
        .quality = BYTES("auth"),
        .uri = BYTES("imap/elwood.innosoft.com"),
    };
    struct buf out = {0};
    secret_digest_md5(&out, &digest, false);
    assert_true(bytes_equal(buf_view(&out), BYTES("d388dad90d4bbd760a152321f2143af7")));
    buf_clear(&out);
    secret_digest_md5(&out, &digest, true);
    assert_true(bytes_equal(buf_view(&out), BYTES("ea40f60335c427b5527b84dbabcdfffd")));
    buf_clear(&out);
    digest.authzid = BYTES("chris"); /* section 2.1.2.1: "if authzid is specified" */
    secret_digest_md5(&out, &digest, false);
    assert_true(bytes_equal(buf_view(&out), BYTES("b1b19eb65cf78f4fa5b9fc515757b655")));
    buf_free(&out);
}

static void equal_means_the_same_bytes(void **state) {
    assert_true(secret_equal(BYTES("abc"), BYTES("abc")));
    assert_false(secret_equal(BYTES("abc"), BYTES("abd")));
    assert_false(secret_equal(BYTES("abc"), BYTES("ab")));
    assert_true(secret_equal(BYTES(""), BYTES("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_of_a_user_is_that_of_zookeeper),
        cmocka_unit_test(digest_md5_gives_the_proofs_of_its_rfc),
        cmocka_unit_test(equal_means_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
