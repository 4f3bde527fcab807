#include "fake_env.h"
#include "wal_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct wal_box *opened(uint64_t seed) {
    struct wal_box *box = wal_box_new(seed);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    assert_true(wal_box_sound(box));
    return box;
}

static void reopen(struct wal_box *box) {
    if (box->wal)
        wal_box_close(box);
    assert_int_equal(wal_box_open(box), CAIRN_OK);
}

static void what_was_written_is_there_after_a_restart(void **state) {
    struct wal_box *box = opened(1);
    wal_box_hard(box, 1, 77);
    wal_box_append(box, 1, 3, 5, 100);
    wal_box_append(box, 2, 4, 1, 10000);
    assert_int_equal(box->done, 0);
    wal_box_sync(box);
    assert_int_equal(box->done, 3);
    assert_true(wal_idle(box->wal));
    reopen(box);
    assert_true(wal_box_sound(box));
    assert_null(wal_box_check(box));
    assert_true(box->recovered[1].last == 5 && box->recovered[1].hard == 77);
    wal_box_free(box);
}

static void writes_of_one_flush_share_one_disk_write_and_the_next_gather_meanwhile(void **state) {
    struct wal_box *box = opened(2);
    uint64_t before = box->fake->writes;
    wal_box_append(box, 1, 1, 2, 50);
    wal_box_append(box, 2, 1, 2, 50);
    wal_flush(box->wal);
    wal_box_append(box, 1, 1, 1, 50);
    wal_box_append(box, 1, 1, 1, 50);
    wal_flush(box->wal);
    assert_true(wal_stalled_since(box->wal) > 0);
    fake_env_run(box->fake);
    /* The first spare is filled at the same time. */
    struct wal_stats stats;
    wal_stats(box->wal, &stats);
    assert_int_equal(stats.writes, 2);
    assert_true(box->fake->writes >= before + 2);
    assert_int_equal(box->done, 4);
    assert_int_equal(wal_stalled_since(box->wal), 0);
    wal_box_free(box);
}

static void a_truncation_alone_survives_a_restart(void **state) {
    struct wal_box *box = opened(3);
    wal_box_append(box, 1, 1, 6, 20);
    wal_box_truncate(box, 1, 4);
    wal_box_sync(box);
    reopen(box);
    assert_null(wal_box_check(box));
    assert_int_equal(box->recovered[1].last, 3);
    wal_box_append(box, 1, 2, 2, 20);
    wal_box_sync(box);
    reopen(box);
    assert_null(wal_box_check(box));
    assert_int_equal(box->recovered[1].last, 5);
    wal_box_free(box);
}

static void a_reset_starts_the_log_anew_behind_its_index(void **state) {
    struct wal_box *box = opened(4);
    wal_box_append(box, 1, 1, 6, 20);
    wal_box_reset(box, 1, 100);
    wal_box_append(box, 1, 5, 2, 20);
    wal_box_sync(box);
    reopen(box);
    assert_null(wal_box_check(box));
    assert_true(box->recovered[1].base == 100 && box->recovered[1].last == 102);
    wal_box_free(box);
}

static void a_batch_larger_than_a_segment_gets_one_of_its_own(void **state) {
    struct wal_box *box = opened(5);
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_append(box, 1, 1, 1, 300000);
    wal_box_append(box, 1, 1, 3, 20);
    wal_box_sync(box);
    assert_int_equal(box->done, 3);
    assert_int_equal(box->failed, 0);
    wal_box_load(box, 1, 1, 5, 1000000);
    assert_true(box->loaded_count == 5 && box->loaded_right);
    reopen(box);
    assert_true(wal_box_sound(box));
    assert_null(wal_box_check(box));
    wal_box_free(box);
}

