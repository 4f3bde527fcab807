/* Every answer of every operation of every model is compared, or refused: none is dropped. */
#include "check/answers.h"
#include "check/exhaustive.h"
#include "read_text.h"

#define STORY_BYTES 2048

/* What happens before and after an operation, so that its answer is known: events of whole
 * operations without times, one a line. */
struct story {
    enum model model;
    enum op_f f;
    const char *arg; /* "": none */
    const char *before, *after;
};

#define OP(rest) "{\"process\":1,\"f\":" rest "}\n"
#define BALANCES "{\"initial\":{\"0\":5,\"1\":5}}\n"
#define MOVE "{\"from\":0,\"to\":1,\"amount\":1}"
#define MOVED OP("\"read\",\"value\":{\"0\":4,\"1\":6}")
#define HELD OP("\"acquire\"")
#define TOKEN_2 OP("\"acquire\",\"result\":2") OP("\"release\"")

static const struct story stories[] = {
    {MODEL_REGISTER, OP_READ, "", OP("\"write\",\"value\":1"), ""},
    {MODEL_REGISTER, OP_WRITE, "5", "", ""},
    {MODEL_CAS_REGISTER, OP_READ, "", OP("\"write\",\"value\":1"), ""},
    {MODEL_CAS_REGISTER, OP_WRITE, "5", "", ""},
    {MODEL_CAS_REGISTER, OP_CAS, "[1,2]", OP("\"write\",\"value\":1"), ""},
    {MODEL_KV, OP_READ, "", OP("\"write\",\"value\":1"), ""},
    {MODEL_KV, OP_WRITE, "5", "", ""},
    {MODEL_KV, OP_CAS, "[1,2]", OP("\"write\",\"value\":1"), ""},
    {MODEL_KV, OP_APPEND, "\"bc\"", OP("\"write\",\"value\":\"a\""), ""},
    {MODEL_KV, OP_SWAP, "5", OP("\"write\",\"value\":1"), ""},
    {MODEL_KV, OP_DELETE, "", OP("\"write\",\"value\":1"), ""},
    {MODEL_KV, OP_SET_IF_ABSENT, "5", "", ""},
    {MODEL_KV, OP_ADD, "2", OP("\"write\",\"value\":1"), ""},
    {MODEL_APPEND, OP_APPEND, "1", OP("\"append\",\"value\":2"), ""},
    {MODEL_APPEND, OP_READ, "", OP("\"append\",\"value\":1"), ""},
    {MODEL_COUNTER, OP_ADD, "2", OP("\"add\",\"value\":1"), ""},
    {MODEL_COUNTER, OP_READ, "", OP("\"add\",\"value\":1"), ""},
    {MODEL_SET, OP_ADD, "5", "", ""},
    {MODEL_SET, OP_REMOVE, "5", OP("\"add\",\"value\":5"), ""},
    {MODEL_SET, OP_CONTAINS, "5", OP("\"add\",\"value\":5"), ""},
    {MODEL_SET, OP_READ, "", OP("\"add\",\"value\":1"), ""},
    {MODEL_QUEUE, OP_ENQUEUE, "1", OP("\"enqueue\",\"value\":5"), ""},
    {MODEL_QUEUE, OP_DEQUEUE, "", OP("\"enqueue\",\"value\":1"), ""},
    {MODEL_QUEUE, OP_DRAIN, "", OP("\"enqueue\",\"value\":1") OP("\"enqueue\",\"value\":2"), ""},
    {MODEL_QUEUE, OP_PEEK, "", OP("\"enqueue\",\"value\":1"), ""},
    {MODEL_UNORDERED_QUEUE, OP_ENQUEUE, "1", OP("\"enqueue\",\"value\":5"), ""},
    {MODEL_UNORDERED_QUEUE, OP_DEQUEUE, "", OP("\"enqueue\",\"value\":1"), ""},
    {MODEL_UNORDERED_QUEUE, OP_DRAIN, "", OP("\"enqueue\",\"value\":1"), ""},
    {MODEL_UNORDERED_QUEUE, OP_PEEK, "", OP("\"enqueue\",\"value\":1"), ""},
    {MODEL_STACK, OP_PUSH, "1", OP("\"push\",\"value\":5"), ""},
    {MODEL_STACK, OP_POP, "", OP("\"push\",\"value\":1"), ""},
    {MODEL_STACK, OP_PEEK, "", OP("\"push\",\"value\":1"), ""},
    {MODEL_PRIORITY_QUEUE, OP_INSERT, "5", "", ""},
    {MODEL_PRIORITY_QUEUE, OP_DELETE_MIN, "", OP("\"insert\",\"value\":1"), ""},
    {MODEL_PRIORITY_QUEUE, OP_DELETE_MAX, "", OP("\"insert\",\"value\":1"), ""},
    {MODEL_PRIORITY_QUEUE, OP_PEEK, "", OP("\"insert\",\"value\":1"), ""},
    {MODEL_MUTEX, OP_ACQUIRE, "", "", ""},
    {MODEL_MUTEX, OP_TRY_ACQUIRE, "", "", ""},
    {MODEL_MUTEX, OP_RELEASE, "", HELD, ""},
    {MODEL_OWNED_MUTEX, OP_ACQUIRE, "", "", ""},
    {MODEL_OWNED_MUTEX, OP_TRY_ACQUIRE, "", "", ""},
    {MODEL_OWNED_MUTEX, OP_RELEASE, "", HELD, ""},
    {MODEL_REENTRANT_MUTEX, OP_ACQUIRE, "", HELD, ""},
    {MODEL_REENTRANT_MUTEX, OP_TRY_ACQUIRE, "", HELD, ""},
    {MODEL_REENTRANT_MUTEX, OP_RELEASE, "", HELD, ""},
    {MODEL_FENCED_MUTEX, OP_ACQUIRE, "", TOKEN_2, ""},
    {MODEL_FENCED_MUTEX, OP_TRY_ACQUIRE, "", TOKEN_2, ""},
    {MODEL_FENCED_MUTEX, OP_RELEASE, "", HELD, ""},
    {MODEL_SEMAPHORE, OP_ACQUIRE, "2", "{\"initial\":2}\n", ""},
    {MODEL_SEMAPHORE, OP_TRY_ACQUIRE, "2", "{\"initial\":2}\n", ""},
    {MODEL_SEMAPHORE, OP_RELEASE, "", HELD, ""},
    {MODEL_BANK, OP_TRANSFER, MOVE, BALANCES, MOVED},
    {MODEL_BANK, OP_READ, "", BALANCES, ""},
    {MODEL_BANK_NONNEGATIVE, OP_TRANSFER, MOVE, BALANCES, MOVED},
    {MODEL_BANK_NONNEGATIVE, OP_READ, "", BALANCES, ""},
    {MODEL_UNIQUE_IDS, OP_GENERATE, "", OP("\"generate\",\"value\":1"), ""},
};

