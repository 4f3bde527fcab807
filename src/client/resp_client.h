/* A client of the Redis protocol on an env: commands out, whole replies in, in order. Used by the
 * shell, the load generator and the operators' commands.
 */
#ifndef CAIRN_CLIENT_RESP_CLIENT_H
#define CAIRN_CLIENT_RESP_CLIENT_H

#include "env/env.h"
#include "wire/resp.h"

struct resp_client;

/* A reply as it came: one RESP value with its elements (wire/resp.h reads it), borrowed. status is
 * CAIRN_OK, or why there is none (CLOSED, REFUSED, MALFORMED ...). */
typedef void resp_client_reply(void *context, enum cairn_status status, struct bytes value);

struct resp_client_events {
    void (*open)(void *context); /* may be NULL */
    /* The last call; the client is freed afterwards. Outstanding replies were told before. */
    void (*close)(void *context, enum cairn_status why);
    void (*push)(void *context, struct bytes value); /* RESP3 pushes, messages; may be NULL */
    void *context;
};

struct resp_client *resp_client_open(struct env *env, const char *address,
                                     const struct resp_client_events *events);
/* Queues a command; it leaves with resp_client_flush, or when the connection opens. */
void resp_client_send(struct resp_client *client, const struct bytes *args, size_t argc,
                      resp_client_reply *reply, void *context);
void resp_client_flush(struct resp_client *client);
size_t resp_client_outstanding(const struct resp_client *client);
/* While true, values that come without a command waiting for them are given to push (SUBSCRIBE in
 * RESP2, MONITOR). */
void resp_client_listen(struct resp_client *client, bool listening);
void resp_client_close(struct resp_client *client);

#endif
