#include "sim/sim_disk.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_BYTES 128u

struct env_file {
    struct list list; /* disk->handles */
    struct sim_inode *inode;
    bool direct;
    bool writable;
};

enum op_kind { OP_WRITE = 1, OP_SIZE, OP_SYNC, OP_CREATE, OP_RENAME, OP_REMOVE, OP_SYNC_FOLDER };

struct op {
    struct list list;
    enum op_kind kind;
    bool direct;
    const struct env_work *work; /* NULL: no unfinished work made it */
    struct sim_inode *inode;     /* WRITE, SIZE, SYNC, CREATE */
    uint64_t offset;             /* SIZE: the new size */
    size_t len;
    char path[160], to[160];
    uint8_t data[];
};

/* ---- inodes and names ---- */

static struct sim_inode *inode_new(struct sim_disk *disk, bool folder) {
    struct sim_inode *inode = cairn_alloc_zero(sizeof *inode);
    inode->id = ++disk->next_inode;
    inode->folder = folder;
    list_push(&disk->inodes, &inode->list);
    return inode;
}

static void inode_unref(struct sim_disk *disk, struct sim_inode *inode) {
    cairn_assert(inode->refs > 0);
    if (--inode->refs > 0)
        return;
    disk->used -= inode->size;
    list_remove(&inode->list);
    cairn_free(inode->seen);
    cairn_free(inode->durable);
    cairn_free(inode->unreadable);
    cairn_free(inode);
}

static void inode_room(struct sim_inode *inode, uint64_t size) {
    if (size <= inode->cap)
        return;
    uint64_t cap = inode->cap * 2 > size ? inode->cap * 2 : (size + 4095) / 4096 * 4096;
    inode->seen = cairn_realloc(inode->seen, cap);
    inode->durable = cairn_realloc(inode->durable, cap);
    memset(inode->seen + inode->cap, 0, cap - inode->cap);
    memset(inode->durable + inode->cap, 0, cap - inode->cap);
    inode->cap = cap;
}

static struct sim_name *name_find(struct list *names, const char *path) {
    LIST_EACH(at, names) {
        struct sim_name *name = container_of(at, struct sim_name, list);
        if (strcmp(name->path, path) == 0)
            return name;
    }
    return NULL;
}

static void name_add(struct list *names, const char *path, struct sim_inode *inode) {
    struct sim_name *name = cairn_alloc(sizeof *name + strlen(path) + 1);
    memcpy(name->path, path, strlen(path) + 1);
    name->inode = inode;
    inode->refs++;
    struct list *before = names->prev; /* sorted by path */
    while (before != names && strcmp(container_of(before, struct sim_name, list)->path, path) > 0)
        before = before->prev;
    list_push(before->next, &name->list);
}

static void name_remove(struct sim_disk *disk, struct list *names, const char *path) {
    struct sim_name *name = name_find(names, path);
    if (name == NULL)
        return;
    list_remove(&name->list);
    inode_unref(disk, name->inode);
    cairn_free(name);
}

static void name_move(struct sim_disk *disk, struct list *names, const char *from, const char *to) {
    struct sim_name *name = name_find(names, from);
    if (name == NULL)
        return;
    struct sim_inode *inode = name->inode;
    inode->refs++;
    name_remove(disk, names, from);
    name_remove(disk, names, to);
    name_add(names, to, inode);
    inode_unref(disk, inode);
}

static bool in_folder(const char *path, const char *folder) {
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/' &&
           strchr(path + len + 1, '/') == NULL;
}

/* ---- the journal ---- */

static struct op *op_new(struct sim_disk *disk, enum op_kind kind, struct sim_inode *inode,
                         size_t len) {
    struct op *op = cairn_alloc(sizeof *op + len);
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->work = disk->work;
    op->inode = inode;
    op->len = len;
    if (inode != NULL)
        inode->refs++;
    list_push(&disk->journal, &op->list);
    return op;
}

static void op_free(struct sim_disk *disk, struct op *op) {
    list_remove(&op->list);
    if (op->inode != NULL)
        inode_unref(disk, op->inode);
    cairn_free(op);
}

static void apply_size(struct sim_inode *inode, uint64_t size) {
    if (size > inode->durable_size)
        inode->durable_size = size;
}

