#include "fake_env.h"
#include "storage/identity.h"
#include "storage/snapshot.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "snap"

static struct snapshot_meta meta_at(uint64_t index) {
    return (struct snapshot_meta){.group = 3,
                                  .index = index,
                                  .term = 7,
                                  .chain = index * 31,
                                  .digest = 99,
                                  .protocol = BYTES("members")};
}

static uint64_t write_snapshot(struct fake_env *fake, uint64_t index, size_t chunks) {
    struct snapshot_meta meta = meta_at(index);
    struct snapshot_writer *writer;
    uint8_t bytes[3000];
    uint64_t size;
    assert_int_equal(snapshot_writer_open(&fake->env, FOLDER, &meta, &writer), CAIRN_OK);
    for (size_t i = 0; i < chunks; i++) {
        for (size_t at = 0; at < sizeof bytes; at++)
            bytes[at] = (uint8_t)(at * at % (i + 2));
        assert_int_equal(
            snapshot_writer_chunk(writer, (uint32_t)i % 2, 1, bytes_of(bytes, sizeof bytes - i)),
            CAIRN_OK);
    }
    assert_int_equal(snapshot_writer_finish(writer, &size), CAIRN_OK);
    return size;
}

/* How many chunks it has, or -1 when it is not whole. */
static int count_chunks(struct snapshot_reader *reader) {
    bool end = false;
    for (int count = 0;; count++) {
        uint32_t section, version;
        struct bytes bytes;
        if (snapshot_reader_chunk(reader, &section, &version, &bytes, &end) != CAIRN_OK)
            return -1;
        if (end)
            return count;
        assert_int_equal(bytes.len, 3000 - count);
    }
}

static void what_is_written_reads_back(void **state) {
    struct fake_env *fake = fake_env_new(1);
    uint64_t size = write_snapshot(fake, 50, 6);
    struct snapshot_reader *reader;
    assert_int_equal(snapshot_reader_open(&fake->env, FOLDER, 3, 0, &reader), CAIRN_OK);
    struct snapshot_meta meta;
    snapshot_reader_meta(reader, &meta);
    assert_true(meta.index == 50 && meta.term == 7 && meta.digest == 99);
    assert_true(bytes_equal(meta.protocol, BYTES("members")));
    assert_true(snapshot_reader_size(reader) == size);
    assert_int_equal(count_chunks(reader), 6);
    snapshot_reader_close(reader);
    assert_int_equal(snapshot_reader_open(&fake->env, FOLDER, 4, 0, &reader), CAIRN_NOT_FOUND);
    fake_env_free(fake);
}

static void every_damaged_byte_is_noticed(void **state) {
    struct fake_env *fake = fake_env_new(2);
    size_t size = (size_t)write_snapshot(fake, 9, 4);
    char path[100];
    snprintf(path, sizeof path, FOLDER "/snap-%016x-%016x.snap", 3, 9);
    struct fake_file *file = fake_env_file(fake, path);
    assert_non_null(file);
    for (size_t at = 0; at < size; at++) {
        struct snapshot_reader *reader;
        fake_env_flip(file, at, 16);
        assert_int_not_equal(snapshot_reader_open(&fake->env, FOLDER, 3, 0, &reader), CAIRN_OK);
        fake_env_flip(file, at, 16);
    }
    fake_env_free(fake);
}

static void the_newest_whole_one_is_chosen(void **state) {
    struct fake_env *fake = fake_env_new(3);
    write_snapshot(fake, 5, 2);
    write_snapshot(fake, 8, 2);
    char path[100];
    snprintf(path, sizeof path, FOLDER "/snap-%016x-%016x.snap", 3, 8);
    fake_env_flip(fake_env_file(fake, path), 300, 1);
    struct snapshot_reader *reader;
    assert_int_equal(snapshot_reader_open(&fake->env, FOLDER, 3, 0, &reader), CAIRN_OK);
    struct snapshot_meta meta;
    snapshot_reader_meta(reader, &meta);
    assert_int_equal(meta.index, 5);
    snapshot_reader_close(reader);
    fake_env_free(fake);
}

