#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int misuse(const char *subcommand, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "cairn %s: ", subcommand);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nSee cairn %s --help\n", subcommand);
    va_end(args);
    return EXIT_MISUSE;
}

bool parse_number(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == 0;
}

bool address_is_one(const char *text) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    return colon != NULL && colon != text && parse_number(colon + 1, &port) && port > 0 &&
           port < 65536;
}

static const struct flag *find(const struct flag *flags, size_t count, const char *name,
                               size_t len) {
    for (size_t i = 0; i < count; i++)
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    return NULL;
}

static bool take(const char *subcommand, const struct flag *flag, const char *value) {
    switch (flag->kind) {
    case FLAG_SWITCH:
        *(bool *)flag->value = true;
        return true;
    case FLAG_TEXT:
        *(const char **)flag->value = value;
        return true;
    case FLAG_NUMBER:
        if (parse_number(value, flag->value))
            return true;
        misuse(subcommand, "--%s wants a number, not '%s'", flag->name, value);
        return false;
    }
    return false;
}

bool flags_parse(int *argc, char **argv, const struct flag *flags, size_t count) {
    int operands = 1;
    for (int i = 1; i < *argc; i++) {
        bool letter = argv[i][0] == '-' && argv[i][1] != '-' && argv[i][1] != 0 &&
                      argv[i][2] == 0 && find(flags, count, argv[i] + 1, 1) != NULL;
        if (!letter && (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == 0)) {
            argv[operands++] = argv[i];
            continue;
        }
        const char *name = argv[i] + (letter ? 1 : 2);
        const char *equals = strchr(name, '=');
        const struct flag *flag =
            find(flags, count, name, equals ? (size_t)(equals - name) : strlen(name));
        if (flag == NULL) {
            misuse(argv[0], "unknown flag '%s'", argv[i]);
            return false;
        }
        const char *value = equals ? equals + 1 : NULL;
        if (flag->kind == FLAG_SWITCH && equals) {
            misuse(argv[0], "--%s takes no value", flag->name);
            return false;
        }
        if (flag->kind != FLAG_SWITCH && value == NULL) {
            if (++i >= *argc) {
                misuse(argv[0], "--%s wants a value", flag->name);
                return false;
            }
            value = argv[i];
        }
        if (!take(argv[0], flag, value))
            return false;
    }
    *argc = operands;
    return true;
}

int words_split(char *line, char **words, int max) {
    int count = 0;
    char *at = line;
    while (count < max) {
        at += strspn(at, " \t");
        if (*at == 0)
            break;
        if (*at == '"') {
            words[count++] = ++at;
            at += strcspn(at, "\"");
        } else {
            words[count++] = at;
            at += strcspn(at, " \t");
        }
        if (*at == 0)
            break;
        *at++ = 0;
    }
    words[count] = NULL;
    return count;
}
