/* Watches: paths and their watchers, frugal enough for millions.
 *
 * A watch is one record of 40 bytes for a watcher and a path, whatever kinds it has there; a path
 * is held once, however many watch it. Both are found by hash tables. About 110 bytes a watch when
 * every path is another (tests/unit/test_zookeeper_watch.c keeps it so), 50 when paths are shared.
 *
 * Knows no connection and no protocol. An event tells each watcher once, in no promised order.
 */
#ifndef CAIRN_FRONT_ZOOKEEPER_WATCH_H
#define CAIRN_FRONT_ZOOKEEPER_WATCH_H

#include "base/bytes.h"
#include "base/mutant.h"

enum zk_watch_kind {
    ZK_WATCH_DATA = 1,       /* once: data changed, created, deleted */
    ZK_WATCH_CHILD = 2,      /* once: children changed, deleted */
    ZK_WATCH_PERSISTENT = 4, /* all of these, until removed */
    ZK_WATCH_RECURSIVE = 8   /* created, deleted, data changed, here and everywhere below */
};
#define ZK_WATCH_ALL 15u

/* Embedded in what watches; zero-initialise. */
struct zk_watcher {
    uint32_t first; /* of its watches; 0: none */
    uint32_t count;
    uint64_t fired; /* the last event it was told of */
};

struct zk_watches;
struct zk_watches *zk_watches_new(void);
/* A seeded bug. */
void zk_watches_break(struct zk_watches *watches, enum mutant mutant);
void zk_watches_free(struct zk_watches *watches);

/* kinds are added to those that the watcher has at the path. */
void zk_watches_add(struct zk_watches *watches, struct zk_watcher *watcher, struct bytes path,
                    unsigned kinds);
/* The kinds that the watcher has at the path. */
unsigned zk_watches_at(const struct zk_watches *watches, const struct zk_watcher *watcher,
                       struct bytes path);
void zk_watches_remove(struct zk_watches *watches, struct zk_watcher *watcher, struct bytes path,
                       unsigned kinds);
/* All of a watcher's. */
void zk_watches_drop(struct zk_watches *watches, struct zk_watcher *watcher);

/* An event (1 created, 2 deleted, 3 data, 4 children) at a path: tell is called once for each
 * watcher concerned, and one-time watches that it used up are gone. tell may change no watch. */
typedef void zk_watch_tell(void *context, struct zk_watcher *watcher);
void zk_watches_fire(struct zk_watches *watches, int event, struct bytes path, zk_watch_tell *tell,
                     void *context);

/* ---- for statistics ---- */

struct zk_watch_counts {
    size_t watches, paths, watchers, bytes;
};
void zk_watches_count(const struct zk_watches *watches, struct zk_watch_counts *counts);
/* The watcher's paths, one after the other: *at begins with 0; false at the end. */
bool zk_watches_of(const struct zk_watches *watches, const struct zk_watcher *watcher, uint32_t *at,
                   struct bytes *path);
/* All paths, each with its watchers. */
typedef void zk_watch_path(void *context, struct bytes path);
void zk_watches_each(const struct zk_watches *watches, zk_watch_path *each_path,
                     zk_watch_tell *each_watcher, void *context);

#endif
