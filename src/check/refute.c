#include "check/refute.h"

#include "base/alloc.h"
#include "check/answers.h"
#include "check/invariant.h"
#include "check/partition.h"

#include <string.h>

#define NAMED_MAX 9u /* operations; more would not help a reader */

/* One key's operations. `made` and `used` count by value. */
struct refuter {
    const struct history *history;
    struct verdict *verdict;
    const uint32_t *ops;
    uint32_t count, key;
    uint32_t *made, *used;
};

static const struct op *op_at(const struct refuter *refuter, uint32_t i) {
    return &refuter->history->ops[refuter->ops[i]];
}

static void say(struct refuter *refuter, uint32_t op, const char *what) {
    refuter->verdict->answer = ANSWER_NO;
    verdict_op(refuter->verdict, op);
    history_describe(refuter->history, op, &refuter->verdict->text);
    buf_printf(&refuter->verdict->text, ": %s", what);
}

/* The list's elements, one by one. */
static const uint32_t *elements(const struct history *history, uint32_t list, uint32_t *len) {
    bool is_list = list != VALUE_NONE && value_at(&history->values, list)->kind == VALUE_LIST;
    *len = is_list ? value_at(&history->values, list)->len : 0;
    return *len > 0 ? value_items(&history->values, list) : NULL;
}

static void count_list(const struct history *history, uint32_t list, uint32_t *counts) {
    uint32_t len;
    const uint32_t *items = elements(history, list, &len);
    for (uint32_t i = 0; i < len; i++)
        counts[items[i]]++;
}

static void forget_list(const struct history *history, uint32_t list, uint32_t *counts) {
    uint32_t len;
    const uint32_t *items = elements(history, list, &len);
    for (uint32_t i = 0; i < len; i++)
        counts[items[i]] = 0;
}

static void forget(struct refuter *refuter) {
    uint32_t *both[] = {refuter->made, refuter->used};
    for (int k = 0; k < 2; k++) {
        forget_list(refuter->history, history_initial(refuter->history, refuter->key), both[k]);
        both[k][history_initial(refuter->history, refuter->key)] = 0;
        for (uint32_t i = 0; i < refuter->count; i++) {
            const struct op *op = op_at(refuter, i);
            both[k][op->arg] = 0;
            forget_list(refuter->history, op->arg, both[k]);
            if (op->out != VALUE_NONE)
                both[k][op->out] = 0;
            forget_list(refuter->history, op->out, both[k]);
        }
    }
}

/* ---- queues, stacks, priority queues: nothing is taken more often than it was put ---- */

static bool puts_in(const struct op *op) {
    return op->f == OP_ENQUEUE || op->f == OP_PUSH || op->f == OP_INSERT;
}

static bool takes_out(const struct op *op) {
    return op->f == OP_DEQUEUE || op->f == OP_POP || op->f == OP_DELETE_MIN ||
           op->f == OP_DELETE_MAX || op->f == OP_DRAIN;
}

static bool has(const struct history *history, uint32_t out, uint32_t value) {
    uint32_t len;
    const uint32_t *items = elements(history, out, &len);
    for (uint32_t i = 0; i < len; i++)
        if (items[i] == value)
            return true;
    return out == value;
}

/* All that put or took the value. */
static void name_users(struct refuter *refuter, uint32_t value) {
    for (uint32_t i = 0; i < refuter->count && refuter->verdict->op_count < NAMED_MAX; i++) {
        const struct op *op = op_at(refuter, i);
        if ((puts_in(op) && op->arg == value) ||
            (takes_out(op) && op_answered(op) && has(refuter->history, op->out, value)))
            verdict_op(refuter->verdict, refuter->ops[i]);
    }
}

static bool taken_too_often(struct refuter *refuter, uint32_t op, uint32_t value, bool stays) {
    if (value == VALUE_NULL)
        return false;
    refuter->used[value] += !stays;
    if (refuter->used[value] <= refuter->made[value] && refuter->made[value] > 0)
        return false;
    say(refuter, op, refuter->made[value] == 0 ? "no operation put in " : "it has taken ");
    value_print(&refuter->history->values, value, &refuter->verdict->text);
    if (refuter->made[value] > 0)
        buf_printf(&refuter->verdict->text, ", which was taken %u times and put in %u times",
                   refuter->used[value], refuter->made[value]);
    name_users(refuter, value);
    return true;
}

