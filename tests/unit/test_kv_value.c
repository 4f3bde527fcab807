/* Long values: stored in chunks since cluster version 3, equal to whole ones in every answer, and a
 * change costs what it changes. */
#include "base/prng.h"
#include "core/protocol.h"
#include "kv_text.h"

#define LONG_MAX_BYTES (300u << 10)

/* ---- the same answers as whole values give ---- */

static void put_args(struct buf *out, enum kv_opcode opcode, const struct bytes *args,
                     size_t argc) {
    buf_clear(out);
    kv_encode(out, opcode, args, argc);
}

/* A command on long values, by chance. */
static void long_command(struct prng *prng, struct buf *out, struct buf *filler) {
    static const char *const keys[] = {"a", "b", "c"};
    struct bytes key = bytes_cstr(keys[prng_below(prng, 3)]);
    struct bytes other = bytes_cstr(keys[prng_below(prng, 3)]);
    char first[24], second[24];
    snprintf(first, sizeof first, "%d", (int)prng_below(prng, LONG_MAX_BYTES));
    snprintf(second, sizeof second, "%d", (int)prng_below(prng, LONG_MAX_BYTES * 8) - 5);
    size_t len = prng_chance(prng, 1, 2) ? prng_below(prng, 40) : prng_below(prng, 150000);
    struct bytes text = bytes_of(filler->data + prng_below(prng, 50000), len);
    struct bytes from = bytes_cstr(first), bit = bytes_cstr(second);
    struct bytes one = prng_chance(prng, 1, 2) ? BYTES("1") : BYTES("0");
    switch (prng_below(prng, 22)) {
    case 0:
        put_args(out, KV_SET, (struct bytes[]){key, text}, 2);
        break;
    case 1:
        put_args(out, KV_APPEND, (struct bytes[]){key, text}, 2);
        break;
    case 2:
    case 3:
        put_args(out, KV_SETRANGE, (struct bytes[]){key, from, text}, 3);
        break;
    case 4:
    case 5:
        put_args(out, KV_SETBIT, (struct bytes[]){key, bit, one}, 3);
        break;
    case 6:
        put_args(out, KV_GETBIT, (struct bytes[]){key, bit}, 2);
        break;
    case 7:
        put_args(out, KV_GETRANGE, (struct bytes[]){key, from, BYTES("-10")}, 3);
        break;
    case 8:
        put_args(out, KV_BITCOUNT, (struct bytes[]){key, from, BYTES("-77"), BYTES("BIT")}, 4);
        break;
    case 9:
        put_args(out, KV_BITPOS, (struct bytes[]){key, one, from}, 3);
        break;
    case 10:
        put_args(out, KV_BITFIELD,
                 (struct bytes[]){key, BYTES("INCRBY"), BYTES("i37"), bit, BYTES("12345"),
                                  BYTES("GET"), BYTES("u9"), bit, BYTES("OVERFLOW"), BYTES("FAIL"),
                                  BYTES("SET"), BYTES("i5"), BYTES("#77777"), BYTES("9")},
                 14);
        break;
    case 11:
        put_args(out, KV_COPY, (struct bytes[]){key, other, BYTES("REPLACE")}, 3);
        break;
    case 12:
        put_args(out, KV_RENAME, (struct bytes[]){key, other}, 2);
        break;
    case 13:
        put_args(out, KV_PEXPIRE, (struct bytes[]){key, BYTES("40")}, 2);
        break;
    case 14:
        put_args(out, KV_PERSIST, &key, 1);
        break;
    case 15:
        put_args(out, KV_GETEX, (struct bytes[]){key, BYTES("PX"), BYTES("50")}, 3);
        break;
    case 16:
        put_args(out, KV_DUMP, &key, 1);
        break;
    case 17:
        put_args(out, KV_BITOP, (struct bytes[]){BYTES("AND"), key, other, BYTES("c")}, 4);
        break;
    case 18:
        put_args(out, KV_GETSET, (struct bytes[]){key, text}, 2);
        break;
    case 19:
        put_args(out, KV_STRLEN, &key, 1);
        break;
    case 20:
        put_args(out, KV_INCR, &key, 1);
        break;
    default:
        put_args(out, prng_chance(prng, 1, 4) ? KV_DEL : KV_GET, &key, 1);
    }
}

