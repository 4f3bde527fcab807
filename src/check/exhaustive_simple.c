/* The levels that simple tests of one object ask for, evaluated literally (level.h): for each read
 * the whole history is looked at. */
#include "check/exhaustive.h"

#include "check/registers.h"

__extension__ typedef __int128 wide;

static bool answered(const struct op *op) {
    return op->f == OP_READ && op->outcome == OP_OK && op->out != VALUE_NONE;
}

static bool integer_of(const struct history *history, uint32_t value, int64_t *number) {
    *number = 0;
    if (value == VALUE_NONE || value_at(&history->values, value)->kind != VALUE_INT)
        return false;
    *number = value_at(&history->values, value)->integer;
    return true;
}

/* ---- convergence ---- */

/* Did an operation write the value? An open compare-and-set wrote only if what it expected had been
 * written. */
static bool was_written(const struct history *history, uint32_t key, uint32_t value,
                        uint32_t depth) {
    if (value == history_initial(history, key) || depth > history->op_count)
        return true;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL || op->key != key || register_writes(history, op) != value)
            continue;
        if (op->outcome != OP_INFO || op->f != OP_CAS ||
            was_written(history, key, register_reads(history, op), depth + 1))
            return true;
    }
    return false;
}

/* The last answered read of its process and key, begun when every write of the key had ended. */
static bool is_last_read(const struct history *history, uint32_t read) {
    const struct op *of = &history->ops[read];
    if (!answered(of))
        return false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->key != of->key || op->outcome == OP_FAIL)
            continue;
        bool writes = register_writes(history, op) != VALUE_NONE;
        if (writes && (op->outcome == OP_INFO || op->ret >= of->call))
            return false;
        if (answered(op) && op->process == of->process && op->call > of->call)
            return false;
    }
    return true;
}

static bool breaks_convergence(const struct history *history, uint32_t read) {
    const struct op *of = &history->ops[read];
    if (of->outcome == OP_OK && register_reads(history, of) != VALUE_NONE &&
        !was_written(history, of->key, register_reads(history, of), 0))
        return true;
    if (!is_last_read(history, read))
        return false;
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].key == of->key && history->ops[i].out != of->out &&
            is_last_read(history, i))
            return true;
    return false;
}

/* ---- counter-bounds ---- */

static bool breaks_bounds(const struct history *history, uint32_t read) {
    const struct op *of = &history->ops[read];
    int64_t initial, value, amount;
    if (!answered(of) || !integer_of(history, of->out, &value))
        return false;
    integer_of(history, history_initial(history, of->key), &initial);
    wide low = initial, high = initial;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f != OP_ADD || op->key != of->key || op->outcome == OP_FAIL)
            continue;
        if (!integer_of(history, op->arg, &amount))
            amount = 1;
        bool surely = op->outcome == OP_OK && op->ret < of->call, perhaps = op->call < of->ret;
        low += (amount > 0 ? surely : perhaps) ? amount : 0;
        high += (amount > 0 ? perhaps : surely) ? amount : 0;
    }
    return value < low || value > high;
}

/* ---- bank-total ---- */

/* Item `i` of balances: false, it is no account with a balance. */
static bool account_at(const struct history *history, uint32_t balances, uint32_t i,
                       uint32_t *account, int64_t *balance) {
    const struct value *value = value_at(&history->values, balances);
    bool map = value->kind == VALUE_MAP;
    *account = map ? i - 1 : i;
    if ((!map && value->kind != VALUE_LIST) || i >= value->len || (map && i % 2 == 0))
        return false;
    if (map)
        *account = value_items(&history->values, balances)[i - 1];
    return integer_of(history, value_items(&history->values, balances)[i], balance);
}

static bool total_of(const struct history *history, uint32_t balances, wide *total) {
    const struct value *value = value_at(&history->values, balances);
    uint32_t account;
    int64_t balance;
    *total = 0;
    for (uint32_t i = 0; i < value->len; i++)
        if (account_at(history, balances, i, &account, &balance))
            *total += balance;
    return value->kind == VALUE_MAP || value->kind == VALUE_LIST;
}

static bool tells_account(const struct history *history, uint32_t balances, uint32_t account) {
    uint32_t other;
    int64_t balance;
    for (uint32_t i = 0; i < value_at(&history->values, balances)->len; i++)
        if (account_at(history, balances, i, &other, &balance) && other == account)
            return true;
    return false;
}

