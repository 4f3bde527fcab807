/* ZooKeeper's files, written here as it writes them, become a tree. */
#include "tree_text.h"

#include "cli/import_apply.h"

/* ---- writing them ---- */

static void put_text(struct buf *out, const char *text) {
    jute_put_block(out, bytes_cstr(text));
}

static void put_header(struct buf *out, const char *magic) {
    buf_append(out, magic, 4);
    jute_put_i32(out, 2);
    jute_put_i64(out, -1);
}

static void put_node(struct buf *out, const char *path, const char *data, int64_t acl, int64_t zxid,
                     int32_t creations, int64_t owner) {
    put_text(out, path);
    put_text(out, data);
    jute_put_i64(out, acl);
    jute_put_i64(out, zxid);
    jute_put_i64(out, zxid);
    jute_put_i64(out, 1000 + zxid);
    jute_put_i64(out, 1000 + zxid);
    jute_put_i32(out, 0);
    jute_put_i32(out, creations);
    jute_put_i32(out, 0);
    jute_put_i64(out, owner);
    jute_put_i64(out, zxid);
}

static void put_open_acl(struct buf *out) {
    jute_put_i32(out, 1);
    jute_put_i32(out, 31);
    put_text(out, "world");
    put_text(out, "anyone");
}

static void put_seal(struct buf *out) {
    put_text(out, "/");
    jute_put_i64(out, zkfile_sum(buf_view(out)));
    put_text(out, "/");
}

#define SESSION 0x1000000000abcdll

/* At zxid 10: /a with an ephemeral, a container, a TTL node and one for u alone. */
static void put_snapshot(struct buf *out) {
    put_header(out, "ZKSN");
    jute_put_i32(out, 1);
    jute_put_i64(out, SESSION);
    jute_put_i32(out, 4000);
    jute_put_i32(out, 1);
    jute_put_i64(out, 7);
    jute_put_i32(out, 1);
    jute_put_i32(out, 31);
    put_text(out, "digest");
    put_text(out, "u:hash");
    put_node(out, "", "", -1, 0, 1, 0);
    put_node(out, "/a", "one", -1, 3, 9, 0);
    put_node(out, "/a/c", "", -1, 5, 0, INT64_MIN);
    put_node(out, "/a/e", "mine", -1, 6, 0, SESSION);
    put_node(out, "/a/own", "", 7, 7, 0, 0);
    put_node(out, "/a/t", "", -1, 8, 0, (int64_t)(0xff00ull << 48 | 500));
    put_seal(out);
}

static size_t begin_txn(struct buf *out, int64_t session, int64_t zxid, int32_t type) {
    size_t start = out->len;
    jute_put_i64(out, 0); /* the sum */
    jute_put_i32(out, 0); /* the length */
    jute_put_i64(out, session);
    jute_put_i32(out, 1);
    jute_put_i64(out, zxid);
    jute_put_i64(out, 2000 + zxid);
    jute_put_i32(out, type);
    return start;
}

static void end_txn(struct buf *out, size_t start) {
    struct bytes body = bytes_of(out->data + start + 12, out->len - start - 12);
    struct buf head = {0};
    jute_put_i64(&head, zkfile_sum(body));
    jute_put_i32(&head, (int32_t)body.len);
    memcpy(out->data + start, head.data, head.len);
    buf_u8(out, 'B');
    buf_free(&head);
}

static void put_create(struct buf *out, const char *path, bool ephemeral, int32_t creations) {
    put_text(out, path);
    put_text(out, "made");
    put_open_acl(out);
    jute_put_bool(out, ephemeral);
    jute_put_i32(out, creations);
}

static void put_simple(struct buf *out, int64_t session, int64_t zxid, int32_t type,
                       const char *path, int32_t number) {
    size_t start = begin_txn(out, session, zxid, type);
    switch (type) {
    case JUTE_CREATE:
    case JUTE_CREATE2:
        put_create(out, path, type == JUTE_CREATE2, number);
        break;
    case JUTE_DELETE:
        put_text(out, path);
        break;
    case JUTE_SET:
        put_text(out, path);
        put_text(out, "set");
        jute_put_i32(out, number);
        break;
    default:
        jute_put_i32(out, number);
    }
    end_txn(out, start);
}

static void put_part(struct buf *out, int32_t type, const char *path, int32_t number) {
    struct buf part = {0};
    jute_put_i32(out, type);
    if (type == JUTE_CREATE)
        put_create(&part, path, false, number);
    else if (type == JUTE_DELETE)
        put_text(&part, path);
    else
        jute_put_i32(&part, number);
    jute_put_block(out, buf_view(&part));
    buf_free(&part);
}

/* ---- taking them ---- */

struct taken {
    struct tree_text text;
    struct import_apply apply;
    struct buf snapshot, log;
};

static void start(struct taken *taken) {
    *taken = (struct taken){0};
    tree_text_start(&taken->text);
    import_apply_open(&taken->apply, taken->text.machine, 77);
    put_snapshot(&taken->snapshot);
    put_header(&taken->log, "ZKLG");
}

