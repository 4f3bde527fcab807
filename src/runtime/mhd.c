#include "runtime/mhd.h"

#include <dlfcn.h>
#include <stddef.h>

#define LIBRARY "libmicrohttpd.so.12"

enum cairn_status mhd_load(struct mhd *mhd) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return CAIRN_NOT_FOUND;
#define X(name)                                                      \
    mhd->name = (__typeof__(mhd->name))dlsym(library, "MHD_" #name); \
    if (mhd->name == NULL)                                           \
        return CAIRN_NOT_FOUND;
    MHD_FUNCTIONS(X)
#undef X
    return CAIRN_OK;
}
