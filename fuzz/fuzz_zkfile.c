/* Any bytes as ZooKeeper's files: they are taken or refused, and what they leave is a state that a
 * snapshot of ours carries over.
 *
 * The first byte tells what the rest is: 0 a snapshot as it is, else u16 lengths with the bodies of
 * transactions, which get their sums here, behind a small snapshot.
 */
#include "base/assert.h"
#include "cli/import_apply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_log(struct buf *out, struct bytes bytes) {
    struct reader reader = reader_of(bytes);
    buf_append(out, "ZKLG\0\0\0\2\0\0\0\0\0\0\0", 16);
    while (reader_left(&reader) > 0 && !reader.bad) {
        struct bytes body = read_bytes(&reader, read_u16(&reader));
        jute_put_i64(out, zkfile_sum(body));
        jute_put_block(out, body);
        buf_u8(out, 'B');
    }
}

static void put_small_snapshot(struct buf *out) {
    buf_append(out, "ZKSN\0\0\0\2\0\0\0\0\0\0\0", 16);
    jute_put_i32(out, 0);
    jute_put_i32(out, 0);
    jute_put_block(out, BYTES(""));
    jute_put_block(out, BYTES(""));
    jute_put_i64(out, -1);
    for (int i = 0; i < 15; i++) /* stat: zeros */
        jute_put_i32(out, 0);
    jute_put_block(out, BYTES("/"));
    jute_put_i64(out, zkfile_sum(buf_view(out)));
    jute_put_block(out, BYTES("/"));
}

static void carry_over(struct machine *from) {
    const struct machine_options options = {.value_bytes_max = 1 << 20};
    struct machine *to = machine_tree.create(&options);
    struct buf chunk = {0};
    void *snapshot = machine_tree.snapshot_begin(from);
    machine_tree.restore_begin(to);
    for (bool done = false; !done; buf_clear(&chunk)) {
        done = machine_tree.snapshot_chunk(snapshot, 1000, &chunk);
        enum cairn_status status = machine_tree.restore_chunk(to, 1, buf_view(&chunk));
        cairn_assert(status == CAIRN_OK);
    }
    machine_tree.snapshot_end(from, snapshot);
    cairn_assert(machine_tree.digest(to) == machine_tree.digest(from));
    machine_tree.destroy(to);
    buf_free(&chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const struct machine_options options = {.value_bytes_max = 1 << 20};
    struct machine *machine = machine_tree.create(&options);
    struct import_apply apply;
    struct bytes rest = bytes_of(data + 1, size - 1);
    struct buf file = {0};
    import_apply_open(&apply, machine, 1);
    if (data[0] == 0) {
        import_apply_snapshot(&apply, rest, 0);
    } else {
        put_small_snapshot(&file);
        enum cairn_status status = import_apply_snapshot(&apply, buf_view(&file), 0);
        cairn_assert(status == CAIRN_OK);
        buf_clear(&file);
        put_log(&file, rest);
        import_apply_log(&apply, buf_view(&file));
    }
    import_apply_end(&apply);
    carry_over(machine);
    import_apply_close(&apply);
    machine_tree.destroy(machine);
    buf_free(&file);
    return 0;
}
