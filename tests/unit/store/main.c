/* Runs the store module's tests. */
#include "tests.h"

#include "base/crypto.h"

int main(void) {
    if (crypto_init() != OK) {
        return 1;
    }
    return run_account_tests() + run_ledger_tests() + run_operator_tests() + run_task_tests() + run_trail_tests() + run_stream_tests() + run_statement_tests() +
           run_writer_tests() + run_patience_tests() + run_power_tests() + run_give_way_tests() + run_file_tests() + run_audit_tests() + run_usage_tests() + run_callback_tests() + run_damage_tests() +
           run_full_disk_tests() + run_process_tests() + run_reader_tests() + run_file_layer_tests();
}
