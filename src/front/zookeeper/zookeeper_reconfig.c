/* Members changed by clients: checked as ZooKeeper does, carried out by the node as one change, all
 * or nothing, and answered with /zookeeper/config once that shows it. */
#include "front/zookeeper/zookeeper_internal.h"
#include "front/zookeeper/zookeeper_server.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_WITHIN_NS (10000 * NS_PER_MS)
#define NO_SUCH_VERSION                                                      \
    INT32_MIN /* of a node: a write with it tells rights and changes nothing \
               */

struct zk_reconfig {
    struct zk_slot *slot;
    int64_t version; /* that the client expects; -1: any */
    struct wishes wishes;
    struct zk_server servers[WISHES_MAX]; /* that join, or stay, as asked */
    uint32_t server_count;
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

static bool join_one(struct zk_reconfig *reconfig, struct bytes text) {
    struct zk_server *server = &reconfig->servers[reconfig->server_count];
    if (reconfig->server_count == WISHES_MAX || !zk_server_parse(text, server))
        return false;
    reconfig->server_count++;
    return wishes_add(&reconfig->wishes, server->id, server->voter ? WISH_VOTER : WISH_LEARNER,
                      bytes_cstr(server->address)) == CAIRN_OK;
}

static bool leave_one(struct zk_reconfig *reconfig, struct bytes text) {
    uint64_t id;
    return zk_server_id_parse(text, &id) &&
           wishes_add(&reconfig->wishes, id, WISH_GONE, bytes_of(NULL, 0)) == CAIRN_OK;
}

/* Calls each for every part between commas or line ends, but for the version's line. */
typedef bool each_part(struct zk_reconfig *reconfig, struct bytes part);
static bool for_parts(struct zk_reconfig *reconfig, struct bytes list, each_part *each) {
    struct bytes part;
    while (zk_server_part(&list, &part))
        if (!each(reconfig, part))
            return false;
    return true;
}

/* All members at once: one that is not named leaves. */
static bool replace_all(struct zk_reconfig *reconfig, const struct config *config,
                        struct bytes members) {
    if (!for_parts(reconfig, members, join_one) || reconfig->server_count == 0)
        return false;
    for (uint32_t i = 0; i < config->count; i++)
        if (wishes_find(&reconfig->wishes, config->members[i].id) == NULL &&
            wishes_add(&reconfig->wishes, config->members[i].id, WISH_GONE, bytes_of(NULL, 0)) !=
                CAIRN_OK)
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
                    : for_parts(reconfig, asked->joining, join_one) &&
                          for_parts(reconfig, asked->leaving, leave_one);
    reconfig->version = asked->version;
    return fine && reconfig->wishes.count > 0 ? TREE_OK : TREE_BAD_ARGUMENTS;
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

/* The server as the text has it; false: it has it not. */
static bool shown_server(struct bytes text, uint64_t id, struct zk_server *server) {
    struct bytes part;
    while (zk_server_part(&text, &part))
        if (zk_server_parse(part, server) && server->id == id)
            return true;
    return false;
}

static bool shows(const struct zk_reconfig *reconfig, struct bytes text) {
    struct zk_server shown;
    for (uint32_t i = 0; i < reconfig->wishes.count; i++) {
        const struct wish *wish = &reconfig->wishes.items[i];
        bool there = shown_server(text, wish->id, &shown);
        if (there == (wish->role == WISH_GONE))
            return false;
        if (there && (shown.voter != (wish->role == WISH_VOTER) ||
                      strcmp(shown.address, wish->address) != 0))
            return false;
    }
    for (uint32_t i = 0; i < reconfig->server_count; i++) {
        const struct zk_server *asked = &reconfig->servers[i];
        if (asked->clients[0] != 0 &&
            (!shown_server(text, asked->id, &shown) || strcmp(shown.clients, asked->clients) != 0))
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

/* ---- the change ---- */

static void told(void *context, enum cairn_status status, struct bytes reply) {}

/* Where the servers' clients find them, as the client said. */
static void tell_clients(struct zk_reconfig *reconfig) {
    struct zk_conn *conn = reconfig->slot->conn;
    struct buf *command = &conn->front->command;
    char word[2 * CONFIG_ADDRESS_MAX];
    for (uint32_t i = 0; i < reconfig->server_count && !conn->closed; i++) {
        const struct zk_server *server = &reconfig->servers[i];
        if (server->clients[0] == 0)
            continue;
        zk_server_word(server, word, sizeof word);
        buf_clear(command);
        tree_put_head(command, TREE_OP_SERVER, &(struct tree_caller){0});
        tree_put_server(command, server->id, bytes_cstr(word));
        if (node_execute(&conn->client, buf_view(command), told, NULL) != CAIRN_OK)
            zk_conn_lose(conn);
    }
}

static bool begins(struct bytes text, const char *with) {
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

/* OK: it is as asked, and is to be shown. A word that says neither yes nor no ends the connection,
 * as ZooKeeper's does when its fate is unknown. */
static void changed(void *context, enum cairn_status status, struct bytes reply) {
    struct zk_reconfig *reconfig = context;
    struct reader reader = reader_of(reply);
    struct reply_value value;
    bool already = status == CAIRN_EXISTS || status == CAIRN_NOT_FOUND;
    if (reconfig->slot->conn->closed)
        return;
    if (!already && (status != CAIRN_OK || !reply_next(&reader, &value))) {
        zk_conn_lose(reconfig->slot->conn);
        return;
    }
    if (already || value.kind != REPLY_ERROR) {
        tell_clients(reconfig);
        reconfig->deadline_ns = env_now(reconfig->slot->conn->front->env) + SHOWN_WITHIN_NS;
        if (!reconfig->slot->conn->closed)
            show(reconfig);
    } else if (begins(value.text, "UNDERWAY") || begins(value.text, "UNKNOWN")) {
        zk_conn_lose(reconfig->slot->conn);
    } else if (begins(value.text, "BUSY")) {
        fail(reconfig->slot, TREE_RECONFIG_IN_PROGRESS);
    } else {
        fail(reconfig->slot, TREE_NEW_CONFIG_NO_QUORUM);
    }
}

static void go_on(struct zk_reconfig *reconfig) {
    struct zk_conn *conn = reconfig->slot->conn;
    if (node_change_members(&conn->client, &reconfig->wishes, changed, reconfig) != CAIRN_OK)
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
