/* Driving an aim (aim.h): the leader of the first keyspace's group records it, asks the leaders of
 * all keyspaces for their part in its phase, and records the next phase, or the end, when they all
 * have done theirs. What it keeps about that is forgotten with its leadership; a new leader asks
 * anew, and a keyspace that has done its part says so again.
 *
 * A keyspace's leader does its part only when its own node knows the aim to stand in that phase: so
 * a word of a leader of old does nothing. The first keyspace changes its members last: its leader
 * may be the one that leaves.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#include <stdio.h>
#include <string.h>

_Static_assert(AIM_KEYSPACES_MAX == NODE_KEYSPACES_MAX, "an aim is for all keyspaces");

/* A keyspace that can't be asked for so long keeps the aim from being reached. */
#define LOST_NS 20000000000ull
/* An answer that took so long was no refusal: its leader worked on it. */
#define WORKED_NS 10000000000ull
#define SETTLE_TIMEOUTS 10u /* election timeouts, until what the others did must be seen here */

/* ---- recording what is asked for ---- */

struct asking {
    struct group *group;
    uint64_t tag;
};

static void try_again(struct group *group, struct request *request) {
    request_again(group, request);
    group->write_retry_ns = env_now(group->node->env) + group->node->limits.aim_retry_ns;
}

static void asked(void *context, enum cairn_status status, struct bytes reply) {
    struct asking *asking = context;
    struct group *group = asking->group;
    struct request *request = request_by_tag(group, asking->tag);
    cairn_free(asking);
    if (request == NULL) /* it did not wait so long */
        return;
    if (status == CAIRN_OK)
        request_finish(group, request, CAIRN_OK, reply);
    else /* its token keeps it from being recorded twice */
        try_again(group, request);
}

static void ask_log(struct group *group, struct request *request, struct bytes envelope) {
    struct asking *asking = cairn_alloc(sizeof *asking);
    if (request->state == REQUEST_PENDING)
        request_operates(group, request);
    *asking = (struct asking){.group = group, .tag = request->tag};
    request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, envelope, asked, asking);
    env_wake(group->node->env);
}

/* What the leader sees is so only if it still leads: an entry that changes nothing shows that. */
void aim_confirm(struct group *group, struct request *request) {
    struct buf envelope = {0};
    stack_encode_version(&envelope, group->stack.agreed.version);
    ask_log(group, request, buf_view(&envelope));
    buf_free(&envelope);
}

static void refuse(struct group *group, struct request *request, enum cairn_status status,
                   const char *text) {
    struct buf reply = {0};
    reply_error(&reply, text);
    request_finish(group, request, status, buf_view(&reply));
    buf_free(&reply);
}

/* One wish's member may be known in one keyspace and not in another: then by its address there. */
static void fill_address(const struct node *node, struct wish *wish) {
    const struct member *member = node_member(node, wish->id);
    bool needed = wish->role == WISH_VOTER || wish->role == WISH_LEARNER;
    if (needed && wish->address[0] == 0 && member != NULL)
        memcpy(wish->address, member->address, sizeof wish->address);
}

/* What stands in the way, NULL: nothing; EXISTS, NOT_FOUND: it is so everywhere already. */
static const char *look_into(const struct node *node, struct aim *aim, enum cairn_status *status) {
    struct wishes asked_for = aim->wanted;
    struct config target;
    bool all = true, known = true;
    for (uint32_t i = 0; i < aim->wanted.count; i++) {
        struct wish *wish = &aim->wanted.items[i];
        fill_address(node, wish);
        known &= wish->role != WISH_ROLE_KEPT || node_member(node, wish->id) != NULL;
    }
    *status = CAIRN_OK;
    if (!known)
        return "ERR no member has that id";
    aim->keyspaces = node->group_count;
    NODE_EACH_GROUP(group, node) {
        target = group->config;
        const char *problem = wishes_problem(&aim->wanted, &target);
        if (problem != NULL)
            return problem;
        all &= wishes_hold(&aim->wanted, &group->config);
        wishes_former(&aim->wanted, &group->config, &aim->former[group->keyspace]);
    }
    if (!all)
        return NULL;
    *status = aim->wanted.items[0].role == WISH_GONE ? CAIRN_NOT_FOUND : CAIRN_EXISTS;
    return wishes_already(&asked_for);
}

