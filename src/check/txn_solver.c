#include "check/txn_solver.h"

#include "check/txn_dag.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define NONE UINT32_MAX
#define RESTART_AFTER 100u

enum { UNSET, TRUE, FALSE };

struct variable {
    uint32_t from, to; /* for guessing */
    uint32_t level;
    uint32_t reason; /* the clause that set it; NONE: a guess */
    uint32_t heap;   /* place in the heap; NONE: not there */
    double activity;
    uint8_t value;
    bool seen;
};
struct lit_edge {
    uint32_t from, to, next; /* of the same literal */
};

struct solver {
    struct limits *limits;
    struct dag dag;
    struct variable *vars;
    uint32_t var_count, var_cap;
    uint32_t *lit_edges, *watches; /* by literal: first edge; first watching clause place */
    uint32_t lit_cap;
    struct lit_edge *edges;
    uint32_t edge_count, edge_cap;
    /* A clause at c: count, next of watch 0, next of watch 1, literals; the first two are watched.
     */
    uint32_t *clauses;
    uint32_t clause_len, clause_cap;
    uint32_t *trail, *edges_before; /* literals set; edges in the dag before each was */
    uint32_t trail_count, trail_done;
    uint32_t *levels; /* where in the trail each level starts; levels[0] is the first guess */
    uint32_t level;
    uint32_t *heap;
    uint32_t heap_count;
    double bump;
    uint32_t *learnt, *conflict;
    uint32_t learnt_count, conflict_count;
    bool unsat;
};

static void grow(void *array, uint32_t *cap, uint32_t need, size_t size) {
    if (need <= *cap)
        return;
    while (*cap < need)
        *cap = *cap ? *cap * 2 : 64;
    void **at = array;
    *at = cairn_realloc(*at, (size_t)*cap * size);
}

static uint32_t value_of(const struct solver *solver, uint32_t literal) {
    uint8_t value = solver->vars[literal / 2].value;
    return value == UNSET || literal % 2 == 0 ? value : value == TRUE ? FALSE : TRUE;
}

struct solver *solver_new(uint32_t node_count, struct limits *limits) {
    struct solver *solver = cairn_alloc_zero(sizeof *solver);
    solver->limits = limits;
    solver->bump = 1;
    dag_init(&solver->dag, node_count);
    return solver;
}

void solver_free(struct solver *solver) {
    dag_free(&solver->dag);
    cairn_free(solver->vars);
    cairn_free(solver->lit_edges);
    cairn_free(solver->watches);
    cairn_free(solver->edges);
    cairn_free(solver->clauses);
    cairn_free(solver->trail);
    cairn_free(solver->edges_before);
    cairn_free(solver->levels);
    cairn_free(solver->heap);
    cairn_free(solver->learnt);
    cairn_free(solver->conflict);
    cairn_free(solver);
}

void solver_start(struct solver *solver, const uint32_t *order) {
    cairn_assert(solver->dag.edge_count == 0);
    dag_order(&solver->dag, order);
}

/* ---- the heap of variables by activity ---- */

static bool above(const struct solver *solver, uint32_t a, uint32_t b) {
    const struct variable *vars = solver->vars;
    return vars[a].activity > vars[b].activity || (vars[a].activity >= vars[b].activity && a < b);
}

static void heap_set(struct solver *solver, uint32_t place, uint32_t var) {
    solver->heap[place] = var;
    solver->vars[var].heap = place;
}

static void heap_up(struct solver *solver, uint32_t place) {
    uint32_t var = solver->heap[place];
    for (; place > 0 && above(solver, var, solver->heap[(place - 1) / 2]); place = (place - 1) / 2)
        heap_set(solver, place, solver->heap[(place - 1) / 2]);
    heap_set(solver, place, var);
}

static void heap_down(struct solver *solver, uint32_t place) {
    uint32_t var = solver->heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= solver->heap_count)
            break;
        if (child + 1 < solver->heap_count &&
            above(solver, solver->heap[child + 1], solver->heap[child]))
            child++;
        if (!above(solver, solver->heap[child], var))
            break;
        heap_set(solver, place, solver->heap[child]);
        place = child;
    }
    heap_set(solver, place, var);
}

