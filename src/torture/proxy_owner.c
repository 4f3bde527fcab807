#include "torture/proxy.h"

#include "base/alloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 256u

/* A line: "n: ADDRESS:PORT ADDRESS:PORT state tx:rx tr:when retrnsmt uid timeout inode ..." */
static uint64_t line_inode(const char *line, uint16_t port, uint16_t peer) {
    unsigned local, remote;
    uint64_t inode;
    if (sscanf(line,
               " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %*x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
               &local, &remote, &inode) != 3)
        return 0;
    return local == port && remote == peer ? inode : 0;
}

/* Each line by itself, for sscanf measures all that is left; only those that name the port, for the
 * table of a busy machine has tens of thousands. */
uint64_t proxy_find_inode(const char *table, uint16_t port, uint16_t peer) {
    char wanted[8], one[LINE_BYTES];
    snprintf(wanted, sizeof wanted, ":%04X ", port);
    for (const char *line = table; line != NULL && *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        if (len < sizeof one && memmem(line, len, wanted, 6) != NULL) {
            memcpy(one, line, len);
            one[len] = 0;
            uint64_t inode = line_inode(one, port, peer);
            if (inode != 0)
                return inode;
        }
        line = end ? end + 1 : NULL;
    }
    return 0;
}

/* Files of /proc tell no size. NULL: it can't be read. */
static char *read_whole(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t len = 0, cap = 65536;
    char *text = cairn_alloc(cap);
    ssize_t got;
    while ((got = read(fd, text + len, cap - len - 1)) > 0) {
        len += (size_t)got;
        if (cap - len < 4096)
            text = cairn_realloc(text, cap *= 2);
    }
    close(fd);
    text[len] = 0;
    return text;
}

static uint64_t inode_of(uint16_t port, uint16_t peer) {
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    uint64_t inode = 0;
    for (int i = 0; i < 2 && inode == 0; i++) {
        char *table = read_whole(tables[i]);
        if (table != NULL)
            inode = proxy_find_inode(table, port, peer);
        cairn_free(table);
    }
    return inode;
}

static bool holds(int32_t pid, uint64_t inode) {
    char folder[64], wanted[64];
    bool found = false;
    snprintf(folder, sizeof folder, "/proc/%d/fd", pid);
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return false;
    const struct dirent *entry;
    while (!found && (entry = readdir(dir)) != NULL) {
        char path[400], target[64];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len > 0) {
            target[len] = 0;
            found = strcmp(target, wanted) == 0;
        }
    }
    closedir(dir);
    return found;
}

unsigned proxy_owner(const struct proxy_board *board, uint16_t port, uint16_t listen_port) {
    uint64_t inode = inode_of(port, listen_port);
    for (unsigned node = 1; inode != 0 && node < PROXY_NODES; node++) {
        int32_t pid = board->pids[node];
        if (pid > 0 && holds(pid, inode))
            return node;
    }
    return 0;
}
