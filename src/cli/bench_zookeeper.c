#include "cli/bench_zookeeper.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "cli/cli.h"
#include "cli/histogram.h"
#include "client/jute.h"
#include "env/env.h"
#include "runtime/runtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 16
#define SESSIONS_MAX 20000u
#define OUTSTANDING_MAX 10000u
#define NS_PER_S 1000000000ull
#define REDIAL_NS 5000000ull
#define DIAL_PATIENCE_NS 1000000000ull
#define TICK_NS 100000000ull

enum phase { PREPARE, WARM_UP, MEASURE, VERIFY, OVER };

struct bench;

/* One request under way. */
struct asked {
    uint64_t sent_ns;
    uint64_t number; /* written, with own */
    bool write;
};

struct conn;
struct session {
    struct bench *bench;
    uint32_t index;
    struct jute_session jute;
    struct conn *conn;
    uint32_t server;
    struct env_timer timer; /* redial, ping */
    int32_t xid;
    struct asked *ring; /* in the order sent */
    uint32_t head, count;
    uint64_t number, acked; /* own: last written, last acknowledged */
    uint64_t heard_ns;
    bool prepared, verified;
    struct buf out;
};

struct conn {
    struct env_stream stream;
    struct session *session; /* NULL: given up */
    bool live, closed;
    struct buf in;
};

struct bench {
    struct bench_zookeeper options;
    struct runtime *runtime;
    struct env *env;
    char servers[SERVERS_MAX][80];
    uint32_t server_count;
    struct session *sessions;
    struct prng prng;
    struct buf value;
    enum phase phase;
    struct env_timer timer, tick;
    uint64_t prepared, verified, created;
    uint64_t opened, refused; /* connections, until the first is open */
    uint64_t answered, errors, lost, expired, reconnects, missing;
    uint64_t began_ns, ended_ns, gap_from_ns, gap_max_ns;
    struct histogram latencies;
    char first_error[160];
};

static void dial(struct session *session);

static void complain(struct bench *bench, const char *format, int64_t number) {
    if (bench->errors++ == 0)
        snprintf(bench->first_error, sizeof bench->first_error, format, number);
}

static void finish(struct bench *bench) {
    bench->phase = OVER;
    runtime_stop(bench->runtime);
}

/* ---- requests ---- */

static void path_of(char *out, size_t size, const struct session *session, uint64_t key) {
    if (session->bench->options.own)
        snprintf(out, size, "/cairn-bench/s%u", session->index);
    else
        snprintf(out, size, "/cairn-bench/k%llu", (unsigned long long)key);
}

static void ask(struct session *session) {
    struct bench *bench = session->bench;
    const char *command = bench->options.command;
    struct asked *asked =
        &session->ring[(session->head + session->count++) % bench->options.outstanding];
    char path[80];
    path_of(path, sizeof path, session, prng_below(&bench->prng, bench->options.keys));
    bool get = strcmp(command, "get") == 0 ||
               (strcmp(command, "mix") == 0 && prng_below(&bench->prng, 10) < 7);
    *asked = (struct asked){.sent_ns = env_now(bench->env), .write = !get};
    int32_t xid = session->xid = session->xid < INT32_MAX ? session->xid + 1 : 1;
    if (get) {
        jute_get(&session->out, xid, path);
    } else if (strcmp(command, "create") == 0) {
        snprintf(path, sizeof path, "/cairn-bench/n-%u-%llu-%llu", session->index,
                 (unsigned long long)bench->options.seed, (unsigned long long)++bench->created);
        jute_create(&session->out, xid, path, buf_view(&bench->value), JUTE_PERSISTENT);
    } else {
        asked->number = ++session->number;
        char digits[17];
        snprintf(digits, sizeof digits, "%016" PRIx64, asked->number);
        if (bench->options.own)
            memcpy(bench->value.data, digits, 16);
        jute_set(&session->out, xid, path, buf_view(&bench->value), -1);
    }
}

