/* What ZooKeeper's ways of authentication compute: digests and base64. */
#ifndef CAIRN_WIRE_SECRET_H
#define CAIRN_WIRE_SECRET_H

#include "base/bytes.h"

#define SECRET_MD5_BYTES 16u
#define SECRET_SHA1_BYTES 20u

void secret_md5(const struct bytes *pieces, size_t count, uint8_t digest[SECRET_MD5_BYTES]);
/* base64(SHA-1(text)), appended: 28 characters. */
void secret_sha1_base64(struct buf *out, struct bytes text);
/* Lower case, appended. */
void secret_hex(struct buf *out, const uint8_t *bytes, size_t len);
/* Without telling by its time where they differ. */
bool secret_equal(struct bytes a, struct bytes b);

/* What a DIGEST-MD5 client proves (RFC 2831, section 2.1.2.1, quality of protection "auth",
 * algorithm md5-sess). */
struct secret_digest_md5 {
    struct bytes user, realm, password;
    struct bytes nonce, cnonce, count, quality, uri;
    struct bytes authzid; /* whom the user wants to act as; null: not said */
};
/* 32 hexadecimal digits, appended. by_server: the proof that the server gives back ("rspauth"). */
void secret_digest_md5(struct buf *out, const struct secret_digest_md5 *digest, bool by_server);

#endif
