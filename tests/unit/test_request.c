/* The order of a client's requests while leaders change, and the limits on what is outstanding. */
#include "base/alloc.h"
#include "fake_env.h"
#include "core/reply.h"
#include "node/node_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct node node;
    struct group group;
    struct node_client client;
    enum cairn_status last;
    unsigned answered;
};

static void start(struct fixture *fixture, struct fake_env *fake) {
    memset(fixture, 0, sizeof *fixture);
    fixture->node.env = &fake->env;
    fixture->node.groups[0] = &fixture->group;
    fixture->node.group_count = 1;
    list_init(&fixture->node.operations);
    node_options_default(&fixture->node.options);
    fixture->node.limits = node_limits(NULL);
    struct group *group = &fixture->group;
    group->node = &fixture->node;
    group->epoch = 1;
    struct list *lists[] = {&group->pending_writes, &group->pending_reads, &group->operations,
                            &group->forwarded,      &group->operating,     &group->aging,
                            &group->uploads};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    node_client_open(&fixture->node, 0, &fixture->client);
}

static void stop(struct fixture *fixture) {
    requests_fail_all(&fixture->group, CAIRN_SHUTDOWN, CAIRN_UNKNOWN_FATE);
    while (fixture->group.waiters_count > 0)
        waiter_pop(&fixture->group, UINT64_MAX - 1);
    assert_int_equal(fixture->group.request_bytes, 0);
    cairn_free(fixture->group.waiters);
    hmap_free(&fixture->group.by_tag);
}

static void done(void *context, enum cairn_status status, struct bytes reply) {
    struct fixture *fixture = context;
    fixture->last = status;
    fixture->answered++;
}

static struct request *write_new(struct fixture *fixture) {
    return request_new(&fixture->group, &fixture->client, REQUEST_WRITE, BYTES("m"), BYTES("set"),
                       done, fixture);
}

static void place(struct fixture *fixture, struct request *request, uint64_t index) {
    request->index = index;
    waiter_push(&fixture->group, request);
}

static void later_writes_follow_on_the_same_way_only(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    place(&fixture, write_new(&fixture), 10);
    struct request *second = write_new(&fixture);
    assert_false(request_held_back(&fixture.group, second));
    fixture.group.epoch++; /* another leader: the first may come back */
    assert_true(request_held_back(&fixture.group, second));
    request_again(&fixture.group, waiter_pop(&fixture.group, 10));
    assert_false(request_held_back(&fixture.group, second));
    struct list *first = list_first(&fixture.group.pending_writes);
    assert_ptr_not_equal(first, &second->queue); /* it has its place before the second again */
    stop(&fixture);
}

/* A leader that lost its term may have its entry committed all the same, by a replica that holds
 * it: nothing is placed anew before something is applied at its index. */
static void two_writes_placed_at_one_index_both_wait(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *old = write_new(&fixture), *fresh = write_new(&fixture);
    old->term = 3;
    fresh->term = 4;
    place(&fixture, old, 12);
    place(&fixture, fresh, 10);
    assert_int_equal(old->state, REQUEST_PLACED);
    assert_ptr_equal(waiter_pop(&fixture.group, 10), fresh);
    request_again(&fixture.group, fresh);
    assert_ptr_equal(waiter_pop(&fixture.group, 12), old);
    request_again(&fixture.group, old);
    stop(&fixture);
}

static void an_applied_entry_of_a_newer_term_ends_the_wait_of_older_ones(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *old = write_new(&fixture), *fresh = write_new(&fixture);
    old->term = 3;
    fresh->term = 4;
    place(&fixture, old, 12);
    place(&fixture, fresh, 11);
    waiters_overtaken(&fixture.group, 4);
    assert_int_equal(old->state, REQUEST_PENDING);
    assert_int_equal(fresh->state, REQUEST_PLACED);
    stop(&fixture);
}

static void a_forwarded_write_waits_where_the_leader_placed_it(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *request = write_new(&fixture);
    request_leaves(&fixture.group, request, REQUEST_FORWARDED);
    list_remove(&request->queue);
    list_push(&fixture.group.forwarded, &request->queue);
    request->index = 7;
    waiter_push_forwarded(&fixture.group, request);
    assert_true(list_empty(&fixture.group.forwarded));
    assert_int_equal(fixture.client.writes_sent, 1);
    assert_ptr_equal(waiter_pop(&fixture.group, 7), request);
    request_finish(&fixture.group, request, CAIRN_OK, bytes_of(NULL, 0));
    assert_int_equal(fixture.client.writes_sent, 0);
    stop(&fixture);
}

