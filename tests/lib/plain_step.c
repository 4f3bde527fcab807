#include "plain_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

struct answer {
    bool known;
    enum value_kind kind;
    int64_t number; /* of a truth too */
    uint32_t id;
};

static struct answer answer_of(const struct history *history, const struct op *op) {
    struct answer answer = {.known = op->outcome == OP_OK && op->out != VALUE_NONE, .id = op->out};
    if (answer.known) {
        answer.kind = value_at(&history->values, op->out)->kind;
        answer.number = value_at(&history->values, op->out)->integer;
    }
    return answer;
}

static bool is_truth(const struct answer *answer) {
    return answer->known && (answer->kind == VALUE_BOOL || answer->kind == VALUE_INT);
}

static bool truth_fits(const struct answer *answer, bool truth) {
    return !is_truth(answer) || (answer->number != 0) == truth;
}

static bool number_fits(const struct answer *answer, int64_t number) {
    return !answer->known || answer->kind != VALUE_INT || answer->number == number;
}

static void show(const struct history *history, uint32_t id, char *to) {
    struct buf out = {0};
    value_print(&history->values, id, &out);
    snprintf(to, PLAIN_TEXT, "%.*s", (int)out.len, (char *)out.data);
    buf_free(&out);
}

static int64_t number_of(const struct history *history, uint32_t id) {
    return value_at(&history->values, id)->integer;
}

static bool list_fits(const struct plain *plain, const struct history *history,
                      const struct answer *answer) {
    if (!answer->known)
        return true;
    uint32_t len = answer->kind == VALUE_LIST ? value_at(&history->values, answer->id)->len : 0;
    if (len != plain->count)
        return false;
    for (uint32_t i = 0; i < len; i++)
        if (number_of(history, value_items(&history->values, answer->id)[i]) != plain->items[i])
            return false;
    return true;
}

/* ---- registers ---- */

static void join(char *text, const char *piece) {
    if (strcmp(text, "null") == 0)
        snprintf(text, PLAIN_TEXT, "%s", piece);
    else /* "a" and "b" are "ab" */
        snprintf(text + strlen(text) - 1, PLAIN_TEXT - strlen(text) + 1, "%s", piece + 1);
}

static bool step_register(struct plain *plain, const struct history *history, const struct op *op) {
    struct answer answer = answer_of(history, op);
    char before[PLAIN_TEXT], arg[PLAIN_TEXT], told[PLAIN_TEXT] = "";
    memcpy(before, plain->text, sizeof before);
    bool nothing = strcmp(before, "null") == 0;
    show(history, op->arg, arg);
    if (answer.known)
        show(history, answer.id, told);
    if (op->f == OP_READ)
        return !answer.known || strcmp(told, before) == 0;
    if (op->f == OP_CAS) {
        const uint32_t *pair = value_items(&history->values, op->arg);
        show(history, pair[0], arg);
        bool match = strcmp(arg, before) == 0;
        if (match && op->outcome != OP_MISMATCH)
            show(history, pair[1], plain->text);
        return match == (op->outcome != OP_MISMATCH);
    }
    if (op->f == OP_SET_IF_ABSENT) {
        if (nothing)
            memcpy(plain->text, arg, sizeof arg);
        return truth_fits(&answer, nothing);
    }
    if (op->f == OP_ADD) {
        int64_t sum = (nothing ? 0 : atoll(before)) + atoll(arg);
        snprintf(plain->text, sizeof plain->text, "%lld", (long long)sum);
        return number_fits(&answer, sum);
    }
    if (op->f == OP_APPEND) {
        join(plain->text, arg);
        return number_fits(&answer, (int64_t)strlen(plain->text) - 2);
    }
    memcpy(plain->text, op->f == OP_DELETE ? "null" : arg, op->f == OP_DELETE ? 5 : sizeof arg);
    return op->f == OP_DELETE ? truth_fits(&answer, !nothing)
                              : op->f != OP_SWAP || !answer.known || strcmp(told, before) == 0;
}

/* ---- containers ---- */

static void take_at(struct plain *plain, uint32_t at) {
    plain->count--;
    memmove(plain->items + at, plain->items + at + 1, (plain->count - at) * sizeof *plain->items);
}

static uint32_t place_of(const struct plain *plain, int64_t item) {
    uint32_t at = 0;
    while (at < plain->count && plain->items[at] != item)
        at++;
    return at;
}

static uint32_t least(const struct plain *plain, bool greatest) {
    uint32_t at = 0;
    for (uint32_t i = 1; i < plain->count; i++)
        if (greatest ? plain->items[i] > plain->items[at] : plain->items[i] < plain->items[at])
            at = i;
    return at;
}

