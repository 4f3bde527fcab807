/* The commands of `cairn zk` that a server answers. */
#include "cli/zkcli.h"

#include "base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACL_MAX 32
#define STOP_LOOK_MS 1000

static struct buf *out_of(struct zkcli *zk) {
    return &zk->session.out;
}

static const char *path_of(const struct zkcli_words *words) {
    return words->operands[0];
}

/* ---- one request, one answer ---- */

/* Sends what was begun. FINE: the answer is there and no error; else *code is what to end with. */
static bool ask(struct zkcli *zk, size_t start, bool writes, const char *path,
                struct jute_answer *answer, int *code) {
    enum zkcli_end end = zkcli_call(&zk->session, start, !writes, answer);
    if (end != ZKCLI_FINE)
        *code = zkcli_ended(zk, end, writes);
    else if (answer->error != JUTE_OK)
        *code = zkcli_refused(path, answer->error);
    else
        return true;
    return false;
}

static size_t begin_at(struct zkcli *zk, int32_t op, const char *path) {
    size_t start = zkcli_begin(&zk->session, op);
    jute_put_block(out_of(zk), bytes_cstr(path));
    return start;
}

static size_t begin_watched(struct zkcli *zk, int32_t op, const char *path) {
    size_t start = begin_at(zk, op, path);
    jute_put_bool(out_of(zk), false);
    return start;
}

static int malformed(const struct zkcli *zk) {
    fprintf(stderr, "cairn zk: %s: the answer can't be read\n", zk->session.server);
    return EXIT_NO;
}

static json_t *json_path(const char *path) {
    json_t *object = json_object();
    json_object_set_new(object, "path", json_string(path));
    return object;
}

static int print_stat_only(const struct zkcli *zk, const char *path, const struct tree_stat *stat) {
    if (zk->json) {
        json_t *object = json_path(path);
        json_object_set_new(object, "stat", zkcli_json_stat(stat));
        zkcli_json_print(object);
    } else {
        zkcli_print_stat(stat);
    }
    return EXIT_FINE;
}

/* ---- ls, count ---- */

static int list_all(struct zkcli *zk, const char *path) {
    struct zkcli_paths paths = {0};
    int32_t error;
    int code = EXIT_FINE;
    enum zkcli_end end = zkcli_subtree(zk, path, &paths, &error);
    if (end != ZKCLI_FINE || error != JUTE_OK) {
        code = end != ZKCLI_FINE ? zkcli_ended(zk, end, false) : zkcli_refused(path, error);
    } else {
        json_t *all = zk->json ? json_array() : NULL;
        zkcli_paths_sort(&paths);
        for (size_t i = 0; i < paths.count; i++)
            if (zk->json)
                json_array_append_new(all, json_string(paths.items[i]));
            else
                printf("%s\n", paths.items[i]);
        if (zk->json)
            zkcli_json_print(all);
    }
    zkcli_paths_free(&paths);
    return code;
}

static int compare_names(const void *left, const void *right) {
    return bytes_compare(*(const struct bytes *)left, *(const struct bytes *)right);
}

