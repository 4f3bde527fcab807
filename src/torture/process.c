#include "torture/torture_internal.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ENVIRONMENT_MAX 256

void args_add(struct args *args, const char *word) {
    cairn_assert(args->count + 1 < sizeof args->words / sizeof *args->words);
    args->words[args->count++] = word;
}

/* Made words lie behind each other in text; a chunk is reserved at first, so that they stay. */
void args_addf(struct args *args, const char *format, ...) {
    va_list list;
    if (args->text.cap == 0)
        buf_reserve(&args->text, 16384);
    char *at = (char *)args->text.data + args->text.len;
    size_t room = args->text.cap - args->text.len;
    va_start(list, format);
    int len = vsnprintf(at, room, format, list);
    va_end(list);
    cairn_assert(len >= 0 && (size_t)len < room);
    args->text.len += (size_t)len + 1;
    args_add(args, at);
}

static void become(const struct args *args, const char **environment, int log, pid_t parent) {
    int null = open("/dev/null", O_RDONLY);
    setpgid(0, 0); /* Ctrl-C reaches the tormentor alone, which then stops all in order */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    environ = (char **)(uintptr_t)environment;
    execvp(args->words[0], (char *const *)(uintptr_t)args->words);
    dprintf(STDERR_FILENO, "%s can't be run: %s\n", args->words[0], strerror(errno));
    _exit(127);
}

pid_t process_start(const struct args *args, const char *const *env_words, const char *log) {
    const char *environment[ENVIRONMENT_MAX + 1];
    unsigned count = 0;
    for (; env_words != NULL && env_words[count] != NULL; count++)
        environment[count] = env_words[count];
    for (char **at = environ; *at != NULL && count < ENVIRONMENT_MAX; at++)
        environment[count++] = *at;
    environment[count] = NULL;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(args, environment, fd, parent);
    close(fd);
    return pid;
}

bool process_ended(pid_t pid, int *status) {
    return waitpid(pid, status, WNOHANG) == pid;
}

bool program_exists(const char *program) {
    if (strchr(program, '/') != NULL)
        return access(program, X_OK) == 0;
    const char *path = getenv("PATH");
    char file[600];
    while (path != NULL && *path) {
        size_t len = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)len, path, program);
        if (access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

bool port_is_free(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return is_free;
}
