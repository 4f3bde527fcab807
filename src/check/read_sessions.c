/* Transactions of sessions: AWDIT's text and Plume's. Nothing is known of real time. A read of 0
 * is of the initial state, unless 0 is written to that key. */
#include "base/alloc.h"
#include "check/read_internal.h"

#include <stdlib.h>
#include <string.h>

void read_sessions_init(struct history_reader *reader) {
    struct history *history = reader->history;
    history->has_real_time = false;
    history->initial = value_int(&history->values, 0);
    history->initial_told = true;
    reader->sessions.session = OP_NONE;
    reader->sessions.op = OP_NONE;
}

void read_sessions_free(struct history_reader *reader) {
    cairn_free(reader->sessions.zero_keys);
    cairn_free(reader->sessions.op_by_name);
    cairn_free(reader->sessions.process_by_name);
    cairn_free(reader->sessions.op_of_mop);
}

static void note_zero(struct read_sessions *sessions, uint32_t key) {
    if (sessions->zero_count == sessions->zero_cap) {
        sessions->zero_cap += sessions->zero_cap / 2 + 16;
        sessions->zero_keys =
            cairn_realloc(sessions->zero_keys, sessions->zero_cap * sizeof *sessions->zero_keys);
    }
    sessions->zero_keys[sessions->zero_count++] = key;
}

