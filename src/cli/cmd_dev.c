/* cairn dev: a local cluster in the foreground. Each node is a process of its own; this one only
 * starts them, prefixes their lines, and tells what happens to them. */
#include "cli/cli.h"
#include "cli/secret_file.h"
#include "cli/settings.h"
#include "cli/signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 9
#define SETS_MAX 32
#define STOP_PATIENCE_MS 10000

struct child {
    pid_t pid; /* 0: does not run */
    int out;   /* its standard output and error, joined; -1: closed */
    bool ready, told_ready;
    char line[4096];
    size_t len;
    char config[600];
};

struct dev {
    struct child children[NODES_MAX + 1]; /* from 1 */
    uint64_t nodes, offset;
    const char *dir;
    const char *sets[SETS_MAX];
    int set_count;
    char name[64]; /* of the cluster */
    bool terminal, serving_told;
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

/* ---- files ---- */

/* Like mkdir -p. */
static bool make_folders(const char *path) {
    char copy[512];
    if (strlen(path) >= sizeof copy)
        return false;
    memcpy(copy, path, strlen(path) + 1);
    for (char *at = copy + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            mkdir(copy, 0755);
            *at = '/';
        }
    return mkdir(copy, 0755) == 0 || errno == EEXIST;
}

static void node_dir(const struct dev *dev, uint64_t node, char *out, size_t size) {
    snprintf(out, size, "%s/node-%llu", dev->dir, (unsigned long long)node);
}

static void secret_path(const struct dev *dev, char *out, size_t size) {
    snprintf(out, size, "%s/peer-secret", dev->dir);
}

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* A cluster's name tells its data from another's: made once for a folder, by chance. */
static bool read_or_make_name(struct dev *dev) {
    char path[600];
    snprintf(path, sizeof path, "%s/cluster", dev->dir);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        bool ok = fscanf(file, "%63s", dev->name) == 1;
        fclose(file);
        return ok;
    }
    uint64_t random = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &random, sizeof random) != sizeof random)
        random = (uint64_t)time(NULL);
    if (fd >= 0)
        close(fd);
    snprintf(dev->name, sizeof dev->name, "dev-%016llx", (unsigned long long)random);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    fprintf(file, "%s\n", dev->name);
    return fclose(file) == 0;
}

static bool write_config(struct dev *dev, uint64_t node, bool bootstrap) {
    struct child *child = &dev->children[node];
    char dir[560], secret[600];
    node_dir(dev, node, dir, sizeof dir);
    secret_path(dev, secret, sizeof secret);
    snprintf(child->config, sizeof child->config, "%s.ini", dir);
    FILE *file = fopen(child->config, "w");
    if (file == NULL)
        return false;
    fprintf(file, "[node]\nid = %llu\ndir = %s\n\n[cluster]\nname = %s\nmembers =",
            (unsigned long long)node, dir, dev->name);
    for (uint64_t i = 1; i <= dev->nodes; i++)
        fprintf(file, " %llu=127.0.0.1:%llu", (unsigned long long)i,
                (unsigned long long)(7100 + i + dev->offset));
    fprintf(file,
            "\nbootstrap = %s\n\n[redis]\nlisten = 127.0.0.1:%llu\n\n[peer]\n"
            "listen = 127.0.0.1:%llu\nsecret_file = %s\n\n[admin]\nlisten = "
            "127.0.0.1:%llu\n\n[zookeeper]\n"
            "listen = 127.0.0.1:%llu\n",
            bootstrap ? "yes" : "no", (unsigned long long)(7000 + node + dev->offset),
            (unsigned long long)(7100 + node + dev->offset), secret,
            (unsigned long long)(7200 + node + dev->offset),
            (unsigned long long)(2180 + node + dev->offset));
    return fclose(file) == 0;
}

/* Founders bootstrap only while no node of the folder has any data: a node whose folder vanished
 * later must rejoin as a new member. */
static bool write_configs(struct dev *dev) {
    bool any = false;
    char dir[560], secret[600];
    secret_path(dev, secret, sizeof secret);
    if (!secret_file_make(secret))
        return false;
    for (uint64_t i = 1; i <= NODES_MAX; i++) {
        node_dir(dev, i, dir, sizeof dir);
        any |= exists(dir);
    }
    for (uint64_t i = 1; i <= dev->nodes; i++)
        if (!write_config(dev, i, !any))
            return false;
    return true;
}

/* ---- processes ---- */

