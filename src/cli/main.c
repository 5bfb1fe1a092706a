/* The program: the table of commands. */
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "cli/command.h"
#include "provider/exec/guard.h"

static const struct command *const COMMANDS[] = {
    &command_serve,
    &command_key_create,       &command_key_list,        &command_key_set,         &command_key_revoke,
    &command_account_create,   &command_account_show,    &command_account_group,   &command_account_credit,
    &command_account_refund,   &command_account_ledger,  &command_account_suspend, &command_account_resume,
    &command_task_show,        &command_task_list,       &command_task_retry,      &command_task_fail,
    &command_callback_list,    &command_callback_show,   &command_callback_replay, &command_callback_test,
    &command_callback_rotate_secret,
    &command_model_list,       &command_model_show,      &command_model_check,     &command_model_pause,
    &command_model_resume,
    &command_provider_list,    &command_provider_check,  &command_provider_pause,  &command_provider_resume,
    &command_admin_key_create, &command_admin_key_list,  &command_admin_key_revoke,
    &command_change_list,      &command_settings,        &command_doctor,          NULL,
};

int main(int argc, char **argv) {
    /* The exec provider runs this same program around each command; it is not for people. */
    if (argc >= 2 && strcmp(argv[1], "exec-guard") == 0)
        return exec_guard_main(argc - 1, argv + 1);
    json_init();
    if (crypto_init())
        return EXIT_FAILED;
    return command_main(COMMANDS, argc, argv);
}
