#include "node/aim.h"

#include "core/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum aim_word { AIM_WORD_RECORD = 1, AIM_WORD_PHASE, AIM_WORD_END, AIM_WORD_CANCEL };

/* ---- words ---- */

static void put_plan(struct buf *out, const struct aim *aim) {
    buf_u64(out, aim->token);
    wishes_encode(out, &aim->wanted);
    buf_u32(out, aim->keyspaces);
    for (uint32_t i = 0; i < aim->keyspaces; i++)
        wishes_encode(out, &aim->former[i]);
}

static bool take_plan(struct reader *reader, struct aim *aim) {
    aim->token = read_u64(reader);
    if (!wishes_decode(reader, &aim->wanted))
        return false;
    aim->keyspaces = read_u32(reader);
    if (aim->keyspaces > AIM_KEYSPACES_MAX)
        return false;
    for (uint32_t i = 0; i < aim->keyspaces; i++)
        if (!wishes_decode(reader, &aim->former[i]))
            return false;
    return !reader->bad;
}

void aim_encode_record(struct buf *out, const struct aim *aim) {
    buf_u8(out, AIM_WORD_RECORD);
    put_plan(out, aim);
}

void aim_encode_phase(struct buf *out, uint64_t id, enum aim_phase phase, enum aim_end end,
                      const char *reason) {
    buf_u8(out, AIM_WORD_PHASE);
    buf_u64(out, id);
    buf_u8(out, (uint8_t)phase);
    buf_u8(out, (uint8_t)end);
    buf_block(out, bytes_cstr(reason));
}

void aim_encode_end(struct buf *out, uint64_t id, enum aim_end end, const char *reason) {
    buf_u8(out, AIM_WORD_END);
    buf_u64(out, id);
    buf_u8(out, (uint8_t)end);
    buf_block(out, bytes_cstr(reason));
}

void aim_encode_cancel(struct buf *out, uint64_t id) {
    buf_u8(out, AIM_WORD_CANCEL);
    buf_u64(out, id);
}

const struct aim *aims_find(const struct aims *aims, uint64_t id) {
    if (id == 0)
        return NULL;
    if (aims->now.id == id)
        return &aims->now;
    for (uint32_t i = 0; i < AIMS_KEPT; i++)
        if (aims->ended[i].id == id)
            return &aims->ended[i];
    return NULL;
}

/* ---- what they do ---- */

static void keep_reason(struct aim *aim, struct bytes reason) {
    size_t len = reason.len < AIM_REASON_MAX ? reason.len : AIM_REASON_MAX - 1;
    memset(aim->reason, 0, sizeof aim->reason);
    if (len > 0)
        memcpy(aim->reason, reason.data, len);
}

static bool same_wishes(const struct wishes *a, const struct wishes *b) {
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = a->items[i].id == b->items[i].id && a->items[i].role == b->items[i].role &&
               strcmp(a->items[i].address, b->items[i].address) == 0;
    return same;
}

/* A requester of what is under way waits for its end with the earlier requesters. */
static void apply_record(struct aims *aims, const struct apply_context *context,
                         struct reader *reader, struct buf *reply) {
    struct aim aim = {.id = context->index, .phase = AIM_PREPARE, .since_ms = context->time_ms};
    if (!take_plan(reader, &aim) || !reader_done(reader)) {
        reply_error(reply, "ERR malformed change of members in the log");
        return;
    }
    for (uint32_t i = 0; i < AIMS_KEPT; i++)
        if (aims->ended[i].id != 0 && aims->ended[i].token == aim.token) {
            reply_int(reply, (int64_t)aims->ended[i].id);
            return;
        }
    if (aims->now.id != 0 && aims->now.token == aim.token) {
        reply_int(reply, (int64_t)aims->now.id);
        return;
    }
    bool joins = same_wishes(&aims->now.wanted, &aim.wanted);
    if (aims->now.id != 0 && !(joins && aims->now.phase != AIM_BACK)) {
        struct buf text = {0};
        wishes_tell(&aims->now.wanted, &text);
        reply_errorf(
            reply,
            "BUSY another change of members is under way (%.*s): cairn member status tells "
            "how far it is, cairn member cancel gives it up",
            (int)text.len, (const char *)text.data);
        buf_free(&text);
        return;
    }
    if (aims->now.id == 0) {
        aims->now = aim;
        aims->changes++;
    }
    reply_int(reply, (int64_t)aims->now.id);
}

static void apply_phase(struct aims *aims, struct reader *reader) {
    uint64_t id = read_u64(reader);
    uint8_t phase = read_u8(reader), end = read_u8(reader);
    struct bytes reason = read_block(reader, AIM_REASON_MAX);
    struct aim *now = &aims->now;
    if (!reader_done(reader) || id != now->id || phase > AIM_BACK || end > AIM_HALF ||
        phase <= now->phase)
        return;
    now->phase = (enum aim_phase)phase;
    now->end = (enum aim_end)end;
    keep_reason(now, reason);
    aims->changes++;
}

