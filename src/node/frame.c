#include "node/frame.h"

#include "base/assert.h"
#include "base/hash.h"

#include <string.h>

#define FRAME_MAGIC 0x314e5243u /* "CRN1" */
#define CHECKED_HEAD_BYTES 32u  /* what stands before the checksum */
#define PIECES_MAX 64
#define SECRET_FORMAT 1u
#define SECRET_BLOCK_MAX 1024u

void frame_encode_head(uint8_t *at, const struct frame_head *head, uint64_t number,
                       const struct bytes *pieces, size_t count) {
    cairn_assert(head->payload_len <= FRAME_PAYLOAD_MAX && count < PIECES_MAX);
    put_u32(at, FRAME_MAGIC);
    put_u32(at + 4, head->payload_len);
    at[8] = (uint8_t)head->type;
    at[9] = (uint8_t)head->lane;
    put_u16(at + 10, 0);
    put_u32(at + 12, head->message_len);
    put_u64(at + 16, head->group);
    put_u64(at + 24, number);
    struct bytes all[PIECES_MAX];
    all[0] = bytes_of(at, CHECKED_HEAD_BYTES);
    for (size_t i = 0; i < count; i++)
        all[i + 1] = pieces[i];
    put_u64(at + CHECKED_HEAD_BYTES, hash_pieces(all, count + 1, 0));
}

enum cairn_status frame_decode_head(const uint8_t *at, struct frame_head *head) {
    if (get_u32(at) != FRAME_MAGIC || get_u16(at + 10) != 0)
        return CAIRN_MALFORMED;
    if (at[8] == 0 || at[8] >= FRAME_TYPE_COUNT || at[9] > LANE_BULK)
        return CAIRN_MALFORMED;
    head->type = (enum frame_type)at[8];
    head->lane = (enum effect_lane)at[9];
    head->payload_len = get_u32(at + 4);
    head->message_len = get_u32(at + 12);
    head->group = get_u64(at + 16);
    if (head->payload_len > FRAME_PAYLOAD_MAX || head->message_len > FRAME_MESSAGE_MAX)
        return CAIRN_TOO_LARGE;
    return head->payload_len <= head->message_len ? CAIRN_OK : CAIRN_MALFORMED;
}

bool frame_verify(const uint8_t *at, uint64_t number, struct bytes payload) {
    struct bytes all[2] = {bytes_of(at, CHECKED_HEAD_BYTES), payload};
    return get_u64(at + 24) == number && get_u64(at + CHECKED_HEAD_BYTES) == hash_pieces(all, 2, 0);
}

void hello_encode(struct buf *out, const struct hello *hello) {
    buf_u32(out, hello->wire_min);
    buf_u32(out, hello->wire_max);
    buf_u64(out, hello->cluster);
    buf_u64(out, hello->epoch);
    buf_u64(out, hello->node);
    buf_u64(out, hello->incarnation);
    buf_u64(out, hello->boot);
    buf_u64(out, hello->expected);
    buf_block(out, bytes_cstr(hello->address));
    if (!hello->has_secret)
        return;
    struct buf block = {0};
    buf_u8(&block, SECRET_FORMAT);
    buf_u8(&block, hello->asks);
    buf_append(&block, hello->nonce, sizeof hello->nonce);
    buf_block(out, buf_view(&block));
    buf_free(&block);
}

static bool decode_secret(struct bytes block, struct hello *hello) {
    struct reader reader = reader_of(block);
    hello->has_secret = true;
    uint8_t format = read_u8(&reader);
    hello->asks = read_u8(&reader) != 0;
    struct bytes nonce = read_bytes(&reader, sizeof hello->nonce);
    if (reader.bad || format < SECRET_FORMAT)
        return false;
    memcpy(hello->nonce, nonce.data, sizeof hello->nonce);
    return true;
}

enum cairn_status hello_decode(struct bytes bytes, struct hello *hello) {
    *hello = (struct hello){0};
    struct reader reader = reader_of(bytes);
    hello->wire_min = read_u32(&reader);
    hello->wire_max = read_u32(&reader);
    hello->cluster = read_u64(&reader);
    hello->epoch = read_u64(&reader);
    hello->node = read_u64(&reader);
    hello->incarnation = read_u64(&reader);
    hello->boot = read_u64(&reader);
    hello->expected = read_u64(&reader);
    struct bytes address = read_block(&reader, CONFIG_ADDRESS_MAX - 1);
    if (address.len)
        memcpy(hello->address, address.data, address.len);
    if (!reader.bad && reader_left(&reader) > 0 &&
        !decode_secret(read_block(&reader, SECRET_BLOCK_MAX), hello))
        return CAIRN_MALFORMED;
    if (!reader_done(&reader) || hello->node == 0 || hello->wire_min > hello->wire_max)
        return CAIRN_MALFORMED;
    return CAIRN_OK;
}
