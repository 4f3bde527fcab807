/* Client connections: accepted, read, cut into frames, written to, closed. A client that does not
 * read its answers is read no more; one that lets notifications pile up is closed. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define OUTPUT_EACH_MIN 1024u
#define BUFFER_KEPT 16384u
#define CONNECT_BYTES_MAX 1024u /* of the frame that asks for a session: clients' have 45 */
#define SLOTS_FIRST 32u         /* requests under way while little is known of a client's answers */
#define ANSWER_BYTES_MIN 64u
/* What a client that does not read its answers may send on: one that writes everything before it
 * reads anything comes through. */
#define READ_AHEAD_MAX (64u << 20)

static const struct env_stream_events conn_events;

void zk_limits_open(struct zookeeper_front *front) {
    struct zookeeper_limits *limits = &front->limits;
    struct rare *rare = node_get_options(front->node)->rare;
    limits->slice_requests = (unsigned)rare_limit(rare, RARE_ZK_SLICE_ONE, 1, 512);
    limits->slots_max = rare_limit(rare, RARE_ZK_SLOTS_ONE, 1, 2048);
    limits->output_each_max = rare_limit(rare, RARE_ZK_OUTPUT_SMALL, 40, 1u << 20);
    limits->buffer_kept = rare_limit(rare, RARE_ZK_BUFFER_FREED, 0, BUFFER_KEPT);
    limits->sweep_ns = rare_limit(rare, RARE_ZK_SWEEP_OFTEN, 0, 2000 * NS_PER_MS);
}

size_t zk_output_max(const struct zookeeper_front *front) {
    size_t each = front->options.output_budget / (front->conn_count ? front->conn_count : 1);
    size_t most = front->limits.output_each_max;
    return each > most ? most : each < OUTPUT_EACH_MIN ? OUTPUT_EACH_MIN : each;
}

void zk_conn_dirty(struct zk_conn *conn) {
    if (list_empty(&conn->dirty))
        list_push(&conn->front->dirty, &conn->dirty);
}

void zk_conn_close(struct zk_conn *conn) {
    conn->closing = true;
    zk_conn_dirty(conn);
    env_wake(conn->front->env);
}

void zk_conn_throttle(struct zk_conn *conn) {
    conn->front->counters.throttled++;
    if (list_empty(&conn->throttled))
        list_push(&conn->front->throttled, &conn->throttled);
}

static void give_back(const struct zookeeper_front *front, struct buf *buf) {
    size_t share = zk_output_max(front) / 4, kept = front->limits.buffer_kept;
    if (buf->len == 0 && buf->cap > (share < kept ? share : kept))
        buf_free(buf);
}

static void write_out(struct zk_conn *conn) {
    if (conn->out.len == 0 || conn->closed)
        return;
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(conn->front->env, &conn->stream, &piece, 1);
    buf_clear(&conn->out);
    give_back(conn->front, &conn->out);
}

void zk_conn_lose(struct zk_conn *conn) {
    conn->closing = true;
    if (conn->closed)
        return;
    write_out(conn);
    zk_session_forget(conn);
    conn->closed = true;
    env_close(conn->front->env, &conn->stream);
}

/* ---- reading ---- */

static bool server_is_full(const struct zookeeper_front *front) {
    return front->outstanding >= front->options.outstanding_max;
}

/* How many requests may be under way: the reads among them are answered all at once, wanted or not,
 * so their number times the size that this client's answers lately had is kept within its share. */
static size_t slots_max(const struct zk_conn *conn) {
    size_t bytes = conn->answer_bytes > ANSWER_BYTES_MIN ? conn->answer_bytes : ANSWER_BYTES_MIN;
    size_t fitting = 1 + zk_output_max(conn->front) / bytes;
    uint64_t earned = SLOTS_FIRST + conn->answered;
    size_t most = fitting < earned ? fitting : (size_t)earned;
    size_t limit = conn->front->limits.slots_max;
    return most < limit ? most : limit;
}

