/* Each seeded bug of the front end shows in a short story, which holds without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/tree/tree.h"
#include "zookeeper_box.h"

static struct zk_box *box_with(enum mutant mutant) {
    struct zookeeper_options options;
    zookeeper_options_default(&options);
    options.mutant = mutant;
    return zk_box_new(&options);
}

static struct zk_box_client *served(struct zk_box *box, struct jute_connect *session) {
    struct zk_box_client *client = zk_box_connect(box, "10.0.0.1:5");
    assert_true(zk_box_handshake(client, session));
    return client;
}

static struct zk_box_client *fresh(struct zk_box *box) {
    struct jute_connect session = {.timeout_ms = 10000};
    return served(box, &session);
}

static void put_create(struct buf *body) {
    struct jute_acl open = {31, BYTES("world"), BYTES("anyone")};
    jute_put_block(body, BYTES("/a"));
    jute_put_block(body, BYTES("x"));
    jute_put_i32(body, 1);
    jute_put_acl(body, &open);
    jute_put_i32(body, 0);
}

static void put_get(struct buf *body) {
    jute_put_block(body, BYTES("/a"));
    jute_put_bool(body, true);
}

static void put_set(struct buf *body) {
    jute_put_block(body, BYTES("/a"));
    jute_put_block(body, BYTES("y"));
    jute_put_i32(body, -1);
}

static void ask(struct zk_box_client *client, int32_t xid, int32_t op,
                void (*put)(struct buf *body)) {
    struct buf body = {0};
    put(&body);
    zk_box_request(client, xid, op, buf_view(&body));
    buf_free(&body);
}

static int32_t next_xid(struct zk_box_client *client) {
    struct zk_box_answer answer;
    assert_true(zk_box_take(client, &answer));
    return answer.xid;
}

static struct zk_box_client *maker(struct zk_box *box) {
    struct zk_box_client *client = fresh(box);
    ask(client, 1, JUTE_CREATE, put_create);
    zk_box_settle(box);
    assert_int_equal(next_xid(client), 1);
    return client;
}

/* The notification comes before the answer that shows the change. */
static bool watch_before_read(struct zk_box *box) {
    struct zk_box_client *writer = maker(box), *reader = fresh(box);
    ask(reader, 1, JUTE_GET, put_get);
    ask(writer, 2, JUTE_SET, put_set);
    zk_box_step(box);
    ask(reader, 2, JUTE_GET, put_get);
    zk_box_settle(box);
    zk_box_turn(box);
    assert_int_equal(next_xid(reader), 1);
    return next_xid(reader) == JUTE_XID_NOTIFICATION;
}

static bool read_after_write(struct zk_box *box) {
    struct zk_box_client *client = maker(box);
    ask(client, 2, JUTE_SET, put_set);
    ask(client, 3, JUTE_GET, put_get);
    zk_box_settle(box);
    return next_xid(client) == 2;
}

static bool moved_session_closes(struct zk_box *box) {
    struct jute_connect session = {.timeout_ms = 10000};
    struct zk_box_client *old = served(box, &session);
    struct buf command = {0};
    const struct tree_caller caller = {.session = (uint64_t)session.session};
    tree_put_head(&command, TREE_OP_SESSION_ATTACH, &caller);
    tree_put_session_attach(&command, session.password, 10000, 2); /* at another node */
    zk_box_apply(box, buf_view(&command));
    zk_box_turn(box);
    buf_free(&command);
    return zk_box_closed(old);
}

static bool set_watches_tells(struct zk_box *box) {
    struct zk_box_client *writer = maker(box), *client = fresh(box);
    struct buf body = {0};
    ask(writer, 2, JUTE_SET, put_set);
    zk_box_settle(box);
    jute_put_i64(&body, 1);
    jute_put_i32(&body, 1);
    jute_put_block(&body, BYTES("/a"));
    jute_put_i32(&body, 0);
    jute_put_i32(&body, 0);
    zk_box_request(client, JUTE_XID_SET_WATCHES, JUTE_SET_WATCHES, buf_view(&body));
    zk_box_settle(box);
    buf_free(&body);
    return next_xid(client) == JUTE_XID_NOTIFICATION;
}

static void told_by(enum mutant mutant, bool (*story)(struct zk_box *box)) {
    struct zk_box *right = box_with(MUTANT_NONE), *wrong = box_with(mutant);
    assert_true(story(right));
    assert_false(story(wrong));
    zk_box_free(right);
    zk_box_free(wrong);
}

static void a_late_notification_shows(void **state) {
    told_by(MUTANT_WATCH_AFTER_READ, watch_before_read);
}

static void a_read_that_overtakes_shows(void **state) {
    told_by(MUTANT_ZK_READ_OVERTAKES_WRITE, read_after_write);
}

static void a_session_served_twice_shows(void **state) {
    told_by(MUTANT_ZK_SESSION_MOVED_IGNORED, moved_session_closes);
}

static void watches_that_forget_show(void **state) {
    told_by(MUTANT_ZK_SET_WATCHES_IGNORES_ZXID, set_watches_tells);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_notification_shows),
        cmocka_unit_test(a_read_that_overtakes_shows),
        cmocka_unit_test(a_session_served_twice_shows),
        cmocka_unit_test(watches_that_forget_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
