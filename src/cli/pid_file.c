#include "cli/pid_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 600

static void path_of(char out[PATH_SIZE], const char *folder) {
    snprintf(out, PATH_SIZE, "%s/pid", folder);
}

void pid_file_write(const char *folder) {
    char path[PATH_SIZE];
    path_of(path, folder);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return;
    bool written = fprintf(file, "%d\n", (int)getpid()) > 0;
    if (fclose(file) != 0 || !written)
        unlink(path);
}

void pid_file_remove(const char *folder) {
    char path[PATH_SIZE];
    path_of(path, folder);
    unlink(path);
}
