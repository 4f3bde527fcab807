#include "random_run.h"

#include "replica_world.h"

#include "base/mutant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 600

struct run {
    struct world *world;
    struct prng prng;
    uint64_t wounded; /* the node whose disk was hurt last; one at a time */
    uint64_t deposed; /* the leader that was cut off last */
    unsigned proposals;
    bool reconfigures; /* members are changed, or disks are hurt: both at once may take a quorum */
};

static uint64_t any_node(struct run *run) {
    return 1 + prng_below(&run->prng, run->world->count);
}

static void act_deliver(struct run *run) {
    for (unsigned i = 0; i < 4 && run->world->network.count > 0; i++) {
        size_t span = run->world->network.count;
        if (prng_chance(&run->prng, 3, 4) && span > 3)
            span = 3; /* mostly in order */
        world_deliver_one(run->world, prng_below(&run->prng, span));
    }
}

static void act_deliver_all(struct run *run) {
    for (unsigned i = 0; i < 200 && run->world->network.count > 0; i++)
        world_deliver_one(run->world, 0);
}

static void act_drop(struct run *run) {
    if (run->world->network.count > 0)
        world_drop(run->world, prng_below(&run->prng, run->world->network.count));
    while (run->world->network.count > 300)
        world_drop(run->world, 0);
}

static void act_double(struct run *run) {
    struct world_messages *network = &run->world->network;
    if (network->count == 0)
        return;
    struct world_message copy = network->items[prng_below(&run->prng, network->count)];
    if (copy.snapshot || network->count + 1 >= network->cap)
        return;
    blob_ref(copy.frame);
    network->items[network->count++] = copy;
}

static void act_time(struct run *run) {
    world_run(run->world, prng_between(&run->prng, 1, 40) * MS);
}

static void act_long_time(struct run *run) {
    world_run(run->world, prng_between(&run->prng, 100, 500) * MS);
}

static void act_propose(struct run *run) {
    char text[32];
    snprintf(text, sizeof text, "p%u", ++run->proposals);
    uint64_t leader = world_leader(run->world);
    bool to_leader = leader != 0 && prng_chance(&run->prng, 3, 4);
    world_propose(run->world, to_leader ? leader : any_node(run), text);
}

static void act_read(struct run *run) {
    bool at_deposed = run->deposed != 0 && prng_chance(&run->prng, 1, 3);
    world_read(run->world, at_deposed ? run->deposed : any_node(run));
}

static void act_disk(struct run *run) {
    world_disk(run->world, any_node(run), prng_below(&run->prng, 3));
}

static void act_hold_disk(struct run *run) {
    struct world_node *node = &run->world->nodes[any_node(run)];
    node->hold_disk = !node->hold_disk;
}

static void tell_room(struct world *world, uint64_t id, bool there) {
    struct event event = {.kind = EVENT_ROOM};
    event.room.there = there;
    if (world->nodes[id].up)
        world_step(world, id, event);
}

/* The log may know it before a write is refused, or not. */
static void act_full_disk(struct run *run) {
    uint64_t id = any_node(run);
    struct world_node *node = &run->world->nodes[id];
    bool full = node->disk_fails == CAIRN_OK;
    node->disk_fails = full ? CAIRN_NO_SPACE : CAIRN_OK;
    node->kept_room = (unsigned)prng_below(&run->prng, 20);
    if (!full || prng_chance(&run->prng, 1, 2))
        tell_room(run->world, id, !full);
}

static void act_crash(struct run *run) {
    world_crash(run->world, any_node(run));
}

static void act_restart(struct run *run) {
    for (uint64_t id = 1; id <= run->world->count; id++)
        if (prng_chance(&run->prng, 1, 2))
            world_restart(run->world, id);
}

static void act_cut(struct run *run) {
    uint64_t a = any_node(run), b = any_node(run);
    if (a != b)
        world_cut(run->world, a, b, prng_chance(&run->prng, 1, 2));
}

static void act_isolate(struct run *run) {
    world_isolate(run->world, any_node(run), true);
}

static void act_isolate_leader(struct run *run) {
    uint64_t leader = world_leader(run->world);
    if (leader == 0)
        return;
    world_isolate(run->world, leader, true);
    run->deposed = leader;
    /* Both sides notice, or the others alone, or the connections just go silent. */
    uint64_t noticed = prng_below(&run->prng, 3);
    for (uint64_t id = 1; noticed > 0 && id <= run->world->count; id++) {
        struct event down = {.kind = EVENT_PEER_DOWN};
        down.peer.id = leader;
        if (id != leader && noticed == 1)
            world_disconnect(run->world, id, leader);
        else if (id != leader)
            world_step(run->world, id, down);
    }
}

static void act_heal(struct run *run) {
    memset(run->world->cut, 0, sizeof run->world->cut);
}

