/* Hard states: term, vote and whatever else a protocol must not forget, in three slots a group.
 *
 * All slots are written at every change, one after the other, before the change is acknowledged.
 * So whichever single slot is lost, to a torn write or to damage at rest, another one holds
 * exactly what was acknowledged last (or newer): with slots written in turn, damage to the newer
 * one would bring an older vote back. The third slot lies in a region of its own, a megabyte away
 * from the first two, since what flash loses together lies together.
 *
 * File: regions, each with 2 directory pages (copies) and WAL_DIRECTORY_GROUPS slot pairs; behind
 * every region its mirror, with a third copy of the directory in its first page and the third slots
 * where the first ones lie in the region. The directory tells whose the slots are when all of them
 * are bad, and that there are any: the first one is written when the log is made.
 */

#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define REGION_PAGES (2u + 2u * WAL_DIRECTORY_GROUPS)
#define REGION_BYTES ((uint64_t)REGION_PAGES * ENV_DISK_ALIGN)

/* Where the region's copies 0 and 1 begin, or its mirror with copy 2. */
static uint64_t region_offset(size_t pair, unsigned copy) {
    return (2 * (uint64_t)(pair / WAL_DIRECTORY_GROUPS) + (copy == 2)) * REGION_BYTES;
}

uint64_t wal_hard_directory_offset(size_t pair, unsigned copy) {
    return region_offset(pair, copy) + (copy == 1 ? ENV_DISK_ALIGN : 0);
}

uint64_t wal_hard_slot_offset(size_t pair, unsigned slot) {
    uint64_t page = 2 + 2 * (uint64_t)(pair % WAL_DIRECTORY_GROUPS) + (slot == 1);
    return region_offset(pair, slot) + page * ENV_DISK_ALIGN;
}

void wal_hard_assign(struct wal *wal, struct wal_group *group) {
    if (group->pair != WAL_NO_PAIR)
        return;
    if (wal->pair_count == wal->pair_cap) {
        wal->pair_cap = wal->pair_cap ? wal->pair_cap * 2 : 8;
        wal->pairs = cairn_realloc(wal->pairs, wal->pair_cap * sizeof *wal->pairs);
    }
    group->pair = wal->pair_count;
    wal->pairs[wal->pair_count++] = group->id;
}

/* ---- writing, beside the loop ---- */

static enum cairn_status write_page(struct wal_job *job, uint64_t offset) {
    struct env *env = job->wal->env;
    struct env_file *file = job->wal->hard_file;
    enum cairn_status status = env_write_at(env, file, offset, job->buffer.data, ENV_DISK_ALIGN);
    if (status == CAIRN_OK && !env_file_is_direct(env, file))
        status = env_sync(env, file) == CAIRN_OK ? CAIRN_OK : CAIRN_IO;
    job->writes++;
    job->bytes_written += ENV_DISK_ALIGN;
    if (status == CAIRN_EXHAUSTED)
        return CAIRN_NO_SPACE;
    return status == CAIRN_OK || status == CAIRN_NO_SPACE ? status : CAIRN_IO;
}

static enum cairn_status write_directory(struct wal_job *job) {
    uint64_t log_id = job->wal->control.log_id;
    size_t pair = job->directory_from / WAL_DIRECTORY_GROUPS * WAL_DIRECTORY_GROUPS;
    for (; pair < job->group_count; pair += WAL_DIRECTORY_GROUPS) {
        size_t count = job->group_count - pair;
        if (count > WAL_DIRECTORY_GROUPS)
            count = WAL_DIRECTORY_GROUPS;
        for (unsigned copy = 0; copy < WAL_HARD_COPIES; copy++) {
            uint64_t offset = wal_hard_directory_offset(pair, copy);
            wal_directory_encode(job->groups + pair, count, job->directory_seq, log_id, offset,
                                 job->buffer.data);
            enum cairn_status status = write_page(job, offset);
            if (status != CAIRN_OK)
                return status;
        }
    }
    return CAIRN_OK;
}

/* Of several in one batch the last one counts. */
static bool superseded(const struct wal_job *job, const struct wal_item *item) {
    for (const struct list *at = item->link.next; at != &job->items; at = at->next) {
        const struct wal_item *later = container_of(at, const struct wal_item, link);
        bool same =
            later->group == item->group || job->wal->options.mutant == MUTANT_HARD_STATE_OF_OTHER;
        if (same && later->hard.len)
            return true;
    }
    return false;
}

