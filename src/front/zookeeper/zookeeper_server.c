#include "front/zookeeper/zookeeper_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool take_char(struct bytes *text, char c) {
    if (text->len == 0 || text->data[0] != (uint8_t)c)
        return false;
    text->data++;
    text->len--;
    return true;
}

static bool take_word(struct bytes *text, const char *word) {
    size_t len = strlen(word);
    if (text->len < len || memcmp(text->data, word, len) != 0)
        return false;
    text->data += len;
    text->len -= len;
    return true;
}

static bool take_number(struct bytes *text, uint64_t max, uint64_t *number) {
    size_t taken = 0;
    for (*number = 0; taken < text->len; taken++) {
        uint8_t c = text->data[taken];
        if (c < '0' || c > '9' || *number > max)
            break;
        *number = *number * 10 + (uint64_t)(c - '0');
    }
    text->data += taken;
    text->len -= taken;
    return taken > 0 && *number > 0 && *number <= max;
}

/* Up to the colon before a port. */
static bool take_host(struct bytes *text, struct bytes *host) {
    const uint8_t *end = NULL;
    if (text->len > 0 && text->data[0] == '[') {
        end = memchr(text->data, ']', text->len);
        end = end == NULL ? NULL : end + 1;
    } else if (text->len > 0) {
        end = memchr(text->data, ':', text->len);
    }
    if (end == NULL || end == text->data)
        return false;
    *host = bytes_of(text->data, (size_t)(end - text->data));
    text->data += host->len;
    text->len -= host->len;
    bool clean =
        memchr(host->data, ';', host->len) == NULL && memchr(host->data, ' ', host->len) == NULL;
    return clean && take_char(text, ':');
}

static bool put_address(struct bytes host, uint64_t port, char *out) {
    int len = snprintf(out, CONFIG_ADDRESS_MAX, "%.*s:%" PRIu64, (int)host.len,
                       (const char *)host.data, port);
    return len > 0 && len < (int)CONFIG_ADDRESS_MAX;
}

/* What stands behind the semicolon: a port, or host:port. */
static bool take_clients(struct bytes *text, struct zk_server *server) {
    struct bytes host = BYTES("0.0.0.0");
    uint64_t port;
    if (memchr(text->data, ':', text->len) != NULL && !take_host(text, &host))
        return false;
    return take_number(text, 65535, &port) && put_address(host, port, server->clients);
}

/* The election's port and the role, each if it is there. */
static bool take_election_and_role(struct bytes *text, struct zk_server *server) {
    uint64_t election = 0;
    bool digits =
        text->len > 1 && text->data[0] == ':' && text->data[1] >= '0' && text->data[1] <= '9';
    if (digits && (!take_char(text, ':') || !take_number(text, 65535, &election)))
        return false;
    server->election = (uint32_t)election;
    server->voter = true;
    if (take_word(text, ":observer"))
        server->voter = false;
    else
        take_word(text, ":participant");
    return true;
}

bool zk_server_parse(struct bytes text, struct zk_server *server) {
    struct bytes host;
    uint64_t port;
    *server = (struct zk_server){0};
    if (!take_word(&text, "server.") || !take_number(&text, UINT32_MAX, &server->id) ||
        !take_char(&text, '=') || !take_host(&text, &host) || !take_number(&text, 65535, &port) ||
        !put_address(host, port, server->address) || !take_election_and_role(&text, server))
        return false;
    if (take_char(&text, ';') && (text.len == 0 || !take_clients(&text, server)))
        return false;
    return text.len == 0;
}

bool zk_server_id_parse(struct bytes text, uint64_t *id) {
    return take_number(&text, UINT32_MAX, id) && text.len == 0;
}

bool zk_server_part(struct bytes *list, struct bytes *part) {
    while (list->len > 0) {
        size_t len = 0;
        while (len < list->len && list->data[len] != ',' && list->data[len] != '\n')
            len++;
        *part = bytes_of(list->data, len);
        size_t passed = len < list->len ? len + 1 : len;
        list->data += passed;
        list->len -= passed;
        struct bytes rest = *part;
        if (len > 0 && !take_word(&rest, "version="))
            return true;
    }
    return false;
}

void zk_server_word(const struct zk_server *server, char *out, size_t size) {
    snprintf(out, size, "%" PRIu32 "/%s", server->election, server->clients);
}
