/* The key-value machine: byte-string keys with string values, deadlines and versions.
 *
 * A command is u16 opcode, u32 count of arguments, then each argument as u32 length and bytes, in
 * the order in which a Redis client sends them, without the command's name. The machine owns
 * opcodes, arity and key positions (KV_COMMAND_LIST, the one table); a front end joins its own
 * table on the opcodes. Replies have the shapes and texts of Redis 7.0.
 *
 * Opcodes are stored in logs: a number is never given a second meaning.
 */
#ifndef CAIRN_MACHINE_KV_H
#define CAIRN_MACHINE_KV_H

#include "core/machine.h"

extern const struct machine_kind machine_kv;

/* A key of a client is at most this long. */
#define KV_KEY_MAX ((1u << 24) - 64)
/* Of one command, or of all commands of a transaction together. A reply that would be longer is an
 * error reply, and a command that would answer with the value that it replaces or removes then
 * changes nothing (from cluster version 3 on; before, what it writes was written). Without this
 * bound one MULTI of many GETs could ask every replica, and each again at its next start, for more
 * memory than there is. */
#define KV_REPLY_MAX (144u << 20)

enum kv_flags {
    KV_READ = 1,       /* changes nothing: may go to machine_kv.read */
    KV_WRITE = 2,      /* changes keys */
    KV_OOM = 4,        /* refused when memory is short */
    KV_FAST = 8,       /* constant or logarithmic time */
    KV_PUBSUB = 16,    /* publishes */
    KV_INTERNAL = 32,  /* made by nodes, never by a client's command of that name */
    KV_LONG = 64,      /* read() may answer CAIRN_BUSY: then use read_begin */
    KV_CONTAINER = 128 /* the first argument is a subcommand */
};

/* X(constant, opcode, name, arity, flags, first key, last key, key step, handler)
 * arity and key positions count the command's name, as in Redis: a negative arity is "at least", a
 * negative last key counts from the end, first key 0 is "no keys". */
