#include "workload/plan.h"

#include "base/alloc.h"
#include "base/ini.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
    enum plan_layer layer;
    bool lasts;
} kinds[] = {
#define X(constant, name, layer, lasts, text) {name, text, PLAN_##layer, lasts},
    PLAN_FAULT_LIST(X)
#undef X
};

static const char *const whos[] = {
#define X(constant, name) name,
    PLAN_WHO_LIST(X)
#undef X
};

static const char *const directions[] = {"both", "out", "in"};

const char *plan_fault_name(enum plan_fault_kind kind) {
    return kinds[kind].name;
}

const char *plan_fault_text(enum plan_fault_kind kind) {
    return kinds[kind].text;
}

enum plan_layer plan_fault_layer(enum plan_fault_kind kind) {
    return kinds[kind].layer;
}

bool plan_fault_lasts(enum plan_fault_kind kind) {
    return kinds[kind].lasts;
}

/* ---- values ---- */

struct parsing {
    struct plan *plan;
    char *error;
    size_t error_size;
};

static bool wrong(struct parsing *parsing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct parsing *parsing, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(parsing->error, parsing->error_size, format, args);
    va_end(args);
    return false;
}

enum value_kind {
    VALUE_TIME,
    VALUE_TIME_SIGNED,
    VALUE_NUMBER,
    VALUE_SIGNED,
    VALUE_BOOL,
    VALUE_TEXT,
    VALUE_MICROS,
    VALUE_KIND,
    VALUE_CHOICE,
    VALUE_DIRECTION
};

/* Digits with one of the units us, ms, s, min; without a unit seconds. In microseconds. */
static bool parse_time(const char *text, uint64_t *us) {
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"", 1e6}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 6e7}};
    char *end;
    if ((*text < '0' || *text > '9') && *text != '.')
        return false;
    double number = strtod(text, &end);
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0 && number * units[i].us <= 1e15) {
            *us = (uint64_t)(number * units[i].us + 0.5);
            return true;
        }
    return false;
}

static bool parse_choice(const char *text, struct plan_choice *choice) {
    for (size_t i = 0; i < PLAN_WHO_NUMBERS; i++)
        if (strcmp(text, whos[i]) == 0) {
            choice->who = (enum plan_who)i;
            return true;
        }
    choice->who = strcmp(text, "primary") == 0    ? PLAN_WHO_LEADER
                  : strcmp(text, "replica") == 0  ? PLAN_WHO_FOLLOWER
                  : strcmp(text, "replicas") == 0 ? PLAN_WHO_FOLLOWERS
                                                  : PLAN_WHO_NUMBERS;
    if (choice->who != PLAN_WHO_NUMBERS)
        return true;
    choice->numbers = 0;
    for (; *text; text++) {
        if (*text >= '1' && *text <= '9' && (text[1] < '0' || text[1] > '9'))
            choice->numbers |= 1u << (*text - '0');
        else if (*text != ' ' && *text != ',')
            return false;
    }
    return choice->numbers != 0;
}

static bool parse_named(const char *text, const char *const *names, size_t count, int *found) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *found = (int)i;
            return true;
        }
    return false;
}

static bool parse_kind(const char *text, enum plan_fault_kind *kind) {
    for (size_t i = 0; i < PLAN_FAULT_COUNT; i++)
        if (strcmp(text, kinds[i].name) == 0) {
            *kind = (enum plan_fault_kind)i;
            return true;
        }
    return false;
}

static bool parse_signed(const char *text, int64_t *number) {
    char *end;
    *number = strtoll(text, &end, 10);
    return end != text && *end == 0 && *number > -1000000000000 && *number < 1000000000000;
}

/* ---- keys ---- */

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset, size; /* of the field */
};
#define FIELD(type, name, kind, field) \
    { name, kind, offsetof(type, field), sizeof(((type *)0)->field) }

