/* A request of a session may be placed again when its fate is unknown, and is executed once. But
 * what asks again at once, for as long as something lasts, fills the log with one request. */
#include "sim/sim_oracle.h"

#include "base/bytes.h"
#include "node/stack.h"

/* Leaders change, and links end; each may cost an attempt. */
#define PLACED_MAX 100u

void oracle_request_placed(struct sim_oracle *oracle, struct oracle_replica *replica,
                           const struct entry *entry) {
    struct reader reader = reader_of(entry->payload);
    if (entry->kind != ENTRY_COMMAND || read_u8(&reader) != ENVELOPE_ONCE)
        return;
    uint64_t session = read_u64(&reader), sequence = read_u64(&reader);
    uint8_t name[24];
    put_u64(name, session);
    put_u64(name + 8, sequence);
    put_u64(name + 16, replica->keyspace);
    uint64_t hash = bytes_hash(bytes_of(name, sizeof name), 0);
    struct oracle_request *request = &oracle->requests[hash % ORACLE_REQUESTS];
    if (request->hash != hash)
        *request = (struct oracle_request){.hash = hash};
    if (++request->placed > PLACED_MAX)
        oracle_fail(replica,
                    "a request is not placed over and over: session %llu's %llu was %u times",
                    (unsigned long long)session, (unsigned long long)sequence, request->placed);
}
