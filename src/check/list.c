/* A list to whose end elements are appended, each once. The longest list that was read tells the
 * order of all that was seen; a read stands right behind the last element that it saw, and what no
 * read saw stands behind all reads. So every operation has its place, and the history is
 * linearizable unless one stands before another that had ended before it began: two operations
 * tell every contradiction. */
#include "check/containers.h"

#include "base/alloc.h"
#include "check/answers.h"

#include <stdlib.h>
#include <string.h>

struct placed {
    uint32_t op;
    uint32_t place; /* odd: of an append, 2 i + 1 for the i-th; even: of a read of so many / 2 */
};

/* All OP_NONE between two keys: each key cleans up behind itself. */
struct lists {
    uint32_t *append_of; /* value -> its append */
    uint32_t *place_of;  /* value -> its place in the longest list */
    uint32_t *seen_in;   /* value -> the read that was last looked at */
};

struct list_run {
    const struct history *history;
    const uint32_t *ops;
    uint32_t count;
    uint32_t *append_of, *place_of, *seen_in; /* the tables' */
    uint32_t longest;                         /* a read, OP_NONE: no element was seen */
    uint32_t longest_len;
    struct placed *placed; /* by place, those of one place by their calls */
    uint32_t placed_count;
    bool told_lengths;
    struct verdict *verdict;
};

static const struct op *op_at(const struct list_run *run, uint32_t op) {
    return &run->history->ops[op];
}

static bool tells_list(const struct op *op) {
    return op->f == OP_READ && op->outcome == OP_OK && op->out != VALUE_NONE;
}

static uint32_t len_of(const struct list_run *run, const struct op *read) {
    return read->out == VALUE_NULL ? 0 : value_at(&run->history->values, read->out)->len;
}

static const uint32_t *items_of(const struct list_run *run, const struct op *read) {
    return read->out == VALUE_NULL ? NULL : value_items(&run->history->values, read->out);
}

/* ---- what the operations are ---- */

static bool take_append(struct list_run *run, uint32_t number) {
    const struct op *op = op_at(run, number);
    if (run->append_of[op->arg] != OP_NONE)
        return false;
    run->append_of[op->arg] = number;
    run->told_lengths |= answers_told(MODEL_APPEND, run->history, op) != VALUE_NONE;
    return true;
}

static bool take_read(struct list_run *run, uint32_t number) {
    const struct op *op = op_at(run, number);
    if (!tells_list(op))
        return true;
    if (op->out != VALUE_NULL && value_at(&run->history->values, op->out)->kind != VALUE_LIST)
        return false;
    if (len_of(run, op) > run->longest_len) {
        run->longest = number;
        run->longest_len = len_of(run, op);
    }
    return true;
}

static bool applies(struct list_run *run) {
    for (uint32_t i = 0; i < run->count; i++) {
        const struct op *op = op_at(run, run->ops[i]);
        bool fits = op->f == OP_APPEND ? op->arg != VALUE_NONE && take_append(run, run->ops[i])
                                       : op->f == OP_READ && take_read(run, run->ops[i]);
        if (!fits)
            return false;
    }
    return run->count == 0 ||
           history_initial(run->history, op_at(run, run->ops[0])->key) == VALUE_NULL;
}

/* ---- what one list says, and two ---- */

static void element(struct list_run *run, const char *before, uint32_t value, const char *behind) {
    buf_printf(&run->verdict->text, "%s", before);
    value_show(&run->history->values, value, &run->verdict->text);
    buf_printf(&run->verdict->text, "%s", behind);
}

static void name(struct list_run *run, uint32_t op) {
    history_refer(run->history, op, &run->verdict->text);
}

/* An element that no operation appended, or one twice. */
static bool is_a_list(struct list_run *run, uint32_t number) {
    const struct op *read = op_at(run, number);
    const uint32_t *items = items_of(run, read);
    for (uint32_t i = 0; i < len_of(run, read); i++) {
        uint32_t append = run->append_of[items[i]];
        if (append != OP_NONE && run->seen_in[items[i]] != number) {
            run->seen_in[items[i]] = number;
            continue;
        }
        bool thin_air = append == OP_NONE;
        verdict_op(run->verdict, number);
        if (!thin_air)
            verdict_op(run->verdict, append);
        run->verdict->anomalies |= 1u << (thin_air ? ANOMALY_THIN_AIR : ANOMALY_DUPLICATE);
        name(run, number);
        element(run, " has ", items[i],
                thin_air ? ", which no operation appended" : " twice, which was appended once");
        return false;
    }
    return true;
}

