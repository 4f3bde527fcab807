#include "check/containers.h"

#include "base/alloc.h"

#include <string.h>

static void tell(const struct history *history, uint32_t op, uint32_t other, const char *what,
                 struct verdict *verdict) {
    verdict_op(verdict, op);
    if (other != OP_NONE)
        verdict_op(verdict, other);
    history_describe(history, op, &verdict->text);
    buf_printf(&verdict->text, ": %s", what);
}

static int64_t ret_of(const struct op *op) {
    return op->outcome == OP_INFO ? INT64_MAX : (int64_t)op->ret;
}

static bool put_in(struct elements *elements, const struct history *history, uint32_t number,
                   uint32_t *of_value) {
    const struct op *op = &history->ops[number];
    bool told = op->outcome == OP_OK && op->out != VALUE_NONE &&
                value_at(&history->values, op->out)->kind == VALUE_INT; /* how many are inside */
    if (told || op->arg == VALUE_NONE || op->arg == VALUE_NULL || of_value[op->arg] != UINT32_MAX)
        return false;
    of_value[op->arg] = elements->count;
    elements->at[elements->count++] = (struct element){.value = op->arg,
                                                       .put = number,
                                                       .take = OP_NONE,
                                                       .put_call = op->call,
                                                       .put_ret = ret_of(op),
                                                       .take_call = INT64_MAX,
                                                       .take_ret = INT64_MAX};
    return true;
}

static bool take_out(struct elements *elements, const struct history *history, uint32_t number,
                     const uint32_t *of_value, struct verdict *verdict) {
    const struct op *op = &history->ops[number];
    if (of_value[op->out] == UINT32_MAX) {
        verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
        tell(history, number, OP_NONE, "no operation put that in", verdict);
        return false;
    }
    struct element *element = &elements->at[of_value[op->out]];
    if (element->take != OP_NONE) {
        tell(history, number, element->take, "it had been taken before", verdict);
        return false;
    }
    if ((int64_t)op->ret < element->put_call) {
        tell(history, number, element->put, "it was put in only later", verdict);
        return false;
    }
    element->take = number;
    element->take_call = op->call;
    element->take_ret = op->ret;
    /* It was put before it was taken. */
    if (element->put_ret > element->take_ret)
        element->put_ret = element->take_ret;
    if (element->take_call < element->put_call)
        element->take_call = element->put_call;
    return true;
}

static void find_nothing(struct elements *elements, const struct history *history,
                         uint32_t number) {
    const struct op *op = &history->ops[number];
    elements->at[elements->count++] = (struct element){.value = VALUE_NULL,
                                                       .put = number,
                                                       .take = number,
                                                       .put_call = op->call,
                                                       .put_ret = op->ret,
                                                       .take_call = op->call,
                                                       .take_ret = op->ret};
}

/* Open insertions that no removal took out may not have happened. */
static void drop_unseen(struct elements *elements, const struct history *history) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct element *element = &elements->at[i];
        if (element->take != OP_NONE || history->ops[element->put].outcome != OP_INFO)
            elements->at[kept++] = *element;
    }
    elements->count = kept;
}

enum elements_fault elements_make(struct elements *elements, const struct history *history,
                                  const uint32_t *ops, uint32_t count, enum op_f put,
                                  enum op_f take, struct verdict *verdict) {
    uint32_t *of_value = cairn_alloc(history->values.count * sizeof *of_value);
    enum elements_fault fault = ELEMENTS_FINE;
    if (count > 0 && history_initial(history, history->ops[ops[0]].key) != VALUE_NULL)
        fault = ELEMENTS_NOT_UNIQUE; /* more elements than those that were put in */
    memset(of_value, 0xff, history->values.count * sizeof *of_value);
    memset(elements, 0, sizeof *elements);
    elements->at = cairn_alloc((count + 1) * sizeof *elements->at);
    elements->blind = cairn_alloc((count + 1) * sizeof *elements->blind);
    for (uint32_t i = 0; i < count && fault == ELEMENTS_FINE; i++) {
        enum op_f f = history->ops[ops[i]].f;
        if ((f != put && f != take) || (f == put && !put_in(elements, history, ops[i], of_value)))
            fault = ELEMENTS_NOT_UNIQUE;
    }
    for (uint32_t i = 0; i < count && fault == ELEMENTS_FINE; i++) {
        const struct op *op = &history->ops[ops[i]];
        if (op->f != take)
            continue;
        if (op->outcome != OP_OK)
            elements->blind[elements->blind_count++] = ops[i];
        else if (op->out == VALUE_NONE)
            fault = ELEMENTS_NOT_UNIQUE; /* it took something, or found nothing: not known */
        else if (op->out == VALUE_NULL)
            find_nothing(elements, history, ops[i]);
        else if (!take_out(elements, history, ops[i], of_value, verdict))
            fault = ELEMENTS_CONTRADICT;
    }
    if (fault == ELEMENTS_FINE)
        drop_unseen(elements, history);
    cairn_free(of_value);
    return fault;
}

void elements_free(struct elements *elements) {
    cairn_free(elements->at);
    cairn_free(elements->blind);
}
