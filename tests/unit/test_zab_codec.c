#include "protocol/zab/zab_internal.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_message_decodes_to_what_was_encoded(void **state) {
    for (int type = 1; type < ZAB_MESSAGE_COUNT; type++) {
        struct zab_message in = {.type = (enum zab_message_type)type,
                                 .incarnation = 7,
                                 .term = 9,
                                 .nonce = 3,
                                 .index = 8,
                                 .log_term = 6,
                                 .last = 5};
        uint8_t bytes[256], again[256];
        size_t size = zab_message_size(&in);
        zab_message_encode(&in, bytes);
        struct zab_message out;
        assert_int_equal(zab_message_decode(bytes_of(bytes, size), &out, NULL), CAIRN_OK);
        assert_int_equal(out.type, type);
        assert_int_equal(out.incarnation, 7);
        zab_message_encode(&out, again);
        assert_memory_equal(bytes, again, size);
    }
}

static void cut_or_extended_messages_are_malformed(void **state) {
    struct zab_message in = {.type = ZAB_PING, .term = 9};
    uint8_t bytes[256] = {0};
    size_t size = zab_message_size(&in);
    zab_message_encode(&in, bytes);
    struct zab_message out;
    for (size_t len = 0; len <= size + 8; len++)
        assert_int_equal(zab_message_decode(bytes_of(bytes, len), &out, NULL),
                         len == size ? CAIRN_OK : CAIRN_MALFORMED);
}

/* Fault 86: a count is refused before anything is allocated for it. */
static void lying_counts_are_malformed(void **state) {
    const uint32_t counts[] = {1, 2, ZAB_RUNS_MAX + 1, INT32_MAX, UINT32_MAX};
    const enum zab_message_type types[] = {ZAB_PROPOSE, ZAB_ACK_EPOCH, ZAB_PING};
    struct outbox box = {0};
    for (size_t i = 0; i < 15; i++) {
        struct zab_message in = {.type = types[i % 3], .term = 1}, out;
        uint8_t bytes[256];
        size_t size = zab_message_size(&in);
        zab_message_encode(&in, bytes);
        put_u32(bytes + 9, counts[i / 3]);
        assert_int_equal(zab_message_decode(bytes_of(bytes, size), &out, &box), CAIRN_MALFORMED);
    }
    outbox_free(&box);
}

static void a_history_is_told_as_rising_runs(void **state) {
    struct {
        struct zab_run runs[2];
        enum cairn_status status;
    } cases[] = {{{{1, 1}, {4, 3}}, CAIRN_OK},        {{{4, 1}, {4, 3}}, CAIRN_MALFORMED},
                 {{{1, 3}, {4, 1}}, CAIRN_MALFORMED}, {{{1, 1}, {10, 3}}, CAIRN_MALFORMED},
                 {{{0, 1}, {4, 3}}, CAIRN_MALFORMED}, {{{1, 1}, {4, 4}}, CAIRN_MALFORMED}};
    struct outbox box = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zab_message out, in = {.type = ZAB_ACK_EPOCH,
                                      .term = 5,
                                      .index = 9,
                                      .log_term = 3,
                                      .runs = cases[i].runs,
                                      .count = 2};
        uint8_t bytes[256];
        zab_message_encode(&in, bytes);
        struct bytes body = bytes_of(bytes, zab_message_size(&in));
        assert_int_equal(zab_message_decode(body, &out, &box), cases[i].status);
    }
    outbox_free(&box);
}

static void any_bytes_decode_or_are_malformed(void **state) {
    struct prng prng;
    prng_seed(&prng, 1);
    struct outbox box = {0};
    for (int run = 0; run < 200000; run++) {
        uint8_t bytes[200];
        size_t len = prng_below(&prng, sizeof bytes);
        uint64_t small = prng_below(&prng, 2);
        for (size_t i = 0; i < len; i++)
            bytes[i] =
                (uint8_t)(prng_next(&prng) >> (small && prng_chance(&prng, 3, 4) ? 64 - 4 : 8));
        if (len > 13) {
            bytes[0] = (uint8_t)prng_below(&prng, ZAB_MESSAGE_COUNT + 1);
            put_u32(bytes + 9, (uint32_t)prng_below(&prng, 4));
        }
        struct zab_message out;
        char text[200];
        enum cairn_status status = zab_message_decode(bytes_of(bytes, len), &out, &box);
        assert_true(status == CAIRN_OK || status == CAIRN_MALFORMED);
        assert_true(status != CAIRN_OK || zab_describe(bytes_of(bytes, len), text, sizeof text));
        outbox_begin(&box);
    }
    outbox_free(&box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_decodes_to_what_was_encoded),
        cmocka_unit_test(cut_or_extended_messages_are_malformed),
        cmocka_unit_test(lying_counts_are_malformed),
        cmocka_unit_test(a_history_is_told_as_rising_runs),
        cmocka_unit_test(any_bytes_decode_or_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
