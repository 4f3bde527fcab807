/* Listeners with TLS on loopback. The client is OpenSSL's own, fed by a plain stream of the same
 * loop; certificates are made once, by its command line.
 */

#include "runtime/runtime.h"
#include "runtime/runtime_tls.h"

#include "base/alloc.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define LIMIT_NS 20000000000ull
#define TOTAL (3u << 20)
#define QUEUE_LIMIT (256u << 10)

/* ---- certificates ---- */

static const char *const made[] = {
    "ca -subj '/CN=authority'", "stranger -subj '/CN=another authority'",
    "server -subj /CN=server -CA ca.pem -CAkey ca.key",
    "ann -subj '/DC=org/O=good, people/OU=a+UID=7/CN=ann/emailAddress=a@b.c' -CA ca.pem -CAkey "
    "ca.key",
    "eve -subj /CN=eve -CA stranger.pem -CAkey stranger.key"};

static int make_certificates(void **state) {
    static char folder[] = "/tmp/cairn-tls-XXXXXX";
    assert_non_null(mkdtemp(folder));
    *state = folder;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char command[600];
        const char *rest = strchr(made[i], ' ');
        int len = (int)(rest - made[i]);
        snprintf(command, sizeof command,
                 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                 "-multivalue-rdn -days 2 -keyout %.*s.key -out %.*s.pem%s 2>errors || cat errors",
                 folder, len, made[i], len, made[i], rest);
        assert_int_equal(system(command), 0);
    }
    char command[200];
    snprintf(command, sizeof command,
             "cd %s && openssl pkey -aes128 -in server.key -passout pass:x -out locked.key",
             folder);
    return system(command);
}

static int remove_certificates(void **state) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", (const char *)*state);
    return system(command);
}

/* ---- the server's side: an echo ---- */

struct world {
    struct runtime *runtime;
    struct env *env;
    struct env_timer limit;
    struct env_tls *tls;
    struct env_listener listener;
    struct env_stream stream; /* the one connection's */
    const char *folder;
    char address[32];
    char peer[128]; /* who the client was; "-": nobody */
    unsigned opens, closes;
    size_t echoed;
    enum cairn_status why;
    bool late;
};

static void server_open(struct env_stream *stream) {
    struct world *world = container_of(stream, struct world, stream);
    const char *peer = env_stream_peer(world->env, stream);
    snprintf(world->peer, sizeof world->peer, "%s", peer != NULL ? peer : "-");
    world->opens++;
}

static void server_data(struct env_stream *stream, struct bytes bytes) {
    struct world *world = container_of(stream, struct world, stream);
    assert_int_equal(world->opens, 1);
    world->echoed += bytes.len;
    env_write(world->env, stream, &(struct env_piece){.data = bytes}, 1);
    if (env_stream_queued(world->env, stream) > QUEUE_LIMIT)
        env_pause(world->env, stream, true);
}

static void server_drain(struct env_stream *stream) {
    env_pause(container_of(stream, struct world, stream)->env, stream, false);
}

static void server_close(struct env_stream *stream, enum cairn_status why) {
    struct world *world = container_of(stream, struct world, stream);
    world->closes++;
    world->why = why;
    runtime_stop(world->runtime);
}

static const struct env_stream_events server_events = {
    .open = server_open, .data = server_data, .drain = server_drain, .close = server_close};

static struct env_stream *take(struct env_listener *listener, const char *address) {
    struct world *world = container_of(listener, struct world, listener);
    world->stream.events = &server_events;
    return &world->stream;
}

static void too_late(struct env_timer *timer) {
    struct world *world = container_of(timer, struct world, limit);
    world->late = true;
    runtime_stop(world->runtime);
}

static const char *in_folder(const struct world *world, const char *name, char *path) {
    snprintf(path, 100, "%s/%s", world->folder, name);
    return path;
}

