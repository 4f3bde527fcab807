/* Talks to a tree machine in text, for tests: "create /a x" in, "ok /a" out. Each command is
 * encoded as a front end would and applied, or read when it only reads.
 *
 *   create PATH [DATA] [MODE] [ttl=MS]   MODE of letters: e ephemeral, s sequential, c container
 *   delete PATH [VERSION]      set PATH DATA [VERSION]      check PATH VERSION (in a multi)
 *   setacl PATH [VERSION]      with the ACL in tree_text.acl, which create uses too
 *   get, stat, ls, acl, count, ephemerals PATH
 *   multi COMMAND ; COMMAND ...
 * DATA "-" is empty, "null" is null. Answers: "ok ..." or the number of the error. stat: versions,
 * then children, length and owner.
 */
#ifndef CAIRN_TESTS_TREE_TEXT_H
#define CAIRN_TESTS_TREE_TEXT_H

#include "core/reply.h"
#include "machine/tree/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TREE_TEXT_WORDS 8

struct tree_text {
    struct machine *machine;
    struct apply_context context;
    struct tree_caller caller;
    struct tree_id ids[4];
    const struct tree_acl *acl;
    uint32_t acl_count;
    uint64_t zxid; /* that the last reply told */
    struct buf reply, changes, shown;
};

static const struct tree_acl tree_text_open = {
    TREE_PERM_ALL, {{(const uint8_t *)"world", 5}, {(const uint8_t *)"anyone", 6}}};

static inline void tree_text_start_with(struct tree_text *text, enum mutant mutant) {
    const struct machine_options options = {
        .value_bytes_max = 1u << 20, .work_max = 1u << 20, .mutant = mutant};
    *text = (struct tree_text){.context = {.term = 1, .time_ms = 1000000, .version = 1},
                               .acl = &tree_text_open,
                               .acl_count = 1};
    text->machine = machine_tree.create(&options);
    text->caller.ids = text->ids;
}

static inline void tree_text_start(struct tree_text *text) {
    tree_text_start_with(text, MUTANT_NONE);
}

static inline void tree_text_stop(struct tree_text *text) {
    machine_tree.destroy(text->machine);
    buf_free(&text->reply);
    buf_free(&text->changes);
    buf_free(&text->shown);
}

/* ---- encoding ---- */

struct tree_words {
    struct bytes at[TREE_TEXT_WORDS];
    size_t count;
};

static inline struct tree_words tree_text_split(const char *line, size_t len) {
    struct tree_words words = {0};
    for (const char *end = line + len; line < end;) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        const char *stop = space ? space : end;
        if (stop > line && words.count < TREE_TEXT_WORDS)
            words.at[words.count++] = bytes_of(line, (size_t)(stop - line));
        line = stop + 1;
    }
    return words;
}

static inline int tree_text_number(const struct tree_words *words, size_t n, int otherwise) {
    char digits[24] = "";
    if (n >= words->count)
        return otherwise;
    memcpy(digits, words->at[n].data, words->at[n].len < 23 ? words->at[n].len : 23);
    return (int)strtol(digits, NULL, 10);
}

static inline struct bytes tree_text_data(const struct tree_words *words, size_t n) {
    if (n >= words->count || bytes_equal(words->at[n], BYTES("-")))
        return BYTES("");
    if (bytes_equal(words->at[n], BYTES("null")))
        return (struct bytes){0};
    return words->at[n];
}

static inline void tree_text_create(const struct tree_text *text, struct buf *out,
                                    const struct tree_words *words) {
    uint64_t ttl_ms = 0;
    bool ephemeral = false, sequential = false, container = false;
    for (size_t i = 3; i < words->count; i++) {
        struct bytes word = words->at[i];
        if (word.len > 4 && memcmp(word.data, "ttl=", 4) == 0) {
            ttl_ms = strtoull((const char *)word.data + 4, NULL, 10);
            continue;
        }
        ephemeral |= memchr(word.data, 'e', word.len) != NULL;
        sequential |= memchr(word.data, 's', word.len) != NULL;
        container |= memchr(word.data, 'c', word.len) != NULL;
    }
    unsigned mode = ephemeral ? TREE_EPHEMERAL : TREE_PERSISTENT;
    if (container)
        mode = TREE_CONTAINER;
    else if (ttl_ms > 0)
        mode = sequential ? TREE_TTL_SEQUENTIAL : TREE_TTL;
    else if (sequential)
        mode += TREE_PERSISTENT_SEQUENTIAL;
    tree_put_create(out, (enum tree_mode)mode, words->at[1], tree_text_data(words, 2), text->acl,
                    text->acl_count, ttl_ms);
}

