/* TLS for listeners of the real env: certificates, and who is let in.
 *
 * TLS 1.2 and 1.3. No session is ever resumed, so that every connection shows its certificate anew,
 * to the authorities that count now. All functions on the loop's thread. A handshake costs that
 * thread one to two milliseconds; when many come at once, some are done in each round of the loop
 * and the rest wait, first come first served, so that nothing else does.
 */
#ifndef CAIRN_RUNTIME_TLS_H
#define CAIRN_RUNTIME_TLS_H

#include "env/env.h"

enum runtime_tls_clients {
    RUNTIME_TLS_NONE,    /* no certificate is asked for */
    RUNTIME_TLS_WANTED,  /* one that is shown must be good */
    RUNTIME_TLS_REQUIRED /* mutual TLS */
};

struct runtime_tls_options {
    const char *certificate; /* PEM: the server's, then those between it and a known authority */
    const char *key;         /* PEM, without a pass phrase */
    const char *authorities; /* PEM: who signs clients' certificates; "" with RUNTIME_TLS_NONE */
    enum runtime_tls_clients clients;
    uint64_t handshake_ns; /* a connection that takes longer is closed; 0: 10 s */
};

/* For env_listener.tls. The texts are copied. On failure *out is NULL and a sentence in error tells
 * which file is wrong: NOT_FOUND (no OpenSSL on this machine) or INVALID. */
enum cairn_status runtime_tls_new(const struct runtime_tls_options *options, struct env_tls **out,
                                  char *error, size_t error_size);
/* Reads the files again, for connections to come. On failure (INVALID, a sentence in error) the
 * former ones stay in use. */
enum cairn_status runtime_tls_reload(struct env_tls *tls, char *error, size_t error_size);
/* After its listeners and their streams have ended. NULL is fine. */
void runtime_tls_free(struct env_tls *tls);

#endif
