/* The description of the API: every route has one, and nothing else is described. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "api/about/description_inside.h"
#include "api/api.h"
#include "base/crypto.h"
#include "base/json.h"
#include "config/config.h"
#include "engine/setup.h"

static struct setup *setup;

static int load(void **state) {
    struct config *config = NULL;
    struct fault fault = { .err = OK };
    (void)state;

    assert_int_equal(crypto_init(), OK);
    assert_int_equal(config_load(NULL, &config, &fault), OK);
    if (setup_new(config, &setup, &fault) != OK)
        fail_msg("%s", fault.message);
    return 0;
}

static int unload(void **state) {
    (void)state;
    setup_unref(setup);
    return 0;
}

static json_t *make(void) {
    json_t *document = NULL;
    struct fault fault = { .err = OK };
    unsigned count;
    const struct http_route *routes = api_routes(&count);

    if (description_make(routes, count, setup->catalog, &document, &fault) != OK)
        fail_msg("%s", fault.message);
    return document;
}

static const json_t *operation_of(const json_t *document, const char *path, const char *method) {
    const json_t *operation = json_object_get(json_object_get(json_object_get(document, "paths"), path), method);
    assert_non_null(operation);
    return operation;
}

/* Fails, and says which, as soon as a row of the table has no description. */
static void every_route(void **state) {
    json_t *document scoped(json_release) = make();
    unsigned count;
    const struct http_route *routes = api_routes(&count);
    (void)state;

    for (unsigned i = 0; i < count; i++) {
        const json_t *methods = json_object_get(json_object_get(document, "paths"), routes[i].pattern);
        const json_t *operation = json_object_get(methods, routes[i].method == METHOD_GET ? "get" : "post");
        if (routes[i].method != METHOD_GET && routes[i].method != METHOD_POST)
            continue;
        assert_string_equal(json_string_value(json_object_get(operation, "summary")), routes[i].summary);
        assert_non_null(json_object_get(operation, "operationId"));
        assert_non_null(json_object_get(operation, "security"));
        assert_true(json_array_size(json_object_get(operation, "tags")) > 0);
        assert_non_null(json_object_get(json_object_get(operation, "responses"), "500"));
        assert_null(json_object_get(operation, "x-errors"));
    }
}

static void what_the_table_knows(void **state) {
    json_t *document scoped(json_release) = make();
    const json_t *query = operation_of(document, "/v1/tasks/{task_id}", "get");
    const json_t *responses = json_object_get(query, "responses");
    (void)state;

    json_t *security scoped(json_release) = json_pack("[{s:[]}]", "key");
    assert_true(json_equal(json_object_get(query, "security"), security));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(query, "parameters"), 0), "$ref")),
        "#/components/parameters/task_id");
    const json_t *missing = json_object_get(responses, "404");
    assert_string_equal(json_string_value(json_array_get(json_object_get(missing, "x-codes"), 0)), "task_not_found");
    assert_non_null(json_object_get(json_object_get(json_object_get(responses, "429"), "headers"), "Retry-After"));
    const json_t *health = operation_of(document, "/healthz", "get");
    assert_int_equal(json_array_size(json_object_get(health, "security")), 0);
    assert_null(json_object_get(json_object_get(health, "responses"), "401"));
}

/* A schema for each model: its name, its own parameters, what every submission may have. */
static void every_model(void **state) {
    json_t *document scoped(json_release) = make();
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    const json_t *speech = json_object_get(json_object_get(schemas, "model.local-speech"), "properties");
    (void)state;

    assert_string_equal(json_string_value(json_object_get(json_object_get(speech, "model"), "const")), "local-speech");
    assert_non_null(json_object_get(speech, "callback_url"));
    assert_true(json_object_size(speech) > 4);
    const json_t *any = json_object_get(json_object_get(schemas, "AudioSubmission"), "oneOf");
    assert_true(json_array_size(any) > 3);
}

static void check_refused(const struct http_route *routes, unsigned count, const char *words) {
    json_t *document = NULL;
    struct fault fault = { .err = OK };

    assert_int_equal(description_make(routes, count, setup->catalog, &document, &fault), ERR_CONFIG);
    assert_null(document);
    if (strstr(fault.message, words) == NULL)
        fail_msg("%s", fault.message);
}

static void what_does_not_fit(void **state) {
    unsigned count;
    const struct http_route *routes = api_routes(&count);
    struct http_route *more = calloc(count + 1, sizeof *more);
    (void)state;

    assert_non_null(more);
    memcpy(more, routes, count * sizeof *more);
    more[count] = (struct http_route){ METHOD_GET, "/v1/new/{thing}", ACCESS_KEY, false, NULL, "New", 0, false };
    check_refused(more, count + 1, "No file in openapi/ describes \"/v1/new/{thing}\": \"get\".");
    check_refused(more + 1, count - 1, "There is no route for ");
    more[count] = more[0];
    more[0].access = 99;
    check_refused(more, count, "access 99");
    free(more);
}

/* Each code that a client may see has words. */
static void every_code(void **state) {
    json_t *known = NULL;
    struct fault fault = { .err = OK };
    (void)state;

    for (size_t i = 0; i < openapi_file_count; i++)
        if (strcmp(openapi_files[i].path, "errors.json") == 0)
            assert_int_equal(json_read_object(openapi_files[i].source, 64, &known, &fault), OK);
    const json_t *codes = json_object_get(json_object_get(known, "x-known"), "codes");
    for (int err = OK + 1; err < ERR_COUNT; err++) {
        const char *code = err_info((enum err)err)->code;
        if (code != NULL && json_object_get(codes, code) == NULL)
            fail_msg("%s has no words in openapi/errors.json", code);
    }
    json_decref(known);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route),       cmocka_unit_test(what_the_table_knows), cmocka_unit_test(every_model),
        cmocka_unit_test(what_does_not_fit), cmocka_unit_test(every_code),
    };
    return cmocka_run_group_tests_name("description", tests, load, unload);
}
