#include "base/alloc.h"
#include "base/prng.h"
#include "kv_text.h"

static void keys_are_counted_removed_renamed_and_copied(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "MSET a 1 b 2 c 3", "OK");
    kv_expect(&kv, "EXISTS a a zz", "2");
    kv_expect(&kv, "TOUCH a b zz", "2");
    kv_expect(&kv, "DEL a a zz", "1");
    kv_expect(&kv, "UNLINK b", "1");
    kv_expect(&kv, "TYPE c", "string");
    kv_expect(&kv, "TYPE zz", "none");
    kv_expect(&kv, "RENAME zz y", "(ERR no such key)");
    kv_expect(&kv, "EXPIRE c 10", "1");
    kv_expect(&kv, "RENAME c d", "OK");
    kv_expect(&kv, "TTL d", "10");
    kv_expect(&kv, "RENAME d d", "OK");
    kv_expect(&kv, "SET e 5", "OK");
    kv_expect(&kv, "RENAMENX d e", "0");
    kv_expect(&kv, "RENAMENX d d", "0");
    kv_expect(&kv, "RENAMENX d f", "1");
    kv_expect(&kv, "COPY f e", "0");
    kv_expect(&kv, "COPY f e DB 0 REPLACE", "1");
    kv_expect(&kv, "TTL e", "10");
    kv_expect(&kv, "COPY f f", "(ERR source and destination objects are the same)");
    kv_expect(&kv, "COPY f g DB 1", "(ERR DB index is out of range)");
    kv_expect(&kv, "DBSIZE", "2");
    kv_text_stop(&kv);
}

static void keys_matches_glob_patterns(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "MSET {t}abc 1 {t}abd 2 {t}x*y 3", "OK");
    kv_expect(&kv, "KEYS *", "[\"{t}abc\" \"{t}abd\" \"{t}x*y\"]");
    kv_expect(&kv, "KEYS *ab[a-c]", "[\"{t}abc\"]");
    kv_expect(&kv, "KEYS *ab[^c]", "[\"{t}abd\"]");
    kv_expect(&kv, "KEYS ?t?x\\*y", "[\"{t}x*y\"]");
    kv_expect(&kv, "KEYS *b?", "[\"{t}abc\" \"{t}abd\"]");
    kv_expect(&kv, "KEYS abc", "[]");
    kv_text_stop(&kv);
}

static void many_keys_are_listed_in_slices_over_a_frozen_version(void **state) {
    struct kv_text kv;
    char line[64];
    kv_text_start(&kv);
    for (int i = 0; i < 10001; i++) {
        snprintf(line, sizeof line, "SET k%d v", i);
        kv_text_run(&kv, line);
    }
    kv_expect(&kv, "KEYS *", "busy");
    struct buf query = {0}, reply = {0};
    kv_text_encode(&query, "KEYS *");
    void *task = machine_kv.read_begin(
        kv.machine, &(struct read_context){.time_ms = kv.context.time_ms}, buf_view(&query));
    kv_expect(&kv, "FLUSHALL", "OK");
    int steps = 1;
    while (!machine_kv.read_step(kv.machine, task, 100000, &reply))
        steps++;
    machine_kv.read_end(kv.machine, task);
    assert_in_range(steps, 5, 50);
    struct reader reader = reader_of(buf_view(&reply));
    struct reply_value value;
    assert_true(reply_next(&reader, &value));
    assert_int_equal(value.count, 10001);
    while (machine_kv.tidy(kv.machine, 1000))
        ;
    buf_free(&query);
    buf_free(&reply);
    kv_text_stop(&kv);
}

static void flushing_leaves_nothing_and_tells_so(void **state) {
    struct kv_text kv;
    struct change change;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 1 EX 10", "OK");
    kv_expect(&kv, "FLUSHALL x", "(ERR syntax error)");
    kv_expect(&kv, "FLUSHDB ASYNC", "OK");
    struct reader reader = reader_of(buf_view(&kv.changes));
    assert_true(change_next(&reader, &change) && change.kind == CHANGE_FLUSH);
    kv_expect(&kv, "DBSIZE", "0");
    kv_expect(&kv, "RANDOMKEY", "nil");
    assert_true(machine_kv.next_due(kv.machine) == UINT64_MAX);
    assert_true(machine_kv.digest(kv.machine) == 0);
    kv_text_stop(&kv);
}

