#include "storage/snapshot_format.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "storage/snapshot_internal.h"

#include <inttypes.h>
#include <string.h>
#include <zstd.h>

#define PATH_BYTES 4096u

struct snapshot_reader {
    struct env *env;
    struct env_file *file;
    uint64_t size;
    struct snapshot_meta meta;
    struct buf protocol;
    uint64_t offset; /* of the next chunk */
    uint64_t chunks;
    uint64_t raw_total;
    struct buf stored;
    struct buf raw;
    bool ended;
};

static enum cairn_status read_part(struct snapshot_reader *reader, uint64_t offset, void *out,
                                   size_t len) {
    if (offset > reader->size || len > reader->size - offset)
        return CAIRN_CORRUPT;
    enum cairn_status status = env_read_at(reader->env, reader->file, offset, out, len);
    return status == CAIRN_TORN ? CAIRN_CORRUPT : status;
}

static enum cairn_status read_head(struct snapshot_reader *reader) {
    uint8_t head[SNAPSHOT_HEAD_BYTES];
    uint32_t len;
    uint64_t sum;
    enum cairn_status status = read_part(reader, 0, head, sizeof head);
    if (status == CAIRN_OK)
        status = snapshot_head_decode(head, &reader->meta, &len, &sum);
    if (status != CAIRN_OK)
        return status;
    buf_reserve(&reader->protocol, len + 1);
    reader->protocol.len = len;
    status = read_part(reader, sizeof head, reader->protocol.data, len);
    reader->meta.protocol = buf_view(&reader->protocol);
    if (status == CAIRN_OK && snapshot_protocol_sum(reader->meta.protocol) != sum)
        status = CAIRN_CORRUPT;
    reader->offset = sizeof head + len;
    return status;
}

enum cairn_status snapshot_open_path(struct env *env, const char *path,
                                     struct snapshot_reader **out) {
    struct snapshot_reader *reader = cairn_alloc_zero(sizeof *reader);
    reader->env = env;
    enum cairn_status status = env_open(env, path, ENV_OPEN_READ, &reader->file);
    if (status != CAIRN_OK) {
        cairn_free(reader);
        return status;
    }
    status = env_file_size(env, reader->file, &reader->size);
    if (status == CAIRN_OK)
        status = read_head(reader);
    if (status != CAIRN_OK) {
        snapshot_reader_close(reader);
        return status;
    }
    *out = reader;
    return CAIRN_OK;
}

/* ---- choosing ---- */

struct newest {
    uint64_t group;
    uint64_t below; /* indexes from here on have been tried */
    uint64_t index;
    bool found;
};

static void look_newest(void *context, const char *name, bool is_folder, uint64_t size) {
    struct newest *newest = context;
    uint64_t group, index;
    if (is_folder || !snapshot_name_parse(name, "snap", &group, &index) || group != newest->group ||
        index >= newest->below)
        return;
    if (!newest->found || index > newest->index)
        newest->index = index;
    newest->found = true;
}

static enum cairn_status open_index(struct env *env, const char *folder, uint64_t group,
                                    uint64_t index, struct snapshot_reader **out) {
    char path[PATH_BYTES];
    snapshot_path(folder, group, index, "snap", path, sizeof path);
    enum cairn_status status = snapshot_open_path(env, path, out);
    if (status != CAIRN_OK)
        return status;
    if ((*out)->meta.group == group && (*out)->meta.index == index)
        return CAIRN_OK;
    snapshot_reader_close(*out);
    *out = NULL;
    return CAIRN_CORRUPT;
}

/* Reads it to the end once; then it stands at the beginning again. */
static enum cairn_status verify(struct snapshot_reader *reader) {
    uint64_t start = reader->offset;
    bool end = false;
    enum cairn_status status = CAIRN_OK;
    while (status == CAIRN_OK && !end) {
        uint32_t section, version;
        struct bytes bytes;
        status = snapshot_reader_chunk(reader, &section, &version, &bytes, &end);
    }
    reader->offset = start;
    reader->chunks = reader->raw_total = 0;
    reader->ended = false;
    return status;
}

