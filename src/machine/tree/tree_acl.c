#include "machine/tree/tree_internal.h"

#include <string.h>

static bool is(struct bytes text, const char *word) {
    return bytes_equal(text, bytes_cstr(word));
}

static bool is_anyone(const struct tree_id *id) {
    return is(id->scheme, "world") && is(id->id, "anyone");
}

/* The caller's next identity. */
static bool next_id(struct reader *reader, struct tree_id *id) {
    if (reader_left(reader) == 0)
        return false;
    id->scheme = read_block(reader, UINT32_MAX);
    id->id = read_block(reader, UINT32_MAX);
    return !reader->bad;
}

/* ---- what a caller may do ---- */

static bool is_super(struct bytes callers) {
    struct reader ids = reader_of(callers);
    struct tree_id id;
    while (next_id(&ids, &id)) {
        if (is(id.scheme, "super"))
            return true;
    }
    return false;
}

static bool matches(const struct tree_id *caller, const struct tree_id *wanted) {
    if (!bytes_equal(caller->scheme, wanted->scheme))
        return false;
    if (is(wanted->scheme, "ip"))
        return tree_ip_matches(caller->id, wanted->id);
    return bytes_equal(caller->id, wanted->id);
}

static bool is_for(struct bytes callers, const struct tree_id *wanted) {
    struct reader ids = reader_of(callers);
    struct tree_id id;
    while (next_id(&ids, &id)) {
        if (matches(&id, wanted))
            return true;
    }
    return is_anyone(wanted);
}

static bool allowed(struct bytes entries, struct bytes ids, uint32_t permissions) {
    if (entries.len == 0 || is_super(ids))
        return true;
    struct reader reader = reader_of(entries);
    struct tree_acl acl;
    while (tree_acl_next(&reader, &acl)) {
        if ((acl.permissions & permissions) != 0 && is_for(ids, &acl.id))
            return true;
    }
    return false;
}

bool tree_allowed(const struct tree_call *call, const struct tree_node *node,
                  uint32_t permissions) {
    return allowed(node->acl, call->ids, permissions);
}

bool tree_change_readable(const struct change *change, struct bytes ids) {
    struct reader reader = reader_of(change->value);
    read_bytes(&reader, TREE_CHANGE_BYTES);
    return allowed(bytes_of(reader.at, reader_left(&reader)), ids, TREE_PERM_READ);
}

/* ---- taking an ACL ---- */

/* "user:digest": exactly one colon that parts two texts, the second of which is not empty. */
static bool digest_valid(struct bytes id) {
    while (id.len > 0 && id.data[id.len - 1] == ':')
        id.len--;
    const uint8_t *colon = id.len == 0 ? NULL : memchr(id.data, ':', id.len);
    return colon != NULL && memrchr(id.data, ':', id.len) == colon;
}

/* A Kerberos name, user[/host]@realm, or any text without '@'. */
static bool sasl_valid(struct bytes id) {
    const uint8_t *at = id.len == 0 ? NULL : memchr(id.data, '@', id.len);
    if (at == NULL)
        return true;
    size_t user = (size_t)(at - id.data), realm = id.len - user - 1;
    const uint8_t *slash = memchr(id.data, '/', user);
    return memchr(at + 1, '@', realm) == NULL && memchr(at + 1, '/', realm) == NULL &&
           (slash == NULL || memrchr(id.data, '/', user) == slash);
}

static bool id_valid(const struct tree_id *id) {
    if (is(id->scheme, "digest"))
        return digest_valid(id->id);
    if (is(id->scheme, "ip"))
        return tree_ip_valid(id->id);
    if (is(id->scheme, "sasl"))
        return sasl_valid(id->id);
    if (is(id->scheme, "x509"))
        return id->id.len > 0 && memchr(id->id.data, '=', id->id.len) != NULL;
    return is_anyone(id);
}

