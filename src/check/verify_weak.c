#include "check/verify_weak.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX
#define QUADRATIC_MAX 20000u /* operations, for checks that walk the causal past of every read */

/* The history as plain arrays: which wrote what was read, and the operation before in the process.
 */
struct facts {
    const struct history *history;
    uint32_t count;
    uint32_t *from;   /* OP_NONE: reads nothing; NOWHERE - 1: the initial value */
    uint32_t *before; /* of the same process; OP_NONE */
    bool *happened;
    uint32_t *place, *low, *queue;
    bool *past;
};
#define INITIAL (NOWHERE - 1)

static uint32_t written_by(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->outcome == OP_MISMATCH || at->f == OP_READ)
        return VALUE_NONE;
    return at->f == OP_CAS ? value_items(&history->values, at->arg)[1] : at->arg;
}

static uint32_t read_by(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->f == OP_CAS && at->outcome != OP_MISMATCH)
        return value_items(&history->values, at->arg)[0];
    return at->f == OP_READ && at->outcome == OP_OK ? at->out : VALUE_NONE;
}

static bool writes(const struct facts *facts, uint32_t op) {
    return written_by(facts->history, op) != VALUE_NONE;
}

static int by_cell(const void *a, const void *b, void *context) {
    const struct history *history = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (history->ops[x].key != history->ops[y].key)
        return history->ops[x].key < history->ops[y].key ? -1 : 1;
    uint32_t v = written_by(history, x), w = written_by(history, y);
    return v < w ? -1 : v > w;
}

static uint32_t writer_in(const struct history *history, const uint32_t *writers, uint32_t count,
                          uint32_t key, uint32_t value) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct op *op = &history->ops[writers[middle]];
        if (op->key < key || (op->key == key && written_by(history, writers[middle]) < value))
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low < count && history->ops[writers[low]].key == key &&
                 written_by(history, writers[low]) == value;
    return there ? writers[low] : OP_NONE;
}

/* False: something was read that no operation wrote. */
static bool find_facts(struct facts *facts) {
    const struct history *history = facts->history;
    uint32_t *writers = cairn_alloc((facts->count + 1) * sizeof *writers), count = 0;
    uint32_t *last = cairn_alloc((history->process_count + 1) * sizeof *last);
    bool found = true;
    memset(last, 0xff, (history->process_count + 1) * sizeof *last);
    for (uint32_t i = 0; i < facts->count; i++)
        if (history->ops[i].outcome != OP_FAIL && writes(facts, i))
            writers[count++] = i;
    qsort_r(writers, count, sizeof *writers, by_cell, (void *)(uintptr_t)history);
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct op *op = &history->ops[i];
        facts->from[i] = facts->before[i] = OP_NONE;
        if (op->outcome == OP_FAIL)
            continue;
        facts->happened[i] |= op->outcome != OP_INFO;
        facts->before[i] = last[op->process];
        last[op->process] = i;
        uint32_t value = read_by(history, i);
        if (value == VALUE_NONE)
            continue;
        facts->from[i] = value == history_initial(history, op->key)
                             ? INITIAL
                             : writer_in(history, writers, count, op->key, value);
        found &= facts->from[i] != OP_NONE || op->outcome == OP_INFO;
    }
    cairn_free(writers);
    cairn_free(last);
    /* An open operation happened if another saw it. */
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < facts->count; i++)
            if (facts->happened[i] && facts->from[i] < facts->count &&
                !facts->happened[facts->from[i]])
                changed = facts->happened[facts->from[i]] = true;
    }
    return found;
}

static void open_facts(struct facts *facts, const struct history *history) {
    size_t count = history->op_count + 1;
    *facts = (struct facts){.history = history, .count = history->op_count};
    facts->from = cairn_alloc(count * sizeof(uint32_t));
    facts->before = cairn_alloc(count * sizeof(uint32_t));
    facts->place = cairn_alloc(count * sizeof(uint32_t));
    facts->low = cairn_alloc(count * sizeof(uint32_t));
    facts->queue = cairn_alloc(count * sizeof(uint32_t));
    facts->happened = cairn_alloc_zero(count);
    facts->past = cairn_alloc_zero(count);
}

static void close_facts(struct facts *facts) {
    cairn_free(facts->from);
    cairn_free(facts->before);
    cairn_free(facts->place);
    cairn_free(facts->low);
    cairn_free(facts->queue);
    cairn_free(facts->happened);
    cairn_free(facts->past);
}

static enum verify wrong(const struct facts *facts, uint32_t op, const char *what,
                         struct buf *why) {
    history_describe(facts->history, op, why);
    buf_printf(why, ": %s", what);
    return VERIFY_WRONG;
}

/* ---- orders ---- */

static bool wanted(const struct facts *facts, const struct order *order, uint32_t op) {
    const struct op *at = &facts->history->ops[op];
    if (!facts->happened[op])
        return false;
    if (writes(facts, op))
        return true;
    return order->scope == SCOPE_PROCESS && at->process == order->of && facts->from[op] != OP_NONE;
}

