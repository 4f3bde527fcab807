#include "check/txn_facts.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct part {
    struct mop single[2];
    const struct mop *mops;
    uint32_t count;
};

static bool parts_of(const struct history *history, const struct op *op, struct part *part) {
    part->mops = part->single;
    part->count = 1;
    if (op->f == OP_TXN) {
        part->mops = history->mops + op->arg;
        part->count = op->out;
    } else if (op->f == OP_READ) {
        part->single[0] = (struct mop){MOP_READ, op->key, op->out};
    } else if (op->f == OP_WRITE || op->f == OP_APPEND) {
        part->single[0] =
            (struct mop){op->f == OP_WRITE ? MOP_WRITE : MOP_APPEND, op->key, op->arg};
    } else if (op->f == OP_CAS) {
        const uint32_t *pair = value_items(&history->values, op->arg);
        part->single[0] = (struct mop){MOP_READ, op->key, pair[0]};
        part->single[1] = (struct mop){MOP_WRITE, op->key, pair[1]};
        part->count = op->outcome == OP_MISMATCH ? 1 : 2;
    } else {
        return false;
    }
    return true;
}

const uint32_t *txn_facts_list(const struct txn_facts *facts, uint32_t key, uint32_t list,
                               uint32_t *len) {
    const struct values *values = &facts->history->values;
    uint32_t first = history_initial(facts->history, key), skip = 0;
    if (value_at(values, first)->kind == VALUE_LIST)
        skip = value_at(values, first)->len;
    *len = value_at(values, list)->kind == VALUE_LIST ? value_at(values, list)->len : 0;
    if (*len < skip || *len == 0) {
        *len = 0;
        return NULL;
    }
    *len -= skip;
    return value_items(values, list) + skip;
}

/* Is what the key held at first the beginning of the list? */
static bool begins_with_first(const struct txn_facts *facts, uint32_t key, uint32_t list) {
    const struct values *values = &facts->history->values;
    const struct value *first = value_at(values, history_initial(facts->history, key));
    const struct value *read = value_at(values, list);
    if (first->kind != VALUE_LIST || first->len == 0)
        return true;
    return read->kind == VALUE_LIST && read->len >= first->len &&
           memcmp(value_items(values, list),
                  value_items(values, history_initial(facts->history, key)),
                  first->len * sizeof(uint32_t)) == 0;
}

static void add_read(struct txn_facts *facts, const struct fact_read *read) {
    if (facts->read_count == facts->read_cap) {
        facts->read_cap = facts->read_cap ? facts->read_cap * 2 : 64;
        facts->reads = cairn_realloc(facts->reads, facts->read_cap * sizeof *facts->reads);
    }
    facts->reads[facts->read_count++] = *read;
}

/* How many of the first `at` parts wrote the key; *value: the last written. */
static uint32_t own_before(const struct part *part, uint32_t at, uint32_t *value) {
    uint32_t own = 0;
    for (uint32_t i = 0; i < at; i++)
        if (part->mops[i].kind != MOP_READ && part->mops[i].key == part->mops[at].key) {
            *value = part->mops[i].value;
            own++;
        }
    return own;
}

static bool ends_with_own(const struct part *part, uint32_t at, const uint32_t *list, uint32_t len,
                          uint32_t own) {
    if (len < own)
        return false;
    uint32_t place = len - own;
    for (uint32_t i = 0; i < at; i++)
        if (part->mops[i].kind != MOP_READ && part->mops[i].key == part->mops[at].key &&
            list[place++] != part->mops[i].value)
            return false;
    return true;
}

static void take_read(struct txn_facts *facts, uint32_t op, const struct part *part, uint32_t at) {
    const struct mop *mop = &part->mops[at];
    struct fact_read read = {.op = op,
                             .key = mop->key,
                             .value = mop->value,
                             .not = facts->history->ops[op].outcome == OP_MISMATCH};
    uint32_t last = VALUE_NONE, own = own_before(part, at, &last);
    if (!facts->lists && own > 0) {
        if (last != mop->value)
            facts->broken[op] = true;
        return;
    }
    if (facts->lists) {
        uint32_t len;
        const uint32_t *list = txn_facts_list(facts, mop->key, mop->value, &len);
        if (!begins_with_first(facts, mop->key, mop->value) ||
            !ends_with_own(part, at, list, len, own)) {
            facts->broken[op] = true;
            return;
        }
        read.len = len - own;
    }
    add_read(facts, &read);
}

static void take_write(struct txn_facts *facts, uint32_t op, const struct mop *mop) {
    for (uint32_t w = facts->write_count; w-- > 0 && facts->writes[w].op == op;) {
        if (facts->writes[w].key != mop->key)
            continue;
        if (!facts->lists)
            facts->writes[w].value = mop->value;
        facts->writes[w].appended++;
        return;
    }
    if (facts->write_count == facts->write_cap) {
        facts->write_cap = facts->write_cap ? facts->write_cap * 2 : 64;
        facts->writes = cairn_realloc(facts->writes, facts->write_cap * sizeof *facts->writes);
    }
    facts->writes[facts->write_count++] = (struct fact_write){op, mop->key, mop->value, 1};
}

