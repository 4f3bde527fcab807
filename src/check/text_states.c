/* Texts that are put, appended to and read, as a register with unique states: every token is
 * written once, so that a text that was read tells which tokens it is made of, and each append that
 * a read saw replaced the text before it by the text with it. */
#include "check/zones.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define LENGTHS_MAX 16 /* different lengths of tokens */
#define NO_TOKEN UINT32_MAX

struct token {
    struct bytes text;
    uint32_t op; /* in the given list */
    bool put;
    uint32_t state; /* STATE_NONE: not seen yet */
};

struct texts {
    const struct history *history;
    struct token *tokens;
    uint32_t token_count;
    uint32_t *table, table_size;
    size_t lengths[LENGTHS_MAX];
    uint32_t length_count;
    struct state_op *to;
    uint32_t states;
};

static uint32_t *slot_of(const struct texts *texts, struct bytes text, bool put) {
    uint32_t at = (uint32_t)bytes_hash(text, put) & (texts->table_size - 1);
    for (; texts->table[at] != NO_TOKEN; at = (at + 1) & (texts->table_size - 1)) {
        const struct token *token = &texts->tokens[texts->table[at]];
        if (token->put == put && bytes_equal(token->text, text))
            break;
    }
    return &texts->table[at];
}

static bool add_length(struct texts *texts, size_t len) {
    for (uint32_t i = 0; i < texts->length_count; i++)
        if (texts->lengths[i] == len)
            return true;
    if (texts->length_count == LENGTHS_MAX)
        return false;
    texts->lengths[texts->length_count++] = len;
    return true;
}

static bool is_text(const struct history *history, uint32_t value) {
    return value != VALUE_NONE && value_at(&history->values, value)->kind == VALUE_TEXT;
}

/* False: it repeats, is empty, or is told a length. */
static bool add_token(struct texts *texts, uint32_t at, const struct op *op) {
    if (!is_text(texts->history, op->arg) ||
        (op->out != VALUE_NONE && value_at(&texts->history->values, op->out)->kind == VALUE_INT))
        return false;
    struct bytes text = value_bytes(&texts->history->values, op->arg);
    bool put = op->f == OP_WRITE;
    uint32_t *slot = text.len > 0 ? slot_of(texts, text, put) : NULL;
    if (slot == NULL || *slot != NO_TOKEN || !add_length(texts, text.len))
        return false;
    *slot = texts->token_count;
    texts->tokens[texts->token_count++] = (struct token){text, at, op->f == OP_WRITE, STATE_NONE};
    return true;
}

static bool gather(struct texts *texts, const uint32_t *ops, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &texts->history->ops[ops[i]];
        texts->to[i] = (struct state_op){ops[i], STATE_NONE, STATE_NONE};
        if (op->f == OP_READ)
            continue;
        if ((op->f != OP_WRITE && op->f != OP_APPEND) || !add_token(texts, i, op))
            return false;
    }
    return true;
}

/* The one token that the text goes on with; NO_TOKEN: none. False: there are two. */
static bool next_token(const struct texts *texts, struct bytes text, size_t offset,
                       uint32_t *token) {
    *token = NO_TOKEN;
    for (uint32_t i = 0; i < texts->length_count; i++) {
        size_t len = texts->lengths[i];
        if (len > text.len - offset)
            continue;
        struct bytes part = bytes_of(text.data + offset, len);
        uint32_t found = offset == 0 ? *slot_of(texts, part, true) : NO_TOKEN;
        if (found == NO_TOKEN)
            found = *slot_of(texts, part, false);
        if (found == NO_TOKEN)
            continue;
        if (*token != NO_TOKEN)
            return false;
        *token = found;
    }
    return true;
}

/* The state behind the token in this place; a new one without a writer where it can't be. */
static uint32_t state_behind(struct texts *texts, uint32_t number, uint32_t before) {
    if (number == NO_TOKEN)
        return texts->states++;
    struct token *token = &texts->tokens[number];
    struct state_op *op = &texts->to[token->op];
    if (token->state == STATE_NONE) {
        token->state = texts->states++;
        op->writes = token->state;
        op->reads = token->put ? STATE_NONE : before;
    }
    return token->put || op->reads == before ? token->state : texts->states++;
}

/* ---- the texts that were read, in alphabetical order: each goes on from what it has in common
 * with the one before ---- */

struct step {
    size_t offset;
    uint32_t state;
};

struct path {
    struct step *steps;
    uint32_t count;
    struct bytes last;
};

