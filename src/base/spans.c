#include "base/spans.h"

static const uint64_t bounds_us[SPANS_BUCKETS] = {10,   20,   50,    100,   200,   500,   1000,
                                                  2000, 5000, 10000, 20000, 50000, 100000};

void spans_note(struct spans *spans, uint64_t ns) {
    unsigned i = 0;
    while (i < SPANS_BUCKETS && ns > bounds_us[i] * 1000)
        i++;
    spans->counts[i]++;
    spans->sum_ns += ns;
    if (ns > spans->max_ns)
        spans->max_ns = ns;
}

void spans_metrics(const struct spans *spans, struct buf *out, const char *name, const char *help) {
    uint64_t count = 0;
    buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (unsigned i = 0; i < SPANS_BUCKETS; i++) {
        count += spans->counts[i];
        buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_us[i] / 1e6,
                   (unsigned long long)count);
    }
    count += spans->counts[SPANS_BUCKETS];
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9f\n%s_count %llu\n", name,
               (unsigned long long)count, name, (double)spans->sum_ns / 1e9, name,
               (unsigned long long)count);
    buf_printf(out, "# HELP %s_max The longest of these\n# TYPE %s_max gauge\n%s_max %.9f\n", name,
               name, name, (double)spans->max_ns / 1e9);
}
