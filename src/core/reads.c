#include "core/reads.h"

#include "base/alloc.h"

static size_t most(const struct reads *reads) {
    return reads->few ? READS_FEW : READS_MAX;
}

static void push(struct read_list *list, struct read_item read) {
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 32;
        list->items = cairn_realloc(list->items, list->cap * sizeof *list->items);
    }
    list->items[list->count++] = read;
}

void reads_free(struct reads *reads) {
    cairn_free(reads->leading.items);
    cairn_free(reads->asked.items);
    cairn_free(reads->waiting.items);
    cairn_free(reads->answers);
}

void reads_answer(struct reads *reads, struct read_item read, enum cairn_status status,
                  uint64_t index) {
    if (read.from == 0) {
        struct effect *effect = outbox_emit(reads->out, EFFECT_READ_READY);
        effect->read_ready.tag = read.tag;
        effect->read_ready.status = status;
        effect->read_ready.index = index;
        return;
    }
    if (reads->answer_count == reads->answer_cap) {
        reads->answer_cap = reads->answer_cap ? reads->answer_cap * 2 : 16;
        reads->answers = cairn_realloc(reads->answers, reads->answer_cap * sizeof *reads->answers);
    }
    reads->answers[reads->answer_count++] =
        (struct read_answer){read.from, read.tag, index, status};
}

static void refuse(struct reads *reads, struct read_list *list, enum cairn_status status) {
    for (size_t i = 0; i < list->count; i++)
        reads_answer(reads, list->items[i], status, 0);
    list->count = 0;
}

void reads_refuse_all(struct reads *reads, enum cairn_status status) {
    refuse(reads, &reads->leading, status);
    refuse(reads, &reads->asked, status);
    refuse(reads, &reads->waiting, status);
    reads->request = 0;
}

/* ---- the leader ---- */

void reads_lead(struct reads *reads, struct read_item read, uint64_t round, uint64_t commit,
                uint64_t deadline) {
    if (reads->leading.count >= most(reads)) {
        reads_answer(reads, read, CAIRN_BUSY, 0);
        return;
    }
    read.round = round;
    read.index = commit;
    read.deadline = deadline;
    push(&reads->leading, read);
}

bool reads_advance(struct reads *reads, uint64_t round, uint64_t confirmed, uint64_t commit) {
    bool wants_round = false;
    size_t left = 0;
    for (size_t i = 0; i < reads->leading.count; i++) {
        struct read_item *read = &reads->leading.items[i];
        if (read->index == 0)
            read->index = commit;
        if (read->index != 0 && read->round <= confirmed) {
            reads_answer(reads, *read, CAIRN_OK, read->index);
            continue;
        }
        wants_round |= read->round > round;
        reads->leading.items[left++] = *read;
    }
    reads->leading.count = left;
    return wants_round && confirmed >= round;
}

void reads_tick_leader(struct reads *reads, uint64_t now) {
    if (reads->leading.count > 0 && now >= reads->leading.items[0].deadline)
        refuse(reads, &reads->leading, CAIRN_NO_QUORUM);
}

/* ---- a follower ---- */

void reads_follow(struct reads *reads, uint64_t tag) {
    struct read_item read = {.tag = tag};
    if (reads->waiting.count >= most(reads))
        reads_answer(reads, read, CAIRN_BUSY, 0);
    else
        push(reads->joins && reads->request != 0 ? &reads->asked : &reads->waiting, read);
}

bool reads_ask(struct reads *reads, uint64_t deadline) {
    if (reads->request != 0 || reads->waiting.count == 0)
        return false;
    struct read_list swap = reads->asked;
    reads->asked = reads->waiting;
    reads->waiting = swap;
    reads->waiting.count = 0;
    reads->request = ++reads->ids;
    reads->request_deadline = deadline;
    return true;
}

void reads_answered(struct reads *reads, uint64_t request, uint64_t status, uint64_t index) {
    if (reads->request == 0 || request != reads->request)
        return;
    enum cairn_status known =
        status < CAIRN_STATUS_COUNT ? (enum cairn_status)status : CAIRN_NO_QUORUM;
    reads->request = 0;
    for (size_t i = 0; i < reads->asked.count; i++)
        reads_answer(reads, reads->asked.items[i], known, index);
    reads->asked.count = 0;
}

void reads_tick_follower(struct reads *reads, uint64_t now) {
    if (reads->request != 0 && now >= reads->request_deadline)
        reads_refuse_all(reads, CAIRN_NO_QUORUM);
}
