#include "machine/kv/kv_internal.h"
#include "machine/kv/kv_later.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"
#include "base/list.h"
#include "core/protocol.h"

#include <string.h>

/* Nodes and leaves cost about this much a key on top of the items. */
#define INDEX_BYTES 16
#define DUE_BATCH 256
#define REPLY_HEAD 16u /* of one value */

static struct machine *create(const struct machine_options *options) {
    struct machine *machine = cairn_alloc_zero(sizeof *machine);
    machine->options = *options;
    machine->due_batch = (uint32_t)rare_limit(options->rare, RARE_KV_DUE_ONE, 1, DUE_BATCH);
    machine->later_from = rare_limit(options->rare, RARE_KV_REPLY_LATER, 0, KV_LATER_FROM);
    machine->later_min = machine->later_from == 0 ? 1 : KV_LATER_VALUE_MIN;
    machine->map = vmap_new();
    machine->due = vmap_new();
    machine->chunks = vmap_new();
    return machine;
}

static void destroy(struct machine *machine) {
    vmap_free(machine->map);
    vmap_free(machine->due);
    vmap_free(machine->chunks);
    buf_free(&machine->key);
    buf_free(&machine->due_key);
    cairn_free(machine);
}

static void set_value_limit(struct machine *machine, size_t value_bytes_max) {
    machine->options.value_bytes_max = value_bytes_max;
}

uint64_t kv_memory_used(const struct machine *machine) {
    return vmap_item_bytes(machine->map) + vmap_item_bytes(machine->due) +
           vmap_item_bytes(machine->chunks) +
           INDEX_BYTES *
               (vmap_count(machine->map) + vmap_count(machine->due) + vmap_count(machine->chunks));
}

static bool arity_fits(const struct kv_command *command, size_t argc) {
    if (command->arity < 0)
        return argc + 1 >= (size_t)-command->arity;
    return argc + 1 == (size_t)command->arity;
}

/* Redis' key positions as a range of args: false when there are none. */
static bool key_range(const struct kv_command *command, size_t argc, size_t *first, size_t *end) {
    if (command->first_key == 0 || (size_t)command->first_key > argc)
        return false;
    *first = (size_t)command->first_key - 1;
    *end = command->last_key < 0 ? argc : (size_t)command->last_key;
    return *end <= argc;
}

static bool keys_fit(const struct kv_parsed *parsed) {
    size_t first, end;
    if (!key_range(parsed->command, parsed->argc, &first, &end))
        return true;
    for (size_t i = first; i < end; i += (size_t)parsed->command->key_step) {
        if (parsed->args[i].len > KV_KEY_MAX)
            return false;
    }
    return true;
}

/* The value that the command answers with and removes from its key or replaces there, or whose
 * deadline it changes. */
static bool answers_with_old_value(struct kv_call *call) {
    bool get = false;
    if (!strcmp(call->command->name, "SET"))
        for (size_t i = 2; i < call->argc && !get; i++)
            get = kv_arg_is(call, i, "GET");
    kv_handler *handler = call->command->handler;
    return get || handler == kv_do_getset || handler == kv_do_getdel || handler == kv_do_getex;
}

/* A value that can't be told must not be lost: known before anything is changed. */
static bool old_value_fits(struct kv_call *call) {
    if (call->view->version < WIRE_VERSION_3 || !answers_with_old_value(call))
        return true;
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    return item == NULL ||
           kv_reply_len(call->view, call->reply) + kv_value_of(call->view, item).len + REPLY_HEAD <
               KV_REPLY_MAX;
}

void kv_reply_too_long(struct buf *reply) {
    reply_error(reply, "ERR the reply is larger than the limit of 144 MiB");
}

void kv_run(struct kv_view *view, const struct kv_parsed *parsed, struct buf *reply) {
    const struct machine *machine = view->machine;
    const struct kv_command *command = parsed->command;
    struct kv_call call = {view, command, parsed->args, parsed->argc, reply};
    size_t start = reply->len;
    uint64_t left_out = view->left_out;
    if (!arity_fits(command, parsed->argc))
        kv_reply_arity(&call);
    else if (!keys_fit(parsed))
        reply_errorf(reply, "ERR key is too long: the limit is %u bytes", KV_KEY_MAX);
    else if ((command->flags & KV_OOM) && machine->options.memory_max != 0 &&
             kv_memory_used(machine) > machine->options.memory_max)
        reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
    else if (!old_value_fits(&call))
        kv_reply_too_long(reply);
    else
        command->handler(&call);
    if ((view->too_long || kv_reply_len(view, reply) > KV_REPLY_MAX) &&
        !(command->flags & KV_INTERNAL)) {
        kv_later_cut(view, reply, start, left_out);
        kv_reply_too_long(reply);
        view->too_long = false;
    }
    if (!(command->flags & KV_READ))
        kv_later_changes(view);
}

