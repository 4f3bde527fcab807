/* What clients do: each operation is a few requests to a store. Where the server has no command of
 * its own, the state is one value that is read and swapped if it has not changed meanwhile. */
#include "torture/torture_internal.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 8
#define FINAL_ATTEMPTS_MAX 20
#define AMOUNT_MAX 5

/* X(constant, name in the history) */
#define WORK_OP_LIST(X)     \
    X(SETUP, "setup")       \
    X(READ, "read")         \
    X(WRITE, "write")       \
    X(CAS, "cas")           \
    X(APPEND, "append")     \
    X(COUNT, "add")         \
    X(ADD, "add")           \
    X(TRANSFER, "transfer") \
    X(BALANCES, "read")     \
    X(ENQUEUE, "enqueue")   \
    X(DEQUEUE, "dequeue")   \
    X(ACQUIRE, "acquire")   \
    X(RELEASE, "release")
enum work_op {
#define X(constant, name) WORK_##constant,
    WORK_OP_LIST(X)
#undef X
};
static const char *const op_names[] = {
#define X(constant, name) name,
    WORK_OP_LIST(X)
#undef X
};

static const struct {
    const char *name, *model;
} workloads[] = {
#define X(constant, name, model, text) {name, model},
    TORTURE_WORKLOAD_LIST(X)
#undef X
};

const char *torture_workload_name(enum torture_workload workload) {
    return workloads[workload].name;
}

const char *torture_workload_model(enum torture_workload workload) {
    return workloads[workload].model;
}

/* ---- requests ---- */

static bool has_native(const struct run_client *client, enum store_kind kind) {
    return client->run->target->store->native >> kind & 1;
}

static struct store_request *request(struct run_client *client, enum store_kind kind) {
    struct store_request *made = &client->session.request;
    made->kind = kind;
    made->count = 1;
    made->guarded = client->op != WORK_READ && client->op != WORK_BALANCES;
    for (unsigned i = 0; i < REQUEST_KEYS_MAX; i++)
        buf_clear(&made->values[i]);
    return made;
}

static void name_key(const struct run *run, char *out, size_t size, char kind, uint32_t key) {
    snprintf(out, size, "%.8s%c%" PRIu32, run->cluster, kind, key);
}

static void ask_key(struct run_client *client, enum store_kind kind) {
    struct store_request *made = request(client, kind);
    name_key(client->run, made->keys[0], sizeof made->keys[0], 'k', client->key);
}

static void ask_value(struct run_client *client, enum store_kind kind, int64_t value) {
    ask_key(client, kind);
    buf_printf(&client->session.request.values[0], "%" PRId64, value);
}

static void ask_accounts(struct run_client *client, enum store_kind kind) {
    struct store_request *made = request(client, kind);
    bool all = client->op == WORK_BALANCES;
    made->count = all ? RUN_ACCOUNTS : 2;
    for (uint32_t i = 0; i < made->count; i++)
        name_key(client->run, made->keys[i], sizeof made->keys[i], 'a',
                 all ? i : (uint32_t)(i == 0 ? client->from : client->to));
}

/* ---- what was read ---- */

static bool is_empty(const struct run_client *client) {
    return client->session.reply.absent[0] || client->session.reply.texts[0].len == 0;
}

static int64_t number_read(const struct run_client *client, uint32_t which) {
    const struct buf *text = &client->session.reply.texts[which];
    char copy[32];
    size_t len = text->len < sizeof copy - 1 ? text->len : sizeof copy - 1;
    if (client->session.reply.absent[which])
        return 0;
    memcpy(copy, text->data, len);
    copy[len] = 0;
    return strtoll(copy, NULL, 10);
}

