/* Random commands against a plain model: an array of nodes that is searched from its start, and
 * copied whole where the machine undoes. */
#include "base/prng.h"
#include "tree_text.h"

#define NODES_MAX 400
#define SESSIONS 3

struct model_node {
    char path[64];
    char data[16];
    int version, creations, children;
    int session; /* 0: not an ephemeral */
};
struct model {
    struct model_node nodes[NODES_MAX];
    int count;
};

static struct model_node *find(struct model *model, const char *path) {
    for (int i = 0; i < model->count; i++) {
        if (strcmp(model->nodes[i].path, path) == 0)
            return &model->nodes[i];
    }
    return NULL;
}

static struct model_node *parent_of(struct model *model, const char *path) {
    char parent[64];
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = 0;
    return find(model, *parent ? parent : "/");
}

static void show(const struct model_node *node, char *out, size_t cap) {
    snprintf(out, cap, "v%d c%d a0 n%d l%d%s", node->version, 2 * node->creations - node->children,
             node->children, (int)strlen(node->data), node->session ? " e" : "");
}

static int model_create(struct model *model, char *words[], int count, int session, char *out) {
    struct model_node *parent = parent_of(model, words[1]);
    struct model_node made = {0};
    bool sequential = count > 3 && strchr(words[3], 's'), own = count > 3 && strchr(words[3], 'e');
    if (parent == NULL)
        return -101;
    snprintf(made.path, sizeof made.path, "%s", words[1]);
    if (sequential)
        snprintf(made.path + strlen(made.path), 12, "%010d", parent->creations);
    if (find(model, made.path) != NULL)
        return -110;
    if (parent->session != 0)
        return -108;
    parent->creations++;
    parent->children++;
    snprintf(made.data, sizeof made.data, "%s", words[2]);
    made.session = own ? session : 0;
    assert_true(model->count < NODES_MAX);
    model->nodes[model->count++] = made;
    int len = sprintf(out, "%s ", made.path);
    show(&made, out + len, 100);
    return 0;
}

static void model_remove(struct model *model, struct model_node *node) {
    parent_of(model, node->path)->children--;
    *node = model->nodes[--model->count];
}

static int model_part(struct model *model, char *line, int session, char *out) {
    char *words[5];
    int count = 0;
    *out = 0;
    for (char *word = strtok(line, " "); word != NULL && count < 5; word = strtok(NULL, " "))
        words[count++] = word;
    if (strcmp(words[0], "create") == 0)
        return model_create(model, words, count, session, out);
    struct model_node *node = find(model, words[1]);
    bool set = strcmp(words[0], "set") == 0;
    int at = set ? 3 : 2, version = count > at ? atoi(words[at]) : -1;
    if (node == NULL)
        return -101;
    if (version != -1 && version != node->version)
        return -103;
    if (set) {
        snprintf(node->data, sizeof node->data, "%s", words[2]);
        node->version++;
        show(node, out, 100);
    } else if (strcmp(words[0], "delete") == 0) {
        if (node->children > 0)
            return -111;
        model_remove(model, node);
    }
    return 0;
}

static void model_multi(struct model *model, const char *line, int session, char *out) {
    static struct model before;
    char results[8][200], part[200];
    int count = 0, failed = -1;
    before = *model;
    for (line += 6; line != NULL; count++) {
        const char *stop = strstr(line, " ; ");
        snprintf(part, sizeof part, "%.*s", stop ? (int)(stop - line) : 100, line);
        char shown[200];
        int error = failed < 0 ? model_part(model, part, session, shown) : -2;
        if (failed < 0 && error != 0)
            failed = count;
        snprintf(results[count], sizeof results[count], "[%d%s%.150s]", error,
                 error == 0 && *shown ? " " : "", error == 0 ? shown : "");
        line = stop ? stop + 3 : NULL;
    }
    out += sprintf(out, "ok [");
    for (int i = 0; i < count; i++)
        out += sprintf(out, "%s%s", i > 0 ? " " : "", i < failed ? "[0]" : results[i]);
    sprintf(out, "]");
    if (failed >= 0)
        *model = before;
}

