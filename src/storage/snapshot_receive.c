/* Receiving: bytes go to a .part file behind a block of our own that says what was announced, so
 * that a later connection goes on where this one stopped.
 *
 * The whole is read back and verified before it takes its place, so a partial file need not be
 * trusted: what a crash tore is found then, and received again from the start.
 */

#include "storage/snapshot_format.h"

#include "base/alloc.h"
#include "storage/snapshot_internal.h"

#include <inttypes.h>
#include <string.h>

#define PATH_BYTES 4096u
#define NOTE_MAGIC 0x65746f6e6e726963ull /* "cirnnote" */
#define NOTE_BYTES 56u

/* Not all at once at the end, where it would hold up the log's writes. */
#define SYNC_BYTES (1u << 20)

struct snapshot_receiver {
    struct env *env;
    char *folder;
    uint64_t group;
    uint64_t index;
    uint64_t term;
    uint64_t size;
    uint64_t source;
    uint64_t have;
    uint64_t unsynced;
    uint64_t sync_bytes;
    bool unverified; /* a seeded bug */
    struct env_file *file;
    char part[PATH_BYTES];
    char note[PATH_BYTES];
};

static void note_encode(const struct snapshot_receiver *receiver, uint8_t *at) {
    put_u64(at, NOTE_MAGIC);
    put_u64(at + 8, receiver->group);
    put_u64(at + 16, receiver->index);
    put_u64(at + 24, receiver->term);
    put_u64(at + 32, receiver->size);
    put_u64(at + 40, receiver->source);
    put_u64(at + 48, bytes_hash(bytes_of(at, 48), NOTE_MAGIC));
}

static bool note_agrees(const struct snapshot_receiver *receiver) {
    uint8_t want[NOTE_BYTES], found[NOTE_BYTES];
    struct env_file *file;
    if (env_open(receiver->env, receiver->note, ENV_OPEN_READ, &file) != CAIRN_OK)
        return false;
    enum cairn_status status = env_read_at(receiver->env, file, 0, found, sizeof found);
    env_file_close(receiver->env, file);
    note_encode(receiver, want);
    return status == CAIRN_OK && memcmp(want, found, sizeof want) == 0;
}

static enum cairn_status note_store(const struct snapshot_receiver *receiver) {
    uint8_t note[NOTE_BYTES];
    struct env_file *file;
    note_encode(receiver, note);
    enum cairn_status status =
        env_open(receiver->env, receiver->note, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file);
    if (status != CAIRN_OK)
        return status;
    status = env_write_at(receiver->env, file, 0, note, sizeof note);
    env_file_close(receiver->env, file);
    return status;
}

static enum cairn_status gone(enum cairn_status status) {
    return status == CAIRN_NOT_FOUND ? CAIRN_OK : status;
}

static enum cairn_status remove_part(const struct snapshot_receiver *receiver) {
    enum cairn_status status = gone(env_remove(receiver->env, receiver->note));
    return status == CAIRN_OK ? gone(env_remove(receiver->env, receiver->part)) : status;
}

static enum cairn_status start_part(struct snapshot_receiver *receiver) {
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE;
    enum cairn_status status = env_make_folder(receiver->env, receiver->folder);
    if (status == CAIRN_OK && note_agrees(receiver) &&
        env_open(receiver->env, receiver->part, ENV_OPEN_WRITE, &receiver->file) == CAIRN_OK) {
        status = env_file_size(receiver->env, receiver->file, &receiver->have);
        if (status == CAIRN_OK && receiver->have <= receiver->size)
            return CAIRN_OK;
        env_file_close(receiver->env, receiver->file);
    }
    receiver->have = 0;
    if (status == CAIRN_OK)
        status = remove_part(receiver);
    if (status == CAIRN_OK)
        status = note_store(receiver);
    if (status == CAIRN_OK)
        status = env_open(receiver->env, receiver->part, flags, &receiver->file);
    return status;
}

