#include "base/alloc.h"
#include "base/prng.h"
#include "kv_text.h"

#include "machine/kv/kv_internal.h"

/* Proposes and applies what is due now, as a leader would; false when nothing was. */
static bool expire(struct kv_text *kv) {
    struct buf command = {0};
    bool due = machine_kv.due(kv->machine, kv->context.time_ms, 0, &command);
    if (due)
        kv_text_apply(kv, buf_view(&command));
    buf_free(&command);
    return due;
}

static void deadlines_are_set_on_conditions_and_read_back(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 1", "OK");
    kv_expect(&kv, "EXPIRE a 100 XX", "0");
    kv_expect(&kv, "EXPIRE a 100 GT", "0"); /* none counts as later than any */
    kv_expect(&kv, "EXPIRE a 100 LT", "1");
    kv_expect(&kv, "EXPIRE a 200 NX", "0");
    kv_expect(&kv, "EXPIRE a 50 GT", "0");
    kv_expect(&kv, "PEXPIRE a 200499 GT", "1");
    kv_expect(&kv, "TTL a", "200");
    kv_expect(&kv, "PTTL a", "200499");
    kv_expect(&kv, "EXPIRETIME a", "1200");
    kv_expect(&kv, "PEXPIRETIME a", "1200499");
    kv_expect(&kv, "PERSIST a", "1");
    kv_expect(&kv, "PERSIST a", "0");
    kv_expect(&kv, "TTL a", "-1");
    kv_expect(&kv, "TTL zz", "-2");
    kv_expect(&kv, "EXPIRE zz 1", "0");
    kv_expect(&kv, "PEXPIREAT a 1000000", "1"); /* now: gone at once */
    kv_expect(&kv, "EXISTS a", "0");
    kv_expect(&kv, "EXPIRE a 1 NX GT",
              "(ERR NX and XX, GT or LT options at the same time are not compatible)");
    kv_expect(&kv, "EXPIRE a 1 GT LT",
              "(ERR GT and LT options at the same time are not compatible)");
    kv_expect(&kv, "EXPIRE a 1 YY", "(ERR Unsupported option YY)");
    kv_expect(&kv, "EXPIRE a 9223372036854775807", "(ERR invalid expire time in 'expire' command)");
    kv_text_stop(&kv);
}

static void a_read_of_a_due_key_waits_for_the_committed_expiry(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 1 PX 100", "OK");
    kv_expect(&kv, "SET b 1 PX 900", "OK");
    assert_true(machine_kv.next_due(kv.machine) == 1000100);
    kv.context.time_ms += 99;
    kv_expect(&kv, "GET a", "\"1\"");
    assert_false(expire(&kv));
    kv.context.time_ms += 1;
    kv_expect(&kv, "GET a", "due");
    kv_expect(&kv, "MGET b a", "due");
    kv_expect(&kv, "KEYS *", "due");
    kv_expect(&kv, "SCAN 0", "due");
    kv_expect(&kv, "GET b", "\"1\"");
    assert_true(expire(&kv));
    struct reader reader = reader_of(buf_view(&kv.changes));
    struct change change;
    assert_true(change_next(&reader, &change) && change.kind == CHANGE_KEY);
    assert_true(bytes_equal(change.key, BYTES("a")));
    assert_true(bytes_equal(change.value, BYTES("expired")));
    kv_expect(&kv, "GET a", "nil");
    kv_expect(&kv, "DBSIZE", "1");
    assert_false(expire(&kv));
    kv_text_stop(&kv);
}

static void a_write_finds_a_due_key_absent_and_removes_it(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 5 PX 100", "OK");
    kv.context.time_ms += 100;
    kv_expect(&kv, "INCR a", "1");
    kv_expect(&kv, "TTL a", "-1");
    kv_expect(&kv, "SET b 5 PX 100", "OK");
    kv.context.time_ms += 100;
    kv_expect(&kv, "SETNX b 6", "1");
    assert_true(machine_kv.next_due(kv.machine) == UINT64_MAX);
    kv_text_stop(&kv);
}

