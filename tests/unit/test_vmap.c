#include "base/alloc.h"
#include "base/prng.h"
#include "base/vmap.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- the model: a table of all possible keys, each with a value number or 0 for absent ---- */

#define KEYS 3000
#define SNAPSHOTS 6

struct model {
    uint64_t values[KEYS];
    size_t count;
};

/* Keys of varied length whose order is the order of their numbers; many share their first 8
 * bytes. */
static struct bytes key_of(uint64_t n, uint8_t at[32]) {
    memset(at, (int)(n / 500), 9);
    put_u16_be(at + 9, (uint16_t)n);
    memset(at + 11, 'k', 20);
    return bytes_of(at, 11 + n % 20);
}

static struct bytes value_of(uint64_t value, uint8_t at[200]) {
    memset(at, (int)(value % 251), 200);
    return bytes_of(at, value % 200);
}

static void model_put(struct vmap *map, struct model *model, uint64_t n, uint64_t value) {
    uint8_t key[32], bytes[200];
    vmap_put(map, key_of(n, key), value_of(value, bytes), value, value * 3);
    model->count += model->values[n] == 0;
    model->values[n] = value;
}

static void model_delete(struct vmap *map, struct model *model, uint64_t n) {
    uint8_t key[32];
    assert_true(vmap_delete(map, key_of(n, key)) == (model->values[n] != 0));
    model->count -= model->values[n] != 0;
    model->values[n] = 0;
}

static void expect_item(const struct vmap_item *item, uint64_t n, uint64_t value) {
    uint8_t key[32], bytes[200];
    assert_non_null(item);
    assert_true(bytes_equal(vmap_item_key(item), key_of(n, key)));
    assert_true(bytes_equal(vmap_item_value(item), value_of(value, bytes)));
    assert_true(item->version == value && item->meta == value * 3);
}

static void expect_point(const struct vmap *map, const struct model *model, uint64_t n) {
    uint8_t key[32];
    const struct vmap_item *item = vmap_get(map, key_of(n, key));
    if (model->values[n] == 0)
        assert_null(item);
    else
        expect_item(item, n, model->values[n]);
}

/* Everything that the map can be asked agrees with the model. */
static void expect_all(const struct vmap *map, const struct model *model) {
    uint8_t key[32];
    vmap_check(map);
    assert_int_equal(vmap_count(map), model->count);
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, map, bytes_of(NULL, 0));
    size_t rank = 0;
    for (uint64_t n = 0; n < KEYS; n++) {
        expect_point(map, model, n);
        assert_int_equal(vmap_rank(map, key_of(n, key)), rank);
        if (model->values[n] == 0)
            continue;
        expect_item(vmap_cursor_next(&cursor), n, model->values[n]);
        expect_item(vmap_at(map, rank), n, model->values[n]);
        expect_item(vmap_seek(map, key_of(n, key)), n, model->values[n]);
        rank++;
    }
    assert_null(vmap_cursor_next(&cursor));
    assert_null(vmap_at(map, rank));
}

struct frozen {
    struct vmap_snapshot *snapshot;
    struct model model;
    uint64_t digest;
};

static void expect_frozen(struct frozen *frozen) {
    uint8_t key[32];
    assert_int_equal(vmap_snapshot_count(frozen->snapshot), frozen->model.count);
    assert_true(vmap_snapshot_digest(frozen->snapshot) == frozen->digest);
    vmap_snapshot_seek(frozen->snapshot, bytes_of(NULL, 0));
    for (uint64_t n = 0; n < KEYS; n++) {
        if (frozen->model.values[n] != 0)
            expect_item(vmap_snapshot_next(frozen->snapshot), n, frozen->model.values[n]);
    }
    assert_null(vmap_snapshot_next(frozen->snapshot));
    vmap_snapshot_seek(frozen->snapshot, key_of(KEYS / 2, key));
    for (uint64_t n = KEYS / 2; n < KEYS; n++) {
        if (frozen->model.values[n] != 0) {
            expect_item(vmap_snapshot_next(frozen->snapshot), n, frozen->model.values[n]);
            return;
        }
    }
}

static void turn_snapshot(struct vmap *map, struct model *model, struct frozen *frozen) {
    if (frozen->snapshot == NULL) {
        frozen->model = *model;
        frozen->digest = vmap_digest(map);
        frozen->snapshot = vmap_snapshot_take(map);
    } else {
        expect_frozen(frozen);
        vmap_snapshot_release(map, frozen->snapshot);
        frozen->snapshot = NULL;
    }
}

