#include "sim/sim_net.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_LATE_NS (8 * SIM_MS)
#define DIAL_PATIENCE_NS (3 * SIM_S)
#define SILENCE_NS (15 * SIM_S)

enum chunk_kind { CHUNK_DATA = 1, CHUNK_DIAL, CHUNK_OPEN, CHUNK_END };
struct sim_chunk {
    struct list list;
    enum chunk_kind kind;
    enum cairn_status why; /* END */
    uint64_t leaves_at, arrival;
    size_t len, at;
    uint8_t data[];
};

struct sim_listener {
    struct list list; /* host->listeners */
    struct env_listener *listener;
    char address[72];
};

static void end_deliver(struct sim_input *input);
static void arrive(void *target, uint64_t number);

/* ---- connections ---- */

static struct sim_end *other(const struct sim_end *end) {
    return &end->conn->ends[1 - end->side];
}

static struct sim_net *net_of(const struct sim_end *end) {
    return end->host->net;
}

static void chunks_free(struct list *chunks) {
    while (!list_empty(chunks)) {
        struct sim_chunk *chunk = container_of(list_first(chunks), struct sim_chunk, list);
        list_remove(&chunk->list);
        cairn_free(chunk);
    }
}

static void end_open(struct sim_conn *conn, unsigned side, struct sim_host *host) {
    struct sim_end *end = &conn->ends[side];
    end->conn = conn;
    end->side = side;
    end->host = host;
    end->deliver_at = SIM_NEVER;
    end->input.deliver = end_deliver;
    list_init(&end->input.link);
    list_init(&end->list);
    list_init(&end->arrived);
    list_init(&end->unsent);
    list_init(&end->flight);
}

static void conn_free(struct sim_conn *conn) {
    for (int side = 0; side < 2; side++) {
        struct sim_end *end = &conn->ends[side];
        if (end->stream != NULL)
            end->stream->impl = NULL;
        list_remove(&end->input.link);
        list_remove(&end->list);
        chunks_free(&end->arrived);
        chunks_free(&end->unsent);
        chunks_free(&end->flight);
    }
    list_remove(&conn->list);
    cairn_free(conn);
}

/* Neither end has it any more, and nothing is planned for it. */
static void conn_tidy(struct sim_conn *conn) {
    bool used = conn->planned > 0;
    for (int side = 0; side < 2; side++) {
        const struct sim_end *end = &conn->ends[side];
        used |= end->stream != NULL || !list_empty(&end->input.link) || !list_empty(&end->flight);
    }
    if (!used)
        conn_free(conn);
}

static void end_detach(struct sim_end *end) {
    if (end->stream != NULL)
        end->stream->impl = NULL;
    end->stream = NULL;
    list_remove(&end->list);
    list_remove(&end->input.link);
    chunks_free(&end->arrived);
    chunks_free(&end->unsent);
    end->unsent_bytes = 0;
    end->lingering = false;
}

/* ---- the way of a chunk ---- */

static const struct sim_link *link_of(const struct sim_end *from) {
    return &net_of(from)->links[from->host->id][other(from)->host->id];
}

static uint64_t flight_time(const struct sim_end *from, size_t len) {
    const struct sim_link *link = link_of(from);
    struct sim_world *world = from->host->world;
    uint64_t ns = link->latency_ns + len * 1000 / link->bytes_per_us;
    if (link->jitter_ns > 0)
        ns += sim_below(world, link->jitter_ns);
    if (link->tail_ns > 0 && sim_chance(world, 1, 1000))
        ns += sim_below(world, link->tail_ns);
    return ns;
}

static void plan_arrival(struct sim_end *from) {
    struct sim_conn *conn = from->conn;
    if (list_empty(&from->flight) || from->deliver_at != SIM_NEVER || link_of(from)->blocked)
        return;
    const struct sim_chunk *first = container_of(from->flight.next, struct sim_chunk, list);
    uint64_t at = first->arrival;
    if (at < conn->stalled_until)
        at = conn->stalled_until;
    from->deliver_at = at;
    conn->planned++;
    sim_at(from->host->world, at, arrive, conn, from->side);
}

