/* A history that tells no sessions, dealt out as if a few clients had done its transactions in
 * turn, in the order in which they stand there. */
#include "check/txn_history.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

bool txns_alone(const struct txns *txns) {
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s] + 1)
            return false;
    return true;
}

/* By transaction its number when they are dealt out, the operations as they stand in the history.
 */
static uint32_t *new_numbers(const struct txns *txns, const uint32_t *session_at, uint32_t lanes) {
    uint32_t ops = txns->history->op_count, rank = 0;
    uint32_t *txn_of = cairn_alloc((ops + 1u) * sizeof *txn_of);
    uint32_t *to = cairn_alloc((txns->count + 1u) * sizeof *to);
    memset(txn_of, 0xff, (ops + 1u) * sizeof *txn_of);
    for (uint32_t t = 0; t < txns->count; t++)
        txn_of[txns->at[t].op] = t;
    for (uint32_t op = 0; op < ops; op++)
        if (txn_of[op] != TXN_NONE) {
            to[txn_of[op]] = session_at[rank % lanes] + rank / lanes;
            rank++;
        }
    cairn_free(txn_of);
    return to;
}

static int by_txn(const void *a, const void *b, void *context) {
    const struct txn_write *writes = context;
    uint32_t x = writes[*(const uint32_t *)a].txn, y = writes[*(const uint32_t *)b].txn;
    return x < y ? -1 : x > y;
}

/* Versions whose order is open stand session by session. */
static void group_again(struct txns *dealt) {
    for (uint32_t k = 0; k < dealt->key_count; k++) {
        const struct txn_key *key = &dealt->keys[k];
        if (key->count > key->ranked + 1)
            qsort_r(dealt->by_key + key->at + key->ranked, key->count - key->ranked,
                    sizeof *dealt->by_key, by_txn, dealt->writes);
    }
}

static void *copied(const void *from, size_t count, size_t size) {
    void *to = cairn_alloc((count + 1) * size);
    memcpy(to, from, count * size);
    return to;
}

void txns_deal(struct txns *dealt, const struct txns *txns, uint32_t lanes) {
    *dealt = *txns;
    dealt->text = (struct buf){0};
    dealt->session_count = lanes;
    dealt->session_at = cairn_alloc_zero((lanes + 1u) * sizeof *dealt->session_at);
    for (uint32_t s = 0; s < lanes; s++)
        dealt->session_at[s + 1] =
            dealt->session_at[s] + txns->count / lanes + (s < txns->count % lanes);
    dealt->at = cairn_alloc((txns->count + 1u) * sizeof *dealt->at);
    dealt->reads = copied(txns->reads, txns->read_count, sizeof *txns->reads);
    dealt->writes = copied(txns->writes, txns->write_count, sizeof *txns->writes);
    dealt->by_key = copied(txns->by_key, txns->write_count, sizeof *txns->by_key);
    uint32_t *to = new_numbers(txns, dealt->session_at, lanes);
    for (uint32_t t = 0; t < txns->count; t++)
        dealt->at[to[t]] = txns->at[t];
    for (uint32_t s = 0; s < lanes; s++)
        for (uint32_t t = dealt->session_at[s]; t < dealt->session_at[s + 1]; t++)
            dealt->at[t].session = s;
    for (uint32_t r = 0; r < txns->read_count; r++)
        dealt->reads[r].txn = to[txns->reads[r].txn];
    for (uint32_t w = 0; w < txns->write_count; w++)
        dealt->writes[w].txn = to[txns->writes[w].txn];
    cairn_free(to);
    group_again(dealt);
}

void txns_deal_free(struct txns *dealt) {
    cairn_free(dealt->session_at);
    cairn_free(dealt->at);
    cairn_free(dealt->reads);
    cairn_free(dealt->writes);
    cairn_free(dealt->by_key);
}
