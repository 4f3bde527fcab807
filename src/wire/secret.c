#include "wire/secret.h"

#include <nettle/base64.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>

#include <string.h>

#define HEX_MD5_BYTES (2 * SECRET_MD5_BYTES)

void secret_md5(const struct bytes *pieces, size_t count, uint8_t digest[SECRET_MD5_BYTES]) {
    struct md5_ctx md5;
    md5_init(&md5);
    for (size_t i = 0; i < count; i++)
        md5_update(&md5, pieces[i].len, pieces[i].data);
    md5_digest(&md5, SECRET_MD5_BYTES, digest);
}

void secret_sha1_base64(struct buf *out, struct bytes text) {
    struct sha1_ctx sha1;
    uint8_t digest[SECRET_SHA1_BYTES];
    char encoded[BASE64_ENCODE_RAW_LENGTH(SECRET_SHA1_BYTES)];
    sha1_init(&sha1);
    sha1_update(&sha1, text.len, text.data);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(encoded, sizeof digest, digest);
    buf_append(out, encoded, sizeof encoded);
}

void secret_hex(struct buf *out, const uint8_t *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buf_u8(out, (uint8_t)digits[bytes[i] >> 4]);
        buf_u8(out, (uint8_t)digits[bytes[i] & 15]);
    }
}

bool secret_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memeql_sec(a.data, b.data, a.len));
}

static void md5_hex(const struct bytes *pieces, size_t count, struct buf *out) {
    uint8_t digest[SECRET_MD5_BYTES];
    secret_md5(pieces, count, digest);
    secret_hex(out, digest, sizeof digest);
}

void secret_digest_md5(struct buf *out, const struct secret_digest_md5 *d, bool by_server) {
    const struct bytes colon = BYTES(":");
    uint8_t user[SECRET_MD5_BYTES];
    struct buf first = {0}, second = {0};
    secret_md5((struct bytes[]){d->user, colon, d->realm, colon, d->password}, 5, user);
    md5_hex((struct bytes[]){bytes_of(user, sizeof user), colon, d->nonce, colon, d->cnonce, colon,
                             d->authzid},
            d->authzid.data == NULL ? 5 : 7, &first);
    md5_hex((struct bytes[]){by_server ? BYTES(":") : BYTES("AUTHENTICATE:"), d->uri}, 2, &second);
    md5_hex((struct bytes[]){buf_view(&first), colon, d->nonce, colon, d->count, colon, d->cnonce,
                             colon, d->quality, colon, buf_view(&second)},
            11, out);
    buf_free(&first);
    buf_free(&second);
}
