/* Latencies in buckets of at most 1.6 % relative width, from nanoseconds to minutes. A leaf. */
#ifndef CAIRN_CLI_HISTOGRAM_H
#define CAIRN_CLI_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB 64u
#define HISTOGRAM_BUCKETS (64u * HISTOGRAM_SUB)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, max, sum;
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The value below or at which `per_mille` thousandths (of a thousand) of all lie: 500 is the
 * median. */
uint64_t histogram_at(const struct histogram *histogram, double per_mille);

#endif