static void serve(struct world *world, void **state, enum runtime_tls_clients clients,
                  uint64_t handshake_ns) {
    char cert[100], key[100], ca[100], error[300] = "";
    *world = (struct world){.limit = {.fire = too_late}, .folder = *state};
    world->runtime = runtime_new(&(struct runtime_options){.wall_error_ns = 1000});
    world->env = runtime_env(world->runtime);
    const struct runtime_tls_options options = {.certificate = in_folder(world, "server.pem", cert),
                                                .key = in_folder(world, "server.key", key),
                                                .authorities = in_folder(world, "ca.pem", ca),
                                                .clients = clients,
                                                .handshake_ns = handshake_ns};
    runtime_tls_new(&options, &world->tls, error, sizeof error);
    assert_string_equal(error, "");
    world->listener = (struct env_listener){.accept = take, .tls = world->tls};
    enum cairn_status status = CAIRN_IN_USE;
    for (int port = 20000 + getpid() % 20000; status == CAIRN_IN_USE; port++) {
        snprintf(world->address, sizeof world->address, "127.0.0.1:%d", port);
        status = env_listen(world->env, world->address, &world->listener);
    }
    assert_int_equal(status, CAIRN_OK);
    env_timer_set(world->env, &world->limit, env_now(world->env) + LIMIT_NS);
}

static void world_close(struct world *world) {
    assert_false(world->late);
    env_timer_clear(world->env, &world->limit);
    env_listener_close(world->env, &world->listener);
    runtime_settle(world->runtime);
    runtime_tls_free(world->tls);
    runtime_free(world->runtime);
}

/* ---- the client's side ---- */

struct client {
    struct env_stream stream;
    struct world *world;
    SSL_CTX *context;
    SSL *ssl;
    const uint8_t *to_send;
    size_t sent, received, total;
    bool closed;
};

static uint8_t pattern(size_t at) {
    return (uint8_t)(at * 31 + at / 977);
}

static void carry(struct client *client) {
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(client->ssl), &data);
    if (len > 0 && !client->closed)
        env_write(client->world->env, &client->stream,
                  &(struct env_piece){.data = bytes_of(data, (size_t)len)}, 1);
    (void)BIO_reset(SSL_get_wbio(client->ssl));
}

/* Sends and receives what can be; the end of the total ends the connection. */
static void go_on(struct client *client) {
    struct env *env = client->world->env;
    uint8_t room[20000];
    int got;
    while ((got = SSL_read(client->ssl, room, sizeof room)) > 0) {
        for (int i = 0; i < got; i += 89)
            assert_int_equal(room[i], pattern(client->received + (size_t)i));
        client->received += (size_t)got;
    }
    while (SSL_is_init_finished(client->ssl) && client->sent < client->total &&
           env_stream_queued(env, &client->stream) < QUEUE_LIMIT) {
        size_t len = 0, left = client->total - client->sent;
        for (; len < sizeof room && len < left; len++)
            room[len] = pattern(client->sent + len);
        assert_int_equal(SSL_write(client->ssl, room, (int)len), len);
        client->sent += len;
        carry(client);
    }
    if (client->received == client->total && SSL_is_init_finished(client->ssl))
        SSL_shutdown(client->ssl);
    carry(client);
}

static void client_open(struct env_stream *stream) {
    go_on(container_of(stream, struct client, stream));
}

static void client_data(struct env_stream *stream, struct bytes bytes) {
    struct client *client = container_of(stream, struct client, stream);
    BIO_write(SSL_get_rbio(client->ssl), bytes.data, (int)bytes.len);
    go_on(client);
}

static void client_drain(struct env_stream *stream) {
    go_on(container_of(stream, struct client, stream));
}

static void client_close(struct env_stream *stream, enum cairn_status why) {
    container_of(stream, struct client, stream)->closed = true;
}

static const struct env_stream_events client_events = {
    .open = client_open, .data = client_data, .drain = client_drain, .close = client_close};

static void client_new(struct client *client, struct world *world, const char *name, size_t total) {
    char path[100];
    *client = (struct client){.stream = {.events = &client_events}, .world = world, .total = total};
    client->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(client->context, in_folder(world, "ca.pem", path), NULL);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (name != NULL) {
        char file[20];
        snprintf(file, sizeof file, "%s.pem", name);
        in_folder(world, file, path);
        assert_int_equal(SSL_CTX_use_certificate_file(client->context, path, SSL_FILETYPE_PEM), 1);
        snprintf(file, sizeof file, "%s.key", name);
        in_folder(world, file, path);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(client->context, path, SSL_FILETYPE_PEM), 1);
    }
    client->ssl = SSL_new(client->context);
    SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(client->ssl), -1);
    SSL_set_connect_state(client->ssl);
}

