/* Every fast way of judging single operations against plain exhaustive search, on random tiny
 * histories: answers come from a run of the object, and now and then one is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "foresee.h"
#include "judge_truth.h"
#include "check/containers.h"
#include "check/exhaustive.h"
#include "check/sums.h"
#include "check/verify.h"
#include "check/write.h"

#define ITEMS_MAX 16
#define DOMAIN_REPEATED 3
#define PROCESSES_MAX 6

/* ---- an object that answers ---- */

struct object {
    int64_t items[ITEMS_MAX]; /* a register's value is items[0], present when count > 0 */
    uint32_t count;
};

struct plan {
    enum model model;
    uint32_t ops, processes, keys;
    bool unique;
    uint32_t lies;  /* of 100 answers */
    uint32_t open;  /* of 100 operations */
    uint32_t swaps; /* pairs of answers that change places */
    bool plain;     /* containers: no peeks; banks: reads tell all accounts */
    bool slow;      /* answers come late: much is open at once */
    bool foresees;  /* some are told what is done only later, mostly by their own process */
    uint64_t seed;
};

struct making {
    struct history *history;
    struct prng prng;
    const struct plan *plan;
    struct object objects[2];
    int64_t next_value;
};

static uint32_t integer(struct making *making, int64_t number) {
    return value_int(&making->history->values, number);
}

static int64_t fresh(struct making *making) {
    return making->plan->unique ? ++making->next_value
                                : 1 + (int64_t)prng_below(&making->prng, DOMAIN_REPEATED);
}

static uint32_t list_of(struct making *making, const int64_t *items, uint32_t count) {
    uint32_t ids[ITEMS_MAX];
    for (uint32_t i = 0; i < count; i++)
        ids[i] = integer(making, items[i]);
    return value_list(&making->history->values, ids, count);
}

static void remove_at(struct object *object, uint32_t at) {
    object->count--;
    memmove(object->items + at, object->items + at + 1, (object->count - at) * sizeof(int64_t));
}

static uint32_t smallest(const struct object *object) {
    uint32_t at = 0;
    for (uint32_t i = 1; i < object->count; i++)
        if (object->items[i] < object->items[at])
            at = i;
    return at;
}

static uint32_t find(const struct object *object, int64_t value) {
    uint32_t at = 0;
    while (at < object->count && object->items[at] != value)
        at++;
    return at;
}

/* What the register held, as an answer. */
static uint32_t held(struct making *making, const struct object *object) {
    return object->count == 0 ? VALUE_NULL : integer(making, object->items[0]);
}

static void hold(struct object *object, int64_t value) {
    object->items[0] = value;
    object->count = 1;
}

static void do_register(struct making *making, struct object *object, struct op *op) {
    uint64_t choice = prng_below(&making->prng, making->plan->model == MODEL_REGISTER       ? 2
                                                : making->plan->model == MODEL_CAS_REGISTER ? 3
                                                                                            : 7);
    int64_t value = fresh(making);
    op->arg = op->out = integer(making, value);
    if (choice == 0) {
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = held(making, object);
    } else if (choice == 1) {
        op->f = OP_WRITE;
        hold(object, value);
    } else if (choice == 2) {
        int64_t from = object->count > 0 && prng_chance(&making->prng, 2, 3) ? object->items[0]
                                                                             : fresh(making);
        bool match = object->count > 0 && object->items[0] == from;
        op->f = OP_CAS;
        op->arg = list_of(making, (int64_t[]){from, value}, 2);
        op->out = op->arg;
        op->outcome = match ? OP_OK : making->plan->unique ? OP_FAIL : OP_MISMATCH;
        if (match)
            hold(object, value);
    } else if (choice == 3) {
        op->f = OP_SWAP;
        op->out = held(making, object);
        hold(object, value);
    } else if (choice == 4) {
        op->f = OP_DELETE;
        op->arg = VALUE_NULL;
        op->out = integer(making, object->count);
        object->count = 0;
    } else if (choice == 5) {
        op->f = OP_SET_IF_ABSENT;
        op->out = integer(making, object->count == 0);
        if (object->count == 0)
            hold(object, value);
    } else {
        op->f = OP_ADD;
        hold(object, (object->count > 0 ? object->items[0] : 0) + value);
        op->out = held(making, object);
    }
}