static bool start(struct dev *dev, uint64_t node) {
    struct child *child = &dev->children[node];
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return false;
    child->pid = fork();
    if (child->pid < 0)
        return false;
    if (child->pid == 0) {
        char *args[SETS_MAX * 2 + 10];
        int n = 0;
        args[n++] = dev->program;
        args[n++] = "server";
        args[n++] = "--config";
        args[n++] = child->config;
        if (dev->terminal) { /* a person reads what goes through the pipe */
            args[n++] = "--set";
            args[n++] = "logging.format=terminal";
        }
        for (int i = 0; i < dev->set_count; i++) {
            args[n++] = "--set";
            args[n++] = (char *)(uintptr_t)dev->sets[i];
        }
        args[n] = NULL;
        setpgid(0, 0); /* Ctrl-C reaches this process alone, which then stops them in order */
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* and no node outlives it, however it ends */
        dup2(pipe_fds[1], STDOUT_FILENO);
        dup2(pipe_fds[1], STDERR_FILENO);
        execv(dev->program, args);
        _exit(127);
    }
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
    if (strncmp(line, "ready ", 6) == 0)
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
        for (uint64_t i = 1; i <= dev->nodes; i++) {
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
    for (uint64_t i = 1; i <= dev->nodes; i++)
        count += dev->children[i].pid != 0;
    return count;
}

static void tell_serving(struct dev *dev) {
    uint64_t ready = 0;
    for (uint64_t i = 1; i <= dev->nodes; i++)
        ready += dev->children[i].ready;
    if (dev->serving_told || ready < dev->nodes)
        return;
    dev->serving_told = true;
    unsigned long long port = 7001 + dev->offset;
    say(dev, "");
    printf("%s%llu node%s, data in %s. Try:%s\n", dev->terminal ? "\033[1m" : "",
           (unsigned long long)dev->nodes, dev->nodes == 1 ? "" : "s", dev->dir,
           dev->terminal ? "\033[0m" : "");
    printf("    %s shell --node 127.0.0.1:%llu set greeting hello\n"
           "    redis-cli -p %llu get greeting\n"
           "    %s zk --server 127.0.0.1:%llu create /greeting hello\n"
           "    %s status --node 127.0.0.1:%llu\n",
           dev->program, port, dev->nodes > 1 ? port + 1 : port, dev->program,
           (unsigned long long)(2181 + dev->offset), dev->program, port);
    say(dev, "The cluster serves. Ctrl-C stops it.");
}

/* Waits for lines and for ends of children; returns when `wait_ms` have passed. */
static void pump(struct dev *dev, int wait_ms) {
    struct pollfd fds[NODES_MAX];
    uint64_t nodes[NODES_MAX];
    nfds_t count = 0;
    for (uint64_t i = 1; i <= dev->nodes; i++)
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
    for (uint64_t i = 1; i <= dev->nodes; i++)
        if (dev->children[i].pid)
            kill(dev->children[i].pid, SIGTERM);
    while (running(dev) > 0) {
        pump(dev, 50);
        if (now_ms() < deadline && stop_asked < signals_seen + 2)
            continue;
        for (uint64_t i = 1; i <= dev->nodes; i++)
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
    for (uint64_t i = 1; i <= dev->nodes; i++)
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
    for (uint64_t i = 1; i <= dev->nodes; i++)
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
        tell_serving(dev);
        if (running(dev) == 0 && !dev->serving_told) {
            fprintf(stderr, "cairn dev: every node has ended\n");
            return EXIT_NO;
        }
    }
    return stop(dev);
}

/* --set may be given often, which flags_parse does not know. */
static int take_sets(struct dev *dev, int argc, char **argv) {
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && dev->set_count < SETS_MAX)
            dev->sets[dev->set_count++] = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

/* Told here, once, rather than by every node. */
static bool sets_make_sense(const struct dev *dev) {
    static struct settings settings;
    char error[512] = "";
    settings_default(&settings);
    for (int i = 0; i < dev->set_count; i++)
        if (!settings_set_word(&settings, dev->sets[i], error, sizeof error)) {
            misuse("dev", "%s", error);
            return false;
        }
    return true;
}

int cmd_dev(int argc, char **argv) {
    static struct dev dev; /* large; there is one */
    dev = (struct dev){.nodes = 3, .dir = "cairn-data", .terminal = isatty(STDOUT_FILENO)};
    for (int i = 0; i <= NODES_MAX; i++)
        dev.children[i].out = -1;
    const struct flag flags[] = {{"dir", FLAG_TEXT, &dev.dir},
                                 {"nodes", FLAG_NUMBER, &dev.nodes},
                                 {"port-offset", FLAG_NUMBER, &dev.offset}};
    argc = take_sets(&dev, argc, argv);
    if (!flags_parse(&argc, argv, flags, 3))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("dev", "unexpected '%s'", argv[1]);
    if (!sets_make_sense(&dev))
        return EXIT_MISUSE;
    if (dev.nodes == 0 || dev.nodes > NODES_MAX)
        return misuse("dev", "--nodes is from 1 to %d", NODES_MAX);
    if (dev.offset > 50000)
        return misuse("dev", "--port-offset is at most 50000");
    ssize_t len = readlink("/proc/self/exe", dev.program, sizeof dev.program - 1);
    if (len <= 0 || !make_folders(dev.dir) || !read_or_make_name(&dev) || !write_configs(&dev)) {
        fprintf(stderr, "cairn dev: can't write to %s: %s\n", dev.dir, strerror(errno));
        return EXIT_NO;
    }
    handle_signals(&dev);
    return run(&dev);
}
