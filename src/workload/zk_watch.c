/* What a client has watches on, kept as the real clients keep it. */
#include "workload/zk_internal.h"

#include "base/alloc.h"

#include <string.h>

void zk_watch_add(struct zk_client *client, enum zk_watch_kind kind, const char *path) {
    LIST_EACH(item, &client->watches) {
        const struct zk_watch *watch = container_of(item, struct zk_watch, list);
        if (watch->kind == kind && strcmp(watch->path, path) == 0)
            return;
    }
    struct zk_watch *watch = cairn_alloc_zero(sizeof *watch);
    watch->kind = kind;
    memcpy(watch->path, path, sizeof watch->path);
    list_push(&client->watches, &watch->list);
}

void zk_watch_answered(struct zk_client *client, const struct zk_op *op) {
    const struct zk_part *part = &op->parts[0];
    if (part->action == ZK_ADD_WATCH && op->error == 0)
        zk_watch_add(client, part->mode == 1 ? ZK_WATCH_RECURSIVE : ZK_WATCH_PERSISTENT,
                     part->path);
    if (!op->watch)
        return;
    if (part->action == ZK_EXISTS && op->error == ZK_NO_NODE)
        zk_watch_add(client, ZK_WATCH_EXIST, part->path);
    else if (op->error == 0)
        zk_watch_add(client, part->action == ZK_CHILDREN ? ZK_WATCH_CHILD : ZK_WATCH_DATA,
                     part->path);
}

static bool below(const char *path, const char *top) {
    size_t len = strlen(top);
    return strcmp(top, "/") == 0 ||
           (strncmp(path, top, len) == 0 && (path[len] == 0 || path[len] == '/'));
}

static bool matches(const struct zk_watch *watch, int32_t event, const char *path) {
    bool here = strcmp(watch->path, path) == 0;
    switch (watch->kind) {
    case ZK_WATCH_DATA:
    case ZK_WATCH_EXIST:
        return here && event != ZK_EVENT_CHILDREN;
    case ZK_WATCH_CHILD:
        return here && (event == ZK_EVENT_CHILDREN || event == ZK_EVENT_DELETED);
    case ZK_WATCH_PERSISTENT:
        return here;
    case ZK_WATCH_RECURSIVE:
        return event != ZK_EVENT_CHILDREN && below(path, watch->path);
    }
    return false;
}

bool zk_watch_fired(struct zk_client *client, int32_t event, const char *path) {
    bool any = false;
    LIST_EACH_SAFE(item, &client->watches) {
        struct zk_watch *watch = container_of(item, struct zk_watch, list);
        if (!matches(watch, event, path))
            continue;
        any = true;
        if (watch->kind == ZK_WATCH_PERSISTENT || watch->kind == ZK_WATCH_RECURSIVE)
            continue;
        list_remove(item);
        cairn_free(watch);
    }
    return any;
}

void zk_watch_forget(struct zk_client *client) {
    LIST_EACH_SAFE(item, &client->watches) {
        list_remove(item);
        cairn_free(container_of(item, struct zk_watch, list));
    }
}