/* "1 2 3 " as [1,2,3]. */
static void print_list(const struct buf *text, bool absent, struct buf *out) {
    bool within = false, first = true;
    buf_u8(out, '[');
    for (size_t i = 0; !absent && i < text->len; i++) {
        bool digit = text->data[i] >= '0' && text->data[i] <= '9';
        if (digit && !within && !first)
            buf_u8(out, ',');
        if (digit)
            buf_u8(out, text->data[i]);
        first &= !digit;
        within = digit;
    }
    buf_u8(out, ']');
}

static void print_balances(const struct run_client *client, struct buf *out) {
    for (uint32_t i = 0; i < RUN_ACCOUNTS; i++)
        buf_printf(out, "%s\"%" PRIu32 "\":%" PRId64, i ? "," : "{", i, number_read(client, i));
    buf_u8(out, '}');
}

static void finish_text(struct run_client *client, enum op_end end, struct buf *text);

/* ---- writing down ---- */

static void print_argument(const struct run_client *client, struct buf *out) {
    switch ((enum work_op)client->op) {
    case WORK_WRITE:
    case WORK_APPEND:
    case WORK_COUNT:
    case WORK_ADD:
    case WORK_ENQUEUE:
        buf_printf(out, "%" PRId64, client->value);
        break;
    case WORK_CAS:
        buf_printf(out, "[%" PRId64 ",%" PRId64 "]", client->from, client->to);
        break;
    case WORK_TRANSFER:
        buf_printf(out, "{\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"amount\":%" PRId64 "}",
                   client->from, client->to, client->value);
        break;
    default:
        buf_printf(out, "null");
        break;
    }
}

static void write_event(struct run_client *client, const char *type, struct buf *value,
                        const char *error) {
    struct run *run = client->run;
    if (client->op == WORK_SETUP)
        return;
    bool keyed = client->op != WORK_TRANSFER && client->op != WORK_BALANCES;
    buf_u8(value, 0);
    torture_history_event(&run->history, env_now(run->env), client->process, type,
                          op_names[client->op], keyed ? (int64_t)client->key : -1,
                          (const char *)value->data, error);
}

/* With the value that the operation was given. */
static bool finish(struct run_client *client, enum op_end end) {
    struct buf text = {0};
    print_argument(client, &text);
    finish_text(client, end, &text);
    return false;
}

static void finish_text(struct run_client *client, enum op_end end, struct buf *text) {
    static const char *const types[] = {"ok", "fail", "fail", "info"};
    static const char *const errors[] = {NULL, NULL, "not executed", "fate unknown"};
    write_event(client, types[end], text, errors[end]);
    buf_free(text);
    client_finish(client, end);
}

/* ---- choosing ---- */

static void take_slot(struct run_client *client, uint32_t slot) {
    struct run *run = client->run;
    bool grows = client->op == WORK_APPEND || client->op == WORK_ADD || client->op == WORK_ENQUEUE;
    if (run->key_turn_max > 0 && grows && ++run->key_uses[slot] > run->key_turn_max) {
        run->slot_keys[slot] = run->keys_made++;
        run->key_uses[slot] = 1;
    }
    client->key = run->slot_keys[slot];
    if (client->op != WORK_CAS)
        return;
    client->from = client->seen[slot];
    client->to = ++run->next_value;
}

static enum work_op choose_op(struct run_client *client) {
    const struct torture_options *options = client->run->options;
    bool reads = prng_chance(&client->prng, options->read_percent, 100);
    switch (options->workload) {
    case TORTURE_REGISTER:
        return reads ? WORK_READ : WORK_WRITE;
    case TORTURE_CAS:
        return reads ? WORK_READ : prng_chance(&client->prng, 1, 4) ? WORK_WRITE : WORK_CAS;
    case TORTURE_APPEND:
        return reads ? WORK_READ : WORK_APPEND;
    case TORTURE_COUNTER:
        return reads ? WORK_READ : WORK_COUNT;
    case TORTURE_BANK:
        return reads ? WORK_BALANCES : WORK_TRANSFER;
    case TORTURE_SET:
        return reads ? WORK_READ : WORK_ADD;
    case TORTURE_QUEUE:
        return prng_chance(&client->prng, 1, 2) ? WORK_ENQUEUE : WORK_DEQUEUE;
    default:
        return client->holds ? WORK_RELEASE : WORK_ACQUIRE;
    }
}

