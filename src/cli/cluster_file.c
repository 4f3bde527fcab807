#include "cli/cluster_file.h"

#include <stdio.h>
#include <string.h>

static void path_in(const char *dir, char *out, size_t size) {
    snprintf(out, size, "%s/cluster", dir);
}

void cluster_file_write(const char *dir, const char *name) {
    char path[600], known[CLUSTER_NAME_SIZE];
    if (cluster_file_read(dir, known) && strcmp(known, name) == 0)
        return;
    path_in(dir, path, sizeof path);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return;
    fprintf(file, "%s\n", name);
    fclose(file);
}

bool cluster_file_read(const char *dir, char name[CLUSTER_NAME_SIZE]) {
    char path[600];
    path_in(dir, path, sizeof path);
    FILE *file = fopen(path, "re");
    name[0] = 0;
    if (file == NULL)
        return false;
    if (fgets(name, CLUSTER_NAME_SIZE, file) != NULL)
        name[strcspn(name, "\n")] = 0;
    fclose(file);
    return name[0] != 0;
}
