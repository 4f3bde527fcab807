/* The world of cores: seeds hold and repeat, every rule that is broken on purpose is found by the
 * seed in the table or one soon behind it (a change of the code moves what a seed does), a found
 * schedule shrinks and plays again from its text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cores/cores.h"
#include "protocol/raft/raft.h"
#include "protocol/zab/zab.h"
#include "slice.h"

#include <stdio.h>
#include <string.h>

#define SEEDS 3000
#define SEEDS_SLICE 100
#define SEEDS_TRIED 4000
#define MUTANTS_MIN 80
#define LINES_MAX 256

static const char *table_path; /* set by main */

static const struct protocol *protocol_of(const char *name) {
    const struct protocol *const protocols[] = {&protocol_raft, &protocol_zab};
    for (size_t i = 0; i < 2; i++)
        if (strcmp(protocols[i]->name, name) == 0)
            return protocols[i];
    return NULL;
}

static struct cores_options options_of(const struct protocol *protocol, enum mutant mutant) {
    return (struct cores_options){
        .protocol = protocol, .mutant = mutant, .scheduler = CORES_SCHEDULER_COUNT};
}

static void hold(const struct protocol *protocol, uint64_t seeds) {
    struct cores_hunt hunt = {
        .options = options_of(protocol, MUTANT_NONE), .first = 1, .last = seeds};
    cores_hunt(&hunt);
    if (hunt.found)
        fail_msg("cairn sim --cores --protocol %s --seeds %llu: %s: %s", protocol->name,
                 (unsigned long long)hunt.seed, hunt.sum.broken, hunt.sum.detail);
    assert_true(hunt.sum.elections > seeds / 2 && hunt.sum.placed > 2 * seeds);
    assert_true(hunt.sum.reads > seeds / 2);
}

static void seeds_hold_in_both_protocols(void **state) {
    uint64_t seeds = slice_of(SEEDS, SEEDS_SLICE);
    hold(&protocol_raft, seeds);
    hold(&protocol_zab, seeds);
}

static const struct {
    const char *protocol;
    uint64_t seed;
} failed_once[] = {
    {"zab", 199852},   /* a full follower and its leader told each other the same without end */
    {"zab", 114253},   /* a lost hard state was settled by what an earlier life had been sent */
    {"zab", 92041206}, /* a snapshot took the place of a longer history that held its entry */
    {"raft", 271884},  /* what a full disk did not cut off is cut off under a later leader */
    {"raft", 35353},   /* it voted again with what a full disk had refused */
    {"raft", 1080381}, /* what a leader had written was lost with it, as the disk was full */
    {"raft", 2068470}, /* a leader that stood still heard that a member's disk was replaced */
    {"raft", 129167},  {"raft", 59653}, {"raft", 180},
};

static void runs_that_failed_once_hold(void **state) {
    for (size_t i = 0; i < sizeof failed_once / sizeof *failed_once; i++) {
        struct cores_hunt hunt = {.options =
                                      options_of(protocol_of(failed_once[i].protocol), MUTANT_NONE),
                                  .first = failed_once[i].seed,
                                  .last = failed_once[i].seed};
        cores_hunt(&hunt);
        if (hunt.found)
            fail_msg("cairn sim --cores --protocol %s --seeds %llu: %s: %s",
                     failed_once[i].protocol, (unsigned long long)hunt.seed, hunt.sum.broken,
                     hunt.sum.detail);
    }
}

static void the_same_seed_does_the_same(void **state) {
    struct cores_world *world = cores_world_new();
    struct cores_options options = options_of(&protocol_zab, MUTANT_NONE);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cores_result result;
        struct buf one = {0}, two = {0};
        cores_run(world, &options, seed, NULL, &one, &result);
        cores_run(world, &options, seed, NULL, &two, &result);
        assert_true(one.len > 100 && bytes_equal(buf_view(&one), buf_view(&two)));
        buf_free(&one);
        buf_free(&two);
    }
    cores_world_free(world);
}

/* ---- what is broken on purpose ---- */

