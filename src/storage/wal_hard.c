/* Hard states: term, vote and whatever else a protocol must not forget, in two slots a group.
 *
 * Both slots are written at every change, one after the other, before the change is acknowledged.
 * So whichever single slot is lost, to a torn write or to damage at rest, the other one holds
 * exactly what was acknowledged last (or newer): with slots written in turn, damage to the newer
 * one would bring an older vote back.
 *
 * File: regions of 2 directory pages (copies) and WAL_DIRECTORY_GROUPS slot pairs. The directory
 * tells whose a pair is when both of its slots are bad.
 */

#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define REGION_PAGES (2u + 2u * WAL_DIRECTORY_GROUPS)

static uint64_t region_offset(size_t pair) {
    return (uint64_t)(pair / WAL_DIRECTORY_GROUPS) * REGION_PAGES * ENV_DISK_ALIGN;
}

uint64_t wal_hard_directory_offset(size_t pair, unsigned copy) {
    return region_offset(pair) + (uint64_t)copy * ENV_DISK_ALIGN;
}

uint64_t wal_hard_slot_offset(size_t pair, unsigned slot) {
    uint64_t page = 2 + 2 * (uint64_t)(pair % WAL_DIRECTORY_GROUPS) + slot;
    return region_offset(pair) + page * ENV_DISK_ALIGN;
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
    return status == CAIRN_OK || status == CAIRN_NO_SPACE ? status : CAIRN_IO;
}

static enum cairn_status write_directory(struct wal_job *job) {
    uint64_t log_id = job->wal->control.log_id;
    size_t pair = job->directory_from / WAL_DIRECTORY_GROUPS * WAL_DIRECTORY_GROUPS;
    for (; pair < job->group_count; pair += WAL_DIRECTORY_GROUPS) {
        size_t count = job->group_count - pair;
        if (count > WAL_DIRECTORY_GROUPS)
            count = WAL_DIRECTORY_GROUPS;
        for (unsigned copy = 0; copy < 2; copy++) {
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
        if (later->group == item->group && later->hard.len)
            return true;
    }
    return false;
}

static enum cairn_status write_slots(struct wal_job *job, const struct wal_item *item) {
    struct wal_slot slot = {
        .group = item->group->id, .seq = item->hard_seq, .hard = buf_view(&item->hard)};
    unsigned slots = job->wal->options.mutant == MUTANT_HARD_STATE_ONE_SLOT ? 1 : 2;
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

/* The groups of the region that begins at pair, by the newer readable copy; 0 when none holds. */
static size_t read_directory(struct wal *wal, size_t pair, uint8_t *page, uint64_t *groups) {
    size_t best = 0;
    uint64_t best_seq = 0;
    uint64_t *found = cairn_alloc(WAL_DIRECTORY_GROUPS * sizeof *found);
    for (unsigned copy = 0; copy < 2; copy++) {
        uint64_t offset = wal_hard_directory_offset(pair, copy), seq;
        size_t count;
        if (!read_page(wal, offset, page) ||
            !wal_directory_decode(found, &count, &seq, wal->control.log_id, offset, page) ||
            seq <= best_seq)
            continue;
        best = count;
        best_seq = seq;
        memcpy(groups, found, count * sizeof *found);
    }
    if (best_seq > wal->directory_seq)
        wal->directory_seq = best_seq;
    cairn_free(found);
    return best;
}

struct slot_pair {
    enum page_state state[2];
    struct wal_slot slot[2];
};

static void read_pair(struct wal *wal, size_t pair, uint8_t *pages, struct slot_pair *found) {
    bool check = wal->options.mutant != MUTANT_WAL_NO_CHECKSUM;
    for (unsigned i = 0; i < 2; i++) {
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

/* The slot to believe: the newer one of those that hold; 2: none. */
static unsigned choose(const struct slot_pair *found) {
    bool good[2] = {found->state[0] == PAGE_GOOD, found->state[1] == PAGE_GOOD};
    if (good[0] && good[1])
        return found->slot[1].seq > found->slot[0].seq ? 1 : 0;
    return good[0] ? 0 : good[1] ? 1 : 2;
}

/* Makes both slots say the same again, so that a later loss of one still leaves the other. */
static enum cairn_status heal(struct wal *wal, size_t pair, const struct wal_slot *slot,
                              unsigned bad) {
    if (wal->options.mutant == MUTANT_HARD_STATE_ONE_SLOT)
        return CAIRN_OK;
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    uint64_t offset = wal_hard_slot_offset(pair, bad);
    wal_slot_encode(slot, wal->control.log_id, offset, page);
    enum cairn_status status = env_write_at(wal->env, wal->hard_file, offset, page, ENV_DISK_ALIGN);
    if (status == CAIRN_OK && !env_file_is_direct(wal->env, wal->hard_file))
        status = env_sync(wal->env, wal->hard_file);
    aligned_free(&buffer);
    return status;
}

static enum cairn_status recover_pair(struct wal *wal, size_t pair, const uint64_t *named,
                                      uint8_t *pages, const struct wal_recovery *recovery) {
    struct slot_pair found;
    read_pair(wal, pair, pages, &found);
    unsigned best = choose(&found);
    uint64_t id = best < 2 ? found.slot[best].group : named ? *named : 0;
    if (best == 2 && named == NULL)
        return CAIRN_OK;
    struct wal_group *group = wal_index_group(&wal->index, id);
    while (wal->pair_count < pair) /* a pair that says nothing of its owner stays unused */
        wal_hard_assign(wal, &(struct wal_group){.pair = WAL_NO_PAIR});
    wal_hard_assign(wal, group);
    if (best < 2) {
        const struct wal_slot *slot = &found.slot[best], *other = &found.slot[1 - best];
        group->hard_seq = slot->seq;
        group->hard_found = true;
        recovery->hard(recovery->context, id, slot->hard);
        if (found.state[1 - best] != PAGE_GOOD || other->seq != slot->seq)
            return heal(wal, pair, slot, 1 - best);
        return CAIRN_OK;
    }
    /* The first slot torn and the second never written: the first change of all was cut off before
     * it was acknowledged. */
    if (found.state[0] == PAGE_BAD && found.state[1] == PAGE_BAD)
        recovery->hard_lost(recovery->context, id);
    return CAIRN_OK;
}

enum cairn_status wal_hard_recover(struct wal *wal, const struct wal_recovery *recovery) {
    uint64_t size = 0;
    enum cairn_status status = env_file_size(wal->env, wal->hard_file, &size);
    if (status != CAIRN_OK)
        return status;
    struct aligned buffer = {0};
    uint8_t *pages = aligned_reserve(&buffer, 2 * ENV_DISK_ALIGN);
    uint64_t *groups = cairn_alloc(WAL_DIRECTORY_GROUPS * sizeof *groups);
    size_t named = 0;
    for (size_t pair = 0; status == CAIRN_OK && wal_hard_slot_offset(pair, 0) < size; pair++) {
        size_t within = pair % WAL_DIRECTORY_GROUPS;
        if (within == 0)
            named = read_directory(wal, pair, pages, groups);
        status = recover_pair(wal, pair, within < named ? &groups[within] : NULL, pages, recovery);
    }
    wal->pairs_named = 0; /* the first write puts the directory right again, whatever it was */
    cairn_free(groups);
    aligned_free(&buffer);
    return status;
}
