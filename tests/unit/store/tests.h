/* The groups of the store's tests; each returns the number of failures. */
#pragma once

int run_account_tests(void);
int run_audit_tests(void);
int run_callback_tests(void);
int run_damage_tests(void);
int run_file_tests(void);
int run_full_disk_tests(void);
int run_give_way_tests(void);
int run_ledger_tests(void);
int run_file_layer_tests(void);
int run_operator_tests(void);
int run_patience_tests(void);
int run_power_tests(void);
int run_process_tests(void);
int run_reader_tests(void);
int run_statement_tests(void);
int run_stream_tests(void);
int run_task_tests(void);
int run_trail_tests(void);
int run_usage_tests(void);
int run_writer_tests(void);