/* Which element a removal gives, or a look sees. */
static uint32_t next_of(const struct plain *plain, enum model model, const struct op *op,
                        const struct answer *answer, uint32_t choice) {
    switch (model) {
    case MODEL_QUEUE:
        return 0;
    case MODEL_STACK:
        return plain->count - 1;
    case MODEL_PRIORITY_QUEUE:
        return least(plain, op->f == OP_DELETE_MAX);
    default:
        return answer->known && answer->kind == VALUE_INT ? place_of(plain, answer->number)
                                                          : choice;
    }
}

static bool step_container(struct plain *plain, const struct history *history, enum model model,
                           const struct op *op, uint32_t choice, uint32_t *choices) {
    struct answer answer = answer_of(history, op);
    if (op->f == OP_ENQUEUE || op->f == OP_PUSH || op->f == OP_INSERT) {
        plain->items[plain->count++] = number_of(history, op->arg);
        return op->f == OP_INSERT || number_fits(&answer, plain->count);
    }
    if (op->f == OP_DRAIN && model == MODEL_QUEUE) {
        bool fits = list_fits(plain, history, &answer);
        plain->count = 0;
        return fits;
    }
    if (plain->count == 0)
        return !answer.known || answer.kind == VALUE_NIL;
    if (answer.known && answer.kind == VALUE_NIL)
        return false;
    if (model == MODEL_UNORDERED_QUEUE && !answer.known && op->f != OP_PEEK)
        *choices = plain->count;
    uint32_t at = next_of(plain, model, op, &answer, choice);
    if (at == plain->count || (answer.known && plain->items[at] != answer.number))
        return false;
    if (op->f != OP_PEEK)
        take_at(plain, at);
    return true;
}

/* An element that stands there twice stands there. */
static bool set_read_fits(const struct plain *plain, const struct history *history,
                          const struct answer *answer) {
    uint32_t len = answer->kind == VALUE_LIST ? value_at(&history->values, answer->id)->len : 0;
    bool seen[PLAIN_ITEMS] = {false};
    for (uint32_t i = 0; i < len; i++) {
        uint32_t place =
            place_of(plain, number_of(history, value_items(&history->values, answer->id)[i]));
        if (place == plain->count)
            return false;
        seen[place] = true;
    }
    for (uint32_t i = 0; i < plain->count; i++)
        if (!seen[i])
            return false;
    return true;
}

static bool step_set(struct plain *plain, const struct history *history, const struct op *op) {
    struct answer answer = answer_of(history, op);
    if (op->f == OP_READ)
        return !answer.known || set_read_fits(plain, history, &answer);
    int64_t item = number_of(history, op->arg);
    uint32_t at = place_of(plain, item);
    bool there = at < plain->count;
    if (op->f == OP_ADD && !there)
        plain->items[plain->count++] = item;
    if (op->f == OP_REMOVE && there)
        take_at(plain, at);
    return truth_fits(&answer, op->f == OP_ADD ? !there : there);
}

static bool step_list(struct plain *plain, const struct history *history, const struct op *op) {
    struct answer answer = answer_of(history, op);
    if (op->f == OP_APPEND)
        plain->items[plain->count++] = number_of(history, op->arg);
    if (answer.known && answer.kind == VALUE_INT)
        return number_fits(&answer, plain->count);
    return list_fits(plain, history, &answer);
}

static bool step_counter(struct plain *plain, const struct history *history, const struct op *op) {
    struct answer answer = answer_of(history, op);
    if (op->f == OP_ADD)
        plain->number += op->arg == VALUE_NULL ? 1 : number_of(history, op->arg);
    return number_fits(&answer, plain->number);
}

/* ---- locks ---- */

static bool possible(const struct plain *plain, enum model model, const struct op *op,
                     int64_t asked) {
    bool release = op->f == OP_RELEASE, free = plain->holder == -1;
    bool mine = plain->holder == (int64_t)op->process;
    switch (model) {
    case MODEL_MUTEX:
        return release ? !free : free;
    case MODEL_REENTRANT_MUTEX:
        return mine || (free && !release);
    case MODEL_SEMAPHORE:
        return release ? plain->number + asked <= plain->all : plain->number >= asked;
    default:
        return release ? mine : free;
    }
}

static bool take_token(struct plain *plain, const struct answer *answer) {
    bool told = answer->known && answer->kind == VALUE_INT;
    bool rises = !told || !plain->told_token || answer->number > plain->token;
    if (told)
        plain->token = answer->number;
    else if (plain->told_token)
        plain->token++;
    plain->told_token |= told;
    return rises;
}