static void apply_write(struct sim_disk *disk, const struct op *op) {
    memcpy(op->inode->durable + op->offset, op->data, op->len);
    apply_size(op->inode, op->offset + op->len);
    if (disk->watch != NULL)
        disk->watch->durable(disk->watch_context, op->offset, op->data, op->len);
}

static void apply_name(struct sim_disk *disk, const struct op *op) {
    struct list *names = &disk->durable_names;
    if (op->kind == OP_CREATE) {
        name_remove(disk, names, op->path);
        name_add(names, op->path, op->inode);
    } else if (op->kind == OP_RENAME) {
        name_move(disk, names, op->path, op->to);
    } else {
        name_remove(disk, names, op->path);
    }
}

static bool is_name_op(const struct op *op) {
    return op->kind == OP_CREATE || op->kind == OP_RENAME || op->kind == OP_REMOVE;
}

static void settle_inode(struct sim_disk *disk, const struct sim_inode *inode,
                         const struct list *until) {
    LIST_EACH_SAFE(at, &disk->journal) {
        if (at == until)
            break;
        struct op *op = container_of(at, struct op, list);
        if (op->inode != inode || (op->kind != OP_WRITE && op->kind != OP_SIZE))
            continue;
        if (op->kind == OP_WRITE)
            apply_write(disk, op);
        else
            apply_size(op->inode, op->offset);
        op_free(disk, op);
    }
}

static void settle_folder(struct sim_disk *disk, const char *folder, const struct list *until) {
    LIST_EACH_SAFE(at, &disk->journal) {
        if (at == until)
            break;
        struct op *op = container_of(at, struct op, list);
        if (!is_name_op(op) || !in_folder(op->path, folder))
            continue;
        apply_name(disk, op);
        op_free(disk, op);
    }
}

/* The operation has really happened. */
static void finish(struct sim_disk *disk, struct op *op) {
    op->work = NULL;
    if (op->kind == OP_SYNC) {
        settle_inode(disk, op->inode, &op->list);
        op_free(disk, op);
    } else if (op->kind == OP_SYNC_FOLDER) {
        settle_folder(disk, op->path, &op->list);
        op_free(disk, op);
    } else if (op->kind == OP_WRITE && op->direct) {
        settle_inode(disk, op->inode, op->list.next);
    }
}

void sim_disk_work_begin(struct sim_disk *disk, const struct env_work *work) {
    disk->work = work;
    disk->work_bytes = disk->work_syncs = disk->work_reads = 0;
}

void sim_disk_work_ran(struct sim_disk *disk) {
    disk->work = NULL;
}

/* From the front each time: finishing one operation may free others behind it. */
static struct op *first_of(struct sim_disk *disk, const struct env_work *work) {
    LIST_EACH(at, &disk->journal) {
        struct op *op = container_of(at, struct op, list);
        if (op->work == work)
            return op;
    }
    return NULL;
}

void sim_disk_work_end(struct sim_disk *disk, const struct env_work *work) {
    for (struct op *op; (op = first_of(disk, work)) != NULL;)
        finish(disk, op);
}

/* ---- crash ---- */

/* An unfinished work stops somewhere: what it did before has happened, a write at that place may
 * have in part, the rest has not. */
static void cut_work(struct sim_disk *disk, const struct env_work *work) {
    uint64_t count = 0;
    LIST_EACH(at, &disk->journal)
    count += container_of(at, struct op, list)->work == work;
    uint64_t done = sim_below(disk->world, count + 1);
    for (uint64_t i = 0; i < count; i++) {
        struct op *op = first_of(disk, work);
        if (op == NULL)
            break;
        if (i < done)
            finish(disk, op);
        else if (i == done && op->kind == OP_WRITE)
            op->work = NULL;
        else
            op_free(disk, op);
    }
}

static void cut_works(struct sim_disk *disk) {
    bool more = true;
    while (more) {
        more = false;
        LIST_EACH(at, &disk->journal) {
            const struct env_work *work = container_of(at, struct op, list)->work;
            if (work == NULL)
                continue;
            cut_work(disk, work);
            more = true;
            break;
        }
    }
}

