#include "base/metrics.h"

#include "base/assert.h"

#define GAUGE METRIC_GAUGE
#define COUNTER METRIC_COUNTER
#define HISTOGRAM METRIC_HISTOGRAM

static const struct metric table[] = {
#define X(constant, name, kind, labels, help) {name, kind, labels, help},
    METRICS(X)
#undef X
};

const struct metric *metric_at(enum metric_id id) {
    cairn_assert(id < METRIC_COUNT);
    return &table[id];
}

const char *metric_kind_text(enum metric_kind kind) {
    static const char *const texts[] = {"gauge", "counter", "histogram"};
    return texts[kind];
}

struct metrics metrics_to(struct buf *out) {
    return (struct metrics){out, METRIC_COUNT};
}

static void begin(struct metrics *metrics, enum metric_id id, const char *labels) {
    const struct metric *metric = metric_at(id);
    if (metrics->begun != id)
        buf_printf(metrics->out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                   metric->name, metric_kind_text(metric->kind));
    metrics->begun = id;
    cairn_assert((labels != NULL) == (metric->labels[0] != 0));
    buf_printf(metrics->out, "%s", metric->name);
    if (labels != NULL)
        buf_printf(metrics->out, "{%s}", labels);
}

void metrics_put(struct metrics *metrics, enum metric_id id, const char *labels, uint64_t value) {
    begin(metrics, id, labels);
    buf_printf(metrics->out, " %llu\n", (unsigned long long)value);
}

void metrics_put_seconds(struct metrics *metrics, enum metric_id id, const char *labels,
                         double seconds) {
    begin(metrics, id, labels);
    buf_printf(metrics->out, " %.3f\n", seconds);
}

static void put_span(struct buf *out, const char *name, const char *labels,
                     const struct spans *spans) {
    const char *comma = labels[0] != 0 ? "," : "";
    const char *open = labels[0] != 0 ? "{" : "", *close = labels[0] != 0 ? "}" : "";
    uint64_t count = 0;
    for (unsigned i = 0; i <= SPANS_BUCKETS; i++) {
        count += spans->counts[i];
        buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < SPANS_BUCKETS)
            buf_printf(out, "%g", spans_bound(i));
        else
            buf_printf(out, "+Inf");
        buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    buf_printf(out, "%s_sum%s%s%s %.9f\n%s_count%s%s%s %llu\n", name, open, labels, close,
               (double)spans->sum_ns / 1e9, name, open, labels, close, (unsigned long long)count);
}

void metrics_put_spans(struct metrics *metrics, enum metric_id id, const char *const *labels,
                       const struct spans *const *spans, size_t count) {
    const struct metric *metric = metric_at(id);
    struct buf *out = metrics->out;
    metrics->begun = id;
    buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", metric->name, metric->help,
               metric->name);
    for (size_t i = 0; i < count; i++)
        put_span(out, metric->name, labels[i], spans[i]);
    buf_printf(out, "# HELP %s_max The longest of these\n# TYPE %s_max gauge\n", metric->name,
               metric->name);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s_max%s%s%s %.9f\n", metric->name, labels[i][0] ? "{" : "", labels[i],
                   labels[i][0] ? "}" : "", (double)spans[i]->max_ns / 1e9);
}

void metrics_put_one_span(struct metrics *metrics, enum metric_id id, const struct spans *spans) {
    metrics_put_spans(metrics, id, (const char *const[]){""}, &spans, 1);
}