static void loads_give_what_was_written_within_the_limit_of_bytes(void **state) {
    struct wal_box *box = opened(6);
    for (int i = 0; i < 10; i++) {
        wal_box_append(box, 1, 1, 3, 100);
        wal_box_sync(box);
    }
    wal_box_load(box, 1, 2, 29, 1u << 20);
    assert_int_equal(box->loaded_status, CAIRN_OK);
    assert_true(box->loaded_right && box->loaded_first == 2 && box->loaded_count == 28);
    wal_box_load(box, 1, 5, 29, 1);
    assert_true(box->loaded_count == 1 && box->loaded_first == 5);
    wal_box_load(box, 1, 31, 40, 1000);
    assert_int_equal(box->loaded_status, CAIRN_NOT_FOUND);
    wal_release(box->wal, 1, 10);
    wal_box_load(box, 1, 10, 12, 1000);
    assert_int_equal(box->loaded_status, CAIRN_NOT_FOUND);
    wal_box_load(box, 1, 11, 12, 1000);
    assert_true(box->loaded_count == 2 && box->loaded_right);
    wal_box_free(box);
}

static void released_segments_are_recycled_and_nothing_old_comes_back(void **state) {
    struct wal_box *box = opened(7);
    struct wal_stats stats;
    for (int round = 0; round < 100; round++) {
        wal_box_append(box, 1, 1, 3, 3000);
        wal_box_sync(box);
        if (round % 10 == 9)
            wal_release(box->wal, 1, box->asked[1].last - 4);
        fake_env_run(box->fake);
        wal_stats(box->wal, &stats);
        assert_true(stats.segments <= 4);
    }
    size_t files = 0;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        files += box->fake->files[i].path != NULL;
    assert_true(files <= 8);
    reopen(box);
    assert_true(wal_box_sound(box));
    for (uint64_t i = box->asked[1].last - 3; i <= box->asked[1].last; i++)
        assert_int_equal(box->recovered[1].term[i], 1);
    wal_box_free(box);
}

static void the_oldest_segment_names_who_pins_it(void **state) {
    struct wal_box *box = opened(8);
    uint64_t group = 0, index = 0;
    wal_box_append(box, 2, 1, 2, 100);
    for (int i = 0; i < 20; i++) {
        wal_box_append(box, 1, 1, 1, 9000);
        wal_box_sync(box);
    }
    wal_release(box->wal, 1, 20);
    assert_true(wal_oldest_need(box->wal, &group, &index));
    assert_true(group == 2 && index == 2);
    wal_release(box->wal, 2, 2);
    assert_false(wal_oldest_need(box->wal, &group, &index));
    wal_box_free(box);
}

static void a_full_disk_refuses_writes_and_the_log_goes_on_when_space_returns(void **state) {
    struct wal_box *box = opened(9);
    wal_box_hard(box, 1, 1);
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    fake_env_run(box->fake);
    box->fake->space = 0;
    while (box->failed == 0) {
        wal_box_append(box, 1, 1, 1, 20000);
        wal_box_sync(box);
    }
    assert_int_equal(box->last_status, CAIRN_NO_SPACE);
    uint64_t kept = box->acked[1].last, failed = box->failed;
    struct wal_stats stats;
    wal_stats(box->wal, &stats);
    assert_true(stats.full && !stats.failed);
    /* An election still finds room for its vote. */
    wal_box_hard(box, 1, 2);
    wal_box_sync(box);
    assert_int_equal(box->failed, failed);
    box->fake->space = -1;
    wal_box_append(box, 1, 2, 2, 100);
    wal_box_sync(box);
    assert_int_equal(box->failed, failed);
    reopen(box);
    assert_true(wal_box_sound(box));
    assert_null(wal_box_check(box));
    assert_int_equal(box->recovered[1].last, kept + 2);
    wal_box_free(box);
}

/* A log of four blocks kept back on a disk that is full, with no room left but these. */
static struct wal_box *filled(uint64_t seed) {
    struct wal_box *box = wal_box_new(seed);
    box->options.kept_bytes = 4 * ENV_DISK_ALIGN;
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    wal_box_hard(box, 1, 1);
    wal_box_sync(box);
    box->fake->space = 0;
    while (box->failed == 0) {
        wal_box_append(box, 1, 1, 1, 100);
        wal_box_sync(box);
    }
    assert_true(wal_full(box->wal));
    assert_int_equal(box->last_status, CAIRN_NO_SPACE);
    return box;
}

static bool written(struct wal_box *box, uint64_t group, enum room room) {
    uint64_t failed = box->failed;
    box->room = room;
    wal_box_append(box, group, 2, 1, 100);
    wal_box_sync(box);
    return box->failed == failed;
}

