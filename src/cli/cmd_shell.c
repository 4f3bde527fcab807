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

struct server {
    const char *address;
    char password[PASSWORD_SIZE];
};

static int carry_out(const struct server *server, char **words) {
    struct call_reply reply;
    call_command(server->address, server->password, PATIENCE_MS, (const char *const *)words,
                 &reply);
    if (reply.status != CAIRN_OK) {
        fprintf(stderr, "no answer from %s: %s\n", call_address(server->address),
                cairn_status_text(reply.status));
        return EXIT_NO;
    }
    bool refused = reply.value.len > 0 && reply.value.data[0] == '-';
    call_print(buf_view(&reply.value));
    if (reply.value.len > 7 && memcmp(reply.value.data, "-NOAUTH", 7) == 0)
        fprintf(stderr, "--password-file FILE, or CAIRN_PASSWORD, gives the password.\n");
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

static bool one_line(const struct server *server, char *line) {
    char *words[WORDS_MAX + 1];
    int count = words_split(line, words, WORDS_MAX);
    if (count == 0)
        return true;
    if (strcasecmp(words[0], "quit") == 0 || strcasecmp(words[0], "exit") == 0)
        return false;
    if (strcasecmp(words[0], "help") == 0)
        print_help(words[1]);
    else
        carry_out(server, words);
    return true;
}

static int interactive(const struct server *server) {
    char prompt[200];
    bool terminal = isatty(STDIN_FILENO);
    prompt[0] = 0;
    if (terminal)
        snprintf(prompt, sizeof prompt, "%s> ", call_address(server->address));
    rl_attempted_completion_function = complete;
    if (terminal)
        printf("TAB completes, HELP lists commands, QUIT ends.\n");
    char *line;
    bool more = true;
    while (more && (line = readline(prompt)) != NULL) {
        if (*line)
            add_history(line);
        more = one_line(server, line);
        free(line);
    }
    return EXIT_FINE;
}

/* Flags stand before the command, whose words are its own; the first word that is none, or 0:
 * misuse. */
static int take_flags(int argc, char **argv, const char **node, const char **password_file) {
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        bool is_node = strcmp(argv[at], "--node") == 0;
        if (!is_node && strcmp(argv[at], "--password-file") != 0)
            return misuse("shell", "unknown flag '%s'", argv[at]), 0;
        if (at + 1 == argc)
            return misuse("shell", "%s wants a value", argv[at]), 0;
        *(is_node ? node : password_file) = argv[at + 1];
    }
    return at;
}

int cmd_shell(int argc, char **argv) {
    struct server server = {0};
    const char *password_file = NULL;
    int first = take_flags(argc, argv, &server.address, &password_file);
    if (first == 0)
        return EXIT_MISUSE;
    if (server.address != NULL && !address_is_one(server.address))
        return misuse("shell", "--node wants HOST:PORT of a Redis port, not '%s'", server.address);
    if (argc - first > WORDS_MAX)
        return misuse("shell", "too many words");
    int code = password_find("shell", password_file, server.password);
    if (code != EXIT_FINE)
        return code;
    return first < argc ? carry_out(&server, argv + first) : interactive(&server);
}
