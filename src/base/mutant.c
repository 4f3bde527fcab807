#include "base/mutant.h"

#include <string.h>

static const struct {
    const char *name;
    const char *text;
} mutants[] = {
#define X(constant, name, text) {name, text},
    MUTANT_LIST(X)
#undef X
};

const char *mutant_name(enum mutant mutant) {
    return mutants[mutant].name;
}

const char *mutant_text(enum mutant mutant) {
    return mutants[mutant].text;
}

bool mutant_find(const char *name, enum mutant *mutant) {
    for (int i = 0; i < MUTANT_COUNT; i++)
        if (strcmp(mutants[i].name, name) == 0) {
            *mutant = (enum mutant)i;
            return true;
        }
    return false;
}
