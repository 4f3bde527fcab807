/* Data folders by which members are known before a configuration names them. The founding
 * configuration binds its members to no folder; until an entry does, each founder goes by the
 * folder with which it met another one first, and so notices when that one comes with another disk.
 */
#ifndef CAIRN_CORE_FOLDERS_H
#define CAIRN_CORE_FOLDERS_H

#include "core/config.h"

/* No folder has such an incarnation, so nothing that the member says counts. */
#define FOLDER_LOST UINT64_MAX         /* it came as one that is no founder (any more) */
#define FOLDER_BOUND (UINT64_MAX - 1u) /* of no use any more: a configuration named its folder */

struct member_folder {
    uint64_t id; /* of the member, > 0 */
    uint64_t incarnation;
};

struct folders {
    uint32_t count;
    struct member_folder items[CONFIG_MEMBERS_MAX];
};

/* 0: not known. */
uint64_t folders_find(const struct folders *folders, uint64_t id);
/* Also takes the place of what was known. False: there is no room. */
bool folders_put(struct folders *folders, uint64_t id, uint64_t incarnation);

#endif