static void act_compact(struct run *run) {
    uint64_t id = any_node(run);
    if (run->world->nodes[id].up)
        world_compact(run->world, id, prng_below(&run->prng, run->world->nodes[id].applied + 1));
}

static void act_transfer(struct run *run) {
    uint64_t leader = world_leader(run->world);
    if (leader != 0)
        world_transfer(run->world, leader, prng_below(&run->prng, run->world->count + 1));
}

/* Is the disk that was hurt last whole again, and its node a member as before? */
static bool recovered(struct run *run) {
    struct world *world = run->world;
    if (run->wounded == 0)
        return true;
    uint64_t leader = world_leader(world);
    struct replica_status status = world_status(world, leader ? leader : 1);
    const struct world_node *wounded = &world->nodes[run->wounded];
    for (size_t i = 0; i < wounded->log_count; i++)
        if (wounded->damaged[i])
            return false;
    if (leader == 0 || !wounded->up || world_status(world, run->wounded).damaged ||
        status.config.joint || !status.config_committed)
        return false;
    for (uint32_t i = 0; i < status.config.count; i++) {
        const struct member *member = &status.config.members[i];
        if (member->rejoining || member->incarnation == 0 ||
            member->incarnation != world->nodes[member->id].options.incarnation)
            return false;
    }
    return world_settled(world);
}

/* One disk is hurt at a time, of a group that can spare a voter: what a majority loses nobody can
 * give back. */
static bool may_wound(struct run *run, uint64_t id) {
    uint64_t leader = world_leader(run->world);
    if (run->reconfigures || leader == 0 || run->world->nodes[id].persist_count > 0 ||
        !recovered(run))
        return false;
    struct replica_status status = world_status(run->world, leader);
    unsigned voters = 0;
    for (uint32_t i = 0; i < status.config.count; i++)
        voters += status.config.members[i].voter;
    return voters >= 3 && !status.config.joint && status.config_committed;
}

static void act_configure(struct run *run) {
    char voters[8] = {0}, learners[8] = {0};
    for (uint64_t id = 1; id <= run->world->count; id++) {
        uint64_t role = prng_below(&run->prng, 4);
        char *list = role < 2 ? voters : role == 2 ? learners : NULL;
        if (list != NULL)
            list[strlen(list)] = (char)('0' + id);
    }
    struct config target = world_config(voters, learners);
    uint64_t leader = world_leader(run->world);
    if (leader != 0 && voters[0] != 0 && run->reconfigures)
        world_configure(run->world, leader, &target);
}

static void act_damage(struct run *run) {
    uint64_t id = any_node(run);
    struct world_node *node = &run->world->nodes[id];
    if (id == world_leader(run->world) || !may_wound(run, id) || node->log_count < 2)
        return;
    world_crash(run->world, id);
    world_damage(run->world, id, node->log_first + prng_below(&run->prng, node->log_count));
    run->wounded = id;
}

/* While the node runs, leaders too. */
static void act_rot(struct run *run) {
    uint64_t id = any_node(run);
    struct world_node *node = &run->world->nodes[id];
    if (!may_wound(run, id) || !node->up || node->log_count < 2)
        return;
    world_damage(run->world, id, node->log_first + prng_below(&run->prng, node->log_count - 1));
    run->wounded = id;
}

static void act_wipe(struct run *run) {
    uint64_t id = any_node(run), leader = world_leader(run->world);
    if (id == leader || !may_wound(run, id))
        return;
    struct replica_status status = world_status(run->world, leader);
    const struct member *member = config_member(&status.config, id);
    if (member == NULL || member->incarnation == 0 || !status.config_committed ||
        status.config.joint)
        return;
    world_crash(run->world, id);
    world_wipe(run->world, id);
    run->wounded = id;
}

static const struct {
    unsigned weight;
    void (*act)(struct run *run);
} acts[] = {
    {300, act_deliver}, {80, act_deliver_all}, {20, act_drop},          {15, act_double},
    {200, act_time},    {12, act_long_time},   {150, act_propose},      {80, act_read},
    {60, act_disk},     {6, act_hold_disk},    {12, act_crash},         {30, act_restart},
    {8, act_cut},       {3, act_isolate},      {6, act_isolate_leader}, {14, act_heal},
    {10, act_compact},  {8, act_configure},    {5, act_transfer},       {2, act_damage},
    {2, act_wipe},      {4, act_rot},          {8, act_full_disk},
};

static void act_any(struct run *run) {
    unsigned total = 0;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        total += acts[i].weight;
    uint64_t at = prng_below(&run->prng, total);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (at < acts[i].weight) {
            acts[i].act(run);
            return;
        }
        at -= acts[i].weight;
    }
}