/* "" stands for no answer at all. */
static const char *const candidates[] = {"",
                                         "null",
                                         "true",
                                         "\"ok\"",
                                         "false",
                                         "0",
                                         "1",
                                         "2",
                                         "3",
                                         "-1",
                                         "\"no\"",
                                         "[]",
                                         "[1]",
                                         "[1,2]",
                                         "[2,1]",
                                         "{\"0\":5,\"1\":5}",
                                         "{\"0\":4,\"1\":6}"};
#define CANDIDATES (sizeof candidates / sizeof *candidates)
#define ACKNOWLEDGEMENTS 4

enum judged { HOLDS, VIOLATED, REFUSED };

/* Every line gets times of its own, so that it ends before the next begins. */
static void add_lines(struct buf *to, const char *lines, unsigned *time) {
    for (const char *end; *lines != 0; lines = end + 1) {
        end = strchr(lines, '\n');
        bool event = strncmp(lines, "{\"initial\"", 10) != 0;
        buf_append(to, lines, (size_t)(end - lines) - (event ? 1 : 0));
        if (event)
            buf_printf(to, ",\"call\":%u,\"return\":%u}", *time, *time + 1);
        buf_printf(to, "\n");
        *time += 2;
    }
}

static void tell_story(struct text_history *read, const struct story *story, const char *answer) {
    static const struct read_options none;
    struct buf text = {0}, op = {0};
    unsigned time = 1;
    buf_printf(&op, "{\"process\":1,\"f\":\"%s\"", op_f_name(story->f));
    if (*story->arg != 0)
        buf_printf(&op, ",\"value\":%s", story->arg);
    if (*answer != 0)
        buf_printf(&op, ",\"result\":%s", answer);
    buf_printf(&op, "}\n");
    buf_u8(&op, 0);
    add_lines(&text, story->before, &time);
    add_lines(&text, (char *)op.data, &time);
    add_lines(&text, story->after, &time);
    read_pieces(read, buf_view(&text), 0, &none);
    if (!read->good || read->lint.totals[LINT_ERROR] > 0)
        fail_msg("%.*s: %s", (int)text.len, (char *)text.data, read->error);
    buf_free(&text);
    buf_free(&op);
}

