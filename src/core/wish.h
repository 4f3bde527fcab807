/* What is wished of members: some of them to be so and so, or gone; those that are not named stay
 * as they are. The same wishes may be applied to the configurations of several groups.
 */
#ifndef CAIRN_CORE_WISH_H
#define CAIRN_CORE_WISH_H

#include "core/config.h"

/* All members that there may be leave, and as many come. */
#define WISHES_MAX (2 * CONFIG_MEMBERS_MAX)

enum wish_role {
    WISH_GONE,
    WISH_LEARNER,
    WISH_VOTER,
    WISH_ROLE_KEPT /* whatever it is; only the address is wished for */
};

struct wish {
    uint64_t id;
    enum wish_role role;
    char address[CONFIG_ADDRESS_MAX]; /* empty: the one that it has */
};

struct wishes {
    uint32_t count;
    struct wish items[WISHES_MAX];
};

/* INVALID: no id, an address that is too long, or the id is named twice. TOO_LARGE. */
enum cairn_status wishes_add(struct wishes *wishes, uint64_t id, enum wish_role role,
                             struct bytes address);
const struct wish *wishes_find(const struct wishes *wishes, uint64_t id);

/* The configuration as wished. NOT_FOUND: a member is wished for that is none yet, and no address
 * is known; TOO_LARGE; INVALID: no voter would be left. */
enum cairn_status wishes_apply(const struct wishes *wishes, struct config *config);
/* The whole members are as wished: roles and addresses. A voter that is on its way back on a new
 * disk counts as the voter that it will be. */
bool wishes_hold(const struct wishes *wishes, const struct config *config);
/* What the members that are named are now: wishing for it undoes the wishes. */
void wishes_former(const struct wishes *wishes, const struct config *config, struct wishes *former);

void wishes_encode(struct buf *out, const struct wishes *wishes);
/* False: malformed. */
bool wishes_decode(struct reader *reader, struct wishes *wishes);
/* In words: "add 4 at 10.0.0.4:7104 as a voter, remove 2". */
void wishes_tell(const struct wishes *wishes, struct buf *out);

#endif
