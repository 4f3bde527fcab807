/* A run from its beginning to its verdict. */
#include "torture/torture_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 50000000ull
#define START_PATIENCE_NS 60000000000ull
#define RUNS_PATIENCE_NS 3000000000ull /* with servers that are said to run */
#define SETUP_PATIENCE_NS 20000000000ull
#define FINAL_PATIENCE_NS 10000000000ull
/* Lists are written whole by each read: they must stay short. */
#define LIST_TURN 200u
#define PORTS_A_NODE 10u
#define PORT_FIRST 20000u
#define PORT_LAST 32000u

static const struct target *const targets[] = {&target_cairn, &target_cairn_tree, &target_redis,
                                               &target_zookeeper, &target_etcd};

const struct target *target_named(const char *name) {
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    return NULL;
}

void run_say(struct run *run, const char *format, ...) {
    va_list args;
    if (run->options->out == NULL)
        return;
    va_start(args, format);
    fprintf(run->options->out, "%8.3f s  ", run->start_ns ? (double)run_ms(run) / 1000 : 0.0);
    vfprintf(run->options->out, format, args);
    fprintf(run->options->out, "\n");
    fflush(run->options->out);
    va_end(args);
}

void run_fail(struct run *run, const char *format, ...) {
    va_list args;
    if (run->result->error[0])
        return;
    va_start(args, format);
    vsnprintf(run->result->error, sizeof run->result->error, format, args);
    va_end(args);
    run->result->verdict = TORTURE_BAD;
    runtime_stop(run->runtime);
}

uint64_t run_ms(const struct run *run) {
    return (env_now(run->env) - run->start_ns) / 1000000;
}

void run_address(const struct run *run, unsigned node, char *out, size_t size) {
    if (run->options->addresses != NULL)
        snprintf(out, size, "%s", run->node[node].address);
    else
        snprintf(out, size, "127.0.0.1:%u", run->node[node].proxied[0]);
}

void run_look_at_gap(struct run *run) {
    uint64_t gap_ms = (env_now(run->env) - run->last_ok_ns) / 1000000;
    if (run->start_ns == 0 || gap_ms <= run->result->longest_gap_ms)
        return;
    run->result->longest_gap_ms = gap_ms;
    run->result->gap_at_ms = (run->last_ok_ns - run->start_ns) / 1000000;
}

/* ---- what is possible ---- */

const char *torture_promise(const char *name, bool sync) {
    const struct target *target = target_named(name);
    return target != NULL && target->promise != NULL && !sync ? target->promise : "linearizable";
}

const char *torture_refusal(const struct torture_options *options, char *text, size_t size) {
    const struct target *target = target_named(options->target);
    if (target == NULL)
        snprintf(text, size,
                 "there is no target '%s': cairn, cairn-tree, redis, zookeeper and etcd are known",
                 options->target);
    else if (!(target->workloads >> options->workload & 1))
        snprintf(text, size, "%s can't have the workload %s: %s", target->name,
                 torture_workload_name(options->workload), target->why_not);
    else if (options->addresses == NULL && target->package != NULL &&
             (!program_exists(target->program) ||
              (target->program_file != NULL && access(target->program_file, R_OK) != 0)))
        snprintf(text, size, "%s is not installed: apt-get install %s%s", target->name,
                 target->package, target->program_file ? " default-jre-headless" : "");
    else
        return NULL;
    return text;
}

/* ---- preparations ---- */

static bool take_ports(struct run *run) {
    uint32_t base = run->options->port_base, last = PORTS_A_NODE * run->nodes;
    uint64_t chance = prng_mix((uint64_t)getpid(), (uint64_t)time(NULL));
    for (unsigned tries = 0; tries < 200; tries++) {
        uint32_t first =
            base ? base : PORT_FIRST + (uint32_t)(chance % (PORT_LAST - PORT_FIRST - last));
        bool all = true;
        for (uint32_t i = 0; i < last && all; i++)
            all = port_is_free((uint16_t)(first + i));
        for (unsigned n = 1; n <= run->nodes && all; n++)
            for (unsigned c = 0; c < RUN_CHANNELS; c++) {
                run->node[n].ports[c] = (uint16_t)(first + (n - 1) * PORTS_A_NODE + 2 * c);
                run->node[n].proxied[c] = (uint16_t)(run->node[n].ports[c] + 1);
            }
        if (all || base)
            return all;
        chance = prng_mix(chance, tries);
    }
    return false;
}

static bool start_proxy(struct run *run) {
    run->board = proxy_board_new(run->options->seed);
    if (run->board == NULL)
        return false;
    for (unsigned n = 1; n <= run->nodes; n++)
        for (unsigned c = 0; c < run->target->channels; c++)
            run->board->channels[run->board->channel_count++] =
                (struct proxy_channel){n, run->node[n].proxied[c], run->node[n].ports[c]};
    run->proxy = proxy_start(run->board);
    for (unsigned i = 0; i < 2000 && run->proxy > 0 && run->board->ready == 0; i++)
        usleep(1000);
    return run->proxy > 0 && run->board->ready == 1;
}

