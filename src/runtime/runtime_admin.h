/* A small HTTP server for operators (metrics, status), on the loop of the runtime: never in the way
 * of a request path, and limited in connections and in the time that one may idle.
 */
#ifndef CAIRN_RUNTIME_ADMIN_H
#define CAIRN_RUNTIME_ADMIN_H

#include "runtime/runtime.h"

struct runtime_admin;
struct runtime_visit; /* a request that is answered later */

struct runtime_question {
    const char *method, *path; /* the path's escapes are resolved */
    const char *authorization; /* the header; NULL: none */
};

struct runtime_answer {
    unsigned status;          /* of HTTP; 0: it is answered later, by runtime_admin_answer */
    const char *content_type; /* static; "text/plain; charset=utf-8" before */
    const char *allow;        /* static: which methods there are; NULL */
    bool trusted; /* answered later: it may take as long as it likes, and counts as no visitor */
    struct buf body;
};

/* Called on the loop for every request; what it has sent along was dropped. */
typedef void runtime_admin_handler(void *context, const struct runtime_question *question,
                                   struct runtime_visit *visit, struct runtime_answer *answer);

/* address: "host:port", host numeric or localhost. IN_USE: the port is taken; INVALID, IO. */
enum cairn_status runtime_admin_open(struct runtime *runtime, const char *address,
                                     runtime_admin_handler *handler, void *context,
                                     struct runtime_admin **out);
/* Once for each request whose status was 0, at any time before runtime_admin_close; takes the body.
 */
void runtime_admin_answer(struct runtime_visit *visit, struct runtime_answer *answer);
/* At once: open connections are cut, requests that are yet to be answered never are. Before
 * runtime_free. */
void runtime_admin_close(struct runtime_admin *admin);

#endif