static size_t common(struct bytes a, struct bytes b) {
    size_t len = 0;
    while (len < a.len && len < b.len && a.data[len] == b.data[len])
        len++;
    return len;
}

/* False: it can be read in two ways. */
static bool read_text(struct texts *texts, struct path *path, struct bytes text, uint32_t *state) {
    size_t shared = common(path->last, text);
    while (path->count > 1 && path->steps[path->count - 1].offset > shared)
        path->count--;
    path->last = text;
    for (;;) {
        struct step *at = &path->steps[path->count - 1];
        uint32_t token;
        if (at->offset == text.len)
            break;
        if (!next_token(texts, text, at->offset, &token))
            return false;
        size_t len = token == NO_TOKEN ? text.len - at->offset : texts->tokens[token].text.len;
        path->steps[path->count++] =
            (struct step){at->offset + len, state_behind(texts, token, at->state)};
    }
    *state = path->steps[path->count - 1].state;
    return true;
}

struct reading {
    struct bytes text;
    uint32_t at;
};

static int by_text(const void *a, const void *b) {
    const struct reading *x = a, *y = b;
    return bytes_compare(x->text, y->text);
}

static bool read_all(struct texts *texts, const uint32_t *ops, uint32_t count, uint32_t initial) {
    struct reading *readings = cairn_alloc((count + 1) * sizeof *readings);
    struct path path = {.steps = cairn_alloc((count + 2) * sizeof *path.steps), .count = 1};
    uint32_t reading_count = 0;
    bool clear = true;
    path.steps[0] = (struct step){0, 0};
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &texts->history->ops[ops[i]];
        if (op->f != OP_READ || op->outcome != OP_OK || op->out == VALUE_NONE)
            continue;
        if (op->out == initial)
            texts->to[i].reads = 0;
        else if (!is_text(texts->history, op->out))
            texts->to[i].reads = texts->states++; /* no operation wrote it */
        else
            readings[reading_count++] =
                (struct reading){value_bytes(&texts->history->values, op->out), i};
    }
    qsort(readings, reading_count, sizeof *readings, by_text);
    for (uint32_t i = 0; i < reading_count && clear; i++) {
        clear = readings[i].text.len > 0 &&
                read_text(texts, &path, readings[i].text, &texts->to[readings[i].at].reads);
        if (readings[i].text.len == 0) { /* an empty text, where nothing is not an empty text */
            texts->to[readings[i].at].reads = texts->states++;
            clear = true;
        }
    }
    cairn_free(readings);
    cairn_free(path.steps);
    return clear;
}

/* A text that begins with what was put may as well begin with the same appended to the empty text,
 * unless that append was seen elsewhere. */
static bool puts_are_clear(const struct texts *texts) {
    for (uint32_t i = 0; i < texts->token_count; i++) {
        const struct token *token = &texts->tokens[i];
        if (!token->put || token->state == STATE_NONE)
            continue;
        uint32_t twin = *slot_of(texts, token->text, false);
        if (twin != NO_TOKEN && texts->tokens[twin].state == STATE_NONE)
            return false;
    }
    return true;
}

/* What no read saw: a put, or an append somewhere, whose text was replaced before any read. An
 * open one may not have happened. */
static void number_unseen(struct texts *texts, const uint32_t *ops) {
    for (uint32_t i = 0; i < texts->token_count; i++) {
        struct state_op *op = &texts->to[texts->tokens[i].op];
        if (texts->tokens[i].state == STATE_NONE &&
            texts->history->ops[ops[texts->tokens[i].op]].outcome == OP_OK)
            op->writes = texts->states++;
    }
}

bool text_states(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 struct state_op *to, uint32_t *states) {
    struct texts texts = {.history = history, .to = to, .states = 1, .table_size = 16};
    uint32_t initial = history_initial(history, key);
    bool empty = initial == VALUE_NULL ||
                 (is_text(history, initial) && value_at(&history->values, initial)->len == 0);
    if (!empty)
        return false;
    while (texts.table_size < 2 * count)
        texts.table_size *= 2;
    texts.table = cairn_alloc(texts.table_size * sizeof *texts.table);
    memset(texts.table, 0xff, texts.table_size * sizeof *texts.table);
    texts.tokens = cairn_alloc((count + 1) * sizeof *texts.tokens);
    bool unique = gather(&texts, ops, count) && read_all(&texts, ops, count, initial) &&
                  puts_are_clear(&texts);
    if (unique)
        number_unseen(&texts, ops);
    *states = texts.states;
    cairn_free(texts.table);
    cairn_free(texts.tokens);
    return unique;
}
