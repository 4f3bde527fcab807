/* Any text as a configuration file, a word of the command line and a list of members: taken or
 * refused with a sentence, and what is taken makes a node's options. */
#include "base/alloc.h"
#include "base/assert.h"
#include "cli/settings.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings settings;
    struct config members;
    struct node_options node;
    struct redis_options redis;
    char error[512] = "";
    char *text = cairn_alloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    settings_default(&settings);
    if (settings_parse(&settings, text, error, sizeof error)) {
        error[0] = 0;
        if (settings_check(&settings, error, sizeof error)) {
            settings_to_node(&settings, &node);
            settings_to_redis(&settings, &redis);
        } else {
            cairn_assert(error[0] != 0);
        }
    } else {
        cairn_assert(error[0] != 0);
    }
    settings_set_word(&settings, text, error, sizeof error);
    if (settings_members(text, &members))
        cairn_assert(members.count <= CONFIG_MEMBERS_MAX);
    cairn_free(text);
    return 0;
}
