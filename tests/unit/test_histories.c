/* Recorded histories with known verdicts: tests/histories, and whatever other folder of the same
 * form CAIRN_HISTORIES names. Every answer must be the known one, and its evidence must stand. */
#include "base/alloc.h"
#include "check/check.h"
#include "check/shrink.h"
#include "check/verify.h"
#include "read_text.h"

#define SHRUNK_OPS_MAX 30u
#define PLACE_STEPS 1000000u

enum column { FILE_NAME, MODEL, INITIAL, LEVEL, VERDICT, COLUMNS };
struct row {
    const char *at[COLUMNS];
};

struct table {
    const char *folder;
    bool own; /* the names of levels are cairn's */
    char *text;
    struct row *rows;
    uint32_t count;
};

static char *read_whole(const char *folder, const char *name, size_t *len) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("can't open %s", path);
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*len + 1);
    assert_int_equal(fread(text, 1, *len, file), *len);
    text[*len] = 0;
    fclose(file);
    return text;
}

/* The cells of a line, which is cut at them. */
static uint32_t split(char *line, char **cells, uint32_t max) {
    uint32_t count = 0;
    for (char *cell; count < max && (cell = strsep(&line, "\t")) != NULL;)
        cells[count++] = cell;
    return count;
}

static void load(struct table *table, const char *folder) {
    static const char *const names[COLUMNS] = {"file", "model", "initial", "level", "verdict"};
    size_t len;
    char *cells[16], *header[16], *rest;
    *table = (struct table){.folder = folder, .text = read_whole(folder, "verdicts.tsv", &len)};
    rest = table->text;
    uint32_t columns = split(strsep(&rest, "\n"), header, 16);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != 0;) {
        uint32_t count = split(line, cells, 16);
        table->rows = realloc(table->rows, (table->count + 1) * sizeof *table->rows);
        struct row *row = &table->rows[table->count++];
        *row = (struct row){{"", "", "", "", ""}};
        for (uint32_t i = 0; i < count && i < columns; i++)
            for (int column = 0; column < COLUMNS; column++)
                if (strcmp(header[i], names[column]) == 0)
                    row->at[column] = cells[i];
    }
    assert_true(table->count > 0);
}

static void table_free(struct table *table) {
    free(table->rows);
    free(table->text);
}

/* "x=0 y=0" as "x=0,y=0"; words about the initial state that are no value say nothing new. */
static void set_initial(struct history *history, const char *text) {
    struct buf why = {0};
    char commas[256];
    if (*text == 0 || strcmp(text, "unlocked") == 0 || strstr(text, "unless") != NULL)
        return;
    snprintf(commas, sizeof commas, "%s", text);
    for (char *at = commas; *at != 0; at++)
        *at = *at == ' ' ? ',' : *at;
    assert_true(history_read_initial(history, commas, &why));
    buf_free(&why);
}

static enum model open_row(const struct table *table, const struct row *row,
                           struct text_history *read) {
    static const struct read_options none;
    size_t len;
    struct buf why = {0};
    char *text = read_whole(table->folder, row->at[FILE_NAME], &len);
    read_pieces(read, bytes_of(text, len), 0, &none);
    free(text);
    if (!read->good || read->lint.totals[LINT_ERROR] > 0)
        fail_msg("%s: %s", row->at[FILE_NAME], read->error);
    set_initial(&read->history, row->at[INITIAL]);
    enum model model = model_of(row->at[MODEL]);
    if (model == MODEL_NONE || !model_fits(model, &read->history, &why))
        fail_msg("%s: %s does not fit", row->at[FILE_NAME], row->at[MODEL]);
    buf_free(&why);
    return model;
}

/* ---- what a row says about a level ---- */

/* Tables from elsewhere have the names of Biswas & Enea, whose levels of transactions all have
 * session order. */
