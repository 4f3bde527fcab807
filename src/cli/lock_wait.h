/* A folder's lock outlives its holder by a moment: the kernel takes a killed process down after it
 * was told to, and a node that was asked to stop hands its leadership over first. A successor waits
 * for that. */
#ifndef CAIRN_CLI_LOCK_WAIT_H
#define CAIRN_CLI_LOCK_WAIT_H

#include <stdbool.h>

#define LOCK_PATIENCE_MS 3000u    /* with a node */
#define LOCK_PATIENCE_DEV_MS 200u /* with a cairn dev, which has little to give back */

/* Waits a moment before the next try. False: there was patience enough. *waited_ms: 0 at first. */
bool lock_wait(unsigned *waited_ms, unsigned patience_ms);

#endif
