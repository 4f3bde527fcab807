#include "base/bytes.h"
#include "base/crc16.h"
#include "base/crc64.h"
#include "base/hmap.h"
#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void a_short_read_makes_the_reader_bad_and_it_stays_bad(void **state) {
    struct reader reader = reader_of(BYTES("\x01\x02\x03"));
    assert_int_equal(read_u16(&reader), 0x0201);
    assert_int_equal(read_u32(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(read_u8(&reader), 0);
    assert_false(reader_done(&reader));
}

static void a_block_length_beyond_the_input_is_refused_before_anything_is_read(void **state) {
    struct reader reader = reader_of(BYTES("\xff\xff\xff\xff"
                                           "abc"));
    assert_int_equal(read_block(&reader, UINT32_MAX).len, 0);
    assert_true(reader.bad);
}

static void what_is_written_reads_back(void **state) {
    struct buf buf = {0};
    buf_u8(&buf, 7);
    buf_u64(&buf, UINT64_MAX - 1);
    buf_block(&buf, BYTES("hello"));
    buf_printf(&buf, "%d", 42);
    struct reader reader = reader_of(buf_view(&buf));
    assert_int_equal(read_u8(&reader), 7);
    assert_true(read_u64(&reader) == UINT64_MAX - 1);
    assert_true(bytes_equal(read_block(&reader, 10), BYTES("hello")));
    assert_true(bytes_equal(read_bytes(&reader, 2), BYTES("42")));
    assert_true(reader_done(&reader));
    buf_free(&buf);
}

static void crc16_of_the_standard_check_string(void **state) {
    assert_int_equal(crc16((const uint8_t *)"123456789", 9), 0x31c3);
}

static uint64_t crc64_of(const uint8_t *data, size_t len, size_t told, size_t step) {
    struct crc64 crc;
    crc64_begin(&crc, told);
    for (size_t at = 0; at < len; at += step)
        crc64_add(&crc, data + at, len - at < step ? len - at : step);
    return crc64_end(&crc);
}

static void crc64_of_the_standard_check_string(void **state) {
    const uint8_t *text = (const uint8_t *)"123456789";
    assert_true(crc64_of(text, 9, 9, 9) == 0xe9c6d914c4b8d9caull);
    assert_true(crc64_of(text, 9, 1 << 20, 9) == 0xe9c6d914c4b8d9caull);
}

static void crc64_is_the_same_with_and_without_tables_in_parts_of_any_length(void **state) {
    uint8_t data[1000];
    struct prng prng;
    prng_seed(&prng, 64);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)prng_next(&prng);
    uint64_t expected = crc64_of(data, sizeof data, 0, 1);
    for (size_t step = 1; step < 40; step++)
        assert_true(crc64_of(data, sizeof data, 1 << 20, step) == expected);
}

static void prng_bounds_hold_and_seeds_repeat(void **state) {
    struct prng a, b;
    prng_seed(&a, 5);
    prng_seed(&b, 5);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_between(&a, 10, 20);
        assert_in_range(value, 10, 20);
        assert_true(value == prng_between(&b, 10, 20));
    }
}

struct number {
    struct hnode node;
    uint64_t value;
};

static bool number_matches(const struct hnode *node, const void *key) {
    return container_of(node, struct number, node)->value == *(const uint64_t *)key;
}

static void a_hash_map_finds_what_was_inserted_and_not_what_was_removed(void **state) {
    struct hmap map = {0};
    struct number numbers[100];
    for (uint64_t i = 0; i < 100; i++) {
        numbers[i].value = i;
        hmap_insert(&map, &numbers[i].node, hash_u64(i));
    }
    for (uint64_t i = 0; i < 100; i += 2)
        hmap_remove(&map, &numbers[i].node);
    for (uint64_t i = 0; i < 100; i++)
        assert_true((hmap_find(&map, hash_u64(i), number_matches, &i) != NULL) == (i % 2 == 1));
    size_t seen = 0;
    for (struct hnode *node = hmap_next(&map, NULL); node != NULL; node = hmap_next(&map, node))
        seen++;
    assert_int_equal(seen, 50);
    hmap_free(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_read_makes_the_reader_bad_and_it_stays_bad),
        cmocka_unit_test(a_block_length_beyond_the_input_is_refused_before_anything_is_read),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(crc16_of_the_standard_check_string),
        cmocka_unit_test(crc64_of_the_standard_check_string),
        cmocka_unit_test(crc64_is_the_same_with_and_without_tables_in_parts_of_any_length),
        cmocka_unit_test(prng_bounds_hold_and_seeds_repeat),
        cmocka_unit_test(a_hash_map_finds_what_was_inserted_and_not_what_was_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
