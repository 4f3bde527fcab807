/* cairn explain: a verdict as one HTML page. */
#include "check/explain.h"
#include "check/shrink.h"
#include "cli/judge.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define EXTRA_NS 5000000000u

/* What only adorns the verdict gets a few seconds, within the limit of all. */
static void begin_extra(struct judge *judge, uint64_t extra_ns, uint64_t deadline_ns) {
    uint64_t end_ns = judge->limits.now_ns(judge->limits.context) + extra_ns;
    judge->limits.deadline_ns = end_ns < deadline_ns ? end_ns : deadline_ns;
    judge->limits.stopped = LIMITS_GO;
}

/* Few operations can be looked at; thousands can't. */
static void make_small(struct judge *judge, struct verdict *verdict) {
    struct shrink_result result;
    shrink_violation(&judge->history, &judge->options, verdict, &result);
    cairn_free(result.keep);
}

static bool follows(bool overlaps, const struct verdict *known, enum level level) {
    return (known->answer == ANSWER_YES && check_implies(overlaps, known->level, level)) ||
           (known->answer == ANSWER_NO && check_implies(overlaps, level, known->level));
}

/* What one answer says about other levels needs no time. */
static void place_implied(const struct history *history, struct verdict *levels,
                          const struct verdict *verdict) {
    bool overlaps = history_overlaps(history);
    levels[verdict->level].answer = verdict->answer;
    for (int i = 0; i < LEVEL_COUNT; i++)
        for (int known = 0; known < LEVEL_COUNT; known++)
            if (levels[i].answer == ANSWER_UNDECIDED &&
                follows(overlaps, &levels[known], (enum level)i))
                levels[i].answer = levels[known].answer;
}

/* FILE without its last extension, and .html */
static void default_path(const char *path, struct buf *out) {
    const char *name = strcmp(path, "-") == 0 ? "history" : path;
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    bool extension = dot != NULL && dot > (slash == NULL ? name : slash + 1);
    size_t len = extension && strcmp(dot, ".html") != 0 ? (size_t)(dot - name) : strlen(name);
    buf_append(out, name, len);
    buf_append(out, ".html", 6);
}

static bool write_page(struct judge *judge, const struct verdict *verdict,
                       const struct verdict *levels, const char *path) {
    struct buf page = {0}, basis = {0};
    const char *slash = strrchr(judge->path, '/');
    const struct explanation explanation = {.history = &judge->history,
                                            .name = strcmp(judge->path, "-") == 0 ? "standard input"
                                                    : slash == NULL               ? judge->path
                                                                                  : slash + 1,
                                            .verdict = verdict,
                                            .levels = levels,
                                            .basis = &basis};
    FILE *file = history_file_output("explain", path);
    if (file == NULL)
        return false;
    judge_basis(judge, &basis);
    explain_page(&explanation, &page);
    buf_free(&basis);
    fwrite(page.data, 1, page.len, file);
    bool good = history_file_close("explain", path, file);
    if (good && strcmp(path, "-") != 0)
        printf("%s (%.1f MB)\n", path, (double)page.len / 1e6);
    buf_free(&page);
    return good;
}

static int explain(struct judge *judge, uint64_t extra_ns, const char *path) {
    struct verdict verdict, levels[LEVEL_COUNT];
    uint64_t deadline_ns = judge->limits.deadline_ns;
    check_history(&judge->history, &judge->options, &verdict);
    if (verdict.answer == ANSWER_NO && verdict.edge_count == 0) {
        begin_extra(judge, extra_ns, deadline_ns);
        make_small(judge, &verdict);
    }
    begin_extra(judge, extra_ns, deadline_ns);
    judge->options.want_order = false;
    check_place(&judge->history, &judge->options, levels);
    place_implied(&judge->history, levels, &verdict);
    judge_hint(judge, &verdict);
    judge_quiet(judge);
    if (strcmp(path, "-") != 0) {
        judge_print(judge, &verdict, 20);
        judge_print_basis(judge);
    }
    int code = exit_of(verdict.answer);
    if (!write_page(judge, &verdict, levels, path))
        code = EXIT_MISUSE;
    verdict_free(&verdict);
    for (int i = 0; i < LEVEL_COUNT; i++)
        verdict_free(&levels[i]);
    return code;
}

int cmd_explain(int argc, char **argv) {
    struct judge judge = {.read.times = true};
    const char *html = NULL;
    uint64_t extra_s = EXTRA_NS / 1000000000u;
    const struct flag flags[] = {
        JUDGE_FLAGS(judge), {"html", FLAG_TEXT, &html}, {"limit-extra", FLAG_NUMBER, &extra_s}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc != 2)
        return misuse("explain", "give one history file (or - for standard input)");
    if (extra_s > 1000000)
        return misuse("explain", "--limit-extra is a number of seconds, at most 1000000");
    int code;
    if (judge_open(&judge, "explain", argv[1])) {
        struct buf path = {0};
        if (html == NULL)
            default_path(argv[1], &path);
        judge_default_level(&judge);
        code =
            explain(&judge, extra_s * 1000000000u, html == NULL ? (const char *)path.data : html);
        buf_free(&path);
    } else {
        code = judge_exit(&judge);
    }
    judge_close(&judge);
    return code;
}
