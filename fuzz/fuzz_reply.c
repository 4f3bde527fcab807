/* Any bytes as what a machine or a peer answers, as changes, entries and configurations: walked to
 * their end or called malformed. */
#include "base/assert.h"
#include "core/config.h"
#include "core/entry.h"
#include "core/machine.h"
#include "core/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_replies(struct bytes bytes) {
    struct reader reader = reader_of(bytes);
    struct reply_value value;
    size_t left = reader_left(&reader);
    while (reply_next(&reader, &value)) {
        cairn_assert(value.kind > 0 && value.kind < REPLY_KIND_COUNT);
        cairn_assert(reader_left(&reader) < left && value.text.len <= bytes.len);
        left = reader_left(&reader);
    }
}

static void walk_changes(struct bytes bytes) {
    struct reader reader = reader_of(bytes);
    struct change change;
    while (change_next(&reader, &change))
        cairn_assert(change.key.len + change.value.len <= bytes.len);
}

static void walk_entries(struct bytes bytes) {
    struct reader reader = reader_of(bytes);
    struct entry entry;
    while (reader_left(&reader) > 0 && entry_decode(&reader, &entry) == CAIRN_OK) {
        cairn_assert(entry.payload.len + ENTRY_HEAD_BYTES == entry.encoded.len);
        entry_chain_holds(&entry, 0);
    }
}

static void take_config(struct bytes bytes) {
    struct config config, again;
    struct buf out = {0};
    if (config_decode(bytes, &config) != CAIRN_OK)
        return;
    cairn_assert(config_valid(&config));
    config_encode(&out, &config);
    cairn_assert(config_decode(buf_view(&out), &again) == CAIRN_OK);
    struct buf twice = {0};
    config_encode(&twice, &again);
    cairn_assert(bytes_equal(buf_view(&out), buf_view(&twice)));
    buf_free(&twice);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = bytes_of(data, size);
    walk_replies(bytes);
    walk_changes(bytes);
    walk_entries(bytes);
    take_config(bytes);
    return 0;
}
