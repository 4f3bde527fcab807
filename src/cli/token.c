#include "cli/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void token_path(const char *dir, const char *setting, char *out, size_t size) {
    if (setting[0] != 0)
        snprintf(out, size, "%s", setting);
    else
        snprintf(out, size, "%s/" TOKEN_FILE, dir);
}

void token_text(const uint8_t random[TOKEN_BYTES], char token[TOKEN_SIZE]) {
    for (size_t i = 0; i < TOKEN_BYTES; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
}

static bool failed(char *error, size_t error_size, const char *what, const char *path) {
    snprintf(error, error_size, "can't %s the token file %s: %s", what, path, strerror(errno));
    return false;
}

bool token_read(const char *path, char token[TOKEN_SIZE], char *error, size_t error_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return failed(error, error_size, "read", path);
    ssize_t got = read(fd, token, TOKEN_SIZE - 1);
    int why = errno;
    close(fd);
    errno = why;
    if (got < 0)
        return failed(error, error_size, "read", path);
    token[got] = 0;
    token[strcspn(token, " \t\r\n")] = 0;
    if (token[0] != 0)
        return true;
    snprintf(error, error_size, "the token file %s is empty", path);
    return false;
}

static bool write_whole(const char *path, const uint8_t random[TOKEN_BYTES]) {
    char text[TOKEN_SIZE];
    token_text(random, text);
    strcat(text, "\n");
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return ok;
}

/* Under a name of its own until it is whole. Nodes may share a file: the first one's is kept. */
static bool make(const char *path, const uint8_t random[TOKEN_BYTES]) {
    char beside[TOKEN_PATH_SIZE + 32];
    snprintf(beside, sizeof beside, "%s.new-%ld", path, (long)getpid());
    bool ok = write_whole(beside, random) && (link(beside, path) == 0 || errno == EEXIST);
    int why = errno;
    unlink(beside);
    errno = why;
    return ok;
}

bool token_read_or_make(const char *path, const uint8_t random[TOKEN_BYTES], char token[TOKEN_SIZE],
                        bool *wide, char *error, size_t error_size) {
    struct stat about;
    *wide = false;
    if (stat(path, &about) == 0)
        *wide = (about.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    else if (errno != ENOENT)
        return failed(error, error_size, "read", path);
    else if (!make(path, random))
        return failed(error, error_size, "make", path);
    return token_read(path, token, error, error_size);
}
