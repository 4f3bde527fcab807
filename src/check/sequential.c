#include "check/sequential.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/linearizable.h"
#include "check/partition.h"
#include "check/refute.h"
#include "check/spec.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_STEPS 20000u
#define STEPS_FACTOR 16u

/* A configuration: how many operations of each process are placed, then the state of each key. */
struct seq {
    const struct history *history;
    struct spec spec;
    struct limits *limits;
    struct spec_op *specs; /* of each operation that counts, by process */
    uint32_t *ops, *keys;  /* its number, its dense key */
    uint32_t *from;        /* process -> its first; one more at the end */
    uint32_t processes, key_count, count, width;
    uint32_t *stack; /* configurations on the path; the last is the present one */
    uint32_t *tried; /* of each: the next process to try */
    uint32_t depth, cap;
    struct buf seen; /* configurations that lead nowhere, and those on the path */
    uint32_t *table, table_size, seen_count;
};

static bool counts(const struct op *op, uint32_t key) {
    return op->outcome != OP_FAIL && (key == VALUE_NONE || op->key == key);
}

static void gather(struct seq *seq, uint32_t key) {
    const struct history *history = seq->history;
    uint32_t *key_of = cairn_alloc(history->values.count * sizeof *key_of);
    uint32_t *initial = cairn_alloc((history->op_count + 1) * sizeof *initial);
    memset(key_of, 0xff, history->values.count * sizeof *key_of);
    seq->processes = history->process_count;
    seq->from = cairn_alloc_zero((seq->processes + 2) * sizeof *seq->from);
    seq->ops = cairn_alloc((history->op_count + 1) * sizeof *seq->ops);
    seq->keys = cairn_alloc((history->op_count + 1) * sizeof *seq->keys);
    for (uint32_t i = 0; i < history->op_count; i++)
        if (counts(&history->ops[i], key))
            seq->from[history->ops[i].process + 1]++;
    for (uint32_t p = 0; p < seq->processes; p++)
        seq->from[p + 1] += seq->from[p];
    seq->count = seq->from[seq->processes];
    uint32_t *next = cairn_alloc((seq->processes + 1) * sizeof *next);
    memcpy(next, seq->from, (seq->processes + 1) * sizeof *next);
    bool keyed = model_keyed(seq->spec.model);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (!counts(op, key))
            continue;
        uint32_t name = keyed ? op->key : VALUE_NULL;
        if (key_of[name] == UINT32_MAX) {
            initial[seq->key_count] = name;
            key_of[name] = seq->key_count++;
        }
        uint32_t at = next[op->process]++;
        seq->ops[at] = i;
        seq->keys[at] = key_of[name];
    }
    seq->specs = cairn_alloc((seq->count + 1) * sizeof *seq->specs);
    spec_prepare(&seq->spec, seq->ops, seq->count, seq->specs);
    seq->width = seq->processes + seq->key_count;
    seq->cap = 64;
    seq->stack = cairn_alloc_zero(seq->cap * seq->width * sizeof *seq->stack);
    seq->tried = cairn_alloc_zero(seq->cap * sizeof *seq->tried);
    for (uint32_t i = 0; i < seq->key_count; i++)
        seq->stack[seq->processes + i] = spec_initial(&seq->spec, initial[i]);
    cairn_free(key_of);
    cairn_free(initial);
    cairn_free(next);
}

/* ---- configurations met ---- */

static uint32_t slot_of(const struct seq *seq, const uint32_t *config) {
    size_t size = seq->width * sizeof *config;
    uint32_t at = (uint32_t)bytes_hash(bytes_of(config, size), 0) & (seq->table_size - 1);
    for (; seq->table[at] != UINT32_MAX; at = (at + 1) & (seq->table_size - 1))
        if (memcmp(seq->seen.data + seq->table[at] * size, config, size) == 0)
            break;
    return at;
}

static void grow_table(struct seq *seq) {
    seq->table_size = seq->table_size ? seq->table_size * 2 : 1024;
    cairn_free(seq->table);
    seq->table = cairn_alloc(seq->table_size * sizeof *seq->table);
    memset(seq->table, 0xff, seq->table_size * sizeof *seq->table);
    for (uint32_t i = 0; i < seq->seen_count; i++) {
        const uint8_t *config = seq->seen.data + i * seq->width * sizeof(uint32_t);
        seq->table[slot_of(seq, (const uint32_t *)(const void *)config)] = i;
    }
}

