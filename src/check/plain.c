#include "check/plain.h"

#include "base/alloc.h"
#include "check/answers.h"
#include "check/invariant.h"

static void start(struct verdict *verdict) {
    verdict->op_count = 0;
    verdict->edge_count = 0;
    verdict->anomalies = 0;
    buf_clear(&verdict->text);
}

/* ---- sets ---- */

/* What is known of an element; positions, OP_OPEN: never. */
struct known {
    uint32_t add;          /* OP_NONE: none, or several */
    uint32_t inside_from;  /* surely added by then, */
    uint32_t witness;      /* because this operation had ended */
    uint32_t removed_from; /* nothing that removes it begins before */
    uint32_t removal;      /* surely behind the addition; the first to end; OP_NONE */
};

struct set_facts {
    const struct history *history;
    const uint32_t *ops;
    uint32_t count;
    struct known *known; /* of each value */
    uint32_t *present;   /* value -> the read that has it */
    struct verdict *verdict;
};

static const struct op *op_at(const struct set_facts *facts, uint32_t op) {
    return &facts->history->ops[op];
}

static bool ended(const struct op *op) {
    return op->outcome == OP_OK;
}

static void forget_all(struct set_facts *facts) {
    for (uint32_t i = 0; i < facts->history->values.count; i++) {
        facts->known[i] = (struct known){.add = OP_NONE,
                                         .inside_from = OP_OPEN,
                                         .witness = OP_NONE,
                                         .removed_from = OP_OPEN,
                                         .removal = OP_NONE};
        facts->present[i] = OP_NONE;
    }
}

static void know_changes(struct set_facts *facts) {
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct op *op = op_at(facts, facts->ops[i]);
        if (op->f != OP_ADD && op->f != OP_REMOVE)
            continue;
        struct known *known = &facts->known[op->arg];
        if (op->f == OP_REMOVE) {
            known->removed_from = op->call < known->removed_from ? op->call : known->removed_from;
        } else if (known->witness != OP_NONE) {
            known->add = OP_NONE; /* another addition: when it came in is not known */
        } else {
            known->add = known->witness = facts->ops[i];
            known->inside_from = ended(op) ? op->ret : OP_OPEN;
        }
    }
}

static void know_removals(struct set_facts *facts) {
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct op *op = op_at(facts, facts->ops[i]);
        if (op->f != OP_REMOVE || !ended(op))
            continue;
        struct known *known = &facts->known[op->arg];
        if (known->add == OP_NONE || op_at(facts, known->add)->outcome != OP_OK ||
            op_at(facts, known->add)->ret >= op->call)
            continue;
        if (known->removal == OP_NONE || op->ret < op_at(facts, known->removal)->ret)
            known->removal = facts->ops[i];
    }
}

static void name(struct set_facts *facts, uint32_t op) {
    history_refer(facts->history, op, &facts->verdict->text);
}

static void named(struct set_facts *facts, uint32_t element, uint32_t op) {
    struct verdict *verdict = facts->verdict;
    const struct known *known = &facts->known[element];
    start(verdict);
    verdict_op(verdict, known->add);
    verdict_op(verdict, known->witness);
    verdict_op(verdict, op);
}

/* Lacks it: which is wrong when it was surely inside, and nothing had begun to take it away. */
static bool lacks(struct set_facts *facts, uint32_t element, uint32_t op) {
    const struct known *known = &facts->known[element];
    struct verdict *verdict = facts->verdict;
    if (known->add == OP_NONE || known->inside_from >= op_at(facts, op)->call ||
        known->removed_from < op_at(facts, op)->ret)
        return false;
    named(facts, element, op);
    if (known->witness == known->add) {
        name(facts, known->add);
        buf_printf(&verdict->text, " was acknowledged before ");
        name(facts, op);
        buf_printf(&verdict->text, " began, which did not find it");
    } else {
        name(facts, op);
        buf_printf(&verdict->text, " did not find ");
        value_show(&facts->history->values, element, &verdict->text);
        buf_printf(&verdict->text, ", which ");
        name(facts, known->witness);
        buf_printf(&verdict->text, " had found before it began");
    }
    if (known->removed_from != OP_OPEN)
        buf_printf(&verdict->text, "; nothing had begun to remove it");
    return true;
}

