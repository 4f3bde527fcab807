/* The folder of cairn dev: DIR/cluster (the cluster's name, and how its founding was begun),
 * DIR/founded (all of its nodes have served once), DIR/node-N and DIR/node-N.ini, DIR/peer-secret,
 * and DIR/lock, which one cairn dev holds at a time.
 */
#ifndef CAIRN_CLI_DEV_FOLDER_H
#define CAIRN_CLI_DEV_FOLDER_H

#include "cli/settings.h"

#define DEV_NODES_MAX 9u
#define DEV_SETS_MAX 32

/* What is asked for. */
struct dev_wish {
    uint64_t nodes; /* 0: as many as the folder has, or 3 */
    uint64_t offset;
    const char *sets[DEV_SETS_MAX]; /* section.key=value */
    int set_count;
};

struct dev_folder {
    const char *dir;
    char name[64];      /* of the cluster */
    uint64_t nodes_had; /* the greatest number of a node with a folder; 0: it is new */
    bool founded;       /* a node without a folder rejoins, and founds nothing */
    struct {            /* how the first start was: until it is founded, it goes on like that */
        uint64_t nodes, offset; /* nodes 0: not known, or not begun */
    } begun;
};

/* False: misuse, and a sentence was printed. Settings that cairn dev makes itself are refused. */
bool dev_wish_check(const struct dev_wish *wish);

/* Makes and locks the folder, and changes nothing else in it. *code: what to end with when it is
 * false; a sentence was printed. Refused while anything runs on it; nodes that are about to stop
 * are waited for. */
bool dev_folder_open(const char *dir, struct dev_folder *folder, int *code);
/* Fills in wish->nodes and writes what the nodes are started with; nothing is written while one
 * of their ports is taken, or when the founding was begun otherwise. */
bool dev_folder_write(struct dev_folder *folder, struct dev_wish *wish, int *code);
/* All nodes have served. */
void dev_folder_founded(struct dev_folder *folder);

void dev_folder_config(const struct dev_folder *folder, uint64_t node, char *out, size_t size);

/* The ports of node `node`. */
enum dev_port { DEV_REDIS = 7000, DEV_PEER = 7100, DEV_ADMIN = 7200, DEV_ZOOKEEPER = 2180 };
unsigned dev_port(const struct dev_wish *wish, enum dev_port kind, uint64_t node);
/* Whether nodes listen for those clients: not when a setting says "listen =". */
bool dev_listens(const struct dev_wish *wish, const char *setting);

#endif
