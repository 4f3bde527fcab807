#include "machine/tree/tree_internal.h"

#include "base/assert.h"

/* ---- making commands ---- */

void tree_put_head(struct buf *out, enum tree_opcode opcode, const struct tree_caller *caller) {
    static const struct tree_caller none;
    if (caller == NULL)
        caller = &none;
    cairn_assert(caller->id_count <= UINT8_MAX);
    buf_u8(out, (uint8_t)opcode);
    buf_u64(out, caller->session);
    buf_u64(out, caller->holder);
    buf_u8(out, (uint8_t)caller->id_count);
    for (uint32_t i = 0; i < caller->id_count; i++) {
        buf_block(out, caller->ids[i].scheme);
        buf_block(out, caller->ids[i].id);
    }
}

static void put_data(struct buf *out, struct bytes data) {
    if (data.data == NULL)
        buf_u32(out, TREE_NULL);
    else
        buf_block(out, data);
}

void tree_put_acl(struct buf *out, const struct tree_acl *acl, uint32_t count) {
    buf_u32(out, acl == NULL ? 0 : count);
    for (uint32_t i = 0; acl != NULL && i < count; i++) {
        buf_u32(out, acl[i].permissions);
        buf_block(out, acl[i].id.scheme);
        buf_block(out, acl[i].id.id);
    }
}

void tree_put_create(struct buf *out, enum tree_mode mode, struct bytes path, struct bytes data,
                     const struct tree_acl *acl, uint32_t acl_count, uint64_t ttl_ms) {
    buf_u8(out, (uint8_t)mode);
    buf_block(out, path);
    put_data(out, data);
    tree_put_acl(out, acl, acl_count);
    buf_u64(out, ttl_ms);
}

void tree_put_versioned(struct buf *out, int32_t version, struct bytes path) {
    buf_u32(out, (uint32_t)version);
    buf_block(out, path);
}

void tree_put_set_data(struct buf *out, int32_t version, struct bytes path, struct bytes data) {
    tree_put_versioned(out, version, path);
    put_data(out, data);
}

void tree_put_set_acl(struct buf *out, int32_t version, struct bytes path,
                      const struct tree_acl *acl, uint32_t acl_count) {
    tree_put_versioned(out, version, path);
    tree_put_acl(out, acl, acl_count);
}

void tree_put_path(struct buf *out, struct bytes path) {
    buf_block(out, path);
}

void tree_put_multi(struct buf *out, uint32_t count) {
    buf_u32(out, count);
}

void tree_put_session_open(struct buf *out, uint64_t timeout_ms, const uint8_t *password,
                           uint64_t node) {
    buf_u64(out, timeout_ms);
    buf_append(out, password, TREE_PASSWORD_BYTES);
    buf_u64(out, node);
}

void tree_put_session_attach(struct buf *out, const uint8_t *password, uint64_t timeout_ms,
                             uint64_t node) {
    buf_append(out, password, TREE_PASSWORD_BYTES);
    buf_u64(out, timeout_ms);
    buf_u64(out, node);
}

void tree_put_server(struct buf *out, uint64_t node, struct bytes address) {
    buf_u64(out, node);
    buf_block(out, address);
}

void tree_put_u64(struct buf *out, uint64_t value) {
    buf_u64(out, value);
}

/* ---- taking them apart ---- */

bool tree_reads_only(enum tree_opcode opcode) {
    switch (opcode) {
#define X(constant, number, reads, fields) \
    case TREE_OP_##constant:               \
        return reads;
        TREE_OPERATIONS(X)
#undef X
    }
    return false;
}

uint32_t tree_acl_count(struct reader *reader) {
    uint32_t count = read_u32(reader);
    if (count > reader_left(reader) / 12)
        reader->bad = true;
    return reader->bad ? 0 : count;
}

bool tree_acl_next(struct reader *reader, struct tree_acl *acl) {
    if (reader->bad || reader_left(reader) == 0)
        return false;
    acl->permissions = read_u32(reader);
    acl->id.scheme = read_block(reader, UINT32_MAX);
    acl->id.id = read_block(reader, UINT32_MAX);
    return !reader->bad;
}

static void parse_acl(struct reader *reader, struct tree_part *part) {
    struct tree_acl acl;
    part->acl_count = tree_acl_count(reader);
    const uint8_t *from = reader->at;
    for (uint32_t i = 0; i < part->acl_count; i++) {
        if (!tree_acl_next(reader, &acl))
            reader->bad = true;
    }
    part->acl = bytes_of(from, reader->bad ? 0 : (size_t)(reader->at - from));
}

static struct bytes parse_data(struct reader *reader) {
    uint32_t len = read_u32(reader);
    if (len == TREE_NULL)
        return (struct bytes){0};
    struct bytes data = read_bytes(reader, len);
    return data.data == NULL ? BYTES("") : data;
}

static void parse_fields(struct reader *reader, struct tree_part *part) {
    switch (part->opcode) {
    case TREE_OP_CREATE:
        part->mode = read_u8(reader);
        part->path = read_block(reader, UINT32_MAX);
        part->data = parse_data(reader);
        parse_acl(reader, part);
        part->ttl_ms = read_u64(reader);
        return;
    case TREE_OP_SET_DATA:
    case TREE_OP_SET_ACL:
    case TREE_OP_DELETE:
    case TREE_OP_CHECK:
        part->version = (int32_t)read_u32(reader);
        part->path = read_block(reader, UINT32_MAX);
        if (part->opcode == TREE_OP_SET_DATA)
            part->data = parse_data(reader);
        if (part->opcode == TREE_OP_SET_ACL)
            parse_acl(reader, part);
        return;
    default:
        reader->bad = true;
    }
}

