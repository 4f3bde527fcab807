/* Keys whose time is over, and reads that are long. */
#include "kv_text.h"

static void fill_due(struct kv_text *kv, int count) {
    char line[64];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof line, "SET due%d v PX 100", i);
        kv_expect(kv, line, "OK");
    }
    kv_expect(kv, "SET stays v", "OK");
}

/* A local read needs nobody: what is over by its own time is absent. */
static void a_local_read_never_waits_for_an_expiry(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    fill_due(&kv, 3000);
    kv.context.time_ms += 200;
    kv_expect(&kv, "GET due7", "due");
    kv_expect(&kv, "DBSIZE", "due");
    kv.local = true;
    kv_expect(&kv, "GET due7", "nil");
    kv_expect(&kv, "MGET due1 stays due2", "[nil \"v\" nil]");
    kv_expect(&kv, "EXISTS due1 stays", "1");
    kv_expect(&kv, "DBSIZE", "1");
    kv_expect(&kv, "KEYS *", "[\"stays\"]");
    kv_expect(&kv, "RANDOMKEY", "\"stays\"");
    kv_expect(&kv, "TTL due9", "-2");
    kv_expect(&kv, "SCAN 0 COUNT 10000", "[\"0\" [\"stays\"]]");
    kv_text_stop(&kv);
}

/* One entry of that time is enough, however many keys wait to be removed. */
static void an_applied_entry_settles_all_that_was_over_by_its_time(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    fill_due(&kv, 3000);
    kv.context.time_ms += 200;
    const char *const reads[] = {"GET due7",  "DBSIZE",      "KEYS *",
                                 "RANDOMKEY", "EXISTS due1", "SCAN 0 COUNT 10000"};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        kv_expect(&kv, reads[i], "due");
    kv_expect(&kv, "SET other v", "OK");
    assert_int_equal(machine_kv.count(kv.machine), 3002); /* none of them has gone */
    kv_expect(&kv, "GET due7", "nil");
    kv_expect(&kv, "DBSIZE", "2");
    kv_expect(&kv, "EXISTS due1 stays other", "2");
    assert_string_not_equal(kv_text_run(&kv, "RANDOMKEY"), "nil");
    /* What ends later waits for an entry of its own time. */
    kv_expect(&kv, "SET later v PX 50", "OK");
    kv.context.time_ms += 60;
    kv_expect(&kv, "GET later", "due");
    kv_expect(&kv, "GET stays", "\"v\"");
    kv_text_stop(&kv);
}

/* ---- long reads ---- */

/* In slices, with changes in between; the answer of the state at the beginning. NULL: due. */
static const char *read_long(struct kv_text *kv, const char *line, int *slices) {
    struct buf query = {0};
    kv_expect(kv, line, "busy");
    kv_text_encode(&query, line);
    struct read_context context = {.time_ms = kv->context.time_ms};
    void *task = machine_kv.read_begin(kv->machine, &context, buf_view(&query));
    kv_expect(kv, "FLUSHALL", "OK");
    buf_clear(&kv->reply);
    for (*slices = 1; !machine_kv.read_step(kv->machine, task, 100000, &kv->reply); ++*slices)
        machine_kv.tidy(kv->machine, 100);
    machine_kv.read_end(kv->machine, task);
    while (machine_kv.tidy(kv->machine, 1000))
        ;
    buf_free(&query);
    return kv->reply.len > 0 ? kv_text_shown(kv) : NULL;
}

static void a_long_read_answers_as_of_its_beginning(void **state) {
    struct kv_text kv;
    int slices;
    kv_text_start(&kv);
    for (unsigned version = 1; version <= 3; version += 2) {
        kv.context.version = version;
        kv_expect(&kv, "SETRANGE big 5000000 x", "5000001");
        assert_string_equal(read_long(&kv, "BITCOUNT big", &slices), "4");
        assert_true(slices > 10);
        kv_expect(&kv, "SETRANGE big 3000000 hello", "3000005");
        size_t len = strlen(read_long(&kv, "GET big", &slices));
        assert_int_equal(len, 3000000 * 4 + 5 + 2);
        assert_true(slices > 5);
        kv_expect(&kv, "SETRANGE big 2000000 z", "2000001");
        read_long(&kv, "DUMP big", &slices);
        assert_int_equal(kv.reply.len, 1 + 4 + 1 + 5 + 2000001 + 10);
    }
    kv_text_stop(&kv);
}

static void a_long_read_may_find_a_key_due(void **state) {
    struct kv_text kv;
    char line[64];
    int slices;
    kv_text_start(&kv);
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof line, "SET k%d v", i);
        kv_expect(&kv, line, "OK");
    }
    kv_expect(&kv, "SET due v PX 10", "OK");
    kv.context.time_ms += 20;
    assert_null(read_long(&kv, "KEYS *", &slices));
    kv_text_stop(&kv);
}

/* What the handler holds is freed, whenever the client goes. */
static void a_long_read_may_be_given_up(void **state) {
    struct kv_text kv;
    struct buf query = {0}, reply = {0};
    kv_text_start(&kv);
    kv_expect(&kv, "SETRANGE big 3000000 hello", "3000005");
    kv_text_encode(&query, "DUMP big");
    for (int steps = 0; steps < 30; steps++) {
        void *task = machine_kv.read_begin(
            kv.machine, &(struct read_context){.time_ms = kv.context.time_ms}, buf_view(&query));
        for (int i = 0; i < steps; i++)
            if (machine_kv.read_step(kv.machine, task, 100000, &reply))
                break;
        machine_kv.read_end(kv.machine, task);
        buf_clear(&reply);
    }
    buf_free(&query);
    buf_free(&reply);
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_read_never_waits_for_an_expiry),
        cmocka_unit_test(an_applied_entry_settles_all_that_was_over_by_its_time),
        cmocka_unit_test(a_long_read_answers_as_of_its_beginning),
        cmocka_unit_test(a_long_read_may_find_a_key_due),
        cmocka_unit_test(a_long_read_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
