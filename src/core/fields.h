/* Messages as sets of u64 fields: a table says where each field lies in the protocol's message
 * struct, a type has a mask of those that it carries, and the encoding is these, in order.
 */
#ifndef CAIRN_CORE_FIELDS_H
#define CAIRN_CORE_FIELDS_H

#include "base/bytes.h"

struct field {
    const char *name;
    size_t offset; /* of a uint64_t */
};

size_t fields_size(unsigned mask);
/* Returns the end of what was written. */
uint8_t *fields_encode(const struct field *fields, unsigned mask, const void *message, uint8_t *at);
void fields_decode(const struct field *fields, unsigned mask, void *message, struct reader *reader);
/* " name=value" for each, into text; returns the length used, less than size. */
size_t fields_describe(const struct field *fields, unsigned mask, const void *message, char *text,
                       size_t size);

#endif
