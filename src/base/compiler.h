/* Compiler attributes under readable names, and the string calls that must not compile. */
#pragma once

#define must_check __attribute__((warn_unused_result))
#define printf_like(at, first) __attribute__((format(printf, at, first)))
/* scoped(free_function): called with the address of the variable when it goes out of scope. */
#define scoped(function) __attribute__((cleanup(function)))
#define no_return __attribute__((noreturn))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Whether a sanitizer watches the memory: 1 or 0. gcc and clang say it in different words. */
#ifdef __has_feature
#define CLANG_HAS(feature) __has_feature(feature)
#else
#define CLANG_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || CLANG_HAS(address_sanitizer)
#define ADDRESS_SANITIZER 1
#else
#define ADDRESS_SANITIZER 0
#endif

/* Calls without a bound are a mistake waiting for its day: use struct text and struct buffer. */
#ifndef __cplusplus
#include <stdio.h>
#include <string.h>
#pragma GCC poison strcpy strcat strncat sprintf vsprintf gets strtok
#endif
