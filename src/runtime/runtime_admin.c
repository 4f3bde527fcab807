#include "runtime/runtime_admin.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "runtime/mhd.h"
#include "runtime/runtime_internal.h"

#include <errno.h>
#include <string.h>

#define CONNECTIONS_MAX 32u
#define TIMEOUT_SECONDS 10u
#define MEMORY_BYTES 16384u

struct runtime_admin {
    struct runtime *runtime;
    struct mhd mhd;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles;
    runtime_admin_handler *handler;
    void *context;
};

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

static void serve(struct runtime_admin *admin);

static void on_ready(uv_poll_t *poll, int status, int events) {
    serve(poll->data);
}

static void on_timeout(uv_timer_t *timer) {
    serve(timer->data);
}

static void serve(struct runtime_admin *admin) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    admin->runtime->turn_due = true;
    admin->mhd.run(admin->daemon);
    if (admin->mhd.get_timeout(admin->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&admin->timer, on_timeout, timeout_ms, 0);
    else
        uv_timer_stop(&admin->timer);
}

static enum cairn_status start_daemon(struct runtime_admin *admin,
                                      const struct runtime_address *address) {
    unsigned flags = MHD_USE_EPOLL;
    enum cairn_status status = mhd_load(&admin->mhd);
    if (status != CAIRN_OK)
        return status;
    if (address->socket.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    admin->daemon = admin->mhd.start_daemon(
        flags, 0, NULL, NULL, on_request, admin, MHD_OPTION_SOCK_ADDR,
        (const struct sockaddr *)&address->socket, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES, MHD_OPTION_END);
    if (admin->daemon)
        return CAIRN_OK;
    return errno == EADDRINUSE ? CAIRN_BUSY : CAIRN_IO;
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
    admin->context = context;
    enum cairn_status status = start_daemon(admin, &address);
    if (status != CAIRN_OK) {
        cairn_free(admin);
        return status;
    }
    const union MHD_DaemonInfo *info =
        admin->mhd.get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    cairn_assert(info != NULL);
    admin->poll.data = admin->timer.data = admin;
    uv_poll_init(&runtime->loop, &admin->poll, info->epoll_fd);
    uv_timer_init(&runtime->loop, &admin->timer);
    uv_poll_start(&admin->poll, UV_READABLE, on_ready);
    admin->open_handles = 2;
    runtime->streams++;
    *out = admin;
    return CAIRN_OK;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct runtime_admin *admin = handle->data;
    if (--admin->open_handles > 0)
        return;
    admin->runtime->streams--;
    cairn_free(admin);
}

void runtime_admin_close(struct runtime_admin *admin) {
    uv_close((uv_handle_t *)&admin->poll, on_handle_closed);
    uv_close((uv_handle_t *)&admin->timer, on_handle_closed);
    admin->mhd.stop_daemon(admin->daemon);
}
