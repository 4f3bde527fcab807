/* For LD_PRELOAD: moves the wall clock alone by WALL_OFFSET_S seconds; other clocks stay true. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    const char *offset = getenv("WALL_OFFSET_S");
    if (result == 0 && clock == CLOCK_REALTIME && offset != NULL)
        time->tv_sec += atol(offset);
    return result;
}
