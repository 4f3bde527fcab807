/* What must hold: after every round of a node, when all is healed, and in what clients saw. */
#include "sim/sim_cluster.h"

#include "base/alloc.h"
#include "check/check.h"
#include "check/order.h"
#include "core/stamp.h"
#include "node/node_internal.h"
#include "sim/sim_history.h"
#include "sim/sim_oracle.h"

#include <stdlib.h>
#include <string.h>

#define LINEAR_STEPS_MAX 3000000u
#define TRUTH_MAX (1u << 24)

typedef unsigned long long ull;

/* ---- one committed sequence, one state at each index ---- */

static void truth_room(struct sim_truth *truth, uint64_t index) {
    if (index < truth->cap)
        return;
    uint64_t cap = truth->cap ? truth->cap : 4096;
    while (cap <= index)
        cap *= 2;
    truth->at = cairn_realloc(truth->at, cap * sizeof *truth->at);
    memset(truth->at + truth->cap, 0, (cap - truth->cap) * sizeof *truth->at);
    truth->cap = cap;
}

static void judge_chain(struct sim_node *node, uint32_t keyspace, uint64_t index) {
    struct sim_truth *truth = &node->cluster->truth[keyspace];
    uint64_t chain;
    if (!node_chain_at(node->node, keyspace, index, &chain))
        return;
    if (truth->at[index].chain == 0)
        truth->at[index].chain = chain;
    else if (truth->at[index].chain != chain)
        sim_fail(&node->cluster->world,
                 "%s applied another entry at index %llu than a replica before it", node->host.name,
                 (ull)index);
}

/* What a replica derives from its state and keeps beside it, when something will be due, is the
 * same wherever the state is, also where it came from a snapshot. */
static void judge_due(struct sim_node *node, uint32_t keyspace, uint64_t index) {
    struct sim_truth *truth = &node->cluster->truth[keyspace];
    const struct stack *stack = &node->node->groups[keyspace]->stack;
    uint64_t due = prng_mix(once_next_due(stack->once), stack->kind->next_due(stack->machine)) | 1;
    if (truth->at[index].due == 0)
        truth->at[index].due = due;
    else if (truth->at[index].due != due)
        sim_fail(&node->cluster->world,
                 "%s has the state of index %llu, and something else is due there than at a "
                 "replica before it",
                 node->host.name, (ull)index);
}

static void judge_applied(struct sim_node *node, uint32_t keyspace, uint64_t applied) {
    struct sim_truth *truth = &node->cluster->truth[keyspace];
    struct sim_world *world = &node->cluster->world;
    if (applied < node->applied[keyspace])
        sim_fail(world, "%s went back from index %llu to %llu without a restart", node->host.name,
                 (ull)node->applied[keyspace], (ull)applied);
    if (applied >= TRUTH_MAX) {
        sim_fail(world, "%s applied index %llu, which can't be", node->host.name, (ull)applied);
        return;
    }
    truth_room(truth, applied);
    uint64_t from = node->applied[keyspace] + 1;
    if (applied > 10000 && from < applied - 10000)
        from = applied - 10000; /* older ones are in snapshots anyway */
    for (uint64_t index = from; index <= applied; index++)
        judge_chain(node, keyspace, index);
    uint64_t digest = node_state_digest(node->node, keyspace);
    if (truth->at[applied].digest == 0)
        truth->at[applied].digest = digest;
    else if (truth->at[applied].digest != digest)
        sim_fail(world, "%s has another state at index %llu than a replica before it",
                 node->host.name, (ull)applied);
    judge_due(node, keyspace, applied);
    node->applied[keyspace] = applied;
    if (applied > truth->highest)
        truth->highest = applied;
}

/* ---- one leader a term ---- */

static void judge_leader(struct sim_node *node, uint32_t keyspace, uint64_t term) {
    struct sim_truth *truth = &node->cluster->truth[keyspace];
    for (size_t i = truth->term_count; i > 0; i--) {
        if (truth->terms[i - 1].term != term)
            continue;
        if (truth->terms[i - 1].leader != node->id)
            sim_fail(&node->cluster->world, "n%u and %s both led in term %llu",
                     truth->terms[i - 1].leader, node->host.name, (ull)term);
        return;
    }
    if (truth->term_count == truth->term_cap) {
        truth->term_cap = truth->term_cap ? truth->term_cap * 2 : 64;
        truth->terms = cairn_realloc(truth->terms, truth->term_cap * sizeof *truth->terms);
    }
    truth->terms[truth->term_count].term = term;
    truth->terms[truth->term_count++].leader = node->id;
    node->cluster->result->elections++;
}

