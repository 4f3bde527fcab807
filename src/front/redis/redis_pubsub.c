/* Publish and subscribe: a publication is a machine command, so every node sees it at the same
 * place in the log and hands it to its own subscribers. The number of receivers that PUBLISH
 * answers is of the node that was asked, as in a Redis cluster. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/glob.h"

/* A subscriber that does not read is closed when this much waits for it. */
#define SUBSCRIBER_OUTPUT_MAX (32u << 20)
#define NAME_SEED 7

static bool name_matches(const struct hnode *node, const void *key) {
    const struct subscription *subscription = container_of(node, struct subscription, by_name);
    return bytes_equal(blob_view(subscription->name), *(const struct bytes *)key);
}

static struct subscription *find_in(const struct hmap *names, struct bytes name) {
    struct hnode *node = hmap_find(names, bytes_hash(name, NAME_SEED), name_matches, &name);
    return node == NULL ? NULL : container_of(node, struct subscription, by_name);
}

static struct subscription *find_channel(struct redis_front *front, struct bytes name) {
    return find_in(&front->channels, name);
}

static struct subscription *find_pattern(struct redis_front *front, struct bytes name) {
    return find_in(&front->pattern_names, name);
}

static struct subscription *subscription_new(struct redis_front *front, struct bytes name,
                                             bool pattern) {
    struct subscription *subscription = cairn_alloc_zero(sizeof *subscription);
    subscription->name = blob_from(name);
    subscription->pattern = pattern;
    list_init(&subscription->members);
    list_init(&subscription->patterns);
    if (pattern)
        list_push(&front->patterns, &subscription->patterns);
    hmap_insert(pattern ? &front->pattern_names : &front->channels, &subscription->by_name,
                bytes_hash(name, NAME_SEED));
    return subscription;
}

static void subscription_free(struct redis_front *front, struct subscription *subscription) {
    list_remove(&subscription->patterns);
    hmap_remove(subscription->pattern ? &front->pattern_names : &front->channels,
                &subscription->by_name);
    blob_unref(subscription->name);
    cairn_free(subscription);
}

/* ---- subscriptions ---- */

struct pair {
    const struct conn *conn;
    const struct subscription *subscription;
};

static uint64_t pair_hash(const struct pair *pair) {
    return hash_u64((uint64_t)(uintptr_t)pair->conn ^
                    hash_u64((uint64_t)(uintptr_t)pair->subscription));
}

static bool pair_matches(const struct hnode *node, const void *key) {
    const struct membership *member = container_of(node, struct membership, by_pair);
    const struct pair *pair = key;
    return member->conn == pair->conn && member->subscription == pair->subscription;
}

static struct membership *membership_of(const struct conn *conn,
                                        const struct subscription *subscription) {
    struct pair pair = {conn, subscription};
    struct hnode *node =
        hmap_find(&conn->front->memberships, pair_hash(&pair), pair_matches, &pair);
    return node == NULL ? NULL : container_of(node, struct membership, by_pair);
}

static void join(struct conn *conn, struct bytes name, bool pattern) {
    struct redis_front *front = conn->front;
    struct subscription *subscription =
        pattern ? find_pattern(front, name) : find_channel(front, name);
    if (subscription == NULL)
        subscription = subscription_new(front, name, pattern);
    else if (membership_of(conn, subscription) != NULL)
        return;
    struct membership *member = cairn_alloc_zero(sizeof *member);
    member->conn = conn;
    member->subscription = subscription;
    list_push(&subscription->members, &member->of_subscription);
    list_push(&conn->subscriptions, &member->of_conn);
    hmap_insert(&front->memberships, &member->by_pair,
                pair_hash(&(struct pair){conn, subscription}));
    subscription->count++;
    name_added(conn, name.len);
    if (pattern)
        conn->pattern_count++;
    else
        conn->channel_count++;
}

static void leave(struct membership *member) {
    struct subscription *subscription = member->subscription;
    struct conn *conn = member->conn;
    list_remove(&member->of_subscription);
    list_remove(&member->of_conn);
    hmap_remove(&conn->front->memberships, &member->by_pair);
    if (subscription->pattern)
        conn->pattern_count--;
    else
        conn->channel_count--;
    name_removed(conn, subscription->name->len);
    if (--subscription->count == 0)
        subscription_free(conn->front, subscription);
    cairn_free(member);
}

void pubsub_leave_all(struct conn *conn) {
    LIST_EACH_SAFE(item, &conn->subscriptions)
    leave(container_of(item, struct membership, of_conn));
}