static void what_a_silent_leader_holds_is_given_up_soon(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *plain = write_new(&fixture), *once = write_new(&fixture);
    struct request *both[] = {plain, once};
    once->retry_safe = true;
    for (int i = 0; i < 2; i++) {
        request_leaves(&fixture.group, both[i], REQUEST_FORWARDED);
        both[i]->sent_to = 1;
        list_remove(&both[i]->queue);
        list_push(&fixture.group.forwarded, &both[i]->queue);
    }
    fixture.group.leader = 2;
    uint64_t soon = plain->deadline_ns - 1000;
    requests_hurry(&fixture.group, soon);
    assert_int_equal(once->state, REQUEST_PENDING); /* carries a session: it goes on at once */
    requests_expire(&fixture.group, soon);
    assert_int_equal(fixture.last, CAIRN_UNKNOWN_FATE);
    stop(&fixture);
}

static struct request *session_write_new(struct fixture *fixture) {
    struct request *once = write_new(fixture);
    once->retry_safe = true;
    fixture->last = CAIRN_STATUS_COUNT;
    return once;
}

/* Forwarded to leader 1, which may have placed it; leader 2 is known, and no quorum until the
 * deadline. */
static enum cairn_status told_after_a_silent_leader(struct fixture *fixture) {
    struct request *once = session_write_new(fixture);
    request_leaves(&fixture->group, once, REQUEST_FORWARDED);
    once->sent_to = 1;
    list_remove(&once->queue);
    list_push(&fixture->group.forwarded, &once->queue);
    fixture->group.leader = 2;
    requests_hurry(&fixture->group, once->deadline_ns - 1000);
    requests_expire(&fixture->group, once->deadline_ns);
    return fixture->last;
}

/* Placed at 5, and a snapshot took the place of what was applied there. */
static enum cairn_status told_after_a_snapshot(struct fixture *fixture) {
    struct request *once = session_write_new(fixture);
    place(fixture, once, 5);
    waiter_pop(&fixture->group, 9);
    assert_int_equal(once->state, REQUEST_PENDING);
    requests_expire(&fixture->group, once->deadline_ns);
    return fixture->last;
}

static void no_refusal_of_a_retry_says_that_it_was_not_executed(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    assert_int_equal(told_after_a_silent_leader(&fixture), CAIRN_UNKNOWN_FATE);
    assert_int_equal(told_after_a_snapshot(&fixture), CAIRN_UNKNOWN_FATE);
    fixture.node.options.mutant = MUTANT_RETRY_FORGETS_ATTEMPT;
    assert_int_equal(told_after_a_silent_leader(&fixture), CAIRN_NO_QUORUM);
    assert_int_equal(told_after_a_snapshot(&fixture), CAIRN_NO_QUORUM);
    stop(&fixture);
}

static void commands_are_limited_in_bytes(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    fixture.node.options.requests_bytes_max = 10;
    assert_false(requests_full(&fixture.group, 100)); /* one always fits */
    write_new(&fixture);
    assert_false(requests_full(&fixture.group, 6));
    assert_true(requests_full(&fixture.group, 7));
    stop(&fixture);
}

/* A great many come back, batch by batch, while as many newer ones wait: if each had to walk over
 * those that stand there, it would take minutes. */
static void reads_that_come_back_find_their_places(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct list batches[100];
    for (int i = 0; i < 100; i++) {
        list_init(&batches[i]);
        for (int n = 0; n < 2000; n++) {
            struct request *request = request_new(&fixture.group, &fixture.client, REQUEST_READ,
                                                  BYTES(""), BYTES("get"), done, &fixture);
            request->state = REQUEST_READING;
            list_remove(&request->queue);
            list_push(&batches[i], &request->queue);
        }
    }
    for (int n = 0; n < 200000; n++)
        request_new(&fixture.group, &fixture.client, REQUEST_READ, BYTES(""), BYTES("get"), done,
                    &fixture);
    for (int i = 0; i < 100; i++)
        reads_again(&fixture.group, &batches[i]);
    uint64_t last = 0;
    LIST_EACH(item, &fixture.group.pending_reads) {
        uint64_t order = container_of(item, struct request, queue)->order;
        assert_true(order == ++last);
    }
    assert_int_equal(last, 400000);
    stop(&fixture);
}

/* ---- reads whose client has no room for answers ---- */

#define ANSWER_BYTES 100000u

