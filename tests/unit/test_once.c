/* The exactly-once table, alone and against a model that keeps everything. */
#include "node/once.h"

#include "base/prng.h"
#include "core/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define WINDOW 4u

static enum once_verdict check(struct once *once, uint64_t session, uint64_t sequence,
                               uint64_t time_ms) {
    struct bytes reply;
    return once_check(once, session, sequence, time_ms, 1, &reply);
}

static void expect_repeat(struct once *once, uint64_t session, uint64_t sequence,
                          const char *reply) {
    struct bytes first;
    assert_int_equal(once_check(once, session, sequence, 0, 1, &first), ONCE_REPEAT);
    assert_true(bytes_equal(first, bytes_cstr(reply)));
}

static void execute(struct once *once, uint64_t session, uint64_t sequence, const char *reply) {
    assert_int_equal(check(once, session, sequence, 0), ONCE_EXECUTE);
    once_record(once, session, sequence, 1, bytes_cstr(reply));
}

static void a_retry_gets_the_first_reply(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE);
    once_open(once, 9, 1000, 0, 1);
    execute(once, 9, 1, "one");
    execute(once, 9, 2, "two");
    expect_repeat(once, 9, 1, "one");
    expect_repeat(once, 9, 2, "two");
    once_free(once);
}

static void the_window_moves_with_the_highest_sequence(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE);
    once_open(once, 9, 1000, 0, 1);
    for (uint64_t sequence = 1; sequence <= 10; sequence++)
        execute(once, 9, sequence, "reply");
    assert_int_equal(check(once, 9, 6, 0), ONCE_OUT_OF_WINDOW);
    expect_repeat(once, 9, 7, "reply");
    assert_int_equal(check(once, 9, 0, 0), ONCE_OUT_OF_WINDOW);
    assert_int_equal(check(once, 9, 15, 0), ONCE_OUT_OF_WINDOW);
    execute(once, 9, 14, "far"); /* what was skipped may still come */
    execute(once, 9, 12, "late");
    assert_int_equal(check(once, 9, 10, 0), ONCE_OUT_OF_WINDOW);
    once_free(once);
}

static void a_session_ends_when_it_was_unused_for_its_time(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE);
    once_open(once, 1, 1000, 0, 1);
    once_open(once, 2, 5000, 0, 1);
    assert_int_equal(check(once, 1, 1, 900), ONCE_EXECUTE); /* used: it lives until 1900 */
    assert_int_equal(once_next_due(once), 1900);
    assert_int_equal(check(once, 1, 1, 1900), ONCE_NO_SESSION);
    once_expire(once, 1899, 10);
    assert_int_equal(once_sessions(once), 2);
    once_expire(once, 1900, 10);
    assert_int_equal(once_sessions(once), 1);
    assert_int_equal(once_next_due(once), 5000);
    once_free(once);
}

static void closing_forgets_the_replies_too(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE), *empty = once_new(WINDOW, MUTANT_NONE);
    once_open(once, 1, 1000, 0, 1);
    execute(once, 1, 1, "one");
    assert_true(once_close(once, 1));
    assert_false(once_close(once, 1));
    assert_int_equal(once_digest(once), once_digest(empty));
    assert_int_equal(once_next_due(once), UINT64_MAX);
    once_free(once);
    once_free(empty);
}

static void a_giant_reply_is_told_as_executed(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE);
    struct bytes reply;
    struct reply_value value;
    uint8_t *giant = calloc(1, ONCE_REPLY_BYTES_MAX + 1);
    once_open(once, 1, 1000, 0, 1);
    check(once, 1, 1, 0);
    once_record(once, 1, 1, 1, bytes_of(giant, ONCE_REPLY_BYTES_MAX + 1));
    assert_int_equal(once_check(once, 1, 1, 0, 1, &reply), ONCE_REPEAT);
    struct reader reader = reader_of(reply);
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_ERROR);
    assert_memory_equal(value.text.data, "EXECUTED", 8);
    free(giant);
    once_free(once);
}

static void restore(struct once *to, struct once *from) {
    void *snapshot = once_snapshot_begin(from);
    once_restore_begin(to);
    bool done = false;
    while (!done) {
        struct buf chunk = {0};
        done = once_snapshot_chunk(snapshot, 64, &chunk);
        assert_int_equal(once_restore_chunk(to, buf_view(&chunk)), CAIRN_OK);
        buf_free(&chunk);
    }
    once_snapshot_end(from, snapshot);
}

