/* Members changed by clients: checked as ZooKeeper does, carried out one member after another by
 * the node's own operation, and answered with /zookeeper/config once that shows it. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (2 * CONFIG_MEMBERS_MAX)
#define SHOWN_WITHIN_NS (10000 * NS_PER_MS)
#define NO_SUCH_VERSION                                                      \
    INT32_MIN /* of a node: a write with it tells rights and changes nothing \
               */

struct step {
    enum node_operation operation;
    uint64_t id;
    char address[CONFIG_ADDRESS_MAX];
    char clients[CONFIG_ADDRESS_MAX]; /* "election port/address"; empty: not given */
};

struct zk_reconfig {
    struct zk_slot *slot;
    int64_t version; /* that the client expects; -1: any */
    struct step steps[STEPS_MAX];
    uint32_t count, next;
    uint64_t deadline_ns;
    struct env_timer timer;
};

void zk_reconfig_free(struct zk_reconfig *reconfig) {
    if (reconfig == NULL)
        return;
    env_timer_clear(reconfig->slot->conn->front->env, &reconfig->timer);
    cairn_free(reconfig);
}

/* ---- what is asked ---- */

struct server {
    uint64_t id;
    bool voter;
    char address[CONFIG_ADDRESS_MAX];
    char clients[CONFIG_ADDRESS_MAX];
};

static bool take_number(const char **at, uint64_t *value) {
    const char *start = *at;
    for (*value = 0; **at >= '0' && **at <= '9' && *value < UINT32_MAX; ++*at)
        *value = *value * 10 + (uint64_t)(**at - '0');
    return *at != start;
}

/* Of ":election[:role][;[host:]clients]". The election's port is only shown again. */
static void take_clients(const char *text, struct server *server) {
    const char *clients = strchr(text, ';');
    uint64_t election = 0;
    if (*text == ':') {
        text++;
        take_number(&text, &election);
    }
    if (clients == NULL)
        return;
    const char *host = strchr(clients + 1, ':') == NULL ? "0.0.0.0:" : "";
    if (snprintf(server->clients, sizeof server->clients, "%llu/%s%s", (unsigned long long)election,
                 host, clients + 1) >= (int)sizeof server->clients)
        server->clients[0] = 0;
}

/* "server.1=host:peers:election[:participant|:observer][;[host:]clients]", or the same without the
 * election's port, which nothing uses here. */
static bool take_server(const char *text, struct server *server) {
    char host[CONFIG_ADDRESS_MAX];
    uint64_t port;
    *server = (struct server){.voter = true};
    if (strncmp(text, "server.", 7) != 0)
        return false;
    text += 7;
    if (!take_number(&text, &server->id) || server->id == 0 || *text++ != '=')
        return false;
    const char *colon = text[0] == '[' ? strstr(text, "]:") : strchr(text, ':');
    if (colon == NULL)
        return false;
    colon += text[0] == '[';
    size_t len = (size_t)(colon - text);
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    text = colon + 1;
    if (!take_number(&text, &port) || port == 0 || port > 65535)
        return false;
    server->voter = strstr(text, "observer") == NULL;
    take_clients(text, server);
    return snprintf(server->address, sizeof server->address, "%s:%u", host, (unsigned)port) <
           (int)sizeof server->address;
}

static struct step *add_step(struct zk_reconfig *reconfig, enum node_operation operation,
                             uint64_t id) {
    if (reconfig->count == STEPS_MAX)
        return NULL;
    struct step *step = &reconfig->steps[reconfig->count++];
    *step = (struct step){.operation = operation, .id = id};
    return step;
}

static bool add_join(struct zk_reconfig *reconfig, const struct config *config,
                     const struct server *server) {
    const struct member *member = config_member(config, server->id);
    bool same = member != NULL && strcmp(member->address, server->address) == 0;
    if (same && member->voter == server->voter)
        return true;
    if (same && server->voter)
        return add_step(reconfig, NODE_MEMBER_PROMOTE, server->id) != NULL;
    if (member != NULL && add_step(reconfig, NODE_MEMBER_REMOVE, server->id) == NULL)
        return false;
    struct step *step =
        add_step(reconfig, server->voter ? NODE_MEMBER_ADD : NODE_MEMBER_LEARNER, server->id);
    if (step == NULL)
        return false;
    memcpy(step->address, server->address, sizeof step->address);
    memcpy(step->clients, server->clients, sizeof step->clients);
    return true;
}