static uint64_t known_token(const struct aims *aims, uint64_t token) {
    if (aims->now.id != 0 && aims->now.token == token)
        return aims->now.id;
    for (uint32_t i = 0; i < AIMS_KEPT; i++)
        if (aims->ended[i].id != 0 && aims->ended[i].token == token)
            return aims->ended[i].id;
    return 0;
}

static void ask_for(struct group *group, struct request *request, struct aim *aim) {
    const struct aims *aims = group->stack.aims;
    uint64_t known = known_token(aims, aim->token);
    struct buf out = {0};
    enum cairn_status status = CAIRN_OK;
    const char *problem = NULL;
    if (known != 0) {
        reply_int(&out, (int64_t)known);
        request_finish(group, request, CAIRN_OK, buf_view(&out));
    } else if (aims->now.id == 0 && (problem = look_into(group->node, aim, &status)) != NULL) {
        refuse(group, request, status, problem);
    } else { /* if another one is under way, the entry says so */
        stack_encode_aim(&out);
        aim_encode_record(&out, aim);
        ask_log(group, request, buf_view(&out));
    }
    buf_free(&out);
}

/* The other keyspaces' members, as this node knows them: it may not know yet what their leaders
 * committed, and what an aim goes back to must be so. */
struct look {
    struct group *group;
    uint64_t tag;
    struct aim aim;
    uint32_t waits;
    bool failed;
};

static bool all_committed(const struct node *node) {
    NODE_EACH_GROUP(group, node) {
        if (!group->config_committed)
            return false;
    }
    return true;
}

static void looked(void *context, enum cairn_status status, struct bytes reply) {
    struct look *look = context;
    struct group *group = look->group;
    look->failed |= status != CAIRN_OK;
    if (--look->waits > 0)
        return;
    struct request *request = group->node->closing ? NULL : request_by_tag(group, look->tag);
    look->failed |= !all_committed(group->node);
    bool leads = group->role == ROLE_LEADER && group->applied_term == group->term;
    if (request != NULL && (look->failed || !leads))
        try_again(group, request);
    else if (request != NULL)
        ask_for(group, request, &look->aim);
    cairn_free(look);
}

static void ask_all(struct node *node, struct look *look) {
    NODE_EACH_GROUP(group, node) {
        request_new_from(group, ORIGIN_CLIENT, REQUEST_READ, bytes_of(NULL, 0), looked, look)
            ->barrier = true;
    }
}

static void look_first(struct group *group, struct request *request, const struct aim *aim) {
    struct look *look = cairn_alloc(sizeof *look);
    request_operates(group, request);
    *look = (struct look){.group = group, .tag = request->tag, .aim = *aim};
    look->waits = group->node->group_count;
    ask_all(group->node, look);
    env_wake(group->node->env);
}

void aim_ask(struct group *group, struct request *request) {
    struct reader reader = reader_of(bytes_of(request->command + 1, request->len - 1));
    bool cancel = request->command[0] == NODE_MEMBER_CANCEL;
    bool knows = group->applied_term == group->term && group->install == NULL;
    if (group->keyspace != 0 || group->stack.agreed.version < WIRE_VERSION_3 || !knows) {
        refuse(group, request, CAIRN_OK, "BUSY the leader is new, try again");
        return;
    }
    if (cancel) {
        struct buf out = {0};
        stack_encode_aim(&out);
        aim_encode_cancel(&out, read_u64(&reader));
        ask_log(group, request, buf_view(&out));
        buf_free(&out);
        return;
    }
    struct aim *aim = cairn_alloc_zero(sizeof *aim);
    aim->token = read_u64(&reader);
    if (!wishes_decode(&reader, &aim->wanted) || !reader_done(&reader) || aim->wanted.count == 0)
        refuse(group, request, CAIRN_OK, "ERR malformed change of members");
    else if (group->node->options.mutant == MUTANT_AIM_FORMER_STALE)
        ask_for(group, request, aim);
    else
        look_first(group, request, aim);
    cairn_free(aim);
}

/* ---- driving it ---- */

struct part {
    struct node *node;
    uint64_t generation;
    uint32_t keyspace;
};

