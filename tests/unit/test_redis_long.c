/* Long commands, replies and messages of the Redis front end: whole, in order, and a stretch at a
 * time. */
#include "redis_box.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "machine/kv/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MB (1u << 20)

static struct redis_box *box_new(void) {
    struct redis_options options;
    redis_options_default(&options);
    return redis_box_new(&options);
}

/* Bytes that tell their place. */
static struct buf pattern(size_t len, uint64_t seed) {
    struct buf out = {0};
    struct prng prng;
    prng_seed(&prng, seed);
    uint8_t *at = buf_reserve(&out, len + 8);
    for (size_t i = 0; i < len; i += 8)
        put_u64(at + i, prng_next(&prng) | 0x0101010101010101ull); /* no NUL */
    out.len = len;
    return out;
}

static void put_word(struct buf *out, struct bytes word) {
    buf_printf(out, "$%zu\r\n", word.len);
    buf_bytes(out, word);
    buf_bytes(out, BYTES("\r\n"));
}

static void put_words(struct buf *out, const struct bytes *words, size_t count) {
    buf_printf(out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        put_word(out, words[i]);
}

/* As the network has it: so many bytes at a time. */
static void send_all(struct redis_box *box, struct redis_box_client *client, struct bytes bytes,
                     size_t step) {
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t len = bytes.len - at < step ? bytes.len - at : step;
        redis_box_send(client, bytes_of(bytes.data + at, len));
    }
    redis_box_settle(box);
}

static void expect_bytes(struct redis_box_client *client, struct bytes bytes) {
    const char *got = redis_box_take(client);
    assert_int_equal(strlen(got), bytes.len);
    assert_memory_equal(got, bytes.data, bytes.len);
}

static void an_encoding_in_place_is_the_same(void **state) {
    struct prng prng;
    prng_seed(&prng, 7);
    for (int round = 0; round < 3000; round++) {
        struct bytes args[6], words[7] = {BYTES("MSET")};
        struct buf sent = {0}, expected = {0}, room = pattern(4096, (uint64_t)round);
        size_t argc = 1 + prng_below(&prng, 6), at = 0;
        for (size_t i = 0; i < argc; i++) {
            size_t len = prng_chance(&prng, 1, 3) ? prng_below(&prng, 12) : prng_below(&prng, 600);
            args[i] = words[1 + i] = bytes_of(room.data + at, len);
            at += len;
        }
        kv_encode(&expected, KV_MSET, args, argc);
        assert_int_equal(expected.len, kv_encoded_len(args, argc));
        put_words(&sent, words, 1 + argc);
        const uint8_t *place = sent.data + sent.len; /* the arguments as they lie there */
        for (size_t i = argc; i-- > 0;) {
            place -= args[i].len + 2;
            args[i].data = place;
            place -= (size_t)snprintf(NULL, 0, "$%zu\r\n", args[i].len);
        }
        struct bytes made = kv_encode_in_place(KV_MSET, args, argc);
        assert_true(made.data >= sent.data && made.data + made.len <= sent.data + sent.len);
        assert_true(bytes_equal(made, buf_view(&expected)));
        buf_free(&sent);
        buf_free(&expected);
        buf_free(&room);
    }
}

static void long_commands_and_what_follows_them_are_executed_in_order(void **state) {
    static const size_t steps[] = {1000, 65536, 3 * MB};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct redis_box *box = box_new();
        struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
        struct buf value = pattern(MB, 1), other = pattern(700000, 2), sent = {0}, expected = {0};
        put_words(&sent, (struct bytes[]){BYTES("SET"), BYTES("a"), buf_view(&value)}, 3);
        put_words(&sent, (struct bytes[]){BYTES("APPEND"), BYTES("a"), BYTES("tail")}, 3);
        put_words(&sent,
                  (struct bytes[]){BYTES("MSET"), BYTES("b"), buf_view(&other), BYTES("c"),
                                   buf_view(&value)},
                  5);
        put_words(&sent, (struct bytes[]){BYTES("STRLEN"), BYTES("a")}, 2);
        put_words(&sent, (struct bytes[]){BYTES("GET"), BYTES("b")}, 2);
        put_words(&sent, (struct bytes[]){BYTES("GET"), BYTES("c")}, 2);
        send_all(box, client, buf_view(&sent), steps[s]);
        buf_printf(&expected, "+OK\r\n:%u\r\n+OK\r\n:%u\r\n", MB + 4, MB + 4);
        put_word(&expected, buf_view(&other));
        put_word(&expected, buf_view(&value));
        expect_bytes(client, buf_view(&expected));
        buf_free(&value);
        buf_free(&other);
        buf_free(&sent);
        buf_free(&expected);
        redis_box_free(box);
    }
}

