/* Processes that do two things at once, or go on after an operation that is open for ever: lint
 * calls that an error, and --lenient goes on. Each process's operations come one after the other
 * then as everywhere; the one that ends later, or never, is of a process of its own. So nothing
 * follows from the order of a process that real time does not say as well.
 */
#include "check/history_build_internal.h"

#include "base/alloc.h"

#include <string.h>

static bool overlap(const struct history_build *build, uint32_t before, uint32_t after) {
    const struct history *history = build->history;
    if (history->ops[before].ret == OP_OPEN)
        return true;
    if ((build->wholes || build->options.by_time) && history->times_ns != NULL)
        return history->times_ns[2 * (size_t)before + 1] > history->times_ns[2 * (size_t)after];
    return history->ops[before].ret > history->ops[after].call;
}

/* "3 (line 17)" */
static void move_out(struct history_build *build, uint32_t op) {
    struct history *history = build->history;
    struct buf name = {0};
    uint32_t process = history->processes[history->ops[op].process];
    if (process != VALUE_NULL) {
        value_print(&history->values, process, &name);
        buf_printf(&name, " ");
    }
    buf_printf(&name, "(");
    history_place(history, history->ops[op].line, &name);
    buf_printf(&name, ")");
    history->ops[op].process =
        history_add_process(history, value_text(&history->values, buf_view(&name)));
    buf_free(&name);
}

void history_build_lanes(struct history_build *build) {
    struct history *history = build->history;
    uint32_t *last = cairn_alloc((history->process_count + 1u) * sizeof *last);
    memset(last, 0xff, (history->process_count + 1u) * sizeof *last);
    for (uint32_t op = 0; op < history->op_count; op++) {
        uint32_t *before = &last[history->ops[op].process];
        if (history->ops[op].outcome == OP_FAIL)
            continue;
        if (*before == OP_NONE || !overlap(build, *before, op)) {
            *before = op;
        } else if (history->ops[op].ret > history->ops[*before].ret) {
            move_out(build, op);
        } else {
            move_out(build, *before);
            *before = op;
        }
    }
    cairn_free(last);
}
