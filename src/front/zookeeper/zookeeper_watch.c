#include "front/zookeeper/zookeeper_watch.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hmap.h"

#include <string.h>

#define CHUNK_BITS 10
#define CHUNK (1u << CHUNK_BITS)
#define BUCKETS_MIN 64u
#define HASH_SEED 0

struct path {
    struct hnode node;
    uint32_t first; /* of its watches; 0: none */
    uint32_t len;
    uint8_t text[];
};

/* Linked by numbers, not pointers: half the bytes. 0 is none. */
struct watch {
    struct zk_watcher *watcher;
    struct path *path;
    uint32_t next, before; /* of the path's */
    uint32_t own_next, own_before;
    uint32_t chain; /* of the bucket; of a free record: the next free one */
    uint8_t kinds;
};

struct zk_watches {
    struct hmap paths;
    struct watch **chunks;
    uint32_t chunk_count;
    uint32_t used;  /* records ever used, record 0 included */
    uint32_t spare; /* the first free one */
    uint32_t *buckets;
    size_t bucket_count; /* a power of two */
    size_t count, recursive, watchers, path_bytes;
    uint64_t events;
    enum mutant mutant;
};

struct zk_watches *zk_watches_new(void) {
    struct zk_watches *watches = cairn_alloc_zero(sizeof *watches);
    watches->used = 1;
    watches->bucket_count = BUCKETS_MIN;
    watches->buckets = cairn_alloc_zero(BUCKETS_MIN * sizeof *watches->buckets);
    return watches;
}

void zk_watches_break(struct zk_watches *watches, enum mutant mutant) {
    watches->mutant = mutant;
}

void zk_watches_free(struct zk_watches *watches) {
    for (struct hnode *node = hmap_next(&watches->paths, NULL); node != NULL;) {
        struct path *path = container_of(node, struct path, node);
        node = hmap_next(&watches->paths, node);
        cairn_free(path);
    }
    hmap_free(&watches->paths);
    for (uint32_t i = 0; i < watches->chunk_count; i++)
        cairn_free(watches->chunks[i]);
    cairn_free(watches->chunks);
    cairn_free(watches->buckets);
    cairn_free(watches);
}

/* ---- records ---- */

static struct watch *at(const struct zk_watches *watches, uint32_t id) {
    cairn_assert(id > 0 && id < watches->used);
    return &watches->chunks[id >> CHUNK_BITS][id & (CHUNK - 1)];
}

static uint32_t take_record(struct zk_watches *watches) {
    uint32_t id = watches->spare;
    if (id != 0) {
        watches->spare = at(watches, id)->chain;
        return id;
    }
    cairn_assert(watches->used < UINT32_MAX);
    id = watches->used++;
    if (id >> CHUNK_BITS >= watches->chunk_count) {
        watches->chunks =
            cairn_realloc(watches->chunks, (watches->chunk_count + 1) * sizeof *watches->chunks);
        watches->chunks[watches->chunk_count++] = cairn_alloc(CHUNK * sizeof(struct watch));
    }
    return id;
}

/* ---- paths ---- */

static bool path_matches(const struct hnode *node, const void *key) {
    const struct path *path = container_of(node, const struct path, node);
    return bytes_equal(bytes_of(path->text, path->len), *(const struct bytes *)key);
}

static struct path *find_path(const struct zk_watches *watches, struct bytes text) {
    struct hnode *node =
        hmap_find(&watches->paths, bytes_hash(text, HASH_SEED), path_matches, &text);
    return node == NULL ? NULL : container_of(node, struct path, node);
}

static struct path *make_path(struct zk_watches *watches, struct bytes text) {
    struct path *path = find_path(watches, text);
    if (path != NULL)
        return path;
    path = cairn_alloc(sizeof *path + text.len);
    path->first = 0;
    path->len = (uint32_t)text.len;
    if (text.len > 0)
        memcpy(path->text, text.data, text.len);
    hmap_insert(&watches->paths, &path->node, bytes_hash(text, HASH_SEED));
    watches->path_bytes += cairn_alloc_size(path);
    return path;
}

static void drop_path(struct zk_watches *watches, struct path *path) {
    if (path->first != 0)
        return;
    watches->path_bytes -= cairn_alloc_size(path);
    hmap_remove(&watches->paths, &path->node);
    cairn_free(path);
}

/* ---- the table of (watcher, path) ---- */

static uint32_t *bucket(const struct zk_watches *watches, const struct zk_watcher *watcher,
                        const struct path *path) {
    uint64_t hash = hash_u64((uint64_t)(uintptr_t)watcher ^ path->node.hash);
    return &watches->buckets[hash & (watches->bucket_count - 1)];
}

