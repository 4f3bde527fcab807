/* What ZooKeeper's clients saw, held against what the tree went through. */
#include "sim/sim_tree_internal.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_EPHEMERAL_BIT 1 /* of the modes below 4 */
#define MODE_SEQUENTIAL_BIT 2

void trial_fail(struct trial *at, const struct zk_op *op, const char *format, ...) {
    struct sim_tree_judgement *judgement = at->judgement;
    if (judgement->error[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(judgement->error, sizeof judgement->error, format, args);
    va_end(args);
    judgement->op = op;
}

/* ---- the tree at a zxid ---- */

static int by_path_then_order(const void *a, const void *b) {
    const struct sim_fact *x = *(const struct sim_fact *const *)a;
    const struct sim_fact *y = *(const struct sim_fact *const *)b;
    int paths = strcmp(x->path, y->path);
    return paths != 0 ? paths : x < y ? -1 : x > y;
}

size_t trial_first_of_path(const struct trial *at, const char *path) {
    size_t low = 0, high = at->by_path_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(at->by_path[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct state {
    bool exists;
    uint64_t czxid, mzxid;
    int32_t version;
};

/* Just before (or, with `itself`, just after) what has that zxid. */
static struct state state_at(const struct trial *at, const char *path, uint64_t zxid, bool itself) {
    struct state state = {.exists = strcmp(path, "/") == 0};
    for (size_t i = trial_first_of_path(at, path); i < at->by_path_count; i++) {
        const struct sim_fact *fact = at->by_path[i];
        if (strcmp(fact->path, path) != 0 || fact->zxid > zxid || (fact->zxid == zxid && !itself))
            break;
        if (fact->event == ZK_EVENT_CREATED)
            state = (struct state){true, fact->zxid, fact->zxid, 0};
        else if (fact->event == ZK_EVENT_DELETED)
            state = (struct state){0};
        else if (fact->event == ZK_EVENT_DATA)
            state.mzxid = fact->zxid, state.version++;
    }
    return state;
}

static bool happened(const struct trial *at, const char *path, uint64_t zxid, int event) {
    for (size_t i = trial_first_of_path(at, path); i < at->by_path_count; i++) {
        const struct sim_fact *fact = at->by_path[i];
        if (strcmp(fact->path, path) != 0 || fact->zxid > zxid)
            return false;
        if (fact->zxid == zxid && fact->event == event)
            return true;
    }
    return false;
}

static void parent_of(const char *path, char *out) {
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(out, path, len);
    out[len] = 0;
}

/* ---- answers, each against the state that it names ---- */

static int event_of(enum zk_action action) {
    return action == ZK_CREATE   ? ZK_EVENT_CREATED
           : action == ZK_DELETE ? ZK_EVENT_DELETED
           : action == ZK_SET    ? ZK_EVENT_DATA
                                 : 0;
}

static const struct zk_op *write_at(const struct trial *at, uint64_t zxid) {
    size_t low = 0, high = at->write_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at->writes[middle]->zxid < zxid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < at->write_count && at->writes[low]->zxid == zxid ? at->writes[low] : NULL;
}

static void judge_token(struct trial *at, const struct zk_op *op) {
    const struct zk_op *write = write_at(at, op->stat.mzxid);
    for (uint32_t i = 0; write != NULL && i < write->part_count; i++) {
        const struct zk_part *part = &write->parts[i];
        bool same = strcmp(part->path, op->parts[0].path) == 0 && event_of(part->action) != 0 &&
                    part->action != ZK_DELETE;
        if (same && part->token != op->parts[0].token)
            trial_fail(at, op,
                       "a read shows data %" PRIx64 ", but %" PRIx64
                       " was written by zxid %" PRIx64,
                       op->parts[0].token, part->token, write->zxid);
    }
}

static size_t count_children(const struct trial *at, const char *path, uint64_t zxid,
                             const char *names, bool *all_named) {
    char prefix[ZK_PATH_MAX + 1], line[ZK_PATH_MAX + 3];
    size_t count = 0;
    snprintf(prefix, sizeof prefix, "%s%s", path, strcmp(path, "/") == 0 ? "" : "/");
    size_t len = strlen(prefix);
    for (size_t i = trial_first_of_path(at, prefix); i < at->by_path_count; i++) {
        const char *child = at->by_path[i]->path;
        if (strncmp(child, prefix, len) != 0)
            break;
        bool first = i == 0 || strcmp(at->by_path[i - 1]->path, child) != 0;
        if (!first || strchr(child + len, '/') != NULL || child[len] == 0 ||
            !state_at(at, child, zxid, true).exists)
            continue;
        snprintf(line, sizeof line, "%s\n", child + len);
        const char *found = strstr(names, line);
        *all_named &= found != NULL && (found == names || found[-1] == '\n');
        count++;
    }
    return count;
}

static void judge_children(struct trial *at, const struct zk_op *op) {
    bool all_named = true;
    size_t named = 0;
    for (const char *c = op->children; *c != 0; c++)
        named += *c == '\n';
    size_t count = count_children(at, op->parts[0].path, op->zxid, op->children, &all_named);
    if (count != named || !all_named)
        trial_fail(at, op, "%zu children are told, and at that zxid there are %zu%s", named, count,
                   all_named ? "" : ", others");
}

static void judge_read(struct trial *at, const struct zk_op *op) {
    const struct zk_part *part = &op->parts[0];
    struct state state = state_at(at, part->path, op->zxid, true);
    if (op->error == ZK_NO_NODE) {
        if (state.exists)
            trial_fail(at, op, "a node is not found that is there at that zxid");
        return;
    }
    if (op->error != 0)
        return;
    if (!state.exists) {
        trial_fail(at, op, "a node is found that is not there at that zxid");
    } else if (op->stat.czxid != state.czxid || op->stat.mzxid != state.mzxid ||
               op->stat.version != state.version) {
        trial_fail(at, op,
                   "a read shows czxid %" PRIx64 " mzxid %" PRIx64
                   " version %d; at that zxid it is %" PRIx64 " %" PRIx64 " %d",
                   op->stat.czxid, op->stat.mzxid, op->stat.version, state.czxid, state.mzxid,
                   state.version);
    } else if (part->action == ZK_GET) {
        judge_token(at, op);
    } else if (part->action == ZK_CHILDREN) {
        judge_children(at, op);
    }
}

static void judge_refusal(struct trial *at, const struct zk_op *op) {
    const struct zk_part *part = &op->parts[0];
    struct state state = state_at(at, part->path, op->zxid, true);
    char parent[ZK_PATH_MAX];
    parent_of(part->path, parent);
    bool wrong = false;
    if (op->part_count > 1)
        return; /* its parts saw one another's work */
    if (op->error == ZK_NO_NODE && part->action == ZK_CREATE)
        wrong = state_at(at, parent, op->zxid, true).exists;
    else if (op->error == ZK_NO_NODE)
        wrong = state.exists;
    else if (op->error == ZK_NODE_EXISTS)
        wrong = !state.exists;
    else if (op->error == ZK_BAD_VERSION)
        wrong = !state.exists || part->version == -1 || part->version == state.version;
    if (wrong)
        trial_fail(at, op, "a write was refused with %d, which its state does not explain",
                   op->error);
}

static void judge_write(struct trial *at, const struct zk_op *op) {
    if (op->error != 0) {
        judge_refusal(at, op);
        return;
    }
    for (uint32_t i = 0; i < op->part_count; i++) {
        const struct zk_part *part = &op->parts[i];
        int event = event_of(part->action);
        if (event != 0 && !happened(at, part->path, op->zxid, event))
            trial_fail(at, op, "an acknowledged write of %s did not happen at its zxid",
                       part->path);
        struct state before = state_at(at, part->path, op->zxid, false);
        bool first = op->part_count == 1;
        if (first && part->version != -1 && event != 0 && part->action != ZK_CREATE &&
            before.version != part->version)
            trial_fail(at, op, "a write was done on version %d, and asked for %d", before.version,
                       part->version);
    }
    if (op->part_count == 1 && op->parts[0].action == ZK_SET &&
        op->stat.version != state_at(at, op->parts[0].path, op->zxid, true).version)
        trial_fail(at, op, "a set answered version %d", op->stat.version);
}

static bool is_write(const struct zk_op *op) {
    return op->part_count > 1 || event_of(op->parts[0].action) != 0;
}

static void judge_answers(struct trial *at) {
    for (size_t i = 0; i < at->count; i++) {
        const struct zk_op *op = at->ops[i];
        enum zk_action action = op->parts[0].action;
        if (op->outcome != ZK_ANSWERED)
            continue;
        if (is_write(op))
            judge_write(at, op);
        else if (action == ZK_GET || action == ZK_EXISTS || action == ZK_CHILDREN)
            judge_read(at, op);
    }
}

/* ---- everything that happened was asked for, once ---- */

static bool part_explains(const struct zk_part *part, const struct sim_fact *fact) {
    if (event_of(part->action) != fact->event)
        return false;
    bool named = part->action == ZK_CREATE && part->mode < 4 && (part->mode & MODE_SEQUENTIAL_BIT);
    return named ? strncmp(part->path, fact->path, strlen(part->path)) == 0
                 : strcmp(part->path, fact->path) == 0;
}

/* The facts of one entry (without those of parents' children) are just the changes of op. */
static bool op_explains(const struct zk_op *op, const struct sim_fact *facts, size_t count) {
    size_t changes = 0, told = 0;
    for (uint32_t i = 0; i < op->part_count; i++)
        changes += event_of(op->parts[i].action) != 0;
    for (size_t n = 0; n < count; n++) {
        bool explained = facts[n].event == ZK_EVENT_CHILDREN;
        told += !explained;
        for (uint32_t i = 0; i < op->part_count && !explained; i++)
            explained = part_explains(&op->parts[i], &facts[n]);
        if (!explained)
            return false;
    }
    return told == changes;
}

static bool is_ours(const struct sim_fact *fact) {
    return fact->path[0] == '/' && strncmp(fact->path, "/zookeeper", 10) != 0;
}

/* An unanswered operation took effect, if at all, between the answers before it and behind it: its
 * connection was lost, and what such a one left under way is refused once the session is held by
 * the next. Of those that fit, the one that must be first. */
static bool take_unanswered(struct trial *at, const struct sim_fact *facts, size_t count) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < at->count; i++) {
        bool between = at->before[i] < facts[0].zxid && facts[0].zxid < at->behind[i];
        if (at->ops[i]->outcome != ZK_UNANSWERED || at->used[i] || !between ||
            (best != SIZE_MAX && at->behind[best] <= at->behind[i]) ||
            !op_explains(at->ops[i], facts, count))
            continue;
        best = i;
    }
    if (best != SIZE_MAX)
        at->used[best] = true;
    return best != SIZE_MAX;
}

/* What made the node that a deletion takes away; NULL: not known. */
static const struct zk_part *made_by(const struct trial *at, const struct sim_fact *deletion,
                                     const struct zk_op **op) {
    struct state state = state_at(at, deletion->path, deletion->zxid, false);
    *op = state.exists ? write_at(at, state.czxid) : NULL;
    for (uint32_t i = 0; *op != NULL && i < (*op)->part_count; i++)
        if ((*op)->parts[i].action == ZK_CREATE &&
            strcmp((*op)->parts[i].path, deletion->path) == 0)
            return &(*op)->parts[i];
    return NULL;
}

/* A session takes its own ephemerals along, and nothing else. */
static void judge_end(struct trial *at, const struct sim_fact *facts, size_t count,
                      uint64_t session) {
    for (size_t i = 0; i < count; i++) {
        const struct zk_op *op;
        const struct zk_part *part;
        if (facts[i].event != ZK_EVENT_DELETED || (part = made_by(at, &facts[i], &op)) == NULL)
            continue;
        bool ephemeral = part->mode < 4 && (part->mode & MODE_EPHEMERAL_BIT);
        if (!ephemeral || op->session != session)
            trial_fail(at, op,
                       "what goes with session %" PRIx64 " is not one of its ephemerals: %s",
                       session, facts[i].path);
    }
}

/* A node with a time to live goes when nothing has changed it for that long. */
static void judge_reaped(struct trial *at, const struct sim_fact *facts, size_t count) {
    for (size_t n = 0; n < count; n++) {
        const struct sim_fact *last = NULL;
        for (size_t i = trial_first_of_path(at, facts[n].path); i < at->by_path_count; i++) {
            const struct sim_fact *fact = at->by_path[i];
            if (strcmp(fact->path, facts[n].path) != 0 || fact->zxid >= facts[n].zxid)
                break;
            if (fact->event == ZK_EVENT_CREATED || fact->event == ZK_EVENT_DATA)
                last = fact;
        }
        if (facts[n].event == ZK_EVENT_DELETED && last != NULL && last->time_ms != 0 &&
            facts[n].time_ms < last->time_ms + ZK_TTL_MS)
            trial_fail(at, write_at(at, last->zxid),
                       "%s, which lives %u ms from its last change on, goes %" PRIu64
                       " ms after it",
                       facts[n].path, ZK_TTL_MS, facts[n].time_ms - last->time_ms);
    }
}

/* By itself: a session's end, or the end of nodes' time to live. */
static bool by_time(struct trial *at, const struct sim_fact *facts, size_t count) {
    bool lived = true;
    for (size_t i = 0; i < count; i++) {
        if (facts[i].event == SIM_LIFE_ENDED) {
            judge_end(at, facts, count, facts[i].session);
            return true;
        }
        bool deletion = facts[i].event == ZK_EVENT_DELETED || facts[i].event == ZK_EVENT_CHILDREN;
        lived &= deletion && (facts[i].event == ZK_EVENT_CHILDREN || facts[i].path[1] == 't');
    }
    if (lived)
        judge_reaped(at, facts, count);
    return lived;
}

static void judge_entry(struct trial *at, const struct sim_fact *facts, size_t count) {
    if (!is_ours(&facts[0]) || by_time(at, facts, count))
        return;
    const struct zk_op *op = write_at(at, facts[0].zxid);
    if (op != NULL ? op_explains(op, facts, count) : take_unanswered(at, facts, count))
        return;
    trial_fail(at, op,
               "no watch asked for (once more) what happened at zxid %" PRIx64 ": event %d at %s",
               facts[0].zxid, facts[0].event, facts[0].path);
}

static void judge_facts(struct trial *at) {
    const struct sim_tree *tree = at->judgement->tree;
    for (size_t i = 0; i < tree->count;) {
        size_t end = i + 1;
        while (end < tree->count && tree->facts[end].index == tree->facts[i].index)
            end++;
        judge_entry(at, &tree->facts[i], end - i);
        if (i > 0 && tree->facts[i].zxid != 0 && tree->facts[i - 1].zxid > tree->facts[i].zxid)
            trial_fail(at, NULL, "zxid %" PRIx64 " follows a higher one", tree->facts[i].zxid);
        i = end;
    }
}

/* ---- orders ---- */

/* Writes: what ended before another began has the lower zxid. */
static void judge_real_time(struct trial *at) {
    uint64_t began = 0;
    const struct zk_op *before = NULL;
    for (size_t i = 0; i < at->write_count; i++) {
        const struct zk_op *op = at->writes[i];
        if (i > 0 && at->writes[i - 1]->zxid == op->zxid)
            trial_fail(at, op, "two writes have one zxid");
        if (before != NULL && op->complete < began)
            trial_fail(at, op,
                       "a write has a higher zxid (%" PRIx64 " and %" PRIx64
                       ") than one that began "
                       "when it had ended",
                       op->zxid, before->zxid);
        if (op->invoke > began) {
            began = op->invoke;
            before = op;
        }
    }
}

static void judge_sequences(struct trial *at) {
    const struct sim_tree *tree = at->judgement->tree;
    const struct sim_fact *last = NULL;
    for (size_t i = 0; i < tree->count; i++) {
        const struct sim_fact *fact = &tree->facts[i];
        if (fact->event != ZK_EVENT_CREATED || strncmp(fact->path, "/q/n-", 5) != 0)
            continue;
        if (last != NULL && strcmp(last->path, fact->path) >= 0)
            trial_fail(at, NULL, "the sequential node %s came after %s", fact->path, last->path);
        last = fact;
    }
}

static uint64_t newest_before(const struct trial *at, uint64_t time) {
    uint64_t newest = 0;
    for (size_t i = 0; i < at->write_count; i++)
        if (at->writes[i]->complete < time)
            newest = at->writes[i]->zxid;
    return newest;
}

static void judge_order_of_client(struct trial *at, const struct zk_op *const *ops, size_t count) {
    uint64_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        const struct zk_op *op = ops[i];
        if (op->outcome != ZK_ANSWERED || op->zxid == 0)
            continue;
        if (op->zxid < seen)
            trial_fail(at, op, "a client that had seen zxid %" PRIx64 " was shown an older state",
                       seen);
        seen = op->zxid;
        if (op->synced && op->zxid < newest_before(at, op->sign_ns))
            trial_fail(at, op, "a read behind sync misses zxid %" PRIx64 ", acknowledged before",
                       newest_before(at, op->sign_ns));
    }
}

/* ---- sessions ---- */

static uint64_t end_of_session(const struct trial *at, uint64_t session) {
    const struct sim_tree *tree = at->judgement->tree;
    for (size_t i = 0; i < tree->count; i++)
        if (tree->facts[i].event == SIM_LIFE_ENDED && tree->facts[i].session == session)
            return tree->facts[i].index;
    return UINT64_MAX;
}

static uint64_t index_of(const struct trial *at, const char *path, uint64_t zxid, int event) {
    for (size_t i = trial_first_of_path(at, path); i < at->by_path_count; i++) {
        const struct sim_fact *fact = at->by_path[i];
        if (strcmp(fact->path, path) != 0)
            break;
        if (fact->zxid >= zxid && fact->event == event)
            return fact->index;
    }
    return UINT64_MAX;
}

static void judge_ephemeral(struct trial *at, const struct zk_op *op, const struct zk_part *part) {
    uint64_t end = end_of_session(at, op->session);
    uint64_t made = index_of(at, part->path, op->zxid, ZK_EVENT_CREATED);
    if (made > end && made != UINT64_MAX)
        trial_fail(at, op, "a session wrote after its end");
    if (end == UINT64_MAX || part->mode >= 4 || !(part->mode & MODE_EPHEMERAL_BIT))
        return;
    if (index_of(at, part->path, op->zxid, ZK_EVENT_DELETED) > end)
        trial_fail(at, op, "an ephemeral outlived its session");
}

static bool was_closed(const struct trial *at, uint64_t session) {
    for (size_t i = 0; i < at->count; i++)
        if (at->ops[i]->parts[0].action == ZK_CLOSE && at->ops[i]->session == session)
            return true;
    return false;
}

/* A session that changes hands lives for its full timeout from then on: its end, which the leader
 * asks for, is void if it was meant for an earlier holder. */
static void judge_lives(struct trial *at) {
    const struct sim_tree *tree = at->judgement->tree;
    for (size_t i = 0; i < tree->count && !at->judgement->unsure; i++) {
        const struct sim_fact *end = &tree->facts[i], *held = end;
        if (end->event != SIM_LIFE_ENDED || was_closed(at, end->session))
            continue;
        while (held > tree->facts &&
               (held->event != SIM_LIFE_HELD || held->session != end->session))
            held--;
        if (held->event == SIM_LIFE_HELD && held->session == end->session &&
            end->time_ms < held->time_ms + held->timeout_ms / 2)
            trial_fail(at, NULL,
                       "session %" PRIx64 " of %" PRIu64 " ms is over %" PRIu64
                       " ms after it was taken to a server",
                       end->session, held->timeout_ms, end->time_ms - held->time_ms);
    }
}

/* How much of that time no node could hear anything. */
static uint64_t stood_still(const struct sim_tree_judgement *judgement, uint64_t from,
                            uint64_t to) {
    uint64_t sum = 0;
    for (size_t i = 0; i < judgement->still_count; i++) {
        uint64_t begin = judgement->still[i].from > from ? judgement->still[i].from : from;
        uint64_t end = judgement->still[i].to < to ? judgement->still[i].to : to;
        sum += end > begin ? end - begin : 0;
    }
    return sum;
}

/* The session that a client was told to be over: it was silent for long enough, or closed. The last
 * signs may have gone to a server that was cut off and did not know it yet: a few election
 * timeouts, of which a session's has at least eight. */
static void judge_expiry(struct trial *at, const struct zk_op *op, bool closed) {
    if (closed)
        return;
    if (at->judgement->calm)
        trial_fail(at, op, "a session ended although nothing was broken");
    uint64_t still = stood_still(at->judgement, op->sign_ns, op->complete);
    if (!at->judgement->late && op->complete - still < op->sign_ns + op->timeout_ns / 2)
        trial_fail(at, op,
                   "a session of %" PRIu64 " ms was over %" PRIu64 " ms after it had given a sign",
                   op->timeout_ns / 1000000, (op->complete - op->sign_ns) / 1000000);
}

static void judge_sessions_of_client(struct trial *at, const struct zk_op *const *ops,
                                     size_t count) {
    uint64_t closed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct zk_op *op = ops[i];
        if (op->parts[0].action == ZK_CLOSE)
            closed = op->session;
        else if (op->parts[0].action == ZK_EXPIRED)
            judge_expiry(at, op, op->session == closed);
        if (op->outcome != ZK_ANSWERED || op->error != 0 || op->zxid == 0)
            continue;
        for (uint32_t n = 0; n < op->part_count; n++)
            if (op->parts[n].action == ZK_CREATE)
                judge_ephemeral(at, op, &op->parts[n]);
    }
}

/* ---- the case as a whole ---- */

static int by_zxid(const void *a, const void *b) {
    const struct zk_op *x = *(const struct zk_op *const *)a, *y = *(const struct zk_op *const *)b;
    return x->zxid < y->zxid ? -1 : x->zxid > y->zxid;
}

static int by_client(const void *a, const void *b) {
    const struct zk_op *x = *(const struct zk_op *const *)a, *y = *(const struct zk_op *const *)b;
    if (x->client != y->client)
        return x->client < y->client ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* A notification may be of the very change, told before the answer that never came. */
static bool tells_zxid(const struct zk_op *op) {
    return op->outcome == ZK_ANSWERED && op->zxid != 0 && op->parts[0].action != ZK_NOTIFICATION;
}

static void find_neighbours(struct trial *at) {
    at->before = cairn_alloc((at->count + 1) * sizeof *at->before);
    at->behind = cairn_alloc((at->count + 1) * sizeof *at->behind);
    for (size_t i = 0; i < at->count; i++) {
        bool first = i == 0 || at->ops[i - 1]->client != at->ops[i]->client;
        at->before[i] = first                        ? 0
                        : tells_zxid(at->ops[i - 1]) ? at->ops[i - 1]->zxid
                                                     : at->before[i - 1];
    }
    for (size_t i = at->count; i-- > 0;) {
        bool last = i + 1 == at->count || at->ops[i + 1]->client != at->ops[i]->client;
        at->behind[i] = last                         ? UINT64_MAX
                        : tells_zxid(at->ops[i + 1]) ? at->ops[i + 1]->zxid
                                                     : at->behind[i + 1];
    }
}

static void trial_open(struct trial *at, struct sim_tree_judgement *judgement) {
    const struct sim_tree *tree = judgement->tree;
    *at = (struct trial){.judgement = judgement};
    for (unsigned w = 0; w < judgement->count; w++)
        at->count += zk_count(judgement->workloads[w]);
    at->ops = cairn_alloc((at->count + 1) * sizeof *at->ops);
    at->writes = cairn_alloc((at->count + 1) * sizeof *at->writes);
    at->used = cairn_alloc_zero(at->count + 1);
    at->by_path = cairn_alloc((tree->count + 1) * sizeof *at->by_path);
    size_t n = 0;
    for (unsigned w = 0; w < judgement->count; w++)
        for (size_t i = 0; i < zk_count(judgement->workloads[w]); i++)
            at->ops[n++] = zk_op(judgement->workloads[w], i);
    qsort(at->ops, at->count, sizeof *at->ops, by_client);
    find_neighbours(at);
    for (size_t i = 0; i < at->count; i++)
        if (is_write(at->ops[i]) && at->ops[i]->outcome == ZK_ANSWERED && at->ops[i]->error == 0)
            at->writes[at->write_count++] = at->ops[i];
    qsort(at->writes, at->write_count, sizeof *at->writes, by_zxid);
    for (size_t i = 0; i < tree->count; i++)
        if (tree->facts[i].path[0] != 0)
            at->by_path[at->by_path_count++] = &tree->facts[i];
    qsort(at->by_path, at->by_path_count, sizeof *at->by_path, by_path_then_order);
}

static void trial_close(struct trial *at) {
    cairn_free(at->ops);
    cairn_free(at->writes);
    cairn_free(at->used);
    cairn_free(at->before);
    cairn_free(at->behind);
    cairn_free(at->by_path);
}

void sim_tree_judge(struct sim_tree_judgement *judgement) {
    struct trial at;
    trial_open(&at, judgement);
    judge_facts(&at);
    judge_answers(&at);
    judge_real_time(&at);
    judge_sequences(&at);
    judge_lives(&at);
    for (size_t i = 0; i < at.count;) {
        size_t end = i + 1;
        while (end < at.count && at.ops[end]->client == at.ops[i]->client)
            end++;
        judge_order_of_client(&at, at.ops + i, end - i);
        trial_judge_watches(&at, at.ops + i, end - i);
        judge_sessions_of_client(&at, at.ops + i, end - i);
        i = end;
    }
    trial_close(&at);
}
