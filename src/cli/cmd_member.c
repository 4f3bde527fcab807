/* cairn member, cairn leader: what operators ask of the cluster, by any node's admin port. */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A node answers within 60 s, even if only to say that the change goes on. */
#define PATIENCE_MS 75000
#define PATH_MAX_BYTES 512

/* ---- asking ---- */

/* The first that answers at all. */
static bool find(const char *subcommand, const struct ask_flags *flags, struct ask_node *out,
                 int *code) {
    struct ask_node nodes[ASK_NODES_MAX];
    char why[300], first[300] = "";
    size_t count;
    *code = EXIT_MISUSE;
    if (!ask_nodes(subcommand, flags, nodes, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        json_t *status = ask_status(&nodes[i], why, sizeof why);
        *out = nodes[i];
        json_decref(status);
        if (status != NULL)
            return true;
        if (first[0] == 0)
            memcpy(first, why, sizeof first);
    }
    fprintf(stderr, "cairn %s: %s%s\n", subcommand, first,
            flags->node ? "" : " (--node HOST:PORT,... names others)");
    *code = EXIT_NO;
    return false;
}

/* What the operator says, else what the environment says, else the node's own. False: one was
 * named, and can't be read. */
static bool find_token(const char *subcommand, const struct ask_flags *flags,
                       const struct ask_node *node, char token[TOKEN_SIZE]) {
    const char *path = flags->token_file ? flags->token_file : getenv("CAIRN_TOKEN_FILE");
    char error[800];
    token[0] = 0;
    if (path == NULL)
        path = node->token_file;
    if (path[0] == 0 || token_read(path, token, error, sizeof error))
        return true;
    fprintf(stderr, "cairn %s: %s\n", subcommand, error);
    return false;
}

/* The node's answer; NULL: there is none, and a sentence was printed. */
static json_t *ask(const char *subcommand, const struct ask_flags *flags, const char *method,
                   const char *path, int *code) {
    struct ask_node node;
    struct ask_answer answer;
    char token[TOKEN_SIZE] = "";
    bool changes = strcmp(method, "POST") == 0;
    if (!find(subcommand, flags, &node, code))
        return NULL;
    *code = EXIT_NO;
    if (changes && !find_token(subcommand, flags, &node, token))
        return NULL;
    ask_http(node.address, method, path, token[0] ? token : NULL, PATIENCE_MS, &answer);
    const char *error = json_string_value(json_object_get(answer.body, "error"));
    if (answer.status != CAIRN_OK)
        fprintf(stderr, "cairn %s: no answer from %s: %s\n", subcommand, node.address,
                cairn_status_text(answer.status));
    else if (answer.http == 401)
        fprintf(stderr, "cairn %s: %s: %s (%s)\n", subcommand, node.address,
                error ? error : "the token was refused",
                token[0] ? "the one that was sent is another node's, or an old one"
                         : "--token-file or CAIRN_TOKEN_FILE names it");
    else if (answer.body == NULL || (error == NULL && answer.http != 200))
        fprintf(stderr, "cairn %s: %s answered with status %d of HTTP: is it an older cairn?\n",
                subcommand, node.address, answer.http);
    else
        return answer.body;
    json_decref(answer.body);
    return NULL;
}

/* Prints an error as a shell does. True: there is none. */
static bool is_fine(json_t *answer) {
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (error != NULL)
        printf("(error) %s\n", error);
    return error == NULL;
}

static int carry_out(const char *subcommand, const struct ask_flags *flags, const char *path) {
    int code;
    json_t *answer = ask(subcommand, flags, "POST", path, &code);
    if (answer == NULL)
        return code;
    bool fine = is_fine(answer);
    if (fine)
        printf("%s\n", json_string_value(json_object_get(answer, "answer")));
    json_decref(answer);
    return fine ? EXIT_FINE : EXIT_NO;
}

/* ---- questions ---- */

static int list_members(const struct ask_flags *flags) {
    int code;
    size_t i;
    json_t *member, *answer = ask("member", flags, "GET", "/member/list", &code);
    if (answer == NULL)
        return code;
    bool fine = is_fine(answer);
    if (fine)
        printf("%-5s %-24s %-9s %s\n", "node", "address", "member", "role");
    json_array_foreach(json_object_get(answer, "answer"), i, member) printf(
        "%-5lld %-24s %-9s %s\n", (long long)json_integer_value(json_array_get(member, 0)),
        json_string_value(json_array_get(member, 1)), json_string_value(json_array_get(member, 2)),
        json_string_value(json_array_get(member, 3)));
    json_decref(answer);
    return fine ? EXIT_FINE : EXIT_NO;
}

static int tell_changes(const struct ask_flags *flags) {
    int code;
    size_t i;
    json_t *line, *answer = ask("member", flags, "GET", "/member/status", &code);
    if (answer == NULL)
        return code;
    bool fine = is_fine(answer);
    json_array_foreach(json_object_get(answer, "answer"), i, line)
        printf("%s\n", json_string_value(line));
    json_decref(answer);
    return fine ? EXIT_FINE : EXIT_NO;
}

/* ---- the command line ---- */

static const struct member_word {
    const char *name;
    int argc; /* with the subcommand's */
} member_words[] = {{"add", 4},    {"move", 4}, {"promote", 3}, {"remove", 3},
                    {"cancel", 2}, {"list", 2}, {"status", 2}};

static const struct member_word *find_word(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof member_words / sizeof *member_words; i++)
        if (strcmp(argv[1], member_words[i].name) == 0 && argc == member_words[i].argc)
            return &member_words[i];
    return NULL;
}

