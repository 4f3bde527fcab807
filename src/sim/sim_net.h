/* The network between the machines of the virtual world: TCP as programs see it. Bytes of a
 * connection arrive in order and whole, or the connection ends; what a network does to packets
 * shows as delay, as a stall, as a reset, or as silence.
 *
 * A connection has two ends. What an end writes is in flight until the other end's process takes
 * it; at most a window of it, the rest queues at the writer, as in a socket's buffer. Bytes, the
 * news that a connection opened, and its end travel alike, so that a partition holds up all of
 * them.
 */
#ifndef CAIRN_SIM_NET_H
#define CAIRN_SIM_NET_H

#include "sim/sim_host.h"

#define SIM_HOSTS_MAX 24u

struct sim_link { /* one direction between two machines */
    bool blocked;
    uint64_t latency_ns;
    uint64_t jitter_ns; /* on top, up to */
    uint64_t tail_ns;   /* on top, now and then */
    uint64_t bytes_per_us;
};

struct sim_conn;

struct sim_end {
    struct list list; /* host->ends */
    struct sim_conn *conn;
    struct sim_host *host;
    struct env_stream *stream; /* NULL: no process has it */
    struct sim_input input;
    unsigned side;
    bool paused;         /* by the process: no data */
    bool closing;        /* by the process: env_close or env_abort was called */
    bool lingering;      /* by env_close: not all that was written has left */
    bool drained;        /* a drain event is owed */
    bool told;           /* the process was told of the end */
    struct list arrived; /* struct sim_chunk, in the kernel, not taken yet */
    size_t unacked;      /* taken, but the writer does not know yet */
    /* outward */
    struct list unsent;
    struct list flight;
    size_t unsent_bytes;
    size_t window_bytes; /* in flight or not yet taken by the other process */
    uint64_t last_arrival;
    uint64_t deliver_at;      /* when the first in flight is planned to arrive; SIM_NEVER: not */
    uint32_t message_left[2]; /* for sim_oracle_leave.c, by lane: of a message begun */
};

struct sim_conn {
    struct list list; /* net->conns */
    uint64_t id;
    struct sim_end ends[2]; /* 0: the dialling one */
    char address[72];
    bool peer; /* between nodes: damage is found out by checksums */
    bool dead; /* one end vanished in silence */
    uint64_t stalled_until;
    uint32_t planned; /* events that name it */
    uint64_t dialled_at;
};

struct sim_net {
    struct sim_world *world;
    struct sim_host *hosts[SIM_HOSTS_MAX + 1]; /* by id */
    struct sim_link links[SIM_HOSTS_MAX + 1][SIM_HOSTS_MAX + 1];
    struct list conns;
    uint64_t next_id;
    size_t window;           /* of a connection */
    uint64_t split_chance;   /* of 1000: a piece arrives in two */
    uint64_t corrupt_chance; /* of 100000, between nodes */
    uint64_t reset_chance;   /* of 100000: a delivery ends the connection instead */
    uint64_t chunks, bytes, corrupted, resets;
    /* What a process writes on a connection between nodes; NULL: not told. */
    void (*leaves)(void *context, struct sim_end *end, unsigned to, const uint8_t *data,
                   size_t len);
    void *leaves_context;
};

void sim_net_open(struct sim_net *net, struct sim_world *world);
void sim_net_close(struct sim_net *net);
void sim_net_add(struct sim_net *net, struct sim_host *host);
/* Stops or lets through what goes from one machine to another. */
void sim_net_block(struct sim_net *net, unsigned from, unsigned to, bool blocked);
void sim_net_heal(struct sim_net *net);
/* One living connection between the two machines (0: any) is reset, or stalls for a while. False:
 * there is none. */
bool sim_net_reset_one(struct sim_net *net, unsigned a, unsigned b);
bool sim_net_stall_one(struct sim_net *net, unsigned a, unsigned b, uint64_t ns);
/* A process ended: its connections are reset, or (silent) no peer hears of it. */
void sim_net_host_gone(struct sim_host *host, bool silent);

/* ---- for sim_env.c ---- */
enum cairn_status sim_net_listen(struct sim_host *host, const char *address,
                                 struct env_listener *listener);
void sim_net_unlisten(struct sim_host *host, struct env_listener *listener);
void sim_net_connect(struct sim_host *host, const char *address, struct env_stream *stream);
void sim_net_write(struct env_stream *stream, const struct env_piece *pieces, size_t count);
size_t sim_net_queued(const struct env_stream *stream);
void sim_net_pause(struct env_stream *stream, bool paused);
void sim_net_close_stream(struct env_stream *stream);
void sim_net_abort(struct env_stream *stream);

#endif
