/* Loading entries back: which extents is decided on the loop, the reading happens on the bulk
 * queue, where it also comes before any recycling of the segments it reads from. Every checksum is
 * verified on every read.
 */

#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

struct piece {
    struct wal_extent extent;
    struct env_file *file;
    uint64_t incarnation;
};

struct load_job {
    struct wal_background background;
    struct env *env;
    wal_loaded *done;
    void *context;
    uint64_t tag;
    uint64_t log_id;
    uint64_t group;
    uint64_t first;
    uint64_t next; /* index */
    uint64_t last;
    uint64_t lost;    /* CORRUPT, IO: entries that can't be read, from `first` on ... */
    uint64_t lost_in; /* ... in the segment of this incarnation; 0: known before */
    size_t bytes_max;
    size_t span_bytes_max;
    size_t bytes;
    struct piece *pieces;
    size_t piece_count;
    struct entry *entries;
    size_t count;
    size_t cap;
    enum cairn_status status;
};

/* Adds the entries of one section that are wanted; true while more are. */
static bool take_entries(struct load_job *job, struct bytes body, uint64_t last) {
    struct blob *blob = blob_from(body);
    struct reader reader = reader_of(blob_view(blob));
    bool more = true;
    while (more && job->next <= last && reader_left(&reader) > 0) {
        struct entry entry;
        if (entry_decode(&reader, &entry) != CAIRN_OK) {
            job->status = CAIRN_CORRUPT;
            break;
        }
        if (entry.index != job->next)
            continue;
        if (job->count && job->bytes + entry.encoded.len > job->bytes_max) {
            more = false;
            break;
        }
        if (job->count == job->cap) {
            job->cap = job->cap ? job->cap * 2 : 16;
            job->entries = cairn_realloc(job->entries, job->cap * sizeof *job->entries);
        }
        entry.blob = blob;
        job->entries[job->count++] = entry_ref(&entry);
        job->bytes += entry.encoded.len;
        job->next++;
    }
    if (more && job->next <= last)
        job->status = CAIRN_CORRUPT;
    blob_unref(blob);
    return more && job->status == CAIRN_OK;
}

struct span {
    size_t first, count; /* pieces */
    uint64_t start, end; /* in the file */
};

static struct span next_span(const struct load_job *job, size_t first, size_t pieces_end) {
    const struct piece *pieces = job->pieces;
    struct span span = {.first = first,
                        .start = pieces[first].extent.offset / ENV_DISK_ALIGN * ENV_DISK_ALIGN};
    uint64_t at = pieces[first].extent.offset;
    for (size_t i = first; i < pieces_end; i++) {
        const struct wal_extent *extent = &pieces[i].extent;
        uint64_t end = align_up(extent->offset + extent->bytes);
        bool joins = pieces[i].file == pieces[first].file && extent->offset >= at &&
                     end - span.start <= job->span_bytes_max;
        if (i > first && !joins)
            break;
        at = extent->offset;
        span.end = end;
        span.count++;
    }
    return span;
}

static bool read_span(struct load_job *job, const struct span *span, struct aligned *buffer) {
    size_t len = (size_t)(span->end - span->start);
    uint8_t *bytes = aligned_reserve(buffer, len);
    job->status = env_read_at(job->env, job->pieces[span->first].file, span->start, bytes, len);
    if (job->status == CAIRN_TORN)
        job->status = CAIRN_CORRUPT;
    return job->status == CAIRN_OK;
}

/* bytes: those of the file from start on. */
static bool take_piece(struct load_job *job, const struct piece *piece, const uint8_t *bytes,
                       uint64_t start) {
    const struct wal_extent *extent = &piece->extent;
    struct wal_place place = {.log_id = job->log_id,
                              .incarnation = piece->incarnation,
                              .offset = extent->offset,
                              .check = true};
    const uint8_t *at = bytes + (extent->offset - start);
    struct wal_section section;
    if (!wal_section_decode(&section, &place, extent->lsn, at, (size_t)extent->bytes) ||
        section.bytes != extent->bytes || section.group != job->group ||
        !wal_section_body_holds(&section, &place, extent->lsn, at)) {
        job->status = CAIRN_CORRUPT;
        return false;
    }
    uint64_t last = extent->last < job->last ? extent->last : job->last;
    return take_entries(
        job, bytes_of(at + WAL_SECTION_HEAD_BYTES, (size_t)section.bytes - WAL_SECTION_HEAD_BYTES),
        last);
}

