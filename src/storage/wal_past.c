#include "storage/wal.h"
#include "storage/wal_internal.h"
#include "storage/wal_scan.h"

#include "base/alloc.h"

#include <string.h>

/* A segment that its owner recycles while it is looked for is gone under its old name. */
#define TRIES 5u

struct reading {
    struct env *env;
    const char *folder;
    uint64_t group;
    uint64_t log_id;
    uint64_t last_lsn;
    struct wal_segment_list segments;
    struct wal_past *past;
};

static uint64_t last_index(const struct wal_past *past) {
    return past->count ? past->entries[past->count - 1].index : 0;
}

static void cut_from(struct wal_past *past, uint64_t index) {
    while (past->count > 0 && past->entries[past->count - 1].index >= index)
        entry_unref(&past->entries[--past->count]);
}

static void add(struct wal_past *past, const struct entry *entry) {
    if (past->count > 0 && entry->index != last_index(past) + 1)
        cut_from(past, 0);
    if (past->count == past->cap) {
        past->cap = past->cap ? 2 * past->cap : 1024;
        past->entries = cairn_realloc(past->entries, past->cap * sizeof *past->entries);
    }
    past->entries[past->count++] = *entry;
}

/* An entry that repaired a damaged one stands where that one stood. */
static void put_back(struct wal_past *past, struct entry *entry) {
    uint64_t first = past->count ? past->entries[0].index : UINT64_MAX;
    if (entry->index < first || entry->index > last_index(past)) {
        add(past, entry);
        return;
    }
    struct entry *place = &past->entries[entry->index - first];
    entry_unref(place);
    *place = *entry;
}

static void take_entries(struct wal_past *past, const struct wal_section *section,
                         const uint8_t *at) {
    struct blob *blob = blob_from(
        bytes_of(at + WAL_SECTION_HEAD_BYTES, (size_t)section->bytes - WAL_SECTION_HEAD_BYTES));
    struct reader reader = reader_of(blob_view(blob));
    bool repaired = section->flags & WAL_SECTION_REPAIRED;
    if (!repaired)
        cut_from(past, section->first_index);
    for (uint64_t i = 0; i < section->count; i++) {
        struct entry entry;
        if (entry_decode(&reader, &entry) != CAIRN_OK)
            break;
        entry.blob = blob_ref(blob);
        if (repaired)
            put_back(past, &entry);
        else
            add(past, &entry);
    }
    blob_unref(blob);
}

static void take_batch(struct reading *reading, const struct wal_found *found,
                       struct wal_place place) {
    uint64_t at = WAL_BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < found->batch.sections; i++) {
        struct wal_section section;
        place.offset = found->offset + at;
        if (!wal_section_decode(&section, &place, found->batch.lsn, found->bytes + at,
                                (size_t)(found->batch.bytes - at)))
            return;
        if (section.group == reading->group) {
            if (section.flags & WAL_SECTION_RESET)
                cut_from(reading->past, 0);
            if (section.truncate_from)
                cut_from(reading->past, section.truncate_from);
            if (section.count &&
                wal_section_body_holds(&section, &place, found->batch.lsn, found->bytes + at))
                take_entries(reading->past, &section, found->bytes + at);
        }
        at += section.bytes;
    }
}

static enum cairn_status read_segment(struct reading *reading, uint64_t incarnation) {
    char path[WAL_PATH_MAX];
    wal_segment_path(reading->folder, incarnation, path);
    struct wal_scan scan;
    enum cairn_status status =
        wal_scan_open(&scan, reading->env, path, ENV_OPEN_READ | ENV_OPEN_DIRECT);
    if (status != CAIRN_OK)
        return status;
    scan.place =
        (struct wal_place){.log_id = reading->log_id, .incarnation = incarnation, .check = true};
    struct wal_found found;
    while (wal_scan_next(&scan, &found)) {
        if (!found.content_holds || found.batch.lsn <= reading->last_lsn)
            continue; /* it is being written, or torn */
        reading->last_lsn = found.batch.lsn;
        take_batch(reading, &found, scan.place);
    }
    wal_scan_free(&scan);
    env_file_close(reading->env, scan.file);
    return CAIRN_OK;
}

static enum cairn_status read_control(struct reading *reading) {
    char path[WAL_PATH_MAX];
    snprintf(path, sizeof path, "%s/log.control", reading->folder);
    struct env_file *file;
    enum cairn_status status = env_open(reading->env, path, ENV_OPEN_READ | ENV_OPEN_DIRECT, &file);
    if (status != CAIRN_OK)
        return status;
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    enum cairn_status found = CAIRN_CORRUPT;
    for (unsigned copy = 0; copy < 2; copy++) { /* both copies name the same log */
        struct wal_control control;
        if (env_read_at(reading->env, file, copy * (uint64_t)ENV_DISK_ALIGN, page,
                        ENV_DISK_ALIGN) == CAIRN_OK &&
            wal_control_decode(&control, copy, page) == CAIRN_OK) {
            reading->log_id = control.log_id;
            found = CAIRN_OK;
        }
    }
    aligned_free(&buffer);
    env_file_close(reading->env, file);
    return found;
}

static enum cairn_status read_all(struct reading *reading) {
    cut_from(reading->past, 0);
    reading->last_lsn = 0;
    enum cairn_status status =
        wal_segment_list_read(reading->env, reading->folder, &reading->segments);
    for (size_t i = 0; i < reading->segments.count && status == CAIRN_OK; i++)
        status = read_segment(reading, reading->segments.incarnations[i]);
    return status;
}

enum cairn_status wal_past_read(struct env *env, const char *folder, uint64_t group,
                                struct wal_past *past) {
    *past = (struct wal_past){0};
    struct reading reading = {.env = env, .folder = folder, .group = group, .past = past};
    enum cairn_status status = read_control(&reading);
    if (status == CAIRN_OK)
        status = read_all(&reading);
    for (unsigned i = 1; i < TRIES && status == CAIRN_NOT_FOUND && reading.log_id != 0; i++)
        status = read_all(&reading);
    wal_segment_list_free(&reading.segments);
    if (status != CAIRN_OK)
        wal_past_free(past);
    return status;
}

void wal_past_free(struct wal_past *past) {
    cut_from(past, 0);
    cairn_free(past->entries);
    *past = (struct wal_past){0};
}
