#include "runtime/openssl.h"

#include <dlfcn.h>
#include <stddef.h>

#define LIBRARY "libssl.so.3" /* brings libcrypto, whose functions are found through it */

enum cairn_status openssl_load(struct openssl *openssl) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return CAIRN_NOT_FOUND;
#define X(name)                                                       \
    openssl->name = (__typeof__(openssl->name))dlsym(library, #name); \
    if (openssl->name == NULL)                                        \
        return CAIRN_NOT_FOUND;
    OPENSSL_FUNCTIONS(X)
#undef X
    return CAIRN_OK;
}
