#include "cli/judge.h"

#include "base/alloc.h"
#include "check/hint.h"
#include "check/part.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_TIME_S 600u
#define HINT_NS 5000000000u
#define SHOWN_BYTES 400u /* of one operation on the terminal */

/* ---- the limits ---- */

uint64_t judge_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void *context) {
    return judge_now_ns();
}

static size_t memory_bytes(void *context) {
    const struct judge *judge = context;
    char text[128];
    ssize_t len = pread(judge->statm, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = 0;
    const char *resident = strchr(text, ' ');
    return resident == NULL ? 0 : strtoull(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static bool show_progress(void *context, const char *phase, uint64_t done, uint64_t total) {
    struct judge *judge = context;
    judge->shown = true;
    if (total > 0)
        fprintf(stderr, "\r\033[K%s: %" PRIu64 "%%", phase ? phase : "checking",
                done * 100 / total);
    else
        fprintf(stderr, "\r\033[K%s ...", phase ? phase : "checking");
    return true;
}

void judge_quiet(struct judge *judge) {
    if (judge->shown)
        fprintf(stderr, "\r\033[K");
    judge->shown = false;
}

/* "10", "10s", "500ms", "2m", "1h" */
static bool parse_time(const char *text, uint64_t *ns) {
    char *end;
    double number = strtod(text, &end);
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"m", 6e10}, {"min", 6e10}, {"h", 3.6e12}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != text && strcmp(end, units[i].unit) == 0 && number > 0 &&
            number * units[i].ns < 1e18) {
            *ns = (uint64_t)(number * units[i].ns);
            return true;
        }
    return false;
}

/* "200M", "1G", "100000K", "2000000" (bytes) */
static bool parse_memory(const char *text, size_t *bytes) {
    char *end;
    double number = strtod(text, &end);
    double factor = 1;
    if (end == text || !(number > 0))
        return false;
    switch (toupper((unsigned char)*end)) {
    case 'K':
        factor = 1024;
        break;
    case 'M':
        factor = 1048576;
        break;
    case 'G':
        factor = 1073741824;
        break;
    case 0:
        break;
    default:
        return false;
    }
    if (*end != 0 && end[1] != 0 && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0)
        return false;
    *bytes = (size_t)(number * factor);
    return number * factor < 1e18;
}

static bool set_limits(struct judge *judge) {
    uint64_t time_ns = (uint64_t)DEFAULT_TIME_S * 1000000000u;
    judge->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    judge->limits = (struct limits){.now_ns = now_ns, .context = judge};
    if (judge->statm >= 0)
        judge->limits.memory_bytes = memory_bytes;
    if (isatty(STDERR_FILENO))
        judge->limits.progress = show_progress;
    if (judge->limit_time != NULL && !parse_time(judge->limit_time, &time_ns)) {
        misuse(judge->command, "--limit-time is a time such as 10s, 500ms or 2m, not '%s'",
               judge->limit_time);
        return false;
    }
    judge->limits.deadline_ns = now_ns(NULL) + time_ns;
    if (judge->limit_mem != NULL && !parse_memory(judge->limit_mem, &judge->limits.memory_max)) {
        misuse(judge->command, "--limit-mem is a size such as 200M or 4G, not '%s'",
               judge->limit_mem);
        return false;
    }
    return true;
}

/* ---- model and level ---- */

static bool choose_model(struct judge *judge) {
    struct buf why = {0};
    enum model model;
    if (judge->model != NULL) {
        model = model_of(judge->model);
        if (model == MODEL_NONE) {
            buf_printf(&why, "there is no model '%s' (there are:", judge->model);
            for (int i = 0; i < MODEL_COUNT; i++)
                buf_printf(&why, " %s", model_name((enum model)i));
            buf_printf(&why, ")");
        } else if (!model_fits(model, &judge->history, &why)) {
            model = MODEL_NONE;
        }
    } else {
        model = model_guess(&judge->history, &why);
        if (model != MODEL_NONE && !model_fits(model, &judge->history, &why))
            model = MODEL_NONE;
    }
    if (model == MODEL_NONE)
        misuse(judge->command, "%.*s", (int)why.len, (const char *)why.data);
    buf_free(&why);
    judge->options.model = model;
    return model != MODEL_NONE;
}

static bool choose_level(struct judge *judge) {
    bool transactional = model_transactional(judge->options.model);
    judge->options.level = LEVEL_NONE;
    if (judge->level == NULL)
        return true;
    judge->options.level = level_of(judge->level, transactional);
    if (judge->options.level != LEVEL_NONE)
        return true;
    struct buf why = {0};
    if (level_of(judge->level, !transactional) != LEVEL_NONE)
        buf_printf(&why, "level %s is one of %s, and model %s has %s", judge->level,
                   transactional ? "single operations" : "transactions",
                   model_name(judge->options.model),
                   transactional ? "transactions" : "single operations");
    else
        buf_printf(&why, "there is no level '%s'", judge->level);
    buf_printf(&why, "; there are:");
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (level_transactional((enum level)i) == transactional)
            buf_printf(&why, " %s", level_name((enum level)i));
    misuse(judge->command, "%.*s", (int)why.len, (const char *)why.data);
    buf_free(&why);
    return false;
}

/* False: nothing is known to have happened, so a yes would say nothing. */
static bool is_something(struct judge *judge) {
    struct buf why = {0};
    survey_take(&judge->survey, &judge->history);
    bool something = !survey_is_empty(&judge->survey, &why) || judge->allow_empty;
    uint32_t errors = judge->lint.totals[LINT_ERROR];
    if (!something && errors > 0)
        buf_printf(&why, ", and %" PRIu32 " events made no sense (see cairn lint)", errors);
    if (!something)
        misuse(judge->command,
               "nothing can be judged: %.*s; every level would hold (--allow-empty takes that for "
               "an answer)",
               (int)why.len, (const char *)why.data);
    buf_free(&why);
    if (something)
        lint_history(&judge->lint, &judge->history);
    return something;
}

bool judge_open(struct judge *judge, const char *command, const char *path) {
    judge->command = command;
    judge->path = path;
    judge->options.by_key = true;
    judge->options.want_order = true;
    judge->options.limits = &judge->limits;
    judge->statm = -1;
    if (!set_limits(judge))
        return false;
    uint64_t began_ns = judge_now_ns();
    if (!history_file_read(command, path, &judge->read, &judge->limits, &judge->history,
                           &judge->lint)) {
        judge_quiet(judge);
        judge->out_of_limits = judge->limits.stopped != LIMITS_GO;
        return false;
    }
    judge->read_ns = judge_now_ns() - began_ns;
    judge_quiet(judge);
    if (!is_something(judge))
        return false;
    if (judge->model_elsewhere && judge->model == NULL)
        return true;
    return choose_model(judge) && choose_level(judge);
}

void judge_default_level(struct judge *judge) {
    enum level strongest = LEVEL_LINEARIZABLE;
    if (model_transactional(judge->options.model))
        strongest =
            judge->history.has_real_time ? LEVEL_STRICT_SERIALIZABLE : LEVEL_SESSION_SERIALIZABLE;
    if (judge->options.level == LEVEL_NONE)
        judge->options.level = strongest;
}

int judge_exit(const struct judge *judge) {
    return judge->out_of_limits ? EXIT_UNDECIDED : EXIT_MISUSE;
}

void judge_close(struct judge *judge) {
    judge_quiet(judge);
    history_free(&judge->history);
    lint_free(&judge->lint);
    buf_free(&judge->hint);
    if (judge->statm >= 0)
        close(judge->statm);
}

int exit_of(enum answer answer) {
    switch (answer) {
    case ANSWER_YES:
        return EXIT_FINE;
    case ANSWER_NO:
        return EXIT_NO;
    case ANSWER_UNDECIDED:
        return EXIT_UNDECIDED;
    default:
        return EXIT_MISUSE;
    }
}

/* ---- what a verdict rests on ---- */

static void hint_model(struct judge *judge, const struct verdict *verdict) {
    if (verdict->answer == ANSWER_UNDECIDED && judge->model == NULL &&
        judge->options.model == MODEL_TXN_RW)
        buf_printf(&judge->hint, "these were taken for transactions of a database (txn-rw); if "
                                 "they are operations on one object, try --model multi-register");
}

void judge_hint(struct judge *judge, const struct verdict *verdict) {
    hint_initial(&judge->history, &judge->options, verdict, HINT_NS, &judge->hint);
    hint_model(judge, verdict);
}

/* Findings on the whole, and of warnings on single lines the first. */
static bool is_told(const struct judge *judge, uint32_t at, uint32_t *single) {
    const struct finding *finding = &judge->lint.at[at];
    if (finding->line == 0)
        return true;
    return finding->severity == LINT_WARNING && (*single)++ == 0;
}

static void put_finding(const struct judge *judge, uint32_t at, struct buf *out) {
    const struct finding *finding = &judge->lint.at[at];
    buf_printf(out, "%s: ", lint_severity_name(finding->severity));
    if (finding->line != 0) {
        history_place(&judge->history, finding->line, out);
        buf_printf(out, ": ");
    }
    buf_bytes(out, lint_text(&judge->lint, at));
    buf_u8(out, '\n');
}

void judge_basis(const struct judge *judge, struct buf *out) {
    uint32_t single = 0;
    if (judge->hint.len > 0)
        buf_printf(out, "hint: %.*s\n", (int)judge->hint.len, (const char *)judge->hint.data);
    for (uint32_t i = 0; i < judge->lint.count; i++)
        if (is_told(judge, i, &single))
            put_finding(judge, i, out);
    if (single > 1)
        buf_printf(out, "warning: there are %" PRIu32 " warnings of single lines: see cairn lint\n",
                   single);
    survey_tell(&judge->survey, out);
    buf_u8(out, '\n');
}

void judge_print_basis(const struct judge *judge) {
    struct buf text = {0};
    judge_basis(judge, &text);
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        end = at;
        while (text.data[end] != '\n')
            end++;
        judge_print_text(bytes_of(text.data + at, end - at), 4 * SHOWN_BYTES);
        printf("\n");
    }
    buf_free(&text);
}

