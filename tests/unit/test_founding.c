/* Founding a cluster, as one node does it: which folders it notes, what it answers, when it takes
 * part as a founder, and what it does when it is known by another folder. */
#include "fake_env.h"
#include "machine/kv/kv.h"
#include "node/node_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ull

enum word { MEETS = 1, NOTED, OTHER, SETTLED };

/* A protocol that only keeps what it is told of founders. */
struct replica {
    struct folders met;
    struct config founds;
    unsigned ups;
};

static struct effects step(struct replica *replica, const struct event *event) {
    if (event->kind == EVENT_FOUNDERS) {
        replica->met = *event->founders.met;
        if (event->founders.founds != NULL)
            replica->founds = *event->founders.founds;
    }
    replica->ups += event->kind == EVENT_PEER_UP;
    return (struct effects){0};
}

static const struct protocol protocol = {.name = "still", .step = step};

struct fixture {
    struct fake_env *fake;
    struct node node;
    struct group group;
    struct replica replica;
    struct link links[4]; /* by the peer's id */
    char said[400];
};

static void quiet(void *context, int level, const char *text) {}

static struct config members(const char *ids) {
    struct config config = {0};
    for (; *ids; ids++) {
        struct member member = {.id = (uint64_t)(*ids - '0'), .voter = true};
        snprintf(member.address, sizeof member.address, "n%c:1", *ids);
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    }
    return config;
}

/* Node 1, a founder of 1, 2 and 3 on an empty folder. */
static void start(struct fixture *fixture, uint64_t wait_ns) {
    const struct machine_options machine = {.value_bytes_max = 1000, .work_max = 1000};
    struct node *node = &fixture->node;
    memset(fixture, 0, sizeof *fixture);
    fixture->fake = fake_env_new(1);
    node->env = &fixture->fake->env;
    list_init(&node->links);
    node_options_default(&node->options);
    strcpy(node->options.folder, "d");
    node->options.log = quiet;
    node->options.founding_wait_ns = wait_ns;
    node->options.bootstrap = members("123");
    node->options.identity = (struct identity){
        .cluster = 1, .node = 1, .incarnation = 100, .epoch = 1, .founding = true};
    node->options.identity.founders = members("123");
    node->groups[0] = &fixture->group;
    node->group_count = 1;
    fixture->group.node = node;
    fixture->group.protocol = &protocol;
    fixture->group.replica = &fixture->replica;
    stack_open(&fixture->group.stack, &machine_kv, &machine, 8);
    founding_begin(node);
}

static void stop(struct fixture *fixture) {
    for (int id = 0; id < 4; id++)
        buf_free(&fixture->links[id].control);
    stack_close(&fixture->group.stack);
    fake_env_free(fixture->fake);
}

static void turn(struct fixture *fixture) {
    founding_turn(&fixture->node, env_now(fixture->node.env));
}

static void hear(struct fixture *fixture, uint64_t id, enum word word, bool founder) {
    const uint8_t body[] = {(uint8_t)word, founder};
    founding_receive(&fixture->links[id], bytes_of(body, sizeof body));
}

/* The words that left on the link since the last look, as letters; a small one: as no founder. */
static const char *said(struct fixture *fixture, uint64_t id) {
    struct buf *control = &fixture->links[id].control;
    size_t count = 0;
    for (size_t at = 0; at < control->len; at += FRAME_HEAD_BYTES + 2) {
        const uint8_t *body = control->data + at + FRAME_HEAD_BYTES;
        fixture->said[count++] = (body[1] ? "?MNOS" : "?mnos")[body[0]];
    }
    buf_clear(control);
    fixture->said[count] = 0;
    return fixture->said;
}

/* A link whose facts fit, to a node with that folder. */
static void meet(struct fixture *fixture, uint64_t id, uint64_t incarnation, uint32_t version) {
    struct link *link = &fixture->links[id];
    buf_free(&link->control);
    if (link->peer != NULL)
        peer_forget_link(link);
    if (link->node != NULL)
        list_remove(&link->list);
    *link = (struct link){.node = &fixture->node,
                          .hello = {.node = id, .incarnation = incarnation},
                          .wire_version = version};
    list_init(&link->bulk);
    list_push(&fixture->node.links, &link->list);
    assert_true(peer_take_link(link));
    if (version < WIRE_VERSION_3)
        link_up(link);
    else
        founding_meet(link);
}

