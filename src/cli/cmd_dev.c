/* cairn dev: a local cluster in the foreground. Each node is a process of its own; this one only
 * starts them, prefixes their lines, and tells what happens to them. */
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/dev_folder.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_PATIENCE_MS 10000
/* Nodes that do not serve so long after another one, or after the start, are told of. */
#define LATE_MS 2000
#define NONE_MS 5000

struct child {
    pid_t pid; /* 0: does not run */
    int out;   /* its standard output and error, joined; -1: closed */
    bool ready;
    char line[4096];
    size_t len;
    char config[640];
};

struct dev {
    struct child children[DEV_NODES_MAX + 1]; /* from 1 */
    struct dev_wish wish;
    struct dev_folder folder;
    uint64_t start_ms, first_ms; /* when the first node served; 0: none has */
    uint64_t told;               /* so many nodes were said to serve */
    bool terminal, none_told;
    bool controlled; /* it has a controlling terminal, which may go away */
    char program[4096];
};

static volatile sig_atomic_t stop_asked, hung_up;

static void on_signal(int number) {
    if (number == SIGHUP)
        hung_up = 1;
    else
        stop_asked++;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say(const struct dev *dev, const char *text) {
    printf("%s%s%s\n", dev->terminal ? "\033[1m" : "", text, dev->terminal ? "\033[0m" : "");
    fflush(stdout);
}

/* ---- processes ---- */

/* In the child: becomes the node. */
static void become_node(struct dev *dev, struct child *child, pid_t parent, int out) {
    char *args[] = {dev->program,  "server", "--config",
                    child->config, "--set",  "logging.format=terminal",
                    NULL};
    if (!dev->terminal) /* else a person reads what goes through the pipe */
        args[4] = NULL;
    setpgid(0, 0); /* Ctrl-C reaches the parent alone, which then stops its nodes in order */
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* and no node outlives it, however it ends ... */
    if (getppid() != parent)          /* ... also if it just did */
        _exit(1);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(dev->program, args);
    _exit(127);
}

static bool start(struct dev *dev, uint64_t node) {
    struct child *child = &dev->children[node];
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return false;
    pid_t parent = getpid();
    dev_folder_config(&dev->folder, node, child->config, sizeof child->config);
    child->pid = fork();
    if (child->pid < 0)
        return false;
    if (child->pid == 0)
        become_node(dev, child, parent, pipe_fds[1]);
    close(pipe_fds[1]);
    child->out = pipe_fds[0];
    fcntl(child->out, F_SETFL, O_NONBLOCK);
    child->ready = false;
    return true;
}

/* A node's line, in its colour. A ready line is told as ours. */
static void take_line(struct dev *dev, uint64_t node, const char *line) {
    static const int colours[] = {36, 35, 32, 34, 33, 31, 96, 95, 92};
    struct child *child = &dev->children[node];
    if (strstr(line, "ready node=") != NULL)
        child->ready = true;
    if (dev->terminal)
        printf("\033[%dmnode %llu\033[0m | %s\n", colours[(node - 1) % 9], (unsigned long long)node,
               line);
    else
        printf("node %llu | %s\n", (unsigned long long)node, line);
    if (fflush(stdout) != 0 && errno == EPIPE) /* its reader has gone */
        stop_asked++;
}

static void read_child(struct dev *dev, uint64_t node) {
    struct child *child = &dev->children[node];
    for (;;) {
        ssize_t got =
            read(child->out, child->line + child->len, sizeof child->line - 1 - child->len);
        if (got == 0) {
            close(child->out);
            child->out = -1;
        }
        if (got <= 0)
            return;
        child->len += (size_t)got;
        child->line[child->len] = 0;
        char *at = child->line, *end;
        while ((end = strchr(at, '\n')) != NULL) {
            *end = 0;
            take_line(dev, node, at);
            at = end + 1;
        }
        child->len = strlen(at);
        memmove(child->line, at, child->len + 1);
        if (child->len == sizeof child->line - 1) { /* a giant of a line, in pieces */
            take_line(dev, node, child->line);
            child->len = 0;
        }
    }
}

static void reap(struct dev *dev) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (uint64_t i = 1; i <= dev->wish.nodes; i++) {
            struct child *child = &dev->children[i];
            if (child->pid != pid)
                continue;
            child->pid = 0;
            child->ready = false;
            if (child->out >= 0)
                read_child(dev, i);
            if (stop_asked && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                continue;
            if (WIFSIGNALED(status))
                printf("node %llu was ended by signal %d (%s).", (unsigned long long)i,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
            else
                printf("node %llu ended with exit code %d.", (unsigned long long)i,
                       WEXITSTATUS(status));
            if (!stop_asked)
                printf(" It is not restarted by itself; to start it again:\n    %s server --config "
                       "%s",
                       dev->program, child->config);
            printf("\n");
            fflush(stdout);
        }
}

static int running(const struct dev *dev) {
    int count = 0;
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        count += dev->children[i].pid != 0;
    return count;
}

/* ---- telling ---- */

static uint64_t ready_count(const struct dev *dev) {
    uint64_t ready = 0;
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        ready += dev->children[i].ready;
    return ready;
}

/* By the node's own word. */
static void tell_why(const struct dev *dev, uint64_t node) {
    const struct child *child = &dev->children[node];
    struct ask_node at = {.sure = true};
    char why[300] = "it does not run";
    snprintf(at.address, sizeof at.address, "127.0.0.1:%u", dev_port(&dev->wish, DEV_ADMIN, node));
    json_t *status = child->pid != 0 ? ask_status(&at, why, sizeof why) : NULL;
    const char *health = json_string_value(json_object_get(status, "health"));
    printf("    node %llu: %s\n", (unsigned long long)node, health ? health : why);
    if (health != NULL && strncmp(health, "waiting to be added", 19) == 0)
        printf("        %s member add %llu 127.0.0.1:%u --dir %s\n", dev->program,
               (unsigned long long)node, dev_port(&dev->wish, DEV_PEER, node), dev->folder.dir);
    json_decref(status);
}

static void tell_others(const struct dev *dev) {
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        if (!dev->children[i].ready)
            tell_why(dev, i);
    fflush(stdout);
}

/* What to try, at nodes that serve. */
static void tell_endpoints(const struct dev *dev) {
    const struct dev_wish *wish = &dev->wish;
    uint64_t first = 0, last = 0;
    for (uint64_t i = 1; i <= wish->nodes; i++)
        if (dev->children[i].ready) {
            last = i;
            first = first ? first : i;
        }
    if (dev_listens(wish, "redis.listen"))
        printf("    %s shell --node 127.0.0.1:%u set greeting hello\n"
               "    %s shell --node 127.0.0.1:%u get greeting\n",
               dev->program, dev_port(wish, DEV_REDIS, first), dev->program,
               dev_port(wish, DEV_REDIS, last));
    if (dev_listens(wish, "zookeeper.listen"))
        printf("    %s zk --server 127.0.0.1:%u create /greeting hello\n", dev->program,
               dev_port(wish, DEV_ZOOKEEPER, first));
    printf("    %s status --dir %s\n", dev->program, dev->folder.dir);
}

static void tell_serving(struct dev *dev, uint64_t ready) {
    unsigned long long nodes = dev->wish.nodes;
    if (dev->told == 0) {
        say(dev, "");
        printf("%s%llu node%s, data in %s. Try:%s\n", dev->terminal ? "\033[1m" : "", nodes,
               nodes == 1 ? "" : "s", dev->folder.dir, dev->terminal ? "\033[0m" : "");
        tell_endpoints(dev);
        say(dev, "The cluster serves. Ctrl-C stops it.");
    } else if (ready == nodes) {
        say(dev, "All nodes serve.");
    }
    if (ready < nodes) {
        printf("%llu of %llu nodes serve:\n", (unsigned long long)ready, nodes);
        tell_others(dev);
    }
    dev->told = ready;
}

static void look(struct dev *dev) {
    uint64_t ready = ready_count(dev), now = now_ms();
    bool all = ready == dev->wish.nodes;
    if (ready > 0 && dev->first_ms == 0)
        dev->first_ms = now;
    if (all)
        dev_folder_founded(&dev->folder);
    if (dev->first_ms == 0 && !dev->none_told && now - dev->start_ms > NONE_MS) {
        dev->none_told = true;
        printf("No node serves yet:\n");
        tell_others(dev);
        if (dev->wish.nodes < dev->folder.nodes_had)
            say(dev, "The folder has more nodes: without --nodes all of them are started.");
    }
    bool enough = ready == (uint64_t)running(dev) || now - dev->first_ms > LATE_MS;
    if ((all && dev->told < ready) || (dev->told == 0 && ready > 0 && enough))
        tell_serving(dev, ready);
}

/* Waits for lines and for ends of children; returns when `wait_ms` have passed. */
static void pump(struct dev *dev, int wait_ms) {
    struct pollfd fds[DEV_NODES_MAX];
    uint64_t nodes[DEV_NODES_MAX];
    nfds_t count = 0;
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        if (dev->children[i].out >= 0) {
            nodes[count] = i;
            fds[count++] = (struct pollfd){.fd = dev->children[i].out, .events = POLLIN};
        }
    poll(fds, count, wait_ms);
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].revents)
            read_child(dev, nodes[i]);
    reap(dev);
}

