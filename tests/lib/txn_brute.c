#include "txn_brute.h"

#include "base/assert.h"

#include <string.h>

#define READS_MAX 24
#define LIST_MAX 32
#define INIT (-1)

struct brute_read {
    int txn;
    uint32_t key, value;
    bool not ;               /* of a cas that did not match */
    uint32_t base[LIST_MAX]; /* of lists: without own elements */
    uint32_t base_len;
    int from; /* transaction, or INIT */
};
struct brute {
    const struct history *history;
    bool lists;
    bool *holds;
    int count;
    uint32_t ops[BRUTE_TXNS_MAX];
    struct brute_read reads[READS_MAX];
    int read_count;
    bool past[BRUTE_TXNS_MAX][BRUTE_TXNS_MAX];
    int order[BRUTE_TXNS_MAX], pos[BRUTE_TXNS_MAX];
};

static uint32_t mops_of(const struct history *history, uint32_t op, struct mop *out) {
    const struct op *of = &history->ops[op];
    switch (of->f) {
    case OP_TXN:
        memcpy(out, history->mops + of->arg, of->out * sizeof *out);
        return of->out;
    case OP_READ:
        out[0] = (struct mop){MOP_READ, of->key, of->out};
        return 1;
    case OP_WRITE:
        out[0] = (struct mop){MOP_WRITE, of->key, of->arg};
        return 1;
    default:
        cairn_assert(of->f == OP_CAS);
        out[0] = (struct mop){MOP_READ, of->key, value_items(&history->values, of->arg)[0]};
        out[1] = (struct mop){MOP_WRITE, of->key, value_items(&history->values, of->arg)[1]};
        return of->outcome == OP_MISMATCH ? 1 : 2;
    }
}

static bool writes(const struct brute *brute, int t, uint32_t key) {
    struct mop mops[READS_MAX];
    uint32_t count = mops_of(brute->history, brute->ops[t], mops);
    for (uint32_t i = 0; i < count; i++)
        if (mops[i].kind != MOP_READ && mops[i].key == key)
            return true;
    return false;
}

/* What the transaction leaves written of a key; VALUE_NONE: nothing. */
static uint32_t leaves(const struct brute *brute, int t, uint32_t key) {
    struct mop mops[READS_MAX];
    uint32_t count = mops_of(brute->history, brute->ops[t], mops), value = VALUE_NONE;
    for (uint32_t i = 0; i < count; i++)
        if (mops[i].kind == MOP_WRITE && mops[i].key == key)
            value = mops[i].value;
    return value;
}

static bool session(const struct brute *brute, int a, int b) {
    const struct op *x = &brute->history->ops[brute->ops[a]];
    const struct op *y = &brute->history->ops[brute->ops[b]];
    return x->process == y->process && brute->ops[a] < brute->ops[b];
}

static bool real_time(const struct brute *brute, int a, int b) {
    const struct op *x = &brute->history->ops[brute->ops[a]];
    const struct op *y = &brute->history->ops[brute->ops[b]];
    return x->outcome != OP_INFO && x->ret < y->call;
}

static bool reads_from(const struct brute *brute, int t2, int t3) {
    for (int r = 0; r < brute->read_count; r++)
        if (brute->reads[r].txn == t3 && brute->reads[r].from == t2)
            return true;
    return false;
}

/* The closure of session order and reads-from. */
static void close_past(struct brute *brute) {
    for (int a = 0; a < brute->count; a++)
        for (int b = 0; b < brute->count; b++)
            brute->past[a][b] = session(brute, a, b) || reads_from(brute, a, b);
    for (int m = 0; m < brute->count; m++)
        for (int a = 0; a < brute->count; a++)
            for (int b = 0; b < brute->count; b++)
                brute->past[a][b] |= brute->past[a][m] && brute->past[m][b];
}

static bool common_key(const struct brute *brute, int a, int b) {
    struct mop mops[READS_MAX];
    uint32_t count = mops_of(brute->history, brute->ops[a], mops);
    for (uint32_t i = 0; i < count; i++)
        if (mops[i].kind != MOP_READ && writes(brute, b, mops[i].key))
            return true;
    return false;
}

/* Did t3 read from t2 before its read r? */
static bool read_before(const struct brute *brute, int t2, int t3, int r) {
    for (int e = 0; e < r; e++)
        if (brute->reads[e].txn == t3 && brute->reads[e].from == t2)
            return true;
    return false;
}

