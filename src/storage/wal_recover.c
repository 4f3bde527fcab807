/* Opening a log: reads every batch, tells a torn tail from damage, rebuilds the index.
 *
 * Only the last batch of all can be torn, since one disk write runs at a time: a bad batch with any
 * valid head behind it, or at or below a sequence number that is known durable, is damage. Heads
 * chain batches (prev_lsn), ordinals chain the sections of a group, and so a loss is seen, and seen
 * whom it met: docs/storage.md, "Recovery".
 */

#include "storage/wal_internal.h"
#include "storage/wal_scan.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

struct recover {
    struct wal *wal;
    uint64_t events; /* counts sections and losses */
    uint64_t lost;   /* the event at which something was lost last; 0: never */
    uint64_t last_lsn;
    uint64_t last_sum;
    uint64_t durable; /* highest sequence number known durable */
    /* The batch whose content is bad and behind which nothing has been seen yet. */
    bool suspect;
    bool suspect_unreadable;
    struct wal_batch suspect_batch;
    uint64_t suspect_offset;
    struct wal_segment *suspect_segment;
    uint8_t *suspect_bytes;
    struct wal_segment *last_segment; /* of the last batch that was kept */
    bool tail_unreadable;             /* the medium refused the block behind it */
};

/* ---- sections ---- */

static bool known(const struct wal_group *group) {
    return group->seen > 0;
}

static void note_damage(struct wal_group *group, uint64_t first, uint64_t last) {
    if (first > last)
        return;
    wal_group_carve(group, first, last);
    if (group->damaged_to == 0 || first < group->damaged_from)
        group->damaged_from = first;
    if (last > group->damaged_to)
        group->damaged_to = last;
}

/* Sections of the group were lost before this one: what did they hold? */
static void note_missing(struct wal_group *group, const struct wal_section *section) {
    struct wal_group_state *state = &group->durable;
    if (section->flags & WAL_SECTION_RESET)
        return;
    uint64_t floor =
        section->base_index > section->release ? section->base_index : section->release;
    uint64_t first = floor + 1;
    if (known(group) && section->base_index == state->base_index) {
        uint64_t missing = section->ordinal - state->ordinal - 1;
        if (section->cut_ordinal <= state->ordinal)
            first = state->last + 1;
        else if (missing == 1)
            first = section->cut_index < state->last + 1 ? section->cut_index : state->last + 1;
    } else if (known(group)) {
        /* A reset was among them. */
        wal_group_carve(group, 0, UINT64_MAX);
    }
    wal_group_carve(group, section->last_before + 1, UINT64_MAX);
    note_damage(group, first, section->last_before);
    state->last = section->last_before;
}

static bool body_decodes(const struct wal_section *section, const uint8_t *at) {
    struct reader reader = reader_of(
        bytes_of(at + WAL_SECTION_HEAD_BYTES, (size_t)section->bytes - WAL_SECTION_HEAD_BYTES));
    for (uint64_t i = 0; i < section->count; i++) {
        struct entry entry;
        if (entry_decode(&reader, &entry) != CAIRN_OK || entry.index != section->first_index + i)
            return false;
    }
    return true;
}

static void take_section(struct recover *recover, const struct wal_section *section,
                         struct wal_segment *segment, uint64_t lsn, uint64_t offset,
                         const uint8_t *at, bool body_holds) {
    struct wal_group *group = wal_index_group(&recover->wal->index, section->group);
    bool first_seen = !known(group);
    bool missing = first_seen ? recover->lost && section->ordinal > 1
                              : section->ordinal != group->durable.ordinal + 1;
    if (missing)
        note_missing(group, section);
    if (first_seen)
        group->durable.last = section->last_before;
    wal_group_apply(group, section, segment, lsn, offset);
    wal_group_advance(&group->durable, section);
    if (section->release > group->released)
        group->released = section->release;
    group->seen = ++recover->events;
    if (section->count && (!body_holds || !body_decodes(section, at)))
        note_damage(group, section->first_index, section->first_index + section->count - 1);
}

