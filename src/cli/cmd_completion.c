/* cairn completion: a completion script for bash, from the table of subcommands. */
#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool named_before(const char *help, const char *flag, size_t len) {
    for (const char *at = strstr(help, "--"); at != NULL && at < flag; at = strstr(at + 2, "--"))
        if (memcmp(at, flag, len) == 0 && !islower((unsigned char)at[len]) && at[len] != '-')
            return true;
    return false;
}

/* The flags that a subcommand's help names. */
static void print_flags(const char *help) {
    for (const char *at = strstr(help, "--"); at != NULL; at = strstr(at, "--")) {
        size_t len = 2;
        while (islower((unsigned char)at[len]) || at[len] == '-')
            len++;
        if (len > 2 && !named_before(help, at, len))
            printf(" %.*s", (int)len, at);
        at += len;
    }
}

int cmd_completion(int argc, char **argv) {
    if (argc != 2 || strcmp(argv[1], "bash") != 0)
        return misuse("completion", "bash is the one shell known");
    printf("_cairn() {\n    local word=${COMP_WORDS[COMP_CWORD]} words\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n        words=\"");
    for (int i = 0; subcommand_at(i) != NULL && subcommand_at(i)->summary != NULL; i++)
        printf("%s ", subcommand_at(i)->name);
    printf("\"\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (int i = 0; subcommand_at(i) != NULL; i++) {
        printf("        %s) words=\"", subcommand_at(i)->name);
        print_flags(subcommand_at(i)->help);
        printf(" --help\" ;;\n");
    }
    printf("        esac\n    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "    [ ${#COMPREPLY[@]} = 0 ] && COMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
           "complete -F _cairn cairn\n");
    return EXIT_FINE;
}