static const char *name_in(const struct table *table, enum level level) {
    static const struct {
        enum level level;
        const char *name;
    } names[] = {{LEVEL_STRICT_SERIALIZABLE, "strict-serializable"},
                 {LEVEL_SESSION_SERIALIZABLE, "serializable"},
                 {LEVEL_STRONG_SNAPSHOT_ISOLATION, "strong-snapshot-isolation"},
                 {LEVEL_SESSION_SNAPSHOT_ISOLATION, "snapshot-isolation"},
                 {LEVEL_SESSION_PREFIX, "prefix"},
                 {LEVEL_TXN_CAUSAL, "causal"},
                 {LEVEL_SESSION_READ_ATOMIC, "read-atomic"},
                 {LEVEL_SESSION_ATOMIC_VIEW, "read-committed"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].level == level)
            return table->own ? level_name(level) : names[i].name;
    return level_transactional(level) && !table->own ? "-" : level_name(level);
}

static enum answer strongest_says(const struct table *table, const char *strongest,
                                  enum level level) {
    static const enum level chain[] = {LEVEL_TXN_CAUSAL, LEVEL_SESSION_READ_ATOMIC,
                                       LEVEL_SESSION_ATOMIC_VIEW};
    bool holds = false;
    for (size_t i = 0; i < 3; i++) {
        holds |= strcmp(name_in(table, chain[i]), strongest) == 0;
        if (chain[i] == level)
            return holds ? ANSWER_YES : ANSWER_NO;
    }
    return ANSWER_UNDEFINED;
}

static enum answer list_says(const struct table *table, const char *list, enum level level) {
    size_t len = strlen(name_in(table, level));
    for (const char *at = list; at != NULL; at = strchr(at, ';')) {
        at += *at == ';';
        if (strncmp(at, name_in(table, level), len) == 0 && at[len] == '=')
            return at[len + 1] == 't' ? ANSWER_YES : ANSWER_NO;
    }
    return ANSWER_UNDEFINED;
}

static enum answer row_says(const struct table *table, const struct row *row, enum model model,
                            enum level level) {
    if (level_transactional(level) != model_transactional(model))
        return ANSWER_UNDEFINED;
    if (strncmp(row->at[LEVEL], "strongest", 9) == 0)
        return strongest_says(table, row->at[VERDICT], level);
    if (strchr(row->at[VERDICT], '=') != NULL)
        return list_says(table, row->at[VERDICT], level);
    if (strcmp(name_in(table, level), row->at[LEVEL]) != 0 &&
        (level_transactional(level) || level_of(row->at[LEVEL], false) != level))
        return ANSWER_UNDEFINED;
    return strcmp(row->at[VERDICT], "true") == 0 ? ANSWER_YES : ANSWER_NO;
}

/* ---- judging ---- */

static enum verify verified(const struct row *row, const struct history *history,
                            const struct verdict *verdict) {
    struct buf why = {0};
    enum verify says = verify_verdict(history, verdict, &why);
    if (says == VERIFY_WRONG)
        fail_msg("%s %s: %s, but %.*s", row->at[FILE_NAME], level_name(verdict->level),
                 answer_name(verdict->answer), (int)why.len, (char *)why.data);
    buf_free(&why);
    return says;
}

static void shrinks(const struct row *row, const struct history *history,
                    const struct check_options *options, struct verdict *verdict) {
    struct shrink_result result;
    shrink_violation(history, options, verdict, &result);
    assert_true(result.minimal && result.kept > 0 && verdict->answer == ANSWER_NO);
    enum verify says = verified(row, history, verdict);
    if (!model_transactional(options->model) && options->level <= LEVEL_WRITES_FOLLOW_READS)
        assert_int_equal(says, VERIFY_RIGHT);
    cairn_free(result.keep);
}

