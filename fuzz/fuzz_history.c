/* All readers of histories: nothing breaks them; what they take can be looked at, written and read
 * again as the same. The first byte says the format and the size of the pieces in which they come.
 */
#include "base/assert.h"
#include "check/model.h"
#include "check/read.h"
#include "check/write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FORM_MAX ((size_t)1 << 16)

static bool read_all(struct bytes text, size_t piece, const struct read_options *options,
                     struct history *history, struct lint *lint) {
    struct history_reader *reader = history_reader_new(options, history, lint);
    bool good = true;
    for (size_t at = 0; at < text.len && good; at += piece) {
        size_t len = piece < text.len - at ? piece : text.len - at;
        uint8_t *copy = malloc(len);
        cairn_assert(copy != NULL);
        memcpy(copy, text.data + at, len);
        good = history_reader_feed(reader, bytes_of(copy, len));
        free(copy);
    }
    good = good && history_reader_end(reader);
    cairn_assert(good == (*history_reader_error(reader) == 0));
    history_reader_free(reader);
    return good;
}

static void look_at(const struct history *history, struct lint *lint) {
    struct buf out = {0};
    uint32_t last = 0;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        history_describe(history, i, &out);
        cairn_assert(i == 0 || op->call > last);
        cairn_assert(op->ret == OP_OPEN || (op->ret > op->call && op->ret < history->positions));
        cairn_assert(op->call < history->positions && op->process < history->process_count);
        cairn_assert((op->outcome == OP_INFO) == (op->ret == OP_OPEN));
        cairn_assert(op->key < history->values.count);
        cairn_assert(op->f != OP_TXN || op->arg + op->out <= history->mop_count);
        last = op->call;
    }
    lint_values(lint, history);
    lint_history(lint, history);
    lint_sort(lint);
    model_guess(history, &out);
    for (int model = 0; model < MODEL_COUNT; model++)
        model_fits((enum model)model, history, &out);
    buf_free(&out);
}

static void write_and_read(const struct history *history, enum write_format format,
                           bool must_be_equal) {
    static const struct read_options none;
    static const enum read_format formats[] = {READ_JSON, READ_EDN, READ_AWDIT};
    struct read_options options = none;
    struct history_writer writer = {.history = history, .format = format};
    struct history again;
    struct lint lint;
    struct buf why = {0};
    options.format = formats[format];
    history_init(&again);
    lint_init(&lint);
    if (history_write(&writer, &why)) {
        cairn_assert(read_all(buf_view(&writer.out), SIZE_MAX, &options, &again, &lint));
        if (must_be_equal && writer.lost == 0)
            cairn_assert(history_equal(history, &again, NULL));
    }
    buf_free(&writer.out);
    buf_free(&why);
    lint_free(&lint);
    history_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t pieces[] = {SIZE_MAX, 1, 7, 64};
    struct history history, pieced;
    struct lint lint;
    if (size == 0)
        return 0;
    struct read_options options = {.format = (enum read_format)(data[0] % READ_FORMAT_COUNT),
                                   .form_max = FORM_MAX,
                                   .keyed = (data[0] & 0x20) != 0,
                                   .by_time = (data[0] & 0x40) != 0,
                                   .times = (data[0] & 0x80) != 0,
                                   .numbers = (size & 1) != 0,
                                   .nil_absent = (size & 2) != 0,
                                   .strict = (size & 4) != 0};
    struct bytes text = bytes_of(data + 1, size - 1);
    history_init(&history);
    history_init(&pieced);
    lint_init(&lint);
    bool good = read_all(text, SIZE_MAX, &options, &history, &lint);
    bool again = read_all(text, pieces[data[0] >> 3 & 3], &options, &pieced, NULL);
    cairn_assert(good == again);
    if (good) {
        cairn_assert(history_equal(&history, &pieced, NULL));
        uint32_t wrong = lint.totals[LINT_ERROR] + lint.totals[LINT_WARNING];
        look_at(&history, &lint);
        for (int format = 0; format < WRITE_FORMAT_COUNT; format++)
            write_and_read(&history, (enum write_format)format, wrong == 0 && format == WRITE_JSON);
    }
    lint_free(&lint);
    history_free(&history);
    history_free(&pieced);
    return 0;
}