struct line {
    const struct protocol *protocol;
    enum mutant mutant;
    uint64_t seed;
};

static size_t read_table(struct line *lines) {
    char protocol[16], mutant[64];
    unsigned long long seed;
    size_t count = 0;
    FILE *file = fopen(table_path, "r");
    assert_non_null(file);
    while (count < LINES_MAX && fscanf(file, "%15s %63s %llu", protocol, mutant, &seed) == 3) {
        lines[count].protocol = protocol_of(protocol);
        lines[count].seed = seed;
        if (lines[count].protocol == NULL || !mutant_find(mutant, &lines[count].mutant))
            fail_msg("cores_mutants.txt names %s of %s", mutant, protocol);
        count++;
    }
    fclose(file);
    return count;
}

static void plain_seed_holds(const struct line *line, uint64_t seed) {
    struct cores_world *world = cores_world_new();
    struct cores_options options = options_of(line->protocol, MUTANT_NONE);
    struct cores_result result;
    cores_run(world, &options, seed, NULL, NULL, &result);
    cores_world_free(world);
    if (result.broken != NULL)
        fail_msg("seed %llu fails without a mutant: %s", (unsigned long long)seed, result.broken);
}

static void each_broken_rule_is_found(void **state) {
    struct line lines[LINES_MAX];
    size_t count = read_table(lines), lost = 0;
    assert_true(count >= MUTANTS_MIN);
    for (size_t i = 0; i < slice_of(count, 2); i++) {
        struct cores_hunt hunt = {.options = options_of(lines[i].protocol, lines[i].mutant),
                                  .first = lines[i].seed,
                                  .last = lines[i].seed + SEEDS_TRIED - 1};
        cores_hunt(&hunt);
        const char *name = mutant_name(lines[i].mutant);
        if (!hunt.found) {
            print_error("%s of %s is not found any more behind seed %llu\n", name,
                        lines[i].protocol->name, (unsigned long long)lines[i].seed);
            lost++;
            continue;
        }
        print_message("%-4s %-28s seed %6llu: %s\n", lines[i].protocol->name, name,
                      (unsigned long long)hunt.seed, hunt.sum.broken);
        plain_seed_holds(&lines[i], hunt.seed);
        cores_moves_free(&hunt.moves);
    }
    assert_int_equal(lost, 0);
}

/* ---- schedules ---- */

static void a_found_schedule_shrinks_and_plays_from_its_text(void **state) {
    struct cores_hunt hunt = {
        .options = options_of(&protocol_raft, MUTANT_VOTE_TWICE), .first = 1, .last = 1000};
    cores_hunt(&hunt);
    assert_true(hunt.found);
    struct cores_world *world = cores_world_new();
    struct cores_setup setup, read;
    struct cores_moves moves = {0}, again = {0};
    struct cores_result result;
    struct buf text = {0};
    unsigned line;
    setup = hunt.setup;
    moves = hunt.moves;
    const char *broken = hunt.sum.broken;
    size_t before = moves.count;
    cores_shrink(world, &setup, &moves, 5000);
    assert_true(moves.count < before && moves.count < 60);
    cores_text_write(world, &setup, &moves, &text);
    buf_u8(&text, 0);
    assert_true(cores_text_read((const char *)text.data, protocol_of, &read, &again, &line));
    assert_int_equal(again.count, moves.count);
    assert_true(cores_replay(world, &read, &again, NULL, &result));
    assert_string_equal(result.broken, broken);
    read.mutant = MUTANT_NONE; /* and nothing but the mutant is at fault */
    assert_false(cores_replay(world, &read, &again, NULL, &result));
    cores_moves_free(&moves);
    cores_moves_free(&again);
    buf_free(&text);
    cores_world_free(world);
}

