#include "base/alloc.h"

#include "base/assert.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *cairn_alloc(size_t size) {
    void *pointer = malloc(size ? size : 1);
    if (pointer == NULL)
        cairn_fatal("out of memory: %zu bytes wanted", size);
    return pointer;
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
    return pointer;
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
