/* Between read.c, which feeds, and the formats. */
#ifndef CAIRN_CHECK_READ_INTERNAL_H
#define CAIRN_CHECK_READ_INTERNAL_H

#include "check/history_build.h"
#include "check/read.h"

/* Transactions of sessions, as AWDIT and Plume write them. */
struct read_sessions {
    uint32_t session, op; /* OP_NONE: none is open */
    uint32_t *zero_keys;  /* keys to which 0 is written */
    uint32_t zero_count, zero_cap;
    /* Plume's, whose operations may stand apart from those of the same transaction. */
    uint32_t *op_by_name, *process_by_name; /* by value: [session transaction], session */
    uint32_t op_names, process_names;
    uint32_t *op_of_mop;
    uint32_t op_of_mop_cap;
};

enum read_place {
    READ_START,  /* nothing but blanks so far */
    READ_SINGLE, /* events one after another */
    READ_INSIDE, /* in an array, vector or list */
    READ_AFTER   /* behind it */
};

struct history_reader {
    struct read_options options;
    struct history *history;
    struct lint *lint;
    enum read_format format;
    struct history_build build;
    struct data data;
    struct buf kept;  /* what was not yet parsed */
    bool begun;       /* past where a byte order mark may be */
    size_t retry_len; /* as much of it must be there before it is worth another try */
    enum read_place place;
    uint8_t close;                        /* the bracket that ends the list */
    bool final;                           /* the input has ended */
    bool comma;                           /* JSON array: a comma stood before */
    uint32_t line, list_line, first_line; /* first: of the first event */
    uint64_t events;
    struct read_sessions sessions;
    struct buf log_line; /* with a blank behind it */
    enum cairn_status status;
    struct buf error;
};

/* Sets the error of this line; returns false. */
bool read_fail(struct history_reader *reader, enum cairn_status status, uint32_t line,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Takes as many events as stand whole in [at, end), moves reader->line; *at: what is left. */
bool read_forms(struct history_reader *reader, const uint8_t **at, const uint8_t *end);

/* One line, without its end. */
bool read_log_line(struct history_reader *reader, struct bytes line);
bool read_awdit_line(struct history_reader *reader, struct bytes line);
bool read_plume_line(struct history_reader *reader, struct bytes line);
void read_sessions_init(struct history_reader *reader);
void read_sessions_end(struct history_reader *reader);
void read_sessions_free(struct history_reader *reader);

#endif
