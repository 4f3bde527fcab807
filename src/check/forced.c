#include "check/forced.h"

/* The history in which `a` has returned and `b` is not yet called at a moment at which both are
 * under way. Positions are spread to make room. */
static void part_at(struct history *moved, const struct history *history, uint32_t a, uint32_t b,
                    uint32_t moment) {
    history_copy(moved, history, NULL);
    for (uint32_t i = 0; i < moved->op_count; i++) {
        moved->ops[i].call *= 4;
        if (moved->ops[i].ret != OP_OPEN)
            moved->ops[i].ret *= 4;
    }
    moved->positions = 4 * history->positions;
    moved->ops[a].outcome = OP_OK; /* an open one has taken effect by then */
    moved->ops[a].ret = 4 * moment + 1;
    moved->ops[b].call = 4 * moment + 2;
    /* Operations stand in the order of their calls. */
    for (; b + 1 < moved->op_count && moved->ops[b + 1].call < moved->ops[b].call; b++) {
        struct op later = moved->ops[b];
        moved->ops[b] = moved->ops[b + 1];
        moved->ops[b + 1] = later;
    }
}

static uint32_t end_of(const struct history *history, const struct op *op) {
    return op->outcome == OP_INFO ? history->positions : op->ret - 1;
}

/* Is there a linearization with `a` before `b`? Then there is a moment between the two. */
static enum answer can_precede(const struct history *history, const struct check_options *options,
                               uint32_t a, uint32_t b) {
    const struct op *first = &history->ops[a], *second = &history->ops[b];
    uint32_t from = first->call > second->call ? first->call : second->call;
    uint32_t until = end_of(history, first);
    struct check_options one = *options;
    enum answer best = ANSWER_NO;
    one.want_order = false;
    if (end_of(history, second) < until)
        until = end_of(history, second);
    for (uint32_t moment = from; moment <= until && best == ANSWER_NO; moment++) {
        struct history moved;
        struct verdict verdict;
        part_at(&moved, history, a, b, moment);
        check_history(&moved, &one, &verdict);
        if (verdict.answer == ANSWER_YES || verdict.answer == ANSWER_UNDECIDED)
            best = verdict.answer;
        verdict_free(&verdict);
        history_free(&moved);
    }
    return best;
}

enum forced forced_pair(const struct history *history, const struct check_options *options,
                        uint32_t a, uint32_t b) {
    if (op_precedes(&history->ops[a], &history->ops[b]))
        return FORCED_FIRST;
    if (op_precedes(&history->ops[b], &history->ops[a]))
        return FORCED_SECOND;
    enum answer ab = can_precede(history, options, a, b);
    enum answer ba = can_precede(history, options, b, a);
    if (ab == ANSWER_UNDECIDED || ba == ANSWER_UNDECIDED)
        return FORCED_UNDECIDED;
    if (ab == ANSWER_YES)
        return ba == ANSWER_YES ? FORCED_FREE : FORCED_FIRST;
    return ba == ANSWER_YES ? FORCED_SECOND : FORCED_NEVER;
}