static void what_is_kept_back_is_there_for_those_that_need_it(void **state) {
    struct wal_box *box = filled(30);
    assert_true(written(box, 2, ROOM_HALF) && written(box, 2, ROOM_HALF));
    assert_false(written(box, 2, ROOM_HALF));
    assert_false(written(box, 1, ROOM_COMMON));
    assert_true(written(box, 2, ROOM_ALL));
    assert_true(wal_full(box->wal)); /* for all others it still is */
    reopen(box);                     /* which needs no space */
    assert_true(wal_box_sound(box));
    assert_null(wal_box_check(box));
    wal_box_adopt(box);
    assert_true(written(box, 2, ROOM_ALL));
    assert_true(wal_full(box->wal));
    assert_false(written(box, 2, ROOM_ALL)); /* none is left */
    box->fake->space = -1;
    fake_env_sleep(box->fake, 1000000000);
    assert_false(wal_full(box->wal)); /* it has looked by itself */
    assert_true(written(box, 1, ROOM_COMMON));
    wal_box_free(box);
}

static void what_is_kept_back_does_not_wait_behind_others(void **state) {
    struct wal_box *box = filled(31);
    uint64_t failed = box->failed, done = box->done;
    box->room = ROOM_ALL;
    wal_box_append(box, 2, 2, 1, 100);
    box->room = ROOM_COMMON;
    wal_box_append(box, 1, 2, 1, 100);
    box->room = ROOM_ALL;
    wal_box_append(box, 0, 2, 1, 100);
    wal_box_sync(box);
    assert_int_equal(box->failed, failed + 1);
    assert_int_equal(box->done, done + 3);
    wal_box_free(box);
}

static void a_released_segment_gives_a_full_log_room_again(void **state) {
    struct wal_box *box = filled(32);
    struct wal_stats stats;
    wal_stats(box->wal, &stats);
    assert_true(stats.room_bytes == box->options.kept_bytes && stats.segments > 1);
    wal_release(box->wal, 1, box->acked[1].last);
    fake_env_run(box->fake);
    assert_false(wal_full(box->wal));
    assert_true(written(box, 1, ROOM_COMMON));
    wal_box_free(box);
}

/* Says nothing of the disk: what waits for a new segment goes on waiting, and is not refused. */
static void a_shortage_of_descriptors_only_delays(void **state) {
    struct wal_box *box = opened(9);
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    box->fake->exhausted = true;
    for (int i = 0; i < 20; i++)
        wal_box_append(box, 1, 1, 1, 20000);
    wal_box_sync(box);
    fake_env_sleep(box->fake, 3000000000u);
    struct wal_stats stats;
    wal_stats(box->wal, &stats);
    assert_true(box->failed == 0 && box->done < 21 && !stats.failed && !stats.full);
    assert_true(wal_stalled_since(box->wal) > 0); /* a leader hands over, as from a slow disk */
    box->fake->exhausted = false;
    for (int i = 0; i < 20; i++)
        fake_env_sleep(box->fake, 100000000u);
    assert_true(box->done == 21 && box->failed == 0);
    wal_box_append(box, 1, 1, 1, 20000);
    wal_box_sync(box);
    reopen(box);
    assert_null(wal_box_check(box));
    assert_int_equal(box->recovered[1].last, 22);
    wal_box_free(box);
}

static void a_log_that_waits_for_descriptors_can_be_closed(void **state) {
    struct wal_box *box = opened(9);
    box->fake->exhausted = true;
    for (int i = 0; i < 20; i++)
        wal_box_append(box, 1, 1, 1, 20000);
    wal_box_sync(box);
    uint64_t done = box->acked[1].last;
    box->fake->exhausted = false;
    reopen(box);
    assert_true(box->recovered[1].last >= done);
    wal_box_free(box);
}

static void after_a_failed_write_everything_later_fails(void **state) {
    struct wal_box *box = opened(10);
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    box->fake->error_after = 0;
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    wal_box_append(box, 2, 1, 1, 20);
    assert_int_equal(box->done, 2);
    wal_box_sync(box);
    assert_int_equal(box->failed, 2);
    assert_int_equal(box->last_status, CAIRN_IO);
    wal_box_crash(box);
    reopen(box);
    assert_int_equal(box->recovered[1].term[1], 1);
    wal_box_free(box);
}