static void print_children(const struct zkcli *zk, const char *path, const struct bytes *names,
                           uint32_t count, const struct tree_stat *stat) {
    if (zk->json) {
        json_t *object = json_path(path), *children = json_array();
        for (uint32_t i = 0; i < count; i++)
            json_array_append_new(children, zkcli_json_text(names[i]));
        json_object_set_new(object, "children", children);
        if (stat != NULL)
            json_object_set_new(object, "stat", zkcli_json_stat(stat));
        zkcli_json_print(object);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        printf("%.*s\n", (int)names[i].len, (const char *)names[i].data);
    if (stat != NULL)
        zkcli_print_stat(stat);
}

static int run_ls(struct zkcli *zk, const struct zkcli_words *words) {
    const char *path = path_of(words);
    struct jute_answer answer;
    struct tree_stat stat;
    int code;
    if (words->given['R'])
        return list_all(zk, path);
    if (!ask(zk, begin_watched(zk, JUTE_CHILDREN2, path), false, path, &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    uint32_t count = jute_take_count(&reader, 4);
    struct bytes *names = cairn_alloc((count + 1) * sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = jute_take_block(&reader);
    bool good = zkcli_take_stat(&reader, &stat);
    if (good) {
        qsort(names, count, sizeof *names, compare_names);
        print_children(zk, path, names, count, words->given['s'] ? &stat : NULL);
    }
    cairn_free(names);
    return good ? EXIT_FINE : malformed(zk);
}

static int run_count(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    int code;
    if (!ask(zk, begin_at(zk, JUTE_COUNT_CHILDREN, path_of(words)), false, path_of(words), &answer,
             &code))
        return code;
    struct reader reader = reader_of(answer.body);
    int32_t count = jute_take_i32(&reader);
    if (zk->json) {
        json_t *object = json_path(path_of(words));
        json_object_set_new(object, "count", json_integer(count));
        zkcli_json_print(object);
    } else {
        printf("%d\n", (int)count);
    }
    return EXIT_FINE;
}

/* ---- get, stat, set ---- */

static int run_get(struct zkcli *zk, const struct zkcli_words *words) {
    const char *path = path_of(words);
    struct jute_answer answer;
    struct tree_stat stat;
    int code;
    if (!ask(zk, begin_watched(zk, JUTE_GET, path), false, path, &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    struct bytes data = jute_take_block(&reader);
    if (!zkcli_take_stat(&reader, &stat))
        return malformed(zk);
    if (zk->json) {
        json_t *object = json_path(path);
        zkcli_json_data(object, data);
        if (words->given['s'])
            json_object_set_new(object, "stat", zkcli_json_stat(&stat));
        zkcli_json_print(object);
        return EXIT_FINE;
    }
    fwrite(data.data, 1, data.len, stdout);
    if (words->given['s'] || zk->interactive || isatty(STDOUT_FILENO))
        printf("\n"); /* else the bytes alone: they may be no text */
    if (words->given['s'])
        zkcli_print_stat(&stat);
    return EXIT_FINE;
}

static int run_stat(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    struct tree_stat stat;
    int code;
    if (!ask(zk, begin_watched(zk, JUTE_EXISTS, path_of(words)), false, path_of(words), &answer,
             &code))
        return code;
    struct reader reader = reader_of(answer.body);
    return zkcli_take_stat(&reader, &stat) ? print_stat_only(zk, path_of(words), &stat)
                                           : malformed(zk);
}

/* The second operand, or, of a single command without one, standard input. */
static bool take_data(const struct zkcli *zk, const struct zkcli_words *words, struct buf *data) {
    if (words->count > 1) {
        buf_bytes(data, bytes_cstr(words->operands[1]));
        return true;
    }
    if (zk->interactive) {
        misuse("zk", "set PATH DATA");
        return false;
    }
    size_t got;
    while ((got = fread(buf_reserve(data, 65536), 1, 65536, stdin)) > 0)
        data->len += got;
    return true;
}

static int32_t version_of(const struct zkcli_words *words) {
    return words->given['v'] ? (int32_t)words->version : -1;
}

static int run_set(struct zkcli *zk, const struct zkcli_words *words) {
    const char *path = path_of(words);
    struct jute_answer answer;
    struct tree_stat stat;
    struct buf data = {0};
    int code;
    if (!take_data(zk, words, &data))
        return EXIT_MISUSE;
    size_t start = begin_at(zk, JUTE_SET, path);
    jute_put_block(out_of(zk), data.len > 0 ? buf_view(&data) : BYTES(""));
    jute_put_i32(out_of(zk), version_of(words));
    buf_free(&data);
    if (!ask(zk, start, true, path, &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    if (!zkcli_take_stat(&reader, &stat))
        return malformed(zk);
    if (zk->json)
        return print_stat_only(zk, path, &stat);
    printf("version %d, zxid 0x%llx\n", (int)stat.version, (unsigned long long)stat.mzxid);
    return EXIT_FINE;
}

/* ---- create, rm ---- */

static void put_open_acl(struct buf *out) {
    struct jute_acl all = {TREE_PERM_ALL, BYTES("world"), BYTES("anyone")};
    jute_put_i32(out, 1);
    jute_put_acl(out, &all);
}

/* -c and -t are kinds of node of their own, with operations of their own. */
static const char *create_mode(const struct zkcli_words *words, int32_t *op, int32_t *mode) {
    bool sequential = words->given['s'], ephemeral = words->given['e'];
    *op = JUTE_CREATE;
    *mode = (sequential ? JUTE_SEQUENTIAL : 0) | (ephemeral ? JUTE_EPHEMERAL : 0);
    if (words->given['c']) {
        *op = JUTE_CREATE_CONTAINER;
        *mode = TREE_CONTAINER;
        if (sequential || ephemeral || words->given['t'])
            return "-c goes with no other kind of node";
    } else if (words->given['t']) {
        *op = JUTE_CREATE_TTL;
        *mode = sequential ? TREE_TTL_SEQUENTIAL : TREE_TTL;
        if (ephemeral)
            return "-t and -e exclude each other";
        if (words->ttl_ms == 0 || words->ttl_ms > TREE_TTL_MS_MAX)
            return "-t wants milliseconds, from 1 to 2^40 - 1";
    }
    return NULL;
}

/* An ephemeral node lives as long as its session: of a single command, until it is interrupted. */
static void hold(struct zkcli *zk) {
    fflush(stdout);
    fprintf(stderr, "cairn zk: the node stays until this command is interrupted\n");
    while (*zk->stop == 0 && !zk->session.expired)
        zkcli_wait(&zk->session, -1, STOP_LOOK_MS);
}

static int run_create(struct zkcli *zk, const struct zkcli_words *words) {
    const char *path = path_of(words);
    struct jute_answer answer;
    int32_t op, mode;
    int code;
    const char *wrong = create_mode(words, &op, &mode);
    if (wrong != NULL)
        return misuse("zk", "%s", wrong);
    size_t start = begin_at(zk, op, path);
    jute_put_block(out_of(zk), words->count > 1 ? bytes_cstr(words->operands[1]) : BYTES(""));
    put_open_acl(out_of(zk));
    jute_put_i32(out_of(zk), mode);
    if (op == JUTE_CREATE_TTL)
        jute_put_i64(out_of(zk), (int64_t)words->ttl_ms);
    if (!ask(zk, start, true, path, &answer, &code)) {
        if (answer.error == TREE_NO_NODE)
            fprintf(stderr, "cairn zk: its parent must be there first\n");
        return code;
    }
    struct reader reader = reader_of(answer.body);
    struct bytes made = jute_take_block(&reader);
    if (zk->json) {
        json_t *object = json_object();
        json_object_set_new(object, "path", zkcli_json_text(made));
        zkcli_json_print(object);
    } else {
        printf("%.*s\n", (int)made.len, (const char *)made.data);
    }
    if (words->given['e'] && !zk->interactive)
        hold(zk);
    return zk->session.expired && !zk->interactive ? EXIT_NO : EXIT_FINE;
}

static int run_rm(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    int code;
    size_t start = begin_at(zk, JUTE_DELETE, path_of(words));
    jute_put_i32(out_of(zk), version_of(words));
    return ask(zk, start, true, path_of(words), &answer, &code) ? EXIT_FINE : code;
}

/* ---- rights ---- */

#define LETTERS "rwcda" /* in the order of enum tree_permission's bits */

static void permission_letters(int32_t permissions, char text[8]) {
    size_t len = 0;
    for (size_t i = 0; i < sizeof LETTERS - 1; i++)
        if (permissions >> i & 1)
            text[len++] = LETTERS[i];
    text[len] = 0;
}

static int run_getacl(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    int code;
    if (!ask(zk, begin_at(zk, JUTE_GET_ACL, path_of(words)), false, path_of(words), &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    uint32_t count = jute_take_count(&reader, JUTE_ACL_BYTES_MIN);
    json_t *all = json_array();
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        struct jute_acl acl;
        char letters[8];
        jute_take_acl(&reader, &acl);
        permission_letters(acl.permissions, letters);
        json_array_append_new(all, json_sprintf("%.*s:%.*s:%s", (int)acl.scheme.len,
                                                (const char *)acl.scheme.data, (int)acl.id.len,
                                                (const char *)acl.id.data, letters));
    }
    if (zk->json) {
        json_t *object = json_path(path_of(words));
        json_object_set(object, "acl", all);
        zkcli_json_print(object);
    }
    for (size_t i = 0; i < json_array_size(all) && !zk->json; i++)
        printf("%s\n", json_string_value(json_array_get(all, i)));
    json_decref(all);
    return reader.bad ? malformed(zk) : EXIT_FINE;
}

/* scheme:id:letters, where the id may have colons of its own. */
static bool parse_acl(struct bytes word, struct jute_acl *acl) {
    const char *text = (const char *)word.data;
    const char *first = memchr(text, ':', word.len), *last = memrchr(text, ':', word.len);
    acl->permissions = 0;
    if (first == NULL || first == last || first == text)
        return false;
    for (const char *at = last + 1; at < text + word.len; at++) {
        const char *letter = strchr(LETTERS, *at);
        if (*at == 0 || letter == NULL)
            return false;
        acl->permissions |= 1 << (letter - LETTERS);
    }
    acl->scheme = bytes_of(text, (size_t)(first - text));
    acl->id = bytes_of(first + 1, (size_t)(last - first - 1));
    return acl->permissions != 0;
}

static bool parse_acls(const char *text, struct jute_acl *acl, int32_t *count) {
    for (*count = 0; *count < ACL_MAX; text++) {
        size_t len = strcspn(text, ",");
        if (!parse_acl(bytes_of(text, len), &acl[(*count)++]))
            return false;
        text += len;
        if (*text == 0)
            return true;
    }
    return false;
}

static int run_setacl(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_acl acl[ACL_MAX];
    struct jute_answer answer;
    struct tree_stat stat;
    int32_t count;
    int code;
    if (!parse_acls(words->operands[1], acl, &count))
        return misuse("zk",
                      "an ACL is scheme:id:LETTERS of r w c d a, as world:anyone:r, several "
                      "with commas between; not '%s'",
                      words->operands[1]);
    size_t start = begin_at(zk, JUTE_SET_ACL, path_of(words));
    jute_put_i32(out_of(zk), count);
    for (int32_t i = 0; i < count; i++)
        jute_put_acl(out_of(zk), &acl[i]);
    jute_put_i32(out_of(zk), version_of(words));
    if (!ask(zk, start, true, path_of(words), &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    if (!zkcli_take_stat(&reader, &stat))
        return malformed(zk);
    if (zk->json)
        return print_stat_only(zk, path_of(words), &stat);
    printf("aversion %d\n", (int)stat.aversion);
    return EXIT_FINE;
}

static int run_whoami(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    int code;
    if (!ask(zk, zkcli_begin(&zk->session, JUTE_WHO_AM_I), false, "whoami", &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    uint32_t count = jute_take_count(&reader, 8);
    json_t *all = json_array();
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        struct bytes scheme = jute_take_block(&reader), id = jute_take_block(&reader);
        json_array_append_new(all,
                              json_sprintf("%.*s:%.*s", (int)scheme.len, (const char *)scheme.data,
                                           (int)id.len, (const char *)id.data));
    }
    if (zk->json) {
        json_t *object = json_object();
        json_object_set(object, "identities", all);
        json_object_set_new(object, "session", zkcli_json_hex((uint64_t)zk->session.jute.id));
        json_object_set_new(object, "server", json_string(zk->session.server));
        zkcli_json_print(object);
    }
    for (size_t i = 0; i < json_array_size(all) && !zk->json; i++)
        printf("%s\n", json_string_value(json_array_get(all, i)));
    json_decref(all);
    return reader.bad ? malformed(zk) : EXIT_FINE;
}

static int run_auth(struct zkcli *zk, const struct zkcli_words *words) {
    char credential[1024];
    int32_t error;
    int len =
        snprintf(credential, sizeof credential, "%s:%s", words->operands[0], words->operands[1]);
    if (len >= (int)sizeof credential)
        return misuse("zk", "the credential is too long");
    enum zkcli_end end = zkcli_authenticate(&zk->session, credential, &error);
    if (end != ZKCLI_FINE)
        return zkcli_ended(zk, end, false);
    return error == JUTE_OK ? EXIT_FINE : zkcli_refused(words->operands[0], error);
}

/* ---- the rest ---- */

static int run_config(struct zkcli *zk, const struct zkcli_words *words) {
    struct zkcli_words config = {.operands = {"/zookeeper/config"}, .count = 1};
    int code = run_get(zk, &config);
    if (code == EXIT_FINE && !zk->json && !zk->interactive && !isatty(STDOUT_FILENO))
        printf("\n");
    return code;
}

static int run_sync(struct zkcli *zk, const struct zkcli_words *words) {
    struct jute_answer answer;
    int code;
    if (!ask(zk, begin_at(zk, JUTE_SYNC, path_of(words)), false, path_of(words), &answer, &code))
        return code;
    if (zk->json) {
        json_t *object = json_path(path_of(words));
        json_object_set_new(object, "zxid", zkcli_json_hex((uint64_t)answer.zxid));
        zkcli_json_print(object);
    } else {
        printf("zxid 0x%llx\n", (unsigned long long)answer.zxid);
    }
    return EXIT_FINE;
}

static int run_ephemerals(struct zkcli *zk, const struct zkcli_words *words) {
    const char *prefix = words->count > 0 ? path_of(words) : "/";
    struct jute_answer answer;
    int code;
    if (!ask(zk, begin_at(zk, JUTE_GET_EPHEMERALS, prefix), false, prefix, &answer, &code))
        return code;
    struct reader reader = reader_of(answer.body);
    uint32_t count = jute_take_count(&reader, 4);
    json_t *all = json_array();
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        struct bytes path = jute_take_block(&reader);
        if (zk->json)
            json_array_append_new(all, zkcli_json_text(path));
        else
            printf("%.*s\n", (int)path.len, (const char *)path.data);
    }
    if (zk->json)
        zkcli_json_print(json_incref(all));
    json_decref(all);
    return EXIT_FINE;
}

static int run_watch(struct zkcli *zk, const struct zkcli_words *words) {
    int32_t error;
    enum zkcli_end end = zkcli_watch(&zk->session, path_of(words), words->given['r'], &error);
    if (end != ZKCLI_FINE)
        return zkcli_ended(zk, end, false);
    if (error != JUTE_OK)
        return zkcli_refused(path_of(words), error);
    fprintf(stderr, "watching %s%s at %s\n", path_of(words),
            words->given['r'] ? " and everything below" : "", zk->session.server);
    while (!zk->interactive && *zk->stop == 0)
        zkcli_wait(&zk->session, -1, STOP_LOOK_MS);
    return EXIT_FINE;
}

/* ---- the table ---- */

static const struct zkcli_command commands[] = {
    {"ls", "Rs", 1, 1, true, "ls [-R] [-s] PATH",
     "children; -R: all below, as paths; -s: with stat", run_ls},
    {"get", "s", 1, 1, true, "get [-s] PATH", "data; -s: with stat", run_get},
    {"set", "v:", 1, 2, true, "set [-v VERSION] PATH [DATA]", "without DATA from standard input",
     run_set},
    {"create", "sect:", 1, 2, true, "create [-s] [-e] [-c] [-t TTL_MS] PATH [DATA]",
     "sequential, ephemeral, container, with a time to live", run_create},
    {"rm", "v:", 1, 1, true, "rm [-v VERSION] PATH", "deletes a node without children", run_rm},
    {"rmr", "", 1, 1, true, "rmr PATH", "deletes a node and everything below", zkcli_run_rmr},
    {"watch", "r", 1, 1, true, "watch [-r] PATH",
     "prints changes until interrupted; -r: all below too", run_watch},
    {"stat", "", 1, 1, true, "stat PATH", "zxids, times, versions, owner, counts", run_stat},
    {"getacl", "", 1, 1, true, "getacl PATH", "who may do what", run_getacl},
    {"setacl", "v:", 2, 2, true, "setacl [-v VERSION] PATH ACL",
     "world:anyone:r,digest:NAME:HASH:rwcda", run_setacl},
    {"sync", "", 1, 1, true, "sync PATH", "waits until the server has all that was written",
     run_sync},
    {"config", "", 0, 0, false, "config", "the members", run_config},
    {"whoami", "", 0, 0, false, "whoami", "identities of this session", run_whoami},
    {"ephemerals", "", 0, 1, true, "ephemerals [PREFIX]", "of this session", run_ephemerals},
    {"count", "", 1, 1, true, "count PATH", "how many nodes are below", run_count},
    {"auth", "", 2, 2, false, "auth SCHEME CREDENTIAL", "proves an identity; or the flag --auth",
     run_auth},
    {"history", "", 1, 1, true, "history PATH --dir DATA/node-1",
     "its changes over time, from a node's log", zkcli_run_history},
};

const struct zkcli_command *zkcli_command_at(size_t n) {
    return n < sizeof commands / sizeof *commands ? &commands[n] : NULL;
}
