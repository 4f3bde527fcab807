#include "check/hint.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 8u /* keys with initial values of their own in one sentence */

struct pair {
    uint32_t key, value;
};

struct pairs {
    struct pair *at;
    uint32_t count, cap;
};

static void push(struct pairs *pairs, uint32_t key, uint32_t value) {
    if (pairs->count == pairs->cap) {
        pairs->cap += pairs->cap / 2 + 64;
        pairs->at = cairn_realloc(pairs->at, pairs->cap * sizeof *pairs->at);
    }
    pairs->at[pairs->count++] = (struct pair){key, value};
}

static int by_pair(const void *a, const void *b) {
    const struct pair *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void sort(struct pairs *pairs) {
    uint32_t kept = 0;
    if (pairs->count > 0)
        qsort(pairs->at, pairs->count, sizeof *pairs->at, by_pair);
    for (uint32_t i = 0; i < pairs->count; i++)
        if (kept == 0 || by_pair(&pairs->at[kept - 1], &pairs->at[i]) != 0)
            pairs->at[kept++] = pairs->at[i];
    pairs->count = kept;
}

/* ---- registers: what was read and never written ---- */

static uint32_t item(const struct history *history, uint32_t list, uint32_t number) {
    return value_items(&history->values, list)[number];
}

struct gathering {
    const struct history *history;
    uint32_t *acknowledged; /* by key: the earliest end of a write; NULL: real time says nothing */
    struct pairs written, seen;
};

/* Of what failed not even the shape is known. */
static bool is_pair(const struct history *history, uint32_t value) {
    const struct value *at = value_at(&history->values, value);
    return at->kind == VALUE_LIST && at->len == 2;
}

/* A read behind an acknowledged write does not find the initial value. */
static void see(struct gathering *gathering, const struct op *op, uint32_t key, uint32_t value) {
    if (op->outcome == OP_OK && value != VALUE_NONE &&
        (gathering->acknowledged == NULL || op->call < gathering->acknowledged[key]))
        push(&gathering->seen, key, value);
}

/* Failed writes too: what they would have written is no initial value. */
static void write_of(struct gathering *gathering, const struct op *op, uint32_t key,
                     uint32_t value) {
    push(&gathering->written, key, value);
    if (gathering->acknowledged != NULL && op->outcome == OP_OK &&
        op->ret < gathering->acknowledged[key])
        gathering->acknowledged[key] = op->ret;
}

/* Each is met in the order of its call, and an end behind a call is no matter for that call. */
static void gather_op(struct gathering *gathering, const struct op *op) {
    const struct history *history = gathering->history;
    for (uint32_t i = 0; op->f == OP_TXN && i < op->out; i++) {
        const struct mop *mop = &history->mops[op->arg + i];
        if (mop->kind == MOP_READ)
            see(gathering, op, mop->key, mop->value);
        else
            write_of(gathering, op, mop->key, mop->value);
    }
    if (op->f == OP_READ || op->f == OP_SWAP)
        see(gathering, op, op->key, op->out);
    if (op->f == OP_CAS && is_pair(history, op->arg)) {
        see(gathering, op, op->key, item(history, op->arg, 0));
        write_of(gathering, op, op->key, item(history, op->arg, 1));
    }
    if (op->f == OP_WRITE || op->f == OP_SWAP || op->f == OP_SET_IF_ABSENT)
        write_of(gathering, op, op->key, op->arg);
}

static bool is_real_time(enum level level) {
    return level == LEVEL_LINEARIZABLE || level == LEVEL_STRICT_SERIALIZABLE ||
           level == LEVEL_STRONG_SNAPSHOT_ISOLATION;
}

/* False: a key has several such values, which no initial value explains. */
static bool find_unwritten(const struct history *history, enum level level, struct pairs *found) {
    struct gathering gathering = {.history = history};
    struct pairs *written = &gathering.written, *seen = &gathering.seen;
    size_t size = history->values.count * sizeof(uint32_t);
    bool one_each = true;
    if (is_real_time(level)) {
        gathering.acknowledged = cairn_alloc(size);
        memset(gathering.acknowledged, 0xff, size);
    }
    for (uint32_t i = 0; i < history->op_count; i++)
        gather_op(&gathering, &history->ops[i]);
    sort(written);
    sort(seen);
    for (uint32_t i = 0; i < seen->count && one_each; i++) {
        const struct pair *pair = &seen->at[i];
        if (pair->value == history_initial(history, pair->key) || pair->value == VALUE_NULL ||
            (written->count > 0 &&
             bsearch(pair, written->at, written->count, sizeof *pair, by_pair) != NULL))
            continue;
        one_each = found->count == 0 || found->at[found->count - 1].key != pair->key;
        push(found, pair->key, pair->value);
    }
    cairn_free(written->at);
    cairn_free(seen->at);
    cairn_free(gathering.acknowledged);
    return one_each;
}

/* ---- other objects: what was read before anything was changed ---- */

static bool is_nothing(const struct values *values, uint32_t id) {
    const struct value *value = value_at(values, id);
    return value->kind == VALUE_NIL || (value->kind == VALUE_INT && value->integer == 0) ||
           ((value->kind == VALUE_LIST || value->kind == VALUE_TEXT) && value->len == 0);
}

static void find_first_reads(const struct history *history, struct pairs *found) {
    size_t count = history->values.count;
    uint32_t *changed = cairn_alloc(2 * count * sizeof *changed), *read = changed + count;
    memset(changed, 0xff, 2 * count * sizeof *changed);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        bool told = op->f == OP_READ && op->outcome == OP_OK && op->out != VALUE_NONE;
        if (op->f != OP_READ && op->outcome != OP_FAIL && op->call < changed[op->key])
            changed[op->key] = op->call;
        if (told && (read[op->key] == OP_NONE || op->ret < history->ops[read[op->key]].ret))
            read[op->key] = i;
    }
    for (uint32_t key = 0; key < count; key++) {
        const struct op *op = read[key] == OP_NONE ? NULL : &history->ops[read[key]];
        if (op != NULL && op->ret < changed[key] && !is_nothing(&history->values, op->out))
            push(found, key, op->out);
    }
    cairn_free(changed);
}

