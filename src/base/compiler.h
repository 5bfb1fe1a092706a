/* Compiler attributes under readable names, and the string calls that must not compile. */
#pragma once

#define must_check __attribute__((warn_unused_result))
#define printf_like(at, first) __attribute__((format(printf, at, first)))
/* scoped(free_function): called with the address of the variable when it goes out of scope. */
#define scoped(function) __attribute__((cleanup(function)))
#define no_return __attribute__((noreturn))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Calls without a bound are a mistake waiting for its day: use struct text and struct buffer. */
#ifndef __cplusplus
#include <stdio.h>
#include <string.h>
#pragma GCC poison strcpy strcat strncat sprintf vsprintf gets strtok
#endif
