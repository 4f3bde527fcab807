#include "machine/kv/kv_internal.h"

#include "base/glob.h"
#include "core/protocol.h"
#include "core/slot.h"

#include <string.h>

static bool is_due(const struct vmap_item *item, uint64_t time_ms) {
    return kv_item_deadline(item) != 0 && kv_item_deadline(item) <= time_ms;
}

static uint16_t slot_of_item(const struct vmap_item *item) {
    return get_u16_be(vmap_item_key(item).data);
}

/* ---- KEYS ---- */

/* What a key costs besides its match; a match, its steps. */
#define ITEM_WORK 100u
/* SCAN that has cost so much says where to go on. */
#define COST_AT_ONCE 4000000u
#define COST_ONE_GO 700000u
/* In a transaction nothing can be put off: this times work_max. */
#define COST_FACTOR 16u

static uint64_t cost_of(struct bytes pattern, const struct vmap_item *item) {
    return ITEM_WORK + glob_cost_max(pattern.len, kv_item_key(item).len);
}

static void refuse_keys(struct kv_call *call) {
    const struct machine *machine = call->view->machine;
    reply_errorf(call->reply,
                 "ERR KEYS would take too long: there are %llu keys and one command may look "
                 "at %llu; use SCAN, or KEYS outside of a transaction",
                 (unsigned long long)vmap_count(machine->map),
                 (unsigned long long)machine->options.work_max);
}

void kv_do_keys(struct kv_call *call) {
    const struct machine *machine = call->view->machine;
    uint64_t work_max = machine->options.work_max;
    struct kv_view *view = call->view;
    uint64_t cost = 0;
    if (!view->reading && vmap_count(machine->map) > work_max) {
        refuse_keys(call);
        return;
    }
    kv_view_range(call->view);
    size_t head = call->reply->len;
    uint32_t count = 0;
    reply_array(call->reply, 0);
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, machine->map, BYTES(""));
    const struct vmap_item *item;
    while (!view->over && call->reply->len <= KV_REPLY_MAX &&
           (item = vmap_cursor_next(&cursor)) != NULL) {
        cost += cost_of(call->args[0], item);
        work_charge(view->work, cost_of(call->args[0], item));
        if (!view->reading && view->version >= WIRE_VERSION_3 && cost > COST_FACTOR * work_max) {
            call->reply->len = head;
            refuse_keys(call);
            return;
        }
        if (is_due(item, call->view->time_ms) ||
            !glob_match(call->args[0], kv_item_key(item), false))
            continue;
        reply_bulk(call->reply, kv_item_key(item));
        count++;
    }
    reply_patch_count(call->reply, head, count);
}

/* ---- SCAN ----
 * A cursor names a place that does not depend on what was returned before: a slot, and within it a
 * hash of 48 bits. Keys are returned a slot at a time in the map's order; a slot with very many
 * keys in ranges of the hash, so that a key's place never moves and every key that stays is met
 * exactly once. Cursor = hash << 14 | slot; 0 is the start, and the end. */

#define HASH_BITS 48
#define SLOT_BITS 14
/* A slot of at most this many keys is returned whole. */
#define SLOT_WHOLE 256
/* A larger slot is walked as a whole for each of its ranges; this bounds how often. */
#define SLOT_RANGES_MAX 64
#define COUNT_MAX 10000

struct scan {
    struct kv_call *call;
    uint64_t cursor;
    uint64_t count;
    uint64_t cost;
    struct bytes pattern;
    bool filtered;   /* a pattern was given */
    bool other_type; /* a type was asked for that no key has */
    uint32_t returned;
};

static bool scan_options(struct kv_call *call, struct scan *scan) {
    for (size_t i = 1; i < call->argc; i += 2) {
        int64_t count;
        if (i + 1 == call->argc) {
            kv_reply_syntax(call);
            return false;
        }
        if (kv_arg_is(call, i, "COUNT")) {
            if (!kv_arg_int(call, i + 1, &count))
                return false;
            if (count < 1) {
                kv_reply_syntax(call);
                return false;
            }
            scan->count = count < COUNT_MAX ? (uint64_t)count : COUNT_MAX;
        } else if (kv_arg_is(call, i, "MATCH")) {
            scan->pattern = call->args[i + 1];
            scan->filtered = true;
        } else if (kv_arg_is(call, i, "TYPE")) {
            scan->other_type = !kv_arg_is(call, i + 1, "string");
        } else {
            kv_reply_syntax(call);
            return false;
        }
    }
    return true;
}

/* An empty text is 0, as in Redis. */
static bool parse_cursor(struct bytes text, uint64_t *cursor) {
    *cursor = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(*cursor, 10u, cursor) ||
            __builtin_add_overflow(*cursor, (uint64_t)(text.data[i] - '0'), cursor))
            return false;
    }
    return true;
}

static uint64_t hash48(const struct vmap_item *item) {
    return bytes_hash(kv_item_key(item), 0) >> (64 - HASH_BITS);
}

