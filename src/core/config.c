#include "core/config.h"

#include "base/assert.h"

#include <string.h>

struct member *config_find(struct config *config, uint64_t id) {
    for (uint32_t i = 0; i < config->count; i++)
        if (config->members[i].id == id)
            return &config->members[i];
    return NULL;
}

const struct member *config_member(const struct config *config, uint64_t id) {
    return config_find((struct config *)(uintptr_t)config, id);
}

bool config_is_voter(const struct config *config, uint64_t id) {
    const struct member *member = config_member(config, id);
    return member != NULL && (member->voter || (config->joint && member->voter_old));
}

enum cairn_status config_add(struct config *config, const struct member *member) {
    cairn_assert(member->id > 0);
    if (config_member(config, member->id) != NULL)
        return CAIRN_EXISTS;
    if (config->count == CONFIG_MEMBERS_MAX)
        return CAIRN_TOO_LARGE;
    uint32_t at = config->count;
    while (at > 0 && config->members[at - 1].id > member->id) {
        config->members[at] = config->members[at - 1];
        at--;
    }
    config->members[at] = *member;
    config->count++;
    return CAIRN_OK;
}

void config_remove(struct config *config, uint64_t id) {
    struct member *member = config_find(config, id);
    if (member == NULL)
        return;
    size_t at = (size_t)(member - config->members);
    memmove(member, member + 1, (config->count - at - 1) * sizeof *member);
    config->count--;
}

bool config_valid(const struct config *config) {
    uint32_t voters = 0, voters_old = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        if (member->id == 0 || (i > 0 && member[-1].id >= member->id))
            return false;
        if (memchr(member->address, 0, CONFIG_ADDRESS_MAX) == NULL)
            return false;
        voters += member->voter;
        voters_old += member->voter_old;
    }
    return voters > 0 && (!config->joint || voters_old > 0);
}

void config_encode(struct buf *out, const struct config *config) {
    buf_u8(out, config->joint);
    buf_u32(out, config->count);
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        buf_u64(out, member->id);
        buf_u64(out, member->incarnation);
        buf_u8(out, (uint8_t)(member->voter | member->voter_old << 1 | member->leaving << 2 |
                              member->rejoining << 3));
        buf_block(out, bytes_cstr(member->address));
    }
}

enum cairn_status config_decode(struct bytes bytes, struct config *config) {
    *config = (struct config){0};
    struct reader reader = reader_of(bytes);
    uint8_t joint = read_u8(&reader);
    uint32_t count = read_u32(&reader);
    if (joint > 1 || count > CONFIG_MEMBERS_MAX)
        return CAIRN_MALFORMED;
    config->joint = joint;
    for (config->count = 0; config->count < count && !reader.bad; config->count++) {
        struct member *member = &config->members[config->count];
        member->id = read_u64(&reader);
        member->incarnation = read_u64(&reader);
        uint8_t roles = read_u8(&reader);
        member->voter = roles & 1;
        member->voter_old = roles & 2;
        member->leaving = roles & 4;
        member->rejoining = roles & 8;
        struct bytes address = read_block(&reader, CONFIG_ADDRESS_MAX - 1);
        if (address.len && memchr(address.data, 0, address.len) != NULL)
            reader.bad = true; /* what stands behind the zero would be lost */
        if (address.len)
            memcpy(member->address, address.data, address.len);
    }
    return reader_done(&reader) && config_valid(config) ? CAIRN_OK : CAIRN_MALFORMED;
}

static bool in_set(const struct member *member, bool old) {
    return old ? member->voter_old : member->voter;
}

static uint64_t reached_in(const struct config *config, bool old, quorum_value *value,
                           const void *context) {
    uint64_t values[CONFIG_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        if (!in_set(&config->members[i], old))
            continue;
        uint64_t next = value(context, config->members[i].id);
        uint32_t at = count++;
        for (; at > 0 && values[at - 1] < next; at--)
            values[at] = values[at - 1];
        values[at] = next;
    }
    return count ? values[count / 2] : 0;
}

uint64_t quorum_reached(const struct config *config, quorum_value *value, const void *context) {
    uint64_t reached = reached_in(config, false, value, context);
    if (config->joint) {
        uint64_t old = reached_in(config, true, value, context);
        reached = old < reached ? old : reached;
    }
    return reached;
}

static enum quorum_vote votes_in(const struct config *config, bool old, quorum_value *vote,
                                 const void *context) {
    uint32_t voters = 0, yes = 0, no = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        if (!in_set(&config->members[i], old))
            continue;
        uint64_t answer = vote(context, config->members[i].id);
        voters++;
        yes += answer == 2;
        no += answer == 1;
    }
    if (yes > voters / 2)
        return QUORUM_WON;
    return voters - no <= voters / 2 ? QUORUM_LOST : QUORUM_PENDING;
}

enum quorum_vote quorum_votes(const struct config *config, quorum_value *vote,
                              const void *context) {
    enum quorum_vote result = votes_in(config, false, vote, context);
    if (!config->joint || result == QUORUM_LOST)
        return result;
    enum quorum_vote old = votes_in(config, true, vote, context);
    if (old == QUORUM_LOST)
        return QUORUM_LOST;
    return result == QUORUM_WON && old == QUORUM_WON ? QUORUM_WON : QUORUM_PENDING;
}

static uint64_t is_another(const void *context, uint64_t id) {
    return id != *(const uint64_t *)context ? 2 : 1;
}

bool config_decides_without(const struct config *config, uint64_t id) {
    return quorum_votes(config, is_another, &id) == QUORUM_WON;
}
