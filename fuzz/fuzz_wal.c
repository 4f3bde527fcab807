/* Recovery of whatever a disk may hold. The first byte says where the rest goes: a segment, the
 * hard states or the control page; and whether checksums are taken on trust, so that what lies
 * behind them is reached too.
 */
#include "fake_env.h"
#include "storage/wal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_hard(void *context, uint64_t group, struct bytes hard) {
    cairn_assert(hard.len <= WAL_HARD_BYTES_MAX);
}

static void on_entry(void *context, uint64_t group, const struct entry *entry, bool repaired) {
    *(uint64_t *)context = entry->index;
}

static void on_reset(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain) {
}

static void on_released(void *context, uint64_t group, uint64_t index) {
    cairn_assert(index > 0);
}

static void on_damage(void *context, uint64_t group, uint64_t first, uint64_t last) {
    cairn_assert(first <= last);
}

static void on_hard_lost(void *context, uint64_t group) {}

static void on_done(void *context, uint64_t group, uint64_t seq, enum cairn_status status) {}

static void on_loaded(void *context, uint64_t tag, enum cairn_status status, uint64_t first,
                      const struct entry *entries, size_t count) {}

static struct wal *open_log(struct fake_env *fake, bool trust, uint64_t *last) {
    struct wal_options options = {.segment_bytes = 65536,
                                  .batch_bytes_max = 32768,
                                  .spare_segments = 1,
                                  .mutant = trust ? MUTANT_WAL_NO_CHECKSUM : MUTANT_NONE,
                                  .done = on_done};
    struct wal_recovery recovery = {last,        on_hard,   on_entry,    on_reset,
                                    on_released, on_damage, on_hard_lost};
    struct wal *wal = NULL;
    char error[200];
    wal_open(&fake->env, "log", &options, &recovery, &wal, error, sizeof error);
    return wal;
}

static void write_some(struct wal *wal) {
    uint64_t chain = 0;
    for (uint64_t i = 1; i <= 6; i++) {
        struct entry entry = {.index = (i + 1) / 2, .term = 1, .kind = ENTRY_COMMAND};
        struct blob *blob = blob_new(entry_size(20));
        entry_encode(&entry, blob->data, BYTES("01234567890123456789"), chain);
        entry.blob = blob;
        chain = entry.chain;
        wal_write(
            wal,
            &(struct wal_write){
                .group = i % 2, .seq = i, .hard = BYTES("hard"), .entries = &entry, .count = 1});
        blob_unref(blob);
        wal_flush(wal);
    }
}

/* The log that every run damages: written once. */
static struct fake_env *sound_log(void) {
    static struct fake_env *sound;
    uint64_t last = 0;
    if (sound != NULL)
        return sound;
    sound = fake_env_new(1);
    struct wal *wal = open_log(sound, false, &last);
    write_some(wal);
    fake_env_run(sound);
    wal_close(wal);
    fake_env_run(sound);
    return sound;
}

/* Files are a megabyte and more: what is freed is used again, not mapped anew for every run. */
const char *__asan_default_options(void);

const char *__asan_default_options(void) {
    return "quarantine_size_mb=8:allocator_release_to_os_interval_ms=-1";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"log/log-0000000000000001.seg", "log/log.hard",
                                        "log/log.control"};
    if (size < 3)
        return 0;
    struct fake_env *fake = fake_env_copy(sound_log());
    uint64_t last = 0;
    /* Laid over a sound log, so that short inputs matter. */
    struct fake_file *file = fake_env_file(fake, paths[data[0] % 3]);
    size_t offset = (size_t)data[1] * 64;
    for (size_t i = 2; i < size && offset + i - 2 < file->durable_size; i++)
        fake_env_flip(file, offset + i - 2, data[i]);
    struct wal *wal = open_log(fake, data[0] & 128, &last);
    if (wal) {
        wal_load(wal, 1, 1, 100, 100000, 0, on_loaded, NULL);
        fake_env_run(fake);
        wal_drop(wal);
    }
    fake_env_crash(fake);
    FILE *out = fopen("/dev/null", "w");
    wal_inspect(&fake->env, "log", true, out);
    fclose(out);
    fake_env_free(fake);
    return 0;
}