static void a_crash_at_any_write_leaves_the_old_one_or_the_new_one_whole(void **state) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fake_env *fake = fake_env_new(seed);
        write_snapshot(fake, 5, 2);
        struct snapshot_meta meta = meta_at(6);
        struct snapshot_writer *writer;
        assert_int_equal(snapshot_writer_open(&fake->env, FOLDER, &meta, &writer), CAIRN_OK);
        snapshot_writer_chunk(writer, 1, 1, BYTES("hello"));
        uint64_t size;
        fake->crash_after = seed % 3 ? 0 : -1;
        bool finished = seed % 2 && snapshot_writer_finish(writer, &size) == CAIRN_OK;
        if (seed % 2 == 0)
            snapshot_writer_abort(writer);
        fake_env_crash(fake);
        struct snapshot_reader *reader;
        assert_int_equal(snapshot_reader_open(&fake->env, FOLDER, 3, 0, &reader), CAIRN_OK);
        snapshot_reader_meta(reader, &meta);
        assert_true(meta.index == 6 || !finished);
        snapshot_reader_close(reader);
        fake_env_free(fake);
    }
}

static struct buf raw_bytes(struct fake_env *fake, uint64_t index) {
    struct snapshot_reader *reader;
    assert_int_equal(snapshot_reader_open(&fake->env, FOLDER, 3, index, &reader), CAIRN_OK);
    struct buf raw = {0};
    size_t size = (size_t)snapshot_reader_size(reader);
    assert_int_equal(snapshot_reader_raw(reader, 0, buf_reserve(&raw, size), size), CAIRN_OK);
    raw.len = size;
    snapshot_reader_close(reader);
    return raw;
}

static void a_receiver_goes_on_where_it_stopped(void **state) {
    struct fake_env *from = fake_env_new(4), *to = fake_env_new(5);
    write_snapshot(from, 20, 10);
    struct buf raw = raw_bytes(from, 20);
    struct snapshot_receiver *receiver;
    uint64_t have;
    assert_int_equal(
        snapshot_receiver_open(&to->env, FOLDER, 3, 20, 7, raw.len, 1, &receiver, &have), CAIRN_OK);
    assert_int_equal(have, 0);
    assert_int_equal(snapshot_receiver_write(receiver, 0, bytes_of(raw.data, 700)), CAIRN_OK);
    assert_int_equal(snapshot_receiver_write(receiver, 500, bytes_of(raw.data, 10)), CAIRN_INVALID);
    snapshot_receiver_close(receiver);
    assert_int_equal(
        snapshot_receiver_open(&to->env, FOLDER, 3, 20, 7, raw.len, 1, &receiver, &have), CAIRN_OK);
    assert_int_equal(have, 700);
    assert_int_equal(
        snapshot_receiver_write(receiver, have, bytes_of(raw.data + have, raw.len - have)),
        CAIRN_OK);
    assert_int_equal(snapshot_receiver_finish(receiver), CAIRN_OK);
    struct snapshot_reader *reader;
    assert_int_equal(snapshot_reader_open(&to->env, FOLDER, 3, 20, &reader), CAIRN_OK);
    assert_int_equal(count_chunks(reader), 10);
    snapshot_reader_close(reader);
    /* Announced by another source, it starts anew. */
    assert_int_equal(snapshot_receiver_open(&to->env, FOLDER, 3, 21, 7, 100, 2, &receiver, &have),
                     CAIRN_OK);
    snapshot_receiver_close(receiver);
    snapshot_remove_old(&to->env, FOLDER, 3, 1);
    buf_free(&raw);
    fake_env_free(from);
    fake_env_free(to);
}