#define KV_COMMAND_LIST(X)                                                                      \
    X(GET, 1, "GET", 2, KV_READ | KV_FAST, 1, 1, 1, get)                                        \
    X(SET, 2, "SET", -3, KV_WRITE | KV_OOM, 1, 1, 1, set)                                       \
    X(GETEX, 3, "GETEX", -2, KV_WRITE | KV_FAST, 1, 1, 1, getex)                                \
    X(GETDEL, 4, "GETDEL", 2, KV_WRITE | KV_FAST, 1, 1, 1, getdel)                              \
    X(GETSET, 5, "GETSET", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, getset)                     \
    X(SETNX, 6, "SETNX", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, setnx)                        \
    X(SETEX, 7, "SETEX", 4, KV_WRITE | KV_OOM, 1, 1, 1, setex)                                  \
    X(PSETEX, 8, "PSETEX", 4, KV_WRITE | KV_OOM, 1, 1, 1, setex)                                \
    X(MGET, 9, "MGET", -2, KV_READ | KV_FAST, 1, -1, 1, mget)                                   \
    X(MSET, 10, "MSET", -3, KV_WRITE | KV_OOM, 1, -1, 2, mset)                                  \
    X(MSETNX, 11, "MSETNX", -3, KV_WRITE | KV_OOM, 1, -1, 2, mset)                              \
    X(APPEND, 12, "APPEND", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, append)                    \
    X(STRLEN, 13, "STRLEN", 2, KV_READ | KV_FAST, 1, 1, 1, strlen)                              \
    X(GETRANGE, 14, "GETRANGE", 4, KV_READ, 1, 1, 1, getrange)                                  \
    X(SUBSTR, 15, "SUBSTR", 4, KV_READ, 1, 1, 1, getrange)                                      \
    X(SETRANGE, 16, "SETRANGE", 4, KV_WRITE | KV_OOM, 1, 1, 1, setrange)                        \
    X(INCR, 17, "INCR", 2, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, incr)                          \
    X(DECR, 18, "DECR", 2, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, incr)                          \
    X(INCRBY, 19, "INCRBY", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, incr)                      \
    X(DECRBY, 20, "DECRBY", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, incr)                      \
    X(INCRBYFLOAT, 21, "INCRBYFLOAT", 3, KV_WRITE | KV_OOM | KV_FAST, 1, 1, 1, incrbyfloat)     \
    X(LCS, 22, "LCS", -3, KV_READ, 1, 2, 1, lcs)                                                \
    X(SETBIT, 23, "SETBIT", 4, KV_WRITE | KV_OOM, 1, 1, 1, setbit)                              \
    X(GETBIT, 24, "GETBIT", 3, KV_READ | KV_FAST, 1, 1, 1, getbit)                              \
    X(BITCOUNT, 25, "BITCOUNT", -2, KV_READ, 1, 1, 1, bitcount)                                 \
    X(BITPOS, 26, "BITPOS", -3, KV_READ, 1, 1, 1, bitpos)                                       \
    X(BITOP, 27, "BITOP", -4, KV_WRITE | KV_OOM, 2, -1, 1, bitop)                               \
    X(BITFIELD, 28, "BITFIELD", -2, KV_WRITE | KV_OOM, 1, 1, 1, bitfield)                       \
    X(BITFIELD_RO, 29, "BITFIELD_RO", -2, KV_READ | KV_FAST, 1, 1, 1, bitfield)                 \
    X(DEL, 30, "DEL", -2, KV_WRITE, 1, -1, 1, del)                                              \
    X(UNLINK, 31, "UNLINK", -2, KV_WRITE | KV_FAST, 1, -1, 1, del)                              \
    X(EXISTS, 32, "EXISTS", -2, KV_READ | KV_FAST, 1, -1, 1, exists)                            \
    X(TYPE, 33, "TYPE", 2, KV_READ | KV_FAST, 1, 1, 1, type)                                    \
    X(TOUCH, 34, "TOUCH", -2, KV_READ | KV_FAST, 1, -1, 1, exists)                              \
    X(RENAME, 35, "RENAME", 3, KV_WRITE, 1, 2, 1, rename)                                       \
    X(RENAMENX, 36, "RENAMENX", 3, KV_WRITE | KV_FAST, 1, 2, 1, rename)                         \
    X(COPY, 37, "COPY", -3, KV_WRITE | KV_OOM, 1, 2, 1, copy)                                   \
    X(KEYS, 38, "KEYS", 2, KV_READ | KV_LONG, 0, 0, 0, keys)                                    \
    X(SCAN, 39, "SCAN", -2, KV_READ, 0, 0, 0, scan)                                             \
    X(RANDOMKEY, 40, "RANDOMKEY", 1, KV_READ, 0, 0, 0, randomkey)                               \
    X(DBSIZE, 41, "DBSIZE", 1, KV_READ | KV_FAST, 0, 0, 0, dbsize)                              \
    X(FLUSHDB, 42, "FLUSHDB", -1, KV_WRITE, 0, 0, 0, flush)                                     \
    X(FLUSHALL, 43, "FLUSHALL", -1, KV_WRITE, 0, 0, 0, flush)                                   \
    X(EXPIRE, 44, "EXPIRE", -3, KV_WRITE | KV_FAST, 1, 1, 1, expire)                            \
    X(PEXPIRE, 45, "PEXPIRE", -3, KV_WRITE | KV_FAST, 1, 1, 1, expire)                          \
    X(EXPIREAT, 46, "EXPIREAT", -3, KV_WRITE | KV_FAST, 1, 1, 1, expire)                        \
    X(PEXPIREAT, 47, "PEXPIREAT", -3, KV_WRITE | KV_FAST, 1, 1, 1, expire)                      \
    X(TTL, 48, "TTL", 2, KV_READ | KV_FAST, 1, 1, 1, ttl)                                       \
    X(PTTL, 49, "PTTL", 2, KV_READ | KV_FAST, 1, 1, 1, ttl)                                     \
    X(EXPIRETIME, 50, "EXPIRETIME", 2, KV_READ | KV_FAST, 1, 1, 1, ttl)                         \
    X(PEXPIRETIME, 51, "PEXPIRETIME", 2, KV_READ | KV_FAST, 1, 1, 1, ttl)                       \
    X(PERSIST, 52, "PERSIST", 2, KV_WRITE | KV_FAST, 1, 1, 1, persist)                          \
    X(DUMP, 53, "DUMP", 2, KV_READ, 1, 1, 1, dump)                                              \
    X(RESTORE, 54, "RESTORE", -4, KV_WRITE | KV_OOM, 1, 1, 1, restore)                          \
    X(OBJECT, 55, "OBJECT", -2, KV_READ | KV_CONTAINER, 2, 2, 1, object)                        \
    X(MEMORY, 56, "MEMORY", -2, KV_READ | KV_CONTAINER, 2, 2, 1, memory)                        \
    X(PUBLISH, 57, "PUBLISH", 3, KV_PUBSUB | KV_FAST, 0, 0, 0, publish)                         \
    X(TRANSACTION, 1000, "cairn.transaction", -2, KV_WRITE | KV_INTERNAL, 0, 0, 0, transaction) \
    X(VERSIONS, 1001, "cairn.versions", -2, KV_READ | KV_INTERNAL, 1, -1, 1, versions)          \
    X(EXPIRE_DUE, 1002, "cairn.expire", -2, KV_WRITE | KV_INTERNAL, 1, -1, 1, expire_due)

