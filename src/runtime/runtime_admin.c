#include "runtime/runtime_admin.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "runtime/mhd.h"
#include "runtime/runtime_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Kept below the library's own limit: at that it hears no newcomer until it is run again, and has
 * no reason of its own to ask for that. */
#define VISITORS_MAX 64u
#define CONNECTIONS_MAX (2 * VISITORS_MAX)
#define BACKLOG 4096
#define TIMEOUT_SECONDS 10u /* of silence */
#define VISIT_NS 30000000000ull
#define MEMORY_BYTES 16384u
/* How often the library is run while there are visitors. */
#define LOOK_MS 250u
#define SPENT_NS_LITTLE 2000000u
#define REST_FACTOR 4u
#define REST_MS_MOST 50u /* newcomers wait at the listening socket meanwhile */

/* One connection; its requests come one after the other. */
struct runtime_visit {
    struct list list;
    struct runtime_admin *admin;
    struct MHD_Connection *connection;
    int fd;
    uint64_t since_ns;
    enum { COUNTED, LEAVING, TRUSTED } where; /* in which of the lists below */
    enum { HEARD, WAITING, KNOWN } state;     /* of the request */
    struct runtime_answer answer;             /* KNOWN */
};

struct runtime_admin {
    struct runtime *runtime;
    struct mhd mhd;
    struct MHD_Daemon *daemon; /* NULL: there was no visit yet */
    int listening;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles;
    struct list visitors; /* oldest first */
    struct list leaving;  /* those that were cut off */
    struct list trusted;  /* those that may wait for their answer */
    size_t visitor_count; /* of the first list */
    bool closing;
    runtime_admin_handler *handler;
    void *context;
};

static void on_timeout(uv_timer_t *timer);

static enum MHD_Result send_answer(const struct mhd *mhd, struct MHD_Connection *connection,
                                   struct runtime_answer *answer) {
    struct MHD_Response *response = mhd->create_response_from_buffer(
        answer->body.len, answer->body.data, MHD_RESPMEM_MUST_COPY);
    buf_free(&answer->body);
    if (response == NULL)
        return MHD_NO;
    mhd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    mhd->add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer->allow != NULL)
        mhd->add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    enum MHD_Result result = mhd->queue_response(connection, answer->status, response);
    mhd->destroy_response(response);
    return result;
}

/* ---- visitors ---- */

static void move_to(struct runtime_visit *visit, struct list *list, int where) {
    list_remove(&visit->list);
    list_push(list, &visit->list);
    visit->admin->visitor_count -= visit->where == COUNTED;
    visit->where = where;
    visit->admin->visitor_count += where == COUNTED;
}

static struct runtime_visit *visit_of(struct runtime_admin *admin,
                                      struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        admin->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

static void ask(struct runtime_visit *visit, const char *method, const char *path) {
    struct runtime_admin *admin = visit->admin;
    const struct runtime_question question = {
        method, path,
        admin->mhd.lookup_connection_value(visit->connection, MHD_HEADER_KIND,
                                           MHD_HTTP_HEADER_AUTHORIZATION)};
    visit->answer = (struct runtime_answer){.content_type = "text/plain; charset=utf-8"};
    visit->state = WAITING;
    admin->handler(admin->context, &question, visit, &visit->answer);
    if (visit->answer.status != 0) {
        visit->state = KNOWN;
        return;
    }
    if (visit->answer.trusted && visit->where == COUNTED)
        move_to(visit, &admin->trusted, TRUSTED);
    admin->mhd.suspend_connection(visit->connection);
}

/* Called first with the head alone, then with the body's pieces, then to answer; and once more when
 * an answer that was waited for is known. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state) {
    struct runtime_visit *visit = visit_of(context, connection);
    if (*state == NULL) {
        *state = visit;
        visit->state = HEARD;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    if (visit->state == HEARD)
        ask(visit, method, url);
    return visit->state == KNOWN ? send_answer(&visit->admin->mhd, connection, &visit->answer)
                                 : MHD_YES;
}

void runtime_admin_answer(struct runtime_visit *visit, struct runtime_answer *answer) {
    struct runtime_admin *admin = visit->admin;
    visit->answer = *answer;
    visit->state = KNOWN;
    if (visit->where == TRUSTED) {
        visit->since_ns = runtime_now(&admin->runtime->env);
        move_to(visit, &admin->visitors, COUNTED);
    }
    admin->mhd.resume_connection(visit->connection);
    uv_timer_start(&admin->timer, on_timeout, 0, 0); /* it goes on when it is run */
}

