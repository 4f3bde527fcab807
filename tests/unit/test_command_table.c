/* The front end's command table against the machine's, row by row. */
#include "front/redis/redis_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct kv_row {
    enum kv_opcode opcode;
    const char *name;
    int arity;
    uint32_t flags;
    int first_key, last_key, key_step;
} machine_rows[] = {
#define X(constant, opcode, name, arity, flags, first, last, step, handler) \
    {KV_##constant, name, arity, flags, first, last, step},
    KV_COMMAND_LIST(X)
#undef X
};
#define MACHINE_ROWS (sizeof machine_rows / sizeof *machine_rows)

static const struct kv_row *machine_row(enum kv_opcode opcode) {
    for (size_t i = 0; i < MACHINE_ROWS; i++)
        if (machine_rows[i].opcode == opcode)
            return &machine_rows[i];
    return NULL;
}

static void rows_of_the_machine_equal_the_machines(void **state) {
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *command = command_at(i);
        if (command->opcode == 0)
            continue;
        const struct kv_row *row = machine_row(command->opcode);
        assert_non_null(row);
        assert_string_equal(command->name, row->name);
        assert_int_equal(command->arity, row->arity);
        assert_int_equal(command->kv_flags, row->flags);
        assert_int_equal(command->first_key, row->first_key);
        assert_int_equal(command->last_key, row->last_key);
        assert_int_equal(command->key_step, row->key_step);
    }
}

static void every_command_of_the_machine_for_clients_is_in_the_table(void **state) {
    for (size_t i = 0; i < MACHINE_ROWS; i++) {
        const struct command *command = command_find(bytes_cstr(machine_rows[i].name));
        if (machine_rows[i].flags & KV_INTERNAL)
            assert_null(command);
        else
            assert_true(command != NULL && command->opcode == machine_rows[i].opcode);
    }
}

static void names_are_found_in_any_case_and_are_there_once(void **state) {
    for (size_t i = 0; i < command_count(); i++) {
        char lower[64];
        const char *name = command_at(i)->name;
        size_t len = strlen(name);
        for (size_t c = 0; c <= len; c++)
            lower[c] = name[c] >= 'A' && name[c] <= 'Z' ? (char)(name[c] + 32) : name[c];
        assert_ptr_equal(command_find(bytes_cstr(lower)), command_at(i));
        assert_ptr_equal(command_find(bytes_cstr(name)), command_at(i));
        assert_false(command_is_foreign(bytes_cstr(name)));
        assert_null(command_find(bytes_of(name, len - 1)) == command_at(i) ? name : NULL);
    }
    assert_null(command_find(BYTES("")));
    assert_null(command_find(BYTES("GET\0")));
    assert_true(command_is_foreign(BYTES("hset")));
    assert_null(command_at(command_count()));
}

static void every_row_has_its_words(void **state) {
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *command = command_at(i);
        assert_true(strlen(command->summary) > 5 && strlen(command->group) > 3);
        assert_non_null(command->run);
        assert_true(command->arity != 0);
        struct redis_command_help help;
        assert_true(redis_command_help_at(i, &help));
        assert_string_equal(help.name, command->name);
    }
}

static void subcommands_fit_by_name_and_number_of_arguments(void **state) {
    const struct command *client = command_find(BYTES("client"));
    struct bytes args[] = {BYTES("client"), BYTES("getname"), BYTES("x")};
    assert_int_equal(subcommand_fit(client, args, 2), SUBCOMMAND_FITS);
    assert_int_equal(subcommand_fit(client, args, 3), SUBCOMMAND_ARITY);
    args[1] = BYTES("nosuch");
    assert_int_equal(subcommand_fit(client, args, 2), SUBCOMMAND_UNKNOWN);
    assert_int_equal(subcommand_fit(command_find(BYTES("get")), args, 2), SUBCOMMAND_FITS);
    assert_int_equal(subcommand_fit(command_find(BYTES("command")), args, 1), SUBCOMMAND_FITS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_machine_equal_the_machines),
        cmocka_unit_test(every_command_of_the_machine_for_clients_is_in_the_table),
        cmocka_unit_test(names_are_found_in_any_case_and_are_there_once),
        cmocka_unit_test(every_row_has_its_words),
        cmocka_unit_test(subcommands_fit_by_name_and_number_of_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
