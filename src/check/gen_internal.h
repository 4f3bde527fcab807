/* Between gen.c, which plays the clients, and the systems that answer them. */
#ifndef CAIRN_CHECK_GEN_INTERNAL_H
#define CAIRN_CHECK_GEN_INTERNAL_H

#include "base/prng.h"
#include "check/gen.h"

#define GEN_TXN_MAX 6u

struct gen;

/* A system under test. An operation is chosen at its call, takes effect at a later step of the same
 * client (never, when it is dropped), and returns at a third. */
struct gen_system {
    void *(*open)(struct gen *gen);
    void (*close)(void *system);
    /* Fills f, key, arg (or micro-operations) of a client's next operation. */
    void (*choose)(void *system, uint32_t client, uint32_t op);
    /* Lets it take effect, with outcome and answer. False: not possible yet, try later. */
    bool (*apply)(void *system, uint32_t client, uint32_t op);
    /* Something that happens by itself between steps; may be NULL. */
    void (*drift)(void *system);
    /* All clients have ended: the last things to do; may be NULL. */
    void (*settle)(void *system);
    /* May the answer to this operation get lost? NULL: always. */
    bool (*may_lose)(void *system, uint32_t op);
};

struct gen {
    struct gen_options options;
    struct history *history;
    struct prng prng;
    uint64_t now_ns, next_value;
    uint32_t next_process; /* the name of the next process */
    int64_t fresh_key;     /* of the operations that violate the level */
    const struct gen_system *system;
    void *state;
    struct gen_client *clients;
};

extern const struct gen_system
    gen_objects;                         /* linearizable, and strict-serializable of one object */
extern const struct gen_system gen_logs; /* prefixes of logs */
extern const struct gen_system gen_replicas; /* registers on replicas */
extern const struct gen_system gen_versions; /* transactions on versions */
extern const struct gen_system gen_merges;   /* transactions on replicas */

uint32_t gen_below(struct gen *gen, uint32_t bound);
bool gen_chance(struct gen *gen, uint32_t percent);
uint32_t gen_int(struct gen *gen, int64_t number);
/* Keys are the integers from 0, so that a key's number is what it is. */
uint32_t gen_key(struct gen *gen);
/* A value to write; unique unless options.values says otherwise. */
uint32_t gen_value(struct gen *gen);
uint32_t gen_fresh(struct gen *gen); /* surely unique */
uint32_t gen_process(struct gen *gen);
/* A call by a process at the present moment, and its return. */
uint32_t gen_call(struct gen *gen, uint32_t process);
void gen_return(struct gen *gen, uint32_t op);
/* Micro-operations of a transaction, of `keys(context)`; no key is read after it was appended to,
 * unless `own` appends are seen. */
void gen_choose_txn(struct gen *gen, uint32_t op, uint32_t (*key)(void *context), void *context,
                    bool own);
/* How fast writes travel between any two clients, some far slower than others, in per cent; without
 * that all would be seen in nearly one order. The caller frees it. */
uint8_t *gen_speeds(struct gen *gen);
/* gen_bad.c: the operations that violate the level. */
void gen_violate(struct gen *gen);

/* A list of numbers that grows. */
struct gen_list {
    uint32_t *at;
    uint32_t head, count, cap;
};
void gen_push(struct gen_list *list, uint32_t number);

#endif