/* ---- batches ---- */

static void note_loss(struct recover *recover) {
    recover->lost = ++recover->events;
}

/* Gives what holds of a batch; of a damaged one, up to the first bad section head. */
static void take_batch(struct recover *recover, const struct wal_batch *batch,
                       struct wal_segment *segment, uint64_t offset, const uint8_t *bytes) {
    bool check = recover->wal->options.mutant != MUTANT_WAL_NO_CHECKSUM;
    struct wal_place place = {.log_id = recover->wal->control.log_id,
                              .incarnation = segment->incarnation,
                              .check = check};
    uint64_t at = WAL_BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < batch->sections; i++) {
        struct wal_section section;
        place.offset = offset + at;
        if (!wal_section_decode(&section, &place, batch->lsn, bytes + at,
                                (size_t)(batch->bytes - at))) {
            note_loss(recover);
            break;
        }
        bool holds = wal_section_body_holds(&section, &place, batch->lsn, bytes + at);
        take_section(recover, &section, segment, batch->lsn, place.offset, bytes + at, holds);
        at += section.bytes;
    }
    segment->used = offset + align_up(batch->bytes);
    recover->last_segment = segment;
    recover->last_lsn = batch->lsn;
    recover->last_sum = batch->sum;
}

static void drop_suspect(struct recover *recover) {
    recover->suspect = false;
    cairn_free(recover->suspect_bytes);
    recover->suspect_bytes = NULL;
}

/* Something valid stands behind it, or it is known durable: it was damaged, not torn. */
static void take_suspect(struct recover *recover) {
    if (!recover->suspect)
        return;
    take_batch(recover, &recover->suspect_batch, recover->suspect_segment, recover->suspect_offset,
               recover->suspect_bytes);
    drop_suspect(recover);
}

static bool at_start(const struct recover *recover, const struct wal_segment *segment,
                     uint64_t offset) {
    return recover->last_lsn == 0 && offset == 0 && recover->wal->segments.next == &segment->link;
}

static bool chained(const struct recover *recover, const struct wal_batch *batch) {
    if (batch->prev_lsn != recover->last_lsn)
        return false;
    return recover->wal->options.mutant == MUTANT_WAL_NO_CHECKSUM || recover->last_lsn == 0 ||
           batch->prev_sum == recover->last_sum;
}

static void keep_suspect(struct recover *recover, struct wal_segment *segment,
                         const struct wal_found *found) {
    size_t len = (size_t)align_up(found->batch.bytes);
    recover->suspect = true;
    recover->suspect_batch = found->batch;
    recover->suspect_offset = found->offset;
    recover->suspect_segment = segment;
    recover->suspect_bytes = cairn_alloc(len);
    memcpy(recover->suspect_bytes, found->bytes, len);
}

static void meet_batch(struct recover *recover, struct wal_segment *segment,
                       const struct wal_found *found) {
    const struct wal_batch *batch = &found->batch;
    /* A later run that went on from before the suspect had cut it. */
    if (recover->suspect && chained(recover, batch))
        drop_suspect(recover);
    take_suspect(recover);
    if (recover->last_lsn && batch->lsn <= recover->last_lsn) {
        /* No write of ours puts an older number behind a newer one: what stood here is gone. */
        note_loss(recover);
        return;
    }
    if (!at_start(recover, segment, found->offset) && !chained(recover, batch))
        note_loss(recover);
    if (batch->durable_lsn > recover->durable)
        recover->durable = batch->durable_lsn;
    if (found->content_holds)
        take_batch(recover, batch, segment, found->offset, found->bytes);
    else
        keep_suspect(recover, segment, found);
}

/* ---- segments ---- */