static const struct key fault_keys[] = {
    FIELD(struct plan_fault, "do", VALUE_KIND, kind),
    FIELD(struct plan_fault, "at", VALUE_TIME, at_ms),
    FIELD(struct plan_fault, "for", VALUE_TIME, for_ms),
    FIELD(struct plan_fault, "every", VALUE_TIME, every_ms),
    FIELD(struct plan_fault, "until", VALUE_TIME, until_ms),
    FIELD(struct plan_fault, "spread", VALUE_TIME, spread_ms),
    FIELD(struct plan_fault, "nodes", VALUE_CHOICE, nodes),
    FIELD(struct plan_fault, "to", VALUE_CHOICE, to),
    FIELD(struct plan_fault, "direction", VALUE_DIRECTION, direction),
    FIELD(struct plan_fault, "clients", VALUE_BOOL, clients),
    FIELD(struct plan_fault, "delay", VALUE_TIME, delay_ms),
    FIELD(struct plan_fault, "jitter", VALUE_TIME, jitter_ms),
    FIELD(struct plan_fault, "percent", VALUE_NUMBER, percent),
    FIELD(struct plan_fault, "offset", VALUE_TIME_SIGNED, offset_ms),
    FIELD(struct plan_fault, "ppm", VALUE_SIGNED, rate_ppm),
};

static const struct key run_keys[] = {
    FIELD(struct plan, "about", VALUE_TEXT, about),
    FIELD(struct plan, "target", VALUE_TEXT, run.target),
    FIELD(struct plan, "workload", VALUE_TEXT, run.workload),
    FIELD(struct plan, "level", VALUE_TEXT, run.level),
    FIELD(struct plan, "time", VALUE_TIME, run.time_ms),
    FIELD(struct plan, "heal", VALUE_TIME, run.heal_ms),
    FIELD(struct plan, "timeout", VALUE_TIME, run.timeout_ms),
    FIELD(struct plan, "think", VALUE_MICROS, run.think_us),
    FIELD(struct plan, "set", VALUE_TEXT, run.set),
    FIELD(struct plan, "nodes", VALUE_NUMBER, run.nodes),
    FIELD(struct plan, "clients", VALUE_NUMBER, run.clients),
    FIELD(struct plan, "keys", VALUE_NUMBER, run.keys),
    FIELD(struct plan, "reads", VALUE_NUMBER, run.read_percent),
    FIELD(struct plan, "sync", VALUE_BOOL, run.sync),
    FIELD(struct plan, "stay", VALUE_BOOL, run.stay),
};

static bool set_time(struct parsing *parsing, const struct key *key, const char *value,
                     void *field) {
    bool minus = key->kind == VALUE_TIME_SIGNED && *value == '-';
    uint64_t us;
    if (!parse_time(value + (minus || (key->kind == VALUE_TIME_SIGNED && *value == '+')), &us))
        return wrong(parsing, "%s wants a time as in 500ms, 2s, 1min, not '%s'", key->name, value);
    uint64_t ms = key->kind == VALUE_MICROS ? us : us / 1000;
    if (key->kind == VALUE_TIME_SIGNED)
        *(int64_t *)field = minus ? -(int64_t)ms : (int64_t)ms;
    else
        *(uint64_t *)field = ms;
    return true;
}

static bool wrong_kind(struct parsing *parsing, const char *value) {
    struct buf names = {0};
    for (int kind = 0; kind < PLAN_FAULT_COUNT; kind++)
        buf_printf(&names, " %s", kinds[kind].name);
    wrong(parsing, "there is no fault '%.40s'; there are:%.*s", value, (int)names.len,
          (const char *)names.data);
    buf_free(&names);
    return false;
}

static bool set_word(struct parsing *parsing, const struct key *key, const char *value,
                     void *field) {
    int found;
    switch (key->kind) {
    case VALUE_BOOL:
        *(bool *)field = strcmp(value, "yes") == 0;
        return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ||
               wrong(parsing, "%s is yes or no, not '%s'", key->name, value);
    case VALUE_KIND:
        return parse_kind(value, field) || wrong_kind(parsing, value);
    case VALUE_CHOICE:
        return parse_choice(value, field) ||
               wrong(parsing,
                     "%s wants any, leader, follower, followers, minority, majority, all, others, "
                     "clients, or numbers from 1 to 9, not '%s'",
                     key->name, value);
    case VALUE_DIRECTION:
        if (!parse_named(value, directions, 3, &found))
            return wrong(parsing, "direction is both, out or in, not '%s'", value);
        *(enum plan_direction *)field = (enum plan_direction)found;
        return true;
    default:
        if (strlen(value) >= key->size)
            return wrong(parsing, "%s is too long", key->name);
        memcpy(field, value, strlen(value) + 1);
        return true;
    }
}