static void client_free(struct client *client) {
    assert_true(client->closed);
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
}

/* Until the server has seen the end of the connection. */
static void run(struct world *world, struct client *client) {
    env_connect(world->env, world->address, &client->stream);
    runtime_run(world->runtime);
    assert_int_equal(world->closes, 1);
    if (!client->closed)
        env_close(world->env, &client->stream);
}

/* ---- who is let in ---- */

static void try_as(void **state, enum runtime_tls_clients clients, const char *name,
                   enum cairn_status why, const char *peer) {
    struct world world;
    struct client client;
    serve(&world, state, clients, 0);
    client_new(&client, &world, name, 1000);
    run(&world, &client);
    assert_int_equal(world.why, why);
    assert_string_equal(world.peer, peer);
    assert_int_equal(client.received, why == CAIRN_CLOSED ? 1000 : 0);
    world_close(&world);
    client_free(&client);
}

static void a_client_with_a_good_certificate_is_known_by_its_subject(void **state) {
    const char *ann = "1.2.840.113549.1.9.1=#16056140622e63,CN=ann,OU=a+UID=7,"
                      "O=good\\, people,DC=org"; /* as Java writes it */
    try_as(state, RUNTIME_TLS_REQUIRED, "ann", CAIRN_CLOSED, ann);
    try_as(state, RUNTIME_TLS_WANTED, "ann", CAIRN_CLOSED, ann);
}

static void a_client_without_a_certificate_is_nobody_unless_one_is_required(void **state) {
    try_as(state, RUNTIME_TLS_NONE, NULL, CAIRN_CLOSED, "-");
    try_as(state, RUNTIME_TLS_NONE, "ann", CAIRN_CLOSED, "-"); /* nobody asked */
    try_as(state, RUNTIME_TLS_WANTED, NULL, CAIRN_CLOSED, "-");
    try_as(state, RUNTIME_TLS_REQUIRED, NULL, CAIRN_DENIED, "");
}

static void a_certificate_of_another_authority_is_refused(void **state) {
    try_as(state, RUNTIME_TLS_WANTED, "eve", CAIRN_DENIED, "");
    try_as(state, RUNTIME_TLS_REQUIRED, "eve", CAIRN_DENIED, "");
}

static void megabytes_go_round_with_bounded_queues(void **state) {
    struct world world;
    struct client client;
    serve(&world, state, RUNTIME_TLS_REQUIRED, 0);
    client_new(&client, &world, "ann", TOTAL);
    run(&world, &client);
    assert_true(client.received == TOTAL && world.echoed == TOTAL);
    assert_int_equal(world.why, CAIRN_CLOSED);
    world_close(&world);
    client_free(&client);
}

/* ---- the server speaks first, and ends first ---- */

struct greeter {
    struct world world;
    struct env_timer timer;
};

static void greet(struct env_timer *timer) {
    struct world *world = &container_of(timer, struct greeter, timer)->world;
    uint8_t greeting[1000];
    for (size_t i = 0; i < sizeof greeting; i++)
        greeting[i] = pattern(i);
    struct env_piece pieces[] = {{bytes_of(greeting, 300), NULL},
                                 {bytes_of(greeting + 300, 700), NULL}};
    assert_int_equal(world->opens, 0);
    env_write(world->env, &world->stream, pieces, 2);
    assert_int_equal(env_stream_queued(world->env, &world->stream), sizeof greeting);
}

static void open_and_close(struct env_stream *stream) {
    struct world *world = container_of(stream, struct world, stream);
    assert_int_equal(env_stream_queued(world->env, stream), 0);
    env_close(world->env, stream);
}

static const struct env_stream_events greeter_events = {
    .open = open_and_close, .data = server_data, .close = server_close};

static struct env_stream *take_and_greet(struct env_listener *listener, const char *address) {
    struct greeter *greeter = container_of(listener, struct greeter, world.listener);
    greeter->world.stream.events = &greeter_events;
    env_timer_set(greeter->world.env, &greeter->timer, 0);
    return &greeter->world.stream;
}

