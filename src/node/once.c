#include "node/once.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/vmap.h"
#include "core/reply.h"

/* One map holds both kinds of record:
 *   's' session(8, big-endian)               -> ttl_ms, used_ms, highest sequence
 *   'r' session(8) sequence(8)               -> the reply to it
 * and a second, derived one orders sessions by the time at which they end: due(8) session(8). */
#define SESSION_KEY_BYTES 9u
#define REPLY_KEY_BYTES 17u
#define DUE_KEY_BYTES 16u

struct once {
    struct vmap *map;
    struct vmap *due;
    uint64_t sessions;
    uint32_t window;
    enum mutant mutant;
};

struct session {
    uint64_t id;
    uint64_t ttl_ms;
    uint64_t used_ms;
    uint64_t highest;
};

static struct bytes session_key(uint8_t *at, uint64_t session) {
    at[0] = 's';
    put_u64_be(at + 1, session);
    return bytes_of(at, SESSION_KEY_BYTES);
}

static struct bytes reply_key(uint8_t *at, uint64_t session, uint64_t sequence) {
    at[0] = 'r';
    put_u64_be(at + 1, session);
    put_u64_be(at + 9, sequence);
    return bytes_of(at, REPLY_KEY_BYTES);
}

static struct bytes due_key(uint8_t *at, const struct session *session) {
    put_u64_be(at, session->used_ms + session->ttl_ms);
    put_u64_be(at + 8, session->id);
    return bytes_of(at, DUE_KEY_BYTES);
}

static bool session_get(const struct once *once, uint64_t id, struct session *session) {
    uint8_t key[SESSION_KEY_BYTES];
    const struct vmap_item *item = vmap_get(once->map, session_key(key, id));
    if (item == NULL)
        return false;
    struct reader reader = reader_of(vmap_item_value(item));
    session->id = id;
    session->ttl_ms = read_u64(&reader);
    session->used_ms = read_u64(&reader);
    session->highest = read_u64(&reader);
    cairn_assert(reader_done(&reader));
    return true;
}

static void session_put(struct once *once, const struct session *session, uint64_t order) {
    uint8_t key[SESSION_KEY_BYTES], value[24], due[DUE_KEY_BYTES];
    put_u64(value, session->ttl_ms);
    put_u64(value + 8, session->used_ms);
    put_u64(value + 16, session->highest);
    vmap_put(once->map, session_key(key, session->id), bytes_of(value, sizeof value), order, 0);
    vmap_put(once->due, due_key(due, session), bytes_of(NULL, 0), order, 0);
}

/* A mutant: nothing knows when it ends. */
static void never_due(struct once *once, const struct session *session) {
    uint8_t due[DUE_KEY_BYTES];
    vmap_delete(once->due, due_key(due, session));
}

static void forget_due(struct once *once, const struct session *session) {
    uint8_t due[DUE_KEY_BYTES];
    bool there = vmap_delete(once->due, due_key(due, session));
    cairn_assert(there || once->mutant == MUTANT_ONCE_DUE_NOT_RESTORED);
}

struct once *once_new(uint32_t window, enum mutant mutant) {
    cairn_assert(window > 0);
    struct once *once = cairn_alloc_zero(sizeof *once);
    once->map = vmap_new();
    once->due = vmap_new();
    once->window = window;
    once->mutant = mutant;
    return once;
}

void once_free(struct once *once) {
    vmap_free(once->map);
    vmap_free(once->due);
    cairn_free(once);
}

void once_set_window(struct once *once, uint32_t window) {
    cairn_assert(window > 0);
    once->window = window;
}

void once_open(struct once *once, uint64_t session, uint64_t ttl_ms, uint64_t time_ms,
               uint64_t order) {
    struct session fresh = {.id = session, .ttl_ms = ttl_ms, .used_ms = time_ms};
    session_put(once, &fresh, order);
    once->sessions++;
}

bool once_close(struct once *once, uint64_t id) {
    struct session session;
    uint8_t key[REPLY_KEY_BYTES];
    if (!session_get(once, id, &session))
        return false;
    forget_due(once, &session);
    for (;;) { /* its cached replies: at most a window of them */
        const struct vmap_item *item = vmap_seek(once->map, reply_key(key, id, 0));
        if (item == NULL || item->key_len != REPLY_KEY_BYTES || item->data[0] != 'r' ||
            get_u64_be(item->data + 1) != id)
            break;
        uint64_t sequence = get_u64_be(item->data + 9);
        vmap_delete(once->map, reply_key(key, id, sequence));
    }
    vmap_delete(once->map, session_key(key, id));
    once->sessions--;
    return true;
}

uint64_t once_next_due(const struct once *once) {
    const struct vmap_item *first = vmap_at(once->due, 0);
    return first == NULL ? UINT64_MAX : get_u64_be(first->data);
}

void once_expire(struct once *once, uint64_t time_ms, size_t most) {
    for (size_t i = 0; i < most && once_next_due(once) <= time_ms; i++)
        once_close(once, get_u64_be(vmap_at(once->due, 0)->data + 8));
}

