/* Status codes: the one list of everything that can go wrong outside our own code.
 *
 * What comes from outside (network, disk, user) is checked and returned as a status; a broken
 * invariant of our own is a cairn_assert (base/assert.h). 0 is success.
 */
#ifndef CAIRN_BASE_STATUS_H
#define CAIRN_BASE_STATUS_H

/* X(constant, text). The text completes "cannot do X: ..." in messages to a person. */
#define CAIRN_STATUS_LIST(X)                                                        \
    X(OK, "ok")                                                                     \
    X(IO, "input/output error")                                                     \
    X(NO_SPACE, "no space left on the disk")                                        \
    X(NOT_FOUND, "not found")                                                       \
    X(EXISTS, "already exists")                                                     \
    X(DENIED, "permission denied")                                                  \
    X(CORRUPT, "checksum or format does not match: the data is damaged")            \
    X(TORN, "incomplete at the end: an interrupted write")                          \
    X(MALFORMED, "malformed input")                                                 \
    X(TOO_LARGE, "larger than the configured limit")                                \
    X(BUSY, "too much work outstanding, try again")                                 \
    X(NOT_LEADER, "this node is not the leader")                                    \
    X(NO_QUORUM, "no quorum: a majority of the replicas cannot be reached")         \
    X(NOT_EXECUTED, "not executed")                                                 \
    X(UNKNOWN_FATE, "fate unknown: it may or may not have been executed")           \
    X(TIMEOUT, "timed out")                                                         \
    X(CANCELLED, "cancelled")                                                       \
    X(CLOSED, "connection closed")                                                  \
    X(REFUSED, "refused")                                                           \
    X(WRONG_CLUSTER, "the other side belongs to another cluster")                   \
    X(WRONG_NODE, "the other side is not the node that it claims to be")            \
    X(WRONG_VERSION, "no common protocol version")                                  \
    X(INVALID, "invalid argument")                                                  \
    X(UNSUPPORTED, "not supported")                                                 \
    X(DAMAGED, "this replica's log is damaged and waits for repair from its peers") \
    X(SHUTDOWN, "shutting down")                                                    \
    X(DUE, "waits for a committed expiry")                                          \
    X(NO_SESSION, "no such session")                                                \
    X(OUT_OF_WINDOW, "sequence number outside the session's window")                \
    X(EXHAUSTED, "the machine is short of descriptors or memory at the moment")     \
    X(UNREACHABLE, "it does not answer")                                            \
    X(REMOVED, "this node is no member of the cluster any more")                    \
    X(IN_USE, "the address is in use (by what: ss -ltnp)")

enum cairn_status {
#define X(name, text) CAIRN_##name,
    CAIRN_STATUS_LIST(X)
#undef X
        CAIRN_STATUS_COUNT
};

/* The constant's name ("NO_QUORUM") and its text. Static strings, never NULL. */
const char *cairn_status_name(enum cairn_status status);
const char *cairn_status_text(enum cairn_status status);

#endif
