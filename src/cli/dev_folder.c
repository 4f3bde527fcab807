#include "cli/dev_folder.h"

#include "cli/cli.h"
#include "cli/lock_wait.h"
#include "cli/secret_file.h"
#include "runtime/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_NODES 3u

typedef unsigned long long ull;

/* ---- what is asked for ---- */

unsigned dev_port(const struct dev_wish *wish, enum dev_port kind, uint64_t node) {
    return (unsigned)(kind + node + wish->offset);
}

bool dev_listens(const struct dev_wish *wish, const char *setting) {
    size_t len = strlen(setting);
    bool listens = true;
    for (int i = 0; i < wish->set_count; i++)
        if (strncmp(wish->sets[i], setting, len) == 0 && wish->sets[i][len] == '=')
            listens = wish->sets[i][len + 1] != 0;
    return listens;
}

/* What differs from node to node, or belongs to the folder; those that end in listen may be empty.
 */
static bool is_own(const char *set) {
    static const char *const own[] = {"node.id=",
                                      "node.dir=",
                                      "cluster.name=",
                                      "cluster.members=",
                                      "peer.listen=",
                                      "admin.listen=",
                                      "redis.listen=",
                                      "zookeeper.listen=",
                                      "zookeeper.tls_listen=",
                                      "zookeeper.advertised=",
                                      "cluster.bootstrap="};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        size_t len = strlen(own[i]);
        bool may_be_empty = i >= 6 && i <= 9;
        if (strncmp(set, own[i], len) == 0 && !(may_be_empty && set[len] == 0))
            return true;
    }
    return false;
}

/* Told here, once, rather than by every node. */
bool dev_wish_check(const struct dev_wish *wish) {
    static struct settings settings; /* large */
    char error[512] = "";
    settings_default(&settings);
    for (int i = 0; i < wish->set_count; i++) {
        if (!settings_set_word(&settings, wish->sets[i], error, sizeof error)) {
            misuse("dev", "%s", error);
            return false;
        }
        if (is_own(wish->sets[i])) {
            misuse("dev", "--set %s: that is each node's own, by --dir, --nodes and --port-offset",
                   wish->sets[i]);
            return false;
        }
    }
    if (!settings_check(&settings, error, sizeof error)) {
        misuse("dev", "%s", error);
        return false;
    }
    return true;
}

/* ---- files ---- */

static void path_in(const struct dev_folder *folder, const char *name, char *out, size_t size) {
    snprintf(out, size, "%s/%s", folder->dir, name);
}

void dev_folder_config(const struct dev_folder *folder, uint64_t node, char *out, size_t size) {
    snprintf(out, size, "%s/node-%llu.ini", folder->dir, (ull)node);
}

static bool exists(const struct dev_folder *folder, const char *name) {
    char path[640];
    path_in(folder, name, path, sizeof path);
    return access(path, F_OK) == 0;
}

/* Under another name until it is whole: whenever this process is killed, there is the former file
 * or this one. Takes text's memory. */
static bool write_file(const char *path, struct buf *text) {
    char beside[700];
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    buf_free(text);
    errno = why;
    return ok && rename(beside, path) == 0;
}

static bool cannot_write(const struct dev_folder *folder, int *code) {
    fprintf(stderr, "cairn dev: can't write to %s: %s\n", folder->dir, strerror(errno));
    *code = EXIT_NO;
    return false;
}

/* ---- one at a time ---- */

static bool is_locked(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return locked;
}

/* 0: none does. Nodes whose cairn dev was killed are about to stop. */
static uint64_t node_that_runs(const struct dev_folder *folder) {
    char path[640];
    for (unsigned waited_ms = 0;;) {
        uint64_t found = 0;
        for (uint64_t i = 1; i <= DEV_NODES_MAX && found == 0; i++) {
            snprintf(path, sizeof path, "%s/node-%llu/lock", folder->dir, (ull)i);
            found = is_locked(path) ? i : 0;
        }
        if (found == 0 || !lock_wait(&waited_ms, LOCK_PATIENCE_MS))
            return found;
    }
}

/* Held until this process ends. */
static bool lock(const struct dev_folder *folder, int *code) {
    char path[640];
    path_in(folder, "lock", path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return cannot_write(folder, code);
    *code = EXIT_NO;
    unsigned waited_ms = 0;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (lock_wait(&waited_ms, LOCK_PATIENCE_DEV_MS))
            continue;
        fprintf(stderr, "cairn dev: another cairn dev runs on %s; nothing was changed\n",
                folder->dir);
        return false;
    }
    uint64_t node = node_that_runs(folder);
    if (node != 0)
        fprintf(stderr, "cairn dev: node %llu runs on %s already; nothing was changed\n", (ull)node,
                folder->dir);
    return node == 0;
}

/* ---- what the folder knows ---- */

static void read_name(struct dev_folder *folder) {
    char path[640];
    ull nodes = 0, offset = 0;
    path_in(folder, "cluster", path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fscanf(file, "%63s nodes %llu port-offset %llu", folder->name, &nodes, &offset) == 3) {
        folder->begun.nodes = nodes;
        folder->begun.offset = offset;
    }
    fclose(file);
}

bool dev_folder_open(const char *dir, struct dev_folder *folder, int *code) {
    *folder = (struct dev_folder){.dir = dir};
    if (!folders_make(dir))
        return cannot_write(folder, code);
    if (!lock(folder, code))
        return false;
    read_name(folder);
    for (uint64_t i = 1; i <= DEV_NODES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "node-%llu", (ull)i);
        if (exists(folder, name))
            folder->nodes_had = i;
    }
    /* A folder that was made otherwise, by cairn import or before there was such a mark, is. */
    folder->founded =
        exists(folder, "founded") || (folder->nodes_had > 0 && folder->begun.nodes == 0);
    return true;
}

