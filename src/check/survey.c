#include "check/survey.h"

#include "base/alloc.h"

#include <inttypes.h>

static bool is_read(enum op_f f) {
    return f == OP_READ || f == OP_CONTAINS || f == OP_DEQUEUE || f == OP_DRAIN || f == OP_POP ||
           f == OP_PEEK || f == OP_DELETE_MIN || f == OP_DELETE_MAX;
}

/* Counts it when it is met for the first time. */
static void count_new(uint8_t *met, uint32_t value, uint32_t *count) {
    *count += !met[value];
    met[value] = true;
}

static void count_reads(struct survey *survey, const struct history *history, const struct op *op) {
    bool known = op->outcome == OP_OK;
    if (op->f != OP_TXN) {
        survey->reads += is_read(op->f);
        survey->answered += is_read(op->f) && known && op->out != VALUE_NONE;
        return;
    }
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &history->mops[op->arg + i];
        survey->reads += mop->kind == MOP_READ;
        survey->answered += mop->kind == MOP_READ && known && mop->value != VALUE_NONE;
    }
}

static void count_keys(struct survey *survey, const struct history *history, const struct op *op,
                       uint8_t *met) {
    if (op->f != OP_TXN && op->key != VALUE_NULL)
        count_new(met, op->key, &survey->keys);
    for (uint32_t i = 0; op->f == OP_TXN && i < op->out; i++)
        count_new(met, history->mops[op->arg + i].key, &survey->keys);
}

void survey_take(struct survey *survey, const struct history *history) {
    uint8_t *keys = cairn_alloc_zero((size_t)history->values.count + 1);
    uint8_t *processes = cairn_alloc_zero((size_t)history->process_count + 1);
    *survey = (struct survey){0};
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL) {
            survey->failed++;
            continue;
        }
        survey->ops++;
        survey->open += op->outcome == OP_INFO;
        count_new(processes, op->process, &survey->processes);
        count_reads(survey, history, op);
        count_keys(survey, history, op, keys);
    }
    survey->known = survey->ops - survey->open;
    cairn_free(keys);
    cairn_free(processes);
}

static void counted(uint32_t count, const char *one, const char *many, struct buf *out) {
    buf_printf(out, "%" PRIu32 " %s", count, count == 1 ? one : many);
}

void survey_tell(const struct survey *survey, struct buf *out) {
    buf_printf(out, "judged: ");
    counted(survey->ops, "operation", "operations", out);
    buf_printf(out, " of ");
    counted(survey->processes, "process", "processes", out);
    if (survey->keys > 0) {
        buf_printf(out, " on ");
        counted(survey->keys, "key", "keys", out);
    }
    if (survey->failed > 0)
        buf_printf(out, ", and %" PRIu32 " failed", survey->failed);
    if (survey->open > 0)
        buf_printf(out, "; %" PRIu32 " of unknown fate", survey->open);
    buf_printf(out, "; ");
    if (survey->reads == 0)
        buf_printf(out, "no reads");
    else if (survey->answered < survey->reads)
        buf_printf(out, "%" PRIu32 " of %" PRIu32 " reads with an answer", survey->answered,
                   survey->reads);
    else if (survey->reads == 1)
        buf_printf(out, "1 read with an answer");
    else
        buf_printf(out, "%" PRIu32 " reads with an answer", survey->reads);
}

void survey_json(const struct survey *survey, struct buf *out) {
    buf_printf(out,
               "{\"operations\":%" PRIu32 ",\"processes\":%" PRIu32 ",\"keys\":%" PRIu32
               ",\"failed\":%" PRIu32 ",\"unknown\":%" PRIu32 ",\"reads\":%" PRIu32
               ",\"answered\":%" PRIu32 "}",
               survey->ops, survey->processes, survey->keys, survey->failed, survey->open,
               survey->reads, survey->answered);
}

bool survey_is_empty(const struct survey *survey, struct buf *why) {
    if (survey->known > 0)
        return false;
    if (survey->ops + survey->failed == 0)
        buf_printf(why, "there is no operation in this history");
    else if (survey->ops == 0)
        buf_printf(why, "all %" PRIu32 " operations failed", survey->failed);
    else if (survey->failed == 0)
        buf_printf(why, "all %" PRIu32 " operations are of unknown fate", survey->open);
    else
        buf_printf(
            why, "of %" PRIu32 " operations %" PRIu32 " failed and %" PRIu32 " are of unknown fate",
            survey->open + survey->failed, survey->failed, survey->open);
    return true;
}
