/* A server as ZooKeeper's configuration writes it:
 *
 *     server.1=host:peers:election[:participant|:observer][;[host:]clients]
 *
 * Hosts may be IPv6 addresses in brackets. The election's port, which nothing uses here, may be
 * missing. Pure: text in, values out.
 */
#ifndef CAIRN_FRONT_ZOOKEEPER_SERVER_H
#define CAIRN_FRONT_ZOOKEEPER_SERVER_H

#include "base/bytes.h"
#include "core/config.h"

struct zk_server {
    uint64_t id;
    bool voter;                       /* a participant, also when nothing is said */
    uint32_t election;                /* its port; 0: not given */
    char address[CONFIG_ADDRESS_MAX]; /* of its peer port */
    char clients[CONFIG_ADDRESS_MAX]; /* host:port, of all its interfaces when no host was named;
                                         empty: not given */
};

/* False: that is no server, as a whole. */
bool zk_server_parse(struct bytes text, struct zk_server *server);
bool zk_server_id_parse(struct bytes text, uint64_t *id);
/* The next part of a list between commas or line ends; the version's line is passed over. False:
 * there is none. */
bool zk_server_part(struct bytes *list, struct bytes *part);
/* What the tree keeps of it: "election/clients". */
void zk_server_word(const struct zk_server *server, char *out, size_t size);

#endif
