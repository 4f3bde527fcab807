/* Any bytes as what a client sends, in pieces of any size, and as what a server answers: the parser
 * says the same whatever the pieces, arguments lie within the bytes, and a value's length is either
 * unknown, malformed or within them.
 *
 * The first byte seeds the sizes of the pieces.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"
#include "wire/resp.h"

#include <string.h>

#define BULK_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum resp_result result;
    size_t used, count;
    uint64_t hash;
};

static struct outcome outcome_of(const struct resp_request *request, enum resp_result result,
                                 size_t used, struct bytes bytes) {
    struct outcome outcome = {.result = result};
    if (result != RESP_COMMAND)
        return outcome;
    cairn_assert(used > 0 && used <= bytes.len);
    struct bytes *args = cairn_alloc((request->count + 1) * sizeof *args);
    resp_request_args(request, bytes, args);
    for (size_t i = 0; i < request->count; i++)
        outcome.hash = bytes_hash(args[i], outcome.hash + args[i].len);
    cairn_free(args);
    outcome.used = used;
    outcome.count = request->count;
    return outcome;
}

/* Reads one command whose bytes arrive in pieces. */
static struct outcome read_pieces(struct bytes bytes, struct prng *prng) {
    struct resp_request request = {0};
    enum resp_result result = RESP_MORE;
    size_t used = 0, arrived = 0;
    const char *error = NULL;
    uint8_t *copy = cairn_alloc(bytes.len + 1);
    while (result == RESP_MORE && arrived < bytes.len) {
        arrived += 1 + prng_below(prng, 1 + prng_below(prng, 40));
        if (arrived > bytes.len)
            arrived = bytes.len;
        memcpy(copy, bytes.data, arrived); /* the bytes may move between calls */
        result = resp_request_read(&request, bytes_of(copy, arrived), BULK_MAX, &used, &error);
        cairn_assert(result != RESP_ERROR || error != NULL);
    }
    struct outcome outcome = outcome_of(&request, result, used, bytes_of(copy, arrived));
    resp_request_free(&request);
    cairn_free(copy);
    return outcome;
}

static struct outcome read_whole(struct bytes bytes) {
    struct resp_request request = {0};
    size_t used = 0;
    const char *error = NULL;
    enum resp_result result = resp_request_read(&request, bytes, BULK_MAX, &used, &error);
    struct outcome outcome = outcome_of(&request, result, used, bytes);
    resp_request_free(&request);
    return outcome;
}

static void read_replies(struct bytes bytes) {
    while (bytes.len > 0) {
        size_t len = resp_value_length(bytes);
        if (len == 0 || len == SIZE_MAX)
            return;
        cairn_assert(len <= bytes.len);
        cairn_assert(resp_value_length(bytes_of(bytes.data, len)) == len);
        cairn_assert(resp_value_length(bytes_of(bytes.data, len - 1)) != len);
        bytes = bytes_of(bytes.data + len, bytes.len - len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct prng prng;
    prng_seed(&prng, data[0]);
    struct bytes rest = bytes_of(data + 1, size - 1);
    read_replies(rest);
    while (rest.len > 0) {
        struct outcome whole = read_whole(rest);
        struct outcome pieces = read_pieces(rest, &prng);
        /* An endless line is refused at a length that depends on how it came. */
        cairn_assert(whole.result == pieces.result || rest.len > RESP_INLINE_MAX);
        if (whole.result != RESP_COMMAND || pieces.result != RESP_COMMAND)
            break;
        cairn_assert(whole.used == pieces.used && whole.count == pieces.count);
        cairn_assert(whole.hash == pieces.hash);
        rest = bytes_of(rest.data + whole.used, rest.len - whole.used);
    }
    return 0;
}
