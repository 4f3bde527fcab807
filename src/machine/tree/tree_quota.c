#include "machine/tree/tree_internal.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A quota on /a is /zookeeper/quota/a/zookeeper_limits; what it counts is kept beside it in
 * zookeeper_stats. Only the deepest quota above a node counts it. */

#define LIMITS "/zookeeper_limits"
#define STATS "/zookeeper_stats"
#define NONE (-1) /* no such limit */

struct quota {
    int64_t count, bytes, count_hard, bytes_hard;
};

bool tree_quota_is_limits(struct bytes path) {
    struct bytes end = BYTES(LIMITS), start = BYTES(TREE_QUOTA_PATH "/");
    return path.len > start.len + end.len && tree_has_prefix(path, start) &&
           bytes_equal(bytes_of(path.data + path.len - end.len, end.len), end);
}

static int64_t number_of(struct bytes text) {
    char digits[24];
    if (text.len == 0 || text.len >= sizeof digits)
        return NONE;
    memcpy(digits, text.data, text.len);
    digits[text.len] = 0;
    return strtoll(digits, NULL, 10);
}

static void take_pair(struct quota *quota, struct bytes pair) {
    const uint8_t *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);
    if (equals == NULL)
        return;
    struct bytes name = bytes_of(pair.data, (size_t)(equals - pair.data));
    int64_t number = number_of(bytes_of(equals + 1, pair.len - name.len - 1));
    if (bytes_equal(name, BYTES("count")))
        quota->count = number;
    else if (bytes_equal(name, BYTES("bytes")))
        quota->bytes = number;
    else if (bytes_equal(name, BYTES("countHardLimit")))
        quota->count_hard = number;
    else if (bytes_equal(name, BYTES("byteHardLimit")))
        quota->bytes_hard = number;
}

/* "count=5,bytes=-1;byteHardLimit=100" */
static struct quota parse(struct bytes text) {
    struct quota quota = {NONE, NONE, NONE, NONE};
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i == text.len || text.data[i] == ',' || text.data[i] == ';') {
            take_pair(&quota, bytes_of(text.data + start, i - start));
            start = i + 1;
        }
    }
    return quota;
}

static bool read_quota(struct machine *machine, struct bytes path, struct quota *quota) {
    struct tree_node node;
    if (!tree_node_get(machine, path, &node))
        return false;
    *quota = parse(node.data);
    return true;
}

/* ---- where it is ---- */

static struct bytes quota_path(struct buf *out, struct bytes path, const char *name) {
    buf_clear(out);
    buf_bytes(out, BYTES(TREE_QUOTA_PATH));
    buf_bytes(out, path);
    buf_bytes(out, bytes_cstr(name));
    return buf_view(out);
}

/* The deepest of the path and what is above it that has limits; scratch holds the limits' path. */
static bool find(struct machine *machine, struct bytes *path, struct buf *scratch) {
    struct tree_node node;
    if (machine->quota_count == 0)
        return false;
    for (; path->len > 1; *path = tree_parent(*path)) {
        if (tree_node_get(machine, quota_path(scratch, *path, LIMITS), &node))
            return true;
    }
    return false;
}

/* ---- limits ---- */

/* A hard limit is asked instead of a soft one. */
static int32_t compare(struct tree_view *view, int64_t now, int64_t soft, int64_t hard) {
    int64_t limit = hard > NONE ? hard : soft;
    if (limit <= NONE || now <= limit)
        return TREE_OK;
    if (hard > NONE)
        return TREE_QUOTA_EXCEEDED;
    view->machine->head.quota_warnings++;
    return TREE_OK;
}

static int32_t check(struct tree_view *view, struct bytes path, struct buf *scratch, int64_t bytes,
                     int64_t count) {
    struct quota limits, stats;
    if (!find(view->machine, &path, scratch) ||
        !read_quota(view->machine, buf_view(scratch), &limits) ||
        !read_quota(view->machine, quota_path(scratch, path, STATS), &stats))
        return TREE_OK;
    int32_t error = TREE_OK;
    if (count != 0)
        error = compare(view, stats.count + count, limits.count, limits.count_hard);
    if (error == TREE_OK && bytes != 0)
        error = compare(view, stats.bytes + bytes, limits.bytes, limits.bytes_hard);
    return error;
}

