#include "kv_text.h"

static void set_takes_the_options_of_redis(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "GET a", "nil");
    kv_expect(&kv, "SET a 1", "OK");
    kv_expect(&kv, "GET a", "\"1\"");
    kv_expect(&kv, "SET a 2 NX", "nil");
    kv_expect(&kv, "SET b 2 XX", "nil");
    kv_expect(&kv, "SET a 2 XX GET", "\"1\"");
    kv_expect(&kv, "SET a 3 NX GET", "\"2\"");
    kv_expect(&kv, "GET a", "\"2\"");
    kv_expect(&kv, "SET n 3 NX GET", "nil");
    kv_expect(&kv, "GET n", "\"3\"");
    kv_expect(&kv, "set a 4 ex 10", "OK");
    kv_expect(&kv, "SET a 5 KEEPTTL", "OK");
    kv_expect(&kv, "PTTL a", "10000");
    kv_expect(&kv, "SET a 6", "OK");
    kv_expect(&kv, "TTL a", "-1");
    kv_expect(&kv, "SET a 7 PXAT 1", "OK"); /* in the past */
    kv_expect(&kv, "GET a", "nil");
    kv_text_stop(&kv);
}

static void set_refuses_what_redis_refuses_in_its_words(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a", "(ERR wrong number of arguments for 'set' command)");
    kv_expect(&kv, "SET a 1 NX XX", "(ERR syntax error)");
    kv_expect(&kv, "SET a 1 EX", "(ERR syntax error)");
    kv_expect(&kv, "SET a 1 EX 1 PX 1", "(ERR syntax error)");
    kv_expect(&kv, "SET a 1 EX 1 KEEPTTL", "(ERR syntax error)");
    kv_expect(&kv, "SET a 1 EX x", "(ERR value is not an integer or out of range)");
    kv_expect(&kv, "SET a 1 EX 0", "(ERR invalid expire time in 'set' command)");
    kv_expect(&kv, "SET a 1 EX 9223372036854775807", "(ERR invalid expire time in 'set' command)");
    kv_expect(&kv, "PSETEX a -1 v", "(ERR invalid expire time in 'psetex' command)");
    kv_expect(&kv, "DBSIZE", "0");
    kv_text_stop(&kv);
}

static void get_and_its_kin_read_and_write_at_once(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "GETSET a 1", "nil");
    kv_expect(&kv, "GETSET a 2", "\"1\"");
    kv_expect(&kv, "GETEX a PX 500", "\"2\"");
    kv_expect(&kv, "PTTL a", "500");
    kv_expect(&kv, "GETEX a", "\"2\"");
    kv_expect(&kv, "PTTL a", "500");
    kv_expect(&kv, "GETEX a PERSIST", "\"2\"");
    kv_expect(&kv, "PTTL a", "-1");
    kv_expect(&kv, "GETEX a NX", "(ERR syntax error)");
    kv_expect(&kv, "GETEX zz EX 0", "nil");
    kv_expect(&kv, "GETEX a EX 0", "(ERR invalid expire time in 'getex' command)");
    kv_expect(&kv, "GETEX a EXAT 1", "\"2\"");
    kv_expect(&kv, "EXISTS a", "0");
    kv_expect(&kv, "SETNX a 3", "1");
    kv_expect(&kv, "SETNX a 4", "0");
    kv_expect(&kv, "GETDEL a", "\"3\"");
    kv_expect(&kv, "GETDEL a", "nil");
    kv_expect(&kv, "SETEX a 5 v", "OK");
    kv_expect(&kv, "TTL a", "5");
    kv_text_stop(&kv);
}

static void many_keys_at_once(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "MSET a 1 b 2 a 3", "OK");
    kv_expect(&kv, "MGET a zz b", "[\"3\" nil \"2\"]");
    kv_expect(&kv, "MSETNX c 1 a 1", "0");
    kv_expect(&kv, "EXISTS c", "0");
    kv_expect(&kv, "MSETNX c 1 d 1", "1");
    kv_expect(&kv, "MSET a 1 b", "(ERR wrong number of arguments for 'mset' command)");
    kv_text_stop(&kv);
}

static void parts_of_strings(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a start EX 100", "OK");
    kv_expect(&kv, "APPEND a \" end\"", "9");
    kv_expect(&kv, "TTL a", "100");
    kv_expect(&kv, "STRLEN a", "9");
    kv_expect(&kv, "GETRANGE a 0 -1", "\"start end\"");
    kv_expect(&kv, "SUBSTR a -3 100", "\"end\"");
    kv_expect(&kv, "GETRANGE a 5 2", "\"\"");
    kv_expect(&kv, "GETRANGE a x 2", "(ERR value is not an integer or out of range)");
    kv_expect(&kv, "SETRANGE b 3 xy", "5");
    kv_expect(&kv, "GET b", "\"\\x00\\x00\\x00xy\"");
    kv_expect(&kv, "SETRANGE b 1 q", "5");
    kv_expect(&kv, "GET b", "\"\\x00q\\x00xy\"");
    kv_expect(&kv, "SETRANGE c 5 \"\"", "0");
    kv_expect(&kv, "EXISTS c", "0");
    kv_expect(&kv, "SETRANGE b -1 x", "(ERR offset is out of range)");
    kv_expect(&kv, "SETRANGE b 536870912 x",
              "(ERR string exceeds maximum allowed size (proto-max-bulk-len))");
    kv_expect(&kv, "APPEND new v", "1");
    kv_text_stop(&kv);
}