static void begin(struct run *run, const char *protocol, uint64_t seed, enum mutant mutant) {
    prng_seed(&run->prng, prng_mix(seed, 77));
    unsigned voters = prng_chance(&run->prng, 2, 3) ? 3 : 5;
    struct world *world = world_empty_of(protocol, voters, seed);
    run->world = world;
    run->reconfigures = prng_chance(&run->prng, 1, 2);
    bool lease = prng_chance(&run->prng, 2, 3);
    bool small = prng_chance(&run->prng, 1, 2);
    for (uint64_t id = 1; id <= voters; id++) {
        struct world_node *node = &world->nodes[id];
        node->options.mutant = mutant;
        node->options.lease_reads = lease;
        node->clock_ppm = (int64_t)prng_below(&run->prng, 2001) - 1000;
        if (small) { /* much of the log leaves memory, messages are cut */
            node->options.window_bytes_max = 300;
            node->options.append_bytes_max = 120;
            node->options.apply_bytes_max = 200;
            node->options.inflight_max = 3;
        }
    }
    world_boot(world);
    world->manual = true;
    for (; world->count < 5 && prng_chance(&run->prng, 1, 2); world->count++)
        world_add(world, world->count + 1);
}

static const char *heal_and_check(struct run *run) {
    struct world *world = run->world;
    act_heal(run);
    for (uint64_t id = 1; id <= world->count; id++) {
        world->nodes[id].hold_disk = false;
        world->nodes[id].disk_fails = CAIRN_OK;
        tell_room(world, id, true);
        if (world->nodes[id].stopped)
            world_crash(world, id);
        world_restart(world, id);
        world_disk(world, id, 0);
    }
    for (uint64_t a = 1; a <= world->count; a++)
        for (uint64_t b = 1; b <= world->count; b++)
            if (a != b)
                world_connect(world, a, b);
    world->manual = false;
    for (int i = 0; i < 40; i++) {
        world_run(world, 500 * MS);
        if (world->broken)
            return world->broken;
        uint64_t leader = world_leader(world);
        struct replica_status status = world_status(world, leader ? leader : 1);
        if (leader == 0 || !world_settled(world) || status.config.joint)
            continue;
        uint64_t tag = world_propose(world, leader, "last");
        world_run(world, 100 * MS);
        struct world_outcome *outcome = &world->nodes[leader].last_outcome;
        if (outcome->tag == tag && outcome->status == CAIRN_OK && world_settled(world) &&
            world->nodes[leader].applied >= outcome->index)
            return NULL;
    }
    return "liveness: the healed group makes no progress";
}

const char *random_run(const char *protocol, uint64_t seed, enum mutant mutant, struct buf *log) {
    struct run run = {0};
    begin(&run, protocol, seed, mutant);
    run.world->log = log;
    run.world->log_traffic = log != NULL;
    for (unsigned i = 0; i < STEPS && run.world->broken == NULL; i++) {
        act_any(&run);
        if (i % 16 == 0)
            for (uint64_t id = 1; id <= run.world->count; id++)
                if (run.world->nodes[id].up)
                    run.world->check_deep(run.world->nodes[id].replica);
    }
    const char *broken = run.world->broken;
    if (broken == NULL)
        broken = heal_and_check(&run);
    world_free(run.world);
    return broken;
}

/* In a child: a broken protocol may also trip over an assertion, which catches it as well. */
uint64_t random_run_catches(const char *protocol, enum mutant mutant, uint64_t runs, char *how,
                            size_t size) {
    int pipes[2];
    if (pipe(pipes) != 0)
        return 0;
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        for (uint64_t seed = 1; seed <= runs; seed++) {
            dprintf(pipes[1], "%" PRIu64 " an assertion\n", seed);
            const char *broken = random_run(protocol, seed, mutant, NULL);
            if (broken != NULL) {
                dprintf(pipes[1], "%" PRIu64 " %s\n", seed, broken);
                _exit(7);
            }
        }
        _exit(0);
    }
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    char line[200] = "";
    while (fgets(line, sizeof line, lines) != NULL)
        ;
    fclose(lines);
    int result;
    waitpid(child, &result, 0);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return 0;
    char *text;
    uint64_t seed = strtoull(line, &text, 10);
    text[strcspn(text, "\n")] = 0;
    snprintf(how, size, "%s", text);
    return seed;
}

int random_run_main(const char *protocol, int argc, char **argv) {
    enum mutant mutant = MUTANT_NONE;
    struct buf log = {0};
    if (argc > 2 && !mutant_find(argv[2], &mutant))
        return 3;
    const char *broken = random_run(protocol, strtoull(argv[1], NULL, 10), mutant, &log);
    fwrite(log.data, 1, log.len, stdout);
    printf("%s\n", broken ? broken : "fine");
    buf_free(&log);
    return broken != NULL;
}
