/* RESP, the Redis serialisation protocol (versions 2 and 3), and inline commands: client bytes to
 * arguments, replies to client bytes, and (for our own clients) server bytes to values. No I/O.
 */
#ifndef CAIRN_WIRE_RESP_H
#define CAIRN_WIRE_RESP_H

#include "base/bytes.h"

#include <stdbool.h>

/* ---- requests ---- */

#define RESP_ARGS_MAX (1024u * 1024u)
#define RESP_INLINE_MAX (64u * 1024u)
/* Of a client that has not said the password, as Redis has it. */
#define RESP_STRANGER_ARGS_MAX 10u
#define RESP_STRANGER_BULK_MAX (16u * 1024u)

struct resp_range {
    size_t offset, len;
};

/* One command that is being read. Offsets count from where the command begins, so that its bytes
 * may move between calls. Zero-initialise; resp_request_free at the end. */
struct resp_request {
    size_t at;     /* how far the bytes were understood */
    uint32_t left; /* arguments still to come */
    bool counted;  /* the array's head was read */
    bool bulk_known;
    bool stranger; /* set by the caller: the limits of strangers hold */
    size_t bulk_len;
    struct resp_range *ranges;
    size_t count, cap;
    struct buf text; /* of an inline command, unquoted; then ranges are within it */
    bool inlined;
    char error[48]; /* what is wrong, where a byte of the request is part of it */
};

enum resp_result { RESP_MORE, RESP_COMMAND, RESP_ERROR };

/* Reads on in the bytes of one command (all of what has arrived of it, from its beginning).
 * COMMAND: whole; *used bytes were its own; count may be 0 (an empty line). ERROR: *error is what
 * to tell the client before closing. bulk_max: longest argument taken. */
enum resp_result resp_request_read(struct resp_request *request, struct bytes bytes,
                                   size_t bulk_max, size_t *used, const char **error);
/* The arguments of a whole command, borrowed from bytes (or from the request's own text). args has
 * room for count. */
void resp_request_args(const struct resp_request *request, struct bytes bytes, struct bytes *args);
/* Ready for the next command. */
void resp_request_reset(struct resp_request *request);
void resp_request_free(struct resp_request *request);

/* ---- replies ---- */

/* protocol: 2 or 3, whatever the client said in HELLO. */
void resp_put_status(struct buf *out, const char *text);
void resp_put_status_bytes(struct buf *out, struct bytes text);
/* Line ends in it become blanks. */
void resp_put_error(struct buf *out, const char *text);
void resp_put_error_bytes(struct buf *out, struct bytes text);
void resp_put_int(struct buf *out, int64_t value);
void resp_put_bulk(struct buf *out, struct bytes value);
/* The head alone of a bulk of so many bytes; the caller appends them and a line end. */
void resp_put_bulk_head(struct buf *out, size_t len);
void resp_put_cstr(struct buf *out, const char *text);
void resp_put_nil(struct buf *out, int protocol);
void resp_put_double(struct buf *out, int protocol, double value);
void resp_put_bool(struct buf *out, int protocol, bool value);
void resp_put_nil_array(struct buf *out, int protocol);
void resp_put_array(struct buf *out, size_t count);
void resp_put_map(struct buf *out, int protocol, size_t pairs);
void resp_put_set(struct buf *out, int protocol, size_t count);
void resp_put_push(struct buf *out, int protocol, size_t count);
void resp_put_verbatim(struct buf *out, int protocol, struct bytes text);

/* ---- reading replies ---- */

enum resp_kind {
    RESP_STATUS = 1,
    RESP_ERROR_REPLY,
    RESP_INT,
    RESP_BULK,
    RESP_NIL,
    RESP_ARRAY, /* arrays, sets and pushes; count elements follow */
    RESP_MAP,   /* count pairs follow */
    RESP_DOUBLE,
    RESP_BOOL
};
struct resp_value {
    enum resp_kind kind;
    struct bytes text;
    int64_t integer;
    size_t count;
    bool push;
};
/* The next value's head. MORE, COMMAND (a value), ERROR. */
enum resp_result resp_value_read(struct bytes bytes, struct resp_value *value, size_t *used);
/* An array, set or map that claims more elements is malformed. */
#define RESP_ELEMENTS_MAX (1u << 30)
/* How long the next value is with all its elements; 0: not whole yet, SIZE_MAX: malformed. */
size_t resp_value_length(struct bytes bytes);

#endif
