#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "workload/plan.h"

static struct plan *parse(struct plan *plan, const char *text) {
    char error[200] = "";
    if (!plan_parse(plan, bytes_cstr(text), error, sizeof error))
        fail_msg("%s", error);
    return plan;
}

static void refuse(const char *text, const char *because) {
    struct plan plan;
    char error[200] = "";
    assert_false(plan_parse(&plan, bytes_cstr(text), error, sizeof error));
    if (strstr(error, because) == NULL)
        fail_msg("'%s' does not say '%s'", error, because);
    plan_free(&plan);
}

static void a_plan_says_what_when_and_to_whom(void **state) {
    struct plan plan;
    parse(&plan, "[run]\nworkload = append\ntime = 1min\nthink = 500us\nreads = 30\nstay = yes\n"
                 "[fault a]\ndo = one-way\nnodes = primary\nto = 2 3\ndirection = in\nat = 1.5s\n"
                 "for = 250ms\nevery = 4\n");
    const struct plan_fault *fault = &plan.faults[0];
    assert_string_equal(plan.run.workload, "append");
    assert_int_equal(plan.run.time_ms, 60000);
    assert_int_equal(plan.run.think_us, 500);
    assert_int_equal(plan.run.read_percent, 30);
    assert_true(plan.run.stay);
    assert_int_equal(fault->kind, PLAN_ONE_WAY);
    assert_int_equal(fault->nodes.who, PLAN_WHO_LEADER);
    assert_int_equal(fault->to.numbers, 1 << 2 | 1 << 3);
    assert_int_equal(fault->direction, PLAN_IN);
    assert_int_equal(fault->at_ms, 1500);
    assert_int_equal(fault->for_ms, 250);
    assert_int_equal(fault->every_ms, 4000);
    plan_free(&plan);
}

static void what_is_wrong_is_said_with_its_line(void **state) {
    refuse("[fault a]\ndo = explode\n", "line 2: there is no fault 'explode'");
    refuse("[fault a]\n\nat = soon\n", "line 3: at wants a time");
    refuse("[fault a]\nat = 1s\n", "lacks its do");
    refuse("[fault a]\ndo = kill\nnodes = 0\n", "line 3: nodes wants");
    refuse("[fault a]\ndo = kill\nnodes = clients\n", "must be nodes");
    refuse("[fault a]\ndo = loss\npercent = 101\n", "at most 100");
    refuse("[fault a]\ndo = kill\nwhen = 1s\n", "no key 'when'");
    refuse("[weather]\nrain = yes\n", "no section [weather]");
    refuse("[run]\nsync = maybe\n", "yes or no");
    refuse("what is this\n", "line 1");
}

static void events_come_in_order_and_end_with_the_run(void **state) {
    struct plan plan;
    parse(&plan, "[fault a]\ndo = kill\nat = 1s\nevery = 4s\n[fault b]\ndo = pause\nat = 2s\n"
                 "every = 3s\nuntil = 6s\n");
    plan_expand(&plan, 10000, 7);
    const uint64_t times[] = {1000, 2000, 5000, 5000, 9000};
    assert_int_equal(plan.event_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(plan.events[i].at_ms, times[i]);
    plan_free(&plan);
}

static void a_seed_fixes_what_chance_decides(void **state) {
    struct plan plan, again;
    const char *text = "[fault a]\ndo = kill\nat = 1s\nevery = 2s\nspread = 2s\n";
    parse(&plan, text);
    parse(&again, text);
    plan_expand(&plan, 20000, 7);
    plan_expand(&again, 20000, 7);
    assert_int_equal(plan.event_count, again.event_count);
    for (uint32_t i = 0; i < plan.event_count; i++) {
        assert_int_equal(plan.events[i].at_ms, again.events[i].at_ms);
        assert_int_equal(plan.events[i].seed, again.events[i].seed);
    }
    plan_expand(&again, 20000, 8);
    bool same = plan.event_count == again.event_count;
    for (uint32_t i = 0; same && i < plan.event_count; i++)
        same = plan.events[i].at_ms == again.events[i].at_ms;
    assert_false(same);
    plan_free(&plan);
    plan_free(&again);
}

/* The plan that a run keeps, and the smallest one, must do the same again. */
static void what_is_printed_can_be_read_again(void **state) {
    struct plan plan, again;
    struct buf text = {0};
    parse(&plan, "[run]\ntarget = redis\ntime = 3s\n[fault a]\ndo = delay\nnodes = 1 2\nto = all\n"
                 "direction = out\nclients = yes\ndelay = 30ms\njitter = 5ms\nat = 1s\nevery = 1s\n"
                 "[fault b]\ndo = clock-rate\nppm = -900\nat = 100ms\nfor = 2s\n");
    plan_expand(&plan, 3000, 1);
    plan_print(&plan, plan.events, plan.event_count, &text);
    buf_u8(&text, 0);
    parse(&again, (const char *)text.data);
    plan_expand(&again, 3000, 1);
    assert_string_equal(again.run.target, "redis");
    assert_int_equal(again.event_count, 3);
    assert_int_equal(again.events[0].fault->rate_ppm, -900);
    const struct plan_fault *delay = again.events[2].fault;
    assert_int_equal(again.events[2].at_ms, 2000);
    assert_int_equal(delay->delay_ms, 30);
    assert_int_equal(delay->jitter_ms, 5);
    assert_int_equal(delay->to.who, PLAN_WHO_ALL);
    assert_int_equal(delay->direction, PLAN_OUT);
    assert_true(delay->clients);
    buf_free(&text);
    plan_free(&plan);
    plan_free(&again);
}

static uint32_t pick(enum plan_who who, unsigned nodes, unsigned leader, struct prng *prng) {
    struct plan_choice choice = {.who = who};
    return plan_pick(&choice, nodes, leader, 0, prng);
}

static void choices_pick_as_many_nodes_as_they_say(void **state) {
    struct prng prng;
    prng_seed(&prng, 3);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(__builtin_popcount(pick(PLAN_WHO_ANY, 5, 0, &prng)), 1);
        assert_int_equal(__builtin_popcount(pick(PLAN_WHO_MAJORITY, 5, 0, &prng)), 3);
        int minority = __builtin_popcount(pick(PLAN_WHO_MINORITY, 5, 0, &prng));
        assert_in_range(minority, 1, 2);
        assert_int_equal(pick(PLAN_WHO_FOLLOWER, 3, 2, &prng) & (1 << 2 | 1), 0);
    }
    assert_int_equal(pick(PLAN_WHO_LEADER, 3, 2, &prng), 1 << 2);
    assert_int_equal(pick(PLAN_WHO_FOLLOWERS, 3, 2, &prng), 1 << 1 | 1 << 3);
    assert_int_equal(pick(PLAN_WHO_ALL, 3, 2, &prng), 14);
    struct plan_choice others = {.who = PLAN_WHO_OTHERS};
    assert_int_equal(plan_pick(&others, 3, 0, 1 << 1, &prng), 1 << 2 | 1 << 3);
}

