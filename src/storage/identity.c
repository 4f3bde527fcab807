#include "storage/identity.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/aligned.h"

#include <stdio.h>
#include <string.h>

#define MAGIC 0x79746974636e7263ull /* "crnctity" */
#define VERSION 1u
#define PATH_MAX_BYTES 4096u
#define PAGE ENV_DISK_ALIGN
#define FOUNDERS_AT 64u
#define MET_AT 3072u       /* u64 id, u64 incarnation of each; the founders end before */
#define KEYSPACES_AT 3840u /* u32 count, then the structs */
#define PARAMETERS_AT \
    4048u /* u64, u32, u32; zeros, as all that was added, in folders made before */

static void encode_met(const struct folders *met, uint8_t *at) {
    for (uint32_t i = 0; i < met->count; i++) {
        put_u64(at + 16 * i, met->items[i].id);
        put_u64(at + 16 * i + 8, met->items[i].incarnation);
    }
}

static void decode_met(struct folders *met, const uint8_t *at) {
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX && get_u64(at + 16 * i) != 0; i++)
        folders_put(met, get_u64(at + 16 * i), get_u64(at + 16 * i + 8));
}

static void encode(const struct identity *identity, uint8_t *page) {
    memset(page, 0, PAGE);
    put_u64(page, MAGIC);
    put_u32(page + 8, VERSION);
    put_u64(page + 16, identity->cluster);
    put_u64(page + 24, identity->node);
    put_u64(page + 32, identity->incarnation);
    put_u64(page + 40, identity->epoch);
    put_u64(page + 48, identity->log_id);
    put_u64(page + 56, identity->number);
    put_u64(page + PARAMETERS_AT, identity->value_bytes_max);
    put_u32(page + PARAMETERS_AT + 8, identity->session_window);
    put_u32(page + PARAMETERS_AT + 12, identity->diverged);
    put_u32(page + PARAMETERS_AT + 16, identity->founding);
    struct buf founders = {0};
    if (identity->founders.count > 0)
        config_encode(&founders, &identity->founders);
    cairn_assert(FOUNDERS_AT + 4 + founders.len <= MET_AT);
    put_u32(page + FOUNDERS_AT, (uint32_t)founders.len);
    if (founders.len > 0)
        memcpy(page + FOUNDERS_AT + 4, founders.data, founders.len);
    buf_free(&founders);
    cairn_assert(MET_AT + 16 * CONFIG_MEMBERS_MAX <= KEYSPACES_AT);
    encode_met(&identity->met, page + MET_AT);
    cairn_assert(KEYSPACES_AT + 4 + sizeof identity->keyspaces <= PARAMETERS_AT);
    put_u32(page + KEYSPACES_AT, identity->keyspace_count);
    memcpy(page + KEYSPACES_AT + 4, identity->keyspaces, sizeof identity->keyspaces);
    put_u64(page + PAGE - 8, bytes_hash(bytes_of(page, PAGE - 8), MAGIC));
}

static enum cairn_status decode(struct identity *identity, const uint8_t *page) {
    if (get_u64(page) != MAGIC ||
        get_u64(page + PAGE - 8) != bytes_hash(bytes_of(page, PAGE - 8), MAGIC))
        return CAIRN_CORRUPT;
    if (get_u32(page + 8) != VERSION)
        return CAIRN_WRONG_VERSION;
    *identity = (struct identity){.cluster = get_u64(page + 16),
                                  .node = get_u64(page + 24),
                                  .incarnation = get_u64(page + 32),
                                  .epoch = get_u64(page + 40),
                                  .log_id = get_u64(page + 48),
                                  .number = get_u64(page + 56),
                                  .value_bytes_max = get_u64(page + PARAMETERS_AT),
                                  .session_window = get_u32(page + PARAMETERS_AT + 8),
                                  .diverged = get_u32(page + PARAMETERS_AT + 12) != 0,
                                  .founding = get_u32(page + PARAMETERS_AT + 16) != 0};
    decode_met(&identity->met, page + MET_AT);
    identity->keyspace_count = get_u32(page + KEYSPACES_AT);
    if (identity->keyspace_count > IDENTITY_KEYSPACES_MAX)
        return CAIRN_CORRUPT;
    memcpy(identity->keyspaces, page + KEYSPACES_AT + 4, sizeof identity->keyspaces);
    for (uint32_t i = 0; i < IDENTITY_KEYSPACES_MAX; i++) {
        struct identity_keyspace *keyspace = &identity->keyspaces[i];
        keyspace->name[15] = keyspace->protocol[15] = keyspace->machine[15] = 0;
    }
    struct reader reader = reader_of(bytes_of(page + FOUNDERS_AT, MET_AT - FOUNDERS_AT));
    struct bytes founders = read_block(&reader, PAGE);
    return founders.len == 0 ? CAIRN_OK : config_decode(founders, &identity->founders);
}

static enum cairn_status load(struct env *env, const char *folder, struct identity *identity) {
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/identity", folder);
    struct env_file *file;
    enum cairn_status status = env_open(env, path, ENV_OPEN_READ, &file);
    if (status != CAIRN_OK)
        return status;
    uint8_t page[PAGE];
    status = env_read_at(env, file, 0, page, PAGE);
    env_file_close(env, file);
    if (status == CAIRN_TORN)
        return CAIRN_CORRUPT;
    return status == CAIRN_OK ? decode(identity, page) : status;
}

enum cairn_status identity_load(struct env *env, const char *folder, struct identity *identity,
                                struct env_file **lock) {
    if (lock == NULL)
        return load(env, folder, identity);
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/lock", folder);
    *lock = NULL;
    enum cairn_status status = env_make_folder(env, folder);
    if (status == CAIRN_OK)
        status = env_lock(env, path, lock);
    return status == CAIRN_OK ? load(env, folder, identity) : status;
}

enum cairn_status identity_store(struct env *env, const char *folder,
                                 const struct identity *identity) {
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/identity", folder);
    snprintf(temporary, sizeof temporary, "%s/identity.new", folder);
    uint8_t page[PAGE];
    encode(identity, page);
    enum cairn_status status = env_make_folder(env, folder);
    struct env_file *file = NULL;
    if (status == CAIRN_OK)
        status = env_open(env, temporary, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file);
    if (status != CAIRN_OK)
        return status;
    status = env_write_at(env, file, 0, page, PAGE);
    if (status == CAIRN_OK)
        status = env_sync(env, file);
    env_file_close(env, file);
    if (status == CAIRN_OK)
        status = env_rename(env, temporary, path);
    return status == CAIRN_OK ? env_sync_folder(env, folder) : status;
}
