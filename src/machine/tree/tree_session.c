#include "machine/tree/tree_internal.h"

#include "base/assert.h"

#include <string.h>

#define SESSION_BYTES (24u + TREE_PASSWORD_BYTES)
#define ID_ORDER_MASK ((1ull << 56) - 1)

static bool decode(struct bytes value, struct tree_session *session) {
    struct reader reader = reader_of(value);
    session->timeout_ms = read_u64(&reader);
    session->holder = read_u64(&reader);
    session->node = read_u64(&reader);
    struct bytes password = read_bytes(&reader, TREE_PASSWORD_BYTES);
    if (!reader_done(&reader))
        return false;
    memcpy(session->password, password.data, TREE_PASSWORD_BYTES);
    return true;
}

bool tree_session_get(struct machine *machine, uint64_t id, struct tree_session *session) {
    const struct vmap_item *item =
        vmap_get(machine->map, tree_item_key(machine, TREE_FAMILY_SESSION, id));
    return item != NULL && decode(vmap_item_value(item), session);
}

void tree_session_store(struct tree_view *view, uint64_t id, const struct tree_session *session) {
    uint8_t value[SESSION_BYTES];
    put_u64(value, session->timeout_ms);
    put_u64(value + 8, session->holder);
    put_u64(value + 16, session->node);
    memcpy(value + 24, session->password, TREE_PASSWORD_BYTES);
    tree_item_put(view, tree_item_key(view->machine, TREE_FAMILY_SESSION, id),
                  bytes_of(value, sizeof value));
}

static void put(struct tree_view *view, uint64_t id, const struct tree_session *session) {
    tree_session_store(view, id, session);
    const struct life_change life = {session->timeout_ms, session->holder};
    change_put_life(view->changes, id, &life);
}

int32_t tree_session_check(struct machine *machine, const struct tree_call *call) {
    struct tree_session session;
    if (call->session == 0)
        return TREE_OK;
    if (!tree_session_get(machine, call->session, &session))
        return TREE_SESSION_EXPIRED;
    if (session.holder != call->holder && machine->options.mutant != MUTANT_TREE_MOVED_IGNORED)
        return TREE_SESSION_MOVED;
    return TREE_OK;
}

/* As ZooKeeper's look: the server in the highest byte, below it what rises with time. */
static uint64_t new_id(struct tree_view *view) {
    struct tree_session other;
    uint64_t server = (view->call->node & 0x7f) << 56, low = view->order & ID_ORDER_MASK;
    while ((server | low) == 0 || tree_session_get(view->machine, server | low, &other))
        low = (low + 1) & ID_ORDER_MASK;
    return server | low;
}

int32_t tree_session_open(struct tree_view *view, struct buf *reply) {
    const struct tree_call *call = view->call;
    if (call->timeout_ms == 0)
        return TREE_BAD_ARGUMENTS;
    struct tree_session session = {
        .timeout_ms = call->timeout_ms, .holder = view->order, .node = call->node};
    memcpy(session.password, call->password, TREE_PASSWORD_BYTES);
    uint64_t id = new_id(view);
    put(view, id, &session);
    reply_int(reply, (int64_t)id);
    reply_int(reply, (int64_t)session.holder);
    return TREE_OK;
}

int32_t tree_session_attach(struct tree_view *view, struct buf *reply) {
    const struct tree_call *call = view->call;
    struct tree_session session;
    if (!tree_session_get(view->machine, call->session, &session) ||
        memcmp(session.password, call->password, TREE_PASSWORD_BYTES) != 0)
        return TREE_SESSION_EXPIRED;
    if (call->timeout_ms > 0)
        session.timeout_ms = call->timeout_ms;
    session.holder = view->order;
    session.node = call->node;
    put(view, call->session, &session);
    reply_int(reply, (int64_t)session.holder);
    reply_int(reply, (int64_t)session.timeout_ms);
    return TREE_OK;
}

/* ---- its end ---- */

