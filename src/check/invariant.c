#include "check/invariant.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;

static int64_t shown(wide number) {
    return number < INT64_MIN ? INT64_MIN : number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static void broken(const struct history *history, struct verdict *verdict, uint32_t op) {
    verdict->answer = ANSWER_NO;
    verdict_op(verdict, op);
    history_describe(history, op, &verdict->text);
}

/* ---- counter: what may have been added when a read took effect ----
 *
 * The least: all additions that had ended before the read began, and all subtractions that had
 * begun before it ended. The most: the other way round. */

struct moment {
    uint32_t position, op;
    bool call;
};

static int by_position(const void *a, const void *b) {
    const struct moment *x = a, *y = b;
    return x->position < y->position ? -1 : x->position > y->position;
}

static uint32_t moments_of(const struct history *history, struct moment *moments) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL)
            continue;
        moments[count++] = (struct moment){op->call, i, true};
        if (op->outcome == OP_OK)
            moments[count++] = (struct moment){op->ret, i, false};
    }
    qsort(moments, count, sizeof *moments, by_position);
    return count;
}

/* Sums of amounts above and below zero. Amounts are as large as integers may be, so their sums are
 * kept in twice the width. */
struct sums {
    wide begun_up, begun_down, ended_up, ended_down;
};

static void add_to(struct sums *sums, int64_t amount, bool call) {
    if (call)
        *(amount > 0 ? &sums->begun_up : &sums->begun_down) += amount;
    else
        *(amount > 0 ? &sums->ended_up : &sums->ended_down) += amount;
}

static void counter_key(const struct history *history, uint32_t key, const struct moment *moments,
                        uint32_t count, struct sums *at_call, struct verdict *verdict) {
    int64_t initial = 0, amount, read;
    struct sums now = {0};
    value_integer(&history->values, history_initial(history, key), &initial);
    for (uint32_t i = 0; i < count; i++) {
        const struct moment *moment = &moments[i];
        const struct op *op = &history->ops[moment->op];
        if (op->key != key)
            continue;
        if (op->f == OP_ADD) {
            if (!value_integer(&history->values, op->arg, &amount))
                amount = 1;
            add_to(&now, amount, moment->call);
        } else if (moment->call) {
            at_call[moment->op] = now;
        } else if (value_integer(&history->values, op->out, &read)) {
            wide low = initial + at_call[moment->op].ended_up + now.begun_down;
            wide high = initial + now.begun_up + at_call[moment->op].ended_down;
            if (read >= low && read <= high)
                continue;
            broken(history, verdict, moment->op);
            buf_printf(&verdict->text, ": can only have been between %lld and %lld",
                       (long long)shown(low), (long long)shown(high));
            return;
        }
    }
}

static void counter_bounds(const struct history *history, struct verdict *verdict) {
    struct moment *moments = cairn_alloc((2 * (size_t)history->op_count + 1) * sizeof *moments);
    struct sums *at_call = cairn_alloc_zero((history->op_count + 1) * sizeof *at_call);
    bool *done = cairn_alloc_zero(history->values.count);
    uint32_t count = moments_of(history, moments);
    for (uint32_t i = 0; i < history->op_count && verdict->answer == ANSWER_YES; i++) {
        uint32_t key = history->ops[i].key;
        if (done[key])
            continue;
        done[key] = true;
        counter_key(history, key, moments, count, at_call, verdict);
    }
    cairn_free(moments);
    cairn_free(at_call);
    cairn_free(done);
}

/* ---- bank: every read of all accounts has the same total; where none may fall below zero, none
 * was read so ---- */

static bool is_balances(const struct history *history, uint32_t value) {
    return value != VALUE_NONE && (value_at(&history->values, value)->kind == VALUE_MAP ||
                                   value_at(&history->values, value)->kind == VALUE_LIST);
}

/* The total, and of how many accounts a balance is told. */
static wide total_of(const struct history *history, uint32_t balances, uint32_t *told) {
    const struct value *value = value_at(&history->values, balances);
    wide total = 0;
    int64_t balance;
    uint32_t step = value->kind == VALUE_MAP ? 2 : 1;
    *told = 0;
    for (uint32_t i = step - 1; i < value->len; i += step)
        if (value_integer(&history->values, value_items(&history->values, balances)[i], &balance)) {
            total += balance;
            ++*told;
        }
    return total;
}

/* Accounts that the value names: keys of balances, or from and to of a transfer. */
static void count_accounts(const struct history *history, uint32_t value, bool transfer, bool *seen,
                           uint32_t *count) {
    if (value_at(&history->values, value)->kind != VALUE_MAP)
        return;
    const uint32_t *items = value_items(&history->values, value);
    for (uint32_t i = 0; i + 1 < value_at(&history->values, value)->len; i += 2) {
        struct bytes field = transfer ? value_bytes(&history->values, items[i]) : (struct bytes){0};
        if (transfer && !bytes_equal(field, BYTES("from")) && !bytes_equal(field, BYTES("to")))
            continue;
        uint32_t account = transfer ? items[i + 1] : items[i];
        *count += !seen[account];
        seen[account] = true;
    }
}

static uint32_t accounts_of(const struct history *history) {
    bool *seen = cairn_alloc_zero(history->values.count);
    uint32_t count = 0, longest = 0;
    count_accounts(history, history->initial, false, seen, &count);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        bool read = op->f == OP_READ && op->outcome == OP_OK && is_balances(history, op->out);
        if (op->f == OP_TRANSFER && op->outcome != OP_FAIL)
            count_accounts(history, op->arg, true, seen, &count);
        if (read)
            count_accounts(history, op->out, false, seen, &count);
        if (read && value_at(&history->values, op->out)->kind == VALUE_LIST &&
            value_at(&history->values, op->out)->len > longest)
            longest = value_at(&history->values, op->out)->len;
    }
    cairn_free(seen);
    return count > longest ? count : longest;
}

