#include "machine/tree/tree_internal.h"

#include <string.h>

uint16_t tree_depth(struct bytes path) {
    uint16_t depth = 0;
    for (size_t i = 0; i < path.len; i++)
        depth = (uint16_t)(depth + (path.data[i] == '/'));
    return path.len == 1 ? 0 : depth;
}

struct bytes tree_parent(struct bytes path) {
    const uint8_t *slash = memrchr(path.data, '/', path.len);
    size_t len = slash == NULL ? 0 : (size_t)(slash - path.data);
    return bytes_of(path.data, len > 0 ? len : 1);
}

bool tree_has_prefix(struct bytes path, struct bytes prefix) {
    return path.len >= prefix.len && bytes_equal(bytes_of(path.data, prefix.len), prefix);
}

/* One character of UTF-8 of two or three bytes, the first of which is at `at`; 0 when it is none.
 * Longer ones are surrogates to ZooKeeper, which refuses them. */
static unsigned wide_char(const uint8_t *at, size_t left, size_t *len) {
    *len = at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] >= 0xf0 || left < *len || (at[1] & 0xc0) != 0x80)
        return 0;
    if (*len == 2)
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    unsigned value = (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return (at[2] & 0xc0) == 0x80 && value >= 0x800 ? value : 0;
}

static bool part_valid(const uint8_t *at, size_t len) {
    if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
        return false;
    for (size_t i = 0, step; i < len; i += step) {
        unsigned value = at[i];
        step = 1;
        if (value >= 0x80)
            value = wide_char(at + i, len - i, &step);
        if (value <= 0x1f || (value >= 0x7f && value <= 0x9f) ||
            (value >= 0xd800 && value <= 0xf8ff) || value >= 0xfff0)
            return false;
    }
    return true;
}

bool tree_path_valid(struct bytes path) {
    if (path.len == 0 || path.len > TREE_PATH_MAX || path.data[0] != '/')
        return false;
    const uint8_t *at = path.data + 1, *end = path.data + path.len;
    if (at == end)
        return true;
    for (;;) {
        const uint8_t *slash = memchr(at, '/', (size_t)(end - at));
        const uint8_t *stop = slash == NULL ? end : slash;
        if (!part_valid(at, (size_t)(stop - at)))
            return false;
        if (slash == NULL)
            return true;
        at = slash + 1;
    }
}