static bool refute_elements(struct refuter *refuter) {
    const struct history *history = refuter->history;
    count_list(history, history_initial(history, refuter->key), refuter->made);
    for (uint32_t i = 0; i < refuter->count; i++)
        if (puts_in(op_at(refuter, i)))
            refuter->made[op_at(refuter, i)->arg]++;
    for (uint32_t i = 0; i < refuter->count; i++) {
        const struct op *op = op_at(refuter, i);
        uint32_t len = 1;
        if (!op_answered(op) || !(takes_out(op) || op->f == OP_PEEK))
            continue;
        const uint32_t *items = op->f == OP_DRAIN ? elements(history, op->out, &len) : &op->out;
        for (uint32_t k = 0; k < len; k++)
            if (taken_too_often(refuter, refuter->ops[i], items[k], op->f == OP_PEEK))
                return true;
    }
    return false;
}

/* ---- sets and lists: nothing is in them that no operation put there ---- */

static bool refute_members(struct refuter *refuter) {
    const struct history *history = refuter->history;
    count_list(history, history_initial(history, refuter->key), refuter->made);
    for (uint32_t i = 0; i < refuter->count; i++)
        if (op_at(refuter, i)->f == OP_ADD || op_at(refuter, i)->f == OP_APPEND)
            refuter->made[op_at(refuter, i)->arg]++;
    for (uint32_t i = 0; i < refuter->count; i++) {
        const struct op *op = op_at(refuter, i);
        uint32_t len;
        if (op->f != OP_READ || !op_answered(op) || refuter->used[op->out]++ > 0)
            continue; /* equal lists are one value: each is looked at once */
        const uint32_t *items = elements(history, op->out, &len);
        for (uint32_t k = 0; k < len; k++)
            if (refuter->made[items[k]] == 0) {
                say(refuter, refuter->ops[i], "no operation put in ");
                value_print(&history->values, items[k], &refuter->verdict->text);
                return true;
            }
    }
    return false;
}

/* ---- registers: nothing is read that no operation wrote ---- */

static uint32_t register_wrote(const struct history *history, const struct op *op) {
    switch (op->f) {
    case OP_WRITE:
    case OP_SWAP:
    case OP_SET_IF_ABSENT:
        return op->arg;
    case OP_CAS:
        return op->outcome == OP_MISMATCH ? VALUE_NONE : value_items(&history->values, op->arg)[1];
    default:
        return op->f == OP_DELETE ? VALUE_NULL : VALUE_NONE;
    }
}

static uint32_t register_saw(const struct history *history, const struct op *op) {
    if (op->f == OP_CAS && op->outcome == OP_OK)
        return value_items(&history->values, op->arg)[0];
    return op_answered(op) && (op->f == OP_READ || op->f == OP_SWAP) ? op->out : VALUE_NONE;
}

static bool refute_values(struct refuter *refuter) {
    const struct history *history = refuter->history;
    refuter->made[history_initial(history, refuter->key)]++;
    for (uint32_t i = 0; i < refuter->count; i++) {
        const struct op *op = op_at(refuter, i);
        if (op->f == OP_ADD || op->f == OP_APPEND)
            return false; /* these make values that stand nowhere */
        uint32_t wrote = register_wrote(history, op);
        if (wrote != VALUE_NONE)
            refuter->made[wrote]++;
    }
    for (uint32_t i = 0; i < refuter->count; i++) {
        uint32_t saw = register_saw(history, op_at(refuter, i));
        if (saw == VALUE_NONE || refuter->made[saw] > 0)
            continue;
        say(refuter, refuter->ops[i], "no operation wrote that value");
        refuter->verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
        return true;
    }
    return false;
}

/* ---- counters: each read lies between all that lowers and all that raises ---- */

__extension__ typedef __int128 wide;

