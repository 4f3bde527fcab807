/* Interned values: each distinct value of a history has one small number, and equal values have
 * equal numbers, so that checkers compare integers.
 *
 * EDN keywords and symbols are texts ("x" for :x); sets become sorted lists; maps become lists of
 * pairs sorted by key, so that equal maps are equal. Memory: 16 bytes a value, 5 to 8 for the
 * table, and the texts and items themselves.
 */
#ifndef CAIRN_CHECK_VALUE_H
#define CAIRN_CHECK_VALUE_H

#include "base/bytes.h"

enum value_kind { VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_TEXT, VALUE_LIST, VALUE_MAP };

#define VALUE_NULL 0u /* the number of nil, in every table */
#define VALUES_RECENT 256u
#define VALUE_NONE UINT32_MAX /* no value at all */

struct value {
    enum value_kind kind : 8;
    uint32_t len : 32; /* bytes of a text; items of a list; items (twice the pairs) of a map */
    union {
        int64_t integer; /* INT, BOOL */
        uint64_t offset; /* into texts, or into items */
    };
};

struct values {
    struct value *at;
    uint32_t count, cap;
    uint32_t *table; /* open addressing; VALUE_NONE: free */
    uint32_t table_size;
    struct buf texts;
    uint32_t *items;
    uint64_t item_count, item_cap;
    /* Integers that were asked for lately, which spares most walks through the table. */
    struct {
        int64_t integer;
        uint32_t id;
    } recent[VALUES_RECENT];
};

void values_init(struct values *values); /* nil is there from the start */
void values_free(struct values *values);
/* `to` is initialised here; numbers stay the same. */
void values_copy(struct values *to, const struct values *from);
/* Bytes that a large table will soon take for growing, before it gives back what it has; 0: none.
 */
size_t values_growth(const struct values *values);
/* The same for any array that grows by half. */
size_t growth_of(uint64_t count, uint64_t cap, size_t size);

/* The number of a value, made when it is new. Items are borrowed and copied. Maps: `items` holds
 * key, value, key, value ...; of equal keys the last counts. At most 2^31 values. */
uint32_t value_bool(struct values *values, bool truth);
uint32_t value_int(struct values *values, int64_t integer);
uint32_t value_text(struct values *values, struct bytes text);
uint32_t value_list(struct values *values, const uint32_t *items, uint32_t len);
uint32_t value_set(struct values *values, const uint32_t *items, uint32_t len);
uint32_t value_map(struct values *values, const uint32_t *items, uint32_t len);

static inline const struct value *value_at(const struct values *values, uint32_t id) {
    return &values->at[id];
}
/* Valid until the next value is made. */
const uint32_t *value_items(const struct values *values, uint32_t id);
struct bytes value_bytes(const struct values *values, uint32_t id);
/* False: it is VALUE_NONE, or no integer. */
bool value_integer(const struct values *values, uint32_t id, int64_t *integer);
/* A total order: by kind, then by content; independent of the order of interning. */
int value_compare(const struct values *values, uint32_t a, uint32_t b);
/* As JSON (nil is null), for people and for files. Keys of maps become strings. */
void value_print(const struct values *values, uint32_t id, struct buf *out);
/* Whether it is read again from JSON as what it is: keys of maps are texts there, and one that
 * looks like an integer is read as that. */
bool value_fits_json(const struct values *values, uint32_t id);
/* The text alone without quotes; other values as JSON. For files, never for people: the text "1"
 * looks like the number. */
void value_plain(const struct values *values, uint32_t id, struct buf *out);
/* For people: as JSON, but a text that looks like nothing else stands without quotes; "?" for
 * VALUE_NONE. */
void value_show(const struct values *values, uint32_t id, struct buf *out);
/* A JSON string; what is no UTF-8 becomes U+FFFD. */
void text_print_json(struct bytes text, struct buf *out);
bool text_is_utf8(struct bytes text);
/* Digits as an integer is written, with no zero before them. */
bool text_is_integer(struct bytes text, int64_t *integer);

#endif
