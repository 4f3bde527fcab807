#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/tree/tree.h"
#include "zookeeper_box.h"

#include <string.h>

/* ---- shorthand ---- */

static struct zk_box *box_with(void (*set)(struct zookeeper_options *)) {
    struct zookeeper_options options;
    zookeeper_options_default(&options);
    if (set != NULL)
        set(&options);
    return zk_box_new(&options);
}

static struct zk_box_client *served(struct zk_box *box, struct jute_connect *session) {
    struct jute_connect fresh = {.timeout_ms = 10000};
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    assert_non_null(client);
    assert_true(zk_box_handshake(client, session != NULL ? session : &fresh));
    return client;
}

static void send_path(struct zk_box_client *client, int32_t xid, int32_t op, const char *path,
                      bool watch) {
    struct buf body = {0};
    jute_put_block(&body, bytes_cstr(path));
    if (op != JUTE_SYNC)
        jute_put_bool(&body, watch);
    zk_box_request(client, xid, op, buf_view(&body));
    buf_free(&body);
}

static void send_set(struct zk_box_client *client, int32_t xid, const char *path,
                     const char *data) {
    struct buf body = {0};
    jute_put_block(&body, bytes_cstr(path));
    jute_put_block(&body, bytes_cstr(data));
    jute_put_i32(&body, -1);
    zk_box_request(client, xid, JUTE_SET, buf_view(&body));
    buf_free(&body);
}

static void send_create(struct zk_box_client *client, int32_t xid, const char *path,
                        int32_t flags) {
    struct buf body = {0};
    struct jute_acl open = {31, BYTES("world"), BYTES("anyone")};
    jute_put_block(&body, bytes_cstr(path));
    jute_put_block(&body, BYTES("new"));
    jute_put_i32(&body, 1);
    jute_put_acl(&body, &open);
    jute_put_i32(&body, flags);
    zk_box_request(client, xid, JUTE_CREATE, buf_view(&body));
    buf_free(&body);
}

static void expect(struct zk_box_client *client, int32_t xid, int32_t error) {
    struct zk_box_answer answer;
    assert_true(zk_box_take(client, &answer));
    assert_int_equal(answer.xid, xid);
    assert_int_equal(answer.error, error);
}

static void expect_data(struct zk_box_client *client, int32_t xid, const char *data) {
    struct zk_box_answer answer;
    assert_true(zk_box_take(client, &answer));
    assert_int_equal(answer.xid, xid);
    struct reader reader = reader_of(answer.body);
    assert_true(bytes_equal(jute_take_block(&reader), bytes_cstr(data)));
}

static void expect_event(struct zk_box_client *client, int32_t event, const char *path) {
    struct zk_box_answer answer;
    assert_true(zk_box_take(client, &answer));
    assert_int_equal(answer.xid, JUTE_XID_NOTIFICATION);
    struct reader reader = reader_of(answer.body);
    assert_int_equal(jute_take_i32(&reader), event);
    jute_take_i32(&reader);
    assert_true(bytes_equal(jute_take_block(&reader), bytes_cstr(path)));
}

static struct zk_box_client *with_node(struct zk_box *box, const char *path) {
    struct zk_box_client *client = served(box, NULL);
    send_create(client, 1, path, TREE_PERSISTENT);
    zk_box_settle(box);
    expect(client, 1, TREE_OK);
    return client;
}

/* ---- the order of answers ---- */

static void a_read_sees_the_writes_before_it_and_none_behind(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_set(client, 2, "/a", "two");
    send_path(client, 3, JUTE_GET, "/a", false);
    send_set(client, 4, "/a", "four");
    send_path(client, 5, JUTE_GET, "/a", false);
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    expect_data(client, 3, "two");
    expect(client, 4, TREE_OK);
    expect_data(client, 5, "four");
    zk_box_free(box);
}

static void writes_go_to_the_node_ahead_of_the_reads_between_them(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_set(client, 2, "/a", "x");
    send_path(client, 3, JUTE_GET, "/a", false);
    send_set(client, 4, "/a", "y");
    assert_true(zk_box_step(box) && zk_box_step(box) && !zk_box_step(box));
    zk_box_free(box);
}

