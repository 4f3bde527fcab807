/* The Redis front end: RESP clients on one side, a node on the other. It knows commands as data
 * (redis_table.c), holds client connections, MULTI queues, watches and subscriptions, and keeps
 * replies in the order of their commands. It stores nothing: what must survive is the machine's.
 */
#ifndef CAIRN_FRONT_REDIS_H
#define CAIRN_FRONT_REDIS_H

#include "base/metrics.h"
#include "base/mutant.h"
#include "core/machine.h"
#include "env/env.h"
#include "node/node.h"

struct redis_front;

struct redis_options {
    uint32_t keyspace;                /* whose clients these are: of the machine kv */
    char address[CONFIG_ADDRESS_MAX]; /* where clients are listened for */
    char password[128];               /* empty: none is asked for */
    uint32_t clients_max;
    size_t bulk_bytes_max;    /* longest argument */
    size_t output_budget;     /* bytes of replies; a client that leaves its part of them unread has
                                 nothing more executed */
    size_t output_max;        /* bytes of replies that all clients together may leave unread: above
                                 it one is closed that does not read, above half as much more any */
    size_t input_budget;      /* bytes of commands that were not executed yet, of all clients */
    size_t memory_max;        /* 0: none; commands that need memory are refused above it */
    uint64_t idle_timeout_ns; /* 0: never; a silent client is closed after this */
    uint64_t process_id;      /* for INFO */
    enum mutant mutant;
};

void redis_options_default(struct redis_options *options);

/* Listens. The node must outlive the front end. On failure *out is NULL. */
enum cairn_status redis_front_open(struct node *node, const struct redis_options *options,
                                   struct redis_front **out);
/* To be called by the host at the end of every turn, after node_turn: replies leave here. */
void redis_front_turn(struct redis_front *front);
/* A machine's change (node_options.change): publications reach their subscribers. */
void redis_front_change(struct redis_front *front, const struct change *change);
/* No new clients, and the present ones are closed once their replies are out. */
void redis_front_stop(struct redis_front *front);
/* Closes listener and connections; they end when their streams have told so. */
void redis_front_disconnect(struct redis_front *front);
/* Frees everything: after redis_front_disconnect, or when the env calls nothing back any more. */
void redis_front_close(struct redis_front *front);
uint32_t redis_front_clients(const struct redis_front *front);
/* Prometheus text. */
void redis_front_metrics(const struct redis_front *front, struct metrics *metrics);

/* The command table, for the shell's completion and the documentation. NULL at the end. */
struct redis_command_help {
    const char *name, *group, *summary;
    int arity;
};
bool redis_command_help_at(size_t n, struct redis_command_help *help);

#endif
