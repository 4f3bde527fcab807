/* A history: what clients asked for, what they were told, and in which order these events happened
 * in real time. This is what readers make and what every checker takes.
 *
 * An operation's interval is [call, ret]: positions of its two events in the order of events. One
 * operation precedes another in real time when its ret < the other's call. OP_OPEN as ret: it
 * never ended as far as is known, and may take effect at any time after its call, or never.
 *
 * Memory: 32 bytes an operation, 16 a micro-operation; times cost 16 more an operation when kept.
 */
#ifndef CAIRN_CHECK_HISTORY_H
#define CAIRN_CHECK_HISTORY_H

#include "check/value.h"

#define OP_OPEN UINT32_MAX
#define OP_NONE UINT32_MAX

/* X(constant, name in files). Names of other conventions are mapped by the readers. */
#define OP_F_LIST(X)                  \
    X(READ, "read")                   \
    X(WRITE, "write")                 \
    X(CAS, "cas")                     \
    X(TXN, "txn")                     \
    X(APPEND, "append")               \
    X(ADD, "add")                     \
    X(REMOVE, "remove")               \
    X(CONTAINS, "contains")           \
    X(ENQUEUE, "enqueue")             \
    X(DEQUEUE, "dequeue")             \
    X(DRAIN, "drain")                 \
    X(PUSH, "push")                   \
    X(POP, "pop")                     \
    X(INSERT, "insert")               \
    X(DELETE_MIN, "delete-min")       \
    X(DELETE_MAX, "delete-max")       \
    X(PEEK, "peek")                   \
    X(ACQUIRE, "acquire")             \
    X(RELEASE, "release")             \
    X(TRANSFER, "transfer")           \
    X(SWAP, "swap")                   \
    X(DELETE, "delete")               \
    X(SET_IF_ABSENT, "set-if-absent") \
    X(TRY_ACQUIRE, "try-acquire")     \
    X(GENERATE, "generate")           \
    X(OTHER, "other")
enum op_f {
#define X(name, text) OP_##name,
    OP_F_LIST(X)
#undef X
        OP_F_COUNT
};
const char *op_f_name(enum op_f f);
/* By name, with the synonyms that files use (get, put, r, w, inc, enq, lock ...) and the commands
 * of Redis, etcd and ZooKeeper that mean exactly one of these; case does not matter, nor whether
 * words are joined by - or _. OP_OTHER: none. */
enum op_f op_f_of(struct bytes name);
/* "read, write, cas ...": all that a file may call a function. */
void op_f_names(struct buf *out);

enum op_outcome {
    OP_OK,
    OP_FAIL,    /* surely did not happen: no checker looks at it */
    OP_INFO,    /* open: ret is OP_OPEN */
    OP_MISMATCH /* a cas that was answered "no match": it read something else than `from` */
};

struct op {
    uint32_t call, ret; /* positions; ret of FAIL: of its completion */
    uint32_t process;   /* dense: 0 .. process_count - 1 */
    uint32_t key;       /* a value; VALUE_NULL where the object has no keys */
    uint32_t arg;       /* a value: what was asked; of TXN: first micro-operation */
    uint32_t out;       /* a value: what was answered, VALUE_NONE when nothing is known; of TXN: how
                         * many micro-operations */
    uint32_t line;      /* of the call in the file, from 1; see `numbered` */
    enum op_f f : 8;
    enum op_outcome outcome : 8;
};

enum mop_kind {
    MOP_READ,  /* value: what was read, a list for list-append; VALUE_NONE: not known */
    MOP_WRITE, /* value */
    MOP_APPEND /* value: the element */
};
struct mop {
    enum mop_kind kind;
    uint32_t key, value;
};

/* An event of the fault injector: a band in pictures, nothing to checkers. */
struct fault_event {
    uint32_t position;
    uint32_t what, detail; /* values */
    uint64_t time_ns;
};

struct history {
    struct values values;
    struct op *ops; /* in the order of their calls */
    uint32_t op_count, op_cap;
    struct mop *mops;
    uint32_t mop_count, mop_cap;
    uint32_t *processes; /* dense number -> the value that the file calls it */
    uint32_t process_count, process_cap;
    struct fault_event *faults;
    uint32_t fault_count, fault_cap;
    uint64_t *times_ns;   /* two an operation: call, ret (UINT64_MAX: none); NULL: not kept */
    uint32_t times_cap;   /* operations */
    uint32_t positions;   /* one more than the highest */
    bool may_miss_writes; /* Elle's convention: see unrecorded.h */
    bool has_real_time;   /* false: the file tells sessions only (AWDIT) */
    bool only_ends;       /* transactions whose beginnings are not told (Elle's examples) */
    bool numbered;        /* many events stand in one line: `line` of an operation counts events */
    bool initial_told;    /* the initial values stand in the file or were given, not assumed */
    uint32_t nil_reads;   /* answers of nil that were taken to say nothing (knossos) */
    uint32_t unknown_f;   /* how the first operation that is OP_OTHER is called; VALUE_NONE: by
                           * no name, or there is none */
    uint64_t back_ns;     /* lines tell the order, and times go back so far between processes */
    uint32_t initial;     /* what every key holds at first, unless initial_of says otherwise */
    uint32_t *initial_of; /* key, value, key, value ..., by ascending key */
    uint32_t initial_count, initial_cap; /* pairs */
};

void history_init(struct history *history);
void history_free(struct history *history);
/* Room for one more operation, open (ret is OP_OPEN, out is VALUE_NONE) and otherwise zero; the
 * pointer is valid until the next. */
struct op *history_op(struct history *history);
struct mop *history_mop(struct history *history);
/* The dense number of the process that the file calls `name`, made when it is new. Looks at all:
 * readers, which may meet many, keep a table beside and add without looking. */
uint32_t history_process(struct history *history, uint32_t name);
uint32_t history_add_process(struct history *history, uint32_t name);
struct fault_event *history_fault(struct history *history);
/* UINT64_MAX: no such time. */
void history_times(struct history *history, uint32_t op, uint64_t call_ns, uint64_t ret_ns);
/* The initial value of a key. */
uint32_t history_initial(const struct history *history, uint32_t key);
void history_set_initial(struct history *history, uint32_t key, uint32_t value);
/* As values_growth, of all. */
size_t history_growth(const struct history *history);
/* A copy of the operations `keep[i]` (true: stays; NULL: all stay), with all positions kept; values
 * and processes are copied whole, so their numbers stay. `to` is initialised here. For shrinking.
 */
void history_copy(struct history *to, const struct history *from, const bool *keep);
/* "process 3: write x 5 (line 17)" */
void history_describe(const struct history *history, uint32_t op, struct buf *out);
/* A process calls an operation before its last one has ended: at the very time at which it ended,
 * as far as clocks tell. Real time says less than the process's order then, and linearizable does
 * not imply the levels of single operations that have that order. */
bool history_overlaps(const struct history *history);
/* What to call it within a sentence, without its answer: "append 5 (line 17)", "the read of line
 * 20". */
void history_refer(const struct history *history, uint32_t op, struct buf *out);
/* "line 17"; "event 17" where many stand in one line. */
void history_place(const struct history *history, uint32_t line, struct buf *out);
/* "key x: ", before what is said of one; nothing where the object has no keys. */
void history_say_key(const struct history *history, uint32_t key, struct buf *out);

/* It was carried out, and what it was told is known. */
static inline bool op_answered(const struct op *op) {
    return op->outcome == OP_OK && op->out != VALUE_NONE;
}

static inline bool op_precedes(const struct op *a, const struct op *b) {
    return a->ret < b->call;
}

#endif
