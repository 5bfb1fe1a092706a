/* The same eight columns twice. Credits are exact decimals, as everywhere. */
#include "admin/ledger.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/json.h"
#include "core/money.h"

static const char *book_name(enum book book) {
    return book == BOOK_TEST ? "test" : "live";
}

void ledger_put_json(struct buffer *buf, const struct ledger_row *entry) {
    char time[CLOCK_RFC3339_SIZE];
    struct json_writer json;

    clock_format_rfc3339(entry->at_ms, time);
    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "sequence");
    json_i64(&json, entry->sequence);
    json_key(&json, "time");
    json_text(&json, text_of(time));
    json_key(&json, "book");
    json_text(&json, text_of(book_name(entry->book)));
    json_key(&json, "kind");
    json_text(&json, text_of(ledger_kind_name(entry->kind)));
    money_put_member(&json, "credits", entry->microcredits);
    money_put_member(&json, "charged", entry->charged);
    json_key(&json, "task");
    json_string_or_null(&json, entry->task.string[0] != '\0' ? entry->task.string : NULL);
    json_key(&json, "note");
    json_text(&json, entry->note);
    json_object_end(&json);
}

void ledger_put_csv_head(struct buffer *buf) {
    buffer_put(buf, TEXT("sequence,time,book,kind,credits,charged,task,note"));
    csv_end_record(buf);
}

void ledger_put_csv(struct buffer *buf, const struct ledger_row *entry) {
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(entry->at_ms, time);
    buffer_put_i64(buf, entry->sequence);
    buffer_printf(buf, ",%s,%s,%s,", time, book_name(entry->book), ledger_kind_name(entry->kind));
    money_put(buf, entry->microcredits);
    buffer_put_char(buf, ',');
    money_put(buf, entry->charged);
    buffer_put_char(buf, ',');
    csv_put_text(buf, task_id_text(&entry->task));
    buffer_put_char(buf, ',');
    csv_put_text(buf, entry->note);
    csv_end_record(buf);
}
