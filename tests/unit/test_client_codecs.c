/* The clients' codecs: ZooKeeper's protocol and HTTP with its JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "client/http.h"
#include "client/jute.h"

/* ---- jute ---- */

static void requests_are_framed_big_endian(void **state) {
    struct buf out = {0};
    const uint8_t expected[] = {0, 0, 0, 15, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 2, '/', 'a', 0};
    jute_get(&out, 7, "/a");
    assert_int_equal(out.len, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    buf_free(&out);
}

static void a_handshake_grants_or_tells_of_expiry(void **state) {
    uint8_t frame[36] = {[6] = 0x17, [7] = 0x70, [15] = 9, [19] = 16, [20] = 1, [35] = 2};
    struct jute_session session = {0};
    assert_true(jute_connected(bytes_of(frame, sizeof frame), &session));
    assert_int_equal(session.timeout_ms, 6000);
    assert_int_equal(session.id, 9);
    assert_int_equal(session.password[0], 1);
    frame[6] = frame[7] = 0; /* a timeout of 0: the session has expired */
    assert_true(jute_connected(bytes_of(frame, sizeof frame), &session));
    assert_int_equal(session.id, 0);
    assert_false(jute_connected(bytes_of(frame, 20), &session));
}

static void frames_come_whole_or_not_at_all(void **state) {
    const uint8_t bytes[] = {0, 0, 0, 3, 'a', 'b', 'c', 0};
    const uint8_t giant[] = {0x7f, 0, 0, 0}, negative[] = {0xff, 0, 0, 0};
    struct bytes frame;
    for (size_t len = 0; len < 7; len++)
        assert_int_equal(jute_frame(bytes_of(bytes, len), JUTE_FRAME_MAX, &frame), 0);
    assert_int_equal(jute_frame(bytes_of(bytes, 8), JUTE_FRAME_MAX, &frame), 7);
    assert_int_equal(frame.len, 3);
    assert_int_equal(jute_frame(bytes_of(giant, 4), JUTE_FRAME_MAX, &frame), SIZE_MAX);
    assert_int_equal(jute_frame(bytes_of(negative, 4), JUTE_FRAME_MAX, &frame), SIZE_MAX);
}

static void the_first_child_is_the_smallest_name(void **state) {
    const uint8_t body[] = {0, 0, 0, 2, 0, 0, 0, 2, 'n', '9', 0, 0, 0, 2, 'n', '1'};
    const uint8_t none[] = {0, 0, 0, 0};
    struct bytes name;
    assert_true(jute_first_child(bytes_of(body, sizeof body), &name));
    assert_true(bytes_equal(name, BYTES("n1")));
    assert_true(jute_first_child(bytes_of(none, 4), &name));
    assert_int_equal(name.len, 0);
    assert_false(jute_first_child(bytes_of(body, 10), &name));
}

static void a_multi_tells_the_part_that_failed(void **state) {
    /* parts: -1 (rolled back, 0), -1 (bad version), end */
    const uint8_t body[] = {255, 255, 255, 255, 0,   0,   0,   0,   0,   0,   0,   0,
                            0,   255, 255, 255, 255, 0,   255, 255, 255, 153, 255, 255,
                            255, 153, 255, 255, 255, 255, 1,   255, 255, 255, 255};
    int32_t error;
    assert_true(jute_multi_error(bytes_of(body, sizeof body), &error));
    assert_int_equal(error, JUTE_BAD_VERSION);
    assert_false(jute_multi_error(bytes_of(body, 20), &error));
}

static void no_answer_cut_short_is_taken_for_one(void **state) {
    uint8_t body[4 + 3 + 68] = {0, 0, 0, 3, 'a', 'b', 'c'};
    struct bytes data;
    int32_t version;
    body[7 + 35] = 6;
    assert_true(jute_got(bytes_of(body, sizeof body), &data, &version));
    assert_true(bytes_equal(data, BYTES("abc")));
    assert_int_equal(version, 6);
    for (size_t len = 0; len < sizeof body; len++)
        assert_false(jute_got(bytes_of(body, len), &data, &version));
}

/* ---- HTTP ---- */

static void an_answer_with_a_length_is_read_when_whole(void **state) {
    const char *text = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello++";
    int status;
    struct buf body = {0};
    size_t whole = strlen(text) - 2;
    for (size_t len = 0; len < whole; len++)
        assert_int_equal(http_answer(bytes_of(text, len), &status, &body), 0);
    assert_int_equal(http_answer(bytes_cstr(text), &status, &body), whole);
    assert_int_equal(status, 200);
    assert_true(bytes_equal(buf_view(&body), BYTES("hello")));
    buf_free(&body);
}

static void an_answer_in_chunks_is_joined(void **state) {
    const char *text =
        "HTTP/1.1 503 Gone\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n"
        "0123456789\r\n0\r\n\r\n";
    int status;
    struct buf body = {0};
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(http_answer(bytes_of(text, len), &status, &body), 0);
    assert_int_equal(body.len, 0);
    assert_int_equal(http_answer(bytes_cstr(text), &status, &body), strlen(text));
    assert_int_equal(status, 503);
    assert_true(bytes_equal(buf_view(&body), BYTES("abc0123456789")));
    buf_free(&body);
}

static void nonsense_is_refused(void **state) {
    const char *const texts[] = {"FTP ready, go ahead\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nno length",
                                 "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    struct buf body = {0};
    int status;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(http_answer(bytes_cstr(texts[i]), &status, &body), SIZE_MAX);
    buf_free(&body);
}

static void base64_goes_both_ways(void **state) {
    struct buf text = {0}, back = {0};
    for (size_t len = 0; len < 20; len++) {
        const uint8_t bytes[20] = {0, 255, 7, 'a', 128, 3, 9, 200, 'z'};
        buf_clear(&text);
        buf_clear(&back);
        base64_encode(&text, bytes_of(bytes, len));
        assert_int_equal(text.len % 4, 0);
        assert_true(base64_decode(&back, buf_view(&text)));
        assert_true(bytes_equal(buf_view(&back), bytes_of(bytes, len)));
    }
    assert_false(base64_decode(&back, BYTES("a*b=")));
    buf_free(&text);
    buf_free(&back);
}

static void json_is_found_by_name(void **state) {
    struct bytes json = BYTES("{\"a\":\"x\\\"y\",\"n\": 12,\"a\":\"z\",\"yes\":true}"), text;
    size_t at = 0;
    assert_true(json_next(json, "a", &at, &text));
    assert_true(bytes_equal(text, BYTES("x\\\"y")));
    assert_true(json_next(json, "a", &at, &text));
    assert_true(bytes_equal(text, BYTES("z")));
    assert_false(json_next(json, "a", &at, &text));
    at = 0;
    assert_true(json_next(json, "n", &at, &text));
    assert_true(bytes_equal(text, BYTES("12")));
    assert_true(json_next(json, "yes", &at, &text));
    assert_true(bytes_equal(text, BYTES("true")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_framed_big_endian),
        cmocka_unit_test(a_handshake_grants_or_tells_of_expiry),
        cmocka_unit_test(frames_come_whole_or_not_at_all),
        cmocka_unit_test(the_first_child_is_the_smallest_name),
        cmocka_unit_test(a_multi_tells_the_part_that_failed),
        cmocka_unit_test(no_answer_cut_short_is_taken_for_one),
        cmocka_unit_test(an_answer_with_a_length_is_read_when_whole),
        cmocka_unit_test(an_answer_in_chunks_is_joined),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(json_is_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
