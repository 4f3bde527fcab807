/* A second stack for one call, which can be left in the middle and entered again: how a long
 * computation on the loop's thread lets the rest of the loop have its turn without being cut into
 * states by hand. Never two at once: a fiber runs inside fiber_run or fiber_go_on, on their
 * caller's thread.
 */
#ifndef CAIRN_BASE_FIBER_H
#define CAIRN_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;

/* The stack's size in bytes, rounded up to pages. */
struct fiber *fiber_new(size_t stack_bytes);
/* A call that was left in the middle is lost, with what it held. */
void fiber_free(struct fiber *fiber);

/* Calls run(context) on the fiber's stack. True when it returned; false when it left by
 * fiber_leave: fiber_go_on enters it again there. */
bool fiber_run(struct fiber *fiber, void (*run)(void *context), void *context);
bool fiber_go_on(struct fiber *fiber);
/* Inside run. */
void fiber_leave(struct fiber *fiber);

#endif
