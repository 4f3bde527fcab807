/* The file with the secret that a cluster's nodes share (node/proof.h). */
#ifndef CAIRN_CLI_SECRET_FILE_H
#define CAIRN_CLI_SECRET_FILE_H

#include "node/proof.h"

/* False: a sentence in error that names the file. It must be a regular file, which others than its
 * owner and group can't read, and the group can't write. */
bool secret_file_read(const char *path, struct peer_secrets *secrets, char *error,
                      size_t error_size);
/* Makes it with a fresh secret for its owner alone, whole or not at all; what is there already
 * stays as it is. False: errno says why. */
bool secret_file_make(const char *path);

#endif