static enum cairn_status write_slots(struct wal_job *job, const struct wal_item *item) {
    struct wal_slot slot = {.group = item->group->id,
                            .seq = item->hard_seq,
                            .release = item->release,
                            .hard = buf_view(&item->hard)};
    unsigned slots = job->wal->options.mutant == MUTANT_HARD_STATE_ONE_SLOT ? 1 : WAL_HARD_COPIES;
    for (unsigned i = 0; i < slots; i++) {
        uint64_t offset = wal_hard_slot_offset(item->group->pair, i);
        wal_slot_encode(&slot, job->wal->control.log_id, offset, job->buffer.data);
        enum cairn_status status = write_page(job, offset);
        if (status != CAIRN_OK)
            return status;
    }
    return CAIRN_OK;
}

enum cairn_status wal_hard_write(struct wal_job *job) {
    aligned_reserve(&job->buffer, ENV_DISK_ALIGN);
    enum cairn_status status = job->directory ? write_directory(job) : CAIRN_OK;
    LIST_EACH(at, &job->items) {
        const struct wal_item *item = container_of(at, const struct wal_item, link);
        if (status == CAIRN_OK && item->hard.len && !superseded(job, item))
            status = write_slots(job, item);
    }
    return status;
}

/* A new log: an empty directory, so that a file without one is known to have lost it. */
enum cairn_status wal_hard_create(struct wal *wal) {
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    enum cairn_status status = CAIRN_OK;
    for (unsigned copy = 0; copy < WAL_HARD_COPIES && status == CAIRN_OK; copy++) {
        uint64_t offset = wal_hard_directory_offset(0, copy);
        wal_directory_encode(NULL, 0, 1, wal->control.log_id, offset, page);
        status = env_write_at(wal->env, wal->hard_file, offset, page, ENV_DISK_ALIGN);
    }
    if (status == CAIRN_OK)
        status = env_sync(wal->env, wal->hard_file);
    aligned_free(&buffer);
    return status;
}

/* ---- recovery ---- */

enum page_state { PAGE_EMPTY, PAGE_BAD, PAGE_GOOD };

static bool all_zero(const uint8_t *page) {
    return page[0] == 0 && memcmp(page, page + 1, ENV_DISK_ALIGN - 1) == 0;
}

/* A page behind the end of the file was never written. */
static bool read_page(struct wal *wal, uint64_t offset, uint8_t *page) {
    enum cairn_status status = env_read_at(wal->env, wal->hard_file, offset, page, ENV_DISK_ALIGN);
    if (status == CAIRN_TORN)
        memset(page, 0, ENV_DISK_ALIGN);
    return status == CAIRN_OK || status == CAIRN_TORN;
}

/* The groups of the region that begins at pair, by the newest readable copy. False: none holds. */
static bool read_directory(struct wal *wal, size_t pair, uint8_t *page, uint64_t *groups,
                           size_t *named) {
    uint64_t best_seq = 0;
    *named = 0;
    uint64_t *found = cairn_alloc(WAL_DIRECTORY_GROUPS * sizeof *found);
    for (unsigned copy = 0; copy < WAL_HARD_COPIES; copy++) {
        uint64_t offset = wal_hard_directory_offset(pair, copy), seq;
        size_t count;
        if (!read_page(wal, offset, page) ||
            !wal_directory_decode(found, &count, &seq, wal->control.log_id, offset, page) ||
            seq <= best_seq)
            continue;
        *named = count;
        best_seq = seq;
        memcpy(groups, found, count * sizeof *found);
    }
    if (best_seq > wal->directory_seq)
        wal->directory_seq = best_seq;
    cairn_free(found);
    return best_seq > 0;
}

struct slots {
    enum page_state state[WAL_HARD_COPIES];
    struct wal_slot slot[WAL_HARD_COPIES];
};

static void read_slots(struct wal *wal, size_t pair, uint8_t *pages, struct slots *found) {
    bool check = wal->options.mutant != MUTANT_WAL_NO_CHECKSUM;
    for (unsigned i = 0; i < WAL_HARD_COPIES; i++) {
        uint8_t *page = pages + (size_t)i * ENV_DISK_ALIGN;
        uint64_t offset = wal_hard_slot_offset(pair, i);
        if (!read_page(wal, offset, page))
            found->state[i] = PAGE_BAD;
        else if (wal_slot_decode(&found->slot[i], wal->control.log_id, offset, check, page))
            found->state[i] = PAGE_GOOD;
        else
            found->state[i] = all_zero(page) ? PAGE_EMPTY : PAGE_BAD;
    }
}

