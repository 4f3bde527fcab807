#include "machine/tree/tree_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"

#define SCRATCH_MAX (1u << 20)

/* ---- life ---- */

/* What is there from the start, as ZooKeeper has it: with zxid 0 and time 0, and not counted among
 * creations. */
static void plant_one(struct machine *machine, const char *text, struct bytes acl) {
    struct tree_view view = {.machine = machine};
    struct bytes path = bytes_cstr(text);
    struct tree_node old, parent;
    const struct tree_node node = {.acl = acl, .aversion = acl.len > 0 ? -1 : 0, .data = BYTES("")};
    if (tree_node_get(machine, path, &old))
        return;
    if (path.len > 1 && tree_node_get(machine, tree_parent(path), &parent)) {
        parent.children++;
        tree_node_put(&view, tree_parent(path), &parent);
    }
    tree_node_put(&view, path, &node);
}

void tree_plant(struct machine *machine) {
    static const char *const open[] = {"/", "/zookeeper", TREE_QUOTA_PATH};
    static const struct tree_acl readable = {
        TREE_PERM_READ, {{(const uint8_t *)"world", 5}, {(const uint8_t *)"anyone", 6}}};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        plant_one(machine, open[i], BYTES(""));
    buf_clear(&machine->acl);
    tree_put_acl(&machine->acl, &readable, 1);
    plant_one(machine, TREE_CONFIG_PATH, bytes_of(machine->acl.data + 4, machine->acl.len - 4));
}

static struct machine *create(const struct machine_options *options) {
    struct machine *machine = cairn_alloc_zero(sizeof *machine);
    machine->options = *options;
    machine->scratch_max = rare_limit(options->rare, RARE_TREE_SCRATCH_FREED, 0, SCRATCH_MAX);
    machine->reap_batch =
        (uint32_t)rare_limit(options->rare, RARE_TREE_REAP_ONE, 1, TREE_REAP_BATCH);
    machine->map = vmap_new();
    machine->due = vmap_new();
    machine->told = vmap_new();
    tree_plant(machine);
    return machine;
}

static void destroy(struct machine *machine) {
    vmap_free(machine->map);
    vmap_free(machine->due);
    vmap_free(machine->told);
    buf_free(&machine->key);
    buf_free(&machine->path);
    buf_free(&machine->acl);
    buf_free(&machine->value);
    buf_free(&machine->undo);
    cairn_free(machine);
}

static void set_value_limit(struct machine *machine, size_t value_bytes_max) {
    machine->options.value_bytes_max = value_bytes_max;
}

/* ---- applying ---- */

static uint64_t zxid_of(const struct tree_head *head) {
    return (uint64_t)head->epoch << 32 | head->counter;
}

static uint64_t next_zxid(struct machine *machine, uint64_t term) {
    struct tree_head *head = &machine->head;
    bool turn = term != head->term || head->counter == UINT32_MAX;
    if (turn) {
        head->epoch += machine->options.mutant != MUTANT_TREE_ZXID_REPEATS;
        head->counter = 0;
        head->term = term;
    }
    head->counter++;
    return zxid_of(head);
}

static int32_t write(struct tree_view *view, struct buf *reply) {
    const struct tree_call *call = view->call;
    int32_t error =
        call->opcode == TREE_OP_SESSION_ATTACH ? TREE_OK : tree_session_check(view->machine, call);
    if (error != TREE_OK)
        return error;
    switch (call->opcode) {
    case TREE_OP_MULTI:
        return tree_multi(view, reply);
    case TREE_OP_SESSION_OPEN:
        return tree_session_open(view, reply);
    case TREE_OP_SESSION_ATTACH:
        return tree_session_attach(view, reply);
    case TREE_OP_SESSION_CLOSE:
        return tree_session_close(view);
    case TREE_OP_SESSION_EXPIRE:
        return tree_session_expire(view);
    case TREE_OP_REAP:
        return tree_reap(view);
    case TREE_OP_MEMBERS:
        return tree_cluster_members(view);
    case TREE_OP_SERVER:
        return tree_cluster_server(view);
    default:
        return tree_do_part(view, &call->part, reply);
    }
}

/* How many values follow error and zxid when all went well. */
static uint32_t results_of(enum tree_opcode opcode) {
    switch (opcode) {
    case TREE_OP_DELETE:
    case TREE_OP_SESSION_CLOSE:
    case TREE_OP_SESSION_EXPIRE:
    case TREE_OP_REAP:
    case TREE_OP_MEMBERS:
    case TREE_OP_SERVER:
        return 0;
    case TREE_OP_CREATE:
    case TREE_OP_SESSION_OPEN:
    case TREE_OP_SESSION_ATTACH:
    case TREE_OP_GET_DATA:
    case TREE_OP_GET_ACL:
    case TREE_OP_GET_CHILDREN:
        return 2;
    case TREE_OP_SESSION:
        return 3;
    default:
        return 1;
    }
}

static void answer(struct buf *reply, uint32_t results, int32_t error, uint64_t zxid) {
    reply_array(reply, 2 + results);
    reply_int(reply, error);
    reply_int(reply, (int64_t)zxid);
}

