#include "check/forced.h"

#include "base/assert.h"

/* An open operation that occurs has returned at the end, with an answer that is not known. What is
 * known of others stays: a compare-and-set that did not match is no match here either. */
static void occurs(struct history *moved, uint32_t number) {
    struct op *op = &moved->ops[number];
    if (op->outcome != OP_INFO)
        return;
    op->outcome = OP_OK;
    op->ret = moved->positions - 1;
    for (uint32_t i = 0; op->f == OP_TXN && i < op->out; i++)
        if (moved->mops[op->arg + i].kind == MOP_READ)
            moved->mops[op->arg + i].value = VALUE_NONE;
    if (op->f != OP_TXN)
        op->out = VALUE_NONE;
}

/* The history with room between its positions, in which both operations occur. */
static void spread(struct history *moved, const struct history *history, uint32_t a, uint32_t b) {
    history_copy(moved, history, NULL);
    for (uint32_t i = 0; i < moved->op_count; i++) {
        moved->ops[i].call *= 4;
        if (moved->ops[i].ret != OP_OPEN)
            moved->ops[i].ret *= 4;
    }
    moved->positions = 4 * history->positions + 4;
    occurs(moved, a);
    occurs(moved, b);
}

/* `a` has returned and `b` is not yet called at a moment at which both are under way, or may be. */
static void part_at(struct history *moved, uint32_t a, uint32_t b, uint32_t moment) {
    moved->ops[a].ret = 4 * moment + 1;
    moved->ops[b].call = 4 * moment + 2;
    /* Operations stand in the order of their calls. */
    for (; b + 1 < moved->op_count && moved->ops[b + 1].call < moved->ops[b].call; b++) {
        struct op later = moved->ops[b];
        moved->ops[b] = moved->ops[b + 1];
        moved->ops[b + 1] = later;
    }
}

static enum answer check_moved(struct history *moved, const struct check_options *options) {
    struct check_options one = *options;
    struct verdict verdict;
    one.want_order = false;
    check_history(moved, &one, &verdict);
    enum answer answer = verdict.answer;
    verdict_free(&verdict);
    return answer;
}

static uint32_t end_of(const struct history *history, const struct op *op) {
    return op->outcome == OP_INFO ? history->positions : op->ret - 1;
}

/* Is there a linearization in which both occur, `a` before `b`? If they overlap, there is a moment
 * between the two. */
static enum answer can_precede(const struct history *history, const struct check_options *options,
                               uint32_t a, uint32_t b) {
    const struct op *first = &history->ops[a], *second = &history->ops[b];
    bool parted = op_precedes(first, second);
    uint32_t from = first->call > second->call ? first->call : second->call;
    uint32_t until = end_of(history, first);
    enum answer best = ANSWER_NO;
    if (end_of(history, second) < until)
        until = end_of(history, second);
    if (parted)
        from = until = 0;
    for (uint32_t moment = from; moment <= until && best == ANSWER_NO; moment++) {
        struct history moved;
        spread(&moved, history, a, b);
        if (!parted)
            part_at(&moved, a, b, moment);
        enum answer answer = check_moved(&moved, options);
        if (answer == ANSWER_YES || answer == ANSWER_UNDECIDED)
            best = answer;
        history_free(&moved);
    }
    return best;
}

/* A drain of an unordered queue is no single step (drains.h), so what overlaps it can stand in its
 * midst. */
static bool is_spread_drain(const struct history *history, uint32_t a, uint32_t b) {
    const struct op *first = &history->ops[a], *second = &history->ops[b];
    bool open = (first->f == OP_DRAIN && first->outcome == OP_INFO) ||
                (second->f == OP_DRAIN && second->outcome == OP_INFO);
    bool parted = op_precedes(first, second) || op_precedes(second, first);
    return (first->f == OP_DRAIN || second->f == OP_DRAIN) && (open || !parted);
}

enum forced forced_pair(const struct history *history, const struct check_options *options,
                        uint32_t a, uint32_t b) {
    cairn_assert(a != b && history->ops[a].outcome != OP_FAIL &&
                 history->ops[b].outcome != OP_FAIL);
    if (options->model == MODEL_UNORDERED_QUEUE && is_spread_drain(history, a, b))
        return FORCED_UNDECIDED;
    enum answer ab = can_precede(history, options, a, b);
    enum answer ba = can_precede(history, options, b, a);
    if (ab == ANSWER_UNDECIDED || ba == ANSWER_UNDECIDED)
        return FORCED_UNDECIDED;
    if (ab == ANSWER_YES)
        return ba == ANSWER_YES ? FORCED_FREE : FORCED_FIRST;
    return ba == ANSWER_YES ? FORCED_SECOND : FORCED_NEVER;
}

const char *forced_name(enum forced forced) {
    static const char *const names[] = {"first", "second", "free", "never", "undecided"};
    cairn_assert(forced < sizeof names / sizeof *names);
    return names[forced];
}
