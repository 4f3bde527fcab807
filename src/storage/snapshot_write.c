#include "storage/snapshot_format.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>
#include <zstd.h>

#define LEVEL 1
#define PATH_BYTES 4096u
/* Gathered before a write; a snapshot is large and nothing waits for its single chunks. */
#define FLUSH_BYTES (1u << 20)

struct snapshot_writer {
    struct env *env;
    char *folder;
    struct snapshot_meta meta;
    bool unsynced; /* a seeded bug */
    struct env_file *file;
    uint64_t offset; /* of the file, behind what was written */
    struct buf buffer;
    size_t flush_bytes;
    ZSTD_CCtx *zstd;
    uint64_t raw_total;
    uint64_t chunks;
    enum cairn_status status;
    char path[PATH_BYTES];
};

static void flush(struct snapshot_writer *writer) {
    if (writer->status != CAIRN_OK || writer->buffer.len == 0)
        return;
    writer->status = env_write_at(writer->env, writer->file, writer->offset, writer->buffer.data,
                                  writer->buffer.len);
    writer->offset += writer->buffer.len;
    buf_clear(&writer->buffer);
    /* A snapshot that went to the disk all at once, at its end, would hold up the log's writes. */
    if (writer->status == CAIRN_OK && !writer->unsynced)
        writer->status = env_sync(writer->env, writer->file);
}

enum cairn_status snapshot_writer_open(struct env *env, const char *folder,
                                       const struct snapshot_meta *meta,
                                       struct snapshot_writer **out) {
    if (meta->protocol.len > SNAPSHOT_META_BYTES_MAX)
        return CAIRN_TOO_LARGE;
    struct snapshot_writer *writer = cairn_alloc_zero(sizeof *writer);
    writer->env = env;
    writer->folder = cairn_strdup(folder);
    writer->meta = *meta;
    writer->meta.protocol = bytes_of(NULL, 0);
    writer->flush_bytes = FLUSH_BYTES;
    snapshot_path(folder, meta->group, meta->index, "new", writer->path, sizeof writer->path);
    enum cairn_status status = env_make_folder(env, folder);
    if (status == CAIRN_OK) {
        /* What an interrupted attempt left would stand behind a shorter file's end. */
        status = env_remove(env, writer->path);
        if (status == CAIRN_OK || status == CAIRN_NOT_FOUND)
            status = env_open(env, writer->path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &writer->file);
    }
    if (status != CAIRN_OK) {
        cairn_free(writer->folder);
        cairn_free(writer);
        return status;
    }
    writer->zstd = ZSTD_createCCtx();
    cairn_assert(writer->zstd != NULL);
    snapshot_head_encode(&writer->buffer, meta);
    *out = writer;
    return CAIRN_OK;
}

void snapshot_writer_flush_at(struct snapshot_writer *writer, size_t bytes) {
    writer->flush_bytes = bytes;
}

void snapshot_writer_unsynced(struct snapshot_writer *writer) {
    writer->unsynced = true;
}

static void put_chunk(struct snapshot_writer *writer, struct snapshot_chunk *chunk,
                      size_t head_at) {
    uint64_t seed = snapshot_seed(&writer->meta, writer->offset + head_at);
    uint8_t *head = writer->buffer.data + head_at;
    chunk->sum = bytes_hash(bytes_of(head + SNAPSHOT_CHUNK_HEAD_BYTES, chunk->len), seed);
    snapshot_chunk_encode(head, chunk, seed);
    writer->buffer.len = head_at + SNAPSHOT_CHUNK_HEAD_BYTES + chunk->len;
}

enum cairn_status snapshot_writer_chunk(struct snapshot_writer *writer, uint32_t section,
                                        uint32_t version, struct bytes bytes) {
    cairn_assert(section != SNAPSHOT_SECTION_END);
    if (bytes.len > SNAPSHOT_RAW_BYTES_MAX)
        return CAIRN_TOO_LARGE;
    if (writer->status != CAIRN_OK)
        return writer->status;
    size_t head_at = writer->buffer.len, bound = ZSTD_compressBound(bytes.len);
    buf_reserve(&writer->buffer, SNAPSHOT_CHUNK_HEAD_BYTES + bound);
    size_t len =
        ZSTD_compressCCtx(writer->zstd, writer->buffer.data + head_at + SNAPSHOT_CHUNK_HEAD_BYTES,
                          bound, bytes.data, bytes.len, LEVEL);
    cairn_assert(!ZSTD_isError(len));
    struct snapshot_chunk chunk = {.section = section,
                                   .version = version,
                                   .raw_len = (uint32_t)bytes.len,
                                   .len = (uint32_t)len};
    put_chunk(writer, &chunk, head_at);
    writer->raw_total += bytes.len;
    writer->chunks++;
    if (writer->buffer.len >= writer->flush_bytes)
        flush(writer);
    return writer->status;
}

static void writer_free(struct snapshot_writer *writer) {
    buf_free(&writer->buffer);
    ZSTD_freeCCtx(writer->zstd);
    cairn_free(writer->folder);
    cairn_free(writer);
}

static void put_end(struct snapshot_writer *writer) {
    size_t head_at = writer->buffer.len;
    uint8_t *at = buf_reserve(&writer->buffer, SNAPSHOT_CHUNK_HEAD_BYTES + 16);
    put_u64(at + SNAPSHOT_CHUNK_HEAD_BYTES, writer->chunks);
    put_u64(at + SNAPSHOT_CHUNK_HEAD_BYTES + 8, writer->raw_total);
    struct snapshot_chunk chunk = {.section = SNAPSHOT_SECTION_END, .len = 16};
    put_chunk(writer, &chunk, head_at);
}

enum cairn_status snapshot_writer_finish(struct snapshot_writer *writer, uint64_t *size) {
    char path[PATH_BYTES];
    struct env *env = writer->env;
    put_end(writer);
    flush(writer);
    enum cairn_status status = writer->status;
    env_file_close(env, writer->file);
    snapshot_path(writer->folder, writer->meta.group, writer->meta.index, "snap", path,
                  sizeof path);
    if (status == CAIRN_OK)
        status = env_rename(env, writer->path, path);
    if (status == CAIRN_OK)
        status = env_sync_folder(env, writer->folder);
    else
        (void)env_remove(env, writer->path); /* else removed as stale later */
    *size = writer->offset;
    writer_free(writer);
    return status;
}

void snapshot_writer_abort(struct snapshot_writer *writer) {
    env_file_close(writer->env, writer->file);
    (void)env_remove(writer->env, writer->path); /* else removed as stale later */
    writer_free(writer);
}