/* Calls each for every part between commas or line ends. */
typedef bool each_part(struct zk_reconfig *reconfig, const struct config *config, const char *part);
static bool for_parts(struct zk_reconfig *reconfig, const struct config *config, struct bytes list,
                      each_part *each) {
    char part[2 * CONFIG_ADDRESS_MAX];
    for (size_t at = 0; at < list.len;) {
        size_t start = at;
        while (at < list.len && list.data[at] != ',' && list.data[at] != '\n')
            at++;
        size_t len = at++ - start;
        if (len >= sizeof part)
            return false;
        memcpy(part, list.data + start, len);
        part[len] = 0;
        if (len > 0 && strncmp(part, "version=", 8) != 0 && !each(reconfig, config, part))
            return false;
    }
    return true;
}

static bool join_one(struct zk_reconfig *reconfig, const struct config *config, const char *part) {
    struct server server;
    return take_server(part, &server) && add_join(reconfig, config, &server);
}

static bool leave_one(struct zk_reconfig *reconfig, const struct config *config, const char *part) {
    uint64_t id;
    if (!take_number(&part, &id) || *part != 0)
        return false;
    return config_member(config, id) == NULL || add_step(reconfig, NODE_MEMBER_REMOVE, id) != NULL;
}

static bool names(struct bytes members, uint64_t id) {
    char wanted[40];
    int len = snprintf(wanted, sizeof wanted, "server.%llu=", (unsigned long long)id);
    return memmem(members.data, members.len, wanted, (size_t)len) != NULL;
}

/* All members at once: who is not named leaves. */
static bool replace_all(struct zk_reconfig *reconfig, const struct config *config,
                        struct bytes members) {
    if (!for_parts(reconfig, config, members, join_one))
        return false;
    for (uint32_t i = 0; i < config->count; i++)
        if (!names(members, config->members[i].id) &&
            add_step(reconfig, NODE_MEMBER_REMOVE, config->members[i].id) == NULL)
            return false;
    return true;
}

static int32_t plan(struct zk_reconfig *reconfig, struct zookeeper_front *front,
                    const struct jute_reconfig *asked) {
    struct node_status status;
    node_status(front->node, front->keyspace, &status);
    const struct config *config = &status.replica.config;
    bool all = asked->members.len > 0, some = asked->joining.len + asked->leaving.len > 0;
    if (all == some)
        return TREE_BAD_ARGUMENTS;
    if (config->joint)
        return TREE_RECONFIG_IN_PROGRESS;
    bool fine = all ? replace_all(reconfig, config, asked->members)
                    : for_parts(reconfig, config, asked->joining, join_one) &&
                          for_parts(reconfig, config, asked->leaving, leave_one);
    reconfig->version = asked->version;
    return fine ? TREE_OK : TREE_BAD_ARGUMENTS;
}

/* ---- its end ---- */

static struct zk_call call_of(struct zk_slot *slot) {
    return (struct zk_call){.conn = slot->conn,
                            .operation = slot->operation,
                            .slot = slot,
                            .xid = slot->xid,
                            .op = slot->op,
                            .out = &slot->bytes};
}

static void fail(struct zk_slot *slot, int32_t error) {
    struct zk_call call = call_of(slot);
    zk_answer(&call, error);
    zk_slot_answered(slot);
}

