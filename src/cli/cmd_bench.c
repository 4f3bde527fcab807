/* cairn bench: a closed-loop load generator for any Redis-protocol server, with percentiles. */
#include "cli/bench_floor.h"
#include "cli/bench_zookeeper.h"
#include "cli/cli.h"
#include "cli/histogram.h"
#include "base/alloc.h"
#include "base/prng.h"
#include "env/env.h"
#include "runtime/runtime.h"
#include "wire/resp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define PIPELINE_MAX 1024
#define NS_PER_S 1000000000ull

struct bench {
    struct runtime *runtime;
    struct env *env;
    const char *address, *command;
    char password[PASSWORD_SIZE];
    uint64_t clients, pipeline, requests, seconds, bytes, keys, wait, seed;
    struct buf value;
    struct prng prng;
    uint64_t sent, answered, errors, opened, closed;
    uint64_t began_ns, ends_ns, gap_from_ns, gap_max_ns;
    struct histogram latencies;
    struct env_timer timer;
    char first_error[200];
    bool finished;
};

struct bench_conn {
    struct env_stream stream;
    struct bench *bench;
    struct buf in, out;
    uint64_t sent_ns;
    uint64_t pending; /* replies still to come of this round */
    bool greets;      /* AUTH is under way, alone */
};

static void put_key(struct buf *out, struct bench *bench) {
    char key[24];
    /* What counts must not meet what was set. */
    snprintf(key, sizeof key, "%s:%012llu", strcmp(bench->command, "incr") == 0 ? "num" : "key",
             (unsigned long long)prng_below(&bench->prng, bench->keys));
    resp_put_bulk(out, bytes_cstr(key));
}

static uint64_t replies_per_command(const struct bench *bench) {
    return bench->wait > 0 ? 2 : 1;
}

static void put_command(struct buf *out, struct bench *bench) {
    if (strcmp(bench->command, "set") == 0) {
        resp_put_array(out, 3);
        resp_put_bulk(out, BYTES("SET"));
        put_key(out, bench);
        resp_put_bulk(out, buf_view(&bench->value));
    } else if (strcmp(bench->command, "get") == 0 || strcmp(bench->command, "incr") == 0) {
        resp_put_array(out, 2);
        resp_put_bulk(out, bench->command[0] == 'g' ? BYTES("GET") : BYTES("INCR"));
        put_key(out, bench);
    } else if (strcmp(bench->command, "mset") == 0) {
        resp_put_array(out, 21);
        resp_put_bulk(out, BYTES("MSET"));
        for (int i = 0; i < 10; i++) {
            put_key(out, bench);
            resp_put_bulk(out, buf_view(&bench->value));
        }
    } else {
        resp_put_array(out, 1);
        resp_put_bulk(out, BYTES("PING"));
    }
    if (bench->wait > 0) {
        struct buf number = {0};
        buf_printf(&number, "%llu", (unsigned long long)bench->wait);
        resp_put_array(out, 3);
        resp_put_bulk(out, BYTES("WAIT"));
        resp_put_bulk(out, buf_view(&number));
        resp_put_bulk(out, BYTES("1000"));
        buf_free(&number);
    }
}

static void finish(struct bench *bench) {
    if (bench->finished)
        return;
    bench->finished = true;
    bench->ends_ns = env_now(bench->env);
    runtime_stop(bench->runtime);
}

static bool enough(const struct bench *bench) {
    return bench->requests > 0 && bench->sent >= bench->requests;
}

static void send_round(struct bench_conn *conn) {
    struct bench *bench = conn->bench;
    uint64_t batch = bench->pipeline;
    if (bench->requests > 0 && bench->requests - bench->sent < batch)
        batch = bench->requests - bench->sent;
    if (batch == 0 || bench->finished)
        return;
    buf_clear(&conn->out);
    for (uint64_t i = 0; i < batch; i++)
        put_command(&conn->out, bench);
    bench->sent += batch;
    conn->pending = batch * replies_per_command(bench);
    conn->sent_ns = env_now(bench->env);
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(bench->env, &conn->stream, &piece, 1);
}

static void note_error(struct bench *bench, struct bytes text) {
    if (bench->errors++ == 0)
        snprintf(bench->first_error, sizeof bench->first_error, "%.*s",
                 text.len < 150 ? (int)text.len : 150, (const char *)text.data);
}

static void greet(struct bench_conn *conn) {
    resp_put_array(&conn->out, 2);
    resp_put_bulk(&conn->out, BYTES("AUTH"));
    resp_put_bulk(&conn->out, bytes_cstr(conn->bench->password));
    conn->greets = true;
    conn->pending = 1;
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(conn->bench->env, &conn->stream, &piece, 1);
}

