/* What one step of a protocol core hands out, and the memory that it may point into. Effects and
 * scratch stay valid until the next step begins; entries that a step lets go of are buried, so
 * that effects which name them stay valid as long.
 */
#ifndef CAIRN_CORE_OUTBOX_H
#define CAIRN_CORE_OUTBOX_H

#include "core/protocol.h"

struct outbox_chunk;

struct outbox { /* zero-initialised */
    struct effect *effects;
    size_t effect_count, effect_cap;
    bool malformed;     /* of struct effects */
    bool scratch_small; /* each piece of scratch is memory of its own (base/rare.h) */
    struct outbox_chunk *chunks;
    struct blob **graveyard; /* let go of at the next step */
    size_t grave_count, grave_cap;
};

/* A step begins: what the last one handed out is gone. */
void outbox_begin(struct outbox *out);
void outbox_free(struct outbox *out);

struct effect *outbox_emit(struct outbox *out, enum effect_kind kind);
void *outbox_scratch(struct outbox *out, size_t size);
struct bytes outbox_copy(struct outbox *out, struct bytes bytes);
/* Holds the entry's reference to its blob until the next step. */
void outbox_bury(struct outbox *out, struct entry *entry);
void outbox_trace(struct outbox *out, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