static inline enum tree_opcode tree_text_opcode(struct bytes word) {
    static const struct {
        const char *word;
        enum tree_opcode opcode;
    } table[] = {{"create", TREE_OP_CREATE},       {"delete", TREE_OP_DELETE},
                 {"set", TREE_OP_SET_DATA},        {"setacl", TREE_OP_SET_ACL},
                 {"check", TREE_OP_CHECK},         {"multi", TREE_OP_MULTI},
                 {"get", TREE_OP_GET_DATA},        {"stat", TREE_OP_EXISTS},
                 {"peek", TREE_OP_PEEK},           {"ls", TREE_OP_GET_CHILDREN},
                 {"acl", TREE_OP_GET_ACL},         {"count", TREE_OP_COUNT_CHILDREN},
                 {"close", TREE_OP_SESSION_CLOSE}, {"ephemerals", TREE_OP_GET_EPHEMERALS}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (bytes_equal(word, bytes_cstr(table[i].word)))
            return table[i].opcode;
    }
    fail_msg("unknown word %.*s", (int)word.len, (const char *)word.data);
    return 0;
}

static inline void tree_text_fields(const struct tree_text *text, struct buf *out,
                                    enum tree_opcode opcode, const struct tree_words *words) {
    switch (opcode) {
    case TREE_OP_CREATE:
        tree_text_create(text, out, words);
        return;
    case TREE_OP_DELETE:
    case TREE_OP_CHECK:
        tree_put_versioned(out, tree_text_number(words, 2, -1), words->at[1]);
        return;
    case TREE_OP_SET_DATA:
        tree_put_set_data(out, tree_text_number(words, 3, -1), words->at[1],
                          tree_text_data(words, 2));
        return;
    case TREE_OP_SET_ACL:
        tree_put_set_acl(out, tree_text_number(words, 2, -1), words->at[1], text->acl,
                         text->acl_count);
        return;
    case TREE_OP_SESSION_CLOSE:
        return;
    default:
        tree_put_path(out, words->at[1]);
    }
}

static inline void tree_text_multi(const struct tree_text *text, struct buf *out,
                                   const char *line) {
    size_t count_at = out->len;
    uint32_t count = 0;
    tree_put_multi(out, 0);
    while (*line != '\0') {
        const char *stop = strstr(line, " ;");
        size_t len = stop ? (size_t)(stop - line) : strlen(line);
        struct tree_words words = tree_text_split(line, len);
        enum tree_opcode opcode = tree_text_opcode(words.at[0]);
        buf_u8(out, (uint8_t)opcode);
        tree_text_fields(text, out, opcode, &words);
        count++;
        line += stop ? len + 2 : len;
    }
    put_u32(out->data + count_at, count);
}

static inline void tree_text_encode(const struct tree_text *text, struct buf *out,
                                    const char *line) {
    struct tree_words words = tree_text_split(line, strlen(line));
    enum tree_opcode opcode = tree_text_opcode(words.at[0]);
    tree_put_head(out, opcode, &text->caller);
    if (opcode == TREE_OP_MULTI)
        tree_text_multi(text, out, line + 6);
    else
        tree_text_fields(text, out, opcode, &words);
}

/* ---- showing ---- */

static inline void tree_text_show_stat(struct buf *out, struct bytes bytes) {
    struct tree_stat stat;
    assert_true(tree_stat_decode(bytes, &stat));
    buf_printf(out, "v%d c%d a%d n%d l%d%s", stat.version, stat.cversion, stat.aversion,
               stat.child_count, stat.data_length, stat.owner != 0 ? " e" : "");
}

static inline void tree_text_show_acl(struct buf *out, struct bytes bytes) {
    struct reader reader = reader_of(bytes);
    struct tree_acl acl;
    uint32_t count = tree_acl_count(&reader);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(tree_acl_next(&reader, &acl));
        buf_printf(out, "%s%.*s:%.*s:%u", i > 0 ? "," : "", (int)acl.id.scheme.len,
                   (const char *)acl.id.scheme.data, (int)acl.id.id.len,
                   (const char *)acl.id.id.data, acl.permissions);
    }
    assert_true(reader_done(&reader));
}

static inline void tree_text_show(struct buf *out, struct reader *reader, bool acl) {
    struct reply_value value;
    assert_true(reply_next(reader, &value));
    switch (value.kind) {
    case REPLY_NIL:
        buf_printf(out, "null");
        return;
    case REPLY_INT:
        buf_printf(out, "%lld", (long long)value.integer);
        return;
    case REPLY_BULK:
        if (value.text.len == TREE_STAT_BYTES)
            tree_text_show_stat(out, value.text);
        else if (acl)
            tree_text_show_acl(out, value.text);
        else
            buf_bytes(out, value.text.len > 0 ? value.text : BYTES("-"));
        return;
    case REPLY_ERROR:
        buf_bytes(out, value.text);
        return;
    default:
        buf_u8(out, '[');
        for (uint32_t i = 0; i < value.count * (value.kind == REPLY_MAP ? 2 : 1); i++) {
            if (i > 0)
                buf_u8(out, ' ');
            tree_text_show(out, reader, acl);
        }
        buf_u8(out, ']');
    }
}

