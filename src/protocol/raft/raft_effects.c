#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SCRATCH_CHUNK_BYTES 16384u

/* Chunks never move, so that pointers into them stay valid while the step goes on. */
struct raft_scratch {
    struct raft_scratch *next;
    size_t cap;
    size_t used;
    _Alignas(16) uint8_t data[];
};

void *raft_scratch(struct replica *raft, size_t size) {
    size = (size + 15) & ~(size_t)15;
    struct raft_scratch *chunk = raft->scratch;
    if (chunk == NULL || chunk->cap - chunk->used < size) {
        size_t cap = size > SCRATCH_CHUNK_BYTES ? size : SCRATCH_CHUNK_BYTES;
        chunk = cairn_alloc(sizeof *chunk + cap);
        *chunk = (struct raft_scratch){.next = raft->scratch, .cap = cap};
        raft->scratch = chunk;
    }
    void *at = chunk->data + chunk->used;
    chunk->used += size;
    return at;
}

struct bytes raft_scratch_copy(struct replica *raft, struct bytes bytes) {
    if (bytes.len == 0)
        return bytes_of(NULL, 0);
    void *at = raft_scratch(raft, bytes.len);
    memcpy(at, bytes.data, bytes.len);
    return bytes_of(at, bytes.len);
}

struct effect *raft_emit(struct replica *raft, enum effect_kind kind) {
    if (raft->effect_count == raft->effect_cap) {
        raft->effect_cap = raft->effect_cap ? raft->effect_cap * 2 : 32;
        raft->effects = cairn_realloc(raft->effects, raft->effect_cap * sizeof *raft->effects);
    }
    struct effect *effect = &raft->effects[raft->effect_count++];
    *effect = (struct effect){.kind = kind};
    return effect;
}

void raft_bury(struct replica *raft, struct entry *entry) {
    if (raft->grave_count == raft->grave_cap) {
        raft->grave_cap = raft->grave_cap ? raft->grave_cap * 2 : 64;
        raft->graveyard = cairn_realloc(raft->graveyard, raft->grave_cap * sizeof(struct blob *));
    }
    raft->graveyard[raft->grave_count++] = entry->blob;
    entry->blob = NULL;
}

void raft_trace(struct replica *raft, int level, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct bytes copy = raft_scratch_copy(raft, bytes_of(text, strlen(text) + 1));
    struct effect *effect = raft_emit(raft, EFFECT_TRACE);
    effect->trace.level = level;
    effect->trace.text = (const char *)copy.data;
}

void raft_outcome(struct replica *raft, uint64_t tag, enum cairn_status status, uint64_t index) {
    struct effect *effect = raft_emit(raft, EFFECT_OUTCOME);
    effect->outcome.tag = tag;
    effect->outcome.status = status;
    effect->outcome.index = index;
    effect->outcome.term = raft->term;
    effect->outcome.leader = raft->leader;
}

void raft_effects_begin(struct replica *raft) {
    raft->effect_count = 0;
    for (size_t i = 0; i < raft->grave_count; i++)
        blob_unref(raft->graveyard[i]);
    raft->grave_count = 0;
    struct raft_scratch *chunk = raft->scratch;
    while (chunk != NULL && chunk->next != NULL) {
        struct raft_scratch *next = chunk->next;
        cairn_free(chunk);
        chunk = next;
    }
    if (chunk != NULL)
        chunk->used = 0;
    raft->scratch = chunk;
}

void raft_effects_free(struct replica *raft) {
    raft_effects_begin(raft);
    cairn_free(raft->scratch);
    cairn_free(raft->graveyard);
    cairn_free(raft->effects);
}
