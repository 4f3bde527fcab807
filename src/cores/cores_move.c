#include "cores/cores_move.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *arguments;
} kinds[] = {
#define X(constant, name, arguments, text) {name, arguments},
    CORES_MOVE_LIST(X)
#undef X
};

static unsigned arguments_of(const char *words) {
    unsigned count = *words != 0;
    for (; *words; words++)
        count += *words == ' ';
    return count;
}

void cores_moves_add(struct cores_moves *moves, struct cores_move move) {
    if (moves->count == moves->cap) {
        moves->cap = moves->cap ? moves->cap * 2 : 256;
        moves->items = cairn_realloc(moves->items, moves->cap * sizeof *moves->items);
    }
    moves->items[moves->count++] = move;
}

void cores_moves_free(struct cores_moves *moves) {
    cairn_free(moves->items);
    *moves = (struct cores_moves){0};
}

const char *cores_move_name(enum cores_move_kind kind) {
    return kinds[kind].name;
}

void cores_move_print(struct cores_move move, struct buf *out) {
    const uint8_t values[] = {move.a, move.b, move.c};
    buf_printf(out, "%s", kinds[move.kind].name);
    for (unsigned i = 0; i < arguments_of(kinds[move.kind].arguments); i++)
        buf_printf(out, " %u", values[i]);
}

bool cores_move_parse(const char *text, struct cores_move *move) {
    char name[16], rest;
    unsigned a = 0, b = 0, c = 0;
    int got = sscanf(text, "%15s %u %u %u %c", name, &a, &b, &c, &rest);
    for (unsigned kind = 0; got > 0 && kind < CORES_MOVE_COUNT; kind++)
        if (strcmp(name, kinds[kind].name) == 0 &&
            (unsigned)got == 1 + arguments_of(kinds[kind].arguments) && a < 256 && b < 256 &&
            c < 256) {
            *move = (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, (uint8_t)c};
            return true;
        }
    return false;
}