static enum judged judge(const struct story *story, const char *answer) {
    struct check_options options = {
        .model = story->model, .level = LEVEL_LINEARIZABLE, .by_key = true, .want_order = true};
    struct text_history read;
    struct verdict verdict;
    struct buf why = {0};
    enum judged judged = REFUSED;
    tell_story(&read, story, answer);
    if (model_fits(story->model, &read.history, &why)) {
        check_history(&read.history, &options, &verdict);
        judged = verdict.answer == ANSWER_YES ? HOLDS : VIOLATED;
        assert_int_equal(judged == HOLDS, exhaustive_orders(&read.history, story->model, true));
        verdict_free(&verdict);
    }
    buf_free(&why);
    text_history_free(&read);
    return judged;
}

/* An answer that tells nothing is not looked at, and no other is taken. */
static void assert_refused(const struct story *story) {
    for (size_t i = 0; i < CANDIDATES; i++)
        if (judge(story, candidates[i]) != (i < ACKNOWLEDGEMENTS ? HOLDS : REFUSED))
            fail_msg("%s %s: %s", model_name(story->model), op_f_name(story->f), candidates[i]);
    assert_int_equal(judge(story, story->arg), HOLDS); /* a repetition of the argument */
}

static void assert_compared(const struct story *story) {
    unsigned right = 0, wrong = 0;
    for (size_t i = 1; i < CANDIDATES; i++) {
        enum judged judged = judge(story, candidates[i]);
        right += judged == HOLDS && (i >= ACKNOWLEDGEMENTS || strcmp(candidates[i], "true") == 0);
        wrong += judged == VIOLATED;
    }
    if (right == 0 || wrong == 0)
        fail_msg("%s %s: %u right answers, %u wrong ones", model_name(story->model),
                 op_f_name(story->f), right, wrong);
    bool needed = story->model == MODEL_UNORDERED_QUEUE && story->f == OP_DRAIN;
    assert_int_equal(judge(story, ""), needed ? REFUSED : HOLDS);
}

static const struct story *story_of(enum model model, enum op_f f) {
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
        if (stories[i].model == model && stories[i].f == f)
            return &stories[i];
    return NULL;
}

static void every_answer_is_compared_or_refused(void **state) {
    unsigned walked = 0;
    for (int model = 0; model < MODEL_COUNT; model++)
        for (int f = 0; f < OP_F_COUNT; f++) {
            if (!answers_has((enum model)model, (enum op_f)f) || f == OP_TXN)
                continue;
            const struct story *story = story_of((enum model)model, (enum op_f)f);
            if (story == NULL)
                fail_msg("there is no story of %s %s", model_name((enum model)model),
                         op_f_name((enum op_f)f));
            if (answers_of(story->model, story->f) == TELLS_NOTHING)
                assert_refused(story);
            else
                assert_compared(story);
            walked++;
        }
    assert_int_equal(walked, sizeof stories / sizeof *stories);
}

/* Of operations that other models have, nothing is compared; the model does not fit. */
static void what_a_model_does_not_have_does_not_fit(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
            struct text_history read;
            struct buf why = {0};
            if (answers_has((enum model)model, stories[i].f))
                continue;
            tell_story(&read, &stories[i], "");
            assert_false(model_fits((enum model)model, &read.history, &why));
            buf_free(&why);
            text_history_free(&read);
        }
}

static void a_refusal_says_which_answer_and_what_to_do(void **state) {
    struct text_history read;
    struct buf why = {0};
    tell_story(&read, story_of(MODEL_KV, OP_WRITE), "7");
    assert_false(model_fits(MODEL_KV, &read.history, &why));
    buf_u8(&why, 0);
    assert_string_equal((char *)why.data,
                        "process 1: write 5 -> 7 (line 1): this answer would not be compared: to "
                        "model kv, write tells nothing but that it is done; leave the "
                        "answer out of the history, or give another --model");
    buf_free(&why);
    text_history_free(&read);
}

#define EVENT(type, rest) "{\"process\":1,\"type\":\"" type "\"," rest "}\n"

