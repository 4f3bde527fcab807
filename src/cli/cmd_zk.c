/* cairn zk: ZooKeeper's protocol from the command line, one command or a shell. */
#include "cli/zkcli.h"

#include "base/alloc.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SERVER "127.0.0.1:2181"
#define DEFAULT_TIMEOUT_MS 10000
#define WORDS_MAX 60
#define TURN_MS 1000

static volatile sig_atomic_t stop_asked;

static void on_signal(int number) {
    stop_asked = number;
}

/* ---- one command ---- */

static const struct zkcli_command *find(const char *name) {
    const struct zkcli_command *command;
    for (size_t i = 0; (command = zkcli_command_at(i)) != NULL; i++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

/* Whether the word is one of the command's flags. */
static bool is_flag(const struct zkcli_command *command, const char *word, bool *valued) {
    const char *found = word[0] == '-' && word[1] != 0 && word[1] != ':' && word[2] == 0
                            ? strchr(command->letters, word[1])
                            : NULL;
    *valued = found != NULL && found[1] == ':';
    return found != NULL;
}

/* False: misuse was told. After "--" nothing is a flag, so that any data can be given. */
static bool take_words(const struct zkcli_command *command, int argc, char **argv,
                       struct zkcli_words *words) {
    bool flags = true, valued;
    for (int i = 1; i < argc; i++) {
        uint64_t *value = argv[i][0] && argv[i][1] == 't' ? &words->ttl_ms : &words->version;
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = false;
        } else if (flags && is_flag(command, argv[i], &valued)) {
            words->given[(unsigned char)argv[i][1]] = true;
            if (valued && (i + 1 >= argc || !parse_number(argv[i + 1], value) ||
                           (value == &words->version && *value > INT32_MAX))) {
                misuse("zk", "%s: %s wants a number", command->name, argv[i]);
                return false;
            }
            i += valued;
        } else if (flags && argv[i][0] == '-' && words->count == 0) {
            misuse("zk", "%s has no flag '%s'", command->name, argv[i]);
            return false;
        } else if (words->count < ZKCLI_OPERANDS_MAX) {
            words->operands[words->count++] = argv[i];
        }
    }
    if (words->count < command->operands_min || words->count > command->operands_max) {
        misuse("zk", "usage: %s", command->usage);
        return false;
    }
    if (command->takes_path && words->count > 0 && words->operands[0][0] != '/') {
        misuse("zk", "a path begins with /, not as '%s'", words->operands[0]);
        return false;
    }
    return true;
}

static int execute(struct zkcli *zk, int argc, char **argv, const char *dir) {
    const struct zkcli_command *command = find(argv[0]);
    struct zkcli_words words = {.dir = dir};
    if (command == NULL)
        return misuse("zk", "there is no command '%s'", argv[0]);
    if (!take_words(command, argc, argv, &words))
        return EXIT_MISUSE;
    int code = command->run(zk, &words);
    fflush(stdout);
    return code;
}

/* ---- the shell ---- */

/* readline's callbacks take no context: the one shell of this process is found here. */
static struct zkcli *the_shell;

/* Called while a line is typed: keeps the session, and shows what watches tell. */
static int while_typing(void) {
    the_shell->typing = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    zkcli_wait(&the_shell->session, STDIN_FILENO, TURN_MS);
    the_shell->typing = false;
    return 0;
}

/* What is told while a line is typed stands above it. */
static void make_room(const struct zkcli *zk) {
    if (zk->typing) {
        printf("\r\033[K");
        fflush(stdout);
    }
}

static void show_again(const struct zkcli *zk) {
    if (zk->typing) {
        rl_on_new_line();
        rl_forced_update_display();
    }
}

static void print_event(void *context, int32_t type, struct bytes path, int64_t zxid) {
    make_room(context);
    zkcli_print_event(context, type, path, zxid);
    show_again(context);
}

static void print_told(void *context, const char *sentence) {
    make_room(context);
    fprintf(stderr, "%s\n", sentence);
    show_again(context);
}

static char *complete_command(const char *start, int state) {
    static size_t next; /* readline's own protocol: state 0 begins anew */
    const struct zkcli_command *command;
    if (state == 0)
        next = 0;
    while ((command = zkcli_command_at(next++)) != NULL)
        if (strncmp(command->name, start, strlen(start)) == 0)
            return strdup(command->name);
    return NULL;
}

/* The children of what stands before the last slash, as a list of paths. */
static struct zkcli_paths children_of(const char *start) {
    struct zkcli_session *session = &the_shell->session;
    struct zkcli_paths paths = {0};
    struct jute_answer answer;
    const char *slash = strrchr(start, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - start);
    if (slash == NULL)
        return paths;
    size_t request = zkcli_begin(session, JUTE_CHILDREN);
    jute_put_block(&session->out, len == 0 ? BYTES("/") : bytes_of(start, len));
    jute_put_bool(&session->out, false);
    if (zkcli_call(session, request, true, &answer) != ZKCLI_FINE || answer.error != JUTE_OK)
        return paths;
    struct reader reader = reader_of(answer.body);
    uint32_t count = jute_take_count(&reader, 4);
    paths.items = cairn_alloc((count + 1) * sizeof *paths.items);
    for (uint32_t i = 0; i < count && !reader.bad; i++) {
        struct bytes name = jute_take_block(&reader);
        char *path = cairn_alloc(len + name.len + 2);
        snprintf(path, len + name.len + 2, "%.*s/%.*s", (int)len, start, (int)name.len,
                 (const char *)name.data);
        paths.items[paths.count++] = path;
    }
    zkcli_paths_sort(&paths);
    return paths;
}

static char *complete_path(const char *start, int state) {
    static struct zkcli_paths paths; /* readline's own protocol, as above */
    static size_t next;
    if (state == 0) {
        zkcli_paths_free(&paths);
        paths = children_of(start);
        next = 0;
    }
    while (next < paths.count) {
        const char *path = paths.items[next++];
        if (strncmp(path, start, strlen(start)) == 0)
            return strdup(path);
    }
    zkcli_paths_free(&paths);
    return NULL;
}

static char **complete(const char *text, int start, int end) {
    rl_attempted_completion_over = 1; /* never names of files */
    rl_completion_append_character = start == 0 ? ' ' : 0;
    return rl_completion_matches(text, start == 0 ? complete_command : complete_path);
}

static void print_help(void) {
    const struct zkcli_command *command;
    for (size_t i = 0; (command = zkcli_command_at(i)) != NULL; i++)
        printf("%-48s %s\n", command->usage, command->summary);
    printf("%-48s %s\n", "quit", "ends");
}

/* --dir among the words belongs to history. */
static int take_dir(char **words, int count, const char **dir) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--dir") == 0 && i + 1 < count)
            *dir = words[++i];
        else
            words[kept++] = words[i];
    }
    return kept;
}

