/* Records what clients of a Redis server are told, as JSON lines for cairn check
 * (docs/first-hour.md).
 *
 * cc -pthread -o recorder recorder.c
 * ./recorder SECONDS WRITE_PORT [READ_PORT ...] > history.jsonl
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 6
#define KEYS 4
#define PORTS_MAX 8
#define NOTHING (-1) /* a value: none */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int processes;
static atomic_long last_value;
static int64_t began_ns, end_ns;
static int ports[PORTS_MAX], port_count; /* the first is written to, the others are read from */

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One lock: lines stand in the order in which things happened. */
static void record(int process, const char *type, bool write, int key, long value) {
    pthread_mutex_lock(&lock);
    printf("{\"process\":%d,\"type\":\"%s\",\"f\":\"%s\",\"key\":%d,\"value\":", process, type,
           write ? "write" : "read", key);
    if (value == NOTHING)
        printf("null");
    else
        printf("%ld", value);
    printf(",\"time\":%lld}\n", (long long)(now_ns() - began_ns));
    pthread_mutex_unlock(&lock);
}

static FILE *connect_to(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval second = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return NULL;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    FILE *stream = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? fdopen(fd, "r") : NULL;
    if (stream == NULL)
        close(fd);
    return stream;
}

static bool read_line(FILE *stream, char *line, int size) {
    return fgets(line, size, stream) != NULL && strchr(line, '\n') != NULL;
}

/* "ok"; "fail": an error reply, it was not executed; "info": no answer came. */
static const char *ask(FILE *stream, bool write, int key, long *value) {
    char line[128], name[48], text[24];
    int fd = fileno(stream), sent;
    /* A key of this run alone: nothing of an earlier one is read. */
    int name_len = snprintf(name, sizeof name, "run%lld:%d", (long long)began_ns, key);
    int text_len = snprintf(text, sizeof text, "%ld", *value);
    if (write)
        sent = dprintf(fd, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", name_len, name,
                       text_len, text);
    else
        sent = dprintf(fd, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", name_len, name);
    if (sent < 0 || !read_line(stream, line, sizeof line))
        return "info";
    if (line[0] == '-')
        return "fail";
    if (line[0] == '$' && line[1] != '-') {
        if (!read_line(stream, line, sizeof line))
            return "info";
        *value = strtol(line, NULL, 10);
    }
    return "ok";
}

static void *client(void *context) {
    unsigned chance = (unsigned)(uintptr_t)context + (unsigned)began_ns;
    int process = atomic_fetch_add(&processes, 1);
    FILE *streams[PORTS_MAX] = {0};
    while (now_ns() < end_ns) {
        bool write = rand_r(&chance) / 7 % 2 == 0;
        int key = rand_r(&chance) / 7 % KEYS;
        int of = write || port_count == 1 ? 0 : 1 + rand_r(&chance) / 7 % (port_count - 1);
        long value = write ? atomic_fetch_add(&last_value, 1) + 1 : NOTHING;
        record(process, "invoke", write, key, value); /* before the request leaves */
        if (streams[of] == NULL)
            streams[of] = connect_to(ports[of]);
        const char *type = streams[of] == NULL ? "info" : ask(streams[of], write, key, &value);
        record(process, type, write, key, value); /* after the answer came */
        if (strcmp(type, "info") != 0)
            continue;
        /* It may happen at any later time, so this process does nothing more. */
        process = atomic_fetch_add(&processes, 1);
        for (int i = 0; i < port_count; i++) {
            if (streams[i] != NULL)
                fclose(streams[i]);
            streams[i] = NULL;
        }
        usleep(100000);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[CLIENTS];
    if (argc < 3 || argc > 2 + PORTS_MAX) {
        fprintf(stderr, "usage: %s SECONDS WRITE_PORT [READ_PORT ...] > history.jsonl\n", argv[0]);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        ports[port_count++] = atoi(argv[i]);
    signal(SIGPIPE, SIG_IGN);
    began_ns = now_ns();
    end_ns = began_ns + atol(argv[1]) * 1000000000;
    for (uintptr_t i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, client, (void *)i);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    return fflush(stdout) == 0 ? 0 : 1;
}
