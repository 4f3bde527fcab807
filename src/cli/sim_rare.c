#include "cli/sim_rare.h"

#include <inttypes.h>
#include <stdio.h>

void sim_rare_print(const uint64_t *hits) {
    unsigned missed = 0;
    printf("rare branches taken:\n");
    for (int point = 0; point < RARE_COUNT; point++) {
        missed += hits[point] == 0;
        if (hits[point] > 0)
            printf("  %-24s %10" PRIu64 "  %s\n", rare_name((enum rare_point)point), hits[point],
                   rare_text((enum rare_point)point));
    }
    printf("never taken, of %d:", RARE_COUNT);
    for (int point = 0; point < RARE_COUNT; point++)
        if (hits[point] == 0)
            printf(" %s", rare_name((enum rare_point)point));
    printf("%s\n", missed == 0 ? " none" : "");
}