/* True: it was met before. */
static bool meet(struct seq *seq, const uint32_t *config) {
    if (seq->seen_count * 2 >= seq->table_size)
        grow_table(seq);
    uint32_t slot = slot_of(seq, config);
    if (seq->table[slot] != UINT32_MAX)
        return true;
    seq->table[slot] = seq->seen_count++;
    buf_append(&seq->seen, config, seq->width * sizeof *config);
    return false;
}

/* ---- depth first ---- */

static uint32_t *config_at(const struct seq *seq, uint32_t depth) {
    return seq->stack + (size_t)depth * seq->width;
}

static bool is_open(const struct seq *seq, uint32_t at) {
    return seq->history->ops[seq->ops[at]].outcome == OP_INFO;
}

static bool finished(const struct seq *seq, const uint32_t *config) {
    for (uint32_t p = 0; p < seq->processes; p++)
        for (uint32_t at = seq->from[p] + config[p]; at < seq->from[p + 1]; at++)
            if (!is_open(seq, at))
                return false;
    return true;
}

/* The next configuration after the process's next operation, or after leaving out an open one. */
static bool advance(struct seq *seq, uint32_t process, bool skip, uint32_t *to) {
    const uint32_t *config = config_at(seq, seq->depth);
    uint32_t at = seq->from[process] + config[process];
    if (at == seq->from[process + 1] || (skip && !is_open(seq, at)))
        return false;
    memcpy(to, config, seq->width * sizeof *to);
    to[process]++;
    uint32_t *state = &to[seq->processes + seq->keys[at]];
    return skip || spec_step(&seq->spec, *state, &seq->specs[at], state);
}

/* An operation that only observes and fits may as well be placed at once: then no other needs to be
 * tried. */
static bool is_free(const struct seq *seq, uint32_t process) {
    const uint32_t *config = config_at(seq, seq->depth);
    uint32_t at = seq->from[process] + config[process];
    return seq->specs[at].class == SPEC_OBSERVES && !is_open(seq, at);
}

static void grow_stack(struct seq *seq) {
    if (seq->depth + 2 < seq->cap)
        return;
    seq->cap *= 2;
    seq->stack = cairn_realloc(seq->stack, (size_t)seq->cap * seq->width * sizeof *seq->stack);
    seq->tried = cairn_realloc(seq->tried, seq->cap * sizeof *seq->tried);
}

/* One step down; false: this configuration leads nowhere. */
static bool descend(struct seq *seq) {
    grow_stack(seq);
    uint32_t *to = config_at(seq, seq->depth + 1);
    uint32_t *tried = &seq->tried[seq->depth];
    if (*tried == 0)
        for (uint32_t p = 0; p < seq->processes; p++)
            if (advance(seq, p, false, to) && is_free(seq, p)) {
                *tried = 2 * seq->processes;
                return !meet(seq, to);
            }
    while (*tried < 2 * seq->processes) {
        uint32_t choice = (*tried)++;
        if (advance(seq, choice / 2, choice % 2 != 0, to) && !meet(seq, to))
            return true;
    }
    return false;
}

static enum answer run(struct seq *seq) {
    for (;;) {
        if (limits_over(seq->limits, 1) ||
            (seq->seen.cap - seq->seen.len < seq->width * sizeof(uint32_t) &&
             !limits_room(seq->limits, seq->seen.cap)))
            return ANSWER_UNDECIDED;
        if (finished(seq, config_at(seq, seq->depth)))
            return ANSWER_YES;
        if (descend(seq)) {
            seq->depth++;
            seq->tried[seq->depth] = 0;
        } else if (seq->depth-- == 0) {
            return ANSWER_NO;
        }
    }
}

static void tell_order(const struct seq *seq, struct order *order) {
    for (uint32_t i = 0; i < seq->depth; i++) {
        const uint32_t *config = config_at(seq, i), *next = config_at(seq, i + 1);
        for (uint32_t p = 0; p < seq->processes; p++) {
            uint32_t at = seq->from[p] + config[p];
            if (next[p] == config[p] || (is_open(seq, at) && (seq->tried[i] - 1) % 2 != 0))
                continue;
            order_push(order, seq->ops[at]);
        }
    }
}

