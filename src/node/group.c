/* A group on this node, and the one executor of a protocol's effects. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/registry.h"

static void fill_replica_options(const struct node *node, uint64_t group,
                                 struct replica_options *replica) {
    const struct node_options *options = &node->options;
    *replica = (struct replica_options){
        .context = options->context,
        .group = group,
        .id = options->identity.node,
        .incarnation = options->identity.incarnation,
        .seed = prng_mix(options->seed, node->boot + group - 1),
        .bootstrap = options->bootstrap,
        .election_timeout_min_ns = options->election_timeout_min_ns,
        .election_timeout_max_ns = options->election_timeout_max_ns,
        .heartbeat_ns = options->heartbeat_ns,
        .disk_stall_ns = options->disk_stall_ns,
        .clock_drift_ppm = options->clock_drift_ppm,
        .lease_reads = options->lease_reads,
        .entry_bytes_max = options->command_bytes_max,
        .append_bytes_max = options->append_bytes_max,
        .inflight_max = options->inflight_max,
        .inflight_bytes_max = options->inflight_bytes_max,
        .uncommitted_bytes_max = options->uncommitted_bytes_max,
        .window_bytes_max = options->window_bytes_max,
        .apply_bytes_max = options->apply_bytes_max,
        .rare = options->rare,
        .mutant = options->mutant,
    };
    if (options->identity.founding) /* EVENT_FOUNDERS brings them */
        replica->bootstrap.count = 0;
}

static uint64_t mutant_clock(void *context) {
    return node_wall_ms(context);
}

struct group *group_new(struct node *node, uint32_t keyspace) {
    const struct node_keyspace *named = &node->options.keyspaces[keyspace];
    struct group *group = cairn_alloc_zero(sizeof *group);
    group->node = node;
    group->id = NODE_GROUP_OF(keyspace);
    group->keyspace = keyspace;
    group->protocol =
        node->options.watched ? node->options.watched : registry_protocol(named->protocol);
    group->role = ROLE_FOLLOWER;
    group->epoch = 1; /* above what no link has refused */
    group->due_at_ns = UINT64_MAX;
    lives_open(&group->lives);
    group->lives.counts_all = node->options.mutant == MUTANT_LIFE_COUNTS_STANDSTILL;
    struct list *lists[] = {&group->held,           &group->pending_writes,
                            &group->pending_reads,  &group->operations,
                            &group->uploads,        &group->forwarded,
                            &group->operating,      &group->aging,
                            &group->read_asked,     &group->read_waiting,
                            &group->reads_due,      &group->long_reads,
                            &group->resumed,        &group->sendings,
                            &group->sendings_ended, &group->receivings_ended};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    const struct identity *identity = &node->options.identity;
    bool own = node->options.mutant == MUTANT_OWN_PARAMETERS;
    struct machine_options machine = {.value_bytes_max = own ? node->options.value_bytes_max
                                                             : (size_t)identity->value_bytes_max,
                                      .work_max = node->options.work_max,
                                      .mutant = node->options.mutant,
                                      .rare = node->options.rare,
                                      .local_clock = mutant_clock,
                                      .local_clock_context = node};
    group->snapshot_delay = prng_below(&node->prng, node->options.snapshot_log_bytes / 2 + 1);
    stack_open(&group->stack, registry_machine(named->machine), &machine,
               own ? node->options.session_window : identity->session_window);
    group_work_open(group);
    struct replica_options replica;
    fill_replica_options(node, group->id, &replica);
    group->replica = group->protocol->create(&replica);
    return group;
}

void group_start(struct group *group) {
    struct node *node = group->node;
    group->applied_fed = group->applied;
    group_effects(group,
                  group->protocol->start(group->replica, env_now(node->env), group_wall_ms(group)));
}

static void held_free(struct held *held) {
    list_remove(&held->list);
    blob_unref(held->head);
    for (size_t i = 0; i < held->count; i++)
        entry_unref(&held->entries[i]);
    cairn_free(held);
}

