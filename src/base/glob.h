/* Glob patterns as Redis understands them: * ? [a-c] [^abc] and \ before a literal. A leaf on
 * bytes.
 */
#ifndef CAIRN_BASE_GLOB_H
#define CAIRN_BASE_GLOB_H

#include "base/bytes.h"

/* Takes at most pattern.len * text.len steps, whatever the pattern. */
bool glob_match(struct bytes pattern, struct bytes text, bool nocase);

#endif
