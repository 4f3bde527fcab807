/* Choices between edges so that a graph has no cycle: boolean variables, and edges that are there
 * when one of their literals is true. Conflict-driven search (Marques-Silva & Sakallah
 * 1996) over a topological order that is kept up while edges come and go (Pearce & Kelly 2006).
 * Exact: SAT comes with an order of the nodes, UNSAT means that no choice is without a cycle.
 */
#ifndef CAIRN_CHECK_TXN_SOLVER_H
#define CAIRN_CHECK_TXN_SOLVER_H

#include "check/limits.h"

#define LITERAL_TRUE UINT32_MAX /* an edge that is always there */

enum solver_answer { SOLVER_SAT, SOLVER_UNSAT, SOLVER_STOPPED };

struct solver;

struct solver *solver_new(uint32_t node_count, struct limits *limits);
void solver_free(struct solver *solver);
/* An order of the nodes to start with, before any edge; a good one saves much. */
void solver_start(struct solver *solver, const uint32_t *order);
/* A variable; its literals are 2 * v (true) and 2 * v + 1 (false). When it must be guessed, it is
 * taken so that the edge from -> to points onwards in the order kept so far. */
uint32_t solver_var(struct solver *solver, uint32_t from, uint32_t to);
/* The edge is there while `literal` is true. */
void solver_edge(struct solver *solver, uint32_t from, uint32_t to, uint32_t literal);
enum solver_answer solver_run(struct solver *solver);
/* After SAT: does the variable hold; where does a node stand in the order? */
bool solver_value(const struct solver *solver, uint32_t var);
uint32_t solver_place(const struct solver *solver, uint32_t node);

#endif
