#include "cli/zkcli_session.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "machine/tree/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SESSION_MS 10000 /* asked for */
#define DIAL_MS 2000u    /* for one server, while others may be asked */
#define ROUND_MS 100     /* between two rounds through the list */
#define READ_BYTES 65536u
#define XID_MAX 1000000000

static uint64_t now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static int left_ms(uint64_t deadline_ms) {
    uint64_t now = now_ms();
    return now >= deadline_ms ? 0 : (int)(deadline_ms - now);
}

static bool blame(struct zkcli_session *session, const char *why) {
    snprintf(session->problem, sizeof session->problem, "%s: %s", session->server, why);
    return false;
}

/* ---- the list of servers ---- */

static unsigned server_count(const struct zkcli_session *session) {
    unsigned count = 1;
    for (const char *at = session->servers; *at; at++)
        count += *at == ',';
    return count;
}

/* The n-th, as "host:port". */
static void server_at(const struct zkcli_session *session, unsigned n, char *out, size_t size) {
    const char *at = session->servers;
    for (; n > 0; n--)
        at = strchr(at, ',') + 1;
    snprintf(out, size, "%.*s", (int)strcspn(at, ","), at);
}

static bool split_address(char *address, char **host, char **port) {
    char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address)
        return false;
    *colon = 0;
    *host = address;
    *port = colon + 1;
    size_t len = strlen(address);
    if (address[0] == '[' && address[len - 1] == ']') {
        address[len - 1] = 0;
        *host = address + 1;
    }
    char *end;
    long number = strtol(*port, &end, 10);
    return **host && **port && *end == 0 && number > 0 && number < 65536;
}

static char *copy_of(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = cairn_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

bool zkcli_session_credential(struct zkcli_session *session, const char *credential) {
    const char *colon = strchr(credential, ':');
    if (session->credential_count == ZKCLI_CREDENTIALS_MAX || colon == NULL || colon == credential)
        return false;
    session->credentials[session->credential_count++] = copy_of(credential);
    return true;
}

bool zkcli_session_check(struct zkcli_session *session) {
    session->fd = -1;
    session->jute.timeout_ms = SESSION_MS;
    for (unsigned i = 0; i < server_count(session); i++) {
        char address[300], *host, *port;
        server_at(session, i, address, sizeof address);
        if (!split_address(address, &host, &port)) {
            snprintf(session->problem, sizeof session->problem,
                     "--server wants host:port, or several with commas between, not '%s'",
                     session->servers);
            return false;
        }
    }
    return true;
}

/* ---- bytes ---- */

static void hang_up(struct zkcli_session *session) {
    if (session->fd >= 0)
        close(session->fd);
    session->fd = -1;
    session->in.len = 0;
    session->taken = 0;
}

static bool wait_for(int fd, short events, uint64_t deadline_ms) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int got;
    do
        got = poll(&poll_fd, 1, left_ms(deadline_ms));
    while (got < 0 && errno == EINTR && left_ms(deadline_ms) > 0);
    return got > 0;
}

static bool send_bytes(struct zkcli_session *session, struct bytes bytes, uint64_t deadline_ms) {
    while (bytes.len > 0) {
        ssize_t sent = send(session->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent > 0)
            bytes = bytes_of(bytes.data + sent, bytes.len - (size_t)sent);
        else if (errno != EAGAIN && errno != EINTR)
            return blame(session, strerror(errno));
        else if (!wait_for(session->fd, POLLOUT, deadline_ms))
            return blame(session, "it takes no more bytes");
    }
    session->sent_ms = now_ms();
    return true;
}

/* What is there, without waiting. False: the connection is over. */
static bool take_bytes(struct zkcli_session *session) {
    ssize_t got;
    do {
        got = recv(session->fd, buf_reserve(&session->in, READ_BYTES), READ_BYTES, 0);
        if (got > 0)
            session->in.len += (size_t)got;
    } while (got == (ssize_t)READ_BYTES);
    session->heard_ms = now_ms();
    if (got == 0)
        return blame(session, "the connection was closed");
    return got > 0 || errno == EAGAIN || errno == EINTR || blame(session, strerror(errno));
}

/* The next frame if it is there. -1: malformed. */
static int next_frame(struct zkcli_session *session, struct bytes *frame) {
    buf_consume(&session->in, session->taken);
    session->taken = 0;
    size_t taken = jute_frame(buf_view(&session->in), INT32_MAX, frame);
    if (taken == SIZE_MAX)
        return -1;
    session->taken = taken;
    return taken > 0;
}

