/* The judge's one door: a history, a model, a level, a verdict. */
#ifndef CAIRN_CHECK_CHECK_H
#define CAIRN_CHECK_CHECK_H

#include "check/verdict.h"

struct check_options {
    enum model model;
    enum level level;
    struct limits *limits; /* may be NULL */
    bool by_key;           /* false: YES comes with one order for all keys, not one a key */
    bool want_order;       /* YES comes with its orders */
};

/* The history must fit the model (model_fits). The verdict is initialised here; free it. */
void check_history(const struct history *history, const struct check_options *options,
                   struct verdict *verdict);

/* As level_implies, in a history of which history_overlaps says so. */
bool check_implies(bool overlaps, enum level stronger, enum level weaker);

/* Every level that the model has, strongest first, using what one answer says about others.
 * verdicts has LEVEL_COUNT places; those of other levels are UNDEFINED. All are to be freed. */
void check_place(const struct history *history, const struct check_options *options,
                 struct verdict *verdicts);

#endif