static enum cairn_status read_segment(struct recover *recover, uint64_t incarnation) {
    struct wal *wal = recover->wal;
    char path[WAL_PATH_MAX];
    wal_segment_path(wal->folder, incarnation, path);
    struct wal_scan scan;
    enum cairn_status status =
        wal_scan_open(&scan, wal->env, path, ENV_OPEN_WRITE | ENV_OPEN_DIRECT);
    if (status != CAIRN_OK)
        return status;
    scan.window_bytes =
        rare_limit(wal->options.rare, RARE_SCAN_SMALL, ENV_DISK_ALIGN, scan.window_bytes);
    scan.place = (struct wal_place){.log_id = wal->control.log_id,
                                    .incarnation = incarnation,
                                    .check = wal->options.mutant != MUTANT_WAL_NO_CHECKSUM};
    struct wal_segment *segment = wal_segment_new(wal, incarnation, scan.bytes, scan.file);
    list_push(&wal->segments, &segment->link);
    struct wal_found found;
    uint64_t end = 0;
    while (wal_scan_next(&scan, &found)) {
        recover->tail_unreadable = false;
        meet_batch(recover, segment, &found);
        end = found.offset + align_up(found.batch.bytes);
        if (!found.content_holds)
            recover->suspect_unreadable =
                wal_scan_unreadable(&scan, found.offset, end - found.offset);
    }
    /* No torn write makes a block unreadable. */
    recover->tail_unreadable |= wal_scan_unreadable(&scan, end, ENV_DISK_ALIGN);
    wal_scan_free(&scan);
    return CAIRN_OK;
}

static enum cairn_status remove_segment(struct wal *wal, struct wal_segment *segment) {
    char path[WAL_PATH_MAX];
    wal_segment_path(wal->folder, segment->incarnation, path);
    list_remove(&segment->link);
    env_file_close(wal->env, segment->file);
    cairn_free(segment);
    return env_remove(wal->env, path);
}

/* What lies behind the tail holds nothing, as do spares that were passed over: segments of the
 * usual size are spares. */
static enum cairn_status sort_out(struct recover *recover, struct wal_segment *tail) {
    struct wal *wal = recover->wal;
    bool behind = tail == NULL;
    enum cairn_status status = CAIRN_OK;
    LIST_EACH_SAFE(at, &wal->segments) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        bool passed_over = !behind && segment != tail && segment->used == 0 && recover->lost == 0;
        if (behind && segment->bytes == wal->options.segment_bytes) {
            list_remove(at);
            list_push(&wal->ready, at);
        } else if (behind || passed_over) {
            status = remove_segment(wal, segment);
            if (status != CAIRN_OK)
                return status;
        } else {
            behind = segment == tail;
        }
    }
    return CAIRN_OK;
}

/* The segment to go on in. After damage at the tail a fresh one: what stands there may be what was
 * acknowledged, and is never written over. */
static enum cairn_status choose_segment(struct recover *recover, bool fresh) {
    struct wal *wal = recover->wal;
    if (!fresh && !list_empty(&wal->segments))
        return CAIRN_OK;
    struct list *spare = list_first(&wal->ready);
    if (spare) {
        list_remove(spare);
        list_push(&wal->segments, spare);
        return CAIRN_OK;
    }
    uint64_t incarnation = wal->next_incarnation;
    struct env_file *file;
    enum cairn_status status = wal_segment_make(wal->env, wal->folder, incarnation,
                                                wal->options.segment_bytes, WAL_FILL_BYTES, &file);
    if (status != CAIRN_OK)
        return status;
    struct wal_segment *segment =
        wal_segment_new(wal, incarnation, wal->options.segment_bytes, file);
    list_push(&wal->segments, &segment->link);
    if (fresh)
        wal->control.fresh = incarnation;
    return CAIRN_OK;
}

/* ---- the end ---- */

/* Groups which the last loss may have met and that nothing behind it speaks for. */
static void note_open(struct recover *recover) {
    struct wal_group *group = NULL;
    while ((group = wal_index_next(&recover->wal->index, group)) != NULL) {
        if (recover->lost && group->seen < recover->lost)
            group->durable.open = true;
        group->pending = group->durable;
        recover->wal->damaged |= wal_group_damaged(group);
    }
}

