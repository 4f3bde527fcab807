#include "core/journal.h"

#include "base/alloc.h"

const struct config *journal_config(const struct journal *journal) {
    return journal->config_count ? &journal->configs[journal->config_count - 1].config : NULL;
}

uint64_t journal_config_index(const struct journal *journal) {
    return journal->config_count ? journal->configs[journal->config_count - 1].index : 0;
}

const struct config *journal_config_counting(const struct journal *journal) {
    const struct config *committed = NULL;
    if (journal->options->mutant == MUTANT_CONFIG_WHEN_COMMITTED)
        committed = journal_config_at(journal, journal->commit);
    return committed != NULL ? committed : journal_config(journal);
}

const struct config *journal_config_at(const struct journal *journal, uint64_t index) {
    for (uint32_t i = journal->config_count; i > 0; i--)
        if (journal->configs[i - 1].index <= index)
            return &journal->configs[i - 1].config;
    return NULL;
}

bool journal_is_member(const struct journal *journal, uint64_t id) {
    const struct config *config = journal_config(journal);
    return config != NULL && config_member(config, id) != NULL;
}

bool journal_voter_until_committed(const struct journal *journal) {
    for (uint32_t i = journal->config_count; i > 0; i--) {
        if (config_is_voter(&journal->configs[i - 1].config, journal->options->id))
            return true;
        if (journal->configs[i - 1].index <= journal->commit)
            return false;
    }
    return false;
}

void journal_config_tell(struct journal *journal) {
    const struct config *config = journal_config(journal);
    if (config == NULL)
        return;
    struct config *copy = outbox_scratch(&journal->out, sizeof *copy);
    *copy = *config;
    struct effect *effect = outbox_emit(&journal->out, EFFECT_CONFIG);
    effect->config.config = copy;
    effect->config.index = journal_config_index(journal);
    effect->config.committed = journal_config_index(journal) <= journal->commit;
}

static void changed(struct journal *journal) {
    uint64_t index = journal_config_index(journal);
    journal->config_version++;
    journal->config_told = index <= journal->commit ? index : 0;
    journal_config_tell(journal);
}

void journal_config_push(struct journal *journal, uint64_t index, const struct config *config) {
    if (journal->config_count == journal->config_cap) {
        journal->config_cap = journal->config_cap ? journal->config_cap * 2 : 4;
        journal->configs =
            cairn_realloc(journal->configs, journal->config_cap * sizeof *journal->configs);
    }
    uint32_t at = journal->config_count++;
    for (; at > 0 && journal->configs[at - 1].index > index; at--)
        journal->configs[at] = journal->configs[at - 1];
    journal->configs[at] = (struct journal_config){index, *config};
    changed(journal);
}

void journal_config_truncate(struct journal *journal, uint64_t index) {
    uint32_t before = journal->config_count;
    while (journal->config_count > 0 && journal_config_index(journal) >= index && index > 0)
        journal->config_count--;
    if (journal->config_count != before)
        changed(journal);
}

bool journal_founders(struct journal *journal, const struct folders *met,
                      const struct config *founds) {
    journal->met = *met;
    if (founds == NULL || journal->config_count > 0 || journal->log.last > 0)
        return false;
    journal_config_push(journal, 0, founds);
    return true;
}

uint64_t journal_folder(const struct journal *journal, const struct member *member) {
    bool by_id = journal->options->mutant == MUTANT_FOUNDER_BY_ID;
    return member->incarnation != 0 || by_id ? member->incarnation
                                             : folders_find(&journal->met, member->id);
}

bool journal_counts(const struct journal *journal, uint64_t id, uint64_t incarnation) {
    const struct config *config = journal_config(journal);
    const struct member *member = config ? config_member(config, id) : NULL;
    uint64_t folder = member ? journal_folder(journal, member) : 0;
    bool any = journal->options->mutant == MUTANT_FOLDER_IGNORED;
    return member != NULL && (folder == 0 || incarnation == 0 || folder == incarnation || any);
}

bool journal_end_may_be_lost(const struct journal *journal) {
    const struct config *config = journal_config(journal);
    return config != NULL && config_decides_without(config, journal->options->id);
}