/* What a path of HTTP may hold as it is, and an address of a peer port must. */
static bool is_peer_address(const char *text) {
    return address_is_one(text) && strlen(text) < 128 && strpbrk(text, "/?#% \t\r\n") == NULL;
}

#define ASKED_FLAGS(asked)                                                  \
    {"node", FLAG_TEXT, &(asked).node}, {"dir", FLAG_TEXT, &(asked).dir}, { \
        "token-file", FLAG_TEXT, &(asked).token_file                        \
    }

int cmd_member(int argc, char **argv) {
    struct ask_flags asked = {0};
    bool learner = false;
    uint64_t id;
    char path[PATH_MAX_BYTES];
    const struct flag flags[] = {ASKED_FLAGS(asked), {"learner", FLAG_SWITCH, &learner}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    const struct member_word *found = find_word(argc, argv);
    if (found == NULL)
        return misuse("member", "list, status, add ID HOST:PORT, move ID HOST:PORT, promote ID, "
                                "remove ID or cancel");
    if (learner && strcmp(found->name, "add") != 0)
        return misuse("member", "--learner belongs to add");
    if (argc > 2 && !parse_number(argv[2], &id))
        return misuse("member", "a member's id is a number, not '%s'", argv[2]);
    if (argc > 3 && !is_peer_address(argv[3]))
        return misuse("member", "a member's address is HOST:PORT of its peer port, not '%s'",
                      argv[3]);
    if (strcmp(found->name, "list") == 0)
        return list_members(&asked);
    if (strcmp(found->name, "status") == 0)
        return tell_changes(&asked);
    snprintf(path, sizeof path, "/member/%s%s%s%s%s", learner ? "learner" : found->name,
             argc > 2 ? "/" : "", argc > 2 ? argv[2] : "", argc > 3 ? "/" : "",
             argc > 3 ? argv[3] : "");
    return carry_out("member", &asked, path);
}

int cmd_leader(int argc, char **argv) {
    struct ask_flags asked = {0};
    uint64_t id;
    char path[PATH_MAX_BYTES];
    const struct flag flags[] = {ASKED_FLAGS(asked)};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc < 2 || argc > 3 || strcmp(argv[1], "transfer") != 0)
        return misuse("leader", "transfer [ID]");
    if (argc == 3 && !parse_number(argv[2], &id))
        return misuse("leader", "a member's id is a number, not '%s'", argv[2]);
    snprintf(path, sizeof path, "/leader/transfer%s%s", argc == 3 ? "/" : "",
             argc == 3 ? argv[2] : "");
    return carry_out("leader", &asked, path);
}
