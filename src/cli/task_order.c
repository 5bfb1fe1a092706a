/* fennec task retry, fail: orders about a task that a running server has in hand, given to it by the operators' API.
 *
 * What is in a server's memory cannot be changed beside it through the store, so these two ask the server itself. */
#include <stdlib.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/buffer.h"
#include "base/id.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "config/config.h"
#include "net/authorities.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define TIMEOUT_S 60L
#define KEY_VARIABLE "FENNEC_ADMIN_KEY"

static size_t take_bytes(char *bytes, size_t size, size_t count, void *answer) {
    buffer_put(answer, (struct text){ bytes, size * count });
    return buffer_ok(answer) ? size * count : 0;
}

/* Where the server is: --url, else where the settings say that it listens. Freed by the caller. */
static enum err find_url(const struct invocation *call, const char *path, char **ret, struct fault *fault) {
    const char *given = invocation_option(call, "url");
    struct config *config;
    enum err err = open_config(call, &config, fault);
    if (err)
        return err;
    struct text base = text_of(given);
    if (text_ends(base, TEXT("/")))
        base.len--;
    char address[CONFIG_ADDRESS_SIZE];
    config_address(config, address);
    config_free(config);
    int length = given ? asprintf(ret, "%.*s%s", TEXT_ARG(base), path) : asprintf(ret, "http://%s%s", address, path);
    return length < 0 ? fault_set(fault, ERR_NO_MEMORY, "out of memory") : OK;
}

static enum err post(const char *url, const char *key, const char *body, struct buffer *answer, long *ret_status,
                     struct fault *fault) {
    char *authorization scoped(mem_free_pointer) = NULL;
    char words[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    if (curl == NULL || asprintf(&authorization, "Authorization: Bearer %s", key) < 0)
        return fault_set(fault, ERR_NO_MEMORY, "out of memory");
    struct authorities authorities;
    authorities_find(&authorities);
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    authorities_set(&authorities, curl);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return OK;
    return fault_set(fault, ERR_FETCH, "the server at %s cannot be asked: %s", url,
                     words[0] != '\0' ? words : curl_easy_strerror(code));
}

/* The server's answer as a value; what it refused is a fault with its words. */
static enum err read_answer(const struct buffer *answer, long status, json_t **ret, struct fault *fault) {
    json_t *value = json_loadb(answer->data != NULL ? answer->data : "", answer->len, 0, NULL);
    const char *message = json_string_value(json_object_get(json_object_get(value, "error"), "message"));
    if (status == 200 && value != NULL) {
        *ret = value;
        return OK;
    }
    fault_set(fault, ERR_INVALID_REQUEST, "the server says (%ld): %s", status, message ? message : "nothing that could be read");
    json_decref(value);
    return fault->err;
}

static enum err give_order(const struct invocation *call, const char *order, json_t *body, json_t **ret,
                           struct fault *fault) {
    char *path scoped(mem_free_pointer) = NULL, *url scoped(mem_free_pointer) = NULL;
    char *text scoped(mem_free_pointer) = json_render(body);
    const char *key = getenv(KEY_VARIABLE);
    struct task_id id;
    struct buffer answer;
    long status = 0;
    if (!task_id_parse(text_of(call->arguments[0]), &id))
        return fault_set(fault, ERR_INVALID_TASK_ID, "%s is not a task id", call->arguments[0]);
    if (key == NULL || key[0] == '\0')
        return fault_set(fault, ERR_MISSING_API_KEY,
                         "set " KEY_VARIABLE " to a key of `fennec admin-key create`: the server itself has to do this");
    if (asprintf(&path, "/admin/v1/tasks/%s/%s", id.string, order) < 0)
        return fault_set(fault, ERR_NO_MEMORY, "out of memory");
    enum err err = find_url(call, path, &url, fault);
    if (err)
        return err;
    buffer_init(&answer, ANSWER_MAX);
    err = post(url, key, text, &answer, &status, fault);
    if (!err)
        err = read_answer(&answer, status, ret, fault);
    buffer_fini(&answer);
    return err;
}

static int run(const struct invocation *call, const char *order, const char *const *options) {
    struct fault fault = { 0 };
    json_t *body scoped(json_release) = json_object(), *value scoped(json_release) = NULL;
    for (; *options; options++)
        if (invocation_option(call, *options))
            json_object_set_new(body, *options, json_string(invocation_option(call, *options)));
    if (give_order(call, order, body, &value, &fault))
        return command_failed(call, &fault);
    output_facts(call, value,
                 (const struct output_column[]){ { "id", "id" }, { "status", "status" }, { "error", "error" }, { NULL } });
    return EXIT_OK;
}

static int run_retry(const struct invocation *call) {
    static const char *const options[] = { "reason", NULL };
    return run(call, "retry", options);
}

static int run_fail(const struct invocation *call) {
    static const char *const options[] = { "code", "message", "reason", NULL };
    return run(call, "fail", options);
}

#define TEACHING(order)                                                                                                \
    "The server that has the task must do it, so it is asked by its operators' API, with the key in the environment:\n" \
    "  FENNEC_ADMIN_KEY=$(fennec admin-key create) fennec task " order " ID --reason 'it hangs'\n"

const struct command command_task_retry = {
    .name = "task retry",
    .arguments = "ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Has a stuck attempt given up and another made, or a waiting one made now",
    .teaching = TEACHING("retry") "Refused where nobody knows whether the service took the job: nothing is sent twice.\n",
    .options = (const struct cli_option[]){ { "url", "URL", "of the server (default: where the settings have it listen)" },
                                            { "reason", "TEXT", "why, kept in the record of changes" },
                                            { NULL } },
    .run = run_retry,
};

const struct command command_task_fail = {
    .name = "task fail",
    .arguments = "ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Lets a task that has not ended fail, with its credits back",
    .teaching = TEACHING("fail"),
    .options = (const struct cli_option[]){ { "url", "URL", "of the server (default: where the settings have it listen)" },
                                            { "code", "CODE", "the task's error (default: service_error)" },
                                            { "message", "TEXT", "for the task's owner" },
                                            { "reason", "TEXT", "why, kept in the record of changes" },
                                            { NULL } },
    .run = run_fail,
};
