/* Assertions: a broken invariant of our own. On in every build. None may be reachable from a byte
 * that came from outside; those are statuses (base/status.h).
 */
#ifndef CAIRN_BASE_ASSERT_H
#define CAIRN_BASE_ASSERT_H

#define cairn_assert(condition)                                                              \
    (__builtin_expect(!(condition), 0) ? cairn_assert_failed(#condition, __FILE__, __LINE__) \
                                       : (void)0)

/* Prints where and what to standard error and aborts. */
_Noreturn void cairn_assert_failed(const char *condition, const char *file, int line);

/* Prints a message to standard error and aborts: for what cannot be gone on from although it is no
 * bug of ours, such as a failed allocation. */
_Noreturn void cairn_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
