/* cairn shell: commands typed, replies printed; line editing, history, completion and help from
 * the command table. */
#include "base/bytes.h"
#include "cli/cli.h"
#include "front/redis/redis.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define WORDS_MAX 60

static int carry_out(const char *address, char **words) {
    struct call_reply reply;
    call_command(address, PATIENCE_MS, (const char *const *)words, &reply);
    if (reply.status != CAIRN_OK) {
        fprintf(stderr, "no answer from %s: %s\n", call_address(address),
                cairn_status_text(reply.status));
        return EXIT_NO;
    }
    bool refused = reply.value.len > 0 && reply.value.data[0] == '-';
    call_print(buf_view(&reply.value));
    buf_free(&reply.value);
    return refused ? EXIT_NO : EXIT_FINE;
}

/* ---- completion ---- */

static char *complete_command(const char *start, int state) {
    static size_t next; /* readline's own protocol: state 0 begins anew */
    struct redis_command_help help;
    if (state == 0)
        next = 0;
    while (redis_command_help_at(next++, &help))
        if (strncasecmp(help.name, start, strlen(start)) == 0)
            return strdup(help.name);
    return NULL;
}

static char **complete(const char *text, int start, int end) {
    bool help_word = start == 5 && strncasecmp(rl_line_buffer, "help ", 5) == 0;
    return start == 0 || help_word ? rl_completion_matches(text, complete_command) : NULL;
}

static void print_help(const char *name) {
    struct redis_command_help help;
    bool found = false;
    for (size_t i = 0; redis_command_help_at(i, &help); i++)
        if (name == NULL || strcasecmp(help.name, name) == 0) {
            printf("%-14s %-12s %s\n", help.name, help.group, help.summary);
            found = true;
        }
    if (!found)
        printf("There is no command '%s'.\n", name);
}

/* ---- the loop ---- */

static bool one_line(const char *address, char *line) {
    char *words[WORDS_MAX + 1];
    int count = words_split(line, words, WORDS_MAX);
    if (count == 0)
        return true;
    if (strcasecmp(words[0], "quit") == 0 || strcasecmp(words[0], "exit") == 0)
        return false;
    if (strcasecmp(words[0], "help") == 0)
        print_help(words[1]);
    else
        carry_out(address, words);
    return true;
}

static int interactive(const char *address) {
    char prompt[200];
    bool terminal = isatty(STDIN_FILENO);
    prompt[0] = 0;
    if (terminal)
        snprintf(prompt, sizeof prompt, "%s> ", call_address(address));
    rl_attempted_completion_function = complete;
    if (terminal)
        printf("TAB completes, HELP lists commands, QUIT ends.\n");
    char *line;
    bool more = true;
    while (more && (line = readline(prompt)) != NULL) {
        if (*line)
            add_history(line);
        more = one_line(address, line);
        free(line);
    }
    return EXIT_FINE;
}

int cmd_shell(int argc, char **argv) {
    const char *node = NULL;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--node") == 0) { /* later words belong to the command */
        node = argv[2];
        first = 3;
    } else if (argc > 1 && strncmp(argv[1], "--", 2) == 0) {
        return misuse("shell", "unknown flag '%s'", argv[1]);
    }
    if (argc - first > WORDS_MAX)
        return misuse("shell", "too many words");
    return first < argc ? carry_out(node, argv + first) : interactive(node);
}
