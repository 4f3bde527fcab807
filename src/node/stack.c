#include "node/stack.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/vmap.h"
#include "core/reply.h"

/* Sessions that one SESSION_DUE entry ends, so that no apply takes long. */
#define DUE_SESSIONS_MAX 1000u
#define ONCE_SNAPSHOT_VERSION 1u
#define AIMS_SNAPSHOT_VERSION 1u
#define STAGING_SNAPSHOT_VERSION 1u

void stack_open(struct stack *stack, const struct machine_kind *kind,
                const struct machine_options *options, uint32_t session_window) {
    stack->kind = kind;
    stack->machine = kind->create(options);
    stack->once = once_new(session_window, options->mutant);
    stack->staging = staging_new();
    stack->own = (struct agreed_parameters){.session_window = session_window,
                                            .value_bytes_max = options->value_bytes_max};
    stack->agreed = (struct agreed){.version = WIRE_VERSION_MIN, .parameters = stack->own};
    stack->aims = cairn_alloc_zero(sizeof *stack->aims);
    stack->mutant = options->mutant;
}

void stack_close(struct stack *stack) {
    stack->kind->destroy(stack->machine);
    once_free(stack->once);
    cairn_free(stack->aims);
    staging_free(stack->staging);
    buf_free(&stack->gathered);
}

static void apply_once(struct stack *stack, const struct apply_context *context,
                       struct reader *reader, struct buf *reply, struct buf *changes) {
    uint64_t session = read_u64(reader);
    uint64_t sequence = read_u64(reader);
    struct bytes command = read_bytes(reader, reader_left(reader));
    struct bytes first;
    switch (once_check(stack->once, session, sequence, context->time_ms, context->order, &first)) {
    case ONCE_NO_SESSION:
        reply_error(reply, "NOSESSION no such session, or it has ended; not executed by this call");
        return;
    case ONCE_OUT_OF_WINDOW:
        reply_error(reply, "OUTOFWINDOW the sequence is outside the session's window; not executed "
                           "by this call");
        return;
    case ONCE_REPEAT:
        buf_bytes(reply, first);
        return;
    case ONCE_EXECUTE:
        break;
    }
    size_t start = reply->len;
    struct apply_context heard = *context;
    heard.unheard = false; /* it is kept, for when this is asked again */
    heard.later = NULL;
    stack->kind->apply(stack->machine, &heard, command, reply, changes);
    once_record(stack->once, session, sequence, context->order,
                bytes_of(reply->data + start, reply->len - start));
}

static void apply_open(struct stack *stack, const struct apply_context *context,
                       struct reader *reader, struct buf *reply) {
    uint64_t ttl_ms = read_u64(reader);
    if (!reader_done(reader) || ttl_ms < ONCE_TTL_MS_MIN || ttl_ms > ONCE_TTL_MS_MAX) {
        reply_error(reply, "ERR a session's time to live must be between 1 second and 30 days");
        return;
    }
    once_open(stack->once, context->index, ttl_ms, context->time_ms, context->order);
    reply_int(reply, (int64_t)context->index);
}

static void apply_version(struct stack *stack, struct reader *reader, struct buf *reply) {
    uint32_t version = read_u32(reader);
    if (reader_done(reader) && version > stack->agreed.version)
        stack->agreed.version = version;
    reply_ok(reply);
}

/* Commands are executed by what is agreed, whatever this node's settings say. */
static void use_parameters(struct stack *stack) {
    const struct agreed_parameters *in_force =
        stack->mutant == MUTANT_OWN_PARAMETERS ? &stack->own : &stack->agreed.parameters;
    once_set_window(stack->once, in_force->session_window);
    stack->kind->set_value_limit(stack->machine, (size_t)in_force->value_bytes_max);
}

void stack_set_own(struct stack *stack, const struct agreed_parameters *own) {
    stack->own = *own;
    stack->own.revision = 0;
    if (stack->agreed.parameters.revision == 0)
        stack->agreed.parameters = stack->own;
    use_parameters(stack);
}

