#include "core/folders.h"

uint64_t folders_find(const struct folders *folders, uint64_t id) {
    for (uint32_t i = 0; i < folders->count; i++)
        if (folders->items[i].id == id)
            return folders->items[i].incarnation;
    return 0;
}

bool folders_put(struct folders *folders, uint64_t id, uint64_t incarnation) {
    uint32_t at = 0;
    while (at < folders->count && folders->items[at].id != id)
        at++;
    if (at == CONFIG_MEMBERS_MAX)
        return false;
    folders->items[at] = (struct member_folder){id, incarnation};
    folders->count += at == folders->count;
    return true;
}