static void a_damaged_or_mislabelled_transfer_is_refused_and_leaves_nothing(void **state) {
    struct fake_env *from = fake_env_new(6), *to = fake_env_new(7);
    write_snapshot(from, 20, 3);
    struct buf raw = raw_bytes(from, 20);
    for (unsigned round = 0; round < 3; round++) {
        struct snapshot_receiver *receiver;
        struct snapshot_reader *reader;
        uint64_t have, term = round == 1 ? 8 : 7;
        assert_int_equal(
            snapshot_receiver_open(&to->env, FOLDER, 3, 20, term, raw.len, 1, &receiver, &have),
            CAIRN_OK);
        assert_int_equal(have, 0);
        raw.data[200] ^= round == 0;
        size_t len = raw.len - (round == 2);
        assert_int_equal(snapshot_receiver_write(receiver, 0, bytes_of(raw.data, len)), CAIRN_OK);
        raw.data[200] ^= round == 0;
        assert_int_equal(snapshot_receiver_finish(receiver), CAIRN_CORRUPT);
        assert_int_equal(snapshot_reader_open(&to->env, FOLDER, 3, 0, &reader), CAIRN_NOT_FOUND);
    }
    buf_free(&raw);
    fake_env_free(from);
    fake_env_free(to);
}

static void old_snapshots_and_stale_parts_are_removed(void **state) {
    struct fake_env *fake = fake_env_new(8);
    for (uint64_t index = 1; index <= 4; index++)
        write_snapshot(fake, index, 1);
    fake_env_put(fake, FOLDER "/snap-0000000000000003-0000000000000002.part", BYTES("x"));
    snapshot_remove_old(&fake->env, FOLDER, 3, 2);
    size_t left = 0;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        left += fake->files[i].path != NULL;
    assert_int_equal(left, 2);
    fake_env_free(fake);
}

static void an_identity_is_kept_checked_and_its_folder_locked(void **state) {
    struct fake_env *fake = fake_env_new(9);
    struct identity mine = {1, 2, 3, 4}, found;
    mine.founding = true;
    for (uint64_t id = 1; id <= CONFIG_MEMBERS_MAX; id++) {
        struct member founder = {.id = id, .voter = true};
        memset(founder.address, 'a', CONFIG_ADDRESS_MAX - 1); /* as long as it may be */
        assert_int_equal(config_add(&mine.founders, &founder), CAIRN_OK);
        assert_true(folders_put(&mine.met, id, 1000 + id));
    }
    assert_false(folders_put(&mine.met, CONFIG_MEMBERS_MAX + 1, 1));
    struct env_file *lock, *second;
    assert_int_equal(identity_load(&fake->env, "d", &found, &lock), CAIRN_NOT_FOUND);
    assert_int_equal(identity_store(&fake->env, "d", &mine), CAIRN_OK);
    assert_int_equal(identity_load(&fake->env, "d", &found, &second), CAIRN_BUSY);
    assert_int_equal(identity_load(&fake->env, "d", &found, NULL), CAIRN_OK);
    assert_memory_equal(&mine, &found, sizeof mine);
    fake_env_crash(fake);
    assert_int_equal(identity_load(&fake->env, "d", &found, NULL), CAIRN_OK);
    fake_env_flip(fake_env_file(fake, "d/identity"), 30, 1);
    assert_int_equal(identity_load(&fake->env, "d", &found, NULL), CAIRN_CORRUPT);
    fake_env_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_damaged_byte_is_noticed),
        cmocka_unit_test(the_newest_whole_one_is_chosen),
        cmocka_unit_test(a_crash_at_any_write_leaves_the_old_one_or_the_new_one_whole),
        cmocka_unit_test(a_receiver_goes_on_where_it_stopped),
        cmocka_unit_test(a_damaged_or_mislabelled_transfer_is_refused_and_leaves_nothing),
        cmocka_unit_test(old_snapshots_and_stale_parts_are_removed),
        cmocka_unit_test(an_identity_is_kept_checked_and_its_folder_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