static void a_ping_is_answered_while_a_write_waits(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_set(client, 2, "/a", "x");
    zk_box_request(client, JUTE_XID_PING, JUTE_PING, bytes_of(NULL, 0));
    zk_box_turn(box);
    expect(client, JUTE_XID_PING, TREE_OK);
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    zk_box_free(box);
}

static void a_sync_holds_back_the_writes_behind_it(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_path(client, 2, JUTE_SYNC, "/a", false);
    send_path(client, 3, JUTE_GET, "/a", false);
    send_set(client, 4, "/a", "later");
    assert_true(zk_box_step(box)); /* the barrier: only now the write is sent */
    zk_box_turn(box);
    expect(client, 2, TREE_OK);
    expect_data(client, 3, "new");
    zk_box_settle(box);
    expect(client, 4, TREE_OK);
    zk_box_free(box);
}

static void linearizable(struct zookeeper_options *options) {
    options->linearizable_reads = true;
}

static void a_linearizable_read_waits_for_a_quorum(void **state) {
    struct zk_box *box = box_with(linearizable);
    struct zk_box_client *client = with_node(box, "/a"), *other = served(box, NULL);
    struct zk_box_answer none;
    send_path(client, 2, JUTE_GET, "/a", false);
    zk_box_turn(box);
    assert_false(zk_box_take(client, &none));
    send_set(other, 1, "/a", "newer"); /* behind the barrier in this node's queue */
    zk_box_settle(box);
    expect_data(client, 2, "new");
    zk_box_free(box);
}

static void a_full_node_only_delays(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    struct zk_box_answer none;
    zk_box_set_busy(box, true);
    send_set(client, 2, "/a", "x");
    send_path(client, 3, JUTE_GET, "/a", false);
    zk_box_settle(box);
    assert_false(zk_box_take(client, &none));
    zk_box_set_busy(box, false);
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    expect_data(client, 3, "x");
    zk_box_free(box);
}

static void an_unknown_fate_ends_the_connection_without_an_answer(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    struct zk_box_answer none;
    send_set(client, 2, "/a", "x");
    send_set(client, 3, "/a", "y");
    assert_true(zk_box_fail(box, CAIRN_UNKNOWN_FATE));
    zk_box_settle(box);
    assert_true(zk_box_closed(client));
    assert_false(zk_box_take(client, &none));
    zk_box_free(box);
}

static void a_read_without_a_state_ends_the_connection_without_half_an_answer(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_set_stateless(box, true);
    send_path(client, 2, JUTE_GET, "/a", false);
    zk_box_settle(box);
    assert_true(zk_box_closed(client));
    assert_int_equal(zk_box_output(client)->len, 0);
    zk_box_free(box);
}

static void an_unknown_operation_is_answered_and_the_connection_kept(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_request(client, 2, 500, bytes_of(NULL, 0));
    zk_box_request(client, 3, JUTE_CHECK, bytes_of(NULL, 0));
    send_path(client, 4, JUTE_GET, "/a", false);
    zk_box_settle(box);
    expect(client, 2, TREE_UNIMPLEMENTED);
    expect(client, 3, TREE_UNIMPLEMENTED);
    expect_data(client, 4, "new");
    zk_box_free(box);
}

/* ---- watches ---- */

static void a_notification_comes_before_the_answer_that_shows_the_change(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *writer = with_node(box, "/a"), *watcher = served(box, NULL);
    send_path(watcher, 1, JUTE_GET, "/a", true);
    send_set(writer, 2, "/a", "x");
    zk_box_step(box);
    send_path(watcher, 2, JUTE_GET, "/a", false);
    zk_box_turn(box);
    expect_data(watcher, 1, "new");
    expect_event(watcher, TREE_EVENT_DATA, "/a");
    expect_data(watcher, 2, "x");
    zk_box_free(box);
}

static void send_set_watches(struct zk_box_client *client, int64_t zxid, struct bytes path) {
    struct buf body = {0};
    jute_put_i64(&body, zxid);
    jute_put_i32(&body, 1);
    jute_put_block(&body, path);
    jute_put_i32(&body, 0);
    jute_put_i32(&body, 0);
    zk_box_request(client, JUTE_XID_SET_WATCHES, JUTE_SET_WATCHES, buf_view(&body));
    buf_free(&body);
}