static bool is_prefix(struct list_run *run, uint32_t number) {
    const struct op *read = op_at(run, number);
    uint32_t i = 0, len = len_of(run, read);
    if (len == 0)
        return true;
    const uint32_t *items = items_of(run, read);
    const uint32_t *longest = items_of(run, op_at(run, run->longest));
    while (i < len && items[i] == longest[i])
        i++;
    if (i == len)
        return true;
    const uint32_t ops[] = {number, run->longest, run->append_of[items[i]],
                            run->append_of[longest[i]]};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        verdict_op(run->verdict, ops[k]);
    run->verdict->anomalies |= 1u << ANOMALY_INCOMPATIBLE_ORDER;
    name(run, number);
    element(run, " has ", items[i], " where ");
    name(run, run->longest);
    element(run, " has ", longest[i], ": neither list is how the other began");
    return false;
}

static bool lists_agree(struct list_run *run) {
    for (uint32_t i = 0; i < run->count; i++)
        if (tells_list(op_at(run, run->ops[i])) && !is_a_list(run, run->ops[i]))
            return false;
    for (uint32_t i = 0; i < run->count; i++)
        if (tells_list(op_at(run, run->ops[i])) && !is_prefix(run, run->ops[i]))
            return false;
    return true;
}

/* ---- places ---- */