static void assert_story(const char *text, enum model model, bool holds) {
    struct check_options options = {.model = model, .level = LEVEL_LINEARIZABLE, .by_key = true};
    struct text_history read;
    struct verdict verdict;
    struct buf why = {0};
    read_text(&read, text, NULL);
    assert_true(read.good && read.lint.totals[LINT_ERROR] == 0);
    assert_true(model_fits(model, &read.history, &why));
    check_history(&read.history, &options, &verdict);
    assert_int_equal(verdict.answer, holds ? ANSWER_YES : ANSWER_NO);
    verdict_free(&verdict);
    text_history_free(&read);
}

/* Jepsen's histories repeat the argument: that says nothing, whatever an answer may look like. */
static void a_value_that_repeats_the_argument_is_no_answer(void **state) {
    assert_story(EVENT("invoke", "\"f\":\"swap\",\"value\":5")
                     EVENT("ok", "\"f\":\"swap\",\"value\":5"),
                 MODEL_KV, true);
    assert_story(EVENT("invoke", "\"f\":\"swap\",\"value\":5")
                     EVENT("ok", "\"f\":\"swap\",\"value\":5,\"result\":5"),
                 MODEL_KV, false);
    assert_story(EVENT("invoke", "\"f\":\"swap\",\"value\":5")
                     EVENT("ok", "\"f\":\"swap\",\"value\":null"),
                 MODEL_KV, true);
    assert_story(EVENT("invoke", "\"f\":\"enqueue\",\"value\":7")
                     EVENT("ok", "\"f\":\"enqueue\",\"value\":7"),
                 MODEL_QUEUE, true);
    assert_story(EVENT("invoke", "\"f\":\"enqueue\",\"value\":7")
                     EVENT("ok", "\"f\":\"enqueue\",\"value\":7,\"result\":7"),
                 MODEL_QUEUE, false);
    assert_story(EVENT("invoke", "\"f\":\"contains\",\"value\":true")
                     EVENT("ok", "\"f\":\"contains\",\"value\":true"),
                 MODEL_SET, true);
}

/* What needs no argument is not given one by its answer. */
static void a_value_without_a_question_is_an_answer(void **state) {
    assert_story(EVENT("invoke", "\"f\":\"add\"") EVENT("ok", "\"f\":\"add\",\"value\":5"),
                 MODEL_COUNTER, false);
    assert_story(EVENT("invoke", "\"f\":\"add\"") EVENT("ok", "\"f\":\"add\",\"value\":1"),
                 MODEL_COUNTER, true);
    assert_story(EVENT("invoke", "\"f\":\"delete\"") EVENT("ok", "\"f\":\"delete\",\"value\":1"),
                 MODEL_KV, false);
    assert_story(EVENT("invoke", "\"f\":\"cas\",\"value\":[1,2]")
                     EVENT("ok", "\"f\":\"cas\",\"value\":[1,2],\"result\":0"),
                 MODEL_CAS_REGISTER, true);
}

#define LOCK(process, type, f, value) \
    "{:process " process ", :type :" type ", :f :" f ", :value " value "}\n"

/* As histories of Hazelcast have it: the client goes on as another process. */
static void a_lock_is_held_by_the_client_that_its_completion_names(void **state) {
    static const char told[] = LOCK("0", "invoke", "acquire", "nil")
        LOCK("0", "ok", "acquire", "{:client \"a\", :fence 7}")
            LOCK("5", "invoke", "release", "nil") LOCK("5", "ok", "release", "{:client \"a\"}")
                LOCK("1", "invoke", "acquire", "nil")
                    LOCK("1", "ok", "acquire", "{:client \"b\", :fence 7}");
    assert_story(told, MODEL_OWNED_MUTEX, true);
    assert_story(told, MODEL_FENCED_MUTEX, false); /* the same token */
    assert_story(
        LOCK("0", "invoke", "acquire", "nil") LOCK("0", "info", "acquire", "{:client \"a\"}")
            LOCK("5", "invoke", "release", "nil") LOCK("5", "ok", "release", "{:client \"a\"}"),
        MODEL_OWNED_MUTEX, true);
}

static void two_different_answers_are_an_error(void **state) {
    static const char *const twice[] = {
        EVENT("invoke", "\"f\":\"read\"") EVENT("ok", "\"f\":\"read\",\"value\":1,\"result\":2"),
        EVENT("invoke", "\"f\":\"add\",\"value\":1")
            EVENT("ok", "\"f\":\"add\",\"value\":3,\"result\":2"),
        EVENT("invoke", "\"f\":\"txn\",\"value\":[[\"r\",\"x\"]]")
            EVENT("ok", "\"f\":\"txn\",\"value\":[[\"r\",\"x\",1]],\"result\":2"),
    };
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
        struct text_history read;
        read_text(&read, twice[i], NULL);
        assert_int_equal(read.lint.totals[LINT_ERROR], 1);
        text_history_free(&read);
    }
}

