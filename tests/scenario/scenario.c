/* Scenarios as text. A file holds comments, commands ("> propose 1 a") and beneath each command
 * all that happened because of it. The runner plays the commands in a world of replicas (raft,
 * unless named) and compares; with --rewrite it writes what it saw, to be reviewed as a diff.
 *
 *   scenario [--rewrite] FILE
 *
 * Commands: group N [plain] [PROTOCOL]   nodes 1..N, off; plain: no leases, no data folder ids
 *           log ID TERM...    writes a log to a disk, before start
 *           start [ID]        all, or a blank node outside the group
 *           lead ID           time passes at this node only until it leads
 *           run MS            time passes, messages arrive
 *           manual, deliver, drop, auto
 *           propose ID TEXT   read ID   transfer ID TO   configure VOTERS [LEARNERS]
 *           awaited ID PEER   (the peer waits for what it forwarded to ID)
 *           partition 1 2 | 3   cut A B   heal   disconnect A B   connect A B
 *           crash ID   restart ID   wipe ID   damage ID INDEX   compact ID
 *           hold ID   release ID   disk ID COUNT   (COUNT writes that wait are done)
 *           traffic on|off   status   logs
 */
#include "replica_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32

struct play {
    struct world *world;
    struct buf out;
    char *words[WORDS_MAX];
    int count;
};

static uint64_t number(const struct play *play, int at) {
    return at < play->count ? strtoull(play->words[at], NULL, 10) : 0;
}

static const char *word(const struct play *play, int at) {
    return at < play->count ? play->words[at] : "";
}

static void do_group(struct play *play) {
    bool plain = strcmp(word(play, 2), "plain") == 0;
    const char *protocol = word(play, plain ? 3 : 2);
    play->world = world_empty_of(*protocol ? protocol : "raft", (unsigned)number(play, 1), 1);
    if (play->world == NULL)
        return;
    play->world->log = &play->out;
    for (uint64_t id = 1; id <= play->world->count && plain; id++) {
        play->world->nodes[id].options.incarnation = 0;
        play->world->nodes[id].options.lease_reads = false;
    }
}

static void do_log(struct play *play) {
    uint64_t terms[WORDS_MAX];
    size_t count = 0;
    for (int i = 2; i < play->count; i++)
        terms[count++] = number(play, i);
    world_write_log(play->world, number(play, 1), terms, count);
}

static void do_start(struct play *play) {
    if (play->count > 1)
        world_add(play->world, number(play, 1));
    else
        world_boot(play->world);
}

static void do_lead(struct play *play) {
    uint64_t id = number(play, 1);
    bool manual = play->world->manual;
    play->world->manual = true;
    for (int i = 0; i < 8 && world_status(play->world, id).role != ROLE_LEADER; i++) {
        play->world->now += 700 * MS;
        world_step(play->world, id, (struct event){.kind = EVENT_TICK});
        while (play->world->network.count > 0 && world_status(play->world, id).role != ROLE_LEADER)
            world_deliver_one(play->world, 0);
    }
    play->world->manual = manual;
}

static void do_run(struct play *play) {
    world_run(play->world, number(play, 1) * MS);
}

static void do_manual(struct play *play) {
    play->world->manual = true;
}

static void do_auto(struct play *play) {
    play->world->manual = false;
}

static void do_deliver(struct play *play) {
    world_deliver(play->world);
}

static void do_drop(struct play *play) {
    while (play->world->network.count > 0)
        world_drop(play->world, 0);
}

static void do_propose(struct play *play) {
    world_propose(play->world, number(play, 1), word(play, 2));
}

static void do_read(struct play *play) {
    world_read(play->world, number(play, 1));
}

static void do_transfer(struct play *play) {
    world_transfer(play->world, number(play, 1), number(play, 2));
}

static void do_configure(struct play *play) {
    struct config target = world_config(word(play, 1), word(play, 2));
    world_configure(play->world, world_leader(play->world), &target);
}

static void do_awaited(struct play *play) {
    struct event event = {.kind = EVENT_AWAITED};
    event.peer.id = number(play, 2);
    world_step(play->world, number(play, 1), event);
}

static void do_heal(struct play *play) {
    memset(play->world->cut, 0, sizeof play->world->cut);
}

static void do_partition(struct play *play) {
    unsigned side[WORLD_NODES_MAX + 1] = {0}, at = 1;
    for (int i = 1; i < play->count; i++) {
        if (strcmp(play->words[i], "|") == 0)
            at++;
        else
            side[number(play, i) % (WORLD_NODES_MAX + 1)] = at;
    }
    for (unsigned a = 1; a <= WORLD_NODES_MAX; a++)
        for (unsigned b = 1; b <= WORLD_NODES_MAX; b++)
            world_cut(play->world, a, b, side[a] != side[b]);
}

static void do_cut(struct play *play) {
    world_cut(play->world, number(play, 1), number(play, 2), true);
    world_cut(play->world, number(play, 2), number(play, 1), true);
}

static void do_disconnect(struct play *play) {
    world_disconnect(play->world, number(play, 1), number(play, 2));
}

static void do_connect(struct play *play) {
    world_connect(play->world, number(play, 1), number(play, 2));
}

static void do_crash(struct play *play) {
    world_crash(play->world, number(play, 1));
}

static void do_restart(struct play *play) {
    world_restart(play->world, number(play, 1));
}

static void do_wipe(struct play *play) {
    world_wipe(play->world, number(play, 1));
}

static void do_damage(struct play *play) {
    world_damage(play->world, number(play, 1), number(play, 2));
}