static bool changes_in_place(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].f == OP_APPEND || history->ops[i].f == OP_ADD)
            return true;
    return false;
}

static bool find_candidates(const struct history *history, const struct check_options *options,
                            struct pairs *found) {
    enum model model = options->model;
    bool registers = (model_is_register(model) && !changes_in_place(history)) ||
                     model == MODEL_MULTI_REGISTER || model == MODEL_TXN_RW;
    if (registers)
        return find_unwritten(history, options->level, found);
    if (model == MODEL_KV || model == MODEL_COUNTER || model == MODEL_APPEND || model == MODEL_SET)
        find_first_reads(history, found);
    return true;
}

/* ---- trying ---- */

static enum answer try_on(const struct history *trial, const struct check_options *options,
                          uint64_t try_ns) {
    struct limits limits = {0};
    struct check_options once = *options;
    struct verdict verdict;
    if (options->limits != NULL)
        limits = *options->limits;
    limits.stopped = LIMITS_GO;
    if (limits.now_ns != NULL) {
        uint64_t end_ns = limits.now_ns(limits.context) + try_ns;
        limits.deadline_ns =
            limits.deadline_ns != 0 && limits.deadline_ns < end_ns ? limits.deadline_ns : end_ns;
    }
    once.limits = &limits;
    once.want_order = false;
    check_history(trial, &once, &verdict);
    enum answer answer = verdict.answer;
    verdict_free(&verdict);
    return answer;
}

static void say_answer(enum answer answer, struct buf *out) {
    buf_printf(out, answer == ANSWER_YES  ? "it holds"
                    : answer == ANSWER_NO ? "it is violated all the same"
                                          : "it could not be decided in a few seconds");
}

/* Operations are shared with the history. */
static void trial_init(struct history *trial, const struct history *history) {
    *trial = *history;
    values_copy(&trial->values, &history->values);
    trial->initial_of = NULL;
    trial->initial_count = trial->initial_cap = 0;
    for (uint32_t i = 0; i < history->initial_count; i++)
        history_set_initial(trial, history->initial_of[2 * i], history->initial_of[2 * i + 1]);
}

static void trial_free(struct history *trial) {
    values_free(&trial->values);
    cairn_free(trial->initial_of);
}

