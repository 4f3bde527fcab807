#include "check/limits.h"

#define STEPS_BETWEEN 512u
#define PROGRESS_NS 100000000u

static bool ask(struct limits *limits) {
    uint64_t now_ns = limits->now_ns ? limits->now_ns(limits->context) : 0;
    if (limits->deadline_ns != 0 && now_ns >= limits->deadline_ns)
        limits->stopped = LIMITS_TIME;
    else if (limits->memory_max != 0 && limits->memory_bytes != NULL &&
             limits->memory_bytes(limits->context) > limits->memory_max)
        limits->stopped = LIMITS_MEMORY;
    else if (limits->progress != NULL && now_ns - limits->last_progress_ns >= PROGRESS_NS) {
        limits->last_progress_ns = now_ns;
        if (!limits->progress(limits->context, limits->phase, limits->done, limits->total))
            limits->stopped = LIMITS_CANCELLED;
    }
    return limits->stopped != LIMITS_GO;
}

bool limits_over(struct limits *limits, uint64_t steps) {
    if (limits == NULL)
        return false;
    if (limits->stopped != LIMITS_GO)
        return true;
    limits->steps += steps;
    if (limits->steps_max != 0 && limits->steps > limits->steps_max) {
        limits->stopped = LIMITS_STEPS;
        return true;
    }
    if (limits->steps - limits->asked < STEPS_BETWEEN)
        return false;
    limits->asked = limits->steps;
    return ask(limits);
}

bool limits_room(struct limits *limits, size_t more) {
    if (limits == NULL || limits->memory_max == 0 || limits->memory_bytes == NULL)
        return true;
    if (limits->stopped != LIMITS_GO)
        return false;
    if (limits->memory_bytes(limits->context) + more <= limits->memory_max)
        return true;
    limits->stopped = LIMITS_MEMORY;
    return false;
}

void limits_share_open(struct limits_share *share, struct limits *limits, uint64_t steps) {
    *share = (struct limits_share){.limits = limits, .steps_max = limits->steps_max};
    share->own =
        steps != 0 && (limits->steps_max == 0 || limits->steps + steps < limits->steps_max);
    if (share->own)
        limits->steps_max = limits->steps + steps;
}

bool limits_share_close(struct limits_share *share) {
    bool used_up = share->own && share->limits->stopped == LIMITS_STEPS;
    share->limits->steps_max = share->steps_max;
    if (used_up)
        share->limits->stopped = LIMITS_GO;
    return used_up;
}

void limits_phase(struct limits *limits, const char *phase, uint64_t total) {
    if (limits == NULL)
        return;
    limits->phase = phase;
    limits->done = 0;
    limits->total = total;
}

void limits_done(struct limits *limits, uint64_t done) {
    if (limits != NULL)
        limits->done = done;
}

const char *limits_stop_text(enum limits_stop stop) {
    static const char *const texts[] = {"nothing", "the time limit", "the memory limit",
                                        "the limit of search steps", "an interruption"};
    return texts[stop];
}
