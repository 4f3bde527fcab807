#include "check/causal.h"

#include "base/alloc.h"
#include "check/registers.h"

#include <string.h>

/* ---- which operation wrote what ---- */

/* (key, value) -> operation: open addressing over the operations' numbers. */
struct writers {
    uint32_t *table;
    uint32_t size;
};

static uint32_t *writer_slot(const struct history *history, struct writers *writers, uint32_t key,
                             uint32_t value) {
    uint64_t hash = ((uint64_t)key << 32 | value) * 0x9E3779B97F4A7C15u;
    uint32_t at = (uint32_t)(hash >> 32) & (writers->size - 1);
    for (; writers->table[at] != OP_NONE; at = (at + 1) & (writers->size - 1)) {
        const struct op *op = &history->ops[writers->table[at]];
        if (op->key == key && register_writes(history, op) == value)
            break;
    }
    return &writers->table[at];
}

static bool other_operation(const struct op *op) {
    return op->f != OP_READ && op->f != OP_WRITE && op->f != OP_CAS;
}

static enum causal_fault find_writers(const struct history *history, struct writers *writers) {
    writers->size = 64;
    while (writers->size < history->op_count * 2)
        writers->size *= 2;
    writers->table = cairn_alloc(writers->size * sizeof *writers->table);
    memset(writers->table, 0xff, writers->size * sizeof *writers->table);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL)
            continue;
        if (other_operation(op))
            return CAUSAL_OTHER;
        uint32_t value = register_writes(history, op);
        if (value == VALUE_NONE)
            continue;
        uint32_t *slot = writer_slot(history, writers, op->key, value);
        if (*slot != OP_NONE || value == history_initial(history, op->key))
            return CAUSAL_NOT_UNIQUE;
        *slot = i;
    }
    return CAUSAL_FINE;
}

/* ---- the operations that count ---- */

/* An open write that no read saw may never have happened; one that was seen did, and so did what it
 * compared with. */
static void mark_seen(const struct history *history, struct writers *writers, uint32_t number,
                      bool *seen) {
    while (number != OP_NONE && !seen[number]) {
        seen[number] = true;
        const struct op *op = &history->ops[number];
        uint32_t value = register_reads(history, op);
        number = value == VALUE_NONE || value == history_initial(history, op->key)
                     ? OP_NONE
                     : *writer_slot(history, writers, op->key, value);
    }
}

static uint32_t dense(uint32_t *of, uint32_t id, uint32_t *count) {
    if (of[id] == UINT32_MAX)
        of[id] = (*count)++;
    return of[id];
}

static void fill_ops(struct causal *causal, const bool *seen, uint32_t *number_of) {
    const struct history *history = causal->history;
    uint32_t *process_of = cairn_alloc((history->process_count + 1) * sizeof *process_of);
    uint32_t *key_of = cairn_alloc(history->values.count * sizeof *key_of);
    memset(process_of, 0xff, history->process_count * sizeof *process_of);
    memset(key_of, 0xff, history->values.count * sizeof *key_of);
    uint32_t *positions = cairn_alloc_zero((history->process_count + 1) * sizeof *positions);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (!seen[i])
            continue;
        struct causal_op *to = &causal->ops[causal->count];
        number_of[i] = causal->count++;
        to->op = i;
        to->process = dense(process_of, op->process, &causal->process_count);
        to->key = dense(key_of, op->key, &causal->key_count);
        to->position = ++positions[to->process];
        to->writes = register_writes(history, op) != VALUE_NONE;
    }
    causal->key_values = cairn_alloc((causal->key_count + 1) * sizeof *causal->key_values);
    for (uint32_t i = 0; i < causal->count; i++)
        causal->key_values[causal->ops[i].key] = history->ops[causal->ops[i].op].key;
    cairn_free(process_of);
    cairn_free(key_of);
    cairn_free(positions);
}

static void thin_air(const struct history *history, uint32_t op, struct verdict *verdict) {
    verdict_op(verdict, op);
    verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
    history_describe(history, op, &verdict->text);
    buf_printf(&verdict->text, ": no operation wrote that value");
}

static bool link_reads(struct causal *causal, struct writers *writers, const uint32_t *number_of,
                       struct verdict *verdict) {
    const struct history *history = causal->history;
    for (uint32_t i = 0; i < causal->count; i++) {
        struct causal_op *to = &causal->ops[i];
        const struct op *op = &history->ops[to->op];
        uint32_t value = register_reads(history, op);
        to->from = FROM_NOBODY;
        if (value == VALUE_NONE)
            continue;
        if (value == history_initial(history, op->key)) {
            to->from = FROM_INITIAL;
            continue;
        }
        uint32_t writer = *writer_slot(history, writers, op->key, value);
        if (writer == OP_NONE) {
            thin_air(history, to->op, verdict);
            return false;
        }
        to->from = number_of[writer];
    }
    return true;
}

