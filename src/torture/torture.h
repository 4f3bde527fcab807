/* The tormentor: real processes, a workload, a plan of faults, a history, a verdict.
 *
 * A run starts a target's processes in a folder of its own (or uses running servers), puts a fault
 * proxy between all of them, lets clients do one operation at a time, carries out the plan, writes
 * down what clients saw, and asks the judge. What can't be injected here is skipped and said.
 */
#ifndef CAIRN_TORTURE_H
#define CAIRN_TORTURE_H

#include "workload/plan.h"

#include <signal.h>
#include <stdio.h>

/* X(constant, name, model of the judge, what clients do) */
#define TORTURE_WORKLOAD_LIST(X)                                                     \
    X(REGISTER, "register", "register", "write unique numbers, read")                \
    X(CAS, "cas", "cas-register", "write, read, compare and set")                    \
    X(APPEND, "append", "append", "append unique elements to lists, read the lists") \
    X(COUNTER, "counter", "counter", "add, read")                                    \
    X(BANK, "bank", "bank", "transfers between accounts, reads of all balances")     \
    X(SET, "set", "set", "add unique elements to sets, read the sets")               \
    X(QUEUE, "queue", "queue", "enqueue unique elements, dequeue")                   \
    X(LOCK, "lock", "mutex", "acquire, release")
enum torture_workload {
#define X(constant, name, model, text) TORTURE_##constant,
    TORTURE_WORKLOAD_LIST(X)
#undef X
        TORTURE_WORKLOAD_COUNT
};
const char *torture_workload_name(enum torture_workload workload);
const char *torture_workload_model(enum torture_workload workload);

struct torture_options {
    const char *program;   /* this binary: it runs cairn servers and the judge */
    const char *target;    /* cairn, cairn-tree, redis, zookeeper, etcd */
    const char *addresses; /* "host:port ..." of running servers; NULL: they are started */
    const char *dir;       /* made; everything of the run is there */
    const char *level;     /* for the judge */
    enum torture_workload workload;
    struct plan *plan;               /* expanded */
    const struct plan_event *events; /* which of it; in the order of their times */
    uint32_t event_count;
    uint64_t time_ms, heal_ms, timeout_ms, think_us;
    uint64_t judge_ms; /* how long the judge may think */
    uint64_t seed;
    unsigned nodes;
    uint32_t clients, keys;
    uint32_t read_percent;
    bool sync, stay;
    bool stale;              /* etcd: serializable reads */
    const char *const *sets; /* settings for cairn servers, section.key=value */
    uint32_t set_count;
    uint32_t port_base;                /* 0: found */
    FILE *out;                         /* one line a fault; NULL: silent */
    const volatile sig_atomic_t *stop; /* above 0: end in order; above 1: at once */
};

enum torture_verdict {
    TORTURE_HOLDS = 0,
    TORTURE_VIOLATED = 1,
    TORTURE_UNDECIDED = 2,
    TORTURE_BAD = 3 /* the run could not be made; error says why */
};

struct torture_result {
    enum torture_verdict verdict;
    char error[800];
    uint64_t ok, failed, unknown;
    uint64_t faults, skipped;
    uint64_t longest_gap_ms; /* without any operation that went well */
    uint64_t gap_at_ms;
    uint64_t run_ms;
    char history[600], judgement[600]; /* files */
};

/* The level that the target promises: what is judged unless another is asked for. */
const char *torture_promise(const char *target, bool sync);
/* NULL, or a sentence: why this target can't be tormented with this workload on this machine. */
const char *torture_refusal(const struct torture_options *options, char *text, size_t size);
void torture_run(const struct torture_options *options, struct torture_result *result);

struct torture_shrink {
    const struct torture_options *options;
    unsigned tries; /* a plan is taken to be harmless when so many runs hold */
    /* Result: the smallest plan that still fails, in order of time; owned by the caller. */
    struct plan_event *events;
    uint32_t count;
    uint32_t runs;
};
/* Removes events (ddmin) while some run of `tries` still fails. */
void torture_shrink(struct torture_shrink *shrink);

#endif
