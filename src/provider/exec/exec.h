/* The driver for commands on this machine, as far as tests need to reach into it; everybody else uses exec_driver. */
#pragma once

#include <stdint.h>

/* How long a command may take to end between SIGTERM and SIGKILL; 2000 unless set. Call before attempts start. */
void exec_set_grace_ms(int64_t grace_ms);
/* The program that is started as the guard; NULL: the running binary itself. The string is not copied. */
void exec_set_guard_program(const char *path);
