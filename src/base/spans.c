#include "base/spans.h"

static const uint64_t bounds_us[SPANS_BUCKETS] = {
    10,    20,    50,     100,    200,    500,     1000,    2000,    5000,    10000,
    20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000};

void spans_note(struct spans *spans, uint64_t ns) {
    unsigned i = 0;
    while (i < SPANS_BUCKETS && ns > bounds_us[i] * 1000)
        i++;
    spans->counts[i]++;
    spans->sum_ns += ns;
    if (ns > spans->max_ns)
        spans->max_ns = ns;
}

double spans_bound(unsigned bucket) {
    return (double)bounds_us[bucket] / 1e6;
}
