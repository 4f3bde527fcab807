/* Crashes and damage: what was acknowledged is there or reported, and nothing wrong is ever given.
 */

#include "fake_env.h"
#include "wal_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SEGMENT_ONE BOX_FOLDER "/log-0000000000000001.seg"
#define BLOCK ENV_DISK_ALIGN

static struct wal_box *opened(uint64_t seed) {
    struct wal_box *box = wal_box_new(seed);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    return box;
}

static void random_write(struct wal_box *box, struct prng *prng) {
    uint64_t group = prng_below(prng, BOX_GROUPS), last = box->asked[group].last;
    uint64_t base = box->asked[group].base, term = prng_between(prng, 1, 9);
    if (box->pending_count[group] > 50 || last > BOX_INDEX_MAX - 200)
        return;
    switch (prng_below(prng, 10)) {
    case 0:
        wal_box_hard(box, group, prng_next(prng));
        break;
    case 1:
        if (last > base)
            wal_box_truncate(box, group, prng_between(prng, base + 1, last));
        break;
    case 2:
        if (last > base)
            wal_box_replace(box, group, prng_between(prng, base + 1, last), term, 2);
        break;
    case 3:
        if (prng_chance(prng, 1, 5))
            wal_box_reset(box, group, last + prng_below(prng, 20));
        break;
    default:
        wal_box_append(box, group, term, (size_t)prng_between(prng, 1, 4),
                       (size_t)prng_below(prng, prng_chance(prng, 1, 4) ? 9000 : 100));
    }
}

/* Some writes, some of them under way. */
static void random_history(struct wal_box *box, struct prng *prng, unsigned steps) {
    for (unsigned i = 0; i < steps; i++) {
        if (box->options.kept_bytes > 0)
            box->room = (enum room)prng_below(prng, 3);
        random_write(box, prng);
        if (prng_chance(prng, 1, 3))
            wal_flush(box->wal);
        if (prng_chance(prng, 1, 3))
            fake_env_run(box->fake);
        if (prng_chance(prng, 1, 30))
            fake_env_sleep(box->fake, 200000000);
    }
}

static void crash_somewhere(struct wal_box *box, struct prng *prng) {
    box->fake->crash_after = (int64_t)prng_below(prng, 30);
    random_history(box, prng, (unsigned)prng_between(prng, 5, 80));
    wal_box_crash(box);
}

static void a_crash_at_any_write_loses_nothing_acknowledged(void **state) {
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct wal_box *box = wal_box_new(seed);
        box->fake->direct_refused = prng_chance(&prng, 1, 4);
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        for (unsigned life = 0; life < 6; life++) {
            crash_somewhere(box, &prng);
            /* Recovery itself may crash, more than once. */
            for (unsigned again = 0; again < 3; again++) {
                box->fake->crash_after = (int64_t)prng_below(&prng, 6);
                if (wal_box_open(box) == CAIRN_OK)
                    break;
                wal_box_crash(box);
            }
            box->fake->crash_after = -1;
            if (box->wal == NULL || box->fake->crashed) {
                wal_box_crash(box);
                assert_int_equal(wal_box_open(box), CAIRN_OK);
            }
            const char *wrong = wal_box_check(box);
            if (wrong)
                fail_msg("seed %lu life %u: %s", (unsigned long)seed, life, wrong);
            if (!wal_box_sound(box))
                fail_msg("seed %lu life %u: a crash is taken for damage", (unsigned long)seed,
                         life);
            wal_box_adopt(box);
        }
        wal_box_free(box);
    }
}

/* Three groups, some batches, all acknowledged and known durable. */
static struct wal_box *small_log(void) {
    struct wal_box *box = opened(5);
    wal_box_hard(box, 1, 42);
    wal_box_append(box, 0, 1, 2, 30);
    wal_box_append(box, 1, 1, 3, 30);
    wal_box_sync(box);
    wal_box_append(box, 1, 2, 2, 30);
    wal_box_sync(box);
    wal_box_replace(box, 1, 4, 3, 3);
    wal_box_append(box, 2, 1, 1, 5000);
    wal_box_sync(box);
    wal_box_reset(box, 2, 10);
    wal_box_append(box, 0, 3, 1, 30);
    wal_box_sync(box);
    wal_box_append(box, 1, 3, 1, 30);
    wal_box_sync(box);
    wal_box_close(box);
    return box;
}

