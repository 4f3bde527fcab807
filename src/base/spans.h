/* How long something took, as a histogram in the form of Prometheus: what keeps the event loop from
 * everything else is counted with it. A leaf. */
#ifndef CAIRN_BASE_SPANS_H
#define CAIRN_BASE_SPANS_H

#include "base/bytes.h"

#define SPANS_BUCKETS 13u /* of upper bounds from 10 us to 100 ms; one more for what is above */

struct spans {
    uint64_t counts[SPANS_BUCKETS + 1];
    uint64_t sum_ns;
    uint64_t max_ns;
};

void spans_note(struct spans *spans, uint64_t ns);
/* Appends a histogram of that name, in seconds, and its greatest value as NAME_max. */
void spans_metrics(const struct spans *spans, struct buf *out, const char *name, const char *help);

#endif
