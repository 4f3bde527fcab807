#include "kv_text.h"

static void single_bits_are_set_and_read(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SETBIT a 7 1", "0");
    kv_expect(&kv, "SETBIT a 7 0", "1");
    kv_expect(&kv, "SETBIT a 17 1", "0");
    kv_expect(&kv, "GET a", "\"\\x00\\x00@\"");
    kv_expect(&kv, "GETBIT a 17", "1");
    kv_expect(&kv, "GETBIT a 1000", "0");
    kv_expect(&kv, "GETBIT zz 0", "0");
    kv_expect(&kv, "SETBIT a -1 0", "(ERR bit offset is not an integer or out of range)");
    kv_expect(&kv, "SETBIT a 4294967296 0", "(ERR bit offset is not an integer or out of range)");
    kv_expect(&kv, "SETBIT a 0 2", "(ERR bit is not an integer or out of range)");
    kv_text_stop(&kv);
}

static void bits_are_counted_in_bytes_or_bits(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a foobar", "OK");
    kv_expect(&kv, "BITCOUNT a", "26");
    kv_expect(&kv, "BITCOUNT a 0 0", "4");
    kv_expect(&kv, "BITCOUNT a 1 1 BYTE", "6");
    kv_expect(&kv, "BITCOUNT a 5 30 BIT", "17");
    kv_expect(&kv, "BITCOUNT a -2 -5", "0");
    kv_expect(&kv, "BITCOUNT a 0", "(ERR syntax error)");
    kv_expect(&kv, "BITCOUNT a 0 1 x", "(ERR syntax error)");
    kv_expect(&kv, "BITCOUNT zz", "0");
    kv_expect(&kv, "SET long \"123456789012345678901234567890\"", "OK");
    kv_expect(&kv, "BITCOUNT long", "105");
    kv_text_stop(&kv);
}

static void the_first_bit_is_found(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a \"\\xff\\xf0\\x00\"", "OK");
    kv_expect(&kv, "BITPOS a 0", "12");
    kv_expect(&kv, "BITPOS a 1 2", "-1");
    kv_expect(&kv, "BITPOS a 1 7 15 BIT", "7");
    kv_expect(&kv, "SET ones \"\\xff\\xff\\xff\"", "OK");
    kv_expect(&kv, "BITPOS ones 0", "24"); /* as if zeros followed */
    kv_expect(&kv, "BITPOS ones 0 0 -1", "-1");
    kv_expect(&kv, "BITPOS zz 0", "0");
    kv_expect(&kv, "BITPOS zz 1", "-1");
    kv_expect(&kv, "BITPOS a 2", "(ERR The bit argument must be 1 or 0.)");
    kv_text_stop(&kv);
}

static void strings_are_combined_bit_by_bit(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "MSET a abc b AB", "OK");
    kv_expect(&kv, "BITOP AND d a b", "3");
    kv_expect(&kv, "GET d", "\"AB\\x00\"");
    kv_expect(&kv, "BITOP OR d a b zz", "3");
    kv_expect(&kv, "GET d", "\"abc\"");
    kv_expect(&kv, "BITOP XOR d a b", "3");
    kv_expect(&kv, "GET d", "\"  c\"");
    kv_expect(&kv, "BITOP NOT a a", "3");
    kv_expect(&kv, "GET a", "\"\\x9e\\x9d\\x9c\"");
    kv_expect(&kv, "BITOP AND d zz zy", "0");
    kv_expect(&kv, "EXISTS d", "0");
    kv_expect(&kv, "BITOP NOT d a b", "(ERR BITOP NOT must be called with a single source key.)");
    kv_expect(&kv, "BITOP NAND d a b", "(ERR syntax error)");
    kv_text_stop(&kv);
}

static void fields_wrap_saturate_or_fail(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "BITFIELD a SET u8 0 255 GET u8 0 INCRBY u8 0 10", "[0 255 9]");
    kv_expect(&kv, "BITFIELD a OVERFLOW SAT INCRBY u8 0 1000 OVERFLOW FAIL INCRBY u8 0 1",
              "[255 nil]");
    kv_expect(&kv, "BITFIELD a SET i5 #2 -16 INCRBY i5 #2 -1", "[0 15]");
    kv_expect(&kv, "BITFIELD a SET i64 64 9223372036854775807 INCRBY i64 64 1",
              "[0 -9223372036854775808]");
    kv_expect(&kv, "STRLEN a", "16");
    kv_expect(&kv, "BITFIELD zz GET u8 0", "[0]");
    kv_expect(&kv, "EXISTS zz", "0");
    kv_expect(&kv, "BITFIELD_RO a GET u8 0", "[255]");
    kv_expect(&kv, "BITFIELD_RO a SET u8 0 1",
              "(ERR BITFIELD_RO only supports the GET subcommand)");
    kv_expect(&kv, "BITFIELD a GET u64 0",
              "(ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
              "supported but i64 is.)");
    kv_expect(&kv, "BITFIELD a OVERFLOW x", "(ERR Invalid OVERFLOW type specified)");
    kv_expect(&kv, "BITFIELD a GET u8", "(ERR syntax error)");
    kv_expect(&kv, "BITFIELD a GET u8 #536870912",
              "(ERR bit offset is not an integer or out of range)");
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bits_are_set_and_read),
        cmocka_unit_test(bits_are_counted_in_bytes_or_bits),
        cmocka_unit_test(the_first_bit_is_found),
        cmocka_unit_test(strings_are_combined_bit_by_bit),
        cmocka_unit_test(fields_wrap_saturate_or_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