/* Texts: put, append, get. */
static void do_text(struct making *making, struct object *object, struct op *op) {
    char text[ITEMS_MAX * 2 + 1];
    uint64_t choice = prng_below(&making->prng, 5);
    int64_t value = fresh(making) % 8;
    uint32_t len = 0;
    snprintf(text, sizeof text, "%d", (int)value);
    op->arg = op->out = value_text(&making->history->values, bytes_cstr(text));
    if (choice < 2 && object->count < ITEMS_MAX) {
        op->f = OP_APPEND;
        object->items[object->count++] = value;
    } else if (choice == 2) {
        op->f = OP_WRITE;
        hold(object, value);
    } else {
        for (uint32_t i = 0; i < object->count; i++)
            len += (uint32_t)snprintf(text + len, sizeof text - len, "%d", (int)object->items[i]);
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = object->count == 0 ? VALUE_NULL
                                     : value_text(&making->history->values, bytes_of(text, len));
    }
}

static void do_container(struct making *making, struct object *object, struct op *op) {
    enum model model = making->plan->model;
    bool put = prng_chance(&making->prng, 1, 2) && object->count < ITEMS_MAX;
    int64_t value = fresh(making);
    op->arg = op->out = put ? integer(making, value) : VALUE_NULL;
    if (put) {
        op->f = model == MODEL_QUEUE ? OP_ENQUEUE : model == MODEL_STACK ? OP_PUSH : OP_INSERT;
        object->items[object->count++] = value;
        return;
    }
    bool peek = prng_chance(&making->prng, 1, 5) && !making->plan->plain;
    uint32_t at = model == MODEL_QUEUE   ? 0
                  : model == MODEL_STACK ? object->count - 1
                                         : smallest(object);
    op->f = peek                   ? OP_PEEK
            : model == MODEL_QUEUE ? OP_DEQUEUE
            : model == MODEL_STACK ? OP_POP
                                   : OP_DELETE_MIN;
    if (object->count == 0)
        return;
    op->out = integer(making, object->items[at]);
    if (!peek)
        remove_at(object, at);
}

static void do_set(struct making *making, struct object *object, struct op *op) {
    uint64_t choice = prng_below(&making->prng, 5);
    int64_t value =
        choice == 2 || choice == 3 ? 1 + (int64_t)prng_below(&making->prng, 3) : fresh(making);
    uint32_t at = find(object, value);
    bool there = at < object->count;
    op->arg = op->out = integer(making, value);
    if (choice < 2) {
        op->f = OP_ADD;
        if (!there && object->count < ITEMS_MAX)
            object->items[object->count++] = value;
    } else if (choice == 2) {
        op->f = OP_CONTAINS;
        op->out = value_bool(&making->history->values, there);
    } else if (choice == 3) {
        op->f = OP_REMOVE;
        op->out = value_bool(&making->history->values, there);
        if (there)
            remove_at(object, at);
    } else {
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = list_of(making, object->items, object->count);
    }
}

static void do_append(struct making *making, struct object *object, struct op *op) {
    op->arg = VALUE_NULL;
    if (prng_chance(&making->prng, 1, 2) || object->count == ITEMS_MAX) {
        op->f = OP_READ;
        op->out = list_of(making, object->items, object->count);
        if (object->count == 0)
            op->out = VALUE_NULL;
        return;
    }
    op->f = OP_APPEND;
    object->items[object->count] = fresh(making);
    op->arg = op->out = integer(making, object->items[object->count++]);
}

