#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/jute.h"

#include <string.h>

static struct bytes body_of(const struct buf *frame) {
    struct bytes body = {0};
    assert_int_equal(jute_frame(buf_view(frame), UINT32_MAX, &body), frame->len);
    return body;
}

static void a_frame_is_taken_only_whole_and_within_its_limit(void **state) {
    const uint8_t bytes[] = {0, 0, 0, 3, 'a', 'b', 'c', 'd'};
    const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff};
    struct bytes frame;
    for (size_t len = 0; len < 7; len++)
        assert_int_equal(jute_frame(bytes_of(bytes, len), 3, &frame), 0);
    assert_int_equal(jute_frame(bytes_of(bytes, 8), 3, &frame), 7);
    assert_true(bytes_equal(frame, BYTES("abc")));
    assert_int_equal(jute_frame(bytes_of(bytes, 4), 2, &frame), SIZE_MAX);
    assert_int_equal(jute_frame(bytes_of(negative, 4), UINT32_MAX, &frame), SIZE_MAX);
}

static void a_connect_request_has_44_bytes_or_45_with_the_read_only_byte(void **state) {
    struct jute_connect sent = {.zxid = 0x1234, .timeout_ms = 9000, .session = -5}, got;
    struct buf out = {0};
    jute_put_connect(&out, &sent);
    assert_int_equal(out.len, 4 + 44);
    assert_true(jute_take_connect(body_of(&out), &got));
    assert_false(got.has_read_only);
    assert_true(got.session == -5 && got.zxid == 0x1234 && got.timeout_ms == 9000);
    buf_clear(&out);
    sent.has_read_only = sent.read_only = true;
    jute_put_connect(&out, &sent);
    assert_int_equal(out.len, 4 + 45);
    assert_true(jute_take_connect(body_of(&out), &got));
    assert_true(got.read_only && got.password_fits);
    buf_free(&out);
}

static void a_connect_answer_has_36_or_37_bytes(void **state) {
    struct buf out = {0};
    jute_put_connected(&out, &(struct jute_connect){.timeout_ms = 4000, .session = 7});
    assert_int_equal(out.len, 4 + 36);
    buf_clear(&out);
    jute_put_connected(&out, &(struct jute_connect){.session = 7, .has_read_only = true});
    assert_int_equal(out.len, 4 + 37);
    buf_free(&out);
}

static void null_and_empty_are_told_apart(void **state) {
    struct buf out = {0};
    jute_put_block(&out, bytes_of(NULL, 0));
    jute_put_block(&out, BYTES(""));
    struct reader reader = reader_of(buf_view(&out));
    assert_null(jute_take_block(&reader).data);
    struct bytes empty = jute_take_block(&reader);
    assert_true(empty.data != NULL && empty.len == 0 && reader_done(&reader));
    buf_free(&out);
}

static void lying_lengths_and_counts_make_the_reader_bad(void **state) {
    const uint8_t liar[] = {0x7f, 0xff, 0xff, 0xff, 'x'}, minus_two[] = {0xff, 0xff, 0xff, 0xfe};
    struct reader reader = reader_of(bytes_of(liar, sizeof liar));
    assert_null(jute_take_block(&reader).data);
    assert_true(reader.bad);
    reader = reader_of(bytes_of(liar, sizeof liar));
    assert_int_equal(jute_take_count(&reader, 1), 0);
    assert_true(reader.bad);
    reader = reader_of(bytes_of(minus_two, sizeof minus_two));
    assert_int_equal(jute_take_count(&reader, 1), 0);
    assert_true(reader.bad);
}

static void a_create_carries_its_acl_and_only_ttl_creates_a_ttl(void **state) {
    struct buf out = {0};
    struct jute_acl open = {31, BYTES("world"), BYTES("anyone")}, got;
    struct jute_create create;
    jute_put_block(&out, BYTES("/a"));
    jute_put_block(&out, BYTES("data"));
    jute_put_i32(&out, 1);
    jute_put_acl(&out, &open);
    jute_put_i32(&out, 5);
    jute_put_i64(&out, 60000);
    struct reader reader = reader_of(buf_view(&out));
    assert_true(jute_take_create(&reader, JUTE_CREATE_TTL, &create));
    assert_true(create.ttl_ms == 60000 && create.flags == 5 && create.acl_count == 1);
    jute_take_acl(&create.acl, &got);
    assert_true(got.permissions == 31 && bytes_equal(got.id, BYTES("anyone")));
    for (size_t len = 0; len < out.len; len++) {
        reader = reader_of(bytes_of(out.data, len));
        assert_false(jute_take_create(&reader, JUTE_CREATE_TTL, &create));
    }
    reader = reader_of(buf_view(&out));
    assert_true(jute_take_create(&reader, JUTE_CREATE, &create) && create.ttl_ms == -1);
    buf_free(&out);
}

static void a_notification_is_a_reply_to_nobody(void **state) {
    struct buf out = {0};
    jute_put_notification(&out, 0x100000002, 3, BYTES("/a"));
    struct reader reader = reader_of(body_of(&out));
    assert_int_equal(jute_take_i32(&reader), JUTE_XID_NOTIFICATION);
    assert_true(jute_take_i64(&reader) == 0x100000002);
    assert_int_equal(jute_take_i32(&reader), 0);
    assert_int_equal(jute_take_i32(&reader), 3);
    assert_int_equal(jute_take_i32(&reader), 3);
    assert_true(bytes_equal(jute_take_block(&reader), BYTES("/a")) && reader_done(&reader));
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_taken_only_whole_and_within_its_limit),
        cmocka_unit_test(a_connect_request_has_44_bytes_or_45_with_the_read_only_byte),
        cmocka_unit_test(a_connect_answer_has_36_or_37_bytes),
        cmocka_unit_test(null_and_empty_are_told_apart),
        cmocka_unit_test(lying_lengths_and_counts_make_the_reader_bad),
        cmocka_unit_test(a_create_carries_its_acl_and_only_ttl_creates_a_ttl),
        cmocka_unit_test(a_notification_is_a_reply_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
