#include "cli/admin.h"

#include "base/alloc.h"
#include "cli/process_metrics.h"
#include "cli/token.h"
#include "core/reply.h"
#include "node/ask.h"
#include "wire/secret.h"

#include <jansson.h>
#include <string.h>

#define WORDS_MAX 4
#define NESTED_MAX 4
/* Questions behind a barrier, which anyone may ask, at a time; more are answered without it. */
#define UNTRUSTED_MAX 16u

struct admin {
    struct admin_parts parts;
    struct runtime_admin *server;
    char token[TOKEN_SIZE];
    struct list waiting; /* of struct waiting */
    unsigned untrusted;
    uint64_t refused; /* requests with a wrong token or none */
};

/* A request that the node is at. */
struct waiting {
    struct list list;
    struct admin *admin;
    struct runtime_visit *visit;
    struct node_client client;
    bool trusted;
};

static const struct admin_page pages[] = {
    {"/health", "GET", "ok, with status 200; or what stands in the way, with 503"},
    {"/status", "GET", "the node's state as JSON; fields below"},
    {"/metrics", "GET", "the same and more for Prometheus; below"},
    {"/member/list", "GET", "the members: id, address, voter or learner, leader or follower"},
    {"/member/status", "GET", "the change of members under way, and how the last ones ended"},
    {"/member/add/ID/HOST:PORT", "POST", "a new voter, or another role or address of a member"},
    {"/member/learner/ID/HOST:PORT", "POST", "the same, as a learner"},
    {"/member/move/ID/HOST:PORT", "POST", "the member's peer port is there now"},
    {"/member/promote/ID", "POST", "a learner votes"},
    {"/member/remove/ID", "POST", "no member any more"},
    {"/member/cancel", "POST", "the change of members under way is given up"},
    {"/leader/transfer, /leader/transfer/ID", "POST", "leadership goes to the best, or to ID"},
    {"/commands, /commands/NAME", "GET", "ZooKeeper's admin commands"},
};

const struct admin_page *admin_page_at(size_t n) {
    return n < sizeof pages / sizeof *pages ? &pages[n] : NULL;
}

/* ---- replies as JSON ---- */

static json_t *text_json(struct bytes text) {
    json_t *json = json_stringn((const char *)text.data, text.len);
    return json != NULL ? json : json_string("?"); /* no UTF-8 */
}

static json_t *value_json(struct reader *reader, int depth) {
    struct reply_value value;
    if (depth == NESTED_MAX || !reply_next(reader, &value))
        return json_null();
    switch (value.kind) {
    case REPLY_STATUS:
    case REPLY_ERROR:
    case REPLY_BULK:
        return text_json(value.text);
    case REPLY_INT:
        return json_integer(value.integer);
    case REPLY_ARRAY: {
        json_t *array = json_array();
        for (uint32_t i = 0; i < value.count && !reader->bad; i++)
            json_array_append_new(array, value_json(reader, depth + 1));
        return array;
    }
    default:
        return json_null();
    }
}

static void put_json(struct buf *out, const char *key, json_t *value) {
    json_t *object = json_object();
    json_object_set_new(object, key, value);
    char *text = json_dumps(object, JSON_COMPACT);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(object);
}

static void tell_error(struct runtime_answer *answer, unsigned status, const char *text) {
    answer->status = status;
    answer->content_type = "application/json";
    put_json(&answer->body, "error", json_string(text));
}

static void tell_reply(struct runtime_answer *answer, enum cairn_status status,
                       struct bytes reply) {
    struct reader reader = reader_of(reply), head = reader;
    struct reply_value value;
    if (status != CAIRN_OK) {
        tell_error(answer, status == CAIRN_INVALID ? 400 : 503, node_error_text(status));
        return;
    }
    bool error = !reply_next(&head, &value) || value.kind == REPLY_ERROR;
    answer->status = error ? 409 : 200;
    answer->content_type = "application/json";
    put_json(&answer->body, error ? "error" : "answer", value_json(&reader, 0));
}

/* ---- what the node is asked ---- */