static void apply_parameters(struct stack *stack, struct reader *reader, struct buf *reply) {
    struct agreed_parameters wanted = {.revision = read_u64(reader)};
    wanted.session_window = read_u32(reader);
    wanted.value_bytes_max = read_u64(reader);
    if (!reader_done(reader) || !agreed_change(&stack->agreed, &wanted)) {
        reply_error(reply, "ERR the parameters were changed meanwhile, or are out of bounds");
        return;
    }
    use_parameters(stack);
    reply_ok(reply);
}

static void apply_number(struct stack *stack, struct reader *reader, struct buf *reply) {
    uint64_t number = read_u64(reader);
    if (reader_done(reader) && stack->agreed.cluster_number == 0)
        stack->agreed.cluster_number = number;
    reply_ok(reply);
}

static void apply_time(struct stack *stack, const struct entry *entry, struct reader *reader,
                       struct buf *reply) {
    uint64_t time_ms = read_u64(reader);
    if (reader_done(reader) && agreed_set_time(&stack->agreed, entry->time_ms, time_ms))
        reply_ok(reply);
    else
        reply_error(reply, "ERR replicated time can only be set back; forwards it follows the "
                           "clocks of a majority by itself");
}

static struct upload_id read_upload(struct reader *reader) {
    struct upload_id id = {.node = read_u64(reader)};
    id.number = read_u64(reader);
    return id;
}

static void apply_piece(struct stack *stack, const struct apply_context *context,
                        struct reader *reader, struct buf *reply) {
    struct upload_id id = read_upload(reader);
    uint64_t total = read_u64(reader), offset = read_u64(reader);
    struct bytes bytes = read_bytes(reader, reader_left(reader));
    work_charge(context->work, 2 * work_of_bytes(bytes.len)); /* copied and hashed */
    switch (staging_take(stack->staging, id, total, offset, bytes, context->time_ms)) {
    case CAIRN_OK:
        reply_ok(reply);
        break;
    case CAIRN_BUSY:
        reply_error(reply, "BUSY too many long commands are on their way");
        break;
    default:
        reply_error(reply, "ERR a malformed piece of a command");
    }
}

/* A mutant: whatever the session says. */
static void apply_unchecked(struct stack *stack, const struct apply_context *context,
                            struct reader *reader, struct buf *reply, struct buf *changes) {
    read_bytes(reader, 16); /* session, sequence */
    stack->kind->apply(stack->machine, context, read_bytes(reader, reader_left(reader)), reply,
                       changes);
}

/* The command executes as one that came whole, at this entry's place. */
static void apply_whole(struct stack *stack, const struct apply_context *context,
                        struct reader *reader, struct buf *reply, struct buf *changes) {
    struct upload_id id = read_upload(reader);
    uint64_t total = read_u64(reader);
    struct buf *gathered = &stack->gathered;
    buf_free(gathered);
    stack->pieces_lost = !staging_finish(stack->staging, id, total, context->work, gathered);
    if (stack->pieces_lost) {
        reply_error(reply, "TRYAGAIN pieces of the command were lost; not executed");
        return;
    }
    struct reader whole = reader_of(buf_view(gathered));
    uint8_t kind = read_u8(&whole);
    if (kind == ENVELOPE_MACHINE)
        stack->kind->apply(stack->machine, context, read_bytes(&whole, reader_left(&whole)), reply,
                           changes);
    else if (kind == ENVELOPE_ONCE && stack->mutant == MUTANT_LONG_ONCE_EXECUTED)
        apply_unchecked(stack, context, &whole, reply, changes);
    else if (kind == ENVELOPE_ONCE)
        apply_once(stack, context, &whole, reply, changes);
    else
        reply_error(reply, "ERR unknown kind of command in the log");
    buf_free(gathered);
}