static void random_step(struct vmap *map, struct model *model, struct prng *prng,
                        uint64_t deletes) {
    uint64_t n = prng_chance(prng, 1, 2) ? prng_below(prng, KEYS) : prng_below(prng, KEYS / 10);
    if (prng_below(prng, 100) < deletes)
        model_delete(map, model, n);
    else
        model_put(map, model, n, 1 + prng_below(prng, 1000000));
}

static void run_against_model(uint64_t seed) {
    struct prng prng;
    prng_seed(&prng, seed);
    struct vmap *map = vmap_new();
    struct model *model = cairn_alloc_zero(sizeof *model);
    struct frozen *frozen = cairn_alloc_zero(SNAPSHOTS * sizeof *frozen);
    for (int phase = 0; phase < 12; phase++) {
        uint64_t deletes = prng_below(&prng, 100);
        for (int step = 0; step < 2000; step++) {
            random_step(map, model, &prng, deletes);
            if (prng_chance(&prng, 1, 300))
                turn_snapshot(map, model, &frozen[prng_below(&prng, SNAPSHOTS)]);
            if (prng_chance(&prng, 1, 50))
                vmap_collect(map, prng_below(&prng, 100));
        }
        expect_all(map, model);
        if (prng_chance(&prng, 1, 6)) {
            vmap_clear(map);
            *model = (struct model){0};
            expect_all(map, model);
        }
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        if (frozen[i].snapshot != NULL)
            turn_snapshot(map, model, &frozen[i]);
    }
    while (vmap_collect(map, 100))
        ;
    assert_int_equal(vmap_dead_count(map), 0);
    expect_all(map, model);
    vmap_free(map);
    cairn_free(model);
    cairn_free(frozen);
}

static void any_mix_of_writes_and_snapshots_agrees_with_a_simple_model(void **state) {
    for (uint64_t seed = 1; seed <= 8; seed++)
        run_against_model(seed);
}

static void equal_contents_have_equal_digests_whatever_the_history(void **state) {
    struct vmap *a = vmap_new(), *b = vmap_new();
    struct model *left = cairn_alloc_zero(2 * sizeof *left), *right = left + 1;
    for (uint64_t n = 0; n < KEYS; n++)
        model_put(a, left, n, n + 1);
    for (uint64_t n = KEYS; n-- > 0;)
        model_put(b, right, n, 7);
    assert_true(vmap_digest(a) != vmap_digest(b));
    for (uint64_t n = 0; n < KEYS; n++)
        model_put(b, right, n, n + 1);
    assert_true(vmap_digest(a) == vmap_digest(b));
    assert_int_equal(vmap_item_bytes(a), vmap_item_bytes(b));
    for (uint64_t n = 0; n < KEYS; n++)
        model_delete(a, left, n);
    assert_true(vmap_digest(a) == 0);
    assert_int_equal(vmap_memory(a), 0);
    vmap_free(a);
    vmap_free(b);
    cairn_free(left);
}

static void an_empty_map_answers_everything(void **state) {
    struct vmap *map = vmap_new();
    struct vmap_snapshot *snapshot = vmap_snapshot_take(map);
    assert_null(vmap_snapshot_next(snapshot));
    assert_null(vmap_get(map, BYTES("a")));
    assert_null(vmap_seek(map, BYTES("a")));
    assert_null(vmap_at(map, 0));
    assert_int_equal(vmap_rank(map, BYTES("a")), 0);
    assert_false(vmap_delete(map, BYTES("a")));
    vmap_clear(map);
    vmap_snapshot_release(map, snapshot);
    assert_false(vmap_collect(map, 1));
    vmap_free(map);
}

static void a_value_can_be_built_in_place_from_the_one_it_replaces(void **state) {
    struct vmap *map = vmap_new();
    const struct vmap_item *old = vmap_put(map, BYTES("k"), BYTES("old"), 1, 0);
    struct vmap_item *item = vmap_put_raw(map, vmap_item_key(old), 6, 2, 0);
    memcpy(vmap_raw_value(item), vmap_item_value(old).data, 3);
    memcpy(vmap_raw_value(item) + 3, "new", 3);
    vmap_seal(map, item);
    vmap_check(map);
    assert_true(bytes_equal(vmap_item_value(vmap_get(map, BYTES("k"))), BYTES("oldnew")));
    assert_int_equal(vmap_count(map), 1);
    vmap_free(map);
}

static void a_sequential_load_fills_its_leaves(void **state) {
    struct vmap *map = vmap_new();
    uint8_t key[8];
    for (uint64_t n = 0; n < 55000; n++) {
        put_u64_be(key, n);
        vmap_put(map, bytes_of(key, 8), BYTES(""), n, 0);
    }
    size_t nodes = vmap_memory(map) - vmap_item_bytes(map);
    assert_in_range(nodes, 1000 * 512, 1000 * 512 + 30 * 2048);
    vmap_free(map);
}

