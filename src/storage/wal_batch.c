/* Writes one batch, beside the loop: hard states first, then the sections in a single write. */

#include "storage/wal_internal.h"

#include "base/assert.h"

#include <string.h>

static uint8_t *put_section(struct wal_item *item, const struct wal_place *place, uint64_t lsn,
                            uint8_t *at) {
    struct wal_section *section = &item->section;
    uint8_t *body = at + WAL_SECTION_HEAD_BYTES;
    for (uint64_t i = 0; i < section->count; i++) {
        struct bytes encoded = item->entries[i].encoded;
        memcpy(body, encoded.data, encoded.len);
        body += encoded.len;
    }
    cairn_assert((uint64_t)(body - at) == section->bytes);
    wal_section_seal(section, place, lsn, at);
    return body;
}

static void build(struct wal_job *job, uint8_t *start, size_t len) {
    uint8_t *at = start + WAL_BATCH_HEAD_BYTES;
    LIST_EACH(link, &job->items) {
        struct wal_item *item = container_of(link, struct wal_item, link);
        if (!item->log)
            continue;
        struct wal_section as_asked = item->section;
        if (job->wal->options.mutant == MUTANT_WAL_TRUNCATE_LOST)
            item->section.truncate_from = 0;
        struct wal_place place = job->place;
        place.offset += (uint64_t)(at - start);
        at = put_section(item, &place, job->batch.lsn, at);
        item->section.truncate_from = as_asked.truncate_from;
    }
    cairn_assert((uint64_t)(at - start) == job->batch.bytes);
    memset(at, 0, len - (size_t)(at - start));
    wal_batch_seal(&job->batch, &job->place, start);
}

/* A batch that found no space must not come back after a restart: where its head reached the disk
 * nevertheless, it is wiped. Nothing is kept, or the log is given up. */
static enum cairn_status wipe(struct wal_job *job) {
    struct env *env = job->wal->env;
    uint8_t *block = aligned_reserve(&job->buffer, ENV_DISK_ALIGN);
    if (env_read_at(env, job->file, job->place.offset, block, ENV_DISK_ALIGN) == CAIRN_OK) {
        struct wal_batch found;
        struct wal_place place = job->place;
        place.check = true;
        if (!wal_batch_decode(&found, &place, block) || found.lsn != job->batch.lsn)
            return CAIRN_NO_SPACE;
    }
    memset(block, 0, ENV_DISK_ALIGN);
    if (env_write_at(env, job->file, job->place.offset, block, ENV_DISK_ALIGN) != CAIRN_OK)
        return CAIRN_IO;
    if (!env_file_is_direct(env, job->file) && env_sync(env, job->file) != CAIRN_OK)
        return CAIRN_IO;
    return CAIRN_NO_SPACE;
}

static enum cairn_status write_batch(struct wal_job *job) {
    struct env *env = job->wal->env;
    size_t len = (size_t)align_up(job->batch.bytes);
    uint8_t *start = aligned_reserve(&job->buffer, len);
    build(job, start, len);
    enum cairn_status status = env_write_at(env, job->file, job->place.offset, start, len);
    if (status == CAIRN_NO_SPACE || status == CAIRN_EXHAUSTED)
        return wipe(job);
    /* A failed sync says nothing of what is on the medium, whatever its reason: never go on. */
    if (status == CAIRN_OK && !env_file_is_direct(env, job->file) &&
        env_sync(env, job->file) != CAIRN_OK &&
        job->wal->options.mutant != MUTANT_WAL_SYNC_FAILURE_IGNORED)
        status = CAIRN_IO;
    if (status != CAIRN_OK)
        return CAIRN_IO;
    job->writes++;
    job->bytes_written += len;
    return CAIRN_OK;
}

void wal_batch_run(struct env_work *work) {
    struct wal_job *job = container_of(work, struct wal_job, work);
    job->status = wal_hard_write(job);
    if (job->status == CAIRN_OK && job->segment != NULL)
        job->status = write_batch(job);
    aligned_trim(&job->buffer, job->wal->buffer_keep);
}
