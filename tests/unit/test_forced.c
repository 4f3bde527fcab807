/* Which of two operations comes first, against an enumeration of all linearizations. */
#include "base/prng.h"
#include "check/drains.h"
#include "check/gen.h"
#include "foresee.h"
#include "judge_truth.h"
#include "read_text.h"

#include "check/write.h"

#define RUNS 700u
#define OPS_MAX 8u

static enum forced pair_of(const struct history *history, enum model model, uint32_t a,
                           uint32_t b) {
    struct check_options options = {.model = model, .level = LEVEL_LINEARIZABLE, .by_key = true};
    return forced_pair(history, &options, a, b);
}

/* ---- stories ---- */

static enum forced of_text(const char *text, enum model model, uint32_t a, uint32_t b) {
    struct text_history read;
    read_text(&read, text, NULL);
    assert_true(read.good);
    enum forced forced = pair_of(&read.history, model, a, b);
    text_history_free(&read);
    return forced;
}

/* It read that the register was empty, and the other found it empty: which was first is not known.
 */
static void a_comparison_that_failed_is_not_one_that_matched(void **state) {
    assert_int_equal(of_text("{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[3,2]}\n"
                             "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n"
                             "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":null}\n"
                             "{\"process\":0,\"type\":\"fail\",\"f\":\"cas\",\"value\":[3,2]}\n",
                             MODEL_CAS_REGISTER, 0, 1),
                     FORCED_FREE);
}

static void without_any_order_nothing_comes_first(void **state) {
    assert_int_equal(of_text("{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n"
                             "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n"
                             "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n"
                             "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":2}\n",
                             MODEL_REGISTER, 0, 1),
                     FORCED_NEVER);
}

/* It is no single step: what overlaps it may stand in its midst, and only what does not has a
 * place.
 */
static void a_drain_comes_before_what_begins_after_it(void **state) {
    static const char put[] =
        "{\"process\":0,\"f\":\"enqueue\",\"value\":1,\"call\":0,\"return\":1}\n"
        "{\"process\":1,\"f\":\"drain\",\"value\":[1],\"call\":2,\"return\":4}\n";
    char text[400];
    snprintf(text, sizeof text,
             "%s{\"process\":0,\"f\":\"enqueue\",\"value\":2,\"call\":5,\"return\":6}\n", put);
    assert_int_equal(of_text(text, MODEL_UNORDERED_QUEUE, 0, 1), FORCED_FIRST);
    assert_int_equal(of_text(text, MODEL_UNORDERED_QUEUE, 2, 1), FORCED_SECOND);
    snprintf(text, sizeof text,
             "%s{\"process\":0,\"f\":\"dequeue\",\"value\":3,\"call\":5,\"return\":6}\n", put);
    assert_int_equal(of_text(text, MODEL_UNORDERED_QUEUE, 1, 2), FORCED_NEVER);
    snprintf(text, sizeof text,
             "%s{\"process\":0,\"f\":\"enqueue\",\"value\":2,\"call\":3,\"return\":6}\n", put);
    assert_int_equal(of_text(text, MODEL_UNORDERED_QUEUE, 1, 2), FORCED_UNDECIDED);
}

/* ---- random histories ---- */

/* Some answers change places, some come from the future, and some comparisons are told to have
 * failed. */
static void disturb(struct history *history, enum model model, struct prng *prng) {
    if (prng_chance(prng, 1, 4))
        foresee(history, model, prng);
    for (uint32_t i = 0; i < history->op_count; i++) {
        struct op *op = &history->ops[i];
        struct op *other = &history->ops[prng_below(prng, history->op_count)];
        if (op->f == OP_CAS && op->outcome == OP_OK && prng_chance(prng, 1, 3))
            op->outcome = OP_MISMATCH;
        if (op->f == OP_TXN || op->f != other->f || op->outcome != OP_OK ||
            other->outcome != OP_OK || !prng_chance(prng, 1, 6))
            continue;
        uint32_t out = op->out;
        op->out = other->out;
        other->out = out;
    }
}

