#include "node/staging.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

struct piece {
    uint64_t offset;
    struct bytes bytes;
    struct blob *blob; /* a reference */
};

struct staged {
    struct list list; /* those touched last come last */
    struct upload_id id;
    uint64_t total, have;
    uint64_t touched_ms;
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

static uint64_t hash_of(const struct staged *staged, const struct piece *piece) {
    uint64_t seed = staged->id.node * 0x9e3779b97f4a7c15ull ^ staged->id.number ^ piece->offset;
    return bytes_hash(piece->bytes, seed);
}

static void forget(struct staging *staging, struct staged *staged) {
    for (size_t i = 0; i < staged->count; i++) {
        staging->digest -= hash_of(staged, &staged->pieces[i]);
        staging->bytes -= staged->pieces[i].bytes.len;
        blob_unref(staged->pieces[i].blob);
    }
    list_remove(&staged->list);
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
    bool before =
        at == 0 || staged->pieces[at - 1].offset + staged->pieces[at - 1].bytes.len <= offset;
    bool after = at == staged->count || offset + len <= staged->pieces[at].offset;
    return before && after;
}

static void insert(struct staging *staging, struct staged *staged, size_t at, struct piece piece) {
    if (staged->count == staged->cap) {
        staged->cap = staged->cap ? staged->cap * 2 : 16;
        staged->pieces = cairn_realloc(staged->pieces, staged->cap * sizeof piece);
    }
    memmove(&staged->pieces[at + 1], &staged->pieces[at], (staged->count - at) * sizeof piece);
    staged->pieces[at] = piece;
    staged->count++;
    staged->have += piece.bytes.len;
    staging->bytes += piece.bytes.len;
    staging->digest += hash_of(staged, &piece);
}

enum cairn_status staging_take(struct staging *staging, struct upload_id id, uint64_t total,
                               uint64_t offset, struct bytes bytes, struct blob *blob,
                               uint64_t time_ms) {
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
    if (known)
        return CAIRN_OK;
    struct piece piece = {.offset = offset, .bytes = bytes, .blob = blob};
    if (blob != NULL) {
        blob_ref(blob);
    } else {
        piece.blob = blob_from(bytes);
        piece.bytes = blob_view(piece.blob);
    }
    insert(staging, staged, at, piece);
    return CAIRN_OK;
}

/* Each piece goes as it is copied: two of the whole are never held, nor freed at one go. */
bool staging_gather(struct staging *staging, struct upload_id id, uint64_t total, struct work *work,
                    struct buf *out) {
    struct staged *staged = find(staging, id);
    if (staged == NULL || staged->total != total || staged->have != total)
        return false;
    list_remove(&staged->list);
    buf_reserve(out, (size_t)total);
    for (size_t i = 0; i < staged->count; i++) {
        struct piece *piece = &staged->pieces[i];
        size_t len = piece->bytes.len;
        staging->digest -= hash_of(staged, piece);
        staging->bytes -= len;
        buf_bytes(out, piece->bytes);
        blob_unref(piece->blob);
        work_charge(work, 3 * work_of_bytes(len));
    }
    cairn_free(staged->pieces);
    cairn_free(staged);
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
            blob_ref(staged->pieces[i].blob);
            snapshot->records[snapshot->count++] =
                (struct record){staged->id, staged->total, staged->touched_ms, staged->pieces[i]};
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
        buf_block(out, record->piece.bytes);
    }
    return snapshot->next == snapshot->count;
}

void staging_snapshot_end(void *opaque) {
    struct snapshot *snapshot = opaque;
    for (size_t i = 0; i < snapshot->count; i++)
        blob_unref(snapshot->records[i].piece.blob);
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
        if (reader.bad ||
            staging_take(staging, id, total, offset, bytes, NULL, touched_ms) != CAIRN_OK)
            return CAIRN_CORRUPT;
    }
    return CAIRN_OK;
}
