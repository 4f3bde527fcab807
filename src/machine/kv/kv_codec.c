#include "machine/kv/kv_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static const struct kv_command commands[] = {
#define X(constant, opcode, name, arity, flags, first, last, step, handler) \
    {KV_##constant, name, arity, flags, first, last, step, kv_do_##handler},
    KV_COMMAND_LIST(X)
#undef X
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

const struct kv_command *kv_command_at(size_t n) {
    return n < COMMAND_COUNT ? &commands[n] : NULL;
}

/* The table is in the order of the opcodes, and the first ones have no gaps. */
const struct kv_command *kv_command(enum kv_opcode opcode) {
    size_t guess = (size_t)opcode - 1;
    if (guess < COMMAND_COUNT && commands[guess].opcode == opcode)
        return &commands[guess];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].opcode == opcode)
            return &commands[i];
    }
    return NULL;
}

const struct kv_command *kv_command_named(struct bytes name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!(commands[i].flags & KV_INTERNAL) &&
            bytes_equal_nocase(name, bytes_cstr(commands[i].name)))
            return &commands[i];
    }
    return NULL;
}

void kv_encode(struct buf *out, enum kv_opcode opcode, const struct bytes *args, size_t argc) {
    cairn_assert(argc <= UINT32_MAX);
    buf_u16(out, (uint16_t)opcode);
    buf_u32(out, (uint32_t)argc);
    for (size_t i = 0; i < argc; i++)
        buf_block(out, args[i]);
}

#define HEAD_BYTES 6u     /* opcode and count */
#define ARG_HEAD_BYTES 4u /* its length */

size_t kv_encoded_len(const struct bytes *args, size_t argc) {
    size_t len = HEAD_BYTES;
    for (size_t i = 0; i < argc; i++)
        len += ARG_HEAD_BYTES + args[i].len;
    return len;
}

static size_t longest_of(const struct bytes *args, size_t argc) {
    size_t longest = 0;
    for (size_t i = 1; i < argc; i++)
        if (args[i].len > args[longest].len)
            longest = i;
    return longest;
}

/* The longest argument stays; those before it move up to it, those behind it down. */
struct bytes kv_encode_in_place(enum kv_opcode opcode, const struct bytes *args, size_t argc) {
    cairn_assert(argc > 0 && argc <= UINT32_MAX);
    size_t fixed = longest_of(args, argc);
    uint8_t *begin = (uint8_t *)(uintptr_t)args[fixed].data, *end = begin + args[fixed].len;
    put_u32(begin -= ARG_HEAD_BYTES, (uint32_t)args[fixed].len);
    for (size_t i = fixed; i-- > 0;) {
        begin -= args[i].len;
        memmove(begin, args[i].data, args[i].len);
        put_u32(begin -= ARG_HEAD_BYTES, (uint32_t)args[i].len);
    }
    for (size_t i = fixed + 1; i < argc; i++) {
        memmove(end + ARG_HEAD_BYTES, args[i].data, args[i].len);
        put_u32(end, (uint32_t)args[i].len);
        end += ARG_HEAD_BYTES + args[i].len;
    }
    begin -= HEAD_BYTES;
    put_u16(begin, (uint16_t)opcode);
    put_u32(begin + 2, (uint32_t)argc);
    return bytes_of(begin, (size_t)(end - begin));
}

void kv_encode_transaction_head(struct buf *out, const struct kv_watch *watches, size_t watch_count,
                                size_t command_count) {
    cairn_assert(watch_count <= UINT32_MAX / 4 && command_count <= UINT32_MAX / 4);
    uint8_t number[8];
    buf_u16(out, KV_TRANSACTION);
    buf_u32(out, (uint32_t)(1 + 2 * watch_count + command_count));
    put_u32(number, (uint32_t)watch_count);
    buf_block(out, bytes_of(number, 4));
    for (size_t i = 0; i < watch_count; i++) {
        put_u64(number, watches[i].version);
        buf_block(out, watches[i].key);
        buf_block(out, bytes_of(number, 8));
    }
}

void kv_encode_transaction(struct buf *out, const struct kv_watch *watches, size_t watch_count,
                           const struct bytes *parts, size_t part_count) {
    kv_encode_transaction_head(out, watches, watch_count, part_count);
    for (size_t i = 0; i < part_count; i++)
        buf_block(out, parts[i]);
}

enum cairn_status kv_decode(struct bytes command, struct kv_parsed *parsed) {
    struct reader reader = reader_of(command);
    parsed->opcode = (enum kv_opcode)read_u16(&reader);
    parsed->command = kv_command(parsed->opcode);
    parsed->argc = read_u32(&reader);
    if (reader.bad || parsed->argc > reader_left(&reader) / 4)
        return CAIRN_MALFORMED;
    bool small = parsed->argc <= sizeof parsed->inline_args / sizeof *parsed->inline_args;
    parsed->args = small ? parsed->inline_args : cairn_alloc(parsed->argc * sizeof *parsed->args);
    for (size_t i = 0; i < parsed->argc; i++)
        parsed->args[i] = read_block(&reader, UINT32_MAX);
    if (reader_done(&reader))
        return CAIRN_OK;
    kv_parsed_free(parsed);
    return CAIRN_MALFORMED;
}

void kv_parsed_free(struct kv_parsed *parsed) {
    if (parsed->args != parsed->inline_args)
        cairn_free(parsed->args);
}
