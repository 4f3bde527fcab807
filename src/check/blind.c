/* Removals of which it is not known what they took, or whether: they can have taken what stayed. */
#include "check/containers.h"

#include "base/alloc.h"

#include <stdlib.h>

struct pressing {
    uint32_t element;
    int64_t until; /* its removal has to have begun; INT64_MAX: it may stay */
};

static int by_until(const void *a, const void *b) {
    const struct pressing *x = a, *y = b;
    if (x->until != y->until)
        return x->until < y->until ? -1 : 1;
    return x->element < y->element ? -1 : x->element > y->element;
}

static void take_blindly(struct element *element, const struct history *history, uint32_t blind) {
    element->take = blind;
    element->take_call = history->ops[blind].call;
    if (element->take_call < element->put_call)
        element->take_call = element->put_call;
}

void blind_share(struct elements *elements, const struct history *history,
                 int64_t (*until)(const struct elements *elements, uint32_t element)) {
    struct pressing *pressing = cairn_alloc((elements->count + 1) * sizeof *pressing);
    uint32_t count = 0;
    for (uint32_t i = 0; i < elements->count && elements->blind_count > 0; i++)
        if (elements->at[i].take == OP_NONE)
            pressing[count++] = (struct pressing){i, until(elements, i)};
    qsort(pressing, count, sizeof *pressing, by_until);
    for (uint32_t i = 0; i < count && i < elements->blind_count; i++)
        take_blindly(&elements->at[pressing[i].element], history, elements->blind[i]);
    cairn_free(pressing);
}

void blind_spread(struct elements *elements, const struct history *history) {
    for (uint32_t i = 0; i < elements->count; i++) {
        struct element *element = &elements->at[i];
        if (element->take == OP_NONE || history->ops[element->take].outcome == OP_INFO)
            take_blindly(element, history, elements->blind[0]);
    }
}
