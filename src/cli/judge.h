/* What check, place, explain, shrink and verify share: how a history is to be judged, and within
 * which limits.
 *
 *     struct judge judge = {0};
 *     const struct flag flags[] = {JUDGE_FLAGS(judge), ...};
 *     if (!judge_open(&judge, "check", path)) return EXIT_MISUSE;
 *     ... judge.history, judge.options ...
 *     judge_close(&judge);
 */
#ifndef CAIRN_CLI_JUDGE_H
#define CAIRN_CLI_JUDGE_H

#include "check/check.h"
#include "check/survey.h"
#include "cli/history_file.h"

struct judge {
    struct history_flags read;
    const char *model, *level, *limit_time, *limit_mem;
    bool allow_empty; /* a history of which nothing is known is judged too */

    const char *command, *path;
    struct history history;
    struct lint lint;
    struct survey survey; /* what a verdict rests on */
    struct buf hint;      /* after judge_hint: a sentence, or nothing */
    struct limits limits;
    struct check_options options; /* level: LEVEL_NONE when none was given */
    int statm;                    /* /proc/self/statm, kept open; -1 */
    bool shown;                   /* progress stands on the terminal */
    uint64_t read_ns;             /* how long reading took */
    bool out_of_limits;           /* judge_open: reading met a limit: undecided */
    bool model_elsewhere;         /* without --model, judge_open chooses neither model nor level */
};

#define JUDGE_FLAGS(of)                                                                 \
    HISTORY_FLAGS((of).read), {"model", FLAG_TEXT, &(of).model},                        \
        {"level", FLAG_TEXT, &(of).level}, {"limit-time", FLAG_TEXT, &(of).limit_time}, \
        {"limit-mem", FLAG_TEXT, &(of).limit_mem}, {                                    \
        "allow-empty", FLAG_SWITCH, &(of).allow_empty                                   \
    }

/* Reads the history, looks at it as a whole (lint_history), chooses the model (--model, or the one
 * that fits) and the level (--level). A history of which nothing is known is refused, unless
 * --allow-empty. False: a message was printed; return judge_exit. Close it whatever is returned. */
bool judge_open(struct judge *judge, const char *command, const char *path);
/* Without --level: the strongest that the model has. */
void judge_default_level(struct judge *judge);
/* After a judge_open that failed: misuse, or undecided when a limit stopped the reading. */
int judge_exit(const struct judge *judge);
void judge_close(struct judge *judge);
/* Takes what progress showed off the terminal; before anything is printed. */
void judge_quiet(struct judge *judge);
uint64_t judge_now_ns(void); /* monotonic */
int exit_of(enum answer answer);
/* What came from a history, for a terminal: control characters as \xNN, the rest cut. */
void judge_print_text(struct bytes text, size_t max);
/* The lines that tell a verdict to a person: the answer, why, and the evidence, at most `max`
 * operations of it. */
void judge_print(const struct judge *judge, const struct verdict *verdict, uint32_t max);
/* What else is to be known about a verdict that is no yes: tries whether other initial values, or
 * another model, would explain the history. Before judge_print and judge_print_basis. */
void judge_hint(struct judge *judge, const struct verdict *verdict);
/* The hint, what lint found that belongs beside a verdict, and what was judged: one a line. */
void judge_basis(const struct judge *judge, struct buf *out);
void judge_print_basis(const struct judge *judge);
/* The same as members of a JSON object: "judged":{...},"warnings":[...],"hint":"...". */
void judge_json_basis(const struct judge *judge, struct buf *out);

#endif