static void an_expiry_spares_a_key_that_was_given_more_time_meanwhile(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 5 PX 100", "OK");
    struct buf command = {0};
    assert_true(machine_kv.due(kv.machine, kv.context.time_ms + 100, 0, &command));
    kv_expect(&kv, "PEXPIRE a 500", "1");
    kv.context.time_ms += 100;
    assert_string_equal(kv_text_apply(&kv, buf_view(&command)), "0");
    kv_expect(&kv, "PTTL a", "400");
    buf_free(&command);
    kv_text_stop(&kv);
}

static void what_is_due_is_proposed_in_bounded_batches(void **state) {
    struct kv_text kv;
    char line[64];
    kv_text_start(&kv);
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "SET k%d v PX %d", i, 1 + i % 7);
        kv_expect(&kv, line, "OK");
    }
    kv.context.time_ms += 10;
    int batches = 0;
    while (expire(&kv))
        batches++;
    assert_int_equal(batches, 4);
    kv_expect(&kv, "DBSIZE", "0");
    kv_text_stop(&kv);
}

static uint64_t late_clock(void *context) {
    return *(uint64_t *)context;
}

static void the_local_clock_mutant_expires_by_the_replicas_own_clock(void **state) {
    struct kv_text kv;
    uint64_t clock = 5000000;
    struct machine_options options = kv_text_options();
    options.mutant = MUTANT_EXPIRE_LOCAL_CLOCK;
    options.local_clock = late_clock;
    options.local_clock_context = &clock;
    kv_text_start_with(&kv, options);
    kv_expect(&kv, "SET a 1 PXAT 4000000", "OK");
    kv_expect(&kv, "GET a", "nil");
    kv_text_stop(&kv);
}

/* ---- transactions ---- */

static void append_part(struct buf *parts, struct bytes *views, size_t *count, const char *line) {
    size_t before = parts->len;
    kv_text_encode(parts, line);
    views[(*count)++] = bytes_of(NULL, parts->len - before);
}

/* Runs lines (NULL ends) as one transaction on condition that key has the version. */
static void encode_transact(struct buf *command, const char *key, uint64_t version,
                            const char *const *lines) {
    struct buf parts = {0};
    struct bytes views[16];
    size_t count = 0, at = 0;
    for (; *lines != NULL; lines++)
        append_part(&parts, views, &count, *lines);
    for (size_t i = 0; i < count; i++) {
        views[i].data = parts.data + at;
        at += views[i].len;
    }
    struct kv_watch watch = {key ? bytes_cstr(key) : BYTES(""), version};
    kv_encode_transaction(command, &watch, key != NULL, views, count);
    buf_free(&parts);
}

static const char *transact(struct kv_text *kv, const char *key, uint64_t version,
                            const char *const *lines) {
    struct buf command = {0};
    encode_transact(&command, key, version, lines);
    const char *shown = kv_text_apply(kv, buf_view(&command));
    buf_free(&command);
    return shown;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static uint64_t version_of(struct kv_text *kv, const char *key) {
    struct buf query = {0};
    struct bytes name = bytes_cstr(key);
    struct reply_value value;
    kv_encode(&query, KV_VERSIONS, &name, 1);
    assert_true(machine_kv.is_read(buf_view(&query)));
    buf_clear(&kv->reply);
    assert_int_equal(machine_kv.read(kv->machine,
                                     &(struct read_context){.time_ms = kv->context.time_ms},
                                     buf_view(&query), &kv->reply),
                     CAIRN_OK);
    struct reader reader = reader_of(buf_view(&kv->reply));
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_ARRAY && value.count == 1);
    assert_true(reply_next(&reader, &value) && value.kind == REPLY_INT);
    buf_free(&query);
    return (uint64_t)value.integer;
}

static void a_transaction_answers_for_each_command(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    assert_string_equal(
        transact(&kv, NULL, 0, LINES("SET a 1", "INCR a", "GET", "APPEND a x", "INCR a", "GET a")),
        "[OK 2 (ERR wrong number of arguments for 'get' command) 2 (ERR value is not an integer "
        "or out of range) \"2x\"]");
    kv_text_stop(&kv);
}

