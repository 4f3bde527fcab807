/* What clients ask, and what the answers mean. */
#include "workload/workload_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A renewal comes so much before a key's end, and is spread over so much. */
#define RENEWAL_EARLY_NS 8000000ull
#define RENEWAL_NS 10000000ull

/* ---- requests ---- */

static void put_command(struct buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Words divided by blanks. */
static void put_command(struct buf *out, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t count = 1;
    for (const char *at = text; *at; at++)
        count += *at == ' ';
    resp_put_array(out, count);
    for (char *at = text; count > 0; count--) {
        size_t len = strcspn(at, " ");
        resp_put_bulk(out, bytes_of(at, len));
        at += len + 1;
    }
}

static void request_transfer(struct workload_client *client) {
    const struct workload_op *op = &client->op;
    struct buf *out = &client->request;
    if (op->watched && client->stage == 0) {
        put_command(out, "WATCH b%u b%u", op->from, op->to);
        put_command(out, "GET b%u", op->from);
        put_command(out, "GET b%u", op->to);
        client->replies = 3;
        return;
    }
    put_command(out, "MULTI");
    put_command(out, "APPEND transfers %08" PRIx64, (uint64_t)op->argument);
    if (op->empties)
        put_command(out, "DEL b%u", op->from);
    else
        put_command(out, "INCRBY b%u %d", op->from, -op->amount);
    put_command(out, "INCRBY b%u %d", op->to, op->amount);
    put_command(out, "EXEC");
    client->replies = 5;
}

static void request_balances(struct workload_client *client) {
    struct buf *out = &client->request;
    if (client->op.result == -1) {
        put_command(out, "MGET b0 b1 b2 b3 b4 b5 b6 b7");
        return;
    }
    put_command(out, "MULTI");
    put_command(out, "STRLEN transfers");
    put_command(out, "MGET b0 b1 b2 b3 b4 b5 b6 b7");
    put_command(out, "EXEC");
    client->replies = 4;
}

void op_put_line(const struct workload_op *op, struct buf *out) {
    if (op->action == WORKLOAD_LINE_APPEND)
        put_command(out, "APPEND line %08" PRIx64, (uint64_t)op->argument);
    else
        put_command(out, "GET line");
}

void op_request(struct workload_client *client) {
    const struct workload_op *op = &client->op;
    struct buf *out = &client->request;
    buf_clear(out);
    client->replies = 1;
    if (client->opening_session) {
        put_command(out, "CAIRN.SESSION OPEN 3600000");
        return;
    }
    switch (op->action) {
    case WORKLOAD_SET:
        put_command(out, "SET r%u %" PRId64, op->key, op->argument);
        break;
    case WORKLOAD_GET:
        put_command(out, "GET r%u", op->key);
        break;
    case WORKLOAD_SETNX:
        put_command(out, "SETNX r%u %" PRId64, op->key, op->argument);
        break;
    case WORKLOAD_GETSET:
        put_command(out, "GETSET r%u %" PRId64, op->key, op->argument);
        break;
    case WORKLOAD_DEL:
        put_command(out, "DEL r%u", op->key);
        break;
    case WORKLOAD_INCRBY:
        put_command(out, "INCRBY r%u %" PRId64, op->key, op->argument);
        break;
    case WORKLOAD_APPEND:
        put_command(out, "APPEND a%u %08" PRIx64, op->key, (uint64_t)op->argument);
        break;
    case WORKLOAD_LIST:
        put_command(out, "GET a%u", op->key);
        break;
    case WORKLOAD_ONCE_APPEND:
        put_command(out, "CAIRN.ONCE %" PRId64 " %" PRId64 " APPEND o%u %08" PRIx64,
                    client->session, client->sequence, op->key, (uint64_t)op->argument);
        break;
    case WORKLOAD_ONCE_LIST:
        put_command(out, "GET o%u", op->key);
        break;
    case WORKLOAD_TRANSFER:
        request_transfer(client);
        break;
    case WORKLOAD_BALANCES:
        request_balances(client);
        break;
    case WORKLOAD_TRANSFERS:
        put_command(out, "GET transfers");
        break;
    case WORKLOAD_LINE_APPEND:
    case WORKLOAD_LINE_LIST:
        op_put_line(op, out);
        break;
    case WORKLOAD_EXPIRE_SET:
        put_command(out, "SET e%u.%u here PX %" PRId64, client->workload->options.first_client,
                    op->key, op->argument);
        break;
    case WORKLOAD_EXPIRE_GET:
        put_command(out, "GET e%u.%u", client->workload->options.first_client, op->key);
        break;
    }
}

/* ---- choosing ---- */

static int64_t token(struct workload_client *client) {
    return (int64_t)client->number << 20 | ++client->next_token;
}

static void choose_register(struct workload_client *client) {
    static const enum workload_action actions[] = {WORKLOAD_SET,    WORKLOAD_SET, WORKLOAD_GET,
                                                   WORKLOAD_GET,    WORKLOAD_GET, WORKLOAD_SETNX,
                                                   WORKLOAD_GETSET, WORKLOAD_DEL, WORKLOAD_INCRBY};
    struct workload_op *op = &client->op;
    op->action = actions[prng_below(&client->prng, sizeof actions / sizeof *actions)];
    op->key = (uint32_t)prng_below(&client->prng, client->workload->options.keys);
    /* Far apart, so that what was set and what was counted up are never taken for one another. */
    op->argument = op->action == WORKLOAD_INCRBY ? 1 : token(client) * 1000;
}

static void choose_transfer(struct workload_client *client) {
    struct workload_op *op = &client->op;
    if (prng_chance(&client->prng, 2, 5)) {
        op->action = WORKLOAD_BALANCES;
        op->result = prng_chance(&client->prng, 1, 2) ? -1 : 0;
        return;
    }
    op->action = WORKLOAD_TRANSFER;
    op->argument = token(client);
    op->watched = prng_chance(&client->prng, 1, 3);
    op->empties = false;
    op->from = (uint8_t)prng_below(&client->prng, WORKLOAD_ACCOUNTS);
    op->to = (uint8_t)((op->from + 1 + prng_below(&client->prng, WORKLOAD_ACCOUNTS - 1)) %
                       WORKLOAD_ACCOUNTS);
    op->amount = (int32_t)prng_between(&client->prng, 1, 100);
}

static void choose_expiry(struct workload_client *client) {
    struct workload *workload = client->workload;
    struct workload_op *op = &client->op;
    if (workload->expiry_keys == 0 || prng_chance(&client->prng, 1, 4)) {
        op->action = WORKLOAD_EXPIRE_SET;
        op->key = workload->expiry_keys++;
        op->argument = (int64_t)prng_between(&client->prng, 1, workload->options.expiry_ms_max);
        return;
    }
    uint32_t recent = workload->expiry_keys < 12 ? workload->expiry_keys : 12;
    op->action = WORKLOAD_EXPIRE_GET;
    op->key = workload->expiry_keys - 1 - (uint32_t)prng_below(&client->prng, recent);
}

static void choose_log(struct workload_client *client, bool once) {
    struct workload_op *op = &client->op;
    op->key = (uint32_t)prng_below(&client->prng, client->workload->options.keys);
    if (prng_chance(&client->prng, 1, 3)) {
        op->action = once ? WORKLOAD_ONCE_LIST : WORKLOAD_LIST;
        return;
    }
    if (once && client->session == 0) {
        client->opening_session = true; /* this round only that */
        return;
    }
    op->action = once ? WORKLOAD_ONCE_APPEND : WORKLOAD_APPEND;
    op->argument = token(client);
    if (once) {
        client->sequence += !client->sequence_free;
        client->sequence_free = false;
    }
}

/* Its own key, as it ends; and then whether it is there. */
static bool choose_renewal(struct workload_client *client) {
    struct workload_op *op = &client->op;
    if (client->renewed) {
        client->renewed = false;
        op->action = WORKLOAD_EXPIRE_GET;
        op->key = client->renew_key - 1;
        return true;
    }
    if (client->renew_key == 0 || env_now(client->workload->env) < client->renew_at)
        return false;
    op->action = WORKLOAD_EXPIRE_SET;
    op->key = client->renew_key - 1;
    op->argument = (int64_t)prng_between(&client->prng, 1, client->workload->options.expiry_ms_max);
    return true;
}

void op_renewal_plan(struct workload_client *client) {
    const struct workload_op *op = &client->op;
    const struct workload *workload = client->workload;
    if (op->action != WORKLOAD_EXPIRE_SET || !workload_has_habit(client, WORKLOAD_HABIT_RENEWS))
        return;
    client->renewed = op->outcome == WORKLOAD_OK && client->renew_key == op->key + 1;
    client->renew_key = 0;
    if (op->outcome != WORKLOAD_OK)
        return; /* what is unknown may yet happen: another key */
    uint64_t passed = workload->options.now(workload->options.context) - op->invoke;
    uint64_t wait = (uint64_t)op->argument * 1000000 + prng_below(&client->prng, RENEWAL_NS);
    client->renew_key = op->key + 1;
    client->renew_at = env_now(workload->env) +
                       (wait > passed + RENEWAL_EARLY_NS ? wait - passed - RENEWAL_EARLY_NS : 0);
}

/* What one client does at the end; false: that was all. */
static bool choose_final(struct workload_client *client) {
    struct workload *workload = client->workload;
    struct workload_op *op = &client->op;
    uint32_t at = workload->script_at++, keys = workload->options.keys;
    if (at < workload->node_count) {
        client->node = at;
        client->forced_node = true;
        op->action = WORKLOAD_SET;
        op->argument = token(client) * 1000;
        return true;
    }
    at -= workload->node_count;
    if (at < keys * 3) {
        static const enum workload_action reads[] = {WORKLOAD_GET, WORKLOAD_LIST,
                                                     WORKLOAD_ONCE_LIST};
        op->action = reads[at % 3];
        op->key = at / 3;
        return true;
    }
    at -= keys * 3;
    uint32_t dead = workload->expiry_keys < 12 ? workload->expiry_keys : 12;
    op->action = at == 0 ? WORKLOAD_BALANCES : at == 1 ? WORKLOAD_TRANSFERS : WORKLOAD_EXPIRE_GET;
    op->key = at < 2 || at >= 2 + dead ? 0 : workload->expiry_keys - 1 - (at - 2);
    if (at == 2 + dead)
        op->action = WORKLOAD_LINE_LIST;
    return at < 2 + dead + (workload->line_count > 0);
}

bool op_choose(struct workload_client *client) {
    const struct workload_options *options = &client->workload->options;
    client->opening_session = false;
    if (client->workload->finishing)
        return choose_final(client);
    if (choose_renewal(client))
        return true;
    enum workload_kind kind;
    do
        kind = (enum workload_kind)prng_below(&client->prng, WORKLOAD_KIND_COUNT);
    while (!(options->kinds & 1u << kind));
    switch (kind) {
    case WORKLOAD_REGISTERS:
        choose_register(client);
        break;
    case WORKLOAD_LOGS:
    case WORKLOAD_ONCE:
        choose_log(client, kind == WORKLOAD_ONCE);
        break;
    case WORKLOAD_BANK:
        choose_transfer(client);
        break;
    case WORKLOAD_EXPIRY:
    case WORKLOAD_KIND_COUNT:
        choose_expiry(client);
        break;
    }
    return true;
}

/* ---- answers ---- */

static bool starts(struct bytes text, const char *with) {
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

static bool surely_not_executed(struct bytes error) {
    static const char *const heads[] = {"CLUSTERDOWN", "TRYAGAIN", "BUSY",     "SHUTDOWN",
                                        "MISCONF",     "OOM",      "EXECABORT"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (starts(error, heads[i]))
            return true;
    return false;
}

/* The next value's head; false: malformed, or none. */
static bool next_value(struct bytes *in, struct resp_value *value) {
    size_t used = 0;
    if (resp_value_read(*in, value, &used) != RESP_COMMAND)
        return false;
    *in = bytes_of(in->data + used, in->len - used);
    return true;
}

static bool to_number(const struct resp_value *value, int64_t *number, bool *nil) {
    char text[32];
    *nil = value->kind == RESP_NIL;
    *number = *nil ? 0 : value->integer;
    if (value->kind == RESP_INT || *nil)
        return true;
    if (value->kind != RESP_BULK || value->text.len == 0 || value->text.len >= sizeof text)
        return false;
    memcpy(text, value->text.data, value->text.len);
    text[value->text.len] = 0;
    char *end;
    *number = strtoll(text, &end, 10);
    return *end == 0;
}

static bool take_tokens(struct workload_op *op, const struct resp_value *value) {
    size_t count = value->kind == RESP_NIL ? 0 : value->text.len / WORKLOAD_TOKEN_BYTES;
    if (value->kind != RESP_NIL &&
        (value->kind != RESP_BULK || value->text.len % WORKLOAD_TOKEN_BYTES != 0))
        return false;
    cairn_free(op->tokens);
    op->tokens = cairn_alloc(count * sizeof *op->tokens + 1);
    op->token_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        char text[WORKLOAD_TOKEN_BYTES + 1] = {0};
        memcpy(text, value->text.data + i * WORKLOAD_TOKEN_BYTES, WORKLOAD_TOKEN_BYTES);
        op->tokens[i] = (uint32_t)strtoul(text, NULL, 16);
    }
    return true;
}

/* A length in bytes as a count of tokens. */
static bool take_length(struct workload_op *op, const struct resp_value *value) {
    op->result = value->integer / (int64_t)WORKLOAD_TOKEN_BYTES;
    return value->kind == RESP_INT && value->integer % (int64_t)WORKLOAD_TOKEN_BYTES == 0;
}

static bool take_accounts(struct workload_op *op, struct bytes in, const struct resp_value *array) {
    struct resp_value value;
    bool nil;
    if (array->kind != RESP_ARRAY || array->count != WORKLOAD_ACCOUNTS)
        return false;
    for (int i = 0; i < WORKLOAD_ACCOUNTS; i++) {
        if (!next_value(&in, &value) || !to_number(&value, &op->values[i], &nil))
            return false;
        if (nil)
            op->values[i] = 0;
    }
    return true;
}

static bool take_balances(struct workload_op *op, struct bytes in, const struct resp_value *value) {
    struct resp_value inner;
    if (op->result == -1)
        return take_accounts(op, in, value);
    return value->kind == RESP_ARRAY && value->count == 2 && next_value(&in, &inner) &&
           take_length(op, &inner) && next_value(&in, &inner) && take_accounts(op, in, &inner);
}

static bool take_transfer(struct workload_op *op, struct bytes in, const struct resp_value *value) {
    struct resp_value inner;
    bool nil;
    if (value->kind != RESP_ARRAY || value->count != 3 || !next_value(&in, &inner) ||
        !take_length(op, &inner))
        return false;
    for (int i = 0; i < 2; i++)
        if (!next_value(&in, &inner) || inner.kind != RESP_INT ||
            !to_number(&inner, &op->values[i], &nil))
            return false;
    if (op->empties) { /* what DEL tells is not the balance, which is none */
        if (op->values[0] != 1)
            return false;
        op->values[0] = 0;
    }
    return true;
}

/* What a good answer says; false: it has not the shape of one. */
static bool take_result(struct workload_op *op, struct bytes in, const struct resp_value *value) {
    switch (op->action) {
    case WORKLOAD_SET:
    case WORKLOAD_EXPIRE_SET:
        return value->kind == RESP_STATUS && bytes_equal(value->text, BYTES("OK"));
    case WORKLOAD_EXPIRE_GET:
        op->nil = value->kind == RESP_NIL;
        return op->nil || (value->kind == RESP_BULK && bytes_equal(value->text, BYTES("here")));
    case WORKLOAD_GET:
    case WORKLOAD_GETSET:
        return to_number(value, &op->result, &op->nil);
    case WORKLOAD_SETNX:
    case WORKLOAD_DEL:
    case WORKLOAD_INCRBY:
        return value->kind == RESP_INT && to_number(value, &op->result, &op->nil);
    case WORKLOAD_APPEND:
    case WORKLOAD_ONCE_APPEND:
    case WORKLOAD_LINE_APPEND:
        return take_length(op, value);
    case WORKLOAD_LIST:
    case WORKLOAD_ONCE_LIST:
    case WORKLOAD_LINE_LIST:
    case WORKLOAD_TRANSFERS:
        return take_tokens(op, value);
    case WORKLOAD_BALANCES:
        return take_balances(op, in, value);
    case WORKLOAD_TRANSFER:
        return take_transfer(op, in, value);
    }
    return false;
}

static void report_shape(struct workload_client *client, struct bytes replies) {
    struct buf text = {0};
    workload_print_op(&client->op, &text);
    workload_report(client->workload, "an answer that does not fit: %.*s -> %.*s", (int)text.len,
                    (const char *)text.data, (int)(replies.len < 80 ? replies.len : 80),
                    (const char *)replies.data);
    buf_free(&text);
}

static bool answer_session(struct workload_client *client, struct bytes in) {
    struct resp_value value;
    if (next_value(&in, &value) && value.kind == RESP_INT) {
        client->session = value.integer;
        client->sequence = 0;
        client->sequence_free = false;
    }
    client->opening_session = false;
    client->op.action = 0; /* nothing for the history */
    client->op.outcome = WORKLOAD_OK;
    return true;
}

/* The first round trip of a watched transfer: the balances before. False: it failed. */
static bool answer_watch(struct workload_client *client, struct bytes in) {
    struct resp_value value;
    bool nil;
    if (!next_value(&in, &value) || value.kind != RESP_STATUS)
        return false;
    for (int i = 2; i < 4; i++)
        if (!next_value(&in, &value) || value.kind == RESP_ERROR_REPLY ||
            !to_number(&value, &client->op.values[i], &nil))
            return false;
    return true;
}

/* Now and then all of a balance goes, and with it the key, which others may watch. */
static void empty_it(struct workload_op *op) {
    op->empties = op->argument % 4 == 0 && op->values[2] > 0 && op->values[2] < INT32_MAX;
    if (op->empties)
        op->amount = (int32_t)op->values[2];
}

static void log_error(const struct workload_client *client, struct bytes error) {
    const struct workload_options *options = &client->workload->options;
    char text[160];
    if (options->log == NULL)
        return;
    snprintf(text, sizeof text, "client %u at node %u, attempt %u: %.*s", client->number,
             client->node, client->attempts, (int)(error.len < 60 ? error.len : 60),
             (const char *)error.data);
    options->log(options->context, text);
}

static bool answer_error(struct workload_client *client, struct bytes error, bool *again) {
    struct workload_op *op = &client->op;
    log_error(client, error);
    bool not_executed = surely_not_executed(error);
    bool unknown = starts(error, "UNKNOWN");
    if (op->action == WORKLOAD_ONCE_APPEND && (not_executed || unknown) &&
        (client->attempts > 0 || unknown)) {
        /* An earlier attempt may have been executed whatever became of this one. */
        *again = client->attempts < 12;
        op->outcome = WORKLOAD_UNKNOWN;
        return !*again;
    }
    if (client->workload->finishing && op->action != WORKLOAD_SET) {
        *again = true;
        return false;
    }
    if (op->action == WORKLOAD_ONCE_APPEND && client->workload->options.sessions_may_end &&
        starts(error, "NOSESSION")) {
        client->session = 0;
        op->outcome = WORKLOAD_UNKNOWN; /* the node may have sent it twice by itself */
        return true;
    }
    if (!not_executed && !unknown)
        workload_report(client->workload, "client %u got an error it can't explain: %.*s",
                        client->number, (int)(error.len < 120 ? error.len : 120),
                        (const char *)error.data);
    op->outcome = not_executed ? WORKLOAD_FAILED : WORKLOAD_UNKNOWN;
    return true;
}

bool op_answer(struct workload_client *client, struct bytes replies, bool *again) {
    struct workload_op *op = &client->op;
    struct resp_value value;
    struct bytes in = replies;
    if (client->opening_session)
        return answer_session(client, in);
    if (op->action == WORKLOAD_TRANSFER && op->watched && client->stage == 0) {
        if (!answer_watch(client, in)) {
            client->conn->watches = true;
            op->outcome = WORKLOAD_FAILED;
            return true;
        }
        client->stage = 1;
        empty_it(op);
        op_request(client);
        return false;
    }
    for (uint32_t i = 1; i < client->replies; i++) { /* the last one counts */
        size_t len = resp_value_length(in);
        in = bytes_of(in.data + len, in.len - len);
    }
    if (!next_value(&in, &value)) {
        report_shape(client, replies);
        op->outcome = WORKLOAD_UNKNOWN;
        return true;
    }
    if (value.kind == RESP_ERROR_REPLY) {
        client->conn->watches |= op->watched;
        return answer_error(client, value.text, again);
    }
    op->outcome = WORKLOAD_OK;
    bool transaction =
        op->action == WORKLOAD_TRANSFER || (op->action == WORKLOAD_BALANCES && op->result != -1);
    if (transaction && value.kind == RESP_NIL) {
        op->outcome = WORKLOAD_FAILED; /* what this connection watched had changed */
        if (!op->watched && !client->conn->watches)
            workload_report(client->workload, "client %u watched nothing, and its EXEC was refused",
                            client->number);
    } else if (!take_result(op, in, &value)) {
        report_shape(client, replies);
        op->outcome = WORKLOAD_UNKNOWN;
    }
    return true;
}

enum workload_outcome op_take_line(struct workload *workload, struct workload_op *op,
                                   struct bytes reply) {
    struct resp_value value;
    struct bytes in = reply;
    if (!next_value(&in, &value) ||
        (value.kind != RESP_ERROR_REPLY && !take_result(op, in, &value))) {
        workload_report(workload, "an answer to a line's command does not fit: %.*s",
                        (int)(reply.len < 80 ? reply.len : 80), (const char *)reply.data);
        return WORKLOAD_UNKNOWN;
    }
    if (value.kind != RESP_ERROR_REPLY)
        return WORKLOAD_OK;
    return surely_not_executed(value.text) || op->action == WORKLOAD_LINE_LIST ? WORKLOAD_FAILED
                                                                               : WORKLOAD_UNKNOWN;
}

/* ---- for people ---- */

void workload_print_op(const struct workload_op *op, struct buf *out) {
    static const char *const actions[] = {
        "?",        "set",       "get",        "setnx",      "getset",      "del",
        "incrby",   "append",    "list",       "once",       "once-list",   "transfer",
        "balances", "transfers", "expire-set", "expire-get", "line-append", "line-list"};
    static const char *const outcomes[] = {"pending", "ok", "failed", "unknown"};
    buf_printf(out, "%.6f %.6f client %u %s key %u argument %" PRId64 " -> %s ",
               (double)op->invoke / 1e9,
               op->complete == UINT64_MAX ? -1.0 : (double)op->complete / 1e9, op->client,
               actions[op->action], op->key, op->argument, outcomes[op->outcome]);
    if (op->action == WORKLOAD_TRANSFER)
        buf_printf(out, "from %u to %u amount %d%s ", op->from, op->to, op->amount,
                   op->watched ? " watched" : "");
    if (op->action == WORKLOAD_TRANSFER || op->action == WORKLOAD_BALANCES)
        for (int i = 0; i < WORKLOAD_ACCOUNTS; i++)
            buf_printf(out, "%" PRId64 " ", op->values[i]);
    if (op->nil)
        buf_printf(out, "nil");
    else
        buf_printf(out, "%" PRId64, op->result);
    for (uint32_t i = 0; i < op->token_count; i++)
        buf_printf(out, " %08x", op->tokens[i]);
}
