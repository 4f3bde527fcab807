/* The view: the only way by which a handler touches the machine's state. A single command, each
 * part of a transaction, and later a script or a part of a transaction across groups run through
 * it alike, so it is the one place that knows time, versions and the due index, and the one place
 * where reads and writes can be recorded.
 */
#ifndef CAIRN_MACHINE_KV_VIEW_H
#define CAIRN_MACHINE_KV_VIEW_H

#include "base/vmap.h"
#include "core/work.h"
#include "machine/kv/kv.h"

/* What went through a view: for each read or write u8 kind, key as a block, u64 version (of what
 * was read, 0 when absent; of the write). */
enum kv_record_kind { KV_RECORD_READ = 1, KV_RECORD_WRITE, KV_RECORD_DELETE };

struct kv_later; /* kv_later.h */

struct kv_view {
    struct machine *machine;
    uint64_t order;   /* version of what is written */
    uint64_t time_ms; /* what is due at or before it is absent */
    uint32_t version; /* the cluster's, in apply; a read has the newest */
    uint64_t random;  /* for commands that want a number; equal on all replicas in apply */
    bool reading;     /* a read writes nothing: what is due sets `due` instead of being deleted */
    bool local;       /* a read that takes its own word for it that time has passed */
    bool due;
    bool one_go;   /* a read that must end within the limit of its work */
    bool over;     /* a read became too long for one go: its answer is of no use any more */
    bool too_long; /* a reply that would be longer than allowed was not gathered */
    bool chunked;  /* long values are stored in chunks (kv_value.h) */
    bool unheard;  /* long values are left out of the reply, which is of no use */
    struct kv_later
        *later;         /* long values may be left out until later; NULL: may not (kv_later.h) */
    uint64_t left_out;  /* bytes of the reply that were left out */
    struct work *work;  /* what it costs is charged here; NULL: not counted */
    struct buf *record; /* NULL: not recorded */
    struct buf *changes;
};

/* The key's record, NULL when it is absent or due. Valid until the next put or delete. */
const struct vmap_item *kv_view_get(struct kv_view *view, struct bytes key);
/* deadline_ms: 0 is none; beyond KV_DEADLINE_MAX it is that. One that is not after the view's time
 * leaves the key absent. value may point into any item. */
void kv_view_put(struct kv_view *view, struct bytes key, struct bytes value, uint64_t deadline_ms);
/* The same, with a value of len bytes, kept whole, that the caller fills in before kv_view_seal;
 * the replaced record, which is whole too, stays readable until then. */
uint8_t *kv_view_make(struct kv_view *view, struct bytes key, size_t len, uint64_t deadline_ms);
void kv_view_seal(struct kv_view *view);
/* The key's record stays as it is but for its deadline and version; item is that record. */
void kv_view_redate(struct kv_view *view, struct bytes key, const struct vmap_item *item,
                    uint64_t deadline_ms);
/* What `from` holds (item) goes over to another key, or is copied there. */
void kv_view_rename(struct kv_view *view, struct bytes from, const struct vmap_item *item,
                    struct bytes to);
void kv_view_copy(struct kv_view *view, const struct vmap_item *item, struct bytes to);
/* A record of a chunked value, whose chunks lie there already; those of another one that the key
 * had go. For kv_value.c. */
void kv_view_put_chunked(struct kv_view *view, struct bytes key, struct bytes record,
                         uint64_t deadline_ms);
/* True when it was there. */
bool kv_view_delete(struct kv_view *view, struct bytes key);
/* Drops everything. */
void kv_view_clear(struct kv_view *view);

/* A loop of a read is to end: its answer is of no use. */
bool kv_view_over(const struct kv_view *view);
/* Keys that are there and not due. */
uint64_t kv_view_count(const struct kv_view *view);
/* For reads that look at many keys: marks the read as due when anything ended since the last entry
 * that was applied. */
void kv_view_range(struct kv_view *view);

#define KV_DEADLINE_MAX ((1ull << 56) - 1)

/* ---- records ---- */
enum kv_type {
    KV_STRING = 1,
    KV_CHUNKED /* a string in chunks: the record holds a description (kv_value.h) */
};

struct bytes kv_item_key(const struct vmap_item *item);  /* the client's key */
uint64_t kv_item_deadline(const struct vmap_item *item); /* ms, 0: none */
enum kv_type kv_item_type(const struct vmap_item *item);
bool kv_is_string(const struct vmap_item *item);

#endif
