/* `cairn zk`: what its files share. */
#ifndef CAIRN_CLI_ZKCLI_H
#define CAIRN_CLI_ZKCLI_H

#include "cli/cli.h"
#include "cli/zkcli_session.h"
#include "machine/tree/tree.h"

#include <signal.h>

#define ZKCLI_OPERANDS_MAX 8

struct zkcli {
    struct zkcli_session session;
    bool json, interactive;
    bool typing;                       /* a line is being typed */
    const volatile sig_atomic_t *stop; /* a signal asked to end what lasts */
};

/* A command's words taken apart. */
struct zkcli_words {
    const char *operands[ZKCLI_OPERANDS_MAX]; /* without the command's name */
    int count;
    bool given[128]; /* by the letter of a flag */
    uint64_t version, ttl_ms;
    const char *dir; /* of history */
};

struct zkcli_command {
    const char *name;
    const char *letters; /* flags of one letter; a colon behind one that has a value */
    int operands_min, operands_max;
    bool takes_path; /* the first operand is one */
    const char *usage, *summary;
    int (*run)(struct zkcli *zk, const struct zkcli_words *words);
};
/* NULL at the end. */
const struct zkcli_command *zkcli_command_at(size_t n);

/* ---- telling (zkcli_print.c) ---- */

/* A sentence about a server's refusal, or about having no server; the exit code. */
int zkcli_refused(const char *path, int32_t error);
int zkcli_ended(const struct zkcli *zk, enum zkcli_end end, bool writes);
/* ZooKeeper's record of 11 numbers. */
bool zkcli_take_stat(struct reader *reader, struct tree_stat *stat);
void zkcli_print_stat(const struct tree_stat *stat);
struct json_t *zkcli_json_stat(const struct tree_stat *stat);
/* Sets "data", or "data_base64" when it is not text. */
void zkcli_json_data(struct json_t *object, struct bytes data);
struct json_t *zkcli_json_text(struct bytes text);
struct json_t *zkcli_json_hex(uint64_t value);
/* Prints one line and frees it. */
void zkcli_json_print(struct json_t *value);
void zkcli_print_event(const struct zkcli *zk, int32_t type, struct bytes path, int64_t zxid);
/* "2026-01-31T12:00:00.000Z" */
const char *zkcli_time(uint64_t time_ms, char text[40]);

/* ---- whole subtrees (zkcli_subtree.c) ---- */

struct zkcli_paths {
    char **items;
    size_t count, cap;
};
/* The node and everything below it, parents first. */
enum zkcli_end zkcli_subtree(struct zkcli *zk, const char *path, struct zkcli_paths *paths,
                             int32_t *error);
/* As a person reads a tree: each node before what is below it. */
void zkcli_paths_sort(struct zkcli_paths *paths);
void zkcli_paths_free(struct zkcli_paths *paths);
int zkcli_run_rmr(struct zkcli *zk, const struct zkcli_words *words);

/* ---- the past (zkcli_history.c) ---- */

int zkcli_run_history(struct zkcli *zk, const struct zkcli_words *words);

#endif