static size_t used_bytes(const struct fake_file *file) {
    size_t used = file->size;
    while (used > 0 && file->seen[used - 1] == 0)
        used--;
    return (used + BLOCK - 1) / BLOCK * BLOCK;
}

static void try_damage(struct wal_box *box, struct fake_env *image, const char *path, size_t at,
                       uint8_t bits) {
    box->fake = fake_env_copy(image);
    fake_env_flip(fake_env_file(box->fake, path), at, bits);
    enum cairn_status status = wal_box_open(box);
    const char *wrong = status == CAIRN_OK ? wal_box_check(box) : NULL;
    /* Without a report, what was found must be all that was acknowledged: wal_box_check. */
    if (wrong)
        fail_msg("%s byte %zu bits %x: %s", path, at, bits, wrong);
    /* What recovery says is what loads say. */
    for (uint64_t index = 1; status == CAIRN_OK && at % 97 == 0 && index < 8; index++) {
        const struct box_log *got = &box->recovered[1];
        wal_box_load(box, 1, index, index, 1);
        assert_true(box->loaded_right);
        assert_true((box->loaded_status == CAIRN_OK) == (got->term[index] != 0));
    }
    if (status == CAIRN_OK)
        wal_drop(box->wal);
    box->wal = NULL;
    fake_env_free(box->fake);
}

/* The file of the hard states has long stretches that were never written. */
static bool is_hole(const struct fake_file *file, size_t at) {
    const uint8_t *block = file->durable + at / BLOCK * BLOCK;
    return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static void every_single_byte_of_damage_is_reported_and_wrong_data_never_given(void **state) {
    struct wal_box *box = small_log();
    struct fake_env *image = box->fake;
    const char *paths[] = {SEGMENT_ONE, BOX_FOLDER "/log.hard", BOX_FOLDER "/log.control"};
    for (size_t i = 0; i < 3; i++) {
        const struct fake_file *file = fake_env_file(image, paths[i]);
        assert_non_null(file);
        size_t used = used_bytes(file);
        for (size_t at = 0; at < used; at++) {
            /* Padding is dull: every byte of a block's beginning, then some. */
            if ((at % BLOCK > 700 && at % 37) || is_hole(file, at))
                continue;
            try_damage(box, image, paths[i], at, (uint8_t)(1u << at % 8));
        }
    }
    box->fake = image;
    wal_box_free(box);
}

static void damage_in_the_middle_names_the_very_entries(void **state) {
    struct wal_box *box = small_log();
    /* The head of the batch with group 1's entries 4..5, which a later one superseded. */
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), BLOCK + 40, 1);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_null(wal_box_check(box));
    const struct box_log *log = &box->recovered[1];
    assert_true(log->term[3] == 1 && log->term[4] == 3 && log->term[6] == 3 && !log->open);
    assert_false(box->recovered[0].open || box->recovered[2].open);
    wal_box_free(box);
}

static void a_lost_truncation_takes_the_entries_with_it_that_it_cut(void **state) {
    struct wal_box *box = small_log();
    /* Blocks 2 and 3 and 4: truncation from 4, entries 4..6 of group 1, entry 1 of group 2. */
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), 2 * BLOCK + 40, 1);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_null(wal_box_check(box));
    const struct box_log *log = &box->recovered[1];
    assert_false(log->open);
    for (uint64_t i = 1; i <= 7; i++)
        assert_int_equal(log->damaged[i], i >= 4 && i <= 6);
    assert_int_equal(log->term[7], 3);
    wal_box_free(box);
}

static void damage_of_the_last_batch_is_told_from_a_torn_tail_once_it_was_marked(void **state) {
    struct wal_box *box = opened(6);
    wal_box_append(box, 1, 1, 2, 30);
    wal_box_sync(box);
    wal_box_append(box, 1, 1, 2, 30);
    wal_box_sync(box);
    fake_env_sleep(box->fake, 200000000);
    wal_box_crash(box);
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), BLOCK + 300, 1);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(box->recovered[1].term[2] == 1 && box->recovered[1].damaged[3]);
    wal_box_free(box);
}

