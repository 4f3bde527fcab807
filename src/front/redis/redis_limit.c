/* What clients can make this server hold, counted when it comes about.
 *
 * Output: replies are made as long as a client has not left its share unread; then nothing more is
 * executed for it, its reads wait in the node as requests, and what it sends is kept, up to a
 * bound, so that a client that writes everything before it reads anything comes through. Replies of
 * commands that went through the log come all the same; when all clients together leave more unread
 * than the limit, the one that leaves most is closed: first among those that take nothing.
 * Input: unfinished commands, and what waits to be executed. Above the limit the client that holds
 * most is closed, first one that has not said the password.
 */
#include "front/redis/redis_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define OUTPUT_EACH_MIN 1024u
#define SLOTS_MAX 4096u
#define SLOTS_MIN 4u
#define SLOTS_ALL 65536u /* of all of them, but for the least that each may have */
#define HEAVY_FIRST 32u  /* heavy ones, while little is known of their replies */
#define REPLY_BYTES_MIN 64u
#define SHORT_BYTES 65536u
#define BUFFER_KEPT 16384u
#define NAME_COST 256u        /* of a name that is watched or listened to, besides itself */
#define BUFFER_STRANGER 1024u /* less is not worth a connection */
#define STRANGERS_PART 8u     /* of the budget of input, for all that have not said the password */
/* What a client that does not read its replies may send on, and one that a pause holds. */
#define READ_AHEAD_MAX (256u << 20)
#define READ_AHEAD_PAUSED (1u << 20)
#define READ_AHEAD_STRANGER (64u << 10)
/* One that has sent all it may, and reads nothing. */
#define DEADLOCK_NS 30000000000ull
/* An unfinished command of a client that has not said the password. */
#define STRANGER_PATIENCE_NS 10000000000ull
/* A client that has not taken anything for so long does not read. */
#define STUCK_NS 1000000000ull
#define WARN_NS 1000000000ull

void front_warn(struct redis_front *front, const char *format, ...) {
    const struct node_options *options = node_get_options(front->node);
    uint64_t now = env_now(front->env);
    char text[300];
    va_list args;
    if (front->warned_ns != 0 && now - front->warned_ns < WARN_NS) {
        front->unwarned++;
        return;
    }
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (front->unwarned > 0 && len > 0 && (size_t)len < sizeof text)
        snprintf(text + len, sizeof text - (size_t)len, " (and %llu lines of this kind before it)",
                 (unsigned long long)front->unwarned);
    front->warned_ns = now;
    front->unwarned = 0;
    if (options->log != NULL)
        options->log(options->context, 2, text);
}

void redis_limits_open(struct redis_front *front) {
    struct redis_limits *limits = &front->limits;
    struct rare *rare = node_get_options(front->node)->rare;
    limits->slice_commands = (unsigned)rare_limit(rare, RARE_REDIS_SLICE_ONE, 1, 2048);
    limits->slots_max = rare_limit(rare, RARE_REDIS_SLOTS_FEW, 2, SLOTS_MAX);
    limits->output_each_max = rare_limit(rare, RARE_REDIS_OUTPUT_SMALL, 40, 1u << 20);
    limits->buffer_kept = rare_limit(rare, RARE_REDIS_BUFFER_FREED, 0, BUFFER_KEPT);
    limits->take_min = rare_limit(rare, RARE_REDIS_TAKES_ALL, 0, 256u << 10);
    limits->long_bytes = rare_limit(rare, RARE_REDIS_ALL_LONG, 0, 256u << 10);
    limits->stretch = rare_limit(rare, RARE_REDIS_STRETCH_SHORT, 16, 1u << 20);
}

/* ---- output ---- */

size_t conn_output_max(const struct redis_front *front) {
    size_t each = front->options.output_budget / (front->conn_count ? front->conn_count : 1);
    size_t most = front->limits.output_each_max;
    return each > most ? most : each < OUTPUT_EACH_MIN ? OUTPUT_EACH_MIN : each;
}

size_t conn_slots_max(const struct redis_front *front) {
    size_t each = SLOTS_ALL / (front->conn_count ? front->conn_count : 1);
    size_t most = front->limits.slots_max;
    return each > most ? most : each < SLOTS_MIN ? SLOTS_MIN : each;
}

static size_t unread(const struct conn *conn) {
    return conn->aborted ? 0
                         : conn->out.len + conn->slot_bytes +
                               env_stream_queued(conn->front->env, &conn->stream);
}

/* Others' laziness must not be the harm of a client that leaves nothing unread and reads little. */
static bool is_full(const struct conn *conn) {
    const struct redis_front *front = conn->front;
    size_t likely = conn->sized ? conn->client.answer_bytes : front->answer_bytes;
    return conn->counted >= conn_output_max(front) ||
           (front->output_bytes > front->options.output_max &&
            (conn->counted > 0 || likely > SHORT_BYTES));
}

