#include "check/depend.h"

#include "base/alloc.h"
#include "check/answers.h"

#include <stdlib.h>
#include <string.h>

/* That an operation gives a value to a key, or takes it from there. Cells with values beyond those
 * of the history stand for what no value tells; of locks, the value is the number of the
 * acquisition. */
struct cell {
    uint32_t key, value, op;
};
#define ANY_WRITE (VALUE_NONE - 1)  /* whatever changes the key */
#define BLIND_TAKE (VALUE_NONE - 2) /* took something, and it is not known what */

struct cells {
    struct cell *at;
    uint32_t count, cap;
};

static void put(struct cells *cells, uint32_t key, uint32_t value, uint32_t op) {
    if (cells->count == cells->cap) {
        cells->cap = cells->cap ? cells->cap * 2 : 256;
        cells->at = cairn_realloc(cells->at, cells->cap * sizeof *cells->at);
    }
    cells->at[cells->count++] = (struct cell){key, value, op};
}

static void put_items(struct cells *cells, const struct history *history, uint32_t key,
                      uint32_t value, uint32_t op) {
    if (value == VALUE_NONE)
        return;
    const struct value *at = value_at(&history->values, value);
    if (at->kind != VALUE_LIST)
        put(cells, key, value, op);
    for (uint32_t i = 0; at->kind == VALUE_LIST && i < at->len; i++)
        put(cells, key, value_items(&history->values, value)[i], op);
}

/* ---- what each operation gives and needs ---- */

struct making {
    const struct history *history;
    enum model model;
    bool adds; /* some operation adds to a number */
    bool real_time;
    struct cells given, needed;
};

static bool told(const struct making *making, const struct op *op) {
    return answers_told(making->model, making->history, op) != VALUE_NONE;
}

static void of_txn(struct making *making, uint32_t number) {
    const struct op *op = &making->history->ops[number];
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &making->history->mops[op->arg + i];
        if (mop->kind != MOP_READ)
            put(&making->given, mop->key, mop->value, number);
        else if (op->outcome == OP_OK)
            put_items(&making->needed, making->history, mop->key, mop->value, number);
    }
}

static void of_register(struct making *making, uint32_t number) {
    const struct history *history = making->history;
    const struct op *op = &history->ops[number];
    bool told = op->outcome == OP_OK && op->out != VALUE_NONE;
    if (making->adds && (told || op->f == OP_CAS)) /* what was seen may be a sum */
        put(&making->needed, op->key, ANY_WRITE, number);
    if (op->f == OP_READ) {
        if (told)
            put(&making->needed, op->key, op->out, number);
        return;
    }
    if (op->outcome != OP_MISMATCH)
        put(&making->given, op->key, ANY_WRITE, number);
    if (op->outcome == OP_MISMATCH || op->f == OP_ADD || op->f == OP_DELETE ||
        op->f == OP_SET_IF_ABSENT) {
        put(&making->needed, op->key, ANY_WRITE, number);
        put(&making->given, op->key, op->f == OP_DELETE ? VALUE_NULL : op->arg, number);
    } else if (op->f == OP_CAS) {
        put(&making->needed, op->key, value_items(&history->values, op->arg)[0], number);
        put(&making->given, op->key, value_items(&history->values, op->arg)[1], number);
    } else {
        put(&making->given, op->key, op->arg, number);
        if (op->f == OP_APPEND && told) /* how long the text is */
            put(&making->needed, op->key, ANY_WRITE, number);
        if (op->f == OP_SWAP && told)
            put(&making->needed, op->key, op->out, number);
    }
}

/* An element goes with all that puts it in, takes it out or asks for it. Reads are told of what is
 * left (part.h), unless it was there from the start. */
static void of_set(struct making *making, uint32_t number) {
    const struct history *history = making->history;
    const struct op *op = &history->ops[number];
    if (op->f == OP_READ) {
        put_items(&making->needed, history, op->key, history_initial(history, op->key), number);
        return;
    }
    put(&making->needed, op->key, op->arg, number);
    if (op->f == OP_ADD || op->f == OP_REMOVE)
        put(&making->given, op->key, op->arg, number);
}

/* What puts a value, takes it or looks at it needs all of these; what was told how many are inside
 * needs all that puts or takes. */