static void show(const struct history *history, enum model model, uint32_t a, uint32_t b,
                 enum forced found, enum forced expected) {
    struct history_writer writer = {.history = history, .format = WRITE_JSON};
    struct buf why = {0};
    history_write(&writer, &why);
    fprintf(stderr, "%s, operations %u and %u: %s, but by definition %s\n%.*s", model_name(model),
            a, b, forced_name(found), forced_name(expected), (int)writer.out.len,
            (const char *)writer.out.data);
    buf_free(&writer.out);
    buf_free(&why);
}

/* A drain of an unordered queue is no single step, and is not asked for. */
static bool is_drained(const struct history *history, enum model model) {
    struct drains drains;
    if (!drains_expand(&drains, history, model))
        return false;
    drains_free(&drains);
    return true;
}

static void compare_pairs(const struct history *history, enum model model, uint64_t seed,
                          uint64_t *tally) {
    for (uint32_t a = 0; a < history->op_count; a++)
        for (uint32_t b = 0; b < history->op_count; b++) {
            if (a == b || history->ops[a].outcome == OP_FAIL ||
                history->ops[b].outcome == OP_FAIL || (a + b + seed) % 3 != 0)
                continue;
            enum forced expected = truth_pair(history, model, a, b);
            enum forced found = pair_of(history, model, a, b);
            if (found != expected)
                show(history, model, a, b, found, expected);
            assert_int_equal(found, expected);
            tally[found]++;
        }
}

static void try_seed(enum model model, uint64_t seed, uint64_t *tally) {
    struct history history;
    struct prng prng;
    prng_seed(&prng, prng_mix(seed, model));
    struct gen_options options = {.model = model,
                                  .level = LEVEL_NONE,
                                  .clients = 2 + (uint32_t)prng_below(&prng, 3),
                                  .ops = 3 + (uint32_t)prng_below(&prng, OPS_MAX - 2),
                                  .keys = 1 + (uint32_t)prng_below(&prng, 2),
                                  .values = prng_chance(&prng, 1, 2) ? 3 : 0,
                                  .info_percent = (uint32_t)prng_below(&prng, 3) * 15,
                                  .seed = seed};
    assert_true(gen_history(&options, &history, NULL));
    disturb(&history, model, &prng);
    if (!is_drained(&history, model))
        compare_pairs(&history, model, seed, tally);
    history_free(&history);
}

static void pairs_are_told_as_all_linearizations_have_them(void **state) {
    const char *times = getenv("CAIRN_TEST_TIMES"), *slice = getenv("CAIRN_TEST_SLICE");
    uint64_t runs = slice ? RUNS / 20 : RUNS * (times ? strtoull(times, NULL, 10) : 1);
    uint64_t all = 0, tally[FORCED_UNDECIDED + 1] = {0};
    for (int model = 0; model < MODEL_COUNT; model++)
        for (uint64_t seed = 1; seed <= runs; seed++)
            if (!model_transactional((enum model)model) &&
                gen_has((enum model)model, LEVEL_LINEARIZABLE))
                try_seed((enum model)model, seed, tally);
    for (int forced = FORCED_FIRST; forced <= FORCED_UNDECIDED; forced++)
        all += tally[forced];
    print_message("%llu pairs: first %llu, second %llu, free %llu, never %llu\n",
                  (unsigned long long)all, (unsigned long long)tally[FORCED_FIRST],
                  (unsigned long long)tally[FORCED_SECOND], (unsigned long long)tally[FORCED_FREE],
                  (unsigned long long)tally[FORCED_NEVER]);
    assert_int_equal(tally[FORCED_UNDECIDED], 0);
    for (int forced = FORCED_FIRST; forced < FORCED_UNDECIDED; forced++)
        assert_true(tally[forced] > all / 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comparison_that_failed_is_not_one_that_matched),
        cmocka_unit_test(without_any_order_nothing_comes_first),
        cmocka_unit_test(a_drain_comes_before_what_begins_after_it),
        cmocka_unit_test(pairs_are_told_as_all_linearizations_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