static bool set_field(struct parsing *parsing, const struct key *key, const char *value,
                      void *base) {
    void *field = (char *)base + key->offset;
    int64_t number;
    switch (key->kind) {
    case VALUE_TIME:
    case VALUE_TIME_SIGNED:
    case VALUE_MICROS:
        return set_time(parsing, key, value, field);
    case VALUE_NUMBER:
    case VALUE_SIGNED:
        if (!parse_signed(value, &number) || (number < 0 && key->kind == VALUE_NUMBER))
            return wrong(parsing, "%s wants a number, not '%s'", key->name, value);
        *(int64_t *)field = number; /* a non-negative one is the same in a uint64_t */
        return true;
    default:
        return set_word(parsing, key, value, field);
    }
}

static bool set_key(struct parsing *parsing, const struct key *keys, size_t count, const char *name,
                    const char *value, void *base) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return set_field(parsing, &keys[i], value, base);
    return wrong(parsing, "there is no key '%s' here", name);
}

/* ---- the file ---- */

static struct plan_fault *fault_named(struct parsing *parsing, const char *name) {
    struct plan *plan = parsing->plan;
    for (uint32_t i = 0; i < plan->fault_count; i++)
        if (strcmp(plan->faults[i].name, name) == 0)
            return &plan->faults[i];
    if (plan->fault_count == PLAN_FAULTS_MAX || strlen(name) >= sizeof plan->faults->name) {
        wrong(parsing, plan->fault_count == PLAN_FAULTS_MAX ? "more than 64 faults"
                                                            : "a fault's name is too long");
        return NULL;
    }
    struct plan_fault *fault = &plan->faults[plan->fault_count++];
    *fault = (struct plan_fault){
        .kind = PLAN_FAULT_COUNT, .to = {.who = PLAN_WHO_OTHERS}, .nodes = {.who = PLAN_WHO_COUNT}};
    memcpy(fault->name, name, strlen(name) + 1);
    return fault;
}

static bool on_pair(void *context, const char *section, const char *key, const char *value) {
    struct parsing *parsing = context;
    if (strcmp(section, "run") == 0)
        return set_key(parsing, run_keys, sizeof run_keys / sizeof *run_keys, key, value,
                       parsing->plan);
    if (strncmp(section, "fault ", 6) != 0)
        return wrong(parsing, "there is no section [%s]: [run] and [fault NAME] are known",
                     section);
    struct plan_fault *fault = fault_named(parsing, section + 6);
    return fault != NULL &&
           set_key(parsing, fault_keys, sizeof fault_keys / sizeof *fault_keys, key, value, fault);
}

static bool complete(struct parsing *parsing, struct plan_fault *fault) {
    if (fault->kind == PLAN_FAULT_COUNT)
        return wrong(parsing, "[fault %s] lacks its do = ...", fault->name);
    if (fault->nodes.who == PLAN_WHO_COUNT)
        fault->nodes.who = fault->kind == PLAN_PARTITION ? PLAN_WHO_MINORITY : PLAN_WHO_ANY;
    if (fault->nodes.who == PLAN_WHO_OTHERS || fault->nodes.who == PLAN_WHO_CLIENTS)
        return wrong(parsing, "[fault %s]: nodes must be nodes", fault->name);
    if (fault->percent > 100)
        return wrong(parsing, "[fault %s]: percent is at most 100", fault->name);
    if (fault->every_ms > 0 && fault->every_ms < 10)
        return wrong(parsing, "[fault %s]: every is at least 10ms", fault->name);
    if (fault->rate_ppm < -900000 || fault->rate_ppm > 9000000)
        return wrong(parsing, "[fault %s]: ppm is from -900000 to 9000000", fault->name);
    if (kinds[fault->kind].lasts && fault->for_ms == 0)
        fault->for_ms = 1000;
    if (!kinds[fault->kind].lasts)
        fault->for_ms = 0;
    return true;
}