static void heap_insert(struct solver *solver, uint32_t var) {
    if (solver->vars[var].heap != NONE)
        return;
    heap_set(solver, solver->heap_count++, var);
    heap_up(solver, solver->heap_count - 1);
}

static uint32_t heap_take(struct solver *solver) {
    uint32_t var = solver->heap[0];
    solver->vars[var].heap = NONE;
    uint32_t last = solver->heap[--solver->heap_count];
    if (solver->heap_count > 0) {
        heap_set(solver, 0, last);
        heap_down(solver, 0);
    }
    return var;
}

/* ---- input, and learnt clauses ---- */

uint32_t solver_var(struct solver *solver, uint32_t from, uint32_t to) {
    uint32_t var = solver->var_count++;
    grow(&solver->vars, &solver->var_cap, solver->var_count, sizeof *solver->vars);
    solver->vars[var] = (struct variable){.from = from, .to = to, .heap = NONE, .reason = NONE};
    uint32_t cap = solver->lit_cap;
    grow(&solver->lit_edges, &cap, 2 * solver->var_count, sizeof(uint32_t));
    grow(&solver->watches, &solver->lit_cap, 2 * solver->var_count, sizeof(uint32_t));
    solver->lit_edges[2 * var] = solver->lit_edges[2 * var + 1] = NONE;
    solver->watches[2 * var] = solver->watches[2 * var + 1] = NONE;
    return var;
}

void solver_edge(struct solver *solver, uint32_t from, uint32_t to, uint32_t literal) {
    if (literal == LITERAL_TRUE) {
        const uint32_t *cycle;
        uint32_t count;
        if (!dag_add(&solver->dag, from, to, LITERAL_TRUE, &cycle, &count))
            solver->unsat = true;
        return;
    }
    grow(&solver->edges, &solver->edge_cap, solver->edge_count + 1, sizeof *solver->edges);
    solver->edges[solver->edge_count] = (struct lit_edge){from, to, solver->lit_edges[literal]};
    solver->lit_edges[literal] = solver->edge_count++;
}

static uint32_t clause_new(struct solver *solver, const uint32_t *literals, uint32_t count) {
    uint32_t clause = solver->clause_len;
    grow(&solver->clauses, &solver->clause_cap, clause + 3 + count, sizeof(uint32_t));
    solver->clause_len += 3 + count;
    uint32_t *at = solver->clauses + clause;
    at[0] = count;
    memcpy(at + 3, literals, count * sizeof *literals);
    for (uint32_t w = 0; w < 2 && count >= 2; w++) {
        at[1 + w] = solver->watches[literals[w]];
        solver->watches[literals[w]] = clause;
    }
    return clause;
}

/* ---- setting and unsetting ---- */

static void explain_cycle(struct solver *solver, uint32_t literal, const uint32_t *cycle,
                          uint32_t count) {
    solver->conflict_count = 0;
    solver->conflict[solver->conflict_count++] = literal ^ 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag = solver->dag.edges[cycle[i]].tag;
        bool had = tag == LITERAL_TRUE;
        for (uint32_t k = 0; k < solver->conflict_count && !had; k++)
            had = solver->conflict[k] == (tag ^ 1);
        if (!had)
            solver->conflict[solver->conflict_count++] = tag ^ 1;
    }
}

/* False: its edges close a cycle; `conflict` is a clause of false literals. */
static bool set(struct solver *solver, uint32_t literal, uint32_t reason) {
    struct variable *var = &solver->vars[literal / 2];
    cairn_assert(var->value == UNSET);
    var->value = literal % 2 == 0 ? TRUE : FALSE;
    var->reason = reason;
    var->level = solver->level;
    solver->edges_before[solver->trail_count] = solver->dag.edge_count;
    solver->trail[solver->trail_count++] = literal;
    for (uint32_t e = solver->lit_edges[literal]; e != NONE; e = solver->edges[e].next) {
        const uint32_t *cycle;
        uint32_t count;
        const struct lit_edge *edge = &solver->edges[e];
        if (!dag_add(&solver->dag, edge->from, edge->to, literal, &cycle, &count)) {
            explain_cycle(solver, literal, cycle, count);
            return false;
        }
    }
    return true;
}

