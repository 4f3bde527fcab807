/* Damage to what lies durably on a disk: of a sector of any file, or of the end of the log. */
#include "sim/sim_disk.h"

#include "base/alloc.h"

#include <string.h>

static void mark_unreadable(struct sim_inode *inode, uint64_t sector) {
    if (inode->unreadable == NULL) {
        inode->unreadable_sectors = inode->cap / SIM_SECTOR + 1;
        inode->unreadable = cairn_alloc_zero(inode->unreadable_sectors);
    }
    if (sector < inode->unreadable_sectors)
        inode->unreadable[sector] = 1;
}

static bool has_content(const struct sim_inode *inode, uint64_t offset, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (inode->durable[offset + i] != 0)
            return true;
    return false;
}

static void damage_at(struct sim_disk *disk, struct sim_inode *inode, enum sim_damage kind,
                      uint64_t sector) {
    uint64_t offset = sector * SIM_SECTOR;
    disk->damaged = true;
    if (kind == SIM_DAMAGE_FLIP) {
        uint64_t at = offset + sim_below(disk->world, SIM_SECTOR);
        uint8_t bit = (uint8_t)(1u << sim_below(disk->world, 8));
        inode->durable[at] ^= bit;
        inode->seen[at] ^= bit;
    } else if (kind == SIM_DAMAGE_UNREAD) {
        mark_unreadable(inode, sector);
    } else {
        uint64_t from = sim_below(disk->world, inode->durable_size / SIM_SECTOR) * SIM_SECTOR;
        uint8_t other[SIM_SECTOR] = {0};
        if (kind == SIM_DAMAGE_STALE)
            memcpy(other, inode->durable + from, SIM_SECTOR);
        memcpy(inode->durable + offset, other, SIM_SECTOR);
        memcpy(inode->seen + offset, other, SIM_SECTOR);
    }
}

bool sim_disk_damage(struct sim_disk *disk, const char *part, enum sim_damage kind) {
    struct sim_inode *files[64];
    const char *paths[64];
    size_t count = 0;
    LIST_EACH(at, &disk->durable_names) {
        const struct sim_name *name = container_of(at, struct sim_name, list);
        bool fits = strstr(name->path, part) != NULL && name->inode->durable_size >= SIM_SECTOR;
        if (fits && count < 64) {
            files[count] = name->inode;
            paths[count++] = name->path;
        }
    }
    for (int attempt = 0; count > 0 && attempt < 40; attempt++) {
        size_t n = sim_below(disk->world, count);
        uint64_t sector = sim_below(disk->world, files[n]->durable_size / SIM_SECTOR);
        uint64_t offset = sector * SIM_SECTOR;
        bool last = offset < files[n]->last_to && offset + SIM_SECTOR > files[n]->last_from &&
                    disk->world->now - files[n]->last_at < SIM_S;
        if (!has_content(files[n], offset, SIM_SECTOR) || (last && files[n]->log))
            continue;
        damage_at(disk, files[n], kind, sector);
        sim_log(disk->world, disk->name, "disk: damage of kind %d in %s, sector %llu", kind,
                paths[n], (unsigned long long)sector);
        return true;
    }
    return false;
}

/* A segment that is being filled with zeros ahead has no content yet. */
static struct sim_inode *newest_log(const struct sim_disk *disk) {
    struct sim_inode *newest = NULL;
    LIST_EACH(at, &disk->durable_names) {
        struct sim_inode *inode = container_of(at, struct sim_name, list)->inode;
        if (inode->log && inode->last_to > inode->last_from && inode->last_to <= inode->cap &&
            has_content(inode, inode->last_from, SIM_SECTOR) &&
            (newest == NULL || inode->last_at > newest->last_at))
            newest = inode;
    }
    return newest;
}

uint64_t sim_disk_end_bytes(const struct sim_disk *disk) {
    const struct sim_inode *newest = newest_log(disk);
    return newest != NULL ? newest->last_to - newest->last_from : 0;
}

bool sim_disk_unreadable_end(struct sim_disk *disk, struct prng *prng) {
    struct sim_inode *newest = newest_log(disk);
    if (sim_disk_end_bytes(disk) <= ENV_DISK_ALIGN)
        return false;
    uint64_t from = newest->last_from + ENV_DISK_ALIGN;
    uint64_t at = from + prng_below(prng, newest->last_to - from);
    if (at >= newest->durable_size)
        return false;
    disk->damaged = true;
    mark_unreadable(newest, at / SIM_SECTOR);
    sim_log(disk->world, disk->name, "disk: the end of the log can't be read, sector %llu",
            (unsigned long long)(at / SIM_SECTOR));
    return true;
}