int32_t tree_quota_check(struct tree_view *view, struct bytes path, int64_t bytes, int64_t count) {
    if (view->machine->quota_count == 0)
        return TREE_OK;
    struct buf scratch = {0};
    int32_t error = check(view, path, &scratch, bytes, count);
    buf_free(&scratch);
    return error;
}

/* ---- counts: they change a node's data and nothing else of it ---- */

static void write_stats(struct tree_view *view, struct bytes path, int64_t count, int64_t bytes) {
    struct tree_node node;
    struct buf text = {0};
    if (tree_node_get(view->machine, path, &node)) {
        buf_printf(&text, "count=%lld,bytes=%lld", (long long)count, (long long)bytes);
        node.data = buf_view(&text);
        tree_node_put(view, path, &node);
    }
    buf_free(&text);
}

void tree_quota_count(struct tree_view *view, struct bytes path, int64_t bytes, int64_t count) {
    struct quota stats;
    struct buf scratch = {0};
    if ((bytes != 0 || count != 0) && find(view->machine, &path, &scratch) &&
        read_quota(view->machine, quota_path(&scratch, path, STATS), &stats))
        write_stats(view, buf_view(&scratch), stats.count + count, stats.bytes + bytes);
    buf_free(&scratch);
}

static void count_range(struct machine *machine, struct bytes from, int64_t *count,
                        int64_t *bytes) {
    struct vmap_cursor cursor;
    const struct vmap_item *item;
    struct tree_node node;
    vmap_cursor_seek(&cursor, machine->map, from);
    while ((item = vmap_cursor_next(&cursor)) != NULL &&
           tree_has_prefix(vmap_item_key(item), from)) {
        if (tree_node_decode(vmap_item_value(item), &node))
            *bytes += (int64_t)node.data.len;
        ++*count;
    }
}

/* Holds the counts of /a when it is /zookeeper/quota/a/zookeeper_stats. */
static bool is_stats(struct bytes path, struct bytes *top) {
    struct bytes start = BYTES(TREE_QUOTA_PATH), end = BYTES(STATS);
    if (path.len <= start.len + end.len || !tree_has_prefix(path, start) ||
        !bytes_equal(bytes_of(path.data + path.len - end.len, end.len), end))
        return false;
    *top = bytes_of(path.data + start.len, path.len - start.len - end.len);
    return true;
}

/* The nodes of one depth below a path are one range; its key is in machine->key. */
static struct bytes depth_key(struct machine *machine, struct bytes path, uint32_t depth) {
    struct bytes from = tree_children_key(machine, path);
    put_u16_be(machine->key.data + 1, (uint16_t)depth);
    return from;
}

void tree_quota_created(struct tree_view *view, struct bytes path) {
    struct machine *machine = view->machine;
    struct bytes top;
    struct tree_node node;
    int64_t count = 0, bytes = 0, before = -1;
    if (!is_stats(path, &top))
        return;
    if (tree_node_get(machine, top, &node)) {
        count = 1;
        bytes = (int64_t)node.data.len;
        for (uint32_t depth = tree_depth(top) + 1u; count > before && depth <= UINT16_MAX;
             depth++) {
            before = count;
            count_range(machine, depth_key(machine, top, depth), &count, &bytes);
        }
    }
    write_stats(view, path, count, bytes);
}

/* The stats of one depth below /zookeeper/quota, as blocks; how many nodes there are. */
static uint64_t list_stats(struct machine *machine, uint32_t depth, struct buf *found) {
    struct vmap_cursor cursor;
    const struct vmap_item *item;
    struct bytes from = depth_key(machine, BYTES(TREE_QUOTA_PATH), depth), top;
    uint64_t count = 0;
    vmap_cursor_seek(&cursor, machine->map, from);
    while ((item = vmap_cursor_next(&cursor)) != NULL &&
           tree_has_prefix(vmap_item_key(item), from)) {
        struct bytes key = vmap_item_key(item), path = bytes_of(key.data + 3, key.len - 3);
        if (is_stats(path, &top))
            buf_block(found, path);
        count++;
    }
    return count;
}

void tree_quota_recount(struct tree_view *view) {
    struct buf found = {0};
    uint32_t depth = tree_depth(BYTES(TREE_QUOTA_PATH)) + 1u;
    while (list_stats(view->machine, depth, &found) > 0 && depth < UINT16_MAX)
        depth++;
    struct reader reader = reader_of(buf_view(&found));
    while (reader_left(&reader) > 0)
        tree_quota_created(view, read_block(&reader, TREE_PATH_MAX));
    buf_free(&found);
}