static void greeted(struct bench_conn *conn, struct bytes value) {
    conn->greets = false;
    if (value.data[0] != '-')
        return;
    note_error(conn->bench, bytes_of(value.data, value.len - 2));
    finish(conn->bench);
}

static void count_reply(struct bench_conn *conn, struct bytes value, uint64_t now) {
    struct bench *bench = conn->bench;
    conn->pending--;
    if (conn->greets) {
        greeted(conn, value);
        return;
    }
    if (value.data[0] == '-') {
        note_error(bench, bytes_of(value.data, value.len - 2));
        return;
    }
    if (conn->pending % replies_per_command(bench) != 0)
        return;
    histogram_add(&bench->latencies, now - conn->sent_ns);
    bench->answered++;
    if (now - bench->gap_from_ns > bench->gap_max_ns)
        bench->gap_max_ns = now - bench->gap_from_ns;
    bench->gap_from_ns = now;
}

static void on_open(struct env_stream *stream) {
    struct bench_conn *conn = container_of(stream, struct bench_conn, stream);
    struct bench *bench = conn->bench;
    if (++bench->opened == 1)
        bench->began_ns = bench->gap_from_ns = env_now(bench->env);
    if (bench->password[0] != 0)
        greet(conn);
    else
        send_round(conn);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct bench_conn *conn = container_of(stream, struct bench_conn, stream);
    uint64_t now = env_now(conn->bench->env);
    bool buffered = conn->in.len > 0;
    if (buffered) {
        buf_bytes(&conn->in, bytes);
        bytes = buf_view(&conn->in);
    }
    size_t taken = 0;
    while (taken < bytes.len && conn->pending > 0) {
        size_t len = resp_value_length(bytes_of(bytes.data + taken, bytes.len - taken));
        if (len == 0)
            break;
        if (len == SIZE_MAX) {
            env_abort(conn->bench->env, stream);
            return;
        }
        count_reply(conn, bytes_of(bytes.data + taken, len), now);
        taken += len;
    }
    if (buffered)
        buf_consume(&conn->in, taken);
    else
        buf_append(&conn->in, bytes.data + taken, bytes.len - taken);
    if (conn->pending > 0)
        return;
    if (!enough(conn->bench))
        send_round(conn);
    else if (conn->bench->answered + conn->bench->errors >= conn->bench->requests)
        finish(conn->bench);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct bench_conn *conn = container_of(stream, struct bench_conn, stream);
    struct bench *bench = conn->bench;
    note_error(bench, bytes_cstr(cairn_status_text(why)));
    buf_free(&conn->in);
    buf_free(&conn->out);
    cairn_free(conn);
    if (++bench->closed == bench->clients)
        finish(bench);
}

static const struct env_stream_events conn_events = {
    .open = on_open, .data = on_data, .close = on_close};

static void on_time(struct env_timer *timer) {
    finish(container_of(timer, struct bench, timer));
}

static void run(struct bench *bench) {
    for (uint64_t i = 0; i < bench->bytes; i++)
        buf_u8(&bench->value, (uint8_t)('a' + i % 26));
    prng_seed(&bench->prng, bench->seed);
    for (uint64_t i = 0; i < bench->clients; i++) {
        struct bench_conn *conn = cairn_alloc_zero(sizeof *conn);
        conn->stream.events = &conn_events;
        conn->bench = bench;
        env_connect(bench->env, bench->address, &conn->stream);
    }
    bench->timer.fire = on_time;
    if (bench->seconds > 0)
        env_timer_set(bench->env, &bench->timer, env_now(bench->env) + bench->seconds * NS_PER_S);
    runtime_run(bench->runtime);
}

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

static void report(const struct bench *bench, bool json) {
    const struct histogram *h = &bench->latencies;
    double seconds = bench->opened > 0 ? (double)(bench->ends_ns - bench->began_ns) / 1e9 : 0;
    double rate = seconds > 0 ? (double)bench->answered / seconds : 0;
    if (json) {
        printf("{\"command\":\"%s\",\"clients\":%llu,\"pipeline\":%llu,\"bytes\":%llu,"
               "\"ops\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"ops_per_second\":%.1f,"
               "\"p50_ms\":%.4f,\"p95_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"max_ms\":%.4f,"
               "\"gap_ms\":%.3f}\n",
               bench->command, (unsigned long long)bench->clients,
               (unsigned long long)bench->pipeline, (unsigned long long)bench->bytes,
               (unsigned long long)bench->answered, (unsigned long long)bench->errors, seconds,
               rate, ms(histogram_at(h, 500)), ms(histogram_at(h, 950)), ms(histogram_at(h, 990)),
               ms(histogram_at(h, 999)), ms(h->max), ms(bench->gap_max_ns));
        return;
    }
    printf("%s: %llu done in %.2f s, %.0f a second; %llu clients, pipeline %llu, %llu bytes\n",
           bench->command, (unsigned long long)bench->answered, seconds, rate,
           (unsigned long long)bench->clients, (unsigned long long)bench->pipeline,
           (unsigned long long)bench->bytes);
    printf("latency ms: p50 %.3f  p95 %.3f  p99 %.3f  p99.9 %.3f  max %.3f; longest gap between "
           "answers %.1f\n",
           ms(histogram_at(h, 500)), ms(histogram_at(h, 950)), ms(histogram_at(h, 990)),
           ms(histogram_at(h, 999)), ms(h->max), ms(bench->gap_max_ns));
    if (bench->errors > 0)
        printf("%llu errors, the first: %s\n", (unsigned long long)bench->errors,
               bench->first_error);
}

