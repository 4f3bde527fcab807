/* A snapshot file that is anything: laid over a sound one, or whole. */
#include "fake_env.h"
#include "storage/snapshot.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATH "snap/snap-0000000000000001-0000000000000009.snap"

static void write_sound(struct fake_env *fake) {
    struct snapshot_meta meta = {.group = 1, .index = 9, .protocol = BYTES("members")};
    struct snapshot_writer *writer;
    uint64_t bytes;
    if (snapshot_writer_open(&fake->env, "snap", &meta, &writer) != CAIRN_OK)
        return;
    snapshot_writer_chunk(writer, 1, 1, BYTES("hello hello hello hello"));
    snapshot_writer_chunk(writer, 2, 1, BYTES("world"));
    snapshot_writer_finish(writer, &bytes);
}

static void read_all(struct fake_env *fake) {
    struct snapshot_reader *reader;
    if (snapshot_reader_open(&fake->env, "snap", 1, 9, &reader) != CAIRN_OK)
        return;
    bool end = false;
    enum cairn_status status = CAIRN_OK;
    while (status == CAIRN_OK && !end) {
        uint32_t section, version;
        struct bytes bytes;
        status = snapshot_reader_chunk(reader, &section, &version, &bytes, &end);
    }
    snapshot_reader_close(reader);
}

static void receive(struct fake_env *fake, struct bytes bytes) {
    struct snapshot_receiver *receiver;
    uint64_t have;
    if (snapshot_receiver_open(&fake->env, "in", 1, 9, 0, bytes.len, 1, &receiver, &have) !=
        CAIRN_OK)
        return;
    snapshot_receiver_write(receiver, have, bytes);
    snapshot_receiver_finish(receiver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct fake_env *fake = fake_env_new(1);
    if (data[0] & 1) {
        write_sound(fake);
        struct fake_file *file = fake_env_file(fake, PATH);
        for (size_t i = 2; i < size && data[1] + i - 2 < file->durable_size; i++)
            fake_env_flip(file, data[1] + i - 2, data[i]);
    } else {
        fake_env_put(fake, PATH, bytes_of(data + 2, size - 2));
        receive(fake, bytes_of(data + 2, size - 2));
    }
    read_all(fake);
    FILE *out = fopen("/dev/null", "w");
    snapshot_inspect(&fake->env, "snap", true, out);
    fclose(out);
    fake_env_free(fake);
    return 0;
}