void conn_account(struct conn *conn) {
    struct redis_front *front = conn->front;
    size_t now = unread(conn), before = front->output_bytes;
    front->output_bytes += now - conn->counted;
    conn->counted = now;
    if (before > front->options.output_max && front->output_bytes <= front->options.output_max)
        front->lifted = true;
    /* What waits behind a reply that is not there yet can't be taken: that one must come. */
    bool holds = is_full(conn) && (now > conn->slot_bytes || long_first(conn));
    if (holds != conn->client.holds)
        node_client_hold(&conn->client, holds);
}

/* Replies of heavy commands come all at once, wanted or not, so their number times the size that
 * they lately had is kept within the client's share. */
static size_t heavy_max(const struct conn *conn) {
    size_t bytes = conn->reply_bytes > REPLY_BYTES_MIN ? conn->reply_bytes : REPLY_BYTES_MIN;
    size_t share = conn_output_max(conn->front);
    size_t fitting = share < bytes ? 1 : share / bytes;
    size_t earned = conn->answered < SLOTS_MAX ? HEAVY_FIRST + (size_t)conn->answered : SLOTS_MAX;
    return fitting < earned ? fitting : earned;
}

bool conn_may_run(const struct conn *conn) {
    return !conn->closing && !conn->held && conn->slot_count < conn_slots_max(conn->front) &&
           conn->heavy_count < heavy_max(conn) && !is_full(conn);
}

/* Looks whether the client takes anything. */
static void look(struct conn *conn, uint64_t now) {
    size_t queued = conn->aborted ? 0 : env_stream_queued(conn->front->env, &conn->stream);
    if (queued == 0 || queued < conn->queued || conn->queued == 0)
        conn->moved_ns = now;
    conn->queued = queued;
}

static bool is_stuck(const struct conn *conn, uint64_t now, uint64_t patience_ns) {
    return conn->queued > 0 && now - conn->moved_ns >= patience_ns;
}

bool conn_reads(struct conn *conn) {
    uint64_t now = env_now(conn->front->env);
    look(conn, now);
    return !is_stuck(conn, now, STUCK_NS);
}

/* ---- closing ---- */

static void drop_replies(struct conn *conn) {
    LIST_EACH(item, &conn->slots) {
        struct slot *slot = container_of(item, struct slot, list);
        long_free(slot);
        buf_free(&slot->reply);
        buf_free(&slot->pushes);
    }
    conn->slot_bytes = 0;
    buf_free(&conn->out);
}

void conn_evict(struct conn *conn, const char *why) {
    struct redis_front *front = conn->front;
    if (conn->aborted)
        return;
    front->evicted_connections++;
    front_warn(front, "closed the Redis client %s: %s (%zu bytes of replies, %zu of commands)",
               conn->address, why, conn->counted,
               conn_input(conn).len + conn->multi_bytes + conn->named_bytes);
    conn->closing = conn->closed = conn->aborted = true;
    env_abort(front->env, &conn->stream);
    drop_replies(conn);
    conn_account(conn);
    conn_forget_input(conn);
    multi_discard(conn);
    input_account(conn, conn->named_bytes, 0);
    conn->named_bytes = 0;
}

/* The client that leaves most unread; with a patience, of those that took nothing for so long. */
static struct conn *greatest(struct redis_front *front, uint64_t now, uint64_t patience_ns) {
    struct conn *found = NULL;
    LIST_EACH(item, &front->conns) {
        struct conn *conn = container_of(item, struct conn, list);
        bool fits = patience_ns == 0 || is_stuck(conn, now, patience_ns);
        if (fits && !conn->aborted && conn->counted > 0 &&
            (found == NULL || conn->counted > found->counted))
            found = conn;
    }
    return found;
}

/* Beyond that clients are closed that do read. Buffers have room besides what they hold. */
static size_t output_most(const struct redis_front *front) {
    return front->options.output_max + front->options.output_max / 2;
}

/* One that takes nothing goes before one that does. NULL: none leaves anything unread. */
static struct conn *laziest(struct redis_front *front) {
    struct conn *stuck = greatest(front, env_now(front->env), STUCK_NS);
    return stuck != NULL ? stuck : greatest(front, 0, 0);
}

static const char lazy[] = "clients leave too many replies unread, and it the most of them";

bool conn_make_room(struct conn *conn, size_t len) {
    struct redis_front *front = conn->front;
    size_t most = output_most(front);
    if (conn->closed)
        return false;
    conn->counted += len; /* as if it were there */
    front->output_bytes += len;
    while (front->output_bytes > most && !conn->closed) {
        struct conn *victim = laziest(front);
        if (victim == NULL || (victim == conn && conn->counted == len))
            break; /* a reply alone is within its own limit */
        conn_evict(victim, lazy);
    }
    if (conn->closed)
        return false;
    conn->counted -= len;
    front->output_bytes -= len;
    return true;
}