enum answer sequential_search(const struct history *history, enum model model, uint32_t key,
                              struct limits *limits, struct order *order) {
    struct seq seq = {.history = history, .limits = limits};
    spec_init(&seq.spec, model, history);
    gather(&seq, key);
    limits_phase(limits, "searching for an order", 0);
    enum answer answer = run(&seq);
    if (answer == ANSWER_YES && order != NULL)
        tell_order(&seq, order);
    spec_free(&seq.spec);
    cairn_free(seq.specs);
    cairn_free(seq.ops);
    cairn_free(seq.keys);
    cairn_free(seq.from);
    cairn_free(seq.stack);
    cairn_free(seq.tried);
    cairn_free(seq.table);
    buf_free(&seq.seen);
    return answer;
}

enum answer sequential_try_linearizable(const struct history *history,
                                        const struct check_options *options, uint64_t steps,
                                        bool by_key, struct verdict *verdict) {
    struct limits unlimited = {0};
    struct check_options one = *options;
    struct limits_share share;
    struct verdict found;
    one.level = LEVEL_LINEARIZABLE;
    one.by_key = by_key;
    one.limits = options->limits ? options->limits : &unlimited;
    verdict_init(&found, verdict->model, verdict->level);
    limits_share_open(&share, one.limits, steps);
    linearizable_check(history, &one, &found);
    limits_share_close(&share);
    enum answer answer = found.answer;
    if (answer == ANSWER_YES) {
        verdict_free(verdict);
        *verdict = found;
    } else {
        verdict_free(&found);
    }
    return answer;
}

/* ---- in rounds ---- */

struct rounds {
    const struct history *history;
    const struct check_options *options;
    struct limits *limits;
    struct verdict *verdict;
    struct partition partition;
    bool *decided;    /* by group: it holds */
    uint32_t *groups; /* small ones first */
    uint32_t open;    /* not decided */
    bool linearizable_open;
};

