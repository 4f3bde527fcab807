/* Allocation that cannot fail: running out of memory is fatal with a message. Everything that an
 * outside party can make grow has a limit of its own, checked before it comes here.
 */
#ifndef CAIRN_BASE_ALLOC_H
#define CAIRN_BASE_ALLOC_H

#include <stddef.h>

/* Never NULL. size 0 returns a pointer that may be passed to cairn_free. */
void *cairn_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *cairn_alloc_zero(size_t size) __attribute__((malloc, returns_nonnull));
/* Every bit is set: numbers that stand for none. */
void *cairn_alloc_ones(size_t size) __attribute__((malloc, returns_nonnull));
void *cairn_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *cairn_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void cairn_free(void *pointer);

/* What the allocator really reserves for this pointer, in bytes. */
size_t cairn_alloc_size(const void *pointer);

/* Memory of its own mapping, zeroed, by whole pages: it grows without being copied, and goes back
 * to the kernel when it is freed. Grown memory may be elsewhere. */
void *cairn_map(size_t size) __attribute__((malloc, returns_nonnull));
void *cairn_map_grow(void *old, size_t old_size, size_t size) __attribute__((returns_nonnull));
void cairn_unmap(void *pointer, size_t size);

#endif
