/* A restart finds what was durable: promises and log, no more and no less. What was under way when
 * the process ended may have arrived. */
#include "sim/sim_oracle.h"

#include <string.h>

typedef unsigned long long ull;

void oracle_start_begin(struct oracle_replica *replica) {
    oracle_log_reset(&replica->found, 0, 0);
    replica->found_has_hard = replica->found_damage = false;
    replica->found_hard = (struct promise){0};
}

static bool same_promise(const struct promise *a, const struct promise *b) {
    return a->term == b->term && a->vote == b->vote && a->lease_ns == b->lease_ns;
}

static void judge_hard(struct oracle_replica *replica) {
    const struct oracle_image *image = &replica->image;
    const struct promise *found = &replica->found_hard;
    if (!image->has_hard || (replica->found_has_hard && (same_promise(found, &image->hard) ||
                                                         same_promise(found, &image->newest))))
        return;
    oracle_fail(replica,
                "a restart finds every promise: term %llu and a voice for %llu were durable, and "
                "%llu and %llu came back",
                (ull)image->hard.term, (ull)image->hard.vote, (ull)found->term, (ull)found->vote);
}

/* Is what was found the log that was expected, above the snapshot with which it was found? One of a
 * history that the snapshot replaced may be there still, and is not used: it goes when the replica
 * has started. */
static bool is_log(const struct oracle_log *found, const struct oracle_log *expected) {
    struct oracle_point a, b;
    bool replaced = oracle_log_at(expected, found->base, &a) && a.chain != found->base_chain;
    if (replaced && found->last == found->base)
        return true;
    if (expected->last <= found->base)
        return found->last == found->base;
    return found->last == expected->last && oracle_log_at(found, found->last, &a) &&
           oracle_log_at(expected, found->last, &b) && a.chain == b.chain;
}

static void judge_log(struct oracle_replica *replica) {
    const struct oracle_image *image = &replica->image;
    const struct oracle_log *found = &replica->found;
    if (is_log(found, &image->log) || (image->cut_short && is_log(found, &image->under_way)))
        return;
    oracle_fail(replica,
                "a restart finds the log that was durable: it ended at %llu, and one that ends at "
                "%llu came back (behind a snapshot at %llu)",
                (ull)image->log.last, (ull)found->last, (ull)found->base);
}

static void judge_snapshot(struct oracle_replica *replica) {
    if (replica->found.base < replica->image.snapshot)
        oracle_fail(replica,
                    "a restart finds the snapshot that was durable: one at %llu was, and it began "
                    "with %llu",
                    (ull)replica->image.snapshot, (ull)replica->found.base);
}

/* A disk that only lost something of what it had tells so. */
static void judge_loss(struct oracle_replica *replica) {
    const struct oracle_image *image = &replica->image;
    bool told = replica->found_damage || !replica->found_has_hard;
    if (image->known && image->has_hard && !replica->node->host.disk.lied && !told &&
        replica->found.last < image->log.last)
        oracle_fail(replica,
                    "what a disk lost is told: the log that was durable ended at %llu, and one "
                    "that ends at %llu came back as if it were whole",
                    (ull)image->log.last, (ull)replica->found.last);
}

/* What came back is what the disk holds. */
static void believe(struct oracle_replica *replica) {
    struct oracle_image *image = &replica->image;
    struct oracle_log log = image->log;
    image->log = replica->found;
    replica->found = log;
    image->hard = replica->found_hard;
    image->has_hard = replica->found_has_hard;
    image->newest = image->hard;
    image->newest_seq = 0;
    memset(image->slots, 0, sizeof image->slots);
    image->cut_short = false;
    image->snapshot = image->log.base;
    image->known = true;
    oracle_image_came_back(image);
}

void oracle_start_end(struct oracle_replica *replica) {
    struct oracle_log *found = &replica->found;
    if (oracle_image_holds(replica)) {
        judge_hard(replica);
        judge_log(replica);
        judge_snapshot(replica);
        if (replica->found_damage)
            oracle_fail(replica, "a disk that was never harmed holds no damage");
    }
    judge_loss(replica);
    if (found->base > replica->image.ever_base)
        replica->image.ever_base = found->base;
    believe(replica);
}
