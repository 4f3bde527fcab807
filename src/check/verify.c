#include "check/verify.h"

#include "base/alloc.h"
#include "check/answers.h"
#include "check/depend.h"
#include "check/drains.h"
#include "check/exhaustive.h"
#include "check/part.h"
#include "check/spec.h"
#include "check/txn_verify.h"
#include "check/verify_weak.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX
#define SIMPLE_OPS_MAX 20000u

static enum verify wrong(const struct history *history, uint32_t op, const char *what,
                         struct buf *why) {
    history_describe(history, op, why);
    buf_printf(why, ": %s", what);
    return VERIFY_WRONG;
}

/* ---- an order: everything is in it once, it replays, it contains what it must ---- */

static bool in_scope(const struct history *history, const struct order *order, uint32_t op) {
    return order->scope != SCOPE_KEY || history->ops[op].key == order->of;
}

/* An operation that says nothing may be left out: open ones, and those that only look and were told
 * nothing. */
static bool may_be_missing(const struct history *history, enum model model, uint32_t op) {
    const struct op *at = &history->ops[op];
    return at->outcome == OP_INFO || at->outcome == OP_FAIL || answers_idle(model, history, at);
}

static enum verify all_there(const struct history *history, const struct order *order,
                             enum model model, uint32_t *place, struct buf *why) {
    memset(place, 0xff, history->op_count * sizeof *place);
    for (uint32_t i = 0; i < order->count; i++) {
        uint32_t op = order->ops[i];
        if (place[op] != NOWHERE || !in_scope(history, order, op) ||
            history->ops[op].outcome == OP_FAIL)
            return wrong(history, op, "stands in the order twice, or not rightly", why);
        place[op] = i;
    }
    for (uint32_t op = 0; op < history->op_count; op++)
        if (place[op] == NOWHERE && in_scope(history, order, op) &&
            !may_be_missing(history, model, op))
            return wrong(history, op, "is not in the order", why);
    return VERIFY_RIGHT;
}

struct answered {
    uint32_t key, id, op;
};