static void apply(struct kv_text *kv, struct bytes command) {
    buf_clear(&kv->reply);
    buf_clear(&kv->changes);
    kv->context.index++;
    kv->context.order += 10;
    machine_kv.apply(kv->machine, &kv->context, command, &kv->reply, &kv->changes);
}

/* Takes a snapshot of one machine and restores it into the other. */
static void hand_over(struct machine *from, struct machine *to) {
    void *snapshot = machine_kv.snapshot_begin(from);
    machine_kv.restore_begin(to);
    for (bool done = false; !done;) {
        struct buf chunk = {0};
        done = machine_kv.snapshot_chunk(snapshot, 30000, &chunk);
        assert_int_equal(
            machine_kv.restore_chunk(to, machine_kv.snapshot_format(snapshot), buf_view(&chunk)),
            CAIRN_OK);
        buf_free(&chunk);
    }
    assert_int_equal(machine_kv.restore_end(to), CAIRN_OK);
    machine_kv.snapshot_end(from, snapshot);
}

static struct buf filler_of(struct prng *prng) {
    struct buf filler = {0};
    for (int i = 0; i < 200000 / 8; i++)
        buf_u64(&filler, prng_next(prng) & prng_next(prng));
    return filler;
}

static void chunked_values_answer_as_whole_ones(void **state) {
    struct kv_text whole, chunked, restored;
    struct prng prng;
    struct buf command = {0};
    prng_seed(&prng, 11);
    struct buf filler = filler_of(&prng);
    kv_text_start(&whole);
    kv_text_start(&chunked);
    kv_text_start(&restored);
    chunked.context.version = WIRE_VERSION_3;
    for (int step = 0; step < 700; step++) {
        whole.context.time_ms += prng_below(&prng, 4);
        chunked.context.time_ms = whole.context.time_ms;
        long_command(&prng, &command, &filler);
        apply(&whole, buf_view(&command));
        apply(&chunked, buf_view(&command));
        assert_true(bytes_equal(buf_view(&whole.reply), buf_view(&chunked.reply)));
        assert_true(bytes_equal(buf_view(&whole.changes), buf_view(&chunked.changes)));
        if (step % 100 == 99) {
            hand_over(chunked.machine, restored.machine);
            assert_true(machine_kv.digest(restored.machine) == machine_kv.digest(chunked.machine));
            /* From here on the restored one goes on in its place. */
            struct machine *swap = chunked.machine;
            chunked.machine = restored.machine;
            restored.machine = swap;
        }
        machine_kv.tidy(chunked.machine, 50);
    }
    buf_free(&command);
    buf_free(&filler);
    kv_text_stop(&whole);
    kv_text_stop(&chunked);
    kv_text_stop(&restored);
}

/* ---- what it costs ---- */

static uint64_t cost_of(struct kv_text *kv, const char *line) {
    struct work work = {0};
    struct buf command = {0};
    kv_text_encode(&command, line);
    kv->context.work = &work;
    apply(kv, buf_view(&command));
    kv->context.work = NULL;
    buf_free(&command);
    return work.done;
}

static void a_change_of_a_long_value_costs_what_it_changes(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv.context.version = WIRE_VERSION_3;
    cost_of(&kv, "SETRANGE big 60000000 x");
    const char *const small[] = {
        "SETBIT big 400000000 1",
        "SETRANGE big 30000000 hello",
        "APPEND big x",
        "GETRANGE big 30000000 30000004",
        "BITFIELD big INCRBY u8 1000000 7",
        "STRLEN big",
        "EXPIRE big 100",
        "PERSIST big",
        "RENAME big large",
        "RENAME large big",
        "MEMORY USAGE big",
        "GETBIT big 12345678",
    };
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (cost_of(&kv, small[i]) > 100000)
            fail_msg("%s costs %llu", small[i], (unsigned long long)cost_of(&kv, small[i]));
    kv_expect(&kv, "STRLEN big", "60000002");
    kv_expect(&kv, "GETRANGE big 29999999 30000005", "\"\\x00hello\\x00\"");
    kv_text_stop(&kv);
}

