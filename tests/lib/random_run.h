/* Random runs of a protocol: messages are lost, doubled and reordered, disks are slow, processes
 * crash and lose what was not durable, members come and go, entries are damaged, disks are
 * replaced, clocks drift. The world checks election safety, leader completeness, state machine
 * safety and reads; every run ends with a healed group that must make progress.
 */
#ifndef CAIRN_TESTS_RANDOM_RUN_H
#define CAIRN_TESTS_RANDOM_RUN_H

#include "base/bytes.h"
#include "base/mutant.h"

/* NULL, or what broke. log: where what happens is written; NULL: nowhere. */
const char *random_run(const char *protocol, uint64_t seed, enum mutant mutant, struct buf *log);
/* Runs seeds 1..runs in a child, since a broken protocol may also trip over an assertion, which
 * catches it as well. The seed that caught the mutant, and how; 0: none did. */
uint64_t random_run_catches(const char *protocol, enum mutant mutant, uint64_t runs, char *how,
                            size_t size);
/* For a test's main with arguments: one run with its trace, SEED [MUTANT]. */
int random_run_main(const char *protocol, int argc, char **argv);

#endif