/* ---- lists ---- */

static void list_processes(struct causal *causal) {
    causal->process_from = cairn_alloc_zero((causal->process_count + 2) * sizeof(uint32_t));
    causal->by_process = cairn_alloc((causal->count + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < causal->count; i++)
        causal->process_from[causal->ops[i].process + 1]++;
    for (uint32_t i = 0; i < causal->process_count; i++)
        causal->process_from[i + 1] += causal->process_from[i];
    for (uint32_t i = 0; i < causal->count; i++) {
        const struct causal_op *op = &causal->ops[i];
        causal->by_process[causal->process_from[op->process] + op->position - 1] = i;
    }
}

static void list_writes(struct causal *causal) {
    size_t cells = (size_t)causal->key_count * causal->process_count;
    causal->writes = cairn_alloc_zero((cells + 1) * sizeof *causal->writes);
    causal->write_list = cairn_alloc((causal->count + 1) * sizeof(uint32_t));
#define CELL(op) (&causal->writes[(size_t)(op)->key * causal->process_count + (op)->process])
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].writes)
            CELL(&causal->ops[i])->count++;
    uint32_t from = 0;
    for (size_t i = 0; i < cells; i++) {
        causal->writes[i].from = from;
        from += causal->writes[i].count;
        causal->writes[i].count = 0;
    }
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].writes) {
            struct causal_writes *cell = CELL(&causal->ops[i]);
            causal->write_list[cell->from + cell->count++] = i;
        }
#undef CELL
}

enum causal_fault causal_make(struct causal *causal, const struct history *history,
                              struct verdict *verdict) {
    struct writers writers = {0};
    memset(causal, 0, sizeof *causal);
    causal->history = history;
    enum causal_fault fault = find_writers(history, &writers);
    if (fault == CAUSAL_FINE) {
        bool *seen = cairn_alloc_zero(history->op_count + 1);
        uint32_t *number_of = cairn_alloc((history->op_count + 1) * sizeof *number_of);
        for (uint32_t i = 0; i < history->op_count; i++)
            if (history->ops[i].outcome == OP_OK)
                mark_seen(history, &writers, i, seen);
        causal->ops = cairn_alloc((history->op_count + 1) * sizeof *causal->ops);
        fill_ops(causal, seen, number_of);
        if (!link_reads(causal, &writers, number_of, verdict))
            fault = CAUSAL_THIN_AIR;
        list_processes(causal);
        list_writes(causal);
        cairn_free(seen);
        cairn_free(number_of);
    }
    cairn_free(writers.table);
    return fault;
}

void causal_free(struct causal *causal) {
    cairn_free(causal->ops);
    cairn_free(causal->process_from);
    cairn_free(causal->by_process);
    cairn_free(causal->key_values);
    cairn_free(causal->writes);
    cairn_free(causal->write_list);
    cairn_free(causal->clocks);
    cairn_free(causal->topological);
}

uint32_t causal_last_write(const struct causal *causal, uint32_t process, uint32_t key,
                           uint32_t position) {
    const struct causal_writes *cell =
        &causal->writes[(size_t)key * causal->process_count + process];
    uint32_t low = 0, high = cell->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (causal->ops[causal->write_list[cell->from + middle]].position <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? FROM_NOBODY : causal->write_list[cell->from + low - 1];
}

enum causal_fault causal_clocks(struct causal *causal, struct verdict *verdict) {
    struct causal_graph graph;
    uint32_t width = causal->process_count;
    graph_init(&graph, causal->count);
    graph_causal(&graph, causal);
    causal->topological = cairn_alloc((causal->count + 1) * sizeof(uint32_t));
    uint32_t cycle = graph_sort(&graph, NULL, 0, causal->topological);
    if (cycle != OP_NONE)
        graph_tell_cycle(&graph, causal, cycle, verdict);
    graph_free(&graph);
    if (cycle != OP_NONE)
        return CAUSAL_CYCLE;
    causal->clocks = cairn_alloc_zero(((size_t)causal->count * width + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < causal->count; i++) {
        uint32_t at = causal->topological[i];
        const struct causal_op *op = &causal->ops[at];
        uint32_t *clock = causal->clocks + (size_t)at * width;
        if (op->position > 1) {
            uint32_t last =
                causal->by_process[causal->process_from[op->process] + op->position - 2];
            memcpy(clock, causal->clocks + (size_t)last * width, width * sizeof *clock);
        }
        if (op->from < FROM_INITIAL) {
            const uint32_t *other = causal->clocks + (size_t)op->from * width;
            for (uint32_t p = 0; p < width; p++)
                if (other[p] > clock[p])
                    clock[p] = other[p];
        }
        clock[op->process] = op->position;
    }
    return CAUSAL_FINE;
}
