/* A ZooKeeper front end in a box: on a real tree, with a node and an env that are plain queues. The
 * test says when the node carries out the next request; nothing runs by itself. It takes the place
 * of the node library: a program links one or the other. */
#ifndef CAIRN_TESTS_ZOOKEEPER_BOX_H
#define CAIRN_TESTS_ZOOKEEPER_BOX_H

#include "front/zookeeper/zookeeper.h"
#include "wire/jute.h"

struct zk_box;

struct zk_box *zk_box_new(const struct zookeeper_options *options);
void zk_box_free(struct zk_box *box);
struct zookeeper_front *zk_box_front(struct zk_box *box);

/* A client's end of a connection; lives as long as the box. NULL: it was turned away. */
struct zk_box_client *zk_box_connect(struct zk_box *box, const char *address);
/* By the port with TLS; the handshake is not over. */
struct zk_box_client *zk_box_connect_tls(struct zk_box *box, const char *address);
/* It is over; subject of the client's certificate, empty: it has none. */
void zk_box_certify(struct zk_box_client *client, const char *subject);
void zk_box_send(struct zk_box_client *client, struct bytes bytes);
/* It sends nothing more, and reads on. */
void zk_box_end(struct zk_box_client *client);
/* The client goes away. */
void zk_box_hang_up(struct zk_box_client *client);
bool zk_box_closed(const struct zk_box_client *client);
/* While it does not read, what it is sent stays with the server. */
void zk_box_reads(struct zk_box_client *client, bool reads);
bool zk_box_is_heard(const struct zk_box_client *client);
/* What it was sent and did not take yet. */
struct buf *zk_box_output(struct zk_box_client *client);

/* The node carries out its oldest request; false: there is none. */
bool zk_box_step(struct zk_box *box);
/* The oldest ends so instead. */
bool zk_box_fail(struct zk_box *box, enum cairn_status status);
/* All of them, then a turn. */
void zk_box_settle(struct zk_box *box);
void zk_box_turn(struct zk_box *box);
/* Time passes: timers fire. */
void zk_box_wait(struct zk_box *box, uint64_t ms);
void zk_box_set_leader(struct zk_box *box, bool there);
/* What node 1 tells of its replica; must outlive the box. */
void zk_box_set_replica(struct zk_box *box, const struct replica_status *replica);
void zk_box_set_proposals(struct zk_box *box, uint64_t last, uint64_t min, uint64_t max);
/* The node refuses what it is asked. */
void zk_box_set_busy(struct zk_box *box, bool busy);
/* The node has no state to read from: a snapshot is being installed. */
void zk_box_set_stateless(struct zk_box *box, bool stateless);
/* Somebody else's write. */
void zk_box_apply(struct zk_box *box, struct bytes command);
void zk_box_jump(struct zk_box *box);

/* ---- a client's manners ---- */

/* Handshakes with a new session, or the one named; what it was answered. */
bool zk_box_handshake(struct zk_box_client *client, struct jute_connect *connect);
/* One request; own fields in body. */
void zk_box_request(struct zk_box_client *client, int32_t xid, int32_t op, struct bytes body);
/* The next frame it was sent: false when there is none. body is valid until the next call. */
struct zk_box_answer {
    int32_t xid, error;
    int64_t zxid;
    struct bytes body;
};
bool zk_box_take(struct zk_box_client *client, struct zk_box_answer *answer);

#endif
