/* Operators' requests to nodes by their admin ports (cli/admin.h): finding the ports, finding the
 * token, one request and its answer.
 */
#ifndef CAIRN_CLI_ASK_H
#define CAIRN_CLI_ASK_H

#include "base/bytes.h"
#include "base/status.h"

#include <jansson.h>

#define ASK_ADDRESS_MAX 160u
#define ASK_NODES_MAX 32u
#define ASK_PATIENCE_MS 1000u

/* What an operator said: each may be NULL. */
struct ask_flags {
    const char *node;       /* admin (or Redis) addresses, between commas */
    const char *dir;        /* a folder of cairn dev; NULL: ./cairn-data, if there is one */
    const char *token_file; /* NULL: CAIRN_TOKEN_FILE, else the node's own, if it is in dir */
};

struct ask_node {
    char address[ASK_ADDRESS_MAX]; /* of its admin port, or as it was given */
    char token_file[640];          /* empty: not known */
    bool sure;                     /* it is the admin port, by the node's own settings */
};

/* The nodes that may be asked, best first: those that were named, else those of the folder, else
 * 127.0.0.1:7201 and those that follow. False: misuse, and a sentence was printed. */
bool ask_nodes(const char *subcommand, const struct ask_flags *flags, struct ask_node *nodes,
               size_t *count);

struct ask_answer {
    enum cairn_status status; /* OK: there is an answer */
    int http;
    json_t *body; /* NULL: no JSON; else the caller's */
};
/* token: NULL: none is sent. */
void ask_http(const char *address, const char *method, const char *path, const char *token,
              uint64_t timeout_ms, struct ask_answer *answer);

/* The node's status. A Redis port by the default numbers leads to the admin port 200 above; then
 * node->address is put right. NULL: no answer, and why holds a sentence about it. */
json_t *ask_status(struct ask_node *node, char *why, size_t why_size);

#endif
