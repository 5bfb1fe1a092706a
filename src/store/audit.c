/* The books against the rules: statements that find nothing in a sound store, and sentences when they do. */
#include "store/inside.h"

static const enum sql audits[] = {
    SQL_AUDIT_USAGE,   SQL_AUDIT_SPENDING, /* sums over tasks: what is wrong with these themselves is told after it */
    SQL_AUDIT_BALANCE, SQL_AUDIT_CHARGED, SQL_AUDIT_BOOK,  SQL_AUDIT_OVERDRAWN, SQL_AUDIT_RESERVATION, SQL_AUDIT_SETTLEMENT,
    SQL_AUDIT_EARLY,   SQL_AUDIT_STRAY, SQL_AUDIT_STAMP,     SQL_AUDIT_INPUT,     SQL_AUDIT_SPACE,
    SQL_AUDIT_SMALL,
};

static enum err run_audit(struct store *store, enum sql id, void (*finding)(const char *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, NO_VALUES);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        char words[512];
        store_column_string(&reading.cursor, 0, words, sizeof(words));
        finding(words, context);
    }
    return err;
}

enum err store_audit(struct store *store, void (*finding)(const char *words, void *), void *context) {
    enum err err = OK;
    for (size_t i = 0; i < ARRAY_SIZE(audits) && err == OK; i++) {
        err = run_audit(store, audits[i], finding, context);
    }
    return err;
}
