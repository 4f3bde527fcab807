/* A host's disk. It outlives every process that uses it.
 *
 * A file has what a program sees and what would be there after a crash. In between lies the
 * journal: every write, size, sync and change of a name, in order. Direct writes are durable when
 * the work that made them ends (outside of work: at once), buffered ones by a sync, names by a sync
 * of their folder. At a crash an unfinished work got as far as chance says, and of what was not yet
 * durable any subset of the 512-byte sectors stays, in any order; changes of names stay up to some
 * point.
 */
#ifndef CAIRN_SIM_DISK_H
#define CAIRN_SIM_DISK_H

#include "base/list.h"
#include "env/env.h"
#include "sim/sim_world.h"

#define SIM_SECTOR 512u

struct sim_inode {
    struct list list; /* disk->inodes */
    uint64_t id;
    bool folder, log; /* log: a segment of one */
    bool snapshot;
    uint32_t refs; /* names, handles and journal entries */
    uint8_t *seen, *durable;
    uint64_t size, cap, durable_size;
    uint64_t last_from, last_to; /* what was written last ... */
    uint64_t last_at;            /* ... and when */
    uint8_t *unreadable;         /* a bit a sector, or NULL */
    uint64_t unreadable_sectors;
};

struct sim_name {
    struct list list;
    struct sim_inode *inode;
    char path[];
};

/* Tells what becomes durable, for oracles (sim_oracle_disk.c). */
struct sim_disk_watch {
    void (*durable)(void *context, uint64_t offset, const uint8_t *data, size_t len);
    void (*crashes)(void *context);
    /* A write that a crash finds unfinished. */
    void (*under_way)(void *context, uint64_t offset, const uint8_t *data, size_t len);
};

struct sim_disk {
    struct sim_world *world;
    const char *name;
    struct list inodes, names, durable_names, journal, handles;
    uint64_t next_inode;
    const struct env_work *work; /* the work that runs at this moment, or NULL */
    bool dead;                   /* power is off: nothing has an effect, everything fails */
    uint64_t space;              /* bytes that files may have together */
    uint64_t used;
    /* faults */
    int64_t fail_write_in; /* this many writes from now one fails with IO; < 0: none */
    int64_t fail_sync_in;
    bool exhausted;        /* no descriptors: what needs one says EXHAUSTED */
    bool misdirect_next;   /* the next write lands a block off */
    bool copies;           /* every write of a log needs space */
    uint32_t misreads;     /* so far */
    uint32_t misread_next; /* so manieth read of a snapshot from now gets a wrong bit; 0: none */
    bool lose_next;        /* the next write is called done and is not */
    uint64_t writes, log_writes, syncs, reads, bytes_written;
    uint64_t work_bytes, work_syncs, work_reads; /* of the work that runs, for its latency */
    const struct sim_disk_watch *watch;          /* NULL: none */
    void *watch_context;
    bool lied;    /* a write was called done and is not where it belongs */
    bool damaged; /* something durable was harmed, or lost; both until the disk is replaced */
};

void sim_disk_open(struct sim_disk *disk, struct sim_world *world, const char *name);
void sim_disk_close(struct sim_disk *disk);

/* A work begins (everything until sim_disk_work_ran belongs to it), has run, and ends. */
void sim_disk_work_begin(struct sim_disk *disk, const struct env_work *work);
void sim_disk_work_ran(struct sim_disk *disk);
void sim_disk_work_end(struct sim_disk *disk, const struct env_work *work);

/* The power goes. All handles end. tear: what is not durable may stay in parts; else none of it
 * does (a power cut) or, with keep, all of it (only the process ended). */
void sim_disk_crash(struct sim_disk *disk, bool tear, bool keep);
/* Nothing was ever written here. */
void sim_disk_wipe(struct sim_disk *disk);

/* What is durable at this moment, to be had again later. */
struct sim_disk_image;
struct sim_disk_image *sim_disk_keep(const struct sim_disk *disk);
/* The disk holds that and nothing else. Only when nothing uses it; the image stays. */
void sim_disk_restore(struct sim_disk *disk, const struct sim_disk_image *image);
void sim_disk_image_free(struct sim_disk_image *image); /* NULL: nothing */

/* ---- damage, to what is durable; false: there was nothing to damage ---- */
enum sim_damage {
    SIM_DAMAGE_FLIP,   /* one bit of a file that is not all zeros there */
    SIM_DAMAGE_ZERO,   /* a sector reads as zeros */
    SIM_DAMAGE_STALE,  /* a block has what another block of the file has */
    SIM_DAMAGE_UNREAD, /* reading a sector fails */
    SIM_DAMAGE_COUNT
};
/* Of files whose path contains `part` ("" for all). What was written last to a log is spared for a
 * second: nothing could tell it from a torn tail before the log has marked it. */
bool sim_disk_damage(struct sim_disk *disk, const char *part, enum sim_damage kind);

/* The files whose path contains `part` are gone, of a disk that nothing uses. */
/* How much the log wrote last. */
uint64_t sim_disk_end_bytes(const struct sim_disk *disk);
/* A sector of what a log wrote last, behind its first block, of a disk whose process has ended,
 * can't be read any more. */
bool sim_disk_unreadable_end(struct sim_disk *disk, struct prng *prng);
bool sim_disk_lose(struct sim_disk *disk, const char *part);

/* ---- as env.h has them ---- */

enum cairn_status sim_disk_open_file(struct sim_disk *disk, const char *path, unsigned flags,
                                     bool direct_works, struct env_file **file);
void sim_disk_close_file(struct sim_disk *disk, struct env_file *file);
bool sim_disk_is_direct(const struct env_file *file);
enum cairn_status sim_disk_size(const struct env_file *file, uint64_t *size);
enum cairn_status sim_disk_read(struct sim_disk *disk, struct env_file *file, uint64_t offset,
                                void *out, size_t len);
enum cairn_status sim_disk_write(struct sim_disk *disk, struct env_file *file, uint64_t offset,
                                 const void *data, size_t len);
enum cairn_status sim_disk_sync(struct sim_disk *disk, struct env_file *file);
enum cairn_status sim_disk_allocate(struct sim_disk *disk, struct env_file *file, uint64_t size);
enum cairn_status sim_disk_rename(struct sim_disk *disk, const char *from, const char *to);
enum cairn_status sim_disk_remove(struct sim_disk *disk, const char *path);
enum cairn_status sim_disk_make_folder(struct sim_disk *disk, const char *path);
enum cairn_status sim_disk_sync_folder(struct sim_disk *disk, const char *path);
enum cairn_status sim_disk_list(struct sim_disk *disk, const char *path, env_list_visit *visit,
                                void *context);
enum cairn_status sim_disk_lock(struct sim_disk *disk, const char *path, struct env_file **file);

#endif
