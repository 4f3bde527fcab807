/* An intrusive doubly linked list with a sentinel. A leaf: includes nothing but the standard. */
#ifndef CAIRN_BASE_LIST_H
#define CAIRN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *head) {
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head) {
    return head->next == head;
}

static inline void list_push(struct list *head, struct list *item) {
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Also leaves the item as an empty list, so that removing twice is harmless. */
static inline void list_remove(struct list *item) {
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

static inline struct list *list_first(const struct list *head) {
    return head->next == head ? NULL : head->next;
}

#define LIST_EACH(position, head) \
    for (struct list *position = (head)->next; position != (head); position = position->next)

/* The body may remove the item at position. */
#define LIST_EACH_SAFE(position, head)                                            \
    for (struct list *position = (head)->next, *position##_next = position->next; \
         position != (head); position = position##_next, position##_next = position->next)

#endif
