#include "storage/wal.h"
#include "storage/wal_internal.h"
#include "storage/wal_scan.h"

#include <inttypes.h>
#include <string.h>

struct inspect {
    struct env *env;
    const char *folder;
    FILE *out;
    bool verbose;
    uint64_t log_id;
    uint64_t durable_lsn;
    uint64_t last_lsn;
    uint64_t bad_lsn; /* of a batch whose content is bad and behind which nothing was seen */
    uint64_t damaged;
};

static enum cairn_status show_control(struct inspect *inspect) {
    char path[WAL_PATH_MAX];
    snprintf(path, sizeof path, "%s/log.control", inspect->folder);
    struct env_file *file;
    enum cairn_status status = env_open(inspect->env, path, ENV_OPEN_READ | ENV_OPEN_DIRECT, &file);
    if (status != CAIRN_OK)
        return status;
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    struct wal_control best = {0};
    for (unsigned copy = 0; copy < 2; copy++) {
        struct wal_control found;
        status =
            env_read_at(inspect->env, file, copy * (uint64_t)ENV_DISK_ALIGN, page, ENV_DISK_ALIGN);
        if (status == CAIRN_OK)
            status = wal_control_decode(&found, copy, page);
        if (status == CAIRN_OK && found.seq > best.seq)
            best = found;
        if (status != CAIRN_OK) {
            fprintf(inspect->out, "control copy %u: %s\n", copy, cairn_status_text(status));
            inspect->damaged++;
        }
    }
    aligned_free(&buffer);
    env_file_close(inspect->env, file);
    if (best.seq == 0)
        return CAIRN_CORRUPT;
    inspect->log_id = best.log_id;
    inspect->durable_lsn = best.durable_lsn;
    fprintf(inspect->out,
            "log %016" PRIx64 "  run %" PRIu64 "  durable %" PRIx64 "  oldest segment %" PRIu64
            "\n",
            best.log_id, best.run, best.durable_lsn, best.first_incarnation);
    return CAIRN_OK;
}

static void show_section(struct inspect *inspect, const struct wal_section *section, bool holds) {
    fprintf(inspect->out, "    group %" PRIu64 " section %" PRIu64, section->group,
            section->ordinal);
    if (section->flags & WAL_SECTION_RESET)
        fprintf(inspect->out, " reset behind %" PRIu64, section->base_index);
    if (section->truncate_from)
        fprintf(inspect->out, " truncate from %" PRIu64, section->truncate_from);
    if (section->count)
        fprintf(inspect->out, " entries %" PRIu64 "..%" PRIu64 "%s", section->first_index,
                section->first_index + section->count - 1,
                section->flags & WAL_SECTION_REPAIRED ? " (repair)" : "");
    if (section->flags & WAL_SECTION_OPEN)
        fputs(" damage of unknown extent stands", inspect->out);
    if (section->flags & WAL_SECTION_WHOLE)
        fputs(" whole again", inspect->out);
    fputs(holds ? "\n" : "  DAMAGED\n", inspect->out);
}

static void show_sections(struct inspect *inspect, const struct wal_found *found,
                          struct wal_place place) {
    uint64_t at = WAL_BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < found->batch.sections; i++) {
        struct wal_section section;
        place.offset = found->offset + at;
        if (!wal_section_decode(&section, &place, found->batch.lsn, found->bytes + at,
                                (size_t)(found->batch.bytes - at))) {
            fprintf(inspect->out, "    DAMAGED: what follows in this batch can't be told\n");
            return;
        }
        show_section(inspect, &section,
                     wal_section_body_holds(&section, &place, found->batch.lsn, found->bytes + at));
        at += section.bytes;
    }
}

static void show_batch(struct inspect *inspect, const struct wal_found *found,
                       struct wal_place place) {
    const struct wal_batch *batch = &found->batch;
    /* Bad content is a torn tail as long as nothing chains to it. */
    if (inspect->bad_lsn && batch->prev_lsn == inspect->bad_lsn)
        inspect->damaged++;
    if (inspect->last_lsn && batch->prev_lsn != inspect->last_lsn &&
        batch->prev_lsn != inspect->bad_lsn) {
        fprintf(inspect->out, "  DAMAGED: batches behind %" PRIx64 " are missing\n",
                inspect->last_lsn);
        inspect->damaged++;
    }
    inspect->bad_lsn = found->content_holds ? 0 : batch->lsn;
    if (found->content_holds)
        inspect->last_lsn = batch->lsn;
    if (!inspect->verbose && found->content_holds)
        return;
    fprintf(inspect->out, "  at %-10" PRIu64 " batch %" PRIx64 " %" PRIu64 " bytes%s\n",
            found->offset, batch->lsn, batch->bytes, found->content_holds ? "" : "  CONTENT BAD");
    show_sections(inspect, found, place);
}

static enum cairn_status show_segment(struct inspect *inspect, uint64_t incarnation) {
    char path[WAL_PATH_MAX];
    wal_segment_path(inspect->folder, incarnation, path);
    struct wal_scan scan;
    enum cairn_status status =
        wal_scan_open(&scan, inspect->env, path, ENV_OPEN_READ | ENV_OPEN_DIRECT);
    if (status != CAIRN_OK)
        return status;
    scan.place =
        (struct wal_place){.log_id = inspect->log_id, .incarnation = incarnation, .check = true};
    fprintf(inspect->out, "segment %" PRIu64 "  %" PRIu64 " bytes\n", incarnation, scan.bytes);
    struct wal_found found;
    uint64_t batches = 0;
    for (; wal_scan_next(&scan, &found); batches++)
        show_batch(inspect, &found, scan.place);
    fprintf(inspect->out, "  %" PRIu64 " batches\n", batches);
    wal_scan_free(&scan);
    env_file_close(inspect->env, scan.file);
    return CAIRN_OK;
}

enum cairn_status wal_inspect(struct env *env, const char *folder, bool verbose, FILE *out) {
    struct inspect inspect = {.env = env, .folder = folder, .out = out, .verbose = verbose};
    struct wal_segment_list segments = {0};
    enum cairn_status status = show_control(&inspect);
    if (status == CAIRN_OK)
        status = wal_segment_list_read(env, folder, &segments);
    for (size_t i = 0; i < segments.count && status == CAIRN_OK; i++)
        status = show_segment(&inspect, segments.incarnations[i]);
    if (inspect.durable_lsn > inspect.last_lsn) {
        fprintf(out, "DAMAGED: the tail up to %" PRIx64 " is missing\n", inspect.durable_lsn);
        inspect.damaged++;
    } else if (inspect.bad_lsn) {
        fprintf(out, "the last batch is torn: the next start cuts it\n");
    }
    wal_segment_list_free(&segments);
    if (status != CAIRN_OK)
        return status;
    fprintf(out, "%" PRIu64 " damaged places\n", inspect.damaged);
    return inspect.damaged ? CAIRN_CORRUPT : CAIRN_OK;
}