static void a_transaction_does_nothing_when_a_watched_key_changed(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    assert_int_equal(version_of(&kv, "a"), 0);
    kv_expect(&kv, "SET a 1", "OK");
    assert_string_equal(transact(&kv, "a", 0, LINES("SET a 2")), "nil-array");
    uint64_t version = version_of(&kv, "a");
    assert_int_equal(version, 20 - 10); /* the order of the entry that wrote it */
    assert_string_equal(transact(&kv, "a", version, LINES("SET a 2")), "[OK]");
    assert_string_equal(transact(&kv, "a", version, LINES("SET a 3")), "nil-array");
    kv_expect(&kv, "GET a", "\"2\"");
    kv_expect(&kv, "PEXPIRE a 10", "1");
    version = version_of(&kv, "a");
    kv.context.time_ms += 10; /* a watched key that is due counts as gone */
    assert_string_equal(transact(&kv, "a", version, LINES("SET a 3")), "nil-array");
    assert_string_equal(transact(&kv, "a", 0, LINES("SET a 4")), "[OK]");
    kv_text_stop(&kv);
}

static bool is_read_transaction(const char *key, const char *const *lines) {
    struct buf command = {0};
    encode_transact(&command, key, 7, lines);
    bool reads = machine_kv.is_read(buf_view(&command));
    for (size_t len = 0; len < command.len; len++) /* whole or a write */
        assert_false(machine_kv.is_read(bytes_of(command.data, len)));
    buf_free(&command);
    return reads;
}

static void a_transaction_is_a_read_when_all_of_it_is(void **state) {
    assert_true(is_read_transaction(NULL, LINES("GET a")));
    assert_true(is_read_transaction("w", LINES("MGET a b", "STRLEN a", "SCAN 0")));
    assert_true(is_read_transaction(NULL, LINES(NULL)));
    assert_false(is_read_transaction(NULL, LINES("GET a", "PUBLISH c m", "GET b")));
    assert_false(is_read_transaction("w", LINES("GET a", "GETEX a")));
}

/* As a peer may send it. */
static void a_transaction_that_writes_is_no_read_whatever_it_is_sent_as(void **state) {
    struct kv_text kv;
    struct buf command = {0};
    const struct read_context context = {.time_ms = 1000000};
    kv_text_start(&kv);
    encode_transact(&command, NULL, 0, LINES("GET a", "SET a 1"));
    assert_int_equal(machine_kv.read(kv.machine, &context, buf_view(&command), &kv.reply),
                     CAIRN_OK);
    assert_string_equal(kv_text_shown(&kv), "(ERR malformed transaction)");
    kv_expect(&kv, "GET a", "nil");
    buf_free(&command);
    kv_text_stop(&kv);
}

static void set_zeros(struct kv_text *kv, const char *key, size_t len) {
    char line[100];
    snprintf(line, sizeof line, "SETRANGE %s %zu x", key, len - 1);
    kv_text_run(kv, line);
}

static void a_transaction_of_long_reads_sees_one_state(void **state) {
    struct kv_text kv;
    struct buf command = {0};
    const struct read_context context = {.time_ms = 1000000};
    unsigned steps = 1;
    kv_text_start(&kv);
    set_zeros(&kv, "big", 4u << 20);
    kv_expect(&kv, "SET a 1", "OK");
    encode_transact(&command, "a", version_of(&kv, "a"), LINES("GET a", "GET big", "GET a"));
    buf_clear(&kv.reply);
    assert_int_equal(machine_kv.read(kv.machine, &context, buf_view(&command), &kv.reply),
                     CAIRN_BUSY);
    void *task = machine_kv.read_begin(kv.machine, &context, buf_view(&command));
    for (; !machine_kv.read_step(kv.machine, task, 500000, &kv.reply); steps++) {
        kv_text_run(&kv, "INCR a");
        buf_clear(&kv.reply);
    }
    machine_kv.read_end(kv.machine, task);
    assert_in_range(steps, 3, 10);
    const char *shown = kv_text_shown(&kv);
    assert_memory_equal(shown, "[\"1\" ", 5);
    assert_string_equal(shown + strlen(shown) - 5, " \"1\"]");
    buf_free(&command);
    kv_text_stop(&kv);
}

static void stop_counting(struct work *work) {}

