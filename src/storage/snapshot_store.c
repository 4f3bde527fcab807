/* The folder of snapshots as a whole: what to keep, what to show. */

#include "storage/snapshot_format.h"

#include "base/alloc.h"
#include "storage/snapshot_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096u

struct names {
    char **names;
    size_t count;
};

static void note_name(void *context, const char *name, bool is_folder, uint64_t size) {
    struct names *names = context;
    if (is_folder || strncmp(name, "snap-", 5) != 0)
        return;
    names->names = cairn_realloc(names->names, (names->count + 1) * sizeof *names->names);
    names->names[names->count++] = cairn_strdup(name);
}

static void names_free(struct names *names) {
    for (size_t i = 0; i < names->count; i++)
        cairn_free(names->names[i]);
    cairn_free(names->names);
}

static void remove_name(struct env *env, const char *folder, const char *name) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)env_remove(env, path); /* what stays is tried again next time */
}

/* Partial files of snapshots at or below what is whole are of no use any more. */
static bool is_stale(const char *name, uint64_t group, uint64_t newest) {
    static const char *const endings[] = {"new", "part", "note"};
    uint64_t found, index;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (snapshot_name_parse(name, endings[i], &found, &index))
            return found == group && index <= newest;
    return false;
}

void snapshot_remove_old(struct env *env, const char *folder, uint64_t group, unsigned keep) {
    struct names names = {0};
    uint64_t found, index, newest = 0;
    unsigned kept = 0;
    if (env_list(env, folder, note_name, &names) == CAIRN_OK) {
        /* Sorted by name, so by group and index: the last ones are the newest. */
        for (size_t i = names.count; i > 0; i--) {
            const char *name = names.names[i - 1];
            if (!snapshot_name_parse(name, "snap", &found, &index) || found != group)
                continue;
            newest = index > newest ? index : newest;
            if (kept++ >= keep)
                remove_name(env, folder, name);
        }
        for (size_t i = 0; i < names.count; i++)
            if (is_stale(names.names[i], group, newest))
                remove_name(env, folder, names.names[i]);
    }
    names_free(&names);
}

static enum cairn_status show(struct env *env, const char *folder, const char *name, bool verbose,
                              FILE *out) {
    char path[PATH_BYTES];
    struct snapshot_reader *reader;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    enum cairn_status status = snapshot_open_path(env, path, &reader);
    if (status != CAIRN_OK) {
        fprintf(out, "%s: %s\n", name, cairn_status_text(status));
        return status;
    }
    struct snapshot_meta meta;
    snapshot_reader_meta(reader, &meta);
    fprintf(out,
            "%s: group %" PRIu64 " index %" PRIu64 " term %" PRIu64 " digest %016" PRIx64
            " %" PRIu64 " bytes\n",
            name, meta.group, meta.index, meta.term, meta.digest, snapshot_reader_size(reader));
    bool end = false;
    while (status == CAIRN_OK && !end) {
        uint32_t section, version;
        struct bytes bytes;
        status = snapshot_reader_chunk(reader, &section, &version, &bytes, &end);
        if (status == CAIRN_OK && !end && verbose)
            fprintf(out, "  section %u version %u %zu bytes\n", section, version, bytes.len);
    }
    if (status != CAIRN_OK)
        fprintf(out, "  %s\n", cairn_status_text(status));
    snapshot_reader_close(reader);
    return status;
}

enum cairn_status snapshot_inspect(struct env *env, const char *folder, bool verbose, FILE *out) {
    struct names names = {0};
    enum cairn_status worst = env_list(env, folder, note_name, &names);
    for (size_t i = 0; i < names.count; i++) {
        uint64_t group, index;
        if (!snapshot_name_parse(names.names[i], "snap", &group, &index)) {
            fprintf(out, "%s: unfinished\n", names.names[i]);
            continue;
        }
        enum cairn_status status = show(env, folder, names.names[i], verbose, out);
        if (status != CAIRN_OK)
            worst = status;
    }
    names_free(&names);
    return worst;
}
