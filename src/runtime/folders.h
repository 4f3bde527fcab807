/* Folders for programs outside a node: tools, and other servers under torture. What must survive a
 * power cut is made by env_make_folder.
 */
#ifndef CAIRN_RUNTIME_FOLDERS_H
#define CAIRN_RUNTIME_FOLDERS_H

#include <stdbool.h>

/* The folder and those above it; one that is there is fine. False: errno says why. */
bool folders_make(const char *path);

#endif
