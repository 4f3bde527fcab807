/* Frames between peers: what a link's byte stream is cut into. Pure: bytes in, frames out.
 *
 * A frame carries at most FRAME_PAYLOAD_MAX bytes of one message; a longer message goes in several,
 * between which the other lane's frames may pass, so that a heartbeat never waits behind bulk. The
 * checksum covers head, payload and the frame's number on its link: a frame that was damaged, lost,
 * repeated or put out of order ends the link.
 *
 * Head, 40 bytes: u32 magic, u32 payload length, u8 type, u8 lane, u16 zero, u32 message length (of
 * all its frames), u64 group, u64 frame number, u64 checksum.
 */
#ifndef CAIRN_NODE_FRAME_H
#define CAIRN_NODE_FRAME_H

#include "base/bytes.h"
#include "base/status.h"
#include "core/config.h"
#include "core/protocol.h"

#define FRAME_HEAD_BYTES 40u
#define FRAME_PAYLOAD_MAX 262144u
/* The longest message: an entry of the largest value with room around it. */
#define FRAME_MESSAGE_MAX (160u << 20)

enum frame_type {
    FRAME_HELLO = 1,
    FRAME_PING,     /* nothing: the link lives */
    FRAME_PROTOCOL, /* a protocol's message */
    FRAME_FORWARD,  /* requests for the leader */
    FRAME_FORWARD_REPLY,
    FRAME_SNAPSHOT_OFFER,
    FRAME_SNAPSHOT_ANSWER,
    FRAME_SNAPSHOT_CHUNK,
    FRAME_SNAPSHOT_ACK,
    FRAME_LIVES,        /* signs of life for the leader */
    FRAME_MEMBERS,      /* the committed members; since version 3 */
    FRAME_COMPARE = 16, /* compare.c; since version 3 */
    FRAME_COMPARED,
    FRAME_DIVERGED,
    FRAME_FACTS = 20, /* from which cluster the data is, behind the hello; since version 3 */
    FRAME_FOUNDING,   /* founding.c, behind the facts; since version 3 */
    FRAME_PROOF,      /* greet.c, between hello and facts, when both sides have a secret */
    FRAME_TYPE_COUNT
};

struct frame_head {
    enum frame_type type;
    enum effect_lane lane;
    uint32_t payload_len;
    uint32_t message_len;
    uint64_t group;
};

/* Writes a head for a payload that lies in `pieces` (count of them). */
void frame_encode_head(uint8_t *at, const struct frame_head *head, uint64_t number,
                       const struct bytes *pieces, size_t count);
/* Reads a head whose payload may not have arrived yet: MALFORMED, TOO_LARGE. */
enum cairn_status frame_decode_head(const uint8_t *at, struct frame_head *head);
/* True when head and payload are what the sender framed as this number. */
bool frame_verify(const uint8_t *at, uint64_t number, struct bytes payload);

#define HELLO_NONCE_BYTES 32u

/* The first message on a link, from both sides. A sender that has a secret adds a block, which
 * builds that know no secrets do not take: u8 format (1), u8 whether it asks for the peer's, 32
 * bytes of nonce; later formats may add to it. */
struct hello {
    uint32_t wire_min, wire_max;
    uint64_t cluster, epoch;
    uint64_t node, incarnation;
    uint64_t boot;     /* random per start of the process */
    uint64_t expected; /* the node that the sender means to talk to; 0: any */
    char address[CONFIG_ADDRESS_MAX];
    bool has_secret; /* then: */
    bool asks;       /* it takes no peer without one */
    uint8_t nonce[HELLO_NONCE_BYTES];
};
void hello_encode(struct buf *out, const struct hello *hello);
enum cairn_status hello_decode(struct bytes bytes, struct hello *hello);

#endif
