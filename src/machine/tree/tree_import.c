#include "machine/tree/tree_import.h"

#include "machine/tree/tree_internal.h"

#include <string.h>

void tree_import_begin(struct machine *machine) {
    tree_restore_begin(machine);
}

/* As it is stored; empty when anyone may do anything. In machine->acl. */
static struct bytes stored_acl(struct machine *machine, const struct tree_acl *acl,
                               uint32_t count) {
    buf_clear(&machine->acl);
    tree_put_acl(&machine->acl, acl, count);
    struct bytes entries = bytes_of(machine->acl.data + 4, machine->acl.len - 4);
    return tree_acl_is_open(entries) ? bytes_of(entries.data, 0) : entries;
}

static void put(struct tree_view *view, struct bytes path, const struct tree_import_node *from) {
    static const enum tree_kind kinds[] = {[TREE_IMPORT_PLAIN] = TREE_KIND_PLAIN,
                                           [TREE_IMPORT_EPHEMERAL] = TREE_KIND_EPHEMERAL,
                                           [TREE_IMPORT_CONTAINER] = TREE_KIND_CONTAINER,
                                           [TREE_IMPORT_TTL] = TREE_KIND_TTL};
    struct tree_node node = {.czxid = from->czxid,
                             .mzxid = from->mzxid,
                             .pzxid = from->pzxid,
                             .ctime_ms = from->ctime_ms,
                             .mtime_ms = from->mtime_ms,
                             .version = from->version,
                             .aversion = from->aversion,
                             .creations = (uint32_t)from->creations,
                             .kind = kinds[from->kind],
                             .owner = from->owner,
                             .acl = stored_acl(view->machine, from->acl, from->acl_count),
                             .data = from->data};
    if (node.kind == TREE_KIND_CONTAINER)
        node.owner = node.mtime_ms;
    tree_node_put(view, path, &node);
    if (node.kind == TREE_KIND_EPHEMERAL)
        tree_item_put(view, tree_ephemeral_key(view->machine, node.owner, path), BYTES(""));
}

bool tree_import_node(struct machine *machine, uint64_t order, struct bytes path,
                      const struct tree_import_node *node) {
    struct tree_view view = {.machine = machine, .order = order};
    struct tree_node parent, old;
    if (!tree_path_valid(path) || tree_node_get(machine, path, &old))
        return false;
    if (path.len > 1) {
        if (!tree_node_get(machine, tree_parent(path), &parent))
            return false;
        parent.children++;
        tree_node_put(&view, tree_parent(path), &parent);
    }
    put(&view, path, node);
    return true;
}

/* ---- steps ---- */

static struct tree_view view_of(struct machine *machine, const struct tree_import_step *step) {
    return (struct tree_view){
        .machine = machine, .order = step->order, .time_ms = step->time_ms, .zxid = step->zxid};
}

static void bring_forward(struct tree_view *view, struct bytes path, int32_t creations) {
    struct tree_node parent;
    if (!tree_node_get(view->machine, path, &parent))
        return;
    if (creations == -1)
        creations = (int32_t)(parent.creations + 1);
    if (creations <= (int32_t)parent.creations)
        return;
    parent.creations = (uint32_t)creations;
    if (view->zxid > parent.pzxid)
        parent.pzxid = view->zxid;
    tree_node_put(view, path, &parent);
}

void tree_import_create(struct machine *machine, const struct tree_import_step *step,
                        struct bytes path, const struct tree_import_node *from, int32_t creations) {
    struct tree_view view = view_of(machine, step);
    struct tree_import_node node = *from;
    if (path.len <= 1)
        return;
    node.czxid = node.mzxid = node.pzxid = step->zxid;
    node.ctime_ms = node.mtime_ms = step->time_ms;
    node.version = node.aversion = node.creations = 0;
    tree_import_node(machine, step->order, path, &node);
    bring_forward(&view, tree_parent(path), creations);
}

static void remove_one(struct tree_view *view, struct bytes path, const struct tree_node *node) {
    struct machine *machine = view->machine;
    struct tree_node parent;
    if (node->kind == TREE_KIND_EPHEMERAL)
        tree_item_remove(view, tree_ephemeral_key(machine, node->owner, path));
    tree_node_remove(view, path);
    if (path.len <= 1 || !tree_node_get(machine, tree_parent(path), &parent))
        return;
    parent.children -= parent.children > 0;
    if (view->zxid > parent.pzxid)
        parent.pzxid = view->zxid;
    if (parent.kind == TREE_KIND_CONTAINER && parent.children == 0)
        parent.owner = view->time_ms;
    tree_node_put(view, tree_parent(path), &parent);
}