static enum answer try_for_all(const struct history *history, const struct check_options *options,
                               uint32_t value, uint64_t try_ns) {
    struct history trial;
    trial_init(&trial, history);
    trial.initial = value;
    enum answer answer = try_on(&trial, options, try_ns);
    trial_free(&trial);
    return answer;
}

static enum answer try_by_key(const struct history *history, const struct check_options *options,
                              const struct pairs *found, uint64_t try_ns) {
    struct history trial;
    trial_init(&trial, history);
    for (uint32_t i = 0; i < found->count; i++)
        history_set_initial(&trial, found->at[i].key, found->at[i].value);
    enum answer answer = try_on(&trial, options, try_ns);
    trial_free(&trial);
    return answer;
}

/* x=0,y=0 as --initial takes it; false: these can't be told so. */
static bool print_pairs(const struct history *history, const struct pairs *found, struct buf *out) {
    struct buf one = {0};
    bool good = found->count <= PAIRS_MAX;
    for (uint32_t i = 0; good && i < found->count; i++) {
        buf_clear(&one);
        value_show(&history->values, found->at[i].key, &one);
        buf_u8(&one, '=');
        value_print(&history->values, found->at[i].value, &one);
        good = found->at[i].key != VALUE_NULL && memchr(one.data, ',', one.len) == NULL &&
               memchr(one.data, ' ', one.len) == NULL && memchr(one.data, '\'', one.len) == NULL;
        buf_printf(out, "%s", i == 0 ? "" : ",");
        buf_bytes(out, buf_view(&one));
    }
    buf_free(&one);
    return good;
}

static bool all_equal(const struct pairs *found) {
    for (uint32_t i = 1; i < found->count; i++)
        if (found->at[i].value != found->at[0].value)
            return false;
    return true;
}

/* A value as a shell takes it. */
static void print_argument(const struct history *history, uint32_t value, struct buf *out) {
    bool bare = value_at(&history->values, value)->kind == VALUE_INT;
    buf_printf(out, bare ? "" : "'");
    value_print(&history->values, value, out);
    buf_printf(out, bare ? "" : "'");
}

static bool tell_initial(const struct history *history, const struct check_options *options,
                         const struct pairs *found, uint64_t try_ns, struct buf *out) {
    struct buf pairs = {0};
    bool equal = all_equal(found);
    enum answer answer =
        equal ? try_for_all(history, options, found->at[0].value, try_ns) : ANSWER_NO;
    bool by_key = print_pairs(history, found, &pairs);
    if (answer != ANSWER_YES && by_key) {
        enum answer again = try_by_key(history, options, found, try_ns);
        equal &= again != ANSWER_YES;
        answer = again;
    }
    bool told = equal || by_key;
    if (told && equal) {
        buf_printf(out, "perhaps the initial value is ");
        value_print(&history->values, found->at[0].value, out);
        buf_printf(out, ", which was read and never written: with --initial ");
        print_argument(history, found->at[0].value, out);
    } else if (told) {
        buf_printf(out,
                   "perhaps keys have initial values, which were read and never written: with "
                   "--initial '%.*s'",
                   (int)pairs.len, (const char *)pairs.data);
    }
    if (told) {
        buf_u8(out, ' ');
        say_answer(answer, out);
    }
    buf_free(&pairs);
    return told;
}

/* ---- a bank ---- */

static bool field_of(const struct history *history, uint32_t map, const char *name, uint32_t *to) {
    const struct value *value = value_at(&history->values, map);
    for (uint32_t i = 0; i + 1 < value->len; i += 2) {
        uint32_t key = item(history, map, i);
        if (value_at(&history->values, key)->kind == VALUE_TEXT &&
            bytes_equal(value_bytes(&history->values, key), bytes_cstr(name))) {
            *to = item(history, map, i + 1);
            return true;
        }
    }
    return false;
}

static int64_t number_of(const struct history *history, uint32_t value) {
    const struct value *at = value_at(&history->values, value);
    return at->kind == VALUE_INT ? at->integer : 0;
}