/* keep of 8: how likely a sector is to have reached the medium. */
static void tear_write(struct sim_disk *disk, const struct op *op, unsigned keep) {
    bool any = false;
    for (size_t at = 0; at < op->len;) {
        size_t step = SIM_SECTOR - (op->offset + at) % SIM_SECTOR;
        if (step > op->len - at)
            step = op->len - at;
        if (sim_chance(disk->world, keep, 8)) {
            memcpy(op->inode->durable + op->offset + at, op->data + at, step);
            any = true;
        }
        at += step;
    }
    if (any && sim_chance(disk->world, 1, 2))
        apply_size(op->inode, op->offset + op->len);
}

static void settle_rest(struct sim_disk *disk, bool tear, bool keep) {
    static const unsigned chances[] = {0, 1, 4, 7, 8};
    unsigned chance = chances[sim_below(disk->world, sizeof chances / sizeof *chances)];
    uint64_t names = 0;
    LIST_EACH(at, &disk->journal)
    names += is_name_op(container_of(at, struct op, list));
    uint64_t names_kept = tear ? sim_below(disk->world, names + 1) : 0;
    while (!list_empty(&disk->journal)) {
        struct op *op = container_of(list_first(&disk->journal), struct op, list);
        if (is_name_op(op)) {
            if (keep || names_kept > 0)
                apply_name(disk, op);
            names_kept -= names_kept > 0;
        } else if (op->kind == OP_WRITE) {
            if (keep)
                apply_write(disk, op);
            else if (tear)
                tear_write(disk, op, chance);
        } else if (op->kind == OP_SIZE && (keep || (tear && sim_chance(disk->world, chance, 8)))) {
            apply_size(op->inode, op->offset);
        }
        op_free(disk, op);
    }
}

static void names_clear(struct sim_disk *disk, struct list *names) {
    while (!list_empty(names))
        name_remove(disk, names, container_of(list_first(names), struct sim_name, list)->path);
}

static void reboot(struct sim_disk *disk) {
    names_clear(disk, &disk->names);
    LIST_EACH(at, &disk->durable_names) {
        const struct sim_name *name = container_of(at, struct sim_name, list);
        name_add(&disk->names, name->path, name->inode);
    }
    LIST_EACH(at, &disk->inodes) {
        struct sim_inode *inode = container_of(at, struct sim_inode, list);
        /* What was written behind the size that stayed is not there. */
        if (inode->durable_size < inode->cap)
            memset(inode->durable + inode->durable_size, 0, inode->cap - inode->durable_size);
        if (inode->cap > 0)
            memcpy(inode->seen, inode->durable, inode->cap);
        disk->used += inode->durable_size - inode->size;
        inode->size = inode->durable_size;
    }
}

static void close_handles(struct sim_disk *disk) {
    while (!list_empty(&disk->handles))
        sim_disk_close_file(disk, container_of(list_first(&disk->handles), struct env_file, list));
}

static void tell_under_way(const struct sim_disk *disk) {
    if (disk->watch == NULL)
        return;
    disk->watch->crashes(disk->watch_context);
    LIST_EACH(at, &disk->journal) {
        const struct op *op = container_of(at, struct op, list);
        if (op->kind == OP_WRITE)
            disk->watch->under_way(disk->watch_context, op->offset, op->data, op->len);
    }
}

void sim_disk_crash(struct sim_disk *disk, bool tear, bool keep) {
    tell_under_way(disk);
    cut_works(disk);
    settle_rest(disk, tear, keep);
    close_handles(disk);
    reboot(disk);
    disk->work = NULL;
    disk->dead = false;
    disk->fail_write_in = disk->fail_sync_in = -1;
    disk->misdirect_next = disk->lose_next = false;
    disk->misread_next = 0;
}

static void drop_all(struct sim_disk *disk) {
    while (!list_empty(&disk->journal))
        op_free(disk, container_of(list_first(&disk->journal), struct op, list));
    close_handles(disk);
    names_clear(disk, &disk->names);
    names_clear(disk, &disk->durable_names);
    cairn_assert(list_empty(&disk->inodes));
}

void sim_disk_wipe(struct sim_disk *disk) {
    drop_all(disk);
    disk->lied = disk->damaged = false;
}

/* ---- images ---- */

/* A disk of its own, which no process uses. */
struct sim_disk_image {
    struct sim_disk disk;
};

