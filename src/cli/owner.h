/* Accounts by name in what commands show: rows of the store know their account's number alone. */
#pragma once

#include "base/errors.h"

struct json_t;
struct store;

/* Adds "account", the name, to a row that has "account_id". Reads the store; main thread. The row is untouched on failure. */
enum err owner_name(struct store *store, struct json_t *row) must_check;
/* The same for each row of a list. */
enum err owner_name_all(struct store *store, struct json_t *rows) must_check;
