#include "check/part.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* An element that is left out. */
struct gone {
    uint32_t key, element;
};

struct leaving {
    struct gone *at;
    uint32_t count;
    uint32_t
        *earliest;   /* key -> from when on what is left out may stand anywhere; OP_OPEN: never */
    uint32_t *items; /* of the read at hand */
};

static int by_element(const void *a, const void *b) {
    const struct gone *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->element < y->element ? -1 : x->element > y->element;
}

static bool places(const struct op *op) {
    return op->outcome != OP_FAIL && (op->f == OP_APPEND || op->f == OP_ADD || op->f == OP_REMOVE);
}

static void find_gone(struct leaving *leaving, const struct history *whole, const bool *keep,
                      bool real_time) {
    for (uint32_t i = 0; i < whole->op_count; i++) {
        const struct op *op = &whole->ops[i];
        if (keep[i] || !places(op))
            continue;
        uint32_t *earliest = &leaving->earliest[op->key], from = real_time ? op->call : 0;
        *earliest = from < *earliest ? from : *earliest;
        leaving->at[leaving->count++] = (struct gone){op->key, op->arg};
    }
    qsort(leaving->at, leaving->count, sizeof *leaving->at, by_element);
}

static bool is_gone(const struct leaving *leaving, uint32_t key, uint32_t element) {
    struct gone one = {key, element};
    return bsearch(&one, leaving->at, leaving->count, sizeof one, by_element) != NULL;
}

static void forget_elements(struct leaving *leaving, struct history *part, struct op *read) {
    if (read->out == VALUE_NONE || value_at(&part->values, read->out)->kind != VALUE_LIST)
        return;
    uint32_t len = value_at(&part->values, read->out)->len, left = 0;
    const uint32_t *items = value_items(&part->values, read->out);
    leaving->items = cairn_realloc(leaving->items, (len + 1) * sizeof *leaving->items);
    for (uint32_t i = 0; i < len; i++)
        if (!is_gone(leaving, read->key, items[i]))
            leaving->items[left++] = items[i];
    if (left < len)
        read->out = value_list(&part->values, leaving->items, left);
}

static void forget_length(const struct leaving *leaving, struct op *append) {
    if (append->outcome == OP_OK && leaving->earliest[append->key] <= append->ret)
        append->out = VALUE_NONE;
}

void history_part(struct history *part, const struct history *whole, const bool *keep,
                  enum model model, bool real_time) {
    history_copy(part, whole, keep);
    if (model != MODEL_APPEND && model != MODEL_SET)
        return;
    size_t keys = whole->values.count;
    struct leaving leaving = {.at = cairn_alloc((whole->op_count + 1) * sizeof *leaving.at),
                              .earliest = cairn_alloc(keys * sizeof *leaving.earliest)};
    memset(leaving.earliest, 0xff, keys * sizeof *leaving.earliest);
    find_gone(&leaving, whole, keep, real_time);
    for (uint32_t i = 0; leaving.count > 0 && i < part->op_count; i++) {
        struct op *op = &part->ops[i];
        if (op->f == OP_READ && op->outcome == OP_OK)
            forget_elements(&leaving, part, op);
        else if (op->f == OP_APPEND)
            forget_length(&leaving, op);
    }
    cairn_free(leaving.items);
    cairn_free(leaving.earliest);
    cairn_free(leaving.at);
}
