/* libzookeeper_mt against three servers: its calls, its watches, hundreds of calls at once, and its
 * session through kills. Built and run by zookeeper_c.mjs, which makes the cluster and obeys the
 * lines that begin with "@". */
#define THREADED
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define CALLS_AT_ONCE 1000
#define WRITERS 4
#define PATIENCE_MS 20000

static const char *hosts;
static char failure[512]; /* of the story that runs: the first that failed */

static void expect_at(int line, bool holds, const char *format, ...) {
    if (holds || failure[0])
        return;
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(failure, sizeof failure, "line %d: %s", line, text);
}
#define expect(holds) expect_at(__LINE__, holds, "%s", #holds)
#define expect_code(call, wanted)                                                     \
    do {                                                                              \
        int got = (call);                                                             \
        expect_at(__LINE__, got == (wanted), "%s: %d (%s)", #call, got, zerror(got)); \
    } while (0)

static long now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

#define until(holds)                                     \
    do {                                                 \
        long end = now_ms() + PATIENCE_MS;               \
        while (!(holds) && now_ms() < end)               \
            usleep(5000);                                \
        expect_at(__LINE__, holds, "never: %s", #holds); \
    } while (0)

static int steer(const char *verb, int node) {
    char answer[128];
    if (node > 0)
        printf("@ %s %d\n", verb, node);
    else
        printf("@ %s\n", verb);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        exit(3);
    expect_at(__LINE__, strncmp(answer, "error", 5) != 0, "%s", answer);
    return atoi(answer);
}

/* ---- what watchers saw ---- */

struct seen {
    pthread_mutex_t lock;
    int count, last_type;
    char text[1024]; /* type:path in the order seen */
    bool expired;
};

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *context) {
    struct seen *seen = context;
    (void)handle;
    if (seen == NULL)
        return;
    pthread_mutex_lock(&seen->lock);
    if (type == ZOO_SESSION_EVENT) {
        seen->expired |= state == ZOO_EXPIRED_SESSION_STATE;
    } else {
        size_t used = strlen(seen->text);
        snprintf(seen->text + used, sizeof seen->text - used, "%d:%s ", type, path);
        seen->count++;
        seen->last_type = type;
    }
    pthread_mutex_unlock(&seen->lock);
}

static int count_of(struct seen *seen) {
    pthread_mutex_lock(&seen->lock);
    int count = seen->count;
    pthread_mutex_unlock(&seen->lock);
    return count;
}

static zhandle_t *dial(const char *where, struct seen *seen, const clientid_t *id) {
    zhandle_t *handle = zookeeper_init(where, on_event, 10000, id, seen, 0);
    if (handle == NULL)
        exit(3);
    until(zoo_state(handle) == ZOO_CONNECTED_STATE);
    return handle;
}

static const char *host_of(int node, char *text, size_t size) {
    const char *at = hosts;
    for (int i = 1; i < node; i++)
        at = strchr(at, ',') + 1;
    snprintf(text, size, "%.*s", (int)strcspn(at, ","), at);
    return text;
}

/* The node that a client talks to, by its port. */
static int node_of(zhandle_t *handle) {
    char host[64];
    const char *current = zoo_get_current_server(handle);
    for (int node = 1; node <= 3; node++)
        if (strcmp(current, host_of(node, host, sizeof host)) == 0)
            return node;
    expect_at(__LINE__, false, "connected to %s", current);
    return 1;
}

static int create(zhandle_t *handle, const char *path, const char *value, int mode) {
    return zoo_create(handle, path, value, (int)strlen(value), &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
}

static bool value_is(zhandle_t *handle, const char *path, const char *value) {
    char data[128];
    int len = sizeof data;
    return zoo_get(handle, path, 0, data, &len, NULL) == ZOK && len == (int)strlen(value) &&
           memcmp(data, value, (size_t)len) == 0;
}

/* ---- stories ---- */

static void calls(void) {
    zhandle_t *handle = dial(hosts, NULL, NULL);
    struct Stat stat;
    char path[64];
    struct String_vector names;
    expect_code(create(handle, "/c", "one", ZOO_PERSISTENT), ZOK);
    expect_code(create(handle, "/c", "one", ZOO_PERSISTENT), ZNODEEXISTS);
    expect_code(zoo_set2(handle, "/c", "two", 3, 0, &stat), ZOK);
    expect(stat.version == 1 && stat.dataLength == 3 && stat.czxid < stat.mzxid);
    expect_code(zoo_set(handle, "/c", "x", 1, 0), ZBADVERSION);
    expect(value_is(handle, "/c", "two"));
    expect_code(zoo_create2(handle, "/c/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL,
                            path, sizeof path, &stat),
                ZOK);
    expect(strcmp(path, "/c/s-0000000000") == 0);
    expect(stat.ephemeralOwner == zoo_client_id(handle)->client_id);
    expect_code(create(handle, "/c/s-0000000000/x", "", 0), ZNOCHILDRENFOREPHEMERALS);
    expect_code(create(handle, "/c/box", "", ZOO_CONTAINER), ZOK);
    expect_code(zoo_create2_ttl(handle, "/c/ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                ZOO_PERSISTENT_WITH_TTL, 60000, NULL, 0, &stat),
                ZOK);
    expect(stat.ephemeralOwner == 0);
    expect_code(zoo_get_children2(handle, "/c", 0, &names, &stat), ZOK);
    expect(names.count == 3 && stat.numChildren == 3 && stat.cversion == 3);
    deallocate_String_vector(&names);
    expect_code(zoo_delete(handle, "/c", -1), ZNOTEMPTY);
    expect_code(zoo_delete(handle, "/none", -1), ZNONODE);
    expect_code(zoo_exists(handle, "/none", 0, &stat), ZNONODE);
    zookeeper_close(handle);
}

static void multis(void) {
    zhandle_t *handle = dial(hosts, NULL, NULL);
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    struct Stat stat;
    char path[64];
    zoo_create_op_init(&ops[0], "/m", "0", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    zoo_check_op_init(&ops[1], "/m", 0);
    zoo_set_op_init(&ops[2], "/m", "1", 1, 0, &stat);
    zoo_create_op_init(&ops[3], "/m/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    expect_code(zoo_multi(handle, 4, ops, results), ZOK);
    expect(strcmp(path, "/m/c") == 0 && stat.version == 1);
    zoo_set_op_init(&ops[0], "/m", "2", 1, -1, &stat);
    zoo_delete_op_init(&ops[1], "/m/c", -1);
    zoo_check_op_init(&ops[2], "/m", 77);
    zoo_delete_op_init(&ops[3], "/m", -1);
    expect_code(zoo_multi(handle, 4, ops, results), ZBADVERSION);
    expect(results[0].err == ZOK && results[1].err == ZOK && results[2].err == ZBADVERSION &&
           results[3].err == ZRUNTIMEINCONSISTENCY);
    expect(value_is(handle, "/m", "1"));
    expect_code(zoo_exists(handle, "/m/c", 0, NULL), ZOK);
    zookeeper_close(handle);
}

static void on_auth(int code, const void *data) {
    *(volatile int *)(uintptr_t)data = code;
}

static zhandle_t *dial_as(const char *identity) {
    volatile int code = 1;
    zhandle_t *handle = dial(hosts, NULL, NULL);
    zoo_add_auth(handle, "digest", identity, (int)strlen(identity), on_auth,
                 (const void *)(uintptr_t)&code);
    until(code == ZOK);
    return handle;
}

static void rights(void) {
    zhandle_t *plain = dial(hosts, NULL, NULL), *bob = dial_as("bob:secret");
    struct ACL_vector acl;
    struct Stat stat;
    expect_code(zoo_create(bob, "/r", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZOK);
    expect_code(zoo_get_acl(bob, "/r", &acl, &stat), ZOK);
    expect(acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0 &&
           strncmp(acl.data[0].id.id, "bob:", 4) == 0);
    deallocate_ACL_vector(&acl);
    char data[8];
    int len = sizeof data;
    expect_code(zoo_get(plain, "/r", 0, data, &len, NULL), ZNOAUTH);
    expect_code(zoo_set_acl(plain, "/r", -1, &ZOO_OPEN_ACL_UNSAFE), ZNOAUTH);
    expect_code(zoo_set_acl(bob, "/r", 0, &ZOO_READ_ACL_UNSAFE), ZOK);
    expect(value_is(plain, "/r", "x"));
    zookeeper_close(plain);
    zookeeper_close(bob);
}

static void configuration(void) {
    zhandle_t *plain = dial(hosts, NULL, NULL), *super = dial_as("super:test");
    const char *joining = "server.100=127.0.0.1:19998:19999:observer;127.0.0.1:19997";
    char data[4096] = {0};
    int len = sizeof data - 1;
    struct Stat stat;
    expect_code(zoo_getconfig(plain, 0, data, &len, &stat), ZOK);
    expect(strstr(data, "server.1=") && strstr(data, "server.3=") && strstr(data, "version="));
    len = sizeof data - 1;
    expect_code(zoo_reconfig(plain, joining, NULL, NULL, -1, data, &len, &stat), ZNOAUTH);
    len = sizeof data - 1;
    expect_code(zoo_reconfig(super, joining, NULL, NULL, -1, data, &len, &stat), ZOK);
    expect(strstr(data, joining) != NULL);
    len = sizeof data - 1;
    expect_code(zoo_reconfig(super, NULL, "100", NULL, -1, data, &len, &stat), ZOK);
    zookeeper_close(plain);
    zookeeper_close(super);
}

/* ---- many at once ---- */

struct order {
    pthread_mutex_t lock;
    int answered, wrong;
};

struct one {
    struct order *order;
    int number;
};

static void answered(struct one *one, bool right) {
    struct order *order = one->order;
    pthread_mutex_lock(&order->lock);
    order->wrong += !right || one->number != order->answered;
    order->answered++;
    pthread_mutex_unlock(&order->lock);
}

static void on_set(int code, const struct Stat *stat, const void *data) {
    struct one *one = (struct one *)(uintptr_t)data;
    answered(one, code == ZOK && stat->version == one->number / 2 + 1);
}

static void on_get(int code, const char *value, int len, const struct Stat *stat,
                   const void *data) {
    struct one *one = (struct one *)(uintptr_t)data;
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%d", one->number / 2);
    (void)stat;
    answered(one,
             code == ZOK && len == (int)strlen(wanted) && memcmp(value, wanted, (size_t)len) == 0);
}

static void many_at_once(void) {
    static struct one ones[2 * CALLS_AT_ONCE];
    struct order order = {.lock = PTHREAD_MUTEX_INITIALIZER};
    zhandle_t *handle = dial(hosts, NULL, NULL);
    expect_code(create(handle, "/many", "", 0), ZOK);
    for (int i = 0; i < 2 * CALLS_AT_ONCE; i++) {
        char value[16];
        ones[i] = (struct one){&order, i};
        snprintf(value, sizeof value, "%d", i / 2);
        if (i % 2 == 0)
            expect_code(zoo_aset(handle, "/many", value, (int)strlen(value), -1, on_set, &ones[i]),
                        ZOK);
        else
            expect_code(zoo_aget(handle, "/many", 0, on_get, &ones[i]), ZOK);
    }
    until(order.answered == 2 * CALLS_AT_ONCE);
    expect(order.wrong == 0);
    zookeeper_close(handle);
}

/* ---- watches ---- */

static void watches(void) {
    char host[64];
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER}, removed = seen;
    zhandle_t *handle = dial(host_of(1, host, sizeof host), NULL, NULL);
    zhandle_t *other = dial(host_of(2, host, sizeof host), NULL, NULL);
    struct String_vector names;
    char data[8];
    int len = sizeof data;
    expect_code(create(handle, "/w", "0", 0), ZOK);
    expect_code(zoo_wget(handle, "/w", on_event, &seen, data, &len, NULL), ZOK);
    expect_code(zoo_wget_children(handle, "/w", on_event, &seen, &names), ZOK);
    expect_code(zoo_wexists(handle, "/w2", on_event, &seen, NULL), ZNONODE);
    expect_code(zoo_wexists(handle, "/w3", on_event, &removed, NULL), ZNONODE);
    expect_code(zoo_remove_watches(handle, "/w3", ZWATCHTYPE_DATA, on_event, &removed, 0), ZOK);
    expect_code(zoo_remove_watches(handle, "/none", ZWATCHTYPE_DATA, on_event, &removed, 0),
                ZNOWATCHER);
    until(value_is(other, "/w", "0"));
    expect_code(zoo_set(other, "/w", "1", 1, -1), ZOK);
    expect_code(zoo_set(other, "/w", "2", 1, -1), ZOK);
    expect_code(create(other, "/w/c", "", 0), ZOK);
    expect_code(create(other, "/w2", "", 0), ZOK);
    expect_code(create(other, "/w3", "", 0), ZOK);
    until(count_of(&seen) == 3);
    expect_at(__LINE__, strcmp(seen.text, "3:/w 4:/w 1:/w2 ") == 0, "%s", seen.text);
    until(value_is(handle, "/w3", ""));
    expect(strstr(removed.text, "/w3") == NULL || strncmp(removed.text, "-2:", 3) == 0);
    zookeeper_close(handle);
    zookeeper_close(other);
}

static void watches_move(void) {
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER}, session = seen;
    zhandle_t *handle = dial(hosts, &session, NULL), *other = dial(hosts, NULL, NULL);
    int64_t id = zoo_client_id(handle)->client_id;
    char data[8];
    int len = sizeof data;
    expect_code(create(handle, "/move", "0", 0), ZOK);
    expect_code(create(handle, "/kept", "0", 0), ZOK);
    expect_code(zoo_wget(handle, "/move", on_event, &seen, data, &len, NULL), ZOK);
    len = sizeof data;
    expect_code(zoo_wget(handle, "/kept", on_event, &seen, data, &len, NULL), ZOK);
    int node = node_of(handle);
    steer("kill", node);
    until(zoo_set(other, "/move", "1", 1, -1) ==
          ZOK); /* while nobody holds the watch, or soon after */
    until(zoo_state(handle) == ZOO_CONNECTED_STATE && node_of(handle) != node);
    until(count_of(&seen) == 1);
    expect_at(__LINE__, strcmp(seen.text, "3:/move ") == 0, "%s", seen.text);
    until(zoo_set(other, "/kept", "1", 1, -1) == ZOK);
    until(count_of(&seen) == 2);
    expect(zoo_client_id(handle)->client_id == id && !session.expired);
    steer("start", node);
    zookeeper_close(handle);
    zookeeper_close(other);
}

/* ---- sessions ---- */

static void resumed(void) {
    char host[64];
    struct seen old = {.lock = PTHREAD_MUTEX_INITIALIZER};
    zhandle_t *first = dial(host_of(1, host, sizeof host), &old, NULL);
    expect_code(create(first, "/held", "", ZOO_EPHEMERAL), ZOK);
    clientid_t id = *zoo_client_id(first), wrong = id;
    zhandle_t *second = dial(host_of(2, host, sizeof host), NULL, &id);
    expect(zoo_client_id(second)->client_id == id.client_id);
    until(zoo_exists(second, "/held", 0, NULL) == ZOK); /* the first takes it back now and then */
    wrong.passwd[0] ^= 1;
    struct seen refused = {.lock = PTHREAD_MUTEX_INITIALIZER};
    zhandle_t *third = zookeeper_init(hosts, on_event, 10000, &wrong, &refused, 0);
    until(refused.expired);
    zookeeper_close(third);
    for (int turn = 0; turn < 50 && !old.expired; turn++) {
        zookeeper_close(second);
        usleep(100000);
        if (!old.expired)
            second = zookeeper_init(host_of(2, host, sizeof host), on_event, 10000, &id, NULL, 0);
        else
            second = NULL;
        for (int wait = 0; second && wait < 100 && zoo_state(second) != ZOO_CONNECTED_STATE; wait++)
            usleep(2000);
    }
    expect(old.expired);
    zookeeper_close(first);
    zhandle_t *other = dial(hosts, NULL, NULL);
    expect_code(zoo_exists(other, "/held", 0, NULL), ZNONODE);
    zookeeper_close(other);
}

struct writer {
    pthread_t thread;
    struct seen session;
    zhandle_t *handle;
    int64_t id;
    int number, next, problems;
    volatile int acked;
    volatile bool stop;
    bool was_acked[200000];
};

static void *write_on(void *context) {
    struct writer *writer = context;
    while (!writer->stop && writer->next < 200000) {
        char path[64];
        snprintf(path, sizeof path, "/load/%d-%d", writer->number, writer->next);
        int code = create(writer->handle, path, path, 0);
        if (code == ZOK) {
            writer->was_acked[writer->next] = true;
            writer->acked++;
        } else if (code != ZCONNECTIONLOSS && code != ZOPERATIONTIMEOUT) {
            writer->problems++;
            expect_code(code, ZOK);
            break;
        } else {
            usleep(20000);
        }
        writer->next++;
    }
    return NULL;
}

static bool all_wrote_since(struct writer *const *writers, const int *before) {
    for (int i = 0; i < WRITERS; i++)
        if (writers[i]->acked < before[i] + 4)
            return false;
    return true;
}

static void check_writer(struct writer *writer, zhandle_t *reader) {
    char path[64];
    struct Stat stat;
    for (int n = 0; n < writer->next; n++) {
        snprintf(path, sizeof path, "/load/%d-%d", writer->number, n);
        if (writer->was_acked[n])
            expect_code(zoo_exists(reader, path, 0, &stat), ZOK);
    }
    snprintf(path, sizeof path, "/load/alive-%d", writer->number);
    expect_code(zoo_exists(reader, path, 0, &stat), ZOK);
    expect(stat.ephemeralOwner == writer->id);
}

static void kills(void) {
    struct writer *writers[WRITERS];
    zhandle_t *first = dial(hosts, NULL, NULL);
    expect_code(create(first, "/load", "", 0), ZOK);
    for (int i = 0; i < WRITERS; i++) {
        char path[64];
        struct writer *writer = writers[i] = calloc(1, sizeof *writer);
        pthread_mutex_init(&writer->session.lock, NULL);
        writer->number = i;
        writer->handle = dial(hosts, &writer->session, NULL);
        writer->id = zoo_client_id(writer->handle)->client_id;
        snprintf(path, sizeof path, "/load/alive-%d", i);
        expect_code(create(writer->handle, path, "", ZOO_EPHEMERAL), ZOK);
        pthread_create(&writer->thread, NULL, write_on, writer);
    }
    for (int turn = 1; turn <= 4; turn++) {
        int before[WRITERS], node = turn < 4 ? turn : steer("leader", 0);
        steer("kill", node);
        for (int i = 0; i < WRITERS; i++)
            before[i] = writers[i]->acked;
        until(all_wrote_since(writers, before));
        steer("start", node);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i]->stop = true;
        pthread_join(writers[i]->thread, NULL);
    }
    zookeeper_close(first);
    zhandle_t *reader = dial(hosts, NULL, NULL);
    for (int i = 0; i < WRITERS; i++) {
        check_writer(writers[i], reader);
        expect(!writers[i]->session.expired && writers[i]->problems == 0);
        expect(zoo_client_id(writers[i]->handle)->client_id == writers[i]->id);
        zookeeper_close(writers[i]->handle);
        free(writers[i]);
    }
    zookeeper_close(reader);
}

static const struct {
    const char *name;
    void (*run)(void);
} stories[] = {
    {"nodes of every kind, with stats and errors", calls},
    {"a multi is all or nothing, and names the part that failed", multis},
    {"digest rights", rights},
    {"the configuration is read and changed", configuration},
    {"2,000 calls outstanding are answered in order", many_at_once},
    {"one-time watches, and their removal", watches},
    {"watches move to another server with their session", watches_move},
    {"a session is resumed by its password alone", resumed},
    {"every server is killed in turn: no session and no acknowledged write is lost", kills},
};

int main(void) {
    int failed = 0;
    hosts = getenv("HOSTS");
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zoo_set_log_stream(fopen("/dev/null", "w"));
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        long began = now_ms();
        failure[0] = 0;
        stories[i].run();
        printf("%s libzookeeper: %s (%ld ms)\n", failure[0] ? "not ok" : "ok", stories[i].name,
               now_ms() - began);
        if (failure[0])
            printf("    %s\n", failure);
        fflush(stdout);
        failed += failure[0] != 0;
    }
    return failed != 0;
}