static void add(struct buf *out, uint32_t permissions, const struct tree_id *id) {
    buf_u32(out, permissions);
    buf_block(out, id->scheme);
    buf_block(out, id->id);
}

/* The scheme "auth": the caller's own identities, of those schemes that prove one. */
static bool add_own(struct buf *out, const struct tree_call *call, uint32_t permissions) {
    struct reader ids = reader_of(call->ids);
    struct tree_id id;
    bool any = false;
    while (next_id(&ids, &id)) {
        if (is(id.scheme, "digest") || is(id.scheme, "sasl") || is(id.scheme, "x509")) {
            add(out, permissions, &id);
            any = true;
        }
    }
    return any;
}

/* Whether the entry that ends at `end` stands before already. */
static bool is_repeated(struct bytes entries, const uint8_t *from, const uint8_t *end) {
    struct bytes entry = bytes_of(from, (size_t)(end - from));
    struct reader reader = reader_of(bytes_of(entries.data, (size_t)(from - entries.data)));
    struct tree_acl acl;
    const uint8_t *start = reader.at;
    while (tree_acl_next(&reader, &acl)) {
        if (bytes_equal(bytes_of(start, (size_t)(reader.at - start)), entry))
            return true;
        start = reader.at;
    }
    return false;
}

static bool take(struct machine *machine, const struct tree_call *call,
                 const struct tree_acl *acl) {
    if (is(acl->id.scheme, "auth"))
        return add_own(&machine->acl, call, acl->permissions);
    if (!id_valid(&acl->id))
        return false;
    add(&machine->acl, acl->permissions, &acl->id);
    return true;
}

bool tree_acl_is_open(struct bytes entries) {
    struct reader reader = reader_of(entries);
    struct tree_acl acl;
    return tree_acl_next(&reader, &acl) && reader_left(&reader) == 0 &&
           acl.permissions == TREE_PERM_ALL && is_anyone(&acl.id);
}

bool tree_acl_fix(struct machine *machine, const struct tree_call *call,
                  const struct tree_part *part, struct bytes *acl) {
    struct reader reader = reader_of(part->acl);
    struct tree_acl entry;
    const uint8_t *start = reader.at;
    buf_clear(&machine->acl);
    while (tree_acl_next(&reader, &entry)) {
        if (!is_repeated(part->acl, start, reader.at) && !take(machine, call, &entry))
            return false;
        start = reader.at;
    }
    *acl = buf_view(&machine->acl);
    if (acl->len == 0)
        return false;
    if (tree_acl_is_open(*acl))
        acl->len = 0;
    return true;
}

/* ---- showing one ---- */

static void show_digest(struct buf *out, uint32_t permissions, const struct tree_id *id) {
    const uint8_t *colon = id->id.len == 0 ? NULL : memchr(id->id.data, ':', id->id.len);
    buf_u32(out, permissions);
    buf_block(out, id->scheme);
    if (colon == NULL) {
        buf_block(out, id->id);
        return;
    }
    size_t user = (size_t)(colon - id->id.data);
    buf_u32(out, (uint32_t)user + 2);
    buf_append(out, id->id.data, user);
    buf_append(out, ":x", 2);
}

void tree_acl_show(struct buf *out, const struct tree_node *node, bool masked) {
    static const struct tree_id anyone = {{(const uint8_t *)"world", 5},
                                          {(const uint8_t *)"anyone", 6}};
    size_t count_at = out->len;
    uint32_t count = 0;
    buf_u32(out, 0);
    struct reader reader = reader_of(node->acl);
    struct tree_acl acl;
    for (; tree_acl_next(&reader, &acl); count++) {
        if (masked && is(acl.id.scheme, "digest"))
            show_digest(out, acl.permissions, &acl.id);
        else
            add(out, acl.permissions, &acl.id);
    }
    if (count == 0) {
        add(out, TREE_PERM_ALL, &anyone);
        count = 1;
    }
    put_u32(out->data + count_at, count);
}