enum kv_opcode {
#define X(constant, opcode, name, arity, flags, first, last, step, handler) KV_##constant = opcode,
    KV_COMMAND_LIST(X)
#undef X
};

struct kv_call;
typedef void kv_handler(struct kv_call *call);

struct kv_command {
    enum kv_opcode opcode;
    const char *name; /* upper case */
    int arity;
    uint32_t flags; /* enum kv_flags */
    int first_key;
    int last_key;
    int key_step;
    kv_handler *handler; /* the machine's own */
};

/* NULL when there is no such opcode or name; the name in any case, internal ones are not found. */
const struct kv_command *kv_command(enum kv_opcode opcode);
const struct kv_command *kv_command_named(struct bytes name);
/* All commands in the table's order; NULL at the end. */
const struct kv_command *kv_command_at(size_t n);

/* Appends one command. args: as the client sent them, without the name. */
void kv_encode(struct buf *out, enum kv_opcode opcode, const struct bytes *args, size_t argc);
/* How long that is. */
size_t kv_encoded_len(const struct bytes *args, size_t argc);
/* The same where the arguments lie, for long ones: at least one, in one buffer, in order, with 6
 * bytes or more that may be overwritten before each, and 6 more before the first, as RESP has them
 * around its bulk strings. The result is in that buffer. */
struct bytes kv_encode_in_place(enum kv_opcode opcode, const struct bytes *args, size_t argc);

/* MULTI ... EXEC as one command. It answers NIL_ARRAY when a watched key has another version than
 * it had (KV_VERSIONS tells them; 0 is absent), else an array with the reply of each command.
 * commands: each as kv_encode makes it; internal ones are refused. */
struct kv_watch {
    struct bytes key;
    uint64_t version;
};
void kv_encode_transaction(struct buf *out, const struct kv_watch *watches, size_t watch_count,
                           const struct bytes *commands, size_t command_count);
/* Its beginning alone: the commands follow, each as a block (buf_block). */
void kv_encode_transaction_head(struct buf *out, const struct kv_watch *watches, size_t watch_count,
                                size_t command_count);

/* A command taken apart; args are borrowed from it. */
struct kv_parsed {
    enum kv_opcode opcode;
    const struct kv_command *command; /* NULL: unknown opcode */
    struct bytes *args;               /* inline_args, or allocated when there are many */
    size_t argc;
    struct bytes inline_args[8];
};
/* CAIRN_MALFORMED when lengths lie. kv_parsed_free only after CAIRN_OK. */
enum cairn_status kv_decode(struct bytes command, struct kv_parsed *parsed);
void kv_parsed_free(struct kv_parsed *parsed);

#endif
