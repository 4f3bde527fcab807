#include "check/value.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define GROWTH_TOLD_FROM 32768u
#define GROWTH_TOLD_BEFORE 5000u /* more than one piece of input holds */
#define TABLE_START 64u

/* A value that is looked for: content lies outside the tables. */
struct draft {
    enum value_kind kind;
    uint32_t len;
    int64_t integer;
    const void *content;
};

static size_t unit_of(enum value_kind kind) {
    return kind == VALUE_TEXT ? 1 : sizeof(uint32_t);
}

/* Integers that follow each other, as histories count theirs, stand side by side in the table: half
 * a line of the cache holds eight of them. */
#define NEIGHBOURS 8u

static uint32_t draft_hash(const struct draft *draft) {
    if (draft->kind <= VALUE_INT) {
        uint64_t block = (uint64_t)draft->integer / NEIGHBOURS;
        uint64_t x = (block + draft->kind) * 0x9e3779b97f4a7c15u;
        return (uint32_t)((x ^ x >> 29) * 0xbf58476d1ce4e5b9u >> 32);
    }
    return (uint32_t)bytes_hash(bytes_of(draft->content, draft->len * unit_of(draft->kind)),
                                draft->kind);
}

static const void *content_of(const struct values *values, const struct value *value) {
    if (value->kind == VALUE_TEXT)
        return values->texts.data + value->offset;
    return value->kind > VALUE_TEXT ? values->items + value->offset : NULL;
}

static struct draft draft_of(const struct values *values, uint32_t id) {
    const struct value *value = &values->at[id];
    return (struct draft){value->kind, value->len, value->kind <= VALUE_INT ? value->integer : 0,
                          content_of(values, value)};
}

static bool same(const struct values *values, const struct value *value,
                 const struct draft *draft) {
    if (value->kind != draft->kind)
        return false;
    if (draft->kind <= VALUE_INT)
        return value->integer == draft->integer;
    return value->len == draft->len &&
           (draft->len == 0 || memcmp(content_of(values, value), draft->content,
                                      draft->len * unit_of(draft->kind)) == 0);
}

/* Any size will do: the hash is scaled to it, not masked. */
static uint32_t start_of(const struct values *values, const struct draft *draft) {
    uint32_t at = (uint32_t)((uint64_t)draft_hash(draft) * values->table_size >> 32);
    if (draft->kind <= VALUE_INT)
        at += (uint32_t)((uint64_t)draft->integer % NEIGHBOURS);
    return at < values->table_size ? at : at - values->table_size;
}

static void grow_table(struct values *values) {
    values->table_size += values->table_size / 2;
    cairn_free(values->table);
    values->table = cairn_alloc(values->table_size * sizeof *values->table);
    memset(values->table, 0xff, values->table_size * sizeof *values->table);
    for (uint32_t id = 0; id < values->count; id++) {
        struct draft draft = draft_of(values, id);
        uint32_t at = start_of(values, &draft);
        while (values->table[at] != VALUE_NONE)
            at = at + 1 == values->table_size ? 0 : at + 1;
        values->table[at] = id;
    }
}

size_t growth_of(uint64_t count, uint64_t cap, size_t size) {
    bool soon = cap - count < cap / 32 || cap - count < GROWTH_TOLD_BEFORE;
    return cap > GROWTH_TOLD_FROM && soon ? (cap + cap / 2) * size : 0;
}

size_t values_growth(const struct values *values) {
    return growth_of(values->item_count, values->item_cap, sizeof *values->items) +
           growth_of(values->texts.len, values->texts.cap, 1) +
           growth_of(values->count, values->cap, sizeof *values->at) +
           growth_of(values->count, values->table_size / 4 * 3, sizeof *values->table);
}

static uint64_t append_items(struct values *values, const uint32_t *items, uint32_t len) {
    if (values->item_count + len > values->item_cap) {
        /* The items may be a part of another list of this table. */
        bool own = values->items != NULL && items >= values->items &&
                   items < values->items + values->item_count;
        size_t offset = own ? (size_t)(items - values->items) : 0;
        values->item_cap += values->item_cap / 2 + len + 16;
        values->items = cairn_realloc(values->items, values->item_cap * sizeof *values->items);
        items = own ? values->items + offset : items;
    }
    memcpy(values->items + values->item_count, items, len * sizeof *items);
    values->item_count += len;
    return values->item_count - len;
}