static bool refute_counts(struct refuter *refuter) {
    const struct history *history = refuter->history;
    int64_t initial = 0, amount, read;
    value_integer(&history->values, history_initial(history, refuter->key), &initial);
    wide low = initial, high = initial;
    for (uint32_t i = 0; i < refuter->count; i++) {
        if (op_at(refuter, i)->f != OP_ADD)
            continue;
        if (!value_integer(&history->values, op_at(refuter, i)->arg, &amount))
            amount = 1;
        *(amount > 0 ? &high : &low) += amount;
    }
    for (uint32_t i = 0; i < refuter->count; i++) {
        const struct op *op = op_at(refuter, i);
        if (op->f != OP_READ || !op_answered(op) ||
            !value_integer(&history->values, op->out, &read) || (read >= low && read <= high))
            continue;
        say(refuter, refuter->ops[i], "all additions together do not lead there");
        return true;
    }
    return false;
}

/* ---- locks: taken at most once more than given back, and not given back more often ---- */

static bool refute_locks(struct refuter *refuter) {
    uint32_t taken = 0, given = 0, taken_perhaps = 0, given_perhaps = 0;
    if (history_initial(refuter->history, refuter->key) != VALUE_NULL)
        return false;
    for (uint32_t i = 0; i < refuter->count; i++) {
        const struct op *op = op_at(refuter, i);
        uint32_t answer = answers_told(refuter->verdict->model, refuter->history, op);
        int truth = answers_truth(&refuter->history->values, answer);
        bool acquire = op->f != OP_RELEASE;
        if (truth == 0) /* refused: nothing changed */
            continue;
        bool surely = op->outcome == OP_OK && (op->f != OP_TRY_ACQUIRE || truth == 1);
        *(acquire ? &taken_perhaps : &given_perhaps) += 1;
        *(acquire ? &taken : &given) += surely;
    }
    if (taken <= given_perhaps + 1 && given <= taken_perhaps)
        return false;
    struct verdict *verdict = refuter->verdict;
    verdict->answer = ANSWER_NO;
    for (uint32_t i = 0; i < refuter->count && refuter->count <= NAMED_MAX; i++)
        verdict_op(verdict, refuter->ops[i]);
    if (taken > given_perhaps + 1)
        buf_printf(&verdict->text, "the lock was acquired %u times and released at most %u times",
                   taken, given_perhaps);
    else
        buf_printf(&verdict->text, "the lock was released %u times and acquired at most %u times",
                   given, taken_perhaps);
    return true;
}

static bool refute_key(struct refuter *refuter) {
    switch (refuter->verdict->model) {
    case MODEL_REGISTER:
    case MODEL_CAS_REGISTER:
    case MODEL_KV:
        return refute_values(refuter);
    case MODEL_QUEUE:
    case MODEL_UNORDERED_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        return refute_elements(refuter);
    case MODEL_SET:
    case MODEL_APPEND:
        return refute_members(refuter);
    case MODEL_COUNTER:
        return refute_counts(refuter);
    case MODEL_MUTEX:
    case MODEL_OWNED_MUTEX:
        return refute_locks(refuter);
    default:
        return false;
    }
}

/* Transfers leave the total as it is. */
static bool refute_total(const struct history *history, struct verdict *verdict) {
    struct check_options options = {.model = verdict->model, .level = LEVEL_BANK_TOTAL};
    invariant_check(history, &options, verdict);
    bool broken = verdict->answer == ANSWER_NO;
    verdict->answer = broken ? ANSWER_NO : ANSWER_UNDECIDED;
    return broken;
}

bool refute_any_order(const struct history *history, struct verdict *verdict) {
    struct partition partition;
    struct refuter refuter = {.history = history, .verdict = verdict};
    bool found = false;
    if (model_is_bank(verdict->model))
        return refute_total(history, verdict);
    if (!model_keyed(verdict->model))
        return false;
    partition_make(&partition, history, verdict->model);
    refuter.made = cairn_alloc_zero(history->values.count * sizeof *refuter.made);
    refuter.used = cairn_alloc_zero(history->values.count * sizeof *refuter.used);
    for (uint32_t i = 0; i < partition.group_count && !found; i++) {
        refuter.ops = partition.ops + partition.groups[i].from;
        refuter.count = partition.groups[i].count;
        refuter.key = partition.groups[i].key;
        found = refute_key(&refuter);
        if (!found)
            forget(&refuter);
    }
    cairn_free(refuter.made);
    cairn_free(refuter.used);
    partition_free(&partition);
    return found;
}
