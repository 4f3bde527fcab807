/* The secret that a cluster's nodes share, and how two of them prove to each other that they have
 * it. Pure: bytes in, bytes out.
 *
 * Both sides' hellos carry a nonce. A proof is HMAC-SHA-256 (RFC 2104), with the secret as its key,
 * over which side proves (the one that dialled, or the other) and both hellos as they were sent:
 * nonces, cluster, epoch, ids, incarnations, addresses and wire versions. So a proof is good for
 * one link and one direction, and nothing of a hello can be changed on its way. It says that its
 * sender has the secret, not which of the members it is; and nothing of the frames behind it.
 */
#ifndef CAIRN_NODE_PROOF_H
#define CAIRN_NODE_PROOF_H

#include "base/bytes.h"

#define PEER_SECRETS_MAX 2u
#define PEER_SECRET_LEAST 32u
#define PEER_SECRET_MOST 256u
#define PROOF_BYTES 32u

struct peer_secret {
    uint32_t len;
    uint8_t bytes[PEER_SECRET_MOST];
};

struct peer_secrets {
    uint32_t count;                          /* 0: no peer is asked for one */
    bool optional;                           /* peers without any are taken too */
    struct peer_secret of[PEER_SECRETS_MAX]; /* the first is proved, any of them accepted */
};

enum proof_side { PROOF_DIALLER = 1, PROOF_ACCEPTOR };

/* The hellos are the payloads of both sides' first frames. */
void proof_make(const struct peer_secret *secret, enum proof_side side, struct bytes dialler_hello,
                struct bytes acceptor_hello, uint8_t proof[PROOF_BYTES]);
/* The secret by which that side made the proof; NULL: none of these. Takes as long wherever they
 * differ. */
const struct peer_secret *proof_find(const struct peer_secrets *secrets, enum proof_side side,
                                     struct bytes dialler_hello, struct bytes acceptor_hello,
                                     struct bytes proof);
bool peer_secret_equal(const struct peer_secret *a, const struct peer_secret *b);

/* A file's text: a secret a line, at most two, each of PEER_SECRET_LEAST to PEER_SECRET_MOST
 * visible ASCII characters. Empty lines and those that begin with # are skipped; the line
 * "accept-without-secret" makes it optional. False: a sentence in error, without the secret. */
bool peer_secrets_parse(struct bytes text, struct peer_secrets *secrets, char *error,
                        size_t error_size);

#endif
