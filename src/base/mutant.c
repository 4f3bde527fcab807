#include "base/mutant.h"

#include <string.h>

static const struct {
    const char *name;
    const char *text;
    enum mutant_grade grade;
    enum mutant_site site;
} mutants[] = {
#define X(constant, name, grade, site, text) {name, text, MUTANT_##grade, MUTANT_OF_##site},
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

enum mutant_site mutant_site(enum mutant mutant) {
    return mutants[mutant].site;
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