static inline const char *tree_text_shown(struct tree_text *text, bool acl) {
    struct reader reader = reader_of(buf_view(&text->reply));
    struct reply_value head, error, zxid;
    buf_clear(&text->shown);
    assert_true(reply_next(&reader, &head));
    if (head.kind == REPLY_ERROR) {
        buf_bytes(&text->shown, head.text);
    } else {
        assert_true(head.kind == REPLY_ARRAY && head.count >= 2);
        assert_true(reply_next(&reader, &error) && reply_next(&reader, &zxid));
        text->zxid = (uint64_t)zxid.integer;
        if (error.integer == 0)
            buf_printf(&text->shown, "ok");
        else
            buf_printf(&text->shown, "%lld", (long long)error.integer);
        for (uint32_t i = 2; i < head.count; i++) {
            buf_u8(&text->shown, ' ');
            tree_text_show(&text->shown, &reader, acl);
        }
    }
    assert_true(reader_done(&reader));
    buf_u8(&text->shown, 0);
    return (const char *)text->shown.data;
}

/* Applies encoded bytes as the next entry and returns the reply as text. */
static inline const char *tree_text_apply(struct tree_text *text, struct bytes command) {
    buf_clear(&text->reply);
    buf_clear(&text->changes);
    text->context.index++;
    text->context.order += 10;
    machine_tree.apply(text->machine, &text->context, command, &text->reply, &text->changes);
    return tree_text_shown(text, false);
}

static inline const char *tree_text_run(struct tree_text *text, const char *line) {
    struct buf command = {0};
    tree_text_encode(text, &command, line);
    const char *shown;
    if (machine_tree.is_read(buf_view(&command))) {
        buf_clear(&text->reply);
        assert_int_equal(machine_tree.read(text->machine,
                                           &(struct read_context){.time_ms = text->context.time_ms},
                                           buf_view(&command), &text->reply),
                         CAIRN_OK);
        shown = tree_text_shown(text, strncmp(line, "acl ", 4) == 0);
    } else {
        shown = tree_text_apply(text, buf_view(&command));
    }
    buf_free(&command);
    return shown;
}

#define tree_expect(text, line, wanted) assert_string_equal(tree_text_run(text, line), wanted)

/* Changes of the last command: "created /a, children /". */
static inline const char *tree_text_changes(struct tree_text *text) {
    static const char *const names[] = {"?", "created", "deleted", "data", "children"};
    struct reader reader = reader_of(buf_view(&text->changes));
    struct change change;
    buf_clear(&text->shown);
    while (change_next(&reader, &change)) {
        enum tree_event event;
        uint64_t zxid, id;
        struct life_change life;
        const char *comma = text->shown.len > 0 ? ", " : "";
        if (tree_change(&change, &event, &zxid)) {
            assert_true(zxid == text->zxid);
            buf_printf(&text->shown, "%s%s %.*s", comma, names[event], (int)change.key.len,
                       (const char *)change.key.data);
        } else if (change_life(&change, &id, &life)) {
            buf_printf(&text->shown, "%slife %llu", comma, (unsigned long long)life.timeout_ms);
        }
    }
    buf_u8(&text->shown, 0);
    return (const char *)text->shown.data;
}

/* ---- sessions ---- */

/* Opens one and makes it the caller's; returns its id. */
static inline uint64_t tree_text_open_session(struct tree_text *text, uint64_t timeout_ms) {
    static const uint8_t password[TREE_PASSWORD_BYTES] = "secret";
    struct buf command = {0};
    tree_put_head(&command, TREE_OP_SESSION_OPEN, NULL);
    tree_put_session_open(&command, timeout_ms, password, 1);
    tree_text_apply(text, buf_view(&command));
    buf_free(&command);
    struct reader reader = reader_of(buf_view(&text->reply));
    struct reply_value values[5];
    for (int i = 0; i < 5; i++)
        assert_true(reply_next(&reader, &values[i]));
    text->caller.session = (uint64_t)values[3].integer;
    text->caller.holder = (uint64_t)values[4].integer;
    return text->caller.session;
}

static inline const char *tree_text_expire(struct tree_text *text, uint64_t id, uint64_t holder) {
    struct buf command = {0};
    tree_put_head(&command, TREE_OP_SESSION_EXPIRE, NULL);
    tree_put_u64(&command, id);
    tree_put_u64(&command, holder);
    const char *shown = tree_text_apply(text, buf_view(&command));
    buf_free(&command);
    return shown;
}

static inline void tree_text_identity(struct tree_text *text, const char *scheme, const char *id) {
    text->ids[text->caller.id_count++] = (struct tree_id){bytes_cstr(scheme), bytes_cstr(id)};
}

#endif
