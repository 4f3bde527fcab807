/* The real env, on loopback and in a temporary folder. Each test runs the loop until it stops it; a
 * timer that only a broken runtime reaches fails it.
 */

#include "runtime/runtime.h"
#include "runtime/runtime_admin.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <cmocka.h>

#define LIMIT_NS 20000000000ull
#define STALL_NS 300000000ull

struct world {
    struct runtime *runtime;
    struct env *env;
    struct env_timer limit;
    char folder[64];
    char address[32];
    bool late;
};

static void too_late(struct env_timer *timer) {
    struct world *world = container_of(timer, struct world, limit);
    world->late = true;
    runtime_stop(world->runtime);
}

static void world_open(struct world *world) {
    *world = (struct world){.limit = {.fire = too_late}};
    world->runtime =
        runtime_new(&(struct runtime_options){.wall_error_ns = 1000, .linger_stall_ns = STALL_NS});
    world->env = runtime_env(world->runtime);
    snprintf(world->folder, sizeof world->folder, "/tmp/cairn-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    env_timer_set(world->env, &world->limit, env_now(world->env) + LIMIT_NS);
}

static void world_run(struct world *world) {
    runtime_run(world->runtime);
    assert_false(world->late);
}

static void world_close(struct world *world) {
    env_timer_clear(world->env, &world->limit);
    runtime_free(world->runtime);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", world->folder);
    assert_int_equal(system(command), 0);
}

/* ---- timers ---- */

struct alarm {
    struct env_timer timer;
    struct world *world;
    unsigned *fired;
    unsigned want;
    bool last;
};

static void ring(struct env_timer *timer) {
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    assert_true(env_now(alarm->world->env) >= timer->deadline);
    assert_int_equal((*alarm->fired)++, alarm->want);
    if (alarm->last)
        runtime_stop(alarm->world->runtime);
}

static void timers_fire_in_order_and_never_early(void **state) {
    struct world world;
    world_open(&world);
    unsigned fired = 0;
    struct alarm alarms[20];
    uint64_t now = env_now(world.env);
    for (unsigned i = 20; i-- > 0;) {
        alarms[i] = (struct alarm){
            .timer = {.fire = ring}, .world = &world, .fired = &fired, .want = i, .last = i == 19};
        env_timer_set(world.env, &alarms[i].timer, now + i * 300000);
    }
    struct alarm cleared = {.timer = {.fire = ring}, .world = &world, .fired = &fired, .want = 99};
    env_timer_set(world.env, &cleared.timer, now + 1);
    env_timer_clear(world.env, &cleared.timer);
    world_run(&world);
    assert_int_equal(fired, 20);
    world_close(&world);
}

/* ---- work and turns ---- */

struct job {
    struct env_work work;
    struct world *world;
    unsigned number;
    unsigned *ran;
    unsigned *done;
};

static void job_run(struct env_work *work) {
    struct job *job = container_of(work, struct job, work);
    assert_int_equal((*job->ran)++, job->number);
}

static void job_done(struct env_work *work) {
    struct job *job = container_of(work, struct job, work);
    assert_int_equal((*job->done)++, job->number);
}

struct turns {
    struct world *world;
    unsigned *done;
    unsigned count;
    unsigned woken;
};

static void on_turn(void *context) {
    struct turns *turns = context;
    turns->count++;
    if (*turns->done < 100)
        return;
    /* A wake asks for one more turn although nothing happens. */
    if (turns->woken++ == 0)
        env_wake(turns->world->env);
    else
        runtime_stop(turns->world->runtime);
}

static void work_runs_in_order_completes_on_the_loop_and_ends_in_a_turn(void **state) {
    struct world world;
    world_open(&world);
    unsigned ran = 0, done = 0;
    struct job jobs[100];
    struct turns turns = {.world = &world, .done = &done};
    env_set_turn(world.env, on_turn, &turns);
    for (unsigned i = 0; i < 100; i++) {
        jobs[i] = (struct job){{.run = job_run, .done = job_done}, &world, i, &ran, &done};
        env_work(world.env, ENV_QUEUE_LOG, &jobs[i].work);
    }
    world_run(&world);
    assert_true(ran == 100 && done == 100 && turns.woken == 2);
    world_close(&world);
}

/* ---- files ---- */

static void count_names(void *context, const char *name, bool is_folder, uint64_t size) {
    ++*(unsigned *)context;
}

static void direct_files_keep_what_was_written(void **state) {
    struct world world;
    world_open(&world);
    char folder[100], path[128], other[128];
    snprintf(folder, sizeof folder, "%.80s/a/b", world.folder);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(env_make_folder(world.env, folder), CAIRN_OK);
    assert_int_equal(env_make_folder(world.env, folder), CAIRN_OK);
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_DIRECT;
    assert_int_equal(env_open(world.env, path, flags, &file), CAIRN_NOT_FOUND);
    assert_int_equal(env_open(world.env, path, flags | ENV_OPEN_CREATE, &file), CAIRN_OK);
    assert_int_equal(env_allocate(world.env, file, 4 * ENV_DISK_ALIGN), CAIRN_OK);
    uint8_t *page = aligned_alloc(ENV_DISK_ALIGN, ENV_DISK_ALIGN);
    memset(page, 7, ENV_DISK_ALIGN);
    assert_int_equal(env_write_at(world.env, file, ENV_DISK_ALIGN, page, ENV_DISK_ALIGN), CAIRN_OK);
    assert_int_equal(env_sync(world.env, file), CAIRN_OK);
    memset(page, 0, ENV_DISK_ALIGN);
    assert_int_equal(env_read_at(world.env, file, ENV_DISK_ALIGN, page, ENV_DISK_ALIGN), CAIRN_OK);
    assert_true(page[0] == 7 && page[ENV_DISK_ALIGN - 1] == 7);
    assert_int_equal(env_read_at(world.env, file, 4 * ENV_DISK_ALIGN, page, ENV_DISK_ALIGN),
                     CAIRN_TORN);
    uint64_t size;
    assert_int_equal(env_file_size(world.env, file, &size), CAIRN_OK);
    assert_int_equal(size, 4 * ENV_DISK_ALIGN);
    env_file_close(world.env, file);
    free(page);
    assert_int_equal(env_rename(world.env, path, other), CAIRN_OK);
    unsigned names = 0;
    assert_int_equal(env_list(world.env, folder, count_names, &names), CAIRN_OK);
    assert_int_equal(names, 1);
    struct env_file *lock, *second;
    assert_int_equal(env_lock(world.env, path, &lock), CAIRN_OK);
    assert_int_equal(env_lock(world.env, path, &second), CAIRN_BUSY);
    env_file_close(world.env, lock);
    assert_int_equal(env_remove(world.env, other), CAIRN_OK);
    assert_int_equal(env_remove(world.env, other), CAIRN_NOT_FOUND);
    assert_int_equal(env_sync_folder(world.env, folder), CAIRN_OK);
    world_close(&world);
}

static void wall_time_is_an_interval(void **state) {
    struct world world;
    world_open(&world);
    struct env_wall wall = env_wall(world.env);
    assert_true(wall.earliest <= wall.latest && wall.earliest > 1700000000ull * 1000000000ull);
    uint8_t random[2][16] = {0};
    env_entropy(world.env, random[0], 16);
    env_entropy(world.env, random[1], 16);
    assert_memory_not_equal(random[0], random[1], 16);
    world_close(&world);
}

/* ---- streams ---- */

#define TOTAL (10u << 20)
#define QUEUE_LIMIT (256u << 10)

struct peer {
    struct env_stream stream;
    struct world *world;
    size_t sent;
    size_t received;
    bool echo;
    bool done;
    unsigned closes;
    unsigned drains;
    enum cairn_status why;
};

struct server {
    struct env_listener listener;
    struct world *world;
    struct peer peer;
    bool refuse;
    bool closed;
};

static uint8_t pattern(size_t at) {
    return (uint8_t)(at * 31 + at / 977);
}

/* Alternately from a shared blob and from memory that is gone after the call. */
static void send_more(struct peer *peer) {
    struct env *env = peer->world->env;
    while (peer->sent < TOTAL && env_stream_queued(env, &peer->stream) < QUEUE_LIMIT) {
        uint8_t copy[5000];
        struct blob *blob = blob_new(10000);
        for (size_t i = 0; i < 15000; i++)
            *(i < 10000 ? &blob->data[i] : &copy[i - 10000]) = pattern(peer->sent + i);
        size_t left = TOTAL - peer->sent, first = left < 10000 ? left : 10000;
        size_t second = left - first < 5000 ? left - first : 5000;
        struct env_piece pieces[3] = {{bytes_of(blob->data, first), blob},
                                      {bytes_of(NULL, 0), NULL},
                                      {bytes_of(copy, second), NULL}};
        env_write(env, &peer->stream, pieces, 3);
        blob_unref(blob);
        memset(copy, 0, sizeof copy);
        peer->sent += first + second;
    }
}

static void peer_open(struct env_stream *stream) {
    send_more(container_of(stream, struct peer, stream));
}

static void peer_data(struct env_stream *stream, struct bytes bytes) {
    struct peer *peer = container_of(stream, struct peer, stream);
    struct env *env = peer->world->env;
    for (size_t i = 0; i < bytes.len; i += 97)
        assert_int_equal(bytes.data[i], pattern(peer->received + i));
    peer->received += bytes.len;
    if (peer->echo) {
        env_write(env, stream, &(struct env_piece){.data = bytes}, 1);
        if (env_stream_queued(env, stream) > QUEUE_LIMIT)
            env_pause(env, stream, true);
    } else if (peer->received == TOTAL) {
        env_abort(env, stream);
        env_abort(env, stream);
    }
}

static void peer_drain(struct env_stream *stream) {
    struct peer *peer = container_of(stream, struct peer, stream);
    peer->drains++;
    if (peer->echo)
        env_pause(peer->world->env, stream, false);
    else
        send_more(peer);
}

static void peer_close(struct env_stream *stream, enum cairn_status why) {
    struct peer *peer = container_of(stream, struct peer, stream);
    peer->closes++;
    peer->why = why;
    peer->done = true;
    if (peer->echo)
        runtime_stop(peer->world->runtime);
}

static const struct env_stream_events peer_events = {
    .open = peer_open, .data = peer_data, .drain = peer_drain, .close = peer_close};

static struct env_stream *take(struct env_listener *listener, const char *address) {
    struct server *server = container_of(listener, struct server, listener);
    assert_non_null(strstr(address, "127.0.0.1:"));
    if (server->refuse)
        return NULL;
    server->peer =
        (struct peer){.stream = {.events = &peer_events}, .world = server->world, .echo = true};
    return &server->peer.stream;
}

static void stopped(struct env_listener *listener) {
    container_of(listener, struct server, listener)->closed = true;
}

/* On the first free port of a range that depends on the process. */
static void serve(struct world *world, struct server *server) {
    *server = (struct server){.listener = {.accept = take, .closed = stopped}, .world = world};
    enum cairn_status status = CAIRN_IN_USE;
    for (int port = 20000 + getpid() % 20000; status == CAIRN_IN_USE; port++) {
        snprintf(world->address, sizeof world->address, "127.0.0.1:%d", port);
        status = env_listen(world->env, world->address, &server->listener);
    }
    assert_int_equal(status, CAIRN_OK);
}

static void ten_megabytes_go_round_with_bounded_queues(void **state) {
    struct world world;
    struct server server;
    world_open(&world);
    serve(&world, &server);
    struct peer client = {.stream = {.events = &peer_events}, .world = &world};
    env_connect(world.env, world.address, &client.stream);
    world_run(&world);
    assert_true(client.received == TOTAL && server.peer.received == TOTAL);
    assert_true(client.closes == 1 && client.why == CAIRN_CANCELLED);
    assert_true(server.peer.closes == 1 && server.peer.why == CAIRN_CLOSED);
    assert_true(client.drains > 0);
    env_listener_close(world.env, &server.listener);
    world_close(&world);
    assert_true(server.closed);
}

/* ---- absent events ---- */

#define SAID (3u << 20)

static void say_back(struct env_stream *stream, struct bytes bytes) {
    struct peer *peer = container_of(stream, struct peer, stream);
    peer->received += bytes.len;
    env_write(peer->world->env, stream, &(struct env_piece){.data = bytes}, 1);
    if (peer->received == SAID)
        env_close(peer->world->env, stream);
}

static void noted(struct env_stream *stream) {}

static void noted_data(struct env_stream *stream, struct bytes bytes) {}

static void noted_close(struct env_stream *stream, enum cairn_status why) {}

static void close_at_end(struct env_stream *stream) {
    env_close(container_of(stream, struct peer, stream)->world->env, stream);
}

static struct env_stream *take_and_say_back(struct env_listener *listener, const char *address) {
    static const struct env_stream_events events = {
        .open = noted, .data = say_back, .close = peer_close};
    struct server *server = container_of(listener, struct server, listener);
    server->peer =
        (struct peer){.stream = {.events = &events}, .world = server->world, .echo = true};
    return &server->peer.stream;
}

/* The rule of env.h, with each of them absent on a stream where all of them happen. */
static void any_event_may_be_absent(void **state) {
    const struct env_stream_events all = {.open = noted,
                                          .data = noted_data,
                                          .drain = noted,
                                          .close = noted_close,
                                          .end = close_at_end};
    struct blob *said = blob_new(SAID);
    memset(said->data, 'x', SAID);
    for (int absent = 0; absent < 6; absent++) {
        struct env_stream_events some = absent < 5 ? all : (struct env_stream_events){0};
        struct world world;
        struct server server;
        if (absent == 0)
            some.open = NULL;
        else if (absent == 1)
            some.data = NULL;
        else if (absent == 2)
            some.drain = NULL;
        else if (absent == 3)
            some.close = NULL;
        else
            some.end = NULL;
        world_open(&world);
        serve(&world, &server);
        server.listener.accept = take_and_say_back;
        struct peer client = {.stream = {.events = &some}, .world = &world};
        env_connect(world.env, world.address, &client.stream);
        env_write(world.env, &client.stream,
                  &(struct env_piece){.data = blob_view(said), .blob = said}, 1);
        world_run(&world);
        assert_int_equal(server.peer.received, SAID);
        env_listener_close(world.env, &server.listener);
        world_close(&world);
    }
    blob_unref(said);
}

static void close_and_stop(struct env_stream *stream, enum cairn_status why) {
    struct peer *peer = container_of(stream, struct peer, stream);
    peer->closes++;
    peer->why = why;
    runtime_stop(peer->world->runtime);
}

static const struct env_stream_events failing_events = {
    .open = peer_open, .data = peer_data, .drain = peer_drain, .close = close_and_stop};

static void a_connection_that_fails_closes_once_with_the_reason(void **state) {
    struct world world;
    struct server server;
    world_open(&world);
    serve(&world, &server);
    server.refuse = true;
    const struct {
        const char *address;
        enum cairn_status why;
    } cases[] = {{"127.0.0.1:1", CAIRN_REFUSED},
                 {"nonsense", CAIRN_INVALID},
                 {"[::1]:1", CAIRN_REFUSED},
                 {world.address, CAIRN_CLOSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer client = {.stream = {.events = &failing_events}, .world = &world};
        env_connect(world.env, cases[i].address, &client.stream);
        assert_int_equal(client.closes, 0);
        world_run(&world);
        assert_int_equal(client.closes, 1);
        assert_int_equal(client.why, cases[i].why);
    }
    env_listener_close(world.env, &server.listener);
    world_close(&world);
}

static void closing_before_the_connection_stands_cancels_it(void **state) {
    struct world world;
    struct server server;
    world_open(&world);
    serve(&world, &server);
    struct peer client = {.stream = {.events = &failing_events}, .world = &world};
    env_connect(world.env, world.address, &client.stream);
    env_write(world.env, &client.stream, &(struct env_piece){.data = BYTES("hello")}, 1);
    env_close(world.env, &client.stream);
    world_run(&world);
    assert_true(client.closes == 1 && client.why == CAIRN_CANCELLED);
    env_listener_close(world.env, &server.listener);
    world_close(&world);
}

/* ---- ends ---- */

/* A client with manners of its own: a thread on a plain socket. */
struct caller {
    pthread_t thread;
    struct sockaddr_in address;
    size_t writes;    /* bytes that it writes before it reads */
    bool half_closes; /* behind them */
    bool stays;       /* it reads nothing, and holds the connection for as long as the test */
    int fd;
    size_t got;
    bool damaged, whole; /* the stream's end came, not an error */
};

static void *call(void *context) {
    struct caller *caller = context;
    uint8_t room[65536] = {0};
    ssize_t count;
    size_t left = caller->writes;
    caller->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(caller->fd, (struct sockaddr *)&caller->address, sizeof caller->address) != 0)
        return NULL;
    while (left > 0 && (count = send(caller->fd, room, left < sizeof room ? left : sizeof room,
                                     MSG_NOSIGNAL)) > 0)
        left -= (size_t)count;
    if (caller->half_closes)
        shutdown(caller->fd, SHUT_WR);
    if (caller->stays)
        return NULL;
    while ((count = read(caller->fd, room, sizeof room)) > 0) {
        for (size_t i = 0; i < (size_t)count; i += 97)
            caller->damaged |= room[i] != pattern(caller->got + i);
        caller->got += (size_t)count;
    }
    caller->whole = count == 0;
    close(caller->fd);
    return NULL;
}

/* Writes all it has as soon as there is something to answer, and closes at once. */
static void say_all_and_close(struct peer *peer) {
    struct env *env = peer->world->env;
    struct buf all = {0};
    while (all.len < TOTAL)
        buf_u8(&all, pattern(all.len));
    env_write(env, &peer->stream, &(struct env_piece){.data = buf_view(&all)}, 1);
    buf_free(&all);
    peer->sent = TOTAL;
    env_close(env, &peer->stream);
    env_close(env, &peer->stream);
}

static void farewell_data(struct env_stream *stream, struct bytes bytes) {
    struct peer *peer = container_of(stream, struct peer, stream);
    assert_int_equal(peer->sent, 0); /* nothing is told behind env_close */
    peer->received += bytes.len;
    if (!peer->echo)
        say_all_and_close(peer);
}

/* Here: answers only when the peer has said all it has to say. */
static void farewell_end(struct env_stream *stream) {
    struct peer *peer = container_of(stream, struct peer, stream);
    assert_true(peer->echo);
    say_all_and_close(peer);
}

static void no_drain(struct env_stream *stream) {
    fail();
}

static const struct env_stream_events farewell_events = {
    .data = farewell_data, .drain = no_drain, .close = close_and_stop, .end = farewell_end};

static struct env_stream *take_farewell(struct env_listener *listener, const char *address) {
    struct server *server = container_of(listener, struct server, listener);
    server->peer.stream.events = &farewell_events;
    server->peer.world = server->world;
    return &server->peer.stream;
}

/* One caller, until the server's end of its connection is closed. */
static void farewell(struct world *world, struct server *server, struct caller *caller) {
    world_open(world);
    serve(world, server);
    server->listener.accept = take_farewell;
    server->peer.echo = caller->half_closes;
    caller->address.sin_family = AF_INET;
    caller->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    caller->address.sin_port = htons((uint16_t)atoi(strchr(world->address, ':') + 1));
    assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
    world_run(world);
    assert_true(server->peer.closes == 1 && server->peer.why == CAIRN_CANCELLED);
    pthread_join(caller->thread, NULL);
}

static void farewell_over(struct world *world, struct server *server) {
    env_listener_close(world->env, &server->listener);
    world_close(world);
}

static void what_was_written_before_a_close_is_delivered(void **state) {
    struct world world;
    struct server server;
    struct caller caller = {.writes = 1};
    farewell(&world, &server, &caller);
    assert_true(caller.got == TOTAL && caller.whole && !caller.damaged);
    farewell_over(&world, &server);
}

static void a_peer_that_writes_on_finds_its_answer_and_no_reset(void **state) {
    struct world world;
    struct server server;
    struct caller caller = {.writes = 3 * TOTAL};
    farewell(&world, &server, &caller);
    assert_true(caller.got == TOTAL && caller.whole && !caller.damaged);
    farewell_over(&world, &server);
}

static void a_peer_that_only_ends_its_own_side_is_still_answered(void **state) {
    struct world world;
    struct server server;
    struct caller caller = {.writes = 1000, .half_closes = true};
    farewell(&world, &server, &caller);
    assert_int_equal(server.peer.received, 1000);
    assert_true(caller.got == TOTAL && caller.whole && !caller.damaged);
    farewell_over(&world, &server);
}

static void a_peer_that_takes_nothing_is_not_waited_for_without_end(void **state) {
    struct world world;
    struct server server;
    struct caller caller = {.writes = 1, .stays = true};
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t began = (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
    farewell(&world, &server, &caller);
    uint64_t took = env_now(world.env) - began;
    assert_true(took >= STALL_NS && took < LIMIT_NS / 2);
    close(caller.fd);
    farewell_over(&world, &server);
}

static void aborting_waits_for_no_peer(void **state) {
    struct world world;
    struct server server;
    world_open(&world);
    serve(&world, &server);
    struct peer client = {.stream = {.events = &failing_events}, .world = &world};
    env_connect(world.env, world.address, &client.stream);
    env_pause(world.env, &client.stream, true);
    env_close(world.env, &client.stream);
    env_abort(world.env, &client.stream);
    world_run(&world);
    assert_true(client.closes == 1 && client.why == CAIRN_CANCELLED);
    env_listener_close(world.env, &server.listener);
    world_close(&world);
}

/* ---- admin ---- */

static void admin_answer(void *context, const struct runtime_question *question,
                         struct runtime_visit *visit, struct runtime_answer *answer) {
    buf_printf(&answer->body, "%s %s", question->method, question->path);
    answer->content_type = "text/x-test";
    answer->status = 200;
}

struct browser {
    struct env_stream stream;
    struct world *world;
    struct buf got;
};

static void browser_open(struct env_stream *stream) {
    struct browser *browser = container_of(stream, struct browser, stream);
    env_write(browser->world->env, stream,
              &(struct env_piece){.data = BYTES("GET /metrics HTTP/1.1\r\nHost: x\r\n"
                                                "Connection: close\r\n\r\n")},
              1);
}

static void browser_data(struct env_stream *stream, struct bytes bytes) {
    buf_bytes(&container_of(stream, struct browser, stream)->got, bytes);
}

static void browser_drain(struct env_stream *stream) {}

static void browser_close(struct env_stream *stream, enum cairn_status why) {
    runtime_stop(container_of(stream, struct browser, stream)->world->runtime);
}

static void the_admin_server_answers_a_get(void **state) {
    static const struct env_stream_events events = {browser_open, browser_data, browser_drain,
                                                    browser_close};
    struct world world;
    struct runtime_admin *admin;
    world_open(&world);
    enum cairn_status status = CAIRN_IN_USE;
    for (int port = 20000 + getpid() % 20000; status == CAIRN_IN_USE; port++) {
        snprintf(world.address, sizeof world.address, "127.0.0.1:%d", port);
        status = runtime_admin_open(world.runtime, world.address, admin_answer, NULL, &admin);
    }
    assert_int_equal(status, CAIRN_OK);
    struct browser browser = {.stream = {.events = &events}, .world = &world};
    env_connect(world.env, world.address, &browser.stream);
    world_run(&world);
    buf_u8(&browser.got, 0);
    assert_non_null(strstr((char *)browser.got.data, "HTTP/1.1 200 OK"));
    assert_non_null(strstr((char *)browser.got.data, "text/x-test"));
    assert_non_null(strstr((char *)browser.got.data, "GET /metrics"));
    buf_free(&browser.got);
    runtime_admin_close(admin);
    world_close(&world);
}

static void held_data(struct env_stream *stream, struct bytes bytes) {}

static void held_close(struct env_stream *stream, enum cairn_status why) {
    ++*(unsigned *)(void *)(stream + 1);
}

/* More of them than are served at a time, and none says a word: the next is served all the same. */
static void silent_visitors_do_not_keep_others_from_the_admin_server(void **state) {
    static const struct env_stream_events silent = {
        .open = browser_drain, .data = held_data, .drain = browser_drain, .close = held_close};
    static const struct env_stream_events events = {browser_open, browser_data, browser_drain,
                                                    browser_close, NULL};
    struct held {
        struct env_stream stream;
        unsigned closed;
    } *held = cairn_alloc_zero(300 * sizeof *held);
    struct world world;
    struct runtime_admin *admin;
    world_open(&world);
    enum cairn_status status = CAIRN_IN_USE;
    for (int port = 20000 + getpid() % 20000; status == CAIRN_IN_USE; port++) {
        snprintf(world.address, sizeof world.address, "127.0.0.1:%d", port);
        status = runtime_admin_open(world.runtime, world.address, admin_answer, NULL, &admin);
    }
    for (int i = 0; i < 300; i++) {
        held[i].stream.events = &silent;
        env_connect(world.env, world.address, &held[i].stream);
    }
    for (int i = 0; i < 3; i++) {
        struct browser browser = {.stream = {.events = &events}, .world = &world};
        env_connect(world.env, world.address, &browser.stream);
        world_run(&world);
        buf_u8(&browser.got, 0);
        assert_non_null(strstr((char *)browser.got.data, "HTTP/1.1 200 OK"));
        buf_free(&browser.got);
    }
    for (int i = 0; i < 300; i++)
        if (held[i].closed == 0)
            env_abort(world.env, &held[i].stream);
    runtime_admin_close(admin);
    world_close(&world);
    cairn_free(held);
}

/* ---- signals ---- */

static void on_signal(void *context, int signal) {
    struct world *world = context;
    assert_int_equal(signal, 15);
    runtime_stop(world->runtime);
}

static void a_signal_reaches_the_loop(void **state) {
    struct world world;
    world_open(&world);
    runtime_on_signal(world.runtime, on_signal, &world);
    assert_int_equal(kill(getpid(), 15), 0);
    world_run(&world);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(work_runs_in_order_completes_on_the_loop_and_ends_in_a_turn),
        cmocka_unit_test(direct_files_keep_what_was_written),
        cmocka_unit_test(wall_time_is_an_interval),
        cmocka_unit_test(ten_megabytes_go_round_with_bounded_queues),
        cmocka_unit_test(any_event_may_be_absent),
        cmocka_unit_test(a_connection_that_fails_closes_once_with_the_reason),
        cmocka_unit_test(closing_before_the_connection_stands_cancels_it),
        cmocka_unit_test(what_was_written_before_a_close_is_delivered),
        cmocka_unit_test(a_peer_that_writes_on_finds_its_answer_and_no_reset),
        cmocka_unit_test(a_peer_that_only_ends_its_own_side_is_still_answered),
        cmocka_unit_test(a_peer_that_takes_nothing_is_not_waited_for_without_end),
        cmocka_unit_test(aborting_waits_for_no_peer),
        cmocka_unit_test(the_admin_server_answers_a_get),
        cmocka_unit_test(silent_visitors_do_not_keep_others_from_the_admin_server),
        cmocka_unit_test(a_signal_reaches_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
