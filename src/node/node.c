/* Opening, turning, stopping and closing a node; its clients. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/registry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS 1000000ull

void node_options_default(struct node_options *options) {
    *options = (struct node_options){
        .keyspaces = {{"kv", "raft", "kv", NODE_LINEARIZABLE}},
        .keyspace_count = 1,
        .wire_version_max = WIRE_VERSION_MAX,
        .election_timeout_min_ns = 150 * MS,
        .election_timeout_max_ns = 300 * MS,
        .heartbeat_ns = 40 * MS,
        .disk_stall_ns = 200 * MS,
        .request_timeout_ns = 3000 * MS,
        .founding_wait_ns = 10000 * MS,
        .clock_drift_ppm = 100000,
        .lease_reads = true,
        .command_bytes_max = 72u << 20,
        .value_bytes_max = 64u << 20,
        .work_max = 20000000,
        .append_bytes_max = 1u << 20,
        .inflight_max = 256,
        .inflight_bytes_max = 16u << 20,
        .uncommitted_bytes_max = 256u << 20,
        .window_bytes_max = 4u << 20,
        .apply_bytes_max = 1u << 20,
        .piece_bytes = 240u << 10,
        .turn_work_max = 2000000,
        .requests_max = 100000,
        .requests_bytes_max = 512u << 20,
        .wal_segment_bytes = 32u << 20,
        .wal_batch_bytes_max = 2u << 20,
        .wal_kept_bytes = 4u << 20,
        .snapshot_log_bytes = 256u << 20,
        .snapshot_trailing = 10000,
        .trailing_bytes = 64u << 20,
        .session_window = 128,
        .scrub_every_ns = 3600000 * MS,
    };
}

static bool check_keyspaces(const struct node_options *options, char *error, size_t error_size) {
    if (options->keyspace_count == 0 || options->keyspace_count > NODE_KEYSPACES_MAX) {
        snprintf(error, error_size, "a node serves 1 to %u keyspaces", NODE_KEYSPACES_MAX);
        return false;
    }
    for (uint32_t i = 0; i < options->keyspace_count; i++) {
        const struct node_keyspace *keyspace = &options->keyspaces[i];
        bool protocol = registry_protocol(keyspace->protocol) != NULL;
        char names[256];
        if (protocol && registry_machine(keyspace->machine) != NULL)
            continue;
        if (protocol)
            registry_machine_names(names, sizeof names);
        else
            registry_protocol_names(names, sizeof names);
        snprintf(error, error_size, "keyspace %s: there is no %s '%s' (there is: %s)",
                 keyspace->name, protocol ? "machine" : "protocol",
                 protocol ? keyspace->machine : keyspace->protocol, names);
        return false;
    }
    return true;
}

enum cairn_status node_options_check(const struct node_options *options, char *error,
                                     size_t error_size) {
    const char *problem = NULL;
    if (!check_keyspaces(options, error, error_size))
        return CAIRN_INVALID;
    if (options->identity.node == 0)
        problem = "a node's id must be above 0";
    else if (options->election_timeout_min_ns < 2 * options->heartbeat_ns)
        problem = "the least election timeout must be at least twice the heartbeat interval";
    else if (options->election_timeout_max_ns <= options->election_timeout_min_ns)
        problem = "the greatest election timeout must be above the least one";
    else if (options->clock_drift_ppm > 200000)
        problem = "a clock drift above 100,000 ppm (10 %) leaves nothing of a lease";
    else if (options->command_bytes_max + 4096 > FRAME_MESSAGE_MAX)
        problem = "commands can't be that large";
    else if (options->value_bytes_max > options->command_bytes_max)
        problem = "the largest command must hold the largest value";
    else if (options->wire_version_max < WIRE_VERSION_MIN ||
             options->wire_version_max > WIRE_VERSION_MAX)
        problem = "this build does not speak that wire version";
    else if (options->session_window == 0 || options->inflight_max == 0)
        problem = "a window must be at least 1";
    if (problem == NULL)
        return CAIRN_OK;
    snprintf(error, error_size, "%s", problem);
    return CAIRN_INVALID;
}

void node_log(struct node *node, int level, const char *format, ...) {
    if (node->options.log == NULL)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    node->options.log(node->options.context, level, text);
}

void node_fail(struct node *node, enum cairn_status status, const char *text) {
    if (node->failed)
        return;
    node->failed = true;
    node_log(node, 2, "%s (%s)", text, cairn_status_text(status));
    if (node->options.failed != NULL)
        node->options.failed(node->options.context, status, text);
}

bool node_store_identity(struct node *node) {
    enum cairn_status status =
        identity_store(node->env, node->options.folder, &node->options.identity);
    if (status != CAIRN_OK && status != CAIRN_NO_SPACE && status != CAIRN_EXHAUSTED)
        node_fail(node, status, "can't write this node's identity");
    return status == CAIRN_OK;
}

void node_trim(struct buf *buf) {
    if (buf->cap > (1u << 20))
        buf_free(buf);
}

uint64_t node_wall_ms(struct node *node) {
    struct env_wall wall = env_wall(node->env);
    return (wall.earliest + (wall.latest - wall.earliest) / 2) / MS;
}

struct group *node_group(const struct node *node, uint64_t id) {
    return id == 0 || id > node->group_count ? NULL : node->groups[id - 1];
}

const struct member *node_member(const struct node *node, uint64_t id) {
    const struct member *member = NULL;
    for (uint32_t i = 0; i < node->group_count && member == NULL; i++)
        member = config_member(&node->groups[i]->config, id);
    return member;
}

static void on_timer(struct env_timer *timer) {
    /* What is due is done in the turn that follows every batch of callbacks. */
}