bool zk_config_read(struct zookeeper_front *front, struct bytes *data, struct reader *rest,
                    uint64_t *zxid) {
    struct tree_id super = {BYTES("super"), BYTES("")};
    struct tree_caller caller = {.ids = &super, .id_count = 1};
    struct zk_reply reply;
    struct buf query = {0};
    tree_put_head(&query, TREE_OP_GET_DATA, &caller);
    tree_put_path(&query, BYTES(ZK_CONFIG_PATH));
    bool fine = zk_ask(front, buf_view(&query), &front->answer) &&
                zk_reply_take(buf_view(&front->answer), &reply) && reply.error == TREE_OK &&
                zk_take_bulk(&reply.results, data);
    buf_free(&query);
    *rest = reply.results;
    *zxid = fine ? reply.zxid : 0;
    return fine;
}

/* The member's line, with the role that it is to have. */
static bool shows_step(const struct step *step, struct bytes data) {
    char wanted[40];
    const char *role = step->operation == NODE_MEMBER_LEARNER ? ":observer" : ":participant";
    int len = snprintf(wanted, sizeof wanted, "server.%llu=", (unsigned long long)step->id);
    const char *line = memmem(data.data, data.len, wanted, (size_t)len);
    if (line == NULL || step->operation == NODE_MEMBER_REMOVE)
        return (line == NULL) == (step->operation == NODE_MEMBER_REMOVE);
    size_t left = data.len - (size_t)((const uint8_t *)line - data.data);
    const char *end = memchr(line, '\n', left);
    size_t line_len = end == NULL ? left : (size_t)(end - line);
    return memmem(line, line_len, role, strlen(role)) != NULL;
}

/* Only a member's last step counts. */
static bool shows(const struct zk_reconfig *reconfig, struct bytes data) {
    for (uint32_t i = 0; i < reconfig->count; i++) {
        bool last = true;
        for (uint32_t k = i + 1; k < reconfig->count; k++)
            last &= reconfig->steps[k].id != reconfig->steps[i].id;
        if (last && !shows_step(&reconfig->steps[i], data))
            return false;
    }
    return true;
}

static void show(struct zk_reconfig *reconfig) {
    struct zk_slot *slot = reconfig->slot;
    struct zookeeper_front *front = slot->conn->front;
    struct bytes data = {0};
    struct reader rest;
    struct zk_call call = call_of(slot);
    bool known = zk_config_read(front, &data, &rest, &call.zxid);
    uint64_t now = env_now(front->env);
    if (slot->conn->closed)
        return;
    if ((!known || !shows(reconfig, data)) && now < reconfig->deadline_ns) {
        env_timer_set(front->env, &reconfig->timer, now + 20 * NS_PER_MS);
        return;
    }
    struct buf *out = zk_answer_begin(&call);
    jute_put_block(out, data);
    bool whole = known && zk_put_stat(&rest, out);
    zk_answer_end(&call, whole ? TREE_OK : TREE_SYSTEM);
    zk_slot_answered(slot);
}

static void on_timer(struct env_timer *timer) {
    show(container_of(timer, struct zk_reconfig, timer));
}

/* ---- step by step ---- */

static void go_on(struct zk_reconfig *reconfig);

static int32_t error_of(struct bytes text) {
    return text.len >= 4 && memcmp(text.data, "BUSY", 4) == 0 ? TREE_RECONFIG_IN_PROGRESS
                                                              : TREE_NEW_CONFIG_NO_QUORUM;
}

static void step_done(void *context, enum cairn_status status, struct bytes reply) {
    struct zk_reconfig *reconfig = context;
    struct reader reader = reader_of(reply);
    struct reply_value value;
    if (reconfig->slot->conn->closed)
        return;
    if (status != CAIRN_OK || !reply_next(&reader, &value)) {
        zk_conn_lose(reconfig->slot->conn);
        return;
    }
    if (value.kind == REPLY_ERROR) {
        fail(reconfig->slot, error_of(value.text));
        return;
    }
    reconfig->next++;
    go_on(reconfig);
}

static void told(void *context, enum cairn_status status, struct bytes reply) {}