static void do_counter(struct making *making, struct object *object, struct op *op) {
    if (object->count == 0)
        hold(object, 0);
    op->f = prng_chance(&making->prng, 1, 2) ? OP_READ : OP_ADD;
    op->arg = VALUE_NULL;
    if (op->f == OP_ADD) {
        int64_t amount = 1 + (int64_t)prng_below(&making->prng, 2);
        amount = prng_chance(&making->prng, 1, 3) ? -amount : amount;
        object->items[0] += amount;
        op->arg = integer(making, amount);
    }
    op->out = op->f == OP_READ ? integer(making, object->items[0]) : op->arg;
}

static void do_mutex(struct making *making, struct object *object, struct op *op) {
    bool free = object->count == 0;
    op->f = free == prng_chance(&making->prng, 9, 10) ? OP_ACQUIRE : OP_RELEASE;
    op->arg = op->out = VALUE_NULL;
    object->count = op->f == OP_ACQUIRE;
}

/* One to three reads and writes of the two objects. */
static void do_txn(struct making *making, struct op *op) {
    struct history *history = making->history;
    op->f = OP_TXN;
    op->key = VALUE_NULL;
    op->arg = history->mop_count;
    op->out = 1 + (uint32_t)prng_below(&making->prng, 3);
    for (uint32_t i = 0; i < op->out; i++) {
        uint32_t key = (uint32_t)prng_below(&making->prng, 2);
        struct object *object = &making->objects[key];
        struct mop mop = {.kind = prng_chance(&making->prng, 1, 2) ? MOP_READ : MOP_WRITE,
                          .key = integer(making, key)};
        if (mop.kind == MOP_WRITE)
            hold(object, fresh(making));
        mop.value = held(making, object);
        *history_mop(history) = mop;
    }
}

/* Reads that change places with others of their register. */
static void swap_reads(struct history *history, struct prng *prng, uint32_t swaps) {
    for (uint32_t i = 0; i < swaps * 8 && history->mop_count > 0; i++) {
        struct mop *a = &history->mops[prng_below(prng, history->mop_count)];
        struct mop *b = &history->mops[prng_below(prng, history->mop_count)];
        if (a->kind != MOP_READ || b->kind != MOP_READ || a->key != b->key || i % 4 != 0)
            continue;
        uint32_t value = a->value;
        a->value = b->value;
        b->value = value;
    }
}

#define ACCOUNTS 3

static uint32_t balances(struct making *making, uint32_t accounts) {
    uint32_t items[2 * ACCOUNTS];
    for (uint32_t i = 0; i < accounts; i++) {
        items[2 * i] = integer(making, i);
        items[2 * i + 1] = integer(making, making->objects[0].items[i]);
    }
    return value_map(&making->history->values, items, 2 * accounts);
}

static void do_bank(struct making *making, struct op *op) {
    struct values *values = &making->history->values;
    op->key = VALUE_NULL;
    op->f = prng_chance(&making->prng, 2, 5) ? OP_READ : OP_TRANSFER;
    op->arg = VALUE_NULL;
    op->out = balances(making, ACCOUNTS - (op->f == OP_READ && !making->plan->plain &&
                                           prng_chance(&making->prng, 1, 6)));
    if (op->f == OP_READ)
        return;
    int64_t from = (int64_t)prng_below(&making->prng, ACCOUNTS),
            to = (int64_t)prng_below(&making->prng, ACCOUNTS),
            amount = (int64_t)prng_below(&making->prng, 3);
    uint32_t items[] = {value_text(values, BYTES("from")),   integer(making, from),
                        value_text(values, BYTES("to")),     integer(making, to),
                        value_text(values, BYTES("amount")), integer(making, amount)};
    making->objects[0].items[from] -= amount;
    making->objects[0].items[to] += amount;
    op->arg = op->out = value_map(values, items, 6);
}

