#include "cli/import_apply.h"

#include "base/alloc.h"

#include <stdio.h>

void import_apply_open(struct import_apply *apply, struct machine *machine, uint64_t order) {
    *apply =
        (struct import_apply){.machine = machine, .step = {.order = order}, .lists = vmap_new()};
}

void import_apply_close(struct import_apply *apply) {
    vmap_free(apply->lists);
    cairn_free(apply->list_of);
    cairn_free(apply->acl);
}

void import_apply_end(struct import_apply *apply) {
    tree_import_end(apply->machine, &apply->step);
}

/* ---- rights ---- */

static void take_acl(struct import_apply *apply, struct reader entries, uint32_t count) {
    if (count > apply->acl_cap) {
        apply->acl_cap = count;
        apply->acl = cairn_realloc(apply->acl, count * sizeof *apply->acl);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct jute_acl acl;
        jute_take_acl(&entries, &acl);
        apply->acl[i] = (struct tree_acl){(uint32_t)acl.permissions, {acl.scheme, acl.id}};
    }
}

static void keep_list(struct import_apply *apply, const struct zkfile_record *record) {
    uint8_t key[8], value[4];
    put_u64_be(key, record->id);
    put_u32(value, apply->list_count);
    vmap_put(apply->lists, bytes_of(key, 8), bytes_of(value, 4), 0, 0);
    apply->list_of =
        cairn_realloc(apply->list_of, (apply->list_count + 1) * sizeof *apply->list_of);
    apply->list_of[apply->list_count++] = (struct import_list){record->acl, record->acl_count};
}

/* The node's list is in apply->acl; false when the file does not have it. */
static bool find_list(struct import_apply *apply, uint64_t id, uint32_t *count) {
    uint8_t key[8];
    *count = 0;
    if (id == ZKFILE_ACL_OPEN)
        return true;
    put_u64_be(key, id);
    const struct vmap_item *item = vmap_get(apply->lists, bytes_of(key, 8));
    if (item == NULL)
        return false;
    const struct import_list *list = &apply->list_of[get_u32(vmap_item_value(item).data)];
    take_acl(apply, list->entries, list->count);
    *count = list->count;
    return true;
}

/* ---- a snapshot ---- */

static void set_owner(struct tree_import_node *node, uint64_t owner) {
    switch (zkfile_owner(owner, &node->owner)) {
    case ZKFILE_NOBODY:
        return;
    case ZKFILE_BY_SESSION:
        node->kind = TREE_IMPORT_EPHEMERAL;
        node->owner = owner;
        return;
    case ZKFILE_CONTAINER:
        node->kind = TREE_IMPORT_CONTAINER;
        return;
    case ZKFILE_TTL:
        node->kind = TREE_IMPORT_TTL;
        return;
    }
}

static bool put_node(struct import_apply *apply, const struct zkfile_record *record) {
    const struct zkfile_stat *stat = &record->stat;
    struct tree_import_node node = {.czxid = stat->czxid,
                                    .mzxid = stat->mzxid,
                                    .pzxid = stat->pzxid,
                                    .ctime_ms = stat->ctime_ms,
                                    .mtime_ms = stat->mtime_ms,
                                    .version = stat->version,
                                    .aversion = stat->aversion,
                                    .creations = stat->creations,
                                    .data = record->data};
    if (!find_list(apply, record->id, &node.acl_count))
        return false;
    node.acl = apply->acl;
    set_owner(&node, stat->owner);
    struct bytes path = record->path.len == 0 ? BYTES("/") : record->path;
    return tree_import_node(apply->machine, apply->step.order, path, &node);
}

static void put_session(struct import_apply *apply, uint64_t id, uint64_t timeout_ms) {
    uint8_t password[TREE_PASSWORD_BYTES];
    zkfile_password(id, password);
    tree_import_session(apply->machine, apply->step.order, id, timeout_ms, password);
}