static void damage_of_unknown_extent_is_told_until_the_owner_vouches(void **state) {
    struct wal_box *box = opened(7);
    wal_box_append(box, 1, 1, 4, 30);
    wal_box_sync(box);
    wal_box_append(box, 1, 1, 4, 30);
    wal_box_sync(box);
    wal_box_close(box);
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), BLOCK + 5, 1);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(box->recovered[1].open && box->recovered[1].last == 4);
    wal_box_repair(box, 1, 5, 6, false);
    wal_box_sync(box);
    wal_box_crash(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(box->recovered[1].open && box->recovered[1].last == 6);
    assert_true(box->recovered[1].damaged[7]);
    wal_box_repair(box, 1, 7, 8, true);
    wal_box_sync(box);
    wal_box_close(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(wal_box_sound(box));
    assert_null(wal_box_check(box));
    wal_box_free(box);
}

static void a_repair_in_the_middle_fills_the_hole_for_good(void **state) {
    struct wal_box *box = opened(8);
    for (int i = 0; i < 3; i++) {
        wal_box_append(box, 1, 1, 3, 30);
        wal_box_sync(box);
    }
    wal_box_close(box);
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), BLOCK + 300, 1);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(box->recovered[1].damaged[4] && box->recovered[1].damaged[6]);
    wal_box_load(box, 1, 3, 9, 10000);
    assert_true(box->loaded_status == CAIRN_OK && box->loaded_count == 1);
    wal_box_load(box, 1, 4, 9, 10000);
    assert_int_equal(box->loaded_status, CAIRN_CORRUPT);
    wal_box_repair(box, 1, 4, 6, false);
    wal_box_sync(box);
    wal_box_load(box, 1, 1, 9, 10000);
    assert_true(box->loaded_count == 9 && box->loaded_right);
    wal_box_crash(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_null(wal_box_check(box));
    for (uint64_t i = 1; i <= 9; i++)
        assert_false(box->recovered[1].damaged[i]);
    wal_box_free(box);
}

static bool has_damage(const struct wal_box *box) {
    struct wal_stats stats;
    wal_stats(box->wal, &stats);
    return stats.damaged;
}

static void rot_under_a_running_log_is_seen_by_the_load_that_meets_it(void **state) {
    struct wal_box *box = opened(9);
    wal_box_append(box, 1, 1, 3, 30);
    wal_box_sync(box);
    wal_box_append(box, 1, 1, 3, 30);
    wal_box_sync(box);
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), BLOCK + 300, 1);
    assert_false(has_damage(box));
    wal_box_load(box, 1, 1, 6, 10000);
    assert_true(box->loaded_status == CAIRN_OK && box->loaded_count == 3);
    wal_box_load(box, 1, 5, 5, 10000);
    assert_int_equal(box->loaded_status, CAIRN_CORRUPT);
    assert_true(box->loaded_first == 5 && box->loaded_count == 2); /* all of its section */
    assert_true(has_damage(box));
    wal_box_free(box);
}

/* A file that damaged what lay in it is not used for what comes. */
static void a_segment_in_which_damage_was_found_goes_once_it_is_released(void **state) {
    struct wal_box *box = opened(10);
    for (int i = 0; i < 4; i++) {
        wal_box_append(box, 1, 1, 1, 30000);
        wal_box_sync(box);
    }
    fake_env_unreadable(fake_env_file(box->fake, SEGMENT_ONE), 0);
    wal_box_load(box, 1, 1, 4, 10);
    assert_true(box->loaded_status == CAIRN_IO && box->loaded_count == 1);
    wal_box_load(box, 1, 2, 4, 10);
    assert_int_equal(box->loaded_status, CAIRN_OK);
    wal_release(box->wal, 1, 3);
    fake_env_run(box->fake);
    assert_false(has_damage(box));
    assert_null(fake_env_file(box->fake, SEGMENT_ONE));
    wal_box_close(box);
    wal_box_free(box);
}

/* All is released, and the log goes on in the next segment, whose first batch does not get to the
 * disk: what the last batch was is not missed. */