static void apply_command(struct stack *stack, const struct entry *entry,
                          const struct apply_context *context, struct buf *reply,
                          struct buf *changes) {
    struct reader reader = reader_of(entry->payload);
    switch ((enum envelope_kind)read_u8(&reader)) {
    case ENVELOPE_MACHINE:
        stack->kind->apply(stack->machine, context, read_bytes(&reader, reader_left(&reader)),
                           reply, changes);
        return;
    case ENVELOPE_ONCE:
        apply_once(stack, context, &reader, reply, changes);
        return;
    case ENVELOPE_SESSION_OPEN:
        apply_open(stack, context, &reader, reply);
        return;
    case ENVELOPE_SESSION_CLOSE:
        reply_int(reply, once_close(stack->once, read_u64(&reader)));
        return;
    case ENVELOPE_SESSION_DUE:
        once_expire(stack->once, context->time_ms, DUE_SESSIONS_MAX);
        reply_ok(reply);
        return;
    case ENVELOPE_VERSION:
        apply_version(stack, &reader, reply);
        return;
    case ENVELOPE_PARAMETERS:
        apply_parameters(stack, &reader, reply);
        return;
    case ENVELOPE_NUMBER:
        apply_number(stack, &reader, reply);
        return;
    case ENVELOPE_TIME:
        apply_time(stack, entry, &reader, reply);
        return;
    case ENVELOPE_AIM:
        if (context->version < WIRE_VERSION_3)
            break;
        aims_apply(stack->aims, context, &reader, reply);
        return;
    case ENVELOPE_PIECE:
        apply_piece(stack, context, &reader, reply);
        return;
    case ENVELOPE_WHOLE:
        apply_whole(stack, context, &reader, reply, changes);
        return;
    case ENVELOPE_PIECES_DROP:
        staging_drop(stack->staging, read_upload(&reader));
        reply_ok(reply);
        return;
    case ENVELOPE_PIECES_DUE:
        staging_expire(stack->staging, context->time_ms);
        reply_ok(reply);
        return;
    }
    reply_error(reply, "ERR unknown kind of command in the log");
}

void stack_apply(struct stack *stack, const struct entry *entry, const struct stack_asks *asks,
                 struct buf *reply, struct buf *changes) {
    if (entry->kind != ENTRY_COMMAND)
        return;
    struct apply_context context = {.index = entry->index,
                                    .term = entry->term,
                                    .order = entry->order,
                                    .time_ms = agreed_time_ms(&stack->agreed, entry->time_ms),
                                    .version = stack->agreed.version,
                                    .work = asks->work,
                                    .unheard = asks->unheard,
                                    .later = asks->later};
    size_t start = reply->len;
    stack->pieces_lost = false;
    if (stack->mutant == MUTANT_SKIPS_AN_ENTRY && entry->index == 60)
        reply_ok(reply);
    else
        apply_command(stack, entry, &context, reply, changes);
    cairn_assert(reply->len > start || (asks->later != NULL && *asks->later != NULL));
}

static uint64_t aims_digest(const struct aims *aims) {
    struct buf encoded = {0};
    if (aims_empty(aims))
        return 0;
    aims_encode(&encoded, aims);
    struct bytes bytes = buf_view(&encoded);
    uint64_t digest = hash_pieces(&bytes, 1, 0);
    buf_free(&encoded);
    return digest;
}

uint64_t stack_digest(const struct stack *stack) {
    return stack->kind->digest(stack->machine) + 3 * once_digest(stack->once) +
           stack->agreed.version + agreed_digest(&stack->agreed) + 5 * aims_digest(stack->aims) +
           7 * staging_digest(stack->staging);
}

uint64_t stack_next_due(const struct stack *stack) {
    uint64_t once = once_next_due(stack->once);
    uint64_t machine = stack->kind->next_due(stack->machine);
    uint64_t staged = staging_next_due(stack->staging);
    uint64_t first = once < machine ? once : machine;
    return first < staged ? first : staged;
}

bool stack_due(const struct stack *stack, uint64_t time_ms, uint32_t under_way,
               struct buf *envelope) {
    if (once_next_due(stack->once) <= time_ms) {
        if (under_way > 0)
            return false;
        buf_u8(envelope, ENVELOPE_SESSION_DUE);
        return true;
    }
    if (staging_next_due(stack->staging) <= time_ms && under_way == 0) {
        buf_u8(envelope, ENVELOPE_PIECES_DUE);
        return true;
    }
    size_t start = envelope->len;
    buf_u8(envelope, ENVELOPE_MACHINE);
    if (stack->kind->due(stack->machine, time_ms, under_way, envelope))
        return true;
    envelope->len = start;
    return false;
}