static void a_long_key_costs_by_its_length(void **state) {
    struct kv_text kv;
    struct buf line = {0};
    struct work work = {.limit = UINT64_MAX, .pause = stop_counting};
    kv_text_start(&kv);
    buf_printf(&line, "SET %0*d v", 1000000, 1);
    buf_u8(&line, 0);
    kv.context.work = &work;
    kv_text_run(&kv, (const char *)line.data);
    assert_in_range(work.done, 1000000, 5000000);
    memcpy(line.data, "GET", 3);
    line.data[line.len - 3] = 0;
    kv.context.work = NULL;
    assert_string_equal(kv_text_run(&kv, (const char *)line.data), "busy"); /* in slices */
    buf_free(&line);
    kv_text_stop(&kv);
}

/* 300 MiB are asked for; the rest is not copied to be thrown away. */
static void values_beyond_the_limit_of_a_reply_cost_nothing(void **state) {
    struct kv_text kv;
    struct work work = {.limit = UINT64_MAX, .pause = stop_counting};
    kv_text_start(&kv);
    set_zeros(&kv, "big", 50u << 20);
    kv.context.work = &work;
    const char *shown =
        transact(&kv, NULL, 0,
                 LINES("SET a 1", "GET big", "GET big", "GETRANGE big 0 -1", "MGET big big",
                       "GET a", "GETRANGE big 1 3", "DUMP big", "GET big"));
    static const char error[] = "(ERR the reply is larger than the limit of 144 MiB)";
    unsigned errors = 0;
    for (const char *at = shown; (at = strstr(at, error)) != NULL; at++)
        errors++;
    assert_int_equal(errors, 4);
    assert_in_range(work.done, 50u << 20, 170u << 20);
    kv_text_stop(&kv);
}

static void publishing_is_a_change_in_order(void **state) {
    struct kv_text kv;
    struct change change;
    kv_text_start(&kv);
    assert_string_equal(transact(&kv, NULL, 0, LINES("PUBLISH c one", "PUBLISH c two")), "[0 0]");
    struct reader reader = reader_of(buf_view(&kv.changes));
    assert_true(change_next(&reader, &change) && change.kind == CHANGE_PUBLISH);
    assert_true(bytes_equal(change.key, BYTES("c")) && bytes_equal(change.value, BYTES("one")));
    assert_true(change_next(&reader, &change) && bytes_equal(change.value, BYTES("two")));
    assert_false(change_next(&reader, &change));
    kv_text_stop(&kv);
}

static void keys_of_a_command_are_found_without_running_it(void **state) {
    struct key_uses uses = {0};
    struct buf command = {0};
    kv_text_encode(&command, "MSET a 1 b 2");
    kv_text_encode(&command, "GET x");
    assert_int_equal(machine_kv.keys(buf_view(&command), &uses), CAIRN_MALFORMED);
    buf_clear(&command);
    kv_text_encode(&command, "MSET a 1 b 2");
    assert_int_equal(machine_kv.keys(buf_view(&command), &uses), CAIRN_OK);
    assert_int_equal(uses.count, 2);
    assert_true(uses.items[1].write && bytes_equal(uses.items[1].key, BYTES("b")));
    struct buf transaction = {0};
    struct bytes part = buf_view(&command);
    struct kv_watch watch = {BYTES("w"), 1};
    kv_encode_transaction(&transaction, &watch, 1, &part, 1);
    uses.count = 0;
    assert_int_equal(machine_kv.keys(buf_view(&transaction), &uses), CAIRN_OK);
    assert_int_equal(uses.count, 3);
    assert_true(!uses.items[0].write && bytes_equal(uses.items[0].key, BYTES("w")));
    buf_free(&command);
    buf_free(&transaction);
    key_uses_free(&uses);
}

static void memory_above_the_limit_refuses_what_needs_memory(void **state) {
    struct kv_text kv;
    struct machine_options options = kv_text_options();
    options.memory_max = 100;
    const char *refusal = "(OOM command not allowed when used memory > 'maxmemory'.)";
    kv_text_start_with(&kv, options);
    kv_expect(&kv, "MSET a 1 b 1 c 1", "OK");
    kv_expect(&kv, "SET d 1", refusal);
    assert_string_equal(transact(&kv, NULL, 0, LINES("DEL a", "SET d 1")), refusal);
    kv_expect(&kv, "GET a", "\"1\"");
    kv_expect(&kv, "DEL a b", "2");
    kv_expect(&kv, "SET d 1", "OK");
    kv_text_stop(&kv);
}