static void send_chunk(struct sim_end *from, struct sim_chunk *chunk) {
    chunk->leaves_at = from->host->world->now + from->host->stall_ns;
    uint64_t at = chunk->leaves_at + flight_time(from, chunk->len);
    if (at < from->last_arrival)
        at = from->last_arrival;
    chunk->arrival = from->last_arrival = at;
    from->window_bytes += chunk->len;
    list_push(&from->flight, &chunk->list);
    plan_arrival(from);
}

static struct sim_chunk *chunk_new(enum chunk_kind kind, size_t len) {
    struct sim_chunk *chunk = cairn_alloc(sizeof *chunk + len);
    *chunk = (struct sim_chunk){.kind = kind, .len = len};
    return chunk;
}

static void send_news(struct sim_end *from, enum chunk_kind kind, enum cairn_status why) {
    struct sim_chunk *chunk = chunk_new(kind, 0);
    chunk->why = why;
    send_chunk(from, chunk);
}

/* All that was written is on its way: so is the news that nothing follows. */
static void say_farewell(struct sim_end *end) {
    end->lingering = false;
    send_news(end, CHUNK_END, CAIRN_CLOSED);
    if (end->stream != NULL)
        sim_host_input(end->host, &end->input);
}

static void pump(struct sim_end *from) {
    struct sim_net *net = net_of(from);
    bool had = from->unsent_bytes > 0;
    while (!list_empty(&from->unsent) && from->window_bytes < net->window) {
        struct sim_chunk *chunk = container_of(list_first(&from->unsent), struct sim_chunk, list);
        list_remove(&chunk->list);
        from->unsent_bytes -= chunk->len;
        send_chunk(from, chunk);
    }
    if (from->lingering && from->unsent_bytes == 0)
        say_farewell(from);
    if (had && from->unsent_bytes == 0 && from->stream != NULL && !from->closing) {
        from->drained = true;
        sim_host_input(from->host, &from->input);
    }
}

static void damage(struct sim_end *from, struct sim_chunk *chunk) {
    struct sim_net *net = net_of(from);
    if (chunk->kind != CHUNK_DATA || !from->conn->peer || net->corrupt_chance == 0 ||
        !sim_chance(net->world, net->corrupt_chance, 100000))
        return;
    chunk->data[sim_below(net->world, chunk->len)] ^= (uint8_t)(1u << sim_below(net->world, 8));
    net->corrupted++;
}

static void take_dial(struct sim_end *end);

/* The end of the connection as this end's process is to see it. */
static void hang_up(struct sim_end *end, enum cairn_status why) {
    if (end->stream == NULL)
        return;
    struct sim_chunk *chunk = chunk_new(CHUNK_END, 0);
    chunk->why = why;
    list_push(&end->arrived, &chunk->list);
    sim_host_input(end->host, &end->input);
}

static void reset(struct sim_conn *conn, enum cairn_status why) {
    for (int side = 0; side < 2; side++) {
        struct sim_end *end = &conn->ends[side];
        chunks_free(&end->flight);
        chunks_free(&end->unsent);
        end->unsent_bytes = 0;
        end->lingering = false;
        hang_up(end, why);
    }
}

/* One chunk reaches the other machine's kernel. */
static void land(struct sim_end *from, struct sim_chunk *chunk) {
    struct sim_end *to = other(from);
    struct sim_net *net = net_of(from);
    list_remove(&chunk->list);
    if (chunk->kind == CHUNK_DIAL) {
        cairn_free(chunk);
        take_dial(to);
        return;
    }
    if (to->stream == NULL || to->closing) {
        bool heard =
            chunk->kind == CHUNK_DATA && to->host->runs && from->stream != NULL && !to->lingering;
        from->window_bytes -= chunk->len;
        cairn_free(chunk);
        if (heard && list_empty(&to->flight)) /* "I know no such connection" */
            send_news(to, CHUNK_END, CAIRN_IO);
        return;
    }
    if (chunk->kind == CHUNK_DATA && net->reset_chance > 0 &&
        sim_chance(net->world, net->reset_chance, 100000)) {
        cairn_free(chunk);
        net->resets++;
        reset(from->conn, CAIRN_IO);
        return;
    }
    damage(from, chunk);
    list_push(&to->arrived, &chunk->list);
    sim_host_input(to->host, &to->input);
}

