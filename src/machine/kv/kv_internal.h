/* Inside the key-value machine. */
#ifndef CAIRN_MACHINE_KV_INTERNAL_H
#define CAIRN_MACHINE_KV_INTERNAL_H

#include "core/reply.h"
#include "machine/kv/kv.h"
#include "machine/kv/kv_value.h"
#include "machine/kv/kv_view.h"

/* A map key is slot (2 bytes, big-endian), kind, then the client's key, so that a slot's keys lie
 * together. Kind 1 is kept for elements of later types (README). */
#define KV_PREFIX 3
#define KV_KIND_KEY 0

struct machine {
    struct machine_options options;
    uint32_t due_batch;             /* keys in one command that expires some */
    uint64_t later_min, later_from; /* kv_later.h */
    struct vmap *map;
    struct vmap *due;    /* deadline (8 bytes, big-endian) and map key; derived, in no snapshot */
    struct vmap *chunks; /* of long values (kv_value.h) */
    uint64_t chunk_ids;  /* the last number that a chunked value got */
    uint64_t time_ms;    /* of the newest entry that was applied here; in no snapshot */
    struct buf key;      /* a map key under construction */
    struct buf due_key;  /* the same of the due index */
    struct vmap_item *made; /* between kv_view_make and kv_view_seal */
};

/* One command being carried out. */
struct kv_call {
    struct kv_view *view;
    const struct kv_command *command;
    const struct bytes *args; /* without the command's name */
    size_t argc;
    struct buf *reply;
};

/* Checks shape and memory and calls the handler; appends exactly one reply. */
void kv_run(struct kv_view *view, const struct kv_parsed *parsed, struct buf *reply);

void kv_run_bytes(struct kv_view *view, struct bytes command, struct buf *reply);
struct kv_view kv_read_view(struct machine *machine, const struct read_context *context);

/* As apply, and records what the view saw into `record` (NULL: not). */
void kv_apply_recorded(struct machine *machine, const struct apply_context *context,
                       struct bytes command, struct buf *reply, struct buf *changes,
                       struct buf *record);

struct bytes kv_map_key(struct machine *machine, struct bytes key); /* in machine->key */
/* Keeps the due index: key is a map key. Deadline 0: nothing to do. */
void kv_due_add(struct machine *machine, uint64_t deadline_ms, struct bytes map_key);
void kv_due_remove(struct machine *machine, uint64_t deadline_ms, struct bytes map_key);
/* What memory_max is compared with: equal on all replicas that have equal contents. */
uint64_t kv_memory_used(const struct machine *machine);
uint64_t kv_next_due(const struct machine *machine);
bool kv_due_command(const struct machine *machine, uint64_t time_ms, uint32_t under_way,
                    struct buf *command);

/* ---- helpers of the handlers ---- */

/* The key's string. True: *item is the record or NULL when absent. False: it holds another type,
 * and the error was answered. */
bool kv_get_string(struct kv_call *call, struct bytes key, const struct vmap_item **item);
/* Strict decimal, as Redis takes it: no sign but '-', no leading zeros or spaces. */
bool kv_parse_int(struct bytes text, int64_t *value);
/* The same, answering the usual error. */
bool kv_arg_int(struct kv_call *call, size_t arg, int64_t *value);
/* A keyword argument, in any case. */
bool kv_arg_is(const struct kv_call *call, size_t arg, const char *word);
/* The decimal text of a number, in at[21]. */
struct bytes kv_int_text(int64_t value, char at[24]);
/* False, and the error answered, when a value of that length is not allowed. */
bool kv_fits(struct kv_call *call, uint64_t len);
void kv_reply_too_long(struct buf *reply);
void kv_reply_syntax(struct kv_call *call);
void kv_reply_arity(struct kv_call *call);
/* The command's name in lower case. */
const char *kv_call_name(const struct kv_call *call, char at[32]);
/* An expiry argument in seconds or milliseconds, relative or absolute, as a deadline in ms. False:
 * the error was answered. */
bool kv_parse_deadline(struct kv_call *call, struct bytes text, bool seconds, bool relative,
                       uint64_t *deadline_ms);

/* A bit offset, counted in units of so many bits. False: the error was answered. */
bool kv_bit_offset(struct kv_call *call, struct bytes text, int64_t unit, int64_t *offset);

/* kv_long.c: machine_kind.read_begin and so on */
void *kv_long_begin(struct machine *machine, const struct read_context *context,
                    struct bytes query);
bool kv_long_step(struct machine *machine, void *task, uint64_t budget_ns, struct buf *reply);
/* A reply that is made later, from what was left out of it; takes both over. */
void *kv_long_later(struct machine *machine, struct kv_later *later, struct buf *reply);
size_t kv_long_gathered(const void *task);
void kv_long_end(struct machine *machine, void *task);

/* kv_snapshot.c: the formats of a snapshot. The older holds records of keys alone. */
#define KV_FORMAT_KEYS 1u
#define KV_FORMAT_CHUNKS 2u
void *kv_snapshot_begin(struct machine *machine);
bool kv_snapshot_chunk(void *snapshot, size_t target, struct buf *out);
bool kv_snapshot_intact(const void *snapshot);
void kv_snapshot_end(struct machine *machine, void *snapshot);
uint32_t kv_snapshot_format(const void *snapshot);
void kv_restore_begin(struct machine *machine);
enum cairn_status kv_restore_chunk(struct machine *machine, uint32_t version, struct bytes chunk);
enum cairn_status kv_restore_end(struct machine *machine);

#define X(constant, opcode, name, arity, flags, first, last, step, handler) \
    kv_handler kv_do_##handler;
KV_COMMAND_LIST(X)
#undef X

#endif