/* Replaces *path, in scratch, by its first child. */
static bool descend(struct machine *machine, struct buf *scratch) {
    struct bytes from = tree_children_key(machine, buf_view(scratch));
    const struct vmap_item *item = vmap_seek(machine->map, from);
    if (item == NULL || !tree_has_prefix(vmap_item_key(item), from))
        return false;
    struct bytes key = vmap_item_key(item);
    buf_clear(scratch);
    buf_append(scratch, key.data + 3, key.len - 3);
    return true;
}

void tree_import_delete(struct machine *machine, const struct tree_import_step *step,
                        struct bytes path) {
    struct tree_view view = view_of(machine, step);
    struct tree_node node;
    struct buf deepest = {0};
    if (path.len <= 1 || path.len > TREE_PATH_MAX)
        return;
    while (tree_node_get(machine, path, &node)) {
        buf_clear(&deepest);
        buf_bytes(&deepest, path);
        while (descend(machine, &deepest))
            ;
        if (tree_node_get(machine, buf_view(&deepest), &node))
            remove_one(&view, buf_view(&deepest), &node);
    }
    buf_free(&deepest);
}

void tree_import_set_data(struct machine *machine, const struct tree_import_step *step,
                          struct bytes path, struct bytes data, int32_t version) {
    struct tree_view view = view_of(machine, step);
    struct tree_node node;
    if (path.len == 0 || path.len > TREE_PATH_MAX || !tree_node_get(machine, path, &node))
        return;
    node.data = data;
    node.version = version;
    node.mzxid = step->zxid;
    node.mtime_ms = step->time_ms;
    tree_node_put(&view, path, &node);
}

void tree_import_set_acl(struct machine *machine, const struct tree_import_step *step,
                         struct bytes path, const struct tree_acl *acl, uint32_t acl_count,
                         int32_t aversion) {
    struct tree_view view = view_of(machine, step);
    struct tree_node node;
    if (path.len == 0 || path.len > TREE_PATH_MAX || !tree_node_get(machine, path, &node))
        return;
    node.acl = stored_acl(machine, acl, acl_count);
    node.aversion = aversion;
    tree_node_put(&view, path, &node);
}

/* ---- sessions ---- */

void tree_import_session(struct machine *machine, uint64_t order, uint64_t id, uint64_t timeout_ms,
                         const uint8_t *password) {
    struct tree_view view = {.machine = machine, .order = order};
    struct tree_session session = {.timeout_ms = timeout_ms > 0 ? timeout_ms : 1};
    memcpy(session.password, password, TREE_PASSWORD_BYTES);
    if (id != 0)
        tree_session_store(&view, id, &session);
}

/* The path of the first ephemeral at or after (session, path), with its session. */
static bool next_ephemeral(struct machine *machine, uint64_t *session, struct buf *path) {
    struct bytes from = tree_ephemeral_key(machine, *session, buf_view(path));
    const struct vmap_item *item = vmap_seek(machine->map, from);
    if (item == NULL || item->data[0] != TREE_FAMILY_EPHEMERAL)
        return false;
    struct bytes key = vmap_item_key(item);
    *session = get_u64_be(key.data + 1);
    buf_clear(path);
    buf_append(path, key.data + 9, key.len - 9);
    return true;
}

void tree_import_session_end(struct machine *machine, const struct tree_import_step *step,
                             uint64_t id) {
    struct tree_view view = view_of(machine, step);
    struct buf path = {0};
    uint64_t session = id;
    while (next_ephemeral(machine, &session, &path) && session == id) {
        tree_import_delete(machine, step, buf_view(&path));
        buf_clear(&path);
    }
    buf_free(&path);
    tree_item_remove(&view, tree_item_key(machine, TREE_FAMILY_SESSION, id));
}

void tree_import_end(struct machine *machine, const struct tree_import_step *step) {
    struct tree_session known;
    struct buf path = {0};
    uint64_t session = 0;
    while (next_ephemeral(machine, &session, &path)) {
        buf_clear(&path);
        if (!tree_session_get(machine, session, &known))
            tree_import_session_end(machine, step, session);
        if (++session == 0)
            break;
    }
    buf_free(&path);
    tree_plant(machine);
    struct tree_view view = view_of(machine, step);
    tree_quota_recount(&view);
    machine->head =
        (struct tree_head){.epoch = (uint32_t)(step->zxid >> 32), .counter = (uint32_t)step->zxid};
}