static int by_count(const void *a, const void *b, void *context) {
    const struct group *groups = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (groups[x].count != groups[y].count)
        return groups[x].count < groups[y].count ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void rounds_open(struct rounds *rounds, const struct sequential_known *known) {
    struct partition *partition = &rounds->partition;
    partition_make(partition, rounds->history, rounds->options->model);
    rounds->decided = cairn_alloc_zero(partition->group_count + 1);
    rounds->groups = cairn_alloc((partition->group_count + 1) * sizeof *rounds->groups);
    for (uint32_t i = 0; i < partition->group_count; i++)
        rounds->groups[i] = i;
    qsort_r(rounds->groups, partition->group_count, sizeof *rounds->groups, by_count,
            partition->groups);
    rounds->open = known->keys_hold ? 0 : partition->group_count;
    rounds->linearizable_open = !known->no_linearization;
}

static void rounds_close(struct rounds *rounds) {
    partition_free(&rounds->partition);
    cairn_free(rounds->decided);
    cairn_free(rounds->groups);
}

static enum answer search_within(struct rounds *rounds, uint32_t key, uint64_t steps,
                                 struct order *order) {
    struct limits_share share;
    limits_share_open(&share, rounds->limits, steps);
    enum answer answer =
        sequential_search(rounds->history, rounds->options->model, key, rounds->limits, order);
    limits_share_close(&share);
    return answer;
}

static void tell_key(struct rounds *rounds, uint32_t key) {
    struct verdict *verdict = rounds->verdict;
    verdict->answer = ANSWER_NO;
    history_say_key(rounds->history, key, &verdict->text);
    buf_printf(&verdict->text, "no order that contains every process's order is legal");
}

/* False: a key does not hold, or the limits say stop. */
static bool search_keys(struct rounds *rounds, uint64_t steps, bool want_order) {
    for (uint32_t i = 0; i < rounds->partition.group_count; i++) {
        uint32_t group = rounds->groups[i], key = rounds->partition.groups[group].key;
        if (rounds->decided[group])
            continue;
        struct order order = {.scope = SCOPE_KEY, .of = key};
        enum answer answer = search_within(rounds, key, steps, want_order ? &order : NULL);
        if (answer == ANSWER_YES && want_order)
            *verdict_order(rounds->verdict, SCOPE_KEY, key) = order;
        else
            cairn_free(order.ops);
        if (answer == ANSWER_NO)
            tell_key(rounds, key);
        if (answer == ANSWER_NO || rounds->limits->stopped != LIMITS_GO)
            return false;
        rounds->decided[group] = answer == ANSWER_YES;
        rounds->open -= answer == ANSWER_YES;
    }
    return true;
}

/* True: that was the answer. */
static bool is_linearizable(struct rounds *rounds, uint64_t steps, bool by_key) {
    if (!rounds->linearizable_open)
        return false;
    enum answer answer = sequential_try_linearizable(rounds->history, rounds->options, steps,
                                                     by_key, rounds->verdict);
    rounds->linearizable_open = answer == ANSWER_UNDECIDED;
    return answer == ANSWER_YES;
}

static void tell_undecided(struct rounds *rounds) {
    verdict_undecided(rounds->verdict, rounds->limits);
    if (rounds->partition.group_count > 1)
        buf_printf(&rounds->verdict->text, "it holds for %u of %u keys taken alone",
                   rounds->partition.group_count - rounds->open, rounds->partition.group_count);
}

/* True: decided. */
static bool search_whole(struct rounds *rounds, uint64_t steps) {
    struct order order = {.scope = SCOPE_ALL, .of = VALUE_NULL};
    struct verdict *verdict = rounds->verdict;
    bool last = rounds->open == 0 && !rounds->linearizable_open;
    verdict->answer = search_within(rounds, VALUE_NONE, last ? 0 : steps, &order);
    if (verdict->answer == ANSWER_YES)
        *verdict_order(verdict, SCOPE_ALL, VALUE_NULL) = order;
    else
        cairn_free(order.ops);
    if (verdict->answer == ANSWER_NO)
        buf_printf(&verdict->text, "no order that contains every process's order is legal");
    return verdict->answer != ANSWER_UNDECIDED;
}

static void run_rounds(struct rounds *rounds) {
    bool several = rounds->partition.group_count > 1;
    if (!several)
        rounds->open = 0;
    for (uint64_t steps = FIRST_STEPS; rounds->limits->stopped == LIMITS_GO;
         steps *= STEPS_FACTOR) {
        if (is_linearizable(rounds, steps, false))
            return;
        if (rounds->open > 0 && !search_keys(rounds, steps, false)) {
            if (rounds->verdict->answer == ANSWER_NO)
                return;
            break;
        }
        if (search_whole(rounds, steps))
            return;
    }
    tell_undecided(rounds);
}

static void run_rounds_of_keys(struct rounds *rounds) {
    bool want_order = rounds->options->want_order;
    for (uint64_t steps = FIRST_STEPS; rounds->open > 0; steps *= STEPS_FACTOR) {
        /* Orders of keys that were found before would be there twice. */
        if (rounds->open == rounds->partition.group_count && is_linearizable(rounds, steps, true))
            return;
        bool last = rounds->open == 1 && !rounds->linearizable_open;
        if (search_keys(rounds, last ? 0 : steps, want_order))
            continue;
        if (rounds->verdict->answer != ANSWER_NO)
            tell_undecided(rounds);
        return;
    }
    rounds->verdict->answer = ANSWER_YES;
}

static void check_in(const struct history *history, const struct check_options *options,
                     const struct sequential_known *known, bool keys, struct verdict *verdict) {
    static const struct sequential_known nothing;
    struct limits unlimited = {0};
    struct rounds rounds = {.history = history,
                            .options = options,
                            .limits = options->limits ? options->limits : &unlimited,
                            .verdict = verdict};
    if (refute_any_order(history, verdict))
        return;
    verdict->answer = ANSWER_UNDECIDED;
    rounds_open(&rounds, known ? known : &nothing);
    if (keys)
        run_rounds_of_keys(&rounds);
    else
        run_rounds(&rounds);
    rounds_close(&rounds);
}

void sequential_check(const struct history *history, const struct check_options *options,
                      const struct sequential_known *known, struct verdict *verdict) {
    check_in(history, options, known, false, verdict);
}

void sequential_check_keys(const struct history *history, const struct check_options *options,
                           const struct sequential_known *known, struct verdict *verdict) {
    check_in(history, options, known, true, verdict);
}
