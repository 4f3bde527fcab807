#include "node/life.h"

#include "base/alloc.h"
#include "base/assert.h"

#define STOOD_STILL_NS 500000000ull /* heartbeats make the loop look far more often */
#define AGAIN_NS 200000000ull

void lives_open(struct lives *lives) {
    list_init(&lives->due);
    for (size_t i = 0; i < LIVES_SLOTS; i++)
        list_init(&lives->slots[i]);
}

static void life_free(struct lives *lives, struct life *life) {
    hmap_remove(&lives->by_id, &life->by_id);
    list_remove(&life->slot);
    cairn_free(life);
}

void lives_clear(struct lives *lives) {
    for (struct hnode *node = hmap_next(&lives->by_id, NULL), *next; node != NULL; node = next) {
        struct life *life = container_of(node, struct life, by_id);
        next = hmap_next(&lives->by_id, node);
        list_remove(&life->slot);
        cairn_free(life);
    }
    hmap_free(&lives->by_id);
    lives->kept = false;
}

/* The clock that stands still when the leader does. */
static uint64_t clock_of(const struct lives *lives, uint64_t now) {
    return now - lives->lost_ns;
}

static void look_at_clock(struct lives *lives, uint64_t now) {
    if (now > lives->seen_ns && now - lives->seen_ns > STOOD_STILL_NS && !lives->counts_all)
        lives->lost_ns += now - lives->seen_ns;
    lives->seen_ns = now;
}

void lives_begin(struct lives *lives, uint64_t now) {
    lives_clear(lives);
    lives->kept = true;
    lives->lost_ns = 0;
    lives->seen_ns = now;
    lives->next = now / LIVES_SLOT_NS;
}

static bool matches(const struct hnode *node, const void *key) {
    return container_of(node, struct life, by_id)->id == *(const uint64_t *)key;
}

static struct life *find(const struct lives *lives, uint64_t id) {
    struct hnode *node = hmap_find(&lives->by_id, hash_u64(id), matches, &id);
    return node == NULL ? NULL : container_of(node, struct life, by_id);
}

/* Into the slot of its deadline, or the furthest: there its deadline is looked at again. Never into
 * the slot before `next`, which may be the one that is being looked at. */
static void file(struct lives *lives, struct life *life) {
    uint64_t slot = life->deadline_ns / LIVES_SLOT_NS + 1, last = lives->next + LIVES_SLOTS - 2;
    if (slot < lives->next)
        slot = lives->next;
    if (slot > last)
        slot = last;
    list_remove(&life->slot);
    list_push(&lives->slots[slot % LIVES_SLOTS], &life->slot);
}

void lives_put(struct lives *lives, uint64_t id, uint64_t timeout_ms, uint64_t now) {
    if (!lives->kept)
        return;
    struct life *life = find(lives, id);
    if (life == NULL) {
        life = cairn_alloc_zero(sizeof *life);
        life->id = id;
        list_init(&life->slot);
        hmap_insert(&lives->by_id, &life->by_id, hash_u64(id));
    }
    life->timeout_ns = timeout_ms * 1000000;
    life->deadline_ns = clock_of(lives, now) + life->timeout_ns;
    life->ending = false;
    file(lives, life);
}

void lives_remove(struct lives *lives, uint64_t id) {
    struct life *life = find(lives, id);
    if (life != NULL)
        life_free(lives, life);
}

void lives_sign(struct lives *lives, uint64_t id, uint64_t now) {
    struct life *life = find(lives, id);
    if (life != NULL)
        life->deadline_ns = clock_of(lives, now) + life->timeout_ns;
}

static void turn_wheel(struct lives *lives, uint64_t clock) {
    while (lives->next * LIVES_SLOT_NS <= clock) {
        struct list *slot = &lives->slots[lives->next++ % LIVES_SLOTS];
        LIST_EACH_SAFE(item, slot) {
            struct life *life = container_of(item, struct life, slot);
            if (life->deadline_ns > clock) {
                file(lives, life);
            } else {
                list_remove(item);
                list_push(&lives->due, item);
            }
        }
    }
}

uint64_t lives_due(struct lives *lives, uint64_t now) {
    if (!lives->kept)
        return 0;
    look_at_clock(lives, now);
    uint64_t clock = clock_of(lives, now);
    turn_wheel(lives, clock);
    while (!list_empty(&lives->due)) {
        struct life *life = container_of(list_first(&lives->due), struct life, slot);
        list_remove(&life->slot);
        if (life->deadline_ns <= clock) {
            life->ending = true;
            return life->id;
        }
        file(lives, life); /* a sign came in the last moment */
    }
    return 0;
}

void lives_again(struct lives *lives, uint64_t id, uint64_t now) {
    struct life *life = find(lives, id);
    if (life == NULL || !life->ending)
        return;
    life->ending = false;
    if (life->deadline_ns < clock_of(lives, now) + AGAIN_NS)
        life->deadline_ns = clock_of(lives, now) + AGAIN_NS;
    file(lives, life);
}

uint64_t lives_deadline(const struct lives *lives) {
    if (!lives->kept || lives->by_id.count == 0)
        return UINT64_MAX;
    return lives->next * LIVES_SLOT_NS + lives->lost_ns;
}