static enum cairn_status read_some(struct machine *machine, const struct read_context *context,
                                   struct bytes query, struct buf *reply) {
    memset(buf_reserve(reply, ANSWER_BYTES), 7, ANSWER_BYTES);
    reply->len += ANSWER_BYTES;
    return CAIRN_OK;
}

static const struct machine_kind reading = {.read = read_some};

static void start_reading(struct fixture *fixture, struct fake_env *fake) {
    start(fixture, fake);
    fixture->group.stack.kind = &reading;
    struct list *lists[] = {&fixture->group.read_waiting, &fixture->group.reads_due,
                            &fixture->group.long_reads, &fixture->group.resumed};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
}

static void stop_reading(struct fixture *fixture) {
    node_client_close(&fixture->client);
    buf_free(&fixture->group.reply);
    stop(fixture);
}

/* That many reads whose index is applied. */
static void reads_become_ready(struct fixture *fixture, unsigned count) {
    struct read_batch *batch = cairn_alloc_zero(sizeof *batch);
    list_init(&batch->requests);
    for (unsigned i = 0; i < count; i++) {
        struct request *request = request_new(&fixture->group, &fixture->client, REQUEST_READ,
                                              BYTES(""), BYTES("get"), done, fixture);
        request->state = REQUEST_READING;
        request->time_ms = 1;
        list_remove(&request->queue);
        list_push(&batch->requests, &request->queue);
    }
    list_push(&fixture->group.read_waiting, &batch->list);
    group_reads_applied(&fixture->group, 0);
}

static void answers_wait_for_a_client_that_has_no_room(void **state) {
    struct fixture fixture;
    start_reading(&fixture, *state);
    fixture.node.options.requests_max = 2;
    node_client_hold(&fixture.client, true);
    reads_become_ready(&fixture, 2);
    assert_int_equal(fixture.answered, 0);
    assert_false(requests_full(&fixture.group, 1));  /* they take no room from others */
    requests_expire(&fixture.group, UINT64_MAX - 1); /* nor do they run out of time ... */
    struct request *write = write_new(&fixture);
    ((struct fake_env *)*state)->now = write->deadline_ns;
    requests_expire(&fixture.group, write->deadline_ns); /* ... nor do writes behind them */
    assert_int_equal(fixture.answered, 0);
    group_reads_resume(&fixture.group);
    assert_int_equal(fixture.answered, 0);
    node_client_hold(&fixture.client, false);
    group_reads_resume(&fixture.group);
    assert_int_equal(fixture.answered, 2);
    assert_int_equal(fixture.client.reads_inflight, 0);
    assert_false(request_held_back(&fixture.group, write));
    stop_reading(&fixture);
}

static void a_turn_makes_so_many_bytes_of_answers(void **state) {
    struct fixture fixture;
    start_reading(&fixture, *state);
    fixture.client.answer_bytes = ANSWER_BYTES;
    reads_become_ready(&fixture, 1000);
    unsigned first = fixture.answered;
    assert_true(first > 10 && first < 200);
    for (int turns = 0; turns < 20; turns++) {
        fixture.group.read_bytes = 0;
        group_reads_resume(&fixture.group);
        assert_true(fixture.answered - first < 200);
        first = fixture.answered;
    }
    assert_int_equal(fixture.answered, 1000);
    stop_reading(&fixture);
}

static void a_client_that_leaves_takes_its_held_reads_along(void **state) {
    struct fixture fixture;
    start_reading(&fixture, *state);
    node_client_hold(&fixture.client, true);
    reads_become_ready(&fixture, 3);
    node_client_hold(&fixture.client, false);
    node_client_close(&fixture.client);
    group_reads_resume(&fixture.group);
    assert_int_equal(fixture.answered, 0);
    assert_int_equal(fixture.group.request_count, 0);
    stop_reading(&fixture);
}

static int set_up(void **state) {
    *state = fake_env_new(1);
    return 0;
}

static int tear_down(void **state) {
    fake_env_free(*state);
    return 0;
}

/* A leader that was hurried may still refuse: then the request has its time again. */
static void a_request_that_comes_back_has_the_time_it_was_made_with(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *request = write_new(&fixture);
    uint64_t limit = request->deadline_ns;
    request_leaves(&fixture.group, request, REQUEST_FORWARDED);
    request->sent_to = 1;
    list_remove(&request->queue);
    list_push(&fixture.group.forwarded, &request->queue);
    fixture.group.leader = 2;
    requests_hurry(&fixture.group, limit - 1000);
    assert_int_equal(request->deadline_ns, limit - 1000);
    request_again(&fixture.group, request);
    assert_int_equal(request->deadline_ns, limit);
    requests_expire(&fixture.group, limit - 1);
    assert_int_equal(request->state, REQUEST_PENDING);
    stop(&fixture);
}