static struct waiting *waiting_new(struct admin *admin, struct runtime_visit *visit, bool trusted) {
    struct waiting *waiting = cairn_alloc_zero(sizeof *waiting);
    waiting->admin = admin;
    waiting->visit = visit;
    waiting->trusted = trusted;
    admin->untrusted += !trusted;
    node_client_open(admin->parts.node, 0, &waiting->client);
    list_push(&admin->waiting, &waiting->list);
    return waiting;
}

static void waiting_free(struct waiting *waiting) {
    waiting->admin->untrusted -= !waiting->trusted;
    list_remove(&waiting->list);
    node_client_close(&waiting->client);
    cairn_free(waiting);
}

static void operated(void *context, enum cairn_status status, struct bytes reply) {
    struct waiting *waiting = context;
    struct runtime_answer answer = {0};
    tell_reply(&answer, status, reply);
    runtime_admin_answer(waiting->visit, &answer);
    waiting_free(waiting);
}

static void tell_changes(struct admin *admin, bool known, struct runtime_answer *answer) {
    struct buf reply = {0};
    node_members_status(admin->parts.node, known, &reply);
    tell_reply(answer, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}

static void changes_known(void *context, enum cairn_status status, struct bytes reply) {
    struct waiting *waiting = context;
    struct runtime_answer answer = {0};
    tell_changes(waiting->admin, status == CAIRN_OK, &answer);
    runtime_admin_answer(waiting->visit, &answer);
    waiting_free(waiting);
}

static void ask_changes(struct admin *admin, struct runtime_visit *visit,
                        struct runtime_answer *answer) {
    if (admin->untrusted < UNTRUSTED_MAX) {
        struct waiting *waiting = waiting_new(admin, visit, false);
        if (node_members_barrier(&waiting->client, changes_known, waiting) == CAIRN_OK)
            return;
        waiting_free(waiting);
    }
    tell_changes(admin, false, answer);
}

static void tell_members(struct admin *admin, struct runtime_answer *answer) {
    struct buf reply = {0};
    node_members_list(admin->parts.node, 0, &reply);
    tell_reply(answer, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}

static bool has_token(const struct admin *admin, const char *authorization) {
    static const char scheme[] = "Bearer ";
    size_t len = sizeof scheme - 1;
    return authorization != NULL && strncasecmp(authorization, scheme, len) == 0 &&
           secret_equal(bytes_cstr(authorization + len), bytes_cstr(admin->token));
}

/* One sentence for both, so that nothing is learned from it. */
static bool may_change(struct admin *admin, const struct runtime_question *question,
                       struct runtime_answer *answer) {
    if (strcmp(question->method, "POST") != 0) {
        answer->allow = "POST";
        tell_error(answer, 405, "ERR this changes something: POST, with the operators' token");
        return false;
    }
    if (has_token(admin, question->authorization))
        return true;
    admin->refused++;
    tell_error(answer, 401,
               "NOTOKEN this changes something and needs this node's token (admin.token_file, by "
               "default the file `token` in its data folder); nothing was done");
    return false;
}

static void operate(struct admin *admin, const struct node_ask *ask, struct runtime_visit *visit,
                    struct runtime_answer *answer) {
    struct waiting *waiting = waiting_new(admin, visit, true);
    answer->trusted = true;
    enum cairn_status status =
        node_operate(&waiting->client, ask->operation, ask->id, ask->address, operated, waiting);
    if (status == CAIRN_OK)
        return;
    waiting_free(waiting);
    tell_reply(answer, status, bytes_of(NULL, 0));
}

/* ---- pages ---- */

static bool only_asks(const struct runtime_question *question, struct runtime_answer *answer) {
    if (strcmp(question->method, "GET") == 0 || strcmp(question->method, "HEAD") == 0)
        return true;
    answer->allow = "GET, HEAD";
    tell_error(answer, 405, "ERR only GET and HEAD are served here");
    return false;
}

/* The path's parts are the words. */
static size_t split(const char *path, struct bytes words[WORDS_MAX + 1]) {
    size_t count = 0;
    while (*path == '/' && count <= WORDS_MAX) {
        size_t len = strcspn(++path, "/");
        words[count++] = bytes_of(path, len);
        path += len;
    }
    return count;
}

static void serve_operators(struct admin *admin, const struct runtime_question *question,
                            struct runtime_visit *visit, struct runtime_answer *answer) {
    struct bytes words[WORDS_MAX + 1];
    struct node_ask ask;
    const char *error = node_ask_parse(words, split(question->path, words), &ask);
    if (error != NULL)
        tell_error(answer, 400, error);
    else if (ask.kind == NODE_ASK_OPERATE && may_change(admin, question, answer))
        operate(admin, &ask, visit, answer);
    else if (ask.kind == NODE_ASK_MEMBERS && only_asks(question, answer))
        tell_members(admin, answer);
    else if (ask.kind == NODE_ASK_CHANGES && only_asks(question, answer))
        ask_changes(admin, visit, answer);
}

static void tell_metrics(const struct admin *admin, struct runtime_answer *answer) {
    const struct admin_parts *parts = &admin->parts;
    struct metrics metrics = metrics_to(&answer->body);
    answer->content_type = "text/plain; version=0.0.4";
    node_metrics(parts->node, &metrics);
    runtime_metrics(parts->runtime, &metrics);
    if (parts->redis != NULL)
        redis_front_metrics(parts->redis, &metrics);
    if (parts->zookeeper != NULL)
        zookeeper_front_metrics(parts->zookeeper, &metrics);
    metrics_put(&metrics, METRIC_ADMIN_REFUSED, NULL, admin->refused);
    metrics_put(&metrics, METRIC_BUILD, "version=\"" CAIRN_VERSION "\"", 1);
    process_metrics(node_get_options(parts->node)->folder, &metrics);
}

static bool is_below(const char *path, const char *prefix) {
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 && (path[len] == 0 || path[len] == '/');
}

static bool tell_command(const struct admin *admin, const char *path,
                         struct runtime_answer *answer) {
    if (!is_below(path, "/commands") || admin->parts.zookeeper == NULL)
        return false;
    const char *name = path + strlen("/commands");
    answer->content_type = "application/json";
    if (zookeeper_front_command(admin->parts.zookeeper, *name == '/' ? name + 1 : name,
                                &answer->body))
        return true;
    buf_clear(&answer->body);
    return false;
}

static void tell_none(struct runtime_answer *answer) {
    answer->status = 404;
    answer->content_type = "text/plain; charset=utf-8";
    buf_printf(&answer->body, "There is no such page. There are:\n");
    for (size_t i = 0; admin_page_at(i) != NULL; i++)
        buf_printf(&answer->body, "%-5s %s\n", pages[i].method, pages[i].path);
}

static void on_question(void *context, const struct runtime_question *question,
                        struct runtime_visit *visit, struct runtime_answer *answer) {
    struct admin *admin = context;
    const char *path = question->path;
    if (is_below(path, "/member") || is_below(path, "/leader")) {
        serve_operators(admin, question, visit, answer);
        return;
    }
    if (!only_asks(question, answer))
        return;
    answer->status = 200;
    if (strcmp(path, "/metrics") == 0) {
        tell_metrics(admin, answer);
    } else if (strcmp(path, "/status") == 0) {
        answer->content_type = "application/json";
        node_status_json(admin->parts.node, &answer->body);
    } else if (strcmp(path, "/health") == 0) {
        const char *health = node_health(admin->parts.node);
        buf_printf(&answer->body, "%s\n", health);
        answer->status = strcmp(health, "ok") == 0 ? 200 : 503;
    } else if (!tell_command(admin, path, answer)) {
        tell_none(answer);
    }
}

/* ---- life ---- */

enum cairn_status admin_open(const struct admin_parts *parts, const char *address,
                             const char *token, struct admin **out) {
    struct admin *admin = cairn_alloc_zero(sizeof *admin);
    admin->parts = *parts;
    list_init(&admin->waiting);
    admin_set_token(admin, token);
    enum cairn_status status =
        runtime_admin_open(parts->runtime, address, on_question, admin, &admin->server);
    if (status != CAIRN_OK)
        cairn_free(admin);
    else
        *out = admin;
    return status;
}

bool admin_set_token(struct admin *admin, const char *token) {
    if (strcmp(admin->token, token) == 0)
        return false;
    snprintf(admin->token, sizeof admin->token, "%s", token);
    return true;
}

void admin_close(struct admin *admin) {
    runtime_admin_close(admin->server);
    LIST_EACH_SAFE(item, &admin->waiting)
    waiting_free(container_of(item, struct waiting, list));
    cairn_free(admin);
}
