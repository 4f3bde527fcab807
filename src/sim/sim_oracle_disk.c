/* What each replica's disk holds durably, read from the very bytes that became durable: the log's
 * batches and the slots of the hard state (storage/wal_format.h). Checksums are taken on trust:
 * these bytes come from the log itself, and what a fault does to them later is not of interest
 * here. */
#include "sim/sim_oracle.h"

#include "base/alloc.h"
#include "core/entry.h"
#include "storage/wal_format.h"

#include <string.h>

#define LOG_ID_AT 16u
#define INCARNATION_AT 24u
#define PLACE_AT 32u
#define SLOT_ID_AT 8u
#define INDEX_MAX (1u << 24)

/* ---- a log ---- */

static struct oracle_point *room(struct oracle_point **at, uint64_t *cap, uint64_t index) {
    if (index >= *cap) {
        uint64_t more = *cap ? *cap : 1024;
        while (more <= index)
            more *= 2;
        *at = cairn_realloc(*at, more * sizeof **at);
        memset(*at + *cap, 0, (more - *cap) * sizeof **at);
        *cap = more;
    }
    return &(*at)[index];
}

void oracle_log_take(struct oracle_log *log, uint64_t index, uint64_t term, uint64_t chain) {
    if (index >= INDEX_MAX)
        return;
    *room(&log->at, &log->cap, index) = (struct oracle_point){term, chain};
    if (index > log->last)
        log->last = index;
}

static void cut(struct oracle_log *log, uint64_t from) {
    while (log->last >= from && log->last > log->base) {
        if (log->last < log->cap)
            log->at[log->last] = (struct oracle_point){0, 0};
        log->last--;
    }
}

void oracle_log_reset(struct oracle_log *log, uint64_t base, uint64_t chain) {
    if (log->cap > 0)
        memset(log->at, 0, log->cap * sizeof *log->at);
    log->base = log->last = base;
    log->base_chain = chain;
}

bool oracle_log_at(const struct oracle_log *log, uint64_t index, struct oracle_point *point) {
    if (index > log->last || index >= log->cap || log->at[index].term == 0)
        return false;
    *point = log->at[index];
    return true;
}

void oracle_log_free(struct oracle_log *log) {
    cairn_free(log->at);
    *log = (struct oracle_log){0};
}

static void log_copy(struct oracle_log *to, const struct oracle_log *from) {
    if (to->cap < from->cap) {
        to->at = cairn_realloc(to->at, from->cap * sizeof *to->at);
        to->cap = from->cap;
    }
    if (to->cap > 0)
        memset(to->at, 0, to->cap * sizeof *to->at);
    if (from->cap > 0)
        memcpy(to->at, from->at, from->cap * sizeof *to->at);
    to->base = from->base;
    to->base_chain = from->base_chain;
    to->last = from->last;
}

void oracle_image_free(struct oracle_image *image) {
    oracle_log_free(&image->log);
    oracle_log_free(&image->under_way);
    cairn_free(image->ever);
    *image = (struct oracle_image){0};
}

bool oracle_image_holds(const struct oracle_replica *replica) {
    const struct sim_disk *disk = &replica->node->host.disk;
    return replica->image.known && !disk->lied && !disk->damaged;
}

void oracle_snapshot_stands(struct oracle_replica *replica, uint64_t index) {
    if (index > replica->image.snapshot)
        replica->image.snapshot = index;
}

void oracle_image_came_back(struct oracle_image *image) {
    struct oracle_point point;
    for (uint64_t index = image->log.base + 1; index <= image->log.last; index++)
        if (oracle_log_at(&image->log, index, &point))
            *room(&image->ever, &image->ever_cap, index) = point;
}

bool oracle_was_durable(const struct oracle_replica *replica, uint64_t index, uint64_t chain) {
    const struct oracle_image *image = &replica->image;
    if (image->lied || replica->node->host.disk.lied || index <= image->ever_base ||
        index <= image->snapshot)
        return true;
    return index < image->ever_cap && image->ever[index].chain == chain;
}

/* ---- batches ---- */

struct watcher {
    struct sim_oracle *oracle;
    struct sim_node *node;
    bool durable; /* else under way at a crash */
};

static struct oracle_replica *replica_of(const struct watcher *watcher, uint64_t group) {
    uint64_t keyspace = group - NODE_GROUP_OF(0);
    if (keyspace >= SIM_KEYSPACES_MAX)
        return NULL;
    return &watcher->oracle->replicas[watcher->node->id][keyspace];
}

static void take_entries(struct oracle_image *image, struct oracle_log *log,
                         const struct wal_section *section, const uint8_t *body, bool durable) {
    struct reader reader = reader_of(bytes_of(body, section->bytes - WAL_SECTION_HEAD_BYTES));
    struct entry entry;
    for (uint64_t i = 0; i < section->count && entry_decode(&reader, &entry) == CAIRN_OK; i++) {
        oracle_log_take(log, entry.index, entry.term, entry.chain);
        if (durable && entry.index < INDEX_MAX)
            *room(&image->ever, &image->ever_cap, entry.index) =
                (struct oracle_point){entry.term, entry.chain};
    }
}