/* Of a 60 MiB value each, so that the third reply is more than fits. */
static void expect_third_refused(struct kv_text *kv, const char *command) {
    static const char refusal[] = "ERR the reply is larger than the limit of 144 MiB";
    struct buf parts = {0};
    encode_transact(&parts, NULL, 0, LINES("GET a", "GET a", command));
    buf_clear(&kv->reply);
    machine_kv.apply(kv->machine, &kv->context, buf_view(&parts), &kv->reply, &kv->changes);
    assert_true(kv->reply.len > sizeof refusal);
    assert_memory_equal(kv->reply.data + kv->reply.len - strlen(refusal), refusal, strlen(refusal));
    buf_free(&parts);
}

static void a_value_that_can_not_be_told_is_not_lost(void **state) {
    static const char *const commands[] = {"GETDEL c", "GETSET c new", "SET c new GET",
                                           "GETEX c PX 1"};
    struct kv_text kv;
    kv_text_start(&kv);
    kv.context.version = 3;
    kv_expect(&kv, "SETRANGE a 62914559 x", "62914560");
    kv_expect(&kv, "SETRANGE c 62914559 x", "62914560");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        expect_third_refused(&kv, commands[i]);
        kv_expect(&kv, "STRLEN c", "62914560");
        kv_expect(&kv, "PTTL c", "-1");
    }
    kv.context.version = 2; /* as replicas of that version carry it out */
    expect_third_refused(&kv, "GETDEL c");
    kv_expect(&kv, "EXISTS c", "0");
    kv_text_stop(&kv);
}

static void a_view_records_what_was_read_and_written(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv_expect(&kv, "SET a 1", "OK");
    struct buf command = {0}, record = {0};
    kv_text_encode(&command, "RENAMENX a b");
    kv.context.order = 77;
    buf_clear(&kv.reply);
    kv_apply_recorded(kv.machine, &kv.context, buf_view(&command), &kv.reply, &kv.changes, &record);
    static const struct {
        enum kv_record_kind kind;
        const char *key;
        uint64_t version;
    } wanted[] = {{KV_RECORD_READ, "a", 10},
                  {KV_RECORD_READ, "b", 0},
                  {KV_RECORD_WRITE, "b", 77},
                  {KV_RECORD_DELETE, "a", 77}};
    struct reader reader = reader_of(buf_view(&record));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(read_u8(&reader), wanted[i].kind);
        assert_true(bytes_equal(read_block(&reader, 10), bytes_cstr(wanted[i].key)));
        assert_int_equal(read_u64(&reader), wanted[i].version);
    }
    assert_true(reader_done(&reader));
    buf_free(&command);
    buf_free(&record);
    kv_text_stop(&kv);
}

/* ---- random commands ---- */

/* One of all commands with words that often make sense; some bytes are damaged. */
static void random_command(struct prng *prng, struct buf *out, bool damage) {
    static const char *const words[] = {
        "a",     "b",       "{t}c",     "{t}d",    "e",           "1",     "-1",     "100",
        "EX",    "PX",      "NX",       "XX",      "GET",         "SET",   "INCRBY", "u8",
        "i5",    "#1",      "AND",      "NOT",     "BIT",         "COUNT", "50",     "IDX",
        "*",     "5000",    "1000500",  "REPLACE", "hello world", "3.5",   "USAGE",  "ENCODING",
        "MATCH", "KEEPTTL", "OVERFLOW", "SAT"};
    struct bytes args[7];
    size_t argc = prng_below(prng, 7), count = 0;
    while (kv_command_at(count) != NULL)
        count++;
    const struct kv_command *command = kv_command_at(prng_below(prng, count));
    for (size_t i = 0; i < 7; i++)
        args[i] = bytes_cstr(words[prng_below(prng, i == 0 ? 5 : sizeof words / sizeof *words)]);
    if ((command->opcode == KV_FLUSHALL || command->opcode == KV_FLUSHDB) &&
        !prng_chance(prng, 1, 20))
        argc = 4;
    kv_encode(out, command->opcode, args, argc);
    for (int i = 0; damage && i < 3 && prng_chance(prng, 1, 2); i++)
        out->data[prng_below(prng, out->len)] = (uint8_t)prng_next(prng);
    if (damage && prng_chance(prng, 1, 4))
        out->len = prng_below(prng, out->len + 1);
}

