#include "cli/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 4096u
#define FRESH_BYTES 32u
#define NOT_ALLOWED 0027u

static const char *file_problem(int fd) {
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
        return strerror(errno);
    if (!S_ISREG(info.st_mode))
        return "it is no regular file";
    if ((info.st_mode & NOT_ALLOWED) != 0)
        return "others than its owner may read or change it (chmod 600)";
    return NULL;
}

static const char *read_text(int fd, uint8_t *text, size_t *len) {
    ssize_t got = 1;
    *len = 0;
    while (*len <= FILE_BYTES_MAX && got > 0) {
        got = read(fd, text + *len, FILE_BYTES_MAX + 1 - *len);
        *len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return strerror(errno);
    return *len > FILE_BYTES_MAX ? "it is too large" : NULL;
}

bool secret_file_read(const char *path, struct peer_secrets *secrets, char *error,
                      size_t error_size) {
    uint8_t text[FILE_BYTES_MAX + 1];
    char line[200];
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *problem = file_problem(fd);
    if (problem == NULL)
        problem = read_text(fd, text, &len);
    if (fd >= 0)
        close(fd);
    if (problem == NULL && !peer_secrets_parse(bytes_of(text, len), secrets, line, sizeof line))
        problem = line;
    explicit_bzero(text, sizeof text);
    if (problem != NULL)
        snprintf(error, error_size, "peer.secret_file %s: %s", path, problem);
    return problem == NULL;
}

bool secret_file_make(const char *path) {
    char fresh[600], text[2 * FRESH_BYTES + 2];
    uint8_t random[FRESH_BYTES];
    if (access(path, F_OK) == 0)
        return true;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(text + 2 * i, 3, "%02x", random[i]);
    snprintf(text + 2 * FRESH_BYTES, 2, "\n");
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid()) >= sizeof fresh)
        return false;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    /* Another process that makes one at the same time keeps its own. */
    ok = ok && (link(fresh, path) == 0 || errno == EEXIST);
    int problem = errno;
    unlink(fresh);
    errno = problem;
    return ok;
}
