/* Entries, configurations, quorums (against counting), replies, changes. */
#include "base/prng.h"
#include "core/config.h"
#include "core/entry.h"
#include "core/machine.h"
#include "core/reply.h"
#include "core/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct entry make_entry(uint64_t index, const char *payload, uint64_t chain_before) {
    struct entry entry = {
        .index = index, .term = 3, .order = 10 * index, .time_ms = 1000, .kind = ENTRY_COMMAND};
    entry.blob = blob_new(entry_size(strlen(payload)));
    entry_encode(&entry, entry.blob->data, bytes_cstr(payload), chain_before);
    return entry;
}

static void an_entry_comes_back_as_it_was(void **state) {
    struct entry entry = make_entry(7, "payload", 99), back;
    struct reader reader = reader_of(entry.encoded);
    assert_int_equal(entry_decode(&reader, &back), CAIRN_OK);
    assert_true(back.index == 7 && back.term == 3 && back.order == 70 && back.time_ms == 1000);
    assert_int_equal(back.kind, ENTRY_COMMAND);
    assert_int_equal(back.chain, entry.chain);
    assert_true(bytes_equal(back.payload, BYTES("payload")));
    assert_true(reader_done(&reader));
    entry_unref(&entry);
}

static void a_chain_holds_only_behind_its_predecessor_and_with_its_bytes(void **state) {
    struct entry first = make_entry(1, "one", 0), second = make_entry(2, "two", first.chain);
    assert_true(entry_chain_holds(&second, first.chain));
    assert_false(entry_chain_holds(&second, first.chain + 1));
    for (size_t bit = 64; bit < 8 * second.encoded.len; bit++) {
        second.blob->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(entry_chain_holds(&second, first.chain));
        second.blob->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    entry_unref(&first);
    entry_unref(&second);
}

static void a_cut_or_senseless_entry_is_malformed(void **state) {
    struct entry entry = make_entry(1, "payload", 0), back;
    for (size_t len = 0; len < entry.encoded.len; len++) {
        struct reader reader = reader_of(bytes_of(entry.encoded.data, len));
        assert_int_not_equal(entry_decode(&reader, &back), CAIRN_OK);
    }
    entry.blob->data[13] = ENTRY_KIND_COUNT;
    struct reader reader = reader_of(entry.encoded);
    assert_int_not_equal(entry_decode(&reader, &back), CAIRN_OK);
    entry_unref(&entry);
}

static struct config random_config(struct prng *prng) {
    struct config config = {.joint = prng_below(prng, 2)};
    uint32_t count = 1 + (uint32_t)prng_below(prng, 7);
    for (uint64_t id = 1; id <= count; id++) {
        struct member member = {.id = id,
                                .incarnation = prng_next(prng),
                                .voter = id == 1 || prng_below(prng, 3) > 0,
                                .voter_old = config.joint && (id == 1 || prng_below(prng, 2)),
                                .address = "host:1"};
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    }
    return config;
}

static void a_configuration_comes_back_as_it_was(void **state) {
    struct prng prng;
    prng_seed(&prng, 1);
    for (int round = 0; round < 200; round++) {
        struct config config = random_config(&prng), back;
        struct buf out = {0};
        assert_true(config_valid(&config));
        config_encode(&out, &config);
        assert_int_equal(config_decode(buf_view(&out), &back), CAIRN_OK);
        struct buf again = {0};
        config_encode(&again, &back);
        assert_true(bytes_equal(buf_view(&out), buf_view(&again)));
        buf_free(&again);
        assert_int_equal(config_decode(bytes_of(out.data, out.len - 1), &back), CAIRN_MALFORMED);
        buf_free(&out);
    }
}

static void members_stay_in_order_and_are_there_once(void **state) {
    struct config config = {0};
    struct member member = {.voter = true, .address = "host:1"};
    static const uint64_t ids[] = {5, 1, 3};
    for (int i = 0; i < 3; i++) {
        member.id = ids[i];
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    }
    assert_int_equal(config_add(&config, &member), CAIRN_EXISTS);
    assert_true(config.members[0].id == 1 && config.members[1].id == 3 &&
                config.members[2].id == 5);
    config_remove(&config, 3);
    assert_null(config_member(&config, 3));
    assert_int_equal(config.count, 2);
    for (member.id = 10; config.count < CONFIG_MEMBERS_MAX; member.id++)
        assert_int_equal(config_add(&config, &member), CAIRN_OK);
    assert_int_equal(config_add(&config, &member), CAIRN_TOO_LARGE);
}

static uint64_t value_of(const void *context, uint64_t id) {
    return ((const uint64_t *)context)[id];
}

/* Whether a majority of that set satisfies a condition, by counting. */
static bool majority(const struct config *config, bool old, const uint64_t *values,
                     bool (*holds)(uint64_t value, uint64_t than), uint64_t than) {
    uint32_t voters = 0, with = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        if (old ? !member->voter_old : !member->voter)
            continue;
        voters++;
        with += holds(values[member->id], than);
    }
    return 2 * with > voters;
}

static bool at_least(uint64_t value, uint64_t than) {
    return value >= than;
}

static bool equals(uint64_t value, uint64_t than) {
    return value == than;
}

