/* Names of things: tasks, files, keys, requests. Random parts come from the system's generator. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* "task-unified-{unix seconds}-{8 of a-z0-9}", "task-llm-{unix}-{8}"; terminated. */
#define TASK_ID_SIZE 40
struct task_id {
    char string[TASK_ID_SIZE];
};

void task_id_new(struct task_id *ret, bool llm, int64_t created_s);
/* Accepts exactly the two forms above; *ret untouched on failure. */
bool task_id_parse(struct text t, struct task_id *ret) must_check;
struct text task_id_text(const struct task_id *id);

/* "file-{unix seconds}-{6 of a-z0-9}"; terminated. */
#define FILE_ID_SIZE 32
struct file_id {
    char string[FILE_ID_SIZE];
};

void file_id_new(struct file_id *ret, int64_t created_s);
/* Accepts exactly that form; *ret untouched on failure. */
bool file_id_parse(struct text t, struct file_id *ret) must_check;
struct text file_id_text(const struct file_id *id);
/* The moment that the id names. */
int64_t file_id_created_s(const struct file_id *id);

/* "req-" and 20 of a-z0-9; terminated. */
#define REQUEST_ID_SIZE 25
void request_id_new(char ret[REQUEST_ID_SIZE]);

/* `count` characters of a-z0-9, uniform; ret holds count + 1. */
void id_random(char *ret, size_t count);
