#include "check/lint.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hmap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024u

const char *lint_severity_name(enum lint_severity severity) {
    static const char *const names[LINT_SEVERITY_COUNT] = {"note", "warning", "error"};
    return names[severity];
}

void lint_init(struct lint *lint) {
    *lint = (struct lint){0};
}

void lint_free(struct lint *lint) {
    cairn_free(lint->at);
    buf_free(&lint->texts);
    *lint = (struct lint){0};
}

void lint_add(struct lint *lint, enum lint_severity severity, uint32_t line, const char *format,
              ...) {
    if (lint == NULL || lint->totals[severity]++ >= LINT_KEPT_MAX)
        return;
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cairn_assert(len >= 0);
    if (lint->count == lint->cap) {
        lint->cap += lint->cap / 2 + 16;
        lint->at = cairn_realloc(lint->at, lint->cap * sizeof *lint->at);
    }
    struct finding *finding = &lint->at[lint->count++];
    *finding = (struct finding){severity, line, 0, lint->texts.len};
    finding->len = (size_t)len < sizeof text ? (uint32_t)len : (uint32_t)sizeof text - 1;
    buf_append(&lint->texts, text, finding->len);
}

struct bytes lint_text(const struct lint *lint, uint32_t finding) {
    cairn_assert(finding < lint->count);
    return bytes_of(lint->texts.data + lint->at[finding].offset, lint->at[finding].len);
}

static int compare_findings(const void *a, const void *b) {
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void lint_sort(struct lint *lint) {
    if (lint->count != 0)
        qsort(lint->at, lint->count, sizeof *lint->at, compare_findings);
}

/* ---- values written twice ---- */

struct written {
    uint32_t key, value, line;
};

struct write_set {
    struct written *slots; /* line 0: free */
    size_t size, count;
};

static struct written *slot_of(struct write_set *set, uint32_t key, uint32_t value) {
    size_t at = hash_u64((uint64_t)key << 32 | value) & (set->size - 1);
    while (set->slots[at].line != 0 && (set->slots[at].key != key || set->slots[at].value != value))
        at = (at + 1) & (set->size - 1);
    return &set->slots[at];
}

static void grow_set(struct write_set *set) {
    struct write_set old = *set;
    set->size = old.size == 0 ? 256 : old.size * 2;
    set->slots = cairn_alloc_zero(set->size * sizeof *set->slots);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].line != 0)
            *slot_of(set, old.slots[i].key, old.slots[i].value) = old.slots[i];
    cairn_free(old.slots);
}

static void note_write(struct lint *lint, const struct history *history, struct write_set *set,
                       const struct op *op, uint32_t key, uint32_t value) {
    if (2 * set->count >= set->size)
        grow_set(set);
    struct written *slot = slot_of(set, key, value);
    if (slot->line == 0) {
        *slot = (struct written){key, value, op->line == 0 ? UINT32_MAX : op->line};
        set->count++;
        return;
    }
    enum lint_severity severity = op->f == OP_TXN ? LINT_WARNING : LINT_NOTE;
    if (lint->totals[severity] >= LINT_KEPT_MAX) {
        lint->totals[severity]++;
        return;
    }
    struct buf text = {0};
    value_show(&history->values, value, &text);
    if (key != VALUE_NULL) {
        buf_printf(&text, " of key ");
        value_show(&history->values, key, &text);
    }
    buf_u8(&text, 0);
    lint_add(lint, severity, op->line, "the value %.400s was written before, on %s %" PRIu32,
             (char *)text.data, history->numbered ? "event" : "line", slot->line);
    buf_free(&text);
}

static bool makes_value(enum op_f f) {
    return f == OP_WRITE || f == OP_APPEND || f == OP_ENQUEUE || f == OP_PUSH || f == OP_INSERT;
}

void lint_values(struct lint *lint, const struct history *history) {
    struct write_set set = {0};
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL)
            continue;
        if (makes_value(op->f))
            note_write(lint, history, &set, op, op->key, op->arg);
        for (uint32_t n = 0; op->f == OP_TXN && n < op->out; n++) {
            const struct mop *mop = &history->mops[op->arg + n];
            if (mop->kind != MOP_READ)
                note_write(lint, history, &set, op, mop->key, mop->value);
        }
    }
    cairn_free(set.slots);
}