static void arrive(void *target, uint64_t number) {
    struct sim_conn *conn = target;
    struct sim_end *from = &conn->ends[number];
    uint64_t now = from->host->world->now;
    conn->planned--;
    from->deliver_at = SIM_NEVER;
    while (!list_empty(&from->flight) && !link_of(from)->blocked && conn->stalled_until <= now) {
        struct sim_chunk *first = container_of(list_first(&from->flight), struct sim_chunk, list);
        if (first->arrival > now)
            break;
        land(from, first);
    }
    plan_arrival(from);
    conn_tidy(conn);
}

/* ---- what a process is told ---- */

static void tell_end(struct sim_end *end, enum cairn_status why) {
    struct env_stream *stream = end->stream;
    sim_note(end->host->world, SIM_STREAM, end->host->id, end->conn->id << 8 | (uint64_t)why);
    end_detach(end);
    env_tell_close(stream, why);
}

/* It may have closed, or only have said all it had to say: TCP does not tell which. */
static void tell_peer_ended(struct sim_end *end) {
    sim_note(end->host->world, SIM_STREAM, end->host->id, end->conn->id << 8 | 0xfe);
    env_tell_end(end->stream);
}

/* What was taken makes room in the writer's window, unless the way back is blocked. */
static void acknowledge(struct sim_end *end) {
    if (end->unacked == 0 || link_of(end)->blocked)
        return;
    struct sim_end *writer = other(end);
    writer->window_bytes -=
        end->unacked < writer->window_bytes ? end->unacked : writer->window_bytes;
    end->unacked = 0;
    pump(writer);
}

static void tell_data(struct sim_end *end, struct sim_chunk *chunk) {
    struct sim_net *net = net_of(end);
    size_t len = chunk->len - chunk->at;
    if (len > 1 && sim_chance(net->world, net->split_chance, 1000))
        len = 1 + sim_below(net->world, len - 1);
    if (len > 1 && rare_hit(net->world->rare, RARE_ENV_BYTES_FEW))
        len = 1;
    struct bytes bytes = bytes_of(chunk->data + chunk->at, len);
    sim_note(net->world, SIM_DATA, end->host->id, bytes_hash(bytes, end->conn->id));
    net->chunks++;
    net->bytes += len;
    chunk->at += len;
    end->unacked += len;
    bool whole = chunk->at == chunk->len;
    if (whole)
        list_remove(&chunk->list);
    acknowledge(end);
    env_tell_data(end->stream, bytes);
    if (whole)
        cairn_free(chunk);
}

/* Everything that waits, but after a piece of a chunk the rest waits for another round. */
static void end_deliver(struct sim_input *input) {
    struct sim_end *end = container_of(input, struct sim_end, input);
    struct sim_conn *conn = end->conn;
    conn->planned++; /* it must not vanish meanwhile */
    if (end->drained && end->stream != NULL && !end->closing) {
        end->drained = false;
        env_tell_drain(end->stream);
    }
    while (end->stream != NULL && !end->host->dying) {
        if (end->lingering)
            break;
        if (end->closing) {
            tell_end(end, CAIRN_CANCELLED);
            break;
        }
        if (list_empty(&end->arrived))
            break;
        struct sim_chunk *chunk = container_of(list_first(&end->arrived), struct sim_chunk, list);
        if (chunk->kind == CHUNK_DATA) {
            if (end->paused)
                break;
            size_t left = chunk->len - chunk->at;
            tell_data(end, chunk);
            if (!list_empty(&end->arrived) && end->arrived.next == &chunk->list && left > 0) {
                sim_host_input(end->host, &end->input);
                break;
            }
            continue;
        }
        list_remove(&chunk->list);
        enum cairn_status why = chunk->why;
        bool opened = chunk->kind == CHUNK_OPEN;
        cairn_free(chunk);
        if (!opened && why == CAIRN_CLOSED && end->stream->events->end != NULL) {
            tell_peer_ended(end);
            continue;
        }
        if (!opened) {
            tell_end(end, why);
            break;
        }
        sim_note(end->host->world, SIM_STREAM, end->host->id, conn->id << 8 | 0xff);
        env_tell_open(end->stream);
    }
    conn->planned--;
    conn_tidy(conn);
}

