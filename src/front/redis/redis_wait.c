/* Clients that wait for something other than their own commands: WAIT, CLIENT PAUSE, the time that
 * follows a wrong password; and guests whose time is limited. */
#include "front/redis/redis_internal.h"

#define NS_PER_MS 1000000ull
#define WAIT_POLL_NS (2 * NS_PER_MS)
#define WAIT_LONGEST_NS (3600ull * 1000000000ull)
/* After a wrong password: hardly felt by a person, and a long way for a list of words. */
#define PENALTY_NS (300 * NS_PER_MS)

static void on_timer(struct env_timer *timer) {
    /* waits_turn does what is due. */
}

void waits_open(struct redis_front *front) {
    front->wait_timer.fire = on_timer;
}

static void wait_over(struct conn *conn) {
    struct slot *slot = conn->wait;
    conn->wait = NULL;
    list_remove(&conn->waits);
    slot_answered(slot);
    conn_resume(conn);
}

static void wait_settle(struct conn *conn, uint64_t now) {
    uint32_t current = node_replicas_current(conn->front->node, conn->front->options.keyspace);
    bool enough = current >= conn->wait_replicas && conn->client.writes_inflight == 0;
    if (!enough && now < conn->wait_deadline_ns)
        return;
    resp_put_int(&conn->wait->reply, current);
    wait_over(conn);
}

static void begin_wait(struct conn *conn, const struct command *command, uint64_t deadline_ns) {
    conn->wait = slot_new(conn, command);
    conn->wait_deadline_ns = deadline_ns;
    conn->held = true;
    list_push(&conn->front->waiting, &conn->waits);
    env_wake(conn->front->env);
}

void wait_penalty(struct conn *conn, const struct command *command, const char *error) {
    if (conn->wait != NULL) /* HELLO with two wrong passwords: one answer */
        return;
    begin_wait(conn, command, env_now(conn->front->env) + PENALTY_NS);
    resp_put_error(&conn->wait->reply, error);
    conn->wait_penalty = true;
}

static void penalty_settle(struct conn *conn, uint64_t now) {
    if (now < conn->wait_deadline_ns)
        return;
    conn->wait_penalty = false;
    wait_over(conn);
}

void waits_turn(struct redis_front *front, uint64_t now) {
    if (list_empty(&front->waiting))
        return;
    if (front->pause_until_ns != 0 && now >= front->pause_until_ns)
        front->pause_until_ns = 0;
    LIST_EACH_SAFE(item, &front->waiting) {
        struct conn *conn = container_of(item, struct conn, waits);
        if (conn->wait != NULL && conn->wait_penalty) {
            penalty_settle(conn, now);
        } else if (conn->wait != NULL) {
            wait_settle(conn, now);
        } else if (conn->guest) {
            guest_settle(conn, now);
        } else if (front->pause_until_ns == 0) {
            list_remove(&conn->waits);
            conn_resume(conn);
        }
    }
    if (!list_empty(&front->waiting))
        env_timer_set(front->env, &front->wait_timer, now + WAIT_POLL_NS);
}

void pause_begin(struct redis_front *front, uint64_t until_ns, bool all) {
    if (until_ns > front->pause_until_ns)
        front->pause_until_ns = until_ns;
    front->pause_all = all;
}

void pause_end(struct redis_front *front) {
    front->pause_until_ns = 0;
    env_wake(front->env);
}

bool pause_keeps(const struct conn *conn) {
    return conn->held && conn->wait == NULL && !list_empty(&conn->waits);
}

void waits_leave(struct conn *conn) {
    if (conn->wait != NULL && !conn->wait_penalty) {
        conn->wait_deadline_ns = 0;
    } else if (pause_keeps(conn)) {
        list_remove(&conn->waits);
        conn->held = false;
        conn_forget_input(conn);
    }
}

static bool writes(const struct conn *conn, const struct command *command) {
    if (command->run == cmd_exec)
        return conn->multi != NULL && conn->multi->writes;
    return command->kv_flags & (KV_WRITE | KV_PUBSUB) || command->run == cmd_publish;
}

bool pause_holds(struct conn *conn, struct bytes name) {
    struct redis_front *front = conn->front;
    if (front->pause_until_ns == 0 || env_now(front->env) >= front->pause_until_ns)
        return false;
    const struct command *command = command_find(name);
    if (command == NULL || command->run == cmd_client)
        return false;
    if (!front->pause_all && !writes(conn, command))
        return false;
    conn->held = true;
    list_push(&front->waiting, &conn->waits);
    env_timer_set(front->env, &front->wait_timer, env_now(front->env) + WAIT_POLL_NS);
    return true;
}

/* WAIT replicas timeout-ms: how many replicas besides the leader hold all that was acknowledged.
 * Every acknowledged write is on a majority's disks already, so this seldom waits. */
void cmd_wait(struct call *call) {
    struct conn *conn = call->conn;
    int64_t replicas, timeout_ms;
    if (!arg_int(call, 1, &replicas))
        return;
    if (!arg_int_or(call, 2, &timeout_ms, "ERR timeout is not an integer or out of range"))
        return;
    if (timeout_ms < 0) {
        resp_put_error(call->out, "ERR timeout is negative");
        return;
    }
    uint64_t wait_ns = timeout_ms == 0 || (uint64_t)timeout_ms > WAIT_LONGEST_NS / NS_PER_MS
                           ? WAIT_LONGEST_NS
                           : (uint64_t)timeout_ms * NS_PER_MS;
    begin_wait(conn, call->command, env_now(conn->front->env) + wait_ns);
    conn->wait_replicas = replicas > 0 ? (uint64_t)replicas : 0;
}