/* It reaches more than as many runs of chance, and what it finds is told by its moves. */
static void a_guided_hunt_holds_and_tells_what_it_finds(void **state) {
    struct cores_hunt hunt = {.options = options_of(&protocol_zab, MUTANT_NONE),
                              .first = 1,
                              .last = slice_of(2000, 100),
                              .guided = true};
    cores_hunt(&hunt);
    if (hunt.found)
        fail_msg("seed %llu, guided: %s", (unsigned long long)hunt.seed, hunt.sum.broken);
    assert_true(hunt.seen > 1000);
    cores_moves_free(&hunt.moves);
    hunt = (struct cores_hunt){.options = options_of(&protocol_raft, MUTANT_VOTE_TWICE),
                               .first = 1,
                               .last = 1000,
                               .guided = true};
    cores_hunt(&hunt);
    assert_true(hunt.found);
    struct cores_world *world = cores_world_new();
    struct cores_result result;
    assert_true(cores_replay(world, &hunt.setup, &hunt.moves, NULL, &result));
    assert_string_equal(result.broken, hunt.sum.broken);
    cores_moves_free(&hunt.moves);
    cores_world_free(world);
}

static void a_text_that_is_none_is_told_by_its_line(void **state) {
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {{"", 0},
               {"> deliver 1 2 0\n", 1},
               {"> group paxos voters=3 learners=0 spare=0 seed=1 small=0\n", 1},
               {"> group raft voters=9 learners=0 spare=0 seed=1 small=0\n", 1},
               {"> group raft voters=3 learners=-1 spare=0 seed=1 small=0\n", 1},
               {"> group raft voters=3 learners=0 spare=0 seed=1 small=0\n\n> deliver 1 2\n", 3},
               {"> group raft voters=3 learners=0 spare=0 seed=1 small=0\n> jump 1\n", 2},
               {"> group raft voters=3 learners=0 spare=0 seed=1 small=0\n"
                "> node 9 leases=1 clock=0 election=150\n",
                2},
               {"> group raft voters=3 learners=0 spare=0 seed=1 small=0 mutant=none-such\n", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cores_setup setup;
        struct cores_moves moves = {0};
        unsigned line;
        assert_false(cores_text_read(bad[i].text, protocol_of, &setup, &moves, &line));
        assert_int_equal(line, bad[i].line);
        cores_moves_free(&moves);
    }
}

/* Any move at any time is either done or passed over. */
static void any_list_of_moves_can_be_played(void **state) {
    struct cores_world *world = cores_world_new();
    struct cores_options options = options_of(&protocol_raft, MUTANT_NONE);
    struct prng prng;
    prng_seed(&prng, 5);
    for (uint64_t seed = 1; seed <= slice_of(200, 20); seed++) {
        struct cores_setup setup;
        struct cores_moves moves = {0};
        struct cores_result result;
        options.protocol = seed % 2 ? &protocol_raft : &protocol_zab;
        cores_draw(&options, seed, &setup);
        for (int i = 0; i < 300; i++)
            cores_moves_add(&moves,
                            (struct cores_move){(uint8_t)prng_below(&prng, CORES_MOVE_COUNT),
                                                (uint8_t)prng_below(&prng, 10),
                                                (uint8_t)prng_below(&prng, 10),
                                                (uint8_t)prng_below(&prng, 256)});
        if (cores_replay(world, &setup, &moves, NULL, &result))
            fail_msg("seed %llu: %s: %s", (unsigned long long)seed, result.broken, result.detail);
        cores_moves_free(&moves);
    }
    cores_world_free(world);
}

int main(int argc, char **argv) {
    table_path = argc > 1 ? argv[1] : "tests/sim/cores_mutants.txt";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_hold_in_both_protocols),
        cmocka_unit_test(runs_that_failed_once_hold),
        cmocka_unit_test(the_same_seed_does_the_same),
        cmocka_unit_test(each_broken_rule_is_found),
        cmocka_unit_test(a_found_schedule_shrinks_and_plays_from_its_text),
        cmocka_unit_test(a_guided_hunt_holds_and_tells_what_it_finds),
        cmocka_unit_test(a_text_that_is_none_is_told_by_its_line),
        cmocka_unit_test(any_list_of_moves_can_be_played),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
