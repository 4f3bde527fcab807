#include "cli/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* proc(5), /proc/PID/stat: 22, 23, 24, counted from 1; the second is a name in parentheses, behind
 * which the third begins. */
#define FIELD_START 22
#define FIELD_VIRTUAL 23
#define FIELD_RESIDENT 24

struct stat_fields {
    unsigned long long start_ticks, virtual_bytes, resident_pages;
};

static bool read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    bool ok = file != NULL && fgets(line, (int)size, file) != NULL;
    if (file != NULL)
        fclose(file);
    return ok;
}

static bool read_stat(struct stat_fields *fields) {
    char line[2048], *save = NULL;
    if (!read_line("/proc/self/stat", line, sizeof line) || strrchr(line, ')') == NULL)
        return false;
    int at = 3;
    *fields = (struct stat_fields){0};
    for (char *word = strtok_r(strrchr(line, ')') + 1, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save), at++) {
        unsigned long long *field = at == FIELD_START      ? &fields->start_ticks
                                    : at == FIELD_VIRTUAL  ? &fields->virtual_bytes
                                    : at == FIELD_RESIDENT ? &fields->resident_pages
                                                           : NULL;
        if (field != NULL && sscanf(word, "%llu", field) != 1)
            return false;
    }
    return at > FIELD_RESIDENT;
}

/* Seconds since 1970 at which the machine started; 0: not told. */
static double boot_time(void) {
    char line[256];
    unsigned long long seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file != NULL && seconds == 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "btime %llu", &seconds) != 1)
            seconds = 0;
    if (file != NULL)
        fclose(file);
    return (double)seconds;
}

static uint64_t open_descriptors(void) {
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count > 0 ? count - 1 : 0; /* less the one that looked */
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

uint64_t process_descriptors_max(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

void process_metrics(const char *folder, struct metrics *metrics) {
    struct stat_fields fields;
    struct rusage usage;
    struct statvfs space;
    double boot = boot_time();
    if (statvfs(folder, &space) == 0)
        metrics_put(metrics, METRIC_DISK_FREE, NULL, (uint64_t)space.f_bavail * space.f_frsize);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_put_seconds(metrics, METRIC_CPU, NULL,
                            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    if (read_stat(&fields)) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        metrics_put(metrics, METRIC_RSS, NULL, fields.resident_pages * page);
        metrics_put(metrics, METRIC_VIRTUAL, NULL, fields.virtual_bytes);
        if (boot > 0)
            metrics_put_seconds(metrics, METRIC_START, NULL,
                                boot + (double)fields.start_ticks / (double)sysconf(_SC_CLK_TCK));
    }
    metrics_put(metrics, METRIC_FDS, NULL, open_descriptors());
    if (process_descriptors_max() > 0)
        metrics_put(metrics, METRIC_FDS_MAX, NULL, process_descriptors_max());
}
