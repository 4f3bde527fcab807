/* cairn shrink: the few operations that violate a level. cairn verify: a verdict, checked again. */
#include "check/part.h"
#include "check/proof.h"
#include "check/shrink.h"
#include "check/verify.h"
#include "check/write.h"
#include "cli/judge.h"

#include "base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_BYTES_MAX ((size_t)1 << 30)

static bool write_history(const struct judge *judge, const bool *keep, const char *path) {
    struct history few;
    history_part(&few, &judge->history, keep, judge->options.model,
                 judge->options.level == LEVEL_LINEARIZABLE);
    bool good = history_file_write("shrink", &few, WRITE_JSON, path, NULL);
    history_free(&few);
    return good;
}

static int shrink(struct judge *judge, const char *path, bool json) {
    struct verdict verdict;
    struct shrink_result result;
    check_history(&judge->history, &judge->options, &verdict);
    int code = exit_of(verdict.answer);
    if (verdict.answer != ANSWER_NO) {
        judge_quiet(judge);
        judge_print(judge, &verdict, UINT32_MAX);
        judge_print_basis(judge);
        if (verdict.answer == ANSWER_YES)
            printf("there is nothing to shrink\n");
        verdict_free(&verdict);
        return code;
    }
    shrink_violation(&judge->history, &judge->options, &verdict, &result);
    judge_quiet(judge);
    judge_hint(judge, &verdict);
    judge_quiet(judge);
    if (json) {
        struct buf out = {0};
        proof_summary(&judge->history, &verdict, &out);
        out.len--; /* the closing brace */
        buf_u8(&out, ',');
        judge_json_basis(judge, &out);
        buf_u8(&out, '}');
        printf("%.*s\n", (int)out.len, (const char *)out.data);
        buf_free(&out);
    } else if (path == NULL || strcmp(path, "-") != 0) {
        printf("%" PRIu32 " of %" PRIu32 " operations are left after %" PRIu32 " checks%s\n",
               result.kept, judge->history.op_count, result.tries,
               result.minimal ? "" : " (a limit stopped it; there may be fewer)");
        judge_print(judge, &verdict, UINT32_MAX);
        judge_print_basis(judge);
    }
    if (path != NULL && !write_history(judge, result.keep, path))
        code = EXIT_MISUSE;
    cairn_free(result.keep);
    verdict_free(&verdict);
    return code;
}

int cmd_shrink(int argc, char **argv) {
    struct judge judge = {0};
    const char *out = NULL;
    bool json = false;
    const struct flag flags[] = {
        JUDGE_FLAGS(judge), {"out", FLAG_TEXT, &out}, {"json", FLAG_SWITCH, &json}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("shrink", "give one history file (or - for standard input)");
    int code;
    if (judge_open(&judge, "shrink", argv[1])) {
        judge_default_level(&judge);
        code = shrink(&judge, out, json);
    } else {
        code = judge_exit(&judge);
    }
    judge_close(&judge);
    return code;
}

/* ---- verify ---- */

static bool read_all(const char *path, struct buf *out) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        misuse("verify", "can't open %s: %s", path, strerror(errno));
        return false;
    }
    size_t got;
    do {
        got = fread(buf_reserve(out, 65536), 1, 65536, file);
        out->len += got;
    } while (got > 0 && out->len < PROOF_BYTES_MAX);
    bool good = !ferror(file) && out->len < PROOF_BYTES_MAX;
    if (!good)
        misuse("verify", "can't read %s: %s", path,
               ferror(file) ? strerror(errno) : "it is larger than 1 GiB");
    fclose(file);
    return good;
}

static int verify(struct judge *judge, const char *path) {
    static const char *const says[] = {"the proof is right", "the proof is WRONG",
                                       "the proof can't be checked"};
    static const int codes[] = {EXIT_FINE, EXIT_NO, EXIT_UNDECIDED};
    struct buf text = {0}, why = {0};
    struct verdict verdict;
    int code = EXIT_MISUSE;
    if (read_all(path, &text)) {
        verdict_init(&verdict, MODEL_NONE, LEVEL_NONE);
        if (!proof_read(&judge->history, buf_view(&text), &verdict, &why)) {
            misuse("verify", "%s: %.*s", path, (int)why.len, (const char *)why.data);
        } else if (!model_fits(verdict.model, &judge->history, &why)) {
            misuse("verify", "%s is of another history: %.*s", path, (int)why.len,
                   (const char *)why.data);
        } else {
            enum verify verified = verify_verdict(&judge->history, &verdict, &why);
            code = codes[verified];
            printf("%s %s: %s", level_name(verdict.level),
                   verdict.answer == ANSWER_YES  ? "holds"
                   : verdict.answer == ANSWER_NO ? "is violated"
                                                 : "is undecided",
                   says[verified]);
            if (why.len > 0)
                printf(": %.*s", (int)why.len, (const char *)why.data);
            printf("\n");
            judge_print_basis(judge);
        }
        verdict_free(&verdict);
    }
    buf_free(&text);
    buf_free(&why);
    return code;
}

int cmd_verify(int argc, char **argv) {
    struct judge judge = {.model_elsewhere = true}; /* in the proof */
    const struct flag flags[] = {JUDGE_FLAGS(judge)};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 3)
        return misuse("verify",
                      "give a history file, and the proof that cairn check --proof wrote");
    int code = judge_open(&judge, "verify", argv[1]) ? verify(&judge, argv[2]) : judge_exit(&judge);
    judge_close(&judge);
    return code;
}
