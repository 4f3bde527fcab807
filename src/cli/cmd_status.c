/* cairn status: asks the nodes that are known, finds the others from their answers, tells of all.
 */
#include "cli/ask.h"
#include "cli/cli.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES_MAX 16
#define ADMIN_ABOVE_PEER 100

static json_int_t number(json_t *status, const char *key) {
    return json_integer_value(json_object_get(status, key));
}

static const char *text(json_t *status, const char *key) {
    const char *value = json_string_value(json_object_get(status, key));
    return value ? value : "?";
}

/* A member's admin port is 100 above its peer port: the default ports. A node elsewhere is named by
 * --node. */
static bool admin_address(json_t *member, struct ask_node *node) {
    const char *peer = text(member, "address");
    const char *colon = strrchr(peer, ':');
    long port = colon ? strtol(colon + 1, NULL, 10) : 0;
    *node = (struct ask_node){.sure = true};
    if (port <= 0 || port + ADMIN_ABOVE_PEER > 65535)
        return false;
    snprintf(node->address, sizeof node->address, "%.*s:%ld", (int)(colon - peer), peer,
             port + ADMIN_ABOVE_PEER);
    return true;
}

struct view {
    json_t *nodes[NODES_MAX]; /* NULL: no answer */
    json_int_t ids[NODES_MAX];
    size_t count;
};

/* ---- keyspaces ---- */

/* What a node tells of one keyspace: its own, or, of a node that knows of one alone, all. NULL: it
 * did not answer, or has none of that name. */
static json_t *keyspace_of(json_t *node, const char *name) {
    size_t i;
    json_t *keyspace, *all = json_object_get(node, "keyspaces");
    if (node == NULL || json_array_size(all) == 0)
        return node;
    json_array_foreach(all, i, keyspace) {
        if (strcmp(text(keyspace, "name"), name) == 0)
            return keyspace;
    }
    return NULL;
}

static json_t *leader_of(const struct view *view, const char *name) {
    json_t *leader = NULL;
    for (size_t i = 0; i < view->count; i++) {
        json_t *keyspace = keyspace_of(view->nodes[i], name);
        if (keyspace != NULL && strcmp(text(keyspace, "role"), "leader") == 0 &&
            (leader == NULL || number(keyspace, "term") > number(leader, "term")))
            leader = keyspace;
    }
    return leader;
}

/* Its id, by its own word, or by that of its followers: its admin port may be the one thing that
 * can't be reached. 0: there is no leader. */
static json_int_t leader_id(const struct view *view, const char *name) {
    json_int_t term = -1, id = 0;
    for (size_t i = 0; i < view->count; i++) {
        json_t *keyspace = keyspace_of(view->nodes[i], name);
        if (keyspace != NULL && number(keyspace, "leader") != 0 &&
            number(keyspace, "term") > term) {
            term = number(keyspace, "term");
            id = number(keyspace, "leader");
        }
    }
    return id;
}

/* As the leader lists it; without one, as the node does that has applied most. */
static json_t *members_of(const struct view *view, const char *name) {
    json_t *best = leader_of(view, name);
    for (size_t i = 0; i < view->count && leader_of(view, name) == NULL; i++) {
        json_t *keyspace = keyspace_of(view->nodes[i], name);
        if (keyspace != NULL &&
            (best == NULL || number(keyspace, "applied_index") > number(best, "applied_index")))
            best = keyspace;
    }
    return json_object_get(best, "members");
}

static const char *role_of(const struct view *view, const char *name, json_int_t id) {
    size_t i;
    json_t *member;
    json_array_foreach(members_of(view, name), i, member) {
        if (number(member, "id") == id)
            return text(member, "role");
    }
    return "none";
}

/* ---- finding the nodes ---- */

static bool has(const struct view *view, json_int_t id) {
    for (size_t i = 0; i < view->count; i++)
        if (view->ids[i] == id)
            return true;
    return false;
}

static void add_node(struct view *view, json_int_t id, json_t *status) {
    size_t at = view->count++;
    for (; at > 0 && view->ids[at - 1] > id; at--) { /* by rising id */
        view->ids[at] = view->ids[at - 1];
        view->nodes[at] = view->nodes[at - 1];
    }
    view->ids[at] = id;
    view->nodes[at] = status;
}

static void add_member(struct view *view, json_t *member) {
    char why[300];
    struct ask_node at;
    json_int_t id = number(member, "id");
    if (view->count == NODES_MAX || has(view, id))
        return;
    json_t *node = admin_address(member, &at) ? ask_status(&at, why, sizeof why) : NULL;
    if (node != NULL && number(node, "node") != id) {
        json_decref(node);
        node = NULL;
    }
    add_node(view, id, node);
}

/* True when that brought any. A keyspace's members are listed by each node that answers. */
static bool add_members_of_all(struct view *view) {
    size_t before = view->count, k, m;
    json_t *keyspace, *member, *known[NODES_MAX];
    memcpy(known, view->nodes, sizeof known);
    for (size_t i = 0; i < before; i++) {
        json_array_foreach(json_object_get(known[i], "members"), m, member)
            add_member(view, member);
        json_array_foreach(json_object_get(known[i], "keyspaces"), k, keyspace) {
            json_array_foreach(json_object_get(keyspace, "members"), m, member)
                add_member(view, member);
        }
    }
    return view->count > before;
}

