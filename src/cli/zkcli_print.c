#include "cli/zkcli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

typedef unsigned long long ull;

int zkcli_refused(const char *path, int32_t error) {
    fprintf(stderr, "cairn zk: ");
    switch (error) {
    case TREE_NO_NODE:
        fprintf(stderr, "there is no node %s\n", path);
        break;
    case TREE_NODE_EXISTS:
        fprintf(stderr, "%s is there already\n", path);
        break;
    case TREE_NOT_EMPTY:
        fprintf(stderr, "%s has children (rmr deletes them too)\n", path);
        break;
    case TREE_BAD_VERSION:
        fprintf(stderr, "%s has another version by now\n", path);
        break;
    case TREE_NO_AUTH:
        fprintf(stderr, "%s: not authorised (who are you? auth SCHEME CREDENTIAL, or --auth)\n",
                path);
        break;
    case TREE_BAD_ARGUMENTS:
        fprintf(stderr,
                "%s: refused as malformed (a path begins with /, and does not end with "
                "it)\n",
                path);
        break;
    default:
        fprintf(stderr, "%s: %s (%d)\n", path, tree_error_text(error), (int)error);
    }
    return EXIT_NO;
}

int zkcli_ended(const struct zkcli *zk, enum zkcli_end end, bool writes) {
    if (end == ZKCLI_NOBODY) {
        fprintf(stderr,
                "cairn zk: no server answers at %s (%s); --server HOST:PORT[,...] names "
                "others\n",
                zk->session.servers, zk->session.problem);
        return EXIT_NO;
    }
    fprintf(stderr, "cairn zk: %s%s\n", zk->session.problem,
            writes ? "; it may or may not have been carried out" : "");
    return writes ? EXIT_UNDECIDED : EXIT_NO;
}

const char *zkcli_time(uint64_t time_ms, char text[40]) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t len = strftime(text, 30, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + len, 40 - len, ".%03uZ", (unsigned)(time_ms % 1000));
    return text;
}

/* ---- stat ---- */

bool zkcli_take_stat(struct reader *reader, struct tree_stat *stat) {
    stat->czxid = (uint64_t)jute_take_i64(reader);
    stat->mzxid = (uint64_t)jute_take_i64(reader);
    stat->ctime_ms = (uint64_t)jute_take_i64(reader);
    stat->mtime_ms = (uint64_t)jute_take_i64(reader);
    stat->version = jute_take_i32(reader);
    stat->cversion = jute_take_i32(reader);
    stat->aversion = jute_take_i32(reader);
    stat->owner = (uint64_t)jute_take_i64(reader);
    stat->data_length = jute_take_i32(reader);
    stat->child_count = jute_take_i32(reader);
    stat->pzxid = (uint64_t)jute_take_i64(reader);
    return !reader->bad;
}

/* X(name as ZooKeeper's documentation has it, kind, value) */
#define STAT_FIELDS(X)                 \
    X(czxid, HEX, czxid)               \
    X(ctime, TIME, ctime_ms)           \
    X(mzxid, HEX, mzxid)               \
    X(mtime, TIME, mtime_ms)           \
    X(pzxid, HEX, pzxid)               \
    X(version, NUMBER, version)        \
    X(cversion, NUMBER, cversion)      \
    X(aversion, NUMBER, aversion)      \
    X(ephemeralOwner, HEX, owner)      \
    X(dataLength, NUMBER, data_length) \
    X(numChildren, NUMBER, child_count)

void zkcli_print_stat(const struct tree_stat *stat) {
    char time[40];
#define PRINT_HEX(value) printf("0x%llx\n", (ull)(value))
#define PRINT_TIME(value) printf("%s\n", zkcli_time((uint64_t)(value), time))
#define PRINT_NUMBER(value) printf("%d\n", (int)(value))
#define X(name, kind, field) \
    printf("%-14s ", #name); \
    PRINT_##kind(stat->field);
    STAT_FIELDS(X)
#undef X
}

/* As text, for JSON's readers lose the low bits of what is beyond 2^53. */
json_t *zkcli_json_hex(uint64_t value) {
    return json_sprintf("0x%llx", (ull)value);
}

json_t *zkcli_json_stat(const struct tree_stat *stat) {
    json_t *object = json_object();
#define JSON_HEX(value) zkcli_json_hex(value)
#define JSON_TIME(value) json_integer((json_int_t)(value))
#define JSON_NUMBER(value) json_integer(value)
#define X(name, kind, field) json_object_set_new(object, #name, JSON_##kind(stat->field));
    STAT_FIELDS(X)
#undef X
    return object;
}

/* ---- data ---- */

static void put_base64(struct buf *out, struct bytes data) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t group = (uint32_t)data.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)data.data[i + 1] << 8;
        if (left > 2)
            group |= data.data[i + 2];
        buf_u8(out, (uint8_t)digits[group >> 18]);
        buf_u8(out, (uint8_t)digits[group >> 12 & 63]);
        buf_u8(out, left > 1 ? (uint8_t)digits[group >> 6 & 63] : '=');
        buf_u8(out, left > 2 ? (uint8_t)digits[group & 63] : '=');
    }
}

json_t *zkcli_json_text(struct bytes text) {
    return json_stringn((const char *)text.data, text.len);
}

void zkcli_json_data(json_t *object, struct bytes data) {
    struct buf encoded = {0};
    if (data.data == NULL) {
        json_object_set_new(object, "data", json_null());
        return;
    }
    json_t *text = zkcli_json_text(data);
    if (text != NULL) {
        json_object_set_new(object, "data", text);
        return;
    }
    put_base64(&encoded, data);
    json_object_set_new(object, "data_base64", zkcli_json_text(buf_view(&encoded)));
    buf_free(&encoded);
}

void zkcli_json_print(json_t *value) {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    printf("\n");
    json_decref(value);
}

/* ---- events ---- */

static const char *event_name(int32_t type) {
    static const char *const names[] = {"?", "created", "deleted", "changed", "children"};
    return type >= 1 && type <= 4 ? names[type] : names[0];
}

void zkcli_print_event(const struct zkcli *zk, int32_t type, struct bytes path, int64_t zxid) {
    struct timespec now;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (zk->json) {
        json_t *event = json_object();
        json_object_set_new(event, "time_ms", json_integer((json_int_t)now_ms));
        json_object_set_new(event, "event", json_string(event_name(type)));
        json_object_set_new(event, "path", zkcli_json_text(path));
        json_object_set_new(event, "zxid", zxid > 0 ? zkcli_json_hex((uint64_t)zxid) : json_null());
        zkcli_json_print(event);
    } else {
        printf("%s  %-8s  %.*s", zkcli_time(now_ms, text), event_name(type), (int)path.len,
               (const char *)path.data);
        if (zxid > 0) /* servers before 3.9 do not tell it */
            printf("  0x%llx", (ull)zxid);
        printf("\n");
    }
    fflush(stdout);
}