/* Cost is counted by what is looked at, not by keys: 200 keys of 20 kB are as many as a million. */
static void keys_of_long_names_are_read_in_slices_and_not_in_transactions(void **state) {
    struct kv_text kv;
    struct machine_options options = kv_text_options();
    char line[21000], pattern[1100];
    options.work_max = 100000;
    kv_text_start_with(&kv, options);
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof line, "SET %020000d 1", i);
        kv_expect(&kv, line, "OK");
    }
    snprintf(pattern, sizeof pattern, "KEYS *%0999d*", 7);
    assert_string_equal(kv_text_run(&kv, pattern), "busy");
    kv_expect(&kv, "KEYS 1*", "[]");
    struct buf command = {0}, part = {0};
    struct bytes views[1];
    kv_text_encode(&part, pattern);
    views[0] = buf_view(&part);
    kv_encode_transaction(&command, NULL, 0, views, 1);
    kv.context.version = 3;
    assert_non_null(strstr(kv_text_apply(&kv, buf_view(&command)), "KEYS would take too long"));
    kv.context.version = 2; /* as replicas of that version carry it out */
    assert_null(strstr(kv_text_apply(&kv, buf_view(&command)), "KEYS would take too long"));
    buf_free(&command);
    buf_free(&part);
    kv_text_stop(&kv);
}

/* ---- SCAN ---- */

static void a_scan_that_costs_much_says_where_to_go_on(void **state) {
    struct kv_text kv;
    char line[21000];
    unsigned calls = 0, found = 0;
    unsigned long long cursor = 0;
    kv_text_start(&kv);
    for (int i = 0; i < 300; i++) {
        snprintf(line, sizeof line, "SET %020000d 1", i);
        kv_expect(&kv, line, "OK");
    }
    do {
        snprintf(line, sizeof line, "SCAN %llu MATCH *%0999d* COUNT 10000", cursor, 7);
        const char *shown = kv_text_run(&kv, line);
        assert_int_equal(sscanf(shown, "[\"%llu\"", &cursor), 1);
        for (const char *at = shown; (at = strstr(at, "0007\"")) != NULL; at++)
            found++;
        calls++;
    } while (cursor != 0);
    assert_int_equal(found, 1);
    assert_in_range(calls, 5, 300);
    kv_text_stop(&kv);
}

#define SCAN_KEYS 6000

static void scan_key(char line[96], const char *verb, bool tagged, int n) {
    snprintf(line, 96, "%s %s%d%s", verb, tagged ? "{tag}" : "key:", n,
             strcmp(verb, "SET") == 0 ? " v" : "");
}

/* Counts in seen[] the keys that one SCAN call returned; returns the cursor. */
static uint64_t scan_step(struct kv_text *kv, uint64_t cursor, int count, int *seen) {
    char line[96];
    snprintf(line, sizeof line, "SCAN %llu COUNT %d", (unsigned long long)cursor, count);
    kv_text_run(kv, line);
    struct reader reader = reader_of(buf_view(&kv->reply));
    struct reply_value value;
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_ARRAY && value.count == 2);
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_BULK);
    char number[32] = {0};
    memcpy(number, value.text.data, value.text.len);
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_ARRAY);
    for (uint32_t i = value.count; i > 0; i--) {
        assert_true(reply_next(&reader, &value));
        char name[32] = {0};
        memcpy(name, value.text.data, value.text.len);
        int n = atoi(strpbrk(name, "0123456789"));
        assert_in_range(n, 0, SCAN_KEYS);
        seen[n]++;
    }
    return strtoull(number, NULL, 10);
}

/* Keys divisible by 3 stay throughout, the others come and go between the calls. */
static void scan_meets_every_key_that_stays(bool tagged, int count, uint64_t seed) {
    struct kv_text kv;
    struct prng prng;
    char line[96];
    kv_text_start(&kv);
    prng_seed(&prng, seed);
    int *seen = cairn_alloc_zero((SCAN_KEYS + 1) * sizeof *seen), calls = 0;
    for (int n = 0; n < SCAN_KEYS; n += 3) {
        scan_key(line, "SET", tagged, n);
        kv_text_run(&kv, line);
    }
    uint64_t cursor = 0;
    do {
        cursor = scan_step(&kv, cursor, count, seen);
        for (int i = 0; i < 20; i++) {
            int n = (int)prng_below(&prng, SCAN_KEYS);
            scan_key(line, prng_chance(&prng, 2, 3) ? "SET" : "DEL", tagged, n - n % 3 + 1);
            kv_text_run(&kv, line);
        }
        assert_true(++calls < 10000);
    } while (cursor != 0);
    for (int n = 0; n < SCAN_KEYS; n += 3)
        assert_int_equal(seen[n], 1);
    cairn_free(seen);
    kv_text_stop(&kv);
}

static void scan_returns_every_key_that_is_there_throughout(void **state) {
    scan_meets_every_key_that_stays(false, 10, 1);
    scan_meets_every_key_that_stays(false, 300, 2);
    scan_meets_every_key_that_stays(true, 10, 3); /* all in one slot */
    scan_meets_every_key_that_stays(true, 1000, 4);
}

