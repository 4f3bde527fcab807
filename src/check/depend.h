/* What can't be dropped from a history without something else: a read of a value needs all that
 * may have written it, else what is left would contradict itself although the whole did not. What
 * remains after depend_drop, as part.h makes it a history, has this property: if the whole history
 * satisfies a level, so does it.
 *
 * - An operation that was told a value needs all writers of that value (a text: of each part in it;
 *   a list in a transaction: of each element); of linearizable histories, those that were called
 *   before it returned.
 * - Of lists and sets, all that puts an element in, takes it out or asks for it belongs together;
 *   reads need none of it, since what is left out is taken out of them too (part.h).
 * - An operation that was told only that it did not match, or a sum, needs all writers of the key;
 *   one that was told how many elements are inside, all that puts in or takes out.
 * - What was put into a container needs what took it out, and that needs it; and everything needs
 *   what may have taken something without being told what.
 * - A lock's release needs the acquisition of its process, and that one it; what was refused needs
 *   all, and all need what may have taken effect.
 */
#ifndef CAIRN_CHECK_DEPEND_H
#define CAIRN_CHECK_DEPEND_H

#include "check/model.h"

/* The first `count` operations of a group have to be there for the reader. */
struct need {
    uint32_t reader, group, count;
};
struct depend_group {
    uint32_t from, count; /* in depend.members, by rising number */
    uint32_t present;     /* of these, as many as there are before the first that is not there */
};

struct depend {
    const struct history *history;
    bool real_time;
    struct need *needs;
    uint32_t need_count, need_cap;
    struct depend_group *groups;
    uint32_t group_count, group_cap;
    uint32_t *members;
    uint32_t member_count;
};

/* real_time: the level contains it. */
void depend_make(struct depend *depend, const struct history *history, enum model model,
                 bool real_time);
void depend_free(struct depend *depend);
/* Drops from `keep` each operation that is left without what it needs, until there is none. */
void depend_drop(struct depend *depend, bool *keep);
/* Adds to `keep` whatever those that are there need. */
void depend_add(const struct depend *depend, bool *keep);

#endif