static int by_answer(const void *a, const void *b) {
    const struct answered *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A state with all identifiers would be as long as the history, for each operation. */
static enum verify all_differ(const struct history *history, const struct order *order,
                              struct buf *why) {
    struct answered *all = cairn_alloc((order->count + 1) * sizeof *all);
    enum verify verified = VERIFY_RIGHT;
    uint32_t count = 0;
    for (uint32_t i = 0; i < order->count; i++) {
        const struct op *op = &history->ops[order->ops[i]];
        if (!answers_idle(MODEL_UNIQUE_IDS, history, op))
            all[count++] = (struct answered){op->key, op->out, order->ops[i]};
    }
    qsort(all, count, sizeof *all, by_answer);
    for (uint32_t i = 1; i < count && verified == VERIFY_RIGHT; i++)
        if (by_answer(&all[i - 1], &all[i]) == 0)
            verified = wrong(history, all[i].op, "its answer was given before", why);
    cairn_free(all);
    return verified;
}

static enum verify replays(const struct history *history, const struct order *order,
                           enum model model, struct buf *why) {
    if (model == MODEL_UNIQUE_IDS)
        return all_differ(history, order, why);
    struct spec spec;
    struct spec_op *ops = cairn_alloc((order->count + 1) * sizeof *ops);
    uint32_t *states = cairn_alloc(history->values.count * sizeof *states);
    enum verify verified = VERIFY_RIGHT;
    memset(states, 0xff, history->values.count * sizeof *states);
    spec_init(&spec, model, history);
    spec_prepare(&spec, order->ops, order->count, ops);
    cairn_free(spec.alive); /* every state counts */
    spec.alive = NULL;
    for (uint32_t i = 0; i < order->count && verified == VERIFY_RIGHT; i++) {
        uint32_t key = model_keyed(model) ? history->ops[order->ops[i]].key : VALUE_NULL;
        if (states[key] == UINT32_MAX)
            states[key] = spec_initial(&spec, key);
        if (!spec_step(&spec, states[key], &ops[i], &states[key]))
            verified =
                wrong(history, order->ops[i], "can't have been answered like that here", why);
    }
    spec_free(&spec);
    cairn_free(ops);
    cairn_free(states);
    return verified;
}

static enum verify in_real_time(const struct history *history, const struct order *order,
                                struct buf *why) {
    uint32_t earliest = OP_OPEN; /* return of anything further on */
    for (uint32_t i = order->count; i > 0; i--) {
        const struct op *op = &history->ops[order->ops[i - 1]];
        if (op->call > earliest)
            return wrong(history, order->ops[i - 1], "stands before one that ended before it began",
                         why);
        if (op->outcome != OP_INFO && op->ret < earliest)
            earliest = op->ret;
    }
    return VERIFY_RIGHT;
}

static enum verify in_process_order(const struct history *history, const struct order *order,
                                    struct buf *why) {
    uint32_t *last = cairn_alloc((history->process_count + 1) * sizeof *last);
    enum verify verified = VERIFY_RIGHT;
    memset(last, 0xff, (history->process_count + 1) * sizeof *last);
    for (uint32_t i = 0; i < order->count && verified == VERIFY_RIGHT; i++) {
        uint32_t op = order->ops[i], process = history->ops[op].process;
        if (last[process] != NOWHERE && history->ops[last[process]].call > history->ops[op].call)
            verified = wrong(history, op, "stands behind a later one of its process", why);
        last[process] = op;
    }
    cairn_free(last);
    return verified;
}

/* Keys of which no order was given have nothing that needs one. */
static enum verify keys_covered(const struct history *history, const struct verdict *verdict,
                                struct buf *why) {
    bool *covered = cairn_alloc_zero(history->values.count);
    enum verify verified = VERIFY_RIGHT;
    bool all = false;
    for (uint32_t i = 0; i < verdict->order_count; i++) {
        all |= verdict->orders[i].scope == SCOPE_ALL || !model_keyed(verdict->model);
        if (verdict->orders[i].scope == SCOPE_KEY)
            covered[verdict->orders[i].of] = true;
    }
    for (uint32_t op = 0; op < history->op_count && !all && verified == VERIFY_RIGHT; op++)
        if (!covered[history->ops[op].key] && !may_be_missing(history, verdict->model, op))
            verified = wrong(history, op, "there is no order of its key", why);
    cairn_free(covered);
    return verified;
}

/* Orders of each key make one order of all keys, at these levels. */
static bool is_local(enum level level) {
    return level == LEVEL_LINEARIZABLE || level == LEVEL_PER_KEY_SEQUENTIAL;
}

static enum verify one_for_all(const struct verdict *verdict, struct buf *why) {
    if (verdict->order_count == 1 && verdict->orders[0].scope == SCOPE_ALL)
        return VERIFY_RIGHT;
    buf_printf(why, "orders of some operations each make no order of all");
    return VERIFY_WRONG;
}

static enum verify verify_order(const struct history *history, const struct verdict *verdict,
                                const struct order *order, struct buf *why) {
    uint32_t *place = cairn_alloc((history->op_count + 1) * sizeof *place);
    enum verify verified = all_there(history, order, verdict->model, place, why);
    if (verified == VERIFY_RIGHT)
        verified = replays(history, order, verdict->model, why);
    if (verified == VERIFY_RIGHT)
        verified = verdict->level == LEVEL_LINEARIZABLE ? in_real_time(history, order, why)
                                                        : in_process_order(history, order, why);
    cairn_free(place);
    return verified;
}

static enum verify verify_parts(const struct drains *drains, const struct history *history,
                                const struct verdict *verdict, const struct order *order,
                                struct buf *why) {
    struct order parts;
    enum verify verified = VERIFY_WRONG;
    if (drains_unfold(drains, history, order, &parts))
        verified = verify_order(&drains->whole, verdict, &parts, why);
    else
        buf_printf(why, "an operation stands in the order too often");
    cairn_free(parts.ops);
    return verified;
}

static enum verify verify_orders(const struct history *history, const struct verdict *verdict,
                                 struct buf *why) {
    struct drains drains;
    bool apart = drains_expand(&drains, history, verdict->model);
    enum verify verified = keys_covered(history, verdict, why);
    if (verified == VERIFY_RIGHT && !is_local(verdict->level))
        verified = one_for_all(verdict, why);
    for (uint32_t i = 0; i < verdict->order_count && verified == VERIFY_RIGHT; i++) {
        const struct order *order = &verdict->orders[i];
        verified = apart ? verify_parts(&drains, history, verdict, order, why)
                         : verify_order(history, verdict, order, why);
    }
    if (apart)
        drains_free(&drains);
    return verified;
}

/* ---- a cycle of linearizability, edge by edge ---- */

static uint32_t written_by(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->f == OP_CAS)
        return value_items(&history->values, at->arg)[1];
    return at->f == OP_READ ? VALUE_NONE : at->arg;
}