/* ---- no lease runs beside a later leader ---- */

static void judge_leases(struct sim_node *node, uint32_t keyspace, uint64_t term) {
    struct sim_cluster *cluster = node->cluster;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *other = &cluster->nodes[id];
        struct node_status status;
        if (other == node || other->node == NULL || other->foreign != SIM_NATIVE ||
            !other->host.runs || other->host.dying || other->failed ||
            keyspace >= other->options.keyspace_count)
            continue;
        node_status(other->node, keyspace, &status);
        if (status.replica.role == ROLE_LEADER && status.replica.term < term &&
            status.replica.lease_end_ns > sim_host_clock(&other->host))
            sim_fail(&cluster->world, "%s leads term %llu while the lease of %s in term %llu runs",
                     node->host.name, (ull)term, other->host.name, (ull)status.replica.term);
    }
}

static void judge_role(struct sim_node *node, uint32_t keyspace) {
    struct node_status status;
    node_status(node->node, keyspace, &status);
    if (status.replica.term < node->term[keyspace])
        sim_fail(&node->cluster->world, "%s went back from term %llu to %llu", node->host.name,
                 (ull)node->term[keyspace], (ull)status.replica.term);
    node->term[keyspace] = status.replica.term;
    if (status.replica.role == ROLE_LEADER) {
        judge_leader(node, keyspace, status.replica.term);
        judge_leases(node, keyspace, status.replica.term);
    }
}

static void judge_clients(struct sim_cluster *cluster) {
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        const char *broken = workload_broken(cluster->workloads[i]);
        if (broken == NULL && cluster->zk[i] != NULL)
            broken = zk_broken(cluster->zk[i]);
        if (broken != NULL)
            sim_fail(&cluster->world, "%s", broken);
    }
}

/* By how much one step of a command may go beyond the turn's budget. */
#define STEP_WORK_MAX 300000u
/* A large piece of a long command is read, copied and hashed, and another one is read beside. */
#define LARGE_WORK_MAX 400000u

static void judge_work(const struct sim_node *node) {
    uint64_t most = node->options.turn_work_max + STEP_WORK_MAX, done = node_work_max(node->node);
    most += node->cluster->apart.load != NULL ? LARGE_WORK_MAX : 0;
    if (done > most)
        sim_fail(&node->cluster->world, "a turn of %s cost %llu units of work, %llu are allowed",
                 node->host.name, (ull)done, (ull)most);
}

void sim_judge_round(struct sim_node *node) {
    if (node->failed)
        return;
    for (uint32_t keyspace = 0; keyspace < node->options.keyspace_count; keyspace++) {
        uint64_t applied = node_applied_index(node->node, keyspace);
        if (applied != node->applied[keyspace] && applied != 0)
            judge_applied(node, keyspace, applied);
        if (node->role_news)
            judge_role(node, keyspace);
    }
    node->role_news = false;
    judge_work(node);
    sim_oracle_round(node->cluster->oracle, node);
    judge_clients(node->cluster);
}

void sim_judge_end(struct sim_node *node, const char *why) {
    const struct sim_disk *disk = &node->host.disk;
    if (!disk->damaged && !disk->lied && disk->misreads == 0)
        sim_fail(&node->cluster->world,
                 "%s ends for damage, and its disk was never harmed: what others sent it is to be "
                 "verified; %s",
                 node->host.name, why);
    for (uint32_t keyspace = 0; keyspace < node->options.keyspace_count; keyspace++) {
        struct node_status status;
        node_status(node->node, keyspace, &status);
        const struct replica_status *replica = &status.replica;
        if (replica->failed && !replica->damaged && replica->unreadable != 0 &&
            replica->unreadable <= replica->applied_index)
            sim_fail(&node->cluster->world,
                     "%s ends for damage at entry %llu of its log, which is applied",
                     node->host.name, (ull)replica->unreadable);
    }
}

void sim_judge_close(struct sim_cluster *cluster) {
    for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++) {
        cairn_free(cluster->truth[keyspace].at);
        cairn_free(cluster->truth[keyspace].terms);
    }
}

/* ---- when all is healed ---- */