/* A file can say whatever it likes: what an object can't be at first is refused. */
static void what_an_object_cannot_be_at_first_is_refused(void **state) {
    static const struct {
        enum model model;
        const char *head, *why;
    } heads[] = {
        {MODEL_SET, "{\"initial\":7}\n",
         "the initial value 7: of model set it is a list of elements"},
        {MODEL_SEMAPHORE, "{\"initial\":-1,\"key\":\"a\"}\n",
         "the initial value of key a, -1: of model semaphore it is a number of permits, from 0"},
        {MODEL_FENCED_MUTEX, "{\"initial\":\"x\"}\n",
         "the initial value \"x\": of model fenced-mutex it is the last token, a number"},
        {MODEL_BANK, "{\"initial\":[1],\"key\":0}\n",
         "the initial value of key 0, [1]: of model bank it is a balance, a number"},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct text_history read;
        struct buf why = {0};
        read_text(&read, heads[i].head, NULL);
        assert_true(read.good);
        assert_false(model_fits(heads[i].model, &read.history, &why));
        buf_u8(&why, 0);
        assert_string_equal((char *)why.data, heads[i].why);
        buf_free(&why);
        text_history_free(&read);
    }
}

/* ---- the table of the documentation ---- */

static bool is_in_list(const char *list, size_t len, const char *name) {
    for (const char *at = list; at < list + len;) {
        size_t word = strcspn(at, ",|");
        const char *next = at + word + 1;
        at += strspn(at, " ");
        size_t name_len = strlen(name);
        if (strncmp(at, name, name_len) == 0 && (at[name_len] == ',' || at[name_len] == ' '))
            return true;
        at = next;
    }
    return false;
}

/* | models | operations | answer | */
static bool row_says(const char *line, enum model model, enum op_f f) {
    const char *ops = strchr(line + 1, '|');
    const char *text = ops == NULL ? NULL : strchr(ops + 1, '|');
    const char *end = text == NULL ? NULL : strchr(text + 1, '|');
    const char *wanted = answers_text(model, f);
    return end != NULL && is_in_list(line + 1, (size_t)(ops - line), model_name(model)) &&
           is_in_list(ops + 1, (size_t)(text - ops), op_f_name(f)) &&
           strncmp(text + 2, wanted, strlen(wanted)) == 0 && text + 2 + strlen(wanted) + 1 == end;
}

static void the_documentation_has_the_table(void **state) {
    FILE *file = fopen(*state, "r");
    assert_non_null(file);
    bool told[MODEL_COUNT][OP_F_COUNT] = {{false}};
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL)
        for (int model = 0; line[0] == '|' && model < MODEL_COUNT; model++)
            for (int f = 0; f < OP_F_COUNT; f++)
                told[model][f] |= answers_has((enum model)model, (enum op_f)f) &&
                                  row_says(line, (enum model)model, (enum op_f)f);
    fclose(file);
    for (int model = 0; model < MODEL_COUNT; model++)
        for (int f = 0; f < OP_F_COUNT; f++)
            if (answers_has((enum model)model, (enum op_f)f) && !told[model][f])
                fail_msg("docs/histories.md lacks: | %s | %s | %s |", model_name((enum model)model),
                         op_f_name((enum op_f)f), answers_text((enum model)model, (enum op_f)f));
}

int main(int argc, char **argv) {
    void *docs = argc > 1 ? argv[1] : "docs/histories.md";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_compared_or_refused),
        cmocka_unit_test(what_a_model_does_not_have_does_not_fit),
        cmocka_unit_test(a_refusal_says_which_answer_and_what_to_do),
        cmocka_unit_test(a_value_that_repeats_the_argument_is_no_answer),
        cmocka_unit_test(a_value_without_a_question_is_an_answer),
        cmocka_unit_test(a_lock_is_held_by_the_client_that_its_completion_names),
        cmocka_unit_test(two_different_answers_are_an_error),
        cmocka_unit_test(what_an_object_cannot_be_at_first_is_refused),
        cmocka_unit_test_prestate(the_documentation_has_the_table, docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
