/* What the replicas of a group agreed upon besides the machine's state: the cluster version that
 * gates new behaviour, the parameters by which commands are executed, the cluster's number, and by
 * how much an operator set time back. All of it changes by entries only, is part of snapshots and
 * of the state's digest, and so is equal on every replica at every index. A node's own settings are
 * what a cluster is founded with, and decide nothing afterwards.
 */
#ifndef CAIRN_NODE_AGREED_H
#define CAIRN_NODE_AGREED_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

#define AGREED_VALUE_BYTES_MAX (1u << 30)
#define AGREED_WINDOW_MAX 65536u

struct agreed_parameters {
    uint64_t revision;        /* 0: none agreed yet, the node's own settings are in force */
    uint32_t session_window;  /* replies kept for retries, a session */
    uint64_t value_bytes_max; /* the largest value that a command may make */
};

struct agreed {
    uint32_t version; /* the cluster's, only ever raised */
    struct agreed_parameters parameters;
    uint64_t cluster_number; /* drawn by a first leader; of the first keyspace; 0: not yet */
    uint64_t time_back_ms;   /* replicated time is that of the entries, less this */
};

/* The parameters come into force if `revision` is still that of those in force: of two changes at
 * once one is refused. False: refused. */
bool agreed_change(struct agreed *agreed, const struct agreed_parameters *wanted);
/* Replicated time goes back to time_ms at an entry that carries entry_ms. False: it would not go
 * back. */
bool agreed_set_time(struct agreed *agreed, uint64_t entry_ms, uint64_t time_ms);
uint64_t agreed_time_ms(const struct agreed *agreed, uint64_t entry_ms);

/* 0 as long as nothing but a version was agreed, as in versions before 3. */
uint64_t agreed_digest(const struct agreed *agreed);
/* The hash of what commands are executed by; equal on nodes that may work together. */
uint64_t agreed_parameters_hash(const struct agreed_parameters *parameters);

/* In snapshots. Version 1, of clusters below version 3, holds the cluster version alone; decoding
 * leaves the parameters as they are then. */
uint32_t agreed_encode(struct buf *out, const struct agreed *agreed);
enum cairn_status agreed_decode(struct bytes bytes, uint32_t format, struct agreed *agreed);

#endif