static void receiver_free(struct snapshot_receiver *receiver) {
    cairn_free(receiver->folder);
    cairn_free(receiver);
}

enum cairn_status snapshot_receiver_open(struct env *env, const char *folder, uint64_t group,
                                         uint64_t index, uint64_t term, uint64_t size,
                                         uint64_t source, struct snapshot_receiver **out,
                                         uint64_t *have) {
    struct snapshot_receiver *receiver = cairn_alloc_zero(sizeof *receiver);
    receiver->env = env;
    receiver->folder = cairn_strdup(folder);
    receiver->group = group;
    receiver->index = index;
    receiver->term = term;
    receiver->size = size;
    receiver->source = source;
    receiver->sync_bytes = SYNC_BYTES;
    snapshot_path(folder, group, index, "part", receiver->part, sizeof receiver->part);
    snapshot_path(folder, group, index, "note", receiver->note, sizeof receiver->note);
    enum cairn_status status = start_part(receiver);
    if (status != CAIRN_OK) {
        receiver_free(receiver);
        return status;
    }
    *have = receiver->have;
    *out = receiver;
    return CAIRN_OK;
}

void snapshot_receiver_sync_at(struct snapshot_receiver *receiver, uint64_t bytes) {
    receiver->sync_bytes = bytes;
}

enum cairn_status snapshot_receiver_write(struct snapshot_receiver *receiver, uint64_t offset,
                                          struct bytes bytes) {
    if (offset != receiver->have || bytes.len > receiver->size - receiver->have)
        return CAIRN_INVALID;
    if (bytes.len == 0)
        return CAIRN_OK;
    enum cairn_status status =
        env_write_at(receiver->env, receiver->file, offset, bytes.data, bytes.len);
    if (status != CAIRN_OK)
        return status;
    receiver->have += bytes.len;
    receiver->unsynced += bytes.len;
    if (receiver->unsynced < receiver->sync_bytes)
        return CAIRN_OK;
    receiver->unsynced = 0;
    return env_sync(receiver->env, receiver->file);
}

void snapshot_receiver_unverified(struct snapshot_receiver *receiver) {
    receiver->unverified = true;
}

static enum cairn_status verify_part(const struct snapshot_receiver *receiver) {
    struct snapshot_reader *reader;
    enum cairn_status status = snapshot_open_path(receiver->env, receiver->part, &reader);
    if (status != CAIRN_OK)
        return status;
    struct snapshot_meta meta;
    snapshot_reader_meta(reader, &meta);
    if (meta.group != receiver->group || meta.index != receiver->index ||
        meta.term != receiver->term || snapshot_reader_size(reader) != receiver->size)
        status = CAIRN_CORRUPT;
    if (status == CAIRN_OK)
        status = snapshot_verify_all(reader);
    snapshot_reader_close(reader);
    return status;
}

enum cairn_status snapshot_receiver_finish(struct snapshot_receiver *receiver) {
    char path[PATH_BYTES];
    struct env *env = receiver->env;
    enum cairn_status status = receiver->have == receiver->size ? CAIRN_OK : CAIRN_CORRUPT;
    if (status == CAIRN_OK)
        status = env_sync(env, receiver->file);
    env_file_close(env, receiver->file);
    if (status == CAIRN_OK && !receiver->unverified)
        status = verify_part(receiver);
    snapshot_path(receiver->folder, receiver->group, receiver->index, "snap", path, sizeof path);
    if (status == CAIRN_OK)
        status = env_rename(env, receiver->part, path);
    if (status == CAIRN_OK)
        status = env_sync_folder(env, receiver->folder);
    /* On success only the note is left to remove; else a fresh start is safe. */
    (void)remove_part(receiver);
    receiver_free(receiver);
    return status;
}

void snapshot_receiver_close(struct snapshot_receiver *receiver) {
    env_file_close(receiver->env, receiver->file);
    receiver_free(receiver);
}
