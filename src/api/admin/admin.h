/* What the endpoints of the operators' API have in common. All on the HTTP thread.
 *
 * They are called by people and consoles, some a second at most: their answers are built as JSON values, and what they
 * change is waited for on the thread. */
#pragma once

#include <jansson.h>

#include "api/internal.h"

#define ADMIN_REASON_BYTES 500
#define ADMIN_PAGE 100     /* rows of a list, where the query does not say */
#define ADMIN_PAGE_MAX 500

/* Who is asking, for the record: "admin:" and the key's prefix. Lives as long as the exchange. */
struct text admin_actor(struct exchange *exchange);

/* ---- answers ---- */

/* 200 with the value, whose reference is taken. */
void admin_reply(struct exchange *exchange, json_t *value);
/* The fault as the answer when err is not OK; else the value. Takes its reference in any case; it may be NULL then. */
void admin_finish(struct exchange *exchange, enum err err, const struct fault *fault, json_t *value);
/* A page of a list: `data` and `next` (NULL: there are no more) are taken. */
json_t *admin_list(json_t *data, json_t *next);
/* A number of credits, and one that stands for "no bound" (0), which is null. */
json_t *admin_credits(int64_t microcredits);
json_t *admin_bound_credits(int64_t microcredits);
/* Unix seconds; null for 0. */
json_t *admin_time(int64_t wall_ms);
json_t *admin_text(struct text text);
/* JSON text of the store as a value; what cannot be read is {}. */
json_t *admin_json(struct text text);

/* ---- what was sent ---- */

/* The path's segment as a positive number: another one is `missing`, with words, as an object that is not there would be. */
enum err admin_path_number(struct exchange *exchange, struct text segment, enum err missing, int64_t *ret,
                           struct fault *fault) must_check;
/* The account that the path names. ERR_ACCOUNT_NOT_FOUND. */
enum err admin_path_account(struct exchange *exchange, struct account_row *ret, struct fault *fault) must_check;
/* The query, of which only these parameters (ended by NULL) are known. */
enum err admin_query_check(struct exchange *exchange, const char *const *known, struct fault *fault) must_check;
/* `limit`, within ADMIN_PAGE_MAX. */
enum err admin_query_limit(struct exchange *exchange, unsigned *ret, struct fault *fault) must_check;
/* `after`, the number that a list's `next` gave; 0 when absent. */
enum err admin_query_after(struct exchange *exchange, int64_t *ret, struct fault *fault) must_check;

/* Fields of a body. Absent ones (null is absent, too) leave *ret as it was; *ret_given (may be NULL) tells. */
enum err admin_field_text(const json_t *body, const char *name, size_t max, struct text *ret,
                          struct fault *fault) must_check;
/* A name as admin/name.h has it. */
enum err admin_field_name(const json_t *body, const char *name, struct text *ret, struct fault *fault) must_check;
enum err admin_field_bool(const json_t *body, const char *name, bool *ret, bool *ret_given, struct fault *fault) must_check;
/* A number, or a text, of credits with at most six decimals. */
enum err admin_field_credits(const json_t *body, const char *name, int64_t *ret, struct fault *fault) must_check;
/* That a field is there. */
enum err admin_field_needed(const json_t *body, const char *name, struct fault *fault) must_check;

/* ---- tasks (tasks.c) ---- */

/* The task that the path names, whoever owns it; its texts go into the arena. ERR_INVALID_TASK_ID, ERR_TASK_NOT_FOUND. */
enum err admin_path_task(struct exchange *exchange, struct arena *arena, struct task_row *ret,
                         struct fault *fault) must_check;
/* The fault as the answer when err is not OK; else all that is known of the task that the path names. */
void admin_finish_task(struct exchange *exchange, enum err err, struct fault *fault);