static bool converged_with(const struct node_status *leader, const struct sim_node *node,
                           uint32_t keyspace, char *why, size_t size) {
    struct node_status status;
    if (!sim_node_is_up(node)) {
        snprintf(why, size, "%s is not up", node->host.name);
        return false;
    }
    node_status(node->node, keyspace, &status);
    if (status.replica.damaged) {
        snprintf(why, size, "%s waits for the repair of %llu to %llu", node->host.name,
                 (ull)status.replica.damaged_first, (ull)status.replica.damaged_last);
        return false;
    }
    if (status.replica.unreadable != 0) {
        snprintf(why, size, "%s has damage in its log up to %llu", node->host.name,
                 (ull)status.replica.unreadable);
        return false;
    }
    if (status.replica.applied_index != leader->replica.applied_index ||
        status.replica.commit_index != leader->replica.commit_index) {
        int len = snprintf(why, size, "%s has applied %llu of %llu (commit %llu, last %llu, %s)",
                           node->host.name, (ull)status.replica.applied_index,
                           (ull)leader->replica.applied_index, (ull)status.replica.commit_index,
                           (ull)status.replica.last_index, status.health);
        for (uint32_t i = 0; i < leader->replica.peer_count; i++)
            if (leader->replica.peers[i].id == node->id && len > 0 && (size_t)len < size)
                snprintf(why + len, size - (size_t)len,
                         "; its leader has match %llu, next %llu, inflight %u%s%s",
                         (ull)leader->replica.peers[i].match_index,
                         (ull)leader->replica.peers[i].next_index,
                         leader->replica.peers[i].inflight,
                         leader->replica.peers[i].snapshotting ? ", sends a snapshot" : "",
                         leader->replica.peers[i].active ? "" : ", hears nothing");
        return false;
    }
    if (status.state_digest != leader->state_digest) {
        snprintf(why, size, "%s has another state than the leader at index %llu", node->host.name,
                 (ull)status.replica.applied_index);
        return false;
    }
    return true;
}

static bool keyspace_converged(struct sim_cluster *cluster, uint32_t keyspace, char *why,
                               size_t size) {
    struct node_status status;
    const struct sim_node *leader = sim_cluster_leader(cluster, keyspace);
    if (leader == NULL) {
        snprintf(why, size, "no replica leads");
        return false;
    }
    node_status(leader->node, keyspace, &status);
    const struct config *config = &status.replica.config;
    if (config->joint || !status.replica.config_committed) {
        snprintf(why, size, "a change of members does not end");
        return false;
    }
    for (uint32_t i = 0; i < config->count; i++)
        if (!converged_with(&status, &cluster->nodes[config->members[i].id], keyspace, why, size))
            return false;
    return true;
}

bool sim_judge_converged(struct sim_cluster *cluster, char *why, size_t size) {
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++)
        if (!keyspace_converged(cluster, keyspace, why, size))
            return false;
    return true;
}

uint64_t sim_judge_behind(struct sim_cluster *cluster) {
    struct node_status leading, status;
    uint64_t behind = 0;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        const struct sim_node *leader = sim_cluster_leader(cluster, keyspace);
        if (leader == NULL)
            return UINT64_MAX;
        node_status(leader->node, keyspace, &leading);
        for (uint32_t i = 0; i < leading.replica.config.count; i++) {
            const struct sim_node *node = &cluster->nodes[leading.replica.config.members[i].id];
            if (!sim_node_is_up(node))
                return UINT64_MAX;
            node_status(node->node, keyspace, &status);
            if (status.replica.applied_index < leading.replica.applied_index)
                behind += leading.replica.applied_index - status.replica.applied_index;
        }
    }
    return behind;
}

/* ---- the clients' history ---- */

/* All workloads' operations as one array of pointers, by rising invocation. */
struct clients {
    const struct workload_op **ops;
    size_t count;
};

static int by_invoke(const void *a, const void *b) {
    const struct workload_op *const *x = a, *const *y = b;
    if ((*x)->invoke != (*y)->invoke)
        return (*x)->invoke < (*y)->invoke ? -1 : 1;
    return (*x)->client < (*y)->client ? -1 : (*x)->client > (*y)->client;
}

