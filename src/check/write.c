#include "check/write.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/write_internal.h"

#include <string.h>

#define FLUSH_BYTES ((size_t)64 << 10)

enum write_format write_format_of(const char *name) {
    static const char *const names[WRITE_FORMAT_COUNT] = {"jsonl", "edn", "awdit"};
    for (int format = 0; format < WRITE_FORMAT_COUNT; format++)
        if (strcmp(name, names[format]) == 0)
            return (enum write_format)format;
    return WRITE_FORMAT_COUNT;
}

void write_flush(struct history_writer *writer, bool all) {
    if (writer->flush == NULL || (!all && writer->out.len < FLUSH_BYTES))
        return;
    writer->flush(writer->context, buf_view(&writer->out));
    buf_clear(&writer->out);
}

void write_number(struct buf *out, uint64_t number) {
    uint8_t digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (uint8_t)('0' + number % 10);
    while ((number /= 10) != 0);
    buf_append(out, digits + at, sizeof digits - at);
}

uint32_t *write_events(const struct history *history, uint32_t *count) {
    uint32_t size = 0, kept = 0;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        size = op->call >= size ? op->call + 1 : size;
        size = op->ret != OP_OPEN && op->ret >= size ? op->ret + 1 : size;
    }
    for (uint32_t i = 0; i < history->fault_count; i++)
        if (history->faults[i].position >= size)
            size = history->faults[i].position + 1;
    uint32_t *events = cairn_alloc(size * sizeof *events);
    memset(events, 0xff, size * sizeof *events);
    for (uint32_t i = 0; i < history->fault_count; i++)
        events[history->faults[i].position] = WRITE_FAULT | i;
    for (uint32_t i = 0; i < history->op_count; i++) {
        events[history->ops[i].call] = WRITE_CALL | i;
        if (history->ops[i].ret != OP_OPEN)
            events[history->ops[i].ret] = WRITE_RETURN | i;
    }
    for (uint32_t i = 0; i < size; i++)
        if (events[i] != OP_NONE)
            events[kept++] = events[i];
    *count = kept;
    return events;
}

bool history_write(struct history_writer *writer, struct buf *why) {
    cairn_assert(writer->history->op_count < WRITE_INDEX);
    if (writer->format == WRITE_AWDIT) {
        if (!write_sessions(writer, why))
            return false;
    } else {
        write_forms(writer);
    }
    write_flush(writer, true);
    return true;
}