static void integers_count_and_overflow_is_an_error(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "INCR a", "1");
    kv_expect(&kv, "INCRBY a 41", "42");
    kv_expect(&kv, "DECR a", "41");
    kv_expect(&kv, "DECRBY a 42", "-1");
    kv_expect(&kv, "SET a 9223372036854775807", "OK");
    kv_expect(&kv, "INCR a", "(ERR increment or decrement would overflow)");
    kv_expect(&kv, "DECRBY a -9223372036854775808", "(ERR decrement would overflow)");
    kv_expect(&kv, "INCRBY a -9223372036854775808", "-1");
    for (const char *const *text =
             (const char *const[]){"\"\"", "01", "+1", "\" 1\"", "1x", "9223372036854775808", NULL};
         *text != NULL; text++) {
        char line[64];
        snprintf(line, sizeof line, "SET a %s", *text);
        kv_expect(&kv, line, "OK");
        kv_expect(&kv, "INCR a", "(ERR value is not an integer or out of range)");
    }
    kv_text_stop(&kv);
}

static void floats_are_shown_with_seventeen_decimals_at_most(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 10.50", "OK");
    kv_expect(&kv, "INCRBYFLOAT a 0.1", "\"10.6\"");
    kv_expect(&kv, "INCRBYFLOAT a -5", "\"5.6\"");
    kv_expect(&kv, "SET a 0.1", "OK");
    kv_expect(&kv, "INCRBYFLOAT a 5.0e3", "\"5000.10000000000000009\"");
    kv_expect(&kv, "SET a 1", "OK");
    kv_expect(&kv, "INCRBYFLOAT a -1", "\"0\"");
    kv_expect(&kv, "SET a 3.0e3", "OK");
    kv_expect(&kv, "INCRBYFLOAT a 200", "\"3200\"");
    kv_expect(&kv, "INCRBYFLOAT a x", "(ERR value is not a valid float)");
    kv_expect(&kv, "INCRBYFLOAT a nan", "(ERR value is not a valid float)");
    kv_expect(&kv, "INCRBYFLOAT a inf", "(ERR increment would produce NaN or Infinity)");
    kv_expect(&kv, "SET a \" 1\"", "OK");
    kv_expect(&kv, "INCRBYFLOAT a 1", "(ERR value is not a valid float)");
    kv_text_stop(&kv);
}

static void the_longest_common_subsequence(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "MSET a ohmytext b mynewtext", "OK");
    kv_expect(&kv, "LCS a b", "\"mytext\"");
    kv_expect(&kv, "LCS a b LEN", "6");
    kv_expect(&kv, "LCS a b IDX", "{\"matches\" [[[4 7] [5 8]] [[2 3] [0 1]]] \"len\" 6}");
    kv_expect(&kv, "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
              "{\"matches\" [[[4 7] [5 8] 4]] \"len\" 6}");
    kv_expect(&kv, "LCS a b IDX LEN",
              "(ERR If you want both the length and indexes, please just use IDX.)");
    kv_expect(&kv, "LCS a zz", "\"\"");
    kv_expect(&kv, "LCS a b MINMATCHLEN", "(ERR syntax error)");
    kv_text_stop(&kv);
}

static void values_above_the_limit_are_refused(void **state) {
    struct kv_text kv;
    kv_text_start_with(&kv, (struct machine_options){.value_bytes_max = 4, .work_max = 20});
    const char *refusal = "(ERR string exceeds maximum allowed size (proto-max-bulk-len))";
    kv_expect(&kv, "SET a 12345", refusal);
    kv_expect(&kv, "SET a 1234", "OK");
    kv_expect(&kv, "APPEND a 5", refusal);
    kv_expect(&kv, "MSET b 1 c 12345", refusal);
    kv_expect(&kv, "EXISTS b", "0");
    kv_expect(&kv, "GETSET a 12345", refusal);
    kv_expect(&kv, "SETBIT a 32 1", "(ERR bit offset is not an integer or out of range)");
    kv_expect(&kv, "SET b 123", "OK");
    kv_expect(&kv, "LCS a b", "\"123\"");
    kv_expect(&kv, "LCS a a",
              "(ERR LCS would take too long: the lengths multiply to 25, the limit is 20; compare "
              "shorter strings)");
    kv_expect(&kv, "BITOP OR d a a a a a a",
              "(ERR BITOP would take too long: the sources have 24 bytes, the limit is 20; use "
              "fewer or smaller sources)");
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_takes_the_options_of_redis),
        cmocka_unit_test(set_refuses_what_redis_refuses_in_its_words),
        cmocka_unit_test(get_and_its_kin_read_and_write_at_once),
        cmocka_unit_test(many_keys_at_once),
        cmocka_unit_test(parts_of_strings),
        cmocka_unit_test(integers_count_and_overflow_is_an_error),
        cmocka_unit_test(floats_are_shown_with_seventeen_decimals_at_most),
        cmocka_unit_test(the_longest_common_subsequence),
        cmocka_unit_test(values_above_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