static void do_compact(struct play *play) {
    world_compact(play->world, number(play, 1), UINT64_MAX);
}

static void do_hold(struct play *play) {
    play->world->nodes[number(play, 1)].hold_disk = true;
}

static void do_release(struct play *play) {
    play->world->nodes[number(play, 1)].hold_disk = false;
    world_disk(play->world, number(play, 1), 0);
}

static void do_disk(struct play *play) {
    world_disk(play->world, number(play, 1), number(play, 2));
}

static void do_traffic(struct play *play) {
    play->world->log_traffic = strcmp(word(play, 1), "on") == 0;
}

static void do_status(struct play *play) {
    static const char *const roles[] = {"off", "follower", "pre-candidate", "candidate", "leader"};
    for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
        struct replica_status status = world_status(play->world, id);
        if (play->world->nodes[id].exists)
            buf_printf(&play->out,
                       "  %" PRIu64 ": %s term %" PRIu64 ", log %" PRIu64 "..%" PRIu64
                       ", commit %" PRIu64 "%s\n",
                       id, roles[status.role], status.term, status.first_index, status.last_index,
                       status.commit_index, status.damaged ? ", damaged" : "");
    }
}

static void do_logs(struct play *play) {
    for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
        const struct world_node *node = &play->world->nodes[id];
        if (!node->exists)
            continue;
        buf_printf(&play->out, "  %" PRIu64 ":", id);
        for (size_t i = 0; i < node->log_count; i++)
            buf_printf(&play->out, " %" PRIu64 "%s", node->log[i].term,
                       node->damaged[i] ? "(damaged)" : "");
        buf_printf(&play->out, "\n");
    }
}

static const struct {
    const char *name;
    void (*run)(struct play *play);
} commands[] = {
    {"group", do_group},         {"log", do_log},         {"start", do_start},
    {"lead", do_lead},           {"run", do_run},         {"manual", do_manual},
    {"auto", do_auto},           {"deliver", do_deliver}, {"drop", do_drop},
    {"propose", do_propose},     {"read", do_read},       {"transfer", do_transfer},
    {"configure", do_configure}, {"awaited", do_awaited}, {"heal", do_heal},
    {"partition", do_partition}, {"cut", do_cut},         {"disconnect", do_disconnect},
    {"connect", do_connect},     {"crash", do_crash},     {"restart", do_restart},
    {"wipe", do_wipe},           {"damage", do_damage},   {"compact", do_compact},
    {"hold", do_hold},           {"release", do_release}, {"disk", do_disk},
    {"traffic", do_traffic},     {"status", do_status},   {"logs", do_logs},
};

static bool command(struct play *play, const char *line) {
    char copy[256];
    snprintf(copy, sizeof copy, "%s", line + 1);
    play->count = 0;
    for (char *at = strtok(copy, " \n"); at && play->count < WORDS_MAX; at = strtok(NULL, " \n"))
        play->words[play->count++] = at;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(word(play, 0), commands[i].name) == 0) {
            if (play->world == NULL && commands[i].run != do_group)
                return false;
            commands[i].run(play);
            return play->world != NULL;
        }
    return false;
}

static struct buf read_file(const char *path) {
    struct buf text = {0};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return text;
    size_t got;
    while ((got = fread(buf_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += got;
    fclose(file);
    buf_u8(&text, 0);
    text.len--;
    return text;
}

/* The first line in which the two differ, for a person. */
static void show_difference(const char *path, const char *expected, const char *actual) {
    int line = 1;
    while (*expected && *actual) {
        size_t a = strcspn(expected, "\n"), b = strcspn(actual, "\n");
        if (a != b || memcmp(expected, actual, a) != 0)
            break;
        expected += a + (expected[a] != 0);
        actual += b + (actual[b] != 0);
        line++;
    }
    fprintf(stderr, "%s:%d\n  expected: %.*s\n  actual:   %.*s\n", path, line,
            (int)strcspn(expected, "\n"), expected, (int)strcspn(actual, "\n"), actual);
}

int main(int argc, char **argv) {
    bool rewrite = argc == 3 && strcmp(argv[1], "--rewrite") == 0;
    if (argc != 2 && !rewrite) {
        fprintf(stderr, "usage: scenario [--rewrite] FILE\n");
        return 3;
    }
    const char *path = argv[argc - 1];
    struct buf text = read_file(path);
    if (text.len == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        return 3;
    }
    struct play play = {0};
    for (const char *at = (const char *)text.data; *at;) {
        size_t len = strcspn(at, "\n");
        if (*at == '#' || *at == '>' || len == 0)
            buf_printf(&play.out, "%.*s\n", (int)len, at);
        if (*at == '>') {
            char line[256];
            snprintf(line, sizeof line, "%.*s", (int)len, at);
            if (!command(&play, line)) {
                fprintf(stderr, "%s: no such command: %s\n", path, line);
                return 3;
            }
            if (play.world->broken != NULL)
                buf_printf(&play.out, "  BROKEN: %s\n", play.world->broken);
        }
        at += len + (at[len] != 0);
    }
    buf_u8(&play.out, 0);
    const char *actual = (const char *)play.out.data;
    bool same = strcmp((const char *)text.data, actual) == 0;
    if (!same && rewrite) {
        FILE *file = fopen(path, "w");
        if (file == NULL || fputs(actual, file) < 0 || fclose(file) != 0)
            return 3;
    } else if (!same) {
        show_difference(path, (const char *)text.data, actual);
    }
    if (play.world != NULL)
        world_free(play.world);
    buf_free(&play.out);
    buf_free(&text);
    return same || rewrite ? 0 : 1;
}
