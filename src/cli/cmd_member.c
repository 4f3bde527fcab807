/* cairn member, cairn leader: what operators ask of the cluster, by any node. */
#include "cli/cli.h"
#include "wire/resp.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 60000

/* Sends it and tells the answer. */
static int carry_out(const char *subcommand, const char *address, const char *const *words) {
    struct call_reply reply;
    call_command(address, PATIENCE_MS, words, &reply);
    if (reply.status != CAIRN_OK) {
        fprintf(stderr, "cairn %s: no answer from %s: %s\n", subcommand, call_address(address),
                cairn_status_text(reply.status));
        return EXIT_NO;
    }
    bool refused = reply.value.len > 0 && reply.value.data[0] == '-';
    call_print(buf_view(&reply.value));
    buf_free(&reply.value);
    return refused ? EXIT_NO : EXIT_FINE;
}

int cmd_member(int argc, char **argv) {
    const char *node = NULL;
    bool learner = false;
    uint64_t id;
    const struct flag flags[] = {{"node", FLAG_TEXT, &node}, {"learner", FLAG_SWITCH, &learner}};
    if (!flags_parse(&argc, argv, flags, 2))
        return EXIT_MISUSE;
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "list") == 0 && argc == 2)
        return carry_out("member", node, (const char *const[]){"CAIRN.MEMBER", "LIST", NULL});
    if (argc > 2 && !parse_number(argv[2], &id))
        return misuse("member", "a member's id is a number, not '%s'", argv[2]);
    if (strcmp(what, "add") == 0 && argc == 4)
        return carry_out("member", node,
                         (const char *const[]){"CAIRN.MEMBER", learner ? "LEARNER" : "ADD", argv[2],
                                               argv[3], NULL});
    if (strcmp(what, "promote") == 0 && argc == 3)
        return carry_out("member", node,
                         (const char *const[]){"CAIRN.MEMBER", "PROMOTE", argv[2], NULL});
    if (strcmp(what, "remove") == 0 && argc == 3)
        return carry_out("member", node,
                         (const char *const[]){"CAIRN.MEMBER", "REMOVE", argv[2], NULL});
    return misuse("member", "list, add ID HOST:PORT, promote ID or remove ID");
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