static void
what_is_written_before_the_handshake_is_sent_after_it_and_the_end_is_told(void **state) {
    struct greeter greeter = {.timer = {.fire = greet}};
    struct world *world = &greeter.world;
    struct client client;
    serve(world, state, RUNTIME_TLS_REQUIRED, 0);
    world->listener.accept = take_and_greet;
    client_new(&client, world, "ann", 1000);
    client.sent = client.total; /* it only listens */
    env_connect(world->env, world->address, &client.stream);
    runtime_run(world->runtime);
    assert_int_equal(world->why, CAIRN_CANCELLED);
    world_close(world);
    assert_int_equal(client.received, 1000);
    assert_true(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN);
    client_free(&client);
}

/* ---- many at once ---- */

#define CROWD 64u

struct crowd {
    struct world world;
    struct guest {
        struct env_stream stream;
        struct crowd *crowd;
    } guests[CROWD];
    struct client clients[CROWD];
    unsigned accepted, opens, closes;
};

static void guest_open(struct env_stream *stream) {
    container_of(stream, struct guest, stream)->crowd->opens++;
}

static void guest_data(struct env_stream *stream, struct bytes bytes) {
    struct env *env = container_of(stream, struct guest, stream)->crowd->world.env;
    env_write(env, stream, &(struct env_piece){.data = bytes}, 1);
}

static void guest_close(struct env_stream *stream, enum cairn_status why) {
    struct crowd *crowd = container_of(stream, struct guest, stream)->crowd;
    assert_int_equal(why, CAIRN_CLOSED);
    if (++crowd->closes == CROWD)
        runtime_stop(crowd->world.runtime);
}

static const struct env_stream_events guest_events = {
    .open = guest_open, .data = guest_data, .close = guest_close};

static struct env_stream *take_guest(struct env_listener *listener, const char *address) {
    struct crowd *crowd = container_of(listener, struct crowd, world.listener);
    struct guest *guest = &crowd->guests[crowd->accepted++];
    *guest = (struct guest){.stream = {.events = &guest_events}, .crowd = crowd};
    return &guest->stream;
}

/* More handshakes than a round of the loop has time for: those that wait lose nothing. */
static void a_crowd_is_let_in_one_after_another(void **state) {
    struct crowd *crowd = cairn_alloc_zero(sizeof *crowd);
    struct world *world = &crowd->world;
    serve(world, state, RUNTIME_TLS_REQUIRED, 0);
    world->listener.accept = take_guest;
    for (unsigned i = 0; i < CROWD; i++) {
        client_new(&crowd->clients[i], world, "ann", 20000);
        env_connect(world->env, world->address, &crowd->clients[i].stream);
    }
    runtime_run(world->runtime);
    assert_int_equal(crowd->opens, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(crowd->clients[i].received, 20000);
    world_close(world);
    for (unsigned i = 0; i < CROWD; i++)
        client_free(&crowd->clients[i]);
    cairn_free(crowd);
}

/* ---- those who speak no TLS ---- */

struct raw {
    struct env_stream stream;
    struct world *world;
    struct bytes says;
    bool closed;
};

static void raw_open(struct env_stream *stream) {
    struct raw *raw = container_of(stream, struct raw, stream);
    if (raw->says.len > 0)
        env_write(raw->world->env, stream, &(struct env_piece){.data = raw->says}, 1);
}

static void raw_data(struct env_stream *stream, struct bytes bytes) {}

static void raw_close(struct env_stream *stream, enum cairn_status why) {
    container_of(stream, struct raw, stream)->closed = true;
}

static const struct env_stream_events raw_events = {
    .open = raw_open, .data = raw_data, .close = raw_close};

static void try_saying(void **state, struct bytes bytes, enum cairn_status why) {
    struct world world;
    serve(&world, state, RUNTIME_TLS_NONE, 50000000);
    struct raw raw = {.stream = {.events = &raw_events}, .world = &world, .says = bytes};
    env_connect(world.env, world.address, &raw.stream);
    runtime_run(world.runtime);
    assert_true(world.closes == 1 && world.opens == 0);
    assert_int_equal(world.why, why);
    world_close(&world);
    assert_true(raw.closed);
}

static void who_does_not_shake_hands_in_time_is_closed(void **state) {
    try_saying(state, BYTES(""), CAIRN_TIMEOUT);
    try_saying(state, BYTES("\x16\x03\x01\x02\x00\x01"), CAIRN_TIMEOUT); /* a hello's beginning */
}

static void garbage_is_closed_at_once(void **state) {
    uint8_t noise[100000];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * i >> 3);
    try_saying(state, BYTES("GET / HTTP/1.1\r\n\r\n"), CAIRN_DENIED);
    try_saying(state, BYTES("\0\0\0\x2d\0\0\0\0 a plain client of ZooKeeper"), CAIRN_DENIED);
    try_saying(state, bytes_of(noise, sizeof noise), CAIRN_DENIED);
    try_saying(state, BYTES("\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00"), CAIRN_DENIED);
}

