#include "sim/sim_load.h"

#include "base/alloc.h"
#include "sim/sim_cluster.h"
#include "wire/resp.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

#define PATIENCE_NS (4 * SIM_S)
#define HEAD_BYTES 24u /* "version length " of a value */
#define PIPELINES_MAX 16u
#define AGAIN_NS (200 * SIM_MS)

static uint64_t draw(struct sim_cluster *cluster, uint64_t low, uint64_t high) {
    return prng_between(&cluster->apart.prng, low, high);
}

void sim_load_draw(struct sim_cluster *cluster) {
    struct node_options *options = &cluster->defaults;
    if (!sim_apart_has(cluster, SIM_FAULT_LOAD))
        return;
    /* Entries of a byte and snapshots of megabytes after each would take hours. */
    options->piece_bytes = draw(cluster, 0, 1) ? 240 << 10 : 16 << 10;
    options->append_bytes_max = draw(cluster, 0, 1) ? 1 << 20 : 16 << 10;
    options->snapshot_log_bytes = 16 << 20;
    options->wal_batch_bytes_max = 2 << 20;
    options->wal_segment_bytes = 1 << 20;
    options->apply_bytes_max = 1 << 20;
    options->window_bytes_max = draw(cluster, 0, 1) ? 4 << 20 : 64 << 10;
    options->inflight_bytes_max = 16 << 20;
    cluster->net.window = cluster->net.window < (64 << 10) ? 64 << 10 : cluster->net.window;
}

/* ---- values ---- */

static uint8_t byte_at(uint64_t version, uint64_t at) {
    return (uint8_t)('a' + (at * 7 + version * 13 + at / 251) % 26);
}

static void put_value(struct buf *out, uint64_t version, uint64_t length) {
    char head[HEAD_BYTES + 1];
    snprintf(head, sizeof head, "%11llu %11llu ", (ull)version, (ull)length);
    resp_put_bulk_head(out, length);
    uint8_t *bytes = buf_reserve(out, length);
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = i < HEAD_BYTES ? (uint8_t)head[i] : byte_at(version, i);
    out->len += length;
    buf_bytes(out, bytes_cstr("\r\n"));
}

/* False: it is not as it was written. */
static bool read_value(struct bytes text, uint64_t *version) {
    char head[HEAD_BYTES + 1] = "";
    if (text.len < HEAD_BYTES)
        return false;
    memcpy(head, text.data, HEAD_BYTES);
    char *end = head;
    *version = strtoull(head, &end, 10);
    uint64_t length = strtoull(end, NULL, 10);
    for (uint64_t i = HEAD_BYTES; i < text.len; i++)
        if (text.data[i] != byte_at(*version, i))
            return false;
    return length == text.len;
}

static bool may_hold(const struct sim_load_key *key, uint64_t version) {
    for (unsigned i = 0; i < key->unsure_count; i++)
        if (key->unsure[i].version == version)
            return true;
    return key->version == version;
}

/* ---- commands ---- */

static void ask(struct sim_load *load, enum sim_load_kind kind, unsigned key, uint64_t length) {
    char name[16];
    snprintf(name, sizeof name, kind < SIM_LOAD_COUNT ? "load:%u" : "load:n", key);
    static const char *const words[] = {[SIM_LOAD_SET] = "SET",
                                        [SIM_LOAD_GET] = "GET",
                                        [SIM_LOAD_COUNT] = "INCR",
                                        [SIM_LOAD_TOTAL] = "GET"};
    struct sim_load_asked *asked = &load->asked[load->asked_count++];
    *asked = (struct sim_load_asked){.kind = kind, .key = key};
    resp_put_array(&load->out, kind == SIM_LOAD_SET ? 3 : 2);
    resp_put_cstr(&load->out, words[kind]);
    resp_put_cstr(&load->out, name);
    if (kind == SIM_LOAD_COUNT)
        load->maybe_counted++;
    if (kind != SIM_LOAD_SET)
        return;
    struct sim_load_key *of = &load->keys[key];
    asked->version = ++load->versions;
    of->unsure[of->unsure_count].version = asked->version;
    of->unsure[of->unsure_count++].length = length;
    put_value(&load->out, asked->version, length);
}

