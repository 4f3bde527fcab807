#include "wire/zkfile.h"

#define SNAPSHOT_MAGIC 0x5a4b534e /* ZKSN */
#define LOG_MAGIC 0x5a4b4c47      /* ZKLG */
#define FILE_VERSION 2
#define END_OF_TXN 0x42
#define PARTS_BYTES_MIN 8u
#define TYPE_ERROR (-1)

#define CONTAINER_OWNER (1ull << 63)
#define TTL_MARK 0xff00ull /* the upper 16 bits */
#define TTL_MASK ((1ull << 40) - 1)

uint32_t zkfile_sum(struct bytes bytes) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < bytes.len;) {
        size_t stop = i + 5552 < bytes.len ? i + 5552 : bytes.len; /* no overflow until then */
        for (; i < stop; i++) {
            a += bytes.data[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static uint64_t take_u64(struct reader *reader) {
    return (uint64_t)jute_take_i64(reader);
}

static enum cairn_status open_file(struct reader *reader, struct bytes file, int32_t magic) {
    *reader = reader_of(file);
    bool ours = jute_take_i32(reader) == magic && jute_take_i32(reader) == FILE_VERSION;
    jute_take_i64(reader);
    return ours && !reader->bad ? CAIRN_OK : CAIRN_MALFORMED;
}

/* The entries are passed over and stay to be read. */
static uint32_t take_list(struct reader *reader, struct reader *entries) {
    uint32_t count = jute_take_count(reader, JUTE_ACL_BYTES_MIN);
    struct jute_acl acl;
    *entries = *reader;
    for (uint32_t i = 0; i < count && !reader->bad; i++)
        jute_take_acl(reader, &acl);
    return reader->bad ? 0 : count;
}

/* ---- snapshots ---- */

enum cairn_status zkfile_snapshot_open(struct zkfile_snapshot *snapshot, struct bytes file) {
    *snapshot = (struct zkfile_snapshot){.file = file};
    enum cairn_status status = open_file(&snapshot->reader, file, SNAPSHOT_MAGIC);
    if (status != CAIRN_OK)
        return status;
    snapshot->sessions = jute_take_count(&snapshot->reader, 12);
    return snapshot->reader.bad ? CAIRN_TORN : CAIRN_OK;
}

static void take_node(struct reader *reader, struct zkfile_record *record) {
    struct zkfile_stat *stat = &record->stat;
    record->kind = ZKFILE_NODE;
    record->data = jute_take_block(reader);
    record->id = take_u64(reader);
    stat->czxid = take_u64(reader);
    stat->mzxid = take_u64(reader);
    stat->ctime_ms = take_u64(reader);
    stat->mtime_ms = take_u64(reader);
    stat->version = jute_take_i32(reader);
    stat->creations = jute_take_i32(reader);
    stat->aversion = jute_take_i32(reader);
    stat->owner = take_u64(reader);
    stat->pzxid = take_u64(reader);
}

static enum cairn_status end(struct zkfile_snapshot *snapshot, const uint8_t *sealed) {
    struct reader *reader = &snapshot->reader;
    const uint8_t *from = snapshot->file.data;
    /* The path that ended the nodes belongs to what is summed, the sum to nothing. */
    uint32_t sum = zkfile_sum(bytes_of(from, (size_t)(sealed - from)));
    uint64_t wanted = take_u64(reader);
    bool ended = bytes_equal(jute_take_block(reader), BYTES("/"));
    if (reader->bad)
        return CAIRN_TORN;
    return wanted == sum && ended ? CAIRN_OK : CAIRN_CORRUPT;
}

static void take_record(struct zkfile_snapshot *snapshot, struct zkfile_record *record) {
    struct reader *reader = &snapshot->reader;
    if (snapshot->sessions > 0) {
        snapshot->sessions--;
        record->kind = ZKFILE_SESSION;
        record->id = take_u64(reader);
        record->timeout_ms = (uint32_t)jute_take_i32(reader);
        return;
    }
    if (!snapshot->lists_begun)
        snapshot->lists = jute_take_count(reader, 12);
    snapshot->lists_begun = true;
    if (snapshot->lists > 0) {
        snapshot->lists--;
        record->kind = ZKFILE_LIST;
        record->id = take_u64(reader);
        record->acl_count = take_list(reader, &record->acl);
        return;
    }
    record->path = jute_take_block(reader);
    record->kind = ZKFILE_END;
    if (!reader->bad && !bytes_equal(record->path, BYTES("/")))
        take_node(reader, record);
}

enum cairn_status zkfile_snapshot_next(struct zkfile_snapshot *snapshot,
                                       struct zkfile_record *record) {
    *record = (struct zkfile_record){0};
    take_record(snapshot, record);
    if (snapshot->reader.bad)
        return CAIRN_TORN;
    return record->kind == ZKFILE_END ? end(snapshot, snapshot->reader.at) : CAIRN_OK;
}

enum zkfile_owner zkfile_owner(uint64_t owner, uint64_t *ttl_ms) {
    if (owner == 0)
        return ZKFILE_NOBODY;
    if (owner == CONTAINER_OWNER)
        return ZKFILE_CONTAINER;
    if (owner >> 48 != TTL_MARK)
        return ZKFILE_BY_SESSION;
    *ttl_ms = owner & TTL_MASK;
    return ZKFILE_TTL;
}

/* ---- logs ---- */

enum cairn_status zkfile_log_open(struct zkfile_log *log, struct bytes file) {
    return open_file(&log->reader, file, LOG_MAGIC);
}

static bool all_zero(struct reader reader) {
    while (reader.at < reader.end) {
        if (*reader.at++ != 0)
            return false;
    }
    return true;
}

enum cairn_status zkfile_log_next(struct zkfile_log *log, struct zkfile_txn *txn) {
    struct reader *reader = &log->reader;
    if (all_zero(*reader))
        return CAIRN_NOT_FOUND;
    uint64_t sum = take_u64(reader);
    struct bytes bytes = jute_take_block(reader);
    uint8_t mark = read_u8(reader);
    if (reader->bad)
        return CAIRN_TORN;
    if (bytes.len == 0 || mark != END_OF_TXN || zkfile_sum(bytes) != sum)
        return CAIRN_CORRUPT;
    *txn = (struct zkfile_txn){.body = reader_of(bytes)};
    txn->session = take_u64(&txn->body);
    jute_take_i32(&txn->body);
    txn->zxid = take_u64(&txn->body);
    txn->time_ms = take_u64(&txn->body);
    txn->type = jute_take_i32(&txn->body);
    return txn->body.bad ? CAIRN_CORRUPT : CAIRN_OK;
}

static void take_create(struct reader *reader, struct zkfile_change *change) {
    change->path = jute_take_block(reader);
    change->data = jute_take_block(reader);
    change->acl_count = take_list(reader, &change->acl);
    if (change->type == JUTE_CREATE || change->type == JUTE_CREATE2)
        change->ephemeral = jute_take_bool(reader);
    /* Logs of 3.3 lack it. */
    change->number = reader_left(reader) == 0 ? -1 : jute_take_i32(reader);
    if (change->type == JUTE_CREATE_TTL)
        change->ttl_ms = take_u64(reader);
}

static void take_change(struct reader *reader, struct zkfile_change *change) {
    switch (change->type) {
    case JUTE_CREATE:
    case JUTE_CREATE2:
    case JUTE_CREATE_CONTAINER:
    case JUTE_CREATE_TTL:
        take_create(reader, change);
        return;
    case JUTE_DELETE_CONTAINER:
        change->type = JUTE_DELETE;
        change->path = jute_take_block(reader);
        return;
    case JUTE_DELETE:
        change->path = jute_take_block(reader);
        return;
    case JUTE_SET:
    case JUTE_RECONFIG:
        change->path = jute_take_block(reader);
        change->data = jute_take_block(reader);
        change->number = jute_take_i32(reader);
        return;
    case JUTE_SET_ACL:
        change->path = jute_take_block(reader);
        change->acl_count = take_list(reader, &change->acl);
        change->number = jute_take_i32(reader);
        return;
    case JUTE_CREATE_SESSION:
        change->number = jute_take_i32(reader);
        return;
    case JUTE_CLOSE: /* newer ones list what goes; all of the session's goes in any case */
        return;
    default:
        reader->bad = true;
    }
}

/* A multi that failed is logged with the parts before the failed one as if they had been done. */
static bool multi_failed(const struct zkfile_txn *txn) {
    struct reader reader = txn->body;
    bool failed = false;
    for (uint32_t i = 0; i < txn->parts && !reader.bad; i++) {
        failed |= jute_take_i32(&reader) == TYPE_ERROR;
        jute_take_block(&reader);
    }
    return failed;
}

/* The next part of a multi that changes something. */
static bool next_part(struct zkfile_txn *txn, struct zkfile_change *change) {
    while (txn->parts > 0 && !txn->body.bad) {
        txn->parts--;
        *change = (struct zkfile_change){.type = jute_take_i32(&txn->body)};
        struct reader part = reader_of(jute_take_block(&txn->body));
        if (change->type == JUTE_CHECK)
            continue;
        take_change(&part, change);
        txn->body.bad |= part.bad;
        return !txn->body.bad;
    }
    return false;
}

bool zkfile_txn_next(struct zkfile_txn *txn, struct zkfile_change *change) {
    if (txn->type == JUTE_MULTI) {
        if (!txn->begun)
            txn->parts = jute_take_count(&txn->body, PARTS_BYTES_MIN);
        if (!txn->begun && multi_failed(txn))
            txn->parts = 0;
        txn->begun = true;
        return next_part(txn, change);
    }
    if (txn->begun || txn->type == TYPE_ERROR || txn->type == JUTE_CHECK)
        return false;
    txn->begun = true;
    *change = (struct zkfile_change){.type = txn->type};
    take_change(&txn->body, change);
    return !txn->body.bad;
}

/* ---- sessions ---- */

/* Sixteen bytes of Java's generator, seeded by the id and a constant of ZooKeeper's. */
void zkfile_password(uint64_t session, uint8_t password[JUTE_PASSWORD_BYTES]) {
    const uint64_t multiplier = 0x5deece66dull, mask = (1ull << 48) - 1;
    uint64_t state = (session ^ 0xb3415c00ull ^ multiplier) & mask;
    for (size_t i = 0; i < JUTE_PASSWORD_BYTES; i += 4) {
        state = (state * multiplier + 11) & mask;
        put_u32(password + i, (uint32_t)(state >> 16));
    }
}