uint64_t group_wall_ms(const struct group *group) {
    return node_wall_ms(group->node) + group->stack.agreed.time_back_ms;
}

uint64_t group_time_ms(const struct group *group) {
    uint64_t entry_ms =
        group->protocol->time_ms(group->replica, env_now(group->node->env), group_wall_ms(group));
    return agreed_time_ms(&group->stack.agreed, entry_ms);
}

void group_close(struct group *group) {
    requests_fail_all(group, CAIRN_SHUTDOWN, CAIRN_UNKNOWN_FATE);
    group_reads_close(group);
    while (group->waiters_count > 0)
        waiter_pop(group, UINT64_MAX - 1);
    group_snapshot_abandon(group);
    group_install_abandon(group);
    snapshot_send_close(group);
    snapshot_receive_close(group);
    LIST_EACH_SAFE(item, &group->held)
    held_free(container_of(item, struct held, list));
    group->protocol->destroy(group->replica);
    group_apply_close(group);
    stack_close(&group->stack);
    hmap_free(&group->by_tag);
    lives_clear(&group->lives);
    buf_free(&group->signs);
    buf_free(&group->reply);
    buf_free(&group->scratch);
    cairn_free(group->waiters);
    cairn_free(group->proposals);
    cairn_free(group->proposed);
    cairn_free(group);
}

/* ---- the executor ---- */

static void do_persist(struct group *group, const struct effect *effect) {
    struct wal_write write = {
        .group = group->id,
        .seq = effect->persist.seq,
        .hard = effect->persist.hard,
        .reset = effect->persist.reset,
        .reset_index = effect->persist.reset_base.index,
        .reset_term = effect->persist.reset_base.term,
        .reset_chain = effect->persist.reset_base.chain,
        .truncate_from = effect->persist.truncate_from,
        .entries = effect->persist.entries,
        .count = effect->persist.count,
        .repaired = effect->persist.repaired,
        .room = effect->persist.room,
    };
    if (group->tail_unknown && write.hard.len > 0) {
        /* From here on the hard state itself says that this replica waits to be made whole. */
        write.whole = true;
        group->tail_unknown = false;
    }
    group->persist_issued = write.seq;
    wal_write(group->node->wal, &write);
}

static void send_now(struct group *group, uint64_t to, enum effect_lane lane, struct bytes head,
                     const struct entry *entries, size_t count) {
    struct link *link = peer_link(group->node, to);
    if (link != NULL)
        link_send(link, lane, FRAME_PROTOCOL, group->id, head, entries, count);
}

/* A message whose promise is not durable yet must not leave (invariant 2 of section D). */
static void do_send(struct group *group, const struct effect *effect) {
    enum mutant mutant = group->node->options.mutant;
    uint64_t enough = group->persisted + (mutant == MUTANT_HELD_OFF_BY_ONE);
    if (effect->send.after <= enough || mutant == MUTANT_SENT_BEFORE_DURABLE) {
        send_now(group, effect->send.to, effect->send.lane, effect->send.head, effect->send.entries,
                 effect->send.count);
        return;
    }
    struct held *held = cairn_alloc(sizeof *held + effect->send.count * sizeof *held->entries);
    held->to = effect->send.to;
    held->after = effect->send.after;
    held->lane = effect->send.lane;
    held->head = blob_from(effect->send.head);
    held->count = effect->send.count;
    for (size_t i = 0; i < held->count; i++)
        held->entries[i] = entry_ref(&effect->send.entries[i]);
    list_push(&group->held, &held->list);
}

/* The disk took nothing of these: their promises are void, whatever becomes durable later. */
static void void_held(struct group *group, uint64_t first, uint64_t last) {
    LIST_EACH_SAFE(item, &group->held) {
        struct held *held = container_of(item, struct held, list);
        if (held->after >= first && held->after <= last)
            held_free(held);
    }
}

