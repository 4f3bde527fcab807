/* Stacks are made by makecontext, and changed by _setjmp and _longjmp: unlike swapcontext these
 * make no system call, and every applied entry runs on such a stack. */
#undef _FORTIFY_SOURCE /* its longjmp takes another stack for a mistake */
#include "base/fiber.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Below the stack's end: found changed when a call needed more. */
#define GUARD 0x6361697266696265ull
#define GUARD_WORDS 8

struct fiber {
    uint8_t *stack;
    size_t bytes;
    jmp_buf own, caller; /* where the side that is not running goes on */
    void (*run)(void *context);
    void *context;
    bool under_way;
#ifdef FIBER_ASAN
    void *own_fake, *caller_fake;
    const void *caller_bottom;
    size_t caller_bytes;
#endif
#ifdef FIBER_TSAN
    void *own_tsan, *caller_tsan;
#endif
};

/* Where the side that leaves goes on when it is entered again; first: its stack has not run yet. */
static void change_stacks(jmp_buf leave, jmp_buf enter, const ucontext_t *first) {
    if (_setjmp(leave) != 0)
        return;
    if (first == NULL)
        _longjmp(enter, 1);
    setcontext(first);
    cairn_fatal("the stack of a fiber can not be entered");
}

/* The sanitizers are told of each change: before it by the side that leaves, behind it by the side
 * that goes on. */
static void enter(struct fiber *fiber, const ucontext_t *first) {
#ifdef FIBER_TSAN
    fiber->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->own_tsan, 0);
#endif
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->caller_fake, fiber->stack, fiber->bytes);
#endif
    change_stacks(fiber->caller, fiber->own, first);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->caller_fake, NULL, NULL);
#endif
}

static void entered(struct fiber *fiber) {
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->own_fake, &fiber->caller_bottom, &fiber->caller_bytes);
#endif
}

/* last: the stack is not entered again. */
static void leave(struct fiber *fiber, bool last) {
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->caller_tsan, 0);
#endif
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &fiber->own_fake, fiber->caller_bottom,
                                   fiber->caller_bytes);
#endif
    change_stacks(fiber->own, fiber->caller, NULL);
    cairn_assert(!last);
    entered(fiber);
}

/* What runs on the fiber's stack: one call after the other, until there is none (fiber_free).
 * makecontext hands over ints, so the pointer comes in halves. */
static void calls(unsigned high, unsigned low) {
    struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low);
    entered(fiber);
    leave(fiber, false);
    while (fiber->run != NULL) {
        fiber->run(fiber->context);
        fiber->run = NULL;
        fiber->under_way = false;
        leave(fiber, false);
    }
    leave(fiber, true);
}

static void check_guard(const struct fiber *fiber) {
    uint64_t words[GUARD_WORDS];
    memcpy(words, fiber->stack, sizeof words);
    for (size_t i = 0; i < GUARD_WORDS; i++)
        cairn_assert(words[i] == GUARD);
}

struct fiber *fiber_new(size_t stack_bytes) {
    struct fiber *fiber = cairn_alloc_zero(sizeof *fiber);
    fiber->bytes = (stack_bytes + 4095) & ~(size_t)4095;
    fiber->stack = cairn_alloc(fiber->bytes);
    uint64_t guard = GUARD;
    for (size_t i = 0; i < GUARD_WORDS; i++)
        memcpy(fiber->stack + i * sizeof guard, &guard, sizeof guard);
#ifdef FIBER_TSAN
    fiber->own_tsan = __tsan_create_fiber(0);
#endif
    ucontext_t first;
    if (getcontext(&first) != 0)
        cairn_fatal("a fiber can not be made");
    first.uc_stack.ss_sp = fiber->stack;
    first.uc_stack.ss_size = fiber->bytes;
    first.uc_link = NULL;
    makecontext(&first, (void (*)(void))calls, 2, (unsigned)((uintptr_t)fiber >> 32),
                (unsigned)(uintptr_t)fiber);
    enter(fiber, &first);
    return fiber;
}

void fiber_free(struct fiber *fiber) {
    if (fiber == NULL)
        return;
    if (!fiber->under_way)
        enter(fiber, NULL); /* its end: the sanitizer frees what it keeps beside a stack */
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->own_tsan);
#endif
    cairn_free(fiber->stack);
    cairn_free(fiber);
}

bool fiber_go_on(struct fiber *fiber) {
    cairn_assert(fiber->under_way);
    enter(fiber, NULL);
    check_guard(fiber);
    return !fiber->under_way;
}

bool fiber_run(struct fiber *fiber, void (*run)(void *context), void *context) {
    cairn_assert(!fiber->under_way);
    fiber->run = run;
    fiber->context = context;
    fiber->under_way = true;
    return fiber_go_on(fiber);
}

void fiber_leave(struct fiber *fiber) {
    cairn_assert(fiber->under_way);
    leave(fiber, false);
}
