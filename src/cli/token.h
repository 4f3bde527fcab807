/* The operators' token: the reader of a node's token file may change its cluster's members and
 * leaders. 32 random bytes as 64 hexadecimal digits, in a file that its owner alone can read.
 */
#ifndef CAIRN_CLI_TOKEN_H
#define CAIRN_CLI_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_BYTES 32u
#define TOKEN_SIZE 129u /* with the 0; longer ones are no tokens */
#define TOKEN_FILE "token"
#define TOKEN_PATH_SIZE 512u

/* Where it is, unless a setting says otherwise: `token` in the data folder. */
void token_path(const char *dir, const char *setting, char *out, size_t size);
void token_text(const uint8_t random[TOKEN_BYTES], char token[TOKEN_SIZE]);
/* The first word of the file. False: a sentence in error says what the system said. */
bool token_read(const char *path, char token[TOKEN_SIZE], char *error, size_t error_size);
/* The same; a file that is not there is made of `random`, whole or not at all. wide: others than
 * its owner can read it. */
bool token_read_or_make(const char *path, const uint8_t random[TOKEN_BYTES], char token[TOKEN_SIZE],
                        bool *wide, char *error, size_t error_size);

#endif
