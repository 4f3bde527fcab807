/* What clients ask: registers, ephemerals as locks, a queue of sequential nodes, transactions. */
#include "workload/zk_internal.h"

#include <stdio.h>
#include <string.h>

enum { MODE_EPHEMERAL = 1, MODE_SEQUENTIAL = 2, MODE_EPHEMERAL_SEQUENTIAL = 3, MODE_TTL = 5 };

static uint64_t token(struct zk_client *client) {
    return (uint64_t)client->number << 32 | ++client->next_token;
}

static uint32_t key(struct zk_client *client) {
    return (uint32_t)prng_below(&client->prng, client->workload->options.keys);
}

/* A number stands for the # of the pattern. */
static struct zk_part *part_add(struct zk_op *op, enum zk_action action, const char *pattern,
                                uint32_t number) {
    struct zk_part *part = &op->parts[op->part_count++];
    part->action = action;
    part->version = -1;
    size_t len = strcspn(pattern, "#");
    if (pattern[len] == '#')
        snprintf(part->path, sizeof part->path, "%.*s%u", (int)len, pattern, number);
    else
        snprintf(part->path, sizeof part->path, "%s", pattern);
    return part;
}

static void ask(struct zk_client *client, struct zk_op *op) {
    struct buf frame = {0};
    bool read =
        op->part_count == 1 && op->parts[0].action >= ZK_GET && op->parts[0].action <= ZK_CHILDREN;
    if (read && client->sync_ns != 0) {
        op->synced = true;
        op->sign_ns = client->sync_ns;
    }
    client->sync_ns = 0;
    op->final = client->workload->finishing;
    zk_request(client, op, &frame);
    buf_free(&frame);
}

/* A version that may be the present one, or any. */
static int32_t some_version(struct zk_client *client) {
    return prng_chance(&client->prng, 1, 2) ? -1 : (int32_t)prng_below(&client->prng, 5);
}

static void choose_register(struct zk_client *client, struct zk_op *op) {
    static const enum zk_action actions[] = {ZK_GET, ZK_GET,    ZK_GET,    ZK_SET,    ZK_SET,
                                             ZK_SET, ZK_CREATE, ZK_CREATE, ZK_DELETE, ZK_EXISTS};
    enum zk_action action = actions[prng_below(&client->prng, sizeof actions / sizeof *actions)];
    struct zk_part *part = part_add(op, action, "/r#", key(client));
    if (action == ZK_SET || action == ZK_DELETE)
        part->version = some_version(client);
    if (action == ZK_SET || action == ZK_CREATE)
        part->token = token(client);
    op->watch = (action == ZK_GET || action == ZK_EXISTS) && prng_chance(&client->prng, 1, 2);
}

static void choose_lock(struct zk_client *client, struct zk_op *op) {
    static const enum zk_action actions[] = {ZK_CREATE, ZK_CREATE, ZK_EXISTS, ZK_DELETE};
    enum zk_action action = actions[prng_below(&client->prng, 4)];
    struct zk_part *part = part_add(op, action, "/e#", key(client));
    part->token = action == ZK_CREATE ? token(client) : 0;
    part->mode = MODE_EPHEMERAL;
    op->watch = action == ZK_EXISTS;
}

static void choose_queue(struct zk_client *client, struct zk_op *op) {
    uint64_t draw = prng_below(&client->prng, 8);
    if (draw < 3) {
        struct zk_part *part = part_add(op, ZK_CREATE, "/q/n-", 0);
        part->mode = prng_chance(&client->prng, 1, 2) ? MODE_SEQUENTIAL : MODE_EPHEMERAL_SEQUENTIAL;
        part->token = token(client);
    } else if (draw < 5) {
        part_add(op, ZK_CHILDREN, "/q", 0);
        op->watch = prng_chance(&client->prng, 1, 2);
    } else if (draw < 7 && client->queue[0][0] != 0) {
        part_add(op, ZK_DELETE, client->queue[prng_below(&client->prng, ZK_SEEN_MAX)], 0);
    } else {
        part_add(op, ZK_CREATE, "/q", 0)->token = token(client);
    }
}

static void choose_transaction(struct zk_client *client, struct zk_op *op) {
    uint32_t a = key(client), b = key(client);
    switch (prng_below(&client->prng, 4)) {
    case 0:
        part_add(op, ZK_CHECK, "/r#", a)->version = (int32_t)prng_below(&client->prng, 4);
        part_add(op, ZK_SET, "/r#", b)->token = token(client);
        break;
    case 1:
        part_add(op, ZK_SET, "/r#", a)->token = token(client);
        if (b != a) /* each path changes once, so that what changed tells its version */
            part_add(op, ZK_SET, "/r#", b)->token = token(client);
        part_add(op, ZK_CREATE, "/e#", b)->token = token(client);
        op->parts[op->part_count - 1].mode = MODE_EPHEMERAL;
        break;
    case 2: /* there and away again: nothing stays, and watches see both */
        part_add(op, ZK_CREATE, "/t#", a)->token = token(client);
        part_add(op, ZK_SET, "/r#", b)->token = token(client);
        part_add(op, ZK_DELETE, "/t#", a);
        break;
    default:
        part_add(op, ZK_DELETE, "/r#", a);
        part_add(op, ZK_CREATE, "/r#", a)->token = token(client);
    }
}

