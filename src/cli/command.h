/* Commands of the program: one const record each, in one table; parsing, --help and dispatch come from it.
 *
 * Main thread only. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"

#define EXIT_OK 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct cli_option {
    const char *name;  /* "account": --account */
    const char *value; /* what the value is called in the help; NULL: a flag */
    const char *help;
};

#define CLI_OPTIONS_MAX 12
#define CLI_ARGUMENTS_MAX 64

struct invocation;

struct command {
    const char *name;      /* "key create" */
    const char *arguments; /* "NAME AMOUNT"; NULL: takes none */
    const char *summary;   /* one line */
    const char *teaching;  /* paragraphs and examples shown by --help */
    int arguments_min, arguments_max;
    const struct cli_option *options;          /* ended by an empty name; the common ones are added */
    int (*run)(const struct invocation *call); /* the exit code */
};

struct invocation {
    const struct command *command;
    const char *program;
    const char *values[CLI_OPTIONS_MAX]; /* beside command->options; a flag's value is "" */
    const char *config, *data;           /* common options; NULL when not given */
    bool json;
    const char *arguments[CLI_ARGUMENTS_MAX];
    int argument_count;
};

/* The value of an option, "" for a flag that was given, NULL when it was not. The name must be in the command's table.
 */
const char *invocation_option(const struct invocation *call, const char *name);

extern const struct command command_serve;
extern const struct command command_key_create, command_key_list, command_key_revoke, command_key_set;
extern const struct command command_account_show, command_account_credit;
extern const struct command command_account_refund, command_account_ledger;
extern const struct command command_account_create, command_account_suspend, command_account_resume, command_account_group;
extern const struct command command_admin_key_create, command_admin_key_list, command_admin_key_revoke;
extern const struct command command_change_list;
extern const struct command command_model_pause, command_model_resume, command_provider_pause, command_provider_resume;
extern const struct command command_task_fail, command_task_retry;
extern const struct command command_task_show, command_task_list;
extern const struct command command_callback_list, command_callback_show, command_callback_replay;
extern const struct command command_callback_test, command_callback_rotate_secret;
extern const struct command command_model_list, command_model_show, command_model_check;
extern const struct command command_provider_list, command_provider_check;
extern const struct command command_settings, command_doctor;

/* Parses the words after the program's name against the table and runs the command; answers --help and --version.
 * EXIT_FAILED also when not all of the output could be written. */
int command_main(const struct command *const *table, int argc, char **argv);

/* Says what went wrong on stderr, as JSON under --json, and returns EXIT_FAILED. */
int command_failed(const struct invocation *call, const struct fault *fault);
