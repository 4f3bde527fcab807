/* What an operation does to the object of a model: the one place where a model's meaning is
 * written. States are small numbers; equal states have equal numbers.
 *
 * A state that no operation of the history can tell from others any more is one state, SPEC_DEAD,
 * until something overwrites it blindly: a register's value that no operation reads, a text or list
 * that is no beginning of anything read. Searches gain much by that, and lose nothing.
 */
#ifndef CAIRN_CHECK_SPEC_H
#define CAIRN_CHECK_SPEC_H

#include "check/history.h"
#include "check/model.h"

#define SPEC_DEAD (UINT32_MAX - 1)

enum spec_class {
    SPEC_OBSERVES,   /* never changes the state */
    SPEC_OVERWRITES, /* always possible, and the next state is `a` whatever it was */
    SPEC_CHANGES, /* always possible, no operation is told anything, the next state depends on the
                     last */
    SPEC_CONDITIONAL /* possible in some states only */
};

struct spec_op {
    enum op_f f : 8;
    enum spec_class class : 8;
    bool mismatch;      /* it was answered "no" */
    bool told;          /* `out` is meaningful */
    bool whole;         /* of a read that was told: `out` is the whole state */
    uint32_t a, b, out; /* values or states of the spec */
};

struct taken;
struct spec {
    enum model model;
    const struct history *history;
    struct values pool;   /* the spec's own values */
    uint32_t *of_history; /* value of the history -> of the pool; VALUE_NONE: not asked yet */
    uint32_t of_count;
    uint32_t *alive; /* states that can be told from others, a set; NULL: all can */
    uint32_t alive_size, alive_count;
    uint32_t *alive_texts; /* of registers with appends: the texts that are read, sorted */
    uint32_t alive_text_count;
    bool appends;
    bool real_time;      /* set by a search whose orders contain it, before spec_prepare */
    struct taken *taken; /* of containers, then: when each value is taken out; NULL: not known */
    uint32_t taken_count;
    struct buf scratch;
    uint32_t *keys; /* of multi-registers and banks: the parts of the state, sorted */
    uint32_t key_count;
};

/* Queues and stacks with unique values, all of whose removals are known: whatever lies over or
 * behind a value for good can be told when it is put there, long before the removal that shows it.
 */
void spec_init(struct spec *spec, enum model model, const struct history *history);
void spec_free(struct spec *spec);
/* Translates operations that are to be judged together (of one key, where the model is keyed) and
 * learns which states matter to them. */
void spec_prepare(struct spec *spec, const uint32_t *ops, uint32_t count, struct spec_op *to);
uint32_t spec_initial(struct spec *spec, uint32_t key);
/* False: not possible in this state. */
bool spec_step(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next);

#endif
