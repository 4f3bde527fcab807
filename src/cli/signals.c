#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>

void signals_ignore_strays(void) {
    /* SIGXFSZ: a write beyond the limit of a file's size fails as on a full disk. */
    static const int strays[] = {SIGUSR1, SIGUSR2, SIGPIPE,   SIGALRM, SIGVTALRM,
                                 SIGPROF, SIGPOLL, SIGSTKFLT, SIGPWR,  SIGXFSZ};
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++)
        signal(strays[i], SIG_IGN);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        signal(number, SIG_IGN);
}