static void stop(struct taken *taken) {
    import_apply_close(&taken->apply);
    tree_text_stop(&taken->text);
    buf_free(&taken->snapshot);
    buf_free(&taken->log);
}

static void take(struct taken *taken) {
    assert_int_equal(import_apply_snapshot(&taken->apply, buf_view(&taken->snapshot), 10),
                     CAIRN_OK);
    assert_int_equal(import_apply_log(&taken->apply, buf_view(&taken->log)), CAIRN_OK);
    import_apply_end(&taken->apply);
}

static void a_snapshot_becomes_a_tree(void **state) {
    struct taken taken;
    start(&taken);
    take(&taken);
    struct tree_text *text = &taken.text;
    tree_expect(text, "ls /", "ok [a zookeeper] v0 c0 a0 n2 l0");
    tree_expect(text, "ls /a", "ok [c e own t] v0 c14 a0 n4 l3");
    tree_expect(text, "get /a/e", "ok mine v0 c0 a0 n0 l4 e");
    tree_expect(text, "get /a/own", "-102");
    tree_expect(text, "create /a/s - s", "ok /a/s0000000009 v0 c0 a0 n0 l0");
    assert_true(text->zxid == (1ull << 32 | 1));
    assert_true(machine_tree.next_due(text->machine) == 1008 + 500 + 1);
    uint64_t id, timeout_ms;
    assert_true(machine_tree.life_next(text->machine, 0, &id, &timeout_ms));
    assert_true(id == SESSION && timeout_ms == 4000);
    stop(&taken);
}

static void the_log_goes_on_from_the_snapshot(void **state) {
    struct taken taken;
    start(&taken);
    struct buf *log = &taken.log;
    put_simple(log, SESSION, 9, JUTE_DELETE, "/a/t", 0); /* the snapshot has it already */
    put_simple(log, SESSION, 10, JUTE_DELETE, "/a/c", 0);
    put_simple(log, SESSION, 11, JUTE_CREATE, "/a/n", 10);
    put_simple(log, SESSION, 12, JUTE_SET, "/a/n", 1);
    put_simple(log, SESSION, 13, -1, "", -101);
    put_simple(log, 5, 14, JUTE_CREATE_SESSION, "", 6000);
    put_simple(log, 5, 15, JUTE_CREATE2, "/a/e2", 11);
    put_simple(log, SESSION, 16, JUTE_CLOSE, "", 0);
    for (int i = 0; i < 100; i++)
        buf_u8(log, 0);
    take(&taken);
    tree_expect(&taken.text, "ls /a", "ok [c e2 n own t] v0 c17 a0 n5 l3");
    tree_expect(&taken.text, "get /a/n", "ok set v1 c0 a0 n0 l3");
    assert_true(taken.apply.transactions == 6);
    uint64_t id, timeout_ms;
    assert_true(machine_tree.life_next(taken.text.machine, 0, &id, &timeout_ms));
    assert_true(id == 5 && timeout_ms == 6000);
    assert_false(machine_tree.life_next(taken.text.machine, 5, &id, &timeout_ms));
    stop(&taken);
}

static void a_multi_that_failed_did_nothing(void **state) {
    struct taken taken;
    start(&taken);
    for (int i = 0; i < 2; i++) {
        size_t at = begin_txn(&taken.log, SESSION, 11 + i, JUTE_MULTI);
        jute_put_i32(&taken.log, 2);
        put_part(&taken.log, JUTE_CREATE, i == 0 ? "/no" : "/yes", 2);
        put_part(&taken.log, i == 0 ? -1 : JUTE_DELETE, "/a/e", -103);
        end_txn(&taken.log, at);
    }
    take(&taken);
    tree_expect(&taken.text, "ls /", "ok [a yes zookeeper] v0 c1 a0 n3 l0");
    tree_expect(&taken.text, "stat /a/e", "-101");
    stop(&taken);
}

/* A snapshot is written while its server works on: it may hold what the log tells afterwards. */
static void what_the_snapshot_holds_already_is_told_again_without_harm(void **state) {
    struct taken taken;
    start(&taken);
    struct buf *log = &taken.log;
    put_simple(log, SESSION, 11, JUTE_CREATE, "/a/own", 9);
    put_simple(log, SESSION, 12, JUTE_DELETE, "/a/gone", 0);
    put_simple(log, SESSION, 13, JUTE_SET, "/a/gone", 4);
    put_simple(log, SESSION, 14, JUTE_DELETE, "/a", 0);
    put_simple(log, SESSION, 15, JUTE_CREATE, "/a", 2);
    put_simple(log, SESSION, 16, JUTE_CREATE, "/a/own", 1);
    put_simple(log, SESSION, 17, JUTE_CREATE, "/none/x", 1);
    take(&taken);
    tree_expect(&taken.text, "ls /a", "ok [own] v0 c1 a0 n1 l4");
    tree_expect(&taken.text, "ls /", "ok [a zookeeper] v0 c2 a0 n2 l0");
    assert_true(machine_tree.next_due(taken.text.machine) == UINT64_MAX);
    stop(&taken);
}