static bool read_frame(struct zkcli_session *session, uint64_t deadline_ms, struct bytes *frame) {
    for (;;) {
        int there = next_frame(session, frame);
        if (there != 0)
            return there > 0 || blame(session, "what it sends is not ZooKeeper's protocol");
        if (!wait_for(session->fd, POLLIN, deadline_ms))
            return blame(session, "no answer in time");
        if (!take_bytes(session))
            return false;
    }
}

/* ---- connecting ---- */

static bool dial_one(struct zkcli_session *session, const struct addrinfo *info,
                     uint64_t deadline_ms) {
    int error = 0, one = 1;
    socklen_t len = sizeof error;
    session->fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0)
        return blame(session, strerror(errno));
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(session->fd, info->ai_addr, info->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return blame(session, strerror(errno));
    if (!wait_for(session->fd, POLLOUT, deadline_ms))
        return blame(session, "no answer in time");
    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error == 0 || blame(session, strerror(error));
}

static bool dial(struct zkcli_session *session, uint64_t deadline_ms) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char address[300], *host, *port;
    snprintf(address, sizeof address, "%s", session->server);
    bool fits = split_address(address, &host, &port);
    cairn_assert(fits);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0)
        return blame(session, gai_strerror(failed));
    bool open = false;
    for (const struct addrinfo *info = found; info != NULL && !open; info = info->ai_next) {
        open = dial_one(session, info, deadline_ms);
        if (!open)
            hang_up(session);
    }
    freeaddrinfo(found);
    return open;
}

static void put_auth(struct buf *out, const char *credential) {
    const char *colon = strchr(credential, ':');
    size_t start = jute_put_request(out, JUTE_XID_AUTH, JUTE_AUTH);
    jute_put_i32(out, 0);
    jute_put_block(out, bytes_of(credential, (size_t)(colon - credential)));
    jute_put_block(out, bytes_cstr(colon + 1));
    jute_frame_end(out, start);
}

/* All watches in one request: what happened since the last zxid seen is told at once. */
static void put_watches(const struct zkcli_session *session, struct buf *out) {
    if (session->watch_count == 0)
        return;
    size_t start = jute_put_request(out, JUTE_XID_SET_WATCHES, JUTE_SET_WATCHES2);
    jute_put_i64(out, session->jute.zxid);
    for (int i = 0; i < 3; i++) /* those that fire once: none */
        jute_put_i32(out, 0);
    for (int recursive = 0; recursive < 2; recursive++) {
        int32_t count = 0;
        for (unsigned i = 0; i < session->watch_count; i++)
            count += session->watches[i].recursive == recursive;
        jute_put_i32(out, count);
        for (unsigned i = 0; i < session->watch_count; i++)
            if (session->watches[i].recursive == recursive)
                jute_put_block(out, bytes_cstr(session->watches[i].path));
    }
    jute_frame_end(out, start);
}

static void tell(const struct zkcli_session *session, const char *what) {
    char sentence[400];
    snprintf(sentence, sizeof sentence, "session 0x%llx %s %s",
             (unsigned long long)session->jute.id, what, session->server);
    if (session->told != NULL)
        session->told(session->context, sentence);
}

static bool take_welcome(struct zkcli_session *session, uint64_t deadline_ms) {
    struct bytes frame;
    int64_t before = session->jute.id;
    if (!read_frame(session, deadline_ms, &frame))
        return false;
    if (!jute_connected(frame, &session->jute))
        return blame(session, "what it sends is not ZooKeeper's protocol");
    if (session->jute.id == 0) {
        session->expired = true;
        session->jute = (struct jute_session){.timeout_ms = SESSION_MS, .zxid = session->jute.zxid};
        return blame(session, "the session has expired");
    }
    if (before != 0)
        tell(session, "goes on at");
    else if (session->expired)
        tell(session, "takes the place of an expired one, at");
    return true;
}

static bool greet(struct zkcli_session *session, uint64_t deadline_ms) {
    struct buf hello = {0};
    jute_connect(&hello, &session->jute);
    bool ok =
        send_bytes(session, buf_view(&hello), deadline_ms) && take_welcome(session, deadline_ms);
    buf_clear(&hello);
    for (unsigned i = 0; i < session->credential_count; i++)
        put_auth(&hello, session->credentials[i]);
    put_watches(session, &hello);
    ok = ok && send_bytes(session, buf_view(&hello), deadline_ms);
    buf_free(&hello);
    return ok;
}

