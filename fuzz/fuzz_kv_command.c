/* Any bytes as commands of the key-value machine: each is answered with exactly one reply, its keys
 * are found or it is called malformed, and two machines that get the same bytes stay equal.
 *
 * The input is a row of commands, each as u16 length and bytes; time moves on between them.
 */
#include "base/assert.h"
#include "core/reply.h"
#include "machine/kv/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_value(struct reader *reader) {
    struct reply_value value;
    bool fine = reply_next(reader, &value);
    cairn_assert(fine);
    uint64_t parts = value.kind == REPLY_MAP ? 2 * (uint64_t)value.count : value.count;
    for (; parts > 0; parts--)
        walk_value(reader);
}

static void check_reply(struct buf *reply) {
    struct reader reader = reader_of(buf_view(reply));
    walk_value(&reader);
    cairn_assert(reader_done(&reader));
    buf_clear(reply);
}

static void run(struct machine *const machines[2], const struct apply_context *context,
                struct bytes command) {
    struct buf reply = {0}, changes = {0};
    struct key_uses uses = {0};
    machine_kv.keys(command, &uses);
    key_uses_free(&uses);
    if (machine_kv.is_read(command) &&
        machine_kv.read(
            machines[0],
            &(struct read_context){.time_ms = context->time_ms, .random = context->order}, command,
            &reply) == CAIRN_OK)
        check_reply(&reply);
    for (int i = 0; i < 2; i++) {
        buf_clear(&reply);
        machine_kv.apply(machines[i], context, command, &reply, &changes);
        check_reply(&reply);
    }
    cairn_assert(machine_kv.digest(machines[0]) == machine_kv.digest(machines[1]));
    buf_free(&reply);
    buf_free(&changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct machine_options options = {.value_bytes_max = 1 << 18, .work_max = 1 << 16};
    struct machine *const machines[2] = {machine_kv.create(&options), machine_kv.create(&options)};
    struct apply_context context = {.term = 1, .time_ms = 1000, .version = size % 2 ? 3 : 1};
    struct reader reader = reader_of(bytes_of(data, size));
    void *snapshot = machine_kv.snapshot_begin(machines[1]);
    while (reader_left(&reader) > 0 && !reader.bad) {
        struct bytes command = read_bytes(&reader, read_u16(&reader));
        context.index++;
        context.order += 3;
        context.time_ms += 7;
        run(machines, &context, command);
    }
    machine_kv.snapshot_end(machines[1], snapshot);
    machine_kv.destroy(machines[0]);
    machine_kv.destroy(machines[1]);
    return 0;
}
