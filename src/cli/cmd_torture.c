/* cairn torture: what was asked for, from the plan and the command line; what happened, for a
 * person or as JSON. */
#include "cli/cli.h"
#include "cli/signals.h"
#include "check/level.h"
#include "check/model.h"
#include "runtime/folders.h"
#include "torture/torture.h"

#include "base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETS_MAX 16
#define CLIENTS_MAX 500
#define SHRINK_TRIES 3
#define LINE_MAX_SHOWN 160

struct command {
    const char *plan_path, *target, *workload, *level, *dir, *addresses;
    uint64_t time_s, heal_s, nodes, clients, keys, seed, timeout_ms, think_us, read_percent;
    uint64_t tries, port_base, judge_s;
    bool json, sync, stay, stale, shrink;
    const char *sets[SETS_MAX];
    unsigned set_count;
    char made_dir[128], program[4096];
    struct plan plan;
    struct torture_options options;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number) {
    stop_asked++;
}

/* --set may be given often, which flags_parse does not know. */
static int take_sets(struct command *command, int argc, char **argv) {
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && command->set_count < SETS_MAX)
            command->sets[command->set_count++] = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

static bool read_file(const char *path, struct buf *out) {
    FILE *file = fopen(path, "r");
    size_t got;
    if (file == NULL)
        return false;
    while ((got = fread(buf_reserve(out, 4096), 1, 4096, file)) > 0)
        out->len += got;
    bool ok = !ferror(file);
    fclose(file);
    return ok;
}

static bool write_file(const char *dir, const char *name, const struct buf *text) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    fwrite(text->data, 1, text->len, file);
    return fclose(file) == 0;
}

static bool read_plan(struct command *command) {
    struct buf text = {0};
    char error[600] = "";
    if (command->plan_path == NULL) {
        plan_parse(&command->plan, bytes_of("", 0), error, sizeof error);
        return true;
    }
    if (!read_file(command->plan_path, &text)) {
        misuse("torture", "can't read the plan %s: %s", command->plan_path, strerror(errno));
        return false;
    }
    bool ok = plan_parse(&command->plan, buf_view(&text), error, sizeof error);
    buf_free(&text);
    if (!ok)
        misuse("torture", "%s: %s", command->plan_path, error);
    return ok;
}

static uint64_t first_of(uint64_t given, uint64_t planned, uint64_t otherwise) {
    return given ? given : planned ? planned : otherwise;
}

static bool take_workload(struct command *command) {
    const char *name = command->workload               ? command->workload
                       : command->plan.run.workload[0] ? command->plan.run.workload
                                                       : "register";
    for (int i = 0; i < TORTURE_WORKLOAD_COUNT; i++)
        if (strcmp(name, torture_workload_name((enum torture_workload)i)) == 0) {
            command->options.workload = (enum torture_workload)i;
            return true;
        }
    struct buf names = {0};
    for (int i = 0; i < TORTURE_WORKLOAD_COUNT; i++)
        buf_printf(&names, " %s", torture_workload_name((enum torture_workload)i));
    misuse("torture", "there is no workload '%s'; there are:%.*s", name, (int)names.len,
           (const char *)names.data);
    buf_free(&names);
    return false;
}

static bool addresses_fit(const char *list) {
    unsigned count = 0;
    char address[96];
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, " ,");
        if (len >= sizeof address)
            return false;
        memcpy(address, at, len);
        address[len] = 0;
        if (len > 0 && !address_is_one(address))
            return false;
        count += len > 0;
        at += len + (at[len] != 0);
    }
    return count > 0 && count <= PLAN_NODES_MAX;
}