static struct bytes input(const struct zk_conn *conn) {
    return bytes_of(conn->in.data + conn->in_at, conn->in.len - conn->in_at);
}

/* It does not take its answers as fast as they come. */
static bool is_full(const struct zk_conn *conn) {
    return conn->out.len >= zk_output_max(conn->front) ||
           env_stream_queued(conn->front->env, &conn->stream) > 0;
}

static bool may_read_on(const struct zk_conn *conn) {
    return !conn->closing && !conn->ending && conn->phase != ZK_CONNECTING &&
           conn->slot_count < slots_max(conn) && conn->slot_bytes <= zk_output_max(conn->front) &&
           !server_is_full(conn->front) && !is_full(conn);
}

static void too_large(struct zk_conn *conn) {
    conn->front->counters.large++;
    zk_conn_lose(conn);
}

/* Handles whole frames from the front of bytes; how many bytes they had. */
static size_t run_frames(struct zk_conn *conn, struct bytes bytes) {
    struct zookeeper_front *front = conn->front;
    size_t taken = 0;
    conn->starved = false;
    for (unsigned n = 0; may_read_on(conn); n++) {
        struct bytes rest = bytes_of(bytes.data + taken, bytes.len - taken), frame;
        if (conn->phase == ZK_FRESH && zk_word(conn, rest))
            return bytes.len;
        if (n == front->limits.slice_requests) { /* others' turn */
            zk_conn_dirty(conn);
            env_wake(front->env);
            break;
        }
        size_t most = conn->phase == ZK_FRESH ? CONNECT_BYTES_MAX : front->options.frame_bytes_max;
        size_t used = jute_frame(rest, most, &frame);
        conn->starved = used == 0;
        if (conn->starved)
            break;
        if (used == SIZE_MAX) {
            too_large(conn);
            break;
        }
        if (conn->phase == ZK_FRESH)
            zk_session_connect(conn, frame);
        else
            zk_order_take(conn, frame);
        taken += used;
    }
    return taken;
}

/* Whether the client may go on sending: not while what it sent waits here. */
static void set_reading(struct zk_conn *conn) {
    size_t waits = input(conn).len;
    bool stuck = waits > 0 && !may_read_on(conn);
    bool pause = conn->closing || (stuck && !(is_full(conn) && waits < READ_AHEAD_MAX));
    if (conn->closed)
        return;
    if (stuck && server_is_full(conn->front))
        zk_conn_throttle(conn);
    if (pause == conn->read_paused)
        return;
    conn->read_paused = pause;
    env_pause(conn->front->env, &conn->stream, pause);
}

/* The connection that holds most of what there is no room for. */
static struct zk_conn *hoarder(struct zookeeper_front *front) {
    struct zk_conn *found = NULL;
    LIST_EACH(item, &front->conns) {
        struct zk_conn *conn = container_of(item, struct zk_conn, list);
        if (!conn->closing && conn->in.len > BUFFER_KEPT &&
            (found == NULL || conn->in.len > found->in.len))
            found = conn;
    }
    return found;
}

static void keep_budget(struct zookeeper_front *front) {
    while (front->input_bytes > front->options.input_budget) {
        struct zk_conn *conn = hoarder(front);
        if (conn == NULL)
            return;
        front->input_bytes -= conn->in.len;
        buf_free(&conn->in);
        conn->in_at = 0;
        too_large(conn);
    }
}

static void keep_rest(struct zk_conn *conn, struct bytes bytes, size_t taken, bool buffered) {
    struct zookeeper_front *front = conn->front;
    size_t before = conn->in.len;
    if (buffered)
        buf_advance(&conn->in, &conn->in_at, taken);
    else
        buf_append(&conn->in, bytes.data + taken, bytes.len - taken);
    front->input_bytes += conn->in.len - before;
    give_back(front, &conn->in);
    keep_budget(front);
}