static void a_failed_sync_of_the_buffered_fallback_fails_for_good(void **state) {
    struct wal_box *box = wal_box_new(11);
    box->fake->direct_refused = true;
    assert_int_equal(wal_box_open(box), CAIRN_OK);
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    assert_int_equal(box->failed, 0);
    box->fake->sync_fails = true;
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    box->fake->sync_fails = false;
    wal_box_append(box, 1, 1, 1, 20);
    wal_box_sync(box);
    assert_int_equal(box->failed, 2);
    wal_box_free(box);
}

/* Where the slots of the first group lie in log.hard: two side by side, one in the mirror. */
static const size_t slot_at[] = {2 * ENV_DISK_ALIGN, 3 * ENV_DISK_ALIGN, 256 * ENV_DISK_ALIGN};

static struct wal_box *voted(uint64_t seed) {
    struct wal_box *box = opened(seed);
    for (uint64_t vote = 1; vote < 6; vote++) {
        wal_box_hard(box, 1, vote);
        wal_box_sync(box);
    }
    wal_box_close(box);
    return box;
}

static void all_slots_of_the_hard_state_say_the_same_so_any_two_may_be_lost(void **state) {
    for (size_t left = 0; left < 3; left++) {
        struct wal_box *box = voted(12);
        for (size_t slot = 0; slot < 3; slot++)
            if (slot != left)
                fake_env_flip(fake_env_file(box->fake, BOX_FOLDER "/log.hard"), slot_at[slot] + 50,
                              4);
        reopen(box);
        assert_false(box->recovered[1].hard_lost);
        assert_int_equal(box->recovered[1].hard, 5);
        wal_box_free(box);
    }
}

static void wipe(struct fake_file *file, size_t bytes) {
    memset(file->seen, 0, bytes);
    memset(file->durable, 0, bytes);
}

static void what_lies_side_by_side_may_be_lost_together(void **state) {
    struct wal_box *box = voted(13);
    struct fake_file *file = fake_env_file(box->fake, BOX_FOLDER "/log.hard");
    wipe(file, 6 * ENV_DISK_ALIGN); /* directories and slots of the first groups */
    reopen(box);
    assert_int_equal(box->recovered[1].hard, 5);
    reopen(box);
    assert_int_equal(box->recovered[1].hard, 5);
    wal_box_free(box);
}

static void with_all_slots_bad_the_hard_state_is_lost_and_named(void **state) {
    struct wal_box *box = opened(13);
    wal_box_hard(box, 2, 9);
    wal_box_sync(box);
    wal_box_close(box);
    struct fake_file *file = fake_env_file(box->fake, BOX_FOLDER "/log.hard");
    for (size_t slot = 0; slot < 3; slot++)
        fake_env_flip(file, slot_at[slot] + 3, 1);
    reopen(box);
    assert_true(box->recovered[2].hard_lost);
    assert_false(box->recovered[1].hard_lost);
    wal_box_free(box);
}

static void without_its_file_every_hard_state_is_lost(void **state) {
    for (int whole = 0; whole < 2; whole++) {
        struct wal_box *box = voted(14);
        struct fake_file *file = fake_env_file(box->fake, BOX_FOLDER "/log.hard");
        if (whole)
            assert_int_equal(env_remove(&box->fake->env, BOX_FOLDER "/log.hard"), CAIRN_OK);
        else
            wipe(file, file->size);
        reopen(box);
        assert_true(box->every_hard_lost);
        assert_int_equal(box->recovered[1].hard, 0);
        wal_box_free(box);
    }
    struct wal_box *box = opened(15); /* a log without any hard state yet has lost nothing */
    wal_box_close(box);
    reopen(box);
    assert_false(box->every_hard_lost);
    wal_box_free(box);
}

static void inspection_verifies_and_says_what_is_there(void **state) {
    struct wal_box *box = opened(14);
    wal_box_append(box, 1, 1, 3, 100);
    wal_box_sync(box);
    wal_box_append(box, 1, 1, 3, 100);
    wal_box_sync(box);
    wal_box_close(box);
    char text[4000] = {0};
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_int_equal(wal_inspect(&box->fake->env, BOX_FOLDER, true, out), CAIRN_OK);
    fflush(out);
    assert_non_null(strstr(text, "entries 1..3"));
    fake_env_flip(fake_env_file(box->fake, BOX_FOLDER "/log-0000000000000001.seg"), 200, 1);
    rewind(out);
    assert_int_equal(wal_inspect(&box->fake->env, BOX_FOLDER, false, out), CAIRN_CORRUPT);
    fclose(out);
    wal_box_free(box);
}

