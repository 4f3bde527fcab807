/* What the files of the write-ahead log share. All state belongs to the loop thread; a job that
 * runs beside the loop touches only itself, the files and the bytes that it was given.
 *
 * wal.c          queue, flush, completion
 * wal_batch.c    the job that writes one batch
 * wal_segment.c  segments: names, preparation, recycling
 * wal_control.c  the control page: run, evidence of what is durable
 * wal_hard.c     hard states in three slots
 * wal_scan.c     walking the batches of a segment
 * wal_recover.c  opening a log: what is there, what is damaged
 * wal_replay.c   opening a log: telling the owner
 * wal_read.c     loading entries back
 * wal_past.c     all entries of a group, of a log that is in use elsewhere
 */
#ifndef CAIRN_STORAGE_WAL_INTERNAL_H
#define CAIRN_STORAGE_WAL_INTERNAL_H

#include "storage/wal.h"
#include "storage/wal_format.h"
#include "storage/wal_index.h"

#define WAL_PATH_MAX 4096u
/* A buffer that grew beyond this is given back after use. */
#define WAL_BUFFER_KEEP (4u << 20)
/* Extents that lie side by side in one segment are read together: one write made each, but a log
 * that is read back is read a megabyte at a time. */
#define WAL_SPAN_BYTES_MAX (1u << 20)
/* How long nothing must be written until the control page notes what is durable. */
#define WAL_MARK_AFTER_NS 100000000ull

/* A queued wal_write. */
struct wal_item {
    struct list link;
    struct wal_group *group;
    uint64_t seq;
    enum cairn_status status;
    bool log; /* has a section */
    enum room room;
    bool own;        /* the log's: the owner does not hear of it */
    bool failing;    /* counted in group->failing */
    struct buf hard; /* empty: none */
    uint64_t hard_seq;
    uint64_t release; /* that the slots tell */
    struct wal_section section;
    struct entry *entries;
};

/* One disk write under way. */
struct wal_job {
    struct env_work work;
    struct wal *wal;
    bool running;
    struct list items;
    struct wal_segment *segment; /* NULL: hard states only */
    enum room room;              /* the least that an item of it may use */
    struct env_file *file;
    struct wal_place place;
    struct wal_batch batch;
    bool directory; /* groups are new: their names first */
    uint64_t *groups;
    size_t group_count;
    uint64_t directory_seq;
    size_t directory_from;
    struct aligned buffer;
    enum cairn_status status;
    uint64_t bytes_written;
    unsigned writes;
    uint64_t started;
};

struct wal {
    struct env *env;
    char *folder;
    struct wal_options options;
    size_t buffer_keep, span_bytes_max; /* limits of this life */
    uint64_t mark_after_ns;
    struct wal_control control;
    unsigned control_first; /* the copy to write first: never the only one that holds */
    struct env_file *control_file;
    struct env_file *hard_file;
    uint64_t *pairs; /* group of each slot pair */
    size_t pair_count;
    size_t pair_cap;
    size_t pairs_named; /* pairs whose directory entry is durable */
    uint64_t directory_seq;

    struct wal_index index;
    struct list segments; /* oldest first; the last is written to */
    struct list ready;    /* prepared, in the order of their incarnations */
    uint64_t next_incarnation;
    unsigned preparing;   /* segments on their way to `ready` */
    uint64_t large_bytes; /* size of a segment larger than usual that is being prepared */
    bool waiting;         /* a flush waits for a segment */
    enum cairn_status waiting_status; /* why it can't have one: told once nothing is under way */

    uint64_t next_lsn;
    uint64_t last_lsn;
    uint64_t last_incarnation; /* of the segment in which that batch is */
    uint64_t last_sum;

    struct list queue;
    struct list finished; /* to be completed */
    struct wal_job job;
    bool flush_wanted;
    bool failed;
    bool refused;      /* a write found no space, and none has been seen since */
    bool no_space;     /* a segment could not be made */
    bool tell_refused; /* that something was released found no space: until the next release */
    bool damaged;      /* recovery found damage: segments stay, for they prove it */
    uint64_t stalled_since;
    struct env_timer finish_timer;
    struct env_timer mark_timer;

    unsigned jobs; /* background jobs that hold the log */
    bool closing;
    struct list background; /* struct wal_background, for wal_drop */
    struct list later;      /* the same, to be tried again */
    struct env_timer later_timer;
    struct env_timer space_timer; /* a segment is tried again */
    uint64_t bytes_written;
    uint64_t writes;
    struct spans write_times;
};

