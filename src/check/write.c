#include "check/write.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/write_internal.h"

#include <stdlib.h>
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

/* Operations' events by position; OP_NONE where there is none. */
static uint32_t *by_position(const struct history *history, uint32_t *size) {
    *size = history->positions;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        uint32_t last = op->ret != OP_OPEN && op->ret > op->call ? op->ret : op->call;
        *size = last >= *size ? last + 1 : *size;
    }
    uint32_t *events = cairn_alloc((*size + 1) * sizeof *events);
    memset(events, 0xff, (*size + 1) * sizeof *events);
    for (uint32_t i = 0; i < history->op_count; i++) {
        events[history->ops[i].call] = WRITE_CALL | i;
        if (history->ops[i].ret != OP_OPEN)
            events[history->ops[i].ret] = WRITE_RETURN | i;
    }
    return events;
}

static int compare_faults(const void *a, const void *b, void *context) {
    const struct fault_event *faults = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (faults[x].position != faults[y].position)
        return faults[x].position < faults[y].position ? -1 : 1;
    return x < y ? -1 : x > y;
}

uint32_t *write_events(const struct history *history, uint32_t *count) {
    uint32_t size, fault = 0, faults = history->fault_count;
    uint32_t *order = cairn_alloc(faults * sizeof *order);
    uint32_t *at = by_position(history, &size);
    uint32_t *events = cairn_alloc(((size_t)size + faults) * sizeof *events);
    for (uint32_t i = 0; i < faults; i++)
        order[i] = i;
    if (faults != 0)
        qsort_r(order, faults, sizeof *order, compare_faults, history->faults);
    *count = 0;
    for (uint32_t i = 0; i < size || fault < faults; i++) {
        while (fault < faults && (i >= size || history->faults[order[fault]].position <= i))
            events[(*count)++] = WRITE_FAULT | order[fault++];
        if (i < size && at[i] != OP_NONE)
            events[(*count)++] = at[i];
    }
    cairn_free(order);
    cairn_free(at);
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
