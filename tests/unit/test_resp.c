#include "wire/resp.h"

#include "base/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BULK_MAX 1000u

struct read {
    struct resp_request request;
    enum resp_result result;
    const char *error;
    size_t used;
    struct bytes args[16];
};

static void read_all(struct read *read, struct bytes bytes) {
    *read = (struct read){0};
    read->result = resp_request_read(&read->request, bytes, BULK_MAX, &read->used, &read->error);
    if (read->result == RESP_COMMAND)
        resp_request_args(&read->request, bytes, read->args);
}

static void expect_args(const char *text, size_t count, const char *const *args) {
    struct read read;
    read_all(&read, bytes_cstr(text));
    assert_int_equal(read.result, RESP_COMMAND);
    assert_int_equal(read.used, strlen(text));
    assert_int_equal(read.request.count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(bytes_equal(read.args[i], bytes_cstr(args[i])));
    resp_request_free(&read.request);
}

static void expect_error(const char *text, const char *error) {
    struct read read;
    read_all(&read, bytes_cstr(text));
    assert_int_equal(read.result, RESP_ERROR);
    assert_string_equal(read.error, error);
    resp_request_free(&read.request);
}

static void a_command_is_read_from_any_two_pieces(void **state) {
    struct bytes whole = BYTES("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\n\0b\r\n");
    for (size_t at = 0; at <= whole.len; at++) {
        struct resp_request request = {0};
        size_t used = 0;
        const char *error = NULL;
        enum resp_result first =
            resp_request_read(&request, bytes_of(whole.data, at), BULK_MAX, &used, &error);
        assert_int_equal(first, at == whole.len ? RESP_COMMAND : RESP_MORE);
        if (first == RESP_MORE)
            assert_int_equal(resp_request_read(&request, whole, BULK_MAX, &used, &error),
                             RESP_COMMAND);
        struct bytes args[3];
        resp_request_args(&request, whole, args);
        assert_int_equal(used, whole.len);
        assert_true(bytes_equal(args[1], BYTES("")));
        assert_true(bytes_equal(args[2], BYTES("a\r\n\0b")));
        resp_request_free(&request);
    }
}

static void a_command_is_read_byte_by_byte_and_ends_where_it_ends(void **state) {
    struct bytes whole = BYTES("*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n");
    struct resp_request request = {0};
    size_t used = 0, at = 1;
    const char *error = NULL;
    while (resp_request_read(&request, bytes_of(whole.data, at), BULK_MAX, &used, &error) ==
           RESP_MORE)
        at++;
    assert_int_equal(at, whole.len - 4);
    assert_int_equal(used, at);
    resp_request_reset(&request);
    assert_int_equal(request.count, 0);
    resp_request_free(&request);
}

static void inline_commands_are_words_with_quotes(void **state) {
    expect_args("PING\r\n", 1, (const char *[]){"PING"});
    expect_args("PING\n", 1, (const char *[]){"PING"});
    expect_args("  set  a\tb \r\n", 3, (const char *[]){"set", "a", "b"});
    expect_args("echo \"a b\" 'c d' \"\"\r\n", 4, (const char *[]){"echo", "a b", "c d", ""});
    expect_args("echo \"\\x41\\n\\\"\\q\" 'it\\'s\\n'\r\n", 3,
                (const char *[]){"echo", "A\n\"q", "it's\\n"});
    expect_args("\r\n", 0, NULL);
    expect_error("echo \"a\r\n", "ERR Protocol error: unbalanced quotes in request");
    expect_error("echo 'a'b\r\n", "ERR Protocol error: unbalanced quotes in request");
}

static void an_inline_command_without_end_is_refused_at_64_kib(void **state) {
    struct buf text = {0};
    struct read read;
    while (text.len < RESP_INLINE_MAX)
        buf_u8(&text, 'x');
    read_all(&read, buf_view(&text));
    assert_int_equal(read.result, RESP_MORE);
    buf_u8(&text, 'x');
    read_all(&read, buf_view(&text));
    assert_int_equal(read.result, RESP_ERROR);
    buf_free(&text);
}

static void lies_about_lengths_are_refused_at_once(void **state) {
    expect_error("*1048577\r\n", "ERR Protocol error: invalid multibulk length");
    expect_error("*99999999999999999999\r\n", "ERR Protocol error: invalid multibulk length");
    expect_error("*x\r\n", "ERR Protocol error: invalid multibulk length");
    expect_error("*\r\n", "ERR Protocol error: invalid multibulk length");
    expect_error("*01\r\n", "ERR Protocol error: invalid multibulk length");
    expect_error("*1\r\n$1001\r\n", "ERR Protocol error: invalid bulk length");
    expect_error("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length");
    expect_error("*1\r\n$9223372036854775807\r\n", "ERR Protocol error: invalid bulk length");
    expect_error("*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'");
    expect_error("*1\r\n$1\r\nab\r\n", "ERR Protocol error: bulk string without its line end");
    expect_args("*-1\r\n", 0, NULL);
    expect_args("*0\r\n", 0, NULL);
}

/* What stands in a reply, for RESP2 and RESP3. */
static void expect_reply(void (*put)(struct buf *, int), const char *two, const char *three) {
    struct buf out = {0};
    put(&out, 2);
    assert_true(bytes_equal(buf_view(&out), bytes_cstr(two)));
    buf_clear(&out);
    put(&out, 3);
    assert_true(bytes_equal(buf_view(&out), bytes_cstr(three)));
    buf_free(&out);
}

static void put_map(struct buf *out, int protocol) {
    resp_put_map(out, protocol, 2);
}
static void put_verbatim(struct buf *out, int protocol) {
    resp_put_verbatim(out, protocol, BYTES("hi"));
}
static void put_infinite(struct buf *out, int protocol) {
    resp_put_double(out, protocol, -INFINITY);
}
static void put_true(struct buf *out, int protocol) {
    resp_put_bool(out, protocol, true);
}
static void put_push(struct buf *out, int protocol) {
    resp_put_push(out, protocol, 3);
}
static void put_set(struct buf *out, int protocol) {
    resp_put_set(out, protocol, 0);
}

static void replies_have_the_shapes_of_their_protocol_version(void **state) {
    expect_reply(resp_put_nil, "$-1\r\n", "_\r\n");
    expect_reply(resp_put_nil_array, "*-1\r\n", "_\r\n");
    expect_reply(put_map, "*4\r\n", "%2\r\n");
    expect_reply(put_set, "*0\r\n", "~0\r\n");
    expect_reply(put_push, "*3\r\n", ">3\r\n");
    expect_reply(put_verbatim, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    expect_reply(put_infinite, "$4\r\n-inf\r\n", ",-inf\r\n");
    expect_reply(put_true, ":1\r\n", "#t\r\n");
}

static void numbers_and_errors_are_one_line(void **state) {
    struct buf out = {0};
    resp_put_int(&out, INT64_MIN);
    resp_put_int(&out, 0);
    resp_put_error(&out, "ERR two\r\nlines");
    assert_true(
        bytes_equal(buf_view(&out), BYTES(":-9223372036854775808\r\n:0\r\n-ERR two  lines\r\n")));
    buf_free(&out);
}

static void a_value_is_whole_only_with_all_its_elements(void **state) {
    struct bytes whole = BYTES("%1\r\n+k\r\n*3\r\n:1\r\n$2\r\nab\r\n~1\r\n_\r\n+next\r\n");
    size_t len = whole.len - strlen("+next\r\n");
    for (size_t at = 0; at < len; at++)
        assert_int_equal(resp_value_length(bytes_of(whole.data, at)), 0);
    assert_int_equal(resp_value_length(whole), len);
    assert_int_equal(resp_value_length(BYTES("?1\r\n")), SIZE_MAX);
    assert_int_equal(resp_value_length(BYTES("\0\r\n\r\n")), SIZE_MAX);
    assert_int_equal(resp_value_length(BYTES("*9223372036854775807\r\n")), SIZE_MAX);
    assert_int_equal(resp_value_length(BYTES("$1\r\nabc")), SIZE_MAX);
    assert_int_equal(resp_value_length(BYTES(": 1\r\n")), SIZE_MAX);
}

static void what_is_written_is_read_back(void **state) {
    struct prng prng;
    prng_seed(&prng, 7);
    for (int round = 0; round < 2000; round++) {
        struct buf out = {0};
        struct resp_value value;
        size_t used = 0;
        uint8_t bytes[40];
        size_t len = prng_below(&prng, sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)prng_next(&prng);
        int64_t number = (int64_t)prng_next(&prng);
        resp_put_bulk(&out, bytes_of(bytes, len));
        assert_int_equal(resp_value_read(buf_view(&out), &value, &used), RESP_COMMAND);
        assert_int_equal(value.kind, RESP_BULK);
        assert_true(bytes_equal(value.text, bytes_of(bytes, len)));
        buf_clear(&out);
        resp_put_int(&out, number);
        assert_int_equal(resp_value_read(buf_view(&out), &value, &used), RESP_COMMAND);
        assert_true(value.kind == RESP_INT && value.integer == number);
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_read_from_any_two_pieces),
        cmocka_unit_test(a_command_is_read_byte_by_byte_and_ends_where_it_ends),
        cmocka_unit_test(inline_commands_are_words_with_quotes),
        cmocka_unit_test(an_inline_command_without_end_is_refused_at_64_kib),
        cmocka_unit_test(lies_about_lengths_are_refused_at_once),
        cmocka_unit_test(replies_have_the_shapes_of_their_protocol_version),
        cmocka_unit_test(numbers_and_errors_are_one_line),
        cmocka_unit_test(a_value_is_whole_only_with_all_its_elements),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
