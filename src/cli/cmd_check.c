/* cairn check: does a history satisfy a level? cairn place: which ones does it satisfy? */
#include "check/forced.h"
#include "check/proof.h"
#include "check/shrink.h"
#include "check/verify.h"
#include "cli/judge.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_OPS 20u
#define SHOWN_BYTES 400u /* of a reason, in place */
#define LOOKED_UP_OPS_MAX 20000u

static void put_json(struct buf *out) {
    buf_printf(out, "\n");
    fwrite(out->data, 1, out->len, stdout);
    buf_free(out);
}

static bool write_proof(struct judge *judge, const struct verdict *verdict, const char *path) {
    struct buf out = {0};
    FILE *file = history_file_output(judge->command, path);
    if (file == NULL)
        return false;
    proof_write(&judge->history, verdict, &out);
    buf_printf(&out, "\n");
    fwrite(out.data, 1, out.len, file);
    buf_free(&out);
    return history_file_close(judge->command, path, file);
}

/* ---- --forced LINE,LINE ---- */

/* The operation whose call or return stands in that line. */
static bool op_at_line(const struct judge *judge, uint64_t line, uint32_t *op) {
    for (uint32_t i = 0; i < judge->history.op_count; i++)
        if (judge->history.ops[i].line == line && judge->history.ops[i].outcome != OP_FAIL) {
            *op = i;
            return true;
        }
    misuse("check", "no operation that happened is called in %s %" PRIu64,
           judge->history.numbered ? "event" : "line", line);
    return false;
}

static bool forced_ops(const struct judge *judge, const char *pair, uint64_t lines[2],
                       uint32_t ops[2]) {
    char first[24];
    const char *comma = strchr(pair, ',');
    bool fits = comma != NULL && (size_t)(comma - pair) < sizeof first;
    if (fits)
        snprintf(first, sizeof first, "%.*s", (int)(comma - pair), pair);
    if (!fits || !parse_number(first, &lines[0]) || !parse_number(comma + 1, &lines[1])) {
        misuse("check", "--forced takes two line numbers, LINE,LINE");
        return false;
    }
    if (!op_at_line(judge, lines[0], &ops[0]) || !op_at_line(judge, lines[1], &ops[1]))
        return false;
    if (ops[0] == ops[1])
        misuse("check", "--forced takes two different operations; both lines name the same");
    return ops[0] != ops[1];
}

static int tell_forced(struct judge *judge, const char *pair, bool json) {
    static const char *const says[] = {
        "the first comes before the second in every order",
        "the second comes before the first in every order", "both orders are possible",
        "there is no legal order with both of them at all", "undecided"};
    uint64_t lines[2];
    uint32_t ops[2];
    if (judge->options.level != LEVEL_LINEARIZABLE)
        return misuse("check", "--forced is for level linearizable");
    if (!forced_ops(judge, pair, lines, ops))
        return EXIT_MISUSE;
    enum forced forced = forced_pair(&judge->history, &judge->options, ops[0], ops[1]);
    judge_quiet(judge);
    if (json)
        printf("{\"forced\":\"%s\",\"lines\":[%" PRIu64 ",%" PRIu64 "]}\n", forced_name(forced),
               lines[0], lines[1]);
    else
        printf("%s\n", says[forced]);
    return forced == FORCED_UNDECIDED ? EXIT_UNDECIDED
           : forced == FORCED_NEVER   ? EXIT_NO
                                      : EXIT_FINE;
}

/* ---- check ---- */

/* A contradiction among few operations can be checked again; one among thousands can't. */
/* What a proof says has to be seen in it: where the evidence does not tell it alone, the few
 * operations that violate the level do. Of transactions the evidence always does. */
static bool tells_all(const struct judge *judge, const struct verdict *verdict) {
    struct buf why = {0};
    if (judge->history.op_count > LOOKED_UP_OPS_MAX && verdict->edge_count > 0)
        return true;
    bool told = verdict->answer != ANSWER_NO || model_transactional(verdict->model) ||
                verify_verdict(&judge->history, verdict, &why) == VERIFY_RIGHT;
    buf_free(&why);
    return told;
}

static void make_small(struct judge *judge, struct verdict *verdict) {
    struct shrink_result result;
    shrink_violation(&judge->history, &judge->options, verdict, &result);
    cairn_free(result.keep);
}

/* Judges `times` times, for measuring: the least time counts, as the first pays for cold memory. */
static uint64_t judge_timed(struct judge *judge, uint64_t times, struct verdict *verdict) {
    uint64_t least_ns = UINT64_MAX;
    for (uint64_t i = 0; i == 0 || i < times; i++) {
        if (i > 0)
            verdict_free(verdict);
        uint64_t began_ns = judge_now_ns();
        check_history(&judge->history, &judge->options, verdict);
        uint64_t took_ns = judge_now_ns() - began_ns;
        least_ns = took_ns < least_ns ? took_ns : least_ns;
    }
    return least_ns;
}

