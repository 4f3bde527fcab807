/* libmicrohttpd, loaded when an admin page is first looked at and not with the program: what
 * it links to sets itself up when it is loaded (1.7 ms, a third of a short command's whole time)
 * and stays in memory (2 MiB of an idle server's).
 */
#ifndef CAIRN_RUNTIME_MHD_H
#define CAIRN_RUNTIME_MHD_H

#include "base/status.h"

#include <microhttpd.h>

#define MHD_FUNCTIONS(X)           \
    X(add_response_header)         \
    X(create_response_from_buffer) \
    X(destroy_response)            \
    X(get_connection_info)         \
    X(get_daemon_info)             \
    X(get_timeout)                 \
    X(lookup_connection_value)     \
    X(queue_response)              \
    X(resume_connection)           \
    X(run)                         \
    X(start_daemon)                \
    X(stop_daemon)                 \
    X(suspend_connection)

struct mhd {
#define X(name) __typeof__(MHD_##name) *name;
    MHD_FUNCTIONS(X)
#undef X
};

/* CAIRN_NOT_FOUND: the library is not installed, or too old. It stays loaded. */
enum cairn_status mhd_load(struct mhd *mhd);

#endif