enum cairn_status node_open(struct env *env, const struct node_options *options, struct node **out,
                            char *error, size_t error_size) {
    enum cairn_status status = node_options_check(options, error, error_size);
    if (status != CAIRN_OK)
        return status;
    struct node *node = cairn_alloc_zero(sizeof *node);
    node->env = env;
    node->options = *options;
    node->limits = node_limits(options->rare);
    list_init(&node->links);
    list_init(&node->operations);
    env_entropy(env, &node->boot, sizeof node->boot);
    prng_seed(&node->prng, prng_mix(options->seed, options->identity.node));
    node->timer.fire = on_timer;
    *out = node;
    status = node_recover(node, error, error_size);
    if (status == CAIRN_OK) {
        status = peers_open(node);
        if (status != CAIRN_OK)
            snprintf(error, error_size, "can't listen on %s for peers: %s", options->peer_address,
                     cairn_status_text(status));
    }
    if (status != CAIRN_OK) {
        node_close(node);
        *out = NULL;
        return status;
    }
    peers_configure(node);
    NODE_EACH_GROUP(group, node)
    group_start(group);
    founding_begin(node);
    env_wake(env);
    return CAIRN_OK;
}

void node_disconnect(struct node *node) {
    node->closing = true;
    peers_disconnect(node);
}

void node_close(struct node *node) {
    node->closing = true;
    env_timer_clear(node->env, &node->timer);
    NODE_EACH_GROUP(group, node)
    group_close(group);
    operations_close(node);
    peers_close(node);
    if (node->wal != NULL)
        wal_close(node->wal);
    cairn_free(node);
}

void node_drop(struct node *node) {
    node->closing = true;
    if (node->wal != NULL)
        wal_drop(node->wal);
    node->wal = NULL;
    node_close(node);
}

/* ---- stopping: leadership first, then whatever still waits, then the end ---- */

static void transfer_at_stop(struct group *group) {
    struct event event = {.kind = EVENT_TRANSFER};
    struct buf command = {0};
    operation_encode(&command, NODE_LEADER_TRANSFER, 0, "");
    struct request *request =
        request_new_from(group, ORIGIN_SELF, REQUEST_OPERATE, buf_view(&command), NULL, NULL);
    buf_free(&command);
    request_operates(group, request);
    event.transfer.tag = request->tag;
    group_step(group, &event);
}

void node_stop(struct node *node, void (*stopped)(void *context), void *context) {
    if (node->stopping)
        return;
    node->stopping = true;
    node->stopped = stopped;
    node->stopped_context = context;
    node->stop_at_ns = env_now(node->env) + 2 * node->options.election_timeout_max_ns;
    NODE_EACH_GROUP(group, node)
    if (group->role == ROLE_LEADER)
        transfer_at_stop(group);
    env_wake(node->env);
}

static void turn_stop(struct node *node, uint64_t now) {
    if (!node->stopping || node->stopped == NULL)
        return;
    bool quiet = wal_idle(node->wal);
    NODE_EACH_GROUP(group, node)
    quiet &= list_empty(&group->aging) && !(group->role == ROLE_LEADER && group->config.count > 1);
    if (!quiet && now < node->stop_at_ns && !node->failed)
        return;
    void (*stopped)(void *) = node->stopped;
    node->stopped = NULL;
    NODE_EACH_GROUP(group, node)
    requests_fail_all(group, CAIRN_SHUTDOWN, CAIRN_UNKNOWN_FATE);
    stopped(node->stopped_context);
}

static void send_replies(struct node *node) {
    LIST_EACH(item, &node->links)
    forward_replies_flush(container_of(item, struct link, list));
}

