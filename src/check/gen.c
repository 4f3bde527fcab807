#include "base/alloc.h"
#include "base/assert.h"
#include "check/gen_internal.h"

#include <string.h>

#define CLIENTS_MAX 1000u
#define STEP_NS_MAX 2000u

enum client_state { CLIENT_IDLE, CLIENT_CALLED, CLIENT_APPLIED };

struct gen_client {
    uint32_t process, op;
    enum client_state state;
    bool lost, dropped;
};

uint32_t gen_below(struct gen *gen, uint32_t bound) {
    return (uint32_t)prng_below(&gen->prng, bound);
}

bool gen_chance(struct gen *gen, uint32_t percent) {
    return prng_below(&gen->prng, 100) < percent;
}

uint32_t gen_int(struct gen *gen, int64_t number) {
    return value_int(&gen->history->values, number);
}

uint32_t gen_key(struct gen *gen) {
    return gen_int(gen, gen_below(gen, gen->options.keys));
}

uint32_t gen_fresh(struct gen *gen) {
    return gen_int(gen, (int64_t)gen->next_value++);
}

uint32_t gen_value(struct gen *gen) {
    return gen->options.values == 0
               ? gen_fresh(gen)
               : gen_int(gen, (int64_t)prng_below(&gen->prng, gen->options.values));
}

uint32_t gen_process(struct gen *gen) {
    return history_add_process(gen->history, gen_int(gen, gen->next_process++));
}

uint8_t *gen_speeds(struct gen *gen) {
    static const uint8_t speeds[] = {2, 5, 20, 100};
    size_t pairs = (size_t)gen->options.clients * gen->options.clients;
    uint8_t *of = cairn_alloc(pairs);
    for (size_t i = 0; i < pairs; i++)
        of[i] = speeds[gen_below(gen, sizeof speeds)];
    return of;
}

static void tick(struct gen *gen) {
    gen->now_ns += 1 + gen_below(gen, STEP_NS_MAX);
}

uint32_t gen_call(struct gen *gen, uint32_t process) {
    struct op *op = history_op(gen->history);
    uint32_t at = gen->history->op_count - 1;
    tick(gen);
    op->process = process;
    op->call = gen->history->positions++;
    op->line = at + 1;
    history_times(gen->history, at, gen->now_ns, UINT64_MAX);
    return at;
}

void gen_return(struct gen *gen, uint32_t at) {
    tick(gen);
    gen->history->ops[at].ret = gen->history->positions++;
    history_times(gen->history, at, gen->history->times_ns[2 * (size_t)at], gen->now_ns);
}

/* ---- playing the clients ---- */

static void lose(struct gen *gen, struct gen_client *client) {
    struct op *op = &gen->history->ops[client->op];
    op->outcome = OP_INFO;
    if (op->f == OP_TXN)
        for (uint32_t i = 0; i < op->out; i++) {
            struct mop *mop = &gen->history->mops[op->arg + i];
            mop->value = mop->kind == MOP_READ ? VALUE_NONE : mop->value;
        }
    else
        op->out = VALUE_NONE;
    client->process = gen_process(gen);
    client->state = CLIENT_IDLE;
}

static void call(struct gen *gen, uint32_t number) {
    struct gen_client *client = &gen->clients[number];
    client->op = gen_call(gen, client->process);
    gen->system->choose(gen->state, number, client->op);
    client->lost = gen_chance(gen, gen->options.info_percent) &&
                   (gen->system->may_lose == NULL || gen->system->may_lose(gen->state, client->op));
    client->dropped = client->lost && gen_chance(gen, 50);
    client->state = CLIENT_CALLED;
}

/* One step of one client; false: it has to wait. */
static bool step(struct gen *gen, uint32_t number, uint32_t *left) {
    struct gen_client *client = &gen->clients[number];
    switch (client->state) {
    case CLIENT_IDLE:
        if (*left == 0)
            return false;
        --*left;
        call(gen, number);
        return true;
    case CLIENT_CALLED:
        if (!client->dropped && !gen->system->apply(gen->state, number, client->op))
            return false;
        client->state = CLIENT_APPLIED;
        return true;
    case CLIENT_APPLIED:
        if (client->lost) {
            lose(gen, client);
        } else {
            gen_return(gen, client->op);
            client->state = CLIENT_IDLE;
        }
        return true;
    }
    return false;
}

