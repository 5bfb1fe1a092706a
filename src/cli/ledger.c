/* fennec account ledger. */
#include <stdlib.h>

#include "admin/ledger.h"
#include "base/date.h"
#include "cli/command.h"
#include "cli/open.h"
#include "store/store.h"

#define PAGE 1000
#define PAGE_BYTES_MAX ((size_t)16 << 20)
#define LAST_DAY 2932896 /* 9999-12-31 */

struct page {
    struct buffer buf;
    bool csv;
    unsigned count;
    int64_t last;
};

static bool put_entry(const struct ledger_row *entry, void *context) {
    struct page *page = context;
    if (page->csv) {
        ledger_put_csv(&page->buf, entry);
    } else {
        ledger_put_json(&page->buf, entry);
        buffer_put_char(&page->buf, '\n');
    }
    page->count++;
    page->last = entry->sequence;
    return true;
}

static enum err print(struct store *store, struct ledger_filter *filter, bool csv) {
    struct page page = { .csv = csv };
    enum err err = OK;
    buffer_init(&page.buf, PAGE_BYTES_MAX);
    if (csv)
        ledger_put_csv_head(&page.buf);
    filter->limit = PAGE;
    do {
        page.count = 0;
        err = store_list_ledger_part(store, filter, put_entry, &page);
        if (!err && !buffer_ok(&page.buf))
            err = ERR_NO_MEMORY;
        if (!err && page.buf.len > 0 && fwrite(page.buf.data, 1, page.buf.len, stdout) != page.buf.len)
            err = ERR_IO;
        filter->after = page.last;
        buffer_clear(&page.buf);
    } while (!err && page.count == PAGE);
    buffer_fini(&page.buf);
    return err;
}

static enum err read_day(const struct invocation *call, const char *name, int64_t *ret, struct fault *fault) {
    const char *word = invocation_option(call, name);
    if (!word || date_parse(text_of(word), ret))
        return OK;
    return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a date such as 2026-01-31", name);
}

static enum err read_days(const struct invocation *call, int64_t *from, int64_t *to, struct fault *fault) {
    enum err err = read_day(call, "from", from, fault);
    if (!err)
        err = read_day(call, "to", to, fault);
    if (!err && *from > *to)
        return fault_set(fault, ERR_INVALID_REQUEST, "--from is a day after --to");
    return err;
}

static int run_ledger(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    int64_t from = 0, to = LAST_DAY;
    if (read_days(call, &from, &to, &fault) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct ledger_filter filter = { .last = INT64_MAX, .from_ms = from * DAY_MS, .to_ms = (to + 1) * DAY_MS };
    struct account_row account = { 0 };
    enum err err = store_find_account(store, text_of(call->arguments[0]), &account);
    filter.account = account.id;
    if (!err)
        err = print(store, &filter, invocation_option(call, "csv") != NULL);
    store_close(store);
    if (err == ERR_NOT_FOUND)
        fault_set(&fault, err, "there is no account %s", call->arguments[0]);
    else if (err)
        fault_set(&fault, err, "the ledger could not be written");
    return err ? command_failed(call, &fault) : EXIT_OK;
}

const struct command command_account_ledger = {
    .name = "account ledger",
    .arguments = "NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Prints every entry of an account's ledger, oldest first: a JSON object a line, or CSV",
    .teaching = "  fennec account ledger studio --csv --from 2026-01-01 --to 2026-01-31 > january.csv\n",
    .options = (const struct cli_option[]){ { "csv", NULL, "as CSV, for spreadsheets" },
                                            { "from", "DATE", "from this day on (UTC)" },
                                            { "to", "DATE", "up to this day, and with it" },
                                            { NULL } },
    .run = run_ledger,
};