static uint32_t read_by(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->f == OP_CAS)
        return value_items(&history->values, at->arg)[0];
    return at->f == OP_READ && at->outcome == OP_OK ? at->out : VALUE_NONE;
}

/* The values that operations leave the key with. */
static uint32_t value_of(const struct history *history, uint32_t op) {
    uint32_t written = written_by(history, op);
    return written != VALUE_NONE ? written : read_by(history, op);
}

static uint32_t writer_of(const struct history *history, uint32_t key, uint32_t value) {
    uint32_t found = OP_NONE;
    for (uint32_t i = 0; i < history->op_count; i++) {
        if (history->ops[i].outcome == OP_FAIL || history->ops[i].key != key ||
            written_by(history, i) != value)
            continue;
        if (found != OP_NONE)
            return OP_NONE; /* not unique */
        found = i;
    }
    return found;
}

/* Back along compare-and-sets from the value of `op`: does the chain meet `value`? */
static bool chain_meets(const struct history *history, uint32_t op, uint32_t value) {
    uint32_t key = history->ops[op].key, at = value_of(history, op);
    for (uint32_t steps = 0; steps <= history->op_count; steps++) {
        if (at == value)
            return true;
        uint32_t writer = writer_of(history, key, at);
        if (writer == OP_NONE || history->ops[writer].f != OP_CAS)
            return false;
        at = read_by(history, writer);
    }
    return false;
}

static bool edge_holds(const struct history *history, const struct edge *edge) {
    const struct op *ops = history->ops;
    if (edge->from == OP_NONE) /* the initial state is before all */
        return edge->reason == REASON_REAL_TIME && edge->to != OP_NONE;
    if (edge->to == OP_NONE) { /* and together with what read it */
        return edge->reason == REASON_TOGETHER &&
               chain_meets(history, edge->from, history_initial(history, ops[edge->from].key));
    }
    const struct op *from = &ops[edge->from], *to = &ops[edge->to];
    switch (edge->reason) {
    case REASON_REAL_TIME:
        return from->outcome != OP_INFO && from->ret < to->call;
    case REASON_SESSION:
        return from->process == to->process && from->call < to->call;
    case REASON_READS_FROM:
        return from->key == to->key &&
               read_by(history, edge->to) == written_by(history, edge->from) &&
               writer_of(history, from->key, written_by(history, edge->from)) == edge->from;
    case REASON_READ_BEFORE:
        return from->key == to->key && to->f == OP_CAS &&
               read_by(history, edge->to) == value_of(history, edge->from);
    case REASON_TOGETHER:
        return from->key == to->key &&
               (chain_meets(history, edge->from, value_of(history, edge->to)) ||
                chain_meets(history, edge->to, value_of(history, edge->from)));
    default:
        return false;
    }
}