static uint64_t append_text(struct values *values, const uint8_t *text, uint32_t len) {
    struct buf *texts = &values->texts;
    if (texts->len + len > texts->cap) {
        bool own = texts->data != NULL && text >= texts->data && text < texts->data + texts->len;
        size_t offset = own ? (size_t)(text - texts->data) : 0;
        texts->cap += texts->cap / 2 + len + 64;
        texts->data = cairn_realloc(texts->data, texts->cap);
        text = own ? texts->data + offset : text;
    }
    memcpy(texts->data + texts->len, text, len);
    texts->len += len;
    return texts->len - len;
}

static void fill(struct values *values, struct value *value, const struct draft *draft) {
    value->kind = draft->kind;
    value->len = draft->len;
    if (draft->kind <= VALUE_INT)
        value->integer = draft->integer;
    else if (draft->len == 0)
        value->offset = 0;
    else if (draft->kind == VALUE_TEXT)
        value->offset = append_text(values, draft->content, draft->len);
    else
        value->offset = append_items(values, draft->content, draft->len);
}

static uint32_t intern(struct values *values, const struct draft *draft) {
    uint32_t at = start_of(values, draft);
    while (values->table[at] != VALUE_NONE) {
        if (same(values, &values->at[values->table[at]], draft))
            return values->table[at];
        at = at + 1 == values->table_size ? 0 : at + 1;
    }
    cairn_assert(values->count < UINT32_MAX / 2);
    if (values->count == values->cap) {
        values->cap += values->cap / 2 + 16;
        values->at = cairn_realloc(values->at, values->cap * sizeof *values->at);
    }
    uint32_t id = values->count++;
    fill(values, &values->at[id], draft);
    values->table[at] = id;
    if (values->count > values->table_size / 4 * 3)
        grow_table(values);
    return id;
}

void values_init(struct values *values) {
    *values = (struct values){.cap = TABLE_START / 2, .table_size = TABLE_START};
    values->at = cairn_alloc(values->cap * sizeof *values->at);
    values->table = cairn_alloc(values->table_size * sizeof *values->table);
    memset(values->table, 0xff, values->table_size * sizeof *values->table);
    memset(values->recent, 0xff, sizeof values->recent);
    uint32_t nil = intern(values, &(struct draft){.kind = VALUE_NIL});
    cairn_assert(nil == VALUE_NULL);
}

void values_free(struct values *values) {
    cairn_free(values->at);
    cairn_free(values->table);
    cairn_free(values->items);
    buf_free(&values->texts);
    *values = (struct values){0};
}

void values_copy(struct values *to, const struct values *from) {
    *to = *from;
    to->cap = from->count;
    to->at = cairn_alloc(from->count * sizeof *from->at);
    memcpy(to->at, from->at, from->count * sizeof *from->at);
    to->table = cairn_alloc(from->table_size * sizeof *from->table);
    memcpy(to->table, from->table, from->table_size * sizeof *from->table);
    to->item_cap = 0;
    to->item_count = 0;
    to->items = NULL;
    to->texts = (struct buf){0};
    if (from->item_count != 0)
        append_items(to, from->items, (uint32_t)from->item_count);
    buf_append(&to->texts, from->texts.data, from->texts.len);
}

uint32_t value_bool(struct values *values, bool truth) {
    return intern(values, &(struct draft){.kind = VALUE_BOOL, .integer = truth});
}

uint32_t value_int(struct values *values, int64_t integer) {
    uint32_t slot = (uint64_t)integer % VALUES_RECENT;
    if (values->recent[slot].id == VALUE_NONE || values->recent[slot].integer != integer) {
        values->recent[slot].id =
            intern(values, &(struct draft){.kind = VALUE_INT, .integer = integer});
        values->recent[slot].integer = integer;
    }
    return values->recent[slot].id;
}

