/* Inside the Redis front end. */
#ifndef CAIRN_FRONT_REDIS_INTERNAL_H
#define CAIRN_FRONT_REDIS_INTERNAL_H

#include "base/hmap.h"
#include "base/list.h"
#include "core/reply.h"
#include "front/redis/redis.h"
#include "machine/kv/kv.h"
#include "wire/resp.h"

#define REDIS_VERSION_TOLD "7.0.15"

struct conn;
struct call;

enum command_flags {
    CMD_NO_MULTI = 1, /* not inside MULTI */
    CMD_AT_ONCE = 2,  /* executed even inside MULTI (EXEC, DISCARD, QUIT ...) */
    CMD_NO_AUTH = 4,  /* before AUTH too */
    CMD_PUBSUB = 8,   /* allowed to a RESP2 subscriber */
    CMD_ADMIN = 16
};

struct command {
    const char *name; /* upper case */
    int arity;
    uint32_t flags; /* enum command_flags */
    const char *group, *since, *summary;
    void (*run)(struct call *call);
    enum kv_opcode opcode; /* 0: not a machine command */
    uint32_t kv_flags;
    int first_key, last_key, key_step;
};

/* One command of a client, while it is handled. args[0] is its name. */
struct call {
    struct conn *conn;
    const struct command *command;
    const struct bytes *args;
    size_t argc;
    struct buf *out;   /* where a reply that is known now goes */
    bool holds_pushes; /* its reply says what pushes there are, or in which form: they follow it */
    bool reads;        /* EXEC: none of its commands changes anything */
};

/* A long message that several subscribers are sent. */
struct publication {
    uint32_t refs;
    struct buf buf;
    struct bytes message; /* in buf */
};

/* A reply's place in the order of replies. */
struct slot {
    struct list list;  /* conn->slots */
    struct conn *conn; /* NULL: the client has gone */
    uint64_t asked_ns;
    bool done;
    bool quiet;        /* CLIENT REPLY OFF or SKIP */
    bool heavy;        /* its reply may be long, and comes whether there is room for it or not */
    uint8_t protocol;  /* what the client spoke when it asked */
    struct buf reply;  /* RESP, once done while others before it are not */
    struct buf pushes; /* publications that came meanwhile: they follow the reply */
    /* What to do with the machine's reply; NULL: it is told as it is. */
    void (*finish)(struct slot *slot, enum cairn_status status, struct bytes reply,
                   struct buf *out);
    const struct command *command;
    struct buf memo; /* finish's own */
    /* What is long (redis_long.c) is put into the output between reply and pushes: a reply as the
     * machine made it, or a publication's message, up to long_at. */
    bool is_long;
    struct buf machine;
    struct publication *publication;
    size_t long_at;
    uint64_t values_left; /* of the reply, as far as they are known */
    size_t bulk_left;     /* of the value in whose middle long_at is */
    /* EXEC with commands of the front end's own: they run as their replies are put. NULL: none. */
    struct multi *multi;
    size_t item; /* the next of its commands */
};

/* A command queued in MULTI. */
struct queued {
    const struct command *command;
    size_t offset, len; /* in multi->own */
    uint32_t argc;
};
struct multi {
    struct queued *items;
    size_t count, cap;
    /* The machine's commands as blocks, as they travel: the buffers of long ones, with what came
     * before each, and those behind the last of these. */
    struct command_part *parts;
    size_t part_count, part_cap;
    struct buf last;
    size_t commands, bytes; /* of the machine */
    struct buf own; /* as blocks: the arguments of the front end's own commands, and the channels
                       of publications */
    bool broken;    /* EXEC will answer EXECABORT */
    bool writes;    /* some of it changes something */
};

struct watched {
    struct hnode by_key; /* conn->watched_keys */
    struct list list;    /* conn->watched, in the order in which they were watched */
    struct blob *key;
    uint64_t version;
};