static int stop(struct dev *dev) {
    say(dev, "Stopping.");
    int signals_seen = stop_asked;
    uint64_t deadline = now_ms() + STOP_PATIENCE_MS;
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        if (dev->children[i].pid)
            kill(dev->children[i].pid, SIGTERM);
    while (running(dev) > 0) {
        pump(dev, 50);
        if (now_ms() < deadline && stop_asked < signals_seen + 2)
            continue;
        for (uint64_t i = 1; i <= dev->wish.nodes; i++)
            if (dev->children[i].pid)
                kill(dev->children[i].pid, SIGKILL);
    }
    say(dev, "Stopped. The data stays.");
    return EXIT_FINE;
}

static bool has_controlling_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The terminal was closed; or the signal is for the nodes, which read their files again. */
static void take_hangup(struct dev *dev) {
    hung_up = 0;
    if (dev->controlled && !has_controlling_terminal()) {
        stop_asked++;
        return;
    }
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        if (dev->children[i].pid)
            kill(dev->children[i].pid, SIGHUP);
}

static void handle_signals(struct dev *dev) {
    struct sigaction action = {.sa_handler = on_signal}, hangup;
    signals_ignore_strays();
    dev->controlled = has_controlling_terminal();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, NULL, &hangup);
    if (hangup.sa_handler != SIG_IGN) /* by nohup */
        sigaction(SIGHUP, &action, NULL);
}

