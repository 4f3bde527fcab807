#include "check/history.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *text;
    size_t len;
} f_names[OP_F_COUNT] = {
#define X(name, text) {text, sizeof text - 1},
    OP_F_LIST(X)
#undef X
};

static const struct {
    const char *name;
    enum op_f f;
} f_synonyms[] = {
    {"r", OP_READ},
    {"w", OP_WRITE},
    {"get", OP_READ},
    {"put", OP_WRITE},
    {"set", OP_WRITE},
    {"compare-and-set", OP_CAS},
    {"compare-and-swap", OP_CAS},
    {"transaction", OP_TXN},
    {"inc", OP_ADD},
    {"incr", OP_ADD},
    {"increment", OP_ADD},
    {"rem", OP_REMOVE},
    {"has", OP_CONTAINS},
    {"member", OP_CONTAINS},
    {"enq", OP_ENQUEUE},
    {"offer", OP_ENQUEUE},
    {"deq", OP_DEQUEUE},
    {"poll", OP_DEQUEUE},
    {"deletemin", OP_DELETE_MIN},
    {"extract-min", OP_DELETE_MIN},
    {"deletemax", OP_DELETE_MAX},
    {"extract-max", OP_DELETE_MAX},
    {"top", OP_PEEK},
    {"lock", OP_ACQUIRE},
    {"unlock", OP_RELEASE},
    {"try_acquire", OP_TRY_ACQUIRE},
    {"try-lock", OP_TRY_ACQUIRE},
    {"trylock", OP_TRY_ACQUIRE},
    {"try_lock", OP_TRY_ACQUIRE},
    {"generate-id", OP_GENERATE},
    {"next-id", OP_GENERATE},
    {"id", OP_GENERATE},
    {"getset", OP_SWAP},
    {"del", OP_DELETE},
    {"setnx", OP_SET_IF_ABSENT},
    {"put-if-absent", OP_SET_IF_ABSENT},
    {"setdata", OP_WRITE},
    {"getdata", OP_READ},
    {"incrby", OP_ADD},
    {"rpush", OP_APPEND},
    {"lrange", OP_READ},
    {"sadd", OP_ADD},
    {"srem", OP_REMOVE},
    {"sismember", OP_CONTAINS},
    {"smembers", OP_READ},
};

#define F_NAME_MAX 32u

const char *op_f_name(enum op_f f) {
    cairn_assert(f < OP_F_COUNT);
    return f_names[f].text;
}

static enum op_f f_named(struct bytes name) {
    for (int f = 0; f < OP_OTHER; f++)
        if (name.len == f_names[f].len && memcmp(name.data, f_names[f].text, name.len) == 0)
            return (enum op_f)f;
    for (size_t i = 0; i < sizeof f_synonyms / sizeof *f_synonyms; i++)
        if (bytes_equal(name, bytes_cstr(f_synonyms[i].name)))
            return f_synonyms[i].f;
    return OP_OTHER;
}

enum op_f op_f_of(struct bytes name) {
    enum op_f f = f_named(name);
    uint8_t folded[F_NAME_MAX];
    if (f != OP_OTHER || name.len > sizeof folded)
        return f;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        folded[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }
    return f_named(bytes_of(folded, name.len));
}

void op_f_names(struct buf *out) {
    for (int f = 0; f < OP_OTHER; f++)
        buf_printf(out, "%s%s", f == 0 ? "" : ", ", f_names[f].text);
}

void history_init(struct history *history) {
    *history =
        (struct history){.has_real_time = true, .initial = VALUE_NULL, .unknown_f = VALUE_NONE};
    values_init(&history->values);
}

void history_free(struct history *history) {
    values_free(&history->values);
    cairn_free(history->ops);
    cairn_free(history->mops);
    cairn_free(history->processes);
    cairn_free(history->faults);
    cairn_free(history->times_ns);
    cairn_free(history->initial_of);
    *history = (struct history){0};
}

/* By half, so that what is not used stays below a third. */
static void *grown(void *array, uint32_t count, uint32_t *cap, size_t size) {
    if (count < *cap)
        return array;
    cairn_assert(*cap < UINT32_MAX / 2);
    *cap += *cap / 2 + 16;
    return cairn_realloc(array, *cap * size);
}

