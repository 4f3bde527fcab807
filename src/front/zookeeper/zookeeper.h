/* The ZooKeeper front end: ZooKeeper clients on one side, a node's keyspace with the tree machine
 * on the other. It holds client connections, keeps each one's answers in the order of its requests,
 * watches, identities and the handshake of sessions. It stores nothing: sessions and data are the
 * tree's. What clients see is told in docs/zookeeper.md.
 *
 * Order (Hunt et al. 2010, section 2.3): writes go to the node at once and take effect in the order
 * sent; a read is answered from this node's state at the moment at which everything sent before it
 * has been answered; a change's notification is written before any answer that shows the change.
 */
#ifndef CAIRN_FRONT_ZOOKEEPER_H
#define CAIRN_FRONT_ZOOKEEPER_H

#include "base/metrics.h"
#include "base/mutant.h"
#include "core/machine.h"
#include "env/env.h"
#include "node/node.h"

struct zookeeper_front;

struct zookeeper_options {
    char address[CONFIG_ADDRESS_MAX];        /* where clients are listened for; empty: nowhere */
    char tls_address[CONFIG_ADDRESS_MAX];    /* where those with TLS are; empty: nowhere */
    struct env_tls *tls;                     /* with tls_address; outlives the front end */
    char advertised[CONFIG_ADDRESS_MAX];     /* told in /zookeeper/config; empty: address */
    char keyspace[16];                       /* name of the node's keyspace */
    uint32_t tick_ms;                        /* what session timeouts are counted in */
    uint32_t timeout_min_ms, timeout_max_ms; /* of sessions; 0: 2 and 20 ticks */
    uint32_t clients_max;
    uint32_t clients_per_address; /* 0: any number */
    uint32_t outstanding_max;     /* requests of all clients under way; beyond, none is read */
    size_t frame_bytes_max;       /* of requests; answers may be larger */
    size_t output_budget;         /* bytes of answers that all clients together may leave unread */
    size_t input_budget;          /* bytes of incomplete requests, likewise */
    uint64_t leader_patience_ms;  /* without a leader for longer: clients are let go */
    uint64_t read_only_after_ms;  /* without a leader for longer: read-only mode */
    bool read_only;               /* serve those who ask for it while there is no quorum */
    bool linearizable_reads;      /* every read asks a quorum first */
    bool reconfig;                /* members may be changed by clients */
    char super_digest[128];       /* "super:base64": who knows its password has every right */
    char sasl_users[1024];        /* "name:password name:password ...": DIGEST-MD5; may be empty */
    char words[256];              /* four-letter words that are answered, by commas; "*": all */
    uint64_t process_id;          /* for texts */
    char host_name[256];          /* likewise */
    uint64_t descriptors_max;     /* that the process may open; 0: not known, and not told */
    enum mutant mutant;
};

void zookeeper_options_default(struct zookeeper_options *options);

/* Listens, at one of the two addresses at least. The node must outlive the front end. NOT_FOUND:
 * the node has no such keyspace, or its machine is no tree. On failure *out is NULL. */
enum cairn_status zookeeper_front_open(struct node *node, const struct zookeeper_options *options,
                                       struct zookeeper_front **out);
/* To be called by the host at the end of every turn, after node_turn: answers leave here. */
void zookeeper_front_turn(struct zookeeper_front *front);
/* A change of the keyspace's machine (node_options.change): watches fire, sessions move. */
void zookeeper_front_change(struct zookeeper_front *front, const struct change *change);
/* What a change tells clients who watch; false: nothing. event as ZooKeeper numbers it. */
bool zookeeper_event(const struct change *change, int *event, uint64_t *zxid);
/* No new clients, and the present ones are closed. */
void zookeeper_front_stop(struct zookeeper_front *front);
/* Closes listener and connections; they end when their streams have told so. */
void zookeeper_front_disconnect(struct zookeeper_front *front);
/* Frees everything: after zookeeper_front_disconnect, or when the env calls nothing back any more.
 */
void zookeeper_front_close(struct zookeeper_front *front);
uint32_t zookeeper_front_clients(const struct zookeeper_front *front);
/* The node's keyspace that it serves. */
uint32_t zookeeper_front_keyspace(const struct zookeeper_front *front);
/* Prometheus text. */
void zookeeper_front_metrics(struct zookeeper_front *front, struct metrics *metrics);
/* The admin server's commands (GET /commands/NAME) as a JSON object; false: no such command. The
 * name "" lists them. */
bool zookeeper_front_command(struct zookeeper_front *front, const char *name, struct buf *out);

#endif