static void model_run(struct model *model, const char *line, int session, char *out) {
    char copy[200];
    if (strncmp(line, "multi ", 6) == 0) {
        model_multi(model, line, session, out);
        return;
    }
    if (strcmp(line, "close") == 0) {
        for (int i = model->count - 1; i >= 0; i--) {
            if (model->nodes[i].session == session)
                model_remove(model, &model->nodes[i]);
        }
        strcpy(out, "ok");
        return;
    }
    snprintf(copy, sizeof copy, "%s", line);
    char shown[200];
    int error = model_part(model, copy, session, shown);
    if (error != 0)
        sprintf(out, "%d", error);
    else
        sprintf(out, "ok%s%s", *shown ? " " : "", shown);
}

/* ---- random commands ---- */

static int random_path(struct prng *prng, char *out) {
    int len = 0;
    for (uint64_t depth = prng_between(prng, 1, 3); depth > 0; depth--)
        len += sprintf(out + len, "/%c", (char)('a' + prng_below(prng, 4)));
    return len;
}

static int random_part(struct prng *prng, char *out, bool check) {
    static const char *const modes[] = {"", "", "", " s", " e", " es"};
    char path[32];
    int len = random_path(prng, path);
    char version[8] = "";
    if (prng_chance(prng, 1, 3))
        sprintf(version, " %d", (int)prng_below(prng, 3));
    if (len > 0 && prng_chance(prng, 5, 10))
        return sprintf(out, "create %s %.*s%s", path, (int)prng_between(prng, 1, 9), "datadatada",
                       modes[prng_below(prng, 6)]);
    if (prng_chance(prng, 1, 2))
        return sprintf(out, "delete %s%s", path, version);
    if (check && prng_chance(prng, 1, 2))
        return sprintf(out, "check %s %d", path, (int)prng_below(prng, 2) - 1);
    return sprintf(out, "set %s %.*s%s", path, (int)prng_between(prng, 1, 9), "valuevalue",
                   version);
}

static void random_line(struct prng *prng, char *out) {
    if (prng_chance(prng, 1, 60)) {
        strcpy(out, "close");
        return;
    }
    if (prng_chance(prng, 3, 4)) {
        random_part(prng, out, false);
        return;
    }
    out += sprintf(out, "multi ");
    for (uint64_t i = prng_between(prng, 1, 4); i > 0; i--) {
        out += random_part(prng, out, true);
        out += sprintf(out, "%s", i > 1 ? " ; " : "");
    }
}

static void all_is_as_the_model_says(struct tree_text *text, struct model *model) {
    for (int i = 0; i < model->count; i++) {
        const struct model_node *node = &model->nodes[i];
        char line[100], shown[100], wanted[200];
        snprintf(line, sizeof line, "get %s", node->path);
        show(node, shown, sizeof shown);
        snprintf(wanted, sizeof wanted, "ok %s %s", *node->data ? node->data : "-", shown);
        if (strncmp(node->path, "/zookeeper/c", 12) != 0)
            tree_expect(text, line, wanted);
    }
    assert_int_equal(machine_tree.count(text->machine), model->count);
}

static void start_model(struct model *model) {
    *model = (struct model){.nodes = {{.path = "/", .children = 1},
                                      {.path = "/zookeeper", .children = 2},
                                      {.path = "/zookeeper/quota"},
                                      {.path = "/zookeeper/config"}},
                            .count = 4};
}

/* A snapshot is taken under way and restored in the end; what was applied since is applied again.
 */
struct under_way {
    struct machine *machine;
    void *snapshot;
    struct buf log; /* commands with their order, as blocks */
};

static void note_bytes(struct under_way *under_way, const struct tree_text *text,
                       struct buf *command) {
    buf_u64(&under_way->log, text->context.index + 1);
    buf_u64(&under_way->log, text->context.order + 10);
    buf_block(&under_way->log, buf_view(command));
    buf_free(command);
}

static void note(struct under_way *under_way, const struct tree_text *text, const char *line) {
    struct buf command = {0};
    tree_text_encode(text, &command, line);
    note_bytes(under_way, text, &command);
}