static void ask_values(struct sim_load *load) {
    struct sim_cluster *cluster = load->cluster;
    uint64_t most = cluster->defaults.value_bytes_max;
    for (uint64_t left = draw(cluster, 1, 4); left > 0; left--) {
        unsigned key = (unsigned)draw(cluster, 0, SIM_LOAD_KEYS - 1);
        uint64_t length = draw(cluster, 0, 3) == 0 ? most : draw(cluster, HEAD_BYTES, most);
        if (load->keys[key].unsure_count < SIM_LOAD_UNSURE_MAX)
            ask(load, SIM_LOAD_SET, key, length);
        for (uint64_t reads = draw(cluster, 0, 3); reads > 0; reads--)
            ask(load, SIM_LOAD_GET, key, 0);
    }
}

static void ask_counts(struct sim_load *load) {
    uint64_t count = draw(load->cluster, 1, SIM_LOAD_ASKED_MAX - 1);
    for (uint64_t i = 0; i < count; i++)
        ask(load, draw(load->cluster, 0, 7) ? SIM_LOAD_COUNT : SIM_LOAD_TOTAL, 0, 0);
}

/* ---- answers ---- */

static void take_set(struct sim_load *load, const struct sim_load_asked *asked, bool ok) {
    struct sim_load_key *key = &load->keys[asked->key];
    if (!ok)
        return; /* it may be executed, now or later */
    for (unsigned i = 0; i < key->unsure_count; i++) {
        if (key->unsure[i].version != asked->version)
            continue;
        key->version = asked->version;
        key->length = key->unsure[i].length;
        key->unsure[i] = key->unsure[--key->unsure_count];
        return;
    }
}

static void take_value(struct sim_load *load, const struct sim_load_asked *asked,
                       const struct resp_value *value) {
    struct sim_load_key *key = &load->keys[asked->key];
    struct sim_world *world = &load->cluster->world;
    uint64_t version = 0;
    if (value->kind == RESP_BULK && !read_value(value->text, &version))
        sim_fail(world, "a large value is read as it was written: %llu bytes of load:%u",
                 (ull)value->text.len, asked->key);
    else if ((value->kind == RESP_BULK || value->kind == RESP_NIL) && !may_hold(key, version))
        sim_fail(world,
                 "a large value is the one that was written last: load:%u is of %llu, and "
                 "%llu was acknowledged",
                 asked->key, (ull)version, (ull)key->version);
}

/* In one pipeline they come one after the other; others of unknown fate may come between. */
static void take_number(struct sim_load *load, const struct sim_load_asked *asked,
                        uint64_t number) {
    bool counts = asked->kind == SIM_LOAD_COUNT;
    load->counted += counts;
    load->maybe_counted -= counts;
    if (number < load->newest + counts || number < load->counted ||
        number > load->counted + load->maybe_counted)
        sim_fail(&load->cluster->world,
                 "a counter counts each command once: it is %llu after %llu; %llu were "
                 "acknowledged, and %llu may have been executed besides",
                 (ull)number, (ull)load->newest, (ull)load->counted, (ull)load->maybe_counted);
    load->newest = number;
}

static uint64_t number_of(struct bytes text) {
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    return number;
}

static void take_answer(struct sim_load *load, const struct resp_value *value) {
    const struct sim_load_asked *asked = &load->asked[load->answered++];
    load->cluster->result->loads++;
    if (asked->kind == SIM_LOAD_SET)
        take_set(load, asked, value->kind == RESP_STATUS);
    else if (asked->kind == SIM_LOAD_GET)
        take_value(load, asked, value);
    else if (value->kind == RESP_INT)
        take_number(load, asked, (uint64_t)value->integer);
    else if (value->kind == RESP_BULK)
        take_number(load, asked, number_of(value->text));
    else if (value->kind == RESP_NIL)
        take_number(load, asked, 0);
    if (load->finishing && value->kind == RESP_ERROR_REPLY)
        load->finished = false;
}

/* ---- the connection ---- */

static void on_open(struct env_stream *stream) {
    struct sim_load *load = container_of(stream, struct sim_load, stream);
    struct env_piece piece = {buf_view(&load->out), NULL};
    env_write(&load->cluster->clients[0].env, stream, &piece, 1);
}