static bool one_line(struct zkcli *zk, char *line) {
    char *words[WORDS_MAX + 1];
    const char *dir = NULL;
    int count = take_dir(words, words_split(line, words, WORDS_MAX), &dir);
    if (count == 0)
        return true;
    if (strcmp(words[0], "quit") == 0 || strcmp(words[0], "exit") == 0)
        return false;
    if (strcmp(words[0], "help") == 0)
        print_help();
    else
        execute(zk, count, words, dir);
    fflush(stdout);
    return true;
}

static int interactive(struct zkcli *zk) {
    bool terminal = isatty(STDIN_FILENO), more = true;
    char prompt[320], *line;
    zk->interactive = true;
    if (!zkcli_session_open(&zk->session))
        return zkcli_ended(zk, ZKCLI_NOBODY, false);
    the_shell = zk;
    rl_attempted_completion_function = complete;
    rl_event_hook = while_typing;
    if (terminal)
        printf("Session 0x%llx. TAB completes, help lists commands, quit ends.\n",
               (unsigned long long)zk->session.jute.id);
    do {
        snprintf(prompt, sizeof prompt, "%s%s", terminal ? zk->session.server : "",
                 terminal ? "> " : "");
        line = readline(prompt);
        if (line != NULL && *line)
            add_history(line);
        more = line != NULL && one_line(zk, line);
        free(line);
    } while (more);
    return EXIT_FINE;
}

