/* What the Redis front end owes its clients when connections end, and what they can make it hold.
 */
#include "redis_box.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY 100000
#define SHARE (1u << 20) /* of the output budget that one of few clients has */

static struct redis_box *box_new(void) {
    struct redis_options options;
    redis_options_default(&options);
    return redis_box_new(&options);
}

static struct redis_box_client *connect_one(struct redis_box *box) {
    struct redis_box_client *client = redis_box_connect(box, "10.0.0.1:1000");
    assert_non_null(client);
    return client;
}

static void set_length(struct redis_box *box, struct redis_box_client *client, const char *key,
                       size_t len) {
    char words[100];
    snprintf(words, sizeof words, "SETRANGE %s %zu x", key, len - 1);
    redis_box_say(client, words);
    redis_box_settle(box);
    redis_box_take(client);
}

static void expect(struct redis_box_client *client, const char *text) {
    assert_string_equal(redis_box_take(client), text);
}

/* ---- ends ---- */

static void quit_behind_a_long_reply_loses_none_of_it(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    set_length(box, client, "big", 8000000);
    size_t before = redis_box_got(client);
    redis_box_reads(client, false);
    redis_box_say(client, "GET big");
    redis_box_say(client, "QUIT");
    redis_box_settle(box);
    assert_false(redis_box_closed(client));
    redis_box_reads(client, true);
    redis_box_settle(box);
    assert_int_equal(redis_box_got(client) - before, 8000000 + strlen("$8000000\r\n\r\n+OK\r\n"));
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

static void a_client_that_has_said_all_is_answered_then_closed(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    redis_box_say(client, "SET a 1");
    redis_box_say(client, "GET a");
    redis_box_end(client);
    redis_box_turn(box);
    assert_false(redis_box_closed(client)); /* its commands are with the node */
    redis_box_settle(box);
    expect(client, "+OK\r\n$1\r\n1\r\n");
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

static void an_end_within_a_command_closes(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    redis_box_send(client, BYTES("PING\r\n*2\r\n$4\r\nECHO\r\n$10\r\nhal"));
    redis_box_end(client);
    redis_box_settle(box);
    expect(client, "+PONG\r\n");
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

static void the_error_that_ends_a_connection_is_delivered(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    redis_box_reads(client, false);
    redis_box_send(client, BYTES("*x\r\n"));
    redis_box_settle(box);
    assert_false(redis_box_closed(client));
    redis_box_reads(client, true);
    redis_box_turn(box);
    expect(client, "-ERR Protocol error: invalid multibulk length\r\n");
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

static void a_wait_ends_with_its_client(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    redis_box_say(client, "WAIT 5 0");
    redis_box_settle(box);
    assert_false(redis_box_closed(client));
    redis_box_end(client);
    redis_box_settle(box);
    expect(client, ":0\r\n");
    assert_true(redis_box_closed(client));
    redis_box_free(box);
}

static void what_a_pause_holds_goes_with_its_client(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box), *other = connect_one(box);
    redis_box_say(other, "CLIENT PAUSE 1000 ALL");
    redis_box_say(client, "SET k v");
    redis_box_settle(box);
    assert_true(redis_box_is_heard(client)); /* or its end would not be seen */
    redis_box_end(client);
    redis_box_settle(box);
    assert_true(redis_box_closed(client));
    redis_box_wait(box, 2000);
    assert_int_equal(redis_box_executed(box), 0);
    redis_box_free(box);
}

static void a_pause_of_writes_lets_transactions_of_reads_pass(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box), *other = connect_one(box);
    redis_box_say(other, "CLIENT PAUSE 1000 WRITE");
    redis_box_say(client, "MULTI");
    redis_box_say(client, "GET a");
    redis_box_say(client, "EXEC");
    redis_box_settle(box);
    expect(client, "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    redis_box_say(client, "MULTI");
    redis_box_say(client, "SET a 1");
    redis_box_say(client, "EXEC");
    redis_box_settle(box);
    expect(client, "+OK\r\n"); /* as Redis, it is not even queued */
    redis_box_wait(box, 2000);
    expect(client, "+QUEUED\r\n*1\r\n+OK\r\n");
    redis_box_free(box);
}

/* ---- pipelines ---- */

/* Writes all of them before it reads anything: as most client libraries do. */
static void burst(const char *words, size_t reply_len) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box), *other = connect_one(box);
    redis_box_say(other, "SET key 12345678901234567890123456789012345678901234567890");
    redis_box_settle(box);
    redis_box_take(other);
    redis_box_reads(client, false);
    for (unsigned i = 0; i < MANY; i++) {
        if (!redis_box_is_heard(client) || i % 1000 == 0)
            redis_box_settle(box); /* the node has much to do: that passes */
        assert_true(redis_box_is_heard(client));
        redis_box_say(client, words);
    }
    redis_box_settle(box);
    assert_true(redis_box_unread(client) < 2 * SHARE);
    for (unsigned i = 0; i < MANY && redis_box_got(client) < MANY * reply_len; i++) {
        redis_box_reads(client, true);
        redis_box_reads(client, false);
        redis_box_settle(box);
    }
    assert_int_equal(redis_box_got(client), MANY * reply_len);
    redis_box_say(other, "PING");
    redis_box_settle(box);
    expect(other, "+PONG\r\n");
    redis_box_free(box);
}

static void a_burst_of_any_length_comes_through(void **state) {
    burst("ECHO 12345678901234567890123456789012345678901234567890", 57);
    burst("GET key", 57);
    burst("SET other value", 5);
    burst("SET key 12345678901234567890123456789012345678901234567890 GET", 57);
}

static void unread_values_are_not_made_before_there_is_room(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *clients[50], *other = connect_one(box);
    size_t unread = 0;
    set_length(box, other, "big", 1000000);
    for (int i = 0; i < 50; i++) {
        clients[i] = connect_one(box);
        redis_box_reads(clients[i], false);
        for (int n = 0; n < 100; n++)
            redis_box_say(clients[i], "GET big");
    }
    redis_box_settle(box);
    for (int i = 0; i < 50; i++)
        unread += redis_box_unread(clients[i]);
    assert_true(unread <= 50 * 2000100);
    for (int n = 0; n < 200; n++) {
        redis_box_reads(clients[7], true);
        redis_box_reads(clients[7], false);
        redis_box_settle(box);
    }
    assert_int_equal(redis_box_got(clients[7]), 100 * (1000000 + strlen("$1000000\r\n\r\n")));
    redis_box_free(box);
}

/* Its answer waits, as that of a read, until there is room for it. */
static void a_transaction_of_reads_is_not_made_before_there_is_room(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    set_length(box, client, "big", 3000000);
    redis_box_reads(client, false);
    redis_box_say(client, "GET big");
    redis_box_say(client, "MULTI");
    redis_box_say(client, "GET big");
    redis_box_say(client, "STRLEN big");
    redis_box_say(client, "EXEC");
    redis_box_settle(box);
    assert_in_range(redis_box_unread(client), 1, 2000000);
    assert_int_equal(redis_box_executed(box), 2);
    for (int i = 0; i < 20; i++) {
        redis_box_reads(client, true);
        redis_box_settle(box);
    }
    assert_int_equal(redis_box_executed(box), 3);
    assert_int_equal(redis_box_got(client) % 3000000,
                     strlen(":3000000\r\n$3000000\r\n\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n"
                            "*2\r\n$3000000\r\n\r\n:3000000\r\n"));
    redis_box_free(box);
}

/* The reply in front may have to wait for room that only it can make. */
static void a_long_reply_behind_a_read_does_not_stop_it(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    struct buf echo = {0};
    buf_printf(&echo, "ECHO %0*d", 3000000, 1);
    buf_u8(&echo, 0);
    redis_box_say(client, "GET k");
    redis_box_say(client, (const char *)echo.data);
    redis_box_settle(box);
    assert_int_equal(redis_box_got(client), 5 + 3000000 + strlen("$3000000\r\n\r\n"));
    buf_free(&echo);
    redis_box_free(box);
}

static void whoever_leaves_most_unread_is_closed_and_others_go_on(void **state) {
    struct redis_options options;
    redis_options_default(&options);
    options.output_max = 4u << 20;
    struct redis_box *box = redis_box_new(&options);
    struct redis_box_client *greedy = connect_one(box), *modest = connect_one(box);
    unsigned lines;
    set_length(box, modest, "big", 1000000);
    redis_box_reads(greedy, false);
    redis_box_reads(modest, false);
    redis_box_say(modest, "GET big");
    redis_box_say(greedy, "SET k v"); /* reads behind a write go through the log: none waits */
    for (int i = 0; i < 30; i++)
        redis_box_say(greedy, "GET big");
    redis_box_settle(box);
    assert_true(redis_box_closed(greedy));
    redis_box_reads(modest, true);
    assert_int_equal(redis_box_got(modest), 1000000 + strlen(":1000000\r\n$1000000\r\n\r\n"));
    redis_box_say(modest, "PING");
    redis_box_settle(box);
    redis_box_take(modest);
    assert_false(redis_box_closed(modest));
    assert_non_null(strstr(redis_box_log(box, &lines), "unread"));
    assert_int_equal(lines, 1);
    redis_box_free(box);
}

/* ---- input ---- */

static void answers_that_are_being_made_count_as_unread(void **state) {
    struct redis_options options;
    redis_options_default(&options);
    options.output_max = 2000000; /* and half as much again */
    struct redis_box *box = redis_box_new(&options);
    struct redis_box_client *lazy = connect_one(box), *other = connect_one(box);
    set_length(box, other, "big", 1000000);
    redis_box_reads(lazy, false);
    redis_box_say(lazy, "GET big");
    redis_box_settle(box);
    redis_box_gather(box, 1900000);
    redis_box_turn(box);
    assert_false(redis_box_closed(lazy));
    redis_box_gather(box, 2100000);
    redis_box_turn(box);
    assert_true(redis_box_closed(lazy));
    assert_false(redis_box_closed(other)); /* whose answer it may be */
    redis_box_free(box);
}

static void whoever_hoards_most_input_is_closed_and_others_go_on(void **state) {
    struct redis_options options;
    redis_options_default(&options);
    options.input_budget = 1u << 20;
    struct redis_box *box = redis_box_new(&options);
    struct redis_box_client *greedy[3], *modest = connect_one(box);
    char room[300000];
    memset(room, 'x', sizeof room);
    redis_box_send(modest, BYTES("*2\r\n$4\r\nECHO\r\n$100000\r\n"));
    redis_box_send(modest, bytes_of(room, 50000));
    for (int i = 0; i < 3; i++) {
        greedy[i] = connect_one(box);
        redis_box_send(greedy[i], BYTES("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$60000000\r\n"));
        for (int n = 0; n <= i; n++)
            redis_box_send(greedy[i], bytes_of(room, sizeof room));
    }
    redis_box_turn(box);
    assert_false(redis_box_closed(greedy[0]));
    assert_true(redis_box_closed(greedy[2]));
    redis_box_send(modest, bytes_of(room, 50000));
    redis_box_send(modest, BYTES("\r\n"));
    redis_box_settle(box);
    assert_int_equal(redis_box_got(modest), 100000 + strlen("$100000\r\n\r\n"));
    redis_box_free(box);
}

static struct redis_box *guarded_box(void) {
    struct redis_options options;
    redis_options_default(&options);
    strcpy(options.password, "secret");
    return redis_box_new(&options);
}

static void what_is_queued_in_a_transaction_counts_as_input(void **state) {
    struct redis_options options;
    char line[100004];
    redis_options_default(&options);
    options.input_budget = 1000000;
    struct redis_box *box = redis_box_new(&options);
    struct redis_box_client *hoarder = connect_one(box), *other = connect_one(box);
    snprintf(line, sizeof line, "SET key %0*d", 90000, 1);
    for (int i = 0; i < 2; i++) { /* what is executed, or thrown away, is held no more */
        redis_box_say(hoarder, "MULTI");
        for (int n = 0; n < 9; n++)
            redis_box_say(hoarder, line);
        redis_box_say(hoarder, i == 0 ? "EXEC" : "DISCARD");
        redis_box_settle(box);
    }
    redis_box_say(other, "MULTI");
    redis_box_say(other, line);
    redis_box_say(hoarder, "MULTI");
    for (int n = 0; n < 12; n++) {
        redis_box_settle(box);
        assert_int_equal(redis_box_closed(hoarder), n > 10);
        if (n <= 10)
            redis_box_say(hoarder, line);
    }
    redis_box_say(other, "EXEC");
    redis_box_settle(box);
    assert_non_null(strstr(redis_box_take(other), "*1\r\n+OK\r\n"));
    redis_box_free(box);
}

static void say_many(struct redis_box_client *client, const char *word, int from, int count) {
    struct buf words = {0};
    buf_printf(&words, "%s", word);
    for (int i = from; i < from + count; i++)
        buf_printf(&words, " name-%d", i);
    buf_u8(&words, 0);
    redis_box_say(client, (const char *)words.data);
    buf_free(&words);
}

static void names_that_are_watched_or_listened_to_count_as_input(void **state) {
    static const char *const words[][2] = {
        {"WATCH", "UNWATCH"}, {"SUBSCRIBE", "UNSUBSCRIBE"}, {"PSUBSCRIBE", "PUNSUBSCRIBE"}};
    for (size_t w = 0; w < 3; w++) {
        struct redis_options options;
        redis_options_default(&options);
        options.input_budget = 1000000; /* some 3,700 names */
        struct redis_box *box = redis_box_new(&options);
        struct redis_box_client *hoarder = connect_one(box), *other = connect_one(box);
        for (int i = 0; i < 3; i++) {
            say_many(hoarder, words[w][0], 0, 3000);
            redis_box_settle(box);
            redis_box_say(hoarder, words[w][1]);
            redis_box_settle(box);
        }
        say_many(other, words[w][0], 0, 500);
        say_many(hoarder, words[w][0], 0, 2500);
        redis_box_settle(box);
        assert_false(redis_box_closed(hoarder));
        say_many(hoarder, words[w][0], 2500, 2500);
        redis_box_say(hoarder, "PING");
        redis_box_settle(box);
        assert_true(redis_box_closed(hoarder));
        assert_false(redis_box_closed(other));
        redis_box_free(box);
    }
}

static void a_client_names_no_more_than_the_limit(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    say_many(client, "WATCH", 0, 100001);
    redis_box_settle(box);
    expect(client, "-ERR a client may watch 100000 keys\r\n");
    say_many(client, "PSUBSCRIBE", 0, 100001);
    redis_box_settle(box);
    expect(client, "-ERR a client may listen to 100000 channels and patterns\r\n");
    redis_box_free(box);
}

static void strangers_have_small_limits(void **state) {
    struct redis_box *box = guarded_box();
    struct redis_box_client *client = connect_one(box);
    redis_box_send(client, BYTES("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$16385\r\n"));
    redis_box_turn(box);
    expect(client, "-ERR Protocol error: unauthenticated bulk length\r\n");
    assert_true(redis_box_closed(client));
    client = connect_one(box);
    redis_box_send(client, BYTES("*11\r\n"));
    redis_box_turn(box);
    expect(client, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    client = connect_one(box);
    redis_box_send(client, BYTES("*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*11\r\n$16385\r\n"));
    redis_box_turn(box);
    expect(client, "+OK\r\n");
    assert_false(redis_box_closed(client));
    redis_box_free(box);
}

static void strangers_together_hold_an_eighth_of_what_clients_may(void **state) {
    struct redis_options options;
    char line[120];
    redis_options_default(&options);
    strcpy(options.password, "open");
    options.input_budget = 800000; /* strangers: 100,000 */
    struct redis_box *box = redis_box_new(&options);
    struct redis_box_client *strangers[20], *other = connect_one(box);
    unsigned closed = 0;
    redis_box_say(other, "AUTH open");
    redis_box_settle(box);
    redis_box_send(other, BYTES("*2\r\n$3\r\nGET\r\n$500000\r\n"));
    for (int n = 0; n < 2000; n++)
        redis_box_send(other, bytes_of(memset(line, 'k', 100), 100));
    for (int i = 0; i < 20; i++) {
        strangers[i] = connect_one(box);
        redis_box_send(strangers[i], BYTES("*3\r\n$3\r\nSET\r\n$16000\r\n"));
        for (int n = 0; n < 100 + i; n++)
            redis_box_send(strangers[i], bytes_of(line, 100));
    }
    redis_box_settle(box);
    for (int i = 0; i < 20; i++)
        closed += redis_box_closed(strangers[i]);
    assert_in_range(closed, 10, 12);
    assert_false(redis_box_closed(other));
    redis_box_free(box);
}

static void a_stranger_does_not_leave_a_command_unfinished_for_long(void **state) {
    struct redis_box *box = guarded_box();
    struct redis_box_client *client = connect_one(box), *known = connect_one(box);
    redis_box_say(known, "AUTH secret");
    redis_box_settle(box);
    redis_box_send(known, BYTES("*2\r\n$4\r\nECHO\r\n$10\r\nhal"));
    redis_box_send(client, BYTES("*2\r\n$4\r\nECHO\r\n$10\r\nhal"));
    for (int i = 0; i < 12; i++) {
        redis_box_send(client, BYTES("f")); /* one byte at a time is no progress */
        redis_box_wait(box, 1000);
    }
    assert_true(redis_box_closed(client));
    assert_false(redis_box_closed(known));
    redis_box_free(box);
}

static void a_wrong_password_is_told_late_counted_and_logged(void **state) {
    struct redis_box *box = guarded_box();
    struct redis_box_client *client = connect_one(box);
    struct buf metrics = {0};
    unsigned lines;
    for (int i = 0; i < 20; i++)
        redis_box_say(client, "AUTH guess");
    redis_box_settle(box);
    expect(client, "");
    redis_box_wait(box, 350);
    expect(client, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    redis_box_wait(box, 450);
    struct metrics writer = metrics_to(&metrics);
    redis_front_metrics(redis_box_front(box), &writer);
    buf_u8(&metrics, 0);
    assert_non_null(strstr((char *)metrics.data, "cairn_redis_wrong_passwords_total 3\n"));
    assert_non_null(strstr(redis_box_log(box, &lines), "10.0.0.1:1000"));
    assert_int_equal(lines, 1);
    buf_free(&metrics);
    redis_box_free(box);
}

/* ---- many clients ---- */

static void at_the_limit_of_clients_only_operators_are_let_in(void **state) {
    struct redis_options options;
    redis_options_default(&options);
    options.clients_max = 2;
    struct redis_box *box = redis_box_new(&options);
    static const char too_many[] = "-ERR max number of clients reached\r\n";
    connect_one(box);
    connect_one(box);
    struct redis_box_client *far = redis_box_connect(box, "10.0.0.9:1");
    redis_box_settle(box);
    expect(far, too_many);
    assert_true(redis_box_closed(far));
    struct redis_box_client *plain = redis_box_connect(box, "127.0.0.1:1");
    redis_box_say(plain, "PING");
    redis_box_settle(box);
    expect(plain, too_many);
    assert_true(redis_box_closed(plain));
    struct redis_box_client *silent = redis_box_connect(box, "127.0.0.1:2");
    redis_box_settle(box);
    expect(silent, "");
    redis_box_wait(box, 300);
    expect(silent, too_many);
    struct redis_box_client *operator_tool = redis_box_connect(box, "127.0.0.1:3");
    redis_box_say(operator_tool, "CAIRN.STATUS");
    redis_box_wait(box, 300);
    expect(operator_tool, "$2\r\n{}\r\n");
    redis_box_say(operator_tool, "GET a");
    redis_box_settle(box);
    expect(operator_tool, too_many);
    assert_true(redis_box_closed(operator_tool));
    redis_box_free(box);
}

static void a_subscriber_that_reads_gets_a_burst_however_many_are_connected(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *reader = connect_one(box), *lazy = connect_one(box),
                            *publisher = connect_one(box);
    struct buf words = {0};
    for (int i = 0; i < 500; i++)
        connect_one(box);
    redis_box_say(reader, "SUBSCRIBE ch");
    redis_box_say(lazy, "SUBSCRIBE ch");
    redis_box_settle(box);
    redis_box_take(reader);
    redis_box_reads(lazy, false);
    size_t before = redis_box_got(reader);
    buf_printf(&words, "PUBLISH ch %0*d", 20000, 1);
    buf_u8(&words, 0);
    for (int n = 0; n < 20; n++) { /* 2 MB a second, all in one turn */
        for (int i = 0; i < 100; i++) {
            redis_box_say(publisher, (const char *)words.data);
        }
        redis_box_settle(box);
        redis_box_wait(box, 1000);
    }
    assert_true(redis_box_got(reader) - before >= 2000 * 20000);
    assert_false(redis_box_closed(reader));
    assert_true(redis_box_closed(lazy)); /* 40 MB unread */
    buf_free(&words);
    redis_box_free(box);
}

/* As in Redis; and no message of a channel comes before SUBSCRIBE was answered, or in a protocol
 * that HELLO has not told yet, though both are known before the replies in front of them. */
static void a_message_comes_before_the_reply_of_its_publish(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
#define MESSAGE(type, text) type "3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n" text "\r\n"
    redis_box_say(client, "SET a 0");
    redis_box_say(client, "SUBSCRIBE c");
    redis_box_settle(box);
    expect(client, "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    redis_box_say(client, "UNSUBSCRIBE");
    redis_box_say(client, "HELLO 3");
    redis_box_settle(box);
    redis_box_take(client);
    redis_box_say(client, "SET a 1");
    redis_box_say(client, "SUBSCRIBE c");
    redis_box_say(client, "PUBLISH c m1");
    redis_box_say(client, "SET a 2");
    redis_box_say(client, "PUBLISH c m2");
    redis_box_say(client, "GET a");
    redis_box_settle(box);
    const char *got = redis_box_take(client);
    const char *set = strstr(got, "+OK"), *subscribed = strstr(got, "subscribe"),
               *first = strstr(got, MESSAGE(">", "m1")), *second = strstr(got, MESSAGE(">", "m2")),
               *published = strstr(got, ":1\r\n:1\r\n");
    assert_true(set == got && subscribed > set && first > subscribed && second > first);
    assert_null(published);
    assert_true(strstr(first, ":1\r\n") != NULL && strstr(second, ":1\r\n") != NULL);
    redis_box_say(client, "MULTI");
    redis_box_say(client, "PUBLISH c m3");
    redis_box_say(client, "EXEC");
    redis_box_settle(box);
    expect(client, "+OK\r\n+QUEUED\r\n" MESSAGE(">", "m3") "*1\r\n:1\r\n");
#undef MESSAGE
    redis_box_free(box);
}

static void a_subscriber_that_does_not_read_is_closed_without_a_further_message(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *lazy = connect_one(box), *publisher = connect_one(box);
    struct buf words = {0};
    redis_box_say(lazy, "SUBSCRIBE ch");
    redis_box_settle(box);
    redis_box_reads(lazy, false);
    buf_printf(&words, "PUBLISH ch %0*d", 100000, 1);
    buf_u8(&words, 0);
    for (int i = 0; i < 400; i++)
        redis_box_say(publisher, (const char *)words.data);
    redis_box_settle(box);
    assert_false(redis_box_closed(lazy));
    for (int i = 0; i < 3; i++)
        redis_box_wait(box, 1000);
    assert_true(redis_box_closed(lazy));
    buf_free(&words);
    redis_box_free(box);
}

/* ---- lists as long as clients like ---- */

#define NAMES 100000u

/* "<head> <prefix>0 <prefix>1 ..." as one command. */
static void say_names(struct redis_box_client *client, const char *head, const char *prefix) {
    struct buf out = {0};
    buf_printf(&out, "*%u\r\n$%zu\r\n%s\r\n", NAMES + 1, strlen(head), head);
    for (unsigned i = 0; i < NAMES; i++)
        buf_printf(&out, "$%zu\r\n%s%06u\r\n", strlen(prefix) + 6, prefix, i);
    redis_box_send(client, buf_view(&out));
    buf_free(&out);
}

/* If a name is looked for among all others, these are 90,000,000,000 comparisons: minutes beyond
 * what a test may take. */
static void names_are_found_without_looking_at_all_others(void **state) {
    static const char *const heads[] = {"SUBSCRIBE",   "SUBSCRIBE",   "PSUBSCRIBE",
                                        "PSUBSCRIBE",  "UNSUBSCRIBE", "PUNSUBSCRIBE",
                                        "UNSUBSCRIBE", "WATCH",       "WATCH"};
    struct redis_box *box = box_new();
    struct redis_box_client *one = connect_one(box), *two = connect_one(box);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        say_names(one, heads[i], "name");
        say_names(two, heads[i], "name");
        redis_box_settle(box);
        redis_box_take(one);
        redis_box_take(two);
    }
    redis_box_say(one, "MULTI");
    redis_box_say(one, "SET name000007 1");
    redis_box_say(one, "EXEC");
    redis_box_say(two, "MULTI");
    redis_box_say(two, "PING");
    redis_box_say(two, "EXEC");
    redis_box_settle(box);
    expect(one, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    expect(two, "+OK\r\n+QUEUED\r\n*-1\r\n");
    redis_box_free(box);
}

/* ---- CONFIG and INFO ---- */

static void settings_are_set_all_or_none_and_told_in_one_form(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    static const struct {
        const char *set, *get, *value;
    } good[] = {{"maxmemory 100mb", "maxmemory", "$9\r\n104857600\r\n"},
                {"maxmemory 1GB timeout 7", "timeout", "$1\r\n7\r\n"},
                {"client-query-buffer-limit 1k", "client-query-buffer-limit", "$4\r\n1000\r\n"},
                {"loglevel NOTICE", "loglevel", "$6\r\nnotice\r\n"},
                {"activedefrag YES", "activedefrag", "$3\r\nyes\r\n"},
                {"proto-max-bulk-len 64mb", "proto-max-bulk-len", "$8\r\n67108864\r\n"}};
    static const char *const bad[] = {"maxmemory 5mb timeout abc",
                                      "maxmemory 5mb hz abc",
                                      "maxmemory 5mb loglevel nonsense",
                                      "maxmemory 5mb activedefrag maybe",
                                      "maxmemory 5mb maxclients 0",
                                      "maxmemory 5mb maxmemory 6mb",
                                      "maxmemory 5mb nosuch 1",
                                      "maxmemory 5mb appendonly no",
                                      "maxmemory 5mb client-output-buffer-limit odd",
                                      "maxmemory five"};
    char words[200];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(words, sizeof words, "CONFIG SET %s", good[i].set);
        redis_box_say(client, words);
        redis_box_settle(box);
        expect(client, "+OK\r\n");
        snprintf(words, sizeof words, "CONFIG GET %s", good[i].get);
        redis_box_say(client, words);
        redis_box_settle(box);
        assert_non_null(strstr(redis_box_take(client), good[i].value));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(words, sizeof words, "CONFIG SET %s", bad[i]);
        redis_box_say(client, words);
        redis_box_settle(box);
        assert_int_equal(redis_box_take(client)[0], '-');
        redis_box_say(client, "CONFIG GET maxmemory");
        redis_box_settle(box);
        expect(client, "*2\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n");
    }
    redis_box_free(box);
}

static void what_is_not_counted_is_not_told_as_zero(void **state) {
    struct redis_box *box = box_new();
    struct redis_box_client *client = connect_one(box);
    redis_box_say(client, "GET absent");
    redis_box_say(client, "INFO");
    redis_box_settle(box);
    const char *told = redis_box_take(client);
    assert_null(strstr(told, "keyspace_misses"));
    assert_null(strstr(told, "expired_keys"));
    assert_null(strstr(told, "expires=0"));
    assert_null(strstr(told, "total_net_input_bytes:0\r"));
    assert_non_null(strstr(told, "total_net_input_bytes:"));
    redis_box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quit_behind_a_long_reply_loses_none_of_it),
        cmocka_unit_test(a_client_that_has_said_all_is_answered_then_closed),
        cmocka_unit_test(an_end_within_a_command_closes),
        cmocka_unit_test(the_error_that_ends_a_connection_is_delivered),
        cmocka_unit_test(a_wait_ends_with_its_client),
        cmocka_unit_test(what_a_pause_holds_goes_with_its_client),
        cmocka_unit_test(a_pause_of_writes_lets_transactions_of_reads_pass),
        cmocka_unit_test(a_burst_of_any_length_comes_through),
        cmocka_unit_test(unread_values_are_not_made_before_there_is_room),
        cmocka_unit_test(a_transaction_of_reads_is_not_made_before_there_is_room),
        cmocka_unit_test(a_long_reply_behind_a_read_does_not_stop_it),
        cmocka_unit_test(whoever_leaves_most_unread_is_closed_and_others_go_on),
        cmocka_unit_test(answers_that_are_being_made_count_as_unread),
        cmocka_unit_test(whoever_hoards_most_input_is_closed_and_others_go_on),
        cmocka_unit_test(what_is_queued_in_a_transaction_counts_as_input),
        cmocka_unit_test(names_that_are_watched_or_listened_to_count_as_input),
        cmocka_unit_test(a_client_names_no_more_than_the_limit),
        cmocka_unit_test(strangers_have_small_limits),
        cmocka_unit_test(strangers_together_hold_an_eighth_of_what_clients_may),
        cmocka_unit_test(a_stranger_does_not_leave_a_command_unfinished_for_long),
        cmocka_unit_test(a_wrong_password_is_told_late_counted_and_logged),
        cmocka_unit_test(at_the_limit_of_clients_only_operators_are_let_in),
        cmocka_unit_test(names_are_found_without_looking_at_all_others),
        cmocka_unit_test(settings_are_set_all_or_none_and_told_in_one_form),
        cmocka_unit_test(what_is_not_counted_is_not_told_as_zero),
        cmocka_unit_test(a_subscriber_that_reads_gets_a_burst_however_many_are_connected),
        cmocka_unit_test(a_message_comes_before_the_reply_of_its_publish),
        cmocka_unit_test(a_subscriber_that_does_not_read_is_closed_without_a_further_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
