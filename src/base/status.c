#include "base/status.h"

const char *cairn_status_name(enum cairn_status status) {
    static const char *const names[] = {
#define X(name, text) #name,
        CAIRN_STATUS_LIST(X)
#undef X
    };
    return (unsigned)status < CAIRN_STATUS_COUNT ? names[status] : "?";
}

const char *cairn_status_text(enum cairn_status status) {
    static const char *const texts[] = {
#define X(name, text) text,
        CAIRN_STATUS_LIST(X)
#undef X
    };
    return (unsigned)status < CAIRN_STATUS_COUNT ? texts[status] : "unknown status";
}