static int by_key(const void *a, const void *b) {
    const struct fact_write *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

bool txn_facts_make(struct txn_facts *facts, const struct history *history, enum model model,
                    enum level level) {
    *facts = (struct txn_facts){.history = history,
                                .lists = model == MODEL_TXN_APPEND || model == MODEL_APPEND,
                                .level = level,
                                .broken = cairn_alloc_zero(history->op_count + 1u)};
    facts->read_at = cairn_alloc_zero((history->op_count + 2u) * sizeof *facts->read_at);
    for (uint32_t op = 0; op < history->op_count; op++) {
        const struct op *from = &history->ops[op];
        struct part part;
        facts->read_at[op] = facts->read_count;
        if (!parts_of(history, from, &part))
            return false;
        bool told = from->outcome == OP_OK || from->outcome == OP_MISMATCH ||
                    (from->outcome == OP_INFO && from->f == OP_CAS);
        for (uint32_t i = 0; i < part.count && from->outcome != OP_FAIL; i++)
            if (part.mops[i].kind != MOP_READ)
                take_write(facts, op, &part.mops[i]);
            else if (told && part.mops[i].value != VALUE_NONE)
                take_read(facts, op, &part, i);
    }
    facts->read_at[history->op_count] = facts->read_count;
    if (facts->write_count > 1)
        qsort(facts->writes, facts->write_count, sizeof *facts->writes, by_key);
    return true;
}

void txn_facts_free(struct txn_facts *facts) {
    cairn_free(facts->reads);
    cairn_free(facts->read_at);
    cairn_free(facts->writes);
    cairn_free(facts->broken);
}

/* ---- questions ---- */

static uint32_t first_from(const struct txn_facts *facts, uint32_t key, uint32_t op) {
    struct fact_write sought = {.op = op, .key = key};
    uint32_t low = 0, high = facts->write_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_key(&facts->writes[middle], &sought) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void txn_facts_key(const struct txn_facts *facts, uint32_t key, uint32_t *at, uint32_t *end) {
    *at = first_from(facts, key, 0);
    *end = first_from(facts, key + 1, 0);
}

const struct fact_write *txn_facts_write(const struct txn_facts *facts, uint32_t op, uint32_t key) {
    uint32_t w = first_from(facts, key, op);
    if (w == facts->write_count || facts->writes[w].key != key || facts->writes[w].op != op)
        return NULL;
    return &facts->writes[w];
}

uint32_t txn_facts_appended(const struct txn_facts *facts, uint32_t op, uint32_t key, uint32_t i) {
    struct part part;
    parts_of(facts->history, &facts->history->ops[op], &part);
    for (uint32_t m = 0; m < part.count; m++)
        if (part.mops[m].kind == MOP_APPEND && part.mops[m].key == key && i-- == 0)
            return part.mops[m].value;
    return VALUE_NONE;
}

bool txn_facts_in_list(const struct txn_facts *facts, const struct fact_read *read,
                       const struct fact_write *write, uint32_t *at) {
    uint32_t len;
    const uint32_t *list = txn_facts_list(facts, read->key, read->value, &len);
    for (*at = 0; *at < read->len; (*at)++)
        if (list[*at] == write->value)
            return true;
    return false;
}

bool txn_facts_fits(const struct txn_facts *facts, const struct fact_read *read,
                    const struct fact_write *write) {
    if (write != NULL && write->op == read->op)
        return false;
    if (!facts->lists) {
        uint32_t value = write == NULL ? history_initial(facts->history, read->key) : write->value;
        return (value == read->value) != read->not ;
    }
    if (write == NULL || read->len == 0)
        return write == NULL && read->len == 0;
    uint32_t len;
    const uint32_t *list = txn_facts_list(facts, read->key, read->value, &len);
    for (uint32_t i = 0; i < write->appended; i++)
        if (write->appended > read->len || list[read->len - write->appended + i] !=
                                               txn_facts_appended(facts, write->op, read->key, i))
            return false;
    return true;
}

bool txn_facts_source(const struct txn_facts *facts, const struct fact_read *read,
                      const struct fact_write **source) {
    uint32_t at, end, found = 0;
    *source = NULL;
    if (txn_facts_fits(facts, read, NULL))
        found++;
    txn_facts_key(facts, read->key, &at, &end);
    for (; at < end && found < 2; at++)
        if (txn_facts_fits(facts, read, &facts->writes[at])) {
            *source = &facts->writes[at];
            found++;
        }
    return found == 1;
}
