/* The judge is another process of this binary: what it needs of time and memory is its own, and
 * what it says is what it says when it is asked again. */
#include "torture/torture_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void judge_history(const struct torture_options *options, struct torture_result *result) {
    struct args args = {0};
    int status = 0;
    args_add(&args, options->program);
    args_add(&args, "check");
    args_add(&args, result->history);
    args_add(&args, "--model");
    args_add(&args, torture_workload_model(options->workload));
    args_add(&args, "--level");
    args_add(&args, options->level);
    args_add(&args, "--limit-time");
    args_addf(&args, "%llums", (unsigned long long)options->judge_ms);
    if (options->workload == TORTURE_BANK) {
        struct buf initial = {0};
        for (unsigned i = 0; i < RUN_ACCOUNTS; i++)
            buf_printf(&initial, "%s\"%u\":%u", i ? "," : "{", i, RUN_BALANCE);
        buf_printf(&initial, "}");
        buf_u8(&initial, 0);
        args_add(&args, "--initial");
        args_addf(&args, "%s", (const char *)initial.data);
        buf_free(&initial);
    } else if (options->workload == TORTURE_COUNTER) {
        args_add(&args, "--initial");
        args_add(&args, "0");
    }
    unlink(result->judgement);
    pid_t pid = process_start(&args, NULL, result->judgement);
    buf_free(&args.text);
    while (pid > 0 && !process_ended(pid, &status)) {
        if (options->stop != NULL && *options->stop > 1)
            kill(pid, SIGKILL);
        usleep(2000);
    }
    if (pid <= 0) {
        result->verdict = TORTURE_BAD;
        snprintf(result->error, sizeof result->error, "the judge can't be run: %s",
                 strerror(errno));
        return;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : TORTURE_UNDECIDED;
    result->verdict = code >= 0 && code < 3 ? (enum torture_verdict)code : TORTURE_BAD;
    if (result->verdict == TORTURE_BAD)
        snprintf(result->error, sizeof result->error, "the judge refuses the history, see %s",
                 result->judgement);
}