/* A transaction looks at its parts itself. */
static bool may_be_read(const struct kv_command *command) {
    return (command->flags & KV_READ) || command->opcode == KV_TRANSACTION;
}

void kv_run_bytes(struct kv_view *view, struct bytes command, struct buf *reply) {
    struct kv_parsed parsed;
    if (kv_decode(command, &parsed) != CAIRN_OK) {
        reply_error(reply, "ERR malformed command");
        return;
    }
    if (parsed.command == NULL)
        reply_errorf(reply, "ERR unknown opcode %u", (unsigned)parsed.opcode);
    else if (view->reading && !may_be_read(parsed.command))
        reply_errorf(reply, "ERR '%s' writes and was sent as a read", parsed.command->name);
    else
        kv_run(view, &parsed, reply);
    kv_parsed_free(&parsed);
}

void kv_apply_recorded(struct machine *machine, const struct apply_context *context,
                       struct bytes command, struct buf *reply, struct buf *changes,
                       struct buf *record) {
    struct kv_later later = {0};
    struct kv_view view = {.machine = machine,
                           .order = context->order,
                           .time_ms = context->time_ms,
                           .version = context->version,
                           .random = prng_mix(context->order, context->index),
                           .record = record,
                           .changes = changes,
                           .chunked = context->version >= WIRE_VERSION_3,
                           .unheard = context->unheard,
                           .later = context->later ? &later : NULL,
                           .work = context->work};
    if (machine->options.mutant == MUTANT_EXPIRE_LOCAL_CLOCK)
        view.time_ms = machine->options.local_clock(machine->options.local_clock_context);
    machine->time_ms = context->time_ms;
    kv_run_bytes(&view, command, reply);
    cairn_assert(machine->made == NULL);
    if (later.hole_count > 0)
        *context->later = kv_long_later(machine, &later, reply);
    else
        kv_later_free(machine, &later);
}

static void apply(struct machine *machine, const struct apply_context *context,
                  struct bytes command, struct buf *reply, struct buf *changes) {
    kv_apply_recorded(machine, context, command, reply, changes, NULL);
}

static enum kv_opcode opcode_of(struct bytes command) {
    return command.len < 2 ? 0 : (enum kv_opcode)get_u16(command.data);
}

struct kv_view kv_read_view(struct machine *machine, const struct read_context *context) {
    return (struct kv_view){.machine = machine,
                            .time_ms = context->time_ms,
                            .version = WIRE_VERSION_MAX,
                            .random = context->random,
                            .local = context->local,
                            .reading = true};
}

/* A millisecond, about, of one go. */
#define SHORT_READ_WORK 1000000u
#define SHORT_QUERY_BYTES 262144u /* looking at all of a longer one takes about as long */

struct short_read {
    struct work work;
    struct kv_view view;
};

static void too_long(struct work *work) {
    container_of(work, struct short_read, work)->view.over = true;
}

static enum cairn_status read_query(struct machine *machine, const struct read_context *context,
                                    struct bytes query, struct buf *reply) {
    struct short_read read = {.work = {.limit = SHORT_READ_WORK, .pause = too_long},
                              .view = kv_read_view(machine, context)};
    read.view.work = &read.work;
    read.view.one_go = true;
    size_t before = reply->len;
    if (query.len > SHORT_QUERY_BYTES)
        return CAIRN_BUSY;
    kv_run_bytes(&read.view, query, reply);
    if (!read.view.over && !read.view.due)
        return CAIRN_OK;
    reply->len = before;
    return read.view.over ? CAIRN_BUSY : CAIRN_DUE;
}

static bool reads_only(struct bytes command) {
    const struct kv_command *found = kv_command(opcode_of(command));
    if (found == NULL || !(found->flags & KV_READ))
        return false;
    struct reader reader = reader_of(bytes_of(command.data + 2, command.len - 2));
    for (uint32_t left = read_u32(&reader); left > 0 && !reader.bad; left--)
        read_block(&reader, UINT32_MAX);
    return reader_done(&reader);
}

/* Behind the watched keys and their versions, nothing but reads. */
static bool transaction_reads_only(struct bytes command) {
    struct reader reader = reader_of(bytes_of(command.data + 2, command.len - 2));
    uint32_t count = read_u32(&reader);
    struct bytes watches = read_block(&reader, 4);
    uint64_t before = watches.len == 4 ? 1 + 2ull * get_u32(watches.data) : UINT64_MAX;
    for (uint64_t i = 1; i < count && !reader.bad; i++) {
        struct bytes block = read_block(&reader, UINT32_MAX);
        if (i >= before && !reads_only(block))
            return false;
    }
    return before <= count && reader_done(&reader);
}

static bool is_read(struct bytes command) {
    return opcode_of(command) == KV_TRANSACTION ? transaction_reads_only(command)
                                                : reads_only(command);
}

