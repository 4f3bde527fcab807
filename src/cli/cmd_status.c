/* cairn status: asks one node, finds the others from its answer, and tells of all. */
#include "cli/cli.h"
#include "wire/resp.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 1500
#define NODES_MAX 16

/* The node's status, parsed; NULL when it does not answer. */
static json_t *ask(const char *address) {
    struct call_reply reply;
    struct resp_value value;
    size_t used;
    json_t *status = NULL;
    call_command(address, PATIENCE_MS, (const char *const[]){"CAIRN.STATUS", NULL}, &reply);
    if (reply.status == CAIRN_OK &&
        resp_value_read(buf_view(&reply.value), &value, &used) == RESP_COMMAND &&
        value.kind == RESP_BULK)
        status = json_loadb((const char *)value.text.data, value.text.len, 0, NULL);
    buf_free(&reply.value);
    return status;
}

static json_int_t number(json_t *status, const char *key) {
    return json_integer_value(json_object_get(status, key));
}

static const char *text(json_t *status, const char *key) {
    const char *value = json_string_value(json_object_get(status, key));
    return value ? value : "?";
}

/* A member's Redis address is where its peer address is, 100 below: the default ports. A node
 * elsewhere is named by --node. */
static bool redis_address(json_t *member, char *out, size_t size) {
    const char *peer = text(member, "address");
    const char *colon = strrchr(peer, ':');
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;
    if (port <= 100)
        return false;
    snprintf(out, size, "%.*s:%ld", (int)(colon - peer), peer, port - 100);
    return true;
}

struct view {
    json_t *nodes[NODES_MAX];
    json_int_t ids[NODES_MAX];
    char roles[NODES_MAX][16];
    size_t count;
};

static void add_members(struct view *view, json_t *status) {
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(status, "members"), i, member) {
        char address[160];
        if (view->count == NODES_MAX)
            return;
        json_int_t id = number(member, "id");
        view->ids[view->count] = id;
        snprintf(view->roles[view->count], sizeof view->roles[0], "%s", text(member, "role"));
        json_t *node = NULL;
        if (id == number(status, "node"))
            node = json_incref(status);
        else if (redis_address(member, address, sizeof address))
            node = ask(address);
        if (node != NULL && number(node, "node") != id) {
            json_decref(node);
            node = NULL;
        }
        view->nodes[view->count++] = node;
    }
}

/* ---- keyspaces ---- */

/* What a node tells of one keyspace: its own, or, of a node that knows of one alone, all. NULL: it
 * did not answer, or has none of that name. */
static json_t *keyspace_of(json_t *node, const char *name) {
    size_t i;
    json_t *keyspace, *all = json_object_get(node, "keyspaces");
    if (node == NULL || json_array_size(all) == 0)
        return node;
    json_array_foreach(all, i,
                       keyspace) if (strcmp(text(keyspace, "name"), name) == 0) return keyspace;
    return NULL;
}

static json_t *leader_of(const struct view *view, const char *name) {
    for (size_t i = 0; i < view->count; i++) {
        json_t *keyspace = keyspace_of(view->nodes[i], name);
        if (keyspace != NULL && strcmp(text(keyspace, "role"), "leader") == 0)
            return keyspace;
    }
    return NULL;
}

static json_int_t lag_of(json_t *leader, json_int_t id) {
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(leader, "members"), i,
                       member) if (number(member, "id") == id &&
                                   json_object_get(member, "lag")) return number(member, "lag");
    return 0;
}

/* The names, as the first node that answers has them; a node of one keyspace alone: "kv". */
static json_t *keyspace_names(const struct view *view) {
    json_t *names = json_array(), *keyspace;
    size_t n;
    for (size_t i = 0; i < view->count && json_array_size(names) == 0; i++)
        json_array_foreach(json_object_get(view->nodes[i], "keyspaces"), n, keyspace)
            json_array_append_new(names, json_string(text(keyspace, "name")));
    if (json_array_size(names) == 0)
        json_array_append_new(names, json_string("kv"));
    return names;
}