static int judge_and_tell(struct judge *judge, const char *proof, uint64_t times, bool json) {
    struct verdict verdict;
    judge->options.want_order = proof != NULL || !judge->options.by_key;
    uint64_t check_ns = judge_timed(judge, times, &verdict);
    if (proof != NULL && !tells_all(judge, &verdict))
        make_small(judge, &verdict);
    judge_hint(judge, &verdict);
    judge_quiet(judge);
    int code = exit_of(verdict.answer);
    if (json) {
        struct buf out = {0};
        proof_summary(&judge->history, &verdict, &out);
        out.len--; /* the closing brace */
        buf_u8(&out, ',');
        judge_json_basis(judge, &out);
        buf_printf(&out, ",\"operation_count\":%" PRIu32 ",\"read_s\":%.6f,\"check_s\":%.6f}",
                   judge->history.op_count, (double)judge->read_ns / 1e9, (double)check_ns / 1e9);
        put_json(&out);
    } else {
        judge_print(judge, &verdict, SHOWN_OPS);
        judge_print_basis(judge);
    }
    if (proof != NULL && !write_proof(judge, &verdict, proof))
        code = EXIT_MISUSE;
    verdict_free(&verdict);
    return code;
}

int cmd_check(int argc, char **argv) {
    struct judge judge = {0};
    const char *proof = NULL, *forced = NULL;
    bool json = false, whole = false;
    uint64_t times = 1;
    const struct flag flags[] = {JUDGE_FLAGS(judge),
                                 {"whole", FLAG_SWITCH, &whole},
                                 {"repeat", FLAG_NUMBER, &times},
                                 {"proof", FLAG_TEXT, &proof},
                                 {"forced", FLAG_TEXT, &forced},
                                 {"json", FLAG_SWITCH, &json}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("check", "give one history file (or - for standard input)");
    int code;
    if (!judge_open(&judge, "check", argv[1])) {
        code = judge_exit(&judge);
    } else {
        judge_default_level(&judge);
        judge.options.by_key = !whole;
        code = forced != NULL ? tell_forced(&judge, forced, json)
                              : judge_and_tell(&judge, proof, times, json);
    }
    judge_close(&judge);
    return code;
}

/* ---- place ---- */

static bool is_strongest(const struct verdict *verdicts, int level) {
    for (int other = 0; other < LEVEL_COUNT; other++)
        if (other != level && verdicts[other].answer == ANSWER_YES &&
            level_implies((enum level)other, (enum level)level))
            return false;
    return verdicts[level].answer == ANSWER_YES;
}

static void print_place(const struct verdict *verdicts) {
    for (int i = 0; i < LEVEL_COUNT; i++) {
        const struct verdict *verdict = &verdicts[i];
        if (verdict->answer == ANSWER_UNDEFINED)
            continue;
        printf("%-29s %-10s", level_name((enum level)i), answer_name(verdict->answer));
        if (verdict->text.len > 0 && verdict->answer != ANSWER_YES) {
            putchar(' ');
            judge_print_text(buf_view(&verdict->text), SHOWN_BYTES);
        }
        printf("\n");
    }
    bool any = false;
    printf("strongest that hold:");
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (is_strongest(verdicts, i)) {
            printf("%s %s", any ? "," : "", level_name((enum level)i));
            any = true;
        }
    printf(any ? "\n" : " none\n");
}

static void print_place_json(const struct judge *judge, const struct verdict *verdicts) {
    struct buf out = {0};
    bool first = true;
    buf_printf(&out, "{\"model\":\"%s\",\"levels\":{", model_name(judge->options.model));
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (verdicts[i].answer == ANSWER_UNDEFINED)
            continue;
        buf_printf(&out, "%s\"%s\":\"%s\"", first ? "" : ",", level_name((enum level)i),
                   answer_name(verdicts[i].answer));
        first = false;
    }
    buf_printf(&out, "},\"strongest\":[");
    first = true;
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (is_strongest(verdicts, i)) {
            buf_printf(&out, "%s\"%s\"", first ? "" : ",", level_name((enum level)i));
            first = false;
        }
    buf_printf(&out, "],");
    judge_json_basis(judge, &out);
    buf_u8(&out, '}');
    put_json(&out);
}

int cmd_place(int argc, char **argv) {
    struct judge judge = {0};
    struct verdict verdicts[LEVEL_COUNT];
    bool json = false, undecided = false;
    const struct flag flags[] = {JUDGE_FLAGS(judge), {"json", FLAG_SWITCH, &json}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("place", "give one history file (or - for standard input)");
    if (!judge_open(&judge, "place", argv[1])) {
        judge_close(&judge);
        return judge_exit(&judge);
    }
    judge.options.want_order = false;
    check_place(&judge.history, &judge.options, verdicts);
    judge_default_level(&judge);
    judge_hint(&judge, &verdicts[judge.options.level]);
    judge_quiet(&judge);
    if (json) {
        print_place_json(&judge, verdicts);
    } else {
        print_place(verdicts);
        judge_print_basis(&judge);
    }
    for (int i = 0; i < LEVEL_COUNT; i++) {
        undecided |= verdicts[i].answer == ANSWER_UNDECIDED;
        verdict_free(&verdicts[i]);
    }
    judge_close(&judge);
    return undecided ? EXIT_UNDECIDED : EXIT_FINE;
}
