/* Nodes that share a secret: the file, the proof, and the hello that carries a nonce. */
#include "node/frame.h"
#include "node/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ONE "0123456789abcdef0123456789abcdef"
#define TWO "fedcba9876543210fedcba9876543210"

static struct peer_secrets parsed(const char *text) {
    struct peer_secrets secrets;
    char error[200] = "";
    if (!peer_secrets_parse(bytes_cstr(text), &secrets, error, sizeof error))
        fail_msg("%s", error);
    return secrets;
}

static void a_file_has_one_secret_or_two(void **state) {
    struct peer_secrets secrets = parsed(ONE "\n");
    assert_int_equal(secrets.count, 1);
    assert_int_equal(secrets.of[0].len, 32);
    assert_false(secrets.optional);
    secrets = parsed("# in use, and the next\r\n" ONE "\r\n\n" TWO);
    assert_int_equal(secrets.count, 2);
    assert_memory_equal(secrets.of[1].bytes, TWO, 32);
    assert_true(parsed(ONE "\naccept-without-secret\n").optional);
}

static void what_is_no_secret_is_told_by_its_line_and_not_shown(void **state) {
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "no secret"},
        {"\n\n# nothing\n", "no secret"},
        {"accept-without-secret\n", "no secret"},
        {"\n0123456789abcdef0123456789abcde\n", "line 2: a secret has at least 32"},
        {ONE "\n0123456789abcdef 0123456789abcdef\n", "line 2: a secret has visible"},
        {ONE "\n" TWO "\n" ONE "\n", "line 3: there are two"},
        {ONE "\xc3\xa4\n", "line 1: a secret has visible"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer_secrets secrets;
        char error[200] = "";
        assert_false(peer_secrets_parse(bytes_cstr(cases[i].text), &secrets, error, sizeof error));
        assert_non_null(strstr(error, cases[i].told));
        assert_null(strstr(error, "0123456789"));
    }
    struct peer_secrets secrets;
    char error[200] = "", text[PEER_SECRET_MOST + 1];
    memset(text, 'x', sizeof text);
    assert_false(peer_secrets_parse(bytes_of((uint8_t *)text, sizeof text), &secrets, error, 200));
    assert_true(
        peer_secrets_parse(bytes_of((uint8_t *)text, sizeof text - 1), &secrets, error, 200));
    text[40] = 0;
    assert_false(peer_secrets_parse(bytes_of((uint8_t *)text, 60), &secrets, error, 200));
}

/* Computed by: printf ... | openssl dgst -sha256 -mac HMAC -macopt key:ONE, over the label with its
 * zero, 01, u32 1, "d", u32 2, "ac". */
static void a_proof_is_what_its_header_says(void **state) {
    static const uint8_t right[PROOF_BYTES] = {0xa2, 0x64, 0x20, 0x36, 0x31, 0xb1, 0x37, 0x6b,
                                               0x37, 0x0e, 0xe2, 0xe5, 0x40, 0x12, 0x72, 0xc5,
                                               0x7f, 0x04, 0x3f, 0x03, 0xc6, 0x56, 0x5f, 0xd5,
                                               0xaf, 0x2c, 0x72, 0xde, 0x6a, 0x0b, 0x1c, 0xb6};
    struct peer_secrets secrets = parsed(ONE);
    uint8_t proof[PROOF_BYTES];
    proof_make(&secrets.of[0], PROOF_DIALLER, BYTES("d"), BYTES("ac"), proof);
    assert_memory_equal(proof, right, PROOF_BYTES);
}

static void a_proof_is_good_for_its_link_and_direction(void **state) {
    struct peer_secrets secrets = parsed(TWO "\n" ONE), former = parsed(ONE), other = parsed(TWO);
    uint8_t proof[PROOF_BYTES];
    struct bytes told = bytes_of(proof, sizeof proof), d = BYTES("dialler"), a = BYTES("acceptor");
    proof_make(&former.of[0], PROOF_DIALLER, d, a, proof);
    assert_ptr_equal(proof_find(&secrets, PROOF_DIALLER, d, a, told), &secrets.of[1]);
    assert_null(proof_find(&other, PROOF_DIALLER, d, a, told));
    assert_null(proof_find(&secrets, PROOF_ACCEPTOR, d, a, told));
    assert_null(proof_find(&secrets, PROOF_DIALLER, a, d, told));
    assert_null(proof_find(&secrets, PROOF_DIALLER, BYTES("diallera"), BYTES("cceptor"), told));
    assert_null(proof_find(&secrets, PROOF_DIALLER, d, a, bytes_of(proof, PROOF_BYTES - 1)));
    assert_null(proof_find(&secrets, PROOF_DIALLER, d, a, bytes_of(NULL, 0)));
    for (size_t bit = 0; bit < 8 * sizeof proof; bit++) {
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_null(proof_find(&secrets, PROOF_DIALLER, d, a, told));
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static struct hello a_hello(bool has_secret) {
    struct hello hello = {.wire_min = 1, .wire_max = 3, .node = 7, .address = "127.0.0.1:7101"};
    hello.has_secret = hello.asks = has_secret;
    for (size_t i = 0; has_secret && i < sizeof hello.nonce; i++)
        hello.nonce[i] = (uint8_t)i;
    return hello;
}

static void a_hello_without_a_secret_is_what_it_always_was(void **state) {
    struct buf plain = {0}, more = {0};
    struct hello hello = a_hello(false), with = a_hello(true), back;
    hello_encode(&plain, &hello);
    hello_encode(&more, &with);
    assert_int_equal(plain.len, 2 * 4 + 6 * 8 + 4 + strlen(hello.address));
    assert_memory_equal(more.data, plain.data, plain.len);
    assert_int_equal(hello_decode(buf_view(&plain), &back), CAIRN_OK);
    assert_false(back.has_secret || back.asks);
    assert_int_equal(hello_decode(buf_view(&more), &back), CAIRN_OK);
    assert_true(back.has_secret && back.asks);
    assert_memory_equal(back.nonce, with.nonce, sizeof back.nonce);
    for (size_t len = plain.len + 1; len < more.len; len++)
        assert_int_equal(hello_decode(bytes_of(more.data, len), &back), CAIRN_MALFORMED);
    buf_free(&plain);
    buf_free(&more);
}

static void later_formats_of_the_block_may_have_more(void **state) {
    struct hello hello = a_hello(true), back;
    struct buf out = {0};
    hello_encode(&out, &hello);
    size_t block = 4 + 2 + HELLO_NONCE_BYTES;
    put_u32(out.data + out.len - block, 2 + HELLO_NONCE_BYTES + 3);
    out.data[out.len - block + 4] = 2;
    buf_append(&out, "new", 3);
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_OK);
    assert_memory_equal(back.nonce, hello.nonce, sizeof back.nonce);
    out.data[out.len - 3 - block + 4] = 0;
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_MALFORMED);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_one_secret_or_two),
        cmocka_unit_test(what_is_no_secret_is_told_by_its_line_and_not_shown),
        cmocka_unit_test(a_proof_is_what_its_header_says),
        cmocka_unit_test(a_proof_is_good_for_its_link_and_direction),
        cmocka_unit_test(a_hello_without_a_secret_is_what_it_always_was),
        cmocka_unit_test(later_formats_of_the_block_may_have_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
