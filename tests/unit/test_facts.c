/* Which nodes may work together, by what their data says: clusters of one name, founders who were
 * told other members, settings by which the first entries are executed. */
#include "fake_env.h"
#include "machine/kv/kv.h"
#include "node/node_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A protocol that only tells how long its log is. */
struct replica {
    uint64_t last_index;
};

struct fixture {
    struct node node;
    struct group group;
    struct replica replica;
};

static void status(const struct replica *replica, struct replica_status *out) {
    memset(out, 0, sizeof *out);
    out->last_index = replica->last_index;
}

static const struct protocol protocol = {.name = "still", .status = status};

static void quiet(void *context, int level, const char *text) {}

static void start(struct fixture *fixture, struct fake_env *fake, uint64_t log) {
    const struct machine_options machine = {.value_bytes_max = 1000, .work_max = 1000};
    memset(fixture, 0, sizeof *fixture);
    fixture->replica.last_index = log;
    struct node *node = &fixture->node;
    node->env = &fake->env;
    list_init(&node->links);
    node_options_default(&node->options);
    strcpy(node->options.folder, "d");
    node->options.log = quiet;
    node->options.identity =
        (struct identity){.cluster = 1, .node = 1, .value_bytes_max = 1000, .session_window = 8};
    node->groups[0] = &fixture->group;
    node->group_count = 1;
    fixture->group.node = node;
    fixture->group.protocol = &protocol;
    fixture->group.replica = &fixture->replica;
    stack_open(&fixture->group.stack, &machine_kv, &machine, 8);
}

static void stop(struct fixture *fixture) {
    stack_close(&fixture->group.stack);
}

static struct config founders(const char *ids) {
    struct config config = {0};
    for (; *ids; ids++) {
        struct member member = {.id = (uint64_t)(*ids - '0'), .voter = true};
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    }
    return config;
}

/* What the other node tells. */
static const char *refusal(struct fixture *fixture, uint64_t number, const char *ids,
                           uint64_t largest, uint32_t window) {
    struct link link = {.node = &fixture->node};
    struct buf body = {0}, bytes = {0};
    uint64_t hash = 0;
    if (*ids) {
        struct config config = founders(ids);
        config_encode(&bytes, &config);
        hash = bytes_hash(buf_view(&bytes), 0) | 1;
    }
    buf_u64(&body, number);
    buf_u64(&body, hash);
    buf_u64(&body, largest);
    buf_u32(&body, window);
    const char *why = facts_refusal(&link, buf_view(&body));
    buf_free(&body);
    buf_free(&bytes);
    return why;
}

static void another_cluster_of_the_same_name_is_refused(void **state) {
    struct fixture fixture;
    start(&fixture, *state, 5);
    assert_null(refusal(&fixture, 0, "", 1000, 8));
    assert_null(refusal(&fixture, 7, "", 1000, 8));
    fixture.node.options.identity.number = 7;
    assert_null(refusal(&fixture, 7, "", 1000, 8));
    assert_null(refusal(&fixture, 0, "", 1000, 8)); /* it does not know yet */
    assert_non_null(refusal(&fixture, 8, "", 1000, 8));
    stop(&fixture);
}

static void founders_must_agree_on_who_they_are(void **state) {
    struct fixture fixture;
    start(&fixture, *state, 0);
    fixture.node.options.identity.founders = founders("123");
    assert_null(refusal(&fixture, 0, "123", 1000, 8));
    assert_null(refusal(&fixture, 0, "", 1000, 8)); /* it joins */
    assert_non_null(refusal(&fixture, 0, "12345", 1000, 8));
    assert_null(refusal(&fixture, 9, "12345", 1000, 8)); /* founded long ago, as its number tells */
    stop(&fixture);
}

static void settings_of_founders_must_agree_and_who_joins_takes_them_over(void **state) {
    struct fixture fixture;
    start(&fixture, *state, 5);
    assert_non_null(refusal(&fixture, 0, "123", 1000, 4));
    assert_non_null(refusal(&fixture, 0, "123", 500, 8));
    fixture.group.stack.agreed.parameters.revision = 1; /* settings decide nothing any more */
    assert_null(refusal(&fixture, 0, "123", 500, 8));
    stop(&fixture);
    start(&fixture, *state, 0);
    assert_null(refusal(&fixture, 0, "123", 500, 4)); /* blank, and not a founder */
    assert_int_equal(fixture.node.options.identity.session_window, 4);
    assert_int_equal(fixture.group.stack.agreed.parameters.value_bytes_max, 500);
    stop(&fixture);
    start(&fixture, *state, 0);
    fixture.node.options.identity.founders = founders("123");
    assert_non_null(refusal(&fixture, 0, "123", 500, 4)); /* two founders who differ */
    assert_null(refusal(&fixture, 3, "123", 500, 4)); /* a lost disk comes back to its cluster */
    stop(&fixture);
}

