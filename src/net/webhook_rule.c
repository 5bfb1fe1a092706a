/* What an adapter says of its service's signatures: the table `signature`, member by member. */
#include <jansson.h>

#include "net/webhook_inside.h"

#define TOLERANCE_S 300
#define TOLERANCE_MAX_S 86400

/* A member that is a text; what it is already, when it is not there. */
static enum err read_text(const json_t *signature, const char *name, const char **ret, struct fault *fault) {
    const json_t *value = json_object_get(signature, name);
    if (value == NULL) {
        return OK;
    }
    if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) >= WEBHOOK_NAME_SIZE) {
        return fault_set(fault, ERR_SCRIPT, "signature.%s must be a text of 1 to %d bytes", name, WEBHOOK_NAME_SIZE - 1);
    }
    *ret = json_string_value(value);
    return OK;
}

static enum err read_tolerance(const json_t *signature, int64_t *ret, struct fault *fault) {
    const json_t *value = json_object_get(signature, "tolerance");
    if (value == NULL) {
        return OK;
    }
    double seconds = json_is_number(value) ? json_number_value(value) : 0;
    if (!(seconds >= 1 && seconds <= TOLERANCE_MAX_S)) {
        return fault_set(fault, ERR_SCRIPT, "signature.tolerance must be seconds, 1 to %d", TOLERANCE_MAX_S);
    }
    *ret = (int64_t)seconds;
    return OK;
}

static enum err check_members(const json_t *signature, struct fault *fault) {
    static const char *const names[] = { "scheme", "header", "version", "member", "jwks", "tolerance" };
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)signature, name, value) {
        size_t at = 0;
        while (at < ARRAY_SIZE(names) && strcmp(names[at], name) != 0) {
            at++;
        }
        if (at == ARRAY_SIZE(names)) {
            return fault_set(fault, ERR_SCRIPT, "signature has no member %.64s; it has scheme, header, version, member, "
                                                "jwks, tolerance", name);
        }
    }
    return OK;
}

enum err webhook_rule_read(const json_t *signature, struct webhook_rule *ret, struct fault *fault) {
    struct webhook_rule rule = { .version = "v1", .member = "data.task_id", .tolerance_s = TOLERANCE_S };

    const char *scheme = signature != NULL ? json_string_value(json_object_get(signature, "scheme")) : "none";
    rule.scheme = webhook_scheme_find(scheme);
    if (rule.scheme == NULL) {
        return fault_set(fault, ERR_SCRIPT, "signature.scheme must be standard, timestamped, ed25519, keyed or none");
    }
    rule.header = rule.scheme->header;
    enum err err = check_members(signature, fault);
    if (err == OK) {
        err = read_text(signature, "header", &rule.header, fault);
    }
    if (err == OK) {
        err = read_text(signature, "version", &rule.version, fault);
    }
    if (err == OK) {
        err = read_text(signature, "member", &rule.member, fault);
    }
    if (err == OK) {
        err = read_text(signature, "jwks", &rule.jwks, fault);
    }
    if (err == OK) {
        err = read_tolerance(signature, &rule.tolerance_s, fault);
    }
    if (err == OK && rule.scheme->needs_header && rule.header == NULL) {
        err = fault_set(fault, ERR_SCRIPT, "signature.header is missing");
    }
    if (err == OK && rule.scheme->needs_jwks && rule.jwks == NULL) {
        err = fault_set(fault, ERR_SCRIPT, "signature.jwks is missing");
    }
    if (err == OK) {
        *ret = rule;
    }
    return err;
}