static struct request *operation_new(struct fixture *fixture) {
    return request_new(&fixture->group, &fixture->client, REQUEST_OPERATE, bytes_of(NULL, 0),
                       BYTES("operation"), done, fixture);
}

static void tell_outcome(struct fixture *fixture, enum outcome_of of, uint64_t tag) {
    struct effect effect = {.kind = EFFECT_OUTCOME};
    effect.outcome.of = of;
    effect.outcome.tag = tag;
    effect.outcome.status = CAIRN_OK;
    group_outcome(&fixture->group, &effect);
}

/* A change of members, or a transfer, may end long after whoever asked has given up. */
static void an_outcome_that_nobody_waits_for_is_no_request(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    for (int i = 0; i < 2; i++) {
        enum outcome_of of = i == 0 ? OUTCOME_CHANGE : OUTCOME_TRANSFER;
        struct request *request = operation_new(&fixture);
        request_operates(&fixture.group, request);
        uint64_t tag = request->tag;
        requests_expire(&fixture.group, request->deadline_ns);
        assert_int_equal(fixture.last, CAIRN_UNKNOWN_FATE);
        assert_null(request_by_tag(&fixture.group, tag));
        tell_outcome(&fixture, of, tag);
    }
    stop(&fixture);
}

/* The names of proposals and of operations are apart: the same number is two of them. */
static void an_outcome_finds_its_own_kind_of_request(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct request *operation = operation_new(&fixture), *write = write_new(&fixture);
    struct request *proposed[] = {write_new(&fixture), write};
    request_operates(&fixture.group, operation);
    fixture.group.proposed = proposed;
    fixture.group.proposed_count = 2;
    assert_int_equal(operation->tag, 1);
    tell_outcome(&fixture, OUTCOME_PROPOSAL, 1);
    assert_int_equal(write->state, REQUEST_PLACED);
    assert_int_equal(operation->state, REQUEST_OPERATING);
    tell_outcome(&fixture, OUTCOME_CHANGE, 1);
    assert_int_equal(fixture.last, CAIRN_OK);
    stop(&fixture);
}

/* ---- long commands in pieces ---- */

static void pieces_applied(struct fixture *fixture, unsigned count) {
    struct buf ok = {0};
    reply_ok(&ok);
    for (unsigned i = 0; i < count; i++) {
        struct request *piece =
            container_of(list_first(&fixture->group.pending_writes), struct request, queue);
        assert_true(piece->client == NULL && piece->retry_safe && piece->len <= 40 + 100);
        request_finish(&fixture->group, piece, CAIRN_OK, buf_view(&ok));
    }
    buf_free(&ok);
}

static struct request *long_new(struct fixture *fixture, size_t len) {
    struct buf command = {0};
    memset(buf_reserve(&command, len), 'c', len);
    struct request *request = request_new(&fixture->group, &fixture->client, REQUEST_WRITE,
                                          BYTES("m"), bytes_of(command.data, len), done, fixture);
    buf_free(&command);
    return request;
}

static void start_pieces(struct fixture *fixture, struct fake_env *fake) {
    start(fixture, fake);
    fixture->node.options.piece_bytes = 100;
    fixture->group.stack.agreed.version = WIRE_VERSION_3;
}

/* Other entries pass between the pieces, but not what the client asked for behind it. */
static void a_long_command_leaves_when_its_pieces_are_there(void **state) {
    struct fixture fixture;
    start_pieces(&fixture, *state);
    struct request *first = long_new(&fixture, 999), *later = write_new(&fixture);
    assert_int_equal(first->state, REQUEST_UPLOADING);
    assert_true(request_held_back(&fixture.group, later));
    group_uploads_turn(&fixture.group);
    list_remove(&later->queue); /* the pieces are what is left */
    pieces_applied(&fixture, 8);
    assert_int_equal(first->state, REQUEST_UPLOADING);
    group_uploads_turn(&fixture.group);
    pieces_applied(&fixture, 2);
    assert_int_equal(first->state, REQUEST_PENDING);
    assert_false(request_held_back(&fixture.group, later));
    assert_true(request_body(first).len < 40);
    assert_int_equal(fixture.answered, 0);
    request_finish(&fixture.group, first, CAIRN_OK, BYTES(""));
    request_finish(&fixture.group, later, CAIRN_OK, BYTES(""));
    assert_int_equal(fixture.answered, 2);
    stop(&fixture);
}

