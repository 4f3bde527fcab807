/* Values: whole in the record of their key, or in chunks beside it when they are long, so that a
 * change costs what it changes. A chunked value's record holds its length and a number of its own;
 * its chunks lie in a map of their own under that number and their place. A chunk may be shorter
 * than its place, or absent: what is missing are zeros, so far offsets cost nothing.
 *
 * Whether a value is chunked depends on its length when it is written and on the cluster version,
 * so it is equal on all replicas; a shorter one never is. Chunks are written since cluster version
 * 3 (docs/architecture.md, "Versions").
 */
#ifndef CAIRN_MACHINE_KV_VALUE_H
#define CAIRN_MACHINE_KV_VALUE_H

#include "machine/kv/kv_view.h"

#define KV_WHOLE_MAX 65536u  /* a longer value is stored in chunks */
#define KV_CHUNK 16344u      /* with its record it fills a size class of the allocator */
#define KV_COPY_STEP 262144u /* so much is copied between two looks at the budget */
#define KV_CHUNK_KEY 12u     /* the value's number (8 bytes), the chunk's (4), big-endian */

/* Borrowed from a record; valid as long as that. */
struct kv_value {
    uint64_t len;
    struct bytes whole;        /* when it is not chunked */
    const struct vmap *chunks; /* NULL: it is not */
    uint64_t id;
};

/* NULL: the empty value. */
struct kv_value kv_value_of(const struct kv_view *view, const struct vmap_item *item);
/* The value's bytes from `at` (below `end`, which is at most len) as far as they lie together. */
struct bytes kv_value_piece(const struct kv_value *value, uint64_t at, uint64_t end);
/* A byte of it. */
uint8_t kv_value_byte(const struct kv_value *value, uint64_t at);
/* Appends a copy, and charges for it as it goes. */
void kv_copy(struct kv_view *view, struct bytes from, struct buf *out);
/* [from, from + len) of it, copied to out. */
void kv_value_read(struct kv_view *view, const struct kv_value *value, uint64_t from, size_t len,
                   uint8_t *out);
/* All of it in one piece: in the record, or gathered in `room`. */
struct bytes kv_value_gather(struct kv_view *view, const struct kv_value *value, struct buf *room);
/* Appends [from, from + len) of it as a bulk reply, or its head alone (kv_later.h). */
void kv_value_reply(struct kv_view *view, const struct kv_value *value, uint64_t from, uint64_t len,
                    struct buf *reply);

/* The key's value becomes the old one, `len` long (at least as long as it was; with zeros), with
 * `patch` at `at`. The deadline stays. */
void kv_value_patch(struct kv_view *view, struct bytes key, const struct vmap_item *old,
                    uint64_t len, uint64_t at, struct bytes patch);

/* ---- for the view ---- */

/* Stores the bytes as chunks; returns the new value's number. */
uint64_t kv_chunks_store(struct kv_view *view, struct bytes value);
uint64_t kv_chunks_copy(struct kv_view *view, const struct kv_value *value);
void kv_chunks_drop(struct kv_view *view, uint64_t id);
/* Bytes that its chunks occupy. */
size_t kv_chunks_memory(const struct machine *machine, const struct vmap_item *item);

#define KV_CHUNKED_RECORD 16u /* length, number */
struct bytes kv_chunked_record(uint8_t at[KV_CHUNKED_RECORD], uint64_t len, uint64_t id);
/* False: the record of a chunked value is not sound. */
bool kv_chunked_parse(struct bytes record, uint64_t *len, uint64_t *id);

#endif