static void set_timer(struct node *node, uint64_t peers_at) {
    uint64_t deadline = peers_at;
    NODE_EACH_GROUP(group, node) {
        uint64_t wanted = node->failed ? UINT64_MAX : group_deadline(group);
        if (wanted < deadline)
            deadline = wanted;
    }
    const uint64_t others[] = {aims_deadline(node),
                               operations_deadline(node),
                               scrub_deadline(node),
                               founding_deadline(node),
                               node->number_retry_ns != 0 ? node->number_retry_ns : UINT64_MAX,
                               node->stopped != NULL ? node->stop_at_ns : UINT64_MAX};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] < deadline)
            deadline = others[i];
    if (deadline != node->timer.deadline || node->timer.heap_at == 0)
        env_timer_set(node->env, &node->timer, deadline);
}

void node_turn(struct node *node) {
    if (node->closing)
        return;
    uint64_t now = env_now(node->env);
    if (!node->failed) {
        founding_turn(node, now);
        NODE_EACH_GROUP(group, node)
        group_turn(group, now);
        facts_turn(node, now);
        scrub_turn(node, now);
        wal_flush(node->wal);
    }
    if (!node->failed)
        aims_turn(node, now);
    operations_turn(node, now);
    addresses_turn(node, now);
    uint64_t peers_at = peers_tick(node, now);
    send_replies(node);
    NODE_EACH_GROUP(group, node)
    forward_tell_commit(group);
    peers_flush(node);
    turn_stop(node, now);
    set_timer(node, peers_at);
}

/* ---- clients ---- */

void node_client_open(struct node *node, uint32_t keyspace, struct node_client *client) {
    cairn_assert(keyspace < node->group_count);
    *client = (struct node_client){.node = node,
                                   .group = node->groups[keyspace],
                                   .consistency = node->options.keyspaces[keyspace].consistency};
    list_init(&client->requests);
    list_init(&client->held);
    list_init(&client->resumed);
}

void node_client_hold(struct node_client *client, bool holds) {
    client->holds = holds;
    if (holds || list_empty(&client->held) || !list_empty(&client->resumed))
        return;
    list_push(&client->group->resumed, &client->resumed);
    env_wake(client->node->env);
}

void node_client_close(struct node_client *client) {
    group_reads_forget(client->group, client);
    LIST_EACH_SAFE(item, &client->requests) {
        struct request *request = container_of(item, struct request, owned);
        list_remove(item);
        request->client = NULL;
        request->done = NULL;
    }
    operations_forget_client(client->node, client);
}

enum cairn_status node_refusal(const struct node_client *client, size_t len) {
    const struct node *node = client->node;
    if (node->stopping || node->failed)
        return CAIRN_SHUTDOWN;
    if (len > node->options.command_bytes_max - 1024)
        return CAIRN_TOO_LARGE;
    if (client->group->compare.no_majority)
        return CAIRN_DAMAGED;
    if (group_removed(client->group))
        return CAIRN_REMOVED;
    return requests_full(client->group, len) ? CAIRN_BUSY : CAIRN_OK;
}

enum cairn_status node_execute(struct node_client *client, struct bytes command, node_done *done,
                               void *context) {
    struct group *group = client->group;
    enum cairn_status refusal = node_refusal(client, command.len);
    if (refusal != CAIRN_OK)
        return refusal;
    /* A read behind the same client's unanswered writes goes through the log with them: so it sees
     * them, and no requester waits. */
    if (client->writes_inflight == 0 && group->stack.kind->is_read(command)) {
        request_new(group, client, REQUEST_READ, bytes_of(NULL, 0), command, done, context);
        return CAIRN_OK;
    }
    struct buf *envelope = &group->scratch;
    buf_clear(envelope);
    stack_encode_machine(envelope, bytes_of(NULL, 0));
    request_new(group, client, REQUEST_WRITE, buf_view(envelope), command, done, context);
    return CAIRN_OK;
}

static enum cairn_status execute_joined(struct node_client *client,
                                        const struct command_part *parts, size_t count,
                                        node_done *done, void *context) {
    struct buf whole = {0};
    for (size_t i = 0; i < count; i++)
        buf_bytes(&whole, parts[i].bytes);
    enum cairn_status status = node_execute(client, buf_view(&whole), done, context);
    buf_free(&whole);
    return status;
}