static bool any_below_zero(const struct history *history, uint32_t balances) {
    const struct value *value = value_at(&history->values, balances);
    uint32_t step = value->kind == VALUE_MAP ? 2 : 1;
    int64_t balance;
    for (uint32_t i = step - 1; i < value->len; i += step)
        if (value_integer(&history->values, value_items(&history->values, balances)[i], &balance) &&
            balance < 0)
            return true;
    return false;
}

static void bank_total(const struct history *history, enum model model, struct verdict *verdict) {
    wide expected = 0;
    uint32_t first = OP_NONE, accounts = accounts_of(history), told;
    bool given = is_balances(history, history->initial);
    if (given)
        expected = total_of(history, history->initial, &told);
    for (uint32_t i = 0; i < history->op_count && verdict->answer == ANSWER_YES; i++) {
        const struct op *op = &history->ops[i];
        if (op->f != OP_READ || op->outcome != OP_OK || !is_balances(history, op->out))
            continue;
        wide total = total_of(history, op->out, &told);
        if (told < accounts)
            continue;
        if (first == OP_NONE && !given)
            expected = total;
        if (total != expected) {
            if (first != OP_NONE)
                verdict_op(verdict, first);
            broken(history, verdict, i);
            buf_printf(&verdict->text, ": its total is %lld, not %lld", (long long)shown(total),
                       (long long)shown(expected));
        }
        if (verdict->answer == ANSWER_YES && model == MODEL_BANK_NONNEGATIVE &&
            any_below_zero(history, op->out)) {
            broken(history, verdict, i);
            buf_printf(&verdict->text, ": a balance is below zero");
        }
        if (first == OP_NONE)
            first = i;
    }
}

/* ---- set: the last read has every element whose addition was acknowledged before and that no
 * operation tried to remove, and none that none tried to add ---- */

static uint32_t last_read(const struct history *history, uint32_t key) {
    uint32_t last = OP_NONE;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->key == key && op->f == OP_READ && op->outcome == OP_OK && op->out != VALUE_NONE &&
            op->out != VALUE_NULL)
            last = i;
    }
    return last;
}

enum { TRIED = 1, SEEN = 2, REMOVED = 4 };

static void mark_list(const struct history *history, uint32_t list, uint8_t mark, uint8_t *state) {
    if (value_at(&history->values, list)->kind == VALUE_LIST)
        for (uint32_t i = 0; i < value_at(&history->values, list)->len; i++)
            state[value_items(&history->values, list)[i]] |= mark;
}

static void mark_set(const struct history *history, uint32_t key, const struct op *read,
                     uint8_t *state) {
    memset(state, 0, history->values.count);
    mark_list(history, read->out, SEEN, state);
    mark_list(history, history_initial(history, key), TRIED, state);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->key != key || op->outcome == OP_FAIL)
            continue;
        if (op->f == OP_ADD)
            state[op->arg] |= TRIED;
        else if (op->f == OP_REMOVE && op->call < read->ret)
            state[op->arg] |= REMOVED;
    }
}

static void set_key(const struct history *history, uint32_t key, uint8_t *state,
                    struct verdict *verdict) {
    uint32_t last = last_read(history, key);
    if (last == OP_NONE)
        return;
    const struct op *read = &history->ops[last];
    uint32_t len = value_at(&history->values, read->out)->len;
    mark_set(history, key, read, state);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->key != key || op->f != OP_ADD)
            continue;
        if (op->outcome == OP_OK && op->ret < read->call &&
            (state[op->arg] & (SEEN | REMOVED)) == 0) {
            verdict_op(verdict, last);
            broken(history, verdict, i);
            buf_printf(&verdict->text, ": acknowledged, and not in the last read (");
            history_place(history, read->line, &verdict->text);
            buf_u8(&verdict->text, ')');
            return;
        }
    }
    for (uint32_t i = 0; i < len; i++) {
        uint32_t element = value_items(&history->values, read->out)[i];
        if (state[element] & TRIED)
            continue;
        broken(history, verdict, last);
        buf_printf(&verdict->text, ": no operation added ");
        value_print(&history->values, element, &verdict->text);
        return;
    }
}

static void set_complete(const struct history *history, struct verdict *verdict) {
    uint8_t *state = cairn_alloc(history->values.count);
    bool *done = cairn_alloc_zero(history->values.count);
    for (uint32_t i = 0; i < history->op_count && verdict->answer == ANSWER_YES; i++) {
        uint32_t key = history->ops[i].key;
        if (!done[key])
            set_key(history, key, state, verdict);
        done[key] = true;
    }
    cairn_free(state);
    cairn_free(done);
}

void invariant_check(const struct history *history, const struct check_options *options,
                     struct verdict *verdict) {
    verdict->answer = ANSWER_YES;
    if (options->level == LEVEL_COUNTER_BOUNDS && options->model == MODEL_COUNTER)
        counter_bounds(history, verdict);
    else if (options->level == LEVEL_BANK_TOTAL && model_is_bank(options->model))
        bank_total(history, options->model, verdict);
    else if (options->level == LEVEL_SET_COMPLETE && options->model == MODEL_SET)
        set_complete(history, verdict);
    else
        verdict->answer = ANSWER_UNDEFINED;
}
