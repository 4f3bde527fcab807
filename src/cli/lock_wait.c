#include "cli/lock_wait.h"

#include <time.h>

#define STEP_MS 20u

bool lock_wait(unsigned *waited_ms, unsigned patience_ms) {
    if (*waited_ms >= patience_ms)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    *waited_ms += STEP_MS;
    return true;
}
