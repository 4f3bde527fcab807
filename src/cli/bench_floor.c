#include "cli/bench_floor.h"

#include "cli/cli.h"
#include "cli/histogram.h"
#include "runtime/folders.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (16u << 20)
#define BLOCK 4096u
#define FOLLOWERS 2
#define MESSAGE_MAX 65536u

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A connected pair of TCP sockets over loopback. */
static bool tcp_pair(int pair[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0 &&
              listen(listener, 1) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &len) == 0;
    pair[0] = ok ? socket(AF_INET, SOCK_STREAM, 0) : -1;
    ok = ok && connect(pair[0], (struct sockaddr *)&address, len) == 0;
    pair[1] = ok ? accept(listener, NULL, NULL) : -1;
    close(listener);
    if (pair[1] < 0)
        return false;
    setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(pair[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

static bool send_all(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t sent = write(fd, data, len);
        if (sent <= 0)
            return false;
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t got = read(fd, data, len);
        if (got <= 0)
            return false;
        data += got;
        len -= (size_t)got;
    }
    return true;
}

struct disk {
    int fd;
    uint8_t *block;
    size_t size; /* of one write */
    off_t at;
};

/* Preallocated, written once, opened for direct durable writes where the file system can. */
static bool disk_open(struct disk *disk, const char *dir, int node, size_t bytes) {
    char path[600];
    snprintf(path, sizeof path, "%s/floor-%d-%d", dir, (int)getpid(), node);
    disk->size = (bytes + 256 + BLOCK - 1) / BLOCK * BLOCK;
    disk->at = 0;
    disk->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_DSYNC, 0600);
    if (disk->fd < 0)
        disk->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DSYNC, 0600);
    if (disk->fd < 0 || posix_memalign((void **)&disk->block, BLOCK, disk->size) != 0)
        return false;
    unlink(path);
    memset(disk->block, 0, disk->size);
    for (off_t at = 0; at + (off_t)disk->size <= (off_t)FILE_BYTES; at += (off_t)disk->size)
        if (pwrite(disk->fd, disk->block, disk->size, at) != (ssize_t)disk->size)
            return false;
    return true;
}

static bool disk_write(struct disk *disk) {
    if (disk->at + (off_t)disk->size > (off_t)FILE_BYTES)
        disk->at = 0;
    bool ok = pwrite(disk->fd, disk->block, disk->size, disk->at) == (ssize_t)disk->size;
    disk->at += (off_t)disk->size;
    return ok;
}

static void follower(int fd, const char *dir, int node, size_t bytes) {
    static uint8_t message[MESSAGE_MAX];
    struct disk disk;
    if (!disk_open(&disk, dir, node, bytes) || !send_all(fd, message, 1))
        _exit(1);
    while (receive_all(fd, message, bytes + 64) && disk_write(&disk) && send_all(fd, message, 32))
        continue;
    _exit(0);
}

/* Answers when its own disk and the first follower have it. */
static void leader(int client, int followers[FOLLOWERS], const char *dir, size_t bytes) {
    static uint8_t message[MESSAGE_MAX];
    struct disk disk;
    uint8_t ready;
    if (!disk_open(&disk, dir, 0, bytes))
        _exit(1);
    for (int i = 0; i < FOLLOWERS; i++)
        if (!receive_all(followers[i], &ready, 1))
            _exit(1);
    if (!send_all(client, message, 1))
        _exit(1);
    while (receive_all(client, message, bytes)) {
        for (int i = 0; i < FOLLOWERS; i++)
            if (!send_all(followers[i], message, bytes + 64))
                _exit(1);
        if (!disk_write(&disk) || !receive_all(followers[0], message, 32) ||
            !send_all(client, message, 5) || !receive_all(followers[1], message, 32))
            _exit(1);
    }
    _exit(0);
}

static int measure(int fd, uint64_t bytes, uint64_t seconds, bool json) {
    static struct histogram latencies;
    static uint8_t message[MESSAGE_MAX];
    uint8_t ready;
    if (!receive_all(fd, &ready, 1))
        return EXIT_NO;
    uint64_t began = now_ns(), end = began + seconds * 1000000000u;
    while (now_ns() < end) {
        uint64_t sent = now_ns();
        if (!send_all(fd, message, bytes) || !receive_all(fd, message, 5))
            return EXIT_NO;
        histogram_add(&latencies, now_ns() - sent);
    }
    double rate = (double)latencies.total / ((double)(now_ns() - began) / 1e9);
    printf(json ? "{\"command\":\"floor\",\"ops\":%llu,\"ops_per_second\":%.1f,\"p50_ms\":%.4f,"
                  "\"p99_ms\":%.4f}\n"
                : "floor: %llu writes, %.0f a second; latency ms: p50 %.3f  p99 %.3f\n",
           (unsigned long long)latencies.total, rate, (double)histogram_at(&latencies, 500) / 1e6,
           (double)histogram_at(&latencies, 990) / 1e6);
    return EXIT_FINE;
}

int bench_floor(const char *dir, uint64_t bytes, uint64_t seconds, bool json) {
    int client[2], links[FOLLOWERS][2], ends[FOLLOWERS];
    pid_t pids[FOLLOWERS + 1];
    if (bytes + 64 > MESSAGE_MAX)
        return misuse("bench", "--floor takes at most %u bytes", MESSAGE_MAX - 64);
    if (!folders_make(dir)) {
        fprintf(stderr, "cairn bench: can't make %s: %s\n", dir, strerror(errno));
        return EXIT_NO;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!tcp_pair(client) || !tcp_pair(links[0]) || !tcp_pair(links[1])) {
        fprintf(stderr, "cairn bench: no sockets: %s\n", strerror(errno));
        return EXIT_NO;
    }
    for (int i = 0; i < FOLLOWERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            follower(links[i][1], dir, i + 1, bytes);
        ends[i] = links[i][0];
    }
    pids[FOLLOWERS] = fork();
    if (pids[FOLLOWERS] == 0)
        leader(client[1], ends, dir, bytes);
    close(client[1]);
    int code = measure(client[0], bytes, seconds ? seconds : 3, json);
    if (code != EXIT_FINE)
        fprintf(stderr, "cairn bench: the floor could not be measured in %s\n", dir);
    for (int i = 0; i <= FOLLOWERS; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    return code;
}
