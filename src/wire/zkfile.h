/* ZooKeeper's own files, snapshots and transaction logs, as ZooKeeper 3.4 to 3.9 writes them
 * uncompressed: bytes to records. Pure and total: whatever the bytes, each call ends with a record,
 * the end, or a status. Everything given is borrowed from the file's bytes.
 *
 * A file begins with a magic word, version 2 and a database id. Both kinds carry Adler-32 sums: a
 * snapshot one over all of it, a log one for each transaction.
 */
#ifndef CAIRN_WIRE_ZKFILE_H
#define CAIRN_WIRE_ZKFILE_H

#include "base/status.h"
#include "wire/jute.h"

/* ---- snapshots: sessions, then lists of rights, then nodes with parents first ---- */

#define ZKFILE_ACL_OPEN \
    UINT64_MAX /* the list that lets anyone do anything; it is not in the file */

struct zkfile_stat {
    uint64_t czxid, mzxid, pzxid;
    uint64_t ctime_ms, mtime_ms;
    int32_t version, aversion;
    int32_t creations; /* what ZooKeeper stores as cversion: children ever created */
    uint64_t owner;    /* as stored: session, or of a container or TTL node (zkfile_owner) */
};

enum zkfile_kind { ZKFILE_SESSION = 1, ZKFILE_LIST, ZKFILE_NODE, ZKFILE_END };

struct zkfile_record {
    enum zkfile_kind kind;
    uint64_t id; /* of the session; of the list; of a node's list */
    uint32_t timeout_ms;
    uint32_t acl_count;
    struct reader acl; /* for jute_take_acl */
    struct bytes path; /* the root's is empty */
    struct bytes data; /* data NULL: null */
    struct zkfile_stat stat;
};

struct zkfile_snapshot {
    struct bytes file;
    struct reader reader;
    uint32_t sessions, lists; /* to come */
    bool lists_begun;
};

/* MALFORMED: no snapshot of ZooKeeper's. */
enum cairn_status zkfile_snapshot_open(struct zkfile_snapshot *snapshot, struct bytes file);
/* TORN: the file ends too early. CORRUPT: a wrong sum (told with the end) or lengths that lie. What
 * stands behind the end (a digest) is not looked at. */
enum cairn_status zkfile_snapshot_next(struct zkfile_snapshot *snapshot,
                                       struct zkfile_record *record);

enum zkfile_owner { ZKFILE_NOBODY, ZKFILE_BY_SESSION, ZKFILE_CONTAINER, ZKFILE_TTL };
/* What a stored owner means; of a TTL node *ttl_ms is set. */
enum zkfile_owner zkfile_owner(uint64_t owner, uint64_t *ttl_ms);

/* ---- logs ---- */

struct zkfile_log {
    struct reader reader;
};

struct zkfile_txn {
    uint64_t session;
    uint64_t zxid;
    uint64_t time_ms;
    int32_t type; /* enum jute_op; -1: an error was logged */
    struct reader body;
    uint32_t parts; /* of a multi, to come */
    bool begun;
};

/* What a transaction did: one thing, or for a multi several. */
struct zkfile_change {
    int32_t
        type; /* enum jute_op; RECONFIG and SET: path, data, number; DELETE also for containers */
    struct bytes path, data;
    uint32_t acl_count;
    struct reader acl;
    bool ephemeral;
    int32_t number; /* CREATE*: the parent's creations after it; SET, SET_ACL: the new version;
                     * CREATE_SESSION: the timeout in ms */
    uint64_t ttl_ms;
};

enum cairn_status zkfile_log_open(struct zkfile_log *log, struct bytes file);
/* NOT_FOUND: the end (the rest was preallocated). TORN: the file ends within a transaction.
 * CORRUPT: a wrong sum, or a transaction that says nothing sensible. */
enum cairn_status zkfile_log_next(struct zkfile_log *log, struct zkfile_txn *txn);
/* False at the end, or when malformed (txn->body.bad). Errors and checks are passed over, and all
 * of a multi that failed. */
bool zkfile_txn_next(struct zkfile_txn *txn, struct zkfile_change *change);

/* The password that ZooKeeper gives a session: it follows from the id. */
void zkfile_password(uint64_t session, uint8_t password[JUTE_PASSWORD_BYTES]);

/* Adler-32 (RFC 1950). */
uint32_t zkfile_sum(struct bytes bytes);

#endif
