/* The file `cluster` in a data folder: its cluster's name, for people; the identity has only a hash
 * of it, which is what counts. */
#ifndef CAIRN_CLI_CLUSTER_FILE_H
#define CAIRN_CLI_CLUSTER_FILE_H

#include <stdbool.h>

#define CLUSTER_NAME_SIZE 128u

/* A folder that can't take it is no reason not to serve: then there is none. */
void cluster_file_write(const char *dir, const char *name);
bool cluster_file_read(const char *dir, char name[CLUSTER_NAME_SIZE]);

#endif
