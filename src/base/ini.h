/* INI text: [sections] with key = value lines. Lines that begin with # or ; are comments; nothing
 * behind a value is, so that a value may hold any character. Lines may be of any length.
 */
#ifndef CAIRN_BASE_INI_H
#define CAIRN_BASE_INI_H

#include "base/bytes.h"

#include <stdbool.h>

/* section, key and value end with a zero and are borrowed for the call. False ends the parsing. */
typedef bool ini_pair(void *context, const char *section, const char *key, const char *value);

/* 0, or the number of the line that is malformed or that the visitor refused. Key and value are
 * without blanks around them. A zero byte is malformed. */
int ini_text(struct bytes text, ini_pair *pair, void *context);

#endif