/* Every server in turn, until one takes the session or the time is over. */
static bool connect_any(struct zkcli_session *session, uint64_t deadline_ms) {
    unsigned count = server_count(session);
    for (unsigned tries = 1;; tries++) {
        bool was_expired = session->expired;
        uint64_t until = now_ms() + DIAL_MS;
        if (until > deadline_ms || count == 1)
            until = deadline_ms;
        server_at(session, session->next % count, session->server, sizeof session->server);
        if (dial(session, until) && greet(session, until))
            return true;
        hang_up(session);
        if (session->expired && !was_expired)
            continue; /* the same server gives a new one */
        session->next++;
        if (left_ms(deadline_ms) == 0)
            return false;
        if (tries % count == 0)
            poll(NULL, 0, left_ms(deadline_ms) < ROUND_MS ? left_ms(deadline_ms) : ROUND_MS);
    }
}

/* A refusal at the first try is told at once: who has just typed an address waits for no restart.
 */
static bool connect_now(struct zkcli_session *session) {
    bool first = session->jute.id == 0 && !session->expired;
    unsigned count = server_count(session);
    if (!first)
        return connect_any(session, now_ms() + session->timeout_ms);
    for (unsigned i = 0; i < count; i++) {
        uint64_t patience =
            count > 1 && session->timeout_ms > DIAL_MS ? DIAL_MS : session->timeout_ms;
        uint64_t until = now_ms() + patience;
        server_at(session, session->next % count, session->server, sizeof session->server);
        if (dial(session, until) && greet(session, until))
            return true;
        hang_up(session);
        session->next++;
    }
    return false;
}

bool zkcli_session_open(struct zkcli_session *session) {
    return session->fd >= 0 || connect_now(session);
}

void zkcli_session_close(struct zkcli_session *session) {
    if (session->fd >= 0) {
        struct bytes frame;
        struct buf out = {0};
        uint64_t deadline_ms = now_ms() + 1000;
        jute_frame_end(&out, jute_put_request(&out, session->xid + 1, JUTE_CLOSE));
        if (send_bytes(session, buf_view(&out), deadline_ms))
            while (read_frame(session, deadline_ms, &frame)) /* until the server closes */
                ;
        buf_free(&out);
        hang_up(session);
    }
    for (unsigned i = 0; i < session->watch_count; i++)
        cairn_free(session->watches[i].path);
    session->watch_count = 0;
    while (session->credential_count > 0)
        cairn_free(session->credentials[--session->credential_count]);
    buf_free(&session->in);
    buf_free(&session->out);
}

/* ---- requests ---- */

static void take_event(struct zkcli_session *session, const struct jute_answer *answer) {
    struct reader reader = reader_of(answer->body);
    int32_t type = jute_take_i32(&reader);
    jute_take_i32(&reader);
    struct bytes path = jute_take_block(&reader);
    if (!reader.bad && session->event != NULL)
        session->event(session->context, type, path, answer->zxid);
}

/* True: it answers a request; else it was an event, or the answer to a ping and its like. */
static bool take_answer(struct zkcli_session *session, const struct jute_answer *answer) {
    if (answer->zxid > session->jute.zxid)
        session->jute.zxid = answer->zxid;
    if (answer->xid == JUTE_XID_NOTIFICATION)
        take_event(session, answer);
    return answer->xid >= 0;
}

size_t zkcli_begin(struct zkcli_session *session, int32_t op) {
    session->xid = session->xid >= XID_MAX ? 1 : session->xid + 1;
    return jute_put_request(&session->out, session->xid, op);
}

enum zkcli_end zkcli_send_all(struct zkcli_session *session) {
    if (!zkcli_session_open(session)) {
        buf_clear(&session->out);
        return ZKCLI_NOBODY;
    }
    bool sent = send_bytes(session, buf_view(&session->out), now_ms() + session->timeout_ms);
    buf_clear(&session->out);
    if (!sent)
        hang_up(session);
    return sent ? ZKCLI_FINE : ZKCLI_LOST;
}

enum zkcli_end zkcli_receive(struct zkcli_session *session, struct jute_answer *answer) {
    uint64_t deadline_ms = now_ms() + session->timeout_ms;
    struct bytes frame;
    while (session->fd >= 0 && read_frame(session, deadline_ms, &frame)) {
        if (!jute_answer(frame, answer)) {
            blame(session, "what it sends is not ZooKeeper's protocol");
            break;
        }
        if (take_answer(session, answer))
            return ZKCLI_FINE;
    }
    hang_up(session);
    return ZKCLI_LOST;
}

