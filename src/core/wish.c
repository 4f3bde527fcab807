#include "core/wish.h"

#include <inttypes.h>
#include <string.h>

const struct wish *wishes_find(const struct wishes *wishes, uint64_t id) {
    for (uint32_t i = 0; i < wishes->count; i++)
        if (wishes->items[i].id == id)
            return &wishes->items[i];
    return NULL;
}

enum cairn_status wishes_add(struct wishes *wishes, uint64_t id, enum wish_role role,
                             struct bytes address) {
    bool zero = address.len > 0 && memchr(address.data, 0, address.len) != NULL;
    if (id == 0 || address.len >= CONFIG_ADDRESS_MAX || zero || wishes_find(wishes, id) != NULL)
        return CAIRN_INVALID;
    if (wishes->count == WISHES_MAX)
        return CAIRN_TOO_LARGE;
    struct wish *wish = &wishes->items[wishes->count++];
    *wish = (struct wish){.id = id, .role = role};
    if (address.len > 0)
        memcpy(wish->address, address.data, address.len);
    return CAIRN_OK;
}

static enum cairn_status apply_one(const struct wish *wish, struct config *config) {
    struct member *member = config_find(config, wish->id);
    if (wish->role == WISH_GONE) {
        if (member != NULL)
            config_remove(config, wish->id);
        return CAIRN_OK;
    }
    if (member == NULL) {
        struct member fresh = {.id = wish->id, .voter = wish->role == WISH_VOTER};
        if (wish->role == WISH_ROLE_KEPT)
            return CAIRN_OK;
        if (wish->address[0] == 0)
            return CAIRN_NOT_FOUND;
        memcpy(fresh.address, wish->address, sizeof fresh.address);
        return config_add(config, &fresh);
    }
    if (wish->role == WISH_VOTER || wish->role == WISH_LEARNER) {
        member->voter = wish->role == WISH_VOTER;
        member->rejoining = false;
    }
    if (wish->address[0] != 0)
        memcpy(member->address, wish->address, sizeof member->address);
    return CAIRN_OK;
}

enum cairn_status wishes_apply(const struct wishes *wishes, struct config *config) {
    for (int gone = 1; gone >= 0; gone--) /* members that leave make room first */
        for (uint32_t i = 0; i < wishes->count; i++) {
            const struct wish *wish = &wishes->items[i];
            enum cairn_status status = CAIRN_OK;
            if ((wish->role == WISH_GONE) == gone)
                status = apply_one(wish, config);
            if (status != CAIRN_OK)
                return status;
        }
    return config_valid(config) ? CAIRN_OK : CAIRN_INVALID;
}

static bool holds(const struct wish *wish, const struct member *member) {
    if (wish->role == WISH_GONE || member == NULL)
        return member == NULL && (wish->role == WISH_GONE || wish->role == WISH_ROLE_KEPT);
    bool votes = member->voter || member->rejoining;
    bool role = wish->role == WISH_ROLE_KEPT || votes == (wish->role == WISH_VOTER);
    return role && (wish->address[0] == 0 || strcmp(wish->address, member->address) == 0);
}

bool wishes_hold(const struct wishes *wishes, const struct config *config) {
    for (uint32_t i = 0; i < wishes->count; i++)
        if (!holds(&wishes->items[i], config_member(config, wishes->items[i].id)))
            return false;
    return !config->joint;
}

void wishes_former(const struct wishes *wishes, const struct config *config,
                   struct wishes *former) {
    *former = (struct wishes){.count = wishes->count};
    for (uint32_t i = 0; i < wishes->count; i++) {
        const struct member *member = config_member(config, wishes->items[i].id);
        struct wish *wish = &former->items[i];
        *wish = (struct wish){.id = wishes->items[i].id, .role = WISH_GONE};
        if (member == NULL)
            continue;
        wish->role = member->voter || member->rejoining ? WISH_VOTER : WISH_LEARNER;
        memcpy(wish->address, member->address, sizeof wish->address);
    }
}

void wishes_encode(struct buf *out, const struct wishes *wishes) {
    buf_u32(out, wishes->count);
    for (uint32_t i = 0; i < wishes->count; i++) {
        buf_u64(out, wishes->items[i].id);
        buf_u8(out, (uint8_t)wishes->items[i].role);
        buf_block(out, bytes_cstr(wishes->items[i].address));
    }
}

bool wishes_decode(struct reader *reader, struct wishes *wishes) {
    *wishes = (struct wishes){0};
    uint32_t count = read_u32(reader);
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        uint64_t id = read_u64(reader);
        uint8_t role = read_u8(reader);
        struct bytes address = read_block(reader, CONFIG_ADDRESS_MAX - 1);
        if (reader->bad || role > WISH_ROLE_KEPT ||
            wishes_add(wishes, id, (enum wish_role)role, address) != CAIRN_OK)
            return false;
    }
    return !reader->bad;
}

void wishes_tell(const struct wishes *wishes, struct buf *out) {
    static const char *const verbs[] = {"remove", "make", "make", "move"};
    for (uint32_t i = 0; i < wishes->count; i++) {
        const struct wish *wish = &wishes->items[i];
        bool with_role = wish->role == WISH_LEARNER || wish->role == WISH_VOTER;
        buf_printf(out, "%s%s %" PRIu64, i ? ", " : "",
                   with_role && wish->address[0] ? "add" : verbs[wish->role], wish->id);
        if (wish->address[0] != 0)
            buf_printf(out, " %s %s", wish->role == WISH_ROLE_KEPT ? "to" : "at", wish->address);
        if (with_role)
            buf_printf(out, " %sa %s", wish->address[0] ? "as " : "",
                       wish->role == WISH_VOTER ? "voter" : "learner");
    }
}
