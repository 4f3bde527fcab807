/* Replies that are made later: what is left out of them, and how it is filled in. */
#include "machine/kv/kv_later.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "machine/kv/kv_internal.h"

uint64_t kv_reply_len(const struct kv_view *view, const struct buf *reply) {
    return reply->len + view->left_out;
}

/* Values of the state as it is now stay readable. */
static const struct kv_kept *keep(struct kv_later *later, struct machine *machine) {
    if (!later->current) {
        if (later->kept_count == later->kept_cap) {
            later->kept_cap = later->kept_cap ? 2 * later->kept_cap : 4;
            later->kept = cairn_realloc(later->kept, later->kept_cap * sizeof *later->kept);
        }
        later->kept[later->kept_count++] =
            (struct kv_kept){vmap_snapshot_take(machine->map), vmap_snapshot_take(machine->chunks)};
        later->current = true;
    }
    return &later->kept[later->kept_count - 1];
}

bool kv_later_leaves(struct kv_view *view, const struct kv_value *value, uint64_t from,
                     uint64_t len, const struct buf *reply) {
    struct machine *machine = view->machine;
    struct kv_later *later = view->later;
    bool unheard = view->unheard && len > KV_WHOLE_MAX;
    bool leaves = later != NULL && len >= machine->later_min && machine->made == NULL &&
                  kv_reply_len(view, reply) + len >= machine->later_from;
    if (!unheard && !leaves)
        return false;
    view->left_out += len;
    if (!leaves)
        return true;
    if (later->hole_count == later->hole_cap) {
        later->hole_cap = later->hole_cap ? 2 * later->hole_cap : 16;
        later->holes = cairn_realloc(later->holes, later->hole_cap * sizeof *later->holes);
    }
    struct kv_hole *hole = &later->holes[later->hole_count++];
    *hole = (struct kv_hole){.at = reply->len, .from = from, .len = len, .value = *value};
    const struct kv_kept *kept = keep(later, machine);
    if (value->chunks != NULL)
        hole->value.chunks = vmap_snapshot_map(kept->chunks);
    return true;
}

void kv_later_cut(struct kv_view *view, struct buf *reply, size_t len, uint64_t left_out) {
    struct kv_later *later = view->later;
    reply->len = len;
    view->left_out = left_out;
    while (later != NULL && later->hole_count > 0 && later->holes[later->hole_count - 1].at > len)
        later->hole_count--;
}

void kv_later_changes(struct kv_view *view) {
    if (view->later != NULL)
        view->later->current = false;
}

static void fill_hole(struct kv_view *view, const struct kv_hole *hole, struct buf *out) {
    for (uint64_t at = 0; at < hole->len && !view->over;) {
        uint64_t step = hole->len - at < KV_COPY_STEP ? hole->len - at : KV_COPY_STEP;
        struct bytes piece = kv_value_piece(&hole->value, hole->from + at, hole->from + at + step);
        buf_bytes(out, piece);
        at += piece.len;
        work_charge(view->work, WORK_LOOKUP + work_of_bytes(piece.len));
    }
}

void kv_later_fill(struct kv_view *view, const struct kv_later *later, struct bytes reply,
                   struct buf *out) {
    uint64_t len = reply.len;
    for (size_t i = 0; i < later->hole_count; i++)
        len += later->holes[i].len;
    buf_reserve(out, (size_t)len);
    size_t at = 0;
    for (size_t i = 0; i < later->hole_count && !view->over; i++) {
        const struct kv_hole *hole = &later->holes[i];
        cairn_assert(hole->at >= at && hole->at <= reply.len);
        kv_copy(view, bytes_of(reply.data + at, hole->at - at), out);
        fill_hole(view, hole, out);
        at = hole->at;
    }
    kv_copy(view, bytes_of(reply.data + at, reply.len - at), out);
}

void kv_later_free(struct machine *machine, struct kv_later *later) {
    for (size_t i = 0; i < later->kept_count; i++) {
        vmap_snapshot_release(machine->map, later->kept[i].map);
        vmap_snapshot_release(machine->chunks, later->kept[i].chunks);
    }
    cairn_free(later->kept);
    cairn_free(later->holes);
    *later = (struct kv_later){0};
}
