/* Reads that wait, as a protocol with a leader needs them (Ongaro 2014, section 6.4): the leader
 * notes its commit index and confirms by a round to a quorum that it still leads, unless it holds a
 * lease; a follower asks the leader, one question under way, the next for all that came meanwhile.
 * Answers to local reads are effects; those for peers wait in `answers` for the protocol to send.
 */
#ifndef CAIRN_CORE_READS_H
#define CAIRN_CORE_READS_H

#include "core/outbox.h"

#define READS_MAX 65536 /* that wait at one replica; beyond: BUSY */
#define READS_FEW 2     /* likewise (base/rare.h) */

struct read_item {
    uint64_t tag;   /* local: the caller's; else the peer's request id */
    uint64_t from;  /* 0: local */
    uint64_t round; /* confirmed when a quorum answered this round */
    uint64_t index; /* 0: not known before the leader's own epoch is committed */
    uint64_t deadline;
};

struct read_list {
    struct read_item *items;
    size_t count, cap;
};

struct read_answer {
    uint64_t to, request, index;
    enum cairn_status status;
};

struct reads { /* zero-initialised but for out and ids */
    struct outbox *out;
    bool joins;               /* a seeded bug: reads join the question that is under way */
    uint64_t ids;             /* last request id; starts at random */
    bool few;                 /* no more than READS_FEW wait */
    struct read_list leading; /* leader: wait for a round */
    struct read_list asked;   /* follower: wait for the leader's answer */
    struct read_list waiting; /* follower: go with the next request */
    uint64_t request;         /* under way; 0: none */
    uint64_t request_deadline;
    struct read_answer *answers; /* for peers; the protocol sends them and sets the count to 0 */
    size_t answer_count, answer_cap;
};

void reads_free(struct reads *reads);
void reads_refuse_all(struct reads *reads, enum cairn_status status);
/* Answers one read at once. */
void reads_answer(struct reads *reads, struct read_item read, enum cairn_status status,
                  uint64_t index);

/* ---- the leader ---- */

/* Takes a read that cannot be answered at once; `round` is one that has not started. */
void reads_lead(struct reads *reads, struct read_item read, uint64_t round, uint64_t commit,
                uint64_t deadline);
/* Answers what is confirmed; commit 0: not known yet. True when some wait for a round that has not
 * started although `round` is confirmed. */
bool reads_advance(struct reads *reads, uint64_t round, uint64_t confirmed, uint64_t commit);
void reads_tick_leader(struct reads *reads, uint64_t now);

/* ---- a follower ---- */

void reads_follow(struct reads *reads, uint64_t tag);
/* True when a question must leave now, with id reads->request. */
bool reads_ask(struct reads *reads, uint64_t deadline);
void reads_answered(struct reads *reads, uint64_t request, uint64_t status, uint64_t index);
void reads_tick_follower(struct reads *reads, uint64_t now);

#endif
