/* The layer between a server and the C library: a small shared object that is loaded before it
 * (LD_PRELOAD), obeys a control file that the tormentor maps too, and makes disks and clocks fail.
 *
 * It reaches whatever calls the C library: cairn, Redis, the JVM. It does not reach Go programs,
 * which make their system calls themselves.
 */
#ifndef CAIRN_TORTURE_LAYER_H
#define CAIRN_TORTURE_LAYER_H

#include <stdatomic.h>
#include <stdint.h>

#define LAYER_CONTROL_ENV "CAIRN_LAYER_CONTROL" /* path of the control file */
#define LAYER_FOLDER_ENV "CAIRN_LAYER_FOLDER"   /* only files below it are touched */
#define LAYER_JOURNAL_ENV "CAIRN_LAYER_JOURNAL" /* where what is not synced is remembered */

struct layer_control {
    _Atomic int32_t attached; /* of the process that loaded it last */
    _Atomic uint32_t fail_percent, short_percent;
    _Atomic uint32_t slow_us;
    _Atomic uint32_t hang, full;
    _Atomic uint32_t journal; /* remember what is not synced */
    /* Clocks: what they showed (real ns) when the rate was set, and how they differ. */
    _Atomic uint32_t clock_turn; /* odd while the fields below change */
    _Atomic int64_t wall_offset_ns;
    _Atomic int64_t rate_ppm;
    _Atomic int64_t wall_base_ns, mono_base_ns; /* kernel time when the rate was set */
    _Atomic int64_t wall_slip_ns, mono_slip_ns; /* how far off they were then */
    _Atomic uint64_t writes, syncs, failed;     /* of files below the folder */
};

/* Undoes what a dead process wrote and did not sync, from its journal, and empties it. How many
 * writes were undone; -1: the journal could not be read. */
int64_t layer_undo(const char *journal);

/* One record of the journal, followed by the path (with its zero) and by old_len bytes. kind
 * LAYER_SYNCED: everything before of this path is safe. */
enum { LAYER_WRITTEN = 1, LAYER_SYNCED = 2 };
struct layer_record {
    uint32_t magic, kind;
    uint32_t path_len, old_len;
    uint64_t offset, old_size;
};
#define LAYER_MAGIC 0x6c617972u

#endif
