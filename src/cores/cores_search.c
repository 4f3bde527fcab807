#include "cores/cores_search.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "cores/cores_states.h"
#include "cores/cores_whole.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TELL_EVERY (1u << 13) /* states left between two looks at the clock */

/* What is no move of the world. */
enum { MOVE_PASS = CORES_MOVE_COUNT, MOVE_DELAY };

/* What may still happen. */
struct budget {
    unsigned entries, reads, crashes, lost, ticks, late, overtaking;
};

/* A state on the path from the first one: the move that led to it, and those that lead on. */
struct frame {
    struct cores_whole whole;
    struct cores_move move;
    struct budget budget;
    struct cores_moves next;
    size_t taken;
};

struct search {
    struct cores_search *told;
    struct cores_group group;
    struct cores_states states;
    struct frame *path;
    size_t depth, cap;
    uint64_t looks;
    struct timespec start;
};

/* ---- what may happen in a state ---- */

static void offer(struct frame *frame, unsigned kind, unsigned a, unsigned b, unsigned c) {
    cores_moves_add(&frame->next,
                    (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, (uint8_t)c});
}

static void offer_crashes(struct frame *frame, const struct cores_local *local) {
    for (unsigned kept = 0; kept <= local->write_count; kept++) {
        offer(frame, CORES_CRASH, local->id, kept, 0);
        if (kept == local->write_count || local->writes[kept].reset)
            continue;
        if (local->writes[kept].head)
            offer(frame, CORES_CRASH, local->id, kept, 1);
        for (unsigned entries = 1; entries < local->writes[kept].entries; entries++)
            offer(frame, CORES_CRASH, local->id, kept, 1 + entries);
    }
}

/* What it does once it got all that is for it in this round: earlier would be as if what follows
 * came a round later. */
static void offer_end(struct frame *frame, const struct cores_local *local) {
    unsigned id = local->id;
    offer(frame, MOVE_PASS, 0, 0, 0);
    if (!local->up)
        offer(frame, CORES_START, id, 0, 0);
    if (local->role == ROLE_LEADER && frame->budget.entries > 0)
        offer(frame, CORES_PROPOSE, id, 0, 0);
    if (local->role == ROLE_LEADER && frame->budget.reads > 0)
        offer(frame, CORES_READ, id, 0, 0);
    if (local->ticks && frame->budget.ticks > 0)
        offer(frame, CORES_TICK, id, 0, 0);
}

/* A write ends, or its replica crashes, before anything else happens there, unless it may be late.
 */
static bool offer_disk(struct frame *frame, const struct cores_local *local) {
    if (local->write_count == 0)
        return false;
    offer(frame, CORES_DISK, local->id, 1, 0);
    if (frame->budget.crashes > 0)
        offer_crashes(frame, local);
    return frame->budget.late == 0;
}

/* The replica would be as if it had been lost. */
static bool is_ignored(const struct cores_group *group, const struct cores_whole *whole,
                       uint32_t message) {
    uint32_t state = whole->locals[whole->turn];
    const struct cores_local_step *step =
        cores_local_step(group->locals, state, (struct cores_happening){CORES_DELIVER, message});
    return step->to == state && step->sent_count == 0 && step->note_count == 0 && !step->broken;
}

/* The oldest from the first sender, or, as one that overtakes, from another. No replica sees when a
 * message is lost: it may as well be when it would arrive, and only where that makes a difference.
 */
static bool offer_messages(struct frame *frame, const struct cores_group *group,
                           const struct cores_local *local) {
    const struct cores_round *now = &frame->whole.now;
    bool up = local->up; /* the state may move in memory when a step is looked up */
    unsigned last = 0;
    for (uint32_t i = 0; i < now->count && (last == 0 || frame->budget.overtaking > 0); i++) {
        unsigned way = cores_local_way(group->locals, now->messages[i]);
        if (way % 8 != frame->whole.turn)
            break;
        if (way == last)
            continue;
        offer(frame, CORES_DELIVER, way / 8, way % 8, 0);
        if (last == 0 && up && frame->budget.lost > 0 &&
            !is_ignored(group, &frame->whole, now->messages[i]))
            offer(frame, CORES_DROP, way / 8, way % 8, 0);
        if (last == 0 && up && frame->budget.overtaking > 0)
            offer(frame, MOVE_DELAY, way / 8, way % 8, 0);
        last = way;
    }
    return last != 0;
}

