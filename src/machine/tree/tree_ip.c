#include "machine/tree/tree_internal.h"

#include <string.h>

/* Addresses as the ip scheme has them: "10.1.2.3", "fe80::1", and with "/bits" as a range. */

struct address {
    uint8_t bytes[16];
    size_t len; /* 4 or 16 */
};

static bool parse_number(struct bytes text, unsigned max, unsigned *value) {
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 3)
            return false;
        *value = *value * 10 + (text.data[i] - '0');
    }
    return text.len > 0 && *value <= max;
}

static size_t span_to(struct bytes text, char stop) {
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, stop, text.len);
    return at == NULL ? text.len : (size_t)(at - text.data);
}

static bool parse_v4(struct bytes text, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        unsigned value;
        size_t len = i < 3 ? span_to(text, '.') : text.len;
        if (!parse_number(bytes_of(text.data, len), 255, &value) || (i < 3 && len == text.len))
            return false;
        out[i] = (uint8_t)value;
        text = i < 3 ? bytes_of(text.data + len + 1, text.len - len - 1) : text;
    }
    return true;
}

static bool parse_hex(struct bytes text, unsigned *value) {
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i], lower = c | 0x20;
        bool digit = c >= '0' && c <= '9';
        if (!digit && (lower < 'a' || lower > 'f'))
            return false;
        *value = *value << 4 | (unsigned)(digit ? c - '0' : lower - 'a' + 10);
    }
    return text.len > 0 && text.len <= 4;
}

/* Groups up to "::" or the end; the number of bytes written, -1 when malformed. */
static int parse_groups(struct bytes text, uint8_t out[16]) {
    int len = 0;
    while (text.len > 0) {
        size_t span = span_to(text, ':');
        struct bytes group = bytes_of(text.data, span);
        unsigned value;
        if (span == text.len && len <= 12 && parse_v4(group, out + len))
            return len + 4;
        if (len == 16 || !parse_hex(group, &value))
            return -1;
        put_u16_be(out + len, (uint16_t)value);
        len += 2;
        if (span + 1 == text.len)
            return -1;
        text = span == text.len ? bytes_of(text.data, 0)
                                : bytes_of(text.data + span + 1, text.len - span - 1);
    }
    return len;
}

static bool parse_v6(struct bytes text, uint8_t out[16]) {
    const uint8_t *gap = memmem(text.data, text.len, "::", 2);
    if (gap == NULL)
        return parse_groups(text, out) == 16;
    uint8_t tail[16];
    size_t before = (size_t)(gap - text.data);
    int head_len = parse_groups(bytes_of(text.data, before), out);
    int tail_len = parse_groups(bytes_of(gap + 2, text.len - before - 2), tail);
    if (head_len < 0 || tail_len < 0 || head_len + tail_len > 14)
        return false;
    memset(out + head_len, 0, (size_t)(16 - head_len));
    memcpy(out + 16 - tail_len, tail, (size_t)tail_len);
    return true;
}

static bool parse(struct bytes text, struct address *address) {
    if (text.len == 0 || text.len > 45)
        return false;
    address->len = memchr(text.data, ':', text.len) != NULL ? 16 : 4;
    return address->len == 4 ? parse_v4(text, address->bytes) : parse_v6(text, address->bytes);
}

static bool parse_range(struct bytes text, struct address *address, unsigned *bits) {
    size_t span = span_to(text, '/');
    if (!parse(bytes_of(text.data, span), address))
        return false;
    unsigned max = (unsigned)address->len * 8;
    *bits = max;
    return span == text.len ||
           parse_number(bytes_of(text.data + span + 1, text.len - span - 1), max, bits);
}

bool tree_ip_valid(struct bytes expression) {
    struct address address;
    unsigned bits;
    return parse_range(expression, &address, &bits);
}

bool tree_ip_matches(struct bytes text, struct bytes expression) {
    struct address caller, range;
    unsigned bits;
    if (!parse(text, &caller) || !parse_range(expression, &range, &bits) || caller.len != range.len)
        return false;
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(caller.bytes, range.bytes, whole) == 0 &&
           (rest == 0 || ((caller.bytes[whole] ^ range.bytes[whole]) & mask) == 0);
}