bool history_overlaps(const struct history *history) {
    uint32_t *ret = cairn_alloc_zero((history->process_count + 1u) * sizeof *ret);
    bool overlaps = false;
    for (uint32_t i = 0; i < history->op_count && !overlaps; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL)
            continue;
        overlaps = op->call < ret[op->process];
        ret[op->process] = op->ret;
    }
    cairn_free(ret);
    return overlaps;
}

size_t history_growth(const struct history *history) {
    return values_growth(&history->values) +
           growth_of(history->op_count, history->op_cap, sizeof *history->ops) +
           growth_of(history->mop_count, history->mop_cap, sizeof *history->mops) +
           growth_of(history->op_count, history->times_cap, 2 * sizeof *history->times_ns);
}

struct op *history_op(struct history *history) {
    history->ops = grown(history->ops, history->op_count, &history->op_cap, sizeof *history->ops);
    struct op *op = &history->ops[history->op_count++];
    *op = (struct op){.ret = OP_OPEN, .out = VALUE_NONE};
    return op;
}

struct mop *history_mop(struct history *history) {
    history->mops =
        grown(history->mops, history->mop_count, &history->mop_cap, sizeof *history->mops);
    struct mop *mop = &history->mops[history->mop_count++];
    *mop = (struct mop){0};
    return mop;
}

struct fault_event *history_fault(struct history *history) {
    history->faults =
        grown(history->faults, history->fault_count, &history->fault_cap, sizeof *history->faults);
    struct fault_event *fault = &history->faults[history->fault_count++];
    *fault = (struct fault_event){.time_ns = UINT64_MAX};
    return fault;
}

uint32_t history_process(struct history *history, uint32_t name) {
    for (uint32_t i = 0; i < history->process_count; i++)
        if (history->processes[i] == name)
            return i;
    return history_add_process(history, name);
}

uint32_t history_add_process(struct history *history, uint32_t name) {
    history->processes = grown(history->processes, history->process_count, &history->process_cap,
                               sizeof *history->processes);
    history->processes[history->process_count] = name;
    return history->process_count++;
}

void history_times(struct history *history, uint32_t op, uint64_t call_ns, uint64_t ret_ns) {
    cairn_assert(op < history->op_count);
    if (op >= history->times_cap) {
        size_t old = history->times_cap;
        history->times_cap = history->op_cap;
        history->times_ns = cairn_realloc(history->times_ns, 2 * (size_t)history->times_cap *
                                                                 sizeof *history->times_ns);
        memset(history->times_ns + 2 * old, 0xff,
               2 * (history->times_cap - old) * sizeof *history->times_ns);
    }
    history->times_ns[2 * (size_t)op] = call_ns;
    history->times_ns[2 * (size_t)op + 1] = ret_ns;
}

