/* Parsing of the command line against the table of commands, and the help that the table gives. */
#include "cli/command.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"

static const struct cli_option COMMON[] = {
    { "config", "FILE", "settings file (default: /etc/fennec/config.lua when there is one)" },
    { "data", "DIR", "data directory, over the settings' (default: ./data)" },
    { "json", NULL, "machine-readable output" },
    { "help", NULL, "this text" },
    { NULL },
};

static void put_option(const struct cli_option *option) {
    char left[40];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
    printf("  %-22s %s\n", left, option->help);
}

static void put_command_help(const char *program, const struct command *command) {
    printf("usage: %s %s [options]%s%s\n\n%s.\n", program, command->name, command->arguments ? " " : "",
           command->arguments ? command->arguments : "", command->summary);
    if (command->teaching)
        printf("\n%s", command->teaching);
    printf("\noptions:\n");
    for (const struct cli_option *option = command->options; option && option->name; option++)
        put_option(option);
    for (const struct cli_option *option = COMMON; option->name; option++)
        put_option(option);
}

static void put_overview(const char *program, const struct command *const *table) {
    printf("Fennec " FENNEC_VERSION
           ": one asynchronous task API for many AI generation services and local commands.\n\n"
           "usage: %s COMMAND [options]\n\ncommands:\n",
           program);
    for (; *table; table++)
        printf("  %-22s  %s\n", (*table)->name, (*table)->summary);
    printf("\nA first tour:\n"
           "  %s key create --account me --credits 1000   # prints a key\n"
           "  %s serve                                    # answers on http://127.0.0.1:8080\n"
           "  %s model list                               # what it can do\n"
           "  %s doctor                                   # what is missing\n\n"
           "`%s COMMAND --help` explains a command.\n",
           program, program, program, program, program);
}

static bool is_of_group(const struct command *command, const char *group) {
    struct text rest = text_of(command->name);
    return text_equal(text_cut(&rest, ' '), text_of(group)) && rest.len > 0;
}

static bool is_group(const struct command *const *table, const char *word) {
    for (; *table; table++)
        if (is_of_group(*table, word))
            return true;
    return false;
}

static void put_group(const char *program, const struct command *const *table, const char *group) {
    printf("usage: %s %s COMMAND [options]\n\ncommands:\n", program, group);
    for (; *table; table++)
        if (is_of_group(*table, group))
            printf("  %-22s  %s\n", (*table)->name, (*table)->summary);
    printf("\n`%s %s COMMAND --help` explains a command.\n", program, group);
}

/* The command whose name, one or two words, argv begins with; *ret_words is how many it took. */
static const struct command *find_command(const struct command *const *table, int argc, char **argv, int *ret_words) {
    for (; *table; table++) {
        struct text rest = text_of((*table)->name);
        int words = 0;
        while (rest.len && words < argc && text_equal(text_cut(&rest, ' '), text_of(argv[words])))
            words++;
        size_t name_words = text_find(text_of((*table)->name), ' ') < strlen((*table)->name) ? 2 : 1;
        if ((size_t)words == name_words) {
            *ret_words = words;
            return *table;
        }
    }
    return NULL;
}

static int usage_error(const struct invocation *call, const char *word, const char *problem) {
    fprintf(stderr, "%s %s: %s: %s\n`%s %s --help` shows what it takes.\n", call->program, call->command->name, word,
            problem, call->program, call->command->name);
    return EXIT_USAGE;
}

/* Where the value of option `name` goes, and whether it takes one; NULL when there is no such option. */
static const char **find_option(struct invocation *call, struct text name, bool *ret_takes_value) {
    for (unsigned i = 0; call->command->options && call->command->options[i].name; i++) {
        assert(i < CLI_OPTIONS_MAX);
        if (text_equal(name, text_of(call->command->options[i].name))) {
            *ret_takes_value = call->command->options[i].value != NULL;
            return &call->values[i];
        }
    }
    *ret_takes_value = true;
    if (text_equal(name, TEXT("config")))
        return &call->config;
    return text_equal(name, TEXT("data")) ? &call->data : NULL;
}

/* Reads one option at words[*at], moving *at past its value. EXIT_OK, or the exit code of a mistake. */
static int parse_option(struct invocation *call, char **words, int count, int *at) {
    struct text rest = text_of(words[*at] + 2);
    struct text name = text_cut(&rest, '=');
    bool has_value = strchr(words[*at], '=') != NULL;
    if (text_equal(name, TEXT("json")) && !has_value) {
        call->json = true;
        return EXIT_OK;
    }
    bool takes_value;
    const char **value = find_option(call, name, &takes_value);
    if (!value)
        return usage_error(call, words[*at], "there is no such option");
    if (!takes_value && has_value)
        return usage_error(call, words[*at], "this option takes no value");
    if (!takes_value)
        *value = "";
    else if (has_value)
        *value = rest.ptr;
    else if (*at + 1 < count)
        *value = words[++*at];
    else
        return usage_error(call, words[*at], "the value is missing");
    return EXIT_OK;
}