static void gather(const struct sim_cluster *cluster, struct clients *clients) {
    size_t count = 0, at = 0;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        count += workload_count(cluster->workloads[i]);
    clients->ops = cairn_alloc((count + 1) * sizeof *clients->ops);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        for (size_t n = 0; n < workload_count(cluster->workloads[i]); n++)
            clients->ops[at++] = workload_op(cluster->workloads[i], n);
    clients->count = count;
    qsort(clients->ops, count, sizeof *clients->ops, by_invoke);
}

static void report(struct sim_cluster *cluster, const char *what, const struct workload_op *op,
                   const char *error) {
    struct buf text = {0};
    if (op != NULL)
        workload_print_op(op, &text);
    int shown = text.len < 200 ? (int)text.len : 200;
    sim_fail(&cluster->world, "%s: %s%s%.*s", what, error, op ? "; at " : "", shown,
             op ? (const char *)text.data : "");
    buf_free(&text);
}

/* ---- registers ---- */

static void judge_registers(struct sim_cluster *cluster, const struct clients *clients) {
    struct limits limits = {.steps_max = LINEAR_STEPS_MAX};
    struct check_options options = {
        .model = MODEL_KV, .level = LEVEL_LINEARIZABLE, .limits = &limits, .by_key = true};
    struct history history;
    struct verdict verdict;
    sim_history_make(&history, clients->ops, clients->count);
    check_history(&history, &options, &verdict);
    cluster->result->undecided += verdict.answer == ANSWER_UNDECIDED;
    if (verdict.answer == ANSWER_NO) {
        int shown = verdict.text.len < 300 ? (int)verdict.text.len : 300;
        sim_fail(&cluster->world, "a register is not linearizable: %.*s", shown,
                 (const char *)verdict.text.data);
    }
    verdict_free(&verdict);
    history_free(&history);
}

/* The newest text that was read. */
static const struct workload_op *last_list(const struct clients *clients,
                                           enum workload_action action, uint32_t key) {
    const struct workload_op *last = NULL;
    for (size_t i = 0; i < clients->count; i++) {
        const struct workload_op *op = clients->ops[i];
        if (op->action == action && op->key == key && op->outcome == WORKLOAD_OK)
            last = op;
    }
    return last;
}

static struct order_op order_of(const struct workload_op *op, bool change, size_t tag) {
    return (struct order_op){.invoke = op->invoke,
                             .complete = op->complete,
                             .change = change,
                             .failed = op->outcome == WORKLOAD_FAILED,
                             .token = (uint32_t)op->argument,
                             .position = change ? (uint64_t)op->result : op->token_count,
                             .tokens = change ? NULL : op->tokens,
                             .tag = tag};
}

static void judge_log(struct sim_cluster *cluster, const struct clients *clients,
                      enum workload_action write, uint32_t key, struct order_op *ops) {
    enum workload_action read = write + 1;
    const struct workload_op *final = last_list(clients, read, key);
    char error[200];
    size_t count = 0, where;
    if (final == NULL)
        return;
    for (size_t i = 0; i < clients->count; i++) {
        const struct workload_op *op = clients->ops[i];
        if ((op->action == write || op->action == read) && op->key == key)
            ops[count++] = order_of(op, op->action == write, i);
    }
    if (order_check(ops, count, final->tokens, final->token_count, error, sizeof error, &where) !=
        ANSWER_YES)
        report(cluster, write == WORKLOAD_ONCE_APPEND ? "exactly once" : "a log",
               where == SIZE_MAX ? NULL : clients->ops[ops[where].tag], error);
}

struct place {
    uint32_t token;
    uint32_t at; /* the first is 1 */
};