uint32_t value_text(struct values *values, struct bytes text) {
    cairn_assert(text.len < UINT32_MAX);
    return intern(values, &(struct draft){VALUE_TEXT, (uint32_t)text.len, 0, text.data});
}

uint32_t value_list(struct values *values, const uint32_t *items, uint32_t len) {
    return intern(values, &(struct draft){VALUE_LIST, len, 0, items});
}

static int compare_items(const void *a, const void *b, void *values) {
    return value_compare(values, *(const uint32_t *)a, *(const uint32_t *)b);
}

uint32_t value_set(struct values *values, const uint32_t *items, uint32_t len) {
    uint32_t *sorted = cairn_alloc(len * sizeof *sorted);
    uint32_t kept = 0;
    if (len != 0)
        memcpy(sorted, items, len * sizeof *sorted);
    qsort_r(sorted, len, sizeof *sorted, compare_items, values);
    for (uint32_t i = 0; i < len; i++)
        if (kept == 0 || sorted[kept - 1] != sorted[i])
            sorted[kept++] = sorted[i];
    uint32_t id = value_list(values, sorted, kept);
    cairn_free(sorted);
    return id;
}

struct pair {
    uint32_t key, value, place;
};

static int compare_pairs(const void *a, const void *b, void *values) {
    const struct pair *x = a, *y = b;
    int order = value_compare(values, x->key, y->key);
    return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

uint32_t value_map(struct values *values, const uint32_t *items, uint32_t len) {
    cairn_assert(len % 2 == 0);
    uint32_t count = len / 2, kept = 0;
    struct pair *pairs = cairn_alloc(count * sizeof *pairs);
    uint32_t *flat = cairn_alloc(len * sizeof *flat);
    for (uint32_t i = 0; i < count; i++)
        pairs[i] = (struct pair){items[2 * i], items[2 * i + 1], i};
    qsort_r(pairs, count, sizeof *pairs, compare_pairs, values);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && pairs[i + 1].key == pairs[i].key)
            continue;
        flat[kept++] = pairs[i].key;
        flat[kept++] = pairs[i].value;
    }
    uint32_t id = intern(values, &(struct draft){VALUE_MAP, kept, 0, flat});
    cairn_free(pairs);
    cairn_free(flat);
    return id;
}

const uint32_t *value_items(const struct values *values, uint32_t id) {
    cairn_assert(id < values->count && values->at[id].kind >= VALUE_LIST);
    return values->at[id].len == 0 ? NULL : values->items + values->at[id].offset;
}

struct bytes value_bytes(const struct values *values, uint32_t id) {
    cairn_assert(id < values->count && values->at[id].kind == VALUE_TEXT);
    return values->at[id].len == 0
               ? bytes_of(NULL, 0)
               : bytes_of(values->texts.data + values->at[id].offset, values->at[id].len);
}

static int compare_lists(const struct values *values, uint32_t a, uint32_t b) {
    const uint32_t *x = value_items(values, a), *y = value_items(values, b);
    uint32_t x_len = values->at[a].len, y_len = values->at[b].len;
    for (uint32_t i = 0; i < x_len && i < y_len; i++) {
        int order = value_compare(values, x[i], y[i]);
        if (order != 0)
            return order;
    }
    return x_len < y_len ? -1 : x_len > y_len;
}

bool value_integer(const struct values *values, uint32_t id, int64_t *integer) {
    if (id == VALUE_NONE || value_at(values, id)->kind != VALUE_INT)
        return false;
    *integer = value_at(values, id)->integer;
    return true;
}

int value_compare(const struct values *values, uint32_t a, uint32_t b) {
    if (a == b)
        return 0;
    const struct value *x = &values->at[a], *y = &values->at[b];
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    switch (x->kind) {
    case VALUE_NIL:
        return 0;
    case VALUE_BOOL:
    case VALUE_INT:
        return x->integer < y->integer ? -1 : x->integer > y->integer;
    case VALUE_TEXT:
        return bytes_compare(value_bytes(values, a), value_bytes(values, b));
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    return compare_lists(values, a, b);
}
