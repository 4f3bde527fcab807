/* The processes of nodes: start, end, start again. */
#include "torture/torture_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that ends by itself is started again after this, as an init system does. */
#define AGAIN_NS 1000000000ull
#define STOP_PATIENCE_MS 3000

static bool open_control(struct run_node *node) {
    snprintf(node->control_path, sizeof node->control_path, "%s.control", node->dir);
    int fd = open(node->control_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    if (ftruncate(fd, sizeof *node->control) == 0)
        node->control =
            mmap(NULL, sizeof *node->control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (node->control == MAP_FAILED)
        node->control = NULL;
    if (node->control == NULL)
        return false;
    node->control->journal = node->run->journal;
    return true;
}

static void journal_path(const struct run_node *node, char *out, size_t size) {
    snprintf(out, size, "%s.journal", node->dir);
}

bool node_start(struct run_node *node) {
    struct run *run = node->run;
    struct args args = {0};
    char preload[700], control[700], folder[700], journal[700], path[620];
    const char *environment[5] = {NULL};
    if (run->layer[0] && (node->control != NULL || open_control(node))) {
        journal_path(node, path, sizeof path);
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", run->layer);
        snprintf(control, sizeof control, LAYER_CONTROL_ENV "=%s", node->control_path);
        snprintf(folder, sizeof folder, LAYER_FOLDER_ENV "=%s", node->dir);
        snprintf(journal, sizeof journal, LAYER_JOURNAL_ENV "=%s", path);
        environment[0] = preload;
        environment[1] = control;
        environment[2] = folder;
        environment[3] = journal;
    }
    run->target->command(run, node, &args);
    node->pid = process_start(&args, environment, node->log);
    buf_free(&args.text);
    if (node->pid <= 0) {
        node->pid = 0;
        return false;
    }
    if (run->board != NULL)
        run->board->pids[node->number] = node->pid;
    node->starts++;
    node->state = (struct node_state){0};
    return true;
}

void node_signal(struct run_node *node, int number) {
    if (node->pid > 0)
        kill(node->pid, number);
}

static void take_end(struct run_node *node, int status) {
    struct run *run = node->run;
    bool expected = node->asked || node->down > 0 || run->phase == PHASE_END;
    char path[620];
    node->pid = 0;
    node->asked = false;
    node->state = (struct node_state){0};
    if (run->board != NULL)
        run->board->pids[node->number] = 0;
    if (!expected) {
        node->start_at_ns = env_now(run->env) + AGAIN_NS;
        if (WIFSIGNALED(status))
            run_say(run, "node %u was ended by signal %d (%s), see %s", node->number,
                    WTERMSIG(status), strsignal(WTERMSIG(status)), node->log);
        else
            run_say(run, "node %u ended by itself with exit code %d, see %s", node->number,
                    WEXITSTATUS(status), node->log);
    }
    journal_path(node, path, sizeof path);
    if (node->lose_unsynced) {
        int64_t undone = layer_undo(path);
        if (undone >= 0)
            run_say(run, "node %u lost %lld unsynced writes", node->number, (long long)undone);
    }
    node->lose_unsynced = false;
    unlink(path); /* of a process that is no more; what it wrote has reached the files */
}

void nodes_look(struct run *run) {
    for (unsigned i = 1; i <= run->nodes; i++) {
        struct run_node *node = &run->node[i];
        int status;
        if (node->pid > 0 && process_ended(node->pid, &status))
            take_end(node, status);
        if (node->pid == 0 && node->down == 0 && run->options->addresses == NULL &&
            run->phase != PHASE_END && env_now(run->env) >= node->start_at_ns && !node_start(node))
            run_fail(run, "can't start node %u: %s", i, strerror(errno));
    }
}

static bool any_runs(const struct run *run) {
    for (unsigned i = 1; i <= run->nodes; i++)
        if (run->node[i].pid > 0)
            return true;
    return false;
}

void nodes_end(struct run *run) {
    for (unsigned i = 1; i <= run->nodes; i++) {
        node_signal(&run->node[i], SIGCONT);
        node_signal(&run->node[i], SIGTERM);
    }
    for (int waited_ms = 0; any_runs(run); waited_ms += 20) {
        usleep(20000);
        for (unsigned i = 1; i <= run->nodes; i++) {
            int status;
            if (run->node[i].pid > 0 && waited_ms >= STOP_PATIENCE_MS)
                node_signal(&run->node[i], SIGKILL);
            if (run->node[i].pid > 0 && process_ended(run->node[i].pid, &status))
                take_end(&run->node[i], status);
        }
    }
    for (unsigned i = 1; i <= run->nodes; i++) {
        if (run->node[i].control == NULL)
            continue;
        munmap(run->node[i].control, sizeof *run->node[i].control);
        unlink(run->node[i].control_path);
    }
}
