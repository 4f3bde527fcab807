#include "node/frame.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PAYLOAD "some bytes of a message"

struct framed {
    uint8_t bytes[FRAME_HEAD_BYTES + sizeof PAYLOAD - 1];
    struct frame_head head;
};

static void frame_make(struct framed *framed, uint64_t number) {
    struct bytes payload = BYTES(PAYLOAD);
    struct bytes pieces[] = {bytes_of(payload.data, 5),
                             bytes_of(payload.data + 5, payload.len - 5)};
    framed->head = (struct frame_head){FRAME_PROTOCOL, LANE_BULK, (uint32_t)payload.len,
                                       (uint32_t)payload.len + 100, 1};
    frame_encode_head(framed->bytes, &framed->head, number, pieces, 2);
    memcpy(framed->bytes + FRAME_HEAD_BYTES, payload.data, payload.len);
}

static bool accepted(const uint8_t *bytes, uint64_t number) {
    struct frame_head head;
    return frame_decode_head(bytes, &head) == CAIRN_OK && head.payload_len == strlen(PAYLOAD) &&
           frame_verify(bytes, number, bytes_of(bytes + FRAME_HEAD_BYTES, head.payload_len));
}

static void a_frame_says_what_it_was_made_from(void **state) {
    struct framed framed;
    struct frame_head head;
    frame_make(&framed, 7);
    assert_int_equal(frame_decode_head(framed.bytes, &head), CAIRN_OK);
    assert_int_equal(head.type, framed.head.type);
    assert_int_equal(head.lane, framed.head.lane);
    assert_int_equal(head.payload_len, framed.head.payload_len);
    assert_int_equal(head.message_len, framed.head.message_len);
    assert_int_equal(head.group, framed.head.group);
    assert_true(accepted(framed.bytes, 7));
}

static void no_flipped_bit_goes_unnoticed(void **state) {
    struct framed framed;
    frame_make(&framed, 7);
    for (size_t bit = 0; bit < 8 * sizeof framed.bytes; bit++) {
        framed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(accepted(framed.bytes, 7));
        framed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(accepted(framed.bytes, 7));
}

static void a_frame_belongs_to_its_place_on_the_link(void **state) {
    struct framed framed;
    frame_make(&framed, 7);
    assert_false(accepted(framed.bytes, 6));
    assert_false(accepted(framed.bytes, 8));
}

static void sizes_beyond_the_limits_are_refused(void **state) {
    struct framed framed;
    struct frame_head head;
    frame_make(&framed, 1);
    put_u32(framed.bytes + 4, FRAME_PAYLOAD_MAX + 1);
    put_u32(framed.bytes + 12, FRAME_PAYLOAD_MAX + 1);
    assert_int_equal(frame_decode_head(framed.bytes, &head), CAIRN_TOO_LARGE);
    put_u32(framed.bytes + 4, 1);
    put_u32(framed.bytes + 12, FRAME_MESSAGE_MAX + 1);
    assert_int_equal(frame_decode_head(framed.bytes, &head), CAIRN_TOO_LARGE);
    put_u32(framed.bytes + 4, 2);
    put_u32(framed.bytes + 12, 1); /* more payload than message */
    assert_int_equal(frame_decode_head(framed.bytes, &head), CAIRN_MALFORMED);
}

static struct hello a_hello(void) {
    return (struct hello){.wire_min = 1,
                          .wire_max = 2,
                          .cluster = 3,
                          .epoch = 4,
                          .node = 5,
                          .incarnation = 6,
                          .boot = 7,
                          .expected = 8,
                          .address = "127.0.0.1:7101"};
}

static void a_hello_comes_back_as_it_was(void **state) {
    struct buf out = {0};
    struct hello hello = a_hello(), back;
    hello_encode(&out, &hello);
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_OK);
    assert_memory_equal(&hello, &back, sizeof hello);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(hello_decode(bytes_of(out.data, len), &back), CAIRN_MALFORMED);
    buf_u8(&out, 0);
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_MALFORMED);
    buf_free(&out);
}

static void a_hello_of_nobody_or_of_no_version_is_refused(void **state) {
    struct buf out = {0};
    struct hello hello = a_hello(), back;
    hello.node = 0;
    hello_encode(&out, &hello);
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_MALFORMED);
    buf_clear(&out);
    hello = a_hello();
    hello.wire_min = 3;
    hello_encode(&out, &hello);
    assert_int_equal(hello_decode(buf_view(&out), &back), CAIRN_MALFORMED);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_says_what_it_was_made_from),
        cmocka_unit_test(no_flipped_bit_goes_unnoticed),
        cmocka_unit_test(a_frame_belongs_to_its_place_on_the_link),
        cmocka_unit_test(sizes_beyond_the_limits_are_refused),
        cmocka_unit_test(a_hello_comes_back_as_it_was),
        cmocka_unit_test(a_hello_of_nobody_or_of_no_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
