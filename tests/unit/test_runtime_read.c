/* How much of what connections send the real env reads at a time. */
#include "runtime/runtime_internal.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TOTAL (10u << 20)

struct upload {
    struct runtime *runtime;
    struct env_listener listener;
    struct env_stream stream;
    int port;
    size_t received, before, most;
};

static void data(struct env_stream *stream, struct bytes bytes) {
    struct upload *upload = container_of(stream, struct upload, stream);
    upload->received += bytes.len;
}

static void ended(struct env_stream *stream, enum cairn_status why) {
    runtime_stop(container_of(stream, struct upload, stream)->runtime);
}

static void turn(void *context) {
    struct upload *upload = context;
    size_t now = upload->received - upload->before;
    if (now > upload->most)
        upload->most = now;
    upload->before = upload->received;
}

static struct env_stream *take(struct env_listener *listener, const char *address) {
    static const struct env_stream_events events = {.data = data, .close = ended};
    struct upload *upload = container_of(listener, struct upload, listener);
    upload->stream = (struct env_stream){.events = &events};
    return &upload->stream;
}

static void *send_all(void *context) {
    static const uint8_t zeros[TOTAL];
    const struct upload *upload = context;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)upload->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t sent = 0;
    ssize_t put = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 1 : 0;
    while (put > 0 && sent < TOTAL) {
        put = send(fd, zeros + sent, TOTAL - sent, MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
    }
    close(fd);
    return NULL;
}

static void listen_somewhere(struct upload *upload) {
    enum cairn_status status = CAIRN_IN_USE;
    char address[32];
    upload->port = 20000 + getpid() % 20000;
    for (; status == CAIRN_IN_USE; upload->port++) {
        snprintf(address, sizeof address, "127.0.0.1:%d", upload->port);
        status = env_listen(runtime_env(upload->runtime), address, &upload->listener);
    }
    upload->port--;
    assert_int_equal(status, CAIRN_OK);
}

/* So others are heard in between, a leader's heartbeats for one. */
static void a_connection_is_read_one_buffer_a_round(void **state) {
    struct upload upload = {.listener = {.accept = take}};
    pthread_t sender;
    upload.runtime = runtime_new(&(struct runtime_options){.wall_error_ns = 1000});
    env_set_turn(runtime_env(upload.runtime), turn, &upload);
    listen_somewhere(&upload);
    assert_int_equal(pthread_create(&sender, NULL, send_all, &upload), 0);
    runtime_run(upload.runtime);
    pthread_join(sender, NULL);
    assert_int_equal(upload.received, TOTAL);
    assert_in_range(upload.most, 1, RUNTIME_READ_BYTES);
    env_listener_close(runtime_env(upload.runtime), &upload.listener);
    runtime_free(upload.runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_read_one_buffer_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