/* ---- dialling and accepting ---- */

static struct sim_listener *listener_find(const struct sim_host *host, const char *address) {
    LIST_EACH(at, &host->listeners) {
        struct sim_listener *listener = container_of(at, struct sim_listener, list);
        if (strcmp(listener->address, address) == 0)
            return listener;
    }
    return NULL;
}

/* A connection waits for its process to accept it: input.deliver is this until then. */
static void accept_deliver(struct sim_input *input) {
    struct sim_end *end = container_of(input, struct sim_end, input);
    struct sim_listener *listener = listener_find(end->host, end->conn->address);
    struct env_stream *stream = NULL;
    end->input.deliver = end_deliver;
    if (listener != NULL)
        stream = listener->listener->accept(listener->listener, other(end)->host->name);
    sim_note(end->host->world, SIM_STREAM, end->host->id, end->conn->id << 8 | (stream != NULL));
    if (stream == NULL) {
        send_news(end, CHUNK_END, CAIRN_REFUSED);
        return;
    }
    end->stream = stream;
    stream->impl = end;
    list_push(&end->host->ends, &end->list);
    send_news(end, CHUNK_OPEN, CAIRN_OK);
}

static void take_dial(struct sim_end *end) {
    if (!end->host->runs || end->host->disk.exhausted ||
        listener_find(end->host, end->conn->address) == NULL) {
        send_news(end, CHUNK_END, CAIRN_REFUSED);
        return;
    }
    end->input.deliver = accept_deliver;
    sim_host_input(end->host, &end->input);
}

static void dial_ended(void *target, uint64_t number) {
    struct sim_conn *conn = target;
    struct sim_end *end = &conn->ends[0];
    conn->planned--;
    bool waits = conn->ends[1].stream == NULL && end->stream != NULL && list_empty(&end->arrived) &&
                 end->last_arrival == number;
    if (waits) {
        chunks_free(&end->flight);
        hang_up(end, CAIRN_TIMEOUT);
    }
    conn_tidy(conn);
}

/* "n3:7103": the machine's name is before the colon. */
static struct sim_host *host_named(struct sim_net *net, const char *address) {
    size_t len = strcspn(address, ":");
    for (unsigned id = 1; id <= SIM_HOSTS_MAX; id++) {
        struct sim_host *host = net->hosts[id];
        if (host != NULL && strlen(host->name) == len && memcmp(host->name, address, len) == 0)
            return host;
    }
    return NULL;
}

void sim_net_connect(struct sim_host *host, const char *address, struct env_stream *stream) {
    struct sim_net *net = host->net;
    struct sim_host *target = host_named(net, address);
    if (host->dying) {
        stream->impl = NULL;
        return;
    }
    struct sim_conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->id = ++net->next_id;
    conn->dialled_at = host->world->now;
    strncpy(conn->address, address, sizeof conn->address - 1);
    conn->peer = host->name[0] == 'n' && target != NULL && target->name[0] == 'n';
    list_push(&net->conns, &conn->list);
    end_open(conn, 0, host);
    end_open(conn, 1, target != NULL ? target : host);
    conn->ends[0].stream = stream;
    stream->impl = &conn->ends[0];
    list_push(&host->ends, &conn->ends[0].list);
    if (target == NULL || host->disk.exhausted) {
        hang_up(&conn->ends[0], target == NULL ? CAIRN_REFUSED : CAIRN_EXHAUSTED);
        return;
    }
    if (rare_hit(host->world->rare, RARE_ENV_CONNECT_LATE))
        conn->ends[0].last_arrival = host->world->now + CONNECT_LATE_NS;
    send_news(&conn->ends[0], CHUNK_DIAL, CAIRN_OK);
    conn->planned++;
    sim_at(host->world, host->world->now + DIAL_PATIENCE_NS, dial_ended, conn,
           conn->ends[0].last_arrival);
}

