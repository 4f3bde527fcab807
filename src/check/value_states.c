/* Registers whose values are written once each: every value is a state. */
#include "check/registers.h"
#include "check/zones.h"

/* state_of: value -> state. False: a value is written twice, or something else is done than
 * reading, writing, comparing. */
static bool number_writes(const struct history *history, const uint32_t *ops, uint32_t count,
                          uint32_t *state_of, struct state_op *to, uint32_t *states) {
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &history->ops[ops[i]];
        to[i] = (struct state_op){ops[i], STATE_NONE, STATE_NONE};
        if (op->f == OP_READ)
            continue;
        if ((op->f != OP_WRITE && op->f != OP_CAS) || op->outcome == OP_MISMATCH)
            return false;
        uint32_t *state = &state_of[register_writes(history, op)];
        if (*state != STATE_NONE)
            return false;
        to[i].writes = *state = (*states)++;
    }
    return true;
}

/* What no operation wrote has a state too, without a writer. */
static void number_reads(const struct history *history, const uint32_t *ops, uint32_t count,
                         uint32_t *state_of, struct state_op *to, uint32_t *states) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = register_reads(history, &history->ops[ops[i]]);
        if (value == VALUE_NONE)
            continue;
        if (state_of[value] == STATE_NONE)
            state_of[value] = (*states)++;
        to[i].reads = state_of[value];
    }
}

static void forget(const struct history *history, const uint32_t *ops, uint32_t count,
                   uint32_t *state_of) {
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &history->ops[ops[i]];
        uint32_t read = register_reads(history, op), written = register_writes(history, op);
        if (read != VALUE_NONE)
            state_of[read] = STATE_NONE;
        if (written != VALUE_NONE)
            state_of[written] = STATE_NONE;
    }
}

bool value_states(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                  uint32_t *state_of, struct state_op *to, uint32_t *states) {
    uint32_t initial = history_initial(history, key);
    *states = 1;
    state_of[initial] = 0;
    bool unique = number_writes(history, ops, count, state_of, to, states);
    if (unique)
        number_reads(history, ops, count, state_of, to, states);
    state_of[initial] = STATE_NONE;
    forget(history, ops, count, state_of);
    return unique;
}
