/* Any bytes as commands and snapshots of the tree machine: each command is answered with exactly
 * one reply, reads change nothing, two machines that get the same bytes stay equal, and a snapshot
 * gives an equal machine.
 *
 * The input is a row of commands, each as u16 length and bytes; a command that begins with 255 is
 * taken for a chunk of a snapshot instead. Time moves on between them.
 */
#include "base/assert.h"
#include "core/reply.h"
#include "machine/tree/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHUNK 255

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

static void check_equal(struct machine *const machines[2]) {
    cairn_assert(machine_tree.digest(machines[0]) == machine_tree.digest(machines[1]));
    cairn_assert(machine_tree.next_due(machines[0]) == machine_tree.next_due(machines[1]));
}

static void run(struct machine *const machines[2], const struct apply_context *context,
                struct bytes command) {
    struct buf reply = {0}, changes = {0};
    struct key_uses uses = {0};
    machine_tree.keys(command, &uses);
    key_uses_free(&uses);
    if (machine_tree.is_read(command)) {
        machine_tree.read(machines[0], &(struct read_context){.time_ms = context->time_ms}, command,
                          &reply);
        check_reply(&reply);
    }
    for (int i = 0; i < 2; i++) {
        machine_tree.apply(machines[i], context, command, &reply, &changes);
        check_reply(&reply);
    }
    check_equal(machines);
    buf_clear(&changes);
    if (machine_tree.due(machines[0], context->time_ms, 0, &changes)) {
        for (int i = 0; i < 2; i++) {
            struct buf ignored = {0};
            machine_tree.apply(machines[i], context, buf_view(&changes), &reply, &ignored);
            buf_free(&ignored);
        }
    }
    check_equal(machines);
    buf_free(&reply);
    buf_free(&changes);
}

/* The second becomes the first by way of a snapshot. */
static void copy(struct machine *const machines[2]) {
    struct buf chunk = {0};
    void *snapshot = machine_tree.snapshot_begin(machines[0]);
    machine_tree.restore_begin(machines[1]);
    for (bool done = false; !done; buf_clear(&chunk)) {
        done = machine_tree.snapshot_chunk(snapshot, 64, &chunk);
        enum cairn_status status = machine_tree.restore_chunk(machines[1], 1, buf_view(&chunk));
        cairn_assert(status == CAIRN_OK);
    }
    machine_tree.snapshot_end(machines[0], snapshot);
    buf_free(&chunk);
}

/* Whatever is left of it is a state that commands must live with. */
static void take_chunk(struct machine *const machines[2], struct bytes chunk) {
    for (int i = 0; i < 2; i++) {
        machine_tree.restore_begin(machines[i]);
        machine_tree.restore_chunk(machines[i], 1, chunk);
        machine_tree.restore_end(machines[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct machine_options options = {.value_bytes_max = 1 << 16, .work_max = 1 << 16};
    struct machine *const machines[2] = {machine_tree.create(&options),
                                         machine_tree.create(&options)};
    struct apply_context context = {.term = 1, .time_ms = 1000, .version = 1};
    struct reader reader = reader_of(bytes_of(data, size));
    while (reader_left(&reader) > 0 && !reader.bad) {
        struct bytes command = read_bytes(&reader, read_u16(&reader));
        context.index++;
        context.order += 3;
        context.time_ms += 1000;
        if (command.len > 0 && command.data[0] == CHUNK)
            take_chunk(machines, bytes_of(command.data + 1, command.len - 1));
        else
            run(machines, &context, command);
    }
    copy(machines);
    check_equal(machines);
    machine_tree.destroy(machines[0]);
    machine_tree.destroy(machines[1]);
    return 0;
}
