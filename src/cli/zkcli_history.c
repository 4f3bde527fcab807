/* What happened to a path: a node's newest snapshot and the log behind it are carried out once
 * more, by the machine that carried them out then, and its changes at the path are told. */
#include "cli/zkcli.h"

#include "core/reply.h"
#include "node/node.h"
#include "node/registry.h"
#include "node/stack.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define PREVIEW_BYTES 48u
#define RIGHTS 0 /* beside enum tree_event: no watch tells of it */

#define OPERATION_MAX 32

typedef unsigned long long ull;

/* The path as it is at one moment. */
struct view {
    bool there;
    uint64_t zxid; /* of the newest write of all */
    struct tree_stat stat;
    struct bytes data; /* borrowed from reply */
    struct buf reply;
};

struct history {
    struct env *env;
    const char *path, *dir;
    bool json;
    uint64_t group;
    struct stack stack;
    uint64_t index, time_ms; /* what the state is as of */
    bool from_start;         /* the log reaches back to the beginning */
    struct view before, now;
    json_t *changes;
    uint64_t count;
};

static int fail(const struct history *history, const char *what, enum cairn_status status) {
    fprintf(stderr, "cairn zk: %s: %s: %s\n", history->dir, what, cairn_status_text(status));
    return EXIT_NO;
}

/* ---- looking at the path ---- */

static void look(struct history *history, struct view *view) {
    static const struct tree_id super = {{(const uint8_t *)"super", 5}, {NULL, 0}};
    struct tree_caller caller = {.ids = &super, .id_count = 1};
    struct buf query = {0};
    struct reply_value value;
    tree_put_head(&query, TREE_OP_GET_DATA, &caller);
    tree_put_path(&query, bytes_cstr(history->path));
    buf_clear(&view->reply);
    history->stack.kind->read(history->stack.machine,
                              &(struct read_context){.time_ms = history->time_ms}, buf_view(&query),
                              &view->reply);
    buf_free(&query);
    struct reader reader = reader_of(buf_view(&view->reply));
    view->there = reply_next(&reader, &value) && reply_next(&reader, &value) && value.integer == 0;
    view->zxid = reply_next(&reader, &value) ? (uint64_t)value.integer : 0;
    view->data = bytes_of(NULL, 0);
    if (view->there && reply_next(&reader, &value) && value.kind == REPLY_BULK)
        view->data = value.text;
    if (view->there)
        view->there = reply_next(&reader, &value) && tree_stat_decode(value.text, &view->stat);
}

/* ---- telling ---- */