static const struct aim *aim_of(const struct node *node) {
    return &node->groups[0]->stack.aims->now;
}

static void wrote(void *context, enum cairn_status status, struct bytes reply) {
    struct node *node = context;
    node->aim_drive.writing--;
    env_wake(node->env);
}

static void write_word(struct node *node, struct buf *envelope) {
    node->aim_drive.writing++;
    request_new_from(node->groups[0], ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), wrote, node);
    buf_free(envelope);
    env_wake(node->env);
}

static void write_phase(struct node *node, enum aim_phase phase, enum aim_end end,
                        const char *reason) {
    struct buf envelope = {0};
    stack_encode_aim(&envelope);
    aim_encode_phase(&envelope, aim_of(node)->id, phase, end, reason);
    write_word(node, &envelope);
}

static void write_end(struct node *node, enum aim_end end, const char *reason) {
    struct buf envelope = {0};
    stack_encode_aim(&envelope);
    aim_encode_end(&envelope, aim_of(node)->id, end, reason);
    write_word(node, &envelope);
}

static void failed(struct node *node, uint32_t keyspace, struct bytes why) {
    const struct aim *aim = aim_of(node);
    const char *name = node->options.keyspaces[keyspace].name;
    char reason[AIM_REASON_MAX];
    if (aim->phase == AIM_BACK) {
        snprintf(reason, sizeof reason, "%.120s; and %s could not go back: %.*s", aim->reason, name,
                 (int)why.len, (const char *)why.data);
        write_end(node, AIM_HALF, reason);
    } else {
        snprintf(reason, sizeof reason, "%.*s", (int)(why.len < 160 ? why.len : 160),
                 (const char *)why.data);
        write_phase(node, AIM_BACK, AIM_FAILED, reason);
    }
}

static void ask_again(struct node *node, uint32_t keyspace) {
    struct aim_part *part = &node->aim_drive.parts[keyspace];
    uint64_t now = env_now(node->env);
    char why[100];
    part->retry_ns = now + node->limits.aim_retry_ns;
    if (part->lost_ns == 0 || now - part->asked_ns > WORKED_NS)
        part->lost_ns = part->asked_ns;
    if (now - part->lost_ns <= LOST_NS)
        return;
    int len = snprintf(why, sizeof why, "keyspace %s has no leader that can do its part",
                       node->options.keyspaces[keyspace].name);
    failed(node, keyspace, bytes_of(why, (size_t)len));
}

static void part_done(void *context, enum cairn_status status, struct bytes reply) {
    struct part *of = context;
    struct node *node = of->node;
    uint32_t keyspace = of->keyspace;
    const struct aim_drive *drive = &node->aim_drive;
    struct aim_part *part = &node->aim_drive.parts[keyspace];
    if (node->closing) {
        cairn_free(of);
        return;
    }
    /* The next phase may be recorded, or on its way, before the drive is set to it. */
    bool stale = of->generation != drive->generation || drive->writing > 0 ||
                 drive->id != aim_of(node)->id || drive->phase != aim_of(node)->phase;
    cairn_free(of);
    if (stale)
        return;
    struct reader reader = reader_of(reply);
    struct reply_value value;
    bool told = status == CAIRN_OK && reply_next(&reader, &value);
    bool refused = told && value.kind == REPLY_ERROR;
    bool busy = refused && value.text.len >= 4 && memcmp(value.text.data, "BUSY", 4) == 0;
    part->asked = false;
    part->done = told && !refused;
    if (!told || busy)
        ask_again(node, keyspace);
    else if (refused) /* behind its "ERR " */
        failed(node, keyspace, bytes_of(value.text.data + 4, value.text.len - 4));
    env_wake(node->env);
}

static void ask_for_part(struct node *node, uint32_t keyspace, uint64_t now) {
    const struct aim *aim = aim_of(node);
    struct part *of = cairn_alloc(sizeof *of);
    struct buf command = {0};
    *of =
        (struct part){.node = node, .generation = node->aim_drive.generation, .keyspace = keyspace};
    buf_u8(&command, NODE_MEMBER_STEP);
    buf_u64(&command, aim->id);
    buf_u8(&command, (uint8_t)aim->phase);
    struct aim_part *part = &node->aim_drive.parts[keyspace];
    part->asked = true;
    part->asked_ns = now;
    request_new_from(node->groups[keyspace], ORIGIN_CLIENT, REQUEST_OPERATE, buf_view(&command),
                     part_done, of)
        ->patient = true;
    buf_free(&command);
    env_wake(node->env);
}