static void copy_inode(struct sim_disk *to, const struct sim_name *name) {
    const struct sim_inode *from = name->inode;
    struct sim_inode *inode = inode_new(to, from->folder);
    inode_room(inode, from->durable_size);
    if (from->durable_size > 0) {
        memcpy(inode->durable, from->durable, from->durable_size);
        memcpy(inode->seen, from->durable, from->durable_size);
    }
    inode->log = from->log;
    inode->size = inode->durable_size = from->durable_size;
    inode->last_from = from->last_from;
    inode->last_to = from->last_to;
    inode->last_at = to->world->now;
    if (from->unreadable != NULL) {
        inode->unreadable_sectors = from->unreadable_sectors;
        inode->unreadable = cairn_alloc(from->unreadable_sectors);
        memcpy(inode->unreadable, from->unreadable, from->unreadable_sectors);
    }
    to->used += inode->size;
    name_add(&to->names, name->path, inode);
    name_add(&to->durable_names, name->path, inode);
}

static void copy_durable(struct sim_disk *to, const struct sim_disk *from) {
    drop_all(to);
    to->used = 0;
    LIST_EACH(at, &from->durable_names)
    copy_inode(to, container_of(at, struct sim_name, list));
    to->lied = from->lied;
    to->damaged = from->damaged;
}

struct sim_disk_image *sim_disk_keep(const struct sim_disk *disk) {
    struct sim_disk_image *image = cairn_alloc(sizeof *image);
    sim_disk_open(&image->disk, disk->world, disk->name);
    copy_durable(&image->disk, disk);
    return image;
}

void sim_disk_restore(struct sim_disk *disk, const struct sim_disk_image *image) {
    copy_durable(disk, &image->disk);
}

void sim_disk_image_free(struct sim_disk_image *image) {
    if (image != NULL)
        drop_all(&image->disk);
    cairn_free(image);
}

void sim_disk_open(struct sim_disk *disk, struct sim_world *world, const char *name) {
    *disk = (struct sim_disk){
        .world = world, .name = name, .space = UINT64_MAX, .fail_write_in = -1, .fail_sync_in = -1};
    list_init(&disk->inodes);
    list_init(&disk->names);
    list_init(&disk->durable_names);
    list_init(&disk->journal);
    list_init(&disk->handles);
}

void sim_disk_close(struct sim_disk *disk) {
    drop_all(disk);
}

/* ---- loss ---- */

bool sim_disk_lose(struct sim_disk *disk, const char *part) {
    bool lost = false;
    LIST_EACH_SAFE(at, &disk->durable_names) {
        const char *path = container_of(at, struct sim_name, list)->path;
        if (strstr(path, part) == NULL)
            continue;
        sim_log(disk->world, disk->name, "disk: %s is gone", path);
        disk->damaged = true;
        name_remove(disk, &disk->names, path);
        name_remove(disk, &disk->durable_names, path);
        lost = true;
    }
    return lost;
}

/* ---- files ---- */

enum cairn_status sim_disk_open_file(struct sim_disk *disk, const char *path, unsigned flags,
                                     bool direct_works, struct env_file **file) {
    *file = NULL;
    if (disk->dead)
        return CAIRN_IO;
    if (disk->exhausted)
        return CAIRN_EXHAUSTED;
    struct sim_name *name = name_find(&disk->names, path);
    if (name != NULL && (flags & ENV_OPEN_EXCLUSIVE))
        return CAIRN_EXISTS;
    if (name == NULL && !(flags & ENV_OPEN_CREATE))
        return CAIRN_NOT_FOUND;
    struct sim_inode *inode = name != NULL ? name->inode : inode_new(disk, false);
    if (name == NULL) {
        cairn_assert(strlen(path) < sizeof((struct op *)0)->path);
        name_add(&disk->names, path, inode);
        inode->log = strstr(path, ".seg") != NULL;
        inode->snapshot = strstr(path, "/snapshots/") != NULL;
        struct op *op = op_new(disk, OP_CREATE, inode, 0);
        memcpy(op->path, path, strlen(path) + 1);
    }
    struct env_file *handle = cairn_alloc_zero(sizeof *handle);
    handle->inode = inode;
    handle->direct = (flags & ENV_OPEN_DIRECT) && direct_works;
    handle->writable = flags & ENV_OPEN_WRITE;
    inode->refs++;
    list_push(&disk->handles, &handle->list);
    *file = handle;
    return CAIRN_OK;
}