static void meet_founder(struct fixture *fixture, uint64_t id, uint64_t incarnation) {
    meet(fixture, id, incarnation, WIRE_VERSION_3);
    hear(fixture, id, MEETS, true);
    turn(fixture);
}

/* What a restart would find. */
static struct identity kept(struct fixture *fixture) {
    struct identity identity = {0};
    assert_int_equal(identity_load(fixture->node.env, "d", &identity, NULL), CAIRN_OK);
    return identity;
}

static uint64_t noted(struct fixture *fixture, uint64_t id) {
    const struct identity identity = kept(fixture);
    return folders_find(&identity.met, id);
}

static void a_founder_takes_part_once_all_others_know_its_folder(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet_founder(&fixture, 2, 200);
    assert_string_equal(said(&fixture, 2), "MN");
    assert_int_equal(noted(&fixture, 2), 200);
    hear(&fixture, 2, NOTED, true);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 0);
    assert_string_equal(founding_health(&fixture.node), "founding: waiting for founder 3 at n3:1");
    meet_founder(&fixture, 3, 300);
    hear(&fixture, 3, NOTED, true);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 3);
    assert_int_equal(folders_find(&fixture.replica.met, 2), 200);
    assert_null(founding_health(&fixture.node));
    assert_false(kept(&fixture).founding);
    assert_string_equal(said(&fixture, 2), "S");
    assert_int_equal(fixture.replica.ups, 0);
    hear(&fixture, 2, SETTLED, true);
    assert_int_equal(fixture.replica.ups, 1);
    assert_int_equal(fixture.links[2].state, LINK_UP);
    stop(&fixture);
}

static void a_founder_with_another_folder_is_told_so(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet_founder(&fixture, 2, 200);
    meet_founder(&fixture, 2, 201);
    assert_string_equal(said(&fixture, 2), "MO");
    assert_int_equal(noted(&fixture, 2), 200);
    meet_founder(&fixture, 2, 200);
    assert_string_equal(said(&fixture, 2), "MN");
    stop(&fixture);
}

static void a_founder_that_is_known_by_another_folder_is_one_no_more(void **state) {
    struct fixture fixture;
    start(&fixture, SECOND);
    meet_founder(&fixture, 2, 200);
    meet_founder(&fixture, 3, 300);
    hear(&fixture, 2, NOTED, true);
    hear(&fixture, 3, OTHER, true);
    said(&fixture, 2);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 0);
    assert_int_equal(kept(&fixture).founders.count, 0);
    assert_false(kept(&fixture).founding);
    assert_string_equal(said(&fixture, 2), "s"); /* and says so, also to others */
    fake_env_sleep(fixture.fake, 2 * SECOND);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 0);
    stop(&fixture);
}

static void after_the_wait_a_majority_is_enough(void **state) {
    struct fixture fixture;
    start(&fixture, SECOND);
    fake_env_sleep(fixture.fake, 2 * SECOND);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 0); /* it is none alone */
    meet_founder(&fixture, 2, 200);
    hear(&fixture, 2, NOTED, true);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 3);
    stop(&fixture);
    start(&fixture, 0);
    meet_founder(&fixture, 2, 200);
    hear(&fixture, 2, NOTED, true);
    fake_env_sleep(fixture.fake, 1000 * SECOND);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 0);
    stop(&fixture);
}

static void with_a_founder_of_an_older_version_there_is_no_wait(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet(&fixture, 2, 200, WIRE_VERSION_3 - 1);
    turn(&fixture);
    assert_int_equal(fixture.replica.founds.count, 3);
    stop(&fixture);
}

static void what_can_not_be_kept_is_not_answered_until_it_can(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    fixture.fake->exhausted = true;
    meet_founder(&fixture, 2, 200);
    assert_string_equal(said(&fixture, 2), "M");
    assert_true(founding_deadline(&fixture.node) <= env_now(fixture.node.env) + SECOND);
    fixture.fake->exhausted = false;
    fake_env_sleep(fixture.fake, SECOND);
    turn(&fixture);
    assert_string_equal(said(&fixture, 2), "N");
    assert_int_equal(noted(&fixture, 2), 200);
    stop(&fixture);
}