/* What the leaders of the other keyspaces have committed is known to this node too, so that a
 * requester that is told of the end finds it so; waited for within a limit, and not by one that is
 * no member. */
static bool seen_here(struct node *node, uint64_t now) {
    const struct aim *aim = aim_of(node);
    struct aim_drive *drive = &node->aim_drive;
    if (drive->settle_by_ns == 0)
        drive->settle_by_ns = now + SETTLE_TIMEOUTS * node->options.election_timeout_max_ns;
    for (uint32_t k = 0; k < aim->keyspaces && now < drive->settle_by_ns; k++) {
        const struct group *group = node->groups[k];
        const struct wishes *wishes = aim->phase == AIM_BACK ? &aim->former[k] : &aim->wanted;
        bool member = config_member(&group->config, node->options.identity.node) != NULL;
        if (member && !(group->config_committed && wishes_hold(wishes, &group->config)))
            return false;
    }
    return true;
}

static void next_phase(struct node *node, uint64_t now) {
    const struct aim *aim = aim_of(node);
    char reason[AIM_REASON_MAX];
    if (aim->phase == AIM_PREPARE) {
        write_phase(node, AIM_CARRY_OUT, AIM_UNDER_WAY, "");
    } else if (seen_here(node, now)) {
        bool back = aim->phase == AIM_BACK;
        snprintf(reason, sizeof reason, "%.200s%s", aim->reason,
                 back ? "; nothing was changed" : "");
        write_end(node, back ? aim->end : AIM_DONE, reason);
    }
}

static bool drives(const struct node *node) {
    const struct group *first = node->groups[0];
    const struct aim *aim = aim_of(node);
    bool leads = first->role == ROLE_LEADER && first->applied_term == first->term &&
                 first->install == NULL && !node->stopping;
    bool forgets = node->options.mutant == MUTANT_AIM_FORGOTTEN && first->term != 1 &&
                   first->term != node->aim_drive.term && node->aim_drive.id != aim->id;
    return leads && aim->id != 0 && aim->keyspaces <= node->group_count && !forgets;
}

void aims_turn(struct node *node, uint64_t now) {
    struct aim_drive *drive = &node->aim_drive;
    const struct aim *aim = aim_of(node);
    if (!drives(node)) {
        if (drive->id != 0)
            *drive =
                (struct aim_drive){.generation = drive->generation + 1, .writing = drive->writing};
        return;
    }
    uint64_t term = node->groups[0]->term;
    if (drive->id != aim->id || drive->phase != aim->phase || drive->term != term)
        *drive = (struct aim_drive){.id = aim->id,
                                    .phase = aim->phase,
                                    .term = term,
                                    .generation = drive->generation + 1,
                                    .writing = drive->writing};
    bool all = true;
    for (uint32_t n = aim->keyspaces; n > 0 && drive->writing == 0; n--) {
        struct aim_part *part = &drive->parts[n - 1];
        bool waits = n == 1 && aim->phase == AIM_CARRY_OUT && !all;
        all &= part->done;
        if (!part->done && !part->asked && !waits && now >= part->retry_ns)
            ask_for_part(node, n - 1, now);
    }
    if (all && drive->writing == 0)
        next_phase(node, now);
}

uint64_t aims_deadline(const struct node *node) {
    const struct aim_drive *drive = &node->aim_drive;
    uint64_t deadline = UINT64_MAX;
    for (uint32_t k = 0; drive->id != 0 && k < node->group_count; k++) {
        const struct aim_part *part = &drive->parts[k];
        if (!part->done && !part->asked && part->retry_ns != 0 && part->retry_ns < deadline)
            deadline = part->retry_ns;
    }
    if (drive->id != 0 && drive->settle_by_ns != 0 && drive->settle_by_ns < deadline)
        deadline = drive->settle_by_ns;
    return deadline;
}