struct subscription {
    struct hnode by_name; /* front->channels or front->pattern_names */
    struct list members;  /* struct membership of it */
    struct list patterns; /* front->patterns: the order in which they are tried */
    bool pattern;
    size_t count;
    struct blob *name;
};
struct membership {
    struct hnode by_pair; /* front->memberships */
    struct list of_subscription;
    struct list of_conn;
    struct subscription *subscription;
    struct conn *conn;
};

enum reply_mode { REPLY_MODE_ON, REPLY_MODE_OFF, REPLY_MODE_SKIP, REPLY_MODE_SKIPPING };

struct conn {
    struct env_stream stream;
    struct list list;  /* front->conns */
    struct list dirty; /* front->dirty: something to write or to read on */
    struct list waits; /* front->waiting: WAIT, paused clients, and others that are kept waiting */
    struct redis_front *front;
    struct node_client client;
    struct node_client admin; /* of another keyspace, for operators' commands */
    bool admin_open;
    struct hnode by_id;
    uint64_t id;
    char address[64];
    uint64_t since_ns, heard_ns;
    uint8_t protocol; /* 2 or 3 */
    bool authenticated;
    bool closing; /* nothing is read any more; close once all is written */
    bool closed;  /* env_close was called, or ... */
    bool aborted; /* ... env_abort: nothing is owed to it any more */
    bool ended;   /* the client sends nothing more, and gets what it asked for */
    bool guest;   /* above clients_max: an operator, or to be turned away */
    bool read_paused;
    bool held;         /* a command (WATCH, WAIT, PAUSE) must finish before the next begins */
    struct slot *wait; /* the slot of a WAIT, or of a wrong AUTH, under way */
    bool wait_penalty; /* it is that of a wrong AUTH */
    uint64_t wait_replicas, wait_deadline_ns;
    bool in_loop;
    struct bytes behind; /* what has arrived behind the command that is being run */
    bool may_take;       /* that command is long, and most of the input buffer ... */
    bool taken;          /* ... which went away with it */
    bool no_evict, no_touch;
    enum reply_mode reply_mode;
    struct buf in, out;
    size_t in_at;         /* what of `in` was understood and is to be forgotten */
    bool starved;         /* `in` holds no whole command */
    uint64_t in_since_ns; /* when the unfinished one began to arrive */
    struct resp_request request;
    struct list slots;
    struct slot *pushes_follow; /* none may come before it; NULL: they come at once */
    uint32_t slot_count, heavy_count;
    size_t slot_bytes;   /* of replies and publications that wait in slots */
    size_t counted;      /* in front->output_bytes */
    size_t queued;       /* with the env when last looked at, and ... */
    uint64_t moved_ns;   /* ... when the client last took some of it */
    size_t reply_bytes;  /* of the largest of its last heavy replies, about */
    uint64_t answered;   /* heavy replies */
    bool sized;          /* client.answer_bytes tells something */
    struct multi *multi; /* NULL: not in MULTI */
    size_t multi_bytes;  /* of what it has queued, as counted in front->input_bytes */
    size_t named_bytes;  /* of what it watches and listens to, likewise */
    struct list watched;
    struct hmap watched_keys;
    struct list subscriptions; /* struct membership: channels, then patterns */
    uint32_t channel_count, pattern_count;
    struct blob *name, *library, *library_version;
    const char *last_command;
    uint64_t commands;
};

/* Constants, but in the simulator, which makes some of them small (base/rare.h). */
struct redis_limits {
    unsigned slice_commands; /* of one client in a turn */
    size_t slots_max;        /* commands of one client under way */
    size_t output_each_max;
    size_t buffer_kept; /* a larger buffer is given back when it is empty */
    size_t take_min;    /* shorter input is copied */
    size_t long_bytes;  /* of a reply that is put out in stretches */
    size_t stretch;
};