/* The command line first, then the plan, then what is usual. */
static bool fill_options(struct command *command) {
    struct torture_options *options = &command->options;
    const struct plan_run *run = &command->plan.run;
    *options = (struct torture_options){
        .program = command->program,
        .addresses = command->addresses,
        .plan = &command->plan,
        .target = command->target  ? command->target
                  : run->target[0] ? run->target
                                   : "cairn",
        .time_ms = command->time_s ? command->time_s * 1000 : first_of(0, run->time_ms, 30000),
        .heal_ms = command->heal_s ? command->heal_s * 1000 : first_of(0, run->heal_ms, 3000),
        .timeout_ms = first_of(command->timeout_ms, run->timeout_ms, 2000),
        .think_us = first_of(command->think_us, run->think_us, 2000),
        .judge_ms = 1000 * first_of(command->judge_s, 0, 60),
        .seed = command->seed,
        .nodes = (unsigned)first_of(command->nodes, run->nodes, 3),
        .clients = (uint32_t)first_of(command->clients, run->clients, 8),
        .keys = (uint32_t)first_of(command->keys, run->keys, 4),
        .sync = command->sync || run->sync,
        .stay = command->stay || run->stay,
        .stale = command->stale,
        .sets = command->sets,
        .set_count = command->set_count,
        .port_base = (uint32_t)command->port_base,
        .out = command->json ? NULL : stdout,
        .stop = &stop_asked};
    if (run->set[0] && command->set_count < SETS_MAX) { /* first: the command line's come later */
        memmove(command->sets + 1, command->sets, command->set_count * sizeof *command->sets);
        command->sets[0] = run->set;
        options->set_count = ++command->set_count;
    }
    if (options->addresses != NULL && !addresses_fit(options->addresses)) {
        misuse("torture", "--addresses wants HOST:PORT[,HOST:PORT...], %u at most, not '%s'",
               PLAN_NODES_MAX, options->addresses);
        return false;
    }
    if (!take_workload(command))
        return false;
    options->level = command->level  ? command->level
                     : run->level[0] ? run->level
                                     : torture_promise(options->target, options->sync);
    bool transactional = model_transactional(model_of(torture_workload_model(options->workload)));
    if (level_of(options->level, transactional) == LEVEL_NONE) {
        misuse("torture", "there is no level '%s' for this workload (cairn check --help)",
               options->level);
        return false;
    }
    uint64_t reads = command->read_percent != UINT64_MAX ? command->read_percent
                     : run->read_percent != UINT64_MAX   ? run->read_percent
                                                         : 50;
    options->read_percent = (uint32_t)reads;
    if (options->nodes < 1 || options->nodes > PLAN_NODES_MAX || options->clients < 1 ||
        options->clients > CLIENTS_MAX || options->keys < 1 || options->keys > 10000 ||
        reads > 100 || options->time_ms > 86400000 || command->port_base > 60000) {
        misuse("torture",
               "--nodes is from 1 to %u, --clients to %d, --keys to 10000, --reads to "
               "100, --time to 86400, --port-base to 60000",
               PLAN_NODES_MAX, CLIENTS_MAX);
        return false;
    }
    return true;
}

/* The folders that it is to lie in; what can't be made shows when it is made itself. */
static void make_above(const char *path) {
    char above[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len == 0 || len >= sizeof above)
        return;
    memcpy(above, path, len);
    above[len] = 0;
    folders_make(above);
}

static bool make_dir(struct command *command) {
    if (command->dir == NULL) {
        time_t now = time(NULL);
        struct tm parts;
        localtime_r(&now, &parts);
        snprintf(command->made_dir, sizeof command->made_dir, "torture-");
        strftime(command->made_dir + 8, sizeof command->made_dir - 8, "%Y%m%d-%H%M%S", &parts);
        command->dir = command->made_dir;
    }
    /* Absolute, for servers change their folder; the rest of the path is made by the run. */
    static char whole[4096];
    char here[2048];
    if (command->dir[0] != '/' && getcwd(here, sizeof here) != NULL)
        snprintf(whole, sizeof whole, "%s/%s", here, command->dir);
    else
        snprintf(whole, sizeof whole, "%s", command->dir);
    if (strlen(whole) > 400) {
        misuse("torture", "the path of --dir is too long");
        return false;
    }
    make_above(whole);
    bool made = mkdir(whole, 0755) == 0, old = !made && errno == EEXIST;
    int why_not = errno;
    /* As the kernel tells it of open files: the layer compares. */
    char *real = realpath(whole, NULL);
    if (real != NULL && strlen(real) < sizeof whole)
        memcpy(whole, real, strlen(real) + 1);
    free(real);
    command->options.dir = whole;
    if (made)
        return true;
    char history[sizeof whole + sizeof "/history.jsonl"];
    snprintf(history, sizeof history, "%s/history.jsonl", whole);
    if (old && access(history, F_OK) != 0)
        return true;
    if (old)
        misuse("torture", "%s holds another run: choose another --dir", whole);
    else
        misuse("torture", "can't make %s: %s", whole, strerror(why_not));
    return false;
}

/* ---- telling ---- */

