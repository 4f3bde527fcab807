/* What spec.c, spec_step.c and spec_parts.c share. */
#ifndef CAIRN_CHECK_SPEC_INTERNAL_H
#define CAIRN_CHECK_SPEC_INTERNAL_H

#include "check/spec.h"

uint32_t spec_value(struct spec *spec, uint32_t id); /* of the history -> of the pool */
void spec_live(struct spec *spec, uint32_t state);
uint32_t spec_alive(const struct spec *spec, uint32_t state); /* the state, or SPEC_DEAD */
/* spec_step.c: what an ADD adds: 1 unless it says */
int64_t spec_amount(const struct spec *spec, const struct spec_op *op);
uint32_t spec_chain(struct spec *spec, uint32_t chain, uint32_t element);

/* spec_taken.c: queues and stacks */
void spec_learn_taken(struct spec *spec, const uint32_t *ops, const struct spec_op *to,
                      uint32_t count);
/* May `value` be put behind (queue) or over (stack) what the container holds? */
bool spec_may_put(const struct spec *spec, uint32_t state, uint32_t value);

/* spec_parts.c: objects of several parts, multi-registers and banks. A state is the list of the
 * parts' values, in the order of spec->keys. */
void spec_keys_of_txns(struct spec *spec);
void spec_keys_of_bank(struct spec *spec);
uint32_t spec_initial_parts(struct spec *spec);
void spec_translate_txn(struct spec *spec, const struct op *op, struct spec_op *to);
void spec_translate_transfer(struct spec *spec, const struct op *op, struct spec_op *to);
uint32_t spec_balances(struct spec *spec, uint32_t id);
bool spec_step_txn(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next);
bool spec_step_bank(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next);

#endif
