/* hiredis against a node: RESP2 calls, a pipeline, binary values, a subscriber.
 * Usage: hiredis_test HOST PORT; prints what failed, exit code 0 when nothing did. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(int holds, const char *what) {
    if (holds)
        return;
    printf("failed: %s\n", what);
    failures++;
}

static redisContext *dial(const char *host, int port) {
    redisContext *context = redisConnect(host, port);
    if (context == NULL || context->err) {
        printf("can't connect: %s\n", context ? context->errstr : "no memory");
        exit(1);
    }
    return context;
}

static void calls(redisContext *context) {
    redisReply *reply = redisCommand(context, "SET %s %b", "hiredis", "a\0b", (size_t)3);
    expect(reply && reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0, "SET");
    freeReplyObject(reply);
    reply = redisCommand(context, "GET hiredis");
    expect(reply && reply->type == REDIS_REPLY_STRING && reply->len == 3 &&
               memcmp(reply->str, "a\0b", 3) == 0,
           "GET of a binary value");
    freeReplyObject(reply);
    reply = redisCommand(context, "GET hiredis-none");
    expect(reply && reply->type == REDIS_REPLY_NIL, "GET of nothing");
    freeReplyObject(reply);
    reply = redisCommand(context, "INCR hiredis");
    expect(reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "ERR ", 4) == 0,
           "an error reply");
    freeReplyObject(reply);
    reply = redisCommand(context, "MGET hiredis hiredis-none");
    expect(reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
               reply->element[1]->type == REDIS_REPLY_NIL,
           "MGET");
    freeReplyObject(reply);
}

static void pipeline(redisContext *context) {
    enum { COUNT = 10000 };
    redisReply *reply = redisCommand(context, "DEL hiredis-counter");
    freeReplyObject(reply);
    for (int i = 0; i < COUNT; i++)
        redisAppendCommand(context, "INCR hiredis-counter");
    int in_order = 1;
    for (int i = 1; i <= COUNT; i++) {
        if (redisGetReply(context, (void **)&reply) != REDIS_OK) {
            expect(0, "a pipelined reply");
            return;
        }
        in_order &= reply->type == REDIS_REPLY_INTEGER && reply->integer == i;
        freeReplyObject(reply);
    }
    expect(in_order, "ten thousand pipelined replies in order");
}

static void publish(const char *host, int port, redisContext *context) {
    redisContext *subscriber = dial(host, port);
    redisReply *reply = redisCommand(subscriber, "SUBSCRIBE hiredis-channel");
    expect(reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3, "SUBSCRIBE");
    freeReplyObject(reply);
    reply = redisCommand(context, "PUBLISH hiredis-channel hello");
    expect(reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1,
           "PUBLISH counts its receiver");
    freeReplyObject(reply);
    expect(redisGetReply(subscriber, (void **)&reply) == REDIS_OK && reply->elements == 3 &&
               strcmp(reply->element[2]->str, "hello") == 0,
           "the message arrives");
    freeReplyObject(reply);
    redisFree(subscriber);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        return 3;
    }
    redisContext *context = dial(argv[1], atoi(argv[2]));
    calls(context);
    pipeline(context);
    publish(argv[1], atoi(argv[2]), context);
    redisFree(context);
    return failures ? 1 : 0;
}
