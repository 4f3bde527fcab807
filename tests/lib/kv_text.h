/* Talks to a key-value machine in text, for tests: "SET a 1 EX 10" in, "OK" out. Each command is
 * encoded as a front end would and applied, or read when it only reads.
 *
 * Arguments are parted by spaces; "..." holds spaces and the escapes \xHH, \" and \\. Replies:
 * nil, nil-array, OK, (error) as its text in (), integers bare, bulk strings in "" with \xHH,
 * arrays in [], maps in {}.
 */
#ifndef CAIRN_TESTS_KV_TEXT_H
#define CAIRN_TESTS_KV_TEXT_H

#include "core/reply.h"
#include "machine/kv/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KV_TEXT_ARGS 64

struct kv_text {
    struct machine *machine;
    struct apply_context context;
    bool local;         /* reads are */
    struct buf reply;   /* of the last command */
    struct buf changes; /* of the last command */
    struct buf shown;   /* the last reply as text */
};

static inline struct machine_options kv_text_options(void) {
    return (struct machine_options){.value_bytes_max = 512u << 20, .work_max = 1u << 20};
}

static inline void kv_text_start_with(struct kv_text *kv, struct machine_options options) {
    *kv = (struct kv_text){.context = {.term = 1, .time_ms = 1000000, .version = 1}};
    kv->machine = machine_kv.create(&options);
}

static inline void kv_text_start(struct kv_text *kv) {
    kv_text_start_with(kv, kv_text_options());
}

static inline void kv_text_stop(struct kv_text *kv) {
    machine_kv.destroy(kv->machine);
    buf_free(&kv->reply);
    buf_free(&kv->changes);
    buf_free(&kv->shown);
}

static inline void kv_text_show_bytes(struct buf *out, struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~')
            buf_printf(out, "\\x%02x", text.data[i]);
        else
            buf_u8(out, text.data[i]);
    }
}

static inline void kv_text_show(struct buf *out, struct reader *reader) {
    struct reply_value value;
    assert_true(reply_next(reader, &value));
    uint32_t parts = value.kind == REPLY_MAP ? 2 * value.count : value.count;
    switch (value.kind) {
    case REPLY_NIL:
        buf_printf(out, "nil");
        return;
    case REPLY_NIL_ARRAY:
        buf_printf(out, "nil-array");
        return;
    case REPLY_INT:
        buf_printf(out, "%lld", (long long)value.integer);
        return;
    case REPLY_STATUS:
    case REPLY_ERROR:
    case REPLY_BULK:
        buf_printf(out, value.kind == REPLY_BULK ? "\"" : value.kind == REPLY_ERROR ? "(" : "");
        kv_text_show_bytes(out, value.text);
        buf_printf(out, value.kind == REPLY_BULK ? "\"" : value.kind == REPLY_ERROR ? ")" : "");
        return;
    default:
        buf_u8(out, value.kind == REPLY_MAP ? '{' : '[');
        for (uint32_t i = 0; i < parts; i++) {
            if (i > 0)
                buf_u8(out, ' ');
            kv_text_show(out, reader);
        }
        buf_u8(out, value.kind == REPLY_MAP ? '}' : ']');
    }
}

/* Splits a line in words; the words' bytes go to `store`. */
static inline size_t kv_text_split(const char *line, struct buf *store,
                                   struct bytes words[KV_TEXT_ARGS]) {
    size_t starts[KV_TEXT_ARGS + 1] = {0}, count = 0;
    while (*line != '\0') {
        bool quoted = *line == '"';
        line += quoted;
        while (*line != '\0' && *line != (quoted ? '"' : ' ')) {
            unsigned byte = (unsigned char)*line;
            if (quoted && *line == '\\' && line[1] == 'x') {
                char hex[3] = {line[2], line[3], 0};
                byte = (unsigned)strtoul(hex, NULL, 16);
                line += 3;
            } else if (quoted && *line == '\\') {
                byte = (unsigned char)*++line;
            }
            buf_u8(store, (uint8_t)byte);
            line++;
        }
        line += quoted;
        assert_true(count < KV_TEXT_ARGS);
        starts[++count] = store->len;
        line += *line == ' ';
    }
    for (size_t i = 0; i < count; i++)
        words[i] = bytes_of(store->data + starts[i], starts[i + 1] - starts[i]);
    return count;
}

static inline void kv_text_encode(struct buf *out, const char *line) {
    struct bytes words[KV_TEXT_ARGS];
    struct buf store = {0};
    buf_reserve(&store, 1);
    size_t count = kv_text_split(line, &store, words);
    assert_true(count > 0);
    const struct kv_command *command = kv_command_named(words[0]);
    assert_non_null(command);
    kv_encode(out, command->opcode, words + 1, count - 1);
    buf_free(&store);
}

static inline const char *kv_text_shown(struct kv_text *kv) {
    struct reader reader = reader_of(buf_view(&kv->reply));
    buf_clear(&kv->shown);
    kv_text_show(&kv->shown, &reader);
    assert_true(reader_done(&reader));
    buf_u8(&kv->shown, 0);
    return (const char *)kv->shown.data;
}

/* Applies encoded bytes as the next entry and returns the reply as text. */
static inline const char *kv_text_apply(struct kv_text *kv, struct bytes command) {
    buf_clear(&kv->reply);
    buf_clear(&kv->changes);
    kv->context.index++;
    kv->context.order += 10;
    machine_kv.apply(kv->machine, &kv->context, command, &kv->reply, &kv->changes);
    return kv_text_shown(kv);
}

/* Runs one line: reads are read, all else is applied. "due" when a read must wait. */
static inline const char *kv_text_run(struct kv_text *kv, const char *line) {
    struct buf command = {0};
    kv_text_encode(&command, line);
    if (!machine_kv.is_read(buf_view(&command))) {
        const char *shown = kv_text_apply(kv, buf_view(&command));
        buf_free(&command);
        return shown;
    }
    buf_clear(&kv->reply);
    enum cairn_status status = machine_kv.read(
        kv->machine,
        &(struct read_context){.time_ms = kv->context.time_ms, .random = 7, .local = kv->local},
        buf_view(&command), &kv->reply);
    buf_free(&command);
    if (status == CAIRN_OK)
        return kv_text_shown(kv);
    assert_int_equal(kv->reply.len, 0);
    return status == CAIRN_DUE ? "due" : status == CAIRN_BUSY ? "busy" : "failed";
}

#define kv_expect(kv, line, wanted) assert_string_equal(kv_text_run(kv, line), wanted)

#endif
