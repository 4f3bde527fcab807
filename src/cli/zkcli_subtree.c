/* Nodes with all that is below them, many requests at a time. */
#include "cli/zkcli.h"

#include "base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW 256u   /* requests under way */
#define ROUNDS 10u /* of deleting, while others create */
#define TRIES 3u   /* of reading, when servers are lost */

void zkcli_paths_free(struct zkcli_paths *paths) {
    for (size_t i = 0; i < paths->count; i++)
        cairn_free(paths->items[i]);
    cairn_free(paths->items);
    *paths = (struct zkcli_paths){0};
}

static void add(struct zkcli_paths *paths, const char *parent, struct bytes name) {
    size_t len = strcmp(parent, "/") == 0 ? 0 : strlen(parent);
    bool below = name.data != NULL;
    char *path = cairn_alloc(len + below + name.len + (len == 0 && !below) + 1);
    memcpy(path, parent, len);
    if (below || len == 0)
        path[len++] = '/';
    if (below)
        memcpy(path + len, name.data, name.len);
    path[len + name.len] = 0;
    if (paths->count == paths->cap) {
        paths->cap = paths->cap ? 2 * paths->cap : 64;
        paths->items = cairn_realloc(paths->items, paths->cap * sizeof *paths->items);
    }
    paths->items[paths->count++] = path;
}

/* A slash sorts before everything else, so that a subtree stays together. */
static int compare(const void *left, const void *right) {
    const uint8_t *a = *(const uint8_t *const *)left, *b = *(const uint8_t *const *)right;
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    int first = *a == '/' ? 1 : *a == 0 ? 0 : *a + 1, second = *b == '/' ? 1 : *b == 0 ? 0 : *b + 1;
    return first - second;
}

void zkcli_paths_sort(struct zkcli_paths *paths) {
    if (paths->count > 0)
        qsort(paths->items, paths->count, sizeof *paths->items, compare);
}

static size_t row_of(size_t left) {
    return left < ROW ? left : ROW;
}

/* Asks for the children of `count` nodes at once, and adds them. */
static enum zkcli_end ask_row(struct zkcli *zk, struct zkcli_paths *paths, size_t from,
                              size_t count, int32_t *error) {
    struct zkcli_session *session = &zk->session;
    for (size_t i = 0; i < count; i++) {
        size_t start = zkcli_begin(session, JUTE_CHILDREN);
        jute_put_block(&session->out, bytes_cstr(paths->items[from + i]));
        jute_put_bool(&session->out, false);
        jute_frame_end(&session->out, start);
    }
    enum zkcli_end end = zkcli_send_all(session);
    for (size_t i = 0; i < count && end == ZKCLI_FINE; i++) {
        struct jute_answer answer;
        end = zkcli_receive(session, &answer);
        if (end != ZKCLI_FINE)
            break;
        if (answer.error == JUTE_NO_NODE && from + i > 0) /* deleted meanwhile */
            continue;
        if (answer.error != JUTE_OK)
            *error = answer.error;
        struct reader reader = reader_of(answer.body);
        uint32_t children = answer.error == JUTE_OK ? jute_take_count(&reader, 4) : 0;
        for (uint32_t c = 0; c < children && !reader.bad; c++)
            add(paths, paths->items[from + i], jute_take_block(&reader));
    }
    return end;
}

static enum zkcli_end walk(struct zkcli *zk, const char *path, struct zkcli_paths *paths,
                           int32_t *error) {
    enum zkcli_end end = ZKCLI_FINE;
    zkcli_paths_free(paths);
    add(paths, path, (struct bytes){0});
    *error = JUTE_OK;
    for (size_t at = 0; at < paths->count && end == ZKCLI_FINE && *error == JUTE_OK;) {
        size_t count = row_of(paths->count - at);
        end = ask_row(zk, paths, at, count, error);
        at += count;
    }
    return end;
}

enum zkcli_end zkcli_subtree(struct zkcli *zk, const char *path, struct zkcli_paths *paths,
                             int32_t *error) {
    enum zkcli_end end = ZKCLI_LOST;
    for (unsigned i = 0; i < TRIES && end == ZKCLI_LOST; i++)
        end = walk(zk, path, paths, error);
    return end;
}

/* ---- deleting ---- */

struct removal {
    uint64_t deleted;
    bool again; /* something was created meanwhile */
    int32_t error;
    const char *path; /* of the error */
};

static enum zkcli_end remove_row(struct zkcli *zk, char **items, size_t count,
                                 struct removal *removal) {
    struct zkcli_session *session = &zk->session;
    for (size_t i = 0; i < count; i++)
        jute_delete(&session->out, ++session->xid, items[count - 1 - i], -1);
    enum zkcli_end end = zkcli_send_all(session);
    for (size_t i = 0; i < count && end == ZKCLI_FINE; i++) {
        struct jute_answer answer;
        end = zkcli_receive(session, &answer);
        if (end != ZKCLI_FINE)
            break;
        removal->deleted += answer.error == JUTE_OK;
        if (answer.error == TREE_NOT_EMPTY) {
            removal->again = true;
        } else if (answer.error != JUTE_OK && answer.error != JUTE_NO_NODE &&
                   removal->error == JUTE_OK) {
            removal->error = answer.error;
            removal->path = items[count - 1 - i];
        }
    }
    return end;
}

/* What is lost on the way is simply begun again: a node that is gone needs no deletion. */
static enum zkcli_end remove_all(struct zkcli *zk, struct zkcli_paths *paths,
                                 struct removal *removal) {
    enum zkcli_end end = ZKCLI_FINE;
    removal->again = false;
    for (size_t left = paths->count; left > 0 && end == ZKCLI_FINE && removal->error == JUTE_OK;) {
        size_t count = row_of(left);
        left -= count;
        end = remove_row(zk, paths->items + left, count, removal);
    }
    removal->again |= end == ZKCLI_LOST;
    return end;
}

static int tell_removal(const struct zkcli *zk, const char *path, const struct removal *removal) {
    if (zk->json) {
        json_t *object = json_object();
        json_object_set_new(object, "path", json_string(path));
        json_object_set_new(object, "deleted", json_integer((json_int_t)removal->deleted));
        zkcli_json_print(object);
    } else {
        printf("%llu deleted\n", (unsigned long long)removal->deleted);
    }
    return EXIT_FINE;
}

int zkcli_run_rmr(struct zkcli *zk, const struct zkcli_words *words) {
    const char *path = words->operands[0];
    struct zkcli_paths paths = {0};
    struct removal removal = {.again = true};
    enum zkcli_end end = ZKCLI_FINE;
    int32_t error = JUTE_OK;
    if (strcmp(path, "/") == 0)
        return misuse("zk", "the root can't be deleted; name what is below it");
    for (unsigned round = 0; round < ROUNDS && removal.again && removal.error == JUTE_OK; round++) {
        end = zkcli_subtree(zk, path, &paths, &error);
        if (end != ZKCLI_FINE || error != JUTE_OK)
            break;
        end = remove_all(zk, &paths, &removal);
    }
    int code;
    if (end != ZKCLI_FINE)
        code = zkcli_ended(zk, end, true);
    else if (error == JUTE_NO_NODE && removal.deleted > 0) /* the last deletion's answer was lost */
        code = tell_removal(zk, path, &removal);
    else if (error != JUTE_OK || removal.error != JUTE_OK)
        code = zkcli_refused(removal.path ? removal.path : path, error ? error : removal.error);
    else if (removal.again)
        code = zkcli_refused(path, TREE_NOT_EMPTY);
    else
        code = tell_removal(zk, path, &removal);
    zkcli_paths_free(&paths);
    return code;
}