struct redis_front {
    struct node *node;
    struct env *env;
    struct redis_options options;
    struct redis_limits limits;
    struct env_listener listener;
    bool listening, stopping;
    struct list conns, dirty, waiting;
    struct spans command_times;
    uint64_t asked_ns, answered_ns; /* the first command, the first reply since the last turn */
    struct hmap by_id;
    uint32_t conn_count;
    uint32_t guest_count; /* of these, above clients_max */
    size_t reply_bytes;   /* as a connection's, of all of them, fading slowly: what a new one begins
                             with */
    size_t answer_bytes;  /* the same of reads */
    uint64_t next_id;
    size_t input_bytes;    /* received and not executed, of all clients, in MULTI too, and the
                               names that they watch and listen to */
    size_t stranger_bytes; /* of these, from clients that have not said the password */
    size_t output_bytes;   /* replies and publications that were not taken, likewise */
    bool lifted;           /* it fell below its limit: others may go on */
    struct hmap channels, pattern_names, memberships;
    struct list patterns;
    struct hmap config; /* remembered parameters (redis_config.c) */
    uint64_t pause_until_ns;
    bool pause_all;
    struct env_timer timer;      /* once a second: idle and stuck clients */
    struct env_timer wait_timer; /* WAIT and PAUSE */
    uint64_t started_ns;
    uint64_t total_connections, total_commands, rejected_connections, protocol_errors;
    uint64_t evicted_connections, wrong_passwords, bytes_in, bytes_out;
    uint64_t commands_before, commands_per_s; /* as of the last look, once a second */
    uint64_t warned_ns, unwarned; /* when a line was last written, and how many were not since */
    struct bytes *args;
    size_t args_cap;
    struct buf answer; /* of the command that is being run */
    bool had_large;    /* a command that takes milliseconds was run in this turn */
    size_t long_bytes; /* of long replies, put into outputs in this turn */
};

/* redis_table.c */
const struct command *command_find(struct bytes name);
const struct command *command_at(size_t n);
size_t command_count(void);
/* A subcommand that is not there, or has other arguments: an error is answered. Commands that have
 * none fit always. */
enum subcommand_fit { SUBCOMMAND_FITS, SUBCOMMAND_UNKNOWN, SUBCOMMAND_ARITY };
enum subcommand_fit subcommand_fit(const struct command *command, const struct bytes *args,
                                   size_t argc);
/* A Redis command that this version does not have. */
bool command_is_foreign(struct bytes name);

/* redis_conn.c */
void conn_dirty(struct conn *conn);
void conn_close_after_reply(struct conn *conn);
void conn_resume(struct conn *conn); /* a held command finished */
/* Its output as far as the kernel takes it now. */
void conn_write(struct conn *conn);
/* Received, and not executed. */
struct bytes conn_input(const struct conn *conn);
/* The command that is being run, encoded for the machine: where it lies when it is long, and then
 * its arguments are no more. The caller frees the part's buffer. */
struct command_part conn_command(struct conn *conn, enum kv_opcode opcode, const struct bytes *args,
                                 size_t argc);
void conn_forget_input(struct conn *conn);

/* redis_limit.c: what clients can make this server hold */
/* What of its output a client may leave unread before nothing more is executed for it. */
size_t conn_output_max(const struct redis_front *front);
void redis_limits_open(struct redis_front *front);
/* How many of its commands may be under way. */
size_t conn_slots_max(const struct redis_front *front);
bool conn_may_run(const struct conn *conn);
/* Its output changed. */
void conn_account(struct conn *conn);
/* Room for a reply of that length is found, if need be by closing clients; false: it was this one's
 * turn. */
bool conn_make_room(struct conn *conn, size_t len);
/* At each turn: the same for answers that the node is making. */
void output_keep_budget(struct redis_front *front);
/* It took something of late, or has all it was sent. */
bool conn_reads(struct conn *conn);
/* Whether what it sends is still taken while nothing is executed for it. */
bool conn_may_read(const struct conn *conn);
void input_account(struct conn *conn, size_t before, size_t after);
/* It watches or listens to a name more, or less. */
#define NAMES_MAX 100000u /* of keys watched, and of channels and patterns, each */
void name_added(struct conn *conn, size_t len);
void name_removed(struct conn *conn, size_t len);
/* It said the password, or is to say it again. */
void input_authenticated(struct conn *conn, bool authenticated);
/* What it sent is kept. When that does not fit, it is closed, as one that has not said the
 * password, or else the client that holds most. */