/* Pieces that come to nothing: the command was surely not executed, and its rest is dropped. */
static void a_lost_piece_ends_the_command_unexecuted(void **state) {
    struct fixture fixture;
    start_pieces(&fixture, *state);
    long_new(&fixture, 999);
    group_uploads_turn(&fixture.group);
    struct request *piece =
        container_of(list_first(&fixture.group.pending_writes), struct request, queue);
    request_finish(&fixture.group, piece, CAIRN_UNKNOWN_FATE, BYTES(""));
    assert_int_equal(fixture.answered, 1);
    assert_int_equal(fixture.last, CAIRN_NO_QUORUM);
    assert_true(list_empty(&fixture.group.uploads));
    struct request *drop = container_of(fixture.group.pending_writes.prev, struct request, queue);
    assert_int_equal(drop->command[0], ENVELOPE_PIECES_DROP);
    stop(&fixture);
}

static void lost_pieces_are_all_sent_anew(void **state) {
    struct fixture fixture;
    start_pieces(&fixture, *state);
    struct request *request = long_new(&fixture, 500);
    group_uploads_turn(&fixture.group);
    pieces_applied(&fixture, 6);
    uint64_t number = request->upload->id.number;
    place(&fixture, request, 5);
    waiter_pop(&fixture.group, 5);
    upload_again(&fixture.group, request);
    assert_int_equal(fixture.client.writes_sent, 0);
    assert_true(request->state == REQUEST_UPLOADING && request->upload->id.number != number);
    group_uploads_turn(&fixture.group);
    pieces_applied(&fixture, 6);
    assert_int_equal(request->state, REQUEST_PENDING);
    stop(&fixture);
}

static void below_version_3_a_long_command_is_one_entry(void **state) {
    struct fixture fixture;
    start_pieces(&fixture, *state);
    fixture.group.stack.agreed.version = 2;
    assert_int_equal(long_new(&fixture, 999)->state, REQUEST_PENDING);
    stop(&fixture);
}

/* However few the entries, a log of long ones is not kept until the disk is full. */
static void what_is_kept_of_a_log_is_bounded_by_bytes(void **state) {
    struct fixture fixture;
    start(&fixture, *state);
    struct group *group = &fixture.group;
    fixture.node.options.trailing_bytes = 1000;
    assert_int_equal(group_trailing(group, 5000), 0);
    for (uint64_t i = 1; i <= 10; i++)
        group->marks[group->mark_count++] = (struct log_mark){.index = i * 7, .total = i * 300};
    assert_int_equal(group_trailing(group, 900), 0);
    assert_int_equal(group_trailing(group, 3000), 6 * 7); /* 1,200 bytes are kept behind it */
    assert_int_equal(group_trailing(group, 1300), 1 * 7); /* as of an older state */
    stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_writes_follow_on_the_same_way_only),
        cmocka_unit_test(two_writes_placed_at_one_index_both_wait),
        cmocka_unit_test(an_applied_entry_of_a_newer_term_ends_the_wait_of_older_ones),
        cmocka_unit_test(a_forwarded_write_waits_where_the_leader_placed_it),
        cmocka_unit_test(what_a_silent_leader_holds_is_given_up_soon),
        cmocka_unit_test(no_refusal_of_a_retry_says_that_it_was_not_executed),
        cmocka_unit_test(commands_are_limited_in_bytes),
        cmocka_unit_test(reads_that_come_back_find_their_places),
        cmocka_unit_test(answers_wait_for_a_client_that_has_no_room),
        cmocka_unit_test(a_turn_makes_so_many_bytes_of_answers),
        cmocka_unit_test(a_client_that_leaves_takes_its_held_reads_along),
        cmocka_unit_test(a_request_that_comes_back_has_the_time_it_was_made_with),
        cmocka_unit_test(an_outcome_that_nobody_waits_for_is_no_request),
        cmocka_unit_test(an_outcome_finds_its_own_kind_of_request),
        cmocka_unit_test(a_long_command_leaves_when_its_pieces_are_there),
        cmocka_unit_test(a_lost_piece_ends_the_command_unexecuted),
        cmocka_unit_test(lost_pieces_are_all_sent_anew),
        cmocka_unit_test(below_version_3_a_long_command_is_one_entry),
        cmocka_unit_test(what_is_kept_of_a_log_is_bounded_by_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