static int by_place(const void *a, const void *b) {
    const struct placed *x = a, *y = b; /* numbers of operations rise with their calls */
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void place_all(struct list_run *run) {
    if (run->longest != OP_NONE) {
        const uint32_t *items = items_of(run, op_at(run, run->longest));
        for (uint32_t i = 0; i < run->longest_len; i++)
            run->place_of[items[i]] = i;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        const struct op *op = op_at(run, run->ops[i]);
        struct placed *placed = &run->placed[run->placed_count];
        *placed = (struct placed){.op = run->ops[i]};
        if (op->f == OP_READ) {
            if (!tells_list(op))
                continue;
            placed->place = 2 * len_of(run, op);
        } else if (run->place_of[op->arg] != OP_NONE) {
            placed->place = 2 * run->place_of[op->arg] + 1;
        } else { /* if it never ended: where it does no harm */
            placed->place = 2 * run->longest_len + 1;
        }
        run->placed_count++;
    }
    qsort(run->placed, run->placed_count, sizeof *run->placed, by_place);
}

/* ---- one before another that had ended before it began ---- */

static bool ended_before(const struct list_run *run, uint32_t a, uint32_t b) {
    return op_at(run, a)->outcome == OP_OK && op_at(run, a)->ret < op_at(run, b)->call;
}

/* Of those kinds, in places one behind the other: the first that was called after the second had
 * ended. */
static bool backwards(const struct list_run *run, enum op_f first, enum op_f second, uint32_t *a,
                      uint32_t *b) {
    uint32_t latest = OP_NONE; /* by its call, of the places before */
    for (uint32_t i = 0, j = 0; i < run->placed_count; i++) {
        uint32_t op = run->placed[i].op;
        for (; run->placed[j].place < run->placed[i].place; j++)
            if (op_at(run, run->placed[j].op)->f == first &&
                (latest == OP_NONE || run->placed[j].op > latest))
                latest = run->placed[j].op;
        if (latest == OP_NONE || op_at(run, op)->f != second || !ended_before(run, op, latest))
            continue;
        *a = latest;
        *b = op;
        return true;
    }
    return false;
}

static void tell_missing(struct list_run *run, uint32_t read, uint32_t append) {
    verdict_op(run->verdict, append);
    verdict_op(run->verdict, read);
    name(run, append);
    buf_printf(&run->verdict->text, " was acknowledged before ");
    name(run, read);
    buf_printf(&run->verdict->text, " began, and is not in it");
}

static void tell_early(struct list_run *run, uint32_t append, uint32_t read) {
    verdict_op(run->verdict, read);
    verdict_op(run->verdict, append);
    name(run, read);
    buf_printf(&run->verdict->text, " had ended before ");
    name(run, append);
    buf_printf(&run->verdict->text, " began, and has it");
}

static void tell_shorter(struct list_run *run, uint32_t shorter, uint32_t longer) {
    uint32_t lost = items_of(run, op_at(run, longer))[len_of(run, op_at(run, shorter))];
    verdict_op(run->verdict, longer);
    verdict_op(run->verdict, shorter);
    verdict_op(run->verdict, run->append_of[lost]);
    name(run, shorter);
    element(run, " lacks ", lost, ", which ");
    name(run, longer);
    buf_printf(&run->verdict->text, " had seen before it began");
}

static void tell_order(struct list_run *run, uint32_t first, uint32_t second) {
    verdict_op(run->verdict, second);
    verdict_op(run->verdict, first);
    verdict_op(run->verdict, run->longest);
    name(run, second);
    buf_printf(&run->verdict->text, " was acknowledged before ");
    name(run, first);
    buf_printf(&run->verdict->text, " began, but does not stand before it in ");
    name(run, run->longest);
}

static bool in_real_time(struct list_run *run) {
    uint32_t a, b;
    if (backwards(run, OP_READ, OP_APPEND, &a, &b))
        tell_missing(run, a, b);
    else if (backwards(run, OP_APPEND, OP_READ, &a, &b))
        tell_early(run, a, b);
    else if (backwards(run, OP_READ, OP_READ, &a, &b))
        tell_shorter(run, a, b);
    else if (backwards(run, OP_APPEND, OP_APPEND, &a, &b))
        tell_order(run, a, b);
    else
        return true;
    return false;
}

/* ---- the door ---- */

static uint32_t *filled(size_t count) {
    return cairn_alloc_ones((count + 1) * sizeof(uint32_t));
}

struct lists *lists_new(const struct history *history) {
    struct lists *lists = cairn_alloc(sizeof *lists);
    *lists = (struct lists){.append_of = filled(history->values.count),
                            .place_of = filled(history->values.count),
                            .seen_in = filled(history->values.count)};
    return lists;
}

void lists_free(struct lists *lists) {
    cairn_free(lists->append_of);
    cairn_free(lists->place_of);
    cairn_free(lists->seen_in);
    cairn_free(lists);
}

static void clean(struct list_run *run) {
    for (uint32_t i = 0; i < run->count; i++) {
        const struct op *op = op_at(run, run->ops[i]);
        if (op->f != OP_APPEND || op->arg == VALUE_NONE)
            continue;
        run->append_of[op->arg] = OP_NONE;
        run->place_of[op->arg] = OP_NONE;
        run->seen_in[op->arg] = OP_NONE;
    }
    cairn_free(run->placed);
}

static void tell_yes(struct list_run *run, uint32_t key) {
    struct order *order = verdict_order(run->verdict, SCOPE_KEY, key);
    for (uint32_t i = 0; i < run->placed_count; i++)
        order_push(order, run->placed[i].op);
}

bool list_check(struct lists *lists, const struct history *history, const uint32_t *ops,
                uint32_t count, uint32_t key, bool want_order, bool *holds,
                struct verdict *verdict) {
    struct list_run run = {.history = history,
                           .ops = ops,
                           .count = count,
                           .append_of = lists->append_of,
                           .place_of = lists->place_of,
                           .seen_in = lists->seen_in,
                           .longest = OP_NONE,
                           .placed = cairn_alloc((count + 1) * sizeof(struct placed)),
                           .verdict = verdict};
    bool decided = applies(&run);
    if (decided) {
        *holds = lists_agree(&run);
        if (*holds) {
            place_all(&run);
            *holds = in_real_time(&run);
        }
        decided = !*holds || !run.told_lengths; /* what lengths say is for the search */
        if (decided && *holds && want_order)
            tell_yes(&run, key);
    }
    clean(&run);
    return decided;
}