static const char *verdict_name(enum torture_verdict verdict) {
    static const char *const names[] = {"holds", "violated", "undecided", "bad"};
    return names[verdict];
}

#define JUDGED "judged: " /* so begins the judge's line that the last one repeats */

/* What the judge said, line by line; what it says that it judged goes to `judged`, which stays
 * empty where it refused. shown: the other lines are printed, long lists cut; the file has them
 * whole. */
static void read_judgement(const char *path, bool shown, struct buf *judged) {
    size_t begin = strlen(JUDGED);
    struct buf text = {0};
    if (!read_file(path, &text))
        text.len = 0;
    for (size_t at = 0; at < text.len;) {
        const uint8_t *line = text.data + at, *end = memchr(line, '\n', text.len - at);
        size_t len = end ? (size_t)(end - line) : text.len - at;
        bool cut = len > LINE_MAX_SHOWN;
        if (len >= begin && memcmp(line, JUDGED, begin) == 0)
            buf_append(judged, line + begin, len - begin);
        else if (shown)
            printf("%.*s%s\n", (int)(cut ? LINE_MAX_SHOWN : len), (const char *)line,
                   cut ? " ..." : "");
        at += len + 1;
    }
    buf_free(&text);
}

static void tell(const struct command *command, const struct torture_result *result) {
    const struct torture_options *options = &command->options;
    printf("\n%" PRIu64 " ok, %" PRIu64 " failed, %" PRIu64 " of unknown fate, in %.1f s; %" PRIu64
           " faults, %" PRIu64 " skipped; longest gap %.2f s, at %.1f s\n",
           result->ok, result->failed, result->unknown, (double)result->run_ms / 1000,
           result->faults, result->skipped, (double)result->longest_gap_ms / 1000,
           (double)result->gap_at_ms / 1000);
    struct buf judged = {0};
    read_judgement(result->judgement, true, &judged);
    printf("%s under %s: %s %s", options->target,
           command->plan_path ? command->plan_path : "no faults", options->level,
           verdict_name(result->verdict));
    if (judged.len > 0)
        printf(" for %.*s", (int)judged.len, (const char *)judged.data);
    printf(" (seed %" PRIu64 ", everything is in %s)\n", options->seed, options->dir);
    buf_free(&judged);
    if (result->verdict == TORTURE_VIOLATED)
        printf("To see it: cairn explain %s --model %s --level %s\n", result->history,
               torture_workload_model(options->workload), options->level);
}

static void tell_json(const struct command *command, const struct torture_result *result) {
    const struct torture_options *options = &command->options;
    struct buf judged = {0};
    read_judgement(result->judgement, false, &judged);
    printf(
        "{\"target\":\"%s\",\"workload\":\"%s\",\"model\":\"%s\",\"level\":\"%s\",\"seed\":%" PRIu64
        ",\"ok\":%" PRIu64 ",\"fail\":%" PRIu64 ",\"info\":%" PRIu64 ",\"faults\":%" PRIu64
        ",\"skipped\":%" PRIu64 ",\"longest_gap_ms\":%" PRIu64 ",\"history\":\"%s\","
        "\"verdict\":\"%s\",\"judged\":\"%.*s\",\"error\":\"%s\"}\n",
        options->target, torture_workload_name(options->workload),
        torture_workload_model(options->workload), options->level, options->seed, result->ok,
        result->failed, result->unknown, result->faults, result->skipped, result->longest_gap_ms,
        result->history, verdict_name(result->verdict), (int)judged.len,
        judged.len > 0 ? (const char *)judged.data : "", result->error);
    buf_free(&judged);
}

static void shrink_plan(struct command *command) {
    struct torture_shrink shrink = {.options = &command->options,
                                    .tries = (unsigned)first_of(command->tries, 0, SHRINK_TRIES)};
    struct buf text = {0};
    torture_shrink(&shrink);
    plan_print(&command->plan, shrink.events, shrink.count, &text);
    if (!command->json) {
        printf("\nthe smallest plan that still fails (%u of %u faults, %u runs):\n\n", shrink.count,
               command->options.event_count, shrink.runs);
        fwrite(text.data, 1, text.len, stdout);
    }
    write_file(command->options.dir, "smallest.ini", &text);
    buf_free(&text);
    cairn_free(shrink.events);
}

static uint32_t events_of(const struct plan *plan, const struct plan_fault *fault) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->event_count; i++)
        count += plan->events[i].fault == fault;
    return count;
}