static void a_transaction_may_hold_long_commands(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    struct buf value = pattern(2 * MB, 3), sent = {0}, expected = {0};
    struct bytes set[] = {BYTES("SET"), BYTES("a"), buf_view(&value)};
    put_words(&sent, (struct bytes[]){BYTES("MULTI")}, 1);
    put_words(&sent, (struct bytes[]){BYTES("INCR"), BYTES("n")}, 2);
    put_words(&sent, set, 3);
    put_words(&sent, (struct bytes[]){BYTES("APPEND"), BYTES("a"), BYTES("x")}, 3);
    put_words(&sent, (struct bytes[]){BYTES("SET"), BYTES("b"), buf_view(&value)}, 3);
    put_words(&sent, (struct bytes[]){BYTES("GET"), BYTES("b")}, 2);
    put_words(&sent, (struct bytes[]){BYTES("EXEC")}, 1);
    /* And one with commands of the front end's own among them. */
    put_words(&sent, (struct bytes[]){BYTES("MULTI")}, 1);
    put_words(&sent, (struct bytes[]){BYTES("PING")}, 1);
    put_words(&sent, set, 3);
    put_words(&sent, (struct bytes[]){BYTES("PUBLISH"), BYTES("ch"), buf_view(&value)}, 3);
    put_words(&sent, (struct bytes[]){BYTES("STRLEN"), BYTES("a")}, 2);
    put_words(&sent, (struct bytes[]){BYTES("EXEC")}, 1);
    put_words(&sent, (struct bytes[]){BYTES("MULTI")}, 1);
    put_words(&sent, set, 3);
    put_words(&sent, (struct bytes[]){BYTES("DISCARD")}, 1);
    send_all(box, client, buf_view(&sent), 65536);
    buf_printf(&expected, "+OK\r\n");
    for (int i = 0; i < 5; i++)
        buf_printf(&expected, "+QUEUED\r\n");
    buf_printf(&expected, "*5\r\n:1\r\n+OK\r\n:%u\r\n+OK\r\n", 2 * MB + 1);
    put_word(&expected, buf_view(&value));
    buf_printf(&expected, "+OK\r\n");
    for (int i = 0; i < 4; i++)
        buf_printf(&expected, "+QUEUED\r\n");
    buf_printf(&expected, "*4\r\n+PONG\r\n+OK\r\n:0\r\n:%u\r\n", 2 * MB);
    buf_printf(&expected, "+OK\r\n+QUEUED\r\n+OK\r\n");
    expect_bytes(client, buf_view(&expected));
    buf_free(&value);
    buf_free(&sent);
    buf_free(&expected);
    redis_box_free(box);
}

/* The client takes what it was sent so far, and no more. */
static void read_some(struct redis_box *box, struct redis_box_client *client) {
    redis_box_reads(client, true);
    redis_box_reads(client, false);
    redis_box_settle(box);
}

