/* Under the sanitizers everything is several times slower: CAIRN_TEST_SLICE=1 (tools/run_tests.py)
 * runs a part of the seeds there, and says so. */
#ifndef CAIRN_TESTS_SLICE_H
#define CAIRN_TESTS_SLICE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t slice_of(uint64_t whole, uint64_t slice) {
    if (getenv("CAIRN_TEST_SLICE") == NULL)
        return whole;
    printf("a slice: %llu of %llu\n", (unsigned long long)slice, (unsigned long long)whole);
    return slice;
}

#endif
