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
#include <unistd.h>

/* Kept below the library's own limit: at that it hears no newcomer until it is run again, and has
 * no reason of its own to ask for that. */
#define VISITORS_MAX 64u
#define CONNECTIONS_MAX (2 * VISITORS_MAX)
#define BACKLOG 1024
#define TIMEOUT_SECONDS 10u /* of silence */
#define VISIT_NS 30000000000ull
#define MEMORY_BYTES 16384u
/* How often the library is run while there are visitors. */
#define LOOK_MS 250u

struct visitor {
    struct list list;
    int fd;
    uint64_t since_ns;
    bool leaving; /* cut off */
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
    struct list leaving;  /* visitors that were cut off */
    size_t visitor_count; /* of those not cut off */
    bool closing;
    runtime_admin_handler *handler;
    void *context;
};

static void on_timeout(uv_timer_t *timer);

static enum MHD_Result answer(const struct mhd *mhd, struct MHD_Connection *connection,
                              unsigned status, struct buf *body, const char *content_type) {
    struct MHD_Response *response =
        mhd->create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    mhd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    enum MHD_Result result = mhd->queue_response(connection, status, response);
    mhd->destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state) {
    struct runtime_admin *admin = context;
    static const char seen;
    struct buf body = {0};
    const char *content_type = "text/plain; charset=utf-8";
    unsigned status = MHD_HTTP_METHOD_NOT_ALLOWED;
    /* Called first with the head alone, then with the body's pieces, then to answer. */
    if (*state == NULL) {
        *state = (void *)(uintptr_t)&seen;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        status = admin->handler(admin->context, method, url, &body, &content_type);
    else
        buf_printf(&body, "only GET and HEAD are served here\n");
    enum MHD_Result result = answer(&admin->mhd, connection, status, &body, content_type);
    buf_free(&body);
    return result;
}

/* ---- visitors ---- */

static void cut_off(struct runtime_admin *admin, struct visitor *visitor) {
    shutdown(visitor->fd, SHUT_RDWR); /* the library finds out, and closes it */
    list_remove(&visitor->list);
    list_push(&admin->leaving, &visitor->list);
    visitor->leaving = true;
    admin->visitor_count--;
}

/* The one that came first makes room for the next; and none stays for long, however slowly
 * it speaks. */
static void keep_order(struct runtime_admin *admin) {
    uint64_t now = runtime_now(&admin->runtime->env);
    while (!list_empty(&admin->visitors)) {
        struct visitor *oldest = container_of(admin->visitors.next, struct visitor, list);
        if (admin->visitor_count <= VISITORS_MAX && now - oldest->since_ns < VISIT_NS)
            return;
        cut_off(admin, oldest);
    }
}

static void on_visit(void *context, struct MHD_Connection *connection, void **state,
                     enum MHD_ConnectionNotificationCode code) {
    struct runtime_admin *admin = context;
    struct visitor *visitor = *state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            admin->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        visitor = cairn_alloc_zero(sizeof *visitor);
        visitor->fd = info->connect_fd;
        visitor->since_ns = runtime_now(&admin->runtime->env);
        list_push(&admin->visitors, &visitor->list);
        admin->visitor_count++;
        *state = visitor;
    } else if (visitor != NULL) {
        admin->visitor_count -= !visitor->leaving;
        list_remove(&visitor->list);
        cairn_free(visitor);
    }
}

static void serve(struct runtime_admin *admin) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    admin->runtime->turn_due = true;
    admin->mhd.run(admin->daemon);
    keep_order(admin);
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
    serve(timer->data);
}

/* ---- the library comes with the first visitor ---- */

static bool start_daemon(struct runtime_admin *admin) {
    if (mhd_load(&admin->mhd) != CAIRN_OK)
        return false;
    admin->daemon = admin->mhd.start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, admin->listening,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        TIMEOUT_SECONDS, MHD_OPTION_NOTIFY_CONNECTION, on_visit, admin,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_END);
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
    enum cairn_status status = errno == EADDRINUSE ? CAIRN_BUSY : CAIRN_IO;
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

void runtime_admin_close(struct runtime_admin *admin) {
    admin->closing = true;
    if (!uv_is_closing((uv_handle_t *)&admin->poll))
        uv_close((uv_handle_t *)&admin->poll, on_handle_closed);
    uv_close((uv_handle_t *)&admin->timer, on_handle_closed);
    if (admin->daemon != NULL)
        admin->mhd.stop_daemon(admin->daemon);
    else if (admin->listening >= 0)
        close(admin->listening);
}