static void perform(struct making *making, struct op *op) {
    struct object *object = &making->objects[op->key == VALUE_NULL ? 0 : 1];
    switch (making->plan->model) {
    case MODEL_COUNTER:
        do_counter(making, object, op);
        return;
    case MODEL_SET:
        do_set(making, object, op);
        return;
    case MODEL_APPEND:
        do_append(making, object, op);
        return;
    case MODEL_MUTEX:
        do_mutex(making, object, op);
        return;
    case MODEL_MULTI_REGISTER:
        do_txn(making, op);
        return;
    case MODEL_BANK:
        do_bank(making, op);
        return;
    case MODEL_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        do_container(making, object, op);
        return;
    default:
        if (making->plan->model == MODEL_KV && making->plan->unique)
            do_text(making, object, op);
        else
            do_register(making, object, op);
    }
}

/* An answer that another operation was given. */
static void lie(struct making *making, struct op *op) {
    struct history *history = making->history;
    const struct op *from = &history->ops[prng_below(&making->prng, history->op_count)];
    for (int tries = 0; tries < 8 && (from == op || from->f != op->f); tries++)
        from = &history->ops[prng_below(&making->prng, history->op_count)];
    if ((op->f == OP_READ || op->f == OP_DEQUEUE || op->f == OP_POP || op->f == OP_DELETE_MIN ||
         op->f == OP_SWAP) &&
        op->f == from->f)
        op->out = from->out;
    else if (op->f == OP_READ && from->f == OP_WRITE)
        op->out = from->arg;
}

/* Two of one kind are told each other's answers: every answer is still given as often. */
static void swap_answers(struct making *making) {
    struct history *history = making->history;
    if (history->op_count == 0)
        return;
    struct op *a = &history->ops[prng_below(&making->prng, history->op_count)];
    for (int tries = 0; tries < 8; tries++) {
        struct op *b = &history->ops[prng_below(&making->prng, history->op_count)];
        if (a == b || a->f != b->f || a->f == OP_TXN || a->outcome != OP_OK || b->outcome != OP_OK)
            continue;
        uint32_t out = a->out;
        a->out = b->out;
        b->out = out;
        return;
    }
}

/* ---- a history ---- */

struct interval {
    uint32_t process, key;
    uint64_t call, point, ret;
};