static void offer_all(struct frame *frame, const struct cores_group *group) {
    const struct cores_local *local = cores_whole_local(group, &frame->whole, frame->whole.turn);
    frame->next.count = frame->taken = 0;
    if (offer_disk(frame, local) || offer_messages(frame, group, local))
        return;
    offer_end(frame, local);
    if (local->up && local->write_count == 0 && frame->budget.crashes > 0)
        offer_crashes(frame, local);
}

static bool overtakes(const struct cores_whole *whole, const struct cores_group *group,
                      struct cores_move move) {
    return move.kind == MOVE_DELAY ||
           (move.kind == CORES_DELIVER &&
            cores_local_way(group->locals, whole->now.messages[0]) != move.a * 8u + move.b);
}

/* What is done while a write is under way makes that late. */
static struct budget spend(const struct cores_group *group, const struct frame *frame,
                           struct cores_move move) {
    struct budget budget = frame->budget;
    unsigned kind = move.kind;
    budget.overtaking -= overtakes(&frame->whole, group, move);
    budget.entries -= kind == CORES_PROPOSE;
    budget.reads -= kind == CORES_READ;
    budget.crashes -= kind == CORES_CRASH;
    budget.lost -= kind == CORES_DROP;
    budget.ticks -= kind == CORES_TICK;
    budget.late -= budget.late > 0 && kind != CORES_DISK && kind != CORES_CRASH &&
                   cores_whole_local(group, &frame->whole, frame->whole.turn)->write_count > 0;
    return budget;
}

static uint64_t mix_budget(uint64_t sum, struct budget budget) {
    sum = prng_mix(sum, budget.entries | (uint64_t)budget.reads << 32);
    sum = prng_mix(sum, budget.crashes | (uint64_t)budget.lost << 32);
    sum = prng_mix(sum, budget.ticks | (uint64_t)budget.late << 32);
    return prng_mix(sum, budget.overtaking);
}

static bool within(const struct cores_group *group, const struct cores_whole *whole,
                   const struct cores_bounds *bounds) {
    for (unsigned id = 1; id <= group->count; id++)
        if (cores_whole_local(group, whole, id)->term > bounds->elections)
            return false;
    return true;
}

/* ---- the path ---- */

/* The frame behind the last one, not yet on the path. */
static struct frame *room(struct search *search) {
    if (search->depth + 1 >= search->cap) {
        size_t cap = search->cap ? search->cap * 2 : 256;
        search->path = cairn_realloc(search->path, cap * sizeof *search->path);
        memset(search->path + search->cap, 0, (cap - search->cap) * sizeof *search->path);
        search->cap = cap;
    }
    return &search->path[search->depth];
}

static void push(struct search *search) {
    search->depth++;
    if (search->depth > search->told->depth)
        search->told->depth = search->depth;
}

static bool carry_out(struct cores_group *group, struct cores_whole *whole,
                      struct cores_move move) {
    if (move.kind == MOVE_PASS)
        cores_whole_pass(group, whole);
    else if (move.kind == MOVE_DELAY)
        cores_whole_delay(group, whole, move.a * 8u + move.b);
    else
        return cores_whole_do(group, whole, move);
    return true;
}

enum arrival { BROKEN, BEYOND, HERE };

/* From the frame's state on by that move, and by those that follow without a choice, to one where
 * there is one, or where a round begins. moves: where they are written, or NULL. */
static enum arrival go_on(struct search *search, struct frame *frame, struct cores_move move,
                          struct cores_moves *moves) {
    struct cores_group *group = &search->group;
    for (;;) {
        frame->budget = spend(group, frame, move);
        search->told->transitions++;
        if (moves != NULL && move.kind < CORES_MOVE_COUNT)
            cores_moves_add(moves, move);
        if (!carry_out(group, &frame->whole, move))
            return BROKEN;
        if (!within(group, &frame->whole, &search->told->bounds))
            return BEYOND;
        offer_all(frame, group);
        if (frame->next.count != 1 || (move.kind == MOVE_PASS && frame->whole.turn == 1))
            return HERE;
        move = frame->next.items[0];
    }
}

