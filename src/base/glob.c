#include "base/glob.h"

#include "base/alloc.h"

#include <ctype.h>
#include <string.h>

#define WORD_BITS 64u
/* A search that took so many steps for each byte, and so many besides, is hard. */
#define EASY_STEPS_PER_BYTE 4u
#define EASY_STEPS 1024u
/* Longer ones are none of a client's, and would need megabytes. */
#define WORDS_MAX 1024u

struct matching {
    struct bytes pattern, text;
    bool nocase;
    uint64_t steps;
};

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
static bool element_match(struct matching *matching, size_t *at, uint8_t byte) {
    struct bytes pattern = matching->pattern;
    uint8_t element = pattern.data[*at];
    size_t from = *at;
    bool found;
    if (element == '[') {
        found = class_match(pattern, at, byte, matching->nocase);
        matching->steps += *at - from;
        return found;
    }
    matching->steps++;
    if (element == '\\' && *at + 1 < pattern.len)
        element = pattern.data[++*at];
    else if (element == '?')
        byte = element;
    ++*at;
    return fold(element, matching->nocase) == fold(byte, matching->nocase);
}

/* What is between two stars, or behind the last. */
struct segment {
    size_t from, end; /* in the pattern */
    size_t elements;  /* and so many bytes of text */
    bool literal;     /* they are its bytes */
};

static struct segment next_segment(struct matching *matching, size_t from) {
    struct bytes pattern = matching->pattern;
    struct segment segment = {.from = from, .end = from, .literal = !matching->nocase};
    while (segment.end < pattern.len && pattern.data[segment.end] != '*') {
        uint8_t byte = pattern.data[segment.end];
        segment.literal &= byte != '?' && byte != '[' && byte != '\\';
        element_match(matching, &segment.end, 0);
        segment.elements++;
    }
    return segment;
}

static bool matches_at(struct matching *matching, const struct segment *segment, size_t at) {
    size_t p = segment->from;
    while (p < segment->end)
        if (!element_match(matching, &p, matching->text.data[at++]))
            return false;
    return true;
}

/* ---- looking for a segment from a place on; where it is, SIZE_MAX: nowhere ---- */

static size_t find_literal(struct matching *matching, const struct segment *segment, size_t from) {
    struct bytes text = matching->text;
    const uint8_t *found = memmem(text.data + from, text.len - from,
                                  matching->pattern.data + segment->from, segment->elements);
    size_t at = found == NULL ? SIZE_MAX : (size_t)(found - text.data);
    matching->steps += (found == NULL ? text.len : at) - from + segment->elements;
    return at;
}

/* masks: for each byte a bit for every element that it fits. */
static void fill_masks(struct matching *matching, const struct segment *segment, uint64_t *masks,
                       size_t words) {
    size_t p = segment->from;
    for (size_t n = 0; n < segment->elements; n++) {
        size_t next = p;
        for (unsigned byte = 0; byte < 256; byte++) {
            next = p;
            if (element_match(matching, &next, (uint8_t)byte))
                masks[byte * words + n / WORD_BITS] |= 1ull << n % WORD_BITS;
        }
        p = next;
    }
}

/* state: the elements up to which the text that was read last fits. */
static size_t find_by_bits(struct matching *matching, const struct segment *segment, size_t from) {
    size_t words = (segment->elements + WORD_BITS - 1) / WORD_BITS;
    uint64_t *masks = cairn_alloc_zero(257 * words * sizeof *masks), *state = masks + 256 * words;
    uint64_t last = 1ull << (segment->elements - 1) % WORD_BITS;
    size_t found = SIZE_MAX;
    fill_masks(matching, segment, masks, words);
    for (size_t t = from; t < matching->text.len && found == SIZE_MAX; t++) {
        const uint64_t *mask = masks + matching->text.data[t] * words;
        uint64_t carry = 1;
        for (size_t w = 0; w < words; w++) {
            uint64_t next = state[w] >> (WORD_BITS - 1);
            state[w] = (state[w] << 1 | carry) & mask[w];
            carry = next;
        }
        matching->steps += words;
        if (state[words - 1] & last)
            found = t + 1 - segment->elements;
    }
    cairn_free(masks);
    return found;
}

static size_t find(struct matching *matching, const struct segment *segment, size_t from) {
    uint64_t easy = EASY_STEPS + EASY_STEPS_PER_BYTE * (uint64_t)(matching->text.len - from);
    uint64_t began = matching->steps;
    if (segment->elements > matching->text.len - from)
        return SIZE_MAX;
    if (segment->literal)
        return find_literal(matching, segment, from);
    for (size_t at = from; at + segment->elements <= matching->text.len; at++) {
        if (matches_at(matching, segment, at))
            return at;
        if (matching->steps - began > easy && segment->elements <= WORDS_MAX * WORD_BITS)
            return find_by_bits(matching, segment, at + 1);
    }
    return SIZE_MAX;
}

static bool match(struct matching *matching) {
    struct bytes pattern = matching->pattern, text = matching->text;
    struct segment segment = next_segment(matching, 0);
    size_t t = segment.elements;
    if (t > text.len || !matches_at(matching, &segment, 0))
        return false;
    if (segment.end == pattern.len)
        return t == text.len;
    while (segment.end < pattern.len) {
        segment = next_segment(matching, segment.end + 1); /* behind a star */
        if (segment.end == pattern.len)
            break;
        size_t at = find(matching, &segment, t);
        if (at == SIZE_MAX)
            return false;
        t = at + segment.elements;
    }
    /* The last star takes all but what the end stands for. */
    return segment.elements <= text.len - t &&
           matches_at(matching, &segment, text.len - segment.elements);
}

bool glob_match_counted(struct bytes pattern, struct bytes text, bool nocase, uint64_t *steps) {
    struct matching matching = {.pattern = pattern, .text = text, .nocase = nocase};
    bool matched = match(&matching);
    *steps += matching.steps;
    return matched;
}

bool glob_match(struct bytes pattern, struct bytes text, bool nocase) {
    uint64_t steps = 0;
    return glob_match_counted(pattern, text, nocase, &steps);
}

uint64_t glob_cost_max(size_t pattern_len, size_t text_len) {
    return pattern_len + (uint64_t)text_len * (1 + pattern_len / WORD_BITS);
}
