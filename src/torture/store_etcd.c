/* etcd by its JSON gateway: a key's mod_revision guards the swap. */
#include "torture/torture_internal.h"

#include "client/http.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_text(struct buf *out, const char *name, struct bytes text) {
    buf_printf(out, "\"%s\":\"", name);
    base64_encode(out, text);
    buf_u8(out, '"');
}

static void put_range(struct store_session *session, struct buf *out, uint32_t i) {
    buf_u8(out, '{');
    put_text(out, "key", bytes_cstr(session->request.keys[i]));
    if (session->run->options->stale)
        buf_printf(out, ",\"serializable\":true");
    buf_u8(out, '}');
}

static void put_put(struct store_session *session, struct buf *out, uint32_t i) {
    buf_u8(out, '{');
    put_text(out, "key", bytes_cstr(session->request.keys[i]));
    buf_u8(out, ',');
    put_text(out, "value", buf_view(&session->request.values[i]));
    buf_u8(out, '}');
}

static void put_compare(struct store_session *session, struct buf *out, uint32_t i) {
    buf_u8(out, '{');
    put_text(out, "key", bytes_cstr(session->request.keys[i]));
    buf_printf(out, ",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"%" PRId64 "\"}",
               session->reply.absent[i] ? 0 : session->reply.versions[i]);
}

static void put_list(struct store_session *session, struct buf *out, const char *name,
                     const char *wrap,
                     void (*put)(struct store_session *, struct buf *, uint32_t)) {
    buf_printf(out, "\"%s\":[", name);
    for (uint32_t i = 0; i < session->request.count; i++) {
        buf_printf(out, i ? "," : "");
        if (*wrap)
            buf_printf(out, "{\"%s\":", wrap);
        put(session, out, i);
        if (*wrap)
            buf_u8(out, '}');
    }
    buf_u8(out, ']');
}

static void ask(struct store_session *session, struct buf *out) {
    struct buf body = {0};
    const char *path = "/v3/kv/txn";
    if (session->request.kind == STORE_SWAP) {
        buf_u8(&body, '{');
        put_list(session, &body, "compare", "", put_compare);
        buf_u8(&body, ',');
        put_list(session, &body, "success", "requestPut", put_put);
        buf_u8(&body, '}');
    } else if (session->request.kind == STORE_WRITE) {
        path = "/v3/kv/put";
        put_put(session, &body, 0);
    } else if (session->request.count == 1) {
        path = "/v3/kv/range";
        put_range(session, &body, 0);
    } else {
        buf_u8(&body, '{');
        put_list(session, &body, "success", "requestRange", put_range);
        buf_u8(&body, '}');
    }
    http_post(out, path, buf_view(&body));
    buf_free(&body);
}

/* One range's answer, which ends where the next begins. */
static bool keep(struct store_session *session, uint32_t i, struct bytes json) {
    size_t at = 0;
    struct bytes text;
    struct store_reply *reply = &session->reply;
    buf_clear(&reply->texts[i]);
    reply->absent[i] = !json_next(json, "mod_revision", &at, &text);
    if (reply->absent[i])
        return true;
    char number[32] = "";
    memcpy(number, text.data, text.len < sizeof number - 1 ? text.len : sizeof number - 1);
    reply->versions[i] = strtoll(number, NULL, 10);
    at = 0;
    return !json_next(json, "value", &at, &text) || base64_decode(&reply->texts[i], text);
}

static enum store_outcome take_read(struct store_session *session, struct bytes json) {
    static const char mark[] = "\"response_range\"";
    if (session->request.count == 1)
        return keep(session, 0, json) ? STORE_OK : STORE_BROKEN;
    for (uint32_t i = 0; i < session->request.count; i++) {
        const uint8_t *at = memmem(json.data, json.len, mark, sizeof mark - 1);
        if (at == NULL)
            return STORE_BROKEN;
        at += sizeof mark - 1;
        json = bytes_of(at, json.len - (size_t)(at - json.data));
        const uint8_t *next = memmem(json.data, json.len, mark, sizeof mark - 1);
        size_t len = next ? (size_t)(next - json.data) : json.len;
        if (!keep(session, i, bytes_of(json.data, len)))
            return STORE_BROKEN;
    }
    return STORE_OK;
}

static enum store_outcome answer(struct store_session *session, struct bytes bytes, size_t *used,
                                 struct buf *out) {
    struct buf body = {0};
    int status;
    size_t taken = http_answer(bytes, &status, &body), at = 0;
    enum store_outcome outcome = STORE_OK;
    struct bytes json = buf_view(&body), text;
    if (taken == 0 || taken == SIZE_MAX) {
        buf_free(&body);
        return taken == 0 ? STORE_MORE : STORE_BROKEN;
    }
    *used = taken;
    bool swap = session->request.kind == STORE_SWAP;
    if (status != 200)
        outcome = memmem(json.data, json.len, "no leader", 9) ? STORE_FAILED : STORE_UNKNOWN;
    else if (session->request.kind == STORE_READ)
        outcome = take_read(session, json);
    else if (swap &&
             !(json_next(json, "succeeded", &at, &text) && bytes_equal(text, BYTES("true"))))
        outcome = STORE_NO;
    buf_free(&body);
    return outcome;
}

const struct store store_etcd = {.ask = ask, .answer = answer};