static void a_released_batch_that_is_gone_is_no_damage(void **state) {
    struct wal_box *box = opened(20);
    wal_box_hard(box, 1, 5);
    wal_box_append(box, 1, 1, 1, 60000);
    wal_box_sync(box);
    fake_env_sleep(box->fake, 1000000000); /* the control page tells of it */
    wal_box_append(box, 1, 1, 1, 20000);
    wal_flush(box->wal);
    list_init(&box->fake->queues[ENV_QUEUE_LOG]); /* the disk is slow */
    wal_release(box->wal, 1, 1);
    fake_env_run(box->fake);
    wal_box_crash(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_false(box->recovered[1].open);
    wal_box_free(box);
}

/* What recovery tells of a group whose entries were all released, after its segments are gone. */
static uint64_t told_released(enum mutant mutant, bool restart_between) {
    struct wal_box *box = opened(30);
    box->options.mutant = mutant;
    wal_box_crash(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    wal_box_hard(box, 1, 7);
    wal_box_append(box, 1, 1, 2, 100);
    wal_box_sync(box);
    if (restart_between) {
        wal_box_crash(box);
        assert_int_equal(wal_box_open(box), CAIRN_OK);
    }
    wal_release(box->wal, 1, 2);
    for (uint64_t i = 1; i <= 6; i++) {
        wal_box_append(box, 2, 1, 1, 30000);
        wal_box_sync(box);
        wal_release(box->wal, 2, i - 1);
        fake_env_run(box->fake);
    }
    assert_null(fake_env_file(box->fake, SEGMENT_ONE));
    wal_box_crash(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_int_equal(box->recovered[1].hard, 7);
    uint64_t released = box->recovered[1].released;
    wal_box_free(box);
    return released;
}

static void what_only_a_snapshot_has_is_told(void **state) {
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(told_released(MUTANT_NONE, restart), 2);
        assert_int_equal(told_released(MUTANT_RELEASE_UNTOLD, restart), 0);
    }
}

static void an_unreadable_block_is_damage_and_hides_no_neighbour(void **state) {
    struct wal_box *box = small_log();
    fake_env_unreadable(fake_env_file(box->fake, SEGMENT_ONE), 2 * BLOCK);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_null(wal_box_check(box));
    assert_true(box->recovered[1].damaged[4] && box->recovered[1].term[7] == 3);
    wal_box_load(box, 1, 4, 4, 100);
    assert_int_equal(box->loaded_status, CAIRN_CORRUPT);
    wal_box_free(box);
}

static void a_batch_in_the_wrong_place_and_a_lost_write_are_both_noticed(void **state) {
    struct wal_box *box = small_log();
    struct fake_env *image = box->fake;
    for (unsigned lost = 0; lost < 2; lost++) {
        box->fake = fake_env_copy(image);
        struct fake_file *file = fake_env_file(box->fake, SEGMENT_ONE);
        /* Block 1 lands on block 0; or block 1 was never written. */
        for (size_t i = 0; i < BLOCK; i++) {
            size_t to = lost ? BLOCK + i : i;
            uint8_t want = lost ? 0 : file->seen[BLOCK + i];
            fake_env_flip(file, to, file->seen[to] ^ want);
        }
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        assert_null(wal_box_check(box));
        assert_false(wal_box_sound(box) && !lost);
        wal_drop(box->wal);
        fake_env_free(box->fake);
    }
    box->wal = NULL;
    box->fake = image;
    wal_box_free(box);
}

static void a_missing_segment_is_damage(void **state) {
    struct wal_box *box = opened(10);
    for (int i = 0; i < 12; i++) {
        wal_box_append(box, 1, 1, 1, 20000);
        wal_box_sync(box);
    }
    wal_box_close(box);
    struct fake_env *image = box->fake;
    for (unsigned which = 1; which <= 2; which++) {
        char path[100];
        snprintf(path, sizeof path, BOX_FOLDER "/log-%016x.seg", which);
        box->fake = fake_env_copy(image);
        assert_int_equal(box->fake->env.ops->remove(&box->fake->env, path), CAIRN_OK);
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        assert_null(wal_box_check(box));
        assert_false(wal_box_sound(box));
        wal_drop(box->wal);
        fake_env_free(box->fake);
    }
    box->wal = NULL;
    box->fake = image;
    wal_box_free(box);
}

static void recovery_of_damage_over_and_over_does_not_grow_the_log(void **state) {
    struct wal_box *box = small_log();
    fake_env_flip(fake_env_file(box->fake, SEGMENT_ONE), 5 * BLOCK + 5, 1);
    size_t files = 0;
    for (unsigned round = 0; round < 6; round++) {
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        assert_false(wal_box_sound(box));
        fake_env_run(box->fake);
        wal_box_crash(box);
        size_t now = 0;
        for (size_t i = 0; i < FAKE_FILES_MAX; i++)
            now += box->fake->files[i].path != NULL;
        assert_true(round < 2 || now <= files);
        files = now;
    }
    wal_box_free(box);
}

static void full_disks_and_crashes_together_bring_nothing_back_that_was_refused(void **state) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct prng prng;
        prng_seed(&prng, seed * 77);
        struct wal_box *box = wal_box_new(seed);
        box->options.kept_bytes = prng_below(&prng, 5) * 2 * ENV_DISK_ALIGN;
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        for (unsigned i = 0; i < 4; i++) {
            box->fake->space = (int64_t)prng_below(&prng, 100000);
            box->fake->exhausted = prng_chance(&prng, 1, 3);
            random_history(box, &prng, 30);
            wal_box_sync(box);
            box->fake->space = -1;
            box->fake->exhausted = false;
            fake_env_sleep(box->fake, prng_below(&prng, 2) * 100000000u);
            random_history(box, &prng, 10);
        }
        wal_box_sync(box);
        wal_box_crash(box);
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        const char *wrong = wal_box_check(box);
        if (wrong || !wal_box_sound(box))
            fail_msg("seed %lu: %s", (unsigned long)seed, wrong ? wrong : "damage");
        wal_box_free(box);
    }
}