static void release_held(struct group *group) {
    LIST_EACH_SAFE(item, &group->held) {
        struct held *held = container_of(item, struct held, list);
        if (held->after > group->persisted)
            continue;
        send_now(group, held->to, held->lane, blob_view(held->head), held->entries, held->count);
        held_free(held);
    }
}

static void on_loaded(void *context, uint64_t tag, enum cairn_status status, uint64_t first,
                      const struct entry *entries, size_t count) {
    struct group *group = context;
    if (group->node->closing)
        return;
    if (status == CAIRN_CORRUPT || status == CAIRN_IO)
        group_unreadable(group, status, first, first + count - 1);
    struct event event = {.kind = EVENT_LOADED};
    event.loaded.tag = tag;
    event.loaded.status = status;
    event.loaded.entries = entries;
    event.loaded.count = status == CAIRN_OK ? count : 0;
    group_step(group, &event);
}

static const char *role_name(enum role role) {
    static const char *const names[] = {"?", "follower", "pre-candidate", "candidate", "leader"};
    return names[role];
}

static void do_role(struct group *group, const struct effect *effect) {
    bool was_leader = group->role == ROLE_LEADER;
    bool news = group->role != effect->role.role || group->leader != effect->role.leader;
    group->role = effect->role.role;
    group->term = effect->role.term;
    group->leader = effect->role.leader;
    group->epoch++;
    group->write_retry_ns = group->read_retry_ns = 0;
    if (group->leader != 0)
        requests_hurry(group,
                       env_now(group->node->env) + group->node->options.election_timeout_max_ns);
    if (group->role == ROLE_LEADER && !was_leader) {
        group->node->counted.counters.elections++;
        group->leads_since_ns = env_now(group->node->env);
        group->proposal_sizes = (struct node_sizes){0};
    }
    if (was_leader && group->role != ROLE_LEADER)
        snapshot_send_stop_all(group);
    group_lives_role(group, was_leader);
    group->members_asked = true;
    if (news)
        node_log(group->node, 1, "%s: %s in term %llu, leader %llu",
                 group->node->options.keyspaces[group->keyspace].name, role_name(group->role),
                 (unsigned long long)group->term, (unsigned long long)group->leader);
}

static void do_config(struct group *group, const struct effect *effect) {
    group->config = *effect->config.config;
    group->config_index = effect->config.index;
    group->config_committed = effect->config.committed;
    group->members_asked = true;
    founding_configured(group->node);
    peers_configure(group->node);
    removal_tell_all(group);
}

static void do_effect(struct group *group, const struct effect *effect) {
    switch (effect->kind) {
    case EFFECT_PERSIST:
        do_persist(group, effect);
        break;
    case EFFECT_SEND:
        do_send(group, effect);
        break;
    case EFFECT_LOAD:
        wal_load(group->node->wal, group->id, effect->load.first, effect->load.last,
                 effect->load.bytes_max, effect->load.tag, on_loaded, group);
        break;
    case EFFECT_APPLY:
        group_apply(group, effect->apply.entries, effect->apply.count);
        break;
    case EFFECT_OUTCOME:
        group_outcome(group, effect);
        break;
    case EFFECT_READ_READY:
        group_read_ready(group, effect->read_ready.tag, effect->read_ready.status,
                         effect->read_ready.index);
        break;
    case EFFECT_SNAPSHOT_SEND:
        snapshot_send_begin(group, effect->snapshot_send.to, effect->snapshot_send.index,
                            effect->snapshot_send.term);
        break;
    case EFFECT_SNAPSHOT_ANSWER:
        snapshot_receive_answer(group, effect->snapshot_answer.from,
                                effect->snapshot_answer.accept);
        break;
    case EFFECT_SNAPSHOT_INSTALL:
        group_install(group, &effect->snapshot_install.base);
        break;
    case EFFECT_ROLE:
        do_role(group, effect);
        break;
    case EFFECT_CONFIG:
        do_config(group, effect);
        break;
    case EFFECT_TRACE:
        node_log(group->node, effect->trace.level, "%s", effect->trace.text);
        break;
    }
}