static void answer_error(struct buf *reply, size_t start, int32_t error, uint64_t zxid) {
    reply->len = start;
    answer(reply, 0, error, zxid);
}

static void answer_read(struct machine *machine, const struct tree_call *call, struct buf *reply) {
    size_t start = reply->len;
    uint64_t zxid = zxid_of(&machine->head);
    answer(reply, results_of(call->opcode), TREE_OK, zxid);
    int32_t error = tree_read(machine, call, reply);
    if (error != TREE_OK)
        answer_error(reply, start, error, zxid);
}

/* What a transaction needed; a large one leaves nothing behind. */
static void clear_scratch(struct machine *machine) {
    vmap_clear(machine->told);
    vmap_collect(machine->told, SIZE_MAX);
    buf_clear(&machine->undo);
    if (machine->undo.cap > machine->scratch_max)
        buf_free(&machine->undo);
}

static void apply(struct machine *machine, const struct apply_context *context,
                  struct bytes command, struct buf *reply, struct buf *changes) {
    struct tree_call call;
    if (!tree_parse(command, &call)) {
        reply_error(reply, "ERR malformed command");
        return;
    }
    if (tree_reads_only(call.opcode)) {
        answer_read(machine, &call, reply);
        return;
    }
    struct tree_view view = {.machine = machine,
                             .call = &call,
                             .order = context->order,
                             .time_ms = context->time_ms,
                             .version = context->version,
                             .zxid = next_zxid(machine, context->term),
                             .changes = changes};
    size_t start = reply->len;
    answer(reply, results_of(call.opcode), TREE_OK, view.zxid);
    int32_t error = write(&view, reply);
    if (error != TREE_OK)
        answer_error(reply, start, error, view.zxid);
    if (view.once || view.undoable)
        clear_scratch(machine);
}

/* ---- queries ---- */

static enum cairn_status read_query(struct machine *machine, const struct read_context *context,
                                    struct bytes query, struct buf *reply) {
    struct tree_call call;
    if (!tree_parse(query, &call))
        reply_error(reply, "ERR malformed command");
    else if (!tree_reads_only(call.opcode))
        reply_error(reply, "ERR a write was sent as a read");
    else
        answer_read(machine, &call, reply);
    return CAIRN_OK;
}

static bool is_read(struct bytes command) {
    struct tree_call call;
    return command.len > 0 && tree_reads_only((enum tree_opcode)command.data[0]) &&
           tree_parse(command, &call);
}

static void part_keys(const struct tree_part *part, struct key_uses *uses) {
    bool in_parent = part->opcode == TREE_OP_CREATE || part->opcode == TREE_OP_DELETE;
    bool write = !tree_reads_only(part->opcode) && part->opcode != TREE_OP_CHECK;
    if (in_parent && part->path.len > 0)
        key_uses_add(uses, tree_parent(part->path), true);
    key_uses_add(uses, part->path, write);
}

static enum cairn_status keys(struct bytes command, struct key_uses *uses) {
    struct tree_call call;
    if (!tree_parse(command, &call))
        return CAIRN_MALFORMED;
    if (call.opcode == TREE_OP_MULTI) {
        struct reader reader = reader_of(call.parts);
        struct tree_part part;
        for (uint32_t i = 0; i < call.part_count; i++) {
            tree_parse_part(&reader, &part);
            part_keys(&part, uses);
        }
    } else if (call.part.path.data != NULL) {
        part_keys(&call.part, uses);
    }
    return CAIRN_OK;
}

static uint64_t digest(const struct machine *machine) {
    const struct tree_head *head = &machine->head;
    uint64_t mixed = prng_mix(zxid_of(head), head->term);
    return vmap_digest(machine->map) + prng_mix(mixed, head->quota_warnings);
}

static size_t memory(const struct machine *machine) {
    return vmap_memory(machine->map) + vmap_memory(machine->due);
}

static uint64_t count(const struct machine *machine) {
    return tree_family_count(machine, TREE_FAMILY_NODE);
}

static bool tidy(struct machine *machine, size_t budget) {
    bool more = vmap_collect(machine->map, budget);
    return vmap_collect(machine->due, budget) || more;
}

const struct machine_kind machine_tree = {
    .name = "tree",
    .needs = MACHINE_NEEDS_TOTAL_ORDER,
    .snapshot_version = 1,
    .create = create,
    .destroy = destroy,
    .set_value_limit = set_value_limit,
    .apply = apply,
    .read = read_query,
    .is_read = is_read,
    .keys = keys,
    .next_due = tree_next_due,
    .due = tree_due,
    .life_next = tree_life_next,
    .life_end = tree_life_end,
    .members = tree_members,
    .digest = digest,
    .memory = memory,
    .count = count,
    .snapshot_begin = tree_snapshot_begin,
    .snapshot_chunk = tree_snapshot_chunk,
    .snapshot_intact = tree_snapshot_intact,
    .snapshot_end = tree_snapshot_end,
    .restore_begin = tree_restore_begin,
    .restore_chunk = tree_restore_chunk,
    .restore_end = tree_restore_end,
    .tidy = tidy,
};
