#include "machine/kv/kv_internal.h"

#include "base/alloc.h"

#include <string.h>

struct lcs {
    struct bytes a, b;
    uint32_t *table; /* (a.len + 1) x (b.len + 1): length of the subsequence of two prefixes */
    bool index, length, with_lengths;
    int64_t min_len;
};

static uint32_t *cell(const struct lcs *lcs, size_t i, size_t j) {
    return &lcs->table[i * (lcs->b.len + 1) + j];
}

static bool take_options(struct kv_call *call, struct lcs *lcs) {
    for (size_t i = 2; i < call->argc; i++) {
        if (kv_arg_is(call, i, "IDX"))
            lcs->index = true;
        else if (kv_arg_is(call, i, "LEN"))
            lcs->length = true;
        else if (kv_arg_is(call, i, "WITHMATCHLEN"))
            lcs->with_lengths = true;
        else if (kv_arg_is(call, i, "MINMATCHLEN") && i + 1 < call->argc) {
            if (!kv_arg_int(call, ++i, &lcs->min_len))
                return false;
        } else {
            kv_reply_syntax(call);
            return false;
        }
    }
    if (lcs->index && lcs->length) {
        reply_error(call->reply,
                    "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static void fill_table(struct kv_call *call, struct lcs *lcs) {
    size_t rows = lcs->a.len + 1, columns = lcs->b.len + 1;
    lcs->table = cairn_alloc(rows * columns * sizeof *lcs->table);
    memset(lcs->table, 0, columns * sizeof *lcs->table);
    for (size_t i = 1; i < rows && !kv_view_over(call->view); i++) {
        *cell(lcs, i, 0) = 0;
        work_charge(call->view->work, 2 * columns);
        for (size_t j = 1; j < columns; j++) {
            uint32_t up = *cell(lcs, i - 1, j), left = *cell(lcs, i, j - 1);
            if (lcs->a.data[i - 1] == lcs->b.data[j - 1])
                *cell(lcs, i, j) = *cell(lcs, i - 1, j - 1) + 1;
            else
                *cell(lcs, i, j) = up > left ? up : left;
        }
    }
}

/* Moves *i and *j from the ends of two prefixes to where their last common run ends, then returns
 * that run's length and leaves them at its start. 0: no more runs. */
static size_t last_run(const struct lcs *lcs, size_t *i, size_t *j) {
    while (*i > 0 && *j > 0 && lcs->a.data[*i - 1] != lcs->b.data[*j - 1]) {
        if (*cell(lcs, *i - 1, *j) > *cell(lcs, *i, *j - 1))
            --*i;
        else
            --*j;
    }
    size_t run = 0;
    while (*i > 0 && *j > 0 && lcs->a.data[*i - 1] == lcs->b.data[*j - 1]) {
        --*i;
        --*j;
        run++;
    }
    return run;
}

static void reply_range(struct buf *out, size_t first, size_t len) {
    reply_array(out, 2);
    reply_int(out, (int64_t)first);
    reply_int(out, (int64_t)(first + len - 1));
}

static void reply_index(struct kv_call *call, const struct lcs *lcs) {
    size_t i = lcs->a.len, j = lcs->b.len, run;
    uint32_t count = 0;
    reply_map(call->reply, 2);
    reply_bulk(call->reply, BYTES("matches"));
    size_t head = call->reply->len;
    reply_array(call->reply, 0);
    while ((run = last_run(lcs, &i, &j)) > 0) {
        if ((int64_t)run < lcs->min_len)
            continue;
        reply_array(call->reply, lcs->with_lengths ? 3 : 2);
        reply_range(call->reply, i, run);
        reply_range(call->reply, j, run);
        if (lcs->with_lengths)
            reply_int(call->reply, (int64_t)run);
        count++;
    }
    reply_patch_count(call->reply, head, count);
    reply_bulk(call->reply, BYTES("len"));
    reply_int(call->reply, *cell(lcs, lcs->a.len, lcs->b.len));
}

static void reply_subsequence(struct kv_call *call, const struct lcs *lcs) {
    size_t i = lcs->a.len, j = lcs->b.len, run;
    size_t left = *cell(lcs, i, j);
    uint8_t *text = cairn_alloc(left + 1);
    struct bytes whole = bytes_of(text, left);
    while ((run = last_run(lcs, &i, &j)) > 0) {
        left -= run;
        memcpy(text + left, lcs->a.data + i, run);
    }
    reply_bulk(call->reply, whole);
    cairn_free(text);
}

void kv_do_lcs(struct kv_call *call) {
    struct lcs lcs = {0};
    const struct vmap_item *a, *b;
    a = kv_view_get(call->view, call->args[0]);
    b = kv_view_get(call->view, call->args[1]);
    if ((a != NULL && !kv_is_string(a)) || (b != NULL && !kv_is_string(b))) {
        reply_error(call->reply, "ERR The specified keys must contain string values");
        return;
    }
    if (!take_options(call, &lcs))
        return;
    struct kv_value left = kv_value_of(call->view, a), right = kv_value_of(call->view, b);
    uint64_t work = (left.len + 1) * (right.len + 1);
    uint64_t work_max = call->view->machine->options.work_max;
    if (work > work_max) {
        reply_errorf(call->reply,
                     "ERR LCS would take too long: the lengths multiply to %llu, the limit is "
                     "%llu; compare shorter strings",
                     (unsigned long long)work, (unsigned long long)work_max);
        return;
    }
    struct buf room[2] = {{0}, {0}};
    lcs.a = kv_value_gather(call->view, &left, &room[0]);
    lcs.b = kv_value_gather(call->view, &right, &room[1]);
    fill_table(call, &lcs);
    if (kv_view_over(call->view))
        reply_nil(call->reply);
    else if (lcs.index)
        reply_index(call, &lcs);
    else if (lcs.length)
        reply_int(call->reply, *cell(&lcs, lcs.a.len, lcs.b.len));
    else
        reply_subsequence(call, &lcs);
    cairn_free(lcs.table);
    buf_free(&room[0]);
    buf_free(&room[1]);
}
