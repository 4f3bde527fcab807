/* Watches, held against what the tree went through: every change that was watched for is told
 * before any answer that shows it. */
#include "sim/sim_tree_internal.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <string.h>

struct watch {
    enum { W_DATA, W_EXIST, W_CHILD, W_PERSISTENT, W_RECURSIVE } kind;
    char path[ZK_PATH_MAX];
    uint64_t
        since; /* changes above this zxid are to be told; UINT64_MAX: from the next answer on */
    uint64_t before; /* then: what the client had seen when it registered this anew */
};

struct watcher {
    struct watch *items;
    size_t count, cap;
    const struct zk_op **notes; /* told, and not matched with a change yet */
    size_t note_count, note_cap;
    size_t fact; /* the first that no answer has shown yet */
    uint64_t seen;
};

static bool is_below(const char *path, const char *top) {
    size_t len = strlen(top);
    return strcmp(top, "/") == 0 ||
           (strncmp(path, top, len) == 0 && (path[len] == 0 || path[len] == '/'));
}

static bool covers(const struct watch *watch, const struct sim_fact *fact) {
    bool here = strcmp(watch->path, fact->path) == 0, children = fact->event == ZK_EVENT_CHILDREN;
    if (watch->since == UINT64_MAX || fact->zxid <= watch->since)
        return false;
    switch (watch->kind) {
    case W_DATA:
    case W_EXIST:
        return here && !children;
    case W_CHILD:
        return here && (children || fact->event == ZK_EVENT_DELETED);
    case W_PERSISTENT:
        return here;
    case W_RECURSIVE:
        return !children && is_below(fact->path, watch->path);
    }
    return false;
}

static void watch_on(struct watcher *watcher, int kind, const char *path, uint64_t since) {
    for (size_t i = 0; i < watcher->count; i++)
        if ((int)watcher->items[i].kind == kind && strcmp(watcher->items[i].path, path) == 0)
            return;
    if (watcher->count == watcher->cap) {
        watcher->cap = watcher->cap ? watcher->cap * 2 : 16;
        watcher->items = cairn_realloc(watcher->items, watcher->cap * sizeof *watcher->items);
    }
    struct watch *watch = &watcher->items[watcher->count++];
    watch->kind = kind;
    watch->since = since;
    memcpy(watch->path, path, sizeof watch->path);
}

/* Takes one-shot watches that the fact fires; whether any watch was to tell of it. */
static bool fire(struct watcher *watcher, const struct sim_fact *fact) {
    bool any = false;
    size_t kept = 0;
    for (size_t i = 0; i < watcher->count; i++) {
        bool covered = covers(&watcher->items[i], fact);
        any |= covered;
        if (!covered || watcher->items[i].kind >= W_PERSISTENT)
            watcher->items[kept++] = watcher->items[i];
    }
    watcher->count = kept;
    return any;
}

static bool take_note(struct watcher *watcher, int event, const char *path) {
    for (size_t i = 0; i < watcher->note_count; i++) {
        const struct zk_part *part = &watcher->notes[i]->parts[0];
        if (part->mode != event || strcmp(part->path, path) != 0)
            continue;
        memmove(&watcher->notes[i], &watcher->notes[i + 1],
                (--watcher->note_count - i) * sizeof *watcher->notes);
        return true;
    }
    return false;
}

/* The first answer of a connection: what changed since the client had seen it was told at once, for
 * the watches on data and children that it registered anew. */
static void judge_registered_anew(struct trial *at, const struct watcher *watcher,
                                  const struct zk_op *op) {
    for (size_t i = 0; i < watcher->count; i++) {
        struct watch watch = watcher->items[i];
        bool checked = watch.kind == W_DATA || watch.kind == W_CHILD;
        if (watch.since != UINT64_MAX || !checked)
            continue;
        watch.since = watch.before;
        for (size_t n = trial_first_of_path(at, watch.path); n < at->by_path_count; n++) {
            const struct sim_fact *fact = at->by_path[n];
            if (strcmp(fact->path, watch.path) != 0 || fact->zxid > op->zxid)
                break;
            if (covers(&watch, fact))
                trial_fail(
                    at, op,
                    "a watch on %s was registered anew by a client that had seen zxid %" PRIx64
                    ", and not told of event %d (zxid %" PRIx64 ")",
                    watch.path, watch.before, fact->event, fact->zxid);
        }
    }
}