static void equal_entries_make_equal_machines(void **state) {
    struct kv_text one, two;
    struct prng prng;
    prng_seed(&prng, 3);
    kv_text_start(&one);
    kv_text_start(&two);
    void *held = NULL;
    for (int step = 0; step < 20000; step++) {
        struct buf command = {0};
        random_command(&prng, &command, prng_chance(&prng, 1, 10));
        one.context.time_ms += prng_below(&prng, 20);
        two.context = one.context;
        kv_text_apply(&one, buf_view(&command));
        kv_text_apply(&two, buf_view(&command));
        assert_string_equal((char *)one.shown.data, (char *)two.shown.data);
        assert_true(bytes_equal(buf_view(&one.changes), buf_view(&two.changes)));
        assert_true(machine_kv.digest(one.machine) == machine_kv.digest(two.machine));
        assert_true(machine_kv.next_due(one.machine) == machine_kv.next_due(two.machine));
        if (step % 500 == 0) { /* snapshots of one replica must not show */
            if (held != NULL)
                machine_kv.snapshot_end(two.machine, held);
            held = machine_kv.snapshot_begin(two.machine);
        }
        machine_kv.tidy(two.machine, 3);
        buf_free(&command);
    }
    machine_kv.snapshot_end(two.machine, held);
    kv_text_stop(&one);
    kv_text_stop(&two);
}

static void hostile_commands_are_answered_with_an_error(void **state) {
    struct kv_text kv;
    struct prng prng;
    prng_seed(&prng, 4);
    kv_text_start_with(&kv,
                       (struct machine_options){.value_bytes_max = 1 << 16, .work_max = 1 << 16});
    for (int step = 0; step < 50000; step++) {
        struct buf command = {0}, reply = {0};
        struct key_uses uses = {0};
        random_command(&prng, &command, true);
        machine_kv.keys(buf_view(&command), &uses);
        key_uses_free(&uses);
        if (machine_kv.is_read(buf_view(&command)))
            machine_kv.read(
                kv.machine,
                &(struct read_context){.time_ms = kv.context.time_ms, .random = prng_next(&prng)},
                buf_view(&command), &reply);
        kv.context.time_ms += prng_below(&prng, 5);
        kv_text_apply(&kv, buf_view(&command)); /* checks that the reply is one value */
        buf_free(&command);
        buf_free(&reply);
    }
    assert_false(machine_kv.is_read(BYTES("\x01\x00\xff\xff\xff\xff")));
    assert_string_equal(kv_text_apply(&kv, BYTES("")), "(ERR malformed command)");
    assert_string_equal(kv_text_apply(&kv, BYTES("\x01\x00\xff\xff\xff\xff")),
                        "(ERR malformed command)");
    assert_string_equal(kv_text_apply(&kv, BYTES("\x00\x00\x00\x00\x00\x00")),
                        "(ERR unknown opcode 0)");
    assert_string_equal(kv_text_apply(&kv, BYTES("\xe8\x03\x01\x00\x00\x00\x04\x00\x00\x00\xff\xff"
                                                 "\xff\xff")),
                        "(ERR malformed transaction)");
    kv_text_stop(&kv);
}

/* ---- snapshots ---- */