static bool mutant_is_caught(enum mutant mutant) {
    bool caught = false;
    for (uint64_t seed = 1; seed <= 300 && !caught; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct wal_box *box = wal_box_new(seed);
        box->options.mutant = mutant;
        assert_int_equal(wal_box_open(box), CAIRN_OK);
        crash_somewhere(box, &prng);
        caught = wal_box_open(box) != CAIRN_OK || wal_box_check(box) || !wal_box_sound(box);
        wal_box_free(box);
    }
    return caught;
}

static void the_seeded_bugs_are_caught(void **state) {
    assert_false(mutant_is_caught(MUTANT_NONE));
    assert_true(mutant_is_caught(MUTANT_WAL_NO_CHECKSUM));
    assert_true(mutant_is_caught(MUTANT_WAL_LOSE_TAIL));
    assert_true(mutant_is_caught(MUTANT_WAL_TRUNCATE_LOST));
    assert_true(mutant_is_caught(MUTANT_HARD_STATE_ONE_SLOT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_write_loses_nothing_acknowledged),
        cmocka_unit_test(every_single_byte_of_damage_is_reported_and_wrong_data_never_given),
        cmocka_unit_test(damage_in_the_middle_names_the_very_entries),
        cmocka_unit_test(a_lost_truncation_takes_the_entries_with_it_that_it_cut),
        cmocka_unit_test(damage_of_the_last_batch_is_told_from_a_torn_tail_once_it_was_marked),
        cmocka_unit_test(damage_of_unknown_extent_is_told_until_the_owner_vouches),
        cmocka_unit_test(a_repair_in_the_middle_fills_the_hole_for_good),
        cmocka_unit_test(rot_under_a_running_log_is_seen_by_the_load_that_meets_it),
        cmocka_unit_test(a_segment_in_which_damage_was_found_goes_once_it_is_released),
        cmocka_unit_test(a_released_batch_that_is_gone_is_no_damage),
        cmocka_unit_test(what_only_a_snapshot_has_is_told),
        cmocka_unit_test(an_unreadable_block_is_damage_and_hides_no_neighbour),
        cmocka_unit_test(a_batch_in_the_wrong_place_and_a_lost_write_are_both_noticed),
        cmocka_unit_test(a_missing_segment_is_damage),
        cmocka_unit_test(recovery_of_damage_over_and_over_does_not_grow_the_log),
        cmocka_unit_test(full_disks_and_crashes_together_bring_nothing_back_that_was_refused),
        cmocka_unit_test(the_seeded_bugs_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
