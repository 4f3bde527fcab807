/* Founding a cluster: which folders founders know each other by. The founding configuration names
 * no folders; an entry of the first leader binds them. Until then each founder keeps, in its
 * identity, the incarnation with which it met every other one, and takes no other for that founder.
 *
 * A founder begins without any configuration, so it neither votes nor acknowledges, until every
 * other founder has noted its folder durably. Should its disk be lost afterwards, whichever of them
 * it reaches then knows the former folder and says so: it goes on as one whose disk was replaced,
 * and never as a founder. When some founders stay away, it founds after `founding_wait_ns` with a
 * majority of them all; what that leaves open is told in docs/operations.md.
 *
 * FOUNDING, on links of version 3 between the facts and everything else: u8 word, u8 whether the
 * sender's folder is a founder's. Both sides say MEETS; a founder is answered NOTED or OTHER; each
 * says SETTLED when it has founded, or has nothing to found, and knows the other's folder. Then the
 * link is up: before, no message of a protocol passes. With a founder of an older version there is
 * no waiting at all.
 */
#include "node/node_internal.h"

#include <stdio.h>
#include <string.h>

#define TELL_NS 1000000000ull /* a founding takes milliseconds when all are there */

#define WAITS "founding: waiting for "

enum word { WORD_MEETS = 1, WORD_NOTED, WORD_OTHER, WORD_SETTLED };

static void say(struct link *link, enum word word) {
    const uint8_t body[] = {(uint8_t)word, link->node->options.identity.founders.count > 0};
    link_send(link, LANE_CONTROL, FRAME_FOUNDING, 0, bytes_of(body, sizeof body), NULL, 0);
}

/* ---- what is known of another's folder ---- */

/* Some group's configuration names no folder for that member. */
static bool is_open(const struct node *node, uint64_t id) {
    NODE_EACH_GROUP(group, node) {
        const struct member *member = config_member(&group->config, id);
        if (group->config.count == 0 || (member != NULL && member->incarnation == 0))
            return true;
    }
    return false;
}

/* Some group's configuration names another folder for that member, or does not list it any more. */
static bool contradicts(const struct node *node, uint64_t id, uint64_t incarnation) {
    NODE_EACH_GROUP(group, node) {
        const struct member *member = config_member(&group->config, id);
        if (member == NULL ? group->config.count > 0 && group->config_index > 0
                           : member->incarnation != 0 && member->incarnation != incarnation)
            return true;
    }
    return false;
}

/* More members than a configuration holds are met only by mistake, and not kept. */
static void put(struct node *node, uint64_t id, uint64_t incarnation, bool *news) {
    *news |= folders_put(&node->options.identity.met, id, incarnation);
}

/* Once a configuration named its folder that tells, unless this node lost it: then it knows
 * nothing. 0: it has not met that one. */
static uint64_t known_folder(const struct node *node, uint64_t id) {
    uint64_t known = folders_find(&node->options.identity.met, id);
    return known == FOLDER_BOUND && is_open(node, id) ? 0 : known;
}

/* A founder on the other side: notes its folder, unless that or another one is known. */
static void note_founder(struct node *node, struct link *link, bool *news) {
    uint64_t id = link->hello.node, incarnation = link->hello.incarnation;
    uint64_t known = known_folder(node, id);
    bool same = known == 0 || known == incarnation || known == FOLDER_BOUND;
    link->meeting.other = !same || contradicts(node, id, incarnation);
    if (!link->meeting.other && known == 0 && is_open(node, id))
        put(node, id, incarnation, news);
}

/* One whose disk was replaced before any entry named its folder: nothing that it says counts until
 * a leader lets it in. */
static void note_other(struct node *node, const struct link *link, bool *news) {
    const struct identity *identity = &node->options.identity;
    uint64_t id = link->hello.node, known = known_folder(node, id);
    bool unmet = known == 0 && config_member(&identity->founders, id) != NULL && is_open(node, id);
    if (unmet || known == link->hello.incarnation)
        put(node, id, FOLDER_LOST, news);
}

/* Every group has committed a configuration that names its folder, or lists it no more. */
static bool is_bound(const struct node *node, uint64_t id) {
    NODE_EACH_GROUP(group, node)
    if (group->config_index == 0 || !group->config_committed)
        return false;
    return !is_open(node, id);
}

static void forget_if_bound(struct node *node, uint64_t id, bool *news) {
    const struct identity *identity = &node->options.identity;
    if (id != identity->node && folders_find(&identity->met, id) != FOLDER_BOUND &&
        is_bound(node, id))
        put(node, id, FOLDER_BOUND, news);
}