/* Everything that is wanted has a place, nothing twice. */
static enum verify take_places(struct facts *facts, const struct order *order, struct buf *why) {
    memset(facts->place, 0xff, facts->count * sizeof *facts->place);
    for (uint32_t i = 0; i < order->count; i++) {
        if (facts->place[order->ops[i]] != NOWHERE)
            return wrong(facts, order->ops[i], "stands in the order twice", why);
        facts->place[order->ops[i]] = i;
    }
    for (uint32_t op = 0; op < facts->count; op++)
        if (facts->place[op] == NOWHERE && wanted(facts, order, op))
            return wrong(facts, op, "is not in the order", why);
    return VERIFY_RIGHT;
}

/* Causal order: behind everything that stands causally before, also through operations that are
 * not in this order. */
static enum verify contains_causal(struct facts *facts, struct buf *why) {
    memset(facts->low, 0, facts->count * sizeof *facts->low);
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t op = 0; op < facts->count; op++) {
            uint32_t causes[2] = {facts->before[op], facts->from[op]};
            for (int i = 0; i < 2 && facts->happened[op]; i++) {
                uint32_t cause = causes[i];
                if (cause >= facts->count || !facts->happened[cause])
                    continue;
                uint32_t least = facts->low[cause];
                if (facts->place[cause] != NOWHERE && facts->place[cause] + 1 > least)
                    least = facts->place[cause] + 1;
                if (least <= facts->low[op])
                    continue;
                facts->low[op] = least;
                changed = true;
                if (facts->place[op] != NOWHERE && facts->place[op] < least)
                    return wrong(facts, op, "stands before something that it causally follows",
                                 why);
            }
        }
    }
    return VERIFY_RIGHT;
}

/* a and b: of one process, a first. */
static bool must_precede(const struct facts *facts, enum level level, uint32_t process, uint32_t a,
                         uint32_t b) {
    const struct op *ops = facts->history->ops;
    bool own = ops[a].process == process;
    bool reads = facts->from[a] != OP_NONE && facts->from[b] != OP_NONE;
    if (level == LEVEL_PRAM)
        return true;
    if (level == LEVEL_READ_YOUR_WRITES)
        return own && writes(facts, a);
    if (level == LEVEL_MONOTONIC_WRITES && writes(facts, a) && writes(facts, b))
        return true;
    return own && reads;
}

/* Of these levels what must come before an operation comes in a row, so that its neighbour is
 * enough. */
static bool in_a_row(enum level level) {
    return level == LEVEL_PRAM || level == LEVEL_READ_YOUR_WRITES || level == LEVEL_MONOTONIC_READS;
}

static enum verify contains_sessions(struct facts *facts, enum level level, uint32_t process,
                                     struct buf *why) {
    bool own_only = level == LEVEL_READ_YOUR_WRITES || level == LEVEL_MONOTONIC_READS;
    for (uint32_t b = 0; b < facts->count; b++)
        for (uint32_t a = facts->before[b]; a != OP_NONE; a = facts->before[a]) {
            uint32_t from = facts->from[a];
            if (facts->place[b] == NOWHERE ||
                (own_only && facts->history->ops[b].process != process) ||
                (level == LEVEL_MONOTONIC_READS && facts->from[b] == OP_NONE))
                break;
            bool bound = facts->place[a] != NOWHERE && must_precede(facts, level, process, a, b);
            if (bound && facts->place[a] > facts->place[b])
                return wrong(facts, b, "stands before an earlier one of its process", why);
            if (level == LEVEL_WRITES_FOLLOW_READS && writes(facts, b) && from < facts->count &&
                facts->place[from] > facts->place[b] && from != b)
                return wrong(facts, b, "stands before what its writer had read", why);
            if (bound && in_a_row(level))
                break;
        }
    return VERIFY_RIGHT;
}

/* The process's own reads; other processes' answers do not count. */
static enum verify replays(struct facts *facts, const struct order *order, struct buf *why) {
    const struct history *history = facts->history;
    uint32_t *held = cairn_alloc(history->values.count * sizeof *held);
    enum verify verified = VERIFY_RIGHT;
    memset(held, 0xff, history->values.count * sizeof *held);
    for (uint32_t i = 0; i < order->count && verified == VERIFY_RIGHT; i++) {
        uint32_t op = order->ops[i], key = history->ops[op].key, read = read_by(history, op);
        uint32_t now = held[key] == NOWHERE ? history_initial(history, key) : held[key];
        if (history->ops[op].process == order->of && read != VALUE_NONE && read != now)
            verified = wrong(facts, op, "can't have been answered like that here", why);
        if (writes(facts, op))
            held[key] = written_by(history, op);
    }
    cairn_free(held);
    return verified;
}