static void read_on(struct zk_conn *conn, struct bytes fresh) {
    bool buffered = conn->in.len > 0;
    if (conn->closing || conn->in_loop)
        return;
    if (buffered) {
        buf_bytes(&conn->in, fresh);
        conn->front->input_bytes += fresh.len;
        fresh = input(conn);
    }
    if (fresh.len == 0)
        return;
    conn->in_loop = true;
    size_t taken = run_frames(conn, fresh);
    conn->in_loop = false;
    keep_rest(conn, fresh, taken, buffered);
    set_reading(conn);
    if (conn->out.len > 0 || conn->closing)
        zk_conn_dirty(conn);
}

/* ---- the stream's events ---- */

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    conn->heard_ns = conn->front->now_ns = env_now(conn->front->env);
    conn->front->counters.bytes_received += bytes.len;
    read_on(conn, bytes);
}

/* Of connections with TLS. */
static void on_open(struct env_stream *stream) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    conn->opened = true;
    conn->front->counters.tls_connections++;
    zk_auth_certificate(conn);
}

static void on_drain(struct env_stream *stream) {
    zk_conn_dirty(container_of(stream, struct zk_conn, stream));
}

/* What it asked for is still answered. */
static void on_end(struct env_stream *stream) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    conn->ended = true;
    zk_conn_dirty(conn);
    env_wake(conn->front->env);
}

/* ---- connections of one address ---- */

static bool host_matches(const struct hnode *node, const void *key) {
    return strcmp(container_of(node, const struct zk_address, node)->text, key) == 0;
}

