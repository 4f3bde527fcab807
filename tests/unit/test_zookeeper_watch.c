#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/prng.h"
#include "front/zookeeper/zookeeper_watch.h"

#include <string.h>

enum { CREATED = 1, DELETED, DATA, CHILDREN };

static void count_one(void *context, struct zk_watcher *watcher) {
    ++*(unsigned *)context;
}

static unsigned fire(struct zk_watches *watches, int event, const char *path) {
    unsigned told = 0;
    zk_watches_fire(watches, event, bytes_cstr(path), count_one, &told);
    return told;
}

static void a_one_time_watch_fires_once(void **state) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher one = {0};
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_DATA);
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_DATA);
    assert_int_equal(fire(watches, CHILDREN, "/a"), 0);
    assert_int_equal(fire(watches, DATA, "/b"), 0);
    assert_int_equal(fire(watches, DATA, "/a"), 1);
    assert_int_equal(fire(watches, DATA, "/a"), 0);
    assert_int_equal(one.count, 0);
    zk_watches_free(watches);
}

static void a_deletion_tells_a_watcher_of_data_and_children_once(void **state) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher one = {0};
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_DATA);
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_CHILD);
    assert_int_equal(fire(watches, DELETED, "/a"), 1);
    assert_int_equal(fire(watches, CREATED, "/a"), 0);
    zk_watches_free(watches);
}

static void a_persistent_watch_stays_and_hears_of_children(void **state) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher one = {0};
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_PERSISTENT | ZK_WATCH_CHILD);
    for (int i = 0; i < 3; i++)
        for (int event = CREATED; event <= CHILDREN; event++)
            assert_int_equal(fire(watches, event, "/a"), 1);
    assert_int_equal(zk_watches_at(watches, &one, BYTES("/a")), ZK_WATCH_PERSISTENT);
    assert_int_equal(fire(watches, DATA, "/a/b"), 0);
    zk_watches_drop(watches, &one);
    zk_watches_free(watches);
}

static void a_recursive_watch_hears_of_all_below_but_not_of_children_changed(void **state) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher one = {0}, root = {0};
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_RECURSIVE);
    zk_watches_add(watches, &one, BYTES("/a/b"), ZK_WATCH_DATA); /* still told once */
    zk_watches_add(watches, &root, BYTES("/"), ZK_WATCH_RECURSIVE);
    assert_int_equal(fire(watches, DATA, "/a/b"), 2);
    assert_int_equal(fire(watches, CREATED, "/a/b/c"), 2);
    assert_int_equal(fire(watches, CHILDREN, "/a/b"), 0);
    assert_int_equal(fire(watches, CREATED, "/ab"), 1);
    assert_int_equal(fire(watches, DATA, "/"), 1);
    zk_watches_remove(watches, &root, BYTES("/"), ZK_WATCH_ALL);
    assert_int_equal(fire(watches, DATA, "/x"), 0);
    zk_watches_drop(watches, &one);
    zk_watches_free(watches);
}

static void removing_takes_only_the_kinds_named(void **state) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher one = {0};
    struct zk_watch_counts counts;
    zk_watches_add(watches, &one, BYTES("/a"), ZK_WATCH_DATA | ZK_WATCH_CHILD);
    zk_watches_remove(watches, &one, BYTES("/a"), ZK_WATCH_DATA);
    assert_int_equal(fire(watches, DATA, "/a"), 0);
    assert_int_equal(fire(watches, CHILDREN, "/a"), 1);
    zk_watches_count(watches, &counts);
    assert_true(counts.paths == 0 && counts.watches == 0 && counts.watchers == 0);
    zk_watches_free(watches);
}

/* Against a plain table of kinds by watcher and path. */
static void random_watches_are_those_of_a_plain_model(void **state) {
    enum { WATCHERS = 5, PATHS = 7, STEPS = 20000 };
    static const char *const paths[PATHS] = {"/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/c"};
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher watchers[WATCHERS] = {{0}};
    unsigned model[WATCHERS][PATHS] = {{0}};
    struct prng prng;
    prng_seed(&prng, 7);
    for (int step = 0; step < STEPS; step++) {
        size_t w = prng_below(&prng, WATCHERS), p = prng_below(&prng, PATHS);
        unsigned kinds = (unsigned)prng_between(&prng, 1, ZK_WATCH_ALL);
        struct bytes path = bytes_cstr(paths[p]);
        switch (prng_below(&prng, 8)) {
        case 0:
            zk_watches_drop(watches, &watchers[w]);
            memset(model[w], 0, sizeof model[w]);
            break;
        case 1:
        case 2:
            zk_watches_remove(watches, &watchers[w], path, kinds);
            model[w][p] &= ~kinds;
            break;
        case 3:
            fire(watches, DATA, paths[p]);
            for (w = 0; w < WATCHERS; w++)
                model[w][p] &= ~(unsigned)ZK_WATCH_DATA;
            break;
        default:
            zk_watches_add(watches, &watchers[w], path, kinds);
            model[w][p] |= kinds;
        }
        for (w = 0; w < WATCHERS; w++)
            assert_int_equal(zk_watches_at(watches, &watchers[w], path), model[w][p]);
    }
    for (size_t w = 0; w < WATCHERS; w++)
        zk_watches_drop(watches, &watchers[w]);
    zk_watches_free(watches);
}

static size_t bytes_each(unsigned watchers, unsigned paths) {
    struct zk_watches *watches = zk_watches_new();
    struct zk_watcher *all = cairn_alloc_zero(watchers * sizeof *all);
    struct zk_watch_counts counts;
    char path[64];
    for (unsigned p = 0; p < paths; p++)
        for (unsigned w = 0; w < watchers; w++) {
            snprintf(path, sizeof path, "/services/%010u", p);
            zk_watches_add(watches, &all[w], bytes_cstr(path), ZK_WATCH_DATA);
        }
    zk_watches_count(watches, &counts);
    assert_int_equal(counts.watches, watchers * paths);
    for (unsigned w = 0; w < watchers; w++)
        zk_watches_drop(watches, &all[w]);
    cairn_free(all);
    zk_watches_free(watches);
    return counts.bytes / (watchers * paths);
}

static void a_million_watches_fit_110_megabytes_and_shared_paths_half(void **state) {
    assert_true(bytes_each(1, 1000000) <= 110);
    assert_true(bytes_each(1000, 1000) <= 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_one_time_watch_fires_once),
        cmocka_unit_test(a_deletion_tells_a_watcher_of_data_and_children_once),
        cmocka_unit_test(a_persistent_watch_stays_and_hears_of_children),
        cmocka_unit_test(a_recursive_watch_hears_of_all_below_but_not_of_children_changed),
        cmocka_unit_test(removing_takes_only_the_kinds_named),
        cmocka_unit_test(random_watches_are_those_of_a_plain_model),
        cmocka_unit_test(a_million_watches_fit_110_megabytes_and_shared_paths_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
