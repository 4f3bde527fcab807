/* Faults with aim: chance strikes a moment that matters once in a million; the tormentor may look
 * at what each replica does, and strike then. Each row says what it does, and which rule of a paper
 * has to hold nevertheless. A third of the seeds have a few of them, drawn by a generator of their
 * own: the others go as they would without.
 */
#ifndef CAIRN_SIM_AIM_H
#define CAIRN_SIM_AIM_H

#include "base/prng.h"
#include "core/protocol.h"
#include "core/view.h"
#include "sim/sim.h"

struct sim_cluster;
struct sim_node;

struct sim_aim {
    struct prng prng;
    uint32_t mask; /* of 1 << enum sim_aim_row; 0: this run has none */
    uint64_t one_in;
    uint64_t rest_ns, rest_until;
    uint64_t length_ns; /* of a cut */
};

void sim_aim_draw(struct sim_cluster *cluster);
void sim_aim_describe(const struct sim_cluster *cluster, FILE *out);

/* What a replica just did. */
struct sim_sight {
    struct sim_node *node;
    const struct protocol_view *view;
    const struct event *event;
    const struct belief *before, *now;
    struct effects effects;
};
void sim_aim_look(const struct sim_sight *sight);

/* sim_harm.c: harm to disks, of a generator of its own */
struct sim_harm {
    struct prng prng;
    bool misreads;     /* a snapshot that is being sent is misread */
    bool ends;         /* a process ends, and what it wrote last can't be read */
    bool copies;       /* file systems that write what they change to another place */
    bool was_full[16]; /* by node */
    uint64_t pace_ns;
};

void sim_harm_draw(struct sim_cluster *cluster);
void sim_harm_describe(const struct sim_cluster *cluster, FILE *out);
void sim_harm_start(struct sim_cluster *cluster);
void sim_harm_look(const struct sim_sight *sight);

#endif