void group_effects(struct group *group, struct effects effects) {
    for (size_t i = 0; i < effects.count; i++)
        do_effect(group, &effects.items[i]);
}

static void stamp(struct group *group, struct event *event) {
    event->now = env_now(group->node->env);
    event->wall_ms = group_wall_ms(group);
}

void group_feed_applied(struct group *group) {
    while (group->applied_fed < group->applied && !group_spent(group)) {
        struct event applied = {.kind = EVENT_APPLIED};
        applied.applied.index = group->applied_fed = group->applied;
        stamp(group, &applied);
        group_effects(group, group->protocol->step(group->replica, &applied));
    }
    if (group->applied_fed < group->applied)
        env_wake(group->node->env);
}

/* False: it was a message that can't be read. */
static bool step(struct group *group, struct event *event) {
    if (group->node->failed || group->node->closing)
        return true;
    stamp(group, event);
    struct effects effects = group->protocol->step(group->replica, event);
    group_effects(group, effects);
    group_feed_applied(group);
    return !effects.malformed;
}

void group_step(struct group *group, struct event *event) {
    step(group, event);
}

void group_persist_done(struct group *group, uint64_t seq, enum cairn_status status) {
    if (group->node->closing)
        return;
    if (status != CAIRN_OK) {
        struct event event = {.kind = EVENT_PERSIST_FAILED};
        event.persisted.seq = seq;
        event.persisted.status = status;
        if (group->node->options.mutant != MUTANT_VOID_LEAVES)
            void_held(group, seq, group->persist_issued);
        group_step(group, &event);
        /* A full disk is waited for, unless a repair was under way. */
        struct replica_status replica;
        group->protocol->status(group->replica, &replica);
        if (status != CAIRN_NO_SPACE || replica.failed)
            node_fail(group->node, status,
                      "a log write failed; restart to go on from what is "
                      "really on the disk");
        return;
    }
    if (seq > group->persisted)
        group->persisted = seq;
}

/* Completions of one disk write arrive together; the protocol hears of the last. */
void group_feed_persisted(struct group *group) {
    if (group->persisted_fed == group->persisted)
        return;
    group->persisted_fed = group->persisted;
    release_held(group);
    struct event event = {.kind = EVENT_PERSISTED};
    event.persisted.seq = group->persisted;
    group_step(group, &event);
}

void group_message(struct group *group, struct link *link, struct blob *frame) {
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.from = link->hello.node;
    event.message.frame = frame;
    event.message.body = blob_view(frame);
    event.message.wire_version = link->wire_version;
    if (!step(group, &event))
        link_malformed(link, "malformed message of a protocol");
}

void node_hear_term(struct node *node, uint32_t keyspace, uint64_t from, uint64_t term) {
    struct group *group = node->groups[keyspace];
    const struct member *member = config_member(&group->config, from);
    if (member == NULL)
        return;
    struct buf body = {0};
    const char *protocol = node->options.keyspaces[keyspace].protocol;
    registry_protocol(protocol)->say_term(term, member->incarnation, &body);
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.from = from;
    event.message.frame = blob_from(buf_view(&body));
    event.message.body = blob_view(event.message.frame);
    event.message.wire_version = WIRE_VERSION_MIN;
    group_step(group, &event);
    blob_unref(event.message.frame);
    buf_free(&body);
    env_wake(node->env);
}

void group_peer(struct group *group, enum event_kind kind, const struct link *link) {
    struct event event = {.kind = kind};
    event.peer.id = link->hello.node;
    event.peer.incarnation = link->hello.incarnation;
    event.peer.wire_version = link->wire_version;
    group->write_retry_ns = group->read_retry_ns = 0;
    group_step(group, &event);
}
