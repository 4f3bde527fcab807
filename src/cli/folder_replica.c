#include "cli/folder_replica.h"

#include "node/node.h"
#include "node/registry.h"
#include "storage/snapshot.h"

#include <stdio.h>

uint32_t folder_keyspaces(const struct identity *identity) {
    return identity->keyspace_count > 0 ? identity->keyspace_count : 1;
}

const char *folder_protocol(const struct identity *identity, uint32_t keyspace) {
    return identity->keyspace_count > 0 ? identity->keyspaces[keyspace].protocol : "raft";
}

static void load_base(struct env *env, const char *dir, struct folder_replica *out) {
    struct snapshot_reader *reader;
    struct snapshot_meta meta;
    char folder[600];
    snprintf(folder, sizeof folder, "%s/snapshots", dir);
    if (snapshot_reader_open(env, folder, out->group, 0, &reader) != CAIRN_OK)
        return;
    snapshot_reader_meta(reader, &meta);
    struct log_base base = {.index = meta.index,
                            .term = meta.term,
                            .chain = meta.chain,
                            .order = meta.order,
                            .time_ms = meta.time_ms,
                            .state = meta.protocol};
    out->base_index = meta.index;
    out->order = meta.order;
    out->time_ms = meta.time_ms;
    out->protocol->recover_base(out->replica, &base);
    snapshot_reader_close(reader);
}

bool folder_replica_open(struct env *env, const char *dir, const struct identity *identity,
                         uint32_t keyspace, struct folder_replica *out) {
    struct node_options defaults;
    node_options_default(&defaults);
    struct replica_options options = {.group = NODE_GROUP_OF(keyspace),
                                      .id = identity->node,
                                      .incarnation = identity->incarnation,
                                      .bootstrap = identity->founders,
                                      .election_timeout_min_ns = defaults.election_timeout_min_ns,
                                      .election_timeout_max_ns = defaults.election_timeout_max_ns,
                                      .heartbeat_ns = defaults.heartbeat_ns,
                                      .entry_bytes_max = defaults.command_bytes_max,
                                      .append_bytes_max = defaults.append_bytes_max,
                                      .inflight_max = defaults.inflight_max,
                                      .inflight_bytes_max = defaults.inflight_bytes_max,
                                      .uncommitted_bytes_max = defaults.uncommitted_bytes_max,
                                      .window_bytes_max = defaults.window_bytes_max,
                                      .apply_bytes_max = defaults.apply_bytes_max};
    *out = (struct folder_replica){
        .group = options.group, .protocol = registry_protocol(folder_protocol(identity, keyspace))};
    if (out->protocol == NULL)
        return false;
    out->replica = out->protocol->create(&options);
    load_base(env, dir, out);
    return true;
}

void folder_replica_close(struct folder_replica *replica) {
    if (replica->replica != NULL)
        replica->protocol->destroy(replica->replica);
    replica->replica = NULL;
}