static void flush(struct session *session) {
    if (session->conn == NULL || session->out.len == 0)
        return;
    struct env_piece piece = {buf_view(&session->out), NULL};
    env_write(session->bench->env, &session->conn->stream, &piece, 1);
    buf_clear(&session->out);
}

/* Nodes that are written are made first, each by one session; those that are there stay. */
static void prepare(struct session *session) {
    struct bench *bench = session->bench;
    char path[80];
    jute_create(&session->out, ++session->xid, "/cairn-bench", BYTES(""), JUTE_PERSISTENT);
    session->count = 1;
    if (bench->options.own) {
        path_of(path, sizeof path, session, 0);
        jute_create(&session->out, ++session->xid, path, buf_view(&bench->value), JUTE_PERSISTENT);
        session->count++;
    } else {
        for (uint64_t key = session->index; key < bench->options.keys;
             key += bench->options.sessions) {
            path_of(path, sizeof path, session, key);
            jute_create(&session->out, ++session->xid, path, buf_view(&bench->value),
                        JUTE_PERSISTENT);
            session->count++;
        }
    }
    flush(session);
}

static void verify(struct session *session) {
    char path[80];
    path_of(path, sizeof path, session, 0);
    jute_sync(&session->out, ++session->xid, path);
    jute_get(&session->out, ++session->xid, path);
    session->count = 2;
    flush(session);
}

static void fill(struct session *session) {
    const struct bench *bench = session->bench;
    if (session->conn == NULL || !session->conn->live)
        return;
    if (bench->phase == WARM_UP || bench->phase == MEASURE) {
        while (session->count < bench->options.outstanding)
            ask(session);
        flush(session);
    }
}

/* ---- phases ---- */

static void begin_phase(struct bench *bench, enum phase phase, uint64_t seconds) {
    bench->phase = phase;
    env_timer_set(bench->env, &bench->timer, env_now(bench->env) + seconds * NS_PER_S);
    if (phase == MEASURE)
        bench->began_ns = bench->gap_from_ns = env_now(bench->env);
    for (uint64_t i = 0; i < bench->options.sessions; i++)
        fill(&bench->sessions[i]);
}

static void note_gap(struct bench *bench, uint64_t now) {
    if (now - bench->gap_from_ns > bench->gap_max_ns)
        bench->gap_max_ns = now - bench->gap_from_ns;
    bench->gap_from_ns = now;
}

static void on_time(struct env_timer *timer) {
    struct bench *bench = container_of(timer, struct bench, timer);
    if (bench->phase == WARM_UP) {
        begin_phase(bench, MEASURE, bench->options.seconds);
    } else if (bench->phase == MEASURE) {
        bench->ended_ns = env_now(bench->env);
        note_gap(bench, bench->ended_ns);
        if (!bench->options.own) {
            finish(bench);
            return;
        }
        /* What is under way is answered first: verify follows the last answer. */
        bench->phase = VERIFY;
        env_timer_set(bench->env, &bench->timer, bench->ended_ns + 30 * NS_PER_S);
        for (uint64_t i = 0; i < bench->options.sessions; i++)
            if (bench->sessions[i].count == 0 && bench->sessions[i].conn != NULL &&
                bench->sessions[i].conn->live)
                verify(&bench->sessions[i]);
    } else {
        if (bench->phase == PREPARE)
            complain(bench, "the servers did not answer in %" PRId64 " s", 30);
        finish(bench);
    }
}

/* ---- answers ---- */

static void count_answer(struct session *session, const struct asked *asked, uint64_t now) {
    struct bench *bench = session->bench;
    if (asked->write && asked->number > session->acked)
        session->acked = asked->number;
    if (bench->phase != MEASURE || asked->sent_ns < bench->began_ns)
        return;
    bench->answered++;
    histogram_add(&bench->latencies, now - asked->sent_ns);
    note_gap(bench, now);
}