static json_int_t lag_of(json_t *leader, json_int_t id) {
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(leader, "members"), i, member) {
        if (number(member, "id") == id)
            return number(member, "lag");
    }
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

static bool is_well(const char *health) {
    return strcmp(health, "ok") == 0;
}

/* A removed node that answers is told of, and is no illness of the cluster. */
static bool healthy(const struct view *view, json_t *names) {
    size_t n;
    json_t *name;
    json_array_foreach(names, n, name) {
        const char *keyspace = json_string_value(name);
        if (leader_id(view, keyspace) == 0)
            return false;
        for (size_t i = 0; i < view->count; i++) {
            bool member = strcmp(role_of(view, keyspace, view->ids[i]), "none") != 0;
            json_t *node = keyspace_of(view->nodes[i], keyspace);
            if (member && (node == NULL || !is_well(text(node, "health"))))
                return false;
        }
    }
    return true;
}

static void print_node(const struct view *view, size_t i, const char *name, json_t *leader) {
    json_t *node = keyspace_of(view->nodes[i], name);
    bool leads = node == NULL && leader_id(view, name) == view->ids[i];
    printf("%-5lld %-9s %-9s ", (long long)view->ids[i], name, role_of(view, name, view->ids[i]));
    if (node == NULL) {
        printf("%-14s %6s %12s %12s %12s %8s %10s  %s\n", leads ? "leader" : "?", "", "", "", "",
               "", "", view->nodes[i] ? "has it not" : "no answer");
        return;
    }
    printf("%-14s %6lld %12lld %12lld %12lld %8lld %10lld  %s\n", text(node, "role"),
           (long long)number(node, "term"), (long long)number(node, "last_index"),
           (long long)number(node, "commit_index"), (long long)number(node, "applied_index"),
           (long long)lag_of(leader, view->ids[i]), (long long)number(node, "keys"),
           text(node, "health"));
}

/* The change of members under way, as the node knows it that has applied most. */
static void print_change(const struct view *view) {
    json_t *best = NULL;
    for (size_t i = 0; i < view->count; i++)
        if (view->nodes[i] != NULL && (best == NULL || number(view->nodes[i], "applied_index") >
                                                           number(best, "applied_index")))
            best = view->nodes[i];
    const char *change = json_string_value(json_object_get(best, "change"));
    if (change != NULL && change[0] != 0)
        printf("%s\n", change);
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
    json_array_foreach(names, n, name) {
        json_int_t id = leader_id(view, json_string_value(name));
        if (id == 0)
            printf("No leader of %s.\n", json_string_value(name));
        else if (leader_of(view, json_string_value(name)) == NULL)
            printf("The leader of %s, node %lld, does not answer; others follow it.\n",
                   json_string_value(name), (long long)id);
    }
    print_change(view);
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

/* Asks the nodes that are known; all of one cluster, that of the first that answers. */
static void find_first(struct view *view, struct ask_node *nodes, size_t count, char *why,
                       size_t why_size) {
    const char *cluster = NULL;
    why[0] = 0;
    for (size_t i = 0; i < count && view->count < NODES_MAX; i++) {
        char text_of_it[300];
        json_t *status = ask_status(&nodes[i], text_of_it, sizeof text_of_it);
        if (status == NULL && why[0] == 0)
            snprintf(why, why_size, "%s", text_of_it);
        if (status == NULL)
            continue;
        if (cluster == NULL)
            cluster = text(status, "cluster");
        if (strcmp(cluster, text(status, "cluster")) == 0 && !has(view, number(status, "node"))) {
            add_node(view, number(status, "node"), status);
            continue;
        }
        if (strcmp(cluster, text(status, "cluster")) != 0)
            fprintf(stderr, "cairn status: %s belongs to another cluster, %s\n", nodes[i].address,
                    text(status, "cluster_name"));
        json_decref(status);
    }
}

static int show(const struct ask_flags *flags, bool json) {
    struct view view = {0};
    struct ask_node nodes[ASK_NODES_MAX];
    char why[300];
    size_t count;
    if (!ask_nodes("status", flags, nodes, &count))
        return EXIT_MISUSE;
    find_first(&view, nodes, count, why, sizeof why);
    if (view.count == 0) {
        fprintf(stderr, "cairn status: %s%s\n", why,
                flags->node ? "" : " (--node HOST:PORT,... names others)");
        return EXIT_NO;
    }
    while (add_members_of_all(&view)) {
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
    return code;
}

int cmd_status(int argc, char **argv) {
    struct ask_flags asked = {0};
    bool json = false, watch = false;
    const struct flag flags[] = {{"node", FLAG_TEXT, &asked.node},
                                 {"dir", FLAG_TEXT, &asked.dir},
                                 {"json", FLAG_SWITCH, &json},
                                 {"watch", FLAG_SWITCH, &watch}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("status", "unexpected '%s'", argv[1]);
    if (!watch)
        return show(&asked, json);
    for (;;) {
        if (isatty(STDOUT_FILENO))
            printf("\033[H\033[J");
        if (show(&asked, json) == EXIT_MISUSE)
            return EXIT_MISUSE;
        fflush(stdout);
        sleep(1);
    }
}
