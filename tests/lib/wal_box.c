#include "wal_box.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static struct box_log *recovered(void *context, uint64_t group) {
    struct wal_box *box = context;
    return &box->recovered[group < BOX_GROUPS ? group : BOX_GROUPS];
}

static void cut(struct box_log *log, uint64_t from) {
    for (uint64_t i = from; i < BOX_INDEX_MAX; i++) {
        log->term[i] = 0;
        log->damaged[i] = false;
    }
    if (log->last >= from)
        log->last = from ? from - 1 : 0;
}

static void on_hard(void *context, uint64_t group, struct bytes hard) {
    recovered(context, group)->hard = hard.len == 8 ? get_u64(hard.data) : UINT64_MAX;
}

static void on_entry(void *context, uint64_t group, const struct entry *entry, bool repaired) {
    struct box_log *log = recovered(context, group);
    if (entry->index >= BOX_INDEX_MAX)
        return;
    /* What is told is the end result: rising, with no gap but damage. */
    cairn_assert(!repaired && entry->index > log->given && !log->damaged[entry->index]);
    for (uint64_t i = log->given + 1; log->given && i < entry->index; i++)
        cairn_assert(log->damaged[i]);
    log->given = entry->index;
    log->term[entry->index] = entry->term;
    log->chain[entry->index] = entry->chain;
    log->damaged[entry->index] = false;
    if (entry->index > log->last)
        log->last = entry->index;
}

static void on_reset(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain) {
    struct box_log *log = recovered(context, group);
    cut(log, 0);
    log->base = log->last = index;
}

static void on_damage(void *context, uint64_t group, uint64_t first, uint64_t last) {
    struct box_log *log = recovered(context, group);
    log->open |= last == UINT64_MAX;
    for (uint64_t i = first; i <= last && i < BOX_INDEX_MAX; i++) {
        log->damaged[i] = true;
        log->term[i] = 0;
    }
    if (last != UINT64_MAX && last > log->last)
        log->last = last;
}

static void on_released(void *context, uint64_t group, uint64_t index) {
    recovered(context, group)->released = index;
}

static void on_hard_lost(void *context, uint64_t group) {
    struct wal_box *box = context;
    if (group == WAL_EVERY_GROUP)
        box->every_hard_lost = true;
    else
        recovered(context, group)->hard_lost = true;
}

static void refuse(struct wal_box *box, uint64_t group) {
    box->failed++;
    if (box->refused_count[group] < 1000)
        box->refused_hard[group][box->refused_count[group]++] = box->pending[group][0].log.hard;
}

static void on_done(void *context, uint64_t group, uint64_t seq, enum cairn_status status) {
    struct wal_box *box = context;
    size_t at = 0;
    box->done++;
    box->last_status = status;
    cairn_assert(box->pending_count[group] > 0 && box->pending[group][0].seq == seq);
    if (status == CAIRN_OK)
        box->acked[group] = box->pending[group][at].log;
    else
        refuse(box, group);
    memmove(box->pending[group], box->pending[group] + 1,
            --box->pending_count[group] * sizeof box->pending[group][0]);
    /* What failed was not written; nothing that was queued behind it was either. */
    if (status != CAIRN_OK && box->pending_count[group] == 0)
        box->asked[group] = box->acked[group];
}

struct wal_box *wal_box_new(uint64_t seed) {
    struct wal_box *box = cairn_alloc_zero(sizeof *box);
    box->fake = fake_env_new(seed);
    box->options = (struct wal_options){.segment_bytes = BOX_SEGMENT_BYTES,
                                        .batch_bytes_max = 32768,
                                        .spare_segments = 1,
                                        .done = on_done,
                                        .context = box};
    return box;
}

void wal_box_free(struct wal_box *box) {
    if (box->wal)
        wal_drop(box->wal);
    fake_env_free(box->fake);
    cairn_free(box);
}