static bool step_lock(struct plain *plain, const struct history *history, enum model model,
                      const struct op *op) {
    struct answer answer = answer_of(history, op);
    int64_t asked = op->arg == VALUE_NULL ? 1 : number_of(history, op->arg);
    bool fits = possible(plain, model, op, asked);
    bool token = model == MODEL_FENCED_MUTEX && op->f != OP_RELEASE;
    bool refused = answer.known && answer.number == 0 && (!token || answer.kind == VALUE_BOOL);
    if (refused)
        return !fits;
    if (!fits)
        return op->f == OP_TRY_ACQUIRE && !answer.known;
    if (op->f == OP_RELEASE) {
        plain->number += asked;
        plain->times -= 1;
        if (plain->times == 0 || model == MODEL_MUTEX)
            plain->holder = -1;
        return true;
    }
    plain->number -= asked;
    plain->times = plain->holder == (int64_t)op->process ? plain->times + 1 : 1;
    plain->holder = op->process;
    return !token || take_token(plain, &answer);
}

/* ---- banks, identifiers ---- */

static int64_t field(const struct history *history, uint32_t map, const char *name) {
    const uint32_t *items = value_items(&history->values, map);
    for (uint32_t i = 0; i < value_at(&history->values, map)->len; i += 2)
        if (bytes_equal(value_bytes(&history->values, items[i]), bytes_cstr(name)))
            return number_of(history, items[i + 1]);
    return -1;
}

static bool step_bank(struct plain *plain, const struct history *history, enum model model,
                      const struct op *op) {
    struct answer answer = answer_of(history, op);
    if (op->f == OP_READ) {
        for (uint32_t i = 0; answer.known && i < value_at(&history->values, answer.id)->len;
             i += 2) {
            const uint32_t *pair = value_items(&history->values, answer.id) + i;
            if (plain->items[number_of(history, pair[0])] != number_of(history, pair[1]))
                return false;
        }
        return true;
    }
    int64_t from = field(history, op->arg, "from"), to = field(history, op->arg, "to");
    int64_t amount = field(history, op->arg, "amount");
    bool enough = model == MODEL_BANK || plain->items[from] >= amount;
    if (is_truth(&answer) && answer.number == 0)
        return model == MODEL_BANK || !enough;
    plain->items[from] -= amount;
    plain->items[to] += amount;
    return enough;
}

static bool step_ids(struct plain *plain, const struct history *history, const struct op *op) {
    struct answer answer = answer_of(history, op);
    if (!answer.known || answer.kind == VALUE_NIL)
        return true;
    bool given = place_of(plain, answer.number) < plain->count;
    plain->items[plain->count++] = answer.number;
    return !given;
}

/* ---- the doors ---- */

void plain_init(struct plain *plain, const struct history *history, enum model model,
                uint32_t key) {
    uint32_t initial = history_initial(history, key);
    const struct value *value = value_at(&history->values, initial);
    *plain = (struct plain){.holder = -1, .number = 0, .token = INT64_MIN};
    show(history, initial, plain->text);
    if (model == MODEL_SEMAPHORE)
        plain->number = plain->all = value->kind == VALUE_INT ? value->integer : 1;
    for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->len; i++)
        plain->items[plain->count++] =
            number_of(history, value_items(&history->values, initial)[i]);
    for (uint32_t i = 0; value->kind == VALUE_MAP && i < value->len; i += 2) {
        const uint32_t *pair = value_items(&history->values, initial) + i;
        plain->items[number_of(history, pair[0])] = number_of(history, pair[1]);
    }
}

bool plain_step(struct plain *plain, const struct history *history, enum model model,
                const struct op *op, uint32_t choice, uint32_t *choices) {
    *choices = 1;
    switch (model) {
    case MODEL_REGISTER:
    case MODEL_CAS_REGISTER:
    case MODEL_KV:
        return step_register(plain, history, op);
    case MODEL_APPEND:
        return step_list(plain, history, op);
    case MODEL_COUNTER:
        return step_counter(plain, history, op);
    case MODEL_SET:
        return step_set(plain, history, op);
    case MODEL_QUEUE:
    case MODEL_UNORDERED_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        return step_container(plain, history, model, op, choice, choices);
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        return step_bank(plain, history, model, op);
    case MODEL_UNIQUE_IDS:
        return step_ids(plain, history, op);
    default:
        return step_lock(plain, history, model, op);
    }
}