static void undo(struct solver *solver, uint32_t level) {
    if (solver->level <= level)
        return;
    uint32_t keep = solver->levels[level];
    dag_cut(&solver->dag, solver->edges_before[keep]);
    for (uint32_t i = solver->trail_count; i-- > keep;) {
        solver->vars[solver->trail[i] / 2].value = UNSET;
        heap_insert(solver, solver->trail[i] / 2);
    }
    solver->trail_count = solver->trail_done = keep;
    solver->level = level;
}

/* ---- propagation ---- */

static void conflict_is(struct solver *solver, uint32_t clause) {
    const uint32_t *at = solver->clauses + clause;
    solver->conflict_count = at[0];
    memcpy(solver->conflict, at + 3, at[0] * sizeof *at);
}

/* The clause watches `literal`, which has become false. Finds another to watch (true: moved), else
 * the other watched one must hold. */
static bool move_watch(struct solver *solver, uint32_t clause, uint32_t which) {
    uint32_t *at = solver->clauses + clause;
    for (uint32_t i = 2; i < at[0]; i++) {
        uint32_t other = at[3 + i];
        if (value_of(solver, other) == FALSE)
            continue;
        at[3 + i] = at[3 + which];
        at[3 + which] = other;
        at[1 + which] = solver->watches[other];
        solver->watches[other] = clause;
        return true;
    }
    return false;
}

static bool visit(struct solver *solver, uint32_t literal) {
    uint32_t clause = solver->watches[literal], kept = NONE;
    solver->watches[literal] = NONE;
    bool fine = true;
    while (clause != NONE) {
        uint32_t *at = solver->clauses + clause;
        uint32_t which = at[3] == literal ? 0 : 1, next = at[1 + which];
        uint32_t other = at[3 + 1 - which];
        bool holds = value_of(solver, other) == TRUE;
        if (!fine || holds || !move_watch(solver, clause, which)) {
            at[1 + which] = kept;
            kept = clause;
            if (fine && !holds && value_of(solver, other) == FALSE) {
                conflict_is(solver, clause);
                fine = false;
            } else if (fine && !holds) {
                fine = set(solver, other, clause);
            }
        }
        clause = next;
    }
    cairn_assert(solver->watches[literal] == NONE);
    solver->watches[literal] = kept;
    return fine;
}

static bool propagate(struct solver *solver) {
    while (solver->trail_done < solver->trail_count)
        if (!visit(solver, solver->trail[solver->trail_done++] ^ 1))
            return false;
    return true;
}

/* ---- learning ---- */

static void bump(struct solver *solver, uint32_t var) {
    solver->vars[var].activity += solver->bump;
    if (solver->vars[var].activity > 1e100) {
        for (uint32_t v = 0; v < solver->var_count; v++)
            solver->vars[v].activity *= 1e-100;
        solver->bump *= 1e-100;
    }
    if (solver->vars[var].heap != NONE)
        heap_up(solver, solver->vars[var].heap);
}

/* Counts in the literals of a clause, but `but`; how many of this level were new. */
static uint32_t count_in(struct solver *solver, const uint32_t *literals, uint32_t count,
                         uint32_t but) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct variable *var = &solver->vars[literals[i] / 2];
        if (literals[i] == but || var->seen || var->level == 0)
            continue;
        var->seen = true;
        bump(solver, literals[i] / 2);
        if (var->level == solver->level)
            open++;
        else
            solver->learnt[solver->learnt_count++] = literals[i];
    }
    return open;
}

/* A cycle or a clause may be false by guesses of earlier levels only: go back there first. */
static void go_back_to_conflict(struct solver *solver) {
    uint32_t level = 0;
    for (uint32_t i = 0; i < solver->conflict_count; i++)
        if (solver->vars[solver->conflict[i] / 2].level > level)
            level = solver->vars[solver->conflict[i] / 2].level;
    undo(solver, level);
}