/* What the answer shows must have been told by now. */
static void shown(struct trial *at, struct watcher *watcher, const struct zk_op *op) {
    const struct sim_tree *tree = at->judgement->tree;
    judge_registered_anew(at, watcher, op);
    for (; watcher->fact < tree->count; watcher->fact++) {
        const struct sim_fact *fact = &tree->facts[watcher->fact];
        if (fact->zxid > op->zxid)
            break;
        if (fact->path[0] == 0)
            continue;
        bool told = take_note(watcher, fact->event, fact->path);
        if (fire(watcher, fact) && !told)
            trial_fail(at, op,
                       "event %d at %s (zxid %" PRIx64 ") was watched for, and not told before an "
                       "answer that shows it",
                       fact->event, fact->path, fact->zxid);
    }
    for (size_t i = 0; i < watcher->count; i++)
        if (watcher->items[i].since == UINT64_MAX)
            watcher->items[i].since = op->zxid;
    watcher->seen = op->zxid;
}

static void register_watch(struct watcher *watcher, const struct zk_op *op) {
    const struct zk_part *part = &op->parts[0];
    if (part->action == ZK_ADD_WATCH && op->error == 0)
        watch_on(watcher, part->mode == 1 ? W_RECURSIVE : W_PERSISTENT, part->path, op->zxid);
    if (!op->watch)
        return;
    if (part->action == ZK_EXISTS && op->error == ZK_NO_NODE)
        watch_on(watcher, W_EXIST, part->path, op->zxid);
    else if (op->error == 0)
        watch_on(watcher, part->action == ZK_CHILDREN ? W_CHILD : W_DATA, part->path, op->zxid);
}

/* Takes the one-shot watches that the note is of: those whose beginning is vague, or all. */
static bool take_watches(struct watcher *watcher, const struct zk_part *note, bool all) {
    struct sim_fact fact = {.event = note->mode, .zxid = UINT64_MAX};
    bool any = false;
    size_t kept = 0;
    memcpy(fact.path, note->path, sizeof fact.path);
    for (size_t i = 0; i < watcher->count; i++) {
        struct watch watch = watcher->items[i];
        bool meant = all || watch.since == UINT64_MAX;
        watch.since = 0;
        meant = meant && covers(&watch, &fact);
        any |= meant;
        if (!meant || watch.kind >= W_PERSISTENT)
            watcher->items[kept++] = watcher->items[i];
    }
    watcher->count = kept;
    return any;
}

/* On another connection: a data or child watch is made good by what the client sends; a node that
 * came and went meanwhile is not told to a watch that waits for it to exist, and a persistent watch
 * tells only what comes. What was told and not shown by an answer any more has taken its watches.
 */
static void reconnected(struct watcher *watcher) {
    for (size_t i = 0; i < watcher->note_count; i++)
        take_watches(watcher, &watcher->notes[i]->parts[0], true);
    for (size_t i = 0; i < watcher->count; i++) {
        struct watch *watch = &watcher->items[i];
        if (watch->since != UINT64_MAX)
            watch->before = watch->since > watcher->seen ? watch->since : watcher->seen;
        watch->since = UINT64_MAX;
    }
    watcher->note_count = 0;
}

void trial_judge_watches(struct trial *at, const struct zk_op *const *ops, size_t count) {
    struct watcher watcher = {0};
    for (size_t i = 0; i < count; i++) {
        const struct zk_op *op = ops[i];
        enum zk_action action = op->parts[0].action;
        if (action == ZK_NOTIFICATION) {
            /* Before the first answer of a connection it may be of what was registered anew, or of
             * a change since: which, is not to be known. */
            if (take_watches(&watcher, &op->parts[0], false))
                continue;
            if (watcher.note_count == watcher.note_cap) {
                watcher.note_cap = watcher.note_cap ? watcher.note_cap * 2 : 16;
                watcher.notes =
                    cairn_realloc(watcher.notes, watcher.note_cap * sizeof *watcher.notes);
            }
            watcher.notes[watcher.note_count++] = op;
        } else if (action == ZK_CONNECTED) {
            reconnected(&watcher);
            if (!op->resumed)
                watcher.count = 0;
        } else if (action == ZK_LOST || action == ZK_EXPIRED) {
            reconnected(&watcher);
        } else if (op->outcome == ZK_ANSWERED && op->zxid != 0) {
            shown(at, &watcher, op);
            register_watch(&watcher, op);
        }
    }
    cairn_free(watcher.items);
    cairn_free(watcher.notes);
}
