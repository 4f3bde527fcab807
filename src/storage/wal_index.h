/* Which entries of which group are durable, and where: per group a sorted list of extents, each a
 * run of indexes inside one section of the log. Loop thread only.
 *
 * A segment counts the extents that lie in it; at zero nothing needs it any more.
 */
#ifndef CAIRN_STORAGE_WAL_INDEX_H
#define CAIRN_STORAGE_WAL_INDEX_H

#include "base/hmap.h"
#include "env/env.h"
#include "storage/wal_format.h"

struct wal_segment {
    struct list link;
    uint64_t incarnation;
    uint64_t bytes;
    uint64_t used;     /* where the next batch goes */
    size_t live;       /* extents */
    bool damaged;      /* a load met something that can't be read */
    uint64_t leave_at; /* the log goes on in the next one, if that is there; 0: at the end */
    struct env_file *file;
};

struct wal_extent {
    uint64_t first;
    uint64_t last;
    struct wal_segment *segment;
    uint64_t lsn;
    uint64_t offset; /* of the section, in the segment */
    uint64_t bytes;  /* of the section */
};

/* What the next section's head says of those before it. */
struct wal_group_state {
    uint64_t ordinal;
    uint64_t cut_ordinal;
    uint64_t cut_index;
    uint64_t last; /* 0: none */
    uint64_t base_index;
    uint64_t base_term;
    uint64_t base_chain;
    bool open; /* damage of unknown extent stands */
};

#define WAL_NO_PAIR SIZE_MAX

struct wal_group {
    struct hnode node;
    uint64_t id;
    struct wal_group_state durable;
    struct wal_group_state pending; /* as durable will be once the write under way is done */
    uint64_t release;
    uint64_t damaged_from; /* bounds of what recovery found damaged; to 0: nothing */
    uint64_t damaged_to;
    size_t failing; /* failed writes whose completion has not been delivered yet */
    size_t pair;    /* slot pair in the hard-state file */
    uint64_t hard_seq;
    struct buf hard;       /* as it was last asked for */
    uint64_t told_release; /* by its slots */
    bool telling;          /* a write under way tells the release */
    bool hard_found;       /* recovery: a slot held */
    uint64_t seen;         /* recovery: the event count at its last section; 0: not seen */
    uint64_t released;     /* recovery: highest index that a section calls released */
    struct wal_extent *extents;
    size_t head; /* extents before it are free room */
    size_t tail;
    size_t cap;
};

struct wal_index {
    struct hmap groups;
};

void wal_index_free(struct wal_index *index);
struct wal_group *wal_index_find(const struct wal_index *index, uint64_t id);
/* Makes the group if it is new. */
struct wal_group *wal_index_group(struct wal_index *index, uint64_t id);
/* NULL first, NULL at the end; in no useful order. */
struct wal_group *wal_index_next(const struct wal_index *index, const struct wal_group *group);
/* All groups by rising id; the caller frees the array. */
struct wal_group **wal_index_sorted(const struct wal_index *index, size_t *count);

/* Forgets where first..last are. */
void wal_group_carve(struct wal_group *group, uint64_t first, uint64_t last);
/* A section became durable (or was found by recovery): cuts and adds as it says. */
void wal_group_apply(struct wal_group *group, const struct wal_section *section,
                     struct wal_segment *segment, uint64_t lsn, uint64_t offset);
/* The state behind a section. */
void wal_group_advance(struct wal_group_state *state, const struct wal_section *section);
void wal_group_release(struct wal_group *group, uint64_t index);
/* The first range of indexes from `from` on that recovery found damaged and that is neither
 * repaired nor released; false: none. Damage of unknown extent is not among them. */
bool wal_group_hole(const struct wal_group *group, uint64_t from, uint64_t *first, uint64_t *last);
/* Whether damage that recovery found still stands: neither repaired nor released. */
bool wal_group_damaged(const struct wal_group *group);
/* The extent that holds index, or NULL. */
const struct wal_extent *wal_group_at(const struct wal_group *group, uint64_t index);

#endif