/* The first request of the operation. */
static void ask_first(struct run_client *client) {
    switch ((enum work_op)client->op) {
    case WORK_WRITE:
        ask_value(client, STORE_WRITE, client->value);
        return;
    case WORK_TRANSFER:
    case WORK_BALANCES:
        ask_accounts(client, STORE_READ);
        return;
    case WORK_COUNT:
        ask_key(client, has_native(client, STORE_ADD) ? STORE_ADD : STORE_READ);
        client->session.request.number = client->value;
        return;
    case WORK_APPEND:
    case WORK_ADD:
        ask_value(client, has_native(client, STORE_APPEND) ? STORE_APPEND : STORE_READ,
                  client->value);
        buf_printf(&client->session.request.values[0], " ");
        return;
    case WORK_ENQUEUE:
        ask_value(client, has_native(client, STORE_PUSH) ? STORE_PUSH : STORE_READ, client->value);
        return;
    case WORK_DEQUEUE:
        ask_key(client, has_native(client, STORE_POP) ? STORE_POP : STORE_READ);
        return;
    default:
        ask_key(client, STORE_READ);
        return;
    }
}

static void choose(struct run_client *client) {
    struct run *run = client->run;
    client->op = choose_op(client);
    take_slot(client, (uint32_t)prng_below(&client->prng, run->options->keys));
    if (client->op == WORK_CAS && client->from == 0)
        client->op = WORK_READ;
    if (client->op == WORK_RELEASE)
        client->key = client->holds_key;
    if (client->op == WORK_COUNT)
        client->value = 1 + (int64_t)prng_below(&client->prng, 9);
    else if (client->op != WORK_CAS)
        client->value = ++run->next_value;
    if (client->op == WORK_TRANSFER) {
        client->from = (int64_t)prng_below(&client->prng, RUN_ACCOUNTS);
        client->to = (client->from + 1 + (int64_t)prng_below(&client->prng, RUN_ACCOUNTS - 1)) %
                     RUN_ACCOUNTS;
        client->value = 1 + (int64_t)prng_below(&client->prng, AMOUNT_MAX);
    }
}

/* At the end each key is read once, each queue emptied. */
static bool choose_final(struct run_client *client) {
    struct run *run = client->run;
    enum torture_workload workload = run->options->workload;
    bool again = client->op >= WORK_READ && client->final_again && client->final_tries > 0;
    uint32_t keys = workload == TORTURE_BANK ? 1 : run->keys_made;
    if (workload == TORTURE_LOCK)
        return false;
    client->final_again = false;
    if (!again) {
        if (run->final_next >= keys)
            return false;
        client->key = run->final_next++;
        client->final_tries = FINAL_ATTEMPTS_MAX;
        if (workload == TORTURE_QUEUE)
            client->final_tries = 100000;
    }
    client->final_tries--;
    client->op = workload == TORTURE_BANK    ? WORK_BALANCES
                 : workload == TORTURE_QUEUE ? WORK_DEQUEUE
                                             : WORK_READ;
    return true;
}

static bool choose_setup(struct run_client *client) {
    struct run *run = client->run;
    client->op = WORK_SETUP;
    return client->number == 0 && work_setup(run, run->setup_next, &client->session.request);
}

bool work_setup(struct run *run, uint32_t number, struct store_request *made) {
    bool root = run->target->store->rooted;
    uint32_t accounts = run->options->workload == TORTURE_BANK ? RUN_ACCOUNTS : 0;
    made->kind = STORE_WRITE;
    made->count = 1;
    buf_clear(&made->values[0]);
    if (root && number == 0) {
        made->keys[0][0] = 0;
        return true;
    }
    number -= root;
    if (number >= accounts)
        return false;
    name_key(run, made->keys[0], sizeof made->keys[0], 'a', number);
    buf_printf(&made->values[0], "%d", RUN_BALANCE);
    return true;
}