void input_keep_budget(struct conn *conn);
/* Closed at once, with a line in the log. */
void conn_evict(struct conn *conn, const char *why);
/* A line in the log, once a second at most. */
void front_warn(struct redis_front *front, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void limits_sweep(struct redis_front *front, uint64_t now);
struct blob *blob_set(struct blob **at, struct bytes value);

/* redis_slot.c: replies in order */
/* Where a reply known now is to be written; call reply_end when it is complete. */
struct buf *reply_begin(struct conn *conn);
void reply_end(struct conn *conn, struct buf *out);
struct slot *slot_new(struct conn *conn, const struct command *command); /* command: may be NULL */
void slot_heavy(struct slot *slot);
/* A node_done: context is a slot. */
void slot_done(void *context, enum cairn_status status, struct bytes reply);
void slots_drop(struct conn *conn);
/* Where a publication is to be written: before the replies that are not known yet, of which one may
 * be that of the PUBLISH. */
struct buf *push_begin(struct conn *conn);
void push_end(struct conn *conn, struct buf *out, size_t len_before);
/* A publication with a slot of its own is put there. */
void push_place(struct slot *slot);
/* Between reply_begin and reply_end: pushes to come follow this reply. */
void pushes_follow(struct conn *conn, struct buf *reply);
/* The slot's reply was written into it by hand. */
void slot_answered(struct slot *slot);
/* The error of a request that did not end well. */
const char *status_error(enum cairn_status status);
/* One machine reply value as RESP; false when malformed. */
bool put_reply(struct buf *out, int protocol, struct reader *value);

/* A reply is known, and the slot keeps it: put what can be put. */
void slots_release(struct conn *conn);
/* An element of a machine's reply as RESP; *left: values still to come. */
void put_value(struct buf *out, int protocol, const struct reply_value *value, uint64_t *left);

/* redis_long.c: long replies and messages, put as the client takes them */
/* False: it is not long, or can't be kept. */
bool long_reply_take(struct slot *slot, struct bytes reply);
/* NULL: it is not long, or can't be kept. One reference. */
struct publication *publication_take(const struct redis_front *front, const struct change *change);
void publication_unref(struct publication *publication);
/* A place for it behind all that the client was sent; `head` goes before it, and is taken over. */
void publication_push(struct conn *conn, struct publication *publication, struct buf *head);
/* Of what is long, how much is still to be put. */
size_t long_left(const struct slot *slot);
void long_free(struct slot *slot);
/* Puts a stretch, if the client has taken the one before. True: it was the last. */
bool long_put(struct slot *slot);
/* The first slot is such a one. */
bool long_first(const struct conn *conn);
/* The client may have taken a stretch. */
void long_go_on(struct conn *conn);

/* redis_exec.c */
void exec_command(struct conn *conn, const struct bytes *args, size_t argc);
/* Runs the handler of a command that is the front end's own, writing to out. */
void exec_local(struct conn *conn, const struct command *command, const struct bytes *args,
                size_t argc, struct buf *out);
/* The patterns among the arguments are short enough to be looked for. */
bool patterns_fit(const struct command *command, const struct bytes *args, size_t argc);
#define PATTERN_TOO_LONG "ERR the pattern is longer than the limit of 1024 bytes"
void exec_machine(struct call *call);
/* Executes a machine command, whose buffer is taken; its reply goes through finish (NULL: as it
 * is). */
struct slot *exec_encoded(struct call *call, struct buf *encoded,
                          void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                         struct buf *));
/* The same in parts; what of their buffers is left is freed. */
struct slot *exec_parts(struct call *call, struct command_part *parts, size_t count,
                        void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                       struct buf *));
/* "ERR value is not an integer or out of range" when false. */
bool arg_int(struct call *call, size_t at, int64_t *value);
bool arg_int_or(struct call *call, size_t at, int64_t *value, const char *error);
bool arg_is(const struct call *call, size_t at, const char *word);
void reply_subcommand_error(struct call *call);
void reply_help(struct call *call, const char *const *lines, size_t count);
bool out_of_memory(const struct redis_front *front, const struct command *command);