/* Does t2 commit before, or is it, a transaction that t3 must see at a level with snapshots? */
static bool in_snapshot(const struct brute *brute, int t2, int t3, bool sessions, bool conflict,
                        bool strong) {
    for (int t = 0; t < brute->count; t++) {
        if (t == t3 || brute->pos[t2] > brute->pos[t])
            continue;
        if ((sessions && session(brute, t, t3)) || reads_from(brute, t, t3))
            return true;
        if (conflict && brute->pos[t] < brute->pos[t3] && common_key(brute, t, t3))
            return true;
        if (strong && real_time(brute, t, t3))
            return true;
    }
    return false;
}

/* Is t2 in V to the read r of t3? */
static bool visible(const struct brute *brute, enum level level, int t2, int t3, int r) {
    switch (level) {
    case LEVEL_READ_COMMITTED:
    case LEVEL_SESSION_READ_COMMITTED:
        return false;
    case LEVEL_ATOMIC_VIEW:
    case LEVEL_SESSION_ATOMIC_VIEW:
        return read_before(brute, t2, t3, r);
    case LEVEL_READ_ATOMIC:
        return reads_from(brute, t2, t3);
    case LEVEL_SESSION_READ_ATOMIC:
        return session(brute, t2, t3) || reads_from(brute, t2, t3);
    case LEVEL_TXN_CAUSAL:
        return brute->past[t2][t3];
    case LEVEL_PREFIX:
        return in_snapshot(brute, t2, t3, false, false, false);
    case LEVEL_SESSION_PREFIX:
        return in_snapshot(brute, t2, t3, true, false, false);
    case LEVEL_SNAPSHOT_ISOLATION:
        return in_snapshot(brute, t2, t3, false, true, false);
    case LEVEL_SESSION_SNAPSHOT_ISOLATION:
        return in_snapshot(brute, t2, t3, true, true, false);
    case LEVEL_STRONG_SNAPSHOT_ISOLATION:
        return in_snapshot(brute, t2, t3, true, true, true);
    default:
        return brute->pos[t2] < brute->pos[t3];
    }
}

static bool needs_sessions(enum level level) {
    return level != LEVEL_READ_COMMITTED && level != LEVEL_ATOMIC_VIEW &&
           level != LEVEL_READ_ATOMIC && level != LEVEL_PREFIX &&
           level != LEVEL_SNAPSHOT_ISOLATION && level != LEVEL_SERIALIZABLE;
}

static bool axiom(const struct brute *brute, enum level level) {
    for (int r = 0; r < brute->read_count; r++) {
        const struct brute_read *read = &brute->reads[r];
        for (int t2 = 0; t2 < brute->count; t2++)
            if (t2 != read->from && writes(brute, t2, read->key) &&
                visible(brute, level, t2, read->txn, r) &&
                (read->from == INIT || brute->pos[t2] > brute->pos[read->from]))
                return false;
    }
    return true;
}

/* What the key held at first; *len elements. */
static const uint32_t *first_list(const struct brute *brute, uint32_t key, uint32_t *len) {
    const struct values *values = &brute->history->values;
    uint32_t first = history_initial(brute->history, key);
    *len = first == VALUE_NULL ? 0 : value_at(values, first)->len;
    return *len > 0 ? value_items(values, first) : NULL;
}

/* Lists: each base is what the key held after some other transaction. */
static bool lists_fit(struct brute *brute) {
    for (int r = 0; r < brute->read_count; r++) {
        struct brute_read *read = &brute->reads[r];
        uint32_t len;
        const uint32_t *first = first_list(brute, read->key, &len);
        if (len > read->base_len || (len > 0 && memcmp(read->base, first, len * sizeof len) != 0))
            return false;
        bool found = read->base_len == len;
        read->from = INIT;
        for (int i = 0; i < brute->count && !found; i++) {
            struct mop mops[READS_MAX];
            uint32_t count = mops_of(brute->history, brute->ops[brute->order[i]], mops);
            for (uint32_t m = 0; m < count; m++) {
                if (mops[m].kind != MOP_APPEND || mops[m].key != read->key)
                    continue;
                if (len >= read->base_len || read->base[len] != mops[m].value)
                    return false;
                len++;
            }
            found = len == read->base_len;
            read->from = brute->order[i];
        }
        if (!found || read->from == read->txn)
            return false;
    }
    return true;
}

static void evaluate(struct brute *brute) {
    if (brute->lists && !lists_fit(brute))
        return;
    if (brute->lists)
        close_past(brute);
    bool in_time = true, in_sessions = true;
    for (int a = 0; a < brute->count; a++)
        for (int b = 0; b < brute->count; b++) {
            if (brute->pos[a] < brute->pos[b] && reads_from(brute, b, a))
                return;
            in_time &= !(brute->pos[a] < brute->pos[b] && real_time(brute, b, a));
            in_sessions &= !(brute->pos[a] < brute->pos[b] && session(brute, b, a));
        }
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        bool needs_time =
            level == LEVEL_STRICT_SERIALIZABLE || level == LEVEL_STRONG_SNAPSHOT_ISOLATION;
        if (!brute->holds[level] && (in_time || !needs_time) &&
            (in_sessions || !needs_sessions((enum level)level)))
            brute->holds[level] = axiom(brute, (enum level)level);
    }
}