/* A fault whose time never comes is told; a run in which none comes would prove nothing. */
static bool all_too_late(const struct command *command) {
    const struct plan *plan = &command->plan;
    for (uint32_t i = 0; i < plan->fault_count; i++)
        if (events_of(plan, &plan->faults[i]) == 0)
            fprintf(stderr,
                    "cairn torture: the fault %s is never carried out: its time, %.1f s, is not "
                    "before the end, %.1f s (see --time)\n",
                    plan->faults[i].name, (double)plan->faults[i].at_ms / 1000,
                    (double)command->options.time_ms / 1000);
    return plan->fault_count > 0 && plan->event_count == 0;
}

static int run(struct command *command) {
    struct torture_result result;
    struct torture_options *options = &command->options;
    struct buf plan = {0};
    options->events = command->plan.events;
    options->event_count = command->plan.event_count;
    plan_print(&command->plan, options->events, options->event_count, &plan);
    bool written = write_file(options->dir, "plan.ini", &plan);
    buf_free(&plan);
    if (!written)
        return misuse("torture", "can't write to %s", options->dir);
    torture_run(options, &result);
    if (result.error[0] && !command->json)
        fprintf(stderr, "cairn torture: %s\n", result.error);
    if (command->json)
        tell_json(command, &result);
    else if (result.run_ms > 0)
        tell(command, &result);
    if (command->shrink && result.verdict == TORTURE_VIOLATED && stop_asked == 0)
        shrink_plan(command);
    return (int)result.verdict;
}

int cmd_torture(int argc, char **argv) {
    static struct command command; /* large; there is one */
    command = (struct command){.read_percent = UINT64_MAX};
    const struct flag flags[] = {{"plan", FLAG_TEXT, &command.plan_path},
                                 {"target", FLAG_TEXT, &command.target},
                                 {"workload", FLAG_TEXT, &command.workload},
                                 {"level", FLAG_TEXT, &command.level},
                                 {"addresses", FLAG_TEXT, &command.addresses},
                                 {"address", FLAG_TEXT, &command.addresses},
                                 {"dir", FLAG_TEXT, &command.dir},
                                 {"time", FLAG_NUMBER, &command.time_s},
                                 {"heal", FLAG_NUMBER, &command.heal_s},
                                 {"nodes", FLAG_NUMBER, &command.nodes},
                                 {"clients", FLAG_NUMBER, &command.clients},
                                 {"keys", FLAG_NUMBER, &command.keys},
                                 {"reads", FLAG_NUMBER, &command.read_percent},
                                 {"timeout-ms", FLAG_NUMBER, &command.timeout_ms},
                                 {"think-us", FLAG_NUMBER, &command.think_us},
                                 {"seed", FLAG_NUMBER, &command.seed},
                                 {"port-base", FLAG_NUMBER, &command.port_base},
                                 {"tries", FLAG_NUMBER, &command.tries},
                                 {"judge-time", FLAG_NUMBER, &command.judge_s},
                                 {"sync", FLAG_SWITCH, &command.sync},
                                 {"stay", FLAG_SWITCH, &command.stay},
                                 {"stale", FLAG_SWITCH, &command.stale},
                                 {"shrink", FLAG_SWITCH, &command.shrink},
                                 {"json", FLAG_SWITCH, &command.json}};
    char refusal[300];
    argc = take_sets(&command, argc, argv);
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("torture", "unexpected '%s'", argv[1]);
    ssize_t len = readlink("/proc/self/exe", command.program, sizeof command.program - 1);
    if (len <= 0)
        return misuse("torture", "/proc is needed: %s", strerror(errno));
    if (command.seed == 0)
        command.seed = ((uint64_t)time(NULL) * 1000003u + (uint64_t)getpid()) % 1000000000u + 1;
    if (!read_plan(&command) || !fill_options(&command))
        return EXIT_MISUSE;
    if (torture_refusal(&command.options, refusal, sizeof refusal) != NULL)
        return misuse("torture", "%s", refusal);
    plan_expand(&command.plan, command.options.time_ms, command.options.seed);
    if (all_too_late(&command))
        return misuse("torture", "no fault of this plan would be carried out");
    if (!make_dir(&command))
        return EXIT_MISUSE;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signals_ignore_strays();
    int code = run(&command);
    plan_free(&command.plan);
    return code;
}