static void cut_off(struct runtime_visit *visit) {
    shutdown(visit->fd, SHUT_RDWR); /* the library finds out, and closes it */
    move_to(visit, &visit->admin->leaving, LEAVING);
}

/* The one that came first makes room for the next; and none stays for long, however slowly
 * it speaks. */
static void keep_order(struct runtime_admin *admin) {
    uint64_t now = runtime_now(&admin->runtime->env);
    while (!list_empty(&admin->visitors)) {
        struct runtime_visit *oldest =
            container_of(admin->visitors.next, struct runtime_visit, list);
        if (admin->visitor_count <= VISITORS_MAX && now - oldest->since_ns < VISIT_NS)
            return;
        cut_off(oldest);
    }
}

static void on_visit(void *context, struct MHD_Connection *connection, void **state,
                     enum MHD_ConnectionNotificationCode code) {
    struct runtime_admin *admin = context;
    struct runtime_visit *visit = *state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            admin->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        visit = cairn_alloc_zero(sizeof *visit);
        *visit = (struct runtime_visit){.admin = admin,
                                        .connection = connection,
                                        .fd = info->connect_fd,
                                        .since_ns = runtime_now(&admin->runtime->env)};
        list_push(&admin->visitors, &visit->list);
        admin->visitor_count++;
        *state = visit;
    } else if (visit != NULL) {
        admin->visitor_count -= visit->where == COUNTED;
        list_remove(&visit->list);
        buf_free(&visit->answer.body);
        cairn_free(visit);
    }
}

/* How long visitors wait because of what the last look at them took: clients, peers and heartbeats
 * have most of the loop's time, however many pages are asked for at once. */
static uint64_t rest_ms(uint64_t spent_ns) {
    uint64_t rest = spent_ns < SPENT_NS_LITTLE ? 0 : spent_ns * REST_FACTOR / 1000000u;
    return rest < REST_MS_MOST ? rest : REST_MS_MOST;
}

/* Processor time: what others run meanwhile is not the visitors' doing. */
static uint64_t worked_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void serve(struct runtime_admin *admin) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    uint64_t began = worked_ns();
    admin->runtime->turn_due = true;
    admin->mhd.run(admin->daemon);
    keep_order(admin);
    uint64_t rests = rest_ms(worked_ns() - began);
    if (rests > 0) {
        uv_poll_stop(&admin->poll);
        uv_timer_start(&admin->timer, on_timeout, rests, 0);
        return;
    }
    bool visited = !list_empty(&admin->visitors) || !list_empty(&admin->leaving);
    if (admin->mhd.get_timeout(admin->daemon, &timeout_ms) != MHD_YES || timeout_ms > LOOK_MS)
        timeout_ms = LOOK_MS;
    if (visited)
        uv_timer_start(&admin->timer, on_timeout, timeout_ms, 0);
    else
        uv_timer_stop(&admin->timer);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    serve(poll->data);
}

static void on_timeout(uv_timer_t *timer) {
    struct runtime_admin *admin = timer->data;
    uv_poll_start(&admin->poll, UV_READABLE, on_ready); /* it may have rested */
    serve(admin);
}

/* ---- the library comes with the first visitor ---- */

