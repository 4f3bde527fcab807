/* A client that asks for much at once: values of megabytes, up to the limit, and thousands of
 * commands in a pipeline, beside the other clients and with keys of its own. It knows what it
 * wrote, so it knows what it may read.
 */
#ifndef CAIRN_SIM_LOAD_H
#define CAIRN_SIM_LOAD_H

#include "base/bytes.h"
#include "env/env.h"

struct sim_cluster;

#define SIM_LOAD_KEYS 3u
#define SIM_LOAD_ASKED_MAX 8192u
#define SIM_LOAD_UNSURE_MAX 256u

enum sim_load_kind { SIM_LOAD_SET = 1, SIM_LOAD_GET, SIM_LOAD_COUNT, SIM_LOAD_TOTAL };

/* One command of the pipeline. */
struct sim_load_asked {
    enum sim_load_kind kind;
    unsigned key;
    uint64_t version;
};

/* What a key may hold: the value that was acknowledged last, or one of unknown fate. */
struct sim_load_key {
    uint64_t version, length; /* 0: none yet */
    struct {
        uint64_t version, length;
    } unsure[SIM_LOAD_UNSURE_MAX];
    unsigned unsure_count;
};

struct sim_load {
    struct sim_cluster *cluster;
    struct env_stream stream;
    bool busy;   /* a pipeline is under way */
    bool ending; /* its connection is being closed */
    bool finishing, finished;
    uint64_t began_at;
    unsigned pipelines; /* so far */
    struct buf out, in;
    struct sim_load_asked asked[SIM_LOAD_ASKED_MAX];
    size_t asked_count, answered;
    struct sim_load_key keys[SIM_LOAD_KEYS];
    uint64_t versions;
    /* A counter: so many were acknowledged, and so many may have been executed besides. */
    uint64_t counted, maybe_counted, newest;
};

#endif
