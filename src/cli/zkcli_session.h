/* A session with servers that speak ZooKeeper's protocol, for the command line: it blocks, and goes
 * on at another server when one is lost, with its watches. One request, or one row of them, at a
 * time. Times are in ms.
 */
#ifndef CAIRN_CLI_ZKCLI_SESSION_H
#define CAIRN_CLI_ZKCLI_SESSION_H

#include "client/jute.h"

#define ZKCLI_CREDENTIALS_MAX 8u
#define ZKCLI_WATCHES_MAX 64u

enum zkcli_end {
    ZKCLI_FINE,
    ZKCLI_NOBODY, /* no server took the session within timeout_ms */
    ZKCLI_LOST    /* the connection broke; writes under way may or may not have been carried out */
};

struct zkcli_watch {
    char *path;
    bool recursive;
};

/* Zero-initialise, set the first part, then zkcli_session_check, then credentials. */
struct zkcli_session {
    const char *servers; /* host:port, several with commas between */
    uint64_t timeout_ms; /* patience for a server and for an answer */
    void (*event)(void *context, int32_t type, struct bytes path, int64_t zxid);
    void (*told)(void *context, const char *sentence); /* "session ... goes on at ..." */
    void *context;

    struct jute_session jute;
    int fd;                                   /* -1: none */
    char *credentials[ZKCLI_CREDENTIALS_MAX]; /* scheme:credential */
    unsigned credential_count;
    unsigned next;
    char server[300]; /* the present one, or the last that was tried */
    char problem[600];
    int32_t xid;
    uint64_t sent_ms, heard_ms; /* when the server last heard of us, and we of it */
    struct buf in, out;
    size_t taken; /* bytes of in that the last answer took */
    struct zkcli_watch watches[ZKCLI_WATCHES_MAX];
    unsigned watch_count;
    bool expired; /* a session ended and another one began; a reader of it resets it */
};

/* False: the list of servers can't be right; problem says why. */
bool zkcli_session_check(struct zkcli_session *session);
/* Proves an identity to every server from now on, before anything else is asked. False: it is not
 * scheme:credential, or there are too many. */
bool zkcli_session_credential(struct zkcli_session *session, const char *credential);
/* Closes the session at its server, so that its ephemerals go at once. */
void zkcli_session_close(struct zkcli_session *session);
bool zkcli_session_open(struct zkcli_session *session);

/* Begins a request in session->out: its fields follow, then zkcli_call. Connects first. */
size_t zkcli_begin(struct zkcli_session *session, int32_t op);
/* Ends the request and waits for its answer, whose body is borrowed until the next call. again: the
 * request changes nothing, and is sent again when the connection is lost. */
enum zkcli_end zkcli_call(struct zkcli_session *session, size_t start, bool again,
                          struct jute_answer *answer);
/* A row of requests: zkcli_begin and jute_frame_end for each, then zkcli_send_all, then one
 * zkcli_receive for each. */
enum zkcli_end zkcli_send_all(struct zkcli_session *session);
enum zkcli_end zkcli_receive(struct zkcli_session *session, struct jute_answer *answer);

/* As zkcli_session_credential, with the server's answer at once; kept only if it was taken. */
enum zkcli_end zkcli_authenticate(struct zkcli_session *session, const char *credential,
                                  int32_t *error);
/* A persistent watch, kept for later connections. */
enum zkcli_end zkcli_watch(struct zkcli_session *session, const char *path, bool recursive,
                           int32_t *error);
/* Keeps the session alive and delivers events for at most wait_ms; true at once when other_fd (-1:
 * none) has something to read. */
bool zkcli_wait(struct zkcli_session *session, int other_fd, int wait_ms);

#endif