static int parse_words(struct invocation *call, char **words, int count) {
    bool only_arguments = false;
    for (int i = 0; i < count; i++) {
        if (!only_arguments && strcmp(words[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && strncmp(words[i], "--", 2) == 0) {
            int code = parse_option(call, words, count, &i);
            if (code != EXIT_OK)
                return code;
        } else if (call->argument_count == call->command->arguments_max || call->argument_count == CLI_ARGUMENTS_MAX) {
            return usage_error(call, words[i], "one argument too many");
        } else {
            call->arguments[call->argument_count++] = words[i];
        }
    }
    if (call->argument_count < call->command->arguments_min)
        return usage_error(call, call->command->arguments, "missing");
    return EXIT_OK;
}

static bool has_word(int argc, char **argv, const char *word) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

/* Words that name no command: asked for help, a group of commands alone, or a mistake. */
static int without_command(const struct command *const *table, const char *program, int argc, char **argv) {
    bool asked = argc >= 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0);
    if (argc == 0 || asked) {
        put_overview(program, table);
        return asked ? EXIT_OK : EXIT_USAGE;
    }
    if (!is_group(table, argv[0])) {
        fprintf(stderr, "%s: there is no command `%s`; `%s --help` lists them\n", program, argv[0], program);
        return EXIT_USAGE;
    }
    if (argc >= 2 && argv[1][0] != '-') {
        fprintf(stderr, "%s: there is no command `%s %s`; `%s %s --help` lists those of its group\n", program, argv[0],
                argv[1], program, argv[0]);
        return EXIT_USAGE;
    }
    put_group(program, table, argv[0]);
    return has_word(argc - 1, argv + 1, "--help") ? EXIT_OK : EXIT_USAGE;
}

/* What was printed and got out: stdio keeps the last of it, or all, until it is told. */
static bool is_written(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* A key is shown once, and a list that lacks its end looks whole: a command whose output is lost has failed. */
static int run_command(const struct command *command, const char *program, char **words, int count) {
    struct invocation call = { .command = command, .program = program };
    struct fault fault = { 0 };
    int code = parse_words(&call, words, count);
    if (code == EXIT_OK)
        code = command->run(&call);
    if (code != EXIT_OK || is_written())
        return code;
    fault_set(&fault, ERR_IO, "the output could not be written");
    return command_failed(&call, &fault);
}

int command_main(const struct command *const *table, int argc, char **argv) {
    const char *program = argc > 0 ? argv[0] : "fennec";
    int words = 0, code = EXIT_OK;
    const struct command *command = argc >= 2 ? find_command(table, argc - 1, argv + 1, &words) : NULL;
    if (command && !has_word(argc - 1 - words, argv + 1 + words, "--help"))
        return run_command(command, program, argv + 1 + words, argc - 1 - words);
    if (command)
        put_command_help(program, command);
    else if (argc >= 2 && strcmp(argv[1], "--version") == 0)
        printf("fennec " FENNEC_VERSION "\n");
    else
        code = without_command(table, program, argc > 0 ? argc - 1 : 0, argv + 1);
    return code == EXIT_OK && !is_written() ? EXIT_FAILED : code;
}

const char *invocation_option(const struct invocation *call, const char *name) {
    for (unsigned i = 0; call->command->options[i].name; i++)
        if (strcmp(call->command->options[i].name, name) == 0)
            return call->values[i];
    assert(!"an option that is not in the command's table");
    return NULL;
}

int command_failed(const struct invocation *call, const struct fault *fault) {
    const char *words = fault->message[0] ? fault->message : err_info(fault->err)->name;
    if (!call->json) {
        fprintf(stderr, "%s %s: %s\n", call->program, call->command->name, words);
        return EXIT_FAILED;
    }
    struct buffer buf;
    buffer_init(&buf, 16384);
    struct json_writer json;
    json_begin(&json, &buf);
    json_object_begin(&json);
    json_key(&json, "error");
    json_text(&json, text_of(words));
    json_object_end(&json);
    fprintf(stderr, "%.*s\n", TEXT_ARG(buffer_text(&buf)));
    buffer_fini(&buf);
    return EXIT_FAILED;
}