enum cairn_status wal_box_open(struct wal_box *box) {
    char error[200];
    memset(box->recovered, 0, sizeof box->recovered);
    box->every_hard_lost = false;
    struct wal_recovery recovery = {.context = box,
                                    .hard = on_hard,
                                    .entry = on_entry,
                                    .reset = on_reset,
                                    .released = on_released,
                                    .damage = on_damage,
                                    .hard_lost = on_hard_lost};
    enum cairn_status status = wal_open(&box->fake->env, BOX_FOLDER, &box->options, &recovery,
                                        &box->wal, error, sizeof error);
    if (status != CAIRN_OK && !box->fake->crashed)
        print_message("%s\n", error);
    return status;
}

void wal_box_close(struct wal_box *box) {
    wal_close(box->wal);
    box->wal = NULL;
    fake_env_run(box->fake);
}

void wal_box_crash(struct wal_box *box) {
    if (box->wal)
        wal_drop(box->wal);
    box->wal = NULL;
    fake_env_crash(box->fake);
}

/* ---- writing ---- */

static void write_it(struct wal_box *box, struct wal_write *write) {
    uint64_t group = write->group;
    write->seq = ++box->seq;
    write->room = box->room;
    cairn_assert(box->pending_count[group] < 64);
    box->pending[group][box->pending_count[group]].seq = write->seq;
    box->pending[group][box->pending_count[group]++].log = box->asked[group];
    wal_write(box->wal, write);
}

/* Entries first.. as the asked log has them, payload from the index alone. */
static struct entry *make_entries(struct box_log *log, uint64_t first, size_t count,
                                  size_t payload) {
    struct entry *entries = cairn_alloc_zero((count + 1) * sizeof *entries);
    uint8_t *bytes = cairn_alloc(payload + 1);
    uint64_t chain = first > 0 ? log->chain[first - 1] : 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t index = first + i;
        memset(bytes, (int)(index & 0xff), payload);
        entries[i] =
            (struct entry){.index = index, .term = log->term[index], .kind = ENTRY_COMMAND};
        struct blob *blob = blob_new(entry_size(payload));
        entry_encode(&entries[i], blob->data, bytes_of(bytes, payload), chain);
        entries[i].blob = blob;
        chain = log->chain[index] = entries[i].chain;
    }
    cairn_free(bytes);
    return entries;
}

static void drop_entries(struct entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++)
        entry_unref(&entries[i]);
    cairn_free(entries);
}

static void append(struct wal_box *box, uint64_t group, uint64_t from, bool truncate, uint64_t term,
                   size_t count, size_t payload) {
    struct box_log *log = &box->asked[group];
    if (from <= log->last)
        cut(log, from);
    for (size_t i = 0; i < count; i++)
        log->term[from + i] = term;
    log->last = from + count - 1;
    struct entry *entries = make_entries(log, from, count, payload);
    struct wal_write write = {
        .group = group, .truncate_from = truncate ? from : 0, .entries = entries, .count = count};
    write_it(box, &write);
    drop_entries(entries, count);
}

void wal_box_append(struct wal_box *box, uint64_t group, uint64_t term, size_t count,
                    size_t payload) {
    append(box, group, box->asked[group].last + 1, false, term, count, payload);
}

void wal_box_truncate(struct wal_box *box, uint64_t group, uint64_t from) {
    cut(&box->asked[group], from);
    write_it(box, &(struct wal_write){.group = group, .truncate_from = from});
}

void wal_box_replace(struct wal_box *box, uint64_t group, uint64_t from, uint64_t term,
                     size_t count) {
    append(box, group, from, true, term, count, 20);
}

void wal_box_reset(struct wal_box *box, uint64_t group, uint64_t index) {
    struct box_log *log = &box->asked[group];
    cut(log, 0);
    log->base = log->last = index;
    log->chain[index] = index * 7;
    write_it(box, &(struct wal_write){.group = group,
                                      .reset = true,
                                      .reset_index = index,
                                      .reset_term = 1,
                                      .reset_chain = index * 7});
}

void wal_box_hard(struct wal_box *box, uint64_t group, uint64_t hard) {
    uint8_t bytes[8];
    put_u64(bytes, hard);
    box->asked[group].hard = hard;
    write_it(box, &(struct wal_write){.group = group, .hard = bytes_of(bytes, 8)});
}