struct bytes tree_ephemeral_key(struct machine *machine, uint64_t session, struct bytes path) {
    tree_item_key(machine, TREE_FAMILY_EPHEMERAL, session);
    buf_bytes(&machine->key, path);
    return buf_view(&machine->key);
}

/* One of the session's ephemerals, in machine->path. */
static bool first_ephemeral(struct machine *machine, uint64_t id, struct bytes *path) {
    struct bytes from = tree_ephemeral_key(machine, id, BYTES(""));
    const struct vmap_item *item = vmap_seek(machine->map, from);
    if (item == NULL || !tree_has_prefix(vmap_item_key(item), from))
        return false;
    struct bytes key = vmap_item_key(item);
    buf_clear(&machine->path);
    buf_append(&machine->path, key.data + from.len, key.len - from.len);
    *path = buf_view(&machine->path);
    return true;
}

static bool leaves_last(struct machine *machine, uint64_t id) {
    struct bytes from = tree_ephemeral_key(machine, id, BYTES("0"));
    size_t end = vmap_rank(machine->map, from);
    from.len--;
    return machine->options.mutant == MUTANT_TREE_EPHEMERAL_STAYS &&
           end - vmap_rank(machine->map, from) == 1;
}

static void end_session(struct tree_view *view, uint64_t id) {
    struct machine *machine = view->machine;
    static const struct life_change over;
    struct bytes path;
    view->once = true;
    while (first_ephemeral(machine, id, &path) && !leaves_last(machine, id)) {
        struct tree_node node;
        bool still = machine->options.mutant == MUTANT_TREE_EPHEMERAL_STILL_OWNED;
        if (tree_node_get(machine, path, &node) &&
            ((node.kind == TREE_KIND_EPHEMERAL && node.owner == id) ||
             (still && node.children == 0)))
            tree_delete(view, path, &node);
        tree_item_remove(view, tree_ephemeral_key(machine, id, path));
    }
    tree_item_remove(view, tree_item_key(machine, TREE_FAMILY_SESSION, id));
    change_put_life(view->changes, id, &over);
}

int32_t tree_session_close(struct tree_view *view) {
    if (view->call->session == 0)
        return TREE_BAD_ARGUMENTS;
    end_session(view, view->call->session);
    return TREE_OK;
}

int32_t tree_session_expire(struct tree_view *view) {
    struct tree_session session;
    const struct tree_call *call = view->call;
    if (!tree_session_get(view->machine, call->id, &session))
        return TREE_SESSION_EXPIRED;
    if (session.holder != call->id_holder &&
        view->machine->options.mutant != MUTANT_TREE_EXPIRY_IGNORES_HOLDER)
        return TREE_SESSION_MOVED;
    end_session(view, call->id);
    return TREE_OK;
}

/* ---- lives ---- */

bool tree_life_next(const struct machine *machine, uint64_t after, uint64_t *id,
                    uint64_t *timeout_ms) {
    uint8_t key[9] = {TREE_FAMILY_SESSION};
    put_u64_be(key + 1, after + 1);
    const struct vmap_item *item =
        after == UINT64_MAX ? NULL : vmap_seek(machine->map, bytes_of(key, sizeof key));
    struct tree_session session;
    if (item == NULL || item->key_len != sizeof key || item->data[0] != TREE_FAMILY_SESSION)
        return false;
    bool whole = decode(vmap_item_value(item), &session);
    cairn_assert(whole);
    *id = get_u64_be(item->data + 1);
    *timeout_ms = session.timeout_ms;
    return true;
}

void tree_life_end(const struct machine *machine, uint64_t id, struct buf *command) {
    uint8_t key[9] = {TREE_FAMILY_SESSION};
    put_u64_be(key + 1, id);
    const struct vmap_item *item = vmap_get(machine->map, bytes_of(key, sizeof key));
    struct tree_session session = {0};
    if (item != NULL)
        decode(vmap_item_value(item), &session);
    tree_put_head(command, TREE_OP_SESSION_EXPIRE, NULL);
    buf_u64(command, id);
    buf_u64(command, session.holder);
}
