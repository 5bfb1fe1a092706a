/* Accounts by their names, and the names of accounts, looked up one by one: lists are short, and mostly of few accounts. */
#include "cli/owner.h"

#include <jansson.h>

#include "cli/output.h"
#include "store/store.h"

enum err owner_find(struct store *store, const char *name, struct account_row *ret, struct fault *fault) {
    enum err err = store_find_account(store, text_of(name), ret);
    if (err)
        fault_set(fault, err, err == ERR_NOT_FOUND ? "there is no account %s" : "account %s could not be read", name);
    return err;
}

/* `known` is the account of the row before. */
static enum err name(struct store *store, json_t *row, struct account_row *known) {
    int64_t id = json_integer_value(json_object_get(row, "account_id"));
    if (known->id != id) {
        enum err err = store_find_account_by_id(store, id, known);
        if (err)
            return err;
    }
    json_object_set_new(row, "account", output_text(text_of(known->name)));
    return OK;
}

enum err owner_name(struct store *store, json_t *row) {
    struct account_row known = { 0 };
    return name(store, row, &known);
}

enum err owner_name_all(struct store *store, json_t *rows) {
    struct account_row known = { 0 };
    enum err err = OK;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        if (!err)
            err = name(store, row, &known);
    }
    return err;
}
