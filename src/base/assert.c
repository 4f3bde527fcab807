#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void cairn_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "cairn: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

void cairn_fatal(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("cairn: fatal: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
