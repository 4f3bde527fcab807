/* How long something took, counted as a histogram of Prometheus has it (base/metrics.h). A leaf. */
#ifndef CAIRN_BASE_SPANS_H
#define CAIRN_BASE_SPANS_H

#include <stdint.h>

#define SPANS_BUCKETS 19u /* of upper bounds from 10 us to 10 s; one more for what is above */

struct spans {
    uint64_t counts[SPANS_BUCKETS + 1];
    uint64_t sum_ns;
    uint64_t max_ns;
};

void spans_note(struct spans *spans, uint64_t ns);
/* The upper bound of a bucket below SPANS_BUCKETS, in seconds. */
double spans_bound(unsigned bucket);

#endif
