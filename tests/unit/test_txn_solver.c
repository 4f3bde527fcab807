/* The acyclicity solver against every assignment of small problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "check/txn_solver.h"

#define NODES 8
#define VARS 10
#define EDGES_MAX 90

struct problem {
    uint32_t edges;
    struct {
        uint32_t from, to, literal;
    } edge[EDGES_MAX];
};

static void edge_random(struct problem *problem, struct prng *prng, uint32_t literal) {
    uint32_t from = (uint32_t)prng_below(prng, NODES);
    uint32_t to = (from + 1 + (uint32_t)prng_below(prng, NODES - 1)) % NODES;
    problem->edge[problem->edges].from = from;
    problem->edge[problem->edges].to = to;
    problem->edge[problem->edges++].literal = literal;
}

/* Of each variable, two edges or so for either side: about as many can be solved as not. */
static void problem_random(struct problem *problem, struct prng *prng) {
    problem->edges = 0;
    for (uint32_t literal = 0; literal < 2 * VARS; literal++)
        for (uint64_t n = prng_below(prng, 4); n > 0; n--)
            edge_random(problem, prng, literal);
    for (uint64_t n = prng_below(prng, 3); n > 0; n--)
        edge_random(problem, prng, LITERAL_TRUE);
}

static bool holds(uint32_t literal, uint32_t assignment) {
    return literal == LITERAL_TRUE || (assignment >> (literal / 2) & 1) != literal % 2;
}

static bool fits(const struct problem *problem, uint32_t assignment) {
    bool reach[NODES][NODES] = {{0}};
    for (uint32_t e = 0; e < problem->edges; e++)
        if (holds(problem->edge[e].literal, assignment))
            reach[problem->edge[e].from][problem->edge[e].to] = true;
    for (uint32_t m = 0; m < NODES; m++)
        for (uint32_t a = 0; a < NODES; a++)
            for (uint32_t b = 0; b < NODES; b++)
                reach[a][b] |= reach[a][m] && reach[m][b];
    for (uint32_t n = 0; n < NODES; n++)
        if (reach[n][n])
            return false;
    return true;
}

static struct solver *solver_of(const struct problem *problem) {
    struct solver *solver = solver_new(NODES, NULL);
    for (uint32_t v = 0; v < VARS; v++)
        solver_var(solver, v % NODES, (v + 1) % NODES);
    for (uint32_t e = 0; e < problem->edges; e++)
        solver_edge(solver, problem->edge[e].from, problem->edge[e].to, problem->edge[e].literal);
    return solver;
}

static void assert_solution(const struct problem *problem, const struct solver *solver) {
    uint32_t assignment = 0;
    for (uint32_t v = 0; v < VARS; v++)
        assignment |= (uint32_t)solver_value(solver, v) << v;
    assert_true(fits(problem, assignment));
    for (uint32_t e = 0; e < problem->edges; e++)
        if (holds(problem->edge[e].literal, assignment))
            assert_true(solver_place(solver, problem->edge[e].from) <
                        solver_place(solver, problem->edge[e].to));
}

static void the_solver_agrees_with_every_assignment(void **state) {
    uint32_t yes = 0, no = 0;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct problem problem;
        problem_random(&problem, &prng);
        bool solvable = false;
        for (uint32_t assignment = 0; assignment < 1u << VARS && !solvable; assignment++)
            solvable = fits(&problem, assignment);
        struct solver *solver = solver_of(&problem);
        assert_int_equal(solver_run(solver), solvable ? SOLVER_SAT : SOLVER_UNSAT);
        if (solvable)
            assert_solution(&problem, solver);
        yes += solvable;
        no += !solvable;
        solver_free(solver);
    }
    assert_true(yes > 1000 && no > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_solver_agrees_with_every_assignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
