/* The proxy's process: one loop over poll, few hundred connections. */
#include "torture/proxy.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES 16384u
#define QUEUED_MAX 262144u
/* How long a change of rules may go unnoticed. */
#define IDLE_NS 10000000ull

struct piece {
    struct list list;
    uint64_t due_ns;
    size_t len, sent;
    uint8_t data[];
};

/* What passes one way. */
struct half {
    struct pair *pair;
    int in, out;
    unsigned from, to;
    struct proxy_flow flow;
    struct list pieces;
    size_t queued;
    bool ended;  /* the sender has closed */
    bool passed; /* and the receiver knows */
    bool broken; /* a cut: nothing more is read */
};

enum pair_state { PAIR_WAITS, PAIR_CONNECTS, PAIR_OPEN, PAIR_OVER };

struct pair {
    struct list list;
    enum pair_state state;
    uint16_t forward_port;
    struct half there, back; /* what the dialler sends, and what it gets */
    uint32_t resets_seen[2];
};

struct proxy {
    struct proxy_board *board;
    int listeners[PROXY_CHANNELS];
    struct list pairs;
    size_t pair_count;
    uint64_t number; /* seeds the pairs */
    struct pollfd *fds;
    struct half **halves; /* of fds; NULL: woken is enough */
    size_t fd_count, fd_cap;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct proxy_board *proxy_board_new(uint64_t seed) {
    struct proxy_board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return NULL;
    board->seed = seed;
    return board;
}

void proxy_board_free(struct proxy_board *board) {
    munmap(board, sizeof *board);
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(uint16_t port) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 512) == 0)
        return fd;
    close(fd);
    return -1;
}

/* As a network does that loses its memory of a connection: the peer reads ECONNRESET. */
static void close_hard(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void drop_pieces(struct half *half) {
    LIST_EACH_SAFE(at, &half->pieces)
    cairn_free(container_of(at, struct piece, list));
    list_init(&half->pieces);
}

static void end_pair(struct proxy *proxy, struct pair *pair, bool hard) {
    pair->state = PAIR_OVER;
    if (hard) {
        close_hard(pair->there.in);
        close_hard(pair->there.out);
    } else {
        close(pair->there.in);
        if (pair->there.out >= 0)
            close(pair->there.out);
    }
    pair->there.in = pair->there.out = pair->back.in = pair->back.out = -1;
    drop_pieces(&pair->there);
    drop_pieces(&pair->back);
}

static struct proxy_link *link_of(struct proxy *proxy, const struct half *half) {
    return &proxy->board->links[half->from][half->to];
}

/* ---- new pairs ---- */

static void half_init(struct half *half, struct pair *pair, struct proxy *proxy, unsigned from,
                      unsigned to, uint64_t seed) {
    *half = (struct half){.pair = pair, .in = -1, .out = -1, .from = from, .to = to};
    half->flow.cuts_seen = proxy->board->links[from][to].cuts;
    prng_seed(&half->flow.prng, seed);
    list_init(&half->pieces);
}

static void accept_one(struct proxy *proxy, const struct proxy_channel *channel, int fd) {
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int on = 1;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
        close(fd);
        return;
    }
    unsigned from = proxy_owner(proxy->board, ntohs(peer.sin_port), channel->listen_port);
    struct pair *pair = cairn_alloc_zero(sizeof *pair);
    uint64_t seed = prng_mix(proxy->board->seed, ++proxy->number);
    half_init(&pair->there, pair, proxy, from, channel->node, seed);
    half_init(&pair->back, pair, proxy, channel->node, from, prng_mix(seed, 1));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pair->there.in = pair->back.out = fd;
    pair->forward_port = channel->forward_port;
    pair->resets_seen[0] = link_of(proxy, &pair->there)->resets;
    pair->resets_seen[1] = link_of(proxy, &pair->back)->resets;
    list_push(&proxy->pairs, &pair->list);
    proxy->pair_count++;
    proxy->board->connections++;
}

