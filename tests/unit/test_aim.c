/* Wishes on members, and the aim that carries them through every keyspace: pure state, entry by
 * entry. */
#include "core/reply.h"
#include "node/aim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct config three(void) {
    struct config config = {0};
    for (uint64_t id = 1; id <= 3; id++) {
        struct member member = {.id = id, .voter = true, .address = "host:1"};
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    }
    return config;
}

static struct wishes wish(uint64_t id, enum wish_role role, const char *address) {
    struct wishes wishes = {0};
    assert_int_equal(wishes_add(&wishes, id, role, bytes_cstr(address)), CAIRN_OK);
    return wishes;
}

/* A learner of that id is not the voter that was asked for, nor is a voter elsewhere. */
static void so_already_means_the_whole_member(void **state) {
    struct config config = three();
    struct wishes wishes = wish(4, WISH_VOTER, "host:4");
    struct member learner = {.id = 4, .address = "host:4"};
    assert_false(wishes_hold(&wishes, &config));
    config_add(&config, &learner);
    assert_false(wishes_hold(&wishes, &config));
    config_find(&config, 4)->voter = true;
    assert_true(wishes_hold(&wishes, &config));
    strcpy(config_find(&config, 4)->address, "host:5");
    assert_false(wishes_hold(&wishes, &config));
    wishes = wish(4, WISH_ROLE_KEPT, "host:5");
    assert_true(wishes_hold(&wishes, &config));
    wishes = wish(4, WISH_GONE, "");
    assert_false(wishes_hold(&wishes, &config));
    config.joint = true;
    wishes = wish(4, WISH_ROLE_KEPT, "host:5");
    assert_false(wishes_hold(&wishes, &config)); /* on its way somewhere */
}

static void what_was_is_wished_back(void **state) {
    struct config before = three(), config = before;
    struct wishes wishes = {0}, former;
    wishes_add(&wishes, 2, WISH_GONE, BYTES(""));
    wishes_add(&wishes, 3, WISH_LEARNER, BYTES("other:3"));
    wishes_add(&wishes, 4, WISH_VOTER, BYTES("host:4"));
    wishes_former(&wishes, &config, &former);
    assert_int_equal(wishes_apply(&wishes, &config), CAIRN_OK);
    assert_true(wishes_hold(&wishes, &config) && !wishes_hold(&former, &config));
    assert_int_equal(wishes_apply(&former, &config), CAIRN_OK);
    assert_true(wishes_hold(&former, &config));
    assert_int_equal(config.count, before.count);
    assert_string_equal(config_member(&config, 3)->address, "host:1");
}

static void what_cannot_be_is_said(void **state) {
    struct config config = three();
    struct wishes wishes = wish(7, WISH_VOTER, "");
    assert_int_equal(wishes_apply(&wishes, &config), CAIRN_NOT_FOUND);
    wishes = (struct wishes){0};
    for (uint64_t id = 1; id <= 3; id++)
        wishes_add(&wishes, id, WISH_GONE, BYTES(""));
    assert_int_equal(wishes_apply(&wishes, &config), CAIRN_INVALID);
    assert_int_equal(wishes_add(&wishes, 1, WISH_VOTER, BYTES("x:1")), CAIRN_INVALID);
    assert_int_equal(wishes_add(&wishes, 0, WISH_VOTER, BYTES("x:1")), CAIRN_INVALID);
}

/* ---- the aim ---- */

struct fixture {
    struct aims aims;
    uint64_t index;
    struct buf reply;
    char error[256];
};

/* The reply's number; 0: an error, or OK. */
static uint64_t apply(struct fixture *fixture, struct buf *word) {
    struct apply_context context = {
        .index = ++fixture->index, .time_ms = fixture->index * 1000, .version = 3};
    struct reader reader = reader_of(buf_view(word));
    struct reply_value value;
    buf_clear(&fixture->reply);
    aims_apply(&fixture->aims, &context, &reader, &fixture->reply);
    struct reader told = reader_of(buf_view(&fixture->reply));
    assert_true(reply_next(&told, &value) && reader_done(&told));
    buf_free(word);
    snprintf(fixture->error, sizeof fixture->error, "%.*s",
             value.kind == REPLY_ERROR ? (int)value.text.len : 0, (const char *)value.text.data);
    return value.kind == REPLY_INT ? (uint64_t)value.integer : 0;
}

static uint64_t record_id(struct fixture *fixture, uint64_t token, uint64_t id) {
    struct buf word = {0};
    struct aim aim = {.token = token, .keyspaces = 2, .wanted = wish(id, WISH_VOTER, "host:4")};
    aim.former[0] = aim.former[1] = wish(4, WISH_GONE, "");
    aim_encode_record(&word, &aim);
    return apply(fixture, &word);
}

static uint64_t record(struct fixture *fixture, uint64_t token) {
    return record_id(fixture, token, 4);
}