static void keep_moves(struct search *search, struct cores_move last) {
    struct frame *frame = room(search);
    for (size_t i = 1; i <= search->depth; i++) {
        frame->whole = search->path[i - 1].whole;
        frame->budget = search->path[i - 1].budget;
        go_on(search, frame, i < search->depth ? search->path[i].move : last, &search->told->moves);
    }
}

/* One move on from the last frame. False: a rule is broken. */
static bool advance(struct search *search) {
    struct cores_search *told = search->told;
    struct frame *next = room(search), *frame = next - 1;
    if (frame->taken == frame->next.count) {
        search->depth--;
        return true;
    }
    struct cores_move move = frame->next.items[frame->taken++];
    next->move = move;
    next->budget = frame->budget;
    next->whole = frame->whole;
    enum arrival arrival = go_on(search, next, move, NULL);
    if (arrival == BROKEN)
        keep_moves(search, move);
    if (arrival == HERE &&
        cores_states_add(&search->states,
                         mix_budget(cores_whole_key(&search->group, &next->whole), next->budget))) {
        told->states++;
        push(search);
    }
    return arrival != BROKEN;
}

/* ---- the whole ---- */

static void look_at_clock(struct search *search) {
    struct cores_search *told = search->told;
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    told->cpu_ns = (uint64_t)((now.tv_sec - search->start.tv_sec) * 1000000000 +
                              (now.tv_nsec - search->start.tv_nsec));
    told->memory_bytes =
        cores_states_bytes(&search->states) + cores_locals_bytes(search->group.locals);
    told->locals = cores_locals_count(search->group.locals);
    told->local_steps = cores_locals_steps(search->group.locals);
    if (told->told != NULL)
        told->told(told->context, told);
}

static bool may_go_on(struct search *search) {
    struct cores_search *told = search->told;
    if (++search->looks % TELL_EVERY != 0)
        return true;
    look_at_clock(search);
    return (told->cpu_ns_max == 0 || told->cpu_ns < told->cpu_ns_max) &&
           (told->memory_max == 0 || told->memory_bytes * 2 <= told->memory_max ||
            search->states.count * 2 < search->states.size);
}

static void first_state(struct search *search) {
    struct cores_search *told = search->told;
    const struct cores_bounds *bounds = &told->bounds;
    told->setup = (struct cores_setup){.protocol = told->protocol,
                                       .mutant = told->mutant,
                                       .seed = 1,
                                       .voters = bounds->replicas,
                                       .own_time = true};
    for (unsigned id = 1; id < CORES_IDS; id++)
        told->setup.election_ms[id] = 150;
    cores_group_open(&search->group, &told->setup);
    struct frame *frame = room(search);
    cores_whole_begin(&search->group, &frame->whole);
    frame->budget = (struct budget){bounds->entries, bounds->reads, bounds->crashes,   bounds->lost,
                                    bounds->ticks,   bounds->late,  bounds->overtaking};
    offer_all(frame, &search->group);
    push(search);
    told->states = 1;
}

/* What was found is done in a world of whole replicas, which says it in its words. */
static void say_breach(struct cores_search *told) {
    struct cores_world *world = cores_world_new();
    cores_replay(world, &told->setup, &told->moves, NULL, &told->result);
    if (told->result.broken == NULL) {
        told->result.broken = "the search went another way than a world of whole replicas";
        told->result.rule = "equal states go on alike (core/canon.h)";
    }
    cores_world_free(world);
}

void cores_search(struct cores_search *told) {
    struct search search = {.told = told};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &search.start);
    told->complete = false;
    told->states = told->transitions = told->depth = 0;
    told->result = (struct cores_result){0};
    first_state(&search);
    bool fine = true;
    while (search.depth > 0 && fine && may_go_on(&search))
        fine = advance(&search);
    told->complete = search.depth == 0 && !search.group.exhausted &&
                     !cores_locals_exhausted(search.group.locals);
    look_at_clock(&search);
    if (!fine)
        say_breach(told);
    for (size_t i = 0; i < search.cap; i++)
        cores_moves_free(&search.path[i].next);
    cairn_free(search.path);
    cores_states_free(&search.states);
    cores_group_close(&search.group);
}