static int by_point(const void *a, const void *b) {
    const struct interval *x = a, *y = b;
    return x->point < y->point ? -1 : x->point > y->point;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t rank_of(const uint64_t *times, uint32_t count, uint64_t time) {
    uint32_t at = 0;
    while (at < count && times[at] != time)
        at++;
    return at;
}

static int by_call(const void *a, const void *b) {
    const struct op *x = a, *y = b;
    return x->call < y->call ? -1 : x->call > y->call;
}

static void make(struct history *history, const struct plan *plan) {
    struct making making = {.history = history, .plan = plan};
    struct interval intervals[EXHAUSTIVE_OPS_MAX];
    uint64_t busy[PROCESSES_MAX] = {0}, times[2 * EXHAUSTIVE_OPS_MAX];
    bool over[PROCESSES_MAX] = {false};
    history_init(history);
    history->has_real_time = true;
    prng_seed(&making.prng, plan->seed);
    for (uint32_t p = 0; p < plan->processes; p++) {
        history->processes = realloc(history->processes, (p + 1) * sizeof(uint32_t));
        history->processes[p] = value_int(&history->values, p);
    }
    history->process_count = history->process_cap = plan->processes;
    uint32_t key = value_text(&history->values, BYTES("y"));
    for (uint32_t i = 0; i < plan->ops; i++) {
        struct interval *at = &intervals[i];
        at->process = (uint32_t)prng_below(&making.prng, plan->processes);
        at->key = prng_below(&making.prng, plan->keys) == 0 ? VALUE_NULL : key;
        at->call = busy[at->process] + 1 + prng_below(&making.prng, 1000);
        at->point = at->call + 1 + prng_below(&making.prng, 1000);
        at->ret = at->point + 1 + prng_below(&making.prng, plan->slow ? 4000 : 1000);
        at->call = at->call * 64 + i; /* no two alike */
        at->point = at->point * 64 + i;
        at->ret = at->ret * 64 + 32 + i;
        busy[at->process] = at->ret / 64;
        times[2 * i] = at->call;
        times[2 * i + 1] = at->ret;
    }
    qsort(times, 2 * plan->ops, sizeof *times, by_number);
    qsort(intervals, plan->ops, sizeof *intervals, by_point);
    for (uint32_t i = 0; i < plan->ops; i++) {
        const struct interval *at = &intervals[i];
        if (over[at->process])
            continue;
        struct op *op = history_op(history);
        op->process = at->process;
        op->key = at->key;
        op->call = rank_of(times, 2 * plan->ops, at->call);
        op->ret = rank_of(times, 2 * plan->ops, at->ret);
        op->line = op->call + 1;
        op->outcome = OP_OK;
        perform(&making, op);
        if (op->outcome == OP_OK && prng_below(&making.prng, 100) < plan->lies)
            lie(&making, op);
        if (op->outcome == OP_OK && prng_below(&making.prng, 100) < plan->open) {
            op->outcome = OP_INFO;
            op->ret = OP_OPEN;
            op->out = op->f == OP_TXN ? op->out : VALUE_NONE;
            over[at->process] = true;
        }
    }
    for (uint32_t i = 0; i < plan->swaps; i++)
        swap_answers(&making);
    swap_reads(history, &making.prng, plan->swaps);
    history->positions = 2 * plan->ops;
    qsort(history->ops, history->op_count, sizeof *history->ops, by_call);
    if (plan->foresees)
        foresee(history, plan->model, &making.prng);
}

static void show(const struct history *history, const struct plan *plan, enum level level,
                 bool holds, const struct verdict *verdict) {
    struct history_writer writer = {.history = history, .format = WRITE_JSON};
    struct buf why = {0};
    history_write(&writer, &why);
    fprintf(stderr,
            "model %s level %s seed %llu: exhaustive search says %s, the checker %s: %.*s\n"
            "%.*s\n",
            model_name(plan->model), level_name(level), (unsigned long long)plan->seed,
            holds ? "yes" : "no", answer_name(verdict->answer), (int)verdict->text.len,
            (const char *)verdict->text.data, (int)writer.out.len, (const char *)writer.out.data);
    buf_free(&writer.out);
    buf_free(&why);
}

static uint64_t compared, held_count;

static void compare(const struct history *history, const struct plan *plan, enum level level,
                    bool holds) {
    struct check_options options = {
        .model = plan->model, .level = level, .by_key = true, .want_order = true};
    struct verdict verdict;
    struct buf why = {0};
    check_history(history, &options, &verdict);
    bool agrees = verdict.answer == (holds ? ANSWER_YES : ANSWER_NO);
    /* Weak levels leave open what failed comparisons saw. */
    agrees |= verdict.answer == ANSWER_UNDECIDED && level != LEVEL_LINEARIZABLE &&
              level != LEVEL_SEQUENTIAL && !plan->unique && !holds;
    if (!agrees)
        show(history, plan, level, holds, &verdict);
    assert_true(agrees);
    enum verify verified = verify_verdict(history, &verdict, &why);
    if (verified == VERIFY_WRONG) {
        show(history, plan, level, holds, &verdict);
        print_error("verify: %.*s\n", (int)why.len, (const char *)why.data);
    }
    assert_int_not_equal(verified, VERIFY_WRONG);
    /* A yes has evidence at every level; a no may have to be shrunk first. */
    if (verdict.answer == ANSWER_YES && verified != VERIFY_RIGHT)
        fail_msg("%s of %s can't be verified: %.*s", level_name(level), model_name(plan->model),
                 (int)why.len, (const char *)why.data);
    buf_free(&why);
    verdict_free(&verdict);
    compared++;
    held_count += holds;
}

/* No level holds without those that it is said to imply. */
static void compare_implied(const struct history *history, const struct plan *plan,
                            const struct truth *truth) {
    struct verdict verdict = {0};
    enum level stronger, weaker;
    if (truth_is_consistent(truth, &stronger, &weaker))
        return;
    show(history, plan, weaker, false, &verdict);
    fail_msg("%s holds and %s does not", level_name(stronger), level_name(weaker));
}

/* All levels at once say the same as each alone. */
static void compare_place(const struct history *history, const struct plan *plan,
                          const struct truth *truth) {
    struct check_options options = {.model = plan->model, .by_key = true};
    struct verdict verdicts[LEVEL_COUNT];
    check_place(history, &options, verdicts);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        enum answer answer = verdicts[level].answer;
        bool wrong = truth->defined[level] && answer != ANSWER_UNDECIDED &&
                     answer != (truth->holds[level] ? ANSWER_YES : ANSWER_NO);
        if (wrong)
            show(history, plan, (enum level)level, truth->holds[level], &verdicts[level]);
        assert_false(wrong);
        verdict_free(&verdicts[level]);
    }
}

