/* Accounts by name in what commands show: rows of the store know their account's number alone. */
#pragma once

#include "base/errors.h"

struct account_row;
struct json_t;
struct store;

/* The account of that name, as a person gave it; the fault says which one is not there (ERR_NOT_FOUND), or could not be
 * read. Main thread. */
enum err owner_find(struct store *store, const char *name, struct account_row *ret, struct fault *fault) must_check;
/* Adds "account", the name, to a row that has "account_id". Reads the store; main thread. The row is untouched on failure. */
enum err owner_name(struct store *store, struct json_t *row) must_check;
/* The same for each row of a list. */
enum err owner_name_all(struct store *store, struct json_t *rows) must_check;
