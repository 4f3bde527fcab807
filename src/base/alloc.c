#include "base/alloc.h"

#include "base/assert.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Read by jemalloc, where it is the allocator, and only when the linker exports it. By default it
 * gives memory of large objects back to the kernel at once, to fetch it anew, page by page, for the
 * next copy. Other idle memory goes back after half a second: what a client that was closed made
 * this process hold must not lie beside what the next one does. */
#define EXPORTED __attribute__((visibility("default")))
extern EXPORTED const char *malloc_conf;
EXPORTED const char *malloc_conf = "oversize_threshold:0,dirty_decay_ms:500,background_thread:true";

#define LARGE_BYTES (4u << 20)
#define HUGE_PAGE ((uintptr_t)2 << 20)

/* Large objects (tables, a judge's arrays) are soon touched as a whole: with huge pages the kernel
 * is asked once for 2 MiB. Buffers, which are filled as bytes come, are mappings (cairn_map). */
static void *use_huge_pages(void *pointer, size_t size) {
    uintptr_t first = ((uintptr_t)pointer + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)pointer + size) & ~(HUGE_PAGE - 1);
    if (size >= LARGE_BYTES && first < end)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
    return pointer;
}

void *cairn_alloc(size_t size) {
    void *pointer = malloc(size ? size : 1);
    if (pointer == NULL)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return use_huge_pages(pointer, size);
}

void *cairn_alloc_zero(size_t size) {
    void *pointer = calloc(1, size ? size : 1);
    if (pointer == NULL)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return pointer;
}

void *cairn_realloc(void *old, size_t size) {
    void *pointer = realloc(old, size ? size : 1);
    if (pointer == NULL)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return use_huge_pages(pointer, size);
}

void *cairn_map(size_t size) {
    void *pointer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pointer == MAP_FAILED)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return pointer;
}

void *cairn_map_grow(void *old, size_t old_size, size_t size) {
    void *pointer = mremap(old, old_size, size, MREMAP_MAYMOVE);
    if (pointer == MAP_FAILED)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return pointer;
}

void cairn_unmap(void *pointer, size_t size) {
    munmap(pointer, size);
}

void *cairn_alloc_ones(size_t size) {
    return memset(cairn_alloc(size), 0xff, size);
}

char *cairn_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(cairn_alloc(size), text, size);
}

void cairn_free(void *pointer) {
    free(pointer);
}

size_t cairn_alloc_size(const void *pointer) {
    return malloc_usable_size((void *)(size_t)pointer);
}