uint64_t once_sessions(const struct once *once) {
    return once->sessions;
}

enum once_verdict once_check(struct once *once, uint64_t id, uint64_t sequence, uint64_t time_ms,
                             uint64_t order, struct bytes *reply) {
    struct session session;
    if (!session_get(once, id, &session) || session.used_ms + session.ttl_ms <= time_ms)
        return ONCE_NO_SESSION;
    bool below = session.highest >= once->window && sequence <= session.highest - once->window;
    bool above = sequence > session.highest + once->window;
    if (sequence == 0 || below || above)
        return ONCE_OUT_OF_WINDOW;
    forget_due(once, &session);
    session.used_ms = time_ms;
    session_put(once, &session, order);
    uint8_t key[REPLY_KEY_BYTES];
    const struct vmap_item *item = vmap_get(once->map, reply_key(key, id, sequence));
    if (item == NULL || once->mutant == MUTANT_SESSION_NO_DEDUP)
        return ONCE_EXECUTE;
    *reply = vmap_item_value(item);
    return ONCE_REPEAT;
}

/* The window moves up: replies that fell out of it are forgotten. */
static void slide(struct once *once, uint64_t id, uint64_t from, uint64_t to) {
    uint8_t key[REPLY_KEY_BYTES];
    for (uint64_t highest = from + 1; highest <= to; highest++)
        if (highest > once->window)
            vmap_delete(once->map, reply_key(key, id,
                                             highest - once->window +
                                                 (once->mutant == MUTANT_ONCE_NOT_SLIDING)));
}

void once_record(struct once *once, uint64_t id, uint64_t sequence, uint64_t order,
                 struct bytes reply) {
    struct session session;
    bool there = session_get(once, id, &session);
    cairn_assert(there);
    if (sequence > session.highest) {
        slide(once, id, session.highest, sequence);
        forget_due(once, &session);
        session.highest = sequence;
        session_put(once, &session, order);
    }
    uint8_t key[REPLY_KEY_BYTES];
    struct buf too_long = {0};
    if (reply.len > ONCE_REPLY_BYTES_MAX) {
        reply_error(&too_long, "EXECUTED this command was executed before, and its reply was too "
                               "long to be kept");
        reply = buf_view(&too_long);
    }
    vmap_put(once->map, reply_key(key, id, sequence), reply, order, 0);
    buf_free(&too_long);
}

uint64_t once_digest(const struct once *once) {
    return vmap_digest(once->map);
}

/* ---- snapshot: records of key, value, version ---- */

void *once_snapshot_begin(struct once *once) {
    return vmap_snapshot_take(once->map);
}

bool once_snapshot_chunk(void *snapshot, size_t target, struct buf *out) {
    size_t start = out->len;
    while (out->len - start < target) {
        const struct vmap_item *item = vmap_snapshot_next(snapshot);
        if (item == NULL)
            return true;
        buf_u64(out, item->version);
        buf_block(out, vmap_item_key(item));
        buf_block(out, vmap_item_value(item));
    }
    return false;
}

void once_snapshot_end(struct once *once, void *snapshot) {
    vmap_snapshot_release(once->map, snapshot);
}

void once_restore_begin(struct once *once) {
    vmap_clear(once->map);
    vmap_clear(once->due);
    once->sessions = 0;
}

static bool restore_session(struct once *once, struct bytes key, struct bytes value,
                            uint64_t version) {
    if (key.len != SESSION_KEY_BYTES || value.len != 24)
        return false;
    struct session session = {.id = get_u64_be(key.data + 1),
                              .ttl_ms = get_u64(value.data),
                              .used_ms = get_u64(value.data + 8),
                              .highest = get_u64(value.data + 16)};
    session_put(once, &session, version);
    if (once->mutant == MUTANT_ONCE_DUE_NOT_RESTORED)
        never_due(once, &session);
    once->sessions++;
    return true;
}

enum cairn_status once_restore_chunk(struct once *once, struct bytes chunk) {
    struct reader reader = reader_of(chunk);
    while (reader_left(&reader) > 0) {
        uint64_t version = read_u64(&reader);
        struct bytes key = read_block(&reader, REPLY_KEY_BYTES);
        struct bytes value = read_block(&reader, ONCE_REPLY_BYTES_MAX);
        if (reader.bad || key.len == 0)
            return CAIRN_CORRUPT;
        if (key.data[0] == 's') {
            if (!restore_session(once, key, value, version))
                return CAIRN_CORRUPT;
        } else if (key.data[0] == 'r' && key.len == REPLY_KEY_BYTES) {
            vmap_put(once->map, key, value, version, 0);
        } else {
            return CAIRN_CORRUPT;
        }
    }
    return CAIRN_OK;
}

bool once_tidy(struct once *once, size_t budget) {
    bool more = vmap_collect(once->map, budget);
    return vmap_collect(once->due, budget) || more;
}
