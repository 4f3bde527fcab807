/* The only place that names protocols and machines. */
#ifndef CAIRN_NODE_REGISTRY_H
#define CAIRN_NODE_REGISTRY_H

#include "core/machine.h"
#include "core/protocol.h"

/* NULL when there is none of that name. */
const struct protocol *registry_protocol(const char *name);
/* By order; NULL at the end. */
const struct protocol *registry_protocol_at(size_t at);
const struct machine_kind *registry_machine(const char *name);
/* All names, with commas: for messages. */
void registry_protocol_names(char *out, size_t size);
void registry_machine_names(char *out, size_t size);

#endif
