#include "cli/zkcli.h"
int zkcli_run_history(struct zkcli *zk, const struct zkcli_words *words) {
    return misuse("zk", "not yet");
}