/* The slot to believe: the newest of those that hold; WAL_HARD_COPIES: none. */
static unsigned choose(const struct slots *found) {
    unsigned best = WAL_HARD_COPIES;
    for (unsigned i = 0; i < WAL_HARD_COPIES; i++)
        if (found->state[i] == PAGE_GOOD &&
            (best == WAL_HARD_COPIES || found->slot[i].seq > found->slot[best].seq))
            best = i;
    return best;
}

/* Makes all slots say the same again, so that a later loss of any still leaves the others. */
static enum cairn_status heal(struct wal *wal, size_t pair, const struct slots *found,
                              unsigned best) {
    enum cairn_status status = CAIRN_OK;
    if (wal->options.mutant == MUTANT_HARD_STATE_ONE_SLOT)
        return status;
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    for (unsigned i = 0; i < WAL_HARD_COPIES && status == CAIRN_OK; i++) {
        if (found->state[i] == PAGE_GOOD && found->slot[i].seq == found->slot[best].seq)
            continue;
        uint64_t offset = wal_hard_slot_offset(pair, i);
        wal_slot_encode(&found->slot[best], wal->control.log_id, offset, page);
        status = env_write_at(wal->env, wal->hard_file, offset, page, ENV_DISK_ALIGN);
        if (status == CAIRN_OK && !env_file_is_direct(wal->env, wal->hard_file))
            status = env_sync(wal->env, wal->hard_file);
    }
    aligned_free(&buffer);
    return status;
}

/* The first slot torn and the others never written: the first change of all was cut off before it
 * was acknowledged. */
static bool slots_lost(const struct slots *found) {
    bool others = false;
    for (unsigned i = 1; i < WAL_HARD_COPIES; i++)
        others |= found->state[i] == PAGE_BAD;
    return others;
}

static enum cairn_status recover_group(struct wal *wal, size_t pair, const uint64_t *named,
                                       uint8_t *pages, const struct wal_recovery *recovery) {
    struct slots found;
    read_slots(wal, pair, pages, &found);
    unsigned best = choose(&found);
    if (best == WAL_HARD_COPIES && named == NULL)
        return CAIRN_OK;
    uint64_t id = best < WAL_HARD_COPIES ? found.slot[best].group : *named;
    struct wal_group *group = wal_index_group(&wal->index, id);
    while (wal->pair_count < pair) /* slots that do not tell their group stay unused */
        wal_hard_assign(wal, &(struct wal_group){.pair = WAL_NO_PAIR});
    wal_hard_assign(wal, group);
    if (best < WAL_HARD_COPIES) {
        group->hard_seq = found.slot[best].seq;
        group->hard_found = true;
        group->told_release = found.slot[best].release;
        buf_bytes(&group->hard, found.slot[best].hard);
        recovery->hard(recovery->context, id, found.slot[best].hard);
        return heal(wal, pair, &found, best);
    }
    if (slots_lost(&found))
        recovery->hard_lost(recovery->context, id);
    return CAIRN_OK;
}

enum cairn_status wal_hard_recover(struct wal *wal, const struct wal_recovery *recovery) {
    uint64_t size = 0;
    enum cairn_status status = env_file_size(wal->env, wal->hard_file, &size);
    if (status != CAIRN_OK)
        return status;
    struct aligned buffer = {0};
    uint8_t *pages = aligned_reserve(&buffer, WAL_HARD_COPIES * ENV_DISK_ALIGN);
    uint64_t *groups = cairn_alloc(WAL_DIRECTORY_GROUPS * sizeof *groups);
    size_t region = 0;
    bool lost = false;
    do {
        size_t named;
        bool held = read_directory(wal, region, pages, groups, &named);
        lost |= !held;
        /* Groups are named before their first hard state is written. */
        size_t end = region + (held ? named : WAL_DIRECTORY_GROUPS);
        for (size_t pair = region; status == CAIRN_OK && pair < end; pair++)
            status =
                recover_group(wal, pair, held ? &groups[pair - region] : NULL, pages, recovery);
        region += WAL_DIRECTORY_GROUPS;
    } while (status == CAIRN_OK && wal_hard_directory_offset(region, 0) < size);
    /* The log ran before, and the file that it had then is gone: a group whose hard state was not
     * found may have had one. */
    if (status == CAIRN_OK && lost && wal->control.run > 0)
        recovery->hard_lost(recovery->context, WAL_EVERY_GROUP);
    wal->pairs_named = 0; /* the first write puts the directory right again, whatever it was */
    cairn_free(groups);
    aligned_free(&buffer);
    return status;
}