static enum verify verify_cycle(const struct history *history, const struct verdict *verdict,
                                struct buf *why) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        const struct edge *next = &verdict->edges[(i + 1) % verdict->edge_count];
        if (edge->to != next->from) {
            buf_printf(why, "edge %u does not lead to where the next begins", i + 1);
            return VERIFY_WRONG;
        }
        if (!edge_holds(history, edge)) {
            buf_printf(why, "edge %u: the history does not show that it holds", i + 1);
            return VERIFY_WRONG;
        }
    }
    return VERIFY_RIGHT;
}

/* ---- a counterexample: the named operations alone, in every order ---- */

static void named(const struct verdict *verdict, bool *keep) {
    for (uint32_t i = 0; i < verdict->op_count; i++)
        keep[verdict->ops[i]] = true;
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        if (edge->from != OP_NONE)
            keep[edge->from] = true;
        if (edge->to != OP_NONE)
            keep[edge->to] = true;
        if (edge->by != OP_NONE)
            keep[edge->by] = true;
    }
}

static bool exhaustive(const struct history *history, const struct verdict *verdict) {
    switch (verdict->level) {
    case LEVEL_LINEARIZABLE:
        return exhaustive_orders(history, verdict->model, true);
    case LEVEL_SEQUENTIAL:
        return exhaustive_orders(history, verdict->model, false);
    case LEVEL_PER_KEY_SEQUENTIAL:
        return exhaustive_per_key(history, verdict->model);
    default:
        return exhaustive_weak(history, verdict->level);
    }
}

/* With drains taken apart. */
static uint32_t count_of(const struct history *history, enum model model) {
    struct drains drains;
    if (!drains_expand(&drains, history, model))
        return history->op_count;
    uint32_t count = drains.whole.op_count;
    drains_free(&drains);
    return count;
}

static enum verify verify_small(const struct history *history, const struct verdict *verdict,
                                struct buf *why) {
    bool *keep = cairn_alloc_zero(history->op_count + 1),
         real_time = verdict->level == LEVEL_LINEARIZABLE;
    struct history few;
    struct depend depend;
    enum verify verified = VERIFY_UNCHECKED;
    named(verdict, keep);
    depend_make(&depend, history, verdict->model, real_time);
    depend_add(&depend, keep); /* without what they need, any operations contradict each other */
    depend_free(&depend);
    history_part(&few, history, keep, verdict->model, real_time);
    uint32_t count = count_of(&few, verdict->model);
    if (count > EXHAUSTIVE_OPS_MAX)
        buf_printf(why,
                   "%u operations are too many to try in every order; cairn shrink makes them "
                   "fewer",
                   count);
    else if (!exhaustive(&few, verdict))
        verified = VERIFY_RIGHT;
    else if (verdict->minimal) {
        verified = VERIFY_WRONG;
        buf_printf(why, "the named operations alone satisfy the level");
    } else
        buf_printf(why,
                   "the named operations do not tell it alone; cairn shrink finds those that do");
    history_free(&few);
    cairn_free(keep);
    return verified;
}

/* ---- simple levels: each read is compared with the definition again ---- */

static bool below_zero(const struct history *history, uint32_t read) {
    const struct op *op = &history->ops[read];
    if (op->f != OP_READ || answers_told(MODEL_BANK_NONNEGATIVE, history, op) == VALUE_NONE)
        return false;
    const struct value *told = value_at(&history->values, op->out);
    uint32_t step = told->kind == VALUE_MAP ? 2 : 1;
    bool below = false;
    for (uint32_t i = step - 1; i < told->len; i += step) {
        uint32_t balance = value_items(&history->values, op->out)[i];
        below |= value_at(&history->values, balance)->kind == VALUE_INT &&
                 value_at(&history->values, balance)->integer < 0;
    }
    return below;
}

static bool breaks_simple(const struct history *history, const struct verdict *verdict,
                          uint32_t op) {
    return exhaustive_breaks(history, verdict->level, op) ||
           (verdict->model == MODEL_BANK_NONNEGATIVE && below_zero(history, op));
}

