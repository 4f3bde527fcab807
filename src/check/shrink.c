#include "check/shrink.h"

#include "base/alloc.h"
#include "check/depend.h"
#include "check/part.h"

#include <string.h>

struct shrink {
    const struct history *history;
    struct check_options options;
    struct depend depend;
    bool *keep, *trial;
    uint32_t kept, tries;
};

static bool stopped(const struct shrink *shrink) {
    return shrink->options.limits != NULL && shrink->options.limits->stopped != LIMITS_GO;
}

static uint32_t count_of(const struct shrink *shrink, const bool *keep) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < shrink->history->op_count; i++)
        count += keep[i];
    return count;
}

static void take_part(const struct shrink *shrink, const bool *keep, struct history *few) {
    history_part(few, shrink->history, keep, shrink->options.model,
                 shrink->options.level == LEVEL_LINEARIZABLE);
}

static bool violates(struct shrink *shrink, const bool *keep) {
    struct history few;
    struct verdict verdict;
    take_part(shrink, keep, &few);
    check_history(&few, &shrink->options, &verdict);
    bool violated = verdict.answer == ANSWER_NO;
    verdict_free(&verdict);
    history_free(&few);
    shrink->tries++;
    return violated;
}

/* Goes on from `trial` if that still violates. */
static bool accept_trial(struct shrink *shrink) {
    uint32_t count = count_of(shrink, shrink->trial);
    if (count == 0 || count >= shrink->kept || !violates(shrink, shrink->trial))
        return false;
    memcpy(shrink->keep, shrink->trial, shrink->history->op_count);
    shrink->kept = count;
    return true;
}

/* The evidence names operations: they, and what they were told of, may be enough. */
static void begin_with_evidence(struct shrink *shrink, const struct verdict *verdict) {
    memset(shrink->trial, 0, shrink->history->op_count);
    for (uint32_t i = 0; i < verdict->op_count; i++)
        shrink->trial[verdict->ops[i]] = true;
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        if (edge->from != OP_NONE)
            shrink->trial[edge->from] = true;
        if (edge->to != OP_NONE)
            shrink->trial[edge->to] = true;
        if (edge->by != OP_NONE)
            shrink->trial[edge->by] = true;
    }
    depend_add(&shrink->depend, shrink->trial);
    accept_trial(shrink);
}

/* Without `size` of those that are left, counted from the `from`-th; true: one could go. */
static bool drop(struct shrink *shrink, uint32_t from, uint32_t size) {
    uint32_t seen = 0;
    memcpy(shrink->trial, shrink->keep, shrink->history->op_count);
    for (uint32_t i = 0; i < shrink->history->op_count; i++) {
        if (!shrink->keep[i])
            continue;
        if (seen >= from && seen < from + size)
            shrink->trial[i] = false;
        seen++;
    }
    depend_drop(&shrink->depend, shrink->trial);
    return accept_trial(shrink);
}

/* From the end, since what stands there is needed least. False: stopped by a limit. */
static bool pass(struct shrink *shrink, uint32_t size, bool *dropped) {
    for (uint32_t from = shrink->kept; from > 0;) {
        uint32_t begin = from > size ? from - size : 0;
        if (drop(shrink, begin, from - begin)) {
            *dropped = true;
            from = begin < shrink->kept ? begin : shrink->kept;
        } else {
            from = begin;
        }
        if (stopped(shrink))
            return false;
    }
    return true;
}

static bool reduce(struct shrink *shrink) {
    uint32_t size = shrink->kept / 2;
    while (size > 1) {
        bool dropped = false;
        if (!pass(shrink, size, &dropped))
            return false;
        size /= 2;
        limits_phase(shrink->options.limits, "shrinking", 0);
    }
    for (bool dropped = true; dropped;) {
        dropped = false;
        if (!pass(shrink, 1, &dropped))
            return false;
    }
    return true;
}

static void renumber(struct verdict *verdict, const uint32_t *number) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        struct edge *edge = &verdict->edges[i];
        if (edge->from != OP_NONE)
            edge->from = number[edge->from];
        if (edge->to != OP_NONE)
            edge->to = number[edge->to];
        if (edge->by != OP_NONE)
            edge->by = number[edge->by];
    }
}

/* What is left, judged again: a cycle that is found in it, in numbers of the whole. */
static void judge_again(struct shrink *shrink, const uint32_t *number, struct verdict *verdict) {
    struct history few;
    struct check_options unlimited = shrink->options;
    enum model model = verdict->model;
    enum level level = verdict->level;
    verdict_free(verdict);
    unlimited.limits = NULL;
    take_part(shrink, shrink->keep, &few);
    check_history(&few, &unlimited, verdict);
    verdict->model = model;
    verdict->level = level;
    renumber(verdict, number);
    history_free(&few);
}

/* When a limit stopped it, what is left may be much: its evidence stays that of the whole. */
static void tell(struct shrink *shrink, struct verdict *verdict, bool minimal) {
    uint32_t *number = cairn_alloc((shrink->kept + 1) * sizeof *number), count = 0;
    for (uint32_t i = 0; i < shrink->history->op_count; i++)
        if (shrink->keep[i])
            number[count++] = i;
    if (minimal)
        judge_again(shrink, number, verdict);
    verdict->op_count = 0;
    for (uint32_t i = 0; i < count; i++)
        verdict_op_new(verdict, number[i]);
    verdict->minimal = minimal;
    cairn_free(number);
}

void shrink_violation(const struct history *history, const struct check_options *options,
                      struct verdict *verdict, struct shrink_result *result) {
    struct shrink shrink = {.history = history, .options = *options, .kept = history->op_count};
    shrink.options.want_order = false;
    depend_make(&shrink.depend, history, options->model, options->level == LEVEL_LINEARIZABLE);
    shrink.keep = cairn_alloc(history->op_count + 1);
    shrink.trial = cairn_alloc(history->op_count + 1);
    memset(shrink.keep, true, history->op_count);
    begin_with_evidence(&shrink, verdict);
    bool minimal = reduce(&shrink);
    tell(&shrink, verdict, minimal);
    *result = (struct shrink_result){
        .keep = shrink.keep, .kept = shrink.kept, .tries = shrink.tries, .minimal = minimal};
    cairn_free(shrink.trial);
    depend_free(&shrink.depend);
}
