/* Carries out the plan: each event begins at its time, strikes nodes that are chosen then, and ends
 * after its time. */
#include "torture/torture_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>
#include <time.h>

static void next_event(struct run *run);

/* ---- the network ---- */

static void change_link(struct active_fault *fault, struct proxy_link *link, bool on) {
    const struct plan_fault *how = fault->event->fault;
    uint32_t delay = (uint32_t)(how->delay_ms * 1000), jitter = (uint32_t)(how->jitter_ms * 1000);
    switch (how->kind) {
    case PLAN_DELAY:
        link->delay_us += on ? delay : -delay;
        link->jitter_us += on ? jitter : -jitter;
        break;
    case PLAN_LOSS:
        link->loss_percent = on ? (uint32_t)how->percent : 0;
        break;
    case PLAN_RESET:
        link->resets += on;
        break;
    case PLAN_CUT:
        link->cuts += on;
        break;
    default:
        link->blocked += on ? 1u : -1u;
        break;
    }
}

static void change_links(struct active_fault *fault, bool on) {
    struct run *run = fault->run;
    for (unsigned a = 0; a <= run->nodes; a++)
        for (unsigned b = 0; b <= run->nodes; b++)
            if (fault->links[a][b])
                change_link(fault, &run->board->links[a][b], on);
}

/* ---- processes ---- */

static void change_process(struct active_fault *fault, struct run_node *node, bool on) {
    switch (fault->event->fault->kind) {
    case PLAN_PAUSE:
        node->paused += on ? 1u : -1u;
        if (node->paused == (on ? 1 : 0))
            node_signal(node, on ? SIGSTOP : SIGCONT);
        break;
    case PLAN_RESTART:
        node->down += on ? 1u : -1u;
        node->asked |= on && node->pid > 0;
        if (on)
            node_signal(node, SIGTERM);
        break;
    default:
        node->down += on ? 1u : -1u;
        node->start_at_ns = 0;
        if (!on)
            break;
        node->asked |= node->pid > 0;
        node->lose_unsynced |= fault->event->fault->kind == PLAN_POWER && node->pid > 0;
        node_signal(node, SIGKILL);
        break;
    }
}

/* ---- disks and clocks, by the layer ---- */

static int64_t kernel_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t slip(int64_t elapsed_ns, int64_t ppm) {
    return (int64_t)((__int128)elapsed_ns * ppm / 1000000);
}

/* What the clocks have gained so far stays; from now on they run at the new rate. */
static void set_clock(struct layer_control *control, int64_t offset_change_ns, int64_t ppm) {
    int64_t wall = kernel_ns(CLOCK_REALTIME), mono = kernel_ns(CLOCK_MONOTONIC);
    control->clock_turn++;
    control->wall_slip_ns += slip(wall - control->wall_base_ns, control->rate_ppm);
    control->mono_slip_ns += slip(mono - control->mono_base_ns, control->rate_ppm);
    control->wall_base_ns = wall;
    control->mono_base_ns = mono;
    control->rate_ppm = ppm;
    control->wall_offset_ns += offset_change_ns;
    control->clock_turn++;
}

static void change_machine(struct active_fault *fault, struct run_node *node, bool on) {
    const struct plan_fault *how = fault->event->fault;
    struct layer_control *control = node->control;
    uint32_t percent = on ? (uint32_t)how->percent : 0;
    if (control == NULL)
        return;
    switch (how->kind) {
    case PLAN_DISK_FAIL:
        control->fail_percent = percent;
        break;
    case PLAN_DISK_SHORT:
        control->short_percent = percent;
        break;
    case PLAN_DISK_SLOW:
        control->slow_us = on ? (uint32_t)(how->delay_ms * 1000) : 0;
        break;
    case PLAN_DISK_HANG:
        control->hang = on;
        break;
    case PLAN_DISK_FULL:
        control->full = on;
        break;
    case PLAN_CLOCK_OFFSET:
        set_clock(control, (on ? how->offset_ms : -how->offset_ms) * 1000000, control->rate_ppm);
        break;
    default:
        set_clock(control, 0, on ? how->rate_ppm : 0);
        break;
    }
}

/* ---- what can't be ---- */

static const char *why_not(const struct run *run, enum plan_fault_kind kind) {
    bool own = run->options->addresses == NULL;
    enum plan_layer layer = plan_fault_layer(kind);
    if (layer == PLAN_PROCESS && !own)
        return "the servers were not started here";
    if (layer == PLAN_NETWORK && run->board == NULL)
        return "there is no proxy before servers that were not started here";
    if (layer != PLAN_DISK && layer != PLAN_CLOCK && kind != PLAN_POWER)
        return NULL;
    if (!own)
        return "the servers were not started here";
    if (!run->target->layer)
        return "the server makes its system calls itself, which the layer does not see";
    return run->layer[0] ? NULL : "cairn-faults.so does not stand beside the binary";
}

static bool skip(struct run *run, const struct plan_event *event) {
    enum plan_fault_kind kind = event->fault->kind;
    const char *why = why_not(run, kind);
    if (why == NULL)
        return false;
    run->result->skipped++;
    if (!(run->skipped_told >> kind & 1))
        run_say(run, "skipped: %s (%s)", plan_fault_name(kind), why);
    run->skipped_told |= 1u << kind;
    return true;
}

