/* Faults with aim: what happens to a leader shortly after it was elected decides most of the
 * stories that papers tell of (Raft, figure 8: five leaders in the right order). A run with aim
 * cuts a new leader off, wholly or from all but one, or ends it, within a few moves; or a voter
 * forgets what it promised that leader. */
#include "cores/cores_schedule.h"

#define SOON 24u

static struct cores_move move_of(unsigned kind, unsigned a, unsigned b) {
    return (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, 0};
}

void cores_aim_begin(struct cores_schedule *schedule) {
    schedule->aim_of = (uint32_t)prng_below(&schedule->prng, 16);
    if (prng_chance(&schedule->prng, 1, 2))
        schedule->aim_of = 0;
}

static unsigned newest_leader(const struct cores_world *world) {
    unsigned best = 0;
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].up && world->nodes[id].belief.role == ROLE_LEADER &&
            (best == 0 || world->nodes[id].belief.term > world->nodes[best].belief.term))
            best = id;
    return best;
}

static void between(struct cores_schedule *schedule, unsigned kind, unsigned a, unsigned b) {
    cores_queue(schedule, move_of(kind, a, b));
    cores_queue(schedule, move_of(kind, b, a));
}

/* The others are connected, so that they may elect. */
static void cut_off(struct cores_schedule *schedule, unsigned leader, unsigned spared) {
    const struct cores_world *world = schedule->world;
    bool noticed = prng_chance(&schedule->prng, 3, 4);
    for (unsigned a = 1; a <= world->count; a++)
        for (unsigned b = a + 1; b <= world->count; b++) {
            unsigned other = a == leader ? b : a;
            if (a != leader && b != leader) {
                if ((world->cut & cores_bit(a, b)) != 0 || (world->cut & cores_bit(b, a)) != 0)
                    between(schedule, CORES_JOIN, a, b);
            } else if (other != spared) {
                between(schedule, CORES_CUT, a, b);
                if (noticed)
                    cores_queue(schedule, move_of(CORES_PART, other, leader));
            }
        }
}

/* What it promised the new leader is gone; former leaders reach it, and that one does not. */
static void forget(struct cores_schedule *schedule, unsigned leader, unsigned victim) {
    cores_queue(schedule, move_of(CORES_CRASH, victim, 0));
    cores_queue(schedule, cores_loss(schedule));
    cores_queue(schedule, move_of(CORES_START, victim, 0));
    for (unsigned other = 1; other <= schedule->world->count; other++)
        if (other != victim)
            between(schedule, other == leader ? CORES_CUT : CORES_JOIN, victim, other);
}

static void strike(struct cores_schedule *schedule) {
    unsigned leader = newest_leader(schedule->world), victim = schedule->world->setup.victim;
    unsigned other = cores_any_node(schedule, false);
    if (leader == 0)
        return;
    if (victim != 0 && victim != leader && prng_chance(&schedule->prng, 1, 2)) {
        forget(schedule, leader, victim);
        return;
    }
    switch (prng_below(&schedule->prng, 6)) {
    case 0:
        cores_queue(schedule, move_of(CORES_CRASH, leader, 0));
        break;
    case 1:
        cores_queue(schedule, move_of(CORES_CRASH, leader, CORES_IDS));
        break;
    case 2:
        cut_off(schedule, leader, other);
        break;
    default:
        cut_off(schedule, leader, 0);
    }
}

void cores_aim(struct cores_schedule *schedule) {
    const struct cores_world *world = schedule->world;
    if (schedule->aim_of == 0)
        return;
    if (world->elections != schedule->elections_seen) {
        schedule->elections_seen = world->elections;
        if (prng_below(&schedule->prng, 16) < schedule->aim_of)
            schedule->strike_at = schedule->asked + (unsigned)prng_below(&schedule->prng, SOON);
    }
    if (schedule->strike_at == schedule->asked && schedule->asked > 0)
        strike(schedule);
}