enum cairn_status sim_net_listen(struct sim_host *host, const char *address,
                                 struct env_listener *listener) {
    if (listener_find(host, address) != NULL)
        return CAIRN_IN_USE;
    struct sim_listener *entry = cairn_alloc_zero(sizeof *entry);
    entry->listener = listener;
    strncpy(entry->address, address, sizeof entry->address - 1);
    listener->impl = entry;
    list_push(&host->listeners, &entry->list);
    return CAIRN_OK;
}

void sim_net_unlisten(struct sim_host *host, struct env_listener *listener) {
    struct sim_listener *entry = listener->impl;
    if (entry == NULL)
        return;
    list_remove(&entry->list);
    cairn_free(entry);
    listener->impl = NULL;
}

/* ---- what a process does ---- */

void sim_net_write(struct env_stream *stream, const struct env_piece *pieces, size_t count) {
    struct sim_end *end = stream->impl;
    if (end == NULL || end->closing)
        return;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].data.len;
    if (len == 0)
        return;
    struct sim_chunk *chunk = chunk_new(CHUNK_DATA, len);
    uint8_t *at = chunk->data;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].data.len > 0)
            memcpy(at, pieces[i].data.data, pieces[i].data.len);
        at += pieces[i].data.len;
    }
    struct sim_net *net = net_of(end);
    const struct sim_host *to = end->conn->ends[!end->side].host;
    if (net->leaves != NULL && end->conn->peer && to != NULL)
        net->leaves(net->leaves_context, end, to->id, chunk->data, len);
    if (end->unsent_bytes == 0 && end->window_bytes < net->window) {
        send_chunk(end, chunk);
        return;
    }
    list_push(&end->unsent, &chunk->list);
    end->unsent_bytes += len;
}

size_t sim_net_queued(const struct env_stream *stream) {
    const struct sim_end *end = stream->impl;
    return end != NULL ? end->unsent_bytes : 0;
}

void sim_net_pause(struct env_stream *stream, bool paused) {
    struct sim_end *end = stream->impl;
    if (end == NULL)
        return;
    end->paused = paused;
    if (!paused && !list_empty(&end->arrived))
        sim_host_input(end->host, &end->input);
}

static void linger_ended(void *target, uint64_t number) {
    struct sim_conn *conn = target;
    struct sim_end *end = &conn->ends[number];
    conn->planned--;
    if (end->lingering) {
        chunks_free(&end->unsent);
        end->unsent_bytes = 0;
        say_farewell(end);
    }
    conn_tidy(conn);
}

/* A real one waits longer for a peer that goes on taking a little. */
void sim_net_close_stream(struct env_stream *stream) {
    struct sim_end *end = stream->impl;
    if (end == NULL || end->closing)
        return;
    end->closing = true;
    if (end->unsent_bytes == 0) {
        say_farewell(end);
        return;
    }
    end->lingering = true;
    end->conn->planned++;
    sim_at(end->host->world, end->host->world->now + ENV_LINGER_STALL_NS, linger_ended, end->conn,
           end->side);
}

void sim_net_abort(struct env_stream *stream) {
    struct sim_end *end = stream->impl;
    if (end == NULL || (end->closing && !end->lingering))
        return;
    end->closing = true;
    chunks_free(&end->unsent);
    end->unsent_bytes = 0;
    say_farewell(end);
}

/* ---- what the world does ---- */

void sim_net_open(struct sim_net *net, struct sim_world *world) {
    memset(net, 0, sizeof *net);
    net->world = world;
    net->window = 256u << 10;
    list_init(&net->conns);
}

void sim_net_close(struct sim_net *net) {
    while (!list_empty(&net->conns))
        conn_free(container_of(list_first(&net->conns), struct sim_conn, list));
}

void sim_net_add(struct sim_net *net, struct sim_host *host) {
    cairn_assert(host->id >= 1 && host->id <= SIM_HOSTS_MAX && net->hosts[host->id] == NULL);
    net->hosts[host->id] = host;
}

