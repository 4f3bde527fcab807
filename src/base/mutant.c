#include "base/mutant.h"

#include <string.h>

static const struct {
    const char *name;
    const char *text;
    enum mutant_grade grade;
} mutants[] = {
#define X(constant, name, grade, text) {name, text, MUTANT_##grade},
    MUTANT_LIST(X)
#undef X
};

const char *mutant_name(enum mutant mutant) {
    return mutants[mutant].name;
}

const char *mutant_text(enum mutant mutant) {
    return mutants[mutant].text;
}

enum mutant_grade mutant_grade(enum mutant mutant) {
    return mutants[mutant].grade;
}

const char *mutant_grade_name(enum mutant_grade grade) {
    static const char *const names[] = {
#define X(constant, name) name,
        MUTANT_GRADES(X)
#undef X
    };
    return names[grade];
}

bool mutant_find(const char *name, enum mutant *mutant) {
    for (int i = 0; i < MUTANT_COUNT; i++)
        if (strcmp(mutants[i].name, name) == 0) {
            *mutant = (enum mutant)i;
            return true;
        }
    return false;
}