static void take_prepared(struct session *session, int32_t error) {
    struct bench *bench = session->bench;
    if (error != JUTE_OK && error != JUTE_NODE_EXISTS && error != JUTE_NO_NODE)
        complain(bench, "can't make the nodes: error %" PRId64, error);
    if (--session->count > 0 || session->prepared)
        return;
    session->prepared = true;
    if (++bench->prepared == bench->options.sessions)
        begin_phase(bench, WARM_UP, bench->options.warm_up_s);
}

static void take_verified(struct session *session, const struct jute_answer *answer) {
    struct bench *bench = session->bench;
    struct bytes data;
    int32_t version;
    if (--session->count > 0)
        return;
    char digits[17] = "";
    if (answer->error == JUTE_OK && jute_got(answer->body, &data, &version) && data.len >= 16)
        memcpy(digits, data.data, 16);
    uint64_t found = strtoull(digits, NULL, 16);
    bench->missing += found < session->acked;
    session->verified = true;
    if (++bench->verified == bench->options.sessions)
        finish(bench);
}

static void take_answer(struct session *session, const struct jute_answer *answer, uint64_t now) {
    struct bench *bench = session->bench;
    if (answer->xid < 0)
        return;
    if (!session->prepared) {
        take_prepared(session, answer->error);
        return;
    }
    if (bench->phase == VERIFY && session->verified)
        return;
    if (bench->phase == VERIFY && session->head == UINT32_MAX) {
        take_verified(session, answer);
        return;
    }
    if (session->count == 0)
        return;
    struct asked asked = session->ring[session->head];
    session->head = (session->head + 1) % (uint32_t)bench->options.outstanding;
    session->count--;
    if (answer->error != JUTE_OK)
        complain(bench, "error %" PRId64, answer->error);
    else
        count_answer(session, &asked, now);
}

static void take_handshake(struct session *session, struct bytes frame) {
    struct bench *bench = session->bench;
    struct jute_session granted = session->jute;
    if (!jute_connected(frame, &granted))
        return;
    if (granted.id == 0) {
        bench->expired++;
        session->jute.id = 0;
        memset(session->jute.password, 0, sizeof session->jute.password);
        env_abort(bench->env, &session->conn->stream);
        return;
    }
    session->jute.id = granted.id;
    memcpy(session->jute.password, granted.password, sizeof granted.password);
    session->conn->live = true;
    if (!session->prepared)
        prepare(session);
    else if (bench->phase == VERIFY && !session->verified) {
        session->head = UINT32_MAX;
        verify(session);
    } else
        fill(session);
}

/* Whether the last answers are in and the final read can be asked. */
static void go_on(struct session *session) {
    if (session->bench->phase == VERIFY && session->count == 0 && !session->verified &&
        session->head != UINT32_MAX) {
        session->head = UINT32_MAX;
        verify(session);
        return;
    }
    fill(session);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct conn *conn = container_of(stream, struct conn, stream);
    struct session *session = conn->session;
    if (session == NULL)
        return;
    struct bench *bench = session->bench;
    uint64_t now = session->heard_ns = env_now(bench->env);
    bool buffered = conn->in.len > 0;
    if (buffered) {
        buf_bytes(&conn->in, bytes);
        bytes = buf_view(&conn->in);
    }
    size_t taken = 0;
    while (conn->session != NULL && bench->phase != OVER) {
        struct bytes frame;
        struct jute_answer answer;
        size_t used =
            jute_frame(bytes_of(bytes.data + taken, bytes.len - taken), JUTE_FRAME_MAX, &frame);
        if (used == 0 || used == SIZE_MAX)
            break;
        taken += used;
        if (!conn->live)
            take_handshake(session, frame);
        else if (jute_answer(frame, &answer)) {
            if (answer.zxid > session->jute.zxid)
                session->jute.zxid = answer.zxid;
            take_answer(session, &answer, now);
        }
    }
    if (buffered)
        buf_consume(&conn->in, taken);
    else
        buf_append(&conn->in, bytes.data + taken, bytes.len - taken);
    if (conn->session != NULL)
        go_on(session);
}

/* ---- connections ---- */

