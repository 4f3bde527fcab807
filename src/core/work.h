/* Work, counted as it is done: a unit is about a nanosecond of a usual processor, but it is counted
 * from what is touched (keys, bytes), never measured, so that the same entries cost the same
 * everywhere. Code that does much at one go charges as it goes, at moments at which all it works on
 * is whole; when the limit is reached, the owner's pause is called, which lets the rest of the loop
 * have its turn before it returns. Nothing else touches the machine meanwhile.
 */
#ifndef CAIRN_CORE_WORK_H
#define CAIRN_CORE_WORK_H

#include <stddef.h>
#include <stdint.h>

struct work {
    uint64_t done;  /* units since the owner last reset it */
    uint64_t limit; /* 0: none */
    void (*pause)(struct work *work);
};

/* What things cost, about; of changes, among millions of keys, where each step of the way to a key
 * misses the processor's cache. */
#define WORK_LOOKUP 200u  /* finding a key */
#define WORK_CHANGE 1500u /* putting or removing one */
/* Copying or hashing so many bytes. */
static inline uint64_t work_of_bytes(size_t bytes) {
    return bytes / 2;
}

/* NULL is allowed: the cost is not counted. */
static inline void work_charge(struct work *work, uint64_t units) {
    if (work == NULL)
        return;
    work->done += units;
    if (work->limit != 0 && work->done >= work->limit && work->pause != NULL)
        work->pause(work);
}

#endif