static enum cairn_status keys_of(struct bytes command, struct key_uses *uses, int depth);

/* Watched keys are read; the parts use what they use. */
static enum cairn_status transaction_keys(const struct kv_parsed *parsed, struct key_uses *uses) {
    if (parsed->argc == 0 || parsed->args[0].len != 4)
        return CAIRN_MALFORMED;
    size_t watches = get_u32(parsed->args[0].data);
    if (watches > (parsed->argc - 1) / 2)
        return CAIRN_MALFORMED;
    for (size_t i = 0; i < watches; i++)
        key_uses_add(uses, parsed->args[1 + 2 * i], false);
    enum cairn_status status = CAIRN_OK;
    for (size_t i = 1 + 2 * watches; i < parsed->argc && status == CAIRN_OK; i++)
        status = keys_of(parsed->args[i], uses, 1);
    return status;
}

static enum cairn_status keys_of(struct bytes command, struct key_uses *uses, int depth) {
    struct kv_parsed parsed;
    enum cairn_status status = kv_decode(command, &parsed);
    if (status != CAIRN_OK)
        return status;
    size_t first, end;
    if (parsed.command == NULL)
        status = CAIRN_MALFORMED;
    else if (parsed.opcode == KV_TRANSACTION)
        status = depth == 0 ? transaction_keys(&parsed, uses) : CAIRN_MALFORMED;
    else if (key_range(parsed.command, parsed.argc, &first, &end)) {
        for (size_t i = first; i < end; i += (size_t)parsed.command->key_step)
            key_uses_add(uses, parsed.args[i], (parsed.command->flags & KV_WRITE) != 0);
    }
    kv_parsed_free(&parsed);
    return status;
}

static enum cairn_status keys(struct bytes command, struct key_uses *uses) {
    return keys_of(command, uses, 0);
}

uint64_t kv_next_due(const struct machine *machine) {
    const struct vmap_item *first = vmap_at(machine->due, 0);
    return first ? get_u64_be(vmap_item_key(first).data) : UINT64_MAX;
}

/* Only names candidates: a key that was given more time before this is applied is not due then,
 * and stays. */
bool kv_due_command(const struct machine *machine, uint64_t time_ms, uint32_t under_way,
                    struct buf *command) {
    const struct vmap_item *first = vmap_at(machine->due, (size_t)under_way * machine->due_batch);
    if (first == NULL || get_u64_be(vmap_item_key(first).data) > time_ms)
        return false;
    buf_u16(command, KV_EXPIRE_DUE);
    size_t count_at = command->len;
    buf_u32(command, 0);
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, machine->due, vmap_item_key(first));
    const struct vmap_item *item;
    uint32_t count = 0;
    for (; count < machine->due_batch && (item = vmap_cursor_next(&cursor)) != NULL; count++) {
        struct bytes key = vmap_item_key(item);
        if (get_u64_be(key.data) > time_ms)
            break;
        buf_block(command, bytes_of(key.data + 8 + KV_PREFIX, key.len - 8 - KV_PREFIX));
    }
    put_u32(command->data + count_at, count);
    return true;
}

static uint64_t digest(const struct machine *machine) {
    return vmap_digest(machine->map) + vmap_digest(machine->chunks);
}

static size_t memory(const struct machine *machine) {
    return vmap_memory(machine->map) + vmap_memory(machine->due) + vmap_memory(machine->chunks);
}

static uint64_t count(const struct machine *machine) {
    return vmap_count(machine->map);
}

static bool tidy(struct machine *machine, size_t budget) {
    bool more = vmap_collect(machine->map, budget);
    more |= vmap_collect(machine->chunks, budget);
    return vmap_collect(machine->due, budget) || more;
}

const struct machine_kind machine_kv = {
    .name = "kv",
    .needs = MACHINE_NEEDS_TOTAL_ORDER,
    .pauses = true,
    .snapshot_version = KV_FORMAT_CHUNKS,
    .create = create,
    .destroy = destroy,
    .set_value_limit = set_value_limit,
    .apply = apply,
    .read = read_query,
    .read_begin = kv_long_begin,
    .read_step = kv_long_step,
    .read_gathered = kv_long_gathered,
    .read_end = kv_long_end,
    .is_read = is_read,
    .keys = keys,
    .next_due = kv_next_due,
    .due = kv_due_command,
    .digest = digest,
    .memory = memory,
    .count = count,
    .snapshot_begin = kv_snapshot_begin,
    .snapshot_chunk = kv_snapshot_chunk,
    .snapshot_intact = kv_snapshot_intact,
    .snapshot_format = kv_snapshot_format,
    .snapshot_end = kv_snapshot_end,
    .restore_begin = kv_restore_begin,
    .restore_chunk = kv_restore_chunk,
    .restore_end = kv_restore_end,
    .tidy = tidy,
};