enum zkcli_end zkcli_call(struct zkcli_session *session, size_t start, bool again,
                          struct jute_answer *answer) {
    jute_frame_end(&session->out, start);
    uint64_t deadline_ms = now_ms() + session->timeout_ms;
    struct buf request = {0};
    enum zkcli_end end;
    if (again)
        buf_bytes(&request, buf_view(&session->out));
    do {
        end = zkcli_send_all(session);
        if (end == ZKCLI_FINE)
            end = zkcli_receive(session, answer);
        if (end == ZKCLI_LOST && again)
            buf_bytes(&session->out, buf_view(&request));
    } while (end == ZKCLI_LOST && again && left_ms(deadline_ms) > 0);
    buf_clear(&session->out);
    buf_free(&request);
    return end;
}

static void drop_credential(struct zkcli_session *session) {
    cairn_free(session->credentials[--session->credential_count]);
}

enum zkcli_end zkcli_authenticate(struct zkcli_session *session, const char *credential,
                                  int32_t *error) {
    struct jute_answer answer;
    struct bytes frame;
    uint64_t deadline_ms = now_ms() + session->timeout_ms;
    *error = TREE_BAD_ARGUMENTS;
    if (!zkcli_session_open(session))
        return ZKCLI_NOBODY;
    if (!zkcli_session_credential(session, credential))
        return ZKCLI_FINE;
    buf_clear(&session->out);
    put_auth(&session->out, credential);
    enum zkcli_end end = zkcli_send_all(session);
    while (end == ZKCLI_FINE && read_frame(session, deadline_ms, &frame) &&
           jute_answer(frame, &answer)) {
        take_answer(session, &answer);
        if (answer.xid != JUTE_XID_AUTH)
            continue;
        *error = answer.error;
        if (answer.error != JUTE_OK)
            drop_credential(session);
        return ZKCLI_FINE;
    }
    drop_credential(session);
    hang_up(session);
    return ZKCLI_LOST;
}

enum zkcli_end zkcli_watch(struct zkcli_session *session, const char *path, bool recursive,
                           int32_t *error) {
    struct jute_answer answer;
    if (session->watch_count == ZKCLI_WATCHES_MAX) {
        *error = TREE_BAD_ARGUMENTS;
        return ZKCLI_FINE;
    }
    size_t start = zkcli_begin(session, JUTE_ADD_WATCH);
    jute_put_block(&session->out, bytes_cstr(path));
    jute_put_i32(&session->out, recursive);
    enum zkcli_end end = zkcli_call(session, start, true, &answer);
    *error = end == ZKCLI_FINE ? answer.error : 0;
    if (end == ZKCLI_FINE && answer.error == JUTE_OK) {
        session->watches[session->watch_count++] = (struct zkcli_watch){copy_of(path), recursive};
    }
    return end;
}

/* ---- standing by ---- */

static bool take_waiting(struct zkcli_session *session) {
    struct bytes frame;
    struct jute_answer answer;
    int there = 1;
    if (!take_bytes(session))
        return false;
    while ((there = next_frame(session, &frame)) > 0 && jute_answer(frame, &answer))
        take_answer(session, &answer);
    return there == 0;
}

static bool ping(struct zkcli_session *session) {
    struct buf out = {0};
    jute_frame_end(&out, jute_put_request(&out, JUTE_XID_PING, JUTE_PING));
    bool sent = send_bytes(session, buf_view(&out), now_ms() + session->timeout_ms);
    buf_free(&out);
    return sent;
}

bool zkcli_wait(struct zkcli_session *session, int other_fd, int wait_ms) {
    uint64_t deadline_ms = now_ms() + (uint64_t)wait_ms;
    uint64_t every_ms = (uint64_t)session->jute.timeout_ms / 3;
    for (;;) {
        struct pollfd fds[2] = {{.fd = session->fd, .events = POLLIN},
                                {.fd = other_fd, .events = POLLIN}};
        if (session->fd < 0 && session->jute.id != 0)
            connect_any(session, now_ms() + 500);
        fds[0].fd = session->fd;
        uint64_t until = session->sent_ms + every_ms;
        bool pings = session->fd >= 0 && until < deadline_ms;
        int got = poll(fds, 2, left_ms(pings ? until : deadline_ms));
        if (got < 0)
            return false; /* a signal: its handler said what it means */
        if (fds[1].revents != 0)
            return true;
        if (fds[0].revents != 0 && !take_waiting(session))
            hang_up(session);
        bool silent = left_ms(session->heard_ms + 2 * every_ms) == 0; /* with a ping between */
        bool due = left_ms(session->sent_ms + every_ms) == 0;
        if (session->fd >= 0 && (silent || (due && !ping(session))))
            hang_up(session);
        if (left_ms(deadline_ms) == 0)
            return false;
    }
}
