/* cairn reference: docs/reference.md, from the tables that the program works with. */
#include "base/metrics.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

/* A table's cell: a bar ends it, and comments of the example file begin their lines with #. */
static void cell(const char *text) {
    for (; *text; text++) {
        if (strncmp(text, "\n# ", 3) == 0) {
            putchar(' ');
            text += 2;
        } else if (*text == '|') {
            printf("\\|");
        } else {
            putchar(*text);
        }
    }
}

static void commands(void) {
    printf("## Commands and exit codes\n\n| command | what it does |\n| --- | --- |\n");
    for (int i = 0; subcommand_at(i) != NULL; i++)
        if (subcommand_at(i)->summary != NULL)
            printf("| `cairn %s` | %s |\n", subcommand_at(i)->name, subcommand_at(i)->summary);
    printf("\n| exit code | what it means |\n| --- | --- |\n");
    for (int code = 0; exit_code_text(code) != NULL; code++)
        printf("| %d | %s |\n", code, exit_code_text(code));
}

static void settings(void) {
    struct setting_help help;
    const char *about = "";
    printf(
        "\n## Settings\n\nOf the file of `cairn server --config`, and of `--set SECTION.KEY=VALUE`."
        "\n\n| setting | default | what it does |\n| --- | --- | --- |\n");
    for (size_t i = 0; settings_help_at(i, &help); i++) {
        about = help.about != NULL ? help.about : "as the one above";
        printf("| `%s.%s` | %s%s%s | ", help.section, help.key, help.value[0] ? "`" : "",
               help.value, help.value[0] ? "`" : "");
        cell(about);
        printf(" |\n");
    }
}

static void admin_pages(void) {
    printf(
        "\n## The admin port\n\nHTTP. What changes something is POST, with `Authorization: Bearer "
        "TOKEN`.\n\n| page | method | what it is |\n| --- | --- | --- |\n");
    for (size_t i = 0; admin_page_at(i) != NULL; i++)
        printf("| `%s` | %s | %s |\n", admin_page_at(i)->path, admin_page_at(i)->method,
               admin_page_at(i)->about);
}

static void status_fields(void) {
    const struct node_status_field *field;
    const char *part = "";
    printf("\n## Fields of `/status`\n\nAlso of `CAIRN.STATUS` and `cairn status --json`.\n");
    for (size_t i = 0; (field = node_status_field_at(i)) != NULL; i++) {
        if (strcmp(part, field->part) != 0)
            printf("\n| of a %s | what it is |\n| --- | --- |\n", field->part);
        part = field->part;
        printf("| `%s` | %s |\n", field->name, field->about);
    }
}

static void healths(void) {
    static const struct {
        const char *text, *about;
    } table[] = {
#define X(constant, text, about) {text, about},
        NODE_HEALTH_LIST(X)
#undef X
    };
    printf("\n## Health\n\nThe first of these that holds.\n\n| health | what it means |\n| --- | "
           "--- |\n");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        printf("| `%s` | %s |\n", table[i].text, table[i].about);
}

static void metrics(void) {
    printf("\n## Metrics\n\nA histogram has `_bucket`, `_sum` and `_count`, and `_max` beside "
           "them: the "
           "longest so far.\n\n| metric | kind | labels | what it tells |\n| --- | --- | --- | --- "
           "|\n");
    for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
        const struct metric *metric = metric_at(id);
        printf("| `%s` | %s | %s | %s |\n", metric->name, metric_kind_text(metric->kind),
               metric->labels, metric->help);
    }
}

static void errors(void) {
    static const char *const executed[] = {"no", "it was a read", "perhaps, or still to come"};
    printf(
        "\n## Errors of requests\n\nWhat the Redis port and the admin port answer when a request "
        "ended without an answer of the state; errors of the commands themselves are those of "
        "Redis and ZooKeeper.\n\n| error | executed? |\n| --- | --- |\n");
    for (size_t i = 0; node_error_at(i) != NULL; i++)
        if (i == 0 || strcmp(node_error_at(i)->text, node_error_at(i - 1)->text) != 0)
            printf("| `%s` | %s |\n", node_error_at(i)->text, executed[node_error_at(i)->executed]);
}

int cmd_reference(int argc, char **argv) {
    if (argc > 1)
        return misuse("reference", "unexpected '%s'", argv[1]);
    printf("# Reference\n\nMade by `cairn reference` from the program's own tables. What they mean "
           "together: [operations](operations.md).\n\n");
    commands();
    settings();
    admin_pages();
    status_fields();
    healths();
    metrics();
    errors();
    return EXIT_FINE;
}