static bool command_known(const char *command) {
    static const char *const known[] = {"set", "get", "incr", "mset", "ping"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(command, known[i]) == 0)
            return true;
    return false;
}

int cmd_bench(int argc, char **argv) {
    static struct bench bench;
    const char *floor_dir = NULL, *zookeeper = NULL, *password_file = NULL;
    uint64_t warm_up_s = 0, timeout_ms = 10000;
    bool json = false, own = false;
    bench = (struct bench){
        .command = "set", .clients = 50, .pipeline = 1, .bytes = 100, .keys = 100000, .seed = 1};
    const struct flag flags[] = {{"node", FLAG_TEXT, &bench.address},
                                 {"command", FLAG_TEXT, &bench.command},
                                 {"clients", FLAG_NUMBER, &bench.clients},
                                 {"pipeline", FLAG_NUMBER, &bench.pipeline},
                                 {"requests", FLAG_NUMBER, &bench.requests},
                                 {"seconds", FLAG_NUMBER, &bench.seconds},
                                 {"bytes", FLAG_NUMBER, &bench.bytes},
                                 {"keys", FLAG_NUMBER, &bench.keys},
                                 {"wait", FLAG_NUMBER, &bench.wait},
                                 {"seed", FLAG_NUMBER, &bench.seed},
                                 {"floor", FLAG_TEXT, &floor_dir},
                                 {"json", FLAG_SWITCH, &json},
                                 {"zookeeper", FLAG_TEXT, &zookeeper},
                                 {"warm-up", FLAG_NUMBER, &warm_up_s},
                                 {"timeout-ms", FLAG_NUMBER, &timeout_ms},
                                 {"own", FLAG_SWITCH, &own},
                                 {"password-file", FLAG_TEXT, &password_file}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("bench", "unexpected '%s'", argv[1]);
    if (bench.requests == 0 && bench.seconds == 0)
        bench.seconds = 3;
    if (zookeeper != NULL)
        return bench_zookeeper(&(struct bench_zookeeper){.servers = zookeeper,
                                                         .command = bench.command,
                                                         .sessions = bench.clients,
                                                         .outstanding = bench.pipeline,
                                                         .bytes = bench.bytes,
                                                         .keys = bench.keys,
                                                         .seconds = bench.seconds,
                                                         .warm_up_s = warm_up_s,
                                                         .timeout_ms = timeout_ms,
                                                         .seed = bench.seed,
                                                         .own = own,
                                                         .json = json});
    if (bench.clients == 0 || bench.clients > CLIENTS_MAX || bench.pipeline == 0 ||
        bench.pipeline > PIPELINE_MAX || bench.keys == 0 || bench.bytes > (64u << 20))
        return misuse("bench",
                      "--clients 1 to %d, --pipeline 1 to %d, --keys at least 1, --bytes at "
                      "most 64 MiB",
                      CLIENTS_MAX, PIPELINE_MAX);
    if (!command_known(bench.command))
        return misuse("bench", "--command is set, get, incr, mset or ping");
    if (floor_dir != NULL)
        return bench_floor(floor_dir, bench.bytes, bench.seconds, json);
    int code = password_find("bench", password_file, bench.password);
    if (code != EXIT_FINE)
        return code;
    if (bench.address != NULL && !address_is_one(bench.address))
        return misuse("bench", "--node wants HOST:PORT of a Redis port, not '%s'", bench.address);
    struct runtime_options options = {0};
    bench.address = call_address(bench.address);
    bench.runtime = runtime_new(&options);
    bench.env = runtime_env(bench.runtime);
    run(&bench);
    if (bench.opened == 0) {
        fprintf(stderr, "cairn bench: no answer from %s: %s\n", bench.address, bench.first_error);
        return EXIT_NO;
    }
    report(&bench, json);
    return bench.answered > 0 ? EXIT_FINE : EXIT_NO;
}
