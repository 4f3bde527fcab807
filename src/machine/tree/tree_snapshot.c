#include "machine/tree/tree_internal.h"

#include "base/alloc.h"

/* A record is u8 family, then for RECORD_HEAD the head's fields, for items u64 version, the rest
 * of the key and the value as blocks; in key order, so that parents come before their children. */
#define RECORD_HEAD 'h'

struct tree_snapshot {
    struct vmap_snapshot *map;
    struct tree_head head;
    bool head_written;
    enum mutant mutant;
};

void *tree_snapshot_begin(struct machine *machine) {
    struct tree_snapshot *snapshot = cairn_alloc_zero(sizeof *snapshot);
    snapshot->map = vmap_snapshot_take(machine->map);
    snapshot->head = machine->head;
    snapshot->mutant = machine->options.mutant;
    return snapshot;
}

static void put_head(const struct tree_head *head, struct buf *out) {
    buf_u8(out, RECORD_HEAD);
    buf_u64(out, head->term);
    buf_u32(out, head->epoch);
    buf_u32(out, head->counter);
    buf_u64(out, head->quota_warnings);
}

static void put_item(const struct tree_snapshot *snapshot, const struct vmap_item *item,
                     struct buf *out) {
    struct bytes key = vmap_item_key(item);
    if (key.data[0] == TREE_FAMILY_SESSION && snapshot->mutant == MUTANT_TREE_SNAPSHOT_NO_SESSIONS)
        return;
    buf_u8(out, key.data[0]);
    buf_u64(out, item->version);
    buf_block(out, bytes_of(key.data + 1, key.len - 1));
    buf_block(out, vmap_item_value(item));
}

bool tree_snapshot_chunk(void *opaque, size_t target, struct buf *out) {
    struct tree_snapshot *snapshot = opaque;
    size_t end = out->len + target;
    if (!snapshot->head_written)
        put_head(&snapshot->head, out);
    snapshot->head_written = true;
    while (out->len < end) {
        const struct vmap_item *item = vmap_snapshot_next(snapshot->map);
        if (item == NULL)
            return true;
        put_item(snapshot, item, out);
    }
    return false;
}

bool tree_snapshot_intact(const void *opaque) {
    const struct tree_snapshot *snapshot = opaque;
    return vmap_snapshot_intact(snapshot->map);
}

void tree_snapshot_end(struct machine *machine, void *opaque) {
    struct tree_snapshot *snapshot = opaque;
    vmap_snapshot_release(machine->map, snapshot->map);
    cairn_free(snapshot);
}

/* ---- restoring ---- */

void tree_restore_begin(struct machine *machine) {
    vmap_clear(machine->map);
    vmap_clear(machine->due);
    machine->head = (struct tree_head){0};
    machine->data_bytes = machine->quota_count = 0;
    machine->reap_from_ms = machine->reap_count = 0;
}

static bool acl_sound(struct bytes acl) {
    struct reader reader = reader_of(acl);
    struct tree_acl entry;
    while (tree_acl_next(&reader, &entry))
        ;
    return !reader.bad;
}

static bool node_sound(struct machine *machine, struct bytes key, struct bytes value) {
    struct tree_node node, parent;
    if (key.len < 4 || key.len > 3 + TREE_PATH_MAX)
        return false;
    struct bytes path = bytes_of(key.data + 3, key.len - 3);
    return tree_path_valid(path) && get_u16_be(key.data + 1) == tree_depth(path) &&
           tree_node_decode(value, &node) && acl_sound(node.acl) &&
           (path.len == 1 || tree_node_get(machine, tree_parent(path), &parent));
}

static bool item_sound(struct machine *machine, struct bytes key, struct bytes value) {
    struct config config;
    switch ((enum tree_family)key.data[0]) {
    case TREE_FAMILY_CLUSTER:
        return key.len == 1 && config_decode(value, &config) == CAIRN_OK;
    case TREE_FAMILY_EPHEMERAL:
        return key.len > 9 && value.len == 0 &&
               tree_path_valid(bytes_of(key.data + 9, key.len - 9));
    case TREE_FAMILY_NODE:
        return node_sound(machine, key, value);
    case TREE_FAMILY_SESSION:
        return key.len == 9 && value.len == 24 + TREE_PASSWORD_BYTES && get_u64(value.data) > 0;
    case TREE_FAMILY_SERVER:
        return key.len == 9 && value.len <= CONFIG_ADDRESS_MAX;
    }
    return false;
}

static bool take_item(struct machine *machine, uint8_t family, struct reader *reader,
                      struct buf *key) {
    uint64_t version = read_u64(reader);
    buf_clear(key);
    buf_u8(key, family);
    buf_bytes(key, read_block(reader, TREE_PATH_MAX + 16));
    struct bytes value = read_block(reader, UINT32_MAX);
    if (reader->bad || !item_sound(machine, buf_view(key), value) ||
        vmap_get(machine->map, buf_view(key)) != NULL)
        return false;
    tree_derive(machine, vmap_put(machine->map, buf_view(key), value, version, 0));
    return true;
}

enum cairn_status tree_restore_chunk(struct machine *machine, uint32_t version,
                                     struct bytes chunk) {
    if (version != machine_tree.snapshot_version)
        return CAIRN_WRONG_VERSION;
    struct reader reader = reader_of(chunk);
    struct buf key = {0};
    bool sound = true;
    while (sound && reader_left(&reader) > 0) {
        uint8_t family = read_u8(&reader);
        if (family != RECORD_HEAD) {
            sound = take_item(machine, family, &reader, &key);
            continue;
        }
        machine->head.term = read_u64(&reader);
        machine->head.epoch = read_u32(&reader);
        machine->head.counter = read_u32(&reader);
        machine->head.quota_warnings = read_u64(&reader);
        sound = !reader.bad;
    }
    buf_free(&key);
    return sound ? CAIRN_OK : CAIRN_CORRUPT;
}

enum cairn_status tree_restore_end(struct machine *machine) {
    struct tree_node root;
    return tree_node_get(machine, BYTES("/"), &root) ? CAIRN_OK : CAIRN_CORRUPT;
}