void stack_encode_machine(struct buf *out, struct bytes command) {
    buf_u8(out, ENVELOPE_MACHINE);
    buf_bytes(out, command);
}

void stack_encode_once(struct buf *out, uint64_t session, uint64_t sequence, struct bytes command) {
    buf_u8(out, ENVELOPE_ONCE);
    buf_u64(out, session);
    buf_u64(out, sequence);
    buf_bytes(out, command);
}

void stack_encode_open(struct buf *out, uint64_t ttl_ms) {
    buf_u8(out, ENVELOPE_SESSION_OPEN);
    buf_u64(out, ttl_ms);
}

void stack_encode_close(struct buf *out, uint64_t session) {
    buf_u8(out, ENVELOPE_SESSION_CLOSE);
    buf_u64(out, session);
}

void stack_encode_version(struct buf *out, uint32_t version) {
    buf_u8(out, ENVELOPE_VERSION);
    buf_u32(out, version);
}

void stack_encode_parameters(struct buf *out, const struct agreed_parameters *wanted) {
    buf_u8(out, ENVELOPE_PARAMETERS);
    buf_u64(out, wanted->revision);
    buf_u32(out, wanted->session_window);
    buf_u64(out, wanted->value_bytes_max);
}

void stack_encode_number(struct buf *out, uint64_t number) {
    buf_u8(out, ENVELOPE_NUMBER);
    buf_u64(out, number);
}

void stack_encode_time(struct buf *out, uint64_t time_ms) {
    buf_u8(out, ENVELOPE_TIME);
    buf_u64(out, time_ms);
}

void stack_encode_aim(struct buf *out) {
    buf_u8(out, ENVELOPE_AIM);
}

static void put_upload(struct buf *out, enum envelope_kind kind, struct upload_id id) {
    buf_u8(out, (uint8_t)kind);
    buf_u64(out, id.node);
    buf_u64(out, id.number);
}

void stack_encode_piece(struct buf *out, struct upload_id id, uint64_t total, uint64_t offset) {
    put_upload(out, ENVELOPE_PIECE, id);
    buf_u64(out, total);
    buf_u64(out, offset);
}

void stack_encode_whole(struct buf *out, struct upload_id id, uint64_t total) {
    put_upload(out, ENVELOPE_WHOLE, id);
    buf_u64(out, total);
}

void stack_encode_pieces_drop(struct buf *out, struct upload_id id) {
    put_upload(out, ENVELOPE_PIECES_DROP, id);
}

/* ---- snapshots ---- */

struct stack_snapshot {
    const struct stack *stack;
    enum stack_section next;
    struct agreed agreed;
    struct buf aims; /* encoded; empty: there are none */
    void *once;
    void *machine;
    void *staging; /* NULL: nothing is staged */
};

struct stack_snapshot *stack_snapshot_begin(struct stack *stack) {
    struct stack_snapshot *snapshot = cairn_alloc_zero(sizeof *snapshot);
    snapshot->stack = stack;
    snapshot->next = STACK_SECTION_HEAD;
    snapshot->agreed = stack->agreed;
    if (!aims_empty(stack->aims))
        aims_encode(&snapshot->aims, stack->aims);
    snapshot->once = once_snapshot_begin(stack->once);
    snapshot->machine = stack->kind->snapshot_begin(stack->machine);
    if (staging_bytes(stack->staging) > 0)
        snapshot->staging = staging_snapshot_begin(stack->staging);
    return snapshot;
}

static uint32_t machine_format(const struct stack_snapshot *snapshot) {
    const struct machine_kind *kind = snapshot->stack->kind;
    return kind->snapshot_format != NULL ? kind->snapshot_format(snapshot->machine)
                                         : kind->snapshot_version;
}