static void accept_all(struct proxy *proxy, uint32_t channel) {
    int fd;
    while ((fd = accept4(proxy->listeners[channel], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        accept_one(proxy, &proxy->board->channels[channel], fd);
}

/* A handshake needs both ways. */
static void try_connect(struct proxy *proxy, struct pair *pair) {
    if (link_of(proxy, &pair->there)->blocked || link_of(proxy, &pair->back)->blocked)
        return;
    struct sockaddr_in address = loopback(pair->forward_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pair->there.out = pair->back.in = fd;
    pair->state = PAIR_CONNECTS;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        end_pair(proxy, pair, true);
}

static void finish_connect(struct proxy *proxy, struct pair *pair) {
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(pair->there.out, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        end_pair(proxy, pair, true);
    else
        pair->state = PAIR_OPEN;
}

/* ---- passing on ---- */

static void take_in(struct proxy *proxy, struct pair *pair, struct half *half) {
    struct proxy_link *link = link_of(proxy, half);
    if (link->blocked > 0)
        return;
    struct piece *piece = cairn_alloc(sizeof *piece + PIECE_BYTES);
    ssize_t got = recv(half->in, piece->data, PIECE_BYTES, 0);
    if (got <= 0) {
        bool again = got < 0 && (errno == EAGAIN || errno == EINTR);
        cairn_free(piece);
        half->ended |= got == 0;
        if (got < 0 && !again)
            end_pair(proxy, pair, true);
        return;
    }
    uint64_t now = now_ns();
    struct proxy_verdict verdict = proxy_judge(link, &half->flow, now, (size_t)got);
    proxy->board->pieces++;
    proxy->board->delayed += verdict.due_ns > now;
    proxy->board->cut += verdict.cut;
    half->broken |= verdict.cut;
    piece->due_ns = verdict.due_ns;
    piece->len = verdict.hold ? (size_t)got : verdict.len;
    piece->sent = 0;
    half->queued += piece->len;
    list_push(&half->pieces, &piece->list);
}

static bool due(struct proxy *proxy, const struct half *half, uint64_t now) {
    const struct list *first = list_first(&half->pieces);
    return first != NULL && container_of(first, struct piece, list)->due_ns <= now &&
           link_of(proxy, half)->blocked == 0;
}

/* False: the pair is over. */
static bool give_out(struct proxy *proxy, struct pair *pair, struct half *half, uint64_t now) {
    while (due(proxy, half, now)) {
        struct piece *piece = container_of(list_first(&half->pieces), struct piece, list);
        size_t left = piece->len - piece->sent;
        ssize_t put =
            left ? send(half->out, piece->data + piece->sent, left, MSG_NOSIGNAL) : (ssize_t)left;
        if (put < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (put < 0) {
            end_pair(proxy, pair, true);
            return false;
        }
        piece->sent += (size_t)put;
        if (piece->sent < piece->len)
            return true;
        half->queued -= piece->len;
        list_remove(&piece->list);
        cairn_free(piece);
    }
    if (!list_empty(&half->pieces))
        return true;
    if (half->broken) {
        end_pair(proxy, pair, false);
        return false;
    }
    if (half->ended && !half->passed && link_of(proxy, half)->blocked == 0) {
        shutdown(half->out, SHUT_WR);
        half->passed = true;
    }
    return true;
}

static bool was_reset(struct proxy *proxy, const struct pair *pair) {
    return link_of(proxy, &pair->there)->resets != pair->resets_seen[0] ||
           link_of(proxy, &pair->back)->resets != pair->resets_seen[1];
}

/* What does not wait for a socket. */
static void tend(struct proxy *proxy, struct pair *pair, uint64_t now) {
    if (pair->state != PAIR_OVER && was_reset(proxy, pair))
        end_pair(proxy, pair, true);
    if (pair->state == PAIR_WAITS)
        try_connect(proxy, pair);
    if (pair->state != PAIR_OPEN)
        return;
    if (give_out(proxy, pair, &pair->there, now) && give_out(proxy, pair, &pair->back, now) &&
        pair->there.passed && pair->back.passed)
        end_pair(proxy, pair, false);
}

static void tend_all(struct proxy *proxy) {
    uint64_t now = now_ns();
    LIST_EACH_SAFE(at, &proxy->pairs) {
        struct pair *pair = container_of(at, struct pair, list);
        tend(proxy, pair, now);
        if (pair->state != PAIR_OVER)
            continue;
        list_remove(&pair->list);
        proxy->pair_count--;
        cairn_free(pair);
    }
}

/* ---- the loop ---- */

static void watch(struct proxy *proxy, int fd, short events, struct half *half) {
    if (proxy->fd_count == proxy->fd_cap) {
        proxy->fd_cap = proxy->fd_cap ? proxy->fd_cap * 2 : 64;
        proxy->fds = cairn_realloc(proxy->fds, proxy->fd_cap * sizeof *proxy->fds);
        proxy->halves = cairn_realloc(proxy->halves, proxy->fd_cap * sizeof(struct half *));
    }
    proxy->fds[proxy->fd_count] = (struct pollfd){.fd = fd, .events = events};
    proxy->halves[proxy->fd_count++] = half;
}

/* Only descriptors of which something is wanted: poll tells hang-ups of all, again and again. */
static uint64_t watch_half(struct proxy *proxy, struct half *half, uint64_t now) {
    bool blocked = link_of(proxy, half)->blocked > 0;
    if (!blocked && !half->ended && !half->broken && half->queued < QUEUED_MAX)
        watch(proxy, half->in, POLLIN, half);
    const struct list *first = list_first(&half->pieces);
    if (first == NULL || blocked)
        return UINT64_MAX;
    uint64_t due_ns = container_of(first, struct piece, list)->due_ns;
    if (due_ns > now)
        return due_ns;
    watch(proxy, half->out, POLLOUT, NULL);
    return UINT64_MAX;
}

static uint64_t watch_all(struct proxy *proxy, uint64_t now) {
    uint64_t wake = now + IDLE_NS;
    proxy->fd_count = 0;
    for (uint32_t i = 0; i < proxy->board->channel_count; i++)
        watch(proxy, proxy->listeners[i], POLLIN, NULL);
    LIST_EACH(at, &proxy->pairs) {
        struct pair *pair = container_of(at, struct pair, list);
        if (pair->state == PAIR_CONNECTS)
            watch(proxy, pair->there.out, POLLOUT, &pair->there);
        if (pair->state != PAIR_OPEN)
            continue;
        uint64_t there = watch_half(proxy, &pair->there, now);
        uint64_t back = watch_half(proxy, &pair->back, now);
        wake = there < wake ? there : wake;
        wake = back < wake ? back : wake;
    }
    return wake;
}

static void serve(struct proxy *proxy) {
    for (size_t i = proxy->board->channel_count; i < proxy->fd_count; i++) {
        struct half *half = proxy->halves[i];
        if (half == NULL || !proxy->fds[i].revents)
            continue;
        struct pair *pair = half->pair;
        if (pair->state == PAIR_CONNECTS)
            finish_connect(proxy, pair);
        else if (pair->state == PAIR_OPEN)
            take_in(proxy, pair, half);
    }
    for (uint32_t i = 0; i < proxy->board->channel_count; i++)
        if (proxy->fds[i].revents)
            accept_all(proxy, i);
}

static void run(struct proxy *proxy) {
    for (;;) {
        uint64_t now = now_ns(), wake = watch_all(proxy, now);
        uint64_t wait = wake > now ? wake - now : 0;
        struct timespec patience = {.tv_sec = 0, .tv_nsec = (long)wait};
        if (ppoll(proxy->fds, proxy->fd_count, &patience, NULL) > 0)
            serve(proxy);
        tend_all(proxy);
    }
}

static bool listen_everywhere(struct proxy *proxy) {
    for (uint32_t i = 0; i < proxy->board->channel_count; i++) {
        proxy->listeners[i] = listen_on(proxy->board->channels[i].listen_port);
        if (proxy->listeners[i] < 0)
            return false;
    }
    return true;
}

pid_t proxy_start(struct proxy_board *board) {
    cairn_assert(board->channel_count <= PROXY_CHANNELS);
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    struct proxy proxy = {.board = board};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    setpgid(0, 0);
    signal(SIGPIPE, SIG_IGN);
    list_init(&proxy.pairs);
    board->ready = listen_everywhere(&proxy) ? 1 : 2;
    if (board->ready == 1)
        run(&proxy);
    _exit(1);
}
