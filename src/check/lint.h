/* What is wrong, or odd, with a history itself, before any checker looks at it: a wrong history
 * gives wrong verdicts. Readers find most while they pair events (history_build.c); lint_values
 * looks at what was read.
 *
 * LINT_ERROR: the history can't be trusted, a command ends with exit code 3. LINT_WARNING: a
 * verdict is possible, but something is probably not as it was meant. LINT_NOTE: good to know.
 */
#ifndef CAIRN_CHECK_LINT_H
#define CAIRN_CHECK_LINT_H

#include "check/history.h"

enum lint_severity { LINT_NOTE, LINT_WARNING, LINT_ERROR };
#define LINT_SEVERITY_COUNT 3
const char *lint_severity_name(enum lint_severity severity);

/* Of each severity this many are kept; the others are only counted. */
#define LINT_KEPT_MAX 1000u

struct finding {
    enum lint_severity severity;
    uint32_t line; /* 0: of the whole file; see `numbered` */
    uint32_t len;  /* of the sentence */
    size_t offset; /* in lint.texts */
};

struct lint {
    struct finding *at;
    uint32_t count, cap;
    uint32_t totals[LINT_SEVERITY_COUNT]; /* kept or not */
    struct buf texts;
    bool numbered; /* many events stand in one line: `line` counts events */
};

void lint_init(struct lint *lint);
void lint_free(struct lint *lint);
/* A sentence without a full stop. lint may be NULL. */
void lint_add(struct lint *lint, enum lint_severity severity, uint32_t line, const char *format,
              ...) __attribute__((format(printf, 4, 5)));
struct bytes lint_text(const struct lint *lint, uint32_t finding);
/* Sorts by line. */
void lint_sort(struct lint *lint);

/* Values that are written (appended, enqueued, ...) more than once to one key: a note for single
 * operations, for whose checkers unique values are only faster; a warning for transactions, whose
 * checkers need to know which wrote what was read. */
void lint_values(struct lint *lint, const struct history *history);

/* Findings on the history as a whole (line 0), which belong beside every verdict on it:
 * times that go back between processes, reads of which none has an answer, answers of nil that were
 * taken to say nothing, texts and numbers that look the same, values that look like [key value],
 * transactions without beginnings. */
void lint_history(struct lint *lint, const struct history *history);

#endif