/* What was never written takes no room, and all room comes back. */
static void holes_take_no_memory_and_chunks_go_with_their_key(void **state) {
    struct kv_text kv;
    kv_text_start(&kv);
    kv.context.version = WIRE_VERSION_3;
    kv_expect(&kv, "SET small x", "OK");
    size_t before = machine_kv.memory(kv.machine);
    uint64_t digest = machine_kv.digest(kv.machine);
    kv_expect(&kv, "SETBIT far 500000000 1", "0");
    kv_expect(&kv, "COPY far copy", "1");
    assert_true(machine_kv.memory(kv.machine) < before + 100000);
    kv_expect(&kv, "SETRANGE far 100000 hello", "62500001");
    kv_expect(&kv, "SET far short", "OK");
    kv_expect(&kv, "DEL far copy", "2");
    assert_true(machine_kv.digest(kv.machine) == digest);
    while (machine_kv.tidy(kv.machine, 1000))
        ;
    assert_true(machine_kv.memory(kv.machine) <= before + 10000);
    kv_text_stop(&kv);
}

/* ---- replies that are made later ---- */

#define PENDING 4u

struct pending {
    void *task;
    struct buf whole; /* the reply that it must come to */
};

/* Some commands as one transaction that watches nothing. */
static void random_transaction(struct prng *prng, struct buf *out, struct buf *filler) {
    struct bytes args[9] = {bytes_of("\0\0\0", 4)};
    struct buf parts[8] = {{0}};
    size_t count = 1 + prng_below(prng, 8);
    for (size_t i = 0; i < count; i++) {
        if (prng_chance(prng, 1, 2))
            put_args(&parts[i], KV_GET,
                     (struct bytes[]){prng_chance(prng, 1, 2) ? BYTES("a") : BYTES("b")}, 1);
        else
            long_command(prng, &parts[i], filler);
        args[1 + i] = buf_view(&parts[i]);
    }
    put_args(out, KV_TRANSACTION, args, 1 + count);
    for (size_t i = 0; i < count; i++)
        buf_free(&parts[i]);
}

/* A slice of it; true when it has ended. */
static bool step_pending(struct machine *machine, struct pending *pending, uint64_t budget) {
    struct buf reply = {0};
    bool ended = machine_kv.read_step(machine, pending->task, budget, &reply);
    if (ended) {
        assert_true(bytes_equal(buf_view(&reply), buf_view(&pending->whole)));
        machine_kv.read_end(machine, pending->task);
        pending->task = NULL;
    }
    buf_free(&reply);
    return ended;
}

/* Two replicas; one makes its long replies later, while the state goes on. */
static size_t compare_later(struct rare *rare, uint64_t seed) {
    struct machine_options options = kv_text_options();
    struct kv_text whole, later;
    struct pending pending[PENDING] = {{0}};
    struct buf command = {0};
    struct prng prng;
    size_t made = 0;
    prng_seed(&prng, seed);
    struct buf filler = filler_of(&prng);
    kv_text_start_with(&whole, options);
    options.rare = rare;
    kv_text_start_with(&later, options);
    whole.context.version = later.context.version = prng_chance(&prng, 1, 2) ? 2 : WIRE_VERSION_3;
    for (int step = 0; step < 300; step++) {
        struct pending *next = &pending[prng_below(&prng, PENDING)];
        while (next->task != NULL && !step_pending(later.machine, next, prng_below(&prng, 200000)))
            ;
        random_transaction(&prng, &command, &filler);
        whole.context.time_ms = later.context.time_ms += prng_below(&prng, 4);
        later.context.later = &next->task;
        apply(&whole, buf_view(&command));
        apply(&later, buf_view(&command));
        if (next->task == NULL) {
            assert_true(bytes_equal(buf_view(&whole.reply), buf_view(&later.reply)));
        } else {
            made++;
            buf_clear(&next->whole);
            buf_bytes(&next->whole, buf_view(&whole.reply));
        }
        assert_true(bytes_equal(buf_view(&whole.changes), buf_view(&later.changes)));
        assert_true(machine_kv.digest(whole.machine) == machine_kv.digest(later.machine));
        next = &pending[prng_below(&prng, PENDING)];
        if (next->task != NULL)
            step_pending(later.machine, next, prng_below(&prng, 100000));
        machine_kv.tidy(later.machine, 50);
    }
    for (size_t i = 0; i < PENDING; i++) {
        if (pending[i].task != NULL) /* as when its client has gone, begun or not */
            machine_kv.read_end(later.machine, pending[i].task);
        buf_free(&pending[i].whole);
    }
    buf_free(&command);
    buf_free(&filler);
    kv_text_stop(&whole);
    kv_text_stop(&later);
    return made;
}