/* Beside the binary. */
static void find_layer(struct run *run) {
    const char *slash = strrchr(run->options->program, '/');
    int len = slash ? (int)(slash - run->options->program) : 0;
    if (!run->target->layer || slash == NULL)
        return;
    snprintf(run->layer, sizeof run->layer, "%.*s/cairn-faults.so", len, run->options->program);
    if (access(run->layer, R_OK) != 0)
        run->layer[0] = 0;
    for (uint32_t i = 0; i < run->options->event_count; i++)
        run->journal |= run->options->events[i].fault->kind == PLAN_POWER;
}

static bool take_addresses(struct run *run) {
    const char *at = run->options->addresses;
    while (*at) {
        size_t len = strcspn(at, " ,");
        if (len > 0) {
            if (run->nodes == PLAN_NODES_MAX || len >= sizeof run->node->address)
                return false;
            memcpy(run->node[++run->nodes].address, at, len);
        }
        at += len + (at[len] != 0);
    }
    return run->nodes > 0;
}

static void init_nodes(struct run *run) {
    for (unsigned n = 1; n <= run->nodes; n++) {
        struct run_node *node = &run->node[n];
        node->run = run;
        node->number = n;
        snprintf(node->dir, sizeof node->dir, "%s/node-%u", run->options->dir, n);
        snprintf(node->log, sizeof node->log, "%s/node-%u.log", run->options->dir, n);
    }
}

static bool prepare_own(struct run *run) {
    if (!take_ports(run)) {
        run_fail(run, "no free ports between %u and %u", PORT_FIRST, PORT_LAST);
        return false;
    }
    if (!start_proxy(run)) {
        run_fail(run, "the proxy can't be started");
        return false;
    }
    find_layer(run);
    for (unsigned n = 1; n <= run->nodes; n++)
        if (!run->target->prepare(run, &run->node[n])) {
            run_fail(run, "can't write to %s", run->options->dir);
            return false;
        }
    return true;
}

static void init_clients(struct run *run) {
    const struct torture_options *options = run->options;
    bool lists = options->workload == TORTURE_APPEND || options->workload == TORTURE_SET ||
                 options->workload == TORTURE_QUEUE;
    run->key_turn_max = lists ? LIST_TURN : 0;
    run->keys_made = options->keys;
    run->key_uses = cairn_alloc_zero(options->keys * sizeof *run->key_uses);
    run->slot_keys = cairn_alloc_zero(options->keys * sizeof *run->slot_keys);
    for (uint32_t i = 0; i < options->keys; i++)
        run->slot_keys[i] = i;
    run->client_count = options->clients;
    run->clients = cairn_alloc_zero(options->clients * sizeof *run->clients);
    for (uint32_t i = 0; i < options->clients; i++)
        client_open(&run->clients[i], run, i);
}

/* ---- phases ---- */

static void enter(struct run *run, enum run_phase phase) {
    run->phase = phase;
    run->phase_ns = env_now(run->env);
}

static void start_clients(struct run *run, bool only_first) {
    run->stopping = false;
    for (uint32_t i = 0; i < run->client_count && (i == 0 || !only_first); i++)
        client_start(&run->clients[i]);
}

static bool all_idle(const struct run *run) {
    for (uint32_t i = 0; i < run->client_count; i++)
        if (!client_idle(&run->clients[i]))
            return false;
    return true;
}

static void begin_torment(struct run *run) {
    enter(run, PHASE_TORMENT);
    run->start_ns = run->phase_ns;
    run->history.start_ns = run->start_ns;
    run->last_ok_ns = run->start_ns;
    run_say(run, "%u nodes serve, %u clients begin", run->nodes, run->client_count);
    start_clients(run, false);
    nemesis_start(run);
}

static void begin_final(struct run *run) {
    if (!run->stopping)
        run_look_at_gap(run);
    run->stopping = true;
    if (!all_idle(run) &&
        env_now(run->env) - run->phase_ns <
            (run->options->heal_ms + run->options->timeout_ms) * 1000000 + 1000000000)
        return;
    enter(run, PHASE_FINAL);
    start_clients(run, false);
}

static void end(struct run *run) {
    enter(run, PHASE_END);
    runtime_stop(run->runtime);
}

/* Servers that were to be there. */
static void fail_addresses(struct run *run) {
    const char *name = run->target->name;
    for (unsigned i = 1; i <= run->nodes; i++) {
        const struct run_node *node = &run->node[i];
        if (node->trouble != NULL || node->state.role == ROLE_UNKNOWN)
            run_fail(run, "%s does not answer as a server of %s: %s (--addresses, --target)",
                     node->address, name, node->trouble ? node->trouble : "it is silent");
    }
    run_fail(run, "the servers of %s at --addresses have no leader", name);
}