enum cairn_status snapshot_reader_open(struct env *env, const char *folder, uint64_t group,
                                       uint64_t index, struct snapshot_reader **out) {
    if (index)
        return open_index(env, folder, group, index, out);
    enum cairn_status worst = CAIRN_NOT_FOUND;
    struct newest newest = {.group = group, .below = UINT64_MAX};
    for (;;) {
        newest.found = false;
        enum cairn_status status = env_list(env, folder, look_newest, &newest);
        if (status != CAIRN_OK && status != CAIRN_NOT_FOUND)
            return status;
        if (!newest.found)
            return worst;
        status = open_index(env, folder, group, newest.index, out);
        if (status == CAIRN_OK) {
            status = verify(*out);
            if (status == CAIRN_OK)
                return CAIRN_OK;
            snapshot_reader_close(*out);
            *out = NULL; /* the caller must not close it again */
        }
        worst = status;
        newest.below = newest.index;
    }
}

/* ---- reading ---- */

void snapshot_reader_meta(const struct snapshot_reader *reader, struct snapshot_meta *meta) {
    *meta = reader->meta;
}

uint64_t snapshot_reader_size(const struct snapshot_reader *reader) {
    return reader->size;
}

static enum cairn_status take_end(struct snapshot_reader *reader,
                                  const struct snapshot_chunk *chunk) {
    if (chunk->len != 16 || chunk->raw_len != 0 || reader->offset != reader->size ||
        get_u64(reader->stored.data) != reader->chunks ||
        get_u64(reader->stored.data + 8) != reader->raw_total)
        return CAIRN_CORRUPT;
    reader->ended = true;
    return CAIRN_OK;
}

static enum cairn_status take_chunk(struct snapshot_reader *reader,
                                    const struct snapshot_chunk *chunk) {
    buf_clear(&reader->raw);
    buf_reserve(&reader->raw, (size_t)chunk->raw_len + 1);
    /* The stated length bounds what comes out, however much the bytes would unfold to. */
    size_t len = ZSTD_decompress(reader->raw.data, chunk->raw_len, reader->stored.data, chunk->len);
    if (ZSTD_isError(len) || len != chunk->raw_len)
        return CAIRN_CORRUPT;
    reader->raw.len = len;
    reader->chunks++;
    reader->raw_total += len;
    return CAIRN_OK;
}

enum cairn_status snapshot_reader_chunk(struct snapshot_reader *reader, uint32_t *section,
                                        uint32_t *version, struct bytes *bytes, bool *end) {
    uint8_t head[SNAPSHOT_CHUNK_HEAD_BYTES];
    struct snapshot_chunk chunk;
    *end = reader->ended;
    if (reader->ended)
        return CAIRN_OK;
    uint64_t seed = snapshot_seed(&reader->meta, reader->offset);
    enum cairn_status status = read_part(reader, reader->offset, head, sizeof head);
    if (status == CAIRN_OK)
        status = snapshot_chunk_decode(head, &chunk, seed);
    if (status != CAIRN_OK)
        return status;
    if (chunk.len > reader->size - reader->offset - sizeof head)
        return CAIRN_CORRUPT;
    buf_clear(&reader->stored);
    buf_reserve(&reader->stored, (size_t)chunk.len + 1);
    status = read_part(reader, reader->offset + sizeof head, reader->stored.data, chunk.len);
    if (status != CAIRN_OK)
        return status;
    if (bytes_hash(bytes_of(reader->stored.data, chunk.len), seed) != chunk.sum)
        return CAIRN_CORRUPT;
    reader->offset += sizeof head + chunk.len;
    status = chunk.section == SNAPSHOT_SECTION_END ? take_end(reader, &chunk)
                                                   : take_chunk(reader, &chunk);
    *end = reader->ended;
    *section = chunk.section;
    *version = chunk.version;
    *bytes = buf_view(&reader->raw);
    return status;
}

enum cairn_status snapshot_verify_all(struct snapshot_reader *reader) {
    return verify(reader);
}

enum cairn_status snapshot_reader_raw(struct snapshot_reader *reader, uint64_t offset, void *out,
                                      size_t len) {
    if (offset > reader->size || len > reader->size - offset)
        return CAIRN_INVALID;
    return env_read_at(reader->env, reader->file, offset, out, len);
}

void snapshot_reader_close(struct snapshot_reader *reader) {
    env_file_close(reader->env, reader->file);
    buf_free(&reader->protocol);
    buf_free(&reader->stored);
    buf_free(&reader->raw);
    cairn_free(reader);
}
