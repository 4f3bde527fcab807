#include "machine/tree/tree_internal.h"

#include <string.h>

/* /zookeeper/config as ZooKeeper writes it, from the members and their servers' own words. */

static const struct vmap_item *stored_members(const struct machine *machine) {
    const uint8_t key = TREE_FAMILY_CLUSTER;
    return vmap_get(machine->map, bytes_of(&key, 1));
}

bool tree_members(const struct machine *machine, const struct config *config, struct buf *command) {
    const struct vmap_item *known = stored_members(machine);
    size_t start = command->len;
    tree_put_head(command, TREE_OP_MEMBERS, NULL);
    size_t text_at = command->len;
    config_encode(command, config);
    struct bytes text = bytes_of(command->data + text_at, command->len - text_at);
    if (known == NULL || !bytes_equal(vmap_item_value(known), text))
        return true;
    command->len = start;
    return false;
}

/* server.1=host:port:port:participant;client address */
static void show_member(struct machine *machine, const struct member *member, struct buf *out) {
    struct bytes address = bytes_cstr(member->address);
    const uint8_t *colon = memrchr(address.data, ':', address.len);
    const struct vmap_item *server =
        vmap_get(machine->map, tree_item_key(machine, TREE_FAMILY_SERVER, member->id));
    buf_printf(out, "server.%llu=%s", (unsigned long long)member->id, member->address);
    if (colon != NULL) /* one port carries everything */
        buf_append(out, colon, address.len - (size_t)(colon - address.data));
    buf_printf(out, ":%s", member->voter ? "participant" : "observer");
    if (server != NULL) {
        buf_u8(out, ';');
        buf_bytes(out, vmap_item_value(server));
    }
    buf_u8(out, '\n');
}

/* The text without its version, which is not a change by itself. */
static size_t servers_len(struct bytes text) {
    const uint8_t *version = text.len == 0 ? NULL : memmem(text.data, text.len, "version=", 8);
    return version == NULL ? 0 : (size_t)(version - text.data);
}

static void refresh(struct tree_view *view) {
    struct machine *machine = view->machine;
    const struct vmap_item *known = stored_members(machine);
    struct config config;
    struct tree_node node;
    struct buf text = {0};
    if (known == NULL || config_decode(vmap_item_value(known), &config) != CAIRN_OK ||
        !tree_node_get(machine, BYTES(TREE_CONFIG_PATH), &node))
        return;
    for (uint32_t i = 0; i < config.count; i++)
        show_member(machine, &config.members[i], &text);
    if (!bytes_equal(buf_view(&text), bytes_of(node.data.data, servers_len(node.data)))) {
        buf_printf(&text, "version=%llx", (unsigned long long)view->zxid);
        tree_set_data(view, BYTES(TREE_CONFIG_PATH), &node, buf_view(&text));
    }
    buf_free(&text);
}

int32_t tree_cluster_members(struct tree_view *view) {
    const uint8_t key = TREE_FAMILY_CLUSTER;
    struct config config;
    if (config_decode(view->call->text, &config) != CAIRN_OK)
        return TREE_BAD_ARGUMENTS;
    tree_item_put(view, bytes_of(&key, 1), view->call->text);
    refresh(view);
    return TREE_OK;
}

int32_t tree_cluster_server(struct tree_view *view) {
    const struct tree_call *call = view->call;
    struct bytes key = tree_item_key(view->machine, TREE_FAMILY_SERVER, call->node);
    const struct vmap_item *known = vmap_get(view->machine->map, key);
    if (known != NULL && bytes_equal(vmap_item_value(known), call->text))
        return TREE_OK;
    tree_item_put(view, key, call->text);
    refresh(view);
    return TREE_OK;
}