static void look_at_start(struct run *run) {
    uint64_t waited = env_now(run->env) - run->phase_ns;
    bool runs = run->options->addresses != NULL;
    if (run->phase == PHASE_START && nodes_serve(run)) {
        enter(run, PHASE_SETUP);
        start_clients(run, true);
    } else if (run->phase == PHASE_SETUP && all_idle(run)) {
        begin_torment(run);
    } else if (runs && run->phase == PHASE_START && waited > RUNS_PATIENCE_NS) {
        fail_addresses(run);
    } else if (waited > (run->phase == PHASE_START ? START_PATIENCE_NS : SETUP_PATIENCE_NS)) {
        run_fail(run, "%s does not serve: see %s/node-*.log", run->target->name, run->options->dir);
    }
}

static void look_at_phase(struct run *run) {
    const struct torture_options *options = run->options;
    uint64_t since_ms = (env_now(run->env) - run->phase_ns) / 1000000;
    if (run->phase == PHASE_TORMENT && since_ms >= options->time_ms) {
        nemesis_heal(run);
        enter(run, PHASE_HEAL);
        run_say(run, "all faults are over");
    } else if (run->phase == PHASE_HEAL && since_ms >= options->heal_ms) {
        begin_final(run);
    } else if (run->phase == PHASE_FINAL &&
               (all_idle(run) || since_ms * 1000000 > FINAL_PATIENCE_NS)) {
        end(run);
    }
}

static void on_tick(struct env_timer *timer) {
    struct run *run = container_of(timer, struct run, tick);
    env_timer_set(run->env, timer, env_now(run->env) + TICK_NS);
    nodes_look(run);
    if (++run->ticks % 4 == 0)
        probes_send(run);
    if (run->target->tick != NULL)
        run->target->tick(run);
    if (run->options->stop != NULL && *run->options->stop > 0 && run->phase != PHASE_END) {
        run_say(run, "stopped by a signal");
        nemesis_heal(run);
        end(run);
    } else if (run->phase < PHASE_TORMENT) {
        look_at_start(run);
    } else {
        look_at_phase(run);
    }
}

static void close_all(struct run *run) {
    run->stopping = true;
    env_timer_clear(run->env, &run->tick);
    nemesis_heal(run);
    for (uint32_t i = 0; i < run->client_count; i++)
        client_stop(&run->clients[i]);
    probes_close(run);
    runtime_settle(run->runtime);
    for (uint32_t i = 0; i < run->client_count; i++)
        client_free(&run->clients[i]);
    cairn_free(run->clients);
    cairn_free(run->key_uses);
    cairn_free(run->slot_keys);
    run->phase = PHASE_END;
    nodes_end(run);
    torture_history_close(&run->history);
    runtime_free(run->runtime);
    if (run->proxy > 0) {
        int status;
        kill(run->proxy, SIGKILL);
        while (!process_ended(run->proxy, &status))
            usleep(1000);
    }
    if (run->board != NULL)
        proxy_board_free(run->board);
}

static void open_run(struct run *run) {
    struct runtime_options runtime = {0};
    const struct torture_options *options = run->options;
    run->target = target_named(options->target);
    run->nodes = options->addresses ? 0 : options->nodes;
    run->primary = 1;
    snprintf(run->cluster, sizeof run->cluster, "%08x",
             (unsigned)prng_mix(options->seed, (uint64_t)time(NULL)));
    list_init(&run->active);
    if (options->addresses != NULL && !take_addresses(run))
        run_fail(run, "--addresses wants 1 to 9 addresses, host:port");
    init_nodes(run);
    if (!run->result->error[0] && options->addresses == NULL)
        prepare_own(run); /* forks, so before the runtime has threads */
    run->runtime = runtime_new(&runtime);
    run->env = runtime_env(run->runtime);
    if (!run->result->error[0])
        init_clients(run);
}

void torture_run(const struct torture_options *options, struct torture_result *result) {
    struct run *run = cairn_alloc_zero(sizeof *run);
    *result = (struct torture_result){0};
    run->options = options;
    run->result = result;
    snprintf(result->history, sizeof result->history, "%s/history.jsonl", options->dir);
    snprintf(result->judgement, sizeof result->judgement, "%s/verdict.txt", options->dir);
    open_run(run);
    if (!result->error[0] && !torture_history_open(&run->history, result->history, 0))
        run_fail(run, "can't write to %s", result->history);
    if (!result->error[0]) {
        enter(run, PHASE_START);
        run->tick.fire = on_tick;
        env_timer_set(run->env, &run->tick, 0);
        runtime_run(run->runtime);
        result->run_ms = run->start_ns ? run_ms(run) : 0;
    }
    close_all(run);
    cairn_free(run);
    if (!result->error[0])
        judge_history(options, result);
}