static void on_open(struct env_stream *stream) {
    struct conn *conn = container_of(stream, struct conn, stream);
    if (conn->session == NULL)
        return;
    conn->session->bench->opened++;
    buf_clear(&conn->session->out);
    jute_connect(&conn->session->out, &conn->session->jute);
    flush(conn->session);
}

static void lose(struct session *session) {
    struct bench *bench = session->bench;
    if (session->prepared && session->conn != NULL && session->conn->live) {
        bench->lost += session->head == UINT32_MAX ? 0 : session->count;
        bench->reconnects++;
    }
    session->head = 0;
    session->count = 0;
    session->conn = NULL;
    buf_clear(&session->out);
    session->server = (session->server + 1) % bench->server_count;
    env_timer_set(bench->env, &session->timer, env_now(bench->env) + REDIAL_NS);
}

/* No server is there: none of them took a connection of any session. */
static void count_refused(struct bench *bench, enum cairn_status why) {
    if (bench->opened > 0 || ++bench->refused < bench->options.sessions * bench->server_count)
        return;
    if (bench->errors++ == 0)
        snprintf(bench->first_error, sizeof bench->first_error, "no answer from %s: %s",
                 bench->servers[0], cairn_status_text(why));
    finish(bench);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct conn *conn = container_of(stream, struct conn, stream);
    if (conn->session != NULL) {
        lose(conn->session);
        count_refused(conn->session->bench, why);
    }
    buf_free(&conn->in);
    cairn_free(conn);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

static void dial(struct session *session) {
    struct conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->stream.events = &events;
    conn->session = session;
    session->conn = conn;
    session->heard_ns = env_now(session->bench->env);
    env_connect(session->bench->env, session->bench->servers[session->server], &conn->stream);
}

static void on_session_timer(struct env_timer *timer) {
    struct session *session = container_of(timer, struct session, timer);
    if (session->conn == NULL && session->bench->phase != OVER)
        dial(session);
}

/* Servers that fell silent are left: in the handshake soon, later after a third of the timeout. */
static void on_tick(struct env_timer *timer) {
    struct bench *bench = container_of(timer, struct bench, tick);
    uint64_t now = env_now(bench->env);
    for (uint64_t i = 0; i < bench->options.sessions; i++) {
        struct session *session = &bench->sessions[i];
        struct conn *conn = session->conn;
        if (conn == NULL)
            continue;
        uint64_t patience =
            conn->live ? bench->options.timeout_ms * 1000000 * 2 / 3 : DIAL_PATIENCE_NS;
        if (now - session->heard_ns > patience) {
            conn->session = NULL;
            env_abort(bench->env, &conn->stream);
            lose(session);
        }
    }
    env_timer_set(bench->env, &bench->tick, now + TICK_NS);
}

/* ---- the run ---- */

static bool take_servers(struct bench *bench) {
    const char *at = bench->options.servers;
    while (*at != 0 && bench->server_count < SERVERS_MAX) {
        size_t len = strcspn(at, ",");
        if (len == 0 || len >= sizeof bench->servers[0])
            return false;
        memcpy(bench->servers[bench->server_count++], at, len);
        at += len + (at[len] == ',');
    }
    return bench->server_count > 0 && *at == 0;
}

static void run(struct bench *bench) {
    for (uint64_t i = 0; i < bench->options.bytes; i++)
        buf_u8(&bench->value, (uint8_t)('a' + i % 26));
    bench->sessions = cairn_alloc_zero(bench->options.sessions * sizeof *bench->sessions);
    bench->timer.fire = on_time;
    bench->tick.fire = on_tick;
    env_timer_set(bench->env, &bench->timer, env_now(bench->env) + 30 * NS_PER_S);
    env_timer_set(bench->env, &bench->tick, env_now(bench->env) + TICK_NS);
    for (uint64_t i = 0; i < bench->options.sessions; i++) {
        struct session *session = &bench->sessions[i];
        session->bench = bench;
        session->index = (uint32_t)i;
        session->server = (uint32_t)(i % bench->server_count);
        session->jute.timeout_ms = (int32_t)bench->options.timeout_ms;
        session->timer.fire = on_session_timer;
        session->ring = cairn_alloc_zero(bench->options.outstanding * sizeof *session->ring);
        dial(session);
    }
    runtime_run(bench->runtime);
}

static double ms(uint64_t ns) {
    return (double)ns / 1e6;
}

static void report(const struct bench *bench) {
    const struct bench_zookeeper *options = &bench->options;
    const struct histogram *h = &bench->latencies;
    double seconds = (double)(bench->ended_ns - bench->began_ns) / 1e9;
    double rate = seconds > 0 ? (double)bench->answered / seconds : 0;
    if (options->json) {
        printf("{\"command\":\"%s\",\"sessions\":%" PRIu64 ",\"outstanding\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"ops\":%" PRIu64 ",\"errors\":%" PRIu64
               ",\"seconds\":%.3f,\"ops_per_second\":%.1f,",
               options->command, options->sessions, options->outstanding, options->bytes,
               bench->answered, bench->errors, seconds, rate);
        printf("\"p50_ms\":%.4f,\"p95_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"max_ms\":%.4f,"
               "\"gap_ms\":%.3f,\"lost\":%" PRIu64 ",\"reconnects\":%" PRIu64
               ",\"expired\":%" PRIu64 ",\"missing\":%" PRIu64 "}\n",
               ms(histogram_at(h, 500)), ms(histogram_at(h, 950)), ms(histogram_at(h, 990)),
               ms(histogram_at(h, 999)), ms(h->max), ms(bench->gap_max_ns), bench->lost,
               bench->reconnects, bench->expired, bench->missing);
        return;
    }
    printf("%s: %" PRIu64 " done in %.2f s, %.0f a second; %" PRIu64 " sessions with %" PRIu64
           " under way each, %" PRIu64 " bytes\n",
           options->command, bench->answered, seconds, rate, options->sessions,
           options->outstanding, options->bytes);
    printf("latency ms: p50 %.3f  p95 %.3f  p99 %.3f  p99.9 %.3f  max %.3f; longest gap between "
           "answers %.1f\n",
           ms(histogram_at(h, 500)), ms(histogram_at(h, 950)), ms(histogram_at(h, 990)),
           ms(histogram_at(h, 999)), ms(h->max), ms(bench->gap_max_ns));
    if (bench->reconnects + bench->expired + bench->missing > 0)
        printf("%" PRIu64 " connections lost with %" PRIu64 " requests under way, %" PRIu64
               " sessions expired, %" PRIu64 " acknowledged writes missing\n",
               bench->reconnects, bench->lost, bench->expired, bench->missing);
    if (bench->errors > 0)
        printf("%" PRIu64 " errors, the first: %s\n", bench->errors, bench->first_error);
}

int bench_zookeeper(const struct bench_zookeeper *options) {
    static const char *const known[] = {"set", "get", "mix", "create"};
    static struct bench bench;
    struct runtime_options runtime = {0};
    bool command = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        command |= strcmp(options->command, known[i]) == 0;
    bench = (struct bench){.options = *options};
    if (!command)
        return misuse("bench", "with --zookeeper, --command is set, get, mix or create");
    if (!take_servers(&bench))
        return misuse("bench", "--zookeeper wants host:port, or several with commas");
    if (options->sessions == 0 || options->sessions > SESSIONS_MAX || options->outstanding == 0 ||
        options->outstanding > OUTSTANDING_MAX || options->bytes > 1000000 ||
        (options->own && options->bytes < 16))
        return misuse("bench", "--clients 1 to %u, --pipeline 1 to %u, --bytes at most 1000000",
                      SESSIONS_MAX, OUTSTANDING_MAX);
    prng_seed(&bench.prng, options->seed);
    bench.runtime = runtime_new(&runtime);
    bench.env = runtime_env(bench.runtime);
    run(&bench);
    report(&bench);
    return bench.answered > 0 && bench.missing == 0 ? EXIT_FINE : EXIT_NO;
}
