/* What a machine answers: a small self-describing encoding of values, which front ends turn into
 * their own wire protocol. A machine knows no wire protocol and a front end no machine state.
 *
 * A reply is one value; arrays, sets and maps are followed by their elements (a map's count is of
 * pairs). Writers append to a buffer; the reader walks the values in order and is bounded, since a
 * reply may arrive from another node.
 */
#ifndef CAIRN_CORE_REPLY_H
#define CAIRN_CORE_REPLY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum reply_kind {
    REPLY_NIL = 1,   /* absent value */
    REPLY_NIL_ARRAY, /* absent list, e.g. an aborted EXEC */
    REPLY_STATUS,    /* short text such as OK */
    REPLY_ERROR,     /* "CODE human readable text" */
    REPLY_INT,       /* signed 64 bits */
    REPLY_BULK,      /* bytes */
    REPLY_DOUBLE,    /* IEEE 754 double */
    REPLY_BOOL,
    REPLY_ARRAY, /* count, then elements */
    REPLY_SET,   /* as array */
    REPLY_MAP,   /* count of pairs, then key, value, key, value ... */
    REPLY_KIND_COUNT
};

void reply_nil(struct buf *out);
void reply_nil_array(struct buf *out);
void reply_status(struct buf *out, const char *text);
void reply_ok(struct buf *out);
void reply_error(struct buf *out, const char *text);
void reply_errorf(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_int(struct buf *out, int64_t value);
void reply_bulk(struct buf *out, struct bytes value);
/* The head alone of a bulk of so many bytes, which the caller appends. */
void reply_bulk_head(struct buf *out, uint32_t len);
void reply_double(struct buf *out, double value);
void reply_bool(struct buf *out, bool value);
void reply_array(struct buf *out, uint32_t count);
void reply_set(struct buf *out, uint32_t count);
void reply_map(struct buf *out, uint32_t pairs);
/* For counts that are known only afterwards: remember buf->len before writing the head with count
 * 0, then set the count there. The same for the length of a bulk. */
void reply_patch_count(struct buf *out, size_t head_at, uint32_t count);

struct reply_value {
    enum reply_kind kind;
    struct bytes text; /* STATUS, ERROR, BULK: borrowed */
    int64_t integer;   /* INT, BOOL */
    double number;     /* DOUBLE */
    uint32_t count;    /* ARRAY, SET: elements; MAP: pairs */
};

/* Reads the next value's head; false (and a bad reader) on malformed input. */
bool reply_next(struct reader *reader, struct reply_value *value);

#endif
