/* A small world for tests of storage: a disk in memory, a clock, timers and work queues that move
 * only when the test says so.
 *
 * Every file has what a program sees and what would survive a crash, sector by sector; names too.
 * Durable direct writes reach both at once, unless a crash is armed in the middle of one.
 */
#ifndef CAIRN_TESTS_FAKE_ENV_H
#define CAIRN_TESTS_FAKE_ENV_H

#include "base/prng.h"
#include "env/env.h"

#define FAKE_SECTOR 512u
#define FAKE_FILES_MAX 128u
#define FAKE_TIMERS_MAX 16u

struct fake_file {
    char *path;         /* as seen; NULL: no such name */
    char *durable_path; /* as it survives a crash */
    uint8_t *seen;
    uint8_t *durable;
    size_t size;
    size_t durable_size;
    size_t written_from, written_to; /* since the last sync */
    uint8_t *unread;                 /* a flag a sector: reading it fails */
    size_t unread_len;
    unsigned handles;
    bool used;
};

struct fake_env {
    struct env env;
    uint64_t now;
    struct prng prng;
    bool direct_refused; /* the file system knows no direct writes */
    struct fake_file files[FAKE_FILES_MAX];
    struct list queues[ENV_QUEUE_COUNT];
    struct list done;
    struct list handles;
    struct env_timer *timers[FAKE_TIMERS_MAX];
    uint64_t order;
    /* Faults. Counters count writes (all files) down: at 0 the fault strikes. -1: never. */
    int64_t crash_after; /* this write reaches the disk in part and nothing works after it */
    int64_t error_after; /* this write fails with IO */
    int64_t space;       /* bytes that may still be written to new ground; -1: no limit */
    bool sync_fails;
    bool exhausted; /* no descriptors: nothing is opened */
    bool crashed;
    uint64_t writes;
};

struct fake_env *fake_env_new(uint64_t seed);
void fake_env_free(struct fake_env *fake);
/* Runs work, completions and due timers until nothing is left; does not move the clock. */
void fake_env_run(struct fake_env *fake);
/* Moves the clock and runs. */
void fake_env_sleep(struct fake_env *fake, uint64_t ns);
/* Power loss: of what was not durable any subset of sectors stays; queues and timers are gone, all
 * handles closed, faults cleared. What was built on this env must be dropped by the test. */
void fake_env_crash(struct fake_env *fake);
/* As seen; NULL: none. For bit flips and for reading images. */
struct fake_file *fake_env_file(struct fake_env *fake, const char *path);
/* Flips bits of a byte, seen and durable. */
void fake_env_flip(struct fake_file *file, size_t offset, uint8_t bits);
void fake_env_unreadable(struct fake_file *file, size_t offset);
/* Puts a file there, durable. */
void fake_env_put(struct fake_env *fake, const char *path, struct bytes bytes);
/* A copy of all durable files, with a fresh clock and no faults. */
struct fake_env *fake_env_copy(const struct fake_env *fake);

#endif
