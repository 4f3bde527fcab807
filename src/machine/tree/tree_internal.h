/* Inside the tree machine. README.md has the layout of the state. */
#ifndef CAIRN_MACHINE_TREE_INTERNAL_H
#define CAIRN_MACHINE_TREE_INTERNAL_H

#include "base/vmap.h"
#include "core/protocol.h"
#include "core/reply.h"
#include "machine/tree/tree.h"

#define TREE_CONTAINER_MS 60000u /* a container goes so long after its last child went */
#define TREE_REAP_BATCH 256u
#define TREE_REAP_WINDOW_MS 60000u
#define TREE_REAPS_A_WINDOW 10000u
#define TREE_CONFIG_PATH "/zookeeper/config"
#define TREE_QUOTA_PATH "/zookeeper/quota"
#define TREE_NULL UINT32_MAX /* the length of null data in a command */

/* The first byte of a map key. */
enum tree_family {
    TREE_FAMILY_CLUSTER = 'c',   /* -> the members as an encoded struct config */
    TREE_FAMILY_EPHEMERAL = 'e', /* session u64, path -> nothing */
    TREE_FAMILY_NODE = 'n',      /* depth u16, path -> record */
    TREE_FAMILY_SESSION = 's',   /* id u64 -> struct tree_session */
    TREE_FAMILY_SERVER = 'v'     /* node u64 -> its client address */
};

/* What replicas share besides the map. */
struct tree_head {
    uint64_t term; /* of the newest write */
    uint32_t epoch;
    uint32_t counter;
    uint64_t quota_warnings; /* writes that went beyond a soft limit */
};

struct machine {
    struct machine_options options;
    size_t scratch_max;  /* a larger buffer for undoing is given back */
    uint32_t reap_batch; /* nodes in one command that removes what is due */
    struct vmap *map;
    struct tree_head head;
    /* What follows from the map. */
    struct vmap *due; /* deadline u64, path */
    uint64_t data_bytes;
    uint64_t quota_count; /* nodes that hold limits */
    /* How many nodes were reaped since when: bounds what this node proposes. */
    uint64_t reap_from_ms;
    uint64_t reap_count;
    /* Scratch. */
    struct vmap *told; /* (event, path) of the transaction under way */
    struct buf key, path, acl, undo, value;
};

enum tree_kind { TREE_KIND_PLAIN, TREE_KIND_EPHEMERAL, TREE_KIND_CONTAINER, TREE_KIND_TTL };

struct tree_node {
    uint64_t czxid, mzxid, pzxid;
    uint64_t ctime_ms, mtime_ms;
    int32_t version, aversion;
    uint32_t creations; /* of children, ever; wraps */
    uint32_t children;
    enum tree_kind kind;
    uint64_t owner;   /* session; of a TTL node its TTL; of a container when it became empty (ms) */
    struct bytes acl; /* entries (tree.h); empty: anyone may do anything */
    struct bytes data; /* data NULL: null */
};

struct tree_session {
    uint64_t timeout_ms;
    uint64_t holder;
    uint64_t node;
    uint8_t password[TREE_PASSWORD_BYTES];
};

/* The own fields of a command, of a part of a multi, or of a read; borrowed from it. */
struct tree_part {
    enum tree_opcode opcode;
    uint8_t mode;
    int32_t version;
    struct bytes path;
    struct bytes data; /* data NULL: null */
    struct bytes acl;  /* entries */
    uint32_t acl_count;
    uint64_t ttl_ms;
};

/* A well-formed command. */
struct tree_call {
    enum tree_opcode opcode;
    uint64_t session, holder;
    struct bytes ids; /* of the caller, id_count of them */
    uint32_t id_count;
    struct tree_part part;
    struct bytes parts; /* of MULTI and REAP */
    uint32_t part_count;
    uint64_t id, id_holder, timeout_ms, node;
    const uint8_t *password;
    struct bytes text; /* address, configuration */
};

/* One write being carried out. */
struct tree_view {
    struct machine *machine;
    const struct tree_call *call;
    uint64_t order, time_ms, zxid;
    uint32_t version; /* the cluster's: gates new behaviour */
    struct buf *changes;
    bool undoable; /* notes how to undo what it does */
    bool once;     /* tells each (path, event) once: of what ends with a session, or with time */
};

/* ---- tree.c ---- */
/* Nodes that must be there and are not. */
void tree_plant(struct machine *machine);

/* ---- tree_codec.c ---- */
bool tree_parse(struct bytes command, struct tree_call *call);
bool tree_parse_part(struct reader *reader, struct tree_part *part); /* with its opcode */
bool tree_reads_only(enum tree_opcode opcode);

/* ---- tree_path.c ---- */
uint16_t tree_depth(struct bytes path);
/* Of a path with a slash: all before the last one, "/" at least. */
struct bytes tree_parent(struct bytes path);
bool tree_has_prefix(struct bytes path, struct bytes prefix);

