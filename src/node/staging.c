#include "node/staging.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* A command's memory. What a piece was copied to is not written again. */
struct content {
    uint32_t refs; /* the command's own, and that of snapshots */
    struct buf buf;
};

struct piece {
    uint64_t offset;
    size_t len;
    uint64_t hash;
};

struct staged {
    struct list list; /* those touched last come last */
    struct upload_id id;
    uint64_t total, have;
    uint64_t touched_ms;
    struct content *content;
    struct piece *pieces; /* by rising offset */
    size_t count, cap;
};

struct staging {
    struct list uploads;
    size_t bytes;
    uint64_t digest; /* of all pieces */
};

struct staging *staging_new(void) {
    struct staging *staging = cairn_alloc_zero(sizeof *staging);
    list_init(&staging->uploads);
    return staging;
}

static struct content *content_new(uint64_t total) {
    struct content *content = cairn_alloc_zero(sizeof *content);
    content->refs = 1;
    buf_reserve(&content->buf, (size_t)total);
    content->buf.len = (size_t)total;
    return content;
}

static void content_unref(struct content *content) {
    if (--content->refs > 0)
        return;
    buf_free(&content->buf);
    cairn_free(content);
}

static struct bytes piece_bytes(const struct content *content, const struct piece *piece) {
    return bytes_of(content->buf.data + piece->offset, piece->len);
}

static uint64_t hash_of(const struct staged *staged, const struct piece *piece) {
    uint64_t seed = staged->id.node * 0x9e3779b97f4a7c15ull ^ staged->id.number ^ piece->offset;
    return bytes_hash(piece_bytes(staged->content, piece), seed);
}

static void forget(struct staging *staging, struct staged *staged) {
    for (size_t i = 0; i < staged->count; i++)
        staging->digest -= staged->pieces[i].hash;
    staging->bytes -= staged->have;
    list_remove(&staged->list);
    content_unref(staged->content);
    cairn_free(staged->pieces);
    cairn_free(staged);
}

void staging_clear(struct staging *staging) {
    while (!list_empty(&staging->uploads))
        forget(staging, container_of(list_first(&staging->uploads), struct staged, list));
    cairn_assert(staging->bytes == 0 && staging->digest == 0);
}

void staging_free(struct staging *staging) {
    staging_clear(staging);
    cairn_free(staging);
}

static struct staged *find(const struct staging *staging, struct upload_id id) {
    LIST_EACH(item, &staging->uploads) {
        struct staged *staged = container_of(item, struct staged, list);
        if (staged->id.node == id.node && staged->id.number == id.number)
            return staged;
    }
    return NULL;
}

static struct staged *begin(struct staging *staging, struct upload_id id, uint64_t total) {
    struct staged *staged = cairn_alloc_zero(sizeof *staged);
    staged->id = id;
    staged->total = total;
    staged->content = content_new(total);
    list_push(&staging->uploads, &staged->list);
    return staged;
}

/* Where a piece of that offset stands or belongs. */
static size_t place_of(const struct staged *staged, uint64_t offset) {
    size_t at = staged->count; /* mostly they come in order */
    while (at > 0 && staged->pieces[at - 1].offset >= offset)
        at--;
    return at;
}

/* It lies between its neighbours without touching their bytes. */
static bool fits(const struct staged *staged, size_t at, uint64_t offset, size_t len) {
    bool before = at == 0 || staged->pieces[at - 1].offset + staged->pieces[at - 1].len <= offset;
    bool after = at == staged->count || offset + len <= staged->pieces[at].offset;
    return before && after;
}

static void insert(struct staging *staging, struct staged *staged, size_t at, uint64_t offset,
                   struct bytes bytes) {
    struct piece piece = {.offset = offset, .len = bytes.len};
    memcpy(staged->content->buf.data + offset, bytes.data, bytes.len);
    piece.hash = hash_of(staged, &piece);
    if (staged->count == staged->cap) {
        staged->cap = staged->cap ? staged->cap * 2 : 16;
        staged->pieces = cairn_realloc(staged->pieces, staged->cap * sizeof piece);
    }
    memmove(&staged->pieces[at + 1], &staged->pieces[at], (staged->count - at) * sizeof piece);
    staged->pieces[at] = piece;
    staged->count++;
    staged->have += piece.len;
    staging->bytes += piece.len;
    staging->digest += piece.hash;
}