/* As seen by what the client says that it saw last: its zxid; 0, nothing; -1, which some keep from
 * a notification's header. */
static void watches_set_again_tell_at_once_what_changed_meanwhile(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *writer = with_node(box, "/a"), *client = served(box, NULL);
    struct zk_box_answer seen;
    send_path(client, 1, JUTE_GET, "/a", true);
    zk_box_settle(box);
    assert_true(zk_box_take(client, &seen));
    zk_box_hang_up(client);
    send_set(writer, 2, "/a", "x");
    zk_box_settle(box);
    const int64_t zxids[] = {seen.zxid, 0, -1};
    for (int i = 0; i < 3; i++) {
        client = served(box, NULL);
        send_set_watches(client, zxids[i], BYTES("/a"));
        zk_box_settle(box);
        expect_event(client, TREE_EVENT_DATA, "/a");
        expect(client, JUTE_XID_SET_WATCHES, TREE_OK);
    }
    zk_box_free(box);
}

/* ---- sessions ---- */

static void a_session_taken_over_closes_its_former_connection(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect session = {.timeout_ms = 10000}, again;
    struct zk_box_client *old = served(box, &session);
    again = session;
    struct zk_box_client *new = served(box, &again);
    assert_true(again.session == session.session && zk_box_closed(old));
    send_create(new, 1, "/e", TREE_EPHEMERAL);
    zk_box_settle(box);
    expect(new, 1, TREE_OK);
    zk_box_free(box);
}

static void a_wrong_password_or_an_unknown_session_is_told_so(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect session = {.timeout_ms = 10000}, wrong;
    served(box, &session);
    wrong = session;
    wrong.password[0] ^= 1;
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.2:1");
    assert_true(zk_box_handshake(client, &wrong));
    assert_true(wrong.session == 0 && wrong.timeout_ms == 0 && zk_box_closed(client));
    struct jute_connect unknown = {.session = 77};
    client = zk_box_connect(box, "10.0.0.2:1");
    assert_true(zk_box_handshake(client, &unknown));
    assert_true(unknown.session == 0 && zk_box_closed(client));
    zk_box_free(box);
}

