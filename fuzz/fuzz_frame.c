/* Any bytes as what a peer sends: heads, checksums, hellos. What is taken has sizes within the
 * limits; what is framed from the input is taken, and not under another number.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "node/frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct bytes bytes) {
    struct frame_head head;
    if (bytes.len < FRAME_HEAD_BYTES || frame_decode_head(bytes.data, &head) != CAIRN_OK)
        return;
    cairn_assert(head.payload_len <= FRAME_PAYLOAD_MAX && head.message_len <= FRAME_MESSAGE_MAX);
    cairn_assert(head.type > 0 && head.type < FRAME_TYPE_COUNT);
    if (bytes.len - FRAME_HEAD_BYTES >= head.payload_len)
        frame_verify(bytes.data, 0, bytes_of(bytes.data + FRAME_HEAD_BYTES, head.payload_len));
}

static void take_hello(struct bytes bytes) {
    struct hello hello, again;
    struct buf out = {0};
    if (hello_decode(bytes, &hello) != CAIRN_OK)
        return;
    cairn_assert(hello.node != 0 && memchr(hello.address, 0, sizeof hello.address) != NULL);
    hello_encode(&out, &hello);
    cairn_assert(hello_decode(buf_view(&out), &again) == CAIRN_OK);
    cairn_assert(again.node == hello.node && strcmp(again.address, hello.address) == 0);
    buf_free(&out);
}

static void frame_and_take(struct bytes payload) {
    uint8_t *frame = cairn_alloc(FRAME_HEAD_BYTES + payload.len);
    struct frame_head head = {FRAME_HELLO, LANE_CONTROL, (uint32_t)payload.len,
                              (uint32_t)payload.len, 1};
    struct frame_head back;
    frame_encode_head(frame, &head, 5, &payload, 1);
    cairn_assert(frame_decode_head(frame, &back) == CAIRN_OK);
    cairn_assert(back.payload_len == payload.len);
    cairn_assert(frame_verify(frame, 5, payload) && !frame_verify(frame, 6, payload));
    cairn_free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = bytes_of(data, size);
    take(bytes);
    take_hello(bytes);
    if (size > 0 && size <= FRAME_PAYLOAD_MAX)
        frame_and_take(bytes);
    return 0;
}
