#include "node/proof.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>

#include <stdio.h>
#include <string.h>

#define LABEL "cairn peer 1"
#define WITHOUT "accept-without-secret"

static void put_hello(struct hmac_sha256_ctx *mac, struct bytes hello) {
    uint8_t len[4];
    put_u32(len, (uint32_t)hello.len);
    hmac_sha256_update(mac, sizeof len, len);
    hmac_sha256_update(mac, hello.len, hello.data);
}

void proof_make(const struct peer_secret *secret, enum proof_side side, struct bytes dialler_hello,
                struct bytes acceptor_hello, uint8_t proof[PROOF_BYTES]) {
    struct hmac_sha256_ctx mac;
    uint8_t side_byte = (uint8_t)side;
    hmac_sha256_set_key(&mac, secret->len, secret->bytes);
    hmac_sha256_update(&mac, sizeof LABEL, (const uint8_t *)LABEL);
    hmac_sha256_update(&mac, 1, &side_byte);
    put_hello(&mac, dialler_hello);
    put_hello(&mac, acceptor_hello);
    hmac_sha256_digest(&mac, PROOF_BYTES, proof);
}

const struct peer_secret *proof_find(const struct peer_secrets *secrets, enum proof_side side,
                                     struct bytes dialler_hello, struct bytes acceptor_hello,
                                     struct bytes proof) {
    const struct peer_secret *found = NULL;
    uint8_t right[PROOF_BYTES];
    for (uint32_t i = 0; i < secrets->count && proof.len == PROOF_BYTES; i++) {
        proof_make(&secrets->of[i], side, dialler_hello, acceptor_hello, right);
        if (memeql_sec(right, proof.data, PROOF_BYTES))
            found = &secrets->of[i];
    }
    return found;
}

bool peer_secret_equal(const struct peer_secret *a, const struct peer_secret *b) {
    return a->len == b->len && memeql_sec(a->bytes, b->bytes, a->len);
}

/* ---- the file ---- */

static bool is_visible(struct bytes line) {
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] <= ' ' || line.data[i] > '~')
            return false;
    return true;
}

static const char *line_problem(const struct peer_secrets *secrets, struct bytes line) {
    if (!is_visible(line))
        return "a secret has visible ASCII characters only, and no blanks";
    if (line.len < PEER_SECRET_LEAST)
        return "a secret has at least 32 characters (openssl rand -hex 32 makes one)";
    if (line.len > PEER_SECRET_MOST)
        return "a secret has at most 256 characters";
    if (secrets->count == PEER_SECRETS_MAX)
        return "there are two secrets at most: the one in use and the next, or the former";
    return NULL;
}

static const char *take_line(struct peer_secrets *secrets, struct bytes line) {
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0 || line.data[0] == '#')
        return NULL;
    if (bytes_equal(line, BYTES(WITHOUT))) {
        secrets->optional = true;
        return NULL;
    }
    const char *problem = line_problem(secrets, line);
    if (problem != NULL)
        return problem;
    struct peer_secret *secret = &secrets->of[secrets->count++];
    secret->len = (uint32_t)line.len;
    memcpy(secret->bytes, line.data, line.len);
    return NULL;
}

bool peer_secrets_parse(struct bytes text, struct peer_secrets *secrets, char *error,
                        size_t error_size) {
    unsigned number = 1;
    *secrets = (struct peer_secrets){0};
    for (size_t at = 0; at < text.len; number++) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end == NULL ? text.len - at : (size_t)(end - text.data) - at;
        const char *problem = take_line(secrets, bytes_of(text.data + at, len));
        if (problem != NULL) {
            snprintf(error, error_size, "line %u: %s", number, problem);
            return false;
        }
        at += len + 1;
    }
    if (secrets->count == 0)
        snprintf(error, error_size, "there is no secret in it");
    return secrets->count > 0;
}