/* Has it: which is wrong before it was added, and once it was surely removed. */
static bool has(struct set_facts *facts, uint32_t element, uint32_t op) {
    const struct known *known = &facts->known[element];
    struct verdict *verdict = facts->verdict;
    if (known->add == OP_NONE)
        return false;
    bool early = op_at(facts, op)->ret < op_at(facts, known->add)->call;
    bool late =
        known->removal != OP_NONE && op_at(facts, known->removal)->ret < op_at(facts, op)->call;
    if (!early && !late)
        return false;
    start(verdict);
    verdict_op(verdict, known->add);
    if (!early)
        verdict_op(verdict, known->removal);
    verdict_op(verdict, op);
    name(facts, early ? op : known->removal);
    buf_printf(&verdict->text, " had ended before ");
    name(facts, early ? known->add : op);
    buf_printf(&verdict->text, early ? " began, and found it" : " began, which still found it");
    return true;
}

static void seen(struct set_facts *facts, uint32_t element, uint32_t op) {
    struct known *known = &facts->known[element];
    if (op_at(facts, op)->ret >= known->inside_from)
        return;
    known->inside_from = op_at(facts, op)->ret;
    known->witness = op;
}

/* Calls `look` with each element that this operation found (found) or did not find; true: stop. */
static bool each_seen(struct set_facts *facts, uint32_t op,
                      bool (*look)(struct set_facts *facts, uint32_t element, uint32_t op,
                                   bool found)) {
    const struct op *at = op_at(facts, op);
    const struct values *values = &facts->history->values;
    int there = at->f == OP_CONTAINS
                    ? answers_truth(values, answers_told(MODEL_SET, facts->history, at))
                    : -1;
    if (at->f == OP_CONTAINS)
        return there >= 0 && look(facts, at->arg, op, there == 1);
    if (at->f != OP_READ || !op_answered(at))
        return false;
    uint32_t len = at->out == VALUE_NULL ? 0 : value_at(values, at->out)->len;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t element = value_items(values, at->out)[i];
        facts->present[element] = op;
        if (look(facts, element, op, true))
            return true;
    }
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct op *add = op_at(facts, facts->ops[i]);
        if (add->f == OP_ADD && facts->present[add->arg] != op && look(facts, add->arg, op, false))
            return true;
    }
    return false;
}

static bool note(struct set_facts *facts, uint32_t element, uint32_t op, bool found) {
    if (found)
        seen(facts, element, op);
    return false;
}

static bool judge(struct set_facts *facts, uint32_t element, uint32_t op, bool found) {
    return found ? has(facts, element, op) : lacks(facts, element, op);
}

static bool set_reason(const struct history *history, const uint32_t *ops, uint32_t count,
                       uint32_t key, struct verdict *verdict) {
    if (history_initial(history, key) != VALUE_NULL)
        return false;
    size_t values = history->values.count;
    struct set_facts facts = {.history = history,
                              .ops = ops,
                              .count = count,
                              .known = cairn_alloc(values * sizeof(struct known)),
                              .present = cairn_alloc(values * sizeof(uint32_t)),
                              .verdict = verdict};
    bool found = false;
    forget_all(&facts);
    know_changes(&facts);
    know_removals(&facts);
    for (uint32_t i = 0; i < count && !found; i++)
        found = each_seen(&facts, ops[i], judge);
    for (uint32_t i = 0; i < count && !found; i++)
        each_seen(&facts, ops[i], note);
    for (uint32_t i = 0; i < count && !found; i++)
        found = each_seen(&facts, ops[i], judge);
    cairn_free(facts.known);
    cairn_free(facts.present);
    return found;
}

/* ---- counters ---- */

static bool counter_reason(const struct history *history, uint32_t key, struct verdict *verdict) {
    struct check_options options = {.model = MODEL_COUNTER, .level = LEVEL_COUNTER_BOUNDS};
    struct verdict bounds;
    verdict_init(&bounds, options.model, options.level);
    invariant_check(history, &options, &bounds);
    bool found = bounds.answer == ANSWER_NO && history->ops[bounds.ops[0]].key == key;
    if (found) {
        start(verdict);
        verdict_op(verdict, bounds.ops[0]);
        buf_bytes(&verdict->text, buf_view(&bounds.text));
    }
    verdict_free(&bounds);
    return found;
}

bool plain_reason(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                  struct verdict *verdict) {
    if (verdict->model == MODEL_SET)
        return set_reason(history, ops, count, key, verdict);
    return verdict->model == MODEL_COUNTER && counter_reason(history, key, verdict);
}
