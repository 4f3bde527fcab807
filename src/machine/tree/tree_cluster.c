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

/* What is known of a server: "clients' address", or "election port/clients' address". */
static struct bytes server_word(struct machine *machine, uint64_t id, struct bytes *election) {
    const struct vmap_item *item =
        vmap_get(machine->map, tree_item_key(machine, TREE_FAMILY_SERVER, id));
    struct bytes word = item == NULL ? bytes_of(NULL, 0) : vmap_item_value(item);
    const uint8_t *slash = word.len == 0 ? NULL : memchr(word.data, '/', word.len);
    *election = bytes_of(NULL, 0);
    if (slash == NULL)
        return word;
    *election = bytes_of(word.data, (size_t)(slash - word.data));
    return bytes_of(slash + 1, word.len - election->len - 1);
}

/* An election's port that nothing listens on: one port carries everything, but Java's clients
 * refuse a configuration in which both are equal (Curator reads it on every connection). */
static uint64_t unused_port(struct bytes port) {
    uint64_t number = 0;
    for (size_t i = 0; i < port.len && port.data[i] >= '0' && port.data[i] <= '9' && i < 5; i++)
        number = number * 10 + (uint64_t)(port.data[i] - '0');
    return number > 64535 ? number - 1000 : number + 1000;
}

/* server.1=host:port:election port:participant;client address */
static void show_member(struct machine *machine, const struct member *member, struct buf *out) {
    struct bytes address = bytes_cstr(member->address), election;
    const uint8_t *colon = memrchr(address.data, ':', address.len);
    struct bytes clients = server_word(machine, member->id, &election);
    buf_printf(out, "server.%llu=%s", (unsigned long long)member->id, member->address);
    if (election.len > 0) {
        buf_u8(out, ':');
        buf_bytes(out, election);
    } else if (colon != NULL) {
        size_t after = (size_t)(colon + 1 - address.data);
        struct bytes port = bytes_of(colon + 1, address.len - after);
        buf_printf(out, ":%llu", (unsigned long long)unused_port(port));
    }
    buf_printf(out, ":%s", member->voter ? "participant" : "observer");
    if (clients.len > 0) {
        buf_u8(out, ';');
        buf_bytes(out, clients);
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