/* Of repeated values the weak levels know at least what sequential says. */
static void compare_weak_of_repeated(const struct history *history, const struct plan *plan,
                                     const struct truth *truth) {
    static const enum level levels[] = {LEVEL_CAUSAL, LEVEL_CAUSAL_MEMORY, LEVEL_CAUSAL_CONVERGENCE,
                                        LEVEL_PRAM, LEVEL_MONOTONIC_READS};
    enum level level = levels[plan->seed / 8 % (sizeof levels / sizeof *levels)];
    if (!plan->unique && plan->model <= MODEL_CAS_REGISTER && truth->holds[LEVEL_SEQUENTIAL])
        compare(history, plan, level, true);
}

static void compare_levels(const struct plan *plan) {
    struct history history;
    struct truth truth;
    make(&history, plan);
    truth_tell(&truth, &history, plan->model, plan->unique);
    compare_implied(&history, plan, &truth);
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (truth.defined[level])
            compare(&history, plan, (enum level)level, truth.holds[level]);
    compare_weak_of_repeated(&history, plan, &truth);
    if (plan->seed % 4 == 0)
        compare_place(&history, plan, &truth);
    history_free(&history);
}

static void compare_linearizable(const struct plan *plan) {
    struct history history;
    make(&history, plan);
    compare(&history, plan, LEVEL_LINEARIZABLE, exhaustive_orders(&history, plan->model, true));
    history_free(&history);
}

static struct plan plan_of(enum model model, uint64_t seed, bool unique, bool weak) {
    struct plan plan = {.model = model, .unique = unique, .seed = prng_mix(seed, model)};
    plan.ops = 3 + (uint32_t)(plan.seed % 5);
    plan.processes = 2 + (uint32_t)(plan.seed / 8 % 3);
    plan.keys = 1 + (uint32_t)(plan.seed / 32 % 2);
    plan.lies = weak ? 60 : (uint32_t)(plan.seed / 64 % 3) * 40;
    plan.open = (uint32_t)(plan.seed / 256 % 3) * 15;
    plan.foresees = plan.seed / 768 % 4 == 0;
    return plan;
}

#define RUNS 6000u

static uint64_t runs(void) {
    const char *times = getenv("CAIRN_TEST_TIMES"), *slice = getenv("CAIRN_TEST_SLICE");
    if (slice != NULL)
        return RUNS / 20;
    return RUNS * (times ? strtoull(times, NULL, 10) : 1);
}

