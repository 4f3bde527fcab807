/* How long slices of snapshot work kept the event loop from everything else: the claim that
 * snapshots are taken and installed without a pause, as a histogram. */
#ifndef CAIRN_NODE_SLICES_H
#define CAIRN_NODE_SLICES_H

#include "base/bytes.h"

#define SLICES_BUCKETS 13u /* of upper bounds from 10 us to 100 ms; one more for what is above */

struct slices {
    uint64_t counts[SLICES_BUCKETS + 1];
    uint64_t sum_ns;
    uint64_t max_ns;
};

void slices_note(struct slices *slices, uint64_t ns);
/* Appends cairn_snapshot_slice_seconds, a Prometheus histogram, and its greatest value. */
void slices_metrics(const struct slices *slices, struct buf *out);

#endif
