#include "core/progress.h"

#include "base/alloc.h"
#include "base/assert.h"

static void forget_inflight(struct progress *progress) {
    progress->head = progress->count = 0;
    progress->inflight_bytes = 0;
}

void progress_reset(struct progress *progress, uint64_t next) {
    cairn_assert(next > 0);
    progress->state = PROGRESS_PROBE;
    progress->match = 0;
    progress->next = next;
    progress->paused = progress->bare = false;
    progress->snapshot_index = 0;
    progress->round_trip_ns = 0;
    forget_inflight(progress);
}

void progress_free(struct progress *progress) {
    cairn_free(progress->inflight);
    *progress = (struct progress){0};
}

void progress_probe(struct progress *progress) {
    /* After a snapshot the peer is known to be that far, even if its answer is still to come. */
    uint64_t next = progress->match + 1;
    if (progress->state == PROGRESS_SNAPSHOT && progress->snapshot_index + 1 > next)
        next = progress->snapshot_index + 1;
    else if (progress->state == PROGRESS_PROBE && progress->match == 0)
        next = progress->next;
    progress->state = PROGRESS_PROBE;
    progress->next = next;
    progress->paused = progress->bare = false;
    progress->snapshot_index = 0;
    forget_inflight(progress);
}

void progress_snapshot(struct progress *progress, uint64_t index) {
    progress->state = PROGRESS_SNAPSHOT;
    progress->snapshot_index = index;
    progress->paused = false;
    forget_inflight(progress);
}

bool progress_may_send(const struct progress *progress, const struct progress_limits *limits) {
    switch (progress->state) {
    case PROGRESS_PROBE:
        return !progress->paused;
    case PROGRESS_REPLICATE:
        return progress->count < limits->count_max && progress->inflight_bytes < limits->bytes_max;
    default:
        return false;
    }
}

static void push(struct progress *progress, struct inflight item) {
    if (progress->count == progress->cap) {
        uint32_t cap = progress->cap ? progress->cap * 2 : 16;
        struct inflight *grown = cairn_alloc(cap * sizeof *grown);
        for (uint32_t i = 0; i < progress->count; i++)
            grown[i] = progress->inflight[(progress->head + i) % progress->cap];
        cairn_free(progress->inflight);
        progress->inflight = grown;
        progress->head = 0;
        progress->cap = cap;
    }
    progress->inflight[(progress->head + progress->count++) % progress->cap] = item;
    progress->inflight_bytes += item.bytes;
}

void progress_sent(struct progress *progress, uint64_t last, size_t bytes, uint64_t now) {
    cairn_assert(last + 1 >= progress->next);
    if (progress->state == PROGRESS_PROBE) {
        progress->paused = progress->bare = true;
        return;
    }
    cairn_assert(progress->state == PROGRESS_REPLICATE);
    if (last >= progress->next) {
        push(progress, (struct inflight){last, now, bytes});
        progress->next = last + 1;
    }
}

static void pop_until(struct progress *progress, uint64_t index) {
    while (progress->count > 0 && progress->inflight[progress->head].last <= index) {
        progress->inflight_bytes -= progress->inflight[progress->head].bytes;
        progress->head = (progress->head + 1) % progress->cap;
        progress->count--;
    }
}

bool progress_acked(struct progress *progress, uint64_t index) {
    bool news = index > progress->match;
    if (news)
        progress->match = index;
    if (progress->next <= progress->match)
        progress->next = progress->match + 1;
    switch (progress->state) {
    case PROGRESS_PROBE:
        progress->state = PROGRESS_REPLICATE;
        progress->next = progress->match + 1;
        progress->paused = false;
        break;
    case PROGRESS_REPLICATE:
        pop_until(progress, index);
        break;
    case PROGRESS_SNAPSHOT:
        if (progress->match >= progress->snapshot_index) {
            progress->snapshot_index = 0;
            progress->state = PROGRESS_REPLICATE;
            progress->next = progress->match + 1;
        }
        break;
    }
    return news;
}

bool progress_rejected(struct progress *progress, uint64_t prev, uint64_t next) {
    if (progress->state == PROGRESS_SNAPSHOT || prev <= progress->match)
        return false;
    if (progress->state == PROGRESS_PROBE && prev != progress->next - 1)
        return false;
    if (next > prev)
        next = prev;
    if (next <= progress->match)
        next = progress->match + 1;
    progress->state = PROGRESS_PROBE;
    progress->next = next;
    progress->paused = progress->bare = false;
    forget_inflight(progress);
    return true;
}

void progress_answered(struct progress *progress, uint64_t sent_at, uint64_t now) {
    if (sent_at < now)
        progress->round_trip_ns = now - sent_at;
}

/* Messages wait in a queue on a slow link, and copies of them would make it longer. */
static uint64_t patience_of(const struct progress *progress, uint64_t patience_ns) {
    uint64_t twice = 2 * progress->round_trip_ns, most = 20 * patience_ns;
    uint64_t measured = twice < most ? twice : most;
    return measured > patience_ns ? measured : patience_ns;
}

void progress_tick(struct progress *progress, uint64_t patience_ns, uint64_t now) {
    if (progress->count > 0 &&
        now - progress->inflight[progress->head].sent_at > patience_of(progress, patience_ns)) {
        progress_probe(progress);
        progress->bare = true;
    }
    if (progress->state == PROGRESS_PROBE)
        progress->paused = false;
}

void progress_check(const struct progress *progress, uint64_t last) {
    cairn_assert(progress->next > progress->match);
    cairn_assert(progress->match <= last);
    cairn_assert(progress->count <= progress->cap);
    cairn_assert(progress->count > 0 || progress->inflight_bytes == 0);
    cairn_assert(progress->state == PROGRESS_REPLICATE || progress->count == 0);
    if (progress->state == PROGRESS_REPLICATE)
        cairn_assert(progress->next <= last + 1);
}
