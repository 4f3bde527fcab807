/* Connections above clients_max. Each is told so, as Redis does; but an operator's tool on this
 * machine must still find out how the node is, and change members: a few connections from loopback
 * are let in for the commands of operators alone.
 */
#include "front/redis/redis_internal.h"

#include <string.h>

#define NS_PER_MS 1000000ull
/* That are being told, and operators on top; beyond them connections are just closed. */
#define GUESTS_MAX 16u
#define OPERATORS_MAX 16u
/* An operator's tool speaks at once; another client may wait for the error before it does. */
#define SILENCE_NS (250 * NS_PER_MS)

static bool is_loopback(const char *address) {
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0;
}

struct env_stream *guest_accept(struct redis_front *front, const char *peer_address) {
    bool is_operator = is_loopback(peer_address);
    front->rejected_connections++;
    front_warn(front, "%u Redis clients are connected, and %s: %s is turned away",
               front->conn_count,
               front->listener.crowded ? "the limit of open files (ulimit -n) leaves no more"
                                       : "clients_max allows no more",
               peer_address);
    if (front->guest_count >= GUESTS_MAX + (is_operator ? OPERATORS_MAX : 0))
        return NULL;
    struct conn *conn = conn_new(front, peer_address);
    conn->guest = true;
    front->guest_count++;
    conn->wait_deadline_ns = is_operator ? conn->since_ns + SILENCE_NS : 0;
    list_push(&front->waiting, &conn->waits);
    env_wake(front->env);
    return &conn->stream;
}

static void turn_away(struct conn *conn) {
    struct buf *out = reply_begin(conn);
    resp_put_error(out, GUEST_REFUSAL);
    reply_end(conn, out);
    list_remove(&conn->waits);
    conn_close_after_reply(conn);
    env_wake(conn->front->env);
}

void guest_settle(struct conn *conn, uint64_t now) {
    if (now >= conn->wait_deadline_ns)
        turn_away(conn);
}

bool guest_may(struct conn *conn, const struct command *command) {
    if (!conn->guest)
        return true;
    bool is_operator =
        command != NULL && (command->run == cmd_cairn_status || command->run == cmd_cairn_member ||
                            command->run == cmd_cairn_leader || command->run == cmd_auth);
    if (is_operator)
        list_remove(&conn->waits);
    else if (!conn->closing)
        turn_away(conn);
    return is_operator;
}