static void replies_made_later_are_of_their_place(void **state) {
    struct rare rare;
    size_t long_ones = 0, any = 0;
    rare_only(&rare, RARE_KV_REPLY_LATER);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        long_ones += compare_later(NULL, seed);
        any += compare_later(&rare, seed);
    }
    assert_true(long_ones > 100 && any > 700);
}

static void a_long_reply_costs_little_at_its_place(void **state) {
    struct kv_text kv;
    struct work work = {0};
    struct buf command = {0};
    void *task = NULL;
    kv_text_start(&kv);
    kv.context.version = WIRE_VERSION_3;
    cost_of(&kv, "SETRANGE big 60000000 x");
    kv.context.work = &work;
    kv.context.later = &task;
    kv_text_encode(&command, "GETSET big y");
    apply(&kv, buf_view(&command));
    assert_non_null(task);
    /* That the chunks go costs as much as ever. */
    assert_true(work.done < 10000000);
    assert_int_equal(machine_kv.read_gathered(task), 0);
    struct buf reply = {0};
    unsigned slices = 1;
    while (!machine_kv.read_step(kv.machine, task, 1000000, &reply))
        slices++;
    assert_true(slices > 20);
    assert_int_equal(reply.len, 5 + 60000001);
    machine_kv.read_end(kv.machine, task);
    buf_free(&reply);
    buf_free(&command);
    kv_text_stop(&kv);
}

/* ---- upgrades ---- */

/* Below version 3 nothing is chunked, and snapshots stay as the version before reads them. */
static void old_clusters_see_nothing_of_chunks(void **state) {
    struct kv_text kv, to;
    kv_text_start(&kv);
    kv_text_start(&to);
    kv.context.version = 2;
    kv_expect(&kv, "SETRANGE big 100000 x", "100001");
    void *snapshot = machine_kv.snapshot_begin(kv.machine);
    assert_int_equal(machine_kv.snapshot_format(snapshot), 1);
    machine_kv.snapshot_end(kv.machine, snapshot);
    hand_over(kv.machine, to.machine);
    assert_true(machine_kv.digest(kv.machine) == machine_kv.digest(to.machine));
    /* After the upgrade the first change turns the old value into chunks. */
    kv.context.version = to.context.version = WIRE_VERSION_3;
    to.context.order = kv.context.order;
    kv_expect(&kv, "SETBIT big 7 1", "0");
    kv_expect(&to, "SETBIT big 7 1", "0");
    assert_true(machine_kv.digest(kv.machine) == machine_kv.digest(to.machine));
    assert_true(cost_of(&kv, "SETBIT big 9 1") < 30000);
    kv_text_stop(&kv);
    kv_text_stop(&to);
}

static void a_damaged_snapshot_of_chunks_is_refused(void **state) {
    struct kv_text kv;
    struct prng prng;
    prng_seed(&prng, 6);
    kv_text_start(&kv);
    kv.context.version = WIRE_VERSION_3;
    kv_expect(&kv, "SETBIT far 600000 1", "0");
    struct buf chunk = {0};
    void *snapshot = machine_kv.snapshot_begin(kv.machine);
    assert_true(machine_kv.snapshot_chunk(snapshot, 1 << 20, &chunk));
    machine_kv.snapshot_end(kv.machine, snapshot);
    for (int step = 0; step < 3000; step++) { /* any damage: accepted or refused, never fatal */
        size_t at = prng_below(&prng, chunk.len < 120 ? chunk.len : 120);
        uint8_t was = chunk.data[at];
        chunk.data[at] = (uint8_t)prng_next(&prng);
        machine_kv.restore_begin(kv.machine);
        if (machine_kv.restore_chunk(kv.machine, 2, buf_view(&chunk)) == CAIRN_OK)
            cost_of(&kv, "GETRANGE far 0 -1");
        chunk.data[at] = was;
    }
    buf_free(&chunk);
    kv_text_stop(&kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunked_values_answer_as_whole_ones),
        cmocka_unit_test(a_change_of_a_long_value_costs_what_it_changes),
        cmocka_unit_test(holes_take_no_memory_and_chunks_go_with_their_key),
        cmocka_unit_test(replies_made_later_are_of_their_place),
        cmocka_unit_test(a_long_reply_costs_little_at_its_place),
        cmocka_unit_test(old_clusters_see_nothing_of_chunks),
        cmocka_unit_test(a_damaged_snapshot_of_chunks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