static void judge_row(const struct table *table, const struct row *row) {
    struct text_history read;
    struct check_options options = {.by_key = true, .want_order = true};
    uint32_t judged = 0;
    options.model = open_row(table, row, &read);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        struct verdict verdict;
        enum answer expected = row_says(table, row, options.model, (enum level)level);
        if (expected == ANSWER_UNDEFINED)
            continue;
        options.level = (enum level)level;
        check_history(&read.history, &options, &verdict);
        if (verdict.answer != expected)
            fail_msg("%s %s: %s instead of %s", row->at[FILE_NAME], level_name(options.level),
                     answer_name(verdict.answer), answer_name(expected));
        verified(row, &read.history, &verdict);
        if (expected == ANSWER_NO && read.history.op_count <= SHRUNK_OPS_MAX)
            shrinks(row, &read.history, &options, &verdict);
        verdict_free(&verdict);
        judged++;
    }
    assert_true(judged > 0);
    text_history_free(&read);
}

/* All levels at once say the same, and contradict neither the row nor each other; of large
 * histories some may stay open. */
static void place_row(const struct table *table, const struct row *row) {
    struct text_history read;
    struct verdict verdicts[LEVEL_COUNT];
    struct limits limits = {.steps_max = PLACE_STEPS};
    struct check_options options = {.by_key = true, .limits = &limits};
    options.model = open_row(table, row, &read);
    check_place(&read.history, &options, verdicts);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        enum answer expected = row_says(table, row, options.model, (enum level)level);
        enum answer answer = verdicts[level].answer;
        if (expected != ANSWER_UNDEFINED && answer != expected &&
            (answer != ANSWER_UNDECIDED || limits.stopped == LIMITS_GO))
            fail_msg("%s %s: placed as %s", row->at[FILE_NAME], level_name((enum level)level),
                     answer_name(answer));
        for (int weaker = 0; weaker < LEVEL_COUNT; weaker++)
            if (answer == ANSWER_YES && verdicts[weaker].answer == ANSWER_NO &&
                level_implies((enum level)level, (enum level)weaker))
                fail_msg("%s: %s holds and %s does not", row->at[FILE_NAME],
                         level_name((enum level)level), level_name((enum level)weaker));
    }
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_free(&verdicts[level]);
    text_history_free(&read);
}

static void convert_row(const struct table *table, const struct row *row) {
    static const struct read_options none;
    struct text_history read, again;
    struct buf why = {0};
    open_row(table, row, &read);
    struct history_writer writer = {.history = &read.history, .format = WRITE_JSON};
    assert_true(history_write(&writer, &why));
    read_pieces(&again, buf_view(&writer.out), 0, &none);
    set_initial(&again.history, row->at[INITIAL]);
    if (!again.good || !history_equal(&read.history, &again.history, &why))
        fail_msg("%s: %s%.*s", row->at[FILE_NAME], again.error, (int)why.len, (char *)why.data);
    buf_free(&writer.out);
    buf_free(&why);
    text_history_free(&read);
    text_history_free(&again);
}

static void of_each_row(void **state, void (*act)(const struct table *, const struct row *)) {
    const char *folders[] = {*state, getenv("CAIRN_HISTORIES")};
    for (size_t i = 0; i < 2 && folders[i] != NULL; i++) {
        struct table table;
        load(&table, folders[i]);
        table.own = i == 0;
        for (uint32_t row = 0; row < table.count; row++)
            act(&table, &table.rows[row]);
        print_message("%s: %u histories\n", folders[i], table.count);
        table_free(&table);
    }
}

static void every_verdict_is_right_and_can_be_checked(void **state) {
    of_each_row(state, judge_row);
}

static void all_levels_at_once_agree(void **state) {
    of_each_row(state, place_row);
}

static void written_and_read_they_stay_the_same(void **state) {
    of_each_row(state, convert_row);
}

int main(int argc, char **argv) {
    void *folder = argc > 1 ? argv[1] : "tests/histories";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_verdict_is_right_and_can_be_checked, folder),
        cmocka_unit_test_prestate(all_levels_at_once_agree, folder),
        cmocka_unit_test_prestate(written_and_read_they_stay_the_same, folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
