/* Plans of faults: what is done to a cluster, to which nodes, when and for how long. A plan is an
 * INI file; the simulator and cairn torture carry out the same one (docs/torture.md is its
 * reference).
 *
 *   [run]              what the run is, unless the command line says otherwise
 *   workload = register
 *   [fault cut-off]    one kind of fault; the name behind "fault" is free
 *   do = isolate
 *   nodes = leader
 *   at = 2s            the first time
 *   every = 6s         and again; without it once
 *   for = 2s
 *
 * A plan is expanded into events with fixed times; which nodes an event strikes is known only when
 * it is due (which node leads then?), but the chance in it comes from the event's own seed, so that
 * leaving one event out changes no other.
 *
 * Nodes are numbered from 1; number 0 stands for the clients.
 */
#ifndef CAIRN_WORKLOAD_PLAN_H
#define CAIRN_WORKLOAD_PLAN_H

#include "base/bytes.h"
#include "base/prng.h"

#define PLAN_NODES_MAX 9u
#define PLAN_FAULTS_MAX 64u
#define PLAN_EVENTS_MAX 4096u

enum plan_layer { PLAN_PROCESS, PLAN_NETWORK, PLAN_DISK, PLAN_CLOCK };

/* X(constant, name, layer, lasts, what happens) */
#define PLAN_FAULT_LIST(X)                                                                         \
    X(KILL, "kill", PROCESS, true, "the process ends at once, and starts again")                   \
    X(POWER, "power", PROCESS, true, "as kill, and what it wrote but did not sync is lost")        \
    X(PAUSE, "pause", PROCESS, true, "the process stands still, and goes on later")                \
    X(RESTART, "restart", PROCESS, true, "the process is asked to stop, and starts again")         \
    X(PARTITION, "partition", NETWORK, true, "nothing passes between these nodes and the others")  \
    X(ISOLATE, "isolate", NETWORK, true, "each of these nodes is alone; clients = yes: wholly")    \
    X(ONE_WAY, "one-way", NETWORK, true, "what these nodes send (direction = in: are sent) stops") \
    X(BRIDGE, "bridge", NETWORK, true, "two sides see each other only through this node")          \
    X(HUB, "hub", NETWORK, true, "this node sees all others, and they see no other")               \
    X(RING, "ring", NETWORK, true, "every node sees its neighbours only")                          \
    X(DELAY, "delay", NETWORK, true, "what passes comes later, by delay +- jitter")                \
    X(LOSS, "loss", NETWORK, true, "packets are lost: TCP sends again, so there are stalls")       \
    X(RESET, "reset", NETWORK, false, "connections are reset")                                     \
    X(CUT, "cut", NETWORK, false, "connections end in the middle of what is sent next")            \
    X(DISK_FAIL, "disk-fail", DISK, true, "percent of writes and syncs fail")                      \
    X(DISK_SHORT, "disk-short", DISK, true, "percent of writes write only a part")                 \
    X(DISK_SLOW, "disk-slow", DISK, true, "each write and sync takes delay longer")                \
    X(DISK_HANG, "disk-hang", DISK, true, "writes and syncs do not come back")                     \
    X(DISK_FULL, "disk-full", DISK, true, "no space is left")                                      \
    X(CLOCK_OFFSET, "clock-offset", CLOCK, true, "wall clocks are wrong by offset")                \
    X(CLOCK_RATE, "clock-rate", CLOCK, true, "clocks run fast or slow by ppm")

enum plan_fault_kind {
#define X(constant, name, layer, lasts, text) PLAN_##constant,
    PLAN_FAULT_LIST(X)
#undef X
        PLAN_FAULT_COUNT
};
const char *plan_fault_name(enum plan_fault_kind kind);
const char *plan_fault_text(enum plan_fault_kind kind);
enum plan_layer plan_fault_layer(enum plan_fault_kind kind);
bool plan_fault_lasts(enum plan_fault_kind kind);

/* X(constant, name). NUMBERS: a list of node numbers; OTHERS: all that were not picked. */
#define PLAN_WHO_LIST(X)      \
    X(ANY, "any")             \
    X(LEADER, "leader")       \
    X(FOLLOWER, "follower")   \
    X(FOLLOWERS, "followers") \
    X(MINORITY, "minority")   \
    X(MAJORITY, "majority")   \
    X(ALL, "all")             \
    X(OTHERS, "others")       \
    X(CLIENTS, "clients")     \
    X(NUMBERS, "")
enum plan_who {
#define X(constant, name) PLAN_WHO_##constant,
    PLAN_WHO_LIST(X)
#undef X
        PLAN_WHO_COUNT
};
struct plan_choice {
    enum plan_who who;
    uint32_t numbers; /* of NUMBERS: bit n is node n */
};

enum plan_direction { PLAN_BOTH, PLAN_OUT, PLAN_IN };

struct plan_fault {
    char name[40];
    enum plan_fault_kind kind;
    uint64_t at_ms, for_ms;
    uint64_t every_ms;  /* 0: once */
    uint64_t until_ms;  /* no event later; 0: to the end */
    uint64_t spread_ms; /* an event comes up to this later, by chance */
    struct plan_choice nodes, to;
    enum plan_direction direction;
    bool clients; /* the clients' links too */
    uint64_t delay_ms, jitter_ms;
    uint64_t percent;
    int64_t offset_ms, rate_ppm;
};

struct plan_event {
    const struct plan_fault *fault; /* the plan's */
    uint64_t at_ms, for_ms;
    uint64_t seed;
};

/* What [run] says; empty or 0: nothing. */
struct plan_run {
    char target[32], workload[32], level[32];
    char set[64]; /* a setting of cairn's servers, section.key=value */
    uint64_t time_ms, heal_ms, timeout_ms, think_us;
    uint64_t nodes, clients, keys;
    uint64_t read_percent; /* UINT64_MAX: nothing */
    bool sync;             /* ZooKeeper: sync before each read */
    bool stay;             /* a client talks to one node as long as it can */
};

struct plan {
    char about[200];
    struct plan_run run;
    struct plan_fault faults[PLAN_FAULTS_MAX];
    uint32_t fault_count;
    struct plan_event *events; /* after plan_expand; in the order of their times */
    uint32_t event_count;
};

/* False: error says which line is wrong and why. The plan is to be freed either way. */
bool plan_parse(struct plan *plan, struct bytes text, char *error, size_t error_size);
void plan_free(struct plan *plan);
/* The events of a run of this length. An event at the very end is left out: its end would be too
 * late to be seen. */
void plan_expand(struct plan *plan, uint64_t time_ms, uint64_t seed);
/* A plan file with just these events (count of them), each once at its time. */
void plan_print(const struct plan *plan, const struct plan_event *events, uint32_t count,
                struct buf *out);
/* "isolate leader from all for 2s" */
void plan_describe(const struct plan_fault *fault, struct buf *out);

/* Bit n: node n is struck; bit 0: the clients. leader is 0 where none is known: then chance
 * decides. `picked` are those of the fault itself when its other side is asked for. */
uint32_t plan_pick(const struct plan_choice *choice, unsigned nodes, unsigned leader,
                   uint32_t picked, struct prng *prng);
/* Which links a network fault is about: links[a][b] is what passes from a to b. */
void plan_links(const struct plan_fault *fault, uint32_t picked, uint32_t to, unsigned nodes,
                bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1]);

#endif
