/* Delta debugging of a plan (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
 * input", 2002): halves, then quarters, then smaller parts of the events are left out as long as a
 * run still fails. Real runs differ from each other, so one that holds proves little: only after
 * several is a part taken to be needed. */
#include "torture/torture_internal.h"

#include "base/alloc.h"

#include <string.h>

struct shrinking {
    struct torture_shrink *shrink;
    struct plan_event *trial;
    uint32_t trial_count;
};

static bool stopped(const struct torture_options *options) {
    return options->stop != NULL && *options->stop > 0;
}

static bool fails(struct shrinking *shrinking) {
    struct torture_options options = *shrinking->shrink->options;
    char dir[500];
    options.out = NULL;
    options.dir = dir;
    options.events = shrinking->trial;
    options.event_count = shrinking->trial_count;
    for (unsigned i = 0; i < shrinking->shrink->tries && !stopped(&options); i++) {
        struct torture_result result;
        snprintf(dir, sizeof dir, "%s/shrink-%u", shrinking->shrink->options->dir,
                 ++shrinking->shrink->runs);
        options.seed = prng_mix(shrinking->shrink->options->seed, i);
        if (!folders_make(dir))
            return false;
        torture_run(&options, &result);
        if (result.verdict == TORTURE_VIOLATED)
            return true;
    }
    return false;
}

static void report(const struct shrinking *shrinking, bool failed) {
    FILE *out = shrinking->shrink->options->out;
    if (out == NULL)
        return;
    fprintf(out, "shrink: %u of %u faults: %s\n", shrinking->trial_count, shrinking->shrink->count,
            failed ? "still fails" : "holds");
    fflush(out);
}

/* Without the events from..to. True: it still fails, and they are gone. */
static bool leave_out(struct shrinking *shrinking, uint32_t from, uint32_t to) {
    struct torture_shrink *shrink = shrinking->shrink;
    shrinking->trial_count = 0;
    for (uint32_t i = 0; i < shrink->count; i++)
        if (i < from || i >= to)
            shrinking->trial[shrinking->trial_count++] = shrink->events[i];
    bool failed = fails(shrinking);
    report(shrinking, failed);
    if (!failed)
        return false;
    memcpy(shrink->events, shrinking->trial, shrinking->trial_count * sizeof *shrink->events);
    shrink->count = shrinking->trial_count;
    return true;
}

void torture_shrink(struct torture_shrink *shrink) {
    const struct torture_options *options = shrink->options;
    size_t bytes = options->event_count * sizeof *shrink->events;
    struct shrinking shrinking = {.shrink = shrink, .trial = cairn_alloc(bytes)};
    shrink->events = cairn_alloc(bytes);
    shrink->count = options->event_count;
    shrink->runs = 0;
    memcpy(shrink->events, options->events, bytes);
    for (uint32_t part = (shrink->count + 1) / 2; part > 0 && !stopped(options);
         part = part > 1 ? (part + 1) / 2 : 0) {
        /* From the end: what came last before a failure is seldom what began it. */
        for (uint32_t to = shrink->count; to > 0 && !stopped(options);) {
            uint32_t from = to > part ? to - part : 0;
            leave_out(&shrinking, from, to);
            to = from;
        }
    }
    cairn_free(shrinking.trial);
}
