/* The simulator: whole nodes, front ends and clients included, on a virtual world with faults, and
 * the checks that judge them. One seed fixes everything: options, machines, network, faults,
 * chance.
 *
 * A run has two phases. In the first, faults happen; what may not happen is checked after every
 * round of every node (sim_judge.c). Then all is healed, and the cluster must elect a leader,
 * execute a write through every node, and come to equal states within a bound. At last the clients'
 * history goes through the checkers.
 *
 * Nothing that the cluster could not survive is done to it: only a minority of fixed machines ever
 * loses data, and a damaged one is not killed before its log has gone on (what is written last
 * can't be told from a torn tail by any log). SIM_ALL_DAMAGED is the exception: there
 * unavailability is allowed, wrong answers are not.
 */
#ifndef CAIRN_SIM_H
#define CAIRN_SIM_H

#include "base/mutant.h"
#include "base/rare.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* X(constant, name, what happens) */
#define SIM_FAULT_LIST(X)                                                                         \
    X(ISOLATE, "isolate", "a machine hears no other, and none hears it")                          \
    X(HALVES, "halves", "two sides, nothing between them")                                        \
    X(ONE_WAY, "one-way", "what a machine sends, or what it is sent, is lost")                    \
    X(RING, "ring", "every machine sees another majority")                                        \
    X(BRIDGE, "bridge", "two sides share a single machine")                                       \
    X(FLAP, "flap", "a partition comes and goes at the pace of elections")                        \
    X(STALL, "stall", "one connection stops for a while, and then delivers what is old")          \
    X(RESET, "reset", "a connection is reset")                                                    \
    X(SLOW_LINK, "slow-link", "one way takes a hundred times longer")                             \
    X(CORRUPT, "corrupt", "bits flip between nodes")                                              \
    X(KILL, "kill", "a process ends, and starts again")                                           \
    X(POWER, "power", "a machine loses power: what was not durable is lost or torn")              \
    X(POWER_ALL, "power-all", "all machines lose power at once")                                  \
    X(KILL_POINT, "kill-point", "a process ends in the middle of a round, between two effects")   \
    X(CRASH_LOOP, "crash-loop", "a process ends again and again while it recovers")               \
    X(PAUSE, "pause", "a process is stopped by a signal and goes on later")                       \
    X(STOP_INSIDE, "stop-inside", "a process stands still between two looks at its clock")        \
    X(SLOW_LOOP, "slow-loop", "every round of a node takes long")                                 \
    X(DISK_SLOW, "disk-slow", "a disk is 10 to 100 times slower")                                 \
    X(DISK_SLOW_ALL, "disk-slow-all", "all disks are slower")                                     \
    X(DISK_HANG, "disk-hang", "a disk answers nothing for a while")                               \
    X(DISK_FULL, "disk-full", "a disk, or all of them, has no space for a while")                 \
    X(WRITE_FAILS, "write-fails", "a write fails once")                                           \
    X(SYNC_FAILS, "sync-fails", "a sync fails once")                                              \
    X(FLIP, "flip", "a bit on a disk flips")                                                      \
    X(STALE, "stale", "a sector holds what another one has, or zeros")                            \
    X(UNREADABLE, "unreadable", "a sector can't be read")                                         \
    X(LOST_WRITE, "lost-write", "a write is called done and is not")                              \
    X(MISDIRECT, "misdirect", "a write lands in the wrong place")                                 \
    X(WIPE, "wipe", "a disk is replaced by an empty one")                                         \
    X(LOSE_FILE, "lose-file",                                                                     \
      "a machine loses power, and with it hard states, a whole log, or a snapshot")               \
    X(WALL_JUMP, "wall-jump", "a wall clock jumps, up to a year")                                 \
    X(CLOCK_RATE, "clock-rate", "a clock runs fast or slow, within the bound")                    \
    X(UPGRADE, "upgrade", "a node starts again as a newer version")                               \
    X(MEMBER_ADD, "member-add", "a node joins")                                                   \
    X(MEMBER_REMOVE, "member-remove", "a member is removed")                                      \
    X(MEMBER_ABSENT, "member-absent", "a node is asked for that is not there")                    \
    X(MEMBER_CANCEL, "member-cancel", "the change of members under way is given up")              \
    X(TRANSFER, "transfer", "leadership is handed over")                                          \
    X(STOP, "stop", "a node is stopped in order, and starts again")                               \
    X(SHORTAGE, "shortage", "a process can open no files and no connections for a while")         \
    X(WIPE_FOUNDER, "wipe-founder", "a disk is replaced, most of all before an entry names it")   \
    X(FORGE_TERM, "forge-term", "a stranger poses as a member and tells a term far ahead")        \
    X(IMAGE, "image", "a disk goes back to an image of itself that lacks what all others have")   \
    X(OLD_FOLDER, "old-folder", "a node whose disk was replaced comes back with its former one")  \
    X(FOREIGN, "foreign", "a founder was told of others, or has a folder of another cluster")     \
    X(SUSPEND, "suspend", "a leader's machine is suspended and cut off, and asked when it wakes") \
    X(STANDSTILL, "standstill", "all nodes stand still for a while")                              \
    X(CLOCK_OFF, "clock-off", "a clock stands still, jumps, or leaves its bound; without leases") \
    X(LEAP, "leap", "seconds to months go by in which no machine runs")                           \
    X(LOAD, "load", "values of megabytes, and thousands of commands in a pipeline")

