/* What a link takes: greetings in whatever pieces, and of what is said behind them only what can be
 * read. */
#include "base/alloc.h"
#include "machine/kv/kv.h"
#include "node/node_internal.h"
#include "node/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A node with one group, on an env that gathers what is written. */
struct fixture {
    struct env env;
    struct node node;
    struct group group;
    struct link link;
    struct buf written;
    unsigned aborts, warnings;
    char log[200];
};

static struct fixture *fixture_of(struct env *env) {
    return container_of(env, struct fixture, env);
}

static uint64_t now(struct env *env) {
    return 1000000000;
}

static struct env_wall wall(struct env *env) {
    return (struct env_wall){1000000000, 1000, true};
}

static void entropy(struct env *env, void *out, size_t len) {
    memset(out, (int)fixture_of(env)->node.options.identity.node, len);
}

static void take_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                       size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_bytes(&fixture_of(env)->written, pieces[i].data);
}

static size_t queued(struct env *env, const struct env_stream *stream) {
    return 0;
}

static void note_abort(struct env *env, struct env_stream *stream) {
    fixture_of(env)->aborts++;
}

static void wake(struct env *env) {}

static const struct env_ops ops = {.now = now,
                                   .wall = wall,
                                   .entropy = entropy,
                                   .write = take_write,
                                   .queued = queued,
                                   .abort = note_abort,
                                   .wake = wake};

static void take_log(void *context, int level, const char *text) {
    struct fixture *fixture = context;
    fixture->warnings += level == 2;
    snprintf(fixture->log, sizeof fixture->log, "%s", text);
}

static void fixture_start(struct fixture *fixture, uint64_t id, const char *protocol) {
    struct node *node = &fixture->node;
    struct group *group = &fixture->group;
    const struct machine_options machine = {.value_bytes_max = 1000, .work_max = 1000};
    memset(fixture, 0, sizeof *fixture);
    fixture->env.ops = &ops;
    node->env = &fixture->env;
    list_init(&node->links);
    node_options_default(&node->options);
    node->limits = node_limits(NULL);
    node->options.log = take_log;
    node->options.context = fixture;
    node->options.identity = (struct identity){.cluster = 1, .node = id, .incarnation = 10 * id};
    node->groups[0] = group;
    node->group_count = 1;
    group->node = node;
    group->id = 1;
    list_init(&group->sendings);
    group->protocol = registry_protocol(protocol);
    const struct replica_options replica = {.group = 1,
                                            .id = id,
                                            .incarnation = 10 * id,
                                            .election_timeout_min_ns = 1000000000,
                                            .election_timeout_max_ns = 2000000000,
                                            .heartbeat_ns = 100000000,
                                            .entry_bytes_max = 1000,
                                            .append_bytes_max = 1000,
                                            .inflight_max = 4,
                                            .inflight_bytes_max = 10000,
                                            .uncommitted_bytes_max = 10000,
                                            .window_bytes_max = 10000,
                                            .apply_bytes_max = 10000};
    group->replica = group->protocol->create(&replica);
    stack_open(&group->stack, &machine_kv, &machine, 8);
}

static void link_start(struct fixture *fixture, enum link_state state, bool dialled) {
    struct link *link = &fixture->link;
    *link = (struct link){.node = &fixture->node, .state = state, .dialled = dialled};
    link->wire_version = WIRE_VERSION_MAX;
    link->limits = link_limits(NULL);
    list_init(&link->bulk);
    list_push(&fixture->node.links, &link->list);
}

static void link_stop(struct fixture *fixture) {
    struct link *link = &fixture->link;
    list_remove(&link->list);
    for (int lane = 0; lane < 2; lane++)
        blob_unref(link->assembly[lane].blob);
    buf_free(&link->in);
    buf_free(&link->hello_sent);
    buf_free(&link->hello_got);
    buf_free(&link->control);
}

static void fixture_stop(struct fixture *fixture) {
    fixture->group.protocol->destroy(fixture->group.replica);
    stack_close(&fixture->group.stack);
    buf_free(&fixture->written);
}

/* ---- greetings ---- */

static struct peer_secret secret(void) {
    struct peer_secret secret = {.len = 32};
    memset(secret.bytes, 7, secret.len);
    return secret;
}

/* What one wrote reaches the other, so many bytes at a time. */
static bool carry(struct fixture *from, struct fixture *to, size_t step) {
    struct buf bytes = from->written;
    from->written = (struct buf){0};
    for (size_t at = 0; at < bytes.len && to->link.state != LINK_CLOSING; at += step)
        link_input(&to->link,
                   bytes_of(bytes.data + at, bytes.len - at < step ? bytes.len - at : step));
    bool any = bytes.len > 0;
    buf_free(&bytes);
    link_flush(&to->link);
    return any;
}