static void of_container(struct making *making, uint32_t number) {
    const struct op *op = &making->history->ops[number];
    bool takes = op->f == OP_DEQUEUE || op->f == OP_POP || op->f == OP_DELETE_MIN ||
                 op->f == OP_DELETE_MAX || op->f == OP_DRAIN;
    bool looks = takes || op->f == OP_PEEK;
    bool filled = history_initial(making->history, op->key) != VALUE_NULL;
    put(&making->needed, op->key, BLIND_TAKE, number);
    if (op->f != OP_PEEK)
        put(&making->given, op->key, ANY_WRITE, number);
    if (takes && filled) /* what was there from the start is missed by all */
        put(&making->given, op->key, BLIND_TAKE, number);
    if (!looks) {
        put(&making->given, op->key, op->arg, number);
        put(&making->needed, op->key, op->arg, number);
        if (told(making, op))
            put(&making->needed, op->key, ANY_WRITE, number);
    } else if (op->outcome != OP_OK || op->out == VALUE_NONE) {
        if (takes)
            put(&making->given, op->key, BLIND_TAKE, number);
        if (takes && op->outcome == OP_OK) /* it would take another instead */
            put(&making->needed, op->key, ANY_WRITE, number);
    } else if (op->out != VALUE_NULL) {
        put_items(&making->needed, making->history, op->key, op->out, number);
        if (takes)
            put_items(&making->given, making->history, op->key, op->out, number);
    }
}

/* An element goes with all of its appends; reads are told of what is left (part.h). */
static void of_list(struct making *making, uint32_t number) {
    const struct op *op = &making->history->ops[number];
    if (op->f != OP_APPEND)
        return;
    put(&making->given, op->key, op->arg, number);
    put(&making->needed, op->key, op->arg, number);
}

/* Sums: all that changes the key matters to each read, and to each transfer that a low balance
 * could refuse. */
static void of_sum(struct making *making, uint32_t number) {
    const struct op *op = &making->history->ops[number];
    bool looks = op->f == OP_READ || making->model == MODEL_BANK_NONNEGATIVE ||
                 (op->f == OP_ADD && told(making, op));
    if (op->f != OP_READ)
        put(&making->given, op->key, ANY_WRITE, number);
    if (looks)
        put(&making->needed, op->key, ANY_WRITE, number);
}

/* Was it told no? A token of a fenced mutex is no such answer, whatever its number. */
static bool is_refused(const struct making *making, const struct op *op) {
    const struct values *values = &making->history->values;
    uint32_t answer = answers_told(making->model, making->history, op);
    return answer != VALUE_NONE && answers_truth(values, answer) == 0 &&
           (answers_of(making->model, op->f) == TELLS_TRUTH ||
            value_at(values, answer)->kind == VALUE_BOOL);
}

/* May it have taken effect, or not? */
static bool is_unsure(const struct making *making, const struct op *op) {
    return op->outcome != OP_OK || (op->f == OP_TRY_ACQUIRE && !told(making, op));
}

/* The last operation of the process on this lock that took effect. */
static uint32_t held_before(const struct making *making, uint32_t number) {
    const struct op *ops = making->history->ops, *op = &ops[number];
    for (uint32_t before = number; before-- > 0;)
        if (ops[before].process == op->process && ops[before].key == op->key &&
            ops[before].outcome != OP_FAIL && !is_refused(making, &ops[before]))
            return before;
    return OP_NONE;
}

/* A lock that a process took and gave back may be left out with both. What may have happened, or
 * not, is needed by all, and what was refused needs all. */
static void of_lock(struct making *making, uint32_t number) {
    const struct op *ops = making->history->ops, *op = &ops[number];
    bool refused = is_refused(making, op), unsure = is_unsure(making, op);
    put(&making->needed, op->key, BLIND_TAKE, number);
    if (unsure)
        put(&making->given, op->key, BLIND_TAKE, number);
    if (refused || (unsure && (op->outcome == OP_OK || making->model == MODEL_SEMAPHORE)))
        put(&making->needed, op->key, ANY_WRITE, number);
    if (refused || unsure)
        return;
    uint32_t before = op->f == OP_RELEASE ? held_before(making, number) : number;
    bool surely = before == OP_NONE || before == number || !making->real_time ||
                  op_precedes(&ops[before], op);
    bool paired = before != OP_NONE && surely && ops[before].f != OP_RELEASE &&
                  !is_unsure(making, &ops[before]) &&
                  (making->model != MODEL_SEMAPHORE || ops[before].arg == op->arg);
    put(&making->given, op->key, ANY_WRITE, number);
    if (!paired) { /* it gave back another's, and then all depends on it */
        put(&making->given, op->key, BLIND_TAKE, number);
        put(&making->needed, op->key, ANY_WRITE, number);
        return;
    }
    put(&making->given, op->key, before, number);
    put(&making->needed, op->key, before, number);
}