/* ---- files ---- */

static void expect_complaint(void **state, const char *cert, const char *key, const char *ca,
                             const char *complaint) {
    const struct world world = {.folder = *state};
    char paths[3][100], error[300] = "";
    const struct runtime_tls_options options = {.certificate = in_folder(&world, cert, paths[0]),
                                                .key = in_folder(&world, key, paths[1]),
                                                .authorities = in_folder(&world, ca, paths[2]),
                                                .clients = RUNTIME_TLS_REQUIRED};
    struct env_tls *tls;
    assert_int_equal(runtime_tls_new(&options, &tls, error, sizeof error), CAIRN_INVALID);
    assert_null(tls);
    assert_non_null(strstr(error, complaint));
}

static void wrong_files_are_named(void **state) {
    expect_complaint(state, "no.pem", "server.key", "ca.pem", "no.pem can't be read: No such file");
    expect_complaint(state, "server.pem", "no.key", "ca.pem", "no.key can't be read: No such file");
    expect_complaint(state, "server.pem", "server.key", "no.pem", "authorities");
    expect_complaint(state, "server.key", "server.key", "ca.pem", "the certificate");
    expect_complaint(state, "server.pem", "ann.key", "ca.pem", "key values mismatch");
    expect_complaint(state, "server.pem", "server.key", "ca.key", "authorities");
    expect_complaint(state, "server.pem", "locked.key", "ca.pem", "locked.key");
}

static void replace(void **state, const char *from, const char *to) {
    char command[200];
    snprintf(command, sizeof command, "cd %s && cp %s %s", (const char *)*state, from, to);
    assert_int_equal(system(command), 0);
}

static void files_are_read_again_and_wrong_ones_change_nothing(void **state) {
    struct world world;
    struct client client;
    char error[300] = "";
    replace(state, "ca.pem", "kept.pem");
    serve(&world, state, RUNTIME_TLS_REQUIRED, 0);
    replace(state, "server.key", "ca.pem");
    assert_int_equal(runtime_tls_reload(world.tls, error, sizeof error), CAIRN_INVALID);
    assert_non_null(strstr(error, "ca.pem"));
    replace(state, "stranger.pem", "ca.pem");
    assert_int_equal(runtime_tls_reload(world.tls, error, sizeof error), CAIRN_OK);
    replace(state, "kept.pem", "ca.pem");
    client_new(&client, &world, "ann", 1000);
    run(&world, &client);
    assert_int_equal(world.why, CAIRN_DENIED); /* its authority counts no more */
    world_close(&world);
    client_free(&client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_with_a_good_certificate_is_known_by_its_subject),
        cmocka_unit_test(a_client_without_a_certificate_is_nobody_unless_one_is_required),
        cmocka_unit_test(a_certificate_of_another_authority_is_refused),
        cmocka_unit_test(megabytes_go_round_with_bounded_queues),
        cmocka_unit_test(what_is_written_before_the_handshake_is_sent_after_it_and_the_end_is_told),
        cmocka_unit_test(a_crowd_is_let_in_one_after_another),
        cmocka_unit_test(who_does_not_shake_hands_in_time_is_closed),
        cmocka_unit_test(garbage_is_closed_at_once),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(files_are_read_again_and_wrong_ones_change_nothing),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