bool tree_parse_part(struct reader *reader, struct tree_part *part) {
    *part = (struct tree_part){.opcode = (enum tree_opcode)read_u8(reader)};
    parse_fields(reader, part);
    return !reader->bad;
}

static void parse_multi(struct reader *reader, struct tree_call *call) {
    struct tree_part part;
    call->part_count = read_u32(reader);
    reader->bad |= call->part_count > TREE_MULTI_MAX;
    call->parts = bytes_of(reader->at, reader_left(reader));
    for (uint32_t i = 0; i < call->part_count && !reader->bad; i++)
        tree_parse_part(reader, &part);
}

static void parse_reap(struct reader *reader, struct tree_call *call) {
    call->part_count = read_u32(reader);
    call->parts = bytes_of(reader->at, reader_left(reader));
    for (uint32_t i = 0; i < call->part_count && !reader->bad; i++) {
        read_block(reader, TREE_PATH_MAX);
        read_u64(reader);
    }
}

static void parse_own(struct reader *reader, struct tree_call *call) {
    switch (call->opcode) {
    case TREE_OP_CREATE:
    case TREE_OP_DELETE:
    case TREE_OP_SET_DATA:
    case TREE_OP_SET_ACL:
        parse_fields(reader, &call->part);
        return;
    case TREE_OP_MULTI:
        parse_multi(reader, call);
        return;
    case TREE_OP_SESSION_OPEN:
        call->timeout_ms = read_u64(reader);
        call->password = read_bytes(reader, TREE_PASSWORD_BYTES).data;
        call->node = read_u64(reader);
        return;
    case TREE_OP_SESSION_ATTACH:
        call->password = read_bytes(reader, TREE_PASSWORD_BYTES).data;
        call->timeout_ms = read_u64(reader);
        call->node = read_u64(reader);
        return;
    case TREE_OP_SESSION_EXPIRE:
        call->id = read_u64(reader);
        call->id_holder = read_u64(reader);
        return;
    case TREE_OP_SESSION:
        call->id = read_u64(reader);
        return;
    case TREE_OP_REAP:
        parse_reap(reader, call);
        return;
    case TREE_OP_MEMBERS:
        call->text = read_bytes(reader, reader_left(reader));
        return;
    case TREE_OP_SERVER:
        call->node = read_u64(reader);
        call->text = read_block(reader, CONFIG_ADDRESS_MAX);
        return;
    case TREE_OP_SYNC:
    case TREE_OP_EXISTS:
    case TREE_OP_GET_DATA:
    case TREE_OP_GET_ACL:
    case TREE_OP_GET_CHILDREN:
    case TREE_OP_GET_EPHEMERALS:
    case TREE_OP_COUNT_CHILDREN:
    case TREE_OP_PEEK:
        call->part.path = read_block(reader, UINT32_MAX);
        return;
    case TREE_OP_SESSION_CLOSE:
    case TREE_OP_SUMMARY:
    case TREE_OP_SESSIONS:
        return;
    case TREE_OP_CHECK:
        break;
    }
    reader->bad = true;
}

bool tree_parse(struct bytes command, struct tree_call *call) {
    struct reader reader = reader_of(command);
    *call = (struct tree_call){.opcode = (enum tree_opcode)read_u8(&reader)};
    call->session = read_u64(&reader);
    call->holder = read_u64(&reader);
    call->id_count = read_u8(&reader);
    const uint8_t *ids = reader.at;
    for (uint32_t i = 0; i < call->id_count; i++) {
        read_block(&reader, UINT32_MAX);
        read_block(&reader, UINT32_MAX);
    }
    call->ids = bytes_of(ids, (size_t)(reader.at - ids));
    call->part.opcode = call->opcode;
    parse_own(&reader, call);
    return reader_done(&reader);
}

/* ---- stat, changes, errors ---- */

void tree_stat_encode(struct buf *out, const struct tree_stat *stat) {
    buf_u64(out, stat->czxid);
    buf_u64(out, stat->mzxid);
    buf_u64(out, stat->pzxid);
    buf_u64(out, stat->ctime_ms);
    buf_u64(out, stat->mtime_ms);
    buf_u32(out, (uint32_t)stat->version);
    buf_u32(out, (uint32_t)stat->cversion);
    buf_u32(out, (uint32_t)stat->aversion);
    buf_u64(out, stat->owner);
    buf_u32(out, (uint32_t)stat->data_length);
    buf_u32(out, (uint32_t)stat->child_count);
}

bool tree_stat_decode(struct bytes bytes, struct tree_stat *stat) {
    struct reader reader = reader_of(bytes);
    stat->czxid = read_u64(&reader);
    stat->mzxid = read_u64(&reader);
    stat->pzxid = read_u64(&reader);
    stat->ctime_ms = read_u64(&reader);
    stat->mtime_ms = read_u64(&reader);
    stat->version = (int32_t)read_u32(&reader);
    stat->cversion = (int32_t)read_u32(&reader);
    stat->aversion = (int32_t)read_u32(&reader);
    stat->owner = read_u64(&reader);
    stat->data_length = (int32_t)read_u32(&reader);
    stat->child_count = (int32_t)read_u32(&reader);
    return reader_done(&reader);
}

bool tree_change(const struct change *change, enum tree_event *event, uint64_t *zxid) {
    if (change->kind != CHANGE_KEY || change->value.len < TREE_CHANGE_BYTES)
        return false;
    *event = (enum tree_event)change->value.data[0];
    *zxid = get_u64(change->value.data + 1);
    return true;
}

const char *tree_error_text(int32_t error) {
    switch (error) {
#define X(constant, number, text) \
    case number:                  \
        return text;
        TREE_ERROR_LIST(X)
#undef X
    default:
        return "unknown error";
    }
}