enum sim_fault {
#define X(constant, name, text) SIM_FAULT_##constant,
    SIM_FAULT_LIST(X)
#undef X
        SIM_FAULT_COUNT,
    SIM_FAULT_DRAWN = SIM_FAULT_FORGE_TERM, /* those before it are drawn one by one */
    SIM_FAULT_APART = SIM_FAULT_IMAGE       /* from it on: sim_apart.h */
};
const char *sim_fault_name(enum sim_fault fault);
/* The kinds that the seed has drawn apart, of 1 << enum sim_fault; most have none (sim_apart.h). */
uint64_t sim_apart_drawn(uint64_t seed);
const char *sim_fault_text(enum sim_fault fault);

/* Faults with aim (sim_aim.h). X(constant, name, what happens, the rule that is attacked) */
#define SIM_AIM_LIST(X)                                                                            \
    X(ELECTED_CUT, "elected-cut",                                                                  \
      "a new leader is cut off at once, from all others or all but one",                           \
      "an entry of an earlier term is not committed by counting replicas (Raft 5.4.2, figure 8)")  \
    X(ELECTED_END, "elected-end", "a new leader ends at once",                                     \
      "what an earlier leader committed is in the log of every later one (Raft 5.4.3; Zab, "       \
      "primary integrity)")                                                                        \
    X(PLACED_CUT, "placed-cut", "a leader is cut off right after it placed a command",             \
      "only what a majority stores is committed, and only that is answered (Raft 5.3)")            \
    X(COMMIT_END, "commit-end", "a leader ends at the commit point, before it tells",              \
      "a committed entry stays, whatever becomes of the leader that committed it (Raft 5.4)")      \
    X(COMMIT_POWER, "commit-power", "all machines lose power at a leader's commit point",          \
      "a quorum has on stable storage what is committed (Raft, figure 2; Zab, phase 3)")           \
    X(REPLY_END, "reply-end", "a leader ends between applying and replying",                       \
      "a command that is retried takes effect once (Raft 8; Ongaro 6.3)")                          \
    X(ACK_END, "ack-end", "a follower ends right after its acknowledgement left",                  \
      "stable storage is updated before an RPC is answered (Raft, figure 2)")                      \
    X(VOTE_END, "vote-end", "a replica ends while its vote, or the epoch it accepted, is young",   \
      "one vote a term, remembered over a restart (Raft 5.2; Zab, phase 1)")                       \
    X(WRITE_END, "write-end", "a machine ends while entries are on their way to its disk",         \
      "what was not durable was not told (Raft, figure 2)")                                        \
    X(LEASE_CUT, "lease-cut", "a leader with a lease is cut off; its clients go on reading there", \
      "no other leader commits before the lease is over (Ongaro 6.4.1)")                           \
    X(LEASE_STOP, "lease-stop", "a leader stands still between its clock and its answer",          \
      "a lease is looked at by a clock that ran on (Ongaro 6.4.1)")                                \
    X(SNAPSHOT_END, "snapshot-end", "a node ends as a snapshot is made, sent or installed",        \
      "a snapshot takes the log's place whole or not at all (Raft 7)")                             \
    X(CHANGE_END, "change-end", "a leader ends, or is cut off, as members change",                 \
      "in a joint configuration both majorities decide (Raft 6; Ongaro 4.3)")                      \
    X(TRANSFER_END, "transfer-end", "a leader ends, or is cut off, as it hands over",              \
      "leadership passes without two leaders in a term (Ongaro 3.10)")                             \
    X(HOLD, "hold", "a connection stops right behind a vote, an acknowledgement or a commit",      \
      "what comes late from an earlier term or session changes nothing (Raft 5.1; Zab, phase 1)")

#define SIM_AIM_NONE (1u << 31) /* as mask: none, whatever the seed says */