void sim_disk_close_file(struct sim_disk *disk, struct env_file *file) {
    list_remove(&file->list);
    inode_unref(disk, file->inode);
    cairn_free(file);
}

bool sim_disk_is_direct(const struct env_file *file) {
    return file->direct;
}

enum cairn_status sim_disk_size(const struct env_file *file, uint64_t *size) {
    *size = file->inode->size;
    return CAIRN_OK;
}

static void check_aligned(const struct env_file *file, uint64_t offset, const void *memory,
                          size_t len) {
    cairn_assert(!file->direct || (offset % ENV_DISK_ALIGN == 0 && len % ENV_DISK_ALIGN == 0 &&
                                   (uintptr_t)memory % ENV_DISK_ALIGN == 0));
}

enum cairn_status sim_disk_read(struct sim_disk *disk, struct env_file *file, uint64_t offset,
                                void *out, size_t len) {
    struct sim_inode *inode = file->inode;
    check_aligned(file, offset, out, len);
    disk->reads++;
    disk->work_reads++;
    disk->work_bytes += len;
    if (disk->dead)
        return CAIRN_IO;
    if (offset > inode->size || len > inode->size - offset)
        return CAIRN_TORN;
    for (uint64_t s = offset / SIM_SECTOR; inode->unreadable && s * SIM_SECTOR < offset + len; s++)
        if (s < inode->unreadable_sectors && inode->unreadable[s])
            return CAIRN_IO;
    if (len > 0)
        memcpy(out, inode->seen + offset, len);
    bool content = inode->snapshot && len >= CONTENT_BYTES; /* not what only says where it is */
    if (content && disk->misread_next > 0 && --disk->misread_next == 0) {
        ((uint8_t *)out)[len / 2] ^= 4;
        disk->misreads++;
        sim_log(disk->world, disk->name, "disk: a snapshot is misread");
    }
    return CAIRN_OK;
}

static enum cairn_status grow(struct sim_disk *disk, struct sim_inode *inode, uint64_t size) {
    if (size <= inode->size)
        return CAIRN_OK;
    if (disk->used + (size - inode->size) > disk->space)
        return CAIRN_NO_SPACE;
    inode_room(inode, size);
    disk->used += size - inode->size;
    inode->size = size;
    return CAIRN_OK;
}

/* Counts down to a fault. */
static bool strikes(int64_t *in) {
    if (*in < 0)
        return false;
    return (*in)-- == 0;
}

enum cairn_status sim_disk_write(struct sim_disk *disk, struct env_file *file, uint64_t offset,
                                 const void *data, size_t len) {
    struct sim_inode *inode = file->inode;
    check_aligned(file, offset, data, len);
    cairn_assert(file->writable);
    disk->writes++;
    disk->log_writes += inode->log;
    disk->work_bytes += len;
    disk->work_syncs += file->direct;
    if (disk->dead)
        return CAIRN_IO;
    if (strikes(&disk->fail_write_in)) {
        sim_log(disk->world, disk->name, "disk: a write fails");
        return CAIRN_IO;
    }
    enum cairn_status status = grow(disk, inode, offset + len);
    if (status == CAIRN_OK && disk->copies && inode->log && disk->space != UINT64_MAX &&
        disk->used + len > disk->space)
        status = CAIRN_NO_SPACE;
    if (status != CAIRN_OK || len == 0)
        return status;
    if (disk->lose_next && inode->log) {
        disk->lose_next = false;
        disk->lied = true;
        sim_log(disk->world, disk->name, "disk: a write is lost but called done");
        return CAIRN_OK;
    }
    if (disk->misdirect_next && inode->log && offset + len + ENV_DISK_ALIGN <= inode->size) {
        disk->misdirect_next = false;
        disk->lied = true;
        offset += ENV_DISK_ALIGN;
        sim_log(disk->world, disk->name, "disk: a write goes to the wrong place");
    }
    inode->last_from = offset;
    inode->last_to = offset + len;
    inode->last_at = disk->world->now;
    memcpy(inode->seen + offset, data, len);
    for (uint64_t s = offset / SIM_SECTOR; inode->unreadable && s * SIM_SECTOR < offset + len; s++)
        if (s < inode->unreadable_sectors)
            inode->unreadable[s] = 0;
    disk->bytes_written += len;
    struct op *op = op_new(disk, OP_WRITE, inode, len);
    op->direct = file->direct;
    op->offset = offset;
    memcpy(op->data, data, len);
    if (disk->work == NULL)
        finish(disk, op);
    return CAIRN_OK;
}

