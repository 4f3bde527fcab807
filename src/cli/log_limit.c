#include "cli/log_limit.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull

/* The text with each number as one digit. */
static uint64_t shape_of(const char *text) {
    char shape[LOG_LIMIT_TEXT];
    size_t len = 0;
    for (; *text != 0 && len < sizeof shape; text++) {
        bool digit = *text >= '0' && *text <= '9';
        if (!digit || len == 0 || shape[len - 1] != '0')
            shape[len++] = digit ? '0' : *text;
    }
    return bytes_hash(bytes_of((const uint8_t *)shape, len), 0) | 1;
}

static void tell_held(const struct log_shape *shape, uint64_t now_ns, log_limit_tell *tell,
                      void *context) {
    char text[LOG_LIMIT_TEXT + 80];
    if (shape->held == 0)
        return;
    snprintf(text, sizeof text, "repeated %llu times in %llu s, the last: %s",
             (unsigned long long)shape->held,
             (unsigned long long)((now_ns - shape->began_ns) / SECOND_NS), shape->last);
    tell(context, shape->level, text);
}

static void next_window(struct log_shape *shape, uint64_t now_ns) {
    if (shape->held == 0) {
        shape->shape = 0;
        return;
    }
    shape->held = 0;
    shape->began_ns = now_ns;
    shape->window_ns *= 2;
    if (shape->window_ns > LOG_LIMIT_WINDOW_MOST_NS)
        shape->window_ns = LOG_LIMIT_WINDOW_MOST_NS;
}

void log_limit_turn(struct log_limit *limit, uint64_t now_ns, log_limit_tell *tell, void *context) {
    if (now_ns < limit->next_ns)
        return;
    limit->next_ns = UINT64_MAX;
    for (size_t i = 0; i < LOG_LIMIT_SHAPES; i++) {
        struct log_shape *shape = &limit->shapes[i];
        if (shape->shape != 0 && now_ns - shape->began_ns >= shape->window_ns) {
            tell_held(shape, now_ns, tell, context);
            next_window(shape, now_ns);
        }
        if (shape->shape != 0 && shape->began_ns + shape->window_ns < limit->next_ns)
            limit->next_ns = shape->began_ns + shape->window_ns;
    }
}

void log_limit_end(struct log_limit *limit, uint64_t now_ns, log_limit_tell *tell, void *context) {
    for (size_t i = 0; i < LOG_LIMIT_SHAPES; i++) {
        if (limit->shapes[i].shape != 0)
            tell_held(&limit->shapes[i], now_ns, tell, context);
        limit->shapes[i].shape = 0;
    }
}

/* Its entry, or the one that was unused for longest. */
static struct log_shape *find(struct log_limit *limit, uint64_t shape, int level) {
    struct log_shape *oldest = &limit->shapes[0];
    for (size_t i = 0; i < LOG_LIMIT_SHAPES; i++) {
        struct log_shape *each = &limit->shapes[i];
        if (each->shape == shape && each->level == level)
            return each;
        if (oldest->shape != 0 && (each->shape == 0 || each->used_ns < oldest->used_ns))
            oldest = each;
    }
    return oldest;
}

/* Whether the shape has room for a line of these words. */
static bool pass(struct log_shape *shape, uint64_t words, int level) {
    for (uint32_t i = 0; i < shape->through_count; i++)
        if (shape->through[i].words == words && level >= 2)
            return shape->through[i].count++ < LOG_LIMIT_SAME;
    if (shape->through_count == LOG_LIMIT_ALIKE)
        return false;
    shape->through[shape->through_count].words = words;
    shape->through[shape->through_count++].count = 1;
    return true;
}

bool log_limit_line(struct log_limit *limit, uint64_t now_ns, int level, const char *text,
                    log_limit_tell *tell, void *context) {
    log_limit_turn(limit, now_ns, tell, context);
    if (level == 0)
        return true;
    uint64_t shape = shape_of(text);
    struct log_shape *entry = find(limit, shape, level);
    if (entry->shape != shape || entry->level != level) {
        if (entry->shape != 0)
            tell_held(entry, now_ns, tell, context);
        *entry = (struct log_shape){
            .shape = shape, .level = level, .began_ns = now_ns, .window_ns = LOG_LIMIT_WINDOW_NS};
        if (now_ns + LOG_LIMIT_WINDOW_NS < limit->next_ns || limit->next_ns == 0)
            limit->next_ns = now_ns + LOG_LIMIT_WINDOW_NS;
    }
    entry->used_ns = now_ns;
    if (pass(entry, bytes_hash(bytes_cstr(text), 0), level))
        return true;
    entry->held++;
    snprintf(entry->last, sizeof entry->last, "%s", text);
    return false;
}