static bool healthy(const struct view *view, json_t *names) {
    size_t n;
    json_t *name;
    for (size_t i = 0; i < view->count; i++)
        if (view->nodes[i] == NULL || strcmp(text(view->nodes[i], "health"), "ok") != 0)
            return false;
    json_array_foreach(names, n,
                       name) if (leader_of(view, json_string_value(name)) == NULL) return false;
    return true;
}

static void print_node(const struct view *view, size_t i, const char *name, json_t *leader) {
    json_t *node = keyspace_of(view->nodes[i], name);
    printf("%-5lld %-9s %-9s ", (long long)view->ids[i], name, view->roles[i]);
    if (node == NULL) {
        printf("%-14s %6s %12s %12s %12s %8s %10s  %s\n", "?", "", "", "", "", "", "",
               view->nodes[i] ? "has it not" : "no answer");
        return;
    }
    printf("%-14s %6lld %12lld %12lld %12lld %8lld %10lld  %s\n", text(node, "role"),
           (long long)number(node, "term"), (long long)number(node, "last_index"),
           (long long)number(node, "commit_index"), (long long)number(node, "applied_index"),
           (long long)lag_of(leader, view->ids[i]), (long long)number(node, "keys"),
           text(node, "health"));
}

/* One line a keyspace and node. */
static void print_table(const struct view *view, json_t *names) {
    size_t n;
    json_t *name;
    printf("%-5s %-9s %-9s %-14s %6s %12s %12s %12s %8s %10s  %s\n", "node", "keyspace", "member",
           "role", "term", "last", "commit", "applied", "lag", "keys", "health");
    json_array_foreach(names, n, name) {
        json_t *leader = leader_of(view, json_string_value(name));
        for (size_t i = 0; i < view->count; i++)
            print_node(view, i, json_string_value(name), leader);
    }
    json_array_foreach(names, n, name) if (leader_of(view, json_string_value(name)) == NULL)
        printf("No leader of %s.\n", json_string_value(name));
}

static void print_json(const struct view *view) {
    json_t *all = json_array();
    for (size_t i = 0; i < view->count; i++) {
        json_t *node = view->nodes[i] ? json_incref(view->nodes[i]) : json_object();
        if (view->nodes[i] == NULL) {
            json_object_set_new(node, "node", json_integer(view->ids[i]));
            json_object_set_new(node, "health", json_string("no answer"));
        }
        json_array_append_new(all, node);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

static int show(const char *address, bool json) {
    struct view view = {0};
    json_t *first = ask(address);
    if (first == NULL) {
        fprintf(stderr,
                "cairn status: no answer from %s (is it a Redis port of cairn? --node "
                "HOST:PORT names another)\n",
                call_address(address));
        return EXIT_NO;
    }
    add_members(&view, first);
    if (view.count == 0) { /* not let in yet: it knows of itself alone */
        view.ids[0] = number(first, "node");
        snprintf(view.roles[0], sizeof view.roles[0], "none");
        view.nodes[view.count++] = json_incref(first);
    }
    json_t *names = keyspace_names(&view);
    if (json)
        print_json(&view);
    else
        print_table(&view, names);
    int code = healthy(&view, names) ? EXIT_FINE : EXIT_NO;
    json_decref(names);
    for (size_t i = 0; i < view.count; i++)
        json_decref(view.nodes[i]);
    json_decref(first);
    return code;
}

int cmd_status(int argc, char **argv) {
    const char *node = NULL;
    bool json = false, watch = false;
    const struct flag flags[] = {
        {"node", FLAG_TEXT, &node}, {"json", FLAG_SWITCH, &json}, {"watch", FLAG_SWITCH, &watch}};
    if (!flags_parse(&argc, argv, flags, 3))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("status", "unexpected '%s'", argv[1]);
    if (!watch)
        return show(node, json);
    for (;;) {
        if (isatty(STDOUT_FILENO))
            printf("\033[H\033[J");
        show(node, json);
        fflush(stdout);
        sleep(1);
    }
}