static void scan_filters_and_checks_its_arguments(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SCAN 0", "[\"0\" []]");
    kv_expect(&kv, "MSET {a}1 x {a}2 y", "OK");
    kv_expect(&kv, "SCAN 0 MATCH *2 COUNT 100", "[\"0\" [\"{a}2\"]]");
    kv_expect(&kv, "SCAN 0 TYPE string", "[\"0\" [\"{a}1\" \"{a}2\"]]");
    kv_expect(&kv, "SCAN 0 TYPE list", "[\"0\" []]");
    kv_expect(&kv, "SCAN 18446744073709551615", "[\"0\" []]");
    kv_expect(&kv, "SCAN 18446744073709551616", "(ERR invalid cursor)");
    kv_expect(&kv, "SCAN x", "(ERR invalid cursor)");
    kv_expect(&kv, "SCAN 0 COUNT 0", "(ERR syntax error)");
    kv_expect(&kv, "SCAN 0 COUNT", "(ERR syntax error)");
    kv_text_stop(&kv);
}

static void objects_tell_about_themselves(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 12345", "OK");
    kv_expect(&kv, "OBJECT ENCODING a", "\"int\"");
    kv_expect(&kv, "SET a hello", "OK");
    kv_expect(&kv, "object encoding a", "\"embstr\"");
    kv_expect(&kv, "SETRANGE a 44 x", "45");
    kv_expect(&kv, "OBJECT ENCODING a", "\"raw\"");
    kv_expect(&kv, "OBJECT REFCOUNT a", "1");
    kv_expect(&kv, "OBJECT IDLETIME a", "0");
    kv_expect(&kv, "OBJECT ENCODING zz", "nil");
    kv_expect(&kv, "OBJECT ENCODING",
              "(ERR wrong number of arguments for 'object|encoding' command)");
    kv_expect(&kv, "OBJECT x a", "(ERR unknown subcommand 'x'. Try OBJECT HELP.)");
    kv_expect(&kv, "MEMORY USAGE a", "80");
    kv_expect(&kv, "MEMORY USAGE zz SAMPLES 5", "nil");
    kv_expect(&kv, "MEMORY USAGE zz SAMPLES -5", "(ERR syntax error)");
    kv_text_stop(&kv);
}

static void dumps_are_those_of_redis_and_come_back(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 9", "OK");
    kv_expect(&kv, "DUMP a", "\"\\x00\\xc0\\x09\\x0a\\x00\\xc7E\\x00O'{\\x0c\\x8c\"");
    kv_expect(&kv, "RESTORE a 0 \"\\x00\\xc0\\x09\\x0a\\x00\\xc7E\\x00O'{\\x0c\\x8c\"",
              "(BUSYKEY Target key name already exists.)");
    kv_expect(&kv, "RESTORE b 500 \"\\x00\\xc0\\x09\\x0a\\x00\\xc7E\\x00O'{\\x0c\\x8c\"", "OK");
    kv_expect(&kv, "GET b", "\"9\"");
    kv_expect(&kv, "PTTL b", "500");
    /* compressed by Redis: 100000000000000000128 */
    kv_expect(&kv,
              "RESTORE b 0 \"\\x00\\xc3\\x0a\\x15\\x0110\\xe0\\x07\\x00\\x02128\\x0a\\x00\\x88\\xc4"
              "\\x9e\\xe5!\\x94\\xed\\\\\" REPLACE",
              "OK");
    kv_expect(&kv, "GET b", "\"100000000000000000128\"");
    kv_expect(&kv, "RESTORE c -1 x", "(ERR Invalid TTL value, must be >= 0)");
    kv_expect(&kv, "RESTORE c 0 x", "(ERR DUMP payload version or checksum are wrong)");
    kv_expect(&kv, "RESTORE c 0 x FREQ 256", "(ERR Invalid FREQ value, must be >= 0 and <= 255)");
    kv_expect(&kv, "DUMP zz", "nil");
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_long_names_are_read_in_slices_and_not_in_transactions),
        cmocka_unit_test(a_scan_that_costs_much_says_where_to_go_on),
        cmocka_unit_test(keys_are_counted_removed_renamed_and_copied),
        cmocka_unit_test(keys_matches_glob_patterns),
        cmocka_unit_test(many_keys_are_listed_in_slices_over_a_frozen_version),
        cmocka_unit_test(flushing_leaves_nothing_and_tells_so),
        cmocka_unit_test(scan_returns_every_key_that_is_there_throughout),
        cmocka_unit_test(scan_filters_and_checks_its_arguments),
        cmocka_unit_test(objects_tell_about_themselves),
        cmocka_unit_test(dumps_are_those_of_redis_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