static void orders_of(enum model model, bool unique) {
    compared = held_count = 0;
    for (uint64_t seed = 1; seed <= runs(); seed++) {
        struct plan plan = plan_of(model, seed, unique, false);
        compare_levels(&plan);
    }
    print_message("%s, %s values: %llu comparisons, %llu hold\n", model_name(model),
                  unique ? "unique" : "repeated", (unsigned long long)compared,
                  (unsigned long long)held_count);
    assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
}

static void registers_with_unique_values(void **state) {
    orders_of(MODEL_REGISTER, true);
    orders_of(MODEL_CAS_REGISTER, true);
}

static void registers_with_repeated_values(void **state) {
    orders_of(MODEL_REGISTER, false);
    orders_of(MODEL_CAS_REGISTER, false);
    orders_of(MODEL_KV, false);
}

/* Much at once and few values: writes that another hides, also one of the value that is there. */
static void registers_with_much_overlap(void **state) {
    for (int model = MODEL_REGISTER; model <= MODEL_KV; model++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= 4 * runs(); seed++) {
            struct plan plan = plan_of((enum model)model, seed, false, false);
            plan.slow = true;
            plan.lies = 0;
            plan.processes = PROCESSES_MAX;
            plan.ops = 6 + (uint32_t)(plan.seed / 1024 % 3);
            plan.keys = 1;
            plan.swaps = (uint32_t)(plan.seed / 4096 % 2);
            compare_linearizable(&plan);
        }
        print_message("%s, much overlap: %llu comparisons, %llu hold\n",
                      model_name((enum model)model), (unsigned long long)compared,
                      (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

static void texts_and_lists(void **state) {
    orders_of(MODEL_KV, true);
    orders_of(MODEL_APPEND, true);
    orders_of(MODEL_APPEND, false);
}

static void containers(void **state) {
    orders_of(MODEL_QUEUE, true);
    orders_of(MODEL_QUEUE, false);
    orders_of(MODEL_STACK, true);
    orders_of(MODEL_STACK, false);
    orders_of(MODEL_PRIORITY_QUEUE, true);
    orders_of(MODEL_PRIORITY_QUEUE, false);
    orders_of(MODEL_SET, true);
    orders_of(MODEL_SET, false);
}

/* No two elements alike, and only what puts and takes: nothing is left to a search. */
static void elements_one_by_one(void **state) {
    static const enum model models[] = {MODEL_QUEUE, MODEL_STACK, MODEL_PRIORITY_QUEUE, MODEL_SET};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= runs(); seed++) {
            struct plan plan = plan_of(models[i], seed, true, false);
            plan.plain = true;
            plan.ops = 6 + (uint32_t)(plan.seed / 1024 % 3);
            plan.processes = 2 + (uint32_t)(plan.seed / 8 % 3);
            plan.keys = 1;
            plan.swaps = (uint32_t)(plan.seed / 4096 % 3);
            plan.lies /= 4;
            compare_linearizable(&plan);
        }
        print_message("%s, one by one: %llu comparisons, %llu hold\n", model_name(models[i]),
                      (unsigned long long)compared, (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

/* The way of transactions alone, which a short search leaves little to do. */
static void compare_transactions(const struct plan *plan) {
    struct history history;
    struct verdict verdict;
    struct buf why = {0};
    struct limits unlimited = {0};
    uint32_t ops[EXHAUSTIVE_OPS_MAX];
    bool holds;
    make(&history, plan);
    for (uint32_t i = 0; i < history.op_count; i++)
        ops[i] = i;
    bool expected = exhaustive_orders(&history, plan->model, true);
    compare(&history, plan, LEVEL_LINEARIZABLE, expected);
    verdict_init(&verdict, plan->model, LEVEL_LINEARIZABLE);
    if (multi_check(&history, ops, history.op_count, &unlimited, true, &holds, &verdict)) {
        if (holds != expected)
            show(&history, plan, LEVEL_LINEARIZABLE, expected, &verdict);
        assert_int_equal(holds, expected);
        assert_int_not_equal(verify_verdict(&history, &verdict, &why), VERIFY_WRONG);
    } else {
        assert_false(plan->unique);
    }
    buf_free(&why);
    verdict_free(&verdict);
    history_free(&history);
}

static void transactions_on_one_object(void **state) {
    for (int unique = 0; unique < 2; unique++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= runs(); seed++) {
            struct plan plan = plan_of(MODEL_MULTI_REGISTER, seed, unique, false);
            plan.swaps = (uint32_t)(plan.seed / 4096 % 4);
            compare_transactions(&plan);
        }
        print_message("multi-register: %llu comparisons, %llu hold\n", (unsigned long long)compared,
                      (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

/* Adding up alone, which a short search leaves little to do. */
static void compare_sums(const struct plan *plan) {
    struct history history;
    struct verdict verdict;
    struct buf why = {0};
    struct sums_result result;
    uint32_t ops[EXHAUSTIVE_OPS_MAX];
    make(&history, plan);
    for (uint32_t i = 0; i < history.op_count; i++)
        ops[i] = i;
    bool expected = exhaustive_orders(&history, plan->model, true);
    compare(&history, plan, LEVEL_LINEARIZABLE, expected);
    verdict_init(&verdict, plan->model, LEVEL_LINEARIZABLE);
    assert_true(
        sums_check(&history, plan->model, ops, history.op_count, VALUE_NULL, NULL, &result));
    verdict.answer = result.answer;
    if (result.answer != (expected ? ANSWER_YES : ANSWER_NO))
        show(&history, plan, LEVEL_LINEARIZABLE, expected, &verdict);
    assert_int_equal(result.answer, expected ? ANSWER_YES : ANSWER_NO);
    struct order *order = verdict_order(&verdict, SCOPE_ALL, VALUE_NULL);
    order->ops = result.order;
    order->count = result.order_count;
    if (expected)
        assert_int_equal(verify_verdict(&history, &verdict, &why), VERIFY_RIGHT);
    buf_free(&why);
    verdict_free(&verdict);
    history_free(&history);
}

static void sums_of_changes(void **state) {
    static const enum model models[] = {MODEL_BANK, MODEL_COUNTER};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= 2 * runs(); seed++) {
            struct plan plan = plan_of(models[i], seed, true, false);
            plan.keys = 1;
            plan.open = (uint32_t)(plan.seed / 256 % 4) * 15;
            plan.plain = true;
            plan.ops += (uint32_t)(plan.seed / 1024 % 2);
            plan.swaps = (uint32_t)(plan.seed / 4096 % 3);
            compare_sums(&plan);
        }
        print_message("%s, added up: %llu comparisons, %llu hold\n", model_name(models[i]),
                      (unsigned long long)compared, (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

static void counters_locks_and_banks(void **state) {
    orders_of(MODEL_COUNTER, true);
    orders_of(MODEL_MUTEX, true);
    orders_of(MODEL_BANK, true);
}

static void weak_levels(void **state) {
    for (int model = MODEL_REGISTER; model <= MODEL_CAS_REGISTER; model++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= 2 * runs(); seed++) {
            struct plan plan = plan_of((enum model)model, seed, true, true);
            compare_levels(&plan);
        }
        print_message("%s: %llu comparisons, %llu hold\n", model_name((enum model)model),
                      (unsigned long long)compared, (unsigned long long)held_count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_with_unique_values),
        cmocka_unit_test(registers_with_repeated_values),
        cmocka_unit_test(registers_with_much_overlap),
        cmocka_unit_test(texts_and_lists),
        cmocka_unit_test(containers),
        cmocka_unit_test(elements_one_by_one),
        cmocka_unit_test(transactions_on_one_object),
        cmocka_unit_test(sums_of_changes),
        cmocka_unit_test(counters_locks_and_banks),
        cmocka_unit_test(weak_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
