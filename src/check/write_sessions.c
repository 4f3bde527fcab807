/* AWDIT's text: a session after another, nothing of real time. */
#include "base/alloc.h"
#include "check/write_internal.h"

#include <inttypes.h>
#include <string.h>

struct sessions {
    struct history_writer *writer;
    bool *zero; /* by value: a key to which 0 is written */
    uint32_t zero_value;
    struct buf *why;
};

/* One token, which reads back as the same value. */
static bool is_token(const struct values *values, uint32_t id) {
    const struct value *value = value_at(values, id);
    if (value->kind != VALUE_TEXT)
        return value->kind == VALUE_INT;
    struct bytes text = value_bytes(values, id);
    bool digits = true;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
        digits &= text.data[i] >= '0' && text.data[i] <= '9';
    }
    return text.len != 0 && !digits && text.data[0] != '-';
}

static void put_token(struct sessions *sessions, uint32_t id) {
    buf_u8(&sessions->writer->out, ' ');
    value_plain(&sessions->writer->history->values, id, &sessions->writer->out);
}

static bool refuse(struct sessions *sessions, const struct op *op, const char *what) {
    history_place(sessions->writer->history, op->line, sessions->why);
    buf_printf(sessions->why, ": %s", what);
    return false;
}

/* What a read of the initial state reads is 0 there. */
static bool put_mop(struct sessions *sessions, const struct op *op, const struct mop *mop) {
    const struct history *history = sessions->writer->history;
    uint32_t value = mop->value, initial = history_initial(history, mop->key);
    bool zero = sessions->zero[mop->key];
    if (mop->kind == MOP_APPEND)
        return refuse(sessions, op, "this format has no lists, so no appends");
    if (!is_token(&history->values, mop->key))
        return refuse(sessions, op, "this format has no such key");
    if (value == VALUE_NONE || (value == initial && zero)) {
        sessions->writer->lost++;
        return true;
    }
    if (value == initial)
        value = VALUE_NONE;
    else if (!is_token(&history->values, value))
        return refuse(sessions, op, "this format has no such value");
    else if (value == sessions->zero_value && !zero)
        return refuse(sessions, op, "0 is read, which is the initial value in this format");
    buf_u8(&sessions->writer->out, mop->kind == MOP_READ ? 'r' : 'w');
    put_token(sessions, mop->key);
    if (value == VALUE_NONE)
        buf_append(&sessions->writer->out, " 0", 2);
    else
        put_token(sessions, value);
    buf_u8(&sessions->writer->out, '\n');
    return true;
}

static void note_zeros(struct sessions *sessions) {
    const struct history *history = sessions->writer->history;
    const struct values *values = &history->values;
    sessions->zero = cairn_alloc_zero(values->count * sizeof *sessions->zero);
    sessions->zero_value = VALUE_NONE;
    for (uint32_t i = 0; i < values->count; i++)
        if (values->at[i].kind == VALUE_INT && values->at[i].integer == 0)
            sessions->zero_value = i;
    for (uint32_t i = 0; i < history->mop_count; i++)
        if (history->mops[i].kind == MOP_WRITE && history->mops[i].value == sessions->zero_value)
            sessions->zero[history->mops[i].key] = true;
}

static bool put_txn(struct sessions *sessions, const struct op *op, bool *open) {
    const struct history *history = sessions->writer->history;
    if (op->f != OP_TXN)
        return refuse(sessions, op, "this format has transactions only");
    if (op->outcome != OP_OK || op->out == 0) {
        sessions->writer->lost++;
        return true;
    }
    if (*open)
        buf_append(&sessions->writer->out, "-----\n", 6);
    *open = true;
    for (uint32_t i = 0; i < op->out; i++)
        if (!put_mop(sessions, op, &history->mops[op->arg + i]))
            return false;
    write_flush(sessions->writer, false);
    return true;
}

/* Operations by process, each in its order. */
static uint32_t *by_process(const struct history *history, uint32_t *ends) {
    uint32_t *order = cairn_alloc(history->op_count * sizeof *order), sum = 0;
    memset(ends, 0, history->process_count * sizeof *ends);
    for (uint32_t i = 0; i < history->op_count; i++)
        ends[history->ops[i].process]++;
    for (uint32_t i = 0; i < history->process_count; i++) {
        uint32_t count = ends[i];
        ends[i] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < history->op_count; i++)
        order[ends[history->ops[i].process]++] = i;
    return order;
}

bool write_sessions(struct history_writer *writer, struct buf *why) {
    const struct history *history = writer->history;
    struct sessions sessions = {.writer = writer, .why = why};
    uint32_t *ends = cairn_alloc(history->process_count * sizeof *ends);
    uint32_t *order = by_process(history, ends);
    bool good = true;
    note_zeros(&sessions);
    for (uint32_t p = 0, i = 0; good && p < history->process_count; p++) {
        bool open = false;
        if (p != 0)
            buf_append(&writer->out, "=====\n", 6);
        for (; good && i < ends[p]; i++)
            good = put_txn(&sessions, &history->ops[order[i]], &open);
    }
    cairn_free(sessions.zero);
    cairn_free(order);
    cairn_free(ends);
    return good;
}
