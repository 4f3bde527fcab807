/* Which operations were told of which: a read of what it read, a dequeue of what was enqueued. */
#ifndef CAIRN_CHECK_DEPEND_H
#define CAIRN_CHECK_DEPEND_H

#include "check/model.h"

/* A need: one of these operations must be there, or the reader can't stay. */
struct need {
    uint32_t reader;
    uint32_t from, count; /* in depend.writers */
};

struct depend {
    struct need *needs;
    uint32_t need_count, need_cap;
    uint32_t *writers;
    uint32_t writer_count, writer_cap;
};

void depend_make(struct depend *depend, const struct history *history, enum model model);
void depend_free(struct depend *depend);
/* Drops from `keep` whoever is left without what it was told of, until nobody is. */
void depend_drop(const struct depend *depend, bool *keep);
/* Adds to `keep` one writer for each need of those that are there. */
void depend_add(const struct depend *depend, bool *keep);

#endif
