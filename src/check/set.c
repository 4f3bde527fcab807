/* A set whose elements are added once: which element is seen where leaves few choices. An element
 * is inside from its addition to the first removal behind that. So a removal of it stands before
 * the addition or behind all that saw it, and what missed it stands before the addition or behind
 * some removal that is behind the addition. Those are edges between operations, some of them
 * chosen; a choice without a cycle, together with real time, is an order (txn_solver.h). */
#include "check/containers.h"

#include "base/alloc.h"
#include "check/answers.h"
#include "check/txn_solver.h"

#include <stdlib.h>
#include <string.h>

#define NEVER (UINT32_MAX - 1) /* a literal that can't hold */
#define WAYS_MAX 24u
#define SPARE_EACH 4u /* nodes for choices among several, an operation */

struct removal {
    uint32_t op, element, literal; /* behind the addition while it holds */
};

struct set_run {
    const struct history *history;
    const uint32_t *ops;
    uint32_t count;
    struct solver *solver;
    uint32_t *node_of;                 /* operation -> node */
    uint32_t *added;                   /* value -> its addition */
    uint32_t *elements, element_count; /* those that are added */
    struct removal *removals;          /* sorted by element */
    uint32_t removal_count;
    uint32_t *first_removal;   /* value -> place in removals; [value + 1] is where they end */
    uint32_t *present;         /* value -> the read that has it */
    uint32_t spare, spare_end; /* nodes that are still unused */
    struct verdict *verdict;
    struct limits *limits;
};

static const struct op *op_at(const struct set_run *run, uint32_t op) {
    return &run->history->ops[op];
}

/* 1: the element was new, or there; 0: it was not; -1: not known. Not of reads. */
static int told(const struct set_run *run, const struct op *op) {
    return answers_truth(&run->history->values, answers_told(MODEL_SET, run->history, op));
}

static bool ends_before(const struct set_run *run, uint32_t a, uint32_t b) {
    return op_at(run, a)->outcome != OP_INFO && op_at(run, a)->ret < op_at(run, b)->call;
}

static void edge(struct set_run *run, uint32_t from, uint32_t to, uint32_t literal) {
    if (!ends_before(run, from, to))
        solver_edge(run->solver, run->node_of[from], run->node_of[to], literal);
}

/* ---- what the operations are ---- */

static bool applies(struct set_run *run) {
    for (uint32_t i = 0; i < run->count; i++) {
        const struct op *op = op_at(run, run->ops[i]);
        enum value_kind out =
            op->out == VALUE_NONE ? VALUE_NIL : value_at(&run->history->values, op->out)->kind;
        bool fits = op->f == OP_READ || op->arg != VALUE_NONE;
        if (op->f == OP_READ && op->outcome == OP_OK)
            fits &= out == VALUE_LIST || out == VALUE_NIL;
        if (!fits || (op->f == OP_ADD && run->added[op->arg] != OP_NONE))
            return false;
        if (op->f == OP_ADD) {
            run->added[op->arg] = run->ops[i];
            run->elements[run->element_count++] = op->arg;
        }
    }
    return run->count == 0 ||
           history_initial(run->history, op_at(run, run->ops[0])->key) == VALUE_NULL;
}