/* The segment that an earlier start made after it had lost the tail, if nothing was written since:
 * starting over and over must not make the log grow. */
static struct wal_segment *made_fresh(struct wal *wal) {
    struct wal_segment *made = NULL;
    LIST_EACH(at, &wal->segments) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        if (wal->control.fresh && segment->incarnation == wal->control.fresh)
            made = segment;
        if (segment->used)
            made = NULL;
    }
    return made;
}

static enum cairn_status finish(struct recover *recover) {
    struct wal *wal = recover->wal;
    bool tail_lost = recover->tail_unreadable;
    struct wal_segment *tail = recover->last_segment;
    bool torn = recover->suspect_batch.lsn > recover->durable && !recover->suspect_unreadable;
    torn |= wal->options.mutant == MUTANT_WAL_DAMAGE_IS_TORN;
    if (recover->suspect && !torn) {
        take_suspect(recover);
        tail = recover->last_segment;
    } else if (recover->suspect) {
        tail = recover->suspect_segment;
        tail->used = recover->suspect_offset;
        drop_suspect(recover);
    }
    uint64_t last_incarnation = recover->last_segment ? recover->last_segment->incarnation : 0;
    if (recover->durable > recover->last_lsn) {
        tail_lost = true;
        last_incarnation = UINT64_MAX; /* that it is lost stays known until a batch is behind it */
        recover->last_lsn = recover->durable;
        recover->last_sum = 0;
    }
    if (tail_lost)
        note_loss(recover);
    note_open(recover);
    /* With a lost tail every segment that was there stays as it is, but for the one that an earlier
     * start made for this very reason. */
    struct wal_segment *made = tail_lost ? made_fresh(wal) : NULL;
    if (made)
        tail = made;
    else if (tail_lost && !list_empty(&wal->segments))
        tail = wal_segment_current(wal);
    enum cairn_status status = sort_out(recover, tail);
    if (status == CAIRN_OK)
        status = choose_segment(recover, tail_lost && !made);
    uint64_t run = recover->last_lsn >> WAL_RUN_SHIFT;
    wal->control.run = (run > wal->control.run ? run : wal->control.run) + 1;
    wal->last_lsn = recover->last_lsn;
    wal->last_incarnation = last_incarnation;
    wal->last_sum = recover->last_sum;
    wal->next_lsn = wal->control.run << WAL_RUN_SHIFT | 1;
    return status;
}

static enum cairn_status read_all(struct recover *recover, struct wal_segment_list *list) {
    struct wal *wal = recover->wal;
    enum cairn_status status = wal_segment_list_read(wal->env, wal->folder, list);
    uint64_t first = wal->control.first_incarnation;
    bool missed = wal->control.run && (list->count == 0 || list->incarnations[0] > first);
    if (status == CAIRN_OK && missed)
        note_loss(recover);
    for (size_t i = 0; i < list->count && status == CAIRN_OK; i++) {
        if (list->incarnations[i] >= first) {
            status = read_segment(recover, list->incarnations[i]);
            continue;
        }
        /* It had been released when the last run ended. */
        char path[WAL_PATH_MAX];
        wal_segment_path(wal->folder, list->incarnations[i], path);
        status = env_remove(wal->env, path);
    }
    return status;
}

enum cairn_status wal_recover(struct wal *wal, const struct wal_recovery *recovery, char *error,
                              size_t error_size) {
    struct recover recover = {.wal = wal, .durable = wal->control.durable_lsn};
    struct wal_segment_list list = {0};
    if (wal->next_incarnation == 0)
        wal->next_incarnation = 1;
    enum cairn_status status = read_all(&recover, &list);
    if (status == CAIRN_OK)
        status = finish(&recover);
    if (status == CAIRN_OK)
        status = wal_replay(wal, recovery);
    drop_suspect(&recover);
    wal_segment_list_free(&list);
    if (status != CAIRN_OK)
        snprintf(error, error_size, "cannot read the log in %s: %s", wal->folder,
                 cairn_status_text(status));
    return status;
}