/* Text as it is, but for what would disturb a line; other bytes by their numbers. */
static void print_data(struct bytes data) {
    json_t *text = zkcli_json_text(data);
    uint8_t last = text != NULL ? 255 : 126;
    json_decref(text);
    putchar('"');
    for (size_t i = 0; i < data.len && i < PREVIEW_BYTES; i++) {
        uint8_t c = data.data[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 32 || c == 127 || c > last)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    printf("\"%s", data.len > PREVIEW_BYTES ? " ..." : "");
}

static void print_view(const struct view *view, bool data) {
    if (!view->there)
        return;
    if (data) {
        printf("  version %d", (int)view->stat.version);
        printf(", %zu bytes ", view->data.len);
        print_data(view->data);
    }
}

static json_t *json_view(const struct view *view) {
    json_t *object = json_object();
    zkcli_json_data(object, view->data);
    json_object_set_new(object, "stat", zkcli_json_stat(&view->stat));
    return object;
}

static const char *operation_name(uint8_t opcode) {
    switch (opcode) {
#define X(constant, number, reads, fields) \
    case number:                           \
        return #constant;
        TREE_OPERATIONS(X)
#undef X
    default:
        return "?";
    }
}

/* Who asked for it: the head of the command within the entry's envelope. */
static uint64_t author(const struct entry *entry, char operation[OPERATION_MAX]) {
    struct reader reader = reader_of(entry->payload);
    if (read_u8(&reader) == ENVELOPE_ONCE)
        read_bytes(&reader, 16);
    uint8_t opcode = read_u8(&reader);
    uint64_t session = read_u64(&reader);
    read_u64(&reader);
    for (unsigned ids = read_u8(&reader); ids > 0 && !reader.bad; ids--) {
        read_block(&reader, UINT32_MAX);
        read_block(&reader, UINT32_MAX);
    }
    if (opcode == TREE_OP_SESSION_EXPIRE)
        session = read_u64(&reader);
    snprintf(operation, OPERATION_MAX, "%s", operation_name(opcode));
    for (char *at = operation; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return reader.bad ? 0 : session;
}

static void tell(struct history *history, const struct entry *entry, uint64_t zxid,
                 unsigned event) {
    static const char *const names[] = {"rights", "created", "deleted", "changed", "children"};
    const char *what = names[event];
    char operation[OPERATION_MAX];
    char time[40];
    uint64_t session = author(entry, operation);
    history->count++;
    if (!history->json) {
        printf("%s  0x%-10llx  %-8s", zkcli_time(entry->time_ms, time), (ull)zxid, what);
        print_view(&history->now, event == TREE_EVENT_CREATED || event == TREE_EVENT_DATA);
        if (event == TREE_EVENT_CHILDREN && history->now.there)
            printf("  %d now", (int)history->now.stat.child_count);
        if (session != 0)
            printf("  by session 0x%llx", (ull)session);
        printf("  (%s)\n", operation);
        return;
    }
    json_t *change = history->now.there ? json_view(&history->now) : json_object();
    json_object_set_new(change, "zxid", zkcli_json_hex(zxid));
    json_object_set_new(change, "time_ms", json_integer((json_int_t)entry->time_ms));
    json_object_set_new(change, "event", json_string(what));
    json_object_set_new(change, "session", session ? zkcli_json_hex(session) : json_null());
    json_object_set_new(change, "operation", json_string(operation));
    json_array_append_new(history->changes, change);
}

static void tell_since(struct history *history) {
    char time[40];
    if (history->json)
        return;
    if (history->from_start)
        printf("The log reaches back to the beginning.\n");
    else
        printf("The log reaches back to zxid 0x%llx, %s.\n", (ull)history->before.zxid,
               zkcli_time(history->time_ms, time));
    if (history->before.there) {
        printf("%s was there:", history->path);
        print_view(&history->before, true);
        printf("\n");
    }
}

/* ---- replaying ---- */

static void apply(struct history *history, const struct entry *entry) {
    struct buf reply = {0}, changes = {0};
    struct change change;
    int32_t aversion = history->now.there ? history->now.stat.aversion : -1;
    uint64_t czxid = history->now.there ? history->now.stat.czxid : 0;
    stack_apply(&history->stack, entry, &(struct stack_asks){.unheard = true}, &reply, &changes);
    history->index = entry->index;
    history->time_ms = entry->time_ms;
    look(history, &history->now);
    struct reader reader = reader_of(buf_view(&changes));
    while (change_next(&reader, &change)) {
        enum tree_event event;
        uint64_t zxid;
        if (tree_change(&change, &event, &zxid) && event <= TREE_EVENT_CHILDREN &&
            bytes_equal(change.key, bytes_cstr(history->path)))
            tell(history, entry, zxid, event);
    }
    const struct tree_stat *stat = &history->now.stat;
    if (history->now.there && stat->czxid == czxid && stat->aversion != aversion)
        tell(history, entry, history->now.zxid, RIGHTS);
    buf_free(&reply);
    buf_free(&changes);
}

static enum cairn_status restore_chunks(struct history *history, struct snapshot_reader *reader) {
    stack_restore_begin(&history->stack);
    for (;;) {
        uint32_t section, version;
        struct bytes chunk;
        bool end;
        enum cairn_status status = snapshot_reader_chunk(reader, &section, &version, &chunk, &end);
        if (status == CAIRN_OK && !end)
            status = stack_restore_chunk(&history->stack, section, version, chunk);
        if (status != CAIRN_OK)
            return status;
        if (end)
            return stack_restore_end(&history->stack);
    }
}

static enum cairn_status restore(struct history *history) {
    char folder[600];
    struct snapshot_reader *reader;
    struct snapshot_meta meta;
    snprintf(folder, sizeof folder, "%s/snapshots", history->dir);
    enum cairn_status status =
        snapshot_reader_open(history->env, folder, history->group, 0, &reader);
    if (status != CAIRN_OK)
        return status;
    snapshot_reader_meta(reader, &meta);
    history->index = meta.index;
    history->time_ms = meta.time_ms;
    status = restore_chunks(history, reader);
    snapshot_reader_close(reader);
    return status;
}

/* From the beginning if all of the log is there; else from the snapshot. */
static int replay(struct history *history, const struct wal_past *past) {
    history->from_start = past->count > 0 && past->entries[0].index == 1;
    enum cairn_status status = history->from_start ? CAIRN_OK : restore(history);
    if (status == CAIRN_NOT_FOUND && past->count == 0)
        history->from_start = true; /* nothing has happened yet */
    else if (status != CAIRN_OK)
        return fail(history, "the snapshot before the log can't be read", status);
    look(history, &history->before);
    look(history, &history->now);
    tell_since(history);
    for (size_t i = 0; i < past->count; i++) {
        const struct entry *entry = &past->entries[i];
        if (entry->index <= history->index)
            continue;
        if (entry->index != history->index + 1)
            return fail(history, "entries between the snapshot and the log are missing",
                        CAIRN_CORRUPT);
        apply(history, entry);
    }
    return EXIT_FINE;
}

static void tell_end(struct history *history) {
    if (!history->json) {
        printf("%llu changes; it is %s now.\n", (ull)history->count,
               history->now.there ? "there" : "not there");
        return;
    }
    json_t *object = json_object();
    json_object_set_new(object, "path", json_string(history->path));
    json_object_set_new(object, "since_zxid", zkcli_json_hex(history->before.zxid));
    json_object_set_new(object, "from_the_beginning", json_boolean(history->from_start));
    json_object_set_new(object, "before",
                        history->before.there ? json_view(&history->before) : json_null());
    json_object_set(object, "changes", history->changes);
    zkcli_json_print(object);
}

/* ---- the folder ---- */

static bool find_tree(struct history *history, int *code) {
    struct identity identity;
    enum cairn_status status = identity_load(history->env, history->dir, &identity, NULL);
    if (status != CAIRN_OK) {
        *code = fail(history, "no node's data folder (such as cairn-data/node-1)", status);
        return false;
    }
    for (uint32_t i = 0; i < identity.keyspace_count; i++)
        if (strcmp(identity.keyspaces[i].machine, "tree") == 0) {
            history->group = NODE_GROUP_OF(i);
            return true;
        }
    *code = fail(history, "this node has no tree", CAIRN_NOT_FOUND);
    return false;
}

static int tell_all(struct history *history) {
    char folder[600];
    struct wal_past past;
    struct node_options node;
    int code;
    if (!find_tree(history, &code))
        return code;
    node_options_default(&node);
    snprintf(folder, sizeof folder, "%s/log", history->dir);
    enum cairn_status status = wal_past_read(history->env, folder, history->group, &past);
    if (status != CAIRN_OK)
        return fail(history, "the log can't be read", status);
    struct machine_options machine = {.value_bytes_max = node.value_bytes_max,
                                      .work_max = node.work_max};
    stack_open(&history->stack, registry_machine("tree"), &machine, node.session_window);
    code = replay(history, &past);
    if (code == EXIT_FINE)
        tell_end(history);
    stack_close(&history->stack);
    wal_past_free(&past);
    return code;
}

int zkcli_run_history(struct zkcli *zk, const struct zkcli_words *words) {
    struct runtime_options options = {0};
    struct history history = {.path = words->operands[0], .dir = words->dir, .json = zk->json};
    if (words->dir == NULL)
        return misuse("zk",
                      "history reads a node's data folder: history %s --dir cairn-data/node-1",
                      history.path);
    if (strlen(words->dir) > 500 || !tree_path_valid(bytes_cstr(history.path)))
        return misuse("zk", "'%s' is no path of a node", history.path);
    struct runtime *runtime = runtime_new(&options);
    history.env = runtime_env(runtime);
    history.changes = json_array();
    int code = tell_all(&history);
    json_decref(history.changes);
    buf_free(&history.before.reply);
    buf_free(&history.now.reply);
    runtime_free(runtime);
    return code;
}
