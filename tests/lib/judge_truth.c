#include "judge_truth.h"

#include "check/exhaustive.h"

#include <string.h>

static void tell(struct truth *truth, enum level level, bool holds) {
    truth->defined[level] = true;
    truth->holds[level] = holds;
}

static void tell_weak(struct truth *truth, const struct history *history) {
    static const enum level levels[] = {LEVEL_CAUSAL_CONVERGENCE,
                                        LEVEL_CAUSAL_MEMORY,
                                        LEVEL_CAUSAL,
                                        LEVEL_PRAM,
                                        LEVEL_READ_YOUR_WRITES,
                                        LEVEL_MONOTONIC_READS,
                                        LEVEL_MONOTONIC_WRITES,
                                        LEVEL_WRITES_FOLLOW_READS};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        tell(truth, levels[i], exhaustive_weak(history, levels[i]));
    tell(truth, LEVEL_CONVERGENCE, exhaustive_simple(history, LEVEL_CONVERGENCE));
}

void truth_tell(struct truth *truth, const struct history *history, enum model model, bool unique) {
    memset(truth, 0, sizeof *truth);
    tell(truth, LEVEL_LINEARIZABLE, exhaustive_orders(history, model, true));
    tell(truth, LEVEL_SEQUENTIAL, exhaustive_orders(history, model, false));
    if (model_keyed(model))
        tell(truth, LEVEL_PER_KEY_SEQUENTIAL, exhaustive_per_key(history, model));
    if (unique && (model == MODEL_REGISTER || model == MODEL_CAS_REGISTER))
        tell_weak(truth, history);
    if (model == MODEL_COUNTER)
        tell(truth, LEVEL_COUNTER_BOUNDS, exhaustive_simple(history, LEVEL_COUNTER_BOUNDS));
    if (model == MODEL_BANK)
        tell(truth, LEVEL_BANK_TOTAL, exhaustive_simple(history, LEVEL_BANK_TOTAL));
    if (model == MODEL_SET)
        tell(truth, LEVEL_SET_COMPLETE, exhaustive_simple(history, LEVEL_SET_COMPLETE));
}

bool truth_is_consistent(const struct truth *truth, enum level *stronger, enum level *weaker) {
    for (int s = 0; s < LEVEL_COUNT; s++)
        for (int w = 0; w < LEVEL_COUNT; w++) {
            if (!truth->defined[s] || !truth->defined[w] || !truth->holds[s] || truth->holds[w] ||
                !level_implies((enum level)s, (enum level)w))
                continue;
            *stronger = (enum level)s;
            *weaker = (enum level)w;
            return false;
        }
    return true;
}

enum forced truth_pair(const struct history *history, enum model model, uint32_t a, uint32_t b) {
    bool first = exhaustive_before(history, model, a, b);
    bool second = exhaustive_before(history, model, b, a);
    return first ? second ? FORCED_FREE : FORCED_FIRST : second ? FORCED_SECOND : FORCED_NEVER;
}
