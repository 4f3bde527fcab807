/* What the sources of the spec share. */
#ifndef CAIRN_CHECK_SPEC_INTERNAL_H
#define CAIRN_CHECK_SPEC_INTERNAL_H

#include "check/spec.h"

uint32_t spec_value(struct spec *spec, uint32_t id); /* of the history -> of the pool */
void spec_live(struct spec *spec, uint32_t state);
uint32_t spec_alive(const struct spec *spec, uint32_t state); /* the state, or SPEC_DEAD */
/* spec_step.c: what an ADD adds: 1 unless it says */
int64_t spec_amount(const struct spec *spec, const struct spec_op *op);
/* spec.c: lists as chains */
uint32_t spec_chain(struct spec *spec, uint32_t chain, uint32_t element);
uint32_t spec_chain_length(const struct spec *spec, uint32_t chain);
/* spec_step.c: a sorted list with one item more, and without one */
uint32_t spec_with(struct spec *spec, uint32_t list, uint32_t at, uint32_t item);
uint32_t spec_without(struct spec *spec, uint32_t list, uint32_t at);
/* Where the item is, or has to be. */
uint32_t spec_place(const struct spec *spec, uint32_t list, uint32_t item, bool *there);

/* spec_taken.c: queues and stacks */
void spec_learn_taken(struct spec *spec, const uint32_t *ops, const struct spec_op *to,
                      uint32_t count);
/* May `value` be put behind (queue) or over (stack) what the container holds? */
bool spec_may_put(const struct spec *spec, uint32_t state, uint32_t value);

/* spec_locks.c: mutexes and semaphores. A translated operation has its holder, as a state, in `a`,
 * the number of permits in `b`, the token in `out`. */
bool spec_is_lock(enum model model);
void spec_translate_lock(struct spec *spec, const struct op *op, struct spec_op *to);
uint32_t spec_initial_lock(struct spec *spec, uint32_t initial);
bool spec_step_lock(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next);

/* spec_bag.c: unordered queues */
void spec_translate_bag(struct spec *spec, uint32_t number, struct spec_op *to);
uint32_t spec_initial_bag(struct spec *spec, uint32_t initial);
bool spec_step_bag(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next);

/* A field of a map of the history; VALUE_NONE: there is none. */
uint32_t spec_field(const struct spec *spec, uint32_t map, const char *name);

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