static void choose_other(struct zk_client *client, struct zk_op *op) {
    uint64_t draw = prng_below(&client->prng, 8);
    if (draw < 3) {
        part_add(op, ZK_ADD_WATCH,
                 draw == 0   ? "/"
                 : draw == 1 ? "/q"
                             : "/r0",
                 0)
            ->mode = draw == 0 || prng_chance(&client->prng, 1, 2);
    } else if (draw < 6) {
        struct zk_part *part = part_add(op, ZK_CREATE, "/t#", key(client));
        part->mode = MODE_TTL;
        part->token = token(client);
    } else if (draw == 6) {
        part_add(op, ZK_EXISTS, "/t#", key(client));
        op->watch = true;
    } else {
        part_add(op, ZK_CLOSE, "", 0);
        client->closing = true;
    }
}

/* False: nothing of that kind is among this run's habits. */
static bool choose_by_habit(struct zk_client *client, struct zk_op *op) {
    bool sets = zk_has_habit(client, ZK_HABIT_TTL_SET);
    bool watches = zk_has_habit(client, ZK_HABIT_LEAF_WATCH);
    if ((!sets && !watches) || !prng_chance(&client->prng, 1, 4))
        return false;
    if (watches && (!sets || prng_chance(&client->prng, 1, 2))) {
        part_add(op, ZK_CHILDREN, prng_chance(&client->prng, 1, 2) ? "/r#" : "/e#", key(client));
        op->watch = true;
        return true;
    }
    bool creates = prng_chance(&client->prng, 1, 3);
    struct zk_part *part = part_add(op, creates ? ZK_CREATE : ZK_SET, "/t#", key(client));
    part->mode = creates ? MODE_TTL : 0;
    part->token = token(client);
    return true;
}

static void remember_queue(struct zk_client *client) {
    const struct zk_workload *workload = client->workload;
    for (size_t i = workload->count; i > 0 && i + 50 > workload->count; i--) {
        const struct zk_op *op = &workload->ops[i - 1];
        if (op->client != client->number || op->children == NULL ||
            strcmp(op->parts[0].path, "/q") != 0)
            continue;
        const char *at = op->children;
        memset(client->queue, 0, sizeof client->queue);
        for (size_t n = 0; n < ZK_SEEN_MAX; n++) {
            const char *end = strchr(at, '\n');
            if (end == NULL)
                at = op->children, end = strchr(at, '\n');
            if (end == NULL)
                return;
            snprintf(client->queue[n], sizeof client->queue[n], "/q/%.*s", (int)(end - at), at);
            at = end + 1;
        }
        return;
    }
}

void zk_choose(struct zk_client *client) {
    struct zk_op op = {0};
    remember_queue(client);
    if (choose_by_habit(client, &op)) {
        ask(client, &op);
        return;
    }
    uint64_t draw = prng_below(&client->prng, 100);
    if (draw < 8) {
        part_add(&op, ZK_SYNC, "/r0", 0);
        uint64_t invoke = client->workload->options.now(client->workload->options.context);
        ask(client, &op);
        op = (struct zk_op){0};
        part_add(&op, ZK_GET, "/r#", key(client));
        client->sync_ns = invoke;
    } else if (draw < 45) {
        choose_register(client, &op);
    } else if (draw < 60) {
        choose_lock(client, &op);
    } else if (draw < 78) {
        choose_queue(client, &op);
    } else if (draw < 92) {
        choose_transaction(client, &op);
    } else {
        choose_other(client, &op);
    }
    ask(client, &op);
}

/* A write, a sync, then every path. The script begins anew on every connection. */
bool zk_script(struct zk_client *client) {
    struct zk_op op = {0};
    uint32_t keys = client->workload->options.keys, at = client->script_at++;
    if (at == 0) {
        struct zk_part *part = part_add(&op, ZK_CREATE, "/final-", 0);
        part->mode = MODE_EPHEMERAL_SEQUENTIAL;
        part->token = token(client);
    } else if (at == 1) {
        part_add(&op, ZK_SYNC, "/", 0);
    } else if (at == 2) {
        part_add(&op, ZK_CHILDREN, "/q", 0);
    } else if (at - 3 < 3 * keys) {
        static const char *const paths[] = {"/r#", "/e#", "/t#"};
        part_add(&op, ZK_GET, paths[(at - 3) / keys], (at - 3) % keys);
    } else {
        return false;
    }
    ask(client, &op);
    return true;
}