static void scan_emit(struct scan *scan, const struct vmap_item *item) {
    struct kv_call *call = scan->call;
    if (scan->other_type || is_due(item, call->view->time_ms) ||
        (scan->filtered && !glob_match(scan->pattern, kv_item_key(item), false)))
        return;
    reply_bulk(call->reply, kv_item_key(item));
    scan->returned++;
}

static struct bytes slot_start(uint32_t slot, uint8_t at[2]) {
    put_u16_be(at, (uint16_t)slot);
    return bytes_of(at, 2);
}

static size_t slot_size(const struct vmap *map, uint32_t slot) {
    uint8_t at[2];
    size_t before = vmap_rank(map, slot_start(slot, at));
    size_t until =
        slot + 1 == SLOT_COUNT ? vmap_count(map) : vmap_rank(map, slot_start(slot + 1, at));
    return until - before;
}

/* Returns the slot's keys with a hash in [low, low + span). */
static void scan_slot(struct scan *scan, uint32_t slot, uint64_t low, uint64_t span) {
    uint8_t at[2];
    bool whole = low == 0 && span >> HASH_BITS != 0;
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, scan->call->view->machine->map, slot_start(slot, at));
    const struct vmap_item *item;
    while ((item = vmap_cursor_next(&cursor)) != NULL && slot_of_item(item) == slot) {
        if (!whole && hash48(item) - low >= span)
            continue;
        scan->cost += cost_of(scan->pattern, item);
        work_charge(scan->call->view->work, cost_of(scan->pattern, item));
        scan_emit(scan, item);
    }
}

/* Walks from the cursor until enough keys were looked at; returns the cursor to go on from. */
static uint64_t scan_walk(struct scan *scan) {
    const struct vmap *map = scan->call->view->machine->map;
    uint32_t slot = scan->cursor % SLOT_COUNT;
    uint64_t low = scan->cursor >> SLOT_BITS, seen = 0;
    uint8_t at[2];
    bool counts = scan->call->view->reading || scan->call->view->version >= WIRE_VERSION_3;
    uint64_t most = scan->call->view->one_go ? COST_ONE_GO : COST_AT_ONCE;
    while (seen < scan->count && (!counts || scan->cost < most)) {
        const struct vmap_item *next = vmap_seek(map, slot_start(slot, at));
        if (next == NULL)
            return 0;
        if (slot_of_item(next) != slot) {
            slot = slot_of_item(next);
            low = 0;
        }
        uint64_t size = slot_size(map, slot), span = 1ull << HASH_BITS;
        if (size > SLOT_WHOLE) {
            uint64_t ranges = size / scan->count + 1;
            span /= ranges < SLOT_RANGES_MAX ? ranges : SLOT_RANGES_MAX;
            seen += size * (span >> 16) / (1ull << (HASH_BITS - 16)) + 1;
        } else {
            seen += size;
        }
        scan_slot(scan, slot, low, span);
        low += span;
        if (low >> HASH_BITS != 0) {
            low = 0;
            if (++slot == SLOT_COUNT)
                return 0;
        }
    }
    return low << SLOT_BITS | slot;
}

void kv_do_scan(struct kv_call *call) {
    struct scan scan = {.call = call, .count = 10};
    if (!parse_cursor(call->args[0], &scan.cursor)) {
        reply_error(call->reply, "ERR invalid cursor");
        return;
    }
    if (!scan_options(call, &scan))
        return;
    kv_view_range(call->view);
    struct buf *reply = call->reply, keys = {0};
    call->reply = &keys;
    bool past_end = scan.cursor >> (HASH_BITS + SLOT_BITS) != 0;
    uint64_t cursor = past_end ? 0 : scan_walk(&scan);
    call->reply = reply;
    char text[24];
    reply_array(reply, 2);
    reply_bulk(reply, kv_int_text((int64_t)cursor, text));
    reply_array(reply, scan.returned);
    buf_bytes(reply, buf_view(&keys));
    buf_free(&keys);
}

/* Some tries by chance, then the first that is not due: a key that is due counts as absent. */
#define TRIES 64

void kv_do_randomkey(struct kv_call *call) {
    const struct vmap *map = call->view->machine->map;
    const struct vmap_item *item = NULL;
    uint64_t number = call->view->random;
    kv_view_range(call->view);
    for (int tries = 0; tries < TRIES && vmap_count(map) > 0; tries++, number = number * 25 + 7) {
        work_charge(call->view->work, WORK_LOOKUP);
        item = vmap_at(map, number % vmap_count(map));
        if (!is_due(item, call->view->time_ms)) {
            reply_bulk(call->reply, kv_item_key(item));
            return;
        }
    }
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, map, BYTES(""));
    while (!kv_view_over(call->view) && (item = vmap_cursor_next(&cursor)) != NULL &&
           is_due(item, call->view->time_ms))
        work_charge(call->view->work, ITEM_WORK);
    if (item == NULL)
        reply_nil(call->reply);
    else
        reply_bulk(call->reply, kv_item_key(item));
}
