/* What a parser of text gives: a tree of plain data that lives for one event. Nothing is interned
 * here, because most of what a file says (functions, types, the values of invocations) is said
 * again and again or dropped.
 *
 * The tree is one array in the order of the text: a list is followed by its items, each with its
 * own; `size` of it says how many data that are, itself included. 16 bytes each.
 */
#ifndef CAIRN_CHECK_DATUM_H
#define CAIRN_CHECK_DATUM_H

#include "check/value.h"

enum datum_kind {
    DATUM_NIL,
    DATUM_BOOL,
    DATUM_INT,
    DATUM_TEXT,
    DATUM_WORD, /* a keyword or symbol of EDN: a text once it is a value */
    DATUM_LIST,
    DATUM_TUPLE, /* a list that says of itself that it is [key value] */
    DATUM_SET,
    DATUM_MAP /* key, value, key, value ... */
};

struct datum {
    enum datum_kind kind : 8;
    bool scratch; /* a text: it lies in data.scratch, at `offset` */
    uint32_t len; /* bytes of a text; items of a list (of a map: twice the pairs) */
    union {
        int64_t integer;
        const uint8_t *text;
        uint64_t offset;
        uint64_t size;
    };
};

#define DATUM_NONE UINT32_MAX

struct data {
    struct datum *at;
    uint32_t count, cap;
    struct buf scratch; /* texts that do not stand in the input as they are */
    bool numbers;       /* a text of digits becomes an integer once it is a value */
};

void data_free(struct data *data);
void data_clear(struct data *data);
/* Adds one; the pointer is valid until the next. */
struct datum *data_push(struct data *data, enum datum_kind kind);
struct bytes data_text(const struct data *data, uint32_t at);
/* The item after this one. */
uint32_t data_next(const struct data *data, uint32_t at);
bool data_is_text(const struct data *data, uint32_t at); /* a text or word */
bool data_is_list(const struct data *data, uint32_t at); /* a list or tuple */
bool data_is_word(const struct data *data, uint32_t at, struct bytes text);
/* Interned. */
uint32_t data_value(const struct data *data, uint32_t at, struct values *values);

/* ---- parsers of one datum (parse_json.c, parse_edn.c) ---- */

enum parse_result {
    PARSE_OK,
    PARSE_MORE, /* the input ends within it */
    PARSE_BAD   /* `error` says why, `at` where */
};

#define PARSE_DEPTH_MAX 64u

struct parse {
    const uint8_t *at, *end;
    struct data *data;
    unsigned depth;
    const char *error; /* a sentence's end: "line 3: ..." */
};

/* Parses what begins at `at`, leading blanks skipped, and pushes it. */
enum parse_result parse_json(struct parse *parse);
enum parse_result parse_edn(struct parse *parse);
/* Skips blanks, comments and discarded forms; at PARSE_MORE, up to the one that is cut. */
enum parse_result parse_edn_blank(struct parse *parse);

/* Shared by both. */
enum parse_result parse_fail(struct parse *parse, const char *error);
/* A number from `at`, to the end of the token; pushes an integer, or the text of a real number. */
enum parse_result parse_number_token(struct parse *parse, const uint8_t *token_end);
/* "\uXXXX" whose four digits begin at `at`; pairs of surrogates are joined. */
enum parse_result parse_unicode(struct parse *parse);
/* Ends a text that was collected from `from` in the scratch. */
enum parse_result parse_scratch_text(struct parse *parse, size_t from);

#endif
