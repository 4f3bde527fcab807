/* The records that follow a request's header. */
#include "wire/jute.h"

void jute_take_acl(struct reader *reader, struct jute_acl *acl) {
    acl->permissions = jute_take_i32(reader);
    acl->scheme = jute_take_block(reader);
    acl->id = jute_take_block(reader);
}

void jute_put_acl(struct buf *out, const struct jute_acl *acl) {
    jute_put_i32(out, acl->permissions);
    jute_put_block(out, acl->scheme);
    jute_put_block(out, acl->id);
}

/* Remembers where the entries are and walks over them. */
static uint32_t skip_acl(struct reader *reader, struct reader *entries) {
    uint32_t count = jute_take_count(reader, JUTE_ACL_BYTES_MIN);
    *entries = *reader;
    struct jute_acl acl;
    for (uint32_t i = 0; i < count && !reader->bad; i++)
        jute_take_acl(reader, &acl);
    return reader->bad ? 0 : count;
}

bool jute_take_create(struct reader *reader, int32_t op, struct jute_create *create) {
    create->path = jute_take_block(reader);
    create->data = jute_take_block(reader);
    create->acl_count = skip_acl(reader, &create->acl);
    create->flags = jute_take_i32(reader);
    create->ttl_ms = op == JUTE_CREATE_TTL ? jute_take_i64(reader) : -1;
    return !reader->bad;
}

bool jute_take_numbered(struct reader *reader, struct jute_numbered *record) {
    record->path = jute_take_block(reader);
    record->number = jute_take_i32(reader);
    return !reader->bad;
}

bool jute_take_set(struct reader *reader, struct jute_set *set) {
    set->path = jute_take_block(reader);
    set->data = jute_take_block(reader);
    set->version = jute_take_i32(reader);
    return !reader->bad;
}

bool jute_take_set_acl(struct reader *reader, struct jute_set_acl *set) {
    set->path = jute_take_block(reader);
    set->acl_count = skip_acl(reader, &set->acl);
    set->version = jute_take_i32(reader);
    return !reader->bad;
}

bool jute_take_watched(struct reader *reader, struct jute_watched *record) {
    record->path = jute_take_block(reader);
    record->watch = jute_take_bool(reader);
    return !reader->bad;
}

bool jute_take_auth(struct reader *reader, struct jute_auth *auth) {
    auth->type = jute_take_i32(reader);
    auth->scheme = jute_take_block(reader);
    auth->credential = jute_take_block(reader);
    return !reader->bad;
}

bool jute_take_reconfig(struct reader *reader, struct jute_reconfig *reconfig) {
    reconfig->joining = jute_take_block(reader);
    reconfig->leaving = jute_take_block(reader);
    reconfig->members = jute_take_block(reader);
    reconfig->version = jute_take_i64(reader);
    return !reader->bad;
}

bool jute_take_part(struct reader *reader, struct jute_part *part) {
    part->op = jute_take_i32(reader);
    part->done = jute_take_bool(reader);
    part->error = jute_take_i32(reader);
    return !reader->bad;
}

void jute_put_part(struct buf *out, int32_t op, bool done, int32_t error) {
    jute_put_i32(out, op);
    jute_put_bool(out, done);
    jute_put_i32(out, error);
}
