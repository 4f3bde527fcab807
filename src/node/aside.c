#include "node/aside.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 1024u

/* The names in a folder, each with a leading 'd' or 'f' and a terminating zero. */
static void note_name(void *context, const char *name, bool is_folder, uint64_t size) {
    struct buf *names = context;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    buf_u8(names, is_folder ? 'd' : 'f');
    buf_bytes(names, bytes_of(name, strlen(name) + 1));
}

static enum cairn_status move_all(struct env *env, const char *from, const char *to);

static enum cairn_status move_one(struct env *env, const char *from, const char *to,
                                  const char *name) {
    char source[PATH_BYTES], target[PATH_BYTES];
    snprintf(source, sizeof source, "%s/%s", from, name + 1);
    snprintf(target, sizeof target, "%s/%s", to, name + 1);
    return *name == 'd' ? move_all(env, source, target) : env_rename(env, source, target);
}

static enum cairn_status move_all(struct env *env, const char *from, const char *to) {
    struct buf names = {0};
    enum cairn_status status = env_make_folder(env, to);
    if (status == CAIRN_OK)
        status = env_list(env, from, note_name, &names);
    if (status == CAIRN_NOT_FOUND) /* nothing was there, or it was moved before */
        status = CAIRN_OK;
    for (size_t at = 0; at < names.len && status == CAIRN_OK;
         at += strlen((const char *)names.data + at) + 1)
        status = move_one(env, from, to, (const char *)names.data + at);
    buf_free(&names);
    if (status == CAIRN_OK)
        status = env_sync_folder(env, to);
    if (status == CAIRN_OK)
        (void)env_sync_folder(env, from); /* it may not be there */
    return status;
}

enum cairn_status aside_move(struct env *env, const char *folder) {
    static const char *const parts[] = {"log", "snapshots"};
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(to, sizeof to, "%s/diverged", folder);
    enum cairn_status status = env_make_folder(env, to);
    for (int i = 0; i < 2 && status == CAIRN_OK; i++) {
        snprintf(from, sizeof from, "%s/%s", folder, parts[i]);
        snprintf(to, sizeof to, "%s/diverged/%s", folder, parts[i]);
        status = move_all(env, from, to);
    }
    return status == CAIRN_OK ? env_sync_folder(env, folder) : status;
}