static int compare_keys(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t add_txn(struct history_reader *reader, uint32_t process, enum op_outcome outcome) {
    struct history *history = reader->history;
    struct op *op = history_op(history);
    op->f = OP_TXN;
    op->outcome = outcome;
    op->process = process;
    op->line = reader->line;
    op->call = history->positions++;
    op->ret = history->positions++;
    op->arg = history->mop_count;
    op->out = 0;
    reader->events++;
    return history->op_count - 1;
}

/* An integer where it can be one, else a text. Moves *at behind it. */
static uint32_t token_value(struct history_reader *reader, const uint8_t **at, const uint8_t *end,
                            const char *stops) {
    const uint8_t *start = *at;
    bool minus = start < end && *start == '-';
    bool integer = end - start > minus;
    uint64_t number = 0, max = (uint64_t)INT64_MAX + minus;
    while (*at < end && (**at == 0 || strchr(stops, **at) == NULL)) {
        unsigned digit = **at - (unsigned)'0';
        if (*at != start || !minus) {
            integer &= digit <= 9 && number <= (max - digit % 10) / 10;
            number = number * 10 + digit;
        }
        ++*at;
    }
    struct bytes text = bytes_of(start, (size_t)(*at - start));
    if (text.len == 0 || !text_is_utf8(text))
        return VALUE_NONE;
    return integer && text.len > minus
               ? value_int(&reader->history->values, (int64_t)(minus ? 0 - number : number))
               : value_text(&reader->history->values, text);
}

static const uint8_t *skip_blank(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static bool malformed(struct history_reader *reader, const char *wanted) {
    return read_fail(reader, CAIRN_MALFORMED, reader->line, "%s was expected", wanted);
}

static void add_mop(struct history_reader *reader, uint8_t kind, uint32_t key, uint32_t value) {
    struct history *history = reader->history;
    *history_mop(history) = (struct mop){kind == 'r' ? MOP_READ : MOP_WRITE, key, value};
    if (kind == 'w' && value == history->initial)
        note_zero(&reader->sessions, key);
}

bool read_awdit_line(struct history_reader *reader, struct bytes line) {
    static const char *const wanted = "r key value, w key value, a line of - or a line of =";
    struct read_sessions *sessions = &reader->sessions;
    struct history *history = reader->history;
    const uint8_t *end = line.data + line.len, *at = skip_blank(line.data, end);
    if (at == end)
        return true;
    uint8_t kind = *at;
    if (kind == '-' || kind == '=') {
        while (at < end && *at == kind)
            at++;
        sessions->op = OP_NONE;
        sessions->session = kind == '=' ? OP_NONE : sessions->session;
        return skip_blank(at, end) == end || malformed(reader, wanted);
    }
    if ((kind != 'r' && kind != 'w') || at + 1 == end || skip_blank(at + 1, end) == at + 1)
        return malformed(reader, wanted);
    at = skip_blank(at + 1, end);
    uint32_t key = token_value(reader, &at, end, " \t");
    at = skip_blank(at, end);
    uint32_t value = token_value(reader, &at, end, " \t");
    if (key == VALUE_NONE || value == VALUE_NONE || skip_blank(at, end) != end)
        return malformed(reader, wanted);
    if (sessions->session == OP_NONE)
        sessions->session =
            history_add_process(history, value_int(&history->values, history->process_count));
    if (sessions->op == OP_NONE)
        sessions->op = add_txn(reader, sessions->session, OP_OK);
    add_mop(reader, kind, key, value);
    history->ops[sessions->op].out++;
    return true;
}

/* The place of a value in a table from values to numbers, which grows. */
static uint32_t *place_of(uint32_t **table, uint32_t *size, uint32_t name) {
    if (name >= *size) {
        uint32_t cap = name + name / 2 + 64;
        *table = cairn_realloc(*table, cap * sizeof **table);
        memset(*table + *size, 0xff, (cap - *size) * sizeof **table);
        *size = cap;
    }
    return &(*table)[name];
}

/* A negative number of a transaction says that it was aborted. */
static uint32_t plume_txn(struct history_reader *reader, uint32_t session, uint32_t txn) {
    struct read_sessions *sessions = &reader->sessions;
    struct values *values = &reader->history->values;
    bool aborted = value_at(values, txn)->integer < 0;
    uint32_t name = value_list(values, (uint32_t[]){session, txn}, 2);
    uint32_t *process = place_of(&sessions->process_by_name, &sessions->process_names, session);
    uint32_t *op = place_of(&sessions->op_by_name, &sessions->op_names, name);
    if (*process == OP_NONE)
        *process = history_add_process(reader->history, session);
    if (*op == OP_NONE)
        *op = add_txn(reader, *process, aborted ? OP_FAIL : OP_OK);
    return *op;
}

static void note_mop(struct read_sessions *sessions, uint32_t mop, uint32_t op) {
    if (mop == sessions->op_of_mop_cap) {
        sessions->op_of_mop_cap += sessions->op_of_mop_cap / 2 + 64;
        sessions->op_of_mop = cairn_realloc(sessions->op_of_mop,
                                            sessions->op_of_mop_cap * sizeof *sessions->op_of_mop);
    }
    sessions->op_of_mop[mop] = op;
}

/* Brings the operations of each transaction together, in the order of their lines. */
static void gather_mops(struct history_reader *reader) {
    struct history *history = reader->history;
    struct mop *mops = cairn_alloc(history->mop_count * sizeof *mops);
    uint32_t first = 0;
    for (uint32_t i = 0; i < history->op_count; i++) {
        history->ops[i].arg = first;
        first += history->ops[i].out;
        history->ops[i].out = 0;
    }
    for (uint32_t i = 0; i < history->mop_count; i++) {
        struct op *op = &history->ops[reader->sessions.op_of_mop[i]];
        mops[op->arg + op->out++] = history->mops[i];
    }
    cairn_free(history->mops);
    history->mops = mops;
    history->mop_cap = history->mop_count;
}

bool read_plume_line(struct history_reader *reader, struct bytes line) {
    static const char *const wanted = "r(key,value,session,transaction) or the same with w";
    struct history *history = reader->history;
    const uint8_t *end = line.data + line.len, *at = skip_blank(line.data, end);
    uint32_t parts[4];
    if (at == end)
        return true;
    uint8_t kind = *at;
    if ((kind != 'r' && kind != 'w') || end - at < 2 || at[1] != '(')
        return malformed(reader, wanted);
    at += 2;
    for (int i = 0; i < 4; i++) {
        at = skip_blank(at, end);
        parts[i] = token_value(reader, &at, end, ",) \t");
        at = skip_blank(at, end);
        if (parts[i] == VALUE_NONE || at == end || *at++ != (i == 3 ? ')' : ','))
            return malformed(reader, wanted);
    }
    const struct value *txn = value_at(&history->values, parts[3]);
    if (skip_blank(at, end) != end || txn->kind != VALUE_INT)
        return malformed(reader, wanted);
    uint32_t op = plume_txn(reader, parts[2], parts[3]);
    add_mop(reader, kind, parts[0], parts[1]);
    note_mop(&reader->sessions, history->mop_count - 1, op);
    history->ops[op].out++;
    return true;
}

void read_sessions_end(struct history_reader *reader) {
    struct read_sessions *sessions = &reader->sessions;
    if (reader->format == READ_PLUME)
        gather_mops(reader);
    if (sessions->zero_count != 0)
        qsort(sessions->zero_keys, sessions->zero_count, sizeof *sessions->zero_keys, compare_keys);
    for (uint32_t i = 0; i < sessions->zero_count; i++)
        history_set_initial(reader->history, sessions->zero_keys[i], VALUE_NULL);
}
