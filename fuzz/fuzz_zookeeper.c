/* Clients that send any bytes to a whole front end on a real tree: nothing breaks, frames that are
 * answered are well formed, and a connection's answers come in the order of its requests.
 *
 * The input is a list of moves: u8 what, u8 whose, u8 length, that many bytes. Half of the moves
 * are whole requests of a session, so that bytes get past the handshake; pings, notifications and
 * what else goes beside the order have negative xids.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "zookeeper_box.h"

#include <string.h>

#define CLIENTS 3
#define MOVES_MAX 400
#define CONNECTIONS_MAX 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct player {
    struct zk_box_client *client;
    struct jute_connect session;
    int32_t sent, answered; /* the last xids */
    bool orderly;           /* it sent nothing but whole requests */
};

static const int32_t operations[] = {
    JUTE_CREATE,
    JUTE_DELETE,
    JUTE_EXISTS,
    JUTE_GET,
    JUTE_SET,
    JUTE_GET_ACL,
    JUTE_SET_ACL,
    JUTE_CHILDREN,
    JUTE_SYNC,
    JUTE_CHILDREN2,
    JUTE_CHECK,
    JUTE_MULTI,
    JUTE_CREATE2,
    JUTE_RECONFIG,
    JUTE_CHECK_WATCHES,
    JUTE_REMOVE_WATCHES,
    JUTE_CREATE_CONTAINER,
    JUTE_CREATE_TTL,
    JUTE_MULTI_READ,
    JUTE_SET_WATCHES,
    JUTE_GET_EPHEMERALS,
    JUTE_COUNT_CHILDREN,
    JUTE_SET_WATCHES2,
    JUTE_ADD_WATCH,
    JUTE_WHO_AM_I,
    JUTE_CLOSE,
    500,
};
static const int32_t beside[] = {JUTE_PING, JUTE_AUTH, JUTE_SASL};

static void arrive(struct zk_box *box, struct player *player, unsigned *connections) {
    if (player->client != NULL && !zk_box_closed(player->client))
        return;
    player->client = NULL;
    if (++*connections > CONNECTIONS_MAX)
        return;
    player->client = zk_box_connect(box, "10.0.0.1:1");
    player->sent = player->answered = 0;
    player->orderly = true;
    player->session.timeout_ms = 10000;
    player->session.zxid = 0;
    if (player->client != NULL && !zk_box_handshake(player->client, &player->session))
        player->orderly = false;
}

static void listen(struct player *player) {
    struct zk_box_answer answer;
    while (player->client != NULL && player->orderly && zk_box_take(player->client, &answer)) {
        if (answer.xid < 0)
            continue;
        cairn_assert(answer.xid == player->answered + 1 && answer.xid <= player->sent);
        player->answered = answer.xid;
    }
}

static void move(struct zk_box *box, struct player *player, uint8_t what, struct bytes bytes) {
    size_t count = sizeof operations / sizeof *operations;
    switch (what) {
    case 250:
        zk_box_step(box);
        return;
    case 251:
        zk_box_fail(box, CAIRN_UNKNOWN_FATE);
        return;
    case 252:
        zk_box_hang_up(player->client);
        return;
    case 249:
        zk_box_set_stateless(box, bytes.len % 4 == 0);
        return;
    case 253:
        zk_box_wait(box, bytes.len * 20);
        return;
    case 254:
        zk_box_set_leader(box, bytes.len % 4 != 0);
        return;
    case 255:
        zk_box_set_busy(box, bytes.len % 4 == 0);
        return;
    }
    if (what < 2 * count) {
        zk_box_request(player->client, ++player->sent, operations[what % count], bytes);
    } else if (what < 2 * count + 30) {
        size_t kinds = sizeof beside / sizeof *beside;
        zk_box_request(player->client, -2, beside[what % kinds], bytes);
    } else if (what < 200) {
        zk_box_turn(box);
    } else {
        player->orderly = false;
        zk_box_send(player->client, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader reader = reader_of(bytes_of(data, size));
    struct zookeeper_options options;
    struct player players[CLIENTS] = {{0}};
    unsigned connections = 0;
    zookeeper_options_default(&options);
    options.frame_bytes_max = 4096;
    options.output_budget = 1u << 16;
    uint8_t flags = read_u8(&reader);
    options.linearizable_reads = flags & 1;
    if (flags & 2)
        strcpy(options.sasl_users, "a:b");
    struct zk_box *box = zk_box_new(&options);
    for (int n = 0; n < MOVES_MAX && reader_left(&reader) >= 3; n++) {
        uint8_t what = read_u8(&reader), who = read_u8(&reader) % CLIENTS, len = read_u8(&reader);
        size_t left = reader_left(&reader);
        struct bytes bytes = read_bytes(&reader, len < left ? len : left);
        arrive(box, &players[who], &connections);
        if (players[who].client != NULL)
            move(box, &players[who], what, bytes);
        for (int i = 0; i < CLIENTS; i++)
            listen(&players[i]);
    }
    zk_box_set_busy(box, false);
    zk_box_set_stateless(box, false);
    zk_box_settle(box);
    for (int i = 0; i < CLIENTS; i++)
        listen(&players[i]);
    zk_box_free(box);
    return 0;
}