/* Its section, or the medium below it, is bad: so are all entries that lie in it. */
static void lose_piece(struct load_job *job, const struct piece *piece) {
    job->lost = piece->extent.last - job->next + 1;
    job->lost_in = piece->incarnation;
}

static void load_run(struct env_work *work) {
    struct load_job *job = container_of(work, struct load_job, background.work);
    struct aligned buffer = {0};
    bool more = true;
    for (size_t i = 0; more && i < job->piece_count;) {
        struct span span = next_span(job, i, job->piece_count);
        more = read_span(job, &span, &buffer);
        if (!more && span.count > 1) {
            /* What can't be read may lie between them and be nothing of ours. */
            span = next_span(job, i, i + 1);
            more = read_span(job, &span, &buffer);
        }
        if (!more)
            lose_piece(job, &job->pieces[i]);
        for (; more && i < span.first + span.count; i++) {
            more = take_piece(job, &job->pieces[i], buffer.data, span.start);
            if (job->status != CAIRN_OK)
                lose_piece(job, &job->pieces[i]);
        }
    }
    aligned_free(&buffer);
    /* What was read before the trouble is good; the next load meets it first. */
    if (job->count)
        job->status = CAIRN_OK;
}

static void load_drop(struct wal_background *background) {
    struct load_job *job = container_of(background, struct load_job, background);
    for (size_t i = 0; i < job->count; i++)
        entry_unref(&job->entries[i]);
    cairn_free(job->entries);
    cairn_free(job->pieces);
    cairn_free(job);
}

static void mark_damaged(struct wal *wal, uint64_t incarnation) {
    LIST_EACH(at, &wal->segments) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        segment->damaged |= segment->incarnation == incarnation;
    }
}

static void load_finish(struct wal_background *background) {
    struct load_job *job = container_of(background, struct load_job, background);
    mark_damaged(background->wal, job->lost_in);
    size_t count = job->status == CAIRN_OK ? job->count : (size_t)job->lost;
    if (!background->wal->closing)
        job->done(job->context, job->tag, job->status, job->first, job->entries, count);
    load_drop(background);
}

static void add_piece(struct load_job *job, const struct wal_extent *extent, size_t *cap) {
    if (job->piece_count == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        job->pieces = cairn_realloc(job->pieces, *cap * sizeof *job->pieces);
    }
    job->pieces[job->piece_count++] = (struct piece){.extent = *extent,
                                                     .file = extent->segment->file,
                                                     .incarnation = extent->segment->incarnation};
}

static void choose_pieces(struct load_job *job, const struct wal_group *group, uint64_t first) {
    size_t cap = 0, bytes = 0;
    uint64_t at = first;
    while (group && at <= job->last && (at == first || bytes < job->bytes_max)) {
        const struct wal_extent *extent = wal_group_at(group, at);
        if (extent == NULL)
            break;
        add_piece(job, extent, &cap);
        /* A lower bound of what it yields: a section may hold entries that are not wanted. */
        uint64_t wanted = extent->last - at + 1;
        bytes += (size_t)wanted * ENTRY_HEAD_BYTES;
        at = extent->last + 1;
    }
    if (job->piece_count)
        return;
    uint64_t from, to;
    bool damaged = group && wal_group_hole(group, first, &from, &to) && from == first;
    job->status = damaged ? CAIRN_CORRUPT : CAIRN_NOT_FOUND;
    if (damaged)
        job->lost = to - first + 1;
}

void wal_load(struct wal *wal, uint64_t group, uint64_t first, uint64_t last, size_t bytes_max,
              uint64_t tag, wal_loaded *done, void *context) {
    cairn_assert(!wal->closing && first > 0 && first <= last);
    struct load_job *job = cairn_alloc_zero(sizeof *job);
    job->env = wal->env;
    job->done = done;
    job->context = context;
    job->tag = tag;
    job->log_id = wal->control.log_id;
    job->span_bytes_max = wal->span_bytes_max;
    job->group = group;
    job->first = job->next = first;
    job->last = last;
    job->bytes_max = bytes_max;
    job->status = CAIRN_OK;
    job->background.finish = load_finish;
    job->background.drop = load_drop;
    choose_pieces(job, wal_index_find(&wal->index, group), first);
    wal_background_start(wal, &job->background, load_run);
}
