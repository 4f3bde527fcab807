/* Histories out of texts, for tests. */
#ifndef CAIRN_TESTS_READ_TEXT_H
#define CAIRN_TESTS_READ_TEXT_H

#include "check/read.h"
#include "check/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct text_history {
    struct history history;
    struct lint lint;
    bool good;
    enum cairn_status status;
    char error[600];
};

/* In pieces of `piece` bytes; 0: at once. */
static inline void read_pieces(struct text_history *to, struct bytes text, size_t piece,
                               const struct read_options *options) {
    history_init(&to->history);
    lint_init(&to->lint);
    struct history_reader *reader = history_reader_new(options, &to->history, &to->lint);
    to->good = true;
    for (size_t at = 0; at < text.len && to->good;) {
        size_t len = piece == 0 || piece > text.len - at ? text.len - at : piece;
        uint8_t *copy = malloc(len); /* so that a reader can't look back */
        memcpy(copy, text.data + at, len);
        to->good = history_reader_feed(reader, bytes_of(copy, len));
        free(copy);
        at += len;
    }
    to->good = to->good && history_reader_end(reader);
    to->status = history_reader_status(reader);
    snprintf(to->error, sizeof to->error, "%s", history_reader_error(reader));
    history_reader_free(reader);
}

static inline void text_history_free(struct text_history *of) {
    history_free(&of->history);
    lint_free(&of->lint);
}

/* Whole, and byte by byte: both must say the same. */
static inline void read_text(struct text_history *to, const char *text,
                             const struct read_options *options) {
    static const struct read_options none;
    struct text_history again;
    options = options == NULL ? &none : options;
    read_pieces(to, bytes_cstr(text), 0, options);
    read_pieces(&again, bytes_cstr(text), 1, options);
    assert_int_equal(to->good, again.good);
    assert_int_equal(to->status, again.status);
    assert_string_equal(to->error, again.error);
    assert_int_equal(to->lint.count, again.lint.count);
    if (to->good)
        assert_true(history_equal(&to->history, &again.history, NULL));
    text_history_free(&again);
}

/* "process 0: write x 1 (line 1)" ... one a line, without findings. */
static inline void assert_ops(const char *text, const struct read_options *options,
                              const char *expected) {
    struct text_history read;
    struct buf out = {0};
    read_text(&read, text, options);
    if (!read.good)
        fail_msg("%s", read.error);
    for (uint32_t i = 0; i < read.history.op_count; i++) {
        history_describe(&read.history, i, &out);
        buf_printf(&out, "\n");
    }
    buf_u8(&out, 0);
    assert_string_equal((char *)out.data, expected);
    buf_free(&out);
    text_history_free(&read);
}

static inline void assert_error(const char *text, enum cairn_status status, const char *expected) {
    struct text_history read;
    read_text(&read, text, NULL);
    assert_false(read.good);
    assert_string_equal(read.error, expected);
    assert_int_equal(read.status, status);
    text_history_free(&read);
}

#endif
