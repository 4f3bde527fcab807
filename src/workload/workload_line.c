/* Clients with many commands under way on one connection: appends to one text and reads of it, sent
 * at a pace of their own, answered in order. What was sent on a connection is a line. */
#include "workload/workload_internal.h"

#include "base/alloc.h"

#include <string.h>

#define CLOSE_NS 1000000ull
#define APART_NS 100000000ull

static uint64_t now_of(const struct workload_line *line) {
    return line->workload->options.now(line->workload->options.context);
}

/* Some at once, then a pause. */
static void set_timer(struct workload_line *line) {
    struct workload *workload = line->workload;
    uint64_t pause_ns = prng_chance(&line->prng, 4, 5) ? CLOSE_NS : APART_NS;
    env_timer_set(workload->env, &line->timer,
                  env_now(workload->env) + prng_below(&line->prng, pause_ns));
}

static void answered(struct workload_line *line, enum workload_outcome outcome) {
    struct workload_op *op = &line->pending[0];
    op->outcome = outcome;
    op->complete = outcome == WORKLOAD_OK ? now_of(line) : UINT64_MAX;
    workload_write_down(line->workload, op);
    memmove(line->pending, line->pending + 1, --line->count * sizeof *line->pending);
}

/* The connection is gone, or given up: what was sent may have been executed, reads tell nothing. */
static void lose(struct workload_line *line) {
    if (line->conn != NULL) {
        line->conn->line = NULL;
        workload_conn_close(line->conn);
    }
    line->conn = NULL;
    while (line->count > 0)
        answered(line, line->pending[0].action == WORKLOAD_LINE_LIST ? WORKLOAD_FAILED
                                                                     : WORKLOAD_UNKNOWN);
}

static void dial(struct workload_line *line) {
    struct workload *workload = line->workload;
    line->conn =
        workload_conn_new(workload, (uint32_t)prng_below(&line->prng, workload->node_count));
    line->conn->line = line;
    line->dialed_ns = now_of(line);
    line->number++;
}

static void send_one(struct workload_line *line) {
    struct workload_op *op = &line->pending[line->count++];
    struct buf out = {0};
    *op = (struct workload_op){.action = WORKLOAD_LINE_APPEND,
                               .client = line->client,
                               .line = line->client << 16 | line->number,
                               .invoke = now_of(line)};
    if (prng_chance(&line->prng, 1, 16))
        op->action = WORKLOAD_LINE_LIST;
    else
        op->argument = (int64_t)line->client << 20 | ++line->next_token;
    op_put_line(op, &out);
    struct env_piece piece = {buf_view(&out), NULL};
    env_write(line->workload->env, &line->conn->stream, &piece, 1);
    buf_free(&out);
}

static bool is_late(const struct workload_line *line) {
    uint64_t since = line->count > 0 ? line->pending[0].invoke : line->dialed_ns;
    bool waits = line->count > 0 || !line->conn->open;
    return waits && now_of(line) > since + line->workload->options.timeout_ns;
}

static void on_timer(struct env_timer *timer) {
    struct workload_line *line = container_of(timer, struct workload_line, timer);
    struct workload *workload = line->workload;
    bool ends = workload->stopped && line->count == 0;
    if (line->conn != NULL && (ends || is_late(line) || prng_chance(&line->prng, 1, 200)))
        lose(line);
    line->over = workload->stopped && line->count == 0;
    if (line->over)
        return;
    if (line->conn == NULL && workload->node_count > 0)
        dial(line);
    else if (line->conn != NULL && line->conn->open && !workload->stopped &&
             line->count < WORKLOAD_LINE_DEPTH)
        send_one(line);
    set_timer(line);
}

void workload_line_data(struct workload_line *line) {
    struct buf *in = &line->conn->in;
    for (;;) {
        size_t len = resp_value_length(buf_view(in));
        if (len == 0)
            return;
        if (len == SIZE_MAX || line->count == 0) {
            workload_report(line->workload, "line %u got bytes that answer nothing it asked",
                            line->client);
            lose(line);
            return;
        }
        answered(line, op_take_line(line->workload, &line->pending[0], bytes_of(in->data, len)));
        buf_consume(in, len);
    }
}

void workload_line_closed(struct workload_line *line) {
    line->conn = NULL;
    lose(line);
}

void workload_lines_open(struct workload *workload) {
    const struct workload_options *options = &workload->options;
    if (!(options->habits >> WORKLOAD_HABIT_LINES & 1))
        return;
    workload->line_count = options->clients < WORKLOAD_LINES ? options->clients : WORKLOAD_LINES;
    workload->lines = cairn_alloc_zero((workload->line_count + 1) * sizeof *workload->lines);
    for (uint32_t i = 0; i < workload->line_count; i++) {
        struct workload_line *line = &workload->lines[i];
        line->workload = workload;
        line->client = options->first_client + options->clients + i;
        line->timer.fire = on_timer;
        prng_seed(&line->prng, prng_mix(options->seed, line->client));
    }
}

void workload_lines_start(struct workload *workload) {
    for (uint32_t i = 0; i < workload->line_count; i++)
        set_timer(&workload->lines[i]);
}

bool workload_lines_idle(const struct workload *workload) {
    for (uint32_t i = 0; i < workload->line_count; i++)
        if (!workload->lines[i].over)
            return false;
    return true;
}

void workload_lines_free(struct workload *workload) {
    for (uint32_t i = 0; i < workload->line_count; i++)
        for (uint32_t n = 0; n < workload->lines[i].count; n++)
            cairn_free(workload->lines[i].pending[n].tokens);
    cairn_free(workload->lines);
}