/* A cluster's name tells its data from another's: made once for a folder, by chance. */
static bool write_name(struct dev_folder *folder, const struct dev_wish *wish) {
    uint64_t random = 0;
    char path[640];
    struct buf text = {0};
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &random, sizeof random) != sizeof random)
        random = (uint64_t)time(NULL);
    if (fd >= 0)
        close(fd);
    snprintf(folder->name, sizeof folder->name, "dev-%016llx", (ull)random);
    buf_printf(&text, "%s\nnodes %llu\nport-offset %llu\n", folder->name, (ull)wish->nodes,
               (ull)wish->offset);
    path_in(folder, "cluster", path, sizeof path);
    return write_file(path, &text);
}

void dev_folder_founded(struct dev_folder *folder) {
    char path[640];
    struct buf text = {0};
    if (folder->founded)
        return;
    path_in(folder, "founded", path, sizeof path);
    buf_printf(&text, "All nodes have served: from now on one without a folder rejoins.\n");
    folder->founded = write_file(path, &text);
}

/* ---- what nodes are started with ---- */

static void put_sets(const struct dev_wish *wish, struct buf *text) {
    for (int i = 0; i < wish->set_count; i++) {
        const char *set = wish->sets[i], *dot = strchr(set, '.'), *equals = strchr(set, '=');
        buf_printf(text, "\n[%.*s]\n%.*s = %s\n", (int)(dot - set), set, (int)(equals - dot - 1),
                   dot + 1, equals + 1);
    }
}

static bool write_config(const struct dev_folder *folder, const struct dev_wish *wish,
                         uint64_t node) {
    char path[640];
    struct buf text = {0};
    dev_folder_config(folder, node, path, sizeof path);
    buf_printf(&text,
               "# Written by cairn dev at each start.\n[node]\nid = %llu\n"
               "dir = %s/node-%llu\n\n[cluster]\nname = %s\nmembers =",
               (ull)node, folder->dir, (ull)node, folder->name);
    for (uint64_t i = 1; i <= wish->nodes; i++)
        buf_printf(&text, " %llu=127.0.0.1:%u", (ull)i, dev_port(wish, DEV_PEER, i));
    buf_printf(&text,
               "\nbootstrap = %s\n\n[redis]\nlisten = 127.0.0.1:%u\n\n[peer]\n"
               "listen = 127.0.0.1:%u\nsecret_file = %s/peer-secret\n\n[admin]\n"
               "listen = 127.0.0.1:%u\n\n[zookeeper]\nlisten = 127.0.0.1:%u\n",
               folder->founded ? "no" : "yes", dev_port(wish, DEV_REDIS, node),
               dev_port(wish, DEV_PEER, node), folder->dir, dev_port(wish, DEV_ADMIN, node),
               dev_port(wish, DEV_ZOOKEEPER, node));
    put_sets(wish, &text);
    return write_file(path, &text);
}

static bool port_is_free(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool taken = bind(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno == EADDRINUSE;
    close(fd);
    return !taken;
}

static bool ports_are_free(const struct dev_wish *wish, int *code) {
    static const struct {
        enum dev_port port;
        const char *setting, *whose;
    } kinds[] = {{DEV_REDIS, "redis.listen", "Redis clients"},
                 {DEV_PEER, "peer.listen", "the other nodes"},
                 {DEV_ADMIN, "admin.listen", "the admin pages"},
                 {DEV_ZOOKEEPER, "zookeeper.listen", "ZooKeeper clients"}};
    for (uint64_t node = 1; node <= wish->nodes; node++)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            unsigned port = dev_port(wish, kinds[i].port, node);
            if (!dev_listens(wish, kinds[i].setting) || port_is_free(port))
                continue;
            fprintf(stderr,
                    "cairn dev: port %u, node %llu's for %s, is in use (by what: ss -ltnp); "
                    "--port-offset N takes others. Nothing was changed.\n",
                    port, (ull)node, kinds[i].whose);
            *code = EXIT_NO;
            return false;
        }
    return true;
}

/* Founders that were told other members refuse each other. */
static bool as_begun(const struct dev_folder *folder, const struct dev_wish *wish, int *code) {
    if (folder->founded || folder->nodes_had == 0 ||
        (wish->nodes == folder->begun.nodes && wish->offset == folder->begun.offset))
        return true;
    fprintf(stderr,
            "cairn dev: the first start on %s, with --nodes %llu --port-offset %llu, ended before "
            "all nodes had served. Start it like that once more, and otherwise afterwards; or "
            "remove the folder.\n",
            folder->dir, (ull)folder->begun.nodes, (ull)folder->begun.offset);
    *code = EXIT_NO;
    return false;
}

bool dev_folder_write(struct dev_folder *folder, struct dev_wish *wish, int *code) {
    char secret[640];
    bool begun = !folder->founded && folder->nodes_had > 0;
    if (wish->nodes == 0)
        wish->nodes = begun                   ? folder->begun.nodes
                      : folder->nodes_had > 0 ? folder->nodes_had
                                              : DEFAULT_NODES;
    if (!as_begun(folder, wish, code) || !ports_are_free(wish, code))
        return false;
    path_in(folder, "peer-secret", secret, sizeof secret);
    bool named = folder->name[0] != 0 && (folder->founded || folder->nodes_had > 0);
    if ((!named && !write_name(folder, wish)) || !secret_file_make(secret))
        return cannot_write(folder, code);
    for (uint64_t i = 1; i <= wish->nodes; i++)
        if (!write_config(folder, wish, i))
            return cannot_write(folder, code);
    return true;
}
