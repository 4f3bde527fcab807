#include "base/ini.h"

#include <ctype.h>
#include <string.h>

static struct bytes trimmed(struct bytes text) {
    while (text.len > 0 && isspace(text.data[0]))
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len > 0 && isspace(text.data[text.len - 1]))
        text.len--;
    return text;
}

static const char *terminated(struct buf *buf, struct bytes text) {
    buf_clear(buf);
    buf_bytes(buf, text);
    buf_u8(buf, 0);
    return (const char *)buf->data;
}

struct parsing {
    struct buf section, key, value;
    ini_pair *pair;
    void *context;
};

static bool take_line(struct parsing *parsing, struct bytes line) {
    line = trimmed(line);
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
        return true;
    if (memchr(line.data, 0, line.len) != NULL)
        return false;
    if (line.data[0] == '[') {
        if (line.data[line.len - 1] != ']')
            return false;
        terminated(&parsing->section, trimmed(bytes_of(line.data + 1, line.len - 2)));
        return true;
    }
    const uint8_t *equals = memchr(line.data, '=', line.len);
    if (equals == NULL || equals == line.data || parsing->section.len == 0)
        return false;
    size_t key_len = (size_t)(equals - line.data);
    const char *key = terminated(&parsing->key, trimmed(bytes_of(line.data, key_len)));
    const char *value =
        terminated(&parsing->value, trimmed(bytes_of(equals + 1, line.len - key_len - 1)));
    return parsing->pair(parsing->context, (const char *)parsing->section.data, key, value);
}

int ini_text(struct bytes text, ini_pair *pair, void *context) {
    struct parsing parsing = {.pair = pair, .context = context};
    int number = 0;
    bool ok = true;
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) /* as some editors write */
        text = bytes_of(text.data + 3, text.len - 3);
    while (ok && text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        number++;
        ok = take_line(&parsing, bytes_of(text.data, len));
        text = bytes_of(text.data + len + (end != NULL), text.len - len - (end != NULL));
    }
    buf_free(&parsing.section);
    buf_free(&parsing.key);
    buf_free(&parsing.value);
    return ok ? 0 : number;
}
