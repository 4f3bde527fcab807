/* Replies that are made later. A write whose reply is long (a transaction that reads much, GETDEL)
 * has its effect at its place in the log, and everything behind it waits for that; its reply needs
 * not be made there. Long values are left out of it, each as a place in a version of the state that
 * is kept until the reply is whole (kv_long.c makes it, in slices).
 */
#ifndef CAIRN_MACHINE_KV_LATER_H
#define CAIRN_MACHINE_KV_LATER_H

#include "machine/kv/kv_value.h"

#define KV_LATER_VALUE_MIN 512u    /* a shorter value is copied: that costs hardly more */
#define KV_LATER_FROM (256u << 10) /* a reply shorter than this is made at once */

/* A value's [from, from + len) that belongs behind the reply's first `at` bytes. */
struct kv_hole {
    size_t at;
    uint64_t from, len;
    struct kv_value value; /* of a version that is kept */
};

/* As the state was before the first change behind it. */
struct kv_kept {
    struct vmap_snapshot *map, *chunks;
};

struct kv_later {
    struct kv_hole *holes; /* by `at` */
    struct kv_kept *kept;
    size_t hole_count, hole_cap, kept_count, kept_cap;
    bool current; /* the newest kept version is the state as it is */
};

/* How long a view's reply is with all that was left out of it. */
uint64_t kv_reply_len(const struct kv_view *view, const struct buf *reply);
/* True when [from, from + len) of the value was left out: the caller has put its head alone. */
bool kv_later_leaves(struct kv_view *view, const struct kv_value *value, uint64_t from,
                     uint64_t len, const struct buf *reply);
/* The reply goes back to its first len bytes, of left_out more with what was left out. */
void kv_later_cut(struct kv_view *view, struct buf *reply, size_t len, uint64_t left_out);
/* The state is about to be no more what it was. */
void kv_later_changes(struct kv_view *view);
/* Appends the whole reply to `out`, as long as the view is not over. */
void kv_later_fill(struct kv_view *view, const struct kv_later *later, struct bytes reply,
                   struct buf *out);
void kv_later_free(struct machine *machine, struct kv_later *later);

#endif