static uint32_t find(const struct zk_watches *watches, const struct zk_watcher *watcher,
                     const struct path *path) {
    uint32_t id = path == NULL ? 0 : *bucket(watches, watcher, path);
    while (id != 0 && (at(watches, id)->watcher != watcher || at(watches, id)->path != path))
        id = at(watches, id)->chain;
    return id;
}

static void chain_in(struct zk_watches *watches, uint32_t id) {
    struct watch *watch = at(watches, id);
    uint32_t *head = bucket(watches, watch->watcher, watch->path);
    watch->chain = *head;
    *head = id;
}

static void chain_out(struct zk_watches *watches, uint32_t id) {
    uint32_t *link = bucket(watches, at(watches, id)->watcher, at(watches, id)->path);
    while (*link != id)
        link = &at(watches, *link)->chain;
    *link = at(watches, id)->chain;
}

static void grow(struct zk_watches *watches) {
    if (watches->count < watches->bucket_count)
        return;
    uint32_t *old = watches->buckets;
    size_t old_count = watches->bucket_count;
    watches->bucket_count = old_count * 2;
    watches->buckets = cairn_alloc_zero(watches->bucket_count * sizeof *watches->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (uint32_t id = old[i], next; id != 0; id = next) {
            next = at(watches, id)->chain;
            chain_in(watches, id);
        }
    cairn_free(old);
}

/* ---- adding and removing ---- */

static uint32_t insert(struct zk_watches *watches, struct zk_watcher *watcher, struct path *path) {
    grow(watches);
    uint32_t id = take_record(watches);
    struct watch *watch = at(watches, id);
    *watch = (struct watch){
        .watcher = watcher, .path = path, .next = path->first, .own_next = watcher->first};
    if (path->first != 0)
        at(watches, path->first)->before = id;
    if (watcher->first != 0)
        at(watches, watcher->first)->own_before = id;
    path->first = watcher->first = id;
    chain_in(watches, id);
    watches->watchers += watcher->count++ == 0;
    watches->count++;
    return id;
}

/* The path stays, even without watches. */
static void erase(struct zk_watches *watches, uint32_t id) {
    struct watch *watch = at(watches, id);
    chain_out(watches, id);
    if (watch->next != 0)
        at(watches, watch->next)->before = watch->before;
    if (watch->own_next != 0)
        at(watches, watch->own_next)->own_before = watch->own_before;
    if (watch->before != 0)
        at(watches, watch->before)->next = watch->next;
    else
        watch->path->first = watch->next;
    if (watch->own_before != 0)
        at(watches, watch->own_before)->own_next = watch->own_next;
    else
        watch->watcher->first = watch->own_next;
    cairn_assert(watch->watcher->count > 0 && watches->count > 0);
    watches->watchers -= --watch->watcher->count == 0;
    watches->count--;
    watch->chain = watches->spare;
    watches->spare = id;
}

static void take_kinds(struct zk_watches *watches, uint32_t id, unsigned kinds) {
    struct watch *watch = at(watches, id);
    watches->recursive -= (watch->kinds & kinds & ZK_WATCH_RECURSIVE) != 0;
    watch->kinds &= (uint8_t)~kinds;
    if (watch->kinds == 0)
        erase(watches, id);
}

void zk_watches_add(struct zk_watches *watches, struct zk_watcher *watcher, struct bytes text,
                    unsigned kinds) {
    cairn_assert(kinds != 0 && kinds <= ZK_WATCH_ALL);
    struct path *path = make_path(watches, text);
    uint32_t id = find(watches, watcher, path);
    if (id == 0)
        id = insert(watches, watcher, path);
    struct watch *watch = at(watches, id);
    watches->recursive += (kinds & ~(unsigned)watch->kinds & ZK_WATCH_RECURSIVE) != 0;
    watch->kinds |= (uint8_t)kinds;
}

unsigned zk_watches_at(const struct zk_watches *watches, const struct zk_watcher *watcher,
                       struct bytes path) {
    uint32_t id = find(watches, watcher, find_path(watches, path));
    return id == 0 ? 0 : at(watches, id)->kinds;
}

void zk_watches_remove(struct zk_watches *watches, struct zk_watcher *watcher, struct bytes text,
                       unsigned kinds) {
    struct path *path = find_path(watches, text);
    uint32_t id = find(watches, watcher, path);
    if (id == 0)
        return;
    take_kinds(watches, id, kinds);
    drop_path(watches, path);
}

void zk_watches_drop(struct zk_watches *watches, struct zk_watcher *watcher) {
    while (watcher->first != 0) {
        struct path *path = at(watches, watcher->first)->path;
        take_kinds(watches, watcher->first, ZK_WATCH_ALL);
        drop_path(watches, path);
    }
    cairn_assert(watcher->count == 0);
}

/* ---- events ---- */

struct firing {
    zk_watch_tell *tell;
    void *context;
    unsigned told; /* kinds that hear of it */
    unsigned used; /* of these: the ones that it uses up */
};

static void fire_at(struct zk_watches *watches, struct bytes text, const struct firing *firing) {
    struct path *path = find_path(watches, text);
    if (path == NULL)
        return;
    for (uint32_t id = path->first, next; id != 0; id = next) {
        struct watch *watch = at(watches, id);
        next = watch->next;
        if ((watch->kinds & firing->told) == 0)
            continue;
        struct zk_watcher *watcher = watch->watcher;
        if (watcher->fired != watches->events) {
            watcher->fired = watches->events;
            firing->tell(firing->context, watcher);
        }
        take_kinds(watches, id, firing->used);
    }
    drop_path(watches, path);
}

static struct bytes parent_of(struct bytes path) {
    while (path.len > 0 && path.data[path.len - 1] != '/')
        path.len--;
    if (path.len > 1)
        path.len--;
    return path;
}

void zk_watches_fire(struct zk_watches *watches, int event, struct bytes path, zk_watch_tell *tell,
                     void *context) {
    static const struct {
        unsigned told, used;
    } rules[] = {
        [1] = {ZK_WATCH_DATA | ZK_WATCH_PERSISTENT | ZK_WATCH_RECURSIVE, ZK_WATCH_DATA},
        [2] = {ZK_WATCH_ALL, ZK_WATCH_DATA | ZK_WATCH_CHILD},
        [3] = {ZK_WATCH_DATA | ZK_WATCH_PERSISTENT | ZK_WATCH_RECURSIVE, ZK_WATCH_DATA},
        [4] = {ZK_WATCH_CHILD | ZK_WATCH_PERSISTENT, ZK_WATCH_CHILD},
    };
    cairn_assert(event >= 1 && event <= 4);
    if (watches->count == 0)
        return;
    watches->events++;
    struct firing firing = {tell, context, rules[event].told, rules[event].used};
    if (watches->mutant == MUTANT_ZK_CHILD_WATCH_MISSES_DELETE && event == 2)
        firing.told &= ~ZK_WATCH_CHILD;
    if (watches->mutant == MUTANT_ZK_ONE_SHOT_STAYS && event == 4)
        firing.used = 0;
    fire_at(watches, path, &firing);
    firing.told &= ZK_WATCH_RECURSIVE;
    firing.used = 0;
    while (firing.told != 0 && watches->recursive > 0 && path.len > 1) {
        path = parent_of(path);
        fire_at(watches, path, &firing);
        if (watches->mutant == MUTANT_ZK_RECURSIVE_ONE_LEVEL)
            break;
    }
}

/* ---- looking on ---- */

void zk_watches_count(const struct zk_watches *watches, struct zk_watch_counts *counts) {
    *counts = (struct zk_watch_counts){
        .watches = watches->count,
        .paths = watches->paths.count,
        .watchers = watches->watchers,
        .bytes = watches->chunk_count * (CHUNK * sizeof(struct watch) + sizeof(void *)) +
                 watches->bucket_count * sizeof *watches->buckets + watches->path_bytes +
                 watches->paths.size * sizeof(void *),
    };
}

bool zk_watches_of(const struct zk_watches *watches, const struct zk_watcher *watcher, uint32_t *id,
                   struct bytes *path) {
    *id = *id == 0 ? watcher->first : at(watches, *id)->own_next;
    if (*id == 0)
        return false;
    const struct path *found = at(watches, *id)->path;
    *path = bytes_of(found->text, found->len);
    return true;
}

void zk_watches_each(const struct zk_watches *watches, zk_watch_path *each_path,
                     zk_watch_tell *each_watcher, void *context) {
    for (struct hnode *node = hmap_next(&watches->paths, NULL); node != NULL;
         node = hmap_next(&watches->paths, node)) {
        const struct path *path = container_of(node, const struct path, node);
        each_path(context, bytes_of(path->text, path->len));
        for (uint32_t id = path->first; id != 0; id = at(watches, id)->next)
            each_watcher(context, at(watches, id)->watcher);
    }
}
