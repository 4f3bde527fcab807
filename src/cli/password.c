/* A password of Redis: from a file or the environment, since a command line can be read by everyone
 * on the machine. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *subcommand, const char *file, const char *what) {
    fprintf(stderr, "cairn %s: the password file %s: %s\n", subcommand, file, what);
    return EXIT_MISUSE;
}

int password_find(const char *subcommand, const char *file, char password[PASSWORD_SIZE]) {
    const char *told = getenv("CAIRN_PASSWORD");
    password[0] = 0;
    if (file == NULL) {
        if (told != NULL && strlen(told) >= PASSWORD_SIZE)
            return misuse(subcommand, "CAIRN_PASSWORD is too long");
        memcpy(password, told ? told : "", told ? strlen(told) + 1 : 1);
        return EXIT_FINE;
    }
    FILE *in = fopen(file, "r");
    if (in == NULL)
        return failed(subcommand, file, strerror(errno));
    bool got = fgets(password, PASSWORD_SIZE, in) != NULL;
    bool whole = got && (strchr(password, '\n') != NULL || fgetc(in) == EOF);
    int why = ferror(in) ? errno : 0;
    fclose(in);
    password[strcspn(password, "\r\n")] = 0;
    if (why != 0)
        return failed(subcommand, file, strerror(why));
    if (got && !whole)
        return failed(subcommand, file, "its first line is too long for a password");
    return password[0] != 0 ? EXIT_FINE : failed(subcommand, file, "its first line is empty");
}