/* A job on the bulk queue; embedded first in its kind. */
struct wal_background {
    struct env_work work;
    struct list link;
    struct wal *wal;
    void (*finish)(struct wal_background *background); /* on the loop; frees */
    void (*drop)(struct wal_background *background);   /* frees, touching nothing else */
};
void wal_background_start(struct wal *wal, struct wal_background *background,
                          void (*run)(struct env_work *work));
/* From finish, in place of freeing it: the machine was short of something that says nothing of the
 * disk, so the same job runs once more, a little later. */
void wal_background_again(struct wal_background *background);

/* wal.c */
void wal_retry(struct wal *wal);
/* What waits for a segment can't have one: fails it. */
void wal_fail_waiting(struct wal *wal, enum cairn_status status);
uint64_t wal_item_bytes(const struct wal_item *item);
/* True: where a group has no entries left, its slots say that a snapshot has them. Else they are on
 * their way to say so, and wal_segment_recycle is called again. */
bool wal_releases_told(struct wal *wal);
void wal_item_free(struct wal_item *item);

/* wal_batch.c */
void wal_batch_run(struct env_work *work);

/* wal_segment.c */
void wal_path(const struct wal *wal, const char *name, char *path);
void wal_segment_path(const char *folder, uint64_t incarnation, char *path);
/* False: the name is not a segment's. */
bool wal_segment_parse(const char *name, uint64_t *incarnation);
/* The segments in a folder by rising incarnation. Zero-initialise; read again, it is filled anew.
 */
struct wal_segment_list {
    uint64_t *incarnations;
    size_t count, cap;
};
enum cairn_status wal_segment_list_read(struct env *env, const char *folder,
                                        struct wal_segment_list *list);
void wal_segment_list_free(struct wal_segment_list *list);
struct wal_segment *wal_segment_new(struct wal *wal, uint64_t incarnation, uint64_t bytes,
                                    struct env_file *file);
struct wal_segment *wal_segment_current(const struct wal *wal);
#define WAL_FILL_BYTES (1u << 20)
/* Makes, fills with zeros (so many at a time; 0: not) and syncs a segment file. Blocks. */
enum cairn_status wal_segment_make(struct env *env, const char *folder, uint64_t incarnation,
                                   uint64_t bytes, size_t fill_bytes, struct env_file **file);
/* Finds room for `bytes`, of which `kept` certain ones stay, taking a prepared segment into use if
 * it must be; false: one is being prepared, and wal_retry or wal_fail_waiting will be called. */
bool wal_segment_advance(struct wal *wal, uint64_t bytes, uint64_t kept);
/* With less certain room than this, and no space for more, the log is full: what clients ask for is
 * refused before it is placed, and what is on its way still finds room. */
uint64_t wal_low_bytes(const struct wal *wal);
/* What can be written without asking the disk for space. */
uint64_t wal_segment_room(const struct wal *wal);
/* The disk may have space again. */
void wal_segment_try_again(struct wal *wal);
/* Starts preparing what is missing of the spares. */
void wal_segment_replenish(struct wal *wal);
void wal_segment_recycle(struct wal *wal);
void wal_segments_free(struct wal *wal, bool close_files);

/* wal_control.c */
enum cairn_status wal_control_open(struct wal *wal, bool *fresh);
enum cairn_status wal_control_store(struct env *env, struct env_file *file,
                                    const struct wal_control *control, unsigned first);
/* The last batch, as evidence that is lost with it; 0 when its segment was released: nothing needs
 * it any more, and that it is gone proves nothing. */
uint64_t wal_control_durable(const struct wal *wal);
/* That, and the oldest segment, go into the control state, which the caller stores. */
void wal_control_note(struct wal *wal);
void wal_control_mark(struct wal *wal);
void wal_control_arm(struct wal *wal);

/* wal_hard.c */
#define WAL_HARD_COPIES 3u
enum cairn_status wal_hard_create(struct wal *wal);
uint64_t wal_hard_slot_offset(size_t pair, unsigned slot);
uint64_t wal_hard_directory_offset(size_t pair, unsigned copy);
void wal_hard_assign(struct wal *wal, struct wal_group *group);
/* Beside the loop, within the write of a batch. */
enum cairn_status wal_hard_write(struct wal_job *job);
enum cairn_status wal_hard_recover(struct wal *wal, const struct wal_recovery *recovery);

/* wal_recover.c */
enum cairn_status wal_recover(struct wal *wal, const struct wal_recovery *recovery, char *error,
                              size_t error_size);

/* wal_replay.c */
enum cairn_status wal_replay(struct wal *wal, const struct wal_recovery *recovery);

#endif
