#include "core/outbox.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SCRATCH_CHUNK_BYTES 16384u

/* Chunks never move, so that pointers into them stay valid while the step goes on. */
struct outbox_chunk {
    struct outbox_chunk *next;
    size_t cap;
    size_t used;
    _Alignas(16) uint8_t data[];
};

void *outbox_scratch(struct outbox *out, size_t size) {
    size = (size + 15) & ~(size_t)15;
    struct outbox_chunk *chunk = out->chunks;
    if (chunk == NULL || chunk->cap - chunk->used < size) {
        bool large = size > SCRATCH_CHUNK_BYTES || out->scratch_small;
        size_t cap = large ? size : SCRATCH_CHUNK_BYTES;
        chunk = cairn_alloc(sizeof *chunk + cap);
        *chunk = (struct outbox_chunk){.next = out->chunks, .cap = cap};
        out->chunks = chunk;
    }
    void *at = chunk->data + chunk->used;
    chunk->used += size;
    return at;
}

struct bytes outbox_copy(struct outbox *out, struct bytes bytes) {
    if (bytes.len == 0)
        return bytes_of(NULL, 0);
    void *at = outbox_scratch(out, bytes.len);
    memcpy(at, bytes.data, bytes.len);
    return bytes_of(at, bytes.len);
}

struct effect *outbox_emit(struct outbox *out, enum effect_kind kind) {
    if (out->effect_count == out->effect_cap) {
        out->effect_cap = out->effect_cap ? out->effect_cap * 2 : 32;
        out->effects = cairn_realloc(out->effects, out->effect_cap * sizeof *out->effects);
    }
    struct effect *effect = &out->effects[out->effect_count++];
    *effect = (struct effect){.kind = kind};
    return effect;
}

void outbox_bury(struct outbox *out, struct entry *entry) {
    if (out->grave_count == out->grave_cap) {
        out->grave_cap = out->grave_cap ? out->grave_cap * 2 : 64;
        out->graveyard = cairn_realloc(out->graveyard, out->grave_cap * sizeof(struct blob *));
    }
    out->graveyard[out->grave_count++] = entry->blob;
    entry->blob = NULL;
}

void outbox_trace(struct outbox *out, int level, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct bytes copy = outbox_copy(out, bytes_of(text, strlen(text) + 1));
    struct effect *effect = outbox_emit(out, EFFECT_TRACE);
    effect->trace.level = level;
    effect->trace.text = (const char *)copy.data;
}

void outbox_begin(struct outbox *out) {
    out->effect_count = 0;
    out->malformed = false;
    for (size_t i = 0; i < out->grave_count; i++)
        blob_unref(out->graveyard[i]);
    out->grave_count = 0;
    struct outbox_chunk *chunk = out->chunks;
    while (chunk != NULL && chunk->next != NULL) {
        struct outbox_chunk *next = chunk->next;
        cairn_free(chunk);
        chunk = next;
    }
    if (chunk != NULL)
        chunk->used = 0;
    out->chunks = chunk;
}

void outbox_free(struct outbox *out) {
    outbox_begin(out);
    cairn_free(out->chunks);
    cairn_free(out->graveyard);
    cairn_free(out->effects);
}