static bool any_client(struct gen *gen, uint32_t *left) {
    for (uint32_t i = 0; i < gen->options.clients; i++)
        if (step(gen, i, left))
            return true;
    return false;
}

/* What waits at the end, waits for ever. */
static void play(struct gen *gen) {
    uint32_t left = gen->options.ops, half = left / 2;
    bool violate = gen->options.bad && gen->options.level != LEVEL_CONVERGENCE;
    for (;;) {
        if (!step(gen, gen_below(gen, gen->options.clients), &left) && !any_client(gen, &left))
            break;
        if (gen->system->drift != NULL)
            gen->system->drift(gen->state);
        if (violate && left <= half) {
            gen_violate(gen);
            violate = false;
        }
    }
    for (uint32_t i = 0; i < gen->options.clients; i++)
        if (gen->clients[i].state == CLIENT_CALLED)
            gen->history->ops[gen->clients[i].op].outcome = OP_INFO;
    if (gen->system->settle != NULL)
        gen->system->settle(gen->state);
    if (gen->options.bad && (violate || gen->options.level == LEVEL_CONVERGENCE))
        gen_violate(gen);
}

/* ---- which system ---- */

static const struct gen_system *system_of(enum model model, enum level level) {
    if (model_transactional(model)) {
        if (model != MODEL_TXN_RW && model != MODEL_TXN_APPEND)
            return NULL;
        if (level == LEVEL_STRICT_SERIALIZABLE)
            return &gen_objects;
        bool merges = level_axiom(level).view < VIEW_PREFIX;
        return merges && model == MODEL_TXN_RW ? &gen_merges : &gen_versions;
    }
    if (level == LEVEL_LINEARIZABLE)
        return &gen_objects;
    if (model != MODEL_REGISTER)
        return NULL;
    switch (level) {
    case LEVEL_SEQUENTIAL:
    case LEVEL_PER_KEY_SEQUENTIAL:
    case LEVEL_MONOTONIC_READS:
        return &gen_logs;
    case LEVEL_CAUSAL_CONVERGENCE:
    case LEVEL_CAUSAL_MEMORY:
    case LEVEL_CAUSAL:
    case LEVEL_PRAM:
    case LEVEL_READ_YOUR_WRITES:
    case LEVEL_MONOTONIC_WRITES:
    case LEVEL_WRITES_FOLLOW_READS:
    case LEVEL_CONVERGENCE:
        return &gen_replicas;
    default:
        return NULL;
    }
}

bool gen_has(enum model model, enum level level) {
    return model < MODEL_COUNT && level < LEVEL_COUNT &&
           level_transactional(level) == model_transactional(model) &&
           system_of(model, level) != NULL;
}

static bool refuse(struct buf *why, const char *text) {
    if (why != NULL)
        buf_append(why, text, strlen(text));
    return false;
}

static bool valid(const struct gen_options *options, struct buf *why) {
    if (!gen_has(options->model, options->level))
        return refuse(why, "histories of this model and level can't be made (of register and of "
                           "transactions all levels can, of others linearizable)");
    if (options->clients == 0 || options->clients > CLIENTS_MAX)
        return refuse(why, "clients are 1 to 1000");
    if (options->keys == 0 || options->keys > 1000000)
        return refuse(why, "keys are 1 to 1000000");
    if (options->ops > UINT32_MAX / 16 || options->values > (uint64_t)1 << 40)
        return refuse(why, "this is too much");
    if (options->info_percent > 100)
        return refuse(why, "a percentage is at most 100");
    return true;
}

bool gen_history(const struct gen_options *options, struct history *history, struct buf *why) {
    struct gen gen = {.options = *options, .history = history};
    history_init(history);
    if (gen.options.level == LEVEL_NONE && gen.options.model < MODEL_COUNT)
        gen.options.level =
            model_transactional(gen.options.model) ? LEVEL_STRICT_SERIALIZABLE : LEVEL_LINEARIZABLE;
    if (!valid(&gen.options, why))
        return false;
    prng_seed(&gen.prng, options->seed);
    gen.next_value = options->values + 1;
    gen.fresh_key = options->keys;
    gen.clients = cairn_alloc_zero(options->clients * sizeof *gen.clients);
    for (uint32_t i = 0; i < options->clients; i++)
        gen.clients[i].process = gen_process(&gen);
    gen.system = system_of(gen.options.model, gen.options.level);
    gen.state = gen.system->open(&gen);
    play(&gen);
    gen.system->close(gen.state);
    cairn_free(gen.clients);
    return true;
}