enum sim_aim_row {
#define X(constant, name, text, rule) SIM_AIM_##constant,
    SIM_AIM_LIST(X)
#undef X
        SIM_AIM_COUNT
};
const char *sim_aim_name(enum sim_aim_row row);
/* All rows with what they do and what they attack. */
void sim_aim_list(FILE *out);

enum sim_scenario {
    SIM_SWARM,       /* whatever the seed draws */
    SIM_CALM,        /* no faults at all: speed, and a quiet network */
    SIM_ALL_DAMAGED, /* every replica's log is damaged somewhere else */
    SIM_FULL,        /* every disk is full while leaders come and go; of keys, with clients of Redis
                      */
    SIM_SCENARIO_COUNT
};

/* Rare branches made common (base/rare.h). */
enum sim_rare { SIM_RARE_DRAWN, SIM_RARE_NONE, SIM_RARE_ALWAYS };

/* Seeds with focus (sim_focus.h). */
enum sim_focus_asked { SIM_FOCUS_DRAWN, SIM_FOCUS_NONE, SIM_FOCUS_ALWAYS };
/* "drawn", "none" or "always"; false: none of them. */
bool sim_focus_find(const char *name, enum sim_focus_asked *focus);

struct plan;
struct sim_options {
    uint64_t seed;
    enum mutant mutant;
    enum sim_scenario scenario;
    const char *protocol;       /* of the keyspace; NULL: drawn, or the one that the mutant is of */
    const char *machine;        /* likewise: "kv" with Redis clients, "tree" with ZooKeeper's */
    unsigned nodes;             /* 0: drawn (3 or 5, now and then 1 to 7) */
    enum sim_rare rare;         /* drawn: in about half of the seeds */
    enum sim_focus_asked focus; /* drawn: in half of the seeds from a million on */
    uint32_t aim_mask;          /* of 1 << enum sim_aim_row; 0: drawn, in a third of the seeds */
    uint64_t fault_mask;        /* of 1 << enum sim_fault; 0: drawn */
    uint64_t fault_ms;          /* length of the first phase; 0: drawn */
    uint32_t clients;           /* 0: drawn */
    uint64_t think_us;          /* of a client between operations; 0: drawn */
    const struct plan *plan;    /* faults instead of drawn ones; not expanded; NULL: none */
    FILE *log;                  /* one line a change; NULL: none */
    FILE *history;              /* one line an operation; NULL: none */
};

struct sim_result {
    bool ok;
    char machine[16], protocol[16]; /* as drawn */
    char reason[512];
    uint64_t event_hash;
    uint64_t events; /* rounds, timers, deliveries, ends of work */
    uint64_t virtual_ns;
    uint64_t ops_ok, ops_failed, ops_unknown;
    uint64_t sessions_resumed, sessions_expired, notifications; /* of ZooKeeper clients */
    uint64_t faults[SIM_FAULT_COUNT];                           /* how often each struck */
    uint64_t elections, snapshots, installed, restarts;
    uint64_t damage_found, damage_repaired; /* of logs, by nodes that ran on */
    uint64_t undecided;                     /* histories that were too hard to check */
    uint64_t bytes;                         /* sent over the virtual network */
    uint64_t aims[SIM_AIM_COUNT];           /* how often each struck */
    uint64_t foreign_refused;               /* folders of other clusters, by nodes */
    uint64_t loads;                         /* answers to commands of large pipelines */
    uint64_t rare_runs;                     /* runs with rare branches */
    uint64_t rare_hits[RARE_COUNT];
};

/* Runs one seed. No state is shared between runs: several may run at once in different
 * threads or processes. */
void sim_run(const struct sim_options *options, struct sim_result *result);

/* The machine and the protocol that a seed draws, and nothing else of the result. */
void sim_names(const struct sim_options *options, struct sim_result *result);
/* What a seed has drawn, in words, for a failure report. */
void sim_describe(const struct sim_options *options, FILE *out);

/* ---- many seeds ---- */

struct sim_hunt {
    struct sim_options options; /* seed is set for each run */
    uint64_t first, last;       /* seeds, both included */
    uint64_t cpu_ns_max;        /* of this process; 0: no limit */
    bool twice;                 /* each seed runs twice and must do the same */
    /* After every run; false: stop. */
    bool (*ran)(void *context, const struct sim_hunt *hunt, uint64_t seed,
                const struct sim_result *result);
    void *context;
    /* results */
    uint64_t runs;
    uint64_t failed_seed; /* meaningful when !ok */
    bool ok;
    uint64_t cpu_ns;
    struct sim_result sum; /* counters added up; reason of the failure */
};
/* Stops at the first failure. */
void sim_hunt(struct sim_hunt *hunt);

#endif