static void a_greeting_with_a_secret_may_come_in_any_pieces(void **state) {
    static const size_t steps[] = {1, 39, 41, 100, 10000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct fixture one, two;
        fixture_start(&one, 1, "raft");
        fixture_start(&two, 2, "raft");
        one.node.options.secrets = two.node.options.secrets =
            (struct peer_secrets){.count = 1, .of = {secret()}};
        link_start(&one, LINK_HELLO, true);
        link_start(&two, LINK_HELLO, false);
        link_greet(&one.link);
        link_greet(&two.link);
        while (!one.link.proved || !two.link.proved) {
            bool any = carry(&one, &two, steps[i]);
            any |= carry(&two, &one, steps[i]);
            assert_true(any);
        }
        link_stop(&one);
        link_stop(&two);
        fixture_stop(&one);
        fixture_stop(&two);
    }
}

/* ---- what is said on a link that is up ---- */

static void say(struct fixture *fixture, enum frame_type type, uint64_t group, struct bytes body) {
    struct frame_head head = {type, LANE_CONTROL, (uint32_t)body.len, (uint32_t)body.len, group};
    struct buf frame = {0};
    frame_encode_head(buf_reserve(&frame, FRAME_HEAD_BYTES), &head, fixture->link.frames_in, &body,
                      1);
    frame.len = FRAME_HEAD_BYTES;
    buf_bytes(&frame, body);
    link_input(&fixture->link, buf_view(&frame));
    buf_free(&frame);
}

static bool ends_link(const char *protocol, enum frame_type type, struct bytes body) {
    struct fixture fixture;
    fixture_start(&fixture, 1, protocol);
    link_start(&fixture, LINK_UP, false);
    fixture.link.hello = (struct hello){.node = 2, .incarnation = 20};
    say(&fixture, type, 1, body);
    bool ended = fixture.link.state == LINK_CLOSING;
    assert_int_equal(fixture.aborts, ended);
    assert_int_equal(fixture.warnings, ended);
    assert_int_equal(fixture.node.counted.counters.frames_bad, ended);
    if (ended)
        assert_non_null(strstr(fixture.log, "link to node 2 dropped: "));
    link_stop(&fixture);
    fixture_stop(&fixture);
    return ended;
}

/* A late word of founders and a sign of life have nothing to be read. */
static void whatever_can_not_be_read_ends_the_link(void **state) {
    static const uint8_t ones[3] = {255, 255, 255};
    for (int type = 1; type < FRAME_TYPE_COUNT; type++) {
        struct frame_head head;
        uint8_t encoded[FRAME_HEAD_BYTES];
        struct bytes body = bytes_of(ones, sizeof ones);
        bool harmless = type == FRAME_PING || type == FRAME_FOUNDING;
        frame_encode_head(encoded,
                          &(struct frame_head){(enum frame_type)type, LANE_CONTROL, 3, 3, 1}, 0,
                          &body, 1);
        assert_int_equal(frame_decode_head(encoded, &head), CAIRN_OK);
        assert_int_equal(ends_link("raft", (enum frame_type)type, body), !harmless);
        assert_int_equal(ends_link("zab", (enum frame_type)type, body), !harmless);
    }
}

static void what_has_more_behind_its_end_is_not_read(void **state) {
    uint8_t body[100] = {0};
    assert_false(ends_link("raft", FRAME_COMPARED, bytes_of(body, 16)));
    assert_true(ends_link("raft", FRAME_COMPARED, bytes_of(body, 17)));
    assert_false(ends_link("raft", FRAME_SNAPSHOT_ACK, bytes_of(body, 18)));
    assert_true(ends_link("raft", FRAME_SNAPSHOT_ACK, bytes_of(body, 19)));
    body[16] = 255; /* no status */
    assert_true(ends_link("raft", FRAME_SNAPSHOT_ACK, bytes_of(body, 18)));
}

static void a_message_of_a_keyspace_that_is_not_served_is_passed_over(void **state) {
    struct fixture fixture;
    fixture_start(&fixture, 1, "raft");
    link_start(&fixture, LINK_UP, false);
    say(&fixture, FRAME_PROTOCOL, 2, BYTES("?"));
    assert_int_equal(fixture.link.state, LINK_UP);
    link_stop(&fixture);
    fixture_stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_with_a_secret_may_come_in_any_pieces),
        cmocka_unit_test(whatever_can_not_be_read_ends_the_link),
        cmocka_unit_test(what_has_more_behind_its_end_is_not_read),
        cmocka_unit_test(a_message_of_a_keyspace_that_is_not_served_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
