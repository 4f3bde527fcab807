/* A write-ahead log on a fake env, with what was asked of it, what it acknowledged and what a
 * restart found, for a few small groups.
 */
#ifndef CAIRN_TESTS_WAL_BOX_H
#define CAIRN_TESTS_WAL_BOX_H

#include "fake_env.h"
#include "storage/wal.h"

#define BOX_GROUPS 3u
#define BOX_INDEX_MAX 1024u
#define BOX_SEGMENT_BYTES 65536u
#define BOX_FOLDER "log"

/* A group's log: the terms stand for the entries. */
struct box_log {
    uint64_t base;
    uint64_t last;
    uint64_t given;               /* the last entry that recovery gave */
    uint64_t term[BOX_INDEX_MAX]; /* 0: no entry */
    uint64_t chain[BOX_INDEX_MAX];
    bool damaged[BOX_INDEX_MAX];
    bool open; /* damage of unknown extent, told by recovery */
    bool hard_lost;
    uint64_t hard;
    uint64_t released; /* told by recovery: all up to here, and nothing is left */
};

struct wal_box {
    struct fake_env *fake;
    struct wal *wal;
    struct wal_options options;
    enum room room;                           /* of the writes to come */
    struct box_log asked[BOX_GROUPS];         /* with everything that was written applied */
    struct box_log acked[BOX_GROUPS];         /* as of the last acknowledged write */
    struct box_log recovered[BOX_GROUPS + 1]; /* by the last open; the last: any other group */
    bool every_hard_lost;                     /* likewise */
    struct {
        uint64_t seq;
        struct box_log log;
    } pending[BOX_GROUPS][64];
    size_t pending_count[BOX_GROUPS];
    /* Hard states that were refused may have become durable nevertheless. */
    uint64_t refused_hard[BOX_GROUPS][1000];
    size_t refused_count[BOX_GROUPS];
    uint64_t seq;
    uint64_t done;
    uint64_t failed;
    enum cairn_status last_status;
    /* The last load. */
    enum cairn_status loaded_status;
    uint64_t loaded_first;
    uint64_t loaded_count; /* without OK: of the entries that can't be read */
    bool loaded_right;     /* every entry is as asked */
};

struct wal_box *wal_box_new(uint64_t seed);
void wal_box_free(struct wal_box *box);
enum cairn_status wal_box_open(struct wal_box *box);
void wal_box_close(struct wal_box *box);
/* Power loss, then drops the log. */
void wal_box_crash(struct wal_box *box);

/* Appends count entries of the term behind the group's last; payload bytes each. */
void wal_box_append(struct wal_box *box, uint64_t group, uint64_t term, size_t count,
                    size_t payload);
void wal_box_truncate(struct wal_box *box, uint64_t group, uint64_t from);
/* Truncates and appends in one write. */
void wal_box_replace(struct wal_box *box, uint64_t group, uint64_t from, uint64_t term,
                     size_t count);
void wal_box_reset(struct wal_box *box, uint64_t group, uint64_t index);
void wal_box_hard(struct wal_box *box, uint64_t group, uint64_t hard);
/* Writes the asked entries first..last anew, as a repair. */
void wal_box_repair(struct wal_box *box, uint64_t group, uint64_t first, uint64_t last, bool whole);
/* Flushes and runs the world. */
void wal_box_sync(struct wal_box *box);
void wal_box_load(struct wal_box *box, uint64_t group, uint64_t first, uint64_t last,
                  size_t bytes_max);

/* What recovery found is what was acknowledged, possibly with later asked writes on top, and with
 * holes only where it reports damage. Returns NULL or what is wrong. */
const char *wal_box_check(const struct wal_box *box);
/* Recovery reported nothing damaged. */
bool wal_box_sound(const struct wal_box *box);
/* Makes the asked and the acknowledged state what recovery found. */
void wal_box_adopt(struct wal_box *box);

#endif
