#include "sim/sim_history.h"

#include "base/alloc.h"

#include <stdlib.h>

static enum op_f f_of(enum workload_action action) {
    switch (action) {
    case WORKLOAD_SET:
        return OP_WRITE;
    case WORKLOAD_GET:
        return OP_READ;
    case WORKLOAD_SETNX:
        return OP_SET_IF_ABSENT;
    case WORKLOAD_GETSET:
        return OP_SWAP;
    case WORKLOAD_DEL:
        return OP_DELETE;
    case WORKLOAD_INCRBY:
        return OP_ADD;
    default:
        return OP_OTHER;
    }
}

/* At equal times calls come first: such operations count as concurrent. */
struct moment {
    uint64_t time_ns;
    uint32_t op;
    bool ret;
};

static int by_time(const void *a, const void *b) {
    const struct moment *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->ret != y->ret)
        return x->ret ? 1 : -1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void give_positions(struct history *history, struct moment *moments, uint32_t count) {
    qsort(moments, count, sizeof *moments, by_time);
    for (uint32_t i = 0; i < count; i++) {
        struct op *op = &history->ops[moments[i].op];
        if (moments[i].ret)
            op->ret = i;
        else
            op->call = i;
    }
    history->positions = count;
}

static void add_op(struct history *history, const struct workload_op *from, enum op_f f) {
    struct values *values = &history->values;
    struct op *op = history_op(history);
    op->f = f;
    op->key = value_int(values, from->key);
    op->process = history_process(history, value_int(values, from->client));
    op->arg = f == OP_READ || f == OP_DELETE ? VALUE_NULL : value_int(values, from->argument);
    op->out = VALUE_NONE;
    op->ret = OP_OPEN;
    op->line = history->op_count;
    op->outcome = from->outcome == WORKLOAD_OK ? OP_OK : OP_INFO;
    if (from->outcome == WORKLOAD_OK && f != OP_WRITE)
        op->out = from->nil ? VALUE_NULL : value_int(values, from->result);
}

void sim_history_make(struct history *history, const struct workload_op *const *ops, size_t count) {
    struct moment *moments = cairn_alloc((2 * count + 1) * sizeof *moments);
    uint32_t moment_count = 0;
    history_init(history);
    for (size_t i = 0; i < count; i++) {
        enum op_f f = f_of(ops[i]->action);
        if (f == OP_OTHER || ops[i]->outcome == WORKLOAD_FAILED)
            continue;
        uint32_t number = history->op_count;
        add_op(history, ops[i], f);
        moments[moment_count++] = (struct moment){ops[i]->invoke, number, false};
        if (ops[i]->outcome == WORKLOAD_OK)
            moments[moment_count++] = (struct moment){ops[i]->complete, number, true};
    }
    give_positions(history, moments, moment_count);
    cairn_free(moments);
}
