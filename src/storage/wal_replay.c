/* Tells the owner what recovery found: the live entries, read once more, in the order of the log
 * for all groups together, so that the disk is read from end to end. Only a group whose indexes
 * don't rise along the log, after a repair, is read by itself.
 */

#include "storage/wal_internal.h"
#include "storage/wal_scan.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>

struct live {
    struct wal_group *group;
    struct wal_extent extent;
};

struct replay {
    struct wal *wal;
    const struct wal_recovery *out;
    struct wal_scan scan;
    struct wal_segment *segment; /* that scan reads */
    struct live *all;
    size_t count;
};

static void tell_state(struct replay *replay, const struct wal_group *group) {
    const struct wal_recovery *out = replay->out;
    const struct wal_group_state *state = &group->durable;
    uint64_t first, last, at = 0;
    bool holds = wal_group_hole(group, 0, &first, &last) && first == state->base_index + 1;
    bool begins = group->head == group->tail
                      ? state->last == state->base_index || holds
                      : group->extents[group->head].first == state->base_index + 1 || holds;
    if (state->base_index && begins)
        out->reset(out->context, group->id, state->base_index, state->base_term, state->base_chain);
    if (group->head == group->tail && group->told_release > 0)
        out->released(out->context, group->id, group->told_release);
    for (; wal_group_hole(group, at, &first, &last); at = last + 1)
        out->damage(out->context, group->id, first, last);
    if (state->open)
        out->damage(out->context, group->id, state->last + 1, UINT64_MAX);
}

static const uint8_t *section_bytes(struct replay *replay, const struct wal_extent *extent) {
    if (replay->segment != extent->segment) {
        wal_scan_free(&replay->scan);
        replay->segment = extent->segment;
        replay->scan = (struct wal_scan){.env = replay->wal->env,
                                         .file = extent->segment->file,
                                         .bytes = extent->segment->bytes};
    }
    uint64_t start = extent->offset / ENV_DISK_ALIGN * ENV_DISK_ALIGN;
    size_t len = (size_t)(align_up(extent->offset + extent->bytes) - start);
    return wal_scan_bytes(&replay->scan, start, len) + (extent->offset - start);
}

static enum cairn_status tell_entries(struct replay *replay, const struct live *live) {
    const struct wal_extent *extent = &live->extent;
    const uint8_t *at = section_bytes(replay, extent);
    struct wal_place place = {.log_id = replay->wal->control.log_id,
                              .incarnation = extent->segment->incarnation,
                              .offset = extent->offset,
                              .check = replay->wal->options.mutant != MUTANT_WAL_NO_CHECKSUM};
    struct wal_section section;
    /* It held a moment ago: a medium that changes its mind is not to be served from. */
    if (!wal_section_decode(&section, &place, extent->lsn, at, (size_t)extent->bytes) ||
        !wal_section_body_holds(&section, &place, extent->lsn, at))
        return CAIRN_IO;
    struct blob *blob = blob_from(
        bytes_of(at + WAL_SECTION_HEAD_BYTES, (size_t)section.bytes - WAL_SECTION_HEAD_BYTES));
    struct reader reader = reader_of(blob_view(blob));
    struct entry entry = {0};
    enum cairn_status status = CAIRN_OK;
    while (status == CAIRN_OK && entry.index < extent->last) {
        status = entry_decode(&reader, &entry);
        entry.blob = blob;
        if (status == CAIRN_OK && entry.index >= extent->first)
            replay->out->entry(replay->out->context, live->group->id, &entry, false);
    }
    blob_unref(blob);
    return status;
}

static int by_place(const void *a, const void *b) {
    const struct wal_extent *left = &((const struct live *)a)->extent;
    const struct wal_extent *right = &((const struct live *)b)->extent;
    if (left->segment != right->segment)
        return left->segment->incarnation < right->segment->incarnation ? -1 : 1;
    /* Two extents may share a section that a repair went through. */
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* Adds the group's extents; true when they lie in the log in the order of their indexes. */
static bool collect(struct replay *replay, struct wal_group *group) {
    size_t count = group->tail - group->head;
    bool ordered = true;
    replay->all = cairn_realloc(replay->all, (replay->count + count) * sizeof *replay->all);
    for (size_t i = group->head; i < group->tail; i++) {
        struct live *live = &replay->all[replay->count++];
        *live = (struct live){group, group->extents[i]};
        if (i > group->head && by_place(live - 1, live) > 0)
            ordered = false;
    }
    return ordered;
}

static enum cairn_status tell_all(struct replay *replay, size_t from) {
    enum cairn_status status = CAIRN_OK;
    for (size_t i = from; i < replay->count && status == CAIRN_OK; i++)
        status = tell_entries(replay, &replay->all[i]);
    replay->count = from;
    return status;
}

enum cairn_status wal_replay(struct wal *wal, const struct wal_recovery *recovery) {
    struct replay replay = {.wal = wal, .out = recovery};
    enum cairn_status status = CAIRN_OK;
    size_t count;
    struct wal_group **groups = wal_index_sorted(&wal->index, &count);
    for (size_t i = 0; i < count; i++)
        tell_state(&replay, groups[i]);
    for (size_t i = 0; i < count && status == CAIRN_OK; i++) {
        size_t from = replay.count;
        if (!collect(&replay, groups[i]))
            status = tell_all(&replay, from);
    }
    if (replay.count > 1)
        qsort(replay.all, replay.count, sizeof *replay.all, by_place);
    if (status == CAIRN_OK)
        status = tell_all(&replay, 0);
    wal_scan_free(&replay.scan);
    cairn_free(replay.all);
    cairn_free(groups);
    return status;
}