static int by_element(const void *a, const void *b) {
    const struct removal *x = a, *y = b;
    if (x->element != y->element)
        return x->element < y->element ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void find_removals(struct set_run *run) {
    for (uint32_t i = 0; i < run->count; i++) {
        const struct op *op = op_at(run, run->ops[i]);
        if (op->f == OP_REMOVE && run->added[op->arg] != OP_NONE && told(run, op) != 0)
            run->removals[run->removal_count++] = (struct removal){run->ops[i], op->arg, NEVER};
    }
    qsort(run->removals, run->removal_count, sizeof *run->removals, by_element);
    uint32_t at = 0;
    for (uint32_t value = 0; value < run->history->values.count; value++) {
        run->first_removal[value] = at;
        while (at < run->removal_count && run->removals[at].element == value)
            at++;
    }
    run->first_removal[run->history->values.count] = at;
}

/* ---- real time: a node for each return, in a row ---- */

static int by_ret(const void *a, const void *b, void *context) {
    const struct op *ops = context;
    uint32_t x = ops[*(const uint32_t *)a].ret, y = ops[*(const uint32_t *)b].ret;
    return x < y ? -1 : x > y;
}

static void add_real_time(struct set_run *run) {
    uint32_t *returns = cairn_alloc((run->count + 1) * sizeof *returns), total = 0, next = 0;
    uint32_t *order = cairn_alloc(((2 + SPARE_EACH) * (size_t)run->count + 1) * sizeof *order),
             placed = 0;
    for (uint32_t i = 0; i < run->count; i++)
        if (op_at(run, run->ops[i])->outcome != OP_INFO)
            returns[total++] = run->ops[i];
    qsort_r(returns, total, sizeof *returns, by_ret, run->history->ops);
    run->spare = run->count + total;
    run->spare_end = run->spare + SPARE_EACH * run->count;
    run->solver = solver_new(run->spare_end, run->limits);
    for (uint32_t i = 0; i <= run->count; i++) {
        uint32_t call = i < run->count ? op_at(run, run->ops[i])->call : OP_OPEN;
        for (; next < total && op_at(run, returns[next])->ret < call; next++)
            order[placed++] = run->count + next;
        if (i < run->count)
            order[placed++] = i;
    }
    for (uint32_t i = run->spare; i < run->spare_end; i++)
        order[placed++] = i;
    solver_start(run->solver, order);
    next = 0;
    for (uint32_t i = 0; i < total; i++) {
        solver_edge(run->solver, run->node_of[returns[i]], run->count + i, LITERAL_TRUE);
        if (i > 0)
            solver_edge(run->solver, run->count + i - 1, run->count + i, LITERAL_TRUE);
    }
    for (uint32_t i = 0; i < run->count; i++) {
        while (next < total && op_at(run, returns[next])->ret < op_at(run, run->ops[i])->call)
            next++;
        if (next > 0)
            solver_edge(run->solver, run->count + next - 1, i, LITERAL_TRUE);
    }
    cairn_free(returns);
    cairn_free(order);
}

/* ---- choices ---- */

static uint32_t choice(struct set_run *run, uint32_t from, uint32_t to) {
    return 2 * solver_var(run->solver, run->node_of[from], run->node_of[to]);
}

static void choose_removals(struct set_run *run) {
    for (uint32_t i = 0; i < run->removal_count; i++) {
        struct removal *removal = &run->removals[i];
        uint32_t add = run->added[removal->element];
        if (ends_before(run, removal->op, add) && told(run, op_at(run, removal->op)) != 1)
            continue;
        if (ends_before(run, add, removal->op) || told(run, op_at(run, removal->op)) == 1) {
            removal->literal = LITERAL_TRUE;
            edge(run, add, removal->op, LITERAL_TRUE);
            continue;
        }
        removal->literal = choice(run, add, removal->op);
        edge(run, add, removal->op, removal->literal);
        edge(run, removal->op, add, removal->literal + 1);
    }
}

static bool saw(struct set_run *run, uint32_t op, uint32_t element) {
    if (run->added[element] == OP_NONE) {
        verdict_op(run->verdict, op);
        run->verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
        history_describe(run->history, op, &run->verdict->text);
        buf_printf(&run->verdict->text, ": no operation added ");
        value_show(&run->history->values, element, &run->verdict->text);
        return false;
    }
    edge(run, run->added[element], op, LITERAL_TRUE);
    for (uint32_t i = run->first_removal[element]; i < run->first_removal[element + 1]; i++) {
        const struct removal *removal = &run->removals[i];
        if (removal->literal != NEVER && removal->op != op)
            edge(run, op, removal->op, removal->literal);
    }
    return true;
}

/* Where one that missed the element can stand. */
struct ways {
    uint32_t count;
    const struct removal *behind[WAYS_MAX];
    bool first, clear; /* before the addition; it need not be decided */
};

static void look(struct set_run *run, uint32_t op, uint32_t element, struct ways *ways) {
    uint32_t add = run->added[element];
    *ways = (struct ways){.first = !ends_before(run, add, op), .clear = ends_before(run, op, add)};
    for (uint32_t i = run->first_removal[element]; i < run->first_removal[element + 1]; i++) {
        const struct removal *removal = &run->removals[i];
        ways->clear |= ends_before(run, add, removal->op) && ends_before(run, removal->op, op);
        if (removal->literal == NEVER || removal->op == op || ends_before(run, op, removal->op))
            continue;
        if (ways->count < WAYS_MAX)
            ways->behind[ways->count] = removal;
        ways->count++;
    }
}

static void stand_behind(struct set_run *run, uint32_t op, uint32_t element,
                         const struct removal *removal, uint32_t literal) {
    edge(run, run->added[element], removal->op, literal);
    edge(run, removal->op, op, literal);
}

/* At least one of several: nodes in a ring, with an edge on for each that does not hold. */
static bool choose_one(struct set_run *run, uint32_t op, uint32_t element,
                       const struct ways *ways) {
    uint32_t total = ways->count + ways->first, ring = run->spare;
    if (ways->count > WAYS_MAX || run->spare_end - run->spare < total)
        return false;
    run->spare += total;
    for (uint32_t i = 0; i < total; i++) {
        bool first = i == ways->count;
        uint32_t literal =
            first ? choice(run, op, run->added[element]) : choice(run, ways->behind[i]->op, op);
        if (first)
            edge(run, op, run->added[element], literal);
        else
            stand_behind(run, op, element, ways->behind[i], literal);
        solver_edge(run->solver, ring + i, ring + (i + 1) % total, literal + 1);
    }
    return true;
}

/* False: there are more ways than can be written down. */
static bool missed(struct set_run *run, uint32_t op, uint32_t element) {
    struct ways ways;
    uint32_t add = run->added[element];
    if (add == OP_NONE)
        return true;
    look(run, op, element, &ways);
    if (ways.clear)
        return true;
    if (ways.count == 0) {
        edge(run, op, add, LITERAL_TRUE);
        return true;
    }
    if (ways.count == 1 && !ways.first) {
        stand_behind(run, op, element, ways.behind[0], LITERAL_TRUE);
        return true;
    }
    if (ways.count > 1)
        return choose_one(run, op, element, &ways);
    uint32_t literal = choice(run, op, add);
    edge(run, op, add, literal);
    stand_behind(run, op, element, ways.behind[0], literal + 1);
    return true;
}

enum set_answer { SET_HOLDS, SET_FAILS, SET_LEFT };

/* Each element is added once: it was there before for none. */
static enum set_answer was_new(struct set_run *run, uint32_t op) {
    if (told(run, op_at(run, op)) != 0)
        return SET_HOLDS;
    verdict_op(run->verdict, op);
    history_describe(run->history, op, &run->verdict->text);
    buf_printf(&run->verdict->text, ": no operation had added it before");
    return SET_FAILS;
}

static enum set_answer observe_one(struct set_run *run, uint32_t op, uint32_t element, bool seen) {
    if (seen)
        return saw(run, op, element) ? SET_HOLDS : SET_FAILS;
    return missed(run, op, element) ? SET_HOLDS : SET_LEFT;
}

static enum set_answer observe_all(struct set_run *run, uint32_t op) {
    const struct values *values = &run->history->values;
    uint32_t out = op_at(run, op)->out;
    const uint32_t *items = out == VALUE_NULL ? NULL : value_items(values, out);
    uint32_t len = out == VALUE_NULL ? 0 : value_at(values, out)->len;
    enum set_answer answer = SET_HOLDS;
    for (uint32_t i = 0; i < len && answer == SET_HOLDS; i++) {
        run->present[items[i]] = op;
        answer = observe_one(run, op, items[i], true);
    }
    for (uint32_t i = 0; i < run->element_count && answer == SET_HOLDS; i++)
        if (run->present[run->elements[i]] != op)
            answer = observe_one(run, op, run->elements[i], false);
    return answer;
}

static enum set_answer observe(struct set_run *run) {
    enum set_answer answer = SET_HOLDS;
    for (uint32_t i = 0; i < run->count && answer == SET_HOLDS; i++) {
        uint32_t op = run->ops[i];
        const struct op *at = op_at(run, op);
        if (limits_over(run->limits, run->element_count / 64 + 1))
            return SET_LEFT;
        if (at->outcome != OP_OK || at->out == VALUE_NONE)
            continue;
        if (at->f == OP_READ)
            answer = observe_all(run, op);
        else if (at->f == OP_ADD)
            answer = was_new(run, op);
        else if (told(run, at) >= 0)
            answer = observe_one(run, op, at->arg, told(run, at) == 1);
    }
    return answer;
}

/* ---- the answer ---- */

static enum set_answer judge(struct set_run *run) {
    find_removals(run);
    add_real_time(run);
    choose_removals(run);
    enum set_answer answer = observe(run);
    if (answer != SET_HOLDS)
        return answer;
    enum solver_answer solved = solver_run(run->solver);
    return solved == SOLVER_SAT ? SET_HOLDS : solved == SOLVER_UNSAT ? SET_FAILS : SET_LEFT;
}

static int by_place(const void *a, const void *b, void *context) {
    const struct set_run *run = context;
    uint32_t x = solver_place(run->solver, run->node_of[*(const uint32_t *)a]);
    uint32_t y = solver_place(run->solver, run->node_of[*(const uint32_t *)b]);
    return x < y ? -1 : x > y;
}

static void tell_order(struct set_run *run, uint32_t key) {
    uint32_t *sorted = cairn_alloc((run->count + 1) * sizeof *sorted);
    struct order *order = verdict_order(run->verdict, SCOPE_KEY, key);
    memcpy(sorted, run->ops, run->count * sizeof *sorted);
    qsort_r(sorted, run->count, sizeof *sorted, by_place, run);
    for (uint32_t i = 0; i < run->count; i++)
        order_push(order, sorted[i]);
    cairn_free(sorted);
}

static void tell_all(struct set_run *run) {
    if (run->verdict->op_count > 0)
        return;
    for (uint32_t i = 0; i < run->count; i++)
        verdict_op_new(run->verdict, run->ops[i]);
    buf_printf(&run->verdict->text, "what was seen in the set, and what was missed, fits no order");
}

static uint32_t *filled(size_t count) {
    return cairn_alloc_ones((count + 1) * sizeof(uint32_t));
}

bool set_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
               struct limits *limits, bool want_order, bool *holds, struct verdict *verdict) {
    uint32_t values = history->values.count;
    struct set_run run = {.history = history,
                          .ops = ops,
                          .count = count,
                          .limits = limits,
                          .verdict = verdict,
                          .node_of = filled(history->op_count),
                          .added = filled(values),
                          .elements = filled(count),
                          .removals = cairn_alloc((count + 1) * sizeof(struct removal)),
                          .first_removal = filled(values + 1),
                          .present = filled(values)};
    for (uint32_t i = 0; i < count; i++)
        run.node_of[ops[i]] = i;
    enum set_answer answer = applies(&run) ? judge(&run) : SET_LEFT;
    *holds = answer == SET_HOLDS;
    if (*holds && want_order)
        tell_order(&run, key);
    if (answer == SET_FAILS)
        tell_all(&run);
    if (run.solver != NULL)
        solver_free(run.solver);
    cairn_free(run.node_of);
    cairn_free(run.added);
    cairn_free(run.elements);
    cairn_free(run.removals);
    cairn_free(run.first_removal);
    cairn_free(run.present);
    return answer != SET_LEFT;
}