static void phase(struct fixture *fixture, uint64_t id, enum aim_phase to, enum aim_end end) {
    struct buf word = {0};
    aim_encode_phase(&word, id, to, end, "why");
    apply(fixture, &word);
}

static void finish(struct fixture *fixture, uint64_t id, enum aim_end end) {
    struct buf word = {0};
    aim_encode_end(&word, id, end, "because");
    apply(fixture, &word);
}

static uint64_t cancel(struct fixture *fixture, uint64_t id) {
    struct buf word = {0};
    aim_encode_cancel(&word, id);
    return apply(fixture, &word);
}

static void one_aim_at_a_time_and_each_once(void **state) {
    struct fixture fixture = {0};
    uint64_t id = record(&fixture, 11);
    assert_true(id > 0 && fixture.aims.now.phase == AIM_PREPARE);
    assert_int_equal(record(&fixture, 11), id); /* the same wish, sent again */
    assert_int_equal(record(&fixture, 12), id); /* of another, who waits for the same */
    assert_int_equal(record_id(&fixture, 13, 5), 0);
    assert_memory_equal(fixture.error, "BUSY", 4);
    assert_non_null(strstr(fixture.error, "add 4 at host:4 as a voter"));
    phase(&fixture, id, AIM_CARRY_OUT, AIM_UNDER_WAY);
    finish(&fixture, id, AIM_DONE);
    assert_int_equal(record(&fixture, 11), id); /* it came late */
    assert_int_equal(aims_find(&fixture.aims, id)->end, AIM_DONE);
    assert_true(record(&fixture, 14) > id);
    buf_free(&fixture.reply);
}

static void an_aim_goes_forward_until_it_goes_back(void **state) {
    struct fixture fixture = {0};
    uint64_t id = record(&fixture, 1);
    phase(&fixture, id, AIM_CARRY_OUT, AIM_UNDER_WAY);
    phase(&fixture, id, AIM_PREPARE, AIM_UNDER_WAY);
    assert_int_equal(fixture.aims.now.phase, AIM_CARRY_OUT);
    assert_int_equal(cancel(&fixture, 0), id);
    assert_int_equal(fixture.aims.now.phase, AIM_BACK);
    phase(&fixture, id, AIM_CARRY_OUT, AIM_UNDER_WAY);
    finish(&fixture, id, AIM_DONE); /* proposed before the cancelling was applied */
    assert_int_equal(fixture.aims.now.phase, AIM_BACK);
    finish(&fixture, id, AIM_CANCELLED);
    assert_int_equal(fixture.aims.now.id, 0);
    assert_int_equal(aims_find(&fixture.aims, id)->end, AIM_CANCELLED);
    buf_free(&fixture.reply);
}

static void cancelling_means_the_aim_that_was_there(void **state) {
    struct fixture fixture = {0};
    assert_int_equal(cancel(&fixture, 0), 0);
    uint64_t first = record(&fixture, 1);
    finish(&fixture, first, AIM_FAILED);
    uint64_t second = record(&fixture, 2);
    assert_int_equal(cancel(&fixture, first), first); /* repeated, and late */
    assert_int_equal(fixture.aims.now.id, second);
    assert_int_equal(fixture.aims.now.phase, AIM_PREPARE);
    finish(&fixture, first, AIM_DONE); /* of a leader of old */
    assert_int_equal(fixture.aims.now.id, second);
    buf_free(&fixture.reply);
}

static void a_snapshot_holds_the_aim_and_the_last_ends(void **state) {
    struct fixture fixture = {0};
    struct aims *copy = test_malloc(sizeof *copy);
    struct buf one = {0}, two = {0};
    for (uint64_t token = 1; token <= 6; token++)
        finish(&fixture, record(&fixture, token), AIM_FAILED);
    record(&fixture, 7);
    aims_encode(&one, &fixture.aims);
    memset(copy, 0, sizeof *copy);
    assert_int_equal(aims_decode(buf_view(&one), copy), CAIRN_OK);
    aims_encode(&two, copy);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(copy->now.token, 7);
    assert_int_equal(copy->ended[0].token, 6);
    assert_string_equal(copy->ended[0].reason, "because");
    for (size_t len = 0; len < one.len; len++)
        assert_int_equal(aims_decode(bytes_of(one.data, len), copy), CAIRN_CORRUPT);
    test_free(copy);
    buf_free(&one);
    buf_free(&two);
    buf_free(&fixture.reply);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_already_means_the_whole_member),
        cmocka_unit_test(what_was_is_wished_back),
        cmocka_unit_test(what_cannot_be_is_said),
        cmocka_unit_test(one_aim_at_a_time_and_each_once),
        cmocka_unit_test(an_aim_goes_forward_until_it_goes_back),
        cmocka_unit_test(cancelling_means_the_aim_that_was_there),
        cmocka_unit_test(a_snapshot_holds_the_aim_and_the_last_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