bool plan_parse(struct plan *plan, struct bytes text, char *error, size_t error_size) {
    *plan = (struct plan){.run.read_percent = UINT64_MAX};
    char why[500] = "it is not a line of key = value";
    struct parsing parsing = {plan, why, sizeof why};
    int line = ini_text(text, on_pair, &parsing);
    if (line != 0) {
        snprintf(error, error_size, "line %d: %s", line, why);
        return false;
    }
    for (uint32_t i = 0; i < plan->fault_count; i++)
        if (!complete(&parsing, &plan->faults[i])) {
            snprintf(error, error_size, "%s", why);
            return false;
        }
    return true;
}

void plan_free(struct plan *plan) {
    cairn_free(plan->events);
    plan->events = NULL;
}

/* ---- printing ---- */

static void print_choice(const struct plan_choice *choice, struct buf *out) {
    if (choice->who != PLAN_WHO_NUMBERS) {
        buf_printf(out, "%s", whos[choice->who]);
        return;
    }
    const char *between = "";
    for (unsigned n = 1; n <= PLAN_NODES_MAX; n++)
        if (choice->numbers >> n & 1) {
            buf_printf(out, "%s%u", between, n);
            between = " ";
        }
}

static void print_extras(const struct plan_fault *fault, const char *form, struct buf *out) {
    const struct {
        const char *name, *unit;
        int64_t value;
    } extras[] = {{"delay", "ms", (int64_t)fault->delay_ms},
                  {"jitter", "ms", (int64_t)fault->jitter_ms},
                  {"percent", "", (int64_t)fault->percent},
                  {"offset", "ms", fault->offset_ms},
                  {"ppm", "", fault->rate_ppm}};
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (extras[i].value != 0) {
            char text[40];
            snprintf(text, sizeof text, "%lld%s", (long long)extras[i].value, extras[i].unit);
            buf_printf(out, form[0] == '\n' ? "%s = %s\n" : " %s %s", extras[i].name, text);
        }
}

void plan_describe(const struct plan_fault *fault, struct buf *out) {
    buf_printf(out, "%s ", kinds[fault->kind].name);
    print_choice(&fault->nodes, out);
    if (fault->to.who != PLAN_WHO_OTHERS) {
        buf_printf(out, " to ");
        print_choice(&fault->to, out);
    }
    print_extras(fault, " ", out);
}

static void print_event(const struct plan_event *event, uint32_t number, struct buf *out) {
    const struct plan_fault *fault = event->fault;
    buf_printf(out, "\n[fault %u %s]\ndo = %s\nat = %llums\nnodes = ", number,
               kinds[fault->kind].name, kinds[fault->kind].name, (unsigned long long)event->at_ms);
    print_choice(&fault->nodes, out);
    buf_printf(out, "\n");
    if (event->for_ms != 0)
        buf_printf(out, "for = %llums\n", (unsigned long long)event->for_ms);
    if (fault->to.who != PLAN_WHO_OTHERS) {
        buf_printf(out, "to = ");
        print_choice(&fault->to, out);
        buf_printf(out, "\n");
    }
    if (fault->direction != PLAN_BOTH)
        buf_printf(out, "direction = %s\n", directions[fault->direction]);
    if (fault->clients)
        buf_printf(out, "clients = yes\n");
    print_extras(fault, "\n", out);
}

void plan_print(const struct plan *plan, const struct plan_event *events, uint32_t count,
                struct buf *out) {
    buf_printf(out, "[run]\n");
    const struct key *key = run_keys;
    for (size_t i = 0; i < sizeof run_keys / sizeof *run_keys; i++, key++) {
        const void *field = (const char *)plan + key->offset;
        uint64_t number = 0;
        if (key->kind == VALUE_TEXT) {
            if (*(const char *)field)
                buf_printf(out, "%s = %s\n", key->name, (const char *)field);
        } else if (key->kind == VALUE_BOOL) {
            if (*(const bool *)field)
                buf_printf(out, "%s = yes\n", key->name);
        } else {
            memcpy(&number, field, sizeof number);
            if (number != 0 && number != UINT64_MAX)
                buf_printf(out, "%s = %llu%s\n", key->name, (unsigned long long)number,
                           key->kind == VALUE_TIME     ? "ms"
                           : key->kind == VALUE_MICROS ? "us"
                                                       : "");
        }
    }
    for (uint32_t i = 0; i < count; i++)
        print_event(&events[i], i + 1, out);
}