static void poke(struct sim_net *net, unsigned from, unsigned to) {
    LIST_EACH(at, &net->conns) {
        struct sim_conn *conn = container_of(at, struct sim_conn, list);
        for (int side = 0; side < 2; side++)
            if (conn->ends[side].host->id == from && conn->ends[1 - side].host->id == to) {
                plan_arrival(&conn->ends[side]);
                acknowledge(&conn->ends[side]);
            }
    }
}

void sim_net_block(struct sim_net *net, unsigned from, unsigned to, bool blocked) {
    if (net->links[from][to].blocked == blocked)
        return;
    net->links[from][to].blocked = blocked;
    if (!blocked)
        poke(net, from, to);
}

void sim_net_heal(struct sim_net *net) {
    for (unsigned from = 1; from <= SIM_HOSTS_MAX; from++)
        for (unsigned to = 1; to <= SIM_HOSTS_MAX; to++)
            sim_net_block(net, from, to, false);
    LIST_EACH(at, &net->conns) {
        struct sim_conn *conn = container_of(at, struct sim_conn, list);
        if (conn->stalled_until <= net->world->now)
            continue;
        conn->stalled_until = net->world->now;
        for (int side = 0; side < 2; side++) {
            conn->ends[side].deliver_at = SIM_NEVER; /* sooner than was planned */
            plan_arrival(&conn->ends[side]);
        }
    }
}

static struct sim_conn *pick(struct sim_net *net, unsigned a, unsigned b) {
    struct sim_conn *found = NULL;
    uint64_t seen = 0;
    LIST_EACH(at, &net->conns) {
        struct sim_conn *conn = container_of(at, struct sim_conn, list);
        unsigned x = conn->ends[0].host->id, y = conn->ends[1].host->id;
        bool fits = (a == 0 || a == x || a == y) && (b == 0 || b == x || b == y);
        if (fits && conn->ends[0].stream != NULL && conn->ends[1].stream != NULL &&
            sim_below(net->world, ++seen) == 0)
            found = conn;
    }
    return found;
}

bool sim_net_reset_one(struct sim_net *net, unsigned a, unsigned b) {
    struct sim_conn *conn = pick(net, a, b);
    if (conn == NULL)
        return false;
    reset(conn, CAIRN_IO);
    net->resets++;
    return true;
}

bool sim_net_stall_one(struct sim_net *net, unsigned a, unsigned b, uint64_t ns) {
    struct sim_conn *conn = pick(net, a, b);
    if (conn == NULL)
        return false;
    conn->stalled_until = net->world->now + ns;
    return true;
}

static void silence_ended(void *target, uint64_t number) {
    struct sim_conn *conn = target;
    conn->planned--;
    reset(conn, CAIRN_TIMEOUT);
    conn_tidy(conn);
}

/* What a round that was stopped in its middle had still to send. */
static void chunks_never_left(struct sim_end *end) {
    uint64_t now = end->host->world->now;
    for (struct list *at = end->flight.next, *next; at != &end->flight; at = next) {
        struct sim_chunk *chunk = container_of(at, struct sim_chunk, list);
        next = at->next;
        if (chunk->leaves_at > now) {
            list_remove(&chunk->list);
            cairn_free(chunk);
        }
    }
}

void sim_net_host_gone(struct sim_host *host, bool silent) {
    while (!list_empty(&host->listeners)) {
        struct sim_listener *entry =
            container_of(list_first(&host->listeners), struct sim_listener, list);
        sim_net_unlisten(host, entry->listener);
    }
    while (!list_empty(&host->ends)) {
        struct sim_end *end = container_of(list_first(&host->ends), struct sim_end, list);
        struct sim_conn *conn = end->conn;
        end_detach(end);
        end->input.deliver = end_deliver;
        chunks_never_left(end);
        if (!silent) {
            if (sim_chance(host->world, 1, 2))
                chunks_free(&end->flight); /* a reset may overtake what was sent */
            send_news(end, CHUNK_END, CAIRN_CLOSED);
        } else {
            conn->dead = true;
            conn->planned++;
            sim_at(host->world, host->world->now + SILENCE_NS, silence_ended, conn, 0);
        }
        conn_tidy(conn);
    }
}