static enum verify verify_processes(struct facts *facts, const struct verdict *verdict,
                                    struct buf *why) {
    bool *covered = cairn_alloc_zero(facts->history->process_count + 1);
    enum verify verified = VERIFY_RIGHT;
    if (facts->count > QUADRATIC_MAX && !in_a_row(verdict->level) &&
        verdict->level != LEVEL_CAUSAL_MEMORY) {
        buf_printf(why, "more operations than this check takes");
        verified = VERIFY_UNCHECKED;
    }
    for (uint32_t i = 0; i < verdict->order_count && verified == VERIFY_RIGHT; i++) {
        const struct order *order = &verdict->orders[i];
        if (order->scope != SCOPE_PROCESS)
            continue;
        covered[order->of] = true;
        verified = take_places(facts, order, why);
        if (verified == VERIFY_RIGHT)
            verified = verdict->level == LEVEL_CAUSAL_MEMORY
                           ? contains_causal(facts, why)
                           : contains_sessions(facts, verdict->level, order->of, why);
        if (verified == VERIFY_RIGHT)
            verified = replays(facts, order, why);
    }
    for (uint32_t op = 0; op < facts->count && verified == VERIFY_RIGHT; op++)
        if (facts->happened[op] && facts->from[op] != OP_NONE &&
            !covered[facts->history->ops[op].process])
            verified = wrong(facts, op, "there is no order for its process", why);
    cairn_free(covered);
    return verified;
}

/* ---- causal pasts ---- */

static void walk_past(struct facts *facts, uint32_t op) {
    uint32_t head = 0, tail = 0;
    memset(facts->past, 0, facts->count);
    facts->queue[tail++] = op;
    while (head < tail) {
        uint32_t at = facts->queue[head++];
        uint32_t causes[2] = {facts->before[at], facts->from[at]};
        for (int i = 0; i < 2; i++)
            if (causes[i] < facts->count && facts->happened[causes[i]] && !facts->past[causes[i]]) {
                facts->past[causes[i]] = true;
                facts->queue[tail++] = causes[i];
            }
    }
}

/* Of the writes of its key in its causal past none follows the one that it read. */
static bool read_is_current(struct facts *facts, uint32_t reader) {
    const struct op *ops = facts->history->ops;
    uint32_t from = facts->from[reader];
    walk_past(facts, reader);
    if (facts->past[reader])
        return false; /* a cycle */
    bool *mine = cairn_alloc(facts->count + 1);
    bool current = true;
    memcpy(mine, facts->past, facts->count);
    for (uint32_t other = 0; other < facts->count && current; other++) {
        if (!mine[other] || other == from || !writes(facts, other) ||
            ops[other].key != ops[reader].key)
            continue;
        walk_past(facts, other);
        current = from != INITIAL && !facts->past[from];
    }
    cairn_free(mine);
    return current;
}

static enum verify verify_causal(struct facts *facts, struct buf *why) {
    for (uint32_t op = 0; op < facts->count; op++)
        if (facts->happened[op] && facts->from[op] != OP_NONE && !read_is_current(facts, op))
            return wrong(facts, op, "its causal past does not explain it", why);
    return VERIFY_RIGHT;
}

static enum verify verify_convergent(struct facts *facts, const struct verdict *verdict,
                                     struct buf *why) {
    const struct op *ops = facts->history->ops;
    if (verdict->order_count == 0 || verdict->orders[0].scope != SCOPE_ALL) {
        buf_printf(why, "there is no order of the writes");
        return VERIFY_WRONG;
    }
    enum verify verified = take_places(facts, &verdict->orders[0], why);
    if (verified == VERIFY_RIGHT)
        verified = contains_causal(facts, why);
    for (uint32_t op = 0; op < facts->count && verified == VERIFY_RIGHT; op++) {
        if (!facts->happened[op] || facts->from[op] == OP_NONE)
            continue;
        uint32_t last = INITIAL;
        walk_past(facts, op);
        for (uint32_t other = 0; other < facts->count; other++)
            if (facts->past[other] && writes(facts, other) && ops[other].key == ops[op].key &&
                (last == INITIAL || facts->place[other] > facts->place[last]))
                last = other;
        if (last != facts->from[op])
            verified = wrong(facts, op, "did not read the last write of its causal past", why);
    }
    return verified;
}

enum verify verify_weak_yes(const struct history *history, const struct verdict *verdict,
                            struct buf *why) {
    struct facts facts;
    enum verify verified;
    open_facts(&facts, history);
    if (!find_facts(&facts)) {
        buf_printf(why, "something was read that no operation wrote");
        verified = VERIFY_WRONG;
    } else if (verdict->level != LEVEL_CAUSAL && verdict->level != LEVEL_CAUSAL_CONVERGENCE) {
        verified = verify_processes(&facts, verdict, why);
    } else if (facts.count > QUADRATIC_MAX) {
        buf_printf(why, "more operations than this check takes");
        verified = VERIFY_UNCHECKED;
    } else {
        verified = verdict->level == LEVEL_CAUSAL ? verify_causal(&facts, why)
                                                  : verify_convergent(&facts, verdict, why);
    }
    close_facts(&facts);
    return verified;
}