static void a_snapshot_restores_to_the_same_digest(void **state) {
    struct kv_text from, to;
    char line[64];
    kv_text_start(&from);
    kv_text_start(&to);
    kv_expect(&to, "SET old 1 EX 1", "OK");
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof line, "SET k%d v%d%s", i, i, i % 3 ? "" : " EX 100");
        kv_expect(&from, line, "OK");
    }
    uint64_t digest = machine_kv.digest(from.machine);
    void *snapshot = machine_kv.snapshot_begin(from.machine);
    machine_kv.restore_begin(to.machine);
    bool done = false;
    for (int chunks = 0; !done; chunks++) {
        struct buf chunk = {0};
        done = machine_kv.snapshot_chunk(snapshot, 4096, &chunk);
        assert_int_equal(machine_kv.restore_chunk(to.machine, machine_kv.snapshot_format(snapshot),
                                                  buf_view(&chunk)),
                         CAIRN_OK);
        snprintf(line, sizeof line, "DEL k%d", chunks);
        kv_expect(&from, line, "1"); /* the snapshot does not see it */
        buf_free(&chunk);
    }
    assert_int_equal(machine_kv.restore_end(to.machine), CAIRN_OK);
    machine_kv.snapshot_end(from.machine, snapshot);
    assert_true(machine_kv.digest(to.machine) == digest);
    assert_int_equal(machine_kv.count(to.machine), 3000);
    assert_true(machine_kv.next_due(to.machine) == 1100000);
    kv_expect(&to, "GET k7", "\"v7\"");
    kv_text_stop(&from);
    kv_text_stop(&to);
}

static void a_damaged_snapshot_is_refused(void **state) {
    struct kv_text kv;
    struct prng prng;
    prng_seed(&prng, 6);
    kv_text_start(&kv);
    kv_expect(&kv, "SET key value EX 5", "OK");
    struct buf chunk = {0};
    void *snapshot = machine_kv.snapshot_begin(kv.machine);
    assert_true(machine_kv.snapshot_chunk(snapshot, 4096, &chunk));
    machine_kv.snapshot_end(kv.machine, snapshot);
    for (size_t len = 1; len < chunk.len; len++) {
        machine_kv.restore_begin(kv.machine);
        assert_int_equal(machine_kv.restore_chunk(kv.machine, 1, bytes_of(chunk.data, len)),
                         CAIRN_CORRUPT);
    }
    for (int step = 0; step < 2000; step++) { /* any damage: accepted or refused, never fatal */
        size_t at = prng_below(&prng, chunk.len);
        uint8_t was = chunk.data[at];
        chunk.data[at] = (uint8_t)prng_next(&prng);
        machine_kv.restore_begin(kv.machine);
        machine_kv.restore_chunk(kv.machine, 1, buf_view(&chunk));
        chunk.data[at] = was;
    }
    machine_kv.restore_begin(kv.machine);
    assert_int_equal(machine_kv.restore_chunk(kv.machine, 3, buf_view(&chunk)),
                     CAIRN_WRONG_VERSION);
    buf_free(&chunk);
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_are_set_on_conditions_and_read_back),
        cmocka_unit_test(a_read_of_a_due_key_waits_for_the_committed_expiry),
        cmocka_unit_test(a_write_finds_a_due_key_absent_and_removes_it),
        cmocka_unit_test(an_expiry_spares_a_key_that_was_given_more_time_meanwhile),
        cmocka_unit_test(what_is_due_is_proposed_in_bounded_batches),
        cmocka_unit_test(the_local_clock_mutant_expires_by_the_replicas_own_clock),
        cmocka_unit_test(a_transaction_answers_for_each_command),
        cmocka_unit_test(a_transaction_does_nothing_when_a_watched_key_changed),
        cmocka_unit_test(a_transaction_is_a_read_when_all_of_it_is),
        cmocka_unit_test(a_transaction_that_writes_is_no_read_whatever_it_is_sent_as),
        cmocka_unit_test(a_transaction_of_long_reads_sees_one_state),
        cmocka_unit_test(a_long_key_costs_by_its_length),
        cmocka_unit_test(values_beyond_the_limit_of_a_reply_cost_nothing),
        cmocka_unit_test(publishing_is_a_change_in_order),
        cmocka_unit_test(keys_of_a_command_are_found_without_running_it),
        cmocka_unit_test(memory_above_the_limit_refuses_what_needs_memory),
        cmocka_unit_test(a_value_that_can_not_be_told_is_not_lost),
        cmocka_unit_test(a_view_records_what_was_read_and_written),
        cmocka_unit_test(equal_entries_make_equal_machines),
        cmocka_unit_test(hostile_commands_are_answered_with_an_error),
        cmocka_unit_test(a_snapshot_restores_to_the_same_digest),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