static void a_client_that_saw_more_than_this_server_is_cut_off(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect ahead = {.zxid = INT64_MAX};
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.2:1");
    assert_false(zk_box_handshake(client, &ahead));
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static void a_closed_session_gets_its_answer_then_the_connection_ends(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_request(client, 2, JUTE_CLOSE, bytes_of(NULL, 0));
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

/* ---- ends ---- */

static void a_client_that_has_said_all_is_answered_then_closed(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_set(client, 2, "/a", "two");
    send_path(client, 3, JUTE_SYNC, "/a", false);
    send_path(client, 4, JUTE_GET, "/a", false);
    zk_box_end(client);
    zk_box_turn(box);
    assert_false(zk_box_closed(client));
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    expect(client, 3, TREE_OK);
    expect_data(client, 4, "two");
    zk_box_turn(box);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static void a_word_is_answered_in_full_before_the_connection_ends(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    zk_box_reads(client, false);
    zk_box_send(client, BYTES("mntr"));
    zk_box_settle(box);
    assert_false(zk_box_closed(client));
    zk_box_reads(client, true);
    zk_box_turn(box);
    assert_true(zk_box_output(client)->len > 20);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static bool tells(struct zk_box_client *client, const char *line) {
    const struct buf *told = zk_box_output(client);
    return memmem(told->data, told->len, line, strlen(line)) != NULL;
}

/* Node 3 is a member that is not heard, node 4 observes. */
static void monitors_are_told_of_the_peers_that_are_connected(void **state) {
    static const struct replica_status leading = {
        .leader = 1,
        .config = {.count = 4,
                   .members = {{.id = 1, .voter = true},
                               {.id = 2, .voter = true},
                               {.id = 3, .voter = true},
                               {.id = 4}}},
        .peer_count = 3,
        .peers = {{.id = 2, .active = true}, {.id = 3}, {.id = 4, .active = true}}};
    struct zk_box *box = box_with(NULL);
    zk_box_set_replica(box, &leading);
    zk_box_wait(box, 1000);
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    zk_box_send(client, BYTES("mntr"));
    zk_box_settle(box);
    assert_true(tells(client, "zk_server_state\tleader\n"));
    assert_true(tells(client, "zk_peer_state\tleading - broadcast\n"));
    assert_true(tells(client, "zk_quorum_size\t3\n"));
    assert_true(tells(client, "zk_learners\t2\n"));
    assert_true(tells(client, "zk_followers\t1\n"));
    assert_true(tells(client, "zk_synced_followers\t1\n"));
    assert_true(tells(client, "zk_synced_observers\t1\n"));
    assert_false(tells(client, "zk_max_file_descriptor_count")); /* not known here */
    assert_true(tells(client, "zk_leader_uptime\t90000\n"));
    assert_true(tells(client, "zk_last_proposal_size\t-1\n")); /* there was none */
    assert_true(tells(client, "zk_last_client_response_size\t-1\n"));
    zk_box_free(box);
}

static void monitors_are_told_of_sizes_as_zookeeper_tells_them(void **state) {
    static const struct replica_status leading = {
        .leader = 1, .config = {.count = 2, .members = {{.id = 1, .voter = true}, {.id = 2}}}};
    struct zk_box *box = box_with(NULL);
    zk_box_set_replica(box, &leading);
    zk_box_wait(box, 1000);
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    zk_box_send(client, BYTES("srvr"));
    zk_box_settle(box);
    assert_true(tells(client, "\nProposal sizes last/min/max: -1/-1/-1\n"));
    zk_box_set_proposals(box, 32, 20, 48);
    client = zk_box_connect(box, "10.0.0.1:6");
    zk_box_send(client, BYTES("stat"));
    zk_box_settle(box);
    assert_true(tells(client, "\nProposal sizes last/min/max: 32/20/48\n"));
    client = zk_box_connect(box, "10.0.0.1:7");
    zk_box_send(client, BYTES("mntr"));
    zk_box_settle(box);
    assert_true(tells(client, "zk_last_proposal_size\t32\n"));
    assert_true(tells(client, "zk_min_proposal_size\t20\n"));
    assert_true(tells(client, "zk_max_proposal_size\t48\n"));
    zk_box_free(box);
}

static bool told(struct zk_box *box, const char *line) {
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:9");
    zk_box_send(client, BYTES("mntr"));
    zk_box_settle(box);
    return tells(client, line);
}

/* As Debian's ZooKeeper 3.8 counts: a session's orderly end is no drop. */
static void connections_that_clients_drop_are_counted(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect session = {.timeout_ms = 10000};
    zk_box_wait(box, 1000);
    struct zk_box_client *client = served(box, &session);
    assert_true(told(box, "zk_connection_request_count\t1\n"));
    assert_true(told(box, "zk_connection_drop_count\t0\n"));
    zk_box_request(client, 1, JUTE_CLOSE, bytes_of(NULL, 0));
    zk_box_settle(box);
    assert_true(told(box, "zk_connection_drop_count\t0\n"));
    session = (struct jute_connect){.timeout_ms = 10000};
    client = served(box, &session);
    zk_box_hang_up(client);
    zk_box_settle(box);
    assert_true(told(box, "zk_connection_request_count\t2\n"));
    assert_true(told(box, "zk_connection_drop_count\t1\n"));
    zk_box_free(box);
}

/* Whoever writes everything before it reads anything comes through. */
static void a_burst_is_taken_while_no_answers_are(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_reads(client, false);
    for (int32_t i = 0; i < 20000; i++) {
        if (!zk_box_is_heard(client))
            zk_box_settle(box);
        assert_true(zk_box_is_heard(client));
        send_path(client, 2 + i, JUTE_GET, "/a", false);
    }
    for (int32_t i = 0; i < 20000; i++) {
        while (zk_box_output(client)->len == 0) {
            zk_box_settle(box);
            zk_box_reads(client, true);
            zk_box_reads(client, false);
        }
        expect_data(client, 2 + i, "new");
    }
    zk_box_free(box);
}

static void timeouts_are_clamped_to_2_and_20_ticks(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect low = {.timeout_ms = 1}, high = {.timeout_ms = INT32_MAX};
    served(box, &low);
    served(box, &high);
    assert_int_equal(low.timeout_ms, 4000);
    assert_int_equal(high.timeout_ms, 40000);
    zk_box_free(box);
}

/* ---- without a leader ---- */

static void read_only_mode_serves_those_who_ask_and_ends_with_the_quorum_back(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect session = {.timeout_ms = 10000, .has_read_only = true}, again;
    struct zk_box_client *client = served(box, &session);
    send_create(client, 1, "/a", TREE_PERSISTENT);
    zk_box_settle(box);
    zk_box_set_leader(box, false);
    zk_box_wait(box, 5000);
    assert_true(zk_box_closed(client));
    again = session;
    again.read_only = true;
    client = zk_box_connect(box, "10.0.0.1:6");
    assert_true(zk_box_handshake(client, &again));
    assert_true(again.session == session.session && again.read_only);
    send_path(client, 2, JUTE_GET, "/a", false);
    send_set(client, 3, "/a", "x");
    zk_box_settle(box);
    expect_data(client, 2, "new");
    expect(client, 3, TREE_NOT_READ_ONLY);
    zk_box_set_leader(box, true);
    zk_box_wait(box, 500);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static void a_short_election_costs_nobody_the_connection(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_set_leader(box, false);
    send_set(client, 2, "/a", "x");
    zk_box_wait(box, 1000);
    zk_box_set_leader(box, true);
    zk_box_wait(box, 1000);
    zk_box_settle(box);
    expect(client, 2, TREE_OK);
    zk_box_free(box);
}

static void a_state_that_was_replaced_closes_all_connections(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    zk_box_jump(box);
    zk_box_turn(box);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

/* ---- limits ---- */

static void two_each(struct zookeeper_options *options) {
    options->clients_per_address = 2;
}

static void an_address_has_no_more_connections_than_its_limit(void **state) {
    struct zk_box *box = box_with(two_each);
    struct zk_box_client *first = zk_box_connect(box, "10.0.0.1:1");
    assert_non_null(zk_box_connect(box, "10.0.0.1:2"));
    assert_null(zk_box_connect(box, "10.0.0.1:3"));
    assert_non_null(zk_box_connect(box, "10.0.0.2:3"));
    zk_box_hang_up(first);
    assert_non_null(zk_box_connect(box, "10.0.0.1:4"));
    zk_box_free(box);
}

static bool announces(struct zk_box *box, struct zk_box_client *client, uint32_t bytes) {
    const uint8_t head[] = {(uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8),
                            (uint8_t)bytes};
    zk_box_send(client, bytes_of(head, sizeof head));
    zk_box_settle(box);
    return !zk_box_closed(client);
}

static void before_a_session_frames_are_short(void **state) {
    struct zk_box *box = box_with(NULL);
    struct jute_connect session = {.timeout_ms = 10000};
    assert_true(announces(box, zk_box_connect(box, "10.0.0.1:5"), 1024));
    assert_false(announces(box, zk_box_connect(box, "10.0.0.1:6"), 1025));
    assert_true(announces(box, served(box, &session), 1000000));
    zk_box_free(box);
}

static void a_frame_above_the_limit_ends_the_connection(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    const uint8_t giant[] = {0, 0x10, 0, 0};
    zk_box_send(client, bytes_of(giant, sizeof giant));
    zk_box_settle(box);
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

static void two_under_way(struct zookeeper_options *options) {
    options->outstanding_max = 2;
}

static void beyond_the_requests_under_way_none_is_taken_and_none_is_lost(void **state) {
    struct zk_box *box = box_with(two_under_way);
    struct zk_box_client *client = with_node(box, "/a"), *other = served(box, NULL);
    for (int32_t xid = 2; xid < 12; xid++) {
        send_set(client, xid, "/a", "x");
        send_set(other, xid, "/a", "y");
    }
    assert_true(zk_box_step(box) && zk_box_step(box) && !zk_box_step(box));
    for (int i = 0; i < 20; i++)
        zk_box_settle(box);
    for (int32_t xid = 2; xid < 12; xid++) {
        expect(client, xid, TREE_OK);
        expect(other, xid, TREE_OK);
    }
    zk_box_free(box);
}

static void a_burst_of_reads_behind_a_write_is_bounded(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = with_node(box, "/a");
    send_set(client, 2, "/a", "x");
    for (int32_t xid = 3; xid < 1003; xid++)
        send_path(client, xid, JUTE_GET, "/a", false);
    zk_box_step(box); /* what was taken so far is answered in one go */
    assert_true(zk_box_output(client)->len == 0);
    for (int i = 0; i < 100; i++)
        zk_box_settle(box);
    expect(client, 2, TREE_OK);
    for (int32_t xid = 3; xid < 1003; xid++)
        expect_data(client, xid, "x");
    zk_box_free(box);
}

static void a_four_letter_word_is_answered_without_a_session(void **state) {
    struct zk_box *box = box_with(NULL);
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:1");
    zk_box_send(client, BYTES("ru"));
    zk_box_send(client, BYTES("ok\n"));
    zk_box_turn(box);
    assert_true(bytes_equal(buf_view(zk_box_output(client)), BYTES("imok")));
    assert_true(zk_box_closed(client));
    zk_box_free(box);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_sees_the_writes_before_it_and_none_behind),
        cmocka_unit_test(writes_go_to_the_node_ahead_of_the_reads_between_them),
        cmocka_unit_test(a_ping_is_answered_while_a_write_waits),
        cmocka_unit_test(a_sync_holds_back_the_writes_behind_it),
        cmocka_unit_test(a_linearizable_read_waits_for_a_quorum),
        cmocka_unit_test(a_full_node_only_delays),
        cmocka_unit_test(an_unknown_fate_ends_the_connection_without_an_answer),
        cmocka_unit_test(a_read_without_a_state_ends_the_connection_without_half_an_answer),
        cmocka_unit_test(an_unknown_operation_is_answered_and_the_connection_kept),
        cmocka_unit_test(a_notification_comes_before_the_answer_that_shows_the_change),
        cmocka_unit_test(watches_set_again_tell_at_once_what_changed_meanwhile),
        cmocka_unit_test(a_session_taken_over_closes_its_former_connection),
        cmocka_unit_test(a_wrong_password_or_an_unknown_session_is_told_so),
        cmocka_unit_test(a_client_that_saw_more_than_this_server_is_cut_off),
        cmocka_unit_test(a_closed_session_gets_its_answer_then_the_connection_ends),
        cmocka_unit_test(a_client_that_has_said_all_is_answered_then_closed),
        cmocka_unit_test(monitors_are_told_of_the_peers_that_are_connected),
        cmocka_unit_test(monitors_are_told_of_sizes_as_zookeeper_tells_them),
        cmocka_unit_test(connections_that_clients_drop_are_counted),
        cmocka_unit_test(a_word_is_answered_in_full_before_the_connection_ends),
        cmocka_unit_test(a_burst_is_taken_while_no_answers_are),
        cmocka_unit_test(timeouts_are_clamped_to_2_and_20_ticks),
        cmocka_unit_test(read_only_mode_serves_those_who_ask_and_ends_with_the_quorum_back),
        cmocka_unit_test(a_short_election_costs_nobody_the_connection),
        cmocka_unit_test(a_state_that_was_replaced_closes_all_connections),
        cmocka_unit_test(an_address_has_no_more_connections_than_its_limit),
        cmocka_unit_test(before_a_session_frames_are_short),
        cmocka_unit_test(a_frame_above_the_limit_ends_the_connection),
        cmocka_unit_test(beyond_the_requests_under_way_none_is_taken_and_none_is_lost),
        cmocka_unit_test(a_burst_of_reads_behind_a_write_is_bounded),
        cmocka_unit_test(a_four_letter_word_is_answered_without_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