static void apply_end(struct aims *aims, const struct apply_context *context,
                      struct reader *reader) {
    uint64_t id = read_u64(reader);
    uint8_t end = read_u8(reader);
    struct bytes reason = read_block(reader, AIM_REASON_MAX);
    /* A word of cancelling came in between: what was carried out is taken back first. */
    bool overtaken = aims->now.phase == AIM_BACK && end == AIM_DONE;
    if (!reader_done(reader) || id != aims->now.id || end == AIM_UNDER_WAY || overtaken ||
        end > AIM_HALF)
        return;
    memmove(aims->ended + 1, aims->ended, (AIMS_KEPT - 1) * sizeof *aims->ended);
    aims->ended[0] = aims->now;
    aims->ended[0].end = (enum aim_end)end;
    aims->ended[0].ended_ms = context->time_ms;
    keep_reason(&aims->ended[0], reason);
    aims->now = (struct aim){0};
    aims->changes++;
}

static void apply_cancel(struct aims *aims, struct reader *reader, struct buf *reply) {
    uint64_t id = read_u64(reader);
    const struct aim *meant = aims_find(aims, id);
    if (meant != NULL && meant != &aims->now) { /* it ended in the meantime */
        reply_int(reply, (int64_t)id);
        return;
    }
    if (aims->now.id == 0 || !reader_done(reader) || (id != 0 && id != aims->now.id)) {
        reply_error(reply, "ERR no change of members is under way");
        return;
    }
    if (aims->now.phase != AIM_BACK) {
        aims->now.phase = AIM_BACK;
        aims->now.end = AIM_CANCELLED;
        keep_reason(&aims->now, BYTES("it was cancelled"));
        aims->changes++;
    }
    reply_int(reply, (int64_t)aims->now.id);
}

void aims_apply(struct aims *aims, const struct apply_context *context, struct reader *reader,
                struct buf *reply) {
    switch ((enum aim_word)read_u8(reader)) {
    case AIM_WORD_RECORD:
        apply_record(aims, context, reader, reply);
        return;
    case AIM_WORD_PHASE:
        apply_phase(aims, reader);
        reply_ok(reply);
        return;
    case AIM_WORD_END:
        apply_end(aims, context, reader);
        reply_ok(reply);
        return;
    case AIM_WORD_CANCEL:
        apply_cancel(aims, reader, reply);
        return;
    }
    reply_error(reply, "ERR unknown kind of command in the log");
}

/* ---- looked at ---- */

const char *aim_phase_text(const struct aim *aim) {
    static const char *const ends[] = {"?", "done", "failed", "cancelled", "done by half"};
    static const char *const phases[] = {"?", "waits until the new members have the log",
                                         "changes the members of each keyspace",
                                         "is undone in each keyspace"};
    return aim->ended_ms != 0 ? ends[aim->end] : phases[aim->phase];
}

/* ---- snapshots ---- */

static void put_aim(struct buf *out, const struct aim *aim) {
    buf_u64(out, aim->id);
    if (aim->id == 0)
        return;
    put_plan(out, aim);
    buf_u8(out, (uint8_t)aim->phase);
    buf_u8(out, (uint8_t)aim->end);
    buf_u64(out, aim->since_ms);
    buf_u64(out, aim->ended_ms);
    buf_block(out, bytes_cstr(aim->reason));
}

static bool take_aim(struct reader *reader, struct aim *aim) {
    *aim = (struct aim){.id = read_u64(reader)};
    if (aim->id == 0 || !take_plan(reader, aim))
        return aim->id == 0 && !reader->bad;
    uint8_t phase = read_u8(reader), end = read_u8(reader);
    aim->since_ms = read_u64(reader);
    aim->ended_ms = read_u64(reader);
    keep_reason(aim, read_block(reader, AIM_REASON_MAX));
    aim->phase = (enum aim_phase)phase;
    aim->end = (enum aim_end)end;
    return !reader->bad && phase <= AIM_BACK && end <= AIM_HALF;
}

void aims_encode(struct buf *out, const struct aims *aims) {
    put_aim(out, &aims->now);
    for (uint32_t i = 0; i < AIMS_KEPT; i++)
        put_aim(out, &aims->ended[i]);
}

enum cairn_status aims_decode(struct bytes bytes, struct aims *aims) {
    struct reader reader = reader_of(bytes);
    bool fine = take_aim(&reader, &aims->now);
    for (uint32_t i = 0; i < AIMS_KEPT && fine; i++)
        fine = take_aim(&reader, &aims->ended[i]);
    aims->changes++;
    return fine && reader_done(&reader) ? CAIRN_OK : CAIRN_CORRUPT;
}