enum cairn_status node_execute_parts(struct node_client *client, struct command_part *parts,
                                     size_t count, node_done *done, void *context) {
    struct group *group = client->group;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].bytes.len;
    if (count == 1 && (!upload_wanted(group, len) || group->stack.kind->is_read(parts[0].bytes)))
        return node_execute(client, parts[0].bytes, done, context);
    if (!upload_wanted(group, len))
        return execute_joined(client, parts, count, done, context);
    enum cairn_status refusal = node_refusal(client, len);
    if (refusal != CAIRN_OK)
        return refusal;
    struct buf *envelope = &group->scratch;
    buf_clear(envelope);
    stack_encode_machine(envelope, bytes_of(NULL, 0));
    request_new_long(group, client, buf_view(envelope), parts, count, done, context);
    return CAIRN_OK;
}

bool node_reply_take(struct node_client *client, struct buf *reply) {
    struct buf *owner = client->group->reply_owner;
    if (owner == NULL)
        return false;
    *reply = *owner;
    *owner = (struct buf){0};
    return true;
}

enum cairn_status node_read(struct node_client *client, struct bytes query, struct buf *reply) {
    struct group *group = client->group;
    struct node *node = client->node;
    if (node->failed || group->install != NULL || group->compare.no_majority || group_paused(group))
        return CAIRN_BUSY;
    node->counted.counters.reads++;
    struct read_context context = {
        .time_ms = group_time_ms(group), .random = prng_next(&node->prng), .local = true};
    return group->stack.kind->read(group->stack.machine, &context, query, reply);
}

enum cairn_status node_barrier(struct node_client *client, node_done *done, void *context) {
    enum cairn_status refusal = node_refusal(client, 0);
    if (refusal != CAIRN_OK)
        return refusal;
    request_new(client->group, client, REQUEST_READ, bytes_of(NULL, 0), bytes_of(NULL, 0), done,
                context)
        ->barrier = true;
    return CAIRN_OK;
}

enum cairn_status node_members_barrier(struct node_client *client, node_done *done, void *context) {
    if (client->group != client->node->groups[0])
        return CAIRN_UNSUPPORTED; /* changes of members are told in the first keyspace */
    return node_barrier(client, done, context);
}

/* The head of the envelope is in scratch. */
static enum cairn_status submit_envelope(struct node_client *client, bool retry_safe,
                                         struct bytes command, node_done *done, void *context) {
    struct group *group = client->group;
    enum cairn_status refusal = node_refusal(client, group->scratch.len + command.len);
    if (refusal != CAIRN_OK)
        return refusal;
    request_new(group, client, REQUEST_WRITE, buf_view(&group->scratch), command, done, context)
        ->retry_safe = retry_safe;
    return CAIRN_OK;
}

enum cairn_status node_once(struct node_client *client, uint64_t session, uint64_t sequence,
                            struct command_part *command, node_done *done, void *context) {
    struct group *group = client->group;
    struct buf *envelope = &group->scratch;
    buf_clear(envelope);
    stack_encode_once(envelope, session, sequence, bytes_of(NULL, 0));
    if (!upload_wanted(group, command->bytes.len))
        return submit_envelope(client, true, command->bytes, done, context);
    enum cairn_status refusal = node_refusal(client, command->bytes.len);
    if (refusal != CAIRN_OK)
        return refusal;
    request_new_long(group, client, buf_view(envelope), command, 1, done, context)->retry_safe =
        true;
    return CAIRN_OK;
}

enum cairn_status node_session_open(struct node_client *client, uint64_t ttl_ms, node_done *done,
                                    void *context) {
    struct buf *envelope = &client->group->scratch;
    buf_clear(envelope);
    stack_encode_open(envelope, ttl_ms);
    return submit_envelope(client, false, bytes_of(NULL, 0), done, context);
}

enum cairn_status node_session_close(struct node_client *client, uint64_t session, node_done *done,
                                     void *context) {
    struct buf *envelope = &client->group->scratch;
    buf_clear(envelope);
    stack_encode_close(envelope, session);
    return submit_envelope(client, false, bytes_of(NULL, 0), done, context);
}

enum cairn_status node_set_parameters(struct node_client *client,
                                      const struct agreed_parameters *wanted, node_done *done,
                                      void *context) {
    struct buf *envelope = &client->group->scratch;
    if (client->group->stack.agreed.version < WIRE_VERSION_3)
        return CAIRN_WRONG_VERSION;
    buf_clear(envelope);
    stack_encode_parameters(envelope, wanted);
    return submit_envelope(client, false, bytes_of(NULL, 0), done, context);
}

enum cairn_status node_set_time(struct node_client *client, uint64_t time_ms, node_done *done,
                                void *context) {
    struct buf *envelope = &client->group->scratch;
    if (client->group->stack.agreed.version < WIRE_VERSION_3)
        return CAIRN_WRONG_VERSION;
    buf_clear(envelope);
    stack_encode_time(envelope, time_ms);
    return submit_envelope(client, false, bytes_of(NULL, 0), done, context);
}