static void ephemerals_without_a_session_go(void **state) {
    struct taken taken;
    start(&taken);
    put_simple(&taken.log, 99, 11, JUTE_CREATE2, "/a/orphan", 10);
    take(&taken);
    tree_expect(&taken.text, "ls /a", "ok [c e own t] v0 c16 a0 n4 l3");
    stop(&taken);
}

static void quotas_are_counted_afresh(void **state) {
    struct taken taken;
    start(&taken);
    int32_t zxid = 11;
    static const char *const paths[] = {"/zookeeper",
                                        "/zookeeper/quota",
                                        "/zookeeper/quota/a",
                                        "/zookeeper/quota/a/zookeeper_limits",
                                        "/zookeeper/quota/a/zookeeper_stats",
                                        "/a/new"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++, zxid++)
        put_simple(&taken.log, SESSION, zxid, JUTE_CREATE, paths[i], -1);
    take(&taken);
    tree_expect(&taken.text, "get /zookeeper/quota/a/zookeeper_stats",
                "ok count=6,bytes=11 v0 c0 a0 n0 l16");
    stop(&taken);
}

/* ---- damage ---- */

static void every_damaged_byte_of_a_snapshot_is_noticed(void **state) {
    struct taken taken;
    start(&taken);
    struct buf *file = &taken.snapshot;
    for (size_t i = 0; i < file->len; i++) {
        if (i >= 8 && i < 16)
            continue; /* the database id is summed, and covered below */
        file->data[i] ^= 0x21;
        assert_int_not_equal(import_apply_snapshot(&taken.apply, buf_view(file), 10), CAIRN_OK);
        file->data[i] ^= 0x21;
    }
    for (size_t len = 0; len < file->len; len++)
        assert_int_not_equal(import_apply_snapshot(&taken.apply, bytes_of(file->data, len), 10),
                             CAIRN_OK);
    file->data[9] ^= 1;
    assert_int_equal(import_apply_snapshot(&taken.apply, buf_view(file), 10), CAIRN_CORRUPT);
    stop(&taken);
}

static void a_log_may_be_cut_and_not_changed(void **state) {
    struct taken taken;
    start(&taken);
    struct buf *log = &taken.log;
    put_simple(log, SESSION, 11, JUTE_CREATE, "/b", 2);
    size_t first = log->len;
    put_simple(log, SESSION, 12, JUTE_CREATE, "/c", 3);
    for (size_t len = 16; len < log->len; len++) {
        /* A sum begins with four zeros, which look like the preallocated end. */
        bool between = len <= 20 || (len >= first && len <= first + 4);
        assert_int_equal(import_apply_snapshot(&taken.apply, buf_view(&taken.snapshot), 10),
                         CAIRN_OK);
        assert_int_equal(import_apply_log(&taken.apply, bytes_of(log->data, len)),
                         between ? CAIRN_OK : CAIRN_TORN);
        assert_int_equal(taken.apply.step.zxid, len < first ? 10 : 11);
    }
    for (size_t i = 16; i < log->len; i++) {
        log->data[i] ^= 0x21;
        import_apply_snapshot(&taken.apply, buf_view(&taken.snapshot), 10);
        assert_int_not_equal(import_apply_log(&taken.apply, buf_view(log)), CAIRN_OK);
        log->data[i] ^= 0x21;
    }
    stop(&taken);
}

static void a_missing_transaction_is_told(void **state) {
    struct taken taken;
    start(&taken);
    put_simple(&taken.log, SESSION, 12, JUTE_CREATE, "/b", 2);
    assert_int_equal(import_apply_snapshot(&taken.apply, buf_view(&taken.snapshot), 10), CAIRN_OK);
    assert_int_equal(import_apply_log(&taken.apply, buf_view(&taken.log)), CAIRN_CORRUPT);
    assert_string_equal(taken.apply.error, "transaction 0xb is missing, which must come next");
    stop(&taken);
}

static void sums_and_passwords_are_zookeepers(void **state) {
    /* As a real server gave it. */
    static const uint8_t given[16] = {0x12, 0x23, 0x65, 0x5f, 0xb5, 0xe2, 0xea, 0x09,
                                      0x13, 0x3b, 0xdc, 0xcc, 0x83, 0x35, 0x6e, 0x09};
    uint8_t password[16];
    zkfile_password(0x100016e5d06019full, password);
    assert_memory_equal(password, given, sizeof given);
    assert_int_equal(zkfile_sum(BYTES("Wikipedia")), 0x11e60398);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_becomes_a_tree),
        cmocka_unit_test(the_log_goes_on_from_the_snapshot),
        cmocka_unit_test(a_multi_that_failed_did_nothing),
        cmocka_unit_test(what_the_snapshot_holds_already_is_told_again_without_harm),
        cmocka_unit_test(ephemerals_without_a_session_go),
        cmocka_unit_test(quotas_are_counted_afresh),
        cmocka_unit_test(every_damaged_byte_of_a_snapshot_is_noticed),
        cmocka_unit_test(a_log_may_be_cut_and_not_changed),
        cmocka_unit_test(a_missing_transaction_is_told),
        cmocka_unit_test(sums_and_passwords_are_zookeepers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