static void the_past_of_an_open_log_is_read_beside_it_without_what_was_truncated(void **state) {
    struct wal_box *box = opened(15);
    struct wal_past past;
    for (int i = 0; i < 30; i++) { /* over several segments, another group's between */
        wal_box_append(box, 1, 1, 3, 2000);
        wal_box_append(box, 2, 1, 3, 2000);
        wal_box_sync(box);
    }
    wal_box_replace(box, 1, 81, 2, 4);
    wal_box_sync(box);
    uint64_t writes = box->fake->writes;
    assert_int_equal(wal_past_read(&box->fake->env, BOX_FOLDER, 1, &past), CAIRN_OK);
    assert_int_equal(past.count, 84);
    for (size_t i = 0; i < past.count; i++) {
        assert_int_equal(past.entries[i].index, i + 1);
        assert_int_equal(past.entries[i].term, i < 80 ? 1 : 2);
        assert_true(i == 0 || entry_chain_holds(&past.entries[i], past.entries[i - 1].chain));
    }
    wal_past_free(&past);
    assert_int_equal(box->fake->writes, writes);
    wal_box_free(box);
}

static void the_past_begins_behind_a_reset(void **state) {
    struct wal_box *box = opened(16);
    struct wal_past past;
    wal_box_append(box, 1, 1, 3, 100);
    wal_box_reset(box, 1, 50);
    wal_box_append(box, 1, 2, 2, 100);
    wal_box_sync(box);
    assert_int_equal(wal_past_read(&box->fake->env, BOX_FOLDER, 1, &past), CAIRN_OK);
    assert_true(past.count == 2 && past.entries[0].index == 51);
    wal_past_free(&past);
    assert_int_equal(wal_past_read(&box->fake->env, BOX_FOLDER, 2, &past), CAIRN_OK);
    assert_int_equal(past.count, 0);
    assert_int_equal(wal_past_read(&box->fake->env, "elsewhere", 1, &past), CAIRN_NOT_FOUND);
    wal_box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_there_after_a_restart),
        cmocka_unit_test(writes_of_one_flush_share_one_disk_write_and_the_next_gather_meanwhile),
        cmocka_unit_test(a_truncation_alone_survives_a_restart),
        cmocka_unit_test(a_reset_starts_the_log_anew_behind_its_index),
        cmocka_unit_test(a_batch_larger_than_a_segment_gets_one_of_its_own),
        cmocka_unit_test(loads_give_what_was_written_within_the_limit_of_bytes),
        cmocka_unit_test(released_segments_are_recycled_and_nothing_old_comes_back),
        cmocka_unit_test(the_oldest_segment_names_who_pins_it),
        cmocka_unit_test(a_full_disk_refuses_writes_and_the_log_goes_on_when_space_returns),
        cmocka_unit_test(what_is_kept_back_is_there_for_those_that_need_it),
        cmocka_unit_test(what_is_kept_back_does_not_wait_behind_others),
        cmocka_unit_test(a_released_segment_gives_a_full_log_room_again),
        cmocka_unit_test(a_shortage_of_descriptors_only_delays),
        cmocka_unit_test(a_log_that_waits_for_descriptors_can_be_closed),
        cmocka_unit_test(after_a_failed_write_everything_later_fails),
        cmocka_unit_test(a_failed_sync_of_the_buffered_fallback_fails_for_good),
        cmocka_unit_test(all_slots_of_the_hard_state_say_the_same_so_any_two_may_be_lost),
        cmocka_unit_test(what_lies_side_by_side_may_be_lost_together),
        cmocka_unit_test(without_its_file_every_hard_state_is_lost),
        cmocka_unit_test(with_all_slots_bad_the_hard_state_is_lost_and_named),
        cmocka_unit_test(inspection_verifies_and_says_what_is_there),
        cmocka_unit_test(the_past_of_an_open_log_is_read_beside_it_without_what_was_truncated),
        cmocka_unit_test(the_past_begins_behind_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