static void of_op(struct making *making, uint32_t number) {
    switch (making->model) {
    case MODEL_REGISTER:
    case MODEL_CAS_REGISTER:
    case MODEL_KV:
        of_register(making, number);
        return;
    case MODEL_APPEND:
        of_list(making, number);
        return;
    case MODEL_SET:
        of_set(making, number);
        return;
    case MODEL_QUEUE:
    case MODEL_UNORDERED_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        of_container(making, number);
        return;
    case MODEL_COUNTER:
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        of_sum(making, number);
        return;
    case MODEL_MUTEX:
    case MODEL_OWNED_MUTEX:
    case MODEL_REENTRANT_MUTEX:
    case MODEL_FENCED_MUTEX:
    case MODEL_SEMAPHORE:
        of_lock(making, number);
        return;
    case MODEL_UNIQUE_IDS: /* none needs another */
        return;
    default:
        of_txn(making, number);
    }
}

/* VALUE_NONE: none, or it is no text. */
static uint32_t text_told(const struct history *history, const struct op *op) {
    uint32_t value = VALUE_NONE;
    if (op->f == OP_CAS && op->outcome != OP_MISMATCH)
        value = value_items(&history->values, op->arg)[0];
    else if ((op->f == OP_READ || op->f == OP_SWAP) && op->outcome == OP_OK)
        value = op->out;
    bool text = value != VALUE_NONE && value_at(&history->values, value)->kind == VALUE_TEXT;
    return text ? value : VALUE_NONE;
}

static uint32_t text_given(const struct history *history, const struct op *op) {
    uint32_t value = op->f == OP_READ  ? VALUE_NONE
                     : op->f == OP_CAS ? value_items(&history->values, op->arg)[1]
                                       : op->arg;
    if (op->f == OP_DELETE)
        return VALUE_NULL;
    bool text = value != VALUE_NONE && value_at(&history->values, value)->kind == VALUE_TEXT;
    return text ? value : VALUE_NONE;
}

/* Texts that were appended stand inside the texts that were told; a text that was put is the
 * beginning of some, and so is nothing. */
static void of_texts(struct making *making) {
    const struct history *history = making->history;
    for (uint32_t r = 0; r < history->op_count; r++) {
        uint32_t told = text_told(history, &history->ops[r]);
        if (told == VALUE_NONE || history->ops[r].outcome == OP_FAIL)
            continue;
        struct bytes text = value_bytes(&history->values, told);
        for (uint32_t w = 0; w < history->op_count; w++) {
            uint32_t given = text_given(history, &history->ops[w]);
            if (given == VALUE_NONE || history->ops[w].key != history->ops[r].key || w == r)
                continue;
            struct bytes part =
                given == VALUE_NULL ? BYTES("") : value_bytes(&history->values, given);
            if (part.len == 0 ||
                (text.len > 0 && memmem(text.data, text.len, part.data, part.len) != NULL))
                put(&making->needed, history->ops[r].key, given, r);
        }
    }
}

/* ---- groups ---- */

