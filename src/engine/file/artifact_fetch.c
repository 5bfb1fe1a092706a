/* Artifacts behind URLs: whom to trust, which headers to bring along, what the answer means. */
#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/attempt/run.h"
#include "engine/file/artifacts_inside.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "net/guard.h"
#include "net/retry_after.h"

#define HEADERS_MAX 32
#define FETCH_TIMEOUT_MS ((int64_t)3600000) /* a stalled one ends long before; so does the attempt's own time */

/* On the courier's thread. */
static enum err sink(void *context, const void *bytes, size_t count) {
    struct artifact *item = context;
    return blob_write(item->writer, bytes, count);
}

/* Signed links end with one of these, and so do files that were cleared away. */
static bool says_run_out(int status) {
    return status == 401 || status == 403 || status == 404 || status == 410;
}

/* The host's; a disk of ours that is full is none of its faults. */
static void note_failure(struct artifact *item) {
    item->broken += item->http_status / 100 == 2;
    if (item->since_ms == 0)
        item->since_ms = clock_monotonic_ms();
}

static void note_result(struct artifact *item, const struct fetch_result *result) {
    int status = result->http_status;
    item->err = result->err;
    item->final = result->final;
    item->http_status = status;
    item->run_out = says_run_out(status);
    item->empty = result->err == OK && status / 100 == 2 && result->size == 0;
    item->retry_after_ms = retry_after_read_ms(fetch_result_header(result, "retry-after"), clock_wall_ms());
    if (result->err != OK)
        (void)fault_set(&item->fault, result->err, "%s", result->detail);
    else if (status < 200 || status > 299)
        item->err = fault_set(&item->fault, ERR_FETCH, "HTTP status %d for %s", status, result->url);
    else if (item->empty)
        item->err = fault_set(&item->fault, ERR_FETCH, "nothing but an empty file at %s", result->url);
    if (item->err == ERR_FETCH || item->err == ERR_TIMEOUT)
        note_failure(item);
}

static void fetched(void *context, const struct fetch_result *result) {
    struct artifact *item = context;
    struct artifact_store *all = item->all;
    item->errand = NULL;
    if (result != NULL)
        note_result(item, result);
    if (result == NULL || item->err != OK) {
        blob_abort(item->writer);
        item->writer = NULL;
    }
    if (--all->fetching == 0)
        all->all_fetched(all);
}

static const char *provider_of(const struct run *run) {
    if (run->attempt.provider != NULL)
        return run->attempt.provider;
    return run->attempt.route != NULL ? run->attempt.route->provider : "";
}

/* S1: what a service tells us is from outside as well, unless it leads to the very address that the operator wrote down
 * for it and said may be private. */
static enum fetch_trust trust_of(const struct run *run, struct text url) {
    const struct provider_config *provider =
        config_provider(run->generation->setup->config, text_of(provider_of(run)));
    struct guard_memo *memo = &run->engine->artifact_memo;
    struct guard_url named, asked;
    if (provider == NULL || provider->url == NULL || !provider->allow_private ||
        guard_parse_url_by(memo, text_of(provider->url), &named, NULL) != OK ||
        guard_parse_url_by(memo, url, &asked, NULL) != OK)
        return FETCH_OUTSIDE;
    return guard_same_origin(&named, &asked) ? FETCH_TRUSTED : FETCH_OUTSIDE;
}

/* The headers that the provider wants with a request for its own files; nothing for anybody else's. A new reference. */
static json_t *credentials_for(const struct artifact *item) {
    const struct run *run = item->all->run;
    bool wanted = json_is_true(json_object_get(item->source, "auth"));
    return wanted && run->ops->download_headers != NULL && run->driver != NULL
               ? run->ops->download_headers(run->driver, &run->attempt, item->url)
               : NULL;
}

static unsigned list_headers(json_t *object, struct fetch_header ret[HEADERS_MAX]) {
    unsigned count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
        if (json_is_string(value) && count < HEADERS_MAX)
            ret[count++] = (struct fetch_header){ name, json_string_value(value) };
    return count;
}

void artifact_fetch(struct artifact *item, void (*all_fetched)(struct artifact_store *all)) {
    struct artifact_store *all = item->all;
    struct fetch_header headers[HEADERS_MAX];
    scoped(json_release) json_t *credentials = credentials_for(item);
    struct fetch_request request = {
        .trust = trust_of(all->run, text_of(item->url)),
        .url = text_of(item->url),
        .headers = headers,
        .header_count = list_headers(credentials, headers),
        .redirects_max = FETCH_REDIRECTS_MAX,
        .repeatable = true,
        .reply_max = all->size_max,
        .total_timeout_ms = FETCH_TIMEOUT_MS,
        .sink = sink,
        .done = fetched,
        .context = item,
    };
    all->all_fetched = all_fetched;
    item->final = item->run_out = item->empty = false;
    item->retry_after_ms = 0;
    item->http_status = 0;
    item->err = blob_writer_new(all->engine->blobs, all->size_max, &item->writer, &item->fault);
    if (item->err != OK)
        return;
    item->err = courier_send(all->engine->courier, &request, &item->errand, &item->fault);
    if (item->err == OK) {
        all->fetching++;
        return;
    }
    blob_abort(item->writer);
    item->writer = NULL;
}
