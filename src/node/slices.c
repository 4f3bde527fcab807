#include "node/slices.h"

#define NAME "cairn_snapshot_slice_seconds"

static const uint64_t bounds_us[SLICES_BUCKETS] = {10,   20,   50,    100,   200,   500,   1000,
                                                   2000, 5000, 10000, 20000, 50000, 100000};

void slices_note(struct slices *slices, uint64_t ns) {
    unsigned i = 0;
    while (i < SLICES_BUCKETS && ns > bounds_us[i] * 1000)
        i++;
    slices->counts[i]++;
    slices->sum_ns += ns;
    if (ns > slices->max_ns)
        slices->max_ns = ns;
}

void slices_metrics(const struct slices *slices, struct buf *out) {
    uint64_t count = 0;
    buf_printf(out, "# HELP " NAME " Time of the event loop that a slice of snapshot work took\n"
                    "# TYPE " NAME " histogram\n");
    for (unsigned i = 0; i < SLICES_BUCKETS; i++) {
        count += slices->counts[i];
        buf_printf(out, NAME "_bucket{le=\"%g\"} %llu\n", (double)bounds_us[i] / 1e6,
                   (unsigned long long)count);
    }
    count += slices->counts[SLICES_BUCKETS];
    buf_printf(out, NAME "_bucket{le=\"+Inf\"} %llu\n" NAME "_sum %.9f\n" NAME "_count %llu\n",
               (unsigned long long)count, (double)slices->sum_ns / 1e9, (unsigned long long)count);
    buf_printf(out,
               "# HELP " NAME "_max The longest of these slices\n# TYPE " NAME "_max gauge\n" NAME
               "_max %.9f\n",
               (double)slices->max_ns / 1e9);
}