void wal_box_repair(struct wal_box *box, uint64_t group, uint64_t first, uint64_t last,
                    bool whole) {
    size_t count = (size_t)(last + 1 - first);
    struct entry *entries = make_entries(&box->asked[group], first, count, 20);
    write_it(
        box,
        &(struct wal_write){
            .group = group, .entries = entries, .count = count, .repaired = true, .whole = whole});
    drop_entries(entries, count);
}

void wal_box_sync(struct wal_box *box) {
    wal_flush(box->wal);
    fake_env_run(box->fake);
}

/* ---- loading ---- */

static void on_loaded(void *context, uint64_t tag, enum cairn_status status, uint64_t first,
                      const struct entry *entries, size_t count) {
    struct wal_box *box = context;
    const struct box_log *log = &box->asked[tag];
    box->loaded_status = status;
    box->loaded_count = count;
    box->loaded_first = count ? first : 0;
    box->loaded_right = true;
    for (size_t i = 0; i < count && status == CAIRN_OK; i++)
        if (entries[i].term != log->term[entries[i].index] ||
            entries[i].chain != log->chain[entries[i].index])
            box->loaded_right = false;
}

void wal_box_load(struct wal_box *box, uint64_t group, uint64_t first, uint64_t last,
                  size_t bytes_max) {
    wal_load(box->wal, group, first, last, bytes_max, group, on_loaded, box);
    fake_env_run(box->fake);
}

/* ---- judging ---- */

/* Recovered equals the log `want`, but for what it calls damaged. */
static bool agrees(const struct box_log *got, const struct box_log *want) {
    for (uint64_t i = want->base + 1; i < BOX_INDEX_MAX; i++) {
        if (got->damaged[i])
            continue;
        if (got->term[i] != want->term[i])
            return false;
        if (got->term[i] && got->chain[i] != want->chain[i])
            return false;
    }
    /* A reset that nothing follows may be recycled: the snapshot behind it tells. */
    return got->base == want->base || got->open || (got->base == 0 && want->last == want->base);
}

static bool hard_agrees(const struct wal_box *box, size_t group) {
    uint64_t hard = box->recovered[group].hard;
    if (box->recovered[group].hard_lost || box->every_hard_lost || hard == box->acked[group].hard)
        return true;
    for (size_t i = 0; i < box->pending_count[group]; i++)
        if (box->pending[group][i].log.hard == hard)
            return true;
    for (size_t i = 0; i < box->refused_count[group]; i++)
        if (box->refused_hard[group][i] == hard)
            return true;
    return false;
}

const char *wal_box_check(const struct wal_box *box) {
    for (size_t group = 0; group < BOX_GROUPS; group++) {
        const struct box_log *got = &box->recovered[group];
        bool fits = agrees(got, &box->acked[group]);
        for (size_t i = 0; i < box->pending_count[group]; i++)
            fits |= agrees(got, &box->pending[group][i].log);
        if (!fits)
            return "a recovered log is neither the acknowledged one nor one asked later";
        if (!hard_agrees(box, group))
            return "a recovered hard state is neither the acknowledged one nor one asked later";
    }
    return NULL;
}

bool wal_box_sound(const struct wal_box *box) {
    if (box->every_hard_lost)
        return false;
    for (size_t group = 0; group < BOX_GROUPS; group++) {
        const struct box_log *got = &box->recovered[group];
        if (got->open || got->hard_lost)
            return false;
        for (uint64_t i = 0; i < BOX_INDEX_MAX; i++)
            if (got->damaged[i])
                return false;
    }
    return true;
}

void wal_box_adopt(struct wal_box *box) {
    for (size_t group = 0; group < BOX_GROUPS; group++) {
        struct box_log log = box->recovered[group];
        /* The chain before the first entry is known from the reset. */
        if (log.base)
            log.chain[log.base] = log.base * 7;
        box->asked[group] = box->acked[group] = log;
        box->pending_count[group] = 0;
    }
}