/* The place of the key among the pairs, or where it would stand. */
static uint32_t initial_place(const struct history *history, uint32_t key) {
    uint32_t low = 0, high = history->initial_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history->initial_of[2 * middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t history_initial(const struct history *history, uint32_t key) {
    uint32_t place = initial_place(history, key);
    bool own = place < history->initial_count && history->initial_of[2 * place] == key;
    return own ? history->initial_of[2 * place + 1] : history->initial;
}

void history_set_initial(struct history *history, uint32_t key, uint32_t value) {
    uint32_t place = initial_place(history, key);
    if (place == history->initial_count || history->initial_of[2 * place] != key) {
        history->initial_of = grown(history->initial_of, history->initial_count,
                                    &history->initial_cap, 2 * sizeof *history->initial_of);
        memmove(history->initial_of + 2 * place + 2, history->initial_of + 2 * place,
                2 * (history->initial_count - place) * sizeof *history->initial_of);
        history->initial_count++;
        history->initial_of[2 * place] = key;
    }
    history->initial_of[2 * place + 1] = value;
}

static void *copied(const void *array, size_t count, size_t size) {
    if (count == 0)
        return NULL;
    void *copy = cairn_alloc(count * size);
    memcpy(copy, array, count * size);
    return copy;
}

static void copy_op(struct history *to, const struct history *from, uint32_t i) {
    struct op *op = history_op(to);
    *op = from->ops[i];
    if (op->f == OP_TXN) {
        uint32_t first = to->mop_count;
        for (uint32_t n = 0; n < op->out; n++)
            *history_mop(to) = from->mops[from->ops[i].arg + n];
        op->arg = first;
    }
    if (from->times_ns != NULL && i < from->times_cap)
        history_times(to, to->op_count - 1, from->times_ns[2 * (size_t)i],
                      from->times_ns[2 * (size_t)i + 1]);
}

void history_copy(struct history *to, const struct history *from, const bool *keep) {
    *to = *from;
    values_copy(&to->values, &from->values);
    to->processes = copied(from->processes, from->process_count, sizeof *from->processes);
    to->process_cap = from->process_count;
    to->faults = copied(from->faults, from->fault_count, sizeof *from->faults);
    to->fault_cap = from->fault_count;
    to->initial_of = copied(from->initial_of, from->initial_count, 2 * sizeof *from->initial_of);
    to->initial_cap = from->initial_count;
    to->ops = NULL;
    to->mops = NULL;
    to->times_ns = NULL;
    to->op_count = to->op_cap = to->mop_count = to->mop_cap = to->times_cap = 0;
    for (uint32_t i = 0; i < from->op_count; i++)
        if (keep == NULL || keep[i])
            copy_op(to, from, i);
}

static void describe_mop(const struct history *history, const struct mop *mop, struct buf *out) {
    static const char *const kinds[] = {"r", "w", "append"};
    buf_printf(out, " [%s ", kinds[mop->kind]);
    value_show(&history->values, mop->key, out);
    buf_u8(out, ' ');
    value_show(&history->values, mop->value, out);
    buf_u8(out, ']');
}

/* Of a drain that was taken apart (drains.h). */
static void describe_part(const struct history *history, const struct op *op, struct buf *out) {
    if (op->out == VALUE_NULL)
        buf_printf(out, " at its end");
    else
        buf_printf(out, " of element %" PRId64, value_at(&history->values, op->arg)->integer + 1);
}

static void describe_operands(const struct history *history, const struct op *op, struct buf *out) {
    if (op->f == OP_TXN) {
        for (uint32_t i = 0; i < op->out; i++)
            describe_mop(history, &history->mops[op->arg + i], out);
        return;
    }
    if (op->key != VALUE_NULL) {
        buf_u8(out, ' ');
        value_show(&history->values, op->key, out);
    }
    if (op->f == OP_DRAIN && op->arg != VALUE_NULL) {
        describe_part(history, op, out);
    } else if (op->arg != VALUE_NULL || op->f == OP_WRITE) {
        buf_u8(out, ' ');
        value_show(&history->values, op->arg, out);
    }
    if (op->outcome == OP_OK && op->out != VALUE_NONE) {
        buf_printf(out, " -> ");
        value_show(&history->values, op->out, out);
    }
}

static void put_place(const struct history *history, const struct op *op, struct buf *out) {
    if (op->line == 0)
        return;
    buf_printf(out, " (");
    history_place(history, op->line, out);
    buf_u8(out, ')');
}

void history_describe(const struct history *history, uint32_t op_at, struct buf *out) {
    static const char *const outcomes[] = {"", ", failed", ", never answered", ", no match"};
    cairn_assert(op_at < history->op_count);
    const struct op *op = &history->ops[op_at];
    buf_printf(out, "process ");
    value_show(&history->values, history->processes[op->process], out);
    buf_printf(out, ": %s", op_f_name(op->f));
    describe_operands(history, op, out);
    buf_printf(out, "%s", outcomes[op->outcome]);
    put_place(history, op, out);
}

void history_place(const struct history *history, uint32_t line, struct buf *out) {
    buf_printf(out, "%s %" PRIu32, history->numbered ? "event" : "line", line);
}

void history_say_key(const struct history *history, uint32_t key, struct buf *out) {
    if (key == VALUE_NULL)
        return;
    buf_printf(out, "key ");
    value_show(&history->values, key, out);
    buf_printf(out, ": ");
}

void history_refer(const struct history *history, uint32_t op_at, struct buf *out) {
    const struct op *op = &history->ops[op_at];
    if (op->f == OP_READ && op->line != 0) {
        buf_printf(out, "the read of ");
        history_place(history, op->line, out);
        return;
    }
    buf_printf(out, "%s", op_f_name(op->f));
    if (op->arg != VALUE_NONE && op->arg != VALUE_NULL && op->f != OP_TXN) {
        buf_u8(out, ' ');
        value_show(&history->values, op->arg, out);
    }
    put_place(history, op, out);
}