static void partitions_cut_both_ways_and_one_way_cuts_one(void **state) {
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    struct plan_fault fault = {.kind = PLAN_PARTITION};
    plan_links(&fault, 1 << 1, 1 << 2 | 1 << 3, 3, links);
    assert_true(links[1][2] && links[2][1] && links[1][3] && links[3][1]);
    assert_false(links[2][3] || links[3][2] || links[0][1] || links[1][0] || links[1][1]);
    fault.kind = PLAN_ONE_WAY;
    plan_links(&fault, 1 << 1, 1 << 2 | 1 << 3, 3, links);
    assert_true(links[1][2] && !links[2][1]);
    fault.direction = PLAN_IN;
    plan_links(&fault, 1 << 1, 1 << 2 | 1 << 3, 3, links);
    assert_true(links[2][1] && !links[1][2]);
}

static void isolation_reaches_the_clients_when_asked(void **state) {
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    struct plan_fault fault = {.kind = PLAN_ISOLATE};
    plan_links(&fault, 1 << 1 | 1 << 2, 1 << 3, 3, links);
    assert_true(links[1][2] && links[2][1] && links[1][3] && links[3][2]);
    assert_false(links[0][1] || links[1][0]);
    fault.clients = true;
    plan_links(&fault, 1 << 1 | 1 << 2, 1 << 3, 3, links);
    assert_true(links[0][1] && links[2][0] && !links[0][3]);
}

static void of_a_hub_every_node_sees_the_hub_and_no_other(void **state) {
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    struct plan_fault fault = {.kind = PLAN_HUB};
    plan_links(&fault, 1 << 4, 0, 5, links);
    for (unsigned a = 0; a <= 5; a++)
        for (unsigned b = 0; b <= 5; b++)
            assert_int_equal(links[a][b], a != b && a != 4 && b != 4 && a != 0 && b != 0);
}

/* faults.md: "each node sees a different majority", "two halves share a single node". */
static void rings_and_bridges_leave_every_node_a_majority(void **state) {
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    struct plan_fault fault = {.kind = PLAN_RING};
    plan_links(&fault, 2, 0, 5, links);
    for (unsigned a = 1; a <= 5; a++) {
        unsigned seen = 1;
        for (unsigned b = 1; b <= 5; b++)
            seen += a != b && !links[a][b];
        assert_int_equal(seen, 3);
    }
    fault.kind = PLAN_BRIDGE;
    plan_links(&fault, 1 << 3, 0, 5, links);
    unsigned cut = 0;
    for (unsigned a = 1; a <= 5; a++) {
        assert_false(links[a][3] || links[3][a]);
        for (unsigned b = 1; b <= 5; b++)
            cut += links[a][b];
    }
    assert_int_equal(cut, 8); /* 2 x 2 pairs, both ways */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_says_what_when_and_to_whom),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(events_come_in_order_and_end_with_the_run),
        cmocka_unit_test(a_seed_fixes_what_chance_decides),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(choices_pick_as_many_nodes_as_they_say),
        cmocka_unit_test(partitions_cut_both_ways_and_one_way_cuts_one),
        cmocka_unit_test(isolation_reaches_the_clients_when_asked),
        cmocka_unit_test(of_a_hub_every_node_sees_the_hub_and_no_other),
        cmocka_unit_test(rings_and_bridges_leave_every_node_a_majority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
