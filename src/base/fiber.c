#include "base/fiber.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdint.h>
#include <string.h>

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
    void *own, *caller; /* stack pointers of the side that is not running */
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

#if defined(__x86_64__) || defined(__aarch64__)

/* Saves what a call must leave alone on the present stack, notes where in *save, and goes on with
 * what was saved at `load`. */
void cairn_fiber_switch(void **save, void *load);
void cairn_fiber_entry(void);
void cairn_fiber_main(struct fiber *fiber);

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl cairn_fiber_switch\n"
        ".hidden cairn_fiber_switch\n"
        ".type cairn_fiber_switch, @function\n"
        "cairn_fiber_switch:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size cairn_fiber_switch, . - cairn_fiber_switch\n"
        ".globl cairn_fiber_entry\n"
        ".hidden cairn_fiber_entry\n"
        ".type cairn_fiber_entry, @function\n"
        "cairn_fiber_entry:\n"
        "    .cfi_startproc\n    .cfi_undefined rip\n"
        "    movq %r12, %rdi\n"
        "    call cairn_fiber_main\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        ".size cairn_fiber_entry, . - cairn_fiber_entry\n");

#define SAVED_WORDS 7 /* six registers and where to return to */

static void *first_frame(struct fiber *fiber) {
    /* cairn_fiber_entry begins at the top, a multiple of 16, as a call wants it. */
    uintptr_t top = ((uintptr_t)fiber->stack + fiber->bytes) & ~(uintptr_t)15;
    uint64_t *frame = (uint64_t *)top - SAVED_WORDS;
    memset(frame, 0, SAVED_WORDS * sizeof *frame);
    frame[3] = (uintptr_t)fiber; /* r12 */
    frame[6] = (uintptr_t)cairn_fiber_entry;
    return frame;
}
#else
__asm__(".text\n"
        ".globl cairn_fiber_switch\n"
        ".hidden cairn_fiber_switch\n"
        ".type cairn_fiber_switch, %function\n"
        "cairn_fiber_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size cairn_fiber_switch, . - cairn_fiber_switch\n"
        ".globl cairn_fiber_entry\n"
        ".hidden cairn_fiber_entry\n"
        ".type cairn_fiber_entry, %function\n"
        "cairn_fiber_entry:\n"
        "    mov x0, x19\n"
        "    bl cairn_fiber_main\n"
        "    brk #1\n"
        ".size cairn_fiber_entry, . - cairn_fiber_entry\n");

#define SAVED_WORDS 20

static void *first_frame(struct fiber *fiber) {
    uintptr_t top = ((uintptr_t)fiber->stack + fiber->bytes) & ~(uintptr_t)15;
    uint64_t *frame = (uint64_t *)top - SAVED_WORDS;
    memset(frame, 0, SAVED_WORDS * sizeof *frame);
    frame[0] = (uintptr_t)fiber;              /* x19 */
    frame[11] = (uintptr_t)cairn_fiber_entry; /* x30 */
    return frame;
}
#endif

static void enter(struct fiber *fiber) {
#ifdef FIBER_TSAN
    fiber->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->own_tsan, 0);
#endif
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->caller_fake, fiber->stack, fiber->bytes);
#endif
    cairn_fiber_switch(&fiber->caller, fiber->own);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->caller_fake, NULL, NULL);
#endif
}

/* last: the fiber's stack is not entered again at this place. */
static void leave(struct fiber *fiber, bool last) {
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->caller_tsan, 0);
#endif
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &fiber->own_fake, fiber->caller_bottom,
                                   fiber->caller_bytes);
#endif
    cairn_fiber_switch(&fiber->own, fiber->caller);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->own_fake, &fiber->caller_bottom, &fiber->caller_bytes);
#endif
}

void cairn_fiber_main(struct fiber *fiber) {
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &fiber->caller_bottom, &fiber->caller_bytes);
#endif
    fiber->run(fiber->context);
    fiber->under_way = false;
    leave(fiber, true);
    cairn_fatal("a fiber was entered behind its end");
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
    return fiber;
}

void fiber_free(struct fiber *fiber) {
    if (fiber == NULL)
        return;
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->own_tsan);
#endif
    cairn_free(fiber->stack);
    cairn_free(fiber);
}

bool fiber_go_on(struct fiber *fiber) {
    cairn_assert(fiber->under_way);
    enter(fiber);
    check_guard(fiber);
    return !fiber->under_way;
}

bool fiber_run(struct fiber *fiber, void (*run)(void *context), void *context) {
    cairn_assert(!fiber->under_way);
    fiber->run = run;
    fiber->context = context;
    fiber->own = first_frame(fiber);
    fiber->under_way = true;
    return fiber_go_on(fiber);
}

void fiber_leave(struct fiber *fiber) {
    cairn_assert(fiber->under_way);
    leave(fiber, false);
}

#else

struct fiber *fiber_new(size_t stack_bytes) {
    return cairn_alloc_zero(sizeof(struct fiber));
}

void fiber_free(struct fiber *fiber) {
    cairn_free(fiber);
}

bool fiber_run(struct fiber *fiber, void (*run)(void *context), void *context) {
    run(context);
    return true;
}

bool fiber_go_on(struct fiber *fiber) {
    return true;
}

void fiber_leave(struct fiber *fiber) {}

#endif