static void a_quorum_has_reached_what_counting_says(void **state) {
    struct prng prng;
    prng_seed(&prng, 2);
    for (int round = 0; round < 5000; round++) {
        struct config config = random_config(&prng);
        uint64_t values[CONFIG_MEMBERS_MAX + 1], highest = 0;
        for (uint32_t id = 0; id <= CONFIG_MEMBERS_MAX; id++)
            values[id] = prng_below(&prng, 8);
        for (uint64_t index = 1; index < 8; index++)
            if (majority(&config, false, values, at_least, index) &&
                (!config.joint || majority(&config, true, values, at_least, index)))
                highest = index;
        assert_int_equal(quorum_reached(&config, value_of, values), highest);
    }
}

static bool may_still_win(const struct config *config, bool old, const uint64_t *values) {
    uint64_t best[CONFIG_MEMBERS_MAX + 1];
    for (uint32_t id = 0; id <= CONFIG_MEMBERS_MAX; id++)
        best[id] = values[id] == 0 ? 2 : values[id];
    return majority(config, old, best, equals, 2);
}

static void a_vote_is_won_or_lost_when_counting_says_so(void **state) {
    struct prng prng;
    prng_seed(&prng, 3);
    for (int round = 0; round < 5000; round++) {
        struct config config = random_config(&prng);
        uint64_t values[CONFIG_MEMBERS_MAX + 1];
        for (uint32_t id = 0; id <= CONFIG_MEMBERS_MAX; id++)
            values[id] = prng_below(&prng, 3);
        bool won = majority(&config, false, values, equals, 2) &&
                   (!config.joint || majority(&config, true, values, equals, 2));
        bool open = may_still_win(&config, false, values) &&
                    (!config.joint || may_still_win(&config, true, values));
        assert_int_equal(quorum_votes(&config, value_of, values), won    ? QUORUM_WON
                                                                  : open ? QUORUM_PENDING
                                                                         : QUORUM_LOST);
    }
}

static void replies_are_walked_as_they_were_written(void **state) {
    struct buf out = {0};
    struct reply_value value;
    reply_map(&out, 1);
    reply_bulk(&out, BYTES("key"));
    reply_array(&out, 0);
    reply_patch_count(&out, 0, 2);
    reply_int(&out, -5);
    reply_double(&out, 1.5);
    reply_bool(&out, true);
    struct reader reader = reader_of(buf_view(&out));
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_MAP && value.count == 2);
    assert_true(reply_next(&reader, &value) && bytes_equal(value.text, BYTES("key")));
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_ARRAY && value.count == 0);
    assert_true(reply_next(&reader, &value) && value.integer == -5);
    assert_true(reply_next(&reader, &value) && value.number == 1.5);
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_BOOL && value.integer == 1);
    assert_true(reader_done(&reader));
    assert_false(reply_next(&reader, &value));
    buf_free(&out);
}

static void changes_are_walked_as_they_were_written(void **state) {
    struct buf out = {0};
    struct change change;
    change_put(&out, CHANGE_PUBLISH, BYTES("channel"), BYTES("message"));
    change_put(&out, CHANGE_FLUSH, BYTES(""), BYTES(""));
    struct reader reader = reader_of(buf_view(&out));
    assert_true(change_next(&reader, &change) && change.kind == CHANGE_PUBLISH);
    assert_true(bytes_equal(change.key, BYTES("channel")) &&
                bytes_equal(change.value, BYTES("message")));
    assert_true(change_next(&reader, &change) && change.kind == CHANGE_FLUSH);
    assert_false(change_next(&reader, &change));
    buf_free(&out);
}

#define A_DAY_IN_2026 1780000000000ull /* ms */

static void possible_terms_are_the_same_for_all_replicas_and_grow_with_time(void **state) {
    const uint64_t forged = 3ull << 40, wall = A_DAY_IN_2026;
    for (uint64_t own = 0; own <= forged; own += forged / 8) {
        assert_true(term_is_possible(forged, own, wall));
        assert_false(term_is_possible(TERM_MAX, own, wall));
        assert_false(term_is_possible(UINT64_MAX, own, wall));
    }
    /* What one replica took is taken by another whose clock is a second behind, soon. */
    uint64_t most = wall << TERM_PER_MS_BITS;
    assert_true(term_is_possible(most, 1, wall));
    assert_false(term_is_possible(most, 1, wall - 1000));
    assert_true(term_is_possible(most, most, wall - 1000)); /* its own */
    assert_true(term_is_possible(most + 1, most, wall));    /* an election */
    assert_true(term_is_possible(1000, 1, 0));              /* without a clock */
    assert_false(term_is_possible(TERM_STEP + 2, 1, 0));
    assert_false(term_is_possible(TERM_MAX + 1, TERM_MAX, wall));
    assert_true(term_is_possible(TERM_MAX, 1, UINT64_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_back_as_it_was),
        cmocka_unit_test(a_chain_holds_only_behind_its_predecessor_and_with_its_bytes),
        cmocka_unit_test(a_cut_or_senseless_entry_is_malformed),
        cmocka_unit_test(a_configuration_comes_back_as_it_was),
        cmocka_unit_test(members_stay_in_order_and_are_there_once),
        cmocka_unit_test(a_quorum_has_reached_what_counting_says),
        cmocka_unit_test(a_vote_is_won_or_lost_when_counting_says_so),
        cmocka_unit_test(replies_are_walked_as_they_were_written),
        cmocka_unit_test(changes_are_walked_as_they_were_written),
        cmocka_unit_test(possible_terms_are_the_same_for_all_replicas_and_grow_with_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