/* ---- the command line ---- */

struct zkcli_line {
    const char *server, *dir, *auths[ZKCLI_CREDENTIALS_MAX];
    unsigned auth_count;
    uint64_t timeout_ms;
    bool json;
};

static const char *value_of(const char *word, const char *name, int *i, int argc, char **argv) {
    size_t len = strlen(name);
    if (strncmp(word, name, len) != 0 || (word[len] != 0 && word[len] != '='))
        return NULL;
    if (word[len] == '=')
        return word + len + 1;
    return *i + 1 < argc ? argv[++*i] : "";
}

/* One word that is a flag of all commands: taken. What stands behind "--" is none. */
static bool take_flag(struct zkcli_line *line, int *i, int argc, char **argv, bool *wrong) {
    const char *word = argv[*i], *value;
    if (strcmp(word, "--json") == 0) {
        line->json = true;
    } else if ((value = value_of(word, "--server", i, argc, argv)) != NULL) {
        line->server = value;
    } else if ((value = value_of(word, "--dir", i, argc, argv)) != NULL) {
        line->dir = value;
    } else if ((value = value_of(word, "--timeout-ms", i, argc, argv)) != NULL) {
        *wrong |= !parse_number(value, &line->timeout_ms) || line->timeout_ms == 0 ||
                  line->timeout_ms > 3600000;
    } else if ((value = value_of(word, "--auth", i, argc, argv)) != NULL) {
        *wrong |= line->auth_count == ZKCLI_CREDENTIALS_MAX;
        if (!*wrong)
            line->auths[line->auth_count++] = value;
    } else {
        return false;
    }
    return true;
}

static bool take_line(struct zkcli_line *line, int *argc, char **argv) {
    int kept = 1;
    bool flags = true, wrong = false;
    for (int i = 1; i < *argc; i++) {
        const char *word = argv[i];
        flags &= strcmp(word, "--") != 0;
        if (flags && take_flag(line, &i, *argc, argv, &wrong)) {
            if (wrong) {
                misuse("zk", "%s: its value can't be right", word);
                return false;
            }
        } else if (flags && word[0] == '-' && kept == 1) {
            misuse("zk", "unknown flag '%s'", word);
            return false;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return true;
}

static bool set_up(struct zkcli *zk, const struct zkcli_line *line) {
    zk->json = line->json;
    zk->stop = &stop_asked;
    zk->session.servers = line->server;
    zk->session.timeout_ms = line->timeout_ms;
    zk->session.event = print_event;
    zk->session.told = print_told;
    zk->session.context = zk;
    if (!zkcli_session_check(&zk->session)) {
        misuse("zk", "%s", zk->session.problem);
        return false;
    }
    for (unsigned i = 0; i < line->auth_count; i++)
        if (!zkcli_session_credential(&zk->session, line->auths[i])) {
            misuse("zk", "--auth wants scheme:credential, as digest:user:password");
            return false;
        }
    return true;
}

int cmd_zk(int argc, char **argv) {
    struct zkcli zk = {0};
    struct zkcli_line line = {.server = DEFAULT_SERVER, .timeout_ms = DEFAULT_TIMEOUT_MS};
    struct sigaction action = {.sa_handler = on_signal};
    if (!take_line(&line, &argc, argv) || !set_up(&zk, &line))
        return EXIT_MISUSE;
    if (argc > WORDS_MAX)
        return misuse("zk", "too many words");
    if (argc > 1) { /* the shell's own line editing looks after signals */
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
    int code = argc > 1 ? execute(&zk, argc - 1, argv + 1, line.dir) : interactive(&zk);
    zkcli_session_close(&zk.session);
    return code;
}