/* The first literal that all of this level's part of the conflict follows from, and what of earlier
 * levels it needs, make the learnt clause. The level to go back to is returned. */
static uint32_t analyse(struct solver *solver) {
    solver->learnt_count = 1;
    uint32_t open = count_in(solver, solver->conflict, solver->conflict_count, NONE);
    uint32_t at = solver->trail_count, literal;
    for (;;) {
        do
            literal = solver->trail[--at];
        while (!solver->vars[literal / 2].seen);
        solver->vars[literal / 2].seen = false;
        if (--open == 0)
            break;
        uint32_t *clause = solver->clauses + solver->vars[literal / 2].reason;
        open += count_in(solver, clause + 3, clause[0], literal);
    }
    solver->learnt[0] = literal ^ 1;
    uint32_t back = 0, second = 1;
    for (uint32_t i = 1; i < solver->learnt_count; i++) {
        struct variable *var = &solver->vars[solver->learnt[i] / 2];
        var->seen = false;
        if (var->level > back) {
            back = var->level;
            second = i;
        }
    }
    if (solver->learnt_count > 1) {
        uint32_t swap = solver->learnt[1];
        solver->learnt[1] = solver->learnt[second];
        solver->learnt[second] = swap;
    }
    return back;
}

/* False: there is no way out. */
static bool resolve(struct solver *solver) {
    for (;;) {
        go_back_to_conflict(solver);
        if (solver->level == 0)
            return false;
        uint32_t back = analyse(solver);
        undo(solver, back);
        solver->bump *= 1.05;
        uint32_t clause = clause_new(solver, solver->learnt, solver->learnt_count);
        if (set(solver, solver->learnt[0], clause))
            return true;
    }
}

/* ---- the search ---- */

static bool guess(struct solver *solver, uint32_t v) {
    const struct variable *var = &solver->vars[v];
    bool onwards = solver->dag.place[var->from] < solver->dag.place[var->to];
    solver->levels[solver->level++] = solver->trail_count;
    return set(solver, 2 * v + !onwards, NONE);
}

static bool begin(struct solver *solver) {
    size_t size = (solver->var_count + 2u) * sizeof(uint32_t);
    if (!limits_room(solver->limits, 7 * size))
        return false;
    solver->trail = cairn_alloc(size);
    solver->edges_before = cairn_alloc(size);
    solver->levels = cairn_alloc(size);
    solver->heap = cairn_alloc(size);
    solver->learnt = cairn_alloc(size);
    solver->conflict = cairn_alloc(size);
    for (uint32_t v = 0; v < solver->var_count; v++)
        heap_insert(solver, v);
    return true;
}

static bool over(struct solver *solver, uint64_t *steps) {
    uint64_t more = solver->dag.steps - *steps;
    *steps = solver->dag.steps;
    return limits_over(solver->limits, 1 + more / 4);
}

static bool all_set(struct solver *solver) {
    while (solver->heap_count > 0 && solver->vars[solver->heap[0]].value != UNSET)
        heap_take(solver);
    return solver->heap_count == 0;
}

enum solver_answer solver_run(struct solver *solver) {
    if (solver->unsat)
        return SOLVER_UNSAT;
    if (!begin(solver))
        return SOLVER_STOPPED;
    uint64_t steps = 0, conflicts = 0, until = RESTART_AFTER;
    bool fine = true;
    for (;;) {
        fine = fine && propagate(solver);
        if (over(solver, &steps))
            return SOLVER_STOPPED;
        if (!fine) {
            if (!resolve(solver))
                return SOLVER_UNSAT;
            fine = true;
            if (++conflicts == until) {
                until += until / 2;
                undo(solver, 0);
            }
            continue;
        }
        if (all_set(solver))
            return SOLVER_SAT;
        fine = guess(solver, heap_take(solver));
    }
}

bool solver_value(const struct solver *solver, uint32_t var) {
    return solver->vars[var].value == TRUE;
}

uint32_t solver_place(const struct solver *solver, uint32_t node) {
    return solver->dag.place[node];
}