static bool start_daemon(struct runtime_admin *admin) {
    if (mhd_load(&admin->mhd) != CAIRN_OK)
        return false;
    admin->daemon = admin->mhd.start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, admin,
        MHD_OPTION_LISTEN_SOCKET, admin->listening, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_NOTIFY_CONNECTION, on_visit,
        admin, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_END);
    return admin->daemon != NULL;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct runtime_admin *admin = handle->data;
    if (--admin->open_handles > 0)
        return;
    admin->runtime->streams--;
    cairn_free(admin);
}

static void on_stopped_waiting(uv_handle_t *handle) {
    struct runtime_admin *admin = handle->data;
    if (admin->closing) {
        on_handle_closed(handle);
        return;
    }
    const union MHD_DaemonInfo *info =
        admin->mhd.get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    cairn_assert(info != NULL);
    uv_poll_init(&admin->runtime->loop, &admin->poll, info->epoll_fd);
    uv_poll_start(&admin->poll, UV_READABLE, on_ready);
    serve(admin);
}

/* From here on the daemon owns the socket, with the visitor that waits at it. */
static void on_first_visitor(uv_poll_t *poll, int status, int events) {
    struct runtime_admin *admin = poll->data;
    uv_poll_stop(&admin->poll);
    if (start_daemon(admin)) {
        uv_close((uv_handle_t *)&admin->poll, on_stopped_waiting);
        return;
    }
    fprintf(stderr,
            "cairn: no admin pages: libmicrohttpd.so.12 is not installed, or does not start\n");
    close(admin->listening); /* so that visitors are refused, and do not wait */
    admin->listening = -1;
}

static enum cairn_status listen_on(const struct runtime_address *address, int *out) {
    const struct sockaddr *name = (const struct sockaddr *)&address->socket;
    int on = 1, fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CAIRN_IO;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t len =
        name->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (bind(fd, name, len) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return CAIRN_OK;
    }
    enum cairn_status status = errno == EADDRINUSE ? CAIRN_IN_USE : CAIRN_IO;
    close(fd);
    return status;
}

enum cairn_status runtime_admin_open(struct runtime *runtime, const char *text,
                                     runtime_admin_handler *handler, void *context,
                                     struct runtime_admin **out) {
    struct runtime_address address;
    if (!runtime_address_parse(text, &address) || !address.numeric)
        return CAIRN_INVALID;
    struct runtime_admin *admin = cairn_alloc_zero(sizeof *admin);
    admin->runtime = runtime;
    admin->handler = handler;
    list_init(&admin->visitors);
    list_init(&admin->leaving);
    list_init(&admin->trusted);
    admin->context = context;
    enum cairn_status status = listen_on(&address, &admin->listening);
    if (status != CAIRN_OK) {
        cairn_free(admin);
        return status;
    }
    admin->poll.data = admin->timer.data = admin;
    uv_poll_init(&runtime->loop, &admin->poll, admin->listening);
    uv_timer_init(&runtime->loop, &admin->timer);
    uv_poll_start(&admin->poll, UV_READABLE, on_first_visitor);
    admin->open_handles = 2;
    runtime->streams++;
    *out = admin;
    return CAIRN_OK;
}

/* The library does not stop while a connection waits. */
static void wake_all(struct runtime_admin *admin, struct list *visits) {
    LIST_EACH(item, visits) {
        struct runtime_visit *visit = container_of(item, struct runtime_visit, list);
        if (visit->state == WAITING)
            admin->mhd.resume_connection(visit->connection);
    }
}

void runtime_admin_close(struct runtime_admin *admin) {
    admin->closing = true;
    wake_all(admin, &admin->visitors);
    wake_all(admin, &admin->leaving);
    wake_all(admin, &admin->trusted);
    if (!uv_is_closing((uv_handle_t *)&admin->poll))
        uv_close((uv_handle_t *)&admin->poll, on_handle_closed);
    uv_close((uv_handle_t *)&admin->timer, on_handle_closed);
    if (admin->daemon != NULL)
        admin->mhd.stop_daemon(admin->daemon);
    else if (admin->listening >= 0)
        close(admin->listening);
}