void pubsub_close(struct redis_front *front) {
    cairn_assert(front->channels.count == 0 && list_empty(&front->patterns));
    cairn_assert(front->memberships.count == 0);
    hmap_free(&front->channels);
    hmap_free(&front->pattern_names);
    hmap_free(&front->memberships);
}

/* ---- the commands ---- */

static void put_confirmation(struct call *call, const char *kind, const struct bytes *name) {
    const struct conn *conn = call->conn;
    resp_put_push(call->out, conn->protocol, 3);
    resp_put_cstr(call->out, kind);
    if (name != NULL)
        resp_put_bulk(call->out, *name);
    else
        resp_put_nil(call->out, conn->protocol);
    resp_put_int(call->out, conn->channel_count + conn->pattern_count);
}

static void subscribe(struct call *call, const char *kind, bool pattern) {
    if (call->conn->channel_count + call->conn->pattern_count + call->argc - 1 > NAMES_MAX) {
        resp_put_error(call->out, "ERR a client may listen to 100000 channels and patterns");
        return;
    }
    call->holds_pushes = true;
    for (size_t i = 1; i < call->argc; i++) {
        join(call->conn, call->args[i], pattern);
        put_confirmation(call, kind, &call->args[i]);
    }
}

static void leave_every(struct call *call, const char *kind, bool pattern) {
    bool any = false;
    LIST_EACH_SAFE(item, &call->conn->subscriptions) {
        struct membership *member = container_of(item, struct membership, of_conn);
        if (member->subscription->pattern != pattern)
            continue;
        struct blob *name = blob_ref(member->subscription->name);
        struct bytes text = blob_view(name);
        leave(member);
        put_confirmation(call, kind, &text);
        blob_unref(name);
        any = true;
    }
    if (!any)
        put_confirmation(call, kind, NULL);
}

static void unsubscribe(struct call *call, const char *kind, bool pattern) {
    call->holds_pushes = true;
    if (call->argc == 1)
        leave_every(call, kind, pattern);
    for (size_t i = 1; i < call->argc; i++) {
        struct subscription *subscription = pattern
                                                ? find_pattern(call->conn->front, call->args[i])
                                                : find_channel(call->conn->front, call->args[i]);
        struct membership *member = subscription ? membership_of(call->conn, subscription) : NULL;
        if (member != NULL)
            leave(member);
        put_confirmation(call, kind, &call->args[i]);
    }
}

void cmd_subscribe(struct call *call) {
    subscribe(call, "subscribe", false);
}

void cmd_psubscribe(struct call *call) {
    subscribe(call, "psubscribe", true);
}

void cmd_unsubscribe(struct call *call) {
    unsubscribe(call, "unsubscribe", false);
}

void cmd_punsubscribe(struct call *call) {
    unsubscribe(call, "punsubscribe", true);
}

/* ---- publications ---- */

size_t pubsub_receivers(struct redis_front *front, struct bytes channel) {
    const struct subscription *exact = find_channel(front, channel);
    size_t count = exact ? exact->count : 0;
    LIST_EACH(item, &front->patterns) {
        const struct subscription *pattern = container_of(item, struct subscription, patterns);
        if (glob_match(blob_view(pattern->name), channel, false))
            count += pattern->count;
    }
    return count;
}

void pubsub_look(struct conn *conn) {
    if (conn->channel_count + conn->pattern_count > 0 && conn->counted > SUBSCRIBER_OUTPUT_MAX &&
        !conn_reads(conn))
        conn_evict(conn, "it subscribed, and does not read");
}

/* What this turn gathered goes to the kernel before it is held against the client. */
static bool takes_more(struct conn *conn) {
    if (conn->closing)
        return false;
    if (conn->counted > SUBSCRIBER_OUTPUT_MAX)
        conn_write(conn);
    pubsub_look(conn);
    return !conn->closing;
}

/* What goes before the message. */
static void put_head(const struct conn *conn, const struct subscription *subscription,
                     struct bytes channel, struct buf *out) {
    resp_put_push(out, conn->protocol, subscription->pattern ? 4 : 3);
    resp_put_cstr(out, subscription->pattern ? "pmessage" : "message");
    if (subscription->pattern)
        resp_put_bulk(out, blob_view(subscription->name));
    resp_put_bulk(out, channel);
}