static int run(struct dev *dev) {
    for (uint64_t i = 1; i <= dev->wish.nodes; i++)
        if (!start(dev, i)) {
            fprintf(stderr, "cairn dev: can't start node %llu: %s\n", (unsigned long long)i,
                    strerror(errno));
            stop(dev);
            return EXIT_NO;
        }
    while (!stop_asked) {
        pump(dev, 200);
        if (hung_up)
            take_hangup(dev);
        look(dev);
        if (running(dev) == 0 && !stop_asked) {
            fprintf(stderr, "cairn dev: every node has ended\n");
            return EXIT_NO;
        }
    }
    return stop(dev);
}

/* --set may be given often, which flags_parse does not know. */
static int take_sets(struct dev_wish *wish, int argc, char **argv) {
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && wish->set_count < DEV_SETS_MAX)
            wish->sets[wish->set_count++] = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

int cmd_dev(int argc, char **argv) {
    static struct dev dev; /* large; there is one */
    const char *dir = "cairn-data", *nodes = NULL;
    struct dev_wish *wish = &dev.wish;
    int code = EXIT_NO;
    dev = (struct dev){.terminal = isatty(STDOUT_FILENO)};
    for (size_t i = 0; i <= DEV_NODES_MAX; i++)
        dev.children[i].out = -1;
    const struct flag flags[] = {{"dir", FLAG_TEXT, &dir},
                                 {"nodes", FLAG_TEXT, &nodes},
                                 {"port-offset", FLAG_NUMBER, &wish->offset}};
    argc = take_sets(wish, argc, argv);
    if (!flags_parse(&argc, argv, flags, 3))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("dev", "unexpected '%s'", argv[1]);
    if (nodes != NULL &&
        (!parse_number(nodes, &wish->nodes) || wish->nodes == 0 || wish->nodes > DEV_NODES_MAX))
        return misuse("dev", "--nodes is a number from 1 to %u, not '%s'", DEV_NODES_MAX, nodes);
    if (wish->offset > 50000)
        return misuse("dev", "--port-offset is at most 50000");
    if (dir[0] == 0 || strpbrk(dir, "\r\n") != NULL || strlen(dir) > 350)
        return misuse("dev", "--dir wants a folder's name, of 350 characters at most");
    if (!dev_wish_check(wish))
        return EXIT_MISUSE;
    if (readlink("/proc/self/exe", dev.program, sizeof dev.program - 1) <= 0) {
        fprintf(stderr, "cairn dev: can't find its own program: %s\n", strerror(errno));
        return EXIT_NO;
    }
    if (!dev_folder_open(dir, &dev.folder, &code) || !dev_folder_write(&dev.folder, wish, &code))
        return code;
    handle_signals(&dev);
    dev.start_ms = now_ms();
    return run(&dev);
}
