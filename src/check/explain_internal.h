/* Between explain.c and explain_ops.c: the JSON text of the page's data. */
#ifndef CAIRN_CHECK_EXPLAIN_INTERNAL_H
#define CAIRN_CHECK_EXPLAIN_INTERNAL_H

#include "check/explain.h"

struct explain {
    const struct explanation *of;
    struct buf *out;
    uint32_t *shown;    /* the page's number of each operation; OP_NONE: it is left out */
    uint32_t op_count;  /* of the page */
    uint32_t *value_at; /* the page's number of each value; VALUE_NONE: none yet */
    uint32_t *values;   /* and back */
    uint32_t value_count;
};

/* Chooses what is shown. */
void explain_open(struct explain *explain, const struct explanation *of, struct buf *out);
void explain_close(struct explain *explain);
/* The members "ops", "mops", "processes", "faults"; no comma before or after. */
void explain_ops(struct explain *explain);
/* The member "values"; after all that uses values. */
void explain_values(struct explain *explain);
/* A value's number on the page, -1 for VALUE_NONE. */
void explain_value(struct explain *explain, uint32_t value);
/* An operation's number on the page, -1 for one that is none or left out. */
void explain_op(struct explain *explain, uint32_t op);
void explain_integer(struct buf *out, int64_t integer);
/* A JSON string without "<". */
void explain_text(struct buf *out, struct bytes text);

#endif
