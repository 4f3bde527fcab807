#include "runtime/folders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool folders_make(const char *path) {
    char copy[512];
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(copy, path, strlen(path) + 1);
    for (char *at = copy + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            mkdir(copy, 0755);
            *at = '/';
        }
    return mkdir(copy, 0755) == 0 || errno == EEXIST;
}