static int by_cell(const void *a, const void *b) {
    const struct cell *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static bool same_cell(const struct cell *x, const struct cell *y) {
    return x->key == y->key && x->value == y->value;
}

static uint32_t add_group(struct depend *depend, const struct cells *given, uint32_t from) {
    if (depend->group_count == depend->group_cap) {
        depend->group_cap = depend->group_cap ? depend->group_cap * 2 : 64;
        depend->groups = cairn_realloc(depend->groups, depend->group_cap * sizeof *depend->groups);
    }
    struct depend_group *group = &depend->groups[depend->group_count];
    *group = (struct depend_group){.from = depend->member_count};
    for (uint32_t i = from; i < given->count && same_cell(&given->at[i], &given->at[from]); i++)
        depend->members[depend->member_count++] = given->at[i].op;
    group->count = depend->member_count - group->from;
    return depend->group_count++;
}

/* How many of the group may matter to the reader: of those called after it returned, none. */
static uint32_t count_before(const struct depend *depend, const struct depend_group *group,
                             uint32_t reader) {
    const struct op *ops = depend->history->ops;
    uint32_t low = 0, high = group->count;
    if (!depend->real_time || ops[reader].outcome == OP_INFO)
        return group->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ops[depend->members[group->from + middle]].call < ops[reader].ret)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_need(struct depend *depend, uint32_t reader, uint32_t group) {
    if (depend->need_count == depend->need_cap) {
        depend->need_cap = depend->need_cap ? depend->need_cap * 2 : 256;
        depend->needs = cairn_realloc(depend->needs, depend->need_cap * sizeof *depend->needs);
    }
    uint32_t count = count_before(depend, &depend->groups[group], reader);
    if (count > 0)
        depend->needs[depend->need_count++] = (struct need){reader, group, count};
}

/* Both lists sorted by cell: one walk. */
static void match(struct depend *depend, struct cells *given, struct cells *needed) {
    uint32_t at = 0, group = UINT32_MAX;
    if (given->count > 0)
        qsort(given->at, given->count, sizeof *given->at, by_cell);
    if (needed->count > 0)
        qsort(needed->at, needed->count, sizeof *needed->at, by_cell);
    depend->members = cairn_alloc((given->count + 1) * sizeof *depend->members);
    for (uint32_t i = 0; i < needed->count; i++) {
        const struct cell *want = &needed->at[i];
        if (i > 0 && same_cell(want, &needed->at[i - 1])) {
            if (group != UINT32_MAX && want->op != needed->at[i - 1].op)
                add_need(depend, want->op, group);
            continue;
        }
        struct cell first = {want->key, want->value, 0};
        while (at < given->count && by_cell(&given->at[at], &first) < 0)
            at++;
        group = UINT32_MAX;
        if (at < given->count && same_cell(&given->at[at], want)) {
            group = add_group(depend, given, at);
            add_need(depend, want->op, group);
        }
    }
}

static bool is_lock(enum model model) {
    return answers_has(model, OP_ACQUIRE);
}

void depend_make(struct depend *depend, const struct history *history, enum model model,
                 bool real_time) {
    struct making making = {.history = history, .model = model, .real_time = real_time};
    /* What is put away and taken again is missed by others than those two, whenever. */
    bool mutual = model == MODEL_QUEUE || model == MODEL_UNORDERED_QUEUE || model == MODEL_STACK ||
                  model == MODEL_PRIORITY_QUEUE || model == MODEL_SET || model == MODEL_APPEND ||
                  is_lock(model);
    *depend = (struct depend){.history = history, .real_time = real_time && !mutual};
    bool appends = false;
    for (uint32_t i = 0; i < history->op_count; i++)
        making.adds |= history->ops[i].f == OP_ADD && history->ops[i].outcome != OP_FAIL;
    for (uint32_t i = 0; i < history->op_count; i++) {
        if (history->ops[i].outcome == OP_FAIL)
            continue;
        of_op(&making, i);
        appends |= history->ops[i].f == OP_APPEND;
    }
    if (model == MODEL_KV && appends)
        of_texts(&making);
    match(depend, &making.given, &making.needed);
    cairn_free(making.given.at);
    cairn_free(making.needed.at);
}

void depend_free(struct depend *depend) {
    cairn_free(depend->needs);
    cairn_free(depend->groups);
    cairn_free(depend->members);
}

void depend_drop(struct depend *depend, bool *keep) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < depend->group_count; i++) {
            struct depend_group *group = &depend->groups[i];
            for (group->present = 0; group->present < group->count &&
                                     keep[depend->members[group->from + group->present]];)
                group->present++;
        }
        for (uint32_t i = 0; i < depend->need_count; i++) {
            const struct need *need = &depend->needs[i];
            if (!keep[need->reader] || depend->groups[need->group].present >= need->count)
                continue;
            keep[need->reader] = false;
            changed = true;
        }
    }
}

void depend_add(const struct depend *depend, bool *keep) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < depend->need_count; i++) {
            const struct need *need = &depend->needs[i];
            const uint32_t *members = depend->members + depend->groups[need->group].from;
            for (uint32_t j = 0; keep[need->reader] && j < need->count; j++) {
                changed |= !keep[members[j]];
                keep[members[j]] = true;
            }
        }
    }
}
