/* Tables and facts from JSON values: one source for what people and programs see. */
#include "cli/output.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "core/money.h"

#define COLUMNS_MAX 12
#define CELL_MAX 60

void output_json(const struct json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    puts(text ? text : "null");
    free(text);
}

/* A value as a cell: texts bare, null as "-", numbers that are not whole (credits, all of them) without an exponent, the
 * rest as JSON. The caller frees it. */
static char *cell_text(const json_t *value) {
    if (!value || json_is_null(value))
        return text_dup(TEXT("-"));
    if (json_is_string(value))
        return text_dup(text_of(json_string_value(value)));
    if (json_is_real(value)) {
        char credits[MONEY_TEXT_SIZE];
        money_format(llround(json_real_value(value) * MICROCREDITS), credits);
        return text_dup(text_of(credits));
    }
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
}

static size_t cell_width(const char *cell) {
    size_t width = text_characters(text_of(cell));
    return width > CELL_MAX ? CELL_MAX : width;
}

static void put_cell(const char *cell, size_t width, bool last) {
    size_t own = text_characters(text_of(cell));
    if (last || own <= width)
        printf("%s%*s", cell, last ? 0 : (int)(width - own + 2), "");
    else
        printf("%.*s…  ", (int)(width - 1), cell);
}

void output_table(const struct invocation *call, const struct json_t *rows, const struct output_column *columns,
                  const char *nothing) {
    if (call->json) {
        output_json(rows);
        return;
    }
    if (json_array_size(rows) == 0) {
        puts(nothing);
        return;
    }
    size_t widths[COLUMNS_MAX] = { 0 };
    unsigned count = 0;
    for (; count < COLUMNS_MAX && columns[count].title; count++)
        widths[count] = strlen(columns[count].title);
    size_t i;
    json_t *row;
    json_array_foreach ((json_t *)rows, i, row)
        for (unsigned c = 0; c < count; c++) {
            char *cell scoped(mem_free_pointer) = cell_text(json_object_get(row, columns[c].key));
            if (cell_width(cell) > widths[c])
                widths[c] = cell_width(cell);
        }
    for (unsigned c = 0; c < count; c++)
        put_cell(columns[c].title, widths[c], c + 1 == count);
    putchar('\n');
    json_array_foreach ((json_t *)rows, i, row) {
        for (unsigned c = 0; c < count; c++) {
            char *cell scoped(mem_free_pointer) = cell_text(json_object_get(row, columns[c].key));
            put_cell(cell, widths[c], c + 1 == count);
        }
        putchar('\n');
    }
}

void output_facts(const struct invocation *call, const struct json_t *object, const struct output_column *facts) {
    if (call->json) {
        output_json(object);
        return;
    }
    for (; facts->title; facts++) {
        char *cell scoped(mem_free_pointer) = cell_text(json_object_get(object, facts->key));
        printf("%-14s %s\n", facts->title, cell);
    }
}

json_t *output_time(int64_t wall_ms) {
    if (wall_ms == 0)
        return json_null();
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    return json_string(text);
}

json_t *output_credits(int64_t microcredits) {
    return microcredits % MICROCREDITS == 0 ? json_integer(microcredits / MICROCREDITS)
                                            : json_real((double)microcredits / MICROCREDITS);
}

json_t *output_text(struct text t) {
    json_t *value = json_stringn(t.ptr ? t.ptr : "", t.len);
    return value ? value : json_string("(not UTF-8)");
}