static enum verify verify_simple(const struct history *history, const struct verdict *verdict,
                                 struct buf *why) {
    bool no = verdict->answer == ANSWER_NO;
    if (history->op_count > SIMPLE_OPS_MAX && (!no || verdict->level == LEVEL_SET_COMPLETE)) {
        buf_printf(why, "%u operations are too many to look at all of them for each read",
                   history->op_count);
        return VERIFY_UNCHECKED;
    }
    for (uint32_t i = 0; i < verdict->op_count && no; i++)
        if (breaks_simple(history, verdict, verdict->ops[i]))
            return VERIFY_RIGHT;
    if (no) {
        buf_printf(why, "none of the operations that are named breaks the level");
        return VERIFY_WRONG;
    }
    for (uint32_t op = 0; op < history->op_count; op++)
        if (breaks_simple(history, verdict, op))
            return wrong(history, op, "the level forbids this read", why);
    return VERIFY_RIGHT;
}

/* ---- the door ---- */

static bool has_order_evidence(enum level level) {
    return level == LEVEL_LINEARIZABLE || level == LEVEL_SEQUENTIAL ||
           level == LEVEL_PER_KEY_SEQUENTIAL;
}

/* An order of all operations that replays and has every process's order shows more than is asked.
 */
static bool shows_sequential(const struct history *history, const struct verdict *verdict) {
    struct verdict claim = *verdict;
    struct buf why = {0};
    claim.level = LEVEL_SEQUENTIAL;
    bool right = level_implies(LEVEL_SEQUENTIAL, verdict->level) && verdict->order_count == 1 &&
                 verify_orders(history, &claim, &why) == VERIFY_RIGHT;
    buf_free(&why);
    return right;
}

/* What a counter says is wrong whatever the order, when no sum of additions leads there. */
static bool breaks_bounds(const struct history *history, const struct verdict *verdict) {
    if (verdict->model != MODEL_COUNTER || verdict->level != LEVEL_LINEARIZABLE)
        return false;
    for (uint32_t i = 0; i < verdict->op_count; i++)
        if (exhaustive_breaks(history, LEVEL_COUNTER_BOUNDS, verdict->ops[i]))
            return true;
    return false;
}

/* Levels without orders and cycles: what each read may be follows from the whole history. */
static bool is_simple(enum level level) {
    return level == LEVEL_CONVERGENCE || level == LEVEL_COUNTER_BOUNDS ||
           level == LEVEL_BANK_TOTAL || level == LEVEL_SET_COMPLETE;
}

static enum verify of_transactions(const struct history *history, const struct verdict *verdict,
                                   struct buf *why) {
    switch (txn_verify(history, verdict, NULL, why)) {
    case TXN_VERIFIED:
        return VERIFY_RIGHT;
    case TXN_REFUTED:
        return VERIFY_WRONG;
    default:
        return VERIFY_UNCHECKED;
    }
}

enum verify verify_verdict(const struct history *history, const struct verdict *verdict,
                           struct buf *why) {
    if (verdict->answer != ANSWER_YES && verdict->answer != ANSWER_NO) {
        buf_printf(why, "the verdict says neither yes nor no");
        return VERIFY_UNCHECKED;
    }
    if (level_transactional(verdict->level))
        return of_transactions(history, verdict, why);
    if (is_simple(verdict->level))
        return verify_simple(history, verdict, why);
    if (verdict->answer == ANSWER_YES && has_order_evidence(verdict->level))
        return verify_orders(history, verdict, why);
    if (verdict->answer == ANSWER_YES && shows_sequential(history, verdict))
        return VERIFY_RIGHT;
    if (verdict->answer == ANSWER_YES)
        return verify_weak_yes(history, verdict, why);
    if (verdict->model == MODEL_MULTI_REGISTER && verdict->edge_count > 0)
        return of_transactions(history, verdict, why);
    if (verdict->level == LEVEL_LINEARIZABLE && verdict->edge_count > 0)
        return verify_cycle(history, verdict, why);
    if (breaks_bounds(history, verdict))
        return VERIFY_RIGHT;
    return verify_small(history, verdict, why);
}