static void take_section(struct oracle_image *image, const struct wal_section *section,
                         const uint8_t *body, bool durable) {
    struct oracle_log *log = durable ? &image->log : &image->under_way;
    if (section->flags & WAL_SECTION_RESET) {
        oracle_log_reset(log, section->base_index, section->base_chain);
        if (durable && section->base_index > image->ever_base)
            image->ever_base = section->base_index;
    }
    if (section->truncate_from > 0)
        cut(log, section->truncate_from);
    if (section->count > 0 && !(section->flags & WAL_SECTION_REPAIRED))
        cut(log, section->first_index);
    take_entries(image, log, section, body, durable);
}

static void take_batch(const struct watcher *watcher, const uint8_t *data, size_t len) {
    struct wal_batch batch;
    struct wal_place place = {.log_id = get_u64(data + LOG_ID_AT),
                              .incarnation = get_u64(data + INCARNATION_AT),
                              .offset = get_u64(data + PLACE_AT)};
    if (!wal_batch_decode(&batch, &place, data) || batch.bytes > len)
        return;
    size_t at = WAL_BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < batch.sections; i++) {
        struct wal_section section;
        if (!wal_section_decode(&section, &place, batch.lsn, data + at, batch.bytes - at))
            return;
        struct oracle_replica *replica = replica_of(watcher, section.group);
        if (replica != NULL)
            take_section(&replica->image, &section, data + at + WAL_SECTION_HEAD_BYTES,
                         watcher->durable);
        at += section.bytes;
    }
}

/* ---- slots ---- */

static void slot_stands(struct oracle_image *image, uint64_t offset, uint64_t seq) {
    unsigned equal = 0, free_one = ORACLE_SLOTS;
    for (unsigned i = 0; i < ORACLE_SLOTS; i++)
        if (image->slots[i].offset == offset ||
            (free_one == ORACLE_SLOTS && image->slots[i].seq == 0))
            free_one = i;
    if (free_one == ORACLE_SLOTS)
        return;
    image->slots[free_one].offset = offset;
    image->slots[free_one].seq = seq;
    for (unsigned i = 0; i < ORACLE_SLOTS; i++)
        equal += image->slots[i].seq == seq;
    if (equal == ORACLE_SLOTS) {
        image->hard = image->newest;
        image->has_hard = true;
    }
}

static void take_slot(const struct watcher *watcher, uint64_t offset, const uint8_t *data) {
    struct wal_slot slot;
    struct promise promise;
    if (!wal_slot_decode(&slot, get_u64(data + SLOT_ID_AT), offset, false, data))
        return;
    struct oracle_replica *replica = replica_of(watcher, slot.group);
    if (replica == NULL || replica->protocol == NULL ||
        !replica->protocol->view->promise(slot.hard, &promise))
        return;
    struct oracle_image *image = &replica->image;
    if (slot.seq >= image->newest_seq) {
        image->newest_seq = slot.seq;
        image->newest = promise;
    }
    if (watcher->durable && slot.seq == image->newest_seq)
        slot_stands(image, offset, slot.seq);
}

/* ---- what the disk tells ---- */

static void look_at(const struct watcher *watcher, uint64_t offset, const uint8_t *data,
                    size_t len) {
    if (len < ENV_DISK_ALIGN || offset % ENV_DISK_ALIGN != 0)
        return;
    take_batch(watcher, data, len);
    if (len == ENV_DISK_ALIGN)
        take_slot(watcher, offset, data);
}

static void durable(void *context, uint64_t offset, const uint8_t *data, size_t len) {
    struct sim_node *node = context;
    struct watcher watcher = {node->cluster->oracle, node, true};
    look_at(&watcher, offset, data, len);
}

/* A crash finds this unfinished: all of it may be there afterwards, or nothing. */
static void under_way(void *context, uint64_t offset, const uint8_t *data, size_t len) {
    struct sim_node *node = context;
    struct watcher watcher = {node->cluster->oracle, node, false};
    look_at(&watcher, offset, data, len);
}

/* A crash begins. What an earlier one caught unfinished may still be there when no start came to
 * the end of the log since. */
static void crashes(void *context) {
    const struct sim_node *node = context;
    for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++) {
        struct oracle_image *image = &node->cluster->oracle->replicas[node->id][keyspace].image;
        if (!image->cut_short)
            log_copy(&image->under_way, &image->log);
        image->cut_short = true;
    }
}

static const struct sim_disk_watch watch = {
    .durable = durable, .crashes = crashes, .under_way = under_way};

void oracle_disk_watch(struct sim_oracle *oracle, struct sim_node *node) {
    (void)oracle;
    node->host.disk.watch = &watch;
    node->host.disk.watch_context = node;
}

void sim_oracle_wiped(struct sim_oracle *oracle, const struct sim_node *node) {
    for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++) {
        struct oracle_image *image = &oracle->replicas[node->id][keyspace].image;
        image->lied |= node->host.disk.lied;
        oracle_log_reset(&image->log, 0, 0);
        image->known = image->has_hard = image->cut_short = false;
        image->newest_seq = image->snapshot = 0;
        memset(image->slots, 0, sizeof image->slots);
    }
}
