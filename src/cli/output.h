/* What a command prints: one JSON value, shown to people as a table or a list of facts, to programs as it is. */
#pragma once

#include <stdint.h>

#include "base/text.h"
#include "cli/command.h"

struct json_t;

struct output_column {
    const char *title; /* NULL ends the table */
    const char *key;   /* of the row's object */
};

/* An array of objects: aligned columns for people (`nothing` when there are no rows), the array under --json. */
void output_table(const struct invocation *call, const struct json_t *rows, const struct output_column *columns,
                  const char *nothing);
/* One object: "title: value" lines for people, the object under --json. */
void output_facts(const struct invocation *call, const struct json_t *object, const struct output_column *facts);
/* The value alone, as JSON. */
void output_json(const struct json_t *value);

/* Values as people read them (new references). */
struct json_t *output_time(int64_t wall_ms);         /* RFC 3339; null for 0 */
struct json_t *output_credits(int64_t microcredits); /* a number */
struct json_t *output_text(struct text t);