/* redis_wait.c: WAIT, and clients held by CLIENT PAUSE */
void waits_open(struct redis_front *front);
void waits_turn(struct redis_front *front, uint64_t now);
void pause_begin(struct redis_front *front, uint64_t until_ns, bool all);
void pause_end(struct redis_front *front);
/* True when the command has to wait for the pause's end: the client is held. */
bool pause_holds(struct conn *conn, struct bytes name);
/* It is: its client may still go away, and then nothing was executed. */
bool pause_keeps(const struct conn *conn);
/* The client waits for nothing any more: it has ended. */
void waits_leave(struct conn *conn);
/* An error that is told after a while, and nothing is read until then. */
void wait_penalty(struct conn *conn, const struct command *command, const char *error);

/* redis_guest.c: connections above clients_max */
#define GUEST_REFUSAL "ERR max number of clients reached"
struct env_stream *guest_accept(struct redis_front *front, const char *peer_address);
/* False: this is not for a guest; it was told and is closed. */
bool guest_may(struct conn *conn, const struct command *command);
/* While it says nothing. */
void guest_settle(struct conn *conn, uint64_t now);
struct conn *conn_new(struct redis_front *front, const char *peer_address);

/* redis_multi.c */
void multi_queue(struct conn *conn, const struct command *command, const struct bytes *args,
                 size_t argc);
void multi_discard(struct conn *conn);
/* A slot ends: what an EXEC kept in it ends with it. */
void exec_forget(struct slot *slot);
/* The machine's reply is a list of results, whose head has so many bytes: what comes before them is
 * in slot->reply. False: it is something else. */
bool exec_begins(struct slot *slot, struct bytes reply, size_t *head_len);
/* Puts the reply of the next command, or says that values of the machine are next. */
void exec_next(struct slot *slot, struct reader *replies, struct buf *out);
/* There is none left, or it was no such transaction. */
bool exec_ended(const struct slot *slot);
void watch_forget(struct conn *conn);

/* redis_pubsub.c */
size_t pubsub_receivers(struct redis_front *front, struct bytes channel);
void pubsub_leave_all(struct conn *conn);
/* A subscriber that leaves much unread and takes nothing is closed. */
void pubsub_look(struct conn *conn);
void pubsub_close(struct redis_front *front);

/* redis_config.c */
void config_open(struct redis_front *front);
void config_close(struct redis_front *front);
/* redis_client.c */
bool client_name_ok(struct bytes name);
/* CLIENT LIST tells the names of all. */
#define CLIENT_NAME_MAX 1024u
void client_describe(const struct conn *conn, struct buf *out);

/* The handlers, by file; redis_table.c names them. */
#define HANDLER(name) void cmd_##name(struct call *call)
HANDLER(ping); /* redis_server.c */
HANDLER(echo);
HANDLER(hello);
HANDLER(auth);
HANDLER(quit);
HANDLER(reset);
HANDLER(select);
HANDLER(time);
HANDLER(lolwut);
HANDLER(wait);
HANDLER(function);
HANDLER(info);    /* redis_info.c */
HANDLER(client);  /* redis_client.c */
HANDLER(command); /* redis_command.c */
HANDLER(config);  /* redis_config.c */
HANDLER(multi);   /* redis_multi.c */
HANDLER(exec);
HANDLER(discard);
HANDLER(watch);
HANDLER(unwatch);
HANDLER(subscribe); /* redis_pubsub.c */
HANDLER(unsubscribe);
HANDLER(psubscribe);
HANDLER(punsubscribe);
HANDLER(publish);
HANDLER(pubsub);
HANDLER(cairn_session); /* redis_cairn.c */
HANDLER(cairn_once);
HANDLER(cairn_member);
HANDLER(cairn_leader);
HANDLER(cairn_status);
HANDLER(cairn_parameter);
HANDLER(cairn_time);

#endif
