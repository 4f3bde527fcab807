/* A small HTTP server for operators (metrics, status), on the loop of the runtime: never in the way
 * of a request path, and limited in connections and in the time that one may idle.
 */
#ifndef CAIRN_RUNTIME_ADMIN_H
#define CAIRN_RUNTIME_ADMIN_H

#include "runtime/runtime.h"

struct runtime_admin;

/* Called on the loop for every GET or HEAD: appends the answer to body, may change *content_type
 * (a static string; "text/plain" before), returns the HTTP status. */
typedef unsigned runtime_admin_handler(void *context, const char *method, const char *path,
                                       struct buf *body, const char **content_type);

/* address: "host:port", host numeric or localhost. BUSY: the port is taken; INVALID, IO. */
enum cairn_status runtime_admin_open(struct runtime *runtime, const char *address,
                                     runtime_admin_handler *handler, void *context,
                                     struct runtime_admin **out);
/* At once: open connections are cut. Before runtime_free. */
void runtime_admin_close(struct runtime_admin *admin);

#endif
