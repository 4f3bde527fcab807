#include "machine/tree/tree_internal.h"

static bool window_open(const struct machine *machine, uint64_t time_ms) {
    return time_ms < machine->reap_from_ms + TREE_REAP_WINDOW_MS;
}

uint64_t tree_next_due(const struct machine *machine) {
    const struct vmap_item *first = vmap_at(machine->due, 0);
    if (first == NULL)
        return UINT64_MAX;
    uint64_t deadline = get_u64_be(first->data);
    uint64_t pause = machine->reap_from_ms + TREE_REAP_WINDOW_MS;
    return machine->reap_count >= TREE_REAPS_A_WINDOW && pause > deadline ? pause : deadline;
}

static void put_candidate(const struct machine *machine, struct bytes path, struct buf *command) {
    struct buf key = {0};
    uint8_t head[3] = {TREE_FAMILY_NODE};
    struct tree_node node = {0};
    put_u16_be(head + 1, tree_depth(path));
    buf_append(&key, head, sizeof head);
    buf_bytes(&key, path);
    const struct vmap_item *item = vmap_get(machine->map, buf_view(&key));
    if (item != NULL)
        tree_node_decode(vmap_item_value(item), &node);
    buf_block(command, path);
    buf_u64(command, node.czxid);
    buf_free(&key);
}

/* Only names candidates: applying it looks again. */
bool tree_due(const struct machine *machine, uint64_t time_ms, uint32_t under_way,
              struct buf *command) {
    uint64_t skip = (uint64_t)under_way * machine->reap_batch;
    if (window_open(machine, time_ms) && machine->reap_count + skip >= TREE_REAPS_A_WINDOW)
        return false;
    const struct vmap_item *item = vmap_at(machine->due, (size_t)skip);
    if (item == NULL || get_u64_be(item->data) > time_ms)
        return false;
    tree_put_head(command, TREE_OP_REAP, NULL);
    size_t count_at = command->len;
    uint32_t count = 0;
    struct vmap_cursor cursor;
    buf_u32(command, 0);
    vmap_cursor_seek(&cursor, machine->due, vmap_item_key(item));
    while (count < machine->reap_batch && (item = vmap_cursor_next(&cursor)) != NULL &&
           get_u64_be(item->data) <= time_ms) {
        struct bytes key = vmap_item_key(item);
        put_candidate(machine, bytes_of(key.data + 8, key.len - 8), command);
        count++;
    }
    put_u32(command->data + count_at, count);
    return true;
}

static bool is_due(struct tree_view *view, struct bytes path, uint64_t czxid,
                   struct tree_node *node) {
    if (path.len <= 1 || !tree_node_get(view->machine, path, node) || node->czxid != czxid)
        return false;
    uint64_t deadline = tree_node_deadline(view->machine, node);
    return deadline != 0 && deadline <= view->time_ms;
}

int32_t tree_reap(struct tree_view *view) {
    struct machine *machine = view->machine;
    struct reader reader = reader_of(view->call->parts);
    if (!window_open(machine, view->time_ms)) {
        machine->reap_from_ms = view->time_ms;
        machine->reap_count = 0;
    }
    view->once = true;
    for (uint32_t i = 0; i < view->call->part_count; i++) {
        struct tree_node node;
        struct bytes path = read_block(&reader, TREE_PATH_MAX);
        if (!is_due(view, path, read_u64(&reader), &node))
            continue;
        tree_delete(view, path, &node);
        machine->reap_count++;
    }
    return TREE_OK;
}
