/* Keeps a folder's log and snapshots aside, as evidence, so that the node begins without them. */
#ifndef CAIRN_NODE_ASIDE_H
#define CAIRN_NODE_ASIDE_H

#include "base/status.h"
#include "env/env.h"

/* Moves log and snapshots of the data folder into its folder `diverged`, over what an earlier time
 * left there. Begun again after a crash, it goes on. */
enum cairn_status aside_move(struct env *env, const char *folder);

#endif