static void permute(struct brute *brute, int placed, unsigned used) {
    if (brute->holds[LEVEL_STRICT_SERIALIZABLE])
        return;
    if (placed == brute->count) {
        evaluate(brute);
        return;
    }
    for (int t = 0; t < brute->count; t++) {
        bool ready = (used >> t & 1) == 0;
        /* No level has a transaction before one that it read from. */
        for (int other = 0; other < brute->count && ready && !brute->lists; other++)
            ready = (used >> other & 1) != 0 || !reads_from(brute, other, t);
        if (!ready)
            continue;
        brute->order[placed] = t;
        brute->pos[t] = placed;
        permute(brute, placed + 1, used | 1u << t);
    }
}

/* Registers: every way to read. */
static void assign(struct brute *brute, int r) {
    if (r == brute->read_count || brute->lists) {
        close_past(brute);
        permute(brute, 0, 0);
        return;
    }
    struct brute_read *read = &brute->reads[r];
    read->from = INIT;
    if ((history_initial(brute->history, read->key) == read->value) != read->not )
        assign(brute, r + 1);
    for (int t = 0; t < brute->count; t++) {
        if (t == read->txn || !writes(brute, t, read->key) ||
            (leaves(brute, t, read->key) == read->value) == read->not )
            continue;
        read->from = t;
        assign(brute, r + 1);
    }
}

/* Own elements so far must end the list. */
static bool add_list(struct brute *brute, int t, const struct mop *mops, uint32_t at) {
    struct brute_read *read = &brute->reads[brute->read_count++];
    const struct values *values = &brute->history->values;
    *read = (struct brute_read){.txn = t, .key = mops[at].key, .value = mops[at].value};
    uint32_t len = read->value == VALUE_NULL ? 0 : value_at(values, read->value)->len;
    const uint32_t *items = len ? value_items(values, read->value) : NULL;
    uint32_t own = 0;
    for (uint32_t i = 0; i < at; i++)
        own += mops[i].kind == MOP_APPEND && mops[i].key == read->key;
    if (len < own)
        return false;
    read->base_len = len - own;
    for (uint32_t i = 0; i < read->base_len; i++)
        read->base[i] = items[i];
    for (uint32_t i = 0, k = read->base_len; i < at; i++)
        if (mops[i].kind == MOP_APPEND && mops[i].key == read->key && items[k++] != mops[i].value)
            return false;
    return true;
}

static bool add_reads(struct brute *brute, int t) {
    struct mop mops[READS_MAX];
    uint32_t count = mops_of(brute->history, brute->ops[t], mops);
    const struct op *op = &brute->history->ops[brute->ops[t]];
    if (op->outcome == OP_INFO && op->f != OP_CAS)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        if (mops[i].kind != MOP_READ || mops[i].value == VALUE_NONE)
            continue;
        uint32_t own = VALUE_NONE;
        for (uint32_t k = 0; k < i; k++)
            if (mops[k].kind == MOP_WRITE && mops[k].key == mops[i].key)
                own = mops[k].value;
        if (brute->lists ? !add_list(brute, t, mops, i) : own != VALUE_NONE && own != mops[i].value)
            return false;
        if (!brute->lists && own == VALUE_NONE)
            brute->reads[brute->read_count++] =
                (struct brute_read){.txn = t,
                                    .key = mops[i].key,
                                    .value = mops[i].value,
                                    .not = op->outcome == OP_MISMATCH};
    }
    return true;
}

void txn_brute(const struct history *history, bool lists, bool *holds) {
    memset(holds, 0, LEVEL_COUNT * sizeof *holds);
    uint32_t infos = 0;
    for (uint32_t op = 0; op < history->op_count; op++)
        infos += history->ops[op].outcome == OP_INFO;
    for (uint32_t subset = 0; subset < 1u << infos; subset++) {
        struct brute brute = {.history = history, .lists = lists, .holds = holds};
        uint32_t info = 0;
        bool fine = true;
        for (uint32_t op = 0; op < history->op_count; op++) {
            enum op_outcome outcome = history->ops[op].outcome;
            if (outcome == OP_FAIL || (outcome == OP_INFO && (subset >> info++ & 1) == 0))
                continue;
            cairn_assert(brute.count < BRUTE_TXNS_MAX);
            brute.ops[brute.count++] = op;
        }
        for (int t = 0; t < brute.count && fine; t++)
            fine = add_reads(&brute, t);
        if (fine)
            assign(&brute, 0);
    }
}