static void forget_bound(struct node *node, bool *news) {
    const struct identity *identity = &node->options.identity;
    for (uint32_t i = 0; i < identity->met.count; i++)
        forget_if_bound(node, identity->met.items[i].id, news);
    for (uint32_t i = 0; i < identity->founders.count; i++)
        forget_if_bound(node, identity->founders.members[i].id, news);
}

/* ---- this founder's own folder ---- */

static void tell_waits(struct node *node, const struct member *founder) {
    char *text = node->founding.waits;
    size_t size = sizeof node->founding.waits, used = strlen(text);
    snprintf(text + used, size - used, "%sfounder %llu at %s", used ? ", " : WAITS,
             (unsigned long long)founder->id, founder->address);
}

/* Whether it may take part as a founder now. */
static bool may_found(struct node *node, uint64_t now) {
    const struct config *founders = &node->options.identity.founders;
    uint64_t wait_ns = node->options.founding_wait_ns;
    uint32_t vouch = 0;
    bool older = false;
    node->founding.waits[0] = 0;
    for (uint32_t i = 0; i < founders->count; i++) {
        const struct member *founder = &founders->members[i];
        const struct peer *peer = peer_find(node, founder->id);
        const struct link *link = peer == NULL ? NULL : peer->link;
        bool vouches = link != NULL && link->meeting.vouches;
        older |= link != NULL && link->wire_version < WIRE_VERSION_3;
        if (vouches || founder->id == node->options.identity.node)
            vouch++;
        else
            tell_waits(node, founder);
    }
    bool waited = wait_ns != 0 && now >= node->founding.since_ns + wait_ns;
    return vouch == founders->count || older || (waited && 2 * vouch > founders->count) ||
           node->options.mutant == MUTANT_FOUNDER_BY_ID;
}

static void decide(struct node *node, uint64_t now, bool *news) {
    struct identity *identity = &node->options.identity;
    if (!identity->founding)
        return;
    if (node->founding.other != 0) {
        identity->founders.count = 0;
        identity->epoch = 0; /* as that of a folder that was made to join */
    } else if (!may_found(node, now)) {
        return;
    }
    identity->founding = false;
    *news = true;
}

static void log_waits(struct node *node, uint64_t now) {
    struct founding *founding = &node->founding;
    if (founding->waits[0] == 0 || now < founding->told_ns ||
        strcmp(founding->waits, founding->logged) == 0)
        return;
    memcpy(founding->logged, founding->waits, sizeof founding->logged);
    node_log(node, 1, "%s", founding->waits);
}

static void log_end(struct node *node) {
    struct founding *founding = &node->founding;
    if (founding->other != 0)
        node_log(node, 2,
                 "node %llu knows this founder by another folder: it goes on as one whose disk was "
                 "replaced, and waits to be let in by the others",
                 (unsigned long long)founding->other);
    else if (founding->waits[0] != 0)
        node_log(node, 2, "founding without waiting any longer for %s",
                 founding->waits + strlen(WAITS));
    founding->waits[0] = 0;
}

/* ---- carrying out ---- */

static void tell_groups(struct node *node) {
    const struct identity *identity = &node->options.identity;
    struct folders met = {0};
    for (uint32_t i = 0; i < identity->met.count; i++)
        if (identity->met.items[i].incarnation != FOLDER_BOUND)
            folders_put(&met, identity->met.items[i].id, identity->met.items[i].incarnation);
    struct event event = {.kind = EVENT_FOUNDERS};
    event.founders.met = &met;
    if (!identity->founding && identity->founders.count > 0)
        event.founders.founds = &node->options.bootstrap;
    NODE_EACH_GROUP(group, node)
    group_step(group, &event);
}

static void rise(struct link *link) {
    const struct meeting *meeting = &link->meeting;
    if (link->state == LINK_FOUNDING && meeting->noted && meeting->settled_here &&
        meeting->settled_there)
        link_up(link);
}

/* What was noted is durable now. */
static void answer(struct link *link) {
    struct meeting *meeting = &link->meeting;
    if (meeting->met && !meeting->noted) {
        meeting->noted = true;
        if (meeting->founder)
            say(link, meeting->other ? WORD_OTHER : WORD_NOTED);
    }
    if (meeting->noted && !meeting->settled_here && !link->node->options.identity.founding) {
        meeting->settled_here = true;
        say(link, WORD_SETTLED);
    }
    rise(link);
}

static bool is_to_note(const struct link *link) {
    return link->state == LINK_FOUNDING && link->meeting.met && !link->meeting.noted;
}

