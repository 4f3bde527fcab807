#include "cores/cores_whole.h"

#include "base/assert.h"
#include "base/prng.h"

#include <string.h>

const struct cores_local *cores_whole_local(const struct cores_group *group,
                                            const struct cores_whole *whole, unsigned id) {
    return cores_local(group->locals, whole->locals[id]);
}

/* ---- rounds ---- */

uint32_t cores_round_find(const struct cores_group *group, const struct cores_round *round,
                          unsigned way) {
    uint32_t at = 0;
    while (at < round->count && cores_local_way(group->locals, round->messages[at]) != way)
        at++;
    return at;
}

static uint32_t take_message(struct cores_round *round, uint32_t at) {
    uint32_t message = round->messages[at];
    round->count--;
    memmove(round->messages + at, round->messages + at + 1,
            (round->count - at) * sizeof *round->messages);
    return message;
}

static unsigned rank(const struct cores_group *group, uint32_t message) {
    unsigned way = cores_local_way(group->locals, message);
    return way % 8 * 8 + way / 8;
}

/* Behind, or before, those of the same way. */
static void put_message(struct cores_group *group, struct cores_round *round, uint32_t message,
                        bool before) {
    if (round->count == CORES_WHOLE_MESSAGES) {
        group->exhausted = true;
        return;
    }
    uint32_t at = round->count++;
    unsigned mine = rank(group, message) + !before;
    for (; at > 0 && rank(group, round->messages[at - 1]) >= mine; at--)
        round->messages[at] = round->messages[at - 1];
    round->messages[at] = message;
}

void cores_whole_pass(struct cores_group *group, struct cores_whole *whole) {
    if (++whole->turn <= group->count)
        return;
    cairn_assert(whole->now.count == 0);
    whole->now = whole->next;
    whole->next.count = 0;
    whole->turn = 1;
}

void cores_whole_delay(struct cores_group *group, struct cores_whole *whole, unsigned way) {
    uint32_t first = cores_round_find(group, &whole->now, way), last = first;
    while (last < whole->now.count &&
           cores_local_way(group->locals, whole->now.messages[last]) == way)
        last++;
    while (last > first)
        put_message(group, &whole->next, take_message(&whole->now, --last), true);
}

/* ---- moves ---- */

static bool step(struct cores_group *group, struct cores_whole *whole, unsigned id,
                 struct cores_happening happening) {
    uint32_t before = whole->locals[id];
    const struct cores_local_step *step = cores_local_step(group->locals, before, happening);
    const uint32_t *sent = cores_local_sent(group->locals, step);
    whole->locals[id] = step->to;
    for (uint32_t i = 0; i < step->sent_count; i++)
        put_message(group, &whole->next, sent[i], false);
    whole->known = cores_judge_step(group->judge, whole->known, whole->locals, id, before, step);
    return whole->known != 0 && !step->broken;
}

static bool is_up(const struct cores_group *group, const struct cores_whole *whole, unsigned id) {
    return cores_whole_local(group, whole, id)->up;
}

static bool deliver(struct cores_group *group, struct cores_whole *whole, struct cores_move move) {
    uint32_t at = cores_round_find(group, &whole->now, move.a * 8u + move.b);
    if (at == whole->now.count)
        return true;
    uint32_t message = take_message(&whole->now, at);
    if (move.kind == CORES_DROP || !is_up(group, whole, move.b))
        return true;
    return step(group, whole, move.b, (struct cores_happening){CORES_DELIVER, message});
}

/* The others hear that its connections ended. */
static bool crash(struct cores_group *group, struct cores_whole *whole, struct cores_move move) {
    bool fine = step(group, whole, move.a,
                     (struct cores_happening){CORES_CRASH, (uint32_t)move.b << 8 | move.c});
    for (unsigned id = 1; id <= group->count && fine; id++)
        if (is_up(group, whole, id))
            fine = step(group, whole, id, (struct cores_happening){CORES_PART, move.a});
    return fine;
}

static bool start(struct cores_group *group, struct cores_whole *whole, unsigned new) {
    bool fine = step(group, whole, new, (struct cores_happening){CORES_START, 0});
    for (unsigned id = 1; id <= group->count && fine; id++)
        if (id != new &&is_up(group, whole, id))
            fine = step(group, whole, new, (struct cores_happening){CORES_MEET, id}) &&
                   step(group, whole, id, (struct cores_happening){CORES_MEET, new});
    return fine;
}

bool cores_whole_do(struct cores_group *group, struct cores_whole *whole, struct cores_move move) {
    if (move.kind == CORES_DELIVER || move.kind == CORES_DROP)
        return deliver(group, whole, move);
    if (is_up(group, whole, move.a) == (move.kind == CORES_START))
        return true;
    switch (move.kind) {
    case CORES_START:
        return start(group, whole, move.a);
    case CORES_CRASH:
        return crash(group, whole, move);
    case CORES_PROPOSE:
    case CORES_READ:
        return step(group, whole, move.a, (struct cores_happening){move.kind, ++whole->tags});
    default:
        return step(group, whole, move.a, (struct cores_happening){move.kind, 0});
    }
}

/* ---- as one number ---- */

static uint64_t mix_round(uint64_t sum, const struct cores_round *round) {
    sum = prng_mix(sum, round->count);
    for (uint32_t i = 0; i < round->count; i++)
        sum = prng_mix(sum, round->messages[i]);
    return sum;
}

uint64_t cores_whole_key(const struct cores_group *group, const struct cores_whole *whole) {
    uint64_t sum = prng_mix((uint64_t)whole->tags << 8 | whole->turn,
                            cores_judge_key(group->judge, whole->known));
    for (unsigned id = 1; id <= group->count; id++)
        sum = prng_mix(sum, whole->locals[id]);
    return mix_round(mix_round(sum, &whole->now), &whole->next);
}

/* ---- life ---- */

void cores_group_open(struct cores_group *group, const struct cores_setup *setup) {
    group->locals = cores_locals_new(setup);
    group->judge = cores_judge_new(setup, group->locals);
    group->count = setup->voters;
    group->exhausted = false;
}

void cores_group_close(struct cores_group *group) {
    cores_judge_free(group->judge);
    cores_locals_free(group->locals);
}

void cores_whole_begin(struct cores_group *group, struct cores_whole *whole) {
    memset(whole, 0, sizeof *whole);
    whole->known = cores_judge_nothing(group->judge);
    for (unsigned id = 1; id <= group->count; id++)
        whole->locals[id] = cores_local_blank(group->locals, id);
    for (unsigned id = 1; id <= group->count; id++) {
        bool fine = start(group, whole, id);
        cairn_assert(fine);
    }
    whole->turn = group->count;
    cores_whole_pass(group, whole);
}