/* "host" of "host:port" or "[host]:port". */
static void host_of(const char *address, char *out, size_t size) {
    const char *end = strrchr(address, ':');
    size_t len = end == NULL ? strlen(address) : (size_t)(end - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    len = len < size ? len : size - 1;
    memcpy(out, address, len);
    out[len] = 0;
}

static struct zk_address *host_get(struct zookeeper_front *front, const char *peer_address) {
    char text[sizeof((struct zk_address *)NULL)->text];
    host_of(peer_address, text, sizeof text);
    uint64_t hash = bytes_hash(bytes_cstr(text), 0);
    struct hnode *node = hmap_find(&front->hosts, hash, host_matches, text);
    if (node != NULL)
        return container_of(node, struct zk_address, node);
    struct zk_address *host = cairn_alloc_zero(sizeof *host);
    memcpy(host->text, text, sizeof text);
    hmap_insert(&front->hosts, &host->node, hash);
    return host;
}

static void host_put(struct zookeeper_front *front, struct zk_address *host) {
    if (host->count > 0)
        return;
    hmap_remove(&front->hosts, &host->node);
    cairn_free(host);
}

/* ---- coming and going ---- */

static void conn_free(struct zk_conn *conn) {
    struct zookeeper_front *front = conn->front;
    bool by_client = conn->ended || !conn->closed;
    front->counters.dropped += by_client && conn->phase == ZK_SERVING && !conn->ending;
    conn->closed = true;
    front->input_bytes -= conn->in.len;
    front->conn_count--;
    front->tls_count -= conn->tls;
    if (conn->tls && !conn->opened)
        front->counters.tls_failed++;
    conn->host->count--;
    host_put(front, conn->host);
    zk_session_forget(conn);
    list_remove(&conn->list);
    list_remove(&conn->dirty);
    list_remove(&conn->throttled);
    node_client_close(&conn->client); /* nothing calls back into a slot from here on */
    zk_order_drop(conn);
    zk_watches_drop(front->watches, &conn->watcher);
    zk_sasl_free(conn->sasl);
    buf_free(&conn->ids);
    buf_free(&conn->head);
    buf_free(&conn->in);
    buf_free(&conn->out);
    buf_free(&conn->late);
    cairn_free(conn);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    conn_free(container_of(stream, struct zk_conn, stream));
}

static const struct env_stream_events conn_events = {
    .open = on_open, .data = on_data, .drain = on_drain, .close = on_close, .end = on_end};

static struct zk_conn *conn_new(struct zookeeper_front *front, const char *peer_address) {
    struct zk_conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->stream.events = &conn_events;
    conn->front = front;
    conn->since_ns = conn->heard_ns = front->now_ns = env_now(front->env);
    conn->established_ms = zk_wall_ms(front);
    strncpy(conn->address, peer_address, sizeof conn->address - 1);
    list_init(&conn->dirty);
    list_init(&conn->throttled);
    list_init(&conn->slots);
    conn->starved = true;
    list_push(&front->conns, &conn->list);
    node_client_open(front->node, front->keyspace, &conn->client);
    return conn;
}

static struct zk_conn *accept_from(struct zookeeper_front *front, bool crowded,
                                   const char *peer_address) {
    struct zk_address *host = host_get(front, peer_address);
    uint32_t each = front->options.clients_per_address;
    if (front->stopping || crowded || front->conn_count >= front->options.clients_max ||
        (each > 0 && host->count >= each)) {
        host_put(front, host);
        front->counters.rejected++;
        return NULL;
    }
    struct zk_conn *conn = conn_new(front, peer_address);
    conn->host = host;
    host->count++;
    zk_auth_open(conn);
    front->conn_count++;
    front->counters.connections++;
    return conn;
}

struct env_stream *zk_accept(struct env_listener *listener, const char *peer_address) {
    struct zookeeper_front *front = container_of(listener, struct zookeeper_front, listener);
    struct zk_conn *conn = accept_from(front, listener->crowded, peer_address);
    return conn ? &conn->stream : NULL;
}

struct env_stream *zk_accept_tls(struct env_listener *listener, const char *peer_address) {
    struct zookeeper_front *front = container_of(listener, struct zookeeper_front, tls_listener);
    struct zk_conn *conn = accept_from(front, listener->crowded, peer_address);
    if (conn == NULL)
        return NULL;
    conn->tls = true;
    front->tls_count++;
    return &conn->stream;
}

void zk_conn_free_all(struct zookeeper_front *front) {
    LIST_EACH_SAFE(item, &front->conns)
    conn_free(container_of(item, struct zk_conn, list));
}

/* ---- the turn's end: answers leave, one write a client ---- */

static void conn_turn(struct zk_conn *conn) {
    struct zookeeper_front *front = conn->front;
    if (conn->closed)
        return;
    write_out(conn);
    buf_bytes(&conn->out, buf_view(&conn->late));
    buf_clear(&conn->late);
    if (conn->closing) {
        zk_conn_lose(conn);
        return;
    }
    if (conn->held > 0)
        zk_order_advance(conn);
    write_out(conn);
    size_t had = input(conn).len;
    if (!conn->closed && had > 0 && may_read_on(conn)) {
        read_on(conn, bytes_of(NULL, 0));
        if (!conn->closed && (input(conn).len != had || conn->out.len > 0))
            env_wake(front->env); /* it may have asked the node for something */
    }
    if (conn->ended && !conn->closing && list_empty(&conn->slots) && conn->phase != ZK_CONNECTING &&
        (conn->starved || conn->ending || input(conn).len == 0))
        zk_conn_close(conn);
    set_reading(conn);
}

static void let_throttled(struct zookeeper_front *front) {
    if (server_is_full(front))
        return;
    LIST_EACH_SAFE(item, &front->throttled) {
        struct zk_conn *conn = container_of(item, struct zk_conn, throttled);
        list_remove(&conn->throttled);
        zk_conn_dirty(conn);
    }
}

void zookeeper_front_turn(struct zookeeper_front *front) {
    front->now_ns = env_now(front->env);
    let_throttled(front);
    for (size_t left = front->conn_count; left > 0 && !list_empty(&front->dirty); left--) {
        struct zk_conn *conn = container_of(list_first(&front->dirty), struct zk_conn, dirty);
        list_remove(&conn->dirty);
        conn_turn(conn);
    }
    if (!list_empty(&front->dirty))
        env_wake(front->env);
}