static void long_replies_are_put_as_the_client_takes_them(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    struct buf value = pattern(10 * MB, 4), small = pattern(9000, 5), sent = {0}, expected = {0};
    put_words(&sent, (struct bytes[]){BYTES("SET"), BYTES("a"), buf_view(&value)}, 3);
    put_words(&sent, (struct bytes[]){BYTES("SET"), BYTES("s"), buf_view(&small)}, 3);
    send_all(box, client, buf_view(&sent), 65536);
    redis_box_take(client);
    redis_box_reads(client, false);
    redis_box_say(client, "MGET s a none a s");
    redis_box_say(client, "GETSET a new");
    redis_box_say(client, "GET a");
    redis_box_say(client, "PING");
    redis_box_settle(box);
    for (int turns = 0; redis_box_unread(client) > 0; turns++) {
        assert_true(redis_box_unread(client) <= 2 * MB);
        assert_true(turns < 200);
        read_some(box, client);
    }
    buf_printf(&expected, "*5\r\n");
    put_word(&expected, buf_view(&small));
    put_word(&expected, buf_view(&value));
    buf_printf(&expected, "$-1\r\n");
    put_word(&expected, buf_view(&value));
    put_word(&expected, buf_view(&small));
    put_word(&expected, buf_view(&value));
    buf_printf(&expected, "$3\r\nnew\r\n+PONG\r\n");
    expect_bytes(client, buf_view(&expected));
    buf_free(&value);
    buf_free(&small);
    buf_free(&sent);
    buf_free(&expected);
    redis_box_free(box);
}

/* With commands of the front end's own among its own: carried out as they are put. */
static void a_transactions_long_reply_is_put_as_the_client_takes_it(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    struct buf value = pattern(5 * MB, 4), sent = {0}, expected = {0};
    put_words(&sent, (struct bytes[]){BYTES("SET"), BYTES("a"), buf_view(&value)}, 3);
    send_all(box, client, buf_view(&sent), 65536);
    redis_box_take(client);
    redis_box_reads(client, false);
    redis_box_say(client, "MULTI");
    redis_box_say(client, "GET a");
    redis_box_say(client, "ECHO between");
    redis_box_say(client, "GET a");
    redis_box_say(client, "PUBLISH ch m");
    redis_box_say(client, "GET none");
    redis_box_say(client, "PING");
    redis_box_say(client, "EXEC");
    redis_box_say(client, "PING");
    redis_box_settle(box);
    for (int turns = 0; redis_box_unread(client) > 0; turns++) {
        assert_true(redis_box_unread(client) <= 2 * MB);
        assert_true(turns < 100);
        read_some(box, client);
    }
    buf_printf(&expected, "+OK\r\n");
    for (int i = 0; i < 6; i++)
        buf_printf(&expected, "+QUEUED\r\n");
    buf_printf(&expected, "*6\r\n");
    put_word(&expected, buf_view(&value));
    buf_printf(&expected, "$7\r\nbetween\r\n");
    put_word(&expected, buf_view(&value));
    buf_printf(&expected, ":0\r\n$-1\r\n+PONG\r\n+PONG\r\n");
    expect_bytes(client, buf_view(&expected));
    buf_free(&value);
    buf_free(&sent);
    buf_free(&expected);
    redis_box_free(box);
}

/* 20,000 lists of all commands are gigabytes. */
static void what_a_transaction_makes_the_front_end_say_is_made_as_it_is_taken(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    redis_box_say(client, "COMMAND");
    redis_box_settle(box);
    size_t one = redis_box_got(client);
    redis_box_reads(client, false);
    redis_box_say(client, "MULTI");
    for (int i = 0; i < 20000; i++)
        redis_box_say(client, "COMMAND");
    redis_box_settle(box);
    while (redis_box_unread(client) > 0)
        read_some(box, client);
    size_t before = redis_box_got(client);
    redis_box_say(client, "EXEC");
    redis_box_settle(box);
    for (int i = 0; i < 50; i++) {
        assert_in_range(redis_box_unread(client), 1, 2 * MB);
        read_some(box, client);
    }
    assert_true(redis_box_got(client) - before > 50 * one);
    redis_box_hang_up(client);
    redis_box_settle(box);
    redis_box_free(box);
}

static void put_message(struct buf *out, const char *head, const struct buf *message) {
    buf_printf(out, "%s", head);
    put_word(out, buf_view(message));
}