/* The balances that were read first, as key, balance, key, balance ... A list counts accounts. */
static uint32_t *balances_of(struct history *trial, uint32_t read, uint32_t *count) {
    const struct value value = *value_at(&trial->values, read);
    bool map = value.kind == VALUE_MAP;
    *count = map ? value.len / 2 : value.len;
    uint32_t *balances = cairn_alloc((2 * (size_t)*count + 2) * sizeof *balances);
    for (uint32_t i = 0; i < *count; i++) {
        balances[2 * i] = map ? item(trial, read, 2 * i) : value_int(&trial->values, i);
        balances[2 * i + 1] = item(trial, read, map ? 2 * i + 1 : i);
    }
    return balances;
}

static void give_back(struct history *trial, uint32_t *balances, uint32_t count, uint32_t account,
                      int64_t amount) {
    int64_t balance;
    for (uint32_t i = 0; i < count; i++)
        if (balances[2 * i] == account &&
            !__builtin_add_overflow(number_of(trial, balances[2 * i + 1]), amount, &balance))
            balances[2 * i + 1] = value_int(&trial->values, balance);
}

/* Undoes what had surely been transferred before the read began. */
static void undo_transfers(struct history *trial, const struct op *read, uint32_t *balances,
                           uint32_t count) {
    for (uint32_t i = 0; i < trial->op_count; i++) {
        const struct op *op = &trial->ops[i];
        uint32_t from, to, amount;
        if (op->f != OP_TRANSFER || op->outcome != OP_OK || op->ret > read->call ||
            !field_of(trial, op->arg, "from", &from) || !field_of(trial, op->arg, "to", &to) ||
            !field_of(trial, op->arg, "amount", &amount))
            continue;
        int64_t moved = number_of(trial, amount);
        if (moved == INT64_MIN)
            continue;
        give_back(trial, balances, count, from, moved);
        give_back(trial, balances, count, to, -moved);
    }
}

static int64_t total_of(const struct history *history, const uint32_t *balances, uint32_t count) {
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(total, number_of(history, balances[2 * i + 1]), &total))
            return 0;
    return total;
}

static const struct op *first_read(const struct history *history) {
    const struct op *first = NULL;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_READ && op->outcome == OP_OK && op->out != VALUE_NONE &&
            op->out != VALUE_NULL && (first == NULL || op->ret < first->ret))
            first = op;
    }
    return first;
}

static bool tell_bank(const struct history *history, const struct check_options *options,
                      uint64_t try_ns, struct buf *out) {
    struct history trial;
    const struct op *read = first_read(history);
    if (read == NULL || history->initial_count > 0)
        return false;
    uint32_t count;
    trial_init(&trial, history);
    uint32_t *balances = balances_of(&trial, read->out, &count);
    int64_t total = total_of(&trial, balances, count);
    undo_transfers(&trial, read, balances, count);
    trial.initial = value_map(&trial.values, balances, 2 * count);
    cairn_free(balances);
    if (total != 0) {
        buf_printf(out, "all accounts were taken to be empty at first, and the first read (");
        history_place(history, read->line, out);
        buf_printf(out, ") has a total of %" PRId64 ": with --initial ", total);
        print_argument(&trial, trial.initial, out);
        buf_u8(out, ' ');
        say_answer(try_on(&trial, options, try_ns), out);
    }
    trial_free(&trial);
    return total != 0;
}

/* Pairs of all operations, and a copy of the values; no limit of the caller is told of it. */
static bool has_room(const struct history *history, const struct check_options *options) {
    struct limits limits = {0};
    if (options->limits != NULL)
        limits = *options->limits;
    size_t more = 3 * sizeof(struct pair) * ((size_t)history->op_count + history->mop_count) +
                  48 * (size_t)history->values.count;
    return limits_room(&limits, more);
}

bool hint_initial(const struct history *history, const struct check_options *options,
                  const struct verdict *verdict, uint64_t try_ns, struct buf *out) {
    struct pairs found = {0};
    bool ignored = options->model == MODEL_TXN_RW && history->may_miss_writes;
    if (verdict->answer != ANSWER_NO || history->initial_told || ignored ||
        !has_room(history, options))
        return false;
    if (options->model == MODEL_BANK)
        return tell_bank(history, options, try_ns, out);
    bool told = find_candidates(history, options, &found) && found.count > 0 &&
                tell_initial(history, options, &found, try_ns, out);
    cairn_free(found.at);
    return told;
}
