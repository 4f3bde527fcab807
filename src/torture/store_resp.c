/* The Redis protocol: cairn and Redis. Reads before a swap hold WATCH. */
#include "torture/torture_internal.h"

#include "wire/resp.h"

#include <string.h>

static void put_words(struct store_session *session, struct buf *out, const struct bytes *words,
                      size_t count) {
    resp_put_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_put_bulk(out, words[i]);
    session->expected++;
}

static void put_keys(struct store_session *session, struct buf *out, struct bytes command) {
    const struct store_request *request = &session->request;
    struct bytes words[1 + REQUEST_KEYS_MAX] = {command};
    for (uint32_t i = 0; i < request->count; i++)
        words[1 + i] = bytes_cstr(request->keys[i]);
    put_words(session, out, words, 1 + request->count);
}

static void put_sets(struct store_session *session, struct buf *out) {
    const struct store_request *request = &session->request;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct bytes words[] = {BYTES("SET"), bytes_cstr(request->keys[i]),
                                      buf_view(&request->values[i])};
        put_words(session, out, words, 3);
    }
}

static void put_read(struct store_session *session, struct buf *out) {
    const struct bytes unwatch = BYTES("UNWATCH");
    if (session->watching && !session->fresh)
        put_words(session, out, &unwatch, 1);
    session->watching = session->request.guarded;
    if (session->request.guarded)
        put_keys(session, out, BYTES("WATCH"));
    put_keys(session, out, BYTES("MGET"));
}

static void ask(struct store_session *session, struct buf *out) {
    const struct store_request *request = &session->request;
    const struct bytes multi = BYTES("MULTI"), exec = BYTES("EXEC");
    struct bytes words[3] = {{0}, bytes_cstr(request->keys[0]), buf_view(&request->values[0])};
    char number[32];
    session->expected = 0;
    session->refused = STORE_MORE;
    switch (request->kind) {
    case STORE_READ:
        put_read(session, out);
        break;
    case STORE_SWAP:
        put_words(session, out, &multi, 1);
        put_sets(session, out);
        put_words(session, out, &exec, 1);
        session->watching = false;
        break;
    case STORE_APPEND:
        words[0] = BYTES("APPEND");
        put_words(session, out, words, 3);
        break;
    case STORE_ADD:
        snprintf(number, sizeof number, "%lld", (long long)request->number);
        words[0] = BYTES("INCRBY");
        words[2] = bytes_cstr(number);
        put_words(session, out, words, 3);
        break;
    default:
        put_sets(session, out);
        break;
    }
}

/* Errors that say that nothing was done; all others leave it open. */
static enum store_outcome outcome_of(struct bytes error) {
    static const char *const harmless[] = {
        "CLUSTERDOWN",        "TRYAGAIN", "BUSY ",      "MISCONF",   "SHUTDOWN",   "OOM",
        "READONLY",           "LOADING",  "MASTERDOWN", "EXECABORT", "NOREPLICAS", "NOAUTH",
        "ERR unknown command"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        size_t len = strlen(harmless[i]);
        if (error.len >= len && memcmp(error.data, harmless[i], len) == 0)
            return STORE_FAILED;
    }
    return STORE_UNKNOWN;
}

static bool read_texts(struct store_session *session, struct bytes value, size_t count) {
    for (size_t i = 0; i < count && i < REQUEST_KEYS_MAX; i++) {
        struct resp_value element;
        size_t used = 0;
        if (resp_value_read(value, &element, &used) != RESP_COMMAND)
            return false;
        buf_clear(&session->reply.texts[i]);
        session->reply.absent[i] = element.kind != RESP_BULK;
        if (element.kind == RESP_BULK)
            buf_bytes(&session->reply.texts[i], element.text);
        value = bytes_of(value.data + used, value.len - used);
    }
    return true;
}

static enum store_outcome last_reply(struct store_session *session, const struct resp_value *value,
                                     struct bytes elements) {
    enum store_kind kind = session->request.kind;
    if (kind == STORE_SWAP && (value->kind == RESP_NIL || value->kind == RESP_BULK))
        return STORE_NO;
    if (kind == STORE_READ)
        return value->kind == RESP_ARRAY && value->count == session->request.count &&
                       read_texts(session, elements, value->count)
                   ? STORE_OK
                   : STORE_BROKEN;
    return STORE_OK;
}

/* An error before the last reply: MULTI or one of its commands was refused, and EXEC says so. */
static enum store_outcome answer(struct store_session *session, struct bytes bytes, size_t *used,
                                 struct buf *out) {
    while (*used < bytes.len) {
        struct bytes rest = bytes_of(bytes.data + *used, bytes.len - *used);
        struct resp_value value;
        size_t whole = resp_value_length(rest), head = 0;
        if (whole == SIZE_MAX ||
            (whole > 0 && resp_value_read(rest, &value, &head) != RESP_COMMAND))
            return STORE_BROKEN;
        if (whole == 0)
            return STORE_MORE;
        *used += whole;
        session->expected--;
        if (value.kind == RESP_ERROR_REPLY && session->refused == STORE_MORE)
            session->refused = outcome_of(value.text);
        if (session->expected > 0)
            continue;
        enum store_outcome refused = session->refused;
        session->refused = STORE_MORE;
        return refused != STORE_MORE
                   ? refused
                   : last_reply(session, &value, bytes_of(rest.data + head, whole - head));
    }
    return STORE_MORE;
}

const struct store store_resp = {
    .native = 1u << STORE_APPEND | 1u << STORE_ADD, .ask = ask, .answer = answer};