static bool tells_all(const struct history *history, uint32_t balances, uint32_t other) {
    uint32_t account;
    int64_t balance;
    for (uint32_t i = 0; i < value_at(&history->values, other)->len; i++)
        if (account_at(history, other, i, &account, &balance) &&
            !tells_account(history, balances, account))
            return false;
    return true;
}

static bool tells_parties(const struct history *history, uint32_t balances, uint32_t transfer) {
    const struct value *value = value_at(&history->values, transfer);
    for (uint32_t i = 0; i + 1 < value->len; i += 2) {
        const uint32_t *items = value_items(&history->values, transfer);
        struct bytes field = value_bytes(&history->values, items[i]);
        if ((bytes_equal(field, BYTES("from")) || bytes_equal(field, BYTES("to"))) &&
            !tells_account(history, balances, items[i + 1]))
            return false;
    }
    return true;
}

/* A read of all accounts: of those that were there at first, that others read, and that took part
 * in a transfer. */
static bool reads_all(const struct history *history, const struct op *read) {
    if (!answered(read) || read->out == VALUE_NULL ||
        !tells_all(history, read->out, history->initial))
        return false;
    bool map = value_at(&history->values, read->out)->kind == VALUE_MAP, all = true;
    for (uint32_t i = 0; i < history->op_count && all; i++) {
        const struct op *op = &history->ops[i];
        if (answered(op) && op->out != VALUE_NULL)
            all = tells_all(history, read->out, op->out);
        else if (op->f == OP_TRANSFER && op->outcome != OP_FAIL && map)
            all = tells_parties(history, read->out, op->arg);
    }
    return all;
}

static bool breaks_total(const struct history *history, uint32_t read) {
    wide expected, total;
    if (!reads_all(history, &history->ops[read]))
        return false;
    bool given = total_of(history, history->initial, &expected);
    for (uint32_t i = 0; i < read && !given; i++) {
        given = reads_all(history, &history->ops[i]);
        if (given)
            total_of(history, history->ops[i].out, &expected);
    }
    total_of(history, history->ops[read].out, &total);
    return given && total != expected;
}

/* ---- set-complete ---- */

static bool has(const struct history *history, uint32_t list, uint32_t element) {
    const struct value *value = value_at(&history->values, list);
    for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->len; i++)
        if (value_items(&history->values, list)[i] == element)
            return true;
    return false;
}

/* An addition that the read must show, or an element that no operation tried to add. */
static bool lacks(const struct history *history, const struct op *read, const struct op *add) {
    if (add->outcome != OP_OK || add->ret >= read->call || has(history, read->out, add->arg))
        return false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_REMOVE && op->key == read->key && op->arg == add->arg &&
            op->outcome != OP_FAIL && op->call < read->ret)
            return false;
    }
    return true;
}

static bool was_added(const struct history *history, uint32_t key, uint32_t element) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_ADD && op->key == key && op->arg == element && op->outcome != OP_FAIL)
            return true;
    }
    return has(history, history_initial(history, key), element);
}

static bool breaks_set(const struct history *history, uint32_t read) {
    const struct op *of = &history->ops[read];
    if (!answered(of) || of->out == VALUE_NULL)
        return false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->key == of->key && answered(op) && op->out != VALUE_NULL && op->call > of->call)
            return false; /* not the last read */
    }
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_ADD && op->key == of->key && lacks(history, of, op))
            return true;
    }
    const struct value *list = value_at(&history->values, of->out);
    for (uint32_t i = 0; list->kind == VALUE_LIST && i < list->len; i++)
        if (!was_added(history, of->key, value_items(&history->values, of->out)[i]))
            return true;
    return false;
}

bool exhaustive_breaks(const struct history *history, enum level level, uint32_t op) {
    switch (level) {
    case LEVEL_COUNTER_BOUNDS:
        return breaks_bounds(history, op);
    case LEVEL_BANK_TOTAL:
        return breaks_total(history, op);
    case LEVEL_SET_COMPLETE:
        return breaks_set(history, op);
    default:
        return breaks_convergence(history, op);
    }
}

bool exhaustive_simple(const struct history *history, enum level level) {
    for (uint32_t op = 0; op < history->op_count; op++)
        if (exhaustive_breaks(history, level, op))
            return false;
    return true;
}