static enum stack_section behind_aims(const struct stack_snapshot *snapshot) {
    return snapshot->stack->mutant == MUTANT_SNAPSHOT_NO_SESSIONS ? STACK_SECTION_MACHINE
                                                                  : STACK_SECTION_ONCE;
}

bool stack_snapshot_next(struct stack_snapshot *snapshot, size_t target, struct buf *out,
                         uint32_t *section, uint32_t *version) {
    *section = snapshot->next;
    switch (snapshot->next) {
    case STACK_SECTION_HEAD:
        *version = agreed_encode(out, &snapshot->agreed);
        snapshot->next = snapshot->aims.len > 0 ? STACK_SECTION_AIMS : behind_aims(snapshot);
        return true;
    case STACK_SECTION_AIMS:
        *version = AIMS_SNAPSHOT_VERSION;
        buf_bytes(out, buf_view(&snapshot->aims));
        snapshot->next = behind_aims(snapshot);
        return true;
    case STACK_SECTION_ONCE:
        *version = ONCE_SNAPSHOT_VERSION;
        if (once_snapshot_chunk(snapshot->once, target, out))
            snapshot->next = STACK_SECTION_MACHINE;
        return true;
    case STACK_SECTION_MACHINE:
        *version = machine_format(snapshot);
        if (snapshot->stack->kind->snapshot_chunk(snapshot->machine, target, out))
            snapshot->next =
                snapshot->staging != NULL ? STACK_SECTION_STAGING : (enum stack_section)0;
        return true;
    case STACK_SECTION_STAGING:
        *version = STAGING_SNAPSHOT_VERSION;
        if (staging_snapshot_chunk(snapshot->staging, target, out))
            snapshot->next = (enum stack_section)0;
        return true;
    }
    return false;
}

bool stack_snapshot_intact(const struct stack_snapshot *snapshot) {
    return vmap_snapshot_intact(snapshot->once) &&
           snapshot->stack->kind->snapshot_intact(snapshot->machine);
}

void stack_snapshot_end(struct stack *stack, struct stack_snapshot *snapshot) {
    once_snapshot_end(stack->once, snapshot->once);
    stack->kind->snapshot_end(stack->machine, snapshot->machine);
    buf_free(&snapshot->aims);
    if (snapshot->staging != NULL)
        staging_snapshot_end(snapshot->staging);
    cairn_free(snapshot);
}

void stack_restore_begin(struct stack *stack) {
    stack->agreed = (struct agreed){.version = WIRE_VERSION_MIN, .parameters = stack->own};
    once_restore_begin(stack->once);
    *stack->aims = (struct aims){.changes = stack->aims->changes + 1};
    staging_clear(stack->staging);
    stack->kind->restore_begin(stack->machine);
}

enum cairn_status stack_restore_chunk(struct stack *stack, uint32_t section, uint32_t version,
                                      struct bytes chunk) {
    switch ((enum stack_section)section) {
    case STACK_SECTION_HEAD:
        return agreed_decode(chunk, version, &stack->agreed);
    case STACK_SECTION_ONCE:
        return version == ONCE_SNAPSHOT_VERSION ? once_restore_chunk(stack->once, chunk)
                                                : CAIRN_WRONG_VERSION;
    case STACK_SECTION_AIMS:
        return version == AIMS_SNAPSHOT_VERSION ? aims_decode(chunk, stack->aims)
                                                : CAIRN_WRONG_VERSION;
    case STACK_SECTION_MACHINE:
        return stack->kind->restore_chunk(stack->machine, version, chunk);
    case STACK_SECTION_STAGING:
        return version == STAGING_SNAPSHOT_VERSION ? staging_restore_chunk(stack->staging, chunk)
                                                   : CAIRN_WRONG_VERSION;
    }
    return CAIRN_CORRUPT;
}

enum cairn_status stack_restore_end(struct stack *stack) {
    use_parameters(stack);
    return stack->kind->restore_end(stack->machine);
}

bool stack_tidy(struct stack *stack, size_t budget) {
    bool more = once_tidy(stack->once, budget);
    return stack->kind->tidy(stack->machine, budget) || more;
}