/* ---- tree_node.c: the only way to the map ---- */
struct bytes tree_node_key(struct machine *machine, struct bytes path); /* in machine->key */
bool tree_node_decode(struct bytes record, struct tree_node *node);
/* False when absent. The node's bytes stay valid until the path is put or removed. */
bool tree_node_get(struct machine *machine, struct bytes path, struct tree_node *node);
/* The node's bytes may be those of the record that is replaced. */
void tree_node_put(struct tree_view *view, struct bytes path, const struct tree_node *node);
void tree_node_remove(struct tree_view *view, struct bytes path);
void tree_node_stat(const struct tree_node *node, struct tree_stat *stat);
/* When time brings its end: ms; 0: never. */
uint64_t tree_node_deadline(const struct machine *machine, const struct tree_node *node);
/* Items of the other families. */
void tree_item_put(struct tree_view *view, struct bytes key, struct bytes value);
void tree_item_remove(struct tree_view *view, struct bytes key);
/* A key of family and number, in machine->key. */
struct bytes tree_item_key(struct machine *machine, enum tree_family family, uint64_t number);
uint64_t tree_family_count(const struct machine *machine, enum tree_family family);
/* Keeps what follows from the map. */
void tree_derive(struct machine *machine, const struct vmap_item *item);
/* Takes back all that the view did. */
void tree_undo(struct tree_view *view);
/* The first key of the node's children; all of them begin with it. In machine->key. */
struct bytes tree_children_key(struct machine *machine, struct bytes path);
/* Nodes below it, at any depth. */
uint64_t tree_subtree_count(struct machine *machine, struct bytes path);

/* ---- tree_write.c, tree_create.c, tree_multi.c: 0 or a tree_error; results go to the reply ----
 */
int32_t tree_do_part(struct tree_view *view, const struct tree_part *part, struct buf *reply);
int32_t tree_create(struct tree_view *view, const struct tree_part *part, struct buf *reply);
int32_t tree_multi(struct tree_view *view, struct buf *reply);
/* A node that is there and has no children; no rights are asked for. */
void tree_delete(struct tree_view *view, struct bytes path, const struct tree_node *node);
void tree_set_data(struct tree_view *view, struct bytes path, struct tree_node *node,
                   struct bytes data);
void tree_tell(struct tree_view *view, struct bytes path, enum tree_event event);
void tree_reply_stat(struct buf *reply, const struct tree_node *node);

/* ---- tree_acl.c ---- */
/* True when the caller has one of the permissions on the node. */
bool tree_allowed(const struct tree_call *call, const struct tree_node *node, uint32_t permissions);
/* The ACL as it is stored, in machine->acl (empty: open); false: invalid. */
bool tree_acl_fix(struct machine *machine, const struct tree_call *call,
                  const struct tree_part *part, struct bytes *acl);
/* As GET_ACL answers it. masked: digests are not shown. */
void tree_acl_show(struct buf *out, const struct tree_node *node, bool masked);
/* World, anyone, every right: it is not stored. */
bool tree_acl_is_open(struct bytes entries);
bool tree_ip_valid(struct bytes expression);
bool tree_ip_matches(struct bytes address, struct bytes expression);

/* ---- tree_session.c ---- */
bool tree_session_get(struct machine *machine, uint64_t id, struct tree_session *session);
void tree_session_store(struct tree_view *view, uint64_t id, const struct tree_session *session);
int32_t tree_session_check(struct machine *machine, const struct tree_call *call);
int32_t tree_session_open(struct tree_view *view, struct buf *reply);
int32_t tree_session_attach(struct tree_view *view, struct buf *reply);
int32_t tree_session_close(struct tree_view *view);
int32_t tree_session_expire(struct tree_view *view);
bool tree_life_next(const struct machine *machine, uint64_t after, uint64_t *id,
                    uint64_t *timeout_ms);
void tree_life_end(const struct machine *machine, uint64_t id, struct buf *command);
/* A path among the session's ephemerals; *at is the first key to look at, in machine->key. */
struct bytes tree_ephemeral_key(struct machine *machine, uint64_t session, struct bytes path);

/* ---- tree_quota.c ---- */
int32_t tree_quota_check(struct tree_view *view, struct bytes path, int64_t bytes, int64_t count);
/* A node was created, changed or deleted: keeps the counts of the quota that it is under. */
void tree_quota_count(struct tree_view *view, struct bytes path, int64_t bytes, int64_t count);
/* After the creation of a node: counts afresh when it is one that holds counts. */
void tree_quota_created(struct tree_view *view, struct bytes path);
/* All counts afresh. */
void tree_quota_recount(struct tree_view *view);
bool tree_quota_is_limits(struct bytes path);

/* ---- tree_due.c ---- */
uint64_t tree_next_due(const struct machine *machine);
bool tree_due(const struct machine *machine, uint64_t time_ms, uint32_t under_way,
              struct buf *command);
int32_t tree_reap(struct tree_view *view);

/* ---- tree_cluster.c ---- */
bool tree_members(const struct machine *machine, const struct config *config, struct buf *command);
int32_t tree_cluster_members(struct tree_view *view);
int32_t tree_cluster_server(struct tree_view *view);

/* ---- tree_read.c ---- */
int32_t tree_read(struct machine *machine, const struct tree_call *call, struct buf *reply);

/* ---- tree_snapshot.c ---- */
void *tree_snapshot_begin(struct machine *machine);
bool tree_snapshot_chunk(void *snapshot, size_t target, struct buf *out);
bool tree_snapshot_intact(const void *snapshot);
void tree_snapshot_end(struct machine *machine, void *snapshot);
void tree_restore_begin(struct machine *machine);
enum cairn_status tree_restore_chunk(struct machine *machine, uint32_t version, struct bytes chunk);
enum cairn_status tree_restore_end(struct machine *machine);

#endif
