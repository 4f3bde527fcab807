#include "node/registry.h"

#include "machine/kv/kv.h"
#include "machine/tree/tree.h"
#include "protocol/raft/raft.h"
#include "protocol/zab/zab.h"

#include <stdio.h>
#include <string.h>

static const struct protocol *const protocols[] = {&protocol_raft, &protocol_zab};
static const struct machine_kind *const machines[] = {&machine_kv, &machine_tree};

const struct protocol *registry_protocol(const char *name) {
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (strcmp(protocols[i]->name, name) == 0)
            return protocols[i];
    return NULL;
}

const struct protocol *registry_protocol_at(size_t at) {
    return at < sizeof protocols / sizeof *protocols ? protocols[at] : NULL;
}

const struct machine_kind *registry_machine(const char *name) {
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (strcmp(machines[i]->name, name) == 0)
            return machines[i];
    return NULL;
}

#define NAMES(list, out, size)                                                 \
    for (size_t i = 0, len = 0; i < sizeof list / sizeof *list; i++) {         \
        snprintf(out + len, size - len, "%s%s", i ? ", " : "", list[i]->name); \
        len = strlen(out);                                                     \
    }

void registry_protocol_names(char *out, size_t size) {
    NAMES(protocols, out, size)
}

void registry_machine_names(char *out, size_t size) {
    NAMES(machines, out, size)
}