enum cairn_status staging_take(struct staging *staging, struct upload_id id, uint64_t total,
                               uint64_t offset, struct bytes bytes, uint64_t time_ms) {
    if (bytes.len == 0 || total > STAGING_BYTES_MAX || offset > total || bytes.len > total - offset)
        return CAIRN_MALFORMED;
    struct staged *staged = find(staging, id);
    if (staged != NULL && staged->total != total)
        return CAIRN_MALFORMED;
    size_t at = staged ? place_of(staged, offset) : 0;
    bool known = staged != NULL && at < staged->count && staged->pieces[at].offset == offset;
    if (!known && staged != NULL && !fits(staged, at, offset, bytes.len))
        return CAIRN_MALFORMED;
    if (!known && staging->bytes + bytes.len > STAGING_BYTES_MAX)
        return CAIRN_BUSY;
    if (staged == NULL)
        staged = begin(staging, id, total);
    list_remove(&staged->list);
    list_push(&staging->uploads, &staged->list);
    staged->touched_ms = time_ms;
    if (!known)
        insert(staging, staged, at, offset, bytes);
    return CAIRN_OK;
}

/* A snapshot reads it. */
static void copy_content(const struct staged *staged, struct work *work, struct buf *out) {
    buf_reserve(out, (size_t)staged->total);
    for (size_t i = 0; i < staged->count; i++) {
        buf_bytes(out, piece_bytes(staged->content, &staged->pieces[i]));
        work_charge(work, 2 * work_of_bytes(staged->pieces[i].len));
    }
}

bool staging_finish(struct staging *staging, struct upload_id id, uint64_t total, struct work *work,
                    struct buf *out) {
    struct staged *staged = find(staging, id);
    if (staged == NULL || staged->total != total || staged->have != total)
        return false;
    if (staged->content->refs > 1) {
        copy_content(staged, work, out);
    } else {
        *out = staged->content->buf;
        staged->content->buf = (struct buf){0};
    }
    forget(staging, staged);
    return true;
}

void staging_drop(struct staging *staging, struct upload_id id) {
    struct staged *staged = find(staging, id);
    if (staged != NULL)
        forget(staging, staged);
}

uint64_t staging_next_due(const struct staging *staging) {
    if (list_empty(&staging->uploads))
        return UINT64_MAX;
    const struct staged *first = container_of(staging->uploads.next, struct staged, list);
    return first->touched_ms + STAGING_PATIENCE_MS;
}

void staging_expire(struct staging *staging, uint64_t time_ms) {
    while (staging_next_due(staging) <= time_ms)
        forget(staging, container_of(list_first(&staging->uploads), struct staged, list));
}

uint64_t staging_digest(const struct staging *staging) {
    return staging->digest;
}

size_t staging_bytes(const struct staging *staging) {
    return staging->bytes;
}

/* ---- snapshots: a record a piece ---- */

struct record {
    struct upload_id id;
    uint64_t total, touched_ms;
    struct content *content; /* a reference */
    struct piece piece;
};

struct snapshot {
    size_t count, next;
    struct record records[];
};

void *staging_snapshot_begin(const struct staging *staging) {
    size_t count = 0;
    LIST_EACH(item, &staging->uploads)
    count += container_of(item, struct staged, list)->count;
    struct snapshot *snapshot = cairn_alloc(sizeof *snapshot + count * sizeof(struct record));
    snapshot->count = snapshot->next = 0;
    LIST_EACH(item, &staging->uploads) {
        const struct staged *staged = container_of(item, struct staged, list);
        for (size_t i = 0; i < staged->count; i++) {
            staged->content->refs++;
            snapshot->records[snapshot->count++] = (struct record){
                staged->id, staged->total, staged->touched_ms, staged->content, staged->pieces[i]};
        }
    }
    return snapshot;
}

bool staging_snapshot_chunk(void *opaque, size_t target, struct buf *out) {
    struct snapshot *snapshot = opaque;
    for (size_t end = out->len + target; out->len < end; snapshot->next++) {
        if (snapshot->next == snapshot->count)
            return true;
        const struct record *record = &snapshot->records[snapshot->next];
        buf_u64(out, record->id.node);
        buf_u64(out, record->id.number);
        buf_u64(out, record->total);
        buf_u64(out, record->touched_ms);
        buf_u64(out, record->piece.offset);
        buf_block(out, piece_bytes(record->content, &record->piece));
    }
    return snapshot->next == snapshot->count;
}

void staging_snapshot_end(void *opaque) {
    struct snapshot *snapshot = opaque;
    for (size_t i = 0; i < snapshot->count; i++)
        content_unref(snapshot->records[i].content);
    cairn_free(snapshot);
}

enum cairn_status staging_restore_chunk(struct staging *staging, struct bytes chunk) {
    struct reader reader = reader_of(chunk);
    while (reader_left(&reader) > 0) {
        struct upload_id id = {.node = read_u64(&reader)};
        id.number = read_u64(&reader);
        uint64_t total = read_u64(&reader), touched_ms = read_u64(&reader);
        uint64_t offset = read_u64(&reader);
        struct bytes bytes = read_block(&reader, STAGING_BYTES_MAX);
        if (reader.bad || staging_take(staging, id, total, offset, bytes, touched_ms) != CAIRN_OK)
            return CAIRN_CORRUPT;
    }
    return CAIRN_OK;
}