/* publication: of the change when it is long; NULL: it is not. */
static void deliver(const struct subscription *subscription, const struct change *change,
                    struct publication *publication) {
    LIST_EACH(item, &subscription->members) {
        struct conn *conn = container_of(item, struct membership, of_subscription)->conn;
        if (!takes_more(conn) || !conn_make_room(conn, change->value.len))
            continue;
        struct buf head = {0}, *out = publication ? &head : push_begin(conn);
        size_t len_before = out->len;
        put_head(conn, subscription, change->key, out);
        if (publication != NULL) {
            publication_push(conn, publication, out);
        } else {
            resp_put_bulk(out, change->value);
            push_end(conn, out, len_before);
        }
    }
}

void redis_front_change(struct redis_front *front, const struct change *change) {
    if (change->kind != CHANGE_PUBLISH)
        return;
    struct publication *publication = publication_take(front, change);
    const struct subscription *exact = find_channel(front, change->key);
    if (exact != NULL)
        deliver(exact, change, publication);
    LIST_EACH(item, &front->patterns) {
        const struct subscription *pattern = container_of(item, struct subscription, patterns);
        if (glob_match(blob_view(pattern->name), change->key, false))
            deliver(pattern, change, publication);
    }
    publication_unref(publication);
}

static void publish_finish(struct slot *slot, enum cairn_status status, struct bytes reply,
                           struct buf *out) {
    if (status != CAIRN_OK)
        resp_put_error(out, status_error(status));
    else
        resp_put_int(out, (int64_t)pubsub_receivers(slot->conn->front, buf_view(&slot->memo)));
}

void cmd_publish(struct call *call) {
    struct buf channel = {0};
    buf_bytes(&channel, call->args[1]);
    struct command_part part =
        conn_command(call->conn, call->command->opcode, call->args + 1, call->argc - 1);
    struct slot *slot = exec_parts(call, &part, 1, publish_finish);
    if (slot != NULL)
        slot->memo = channel;
    else
        buf_free(&channel);
}

/* ---- PUBSUB ---- */

static void list_channels(struct call *call) {
    struct redis_front *front = call->conn->front;
    struct buf names = {0};
    size_t count = 0;
    for (struct hnode *node = hmap_next(&front->channels, NULL); node != NULL;
         node = hmap_next(&front->channels, node)) {
        struct bytes name = blob_view(container_of(node, struct subscription, by_name)->name);
        if (call->argc == 3 && !glob_match(call->args[2], name, false))
            continue;
        resp_put_bulk(&names, name);
        count++;
    }
    resp_put_array(call->out, count);
    buf_bytes(call->out, buf_view(&names));
    buf_free(&names);
}

static void number_of_subscribers(struct call *call) {
    resp_put_map(call->out, 2, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const struct subscription *channel = find_channel(call->conn->front, call->args[i]);
        resp_put_bulk(call->out, call->args[i]);
        resp_put_int(call->out, channel ? (int64_t)channel->count : 0);
    }
}

static void number_of_patterns(struct call *call) {
    resp_put_int(call->out, (int64_t)call->conn->front->pattern_names.count);
}

/* There are no sharded channels, so there are no subscribers to any. */
static void number_of_none(struct call *call) {
    resp_put_map(call->out, 2, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        resp_put_bulk(call->out, call->args[i]);
        resp_put_int(call->out, 0);
    }
}

static void unknown_or_arity(struct call *call) {
    struct buf text = {0};
    buf_printf(
        &text, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB HELP.",
        call->args[1].len < 128 ? (int)call->args[1].len : 128, (const char *)call->args[1].data);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

void cmd_pubsub(struct call *call) {
    static const char *const help[] = {"CHANNELS [<pattern>]",
                                       "    The channels with subscribers on this node.",
                                       "NUMPAT",
                                       "    The number of patterns subscribed to on this node.",
                                       "NUMSUB [<channel> ...]",
                                       "    The number of subscribers on this node, by channel.",
                                       "SHARDCHANNELS [<pattern>]",
                                       "    None: sharded channels are not supported.",
                                       "HELP",
                                       "    Print this help."};
    if (arg_is(call, 1, "CHANNELS") && call->argc <= 3)
        list_channels(call);
    else if (arg_is(call, 1, "NUMSUB"))
        number_of_subscribers(call);
    else if (arg_is(call, 1, "NUMPAT") && call->argc == 2)
        number_of_patterns(call);
    else if (arg_is(call, 1, "SHARDCHANNELS") && call->argc <= 3)
        resp_put_array(call->out, 0);
    else if (arg_is(call, 1, "SHARDNUMSUB"))
        number_of_none(call);
    else if (arg_is(call, 1, "HELP"))
        reply_help(call, help, sizeof help / sizeof *help);
    else
        unknown_or_arity(call);
}
