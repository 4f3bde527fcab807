#include "node/ask.h"

#include "core/reply.h"

#include <string.h>

static const char usage_member[] =
    "ERR usage: MEMBER LIST | STATUS | ADD id host:port | LEARNER id host:port | MOVE id host:port "
    "| PROMOTE id | REMOVE id | CANCEL";
static const char usage_leader[] = "ERR usage: LEADER TRANSFER [id]";
static const char no_id[] = "ERR a member's id is a number above 0";

static const struct word {
    const char *group, *word;
    size_t least, most; /* words in all */
    enum node_ask_kind kind;
    enum node_operation operation;
} table[] = {
    {"MEMBER", "LIST", 2, 2, NODE_ASK_MEMBERS, 0},
    {"MEMBER", "STATUS", 2, 2, NODE_ASK_CHANGES, 0},
    {"MEMBER", "ADD", 4, 4, NODE_ASK_OPERATE, NODE_MEMBER_ADD},
    {"MEMBER", "LEARNER", 4, 4, NODE_ASK_OPERATE, NODE_MEMBER_LEARNER},
    {"MEMBER", "MOVE", 4, 4, NODE_ASK_OPERATE, NODE_MEMBER_MOVE},
    {"MEMBER", "PROMOTE", 3, 3, NODE_ASK_OPERATE, NODE_MEMBER_PROMOTE},
    {"MEMBER", "REMOVE", 3, 3, NODE_ASK_OPERATE, NODE_MEMBER_REMOVE},
    {"MEMBER", "CANCEL", 2, 2, NODE_ASK_OPERATE, NODE_MEMBER_CANCEL},
    {"LEADER", "TRANSFER", 2, 3, NODE_ASK_OPERATE, NODE_LEADER_TRANSFER},
};

static bool is(struct bytes word, const char *name) {
    return bytes_equal_nocase(word, bytes_cstr(name));
}

static bool parse_id(struct bytes text, uint64_t *id) {
    *id = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = text.data[i] - (uint64_t)'0';
        if (digit > 9 || *id > (UINT64_MAX - digit) / 10)
            return false;
        *id = *id * 10 + digit;
    }
    return *id > 0;
}

static const char *parse_arguments(const struct bytes *words, size_t count, struct node_ask *ask) {
    if (count > 2 && !parse_id(words[2], &ask->id))
        return no_id;
    if (count > 3 && (words[3].len >= sizeof ask->address || words[3].len == 0 ||
                      memchr(words[3].data, 0, words[3].len) != NULL))
        return "ERR a member's address is host:port of its peer port";
    if (count > 3)
        memcpy(ask->address, words[3].data, words[3].len);
    return NULL;
}

const char *node_ask_parse(const struct bytes *words, size_t count, struct node_ask *ask) {
    *ask = (struct node_ask){0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct word *word = &table[i];
        if (count < word->least || count > word->most || !is(words[0], word->group) ||
            !is(words[1], word->word))
            continue;
        ask->kind = word->kind;
        ask->operation = word->operation;
        return parse_arguments(words, count, ask);
    }
    return count > 0 && is(words[0], "LEADER") ? usage_leader : usage_member;
}

void node_members_list(const struct node *node, uint32_t keyspace, struct buf *reply) {
    struct node_status status;
    node_status(node, keyspace, &status);
    const struct config *config = &status.replica.config;
    reply_array(reply, config->count);
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        bool votes = member->voter || member->voter_old;
        reply_array(reply, 4);
        reply_int(reply, (int64_t)member->id);
        reply_bulk(reply, bytes_cstr(member->address));
        reply_bulk(reply, votes ? BYTES("voter") : BYTES("learner"));
        reply_bulk(reply,
                   member->id == status.replica.leader ? BYTES("leader") : BYTES("follower"));
    }
}

void node_members_status(const struct node *node, bool known, struct buf *reply) {
    struct buf text = {0};
    uint32_t count = 0;
    node_members_tell(node, &text);
    if (!known)
        buf_printf(&text, "this is what this node knows: no majority tells whether it is all\n");
    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    reply_array(reply, count);
    for (size_t at = 0, i = 0; i < text.len; i++) {
        if (text.data[i] != '\n')
            continue;
        reply_bulk(reply, bytes_of(text.data + at, i - at));
        at = i + 1;
    }
    buf_free(&text);
}
