/* Which append was read, of lists: every list that was read is a prefix of the longest one of its
 * key, and so tells its writers and their order. */
#include "check/txn_build.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static uint32_t list_len(const struct values *values, uint32_t list) {
    return list == VALUE_NULL ? 0 : value_at(values, list)->len;
}

/* What the key held at first; its elements stand before all appended ones. */
static uint32_t first_len(const struct txn_build *build, uint32_t key) {
    const struct values *values = &build->history->values;
    uint32_t first = history_initial(build->history, build->keys[key]);
    return value_at(values, first)->kind == VALUE_LIST ? value_at(values, first)->len : 0;
}

static const uint32_t *appended(const struct txn_build *build, uint32_t key, uint32_t list) {
    return value_items(&build->history->values, list) + first_len(build, key);
}

static bool starts_right(const struct txn_build *build, uint32_t key, uint32_t list) {
    const struct values *values = &build->history->values;
    uint32_t len = first_len(build, key);
    if (len == 0)
        return true;
    uint32_t first = history_initial(build->history, build->keys[key]);
    return list_len(values, list) >= len &&
           memcmp(value_items(values, list), value_items(values, first), len * sizeof len) == 0;
}

/* Do the last elements of the list equal the operation's own first `own` appends? */
static bool ends_right(const struct txn_build *build, uint32_t key, uint32_t list, uint32_t own) {
    uint32_t len = list_len(&build->history->values, list);
    if (len < first_len(build, key) + own)
        return false;
    uint32_t entry = build->own[key];
    for (uint32_t i = len - own; i < len; i++, entry = build->entries[entry].after)
        if (value_items(&build->history->values, list)[i] != build->entries[entry].value)
            return false;
    return true;
}

static void read_list(struct txn_build *build, uint32_t op, uint32_t key, uint32_t list) {
    const struct values *values = &build->history->values;
    if (list != VALUE_NULL && value_at(values, list)->kind != VALUE_LIST) {
        build->result = TXNS_FOREIGN;
        return;
    }
    bool writes = build->own_op[key] == op;
    uint32_t own = writes ? build->own_count[key] : 0;
    if (!starts_right(build, key, list)) {
        txn_build_fault(build, ANOMALY_THIN_AIR, op, OP_NONE, key, list);
    } else if (own > 0 && !ends_right(build, key, list, own)) {
        txn_build_fault(build, ANOMALY_INTERNAL, op, OP_NONE, key, list);
    } else {
        uint32_t len = list_len(values, list) - first_len(build, key) - own;
        struct txn_source source = {op,   key, OP_NONE,
                                    list, len, writes ? build->own[key] : ENTRY_NONE};
        txn_build_source(build, &source);
    }
}

/* The operation's own entry of what it appended. */
static uint32_t own_entry(const struct txn_build *build, uint32_t op, uint32_t key,
                          uint32_t value) {
    uint32_t entry = txn_build_find(build, key, value);
    while (build->entries[entry].op != op)
        entry = build->entries[entry].next;
    return entry;
}

void txn_build_lists(struct txn_build *build, uint32_t op) {
    struct mop single[2];
    const struct mop *mops;
    uint32_t count;
    txn_mops(build->history, &build->history->ops[op], single, &mops, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = build->key_of[mops[i].key];
        if (mops[i].kind == MOP_READ || build->own_op[key] == op)
            continue;
        build->own_op[key] = op;
        build->own[key] = own_entry(build, op, key, mops[i].value);
        build->own_count[key] = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = build->key_of[mops[i].key];
        if (mops[i].kind != MOP_READ)
            build->own_count[key]++;
        else if (mops[i].value != VALUE_NONE)
            read_list(build, op, key, mops[i].value);
    }
}

/* ---- versions ---- */

/* By key, the source with the longest list; ENTRY_NONE: no operation read it. */
static uint32_t *longest_of(struct txn_build *build) {
    uint32_t *longest = cairn_alloc((build->key_count + 1u) * sizeof *longest);
    memset(longest, 0xff, (build->key_count + 1u) * sizeof *longest);
    for (uint32_t i = 0; i < build->source_count; i++) {
        uint32_t *best = &longest[build->sources[i].key];
        if (*best == ENTRY_NONE || build->sources[i].len > build->sources[*best].len)
            *best = i;
    }
    return longest;
}

/* Equal lists are one value, so each is compared once a key. */
static void compare_lists(struct txn_build *build, const uint32_t *longest) {
    uint32_t values = build->history->values.count;
    uint32_t *done_key = cairn_alloc_zero(values * sizeof(uint32_t));
    uint32_t *done_len = cairn_alloc_zero(values * sizeof(uint32_t));
    for (uint32_t i = 0; i < build->source_count; i++) {
        const struct txn_source *source = &build->sources[i];
        const struct txn_source *best = &build->sources[longest[source->key]];
        if (source->len == 0 ||
            (done_key[source->list] == source->key + 1 && done_len[source->list] >= source->len))
            continue;
        const uint32_t *mine = appended(build, source->key, source->list);
        const uint32_t *other = appended(build, source->key, best->list);
        if (mine != other && memcmp(mine, other, source->len * sizeof *mine) != 0)
            txn_build_fault(build, ANOMALY_INCOMPATIBLE_ORDER, source->op, best->op, source->key,
                            source->list);
        done_key[source->list] = source->key + 1;
        done_len[source->list] = source->len;
        if (limits_over(build->limits, 1 + source->len / 64)) {
            build->result = TXNS_STOPPED;
            break;
        }
    }
    cairn_free(done_key);
    cairn_free(done_len);
}