enum cairn_status sim_disk_sync(struct sim_disk *disk, struct env_file *file) {
    disk->syncs++;
    disk->work_syncs++;
    if (disk->dead)
        return CAIRN_IO;
    if (strikes(&disk->fail_sync_in)) {
        sim_log(disk->world, disk->name, "disk: a sync fails");
        return CAIRN_IO;
    }
    struct op *op = op_new(disk, OP_SYNC, file->inode, 0);
    if (disk->work == NULL)
        finish(disk, op);
    return CAIRN_OK;
}

enum cairn_status sim_disk_allocate(struct sim_disk *disk, struct env_file *file, uint64_t size) {
    if (disk->dead)
        return CAIRN_IO;
    enum cairn_status status = grow(disk, file->inode, size);
    if (status == CAIRN_OK)
        op_new(disk, OP_SIZE, file->inode, 0)->offset = size;
    return status;
}

/* ---- names ---- */

static struct op *name_op(struct sim_disk *disk, enum op_kind kind, const char *path) {
    struct op *op = op_new(disk, kind, NULL, 0);
    cairn_assert(strlen(path) < sizeof op->path);
    memcpy(op->path, path, strlen(path) + 1);
    return op;
}

enum cairn_status sim_disk_rename(struct sim_disk *disk, const char *from, const char *to) {
    if (disk->dead)
        return CAIRN_IO;
    if (name_find(&disk->names, from) == NULL)
        return CAIRN_NOT_FOUND;
    name_move(disk, &disk->names, from, to);
    struct op *op = name_op(disk, OP_RENAME, from);
    cairn_assert(strlen(to) < sizeof op->to);
    memcpy(op->to, to, strlen(to) + 1);
    return CAIRN_OK;
}

enum cairn_status sim_disk_remove(struct sim_disk *disk, const char *path) {
    if (disk->dead)
        return CAIRN_IO;
    if (name_find(&disk->names, path) == NULL)
        return CAIRN_NOT_FOUND;
    name_remove(disk, &disk->names, path);
    name_op(disk, OP_REMOVE, path);
    return CAIRN_OK;
}

/* Folders are made when the machine is set up: durable at once. */
enum cairn_status sim_disk_make_folder(struct sim_disk *disk, const char *path) {
    if (disk->dead)
        return CAIRN_IO;
    if (name_find(&disk->names, path) != NULL)
        return CAIRN_OK;
    struct sim_inode *inode = inode_new(disk, true);
    name_add(&disk->names, path, inode);
    name_add(&disk->durable_names, path, inode);
    return CAIRN_OK;
}

enum cairn_status sim_disk_sync_folder(struct sim_disk *disk, const char *path) {
    disk->work_syncs++;
    if (disk->dead)
        return CAIRN_IO;
    if (disk->exhausted)
        return CAIRN_EXHAUSTED;
    struct op *op = name_op(disk, OP_SYNC_FOLDER, path);
    if (disk->work == NULL)
        finish(disk, op);
    return CAIRN_OK;
}

enum cairn_status sim_disk_list(struct sim_disk *disk, const char *path, env_list_visit *visit,
                                void *context) {
    if (disk->dead)
        return CAIRN_IO;
    if (disk->exhausted)
        return CAIRN_EXHAUSTED;
    if (name_find(&disk->names, path) == NULL)
        return CAIRN_NOT_FOUND;
    LIST_EACH_SAFE(at, &disk->names) {
        const struct sim_name *name = container_of(at, struct sim_name, list);
        if (in_folder(name->path, path))
            visit(context, name->path + strlen(path) + 1, name->inode->folder, name->inode->size);
    }
    return CAIRN_OK;
}

/* One process a machine, and a handle ends with it. */
enum cairn_status sim_disk_lock(struct sim_disk *disk, const char *path, struct env_file **file) {
    return sim_disk_open_file(disk, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, false, file);
}