bool work_begin(struct run_client *client) {
    client->attempts = 0;
    if (client->run->phase == PHASE_SETUP)
        return choose_setup(client);
    if (client->run->phase == PHASE_FINAL) {
        if (!choose_final(client))
            return false;
    } else {
        choose(client);
    }
    struct buf text = {0};
    print_argument(client, &text);
    write_event(client, "invoke", &text, NULL);
    buf_free(&text);
    ask_first(client);
    return true;
}

/* ---- answers ---- */

static enum op_end end_of(enum store_outcome outcome) {
    return outcome == STORE_OK       ? OP_END_OK
           : outcome == STORE_NO     ? OP_END_NO
           : outcome == STORE_FAILED ? OP_END_FAIL
                                     : OP_END_INFO;
}

static bool answer_read(struct run_client *client) {
    enum torture_workload workload = client->run->options->workload;
    struct store_reply *reply = &client->session.reply;
    struct buf text = {0};
    if (workload == TORTURE_APPEND || workload == TORTURE_SET) {
        print_list(&reply->texts[0], reply->absent[0], &text);
    } else if (is_empty(client) && workload != TORTURE_COUNTER) {
        buf_printf(&text, "null");
    } else {
        int64_t number = number_read(client, 0);
        buf_printf(&text, "%" PRId64, number);
        for (uint32_t slot = 0; slot < client->run->options->keys; slot++)
            if (client->run->slot_keys[slot] == client->key)
                client->seen[slot] = number;
    }
    finish_text(client, OP_END_OK, &text);
    return false;
}

/* The new state to a list that was read; the first element is taken off for DEQUEUE. */
static void swap_list(struct run_client *client) {
    const struct buf *old = &client->session.reply.texts[0];
    struct bytes rest = client->session.reply.absent[0] ? bytes_of(NULL, 0) : buf_view(old);
    if (client->op == WORK_DEQUEUE) {
        const uint8_t *blank = memchr(rest.data, ' ', rest.len);
        size_t taken = blank ? (size_t)(blank - rest.data) + 1 : rest.len;
        client->value = number_read(client, 0);
        rest = bytes_of(rest.data + taken, rest.len - taken);
    }
    ask_key(client, STORE_SWAP);
    struct buf *made = &client->session.request.values[0];
    buf_bytes(made, rest);
    if (client->op != WORK_DEQUEUE)
        buf_printf(made, "%" PRId64 " ", client->value);
}

static bool swap_accounts(struct run_client *client) {
    int64_t from = number_read(client, 0), to = number_read(client, 1);
    if (from < client->value)
        return finish(client, OP_END_NO);
    ask_accounts(client, STORE_SWAP);
    buf_printf(&client->session.request.values[0], "%" PRId64, from - client->value);
    buf_printf(&client->session.request.values[1], "%" PRId64, to + client->value);
    return true;
}

static bool acquire(struct run_client *client) {
    if (!is_empty(client)) {
        /* An acquire of before, whose answer was lost, may have come through. */
        if (number_read(client, 0) == client->number + 1) {
            client->holds = true;
            client->holds_key = client->key;
        }
        return finish(client, OP_END_NO);
    }
    ask_value(client, has_native(client, STORE_CREATE) ? STORE_CREATE : STORE_SWAP,
              client->number + 1);
    return true;
}

static bool release(struct run_client *client) {
    if (is_empty(client) || number_read(client, 0) != client->number + 1) {
        client->holds = false;
        return finish(client, OP_END_NO);
    }
    ask_key(client, has_native(client, STORE_CREATE) ? STORE_REMOVE : STORE_SWAP);
    return true;
}