/* ---- events ---- */

static void change(struct active_fault *fault, bool on) {
    struct run *run = fault->run;
    enum plan_layer layer = plan_fault_layer(fault->event->fault->kind);
    if (layer == PLAN_NETWORK) {
        change_links(fault, on);
        return;
    }
    for (unsigned i = 1; i <= run->nodes; i++) {
        if (!(fault->picked >> i & 1))
            continue;
        if (layer == PLAN_PROCESS)
            change_process(fault, &run->node[i], on);
        else
            change_machine(fault, &run->node[i], on);
    }
}

static void print_nodes(const struct run *run, uint32_t picked, struct buf *words,
                        struct buf *json) {
    const char *between = "";
    buf_u8(json, '[');
    for (unsigned i = 0; i <= run->nodes; i++) {
        if (!(picked >> i & 1))
            continue;
        buf_printf(json, "%s%u", between, i);
        if (i == 0)
            buf_printf(words, "%sclients", between);
        else
            buf_printf(words, "%s%u%s", between, i, i == run->leader ? " (leader)" : "");
        between = ",";
    }
    buf_u8(json, ']');
}

/* Did the plan name a leader when none is known? Then chance chose in its place. */
static bool lacks_leader(const struct run *run, const struct plan_choice *choice) {
    return run->leader == 0 &&
           (choice->who == PLAN_WHO_LEADER || choice->who == PLAN_WHO_FOLLOWER ||
            choice->who == PLAN_WHO_FOLLOWERS);
}

static void tell(struct active_fault *fault, bool on) {
    struct run *run = fault->run;
    const struct plan_fault *how = fault->event->fault;
    struct buf words = {0}, nodes = {0}, json = {0}, described = {0};
    char f[64];
    plan_describe(how, &described);
    buf_u8(&described, 0);
    print_nodes(run, fault->picked, &words, &nodes);
    if (on && lacks_leader(run, &how->nodes))
        buf_printf(&words, " (no leader is known: by chance)");
    buf_u8(&words, 0);
    buf_u8(&nodes, 0);
    buf_printf(&json, "{\"nodes\":%s,\"what\":\"%s\"}", (const char *)nodes.data,
               (const char *)described.data);
    buf_u8(&json, 0);
    snprintf(f, sizeof f, "%s%s", on ? "" : "end-", plan_fault_name(how->kind));
    torture_history_fault(&run->history, env_now(run->env), f, (const char *)json.data);
    if (!on)
        run_say(run, "end of %s: %s", plan_fault_name(how->kind), (const char *)words.data);
    else if (fault->event->for_ms > 0)
        run_say(run, "%s -> node %s, for %.1f s", (const char *)described.data,
                (const char *)words.data, (double)fault->event->for_ms / 1000);
    else
        run_say(run, "%s -> node %s", (const char *)described.data, (const char *)words.data);
    buf_free(&words);
    buf_free(&nodes);
    buf_free(&json);
    buf_free(&described);
}

static void end_fault(struct active_fault *fault) {
    env_timer_clear(fault->run->env, &fault->timer);
    list_remove(&fault->list);
    tell(fault, false);
    change(fault, false);
    cairn_free(fault);
}

static void on_end(struct env_timer *timer) {
    end_fault(container_of(timer, struct active_fault, timer));
}

static void begin_fault(struct run *run, const struct plan_event *event) {
    struct active_fault *fault = cairn_alloc_zero(sizeof *fault);
    struct prng prng;
    prng_seed(&prng, event->seed);
    fault->run = run;
    fault->event = event;
    fault->timer.fire = on_end;
    fault->picked = plan_pick(&event->fault->nodes, run->nodes, run->leader, 0, &prng);
    uint32_t to = plan_pick(&event->fault->to, run->nodes, run->leader, fault->picked, &prng);
    plan_links(event->fault, fault->picked, to, run->nodes, fault->links);
    tell(fault, true);
    change(fault, true);
    run->result->faults++;
    if (!plan_fault_lasts(event->fault->kind)) {
        cairn_free(fault);
        return;
    }
    list_push(&run->active, &fault->list);
    env_timer_set(run->env, &fault->timer, env_now(run->env) + event->for_ms * 1000000);
}

static void on_event(struct env_timer *timer) {
    struct run *run = container_of(timer, struct run, event_timer);
    const struct plan_event *event = &run->options->events[run->next_event++];
    if (!skip(run, event))
        begin_fault(run, event);
    next_event(run);
}

static void next_event(struct run *run) {
    if (run->next_event < run->options->event_count)
        env_timer_set(run->env, &run->event_timer,
                      run->start_ns + run->options->events[run->next_event].at_ms * 1000000);
}

void nemesis_start(struct run *run) {
    run->event_timer.fire = on_event;
    next_event(run);
}

void nemesis_heal(struct run *run) {
    env_timer_clear(run->env, &run->event_timer);
    LIST_EACH_SAFE(at, &run->active)
    end_fault(container_of(at, struct active_fault, list));
}
