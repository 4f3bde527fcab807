#include "node/agreed.h"

#include "core/protocol.h"

static bool sane(const struct agreed_parameters *parameters) {
    return parameters->session_window > 0 && parameters->session_window <= AGREED_WINDOW_MAX &&
           parameters->value_bytes_max > 0 && parameters->value_bytes_max <= AGREED_VALUE_BYTES_MAX;
}

bool agreed_change(struct agreed *agreed, const struct agreed_parameters *wanted) {
    if (wanted->revision != agreed->parameters.revision || !sane(wanted))
        return false;
    agreed->parameters = *wanted;
    agreed->parameters.revision++;
    return true;
}

bool agreed_set_time(struct agreed *agreed, uint64_t entry_ms, uint64_t time_ms) {
    if (time_ms == 0 || time_ms >= agreed_time_ms(agreed, entry_ms))
        return false;
    agreed->time_back_ms = entry_ms - time_ms;
    return true;
}

uint64_t agreed_time_ms(const struct agreed *agreed, uint64_t entry_ms) {
    return entry_ms > agreed->time_back_ms ? entry_ms - agreed->time_back_ms : 0;
}

uint64_t agreed_parameters_hash(const struct agreed_parameters *parameters) {
    uint8_t bytes[16];
    put_u64(bytes, parameters->session_window);
    put_u64(bytes + 8, parameters->value_bytes_max);
    return bytes_hash(bytes_of(bytes, sizeof bytes), 0) | 1;
}

static void encode_rest(struct buf *out, const struct agreed *agreed) {
    buf_u64(out, agreed->parameters.revision);
    buf_u32(out, agreed->parameters.session_window);
    buf_u64(out, agreed->parameters.value_bytes_max);
    buf_u64(out, agreed->cluster_number);
    buf_u64(out, agreed->time_back_ms);
}

uint64_t agreed_digest(const struct agreed *agreed) {
    struct buf bytes = {0};
    if (agreed->parameters.revision == 0 && agreed->cluster_number == 0 &&
        agreed->time_back_ms == 0)
        return 0;
    encode_rest(&bytes, agreed);
    uint64_t digest = bytes_hash(buf_view(&bytes), 0);
    buf_free(&bytes);
    return digest;
}

uint32_t agreed_encode(struct buf *out, const struct agreed *agreed) {
    buf_u32(out, agreed->version);
    if (agreed->version < WIRE_VERSION_3)
        return 1;
    encode_rest(out, agreed);
    return 2;
}

enum cairn_status agreed_decode(struct bytes bytes, uint32_t format, struct agreed *agreed) {
    struct reader reader = reader_of(bytes);
    struct agreed read = *agreed;
    if (format == 0 || format > 2)
        return CAIRN_WRONG_VERSION;
    read.version = read_u32(&reader);
    if (format == 2) {
        read.parameters.revision = read_u64(&reader);
        read.parameters.session_window = read_u32(&reader);
        read.parameters.value_bytes_max = read_u64(&reader);
        read.cluster_number = read_u64(&reader);
        read.time_back_ms = read_u64(&reader);
    }
    if (!reader_done(&reader) || (format == 2 && !sane(&read.parameters)))
        return CAIRN_CORRUPT;
    *agreed = read;
    return CAIRN_OK;
}
