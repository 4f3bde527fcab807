/* Seeded bugs that random seeds find within seconds: each is found at or soon behind the seed in
 * the table (a change of the code moves what a seed does), and that seed finds nothing without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"
#include "slice.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS_TRIED 150
#define MUTANTS_MIN 60

struct line {
    enum mutant mutant;
    uint64_t seed;
};

static const char *table_path; /* set by main */

static size_t read_table(struct line *lines, size_t max) {
    char name[64];
    unsigned long long seed;
    size_t count = 0;
    FILE *file = fopen(table_path, "r");
    assert_non_null(file);
    while (count < max && fscanf(file, "%63s %llu", name, &seed) == 2) {
        if (!mutant_find(name, &lines[count].mutant))
            fail_msg("mutants.txt names %s, which does not exist", name);
        lines[count++].seed = seed;
    }
    fclose(file);
    return count;
}

static void each_mutant_is_found_and_only_it(void **state) {
    struct line lines[MUTANT_COUNT];
    size_t count = read_table(lines, MUTANT_COUNT);
    assert_true(count >= MUTANTS_MIN);
    count = slice_of(count, 2);
    size_t lost = 0;
    for (size_t i = 0; i < count; i++) {
        struct sim_hunt hunt = {.options = {.mutant = lines[i].mutant},
                                .first = lines[i].seed,
                                .last = lines[i].seed + SEEDS_TRIED - 1};
        struct sim_result result;
        sim_hunt(&hunt);
        if (hunt.ok) {
            print_error("%s is not found any more by seeds %llu to %llu\n",
                        mutant_name(lines[i].mutant), (unsigned long long)hunt.first,
                        (unsigned long long)hunt.last);
            lost++;
            continue;
        }
        print_message("%-24s seed %4llu: %.90s\n", mutant_name(lines[i].mutant),
                      (unsigned long long)hunt.failed_seed, hunt.sum.reason);
        struct sim_options plain = {
            .seed = hunt.failed_seed, .machine = hunt.sum.machine, .protocol = hunt.sum.protocol};
        sim_run(&plain, &result);
        if (!result.ok)
            fail_msg("seed %llu fails without a mutant: %s", (unsigned long long)plain.seed,
                     result.reason);
    }
    assert_int_equal(lost, 0);
}

int main(int argc, char **argv) {
    table_path = argc > 1 ? argv[1] : "tests/sim/mutants.txt";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mutant_is_found_and_only_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