enum cairn_status import_apply_snapshot(struct import_apply *apply, struct bytes file,
                                        uint64_t zxid) {
    struct zkfile_snapshot snapshot;
    struct zkfile_record record = {0};
    tree_import_begin(apply->machine);
    vmap_clear(apply->lists);
    apply->list_count = 0;
    apply->step.zxid = zxid;
    apply->step.time_ms = 0;
    enum cairn_status status = zkfile_snapshot_open(&snapshot, file);
    while (status == CAIRN_OK && record.kind != ZKFILE_END) {
        status = zkfile_snapshot_next(&snapshot, &record);
        if (status != CAIRN_OK)
            break;
        if (record.kind == ZKFILE_SESSION)
            put_session(apply, record.id, record.timeout_ms);
        else if (record.kind == ZKFILE_LIST)
            keep_list(apply, &record);
        else if (record.kind == ZKFILE_NODE && !put_node(apply, &record))
            status = CAIRN_CORRUPT;
    }
    return status;
}

/* ---- logs ---- */

static void create(struct import_apply *apply, const struct zkfile_txn *txn,
                   const struct zkfile_change *change) {
    struct tree_import_node node = {.acl_count = change->acl_count, .data = change->data};
    take_acl(apply, change->acl, change->acl_count);
    node.acl = apply->acl;
    if (change->type == JUTE_CREATE_CONTAINER) {
        node.kind = TREE_IMPORT_CONTAINER;
    } else if (change->type == JUTE_CREATE_TTL) {
        node.kind = TREE_IMPORT_TTL;
        node.owner = change->ttl_ms;
    } else if (change->ephemeral) {
        node.kind = TREE_IMPORT_EPHEMERAL;
        node.owner = txn->session;
    }
    tree_import_create(apply->machine, &apply->step, change->path, &node, change->number);
}

static void carry_out(struct import_apply *apply, const struct zkfile_txn *txn,
                      const struct zkfile_change *change) {
    struct machine *machine = apply->machine;
    switch (change->type) {
    case JUTE_CREATE_SESSION:
        put_session(apply, txn->session, (uint32_t)change->number);
        return;
    case JUTE_CLOSE:
        tree_import_session_end(machine, &apply->step, txn->session);
        return;
    case JUTE_DELETE:
        tree_import_delete(machine, &apply->step, change->path);
        return;
    case JUTE_SET:
    case JUTE_RECONFIG:
        tree_import_set_data(machine, &apply->step, change->path, change->data, change->number);
        return;
    case JUTE_SET_ACL:
        take_acl(apply, change->acl, change->acl_count);
        tree_import_set_acl(machine, &apply->step, change->path, apply->acl, change->acl_count,
                            change->number);
        return;
    default:
        create(apply, txn, change);
    }
}

/* Within an epoch zxids have no gaps; a file that is missing is one. */
static bool follows(uint64_t before, uint64_t zxid) {
    return zxid >> 32 != before >> 32 || zxid == before + 1;
}

static bool fail(struct import_apply *apply, uint64_t zxid, const char *what) {
    snprintf(apply->error, sizeof apply->error, "transaction 0x%llx %s", (unsigned long long)zxid,
             what);
    return false;
}

static bool take_txn(struct import_apply *apply, struct zkfile_txn *txn) {
    struct zkfile_change change;
    if (txn->zxid <= apply->step.zxid)
        return true;
    if (!follows(apply->step.zxid, txn->zxid))
        return fail(apply, apply->step.zxid + 1, "is missing, which must come next");
    apply->step.zxid = txn->zxid;
    apply->step.time_ms = txn->time_ms;
    while (zkfile_txn_next(txn, &change))
        carry_out(apply, txn, &change);
    apply->transactions++;
    return !txn->body.bad || fail(apply, txn->zxid, "is malformed");
}

enum cairn_status import_apply_log(struct import_apply *apply, struct bytes file) {
    struct zkfile_log log;
    struct zkfile_txn txn;
    apply->error[0] = 0;
    enum cairn_status status = zkfile_log_open(&log, file);
    while (status == CAIRN_OK) {
        status = zkfile_log_next(&log, &txn);
        if (status == CAIRN_OK && !take_txn(apply, &txn))
            return CAIRN_CORRUPT;
    }
    return status == CAIRN_NOT_FOUND ? CAIRN_OK : status;
}