/* All keys of the operation were read: what next? */
static bool answer_state(struct run_client *client) {
    struct buf text = {0};
    switch ((enum work_op)client->op) {
    case WORK_READ:
        return answer_read(client);
    case WORK_BALANCES:
        print_balances(client, &text);
        finish_text(client, OP_END_OK, &text);
        return false;
    case WORK_CAS:
        if (is_empty(client) || number_read(client, 0) != client->from) {
            client->seen[client->key % client->run->options->keys] = number_read(client, 0);
            return finish(client, OP_END_NO);
        }
        ask_value(client, STORE_SWAP, client->to);
        return true;
    case WORK_COUNT:
        ask_value(client, STORE_SWAP, number_read(client, 0) + client->value);
        return true;
    case WORK_TRANSFER:
        return swap_accounts(client);
    case WORK_ACQUIRE:
        return acquire(client);
    case WORK_RELEASE:
        return release(client);
    case WORK_DEQUEUE:
        if (is_empty(client)) {
            buf_printf(&text, "null");
            finish_text(client, OP_END_OK, &text);
            return false;
        }
        swap_list(client);
        return true;
    default:
        swap_list(client);
        return true;
    }
}

static bool end_dequeue(struct run_client *client, enum store_outcome outcome) {
    struct buf text = {0};
    bool native = client->session.request.kind == STORE_POP;
    bool null = outcome != STORE_OK || (native && is_empty(client));
    if (native && !null)
        client->value = number_read(client, 0);
    if (null)
        buf_printf(&text, "null");
    else
        buf_printf(&text, "%" PRId64, client->value);
    client->final_again = !null || outcome != STORE_OK;
    finish_text(client, end_of(outcome), &text);
    return false;
}

static bool end_change(struct run_client *client, enum store_outcome outcome) {
    if (client->op == WORK_DEQUEUE)
        return end_dequeue(client, outcome);
    if (client->op == WORK_ACQUIRE && (outcome == STORE_OK || end_of(outcome) == OP_END_INFO)) {
        client->holds = true;
        client->holds_key = client->key;
    }
    if (client->op == WORK_RELEASE && outcome == STORE_OK)
        client->holds = false;
    return finish(client, end_of(outcome));
}

static bool conflicts_go_on(const struct run_client *client, enum store_outcome outcome) {
    return outcome == STORE_NO && client->op != WORK_CAS && client->op != WORK_ACQUIRE &&
           client->session.request.kind == STORE_SWAP;
}

bool work_answer(struct run_client *client, enum store_outcome outcome) {
    cairn_assert(client->busy && outcome != STORE_MORE);
    if (client->op == WORK_SETUP) {
        client->run->setup_next += outcome == STORE_OK;
        client->busy = false;
        return false;
    }
    if (client->session.request.kind != STORE_READ) {
        if (!conflicts_go_on(client, outcome) || ++client->attempts >= ATTEMPTS_MAX)
            return end_change(client, outcome);
        ask_first(client);
        return true;
    }
    if (outcome == STORE_OK)
        return answer_state(client);
    client->final_again = true;
    return finish(client, OP_END_FAIL); /* nothing but a read has happened */
}

void work_lost(struct run_client *client, bool surely_not) {
    if (client->op == WORK_SETUP) {
        client->busy = false;
        return;
    }
    client->final_again = true;
    bool only_read = client->session.request.kind == STORE_READ;
    bool no = surely_not || only_read;
    if (client->op == WORK_ACQUIRE && !no) {
        client->holds = true;
        client->holds_key = client->key;
    }
    if (client->op == WORK_DEQUEUE) {
        struct buf text = {0};
        buf_printf(&text, "null");
        finish_text(client, no ? OP_END_FAIL : OP_END_INFO, &text);
        return;
    }
    finish(client, no ? OP_END_FAIL : OP_END_INFO);
}
