#include "base/glob.h"

#include <ctype.h>

static uint8_t fold(uint8_t byte, bool nocase) {
    return nocase ? (uint8_t)tolower(byte) : byte;
}

/* Matches a byte against the class that starts at pattern[at] == '['; moves *at behind the class.
 * A class that is never closed ends with the pattern. */
static bool class_match(struct bytes pattern, size_t *at, uint8_t byte, bool nocase) {
    size_t i = *at + 1;
    bool negated = i < pattern.len && pattern.data[i] == '^';
    bool found = false;
    i += negated;
    byte = fold(byte, nocase);
    for (; i < pattern.len && pattern.data[i] != ']'; i++) {
        if (pattern.data[i] == '\\' && i + 1 < pattern.len)
            i++;
        else if (i + 2 < pattern.len && pattern.data[i + 1] == '-') {
            uint8_t low = fold(pattern.data[i], nocase), high = fold(pattern.data[i + 2], nocase);
            found |= low <= high ? byte >= low && byte <= high : byte >= high && byte <= low;
            i += 2;
            continue;
        }
        found |= fold(pattern.data[i], nocase) == byte;
    }
    *at = i < pattern.len ? i + 1 : i;
    return found != negated;
}

/* Matches one byte against the pattern's next element and moves behind that. */
static bool element_match(struct bytes pattern, size_t *at, uint8_t byte, bool nocase) {
    uint8_t element = pattern.data[*at];
    if (element == '[')
        return class_match(pattern, at, byte, nocase);
    if (element == '\\' && *at + 1 < pattern.len)
        element = pattern.data[++*at];
    else if (element == '?')
        byte = element;
    ++*at;
    return fold(element, nocase) == fold(byte, nocase);
}

bool glob_match(struct bytes pattern, struct bytes text, bool nocase) {
    size_t p = 0, t = 0;
    size_t retry_p = SIZE_MAX, retry_t = 0; /* behind the last star, and where it stops eating */
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            retry_p = ++p;
            retry_t = t;
        } else if (p < pattern.len && element_match(pattern, &p, text.data[t], nocase)) {
            t++;
        } else if (retry_p != SIZE_MAX) {
            /* Only the last star needs to give: what an earlier one matched stays as short. */
            p = retry_p;
            t = ++retry_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}
