/* Shared by the files of the snapshot store. */
#ifndef CAIRN_STORAGE_SNAPSHOT_INTERNAL_H
#define CAIRN_STORAGE_SNAPSHOT_INTERNAL_H

#include "storage/snapshot.h"

enum cairn_status snapshot_open_path(struct env *env, const char *path,
                                     struct snapshot_reader **out);
/* Reads every chunk; the reader stands at the first one afterwards. */
enum cairn_status snapshot_verify_all(struct snapshot_reader *reader);

#endif