static int by_token(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* Where the command stands in the text; a read behind as much as it shows. 0: nowhere. */
static uint64_t place_of(const struct workload_op *op, const struct place *places, size_t count) {
    const struct place key = {.token = (uint32_t)op->argument};
    if (op->action == WORKLOAD_LINE_LIST)
        return op->token_count;
    const struct place *place = bsearch(&key, places, count, sizeof *places, by_token);
    return place != NULL ? place->at : 0;
}

/* What one client sends on one connection is executed as it was sent; but for what was answered to
 * be of unknown fate, which may be executed later, or not at all. */
static void judge_lines_of(struct sim_cluster *cluster, const struct workload *from,
                           const struct place *places, size_t count) {
    uint64_t newest[64][2] = {{0}}; /* by client: the line, and how far it is */
    for (size_t i = 0; i < workload_count(from); i++) {
        const struct workload_op *op = workload_op(from, i);
        uint64_t *last = newest[op->client % 64];
        if (op->line == 0 || op->outcome != WORKLOAD_OK)
            continue;
        if (last[0] != op->line)
            last[0] = op->line, last[1] = 0;
        uint64_t place = place_of(op, places, count);
        if (place < last[1])
            report(cluster, "a line", op, "executed before what its client had sent before it");
        last[1] = place;
    }
}

static void judge_lines(struct sim_cluster *cluster, const struct clients *clients) {
    const struct workload_op *final = last_list(clients, WORKLOAD_LINE_LIST, 0);
    if (final == NULL)
        return;
    struct place *places = cairn_alloc((final->token_count + 1) * sizeof *places);
    for (uint32_t i = 0; i < final->token_count; i++)
        places[i] = (struct place){final->tokens[i], i + 1};
    qsort(places, final->token_count, sizeof *places, by_token);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        judge_lines_of(cluster, cluster->workloads[i], places, final->token_count);
    cairn_free(places);
}

static void judge_bank(struct sim_cluster *cluster, const struct clients *clients) {
    const struct workload_op *final = last_list(clients, WORKLOAD_TRANSFERS, 0);
    struct bank_op *ops = cairn_alloc((clients->count + 1) * sizeof *ops);
    char error[200];
    size_t count = 0, where;
    for (size_t i = 0; i < clients->count && final != NULL; i++) {
        const struct workload_op *op = clients->ops[i];
        bool transfer = op->action == WORKLOAD_TRANSFER;
        if (!transfer && op->action != WORKLOAD_BALANCES)
            continue;
        struct bank_op *bank = &ops[count++];
        *bank = (struct bank_op){.order = order_of(op, transfer, i),
                                 .from = op->from,
                                 .to = op->to,
                                 .amount = op->amount,
                                 .watched = transfer && op->watched,
                                 .floating = !transfer && op->result == -1};
        memcpy(bank->values, op->values, sizeof bank->values);
        bank->order.position = bank->floating ? 0 : (uint64_t)op->result;
    }
    if (final != NULL && bank_check(ops, count, final->tokens, final->token_count, error,
                                    sizeof error, &where) != ANSWER_YES)
        report(cluster, "the bank", where == SIZE_MAX ? NULL : clients->ops[ops[where].order.tag],
               error);
    cairn_free(ops);
}

static unsigned walls_jumped(const struct sim_cluster *cluster) {
    unsigned jumped = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        jumped += cluster->nodes[id].wall_jumped;
    return jumped;
}

/* A leader goes by a majority's wall clocks: with too many of them wrong it may be as wrong as they
 * are. Some may run away from a slow leader faster than replicated time may follow, and be believed
 * after a restart of all. So may any after a leader that goes by its own, for the others are of an
 * older version and tell nothing. And so may all after a long sleep, of which replicated time
 * followed nine tenths at once. */
static bool time_is_unsure(const struct sim_cluster *cluster) {
    bool old = false;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        old |= cluster->nodes[id].was_old;
    bool far = 2 * cluster->defaults.clock_drift_ppm >= 10000 * STAMP_SLEW_PERCENT;
    return far || old || cluster->apart.leaps > 0 || 2 * walls_jumped(cluster) >= cluster->founders;
}

/* How far replicated time may lag: with voters away, one clock that went back may be what a
 * majority of the rest has reached. A leader that restarted then goes on from the time of its last
 * entries, and the next leader knows better. */
static uint64_t lag_ns(const struct sim_cluster *cluster) {
    return walls_jumped(cluster) > 0 ? 3000 * SIM_MS : 0;
}

static void judge_expiry(struct sim_cluster *cluster, unsigned workload) {
    const struct workload *from = cluster->workloads[workload];
    size_t count = 0, where;
    uint64_t lag = lag_ns(cluster);
    char error[200];
    struct expiry_op *ops = cairn_alloc((workload_count(from) + 1) * sizeof *ops);
    for (size_t i = 0; i < workload_count(from); i++) {
        const struct workload_op *op = workload_op(from, i);
        bool write = op->action == WORKLOAD_EXPIRE_SET;
        if ((!write && op->action != WORKLOAD_EXPIRE_GET) || op->outcome == WORKLOAD_FAILED)
            continue;
        uint64_t ttl_ns = (uint64_t)op->argument * SIM_MS;
        ops[count++] = (struct expiry_op){.invoke = op->invoke,
                                          .complete = op->complete,
                                          .key = op->key,
                                          .write = write,
                                          .nil = op->nil,
                                          .ttl_ns = ttl_ns > lag ? ttl_ns - lag : 0,
                                          .tag = i};
    }
    /* Replicated time may run a tenth faster than the leader's clock. */
    uint64_t early_ppm =
        time_is_unsure(cluster) ? 1000000 : 110000 + 3 * cluster->defaults.clock_drift_ppm;
    if (expiry_check(ops, count, early_ppm, error, sizeof error, &where) != ANSWER_YES)
        report(cluster, "expiry", workload_op(from, where), error);
    cairn_free(ops);
}

static void print_history(const struct sim_cluster *cluster, const struct clients *clients) {
    struct buf text = {0};
    for (size_t i = 0; i < clients->count; i++) {
        buf_clear(&text);
        workload_print_op(clients->ops[i], &text);
        fprintf(cluster->asked.history, "%.*s\n", (int)text.len, (const char *)text.data);
    }
    buf_free(&text);
}

static void judge_keys(struct sim_cluster *cluster) {
    struct clients clients;
    uint32_t keys = 8; /* more than any run uses */
    gather(cluster, &clients);
    if (cluster->asked.history != NULL)
        print_history(cluster, &clients);
    judge_registers(cluster, &clients);
    struct order_op *order = cairn_alloc((clients.count + 1) * sizeof *order);
    for (uint32_t key = 0; key < keys && cluster->read_at_end; key++) {
        judge_log(cluster, &clients, WORKLOAD_APPEND, key, order);
        judge_log(cluster, &clients, WORKLOAD_ONCE_APPEND, key, order);
    }
    if (cluster->read_at_end) {
        judge_log(cluster, &clients, WORKLOAD_LINE_APPEND, 0, order);
        judge_lines(cluster, &clients);
    }
    if (cluster->read_at_end)
        judge_bank(cluster, &clients);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        judge_expiry(cluster, i);
    cairn_free(order);
    cairn_free(clients.ops);
}

/* A sign may be under way for longer than a session lasts: no server can know. */
static bool signs_were_late(const struct sim_result *result) {
    static const enum sim_fault slow[] = {
        SIM_FAULT_SLOW_LINK,   SIM_FAULT_STALL,   SIM_FAULT_SLOW_LOOP, SIM_FAULT_PAUSE,
        SIM_FAULT_STOP_INSIDE, SIM_FAULT_ONE_WAY, SIM_FAULT_CLOCK_OFF, SIM_FAULT_SUSPEND};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (result->faults[slow[i]] > 0)
            return true;
    return false;
}

static void judge_tree(struct sim_cluster *cluster) {
    const struct zk_workload *workloads[SIM_CLIENT_HOSTS];
    struct sim_tree_judgement judgement = {.tree = &cluster->tree_truth,
                                           .workloads = workloads,
                                           .count = SIM_CLIENT_HOSTS,
                                           .still = cluster->apart.still,
                                           .still_count = cluster->apart.still_count,
                                           .calm = cluster->asked.scenario == SIM_CALM,
                                           .unsure =
                                               time_is_unsure(cluster) || walls_jumped(cluster) > 0,
                                           .late = signs_were_late(cluster->result)};
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        workloads[i] = cluster->zk[i];
    struct buf text = {0};
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS && cluster->asked.history != NULL; i++)
        for (size_t n = 0; n < zk_count(cluster->zk[i]); n++) {
            buf_clear(&text);
            zk_print_op(zk_op(cluster->zk[i], n), &text);
            fprintf(cluster->asked.history, "%.*s\n", (int)text.len, (const char *)text.data);
        }
    sim_tree_judge(&judgement);
    buf_clear(&text);
    if (judgement.op != NULL)
        zk_print_op(judgement.op, &text);
    if (judgement.error[0] != 0)
        sim_fail(&cluster->world, "%s; %.*s", judgement.error,
                 (int)(text.len < 250 ? text.len : 250), text.data ? (const char *)text.data : "");
    buf_free(&text);
}

void sim_judge_history(struct sim_cluster *cluster) {
    if (sim_has_tree(cluster))
        judge_tree(cluster);
    if (sim_has_keys(cluster))
        judge_keys(cluster);
}