/* Whose append is this element of the list? */
static uint32_t resolve(struct txn_build *build, const struct txn_source *source, uint32_t value) {
    uint32_t found = txn_build_find(build, source->key, value);
    uint32_t entry = ENTRY_NONE, free = 0;
    for (uint32_t i = found; i != ENTRY_NONE; i = build->entries[i].next) {
        if (build->history->ops[build->entries[i].op].outcome == OP_FAIL)
            continue;
        entry = i;
        free++;
    }
    if (entry == ENTRY_NONE)
        txn_build_fault(build, found == ENTRY_NONE ? ANOMALY_THIN_AIR : ANOMALY_G1A, source->op,
                        found == ENTRY_NONE ? OP_NONE : build->entries[found].op, source->key,
                        source->list);
    else if (free == 1 && build->entries[entry].place != ENTRY_NONE)
        txn_build_fault(build, ANOMALY_DUPLICATE, source->op, OP_NONE, source->key, source->list);
    if (free > 1 && build->result == TXNS_FINE) {
        build->result = TXNS_UNCLEAR;
        history_describe(build->history, build->entries[entry].op, &build->txns->text);
        buf_printf(&build->txns->text, " appends what another one appends too: it is not known "
                                       "whose append was read");
    }
    return entry;
}

static void resolve_all(struct txn_build *build, const uint32_t *longest) {
    build->element_at = cairn_alloc_zero((build->key_count + 2u) * sizeof *build->element_at);
    for (uint32_t key = 0; key < build->key_count; key++)
        build->element_at[key + 1] =
            build->element_at[key] +
            (longest[key] == ENTRY_NONE ? 0 : build->sources[longest[key]].len);
    build->elements =
        cairn_alloc((build->element_at[build->key_count] + 1u) * sizeof *build->elements);
    for (uint32_t key = 0; key < build->key_count; key++) {
        uint32_t at = build->element_at[key], count = build->element_at[key + 1] - at;
        for (uint32_t i = 0; i < count; i++) {
            const struct txn_source *source = &build->sources[longest[key]];
            uint32_t entry = resolve(build, source, appended(build, key, source->list)[i]);
            build->elements[at + i] = entry;
            if (entry == ENTRY_NONE)
                continue;
            build->entries[entry].place = i;
            txn_build_include(build, build->entries[entry].op);
        }
    }
}

/* What one transaction appended stands together, whole, and in its order. */
static void check_groups(struct txn_build *build, const uint32_t *longest) {
    for (uint32_t key = 0; key < build->key_count; key++)
        for (uint32_t i = build->element_at[key]; i < build->element_at[key + 1]; i++) {
            const struct txn_entry *entry = &build->entries[build->elements[i]];
            uint32_t before = i > build->element_at[key] ? build->elements[i - 1] : ENTRY_NONE;
            if (entry->before != ENTRY_NONE && entry->before != before)
                txn_build_fault(build, ANOMALY_G0, build->sources[longest[key]].op, entry->op, key,
                                build->sources[longest[key]].list);
            else if (before != ENTRY_NONE && build->entries[before].after != ENTRY_NONE &&
                     build->entries[before].after != build->elements[i])
                txn_build_fault(build, ANOMALY_G1B, build->sources[longest[key]].op,
                                build->entries[before].op, key, build->sources[longest[key]].list);
        }
}

static void find_writers(struct txn_build *build) {
    for (uint32_t i = 0; i < build->source_count; i++) {
        struct txn_source *source = &build->sources[i];
        if (source->len == 0)
            continue;
        uint32_t last = build->elements[build->element_at[source->key] + source->len - 1];
        source->writer = build->entries[last].op;
        if (source->own != ENTRY_NONE && build->entries[source->own].place < source->len)
            txn_build_fault(build, ANOMALY_INTERNAL, source->op, OP_NONE, source->key,
                            source->list);
        else if (build->entries[last].after != ENTRY_NONE)
            txn_build_fault(build, ANOMALY_G1B, source->op, source->writer, source->key,
                            source->list);
    }
}

void txn_build_versions(struct txn_build *build) {
    uint32_t *longest = longest_of(build);
    compare_lists(build, longest);
    if (build->result == TXNS_FINE)
        resolve_all(build, longest);
    if (build->result == TXNS_FINE)
        check_groups(build, longest);
    if (build->result == TXNS_FINE)
        find_writers(build);
    cairn_free(longest);
}