void judge_json_basis(const struct judge *judge, struct buf *out) {
    bool first = true;
    uint32_t single = 0;
    buf_printf(out, "\"judged\":");
    survey_json(&judge->survey, out);
    buf_printf(out, ",\"warnings\":[");
    for (uint32_t i = 0; i < judge->lint.count; i++) {
        if (!is_told(judge, i, &single))
            continue;
        buf_printf(out, first ? "" : ",");
        text_print_json(lint_text(&judge->lint, i), out);
        first = false;
    }
    buf_printf(out, "],\"hint\":");
    text_print_json(buf_view(&judge->hint), out);
}

/* ---- for a person ---- */

void judge_print_text(struct bytes text, size_t max) {
    size_t len = text.len < max ? text.len : max;
    while (len < text.len && len > 0 && (text.data[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    for (size_t i = 0; i < len; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            printf("\\x%02x", text.data[i]);
        else
            putchar(text.data[i]);
    if (len < text.len)
        printf("...");
}

static void print_op_of(const struct history *history, enum model model, uint32_t op) {
    struct buf text = {0};
    if (op == OP_NONE)
        buf_printf(&text, model == MODEL_LONG_FORK ? "an unrecorded write" : "the initial state");
    else
        history_describe(history, op, &text);
    judge_print_text(buf_view(&text), SHOWN_BYTES);
    buf_free(&text);
}

static void print_op(const struct judge *judge, uint32_t op) {
    print_op_of(&judge->history, judge->options.model, op);
}

/* The operations from the `from`-th on, their lists without what other operations put there. */
static void print_ops(const struct judge *judge, const struct verdict *verdict, uint32_t from) {
    bool *keep = cairn_alloc_zero(judge->history.op_count + 1);
    struct history part;
    for (uint32_t i = from; i < verdict->op_count; i++)
        keep[verdict->ops[i]] = true;
    history_part(&part, &judge->history, keep, verdict->model,
                 verdict->level == LEVEL_LINEARIZABLE);
    for (uint32_t i = 0; i < part.op_count; i++) {
        printf("  ");
        print_op_of(&part, verdict->model, i);
        printf("\n");
    }
    if (verdict->model == MODEL_APPEND || verdict->model == MODEL_SET)
        printf("Reads are shown without the elements that other operations added.\n");
    history_free(&part);
    cairn_free(keep);
}

static void print_edges(const struct judge *judge, const struct verdict *verdict, uint32_t max) {
    printf("A cycle: each must come before the next, or stand with it.\n");
    for (uint32_t i = 0; i < verdict->edge_count && i < max; i++) {
        const struct edge *edge = &verdict->edges[i];
        printf("  ");
        print_op(judge, edge->from);
        printf("\n    %s (%s", edge->reason == REASON_TOGETHER ? "together with" : "before",
               reason_text(edge->reason));
        if (edge->by != OP_NONE) {
            printf(": ");
            print_op(judge, edge->by);
        }
        printf(") ");
        print_op(judge, edge->to);
        printf("\n");
    }
    if (verdict->edge_count > max)
        printf("  ... and %" PRIu32 " more\n", verdict->edge_count - max);
}

void judge_print(const struct judge *judge, const struct verdict *verdict, uint32_t max) {
    static const char *const says[] = {"holds", "is violated", "is undecided",
                                       "is not defined for this model"};
    printf("%s (%s): %s\n", level_name(verdict->level), model_name(verdict->model),
           verdict->answer == ANSWER_UNDEFINED && verdict->text.len > 0 ? "is not defined"
                                                                        : says[verdict->answer]);
    if (verdict->text.len > 0) {
        judge_print_text(buf_view(&verdict->text), 4 * SHOWN_BYTES);
        printf("\n");
    }
    if (verdict->answer == ANSWER_UNDECIDED && verdict->stopped != LIMITS_GO)
        printf("stopped by %s\n", limits_stop_text(verdict->stopped));
    bool first = true;
    for (int i = 0; i < ANOMALY_COUNT; i++)
        if (verdict->anomalies >> i & 1) {
            printf("%s%s", first ? "anomalies: " : ", ", anomaly_name((enum anomaly)i));
            first = false;
        }
    if (!first)
        printf("\n");
    if (verdict->answer != ANSWER_NO)
        return;
    if (verdict->edge_count > 0) {
        print_edges(judge, verdict, max);
        return;
    }
    if (verdict->op_count > 0)
        printf("%s:\n", verdict->minimal ? "These alone violate it, and without any one of them "
                                           "the others don't"
                                         : "Among these operations is the contradiction");
    uint32_t from = verdict->op_count > max ? verdict->op_count - max : 0;
    if (from > 0)
        printf("  ... %" PRIu32 " earlier ones; cairn shrink finds the few that matter\n", from);
    print_ops(judge, verdict, from);
}
