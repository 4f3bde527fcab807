/* As much of HTTP/1.1 as a JSON gateway needs: requests as bytes, answers with a length or in
 * chunks; base64; and a look into flat JSON. No I/O.
 */
#ifndef CAIRN_CLIENT_HTTP_H
#define CAIRN_CLIENT_HTTP_H

#include "base/bytes.h"

#define HTTP_BODY_MAX (64u * 1024 * 1024)

/* A request without a body; token: of the header Authorization, NULL: none. */
void http_request(struct buf *out, const char *method, const char *path, const char *token);
void http_post(struct buf *out, const char *path, struct bytes body);
/* A whole answer: its status and body (appended to `body`). 0: more is needed; SIZE_MAX:
 * malformed; else bytes taken. */
size_t http_answer(struct bytes bytes, int *status, struct buf *body);

void base64_encode(struct buf *out, struct bytes range);
/* False: not base64. */
bool base64_decode(struct buf *out, struct bytes text);

/* The text of the first "name":"text" or "name":number behind *from, without quotes; escapes are
 * left as they are. *from moves behind it. False: there is none. */
bool json_next(struct bytes json, const char *name, size_t *from, struct bytes *text);

#endif