static void two_that_join_take_nothing_over_from_each_other(void **state) {
    struct fixture fixture;
    start(&fixture, *state, 0);
    assert_null(refusal(&fixture, 0, "", 500, 4));
    assert_int_equal(fixture.node.options.identity.session_window, 8);
    assert_null(refusal(&fixture, 7, "", 500, 4)); /* it has joined */
    assert_int_equal(fixture.node.options.identity.session_window, 4);
    stop(&fixture);
    start(&fixture, *state, 5); /* of the cluster, which a node joins */
    fixture.node.options.identity.founders = founders("123");
    assert_null(refusal(&fixture, 0, "", 500, 4));
    stop(&fixture);
}

static void malformed_facts_are_refused(void **state) {
    struct fixture fixture;
    struct link link = {.node = &fixture.node};
    start(&fixture, *state, 0);
    assert_non_null(facts_refusal(&link, BYTES("short")));
    assert_non_null(refusal(&fixture, 0, "", 0, 8));
    assert_non_null(refusal(&fixture, 0, "", 1000, 0));
    assert_non_null(refusal(&fixture, 0, "", UINT64_MAX, 8));
    stop(&fixture);
}

static void a_number_that_is_learnt_is_kept_and_parts_from_other_clusters(void **state) {
    struct fixture fixture;
    start(&fixture, *state, 5);
    fixture.group.stack.agreed.cluster_number = 7;
    facts_turn(&fixture.node, 0);
    assert_int_equal(fixture.node.options.identity.number, 7);
    assert_false(fixture.node.failed);
    fixture.group.stack.agreed.cluster_number = 8; /* the log is not this folder's */
    facts_turn(&fixture.node, 0);
    assert_true(fixture.node.failed);
    stop(&fixture);
}

/* A shortage of space or descriptors is no broken disk. */
static void what_can_not_be_kept_now_is_kept_later(void **state) {
    struct fake_env *fake = *state;
    struct fixture fixture;
    start(&fixture, fake, 5);
    fixture.group.stack.agreed.cluster_number = 7;
    fake->exhausted = true;
    facts_turn(&fixture.node, 1);
    assert_int_equal(fixture.node.options.identity.number, 0);
    assert_false(fixture.node.failed);
    fake->exhausted = false;
    facts_turn(&fixture.node, IDENTITY_RETRY_NS); /* not in every turn */
    assert_int_equal(fixture.node.options.identity.number, 0);
    facts_turn(&fixture.node, IDENTITY_RETRY_NS + 1);
    assert_int_equal(fixture.node.options.identity.number, 7);
    stop(&fixture);
    start(&fixture, fake, 0); /* blank: it takes the settings of the others over */
    fake->exhausted = true;
    assert_non_null(refusal(&fixture, 0, "123", 500, 4));
    assert_false(fixture.node.failed);
    assert_int_equal(fixture.node.options.identity.session_window, 8);
    fake->exhausted = false;
    assert_null(refusal(&fixture, 0, "123", 500, 4));
    assert_int_equal(fixture.node.options.identity.session_window, 4);
    stop(&fixture);
}

/* A quorum-loss repair raised the cluster's epoch: what this node holds is from before, or nothing.
 */
static void what_holds_nothing_takes_a_later_epoch_and_nothing_else_does(void **state) {
    struct fixture fixture;
    struct identity *identity = &fixture.node.options.identity;
    start(&fixture, *state, 0);
    identity->epoch = 1;
    assert_null(epoch_refusal(&fixture.node, 1));
    assert_null(epoch_refusal(&fixture.node, 0)); /* one that joins has none yet */
    assert_int_equal(identity->epoch, 1);
    assert_null(epoch_refusal(&fixture.node, 2));
    assert_int_equal(identity->epoch, 0);
    identity->epoch = 3;
    assert_non_null(epoch_refusal(&fixture.node, 2)); /* the other one missed it */
    assert_int_equal(identity->epoch, 3);
    assert_false(fixture.node.missed_repair);
    identity->founders = founders("123"); /* it may have voted by them */
    assert_non_null(epoch_refusal(&fixture.node, 4));
    assert_int_equal(identity->epoch, 3);
    assert_true(fixture.node.missed_repair);
    stop(&fixture);
    start(&fixture, *state, 5);
    identity->epoch = 1;
    assert_non_null(epoch_refusal(&fixture.node, 2));
    assert_int_equal(identity->epoch, 1);
    assert_true(fixture.node.missed_repair);
    stop(&fixture);
}

static int set_up(void **state) {
    *state = fake_env_new(1);
    return 0;
}

static int tear_down(void **state) {
    fake_env_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_cluster_of_the_same_name_is_refused),
        cmocka_unit_test(founders_must_agree_on_who_they_are),
        cmocka_unit_test(settings_of_founders_must_agree_and_who_joins_takes_them_over),
        cmocka_unit_test(two_that_join_take_nothing_over_from_each_other),
        cmocka_unit_test(malformed_facts_are_refused),
        cmocka_unit_test(what_holds_nothing_takes_a_later_epoch_and_nothing_else_does),
        cmocka_unit_test(a_number_that_is_learnt_is_kept_and_parts_from_other_clusters),
        cmocka_unit_test(what_can_not_be_kept_now_is_kept_later),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
