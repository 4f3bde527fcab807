/* The command line: one subcommand a file, all in one table (main.c). Exit codes: 0 fine, 1 the
 * answer is no (or it failed), 2 undecided, 3 misuse or bad input.
 */
#ifndef CAIRN_CLI_H
#define CAIRN_CLI_H

#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_FINE = 0, EXIT_NO = 1, EXIT_UNDECIDED = 2, EXIT_MISUSE = 3 };
const char *exit_code_text(int code); /* NULL: there is no such */

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
    const char *summary;               /* NULL: not listed */
    const char *help;                  /* usage, options, examples */
};
const struct subcommand *subcommand_at(int n); /* NULL at the end */

int cmd_dev(int argc, char **argv);
int cmd_server(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_member(int argc, char **argv);
int cmd_leader(int argc, char **argv);
int cmd_shell(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_sim_cores(int argc, char **argv);  /* of cmd_sim, with --cores */
int cmd_sim_search(int argc, char **argv); /* of that, with --exhaustive */
int cmd_sim_power(int argc, char **argv);  /* of cmd_sim, with --power */
int cmd_torture(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_gen(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_shrink(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_place(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_zk(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_reference(int argc, char **argv);

/* ---- flags (flags.c) ---- */

/* "--name value", "--name=value" or, for FLAG_SWITCH, "--name"; names of one letter as "-o value".
 */
enum flag_kind { FLAG_SWITCH, FLAG_TEXT, FLAG_NUMBER };
struct flag {
    const char *name; /* without dashes */
    enum flag_kind kind;
    void *value; /* bool *, const char **, uint64_t * */
};
/* Takes flags out of argv; what is left are the operands (*argc, from argv[1]). False: misuse, and
 * a sentence was printed. --help is answered by the caller's table before. */
bool flags_parse(int *argc, char **argv, const struct flag *flags, size_t count);
/* Prints "cairn NAME: ..." to standard error; returns EXIT_MISUSE. */
int misuse(const char *subcommand, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A typed line's words, with double quotes around those that hold blanks; the line is cut up. At
 * most max, and NULL behind the last. */
int words_split(char *line, char **words, int max);
bool parse_number(const char *text, uint64_t *value);
/* "17" or "1-1000" (cmd_sim.c). */
bool seeds_parse(const char *text, uint64_t *first, uint64_t *last);
/* Leaves *mutant when name is NULL. False: no seeded bug has that name, and all were listed. */
bool mutant_parse(const char *subcommand, const char *name, enum mutant *mutant);
/* host:port with a port from 1 to 65535. */
bool address_is_one(const char *text);

/* ---- passwords (password.c) ---- */

#define PASSWORD_SIZE 128u
/* The first line of the file; without one, CAIRN_PASSWORD; else empty. Not EXIT_FINE: what to end
 * with, and a sentence was printed. */
int password_find(const char *subcommand, const char *file, char password[PASSWORD_SIZE]);

/* ---- one request, one answer (call.c) ---- */

struct call_reply {
    enum cairn_status status;
    struct buf value; /* the RESP value as it came */
};
/* Sends one command and waits for its reply, at most timeout_ms. NULL address: 127.0.0.1:7001. With
 * a password, AUTH goes before; when that is refused, its reply is the answer. */
void call_command(const char *address, const char *password, uint64_t timeout_ms,
                  const char *const *words, struct call_reply *reply);
/* A readable form of a RESP value, as redis-cli prints it. */
void call_print(struct bytes value);
const char *call_address(const char *given);

#endif