/* Where the new server's clients will find it, known before it is a member. */
static void tell_clients(struct zk_conn *conn, const struct step *step) {
    struct buf *command = &conn->front->command;
    if (step->clients[0] == 0)
        return;
    buf_clear(command);
    tree_put_head(command, TREE_OP_SERVER, &(struct tree_caller){0});
    tree_put_server(command, step->id, bytes_cstr(step->clients));
    if (node_execute(&conn->client, buf_view(command), told, NULL) != CAIRN_OK)
        zk_conn_lose(conn);
}

static void go_on(struct zk_reconfig *reconfig) {
    struct zk_conn *conn = reconfig->slot->conn;
    if (reconfig->next == reconfig->count) {
        reconfig->deadline_ns = env_now(conn->front->env) + SHOWN_WITHIN_NS;
        show(reconfig);
        return;
    }
    const struct step *step = &reconfig->steps[reconfig->next];
    tell_clients(conn, step);
    if (node_operate(&conn->client, step->operation, step->id, step->address, step_done,
                     reconfig) != CAIRN_OK)
        zk_conn_lose(conn);
    env_wake(conn->front->env);
}

/* The version in the text, which is that of the change that made it. */
static bool version_is(struct bytes data, int64_t wanted) {
    const char *at = memmem(data.data, data.len, "version=", 8);
    char text[24] = {0};
    if (at == NULL)
        return false;
    size_t len = data.len - (size_t)((const uint8_t *)at - data.data) - 8;
    memcpy(text, at + 8, len < sizeof text - 1 ? len : sizeof text - 1);
    return strtoull(text, NULL, 16) == (uint64_t)wanted;
}

/* Of /zookeeper/config, as far as it is known; -1 is any. */
static bool version_fits(struct zookeeper_front *front, int64_t version) {
    struct bytes data;
    struct reader rest;
    uint64_t zxid;
    return version == -1 || !zk_config_read(front, &data, &rest, &zxid) ||
           version_is(data, version);
}

static void rights_known(void *context, enum cairn_status status, struct bytes bytes) {
    struct zk_reconfig *reconfig = context;
    struct zk_slot *slot = reconfig->slot;
    struct zk_reply reply;
    if (slot->conn->closed)
        return;
    if (status != CAIRN_OK || !zk_reply_take(bytes, &reply)) {
        zk_conn_lose(slot->conn);
        return;
    }
    if (reply.error != TREE_BAD_VERSION) {
        fail(slot, reply.error == TREE_OK ? TREE_SYSTEM : reply.error);
        return;
    }
    if (!version_fits(slot->conn->front, reconfig->version)) /* changed in the meantime */
        fail(slot, TREE_BAD_VERSION);
    else
        go_on(reconfig);
}

/* Whether the caller may write the configuration: the tree knows. */
static void ask_rights(struct zk_reconfig *reconfig) {
    struct zk_conn *conn = reconfig->slot->conn;
    struct buf *command = zk_query(conn, TREE_OP_SET_DATA);
    tree_put_set_data(command, NO_SUCH_VERSION, BYTES(ZK_CONFIG_PATH), BYTES(""));
    if (node_execute(&conn->client, buf_view(command), rights_known, reconfig) != CAIRN_OK)
        zk_conn_lose(conn);
    env_wake(conn->front->env);
}

void zk_run_reconfig(struct zk_call *call) {
    struct zk_slot *slot = call->slot;
    struct zookeeper_front *front = call->conn->front;
    struct jute_reconfig asked;
    if (!jute_take_reconfig(&call->body, &asked)) {
        fail(slot, TREE_MARSHALLING);
        return;
    }
    if (!front->options.reconfig) {
        fail(slot, TREE_RECONFIG_DISABLED);
        return;
    }
    if (!version_fits(front,
                      asked.version)) { /* before any right is asked for, as ZooKeeper does */
        fail(slot, TREE_BAD_VERSION);
        return;
    }
    slot->reconfig = cairn_alloc_zero(sizeof *slot->reconfig);
    slot->reconfig->slot = slot;
    slot->reconfig->timer.fire = on_timer;
    int32_t error = plan(slot->reconfig, front, &asked);
    if (error != TREE_OK)
        fail(slot, error);
    else
        ask_rights(slot->reconfig);
}