static void hang_up(struct sim_load *load,
                    void (*how)(struct env *env, struct env_stream *stream)) {
    if (!load->ending)
        how(&load->cluster->clients[0].env, &load->stream);
    load->ending = true;
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct sim_load *load = container_of(stream, struct sim_load, stream);
    size_t at = 0, length, used;
    buf_bytes(&load->in, bytes);
    while (load->answered < load->asked_count) {
        struct bytes rest = bytes_of(load->in.data + at, load->in.len - at);
        struct resp_value value;
        length = resp_value_length(rest);
        if (length == 0)
            break;
        if (length == SIZE_MAX || resp_value_read(rest, &value, &used) != RESP_COMMAND) {
            sim_fail(&load->cluster->world, "a server's answer is no RESP");
            return;
        }
        at += length;
        take_answer(load, &value);
    }
    buf_consume(&load->in, at);
    if (load->answered == load->asked_count)
        hang_up(load, env_close);
}

static void begin_final(struct sim_load *load);

static void final_due(void *target, uint64_t number) {
    begin_final(target);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct sim_load *load = container_of(stream, struct sim_load, stream);
    struct sim_world *world = &load->cluster->world;
    load->busy = load->ending = false;
    load->finished &= load->answered == load->asked_count;
    if (load->finishing && !load->finished)
        sim_at(world, world->now + AGAIN_NS, final_due, load, 0);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

/* Known: before it has applied that the cluster agreed upon a version, as it has soon after every
 * start, a node takes long commands whole, and each replica's loop stands still for them. */
static bool knows_version(const struct sim_node *node) {
    struct node_status status;
    node_status(node->node, node->cluster->kv, &status);
    return status.cluster_version >= WIRE_VERSION_3;
}

static bool begin(struct sim_load *load, void (*fill)(struct sim_load *load)) {
    struct sim_node *node = sim_apart_pick(load->cluster, knows_version);
    if (node == NULL)
        return false;
    buf_clear(&load->out);
    buf_clear(&load->in);
    load->asked_count = load->answered = 0;
    fill(load);
    load->busy = true;
    load->began_at = load->cluster->world.now;
    load->stream = (struct env_stream){.events = &events};
    sim_log(&load->cluster->world, node->host.name, "is asked %zu commands of %zu bytes at once",
            load->asked_count, load->out.len);
    env_connect(&load->cluster->clients[0].env, node->redis_address, &load->stream);
    return true;
}

bool sim_load_strikes(struct sim_cluster *cluster) {
    struct sim_load **load = &cluster->apart.load;
    if (!sim_has_keys(cluster))
        return false;
    if (*load == NULL) {
        *load = cairn_alloc_zero(sizeof **load);
        (*load)->cluster = cluster;
    }
    if ((*load)->busy) {
        if (cluster->world.now > (*load)->began_at + PATIENCE_NS)
            hang_up(*load, env_abort);
        return false;
    }
    return ++(*load)->pipelines <= PIPELINES_MAX &&
           begin(*load, draw(cluster, 0, 1) ? ask_values : ask_counts);
}

/* ---- at last ---- */

static void ask_all(struct sim_load *load) {
    for (unsigned key = 0; key < SIM_LOAD_KEYS; key++)
        ask(load, SIM_LOAD_GET, key, 0);
    ask(load, SIM_LOAD_TOTAL, 0, 0);
}

static void begin_final(struct sim_load *load) {
    struct sim_world *world = &load->cluster->world;
    load->finished = !load->busy && begin(load, ask_all);
    if (!load->finished)
        sim_at(world, world->now + AGAIN_NS, final_due, load, 0);
}

void sim_load_finish(struct sim_cluster *cluster) {
    struct sim_load *load = cluster->apart.load;
    if (load == NULL)
        return;
    load->finishing = true;
    if (load->busy)
        hang_up(load, env_abort);
    else
        begin_final(load);
}

bool sim_load_is_over(const struct sim_cluster *cluster) {
    const struct sim_load *load = cluster->apart.load;
    return load == NULL || (load->finished && !load->busy);
}

void sim_load_close(struct sim_cluster *cluster) {
    struct sim_load *load = cluster->apart.load;
    if (load == NULL)
        return;
    buf_free(&load->out);
    buf_free(&load->in);
    cairn_free(load);
}
