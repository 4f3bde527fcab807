/* A server's admin pages over HTTP: what it tells to any client that reaches the port, and what
 * operators ask for. Questions are GET; what changes something is POST with the operators' token
 * (cli/token.h) as "Authorization: Bearer TOKEN", which no page in a browser can send of itself.
 */
#ifndef CAIRN_CLI_ADMIN_H
#define CAIRN_CLI_ADMIN_H

#include "front/redis/redis.h"
#include "front/zookeeper/zookeeper.h"
#include "node/node.h"
#include "runtime/runtime_admin.h"

struct admin_parts {
    struct runtime *runtime;
    struct node *node;
    struct redis_front *redis;         /* NULL: none */
    struct zookeeper_front *zookeeper; /* NULL: none */
};

struct admin;

/* Errors as runtime_admin_open. */
enum cairn_status admin_open(const struct admin_parts *parts, const char *address,
                             const char *token, struct admin **out);
/* From here on this token counts. False: it did already. */
bool admin_set_token(struct admin *admin, const char *token);
/* Before the node is closed: what was asked for goes on, and is not answered any more. */
void admin_close(struct admin *admin);

/* The pages, for documents: path, methods, what it is. NULL behind the last. */
struct admin_page {
    const char *path, *method, *about;
};
const struct admin_page *admin_page_at(size_t n);

#endif