static void bind(struct fixture *fixture, uint64_t id, uint64_t incarnation) {
    struct group *group = &fixture->group;
    if (group->config.count == 0)
        group->config = members("123");
    group->config.members[0].incarnation = 100;
    config_find(&group->config, id)->incarnation = incarnation;
    group->config_index = 2;
    group->config_committed = true;
    founding_configured(&fixture->node);
    turn(fixture);
}

static void one_that_is_no_founder_any_more_counts_under_no_folder(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet(&fixture, 2, 200, WIRE_VERSION_3);
    hear(&fixture, 2, MEETS, false);
    turn(&fixture);
    assert_int_equal(folders_find(&fixture.replica.met, 2), FOLDER_LOST);
    meet_founder(&fixture, 3, 300);
    hear(&fixture, 3, SETTLED, false); /* it learnt it meanwhile */
    turn(&fixture);
    assert_int_equal(noted(&fixture, 3), FOLDER_LOST);
    stop(&fixture);
}

static void what_an_entry_binds_tells_from_then_on(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet_founder(&fixture, 2, 200);
    bind(&fixture, 2, 200);
    assert_int_equal(noted(&fixture, 2), FOLDER_BOUND);
    assert_int_equal(fixture.replica.met.count, 0);
    meet_founder(&fixture, 2, 201);
    assert_string_equal(said(&fixture, 2), "MO");
    meet_founder(&fixture, 2, 200);
    assert_string_equal(said(&fixture, 2), "MN");
    meet(&fixture, 2, 202, WIRE_VERSION_3); /* it rejoins: the entry knows */
    hear(&fixture, 2, MEETS, false);
    turn(&fixture);
    assert_int_equal(noted(&fixture, 2), FOLDER_BOUND);
    config_remove(&fixture.group.config, 3);
    meet_founder(&fixture, 3, 300); /* a member that was removed founds nothing */
    assert_string_equal(said(&fixture, 3), "MO");
    stop(&fixture);
}

/* The log that held the entry is damaged from its first entry on: what it bound is not known any
 * more, and those that wait for the other founders' word are not called replaced ones. */
static void what_is_bound_by_a_lost_entry_is_not_known(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    meet_founder(&fixture, 2, 200);
    bind(&fixture, 2, 200);
    assert_int_equal(noted(&fixture, 2), FOLDER_BOUND);
    config_find(&fixture.group.config, 2)->incarnation = 0; /* the founders' own again */
    fixture.group.config_index = 0;
    meet_founder(&fixture, 2, 200);
    assert_string_equal(said(&fixture, 2), "MN");
    assert_int_equal(noted(&fixture, 2), 200);
    meet_founder(&fixture, 2, 201);
    assert_string_equal(said(&fixture, 2), "MO");
    stop(&fixture);
}

static void the_survivor_of_lost_disks_says_that_no_majority_is_left(void **state) {
    struct fixture fixture;
    start(&fixture, 0);
    bind(&fixture, 2, 200);
    bind(&fixture, 3, 300);
    for (uint64_t id = 2; id <= 3; id++) {
        meet(&fixture, id, 100 * id + 1, WIRE_VERSION_3);
        assert_false(founding_majority_lost(&fixture.group));
        link_up(&fixture.links[id]);
    }
    assert_true(founding_majority_lost(&fixture.group));
    fixture.group.told_index = fixture.group.config_index + 1; /* they were let in, it heard */
    assert_false(founding_majority_lost(&fixture.group));
    stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founder_takes_part_once_all_others_know_its_folder),
        cmocka_unit_test(a_founder_with_another_folder_is_told_so),
        cmocka_unit_test(a_founder_that_is_known_by_another_folder_is_one_no_more),
        cmocka_unit_test(after_the_wait_a_majority_is_enough),
        cmocka_unit_test(with_a_founder_of_an_older_version_there_is_no_wait),
        cmocka_unit_test(what_can_not_be_kept_is_not_answered_until_it_can),
        cmocka_unit_test(one_that_is_no_founder_any_more_counts_under_no_folder),
        cmocka_unit_test(what_an_entry_binds_tells_from_then_on),
        cmocka_unit_test(what_is_bound_by_a_lost_entry_is_not_known),
        cmocka_unit_test(the_survivor_of_lost_disks_says_that_no_majority_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
