#include "torture/torture_internal.h"

#include <inttypes.h>

bool torture_history_open(struct history_writer *history, const char *path, uint64_t start_ns) {
    *history = (struct history_writer){.file = fopen(path, "w"), .start_ns = start_ns};
    return history->file != NULL;
}

void torture_history_close(struct history_writer *history) {
    if (history->file != NULL)
        fclose(history->file);
    history->file = NULL;
}

void torture_history_event(struct history_writer *history, uint64_t now_ns, uint64_t process,
                           const char *type, const char *f, int64_t key, const char *value,
                           const char *error) {
    fprintf(history->file,
            "{\"index\":%" PRIu64 ",\"process\":%" PRIu64 ",\"type\":\"%s\",\"f\":\"%s\"",
            history->index++, process, type, f);
    if (key >= 0)
        fprintf(history->file, ",\"key\":%" PRId64, key);
    fprintf(history->file, ",\"value\":%s", value ? value : "null");
    if (error != NULL)
        fprintf(history->file, ",\"error\":\"%s\"", error);
    fprintf(history->file, ",\"time\":%" PRIu64 "}\n", now_ns - history->start_ns);
}

void torture_history_fault(struct history_writer *history, uint64_t now_ns, const char *f,
                           const char *value) {
    fprintf(history->file,
            "{\"index\":%" PRIu64
            ",\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"%s\",\"value\":%s,"
            "\"time\":%" PRIu64 "}\n",
            history->index++, f, value, now_ns - history->start_ns);
}
