/* cairn member, cairn leader: what operators ask of the cluster, by any node. */
#include "cli/cli.h"
#include "wire/resp.h"

#include <stdio.h>
#include <string.h>

/* A node answers within 60 s, even if only to say that the change goes on. */
#define PATIENCE_MS 75000
#define WORDS_MAX 5

/* False: nothing was asked, and a sentence says so. */
static bool ask(const char *subcommand, const char *given, const char *const *words,
                struct call_reply *reply) {
    char address[CALL_ADDRESS_MAX];
    *reply = (struct call_reply){.status = CAIRN_CLOSED};
    if (call_find(given, address, sizeof address))
        call_command(address, PATIENCE_MS, words, reply);
    if (reply->status == CAIRN_OK)
        return true;
    fprintf(stderr, "cairn %s: no answer from %s: %s\n", subcommand, call_address(given),
            cairn_status_text(reply->status));
    buf_free(&reply->value);
    return false;
}

/* Sends it and tells the answer. */
static int carry_out(const char *subcommand, const char *given, const char *const *words) {
    struct call_reply reply;
    if (!ask(subcommand, given, words, &reply))
        return EXIT_NO;
    bool refused = reply.value.len > 0 && reply.value.data[0] == '-';
    call_print(buf_view(&reply.value));
    buf_free(&reply.value);
    return refused ? EXIT_NO : EXIT_FINE;
}

static bool next(struct reader *reader, struct resp_value *value) {
    size_t used = 0;
    if (resp_value_read(bytes_of(reader->at, reader_left(reader)), value, &used) != RESP_COMMAND)
        return false;
    reader->at += used;
    return true;
}

/* The texts of a reply, however deep, those of one array of the first level on a line. */
static int print_rows(const char *given, const char *word) {
    struct call_reply reply;
    struct resp_value value;
    if (!ask("member", given, (const char *const[]){"CAIRN.MEMBER", word, NULL}, &reply))
        return EXIT_NO;
    struct reader reader = reader_of(buf_view(&reply.value));
    if (!next(&reader, &value) || value.kind != RESP_ARRAY) {
        call_print(buf_view(&reply.value));
        buf_free(&reply.value);
        return EXIT_NO;
    }
    for (size_t rows = value.count; rows > 0 && next(&reader, &value); rows--) {
        size_t cells = value.kind == RESP_ARRAY ? value.count : 1;
        bool told = value.kind != RESP_ARRAY;
        for (size_t i = 0; i < cells && (told || next(&reader, &value)); i++, told = false) {
            if (value.kind == RESP_INT)
                printf("%-6lld", (long long)value.integer);
            else
                printf(cells > 1 ? "%-24.*s" : "%.*s", (int)value.text.len,
                       (const char *)value.text.data);
        }
        printf("\n");
    }
    buf_free(&reply.value);
    return EXIT_FINE;
}

static const struct member_word {
    const char *name;
    int argc; /* with the subcommand's */
    const char *word;
} member_words[] = {{"add", 4, "ADD"},       {"move", 4, "MOVE"},     {"promote", 3, "PROMOTE"},
                    {"remove", 3, "REMOVE"}, {"cancel", 2, "CANCEL"}, {"list", 2, "LIST"},
                    {"status", 2, "STATUS"}};

static const struct member_word *find_word(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof member_words / sizeof *member_words; i++)
        if (strcmp(argv[1], member_words[i].name) == 0 && argc == member_words[i].argc)
            return &member_words[i];
    return NULL;
}

int cmd_member(int argc, char **argv) {
    const char *node = NULL;
    bool learner = false;
    uint64_t id;
    const struct flag flags[] = {{"node", FLAG_TEXT, &node}, {"learner", FLAG_SWITCH, &learner}};
    if (!flags_parse(&argc, argv, flags, 2))
        return EXIT_MISUSE;
    const struct member_word *found = find_word(argc, argv);
    if (found == NULL)
        return misuse("member", "list, status, add ID HOST:PORT, move ID HOST:PORT, promote ID, "
                                "remove ID or cancel");
    if (argc > 2 && !parse_number(argv[2], &id))
        return misuse("member", "a member's id is a number, not '%s'", argv[2]);
    if (strcmp(found->word, "LIST") == 0 || strcmp(found->word, "STATUS") == 0)
        return print_rows(node, found->word);
    bool as_learner = learner && strcmp(found->word, "ADD") == 0;
    const char *words[WORDS_MAX] = {"CAIRN.MEMBER", as_learner ? "LEARNER" : found->word,
                                    argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, NULL};
    return carry_out("member", node, words);
}

int cmd_leader(int argc, char **argv) {
    const char *node = NULL;
    uint64_t id;
    const struct flag flags[] = {{"node", FLAG_TEXT, &node}};
    if (!flags_parse(&argc, argv, flags, 1))
        return EXIT_MISUSE;
    if (argc < 2 || argc > 3 || strcmp(argv[1], "transfer") != 0)
        return misuse("leader", "transfer [ID]");
    if (argc == 3 && !parse_number(argv[2], &id))
        return misuse("leader", "a member's id is a number, not '%s'", argv[2]);
    return carry_out(
        "leader", node,
        (const char *const[]){"CAIRN.LEADER", "TRANSFER", argc == 3 ? argv[2] : NULL, NULL});
}