static void a_long_message_reaches_all_subscribers_in_its_place(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *plain = redis_box_connect(box, "10.0.0.1:1"),
                            *slow = redis_box_connect(box, "10.0.0.1:2"),
                            *publisher = redis_box_connect(box, "10.0.0.1:3"),
                            *gone = redis_box_connect(box, "10.0.0.1:4");
    struct buf message = pattern(5 * MB, 6), sent = {0}, expected = {0};
    redis_box_say(plain, "SUBSCRIBE ch");
    redis_box_say(slow, "HELLO 3");
    redis_box_say(slow, "PSUBSCRIBE c*");
    redis_box_say(gone, "SUBSCRIBE ch");
    redis_box_settle(box);
    redis_box_take(plain);
    redis_box_take(slow);
    redis_box_reads(slow, false);
    redis_box_reads(gone, false);
    put_words(&sent, (struct bytes[]){BYTES("PUBLISH"), BYTES("ch"), BYTES("1")}, 3);
    put_words(&sent, (struct bytes[]){BYTES("PUBLISH"), BYTES("ch"), buf_view(&message)}, 3);
    put_words(&sent, (struct bytes[]){BYTES("PUBLISH"), BYTES("ch"), BYTES("2")}, 3);
    redis_box_say(slow, "GET k");
    send_all(box, publisher, buf_view(&sent), 65536);
    redis_box_say(slow, "PING");
    redis_box_settle(box);
    redis_box_hang_up(gone);
    for (int turns = 0; redis_box_unread(slow) > 0 && turns < 100; turns++)
        read_some(box, slow);
    assert_string_equal(redis_box_take(publisher), ":3\r\n:3\r\n:3\r\n");
    const char *head = "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n";
    buf_printf(&expected, "%s$1\r\n1\r\n", head);
    put_message(&expected, head, &message);
    buf_printf(&expected, "%s$1\r\n2\r\n", head);
    expect_bytes(plain, buf_view(&expected));
    buf_clear(&expected);
    head = ">4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nch\r\n";
    buf_printf(&expected, "_\r\n%s$1\r\n1\r\n", head);
    put_message(&expected, head, &message);
    buf_printf(&expected, "%s$1\r\n2\r\n+PONG\r\n", head);
    expect_bytes(slow, buf_view(&expected));
    buf_free(&message);
    buf_free(&sent);
    buf_free(&expected);
    redis_box_free(box);
}

static void silenced_replies_are_not_put_however_long(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    redis_box_say(client, "SETRANGE a 3000000 x");
    redis_box_say(client, "CLIENT REPLY SKIP");
    redis_box_say(client, "GET a");
    redis_box_say(client, "PING");
    redis_box_settle(box);
    assert_string_equal(redis_box_take(client), ":3000001\r\n+PONG\r\n");
    redis_box_free(box);
}

static void a_client_that_goes_in_the_middle_of_a_long_reply_leaves_nothing(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1");
    redis_box_say(client, "SETRANGE a 8000000 x");
    redis_box_settle(box);
    redis_box_reads(client, false);
    redis_box_say(client, "GET a");
    redis_box_say(client, "QUIT");
    redis_box_settle(box);
    assert_false(redis_box_closed(client));
    redis_box_wait(box, 40000); /* it reads nothing before its end */
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encoding_in_place_is_the_same),
        cmocka_unit_test(long_commands_and_what_follows_them_are_executed_in_order),
        cmocka_unit_test(a_transaction_may_hold_long_commands),
        cmocka_unit_test(long_replies_are_put_as_the_client_takes_them),
        cmocka_unit_test(a_transactions_long_reply_is_put_as_the_client_takes_it),
        cmocka_unit_test(what_a_transaction_makes_the_front_end_say_is_made_as_it_is_taken),
        cmocka_unit_test(a_long_message_reaches_all_subscribers_in_its_place),
        cmocka_unit_test(silenced_replies_are_not_put_however_long),
        cmocka_unit_test(a_client_that_goes_in_the_middle_of_a_long_reply_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