static void what_dies_unseen_by_a_snapshot_is_freed_at_once(void **state) {
    struct vmap *map = vmap_new();
    vmap_put(map, BYTES("a"), BYTES("1"), 1, 0);
    struct vmap_snapshot *snapshot = vmap_snapshot_take(map);
    vmap_put(map, BYTES("a"), BYTES("2"), 2, 0);
    size_t dead = vmap_dead_count(map); /* the first item and the leaf that held it */
    assert_int_equal(dead, 2);
    for (uint64_t version = 3; version < 100; version++)
        vmap_put(map, BYTES("a"), BYTES("3"), version, 0);
    assert_int_equal(vmap_dead_count(map), dead);
    vmap_snapshot_release(map, snapshot);
    assert_true(vmap_collect(map, 1));
    assert_false(vmap_collect(map, 2));
    assert_int_equal(vmap_dead_count(map), 0);
    vmap_free(map);
}

static void *walk_snapshot(void *context) {
    struct vmap_snapshot *snapshot = context;
    uint64_t sum = 0;
    for (int pass = 0; pass < 3; pass++) {
        vmap_snapshot_seek(snapshot, bytes_of(NULL, 0));
        const struct vmap_item *item;
        while ((item = vmap_snapshot_next(snapshot)) != NULL)
            sum += item->version + vmap_item_value(item).len;
    }
    return (void *)(uintptr_t)sum;
}

static void another_thread_may_walk_a_snapshot_while_the_owner_writes(void **state) {
    struct prng prng;
    prng_seed(&prng, 9);
    struct vmap *map = vmap_new();
    struct model *model = cairn_alloc_zero(sizeof *model);
    for (uint64_t n = 0; n < KEYS; n++)
        model_put(map, model, n, n + 1);
    uint64_t wanted = 0;
    for (uint64_t n = 0; n < KEYS; n++)
        wanted += 3 * (n + 1 + (n + 1) % 200);
    struct vmap_snapshot *snapshot = vmap_snapshot_take(map);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, walk_snapshot, snapshot), 0);
    for (int step = 0; step < 20000; step++) {
        random_step(map, model, &prng, 30);
        if (step % 1000 == 0)
            vmap_snapshot_release(map, vmap_snapshot_take(map));
        vmap_collect(map, 2);
    }
    void *sum;
    assert_int_equal(pthread_join(thread, &sum), 0);
    assert_true((uintptr_t)sum == wanted);
    vmap_snapshot_release(map, snapshot);
    expect_all(map, model);
    vmap_free(map);
    cairn_free(model);
}

static void a_walk_notices_memory_that_changed_by_itself(void **state) {
    for (int damaged = 0; damaged < 2; damaged++) {
        struct vmap *map = vmap_new();
        uint8_t key[2];
        for (unsigned i = 0; i < 3000; i++) {
            put_u16_be(key, (uint16_t)i);
            vmap_put(map, bytes_of(key, 2), BYTES("value"), i + 1, 0);
        }
        put_u16_be(key, 1234);
        const struct vmap_item *item = vmap_get(map, bytes_of(key, 2));
        if (damaged)
            ((uint8_t *)(uintptr_t)vmap_item_value(item).data)[3] ^= 4;
        struct vmap_snapshot *snapshot = vmap_snapshot_take(map);
        while (vmap_snapshot_next(snapshot) != NULL)
            assert_true(vmap_snapshot_intact(snapshot)); /* not known before the end */
        assert_int_equal(vmap_snapshot_intact(snapshot), !damaged);
        if (damaged)
            ((uint8_t *)(uintptr_t)vmap_item_value(item).data)[3] ^= 4;
        vmap_snapshot_release(map, snapshot);
        vmap_free(map);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_notices_memory_that_changed_by_itself),
        cmocka_unit_test(any_mix_of_writes_and_snapshots_agrees_with_a_simple_model),
        cmocka_unit_test(equal_contents_have_equal_digests_whatever_the_history),
        cmocka_unit_test(an_empty_map_answers_everything),
        cmocka_unit_test(a_value_can_be_built_in_place_from_the_one_it_replaces),
        cmocka_unit_test(a_sequential_load_fills_its_leaves),
        cmocka_unit_test(what_dies_unseen_by_a_snapshot_is_freed_at_once),
        cmocka_unit_test(another_thread_may_walk_a_snapshot_while_the_owner_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
