/* Health: every reason of the one table is told when it holds, and none hides a worse one. */
#include "machine/kv/kv.h"
#include "node/node_internal.h"
#include "storage/wal_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct node node;
    struct group group;
    struct wal wal;
    struct replica_status replica;
};

/* A follower that is well, of a cluster of three. */
static void well(struct fixture *fixture) {
    memset(fixture, 0, sizeof *fixture);
    struct node *node = &fixture->node;
    node->wal = &fixture->wal;
    node->options.identity.node = 1;
    node->groups[0] = &fixture->group;
    node->group_count = 1;
    fixture->group.node = node;
    for (uint64_t id = 1; id <= 3; id++) {
        struct member member = {.id = id, .voter = true, .incarnation = 10 * id};
        assert_int_equal(config_add(&fixture->group.config, &member), CAIRN_OK);
    }
    fixture->replica = (struct replica_status){
        .leader = 2, .commit_index = 5000, .applied_index = 4999, .config = fixture->group.config};
}

/* Two of three voters are there with other folders than the configuration names. */
static void lose_majority(struct fixture *fixture) {
    static struct link links[2];
    for (uint64_t i = 0; i < 2; i++) {
        links[i] = (struct link){.state = LINK_UP, .hello = {.incarnation = 7}};
        fixture->node.peers[i] = (struct peer){.id = 2 + i, .link = &links[i]};
    }
    fixture->replica.leader = 0;
}

static void make(struct fixture *fixture, enum node_health reason) {
    struct node *node = &fixture->node;
    struct group *group = &fixture->group;
    struct replica_status *replica = &fixture->replica;
    switch (reason) {
    case NODE_HEALTH_FAILED:
        node->failed = true;
        break;
    case NODE_HEALTH_STOPPING:
        node->stopping = true;
        break;
    case NODE_HEALTH_REPLICAS_DIFFER:
        group->compare.no_majority = true;
        break;
    case NODE_HEALTH_DAMAGED:
        replica->damaged = true;
        break;
    case NODE_HEALTH_DISK_FULL:
        fixture->wal.refused = true;
        break;
    case NODE_HEALTH_INSTALLING:
        group->install = (struct install_job *)group;
        break;
    case NODE_HEALTH_NO_LINK:
        node->peers[0] = (struct peer){.id = 2, .refusal = "it has no secret"};
        peers_tell_refusal(node);
        replica->leader = 0;
        break;
    case NODE_HEALTH_FOUNDING:
        node->options.identity.founding = true;
        break;
    case NODE_HEALTH_MISSED_REPAIR:
        node->missed_repair = true;
        replica->leader = 0;
        break;
    case NODE_HEALTH_WAITING:
        replica->config.count = 0;
        break;
    case NODE_HEALTH_REMOVED:
        group->told_gone = true;
        group->told_index = group->config_index + 1;
        replica->leader = 0;
        break;
    case NODE_HEALTH_MAJORITY_LOST:
        lose_majority(fixture);
        break;
    case NODE_HEALTH_TERM_REFUSED:
        replica->term_refused = true;
        replica->leader = 0;
        break;
    case NODE_HEALTH_NO_LEADER:
        replica->leader = 0;
        break;
    case NODE_HEALTH_DIVERGED:
        replica->diverged = true;
        break;
    case NODE_HEALTH_LOG_DAMAGED:
        group->unreadable = 7;
        break;
    case NODE_HEALTH_CATCHING_UP:
        replica->applied_index = 0;
        break;
    case NODE_HEALTH_OK:
    case NODE_HEALTH_COUNT:
        break;
    }
}

static const char *const texts[] = {
#define X(constant, text, about) text,
    NODE_HEALTH_LIST(X)
#undef X
};

/* A text that ends in a blank goes on. */
static bool tells(const struct fixture *fixture, enum node_health reason) {
    const char *told = group_health(&fixture->group, &fixture->replica), *text = texts[reason];
    size_t len = strlen(text);
    return text[len - 1] == ' ' ? strncmp(told, text, len) == 0 && strlen(told) > len
                                : strcmp(told, text) == 0;
}

static void each_reason_is_told_when_it_holds(void **state) {
    struct fixture *fixture = test_malloc(sizeof *fixture);
    for (enum node_health reason = 0; reason < NODE_HEALTH_COUNT; reason++) {
        well(fixture);
        make(fixture, reason);
        if (!tells(fixture, reason))
            fail_msg("'%s' is not told, but '%s'", texts[reason],
                     group_health(&fixture->group, &fixture->replica));
    }
    test_free(fixture);
}

/* Nothing but ok is ok: so no script goes on over a node that is not. */
static void what_holds_together_is_never_ok(void **state) {
    struct fixture *fixture = test_malloc(sizeof *fixture);
    for (enum node_health a = 0; a < NODE_HEALTH_OK; a++)
        for (enum node_health b = 0; b < NODE_HEALTH_OK; b++) {
            well(fixture);
            make(fixture, a);
            make(fixture, b);
            assert_false(tells(fixture, NODE_HEALTH_OK));
        }
    test_free(fixture);
}

static void a_node_that_follows_is_not_troubled_by_a_peer_that_is_refused(void **state) {
    struct fixture *fixture = test_malloc(sizeof *fixture);
    well(fixture);
    make(fixture, NODE_HEALTH_NO_LINK);
    fixture->replica.leader = 2;
    assert_true(tells(fixture, NODE_HEALTH_OK));
    test_free(fixture);
}

static void a_lag_is_told_whatever_it_began_with(void **state) {
    struct fixture *fixture = test_malloc(sizeof *fixture);
    static const struct {
        uint64_t applied, commit;
        enum node_health told;
    } cases[] = {{0, 0, NODE_HEALTH_OK},
                 {0, 1, NODE_HEALTH_CATCHING_UP},
                 {1, 1001, NODE_HEALTH_OK},
                 {1, 1002, NODE_HEALTH_CATCHING_UP},
                 {4999, 5000, NODE_HEALTH_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        well(fixture);
        fixture->replica.applied_index = cases[i].applied;
        fixture->replica.commit_index = cases[i].commit;
        assert_true(tells(fixture, cases[i].told));
    }
    test_free(fixture);
}

/* docs/operations.md has the same table. */
static void every_reason_is_documented(void **state) {
    FILE *file = fopen(*state, "r");
    assert_non_null(file);
    char *docs = test_calloc(1, 1u << 20);
    assert_in_range(fread(docs, 1, (1u << 20) - 1, file), 1, (1u << 20) - 2);
    fclose(file);
    for (enum node_health reason = 0; reason < NODE_HEALTH_COUNT; reason++) {
        static const char *const abouts[] = {
#define X(constant, text, about) about,
            NODE_HEALTH_LIST(X)
#undef X
        };
        const char *text = texts[reason];
        size_t len = strlen(text);
        char row[400];
        bool goes_on = text[len - 1] == ' ';
        snprintf(row, sizeof row, "| `%s%s` | %s |", text, goes_on ? "..." : "", abouts[reason]);
        if (strstr(docs, row) == NULL)
            fail_msg("docs/operations.md lacks: %s", row);
    }
    test_free(docs);
}

int main(int argc, char **argv) {
    void *docs = argc > 1 ? argv[1] : "docs/operations.md";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_is_told_when_it_holds),
        cmocka_unit_test(what_holds_together_is_never_ok),
        cmocka_unit_test(a_node_that_follows_is_not_troubled_by_a_peer_that_is_refused),
        cmocka_unit_test(a_lag_is_told_whatever_it_began_with),
        cmocka_unit_test_prestate(every_reason_is_documented, docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