/* True: written, or not worth writing. */
static bool store(struct node *node, bool news, uint64_t now) {
    bool stored = !news || node_store_identity(node);
    node->founding.retry_ns = stored ? 0 : now + IDENTITY_RETRY_NS;
    return stored;
}

static bool has_work(const struct node *node) {
    const struct founding *founding = &node->founding;
    bool meets = false;
    LIST_EACH(item, &node->links)
    meets |= container_of(item, struct link, list)->state == LINK_FOUNDING;
    return meets || founding->configured || node->options.identity.founding;
}

/* Whether something is to be written. */
static bool look(struct node *node, uint64_t now) {
    bool news = false;
    LIST_EACH(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        if (!is_to_note(link))
            continue;
        if (link->meeting.founder)
            note_founder(node, link, &news);
        else
            note_other(node, link, &news);
    }
    if (node->founding.configured)
        forget_bound(node, &news);
    decide(node, now, &news);
    return news;
}

void founding_turn(struct node *node, uint64_t now) {
    struct founding *founding = &node->founding;
    struct identity *identity = &node->options.identity;
    if (now < founding->retry_ns || !has_work(node))
        return;
    const struct identity before = *identity;
    bool news = look(node, now);
    log_waits(node, now);
    if (!store(node, news, now)) {
        *identity = before;
        return;
    }
    founding->configured = false;
    if (before.founding && !identity->founding) {
        node->options.bootstrap = identity->founders;
        log_end(node);
    }
    if (news)
        tell_groups(node);
    LIST_EACH_SAFE(item, &node->links) {
        struct link *link = container_of(item, struct link, list);
        if (link->state == LINK_FOUNDING)
            answer(link);
    }
}

void founding_begin(struct node *node) {
    uint64_t now = env_now(node->env);
    node->founding.since_ns = now;
    node->founding.told_ns = now + TELL_NS;
    node->founding.configured = true;
    tell_groups(node);
}

void founding_configured(struct node *node) {
    node->founding.configured = true;
}

/* ---- words ---- */

void founding_meet(struct link *link) {
    link->state = LINK_FOUNDING;
    link->since_ns = env_now(link->node->env);
    say(link, WORD_MEETS);
}

void founding_receive(struct link *link, struct bytes body) {
    struct meeting *meeting = &link->meeting;
    struct reader reader = reader_of(body);
    enum word word = read_u8(&reader);
    bool founder = read_u8(&reader) != 0;
    if (!reader_done(&reader) || word < WORD_MEETS || word > WORD_SETTLED) {
        link_malformed(link, "malformed word of a founder");
        return;
    }
    if (word == WORD_OTHER)
        link->node->founding.other = link->hello.node;
    meeting->vouches |= word == WORD_NOTED;
    meeting->settled_there |= word == WORD_SETTLED;
    if (word == WORD_MEETS || (word == WORD_SETTLED && founder != meeting->founder)) {
        meeting->met = true;
        meeting->founder = founder;
        meeting->noted = false; /* in this turn */
    }
    rise(link);
}

/* ---- for others ---- */

uint64_t founding_deadline(const struct node *node) {
    const struct founding *founding = &node->founding;
    uint64_t at = founding->retry_ns != 0 ? founding->retry_ns : UINT64_MAX;
    uint64_t now = env_now(node->env);
    const uint64_t waits[] = {founding->told_ns,
                              founding->since_ns + node->options.founding_wait_ns};
    for (size_t i = 0; i < 2 && node->options.identity.founding; i++)
        if (waits[i] > now && waits[i] < at)
            at = waits[i];
    return at;
}

const char *founding_health(const struct node *node) {
    const char *waits = node->founding.waits;
    bool founding = node->options.identity.founding;
    return !founding ? NULL : waits[0] ? waits : "founding: its folder can't be written";
}

bool founding_majority_lost(const struct group *group) {
    const struct node *node = group->node;
    uint32_t voters = 0, lost = 0;
    if (group->told_index > group->config_index)
        return false; /* others know of later members than this node does */
    for (uint32_t i = 0; i < group->config.count; i++) {
        const struct member *member = &group->config.members[i];
        const struct link *link = peer_link(node, member->id);
        uint64_t folder = member->incarnation != 0
                              ? member->incarnation
                              : folders_find(&node->options.identity.met, member->id);
        voters += member->voter;
        lost += member->voter && link != NULL && folder != 0 && folder != FOLDER_BOUND &&
                link->hello.incarnation != folder;
    }
    return lost > 0 && 2 * (voters - lost) <= voters;
}