void output_keep_budget(struct redis_front *front) {
    struct conn *victim;
    while (front->output_bytes + node_gathered(front->node) > output_most(front) &&
           (victim = laziest(front)) != NULL)
        conn_evict(victim, lazy);
}

/* ---- input ---- */

bool conn_may_read(const struct conn *conn) {
    size_t waits = conn_input(conn).len;
    if (conn->closing)
        return false;
    if (conn_may_run(conn) || conn->starved || waits == 0)
        return true;
    if (!conn->authenticated)
        return waits < READ_AHEAD_STRANGER;
    if (pause_keeps(conn)) /* so that its end is seen */
        return waits < READ_AHEAD_PAUSED;
    return is_full(conn) && waits < READ_AHEAD_MAX;
}

void input_account(struct conn *conn, size_t before, size_t after) {
    conn->front->input_bytes += after - before;
    if (!conn->authenticated)
        conn->front->stranger_bytes += after - before;
}

static size_t held(const struct conn *conn) {
    return conn->in.len + conn->multi_bytes + conn->named_bytes;
}

/* What has been given up with its client counts no more, though it is freed later. */
static void count_name(struct conn *conn, size_t before, size_t after) {
    if (conn->aborted)
        return;
    input_account(conn, before, after);
    conn->named_bytes += after - before;
}

void name_added(struct conn *conn, size_t len) {
    count_name(conn, 0, NAME_COST + len);
}

void name_removed(struct conn *conn, size_t len) {
    count_name(conn, NAME_COST + len, 0);
}

void input_authenticated(struct conn *conn, bool authenticated) {
    size_t bytes = held(conn);
    input_account(conn, bytes, 0);
    conn->authenticated = authenticated;
    input_account(conn, 0, bytes);
}

static struct conn *hoarder(struct redis_front *front, bool strangers) {
    struct conn *found = NULL;
    size_t least = strangers ? BUFFER_STRANGER : BUFFER_KEPT;
    LIST_EACH(item, &front->conns) {
        struct conn *conn = container_of(item, struct conn, list);
        if (conn->closed || held(conn) <= least || (strangers && conn->authenticated))
            continue;
        if (found == NULL || held(conn) > held(found))
            found = conn;
    }
    return found;
}

/* The one that sends when there is no room goes: to look for the worst of thousands would cost more
 * than what it is to spare. */
static bool is_stranger_too_many(const struct conn *conn) {
    const struct redis_front *front = conn->front;
    return !conn->authenticated && held(conn) > BUFFER_STRANGER &&
           front->stranger_bytes > front->options.input_budget / STRANGERS_PART;
}

void input_keep_budget(struct conn *conn) {
    struct redis_front *front = conn->front;
    if (is_stranger_too_many(conn))
        conn_evict(conn, "clients that have not said the password have sent too much");
    while (front->input_bytes > front->options.input_budget) {
        struct conn *victim = hoarder(front, true);
        if (victim == NULL)
            victim = hoarder(front, false);
        if (victim == NULL)
            return;
        conn_evict(victim, "clients have sent too much that is not executed yet, and it the most");
    }
}

/* ---- once a second ---- */

static void sweep_one(struct conn *conn, uint64_t now) {
    size_t waits = conn_input(conn).len;
    look(conn, now);
    conn_account(conn);
    pubsub_look(conn);
    if (conn->closed)
        return;
    if (!conn->authenticated && conn->starved && waits > 0 &&
        now - conn->in_since_ns >= STRANGER_PATIENCE_NS)
        conn_evict(conn, "it has not said the password, and does not finish its command");
    else if (waits >= READ_AHEAD_MAX && is_stuck(conn, now, DEADLOCK_NS))
        conn_evict(conn, "it sends on, and reads none of its replies");
    else if (conn->closing && is_stuck(conn, now, DEADLOCK_NS))
        conn_evict(conn, "it does not read what it was answered before its end");
    else if (waits > 0 || !list_empty(&conn->client.held))
        conn_dirty(conn);
}

void limits_sweep(struct redis_front *front, uint64_t now) {
    LIST_EACH(item, &front->conns)
    sweep_one(container_of(item, struct conn, list), now);
    while (front->output_bytes > front->options.output_max) {
        bool any = front->output_bytes > output_most(front);
        struct conn *victim = any ? laziest(front) : greatest(front, now, STUCK_NS);
        if (victim == NULL)
            break;
        conn_evict(victim, lazy);
    }
    if (!list_empty(&front->dirty))
        env_wake(front->env);
}