static void a_snapshot_brings_everything_along(void **state) {
    struct once *from = once_new(WINDOW, MUTANT_NONE), *to = once_new(WINDOW, MUTANT_NONE);
    for (uint64_t session = 1; session <= 20; session++) {
        once_open(from, session, 1000 * session, 0, session);
        for (uint64_t sequence = 1; sequence <= session; sequence++)
            execute(from, session, sequence, "reply");
    }
    once_open(to, 99, 1000, 0, 1); /* gone with the restore */
    restore(to, from);
    assert_int_equal(once_digest(to), once_digest(from));
    assert_int_equal(once_sessions(to), 20);
    assert_int_equal(once_next_due(to), once_next_due(from));
    expect_repeat(to, 20, 20, "reply");
    once_free(from);
    once_free(to);
}

static void malformed_snapshots_are_refused(void **state) {
    struct once *once = once_new(WINDOW, MUTANT_NONE);
    static const char *const wrong[] = {"x", "0123456789", "\1\0\0\0\0\0\0\0\1\0\0\0q\0\0\0\0"};
    for (int i = 0; i < 3; i++) {
        once_restore_begin(once);
        size_t len = i < 2 ? strlen(wrong[i]) : 17;
        assert_int_equal(once_restore_chunk(once, bytes_of(wrong[i], len)), CAIRN_CORRUPT);
    }
    once_free(once);
}

/* ---- against a model ---- */

#define SESSIONS 6u
#define SEQUENCES 64u
struct model {
    bool open;
    uint64_t ttl, used, highest;
    uint64_t reply[SEQUENCES]; /* 0: never executed */
};

static enum once_verdict model_check(const struct model *model, uint64_t sequence, uint64_t now) {
    if (!model->open || model->used + model->ttl <= now)
        return ONCE_NO_SESSION;
    if (sequence == 0 || sequence + WINDOW <= model->highest || sequence > model->highest + WINDOW)
        return ONCE_OUT_OF_WINDOW;
    return model->reply[sequence] ? ONCE_REPEAT : ONCE_EXECUTE;
}

static void try_one(struct once *once, struct model *model, uint64_t session, uint64_t sequence,
                    uint64_t now, uint64_t order) {
    struct bytes reply;
    enum once_verdict expected = model_check(model, sequence, now);
    assert_int_equal(once_check(once, session, sequence, now, order, &reply), expected);
    if (expected == ONCE_REPEAT)
        assert_int_equal(get_u64(reply.data), model->reply[sequence]);
    if (expected == ONCE_REPEAT || expected == ONCE_EXECUTE)
        model->used = now;
    if (expected != ONCE_EXECUTE)
        return;
    uint8_t bytes[8];
    put_u64(bytes, order);
    once_record(once, session, sequence, order, bytes_of(bytes, sizeof bytes));
    model->reply[sequence] = order;
    if (sequence > model->highest)
        model->highest = sequence;
}

static void it_does_what_a_simple_model_does(void **state) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct prng prng;
        struct model models[SESSIONS] = {0};
        struct once *once = once_new(WINDOW, MUTANT_NONE);
        prng_seed(&prng, seed);
        for (uint64_t order = 1, now = 0; order <= 1500; order++) {
            uint64_t at = prng_below(&prng, SESSIONS), session = at + 1;
            struct model *model = &models[at];
            now += prng_below(&prng, 40);
            if (!model->open && prng_below(&prng, 3) == 0) {
                *model =
                    (struct model){.open = true, .ttl = 1000 + prng_below(&prng, 500), .used = now};
                once_open(once, session, model->ttl, now, order);
            } else if (prng_below(&prng, 60) == 0) {
                assert_int_equal(once_close(once, session), model->open);
                model->open = false;
            } else if (prng_below(&prng, 20) == 0) {
                once_expire(once, now, SIZE_MAX);
                for (uint64_t i = 0; i < SESSIONS; i++)
                    models[i].open &= models[i].used + models[i].ttl > now;
            } else {
                uint64_t sequence = model->highest + prng_below(&prng, WINDOW + 3);
                sequence = sequence > 3 ? sequence - 3 : sequence;
                if (sequence < SEQUENCES)
                    try_one(once, model, session, sequence, now, order);
            }
        }
        once_free(once);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_gets_the_first_reply),
        cmocka_unit_test(the_window_moves_with_the_highest_sequence),
        cmocka_unit_test(a_session_ends_when_it_was_unused_for_its_time),
        cmocka_unit_test(closing_forgets_the_replies_too),
        cmocka_unit_test(a_giant_reply_is_told_as_executed),
        cmocka_unit_test(a_snapshot_brings_everything_along),
        cmocka_unit_test(malformed_snapshots_are_refused),
        cmocka_unit_test(it_does_what_a_simple_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