static void note_open(struct under_way *under_way, const struct tree_text *text) {
    static const uint8_t password[TREE_PASSWORD_BYTES] = "secret";
    struct buf command = {0};
    tree_put_head(&command, TREE_OP_SESSION_OPEN, NULL);
    tree_put_session_open(&command, 4000, password, 1);
    note_bytes(under_way, text, &command);
}

/* Many sequential nodes come about; the model has an end. */
static void clean(struct tree_text *text, struct model *model, struct under_way *under_way) {
    for (int i = model->count - 1; i >= 0 && model->count > NODES_MAX / 2; i--) {
        char line[100], wanted[200];
        snprintf(line, sizeof line, "delete %s", model->nodes[i].path);
        if (i == 0 || strncmp(line, "delete /zookeeper", 17) == 0)
            continue;
        if (under_way != NULL)
            note(under_way, text, line);
        model_run(model, line, 0, wanted);
        assert_string_equal(tree_text_run(text, line), wanted);
        if (i > model->count)
            i = model->count;
    }
}

static void catch_up(struct under_way *under_way, struct machine *from) {
    struct buf chunk = {0}, reply = {0}, changes = {0};
    struct machine *machine = under_way->machine;
    machine_tree.restore_begin(machine);
    for (bool done = false; !done; buf_clear(&chunk)) {
        done = machine_tree.snapshot_chunk(under_way->snapshot, 1000, &chunk);
        assert_int_equal(machine_tree.restore_chunk(machine, 1, buf_view(&chunk)), CAIRN_OK);
    }
    assert_int_equal(machine_tree.restore_end(machine), CAIRN_OK);
    machine_tree.snapshot_end(from, under_way->snapshot);
    struct reader reader = reader_of(buf_view(&under_way->log));
    while (reader_left(&reader) > 0) {
        struct apply_context context = {.term = 1, .time_ms = 1000000, .version = 1};
        context.index = read_u64(&reader);
        context.order = read_u64(&reader);
        struct bytes command = read_block(&reader, UINT32_MAX);
        machine_tree.apply(machine, &context, command, &reply, &changes);
    }
    assert_true(machine_tree.digest(machine) == machine_tree.digest(from));
    buf_free(&chunk);
    buf_free(&reply);
    buf_free(&changes);
    buf_free(&under_way->log);
}

static void run_seed(uint64_t seed) {
    static struct model model;
    struct tree_text text, other;
    struct tree_caller callers[SESSIONS];
    struct under_way under_way = {0};
    struct prng prng;
    char line[600], wanted[1200];
    prng_seed(&prng, seed);
    start_model(&model);
    tree_text_start(&text);
    tree_text_start(&other);
    under_way.machine = other.machine;
    for (int i = 0; i < SESSIONS; i++) {
        tree_text_open_session(&text, 4000);
        callers[i] = text.caller;
    }
    for (int step = 0; step < 1500; step++) {
        int session = (int)prng_below(&prng, SESSIONS);
        text.caller = callers[session];
        random_line(&prng, line);
        if (step == 700)
            under_way.snapshot = machine_tree.snapshot_begin(text.machine);
        if (step >= 700)
            note(&under_way, &text, line);
        model_run(&model, line, session + 1, wanted);
        if (strcmp(tree_text_run(&text, line), wanted) != 0)
            fail_msg("seed %d step %d: %s: %s, not %s", (int)seed, step, line,
                     (const char *)text.shown.data, wanted);
        machine_tree.tidy(text.machine, 10);
        if (strcmp(line, "close") == 0) {
            if (step >= 700)
                note_open(&under_way, &text);
            tree_text_open_session(&text, 4000);
            callers[session] = text.caller;
        }
        if (model.count > NODES_MAX / 2 + 100)
            clean(&text, &model, step >= 700 ? &under_way : NULL);
    }
    all_is_as_the_model_says(&text, &model);
    catch_up(&under_way, text.machine);
    tree_text_stop(&text);
    tree_text_stop(&other);
}

static void random_commands_do_what_a_plain_model_does(void **state) {
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_seed(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_commands_do_what_a_plain_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
