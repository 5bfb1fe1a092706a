/* The groups of tests; each gives the number of its failures. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_anthropic(void);
int test_anthropic_answer(void);
int test_chunk(void);
int test_collect(void);
int test_failure(void);
int test_gemini(void);
int test_gemini_answer(void);
int test_lines(void);
int test_ollama(void);
int test_openai(void);
int test_openai_stream(void);
int test_protocol(void);
int test_stream(void);
int test_tokens(void);
