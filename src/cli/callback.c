/* fennec callback list, show, replay, test, rotate-secret: an operator's view of callbacks, beside a running server. */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "admin/callback.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/intake.h"
#include "callback/ladder.h"
#include "callback/signature.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "config/config.h"

#define ROW_BYTES_MAX 16384
#define LIST_DEFAULT 50
#define TEST_WAIT_MS 15000
#define TEST_LOOK_MS 100

static json_t *callback_value(const struct callback_row *row) {
    return json_pack("{s:s, s:I, s:s, s:b, s:o, s:s, s:o, s:i, s:i, s:o, s:o, s:o}", "id", row->id, "account_id",
                     (json_int_t)row->account, "task", row->task.string, "test", row->test, "url",
                     output_text(row->url), "status", callback_state_name(row->state), "outcome",
                     output_text(row->outcome), "http_status", row->status, "tries", row->tries, "created",
                     output_time(row->created_ms), "due", output_time(row->state == CALLBACK_DUE ? row->due_ms : 0),
                     "ended", output_time(row->ended_ms));
}

/* ---- list ---- */

static bool add_callback(const struct callback_row *row, void *rows) {
    json_array_append_new(rows, callback_value(row));
    return true;
}

/* `state` is where filter->state may point. */
static enum err read_filter(const struct invocation *call, struct store *store, struct callback_filter *filter,
                            enum callback_state *state, struct fault *fault) {
    const char *account = invocation_option(call, "account"), *status = invocation_option(call, "status");
    const char *limit = invocation_option(call, "limit");
    int64_t count = LIST_DEFAULT;
    struct account_row row;
    if (limit && (!text_to_i64(text_of(limit), &count) || count < 1 || count > 100000))
        return fault_set(fault, ERR_INVALID_REQUEST, "--limit needs a number from 1 to 100000");
    filter->limit = (unsigned)count;
    if (status && !callback_state_parse(text_of(status), state))
        return fault_set(fault, ERR_INVALID_REQUEST, "--status is one of waiting, due, delivered, given_up");
    if (status)
        filter->state = state;
    enum err err = account ? owner_find(store, account, &row, fault) : OK;
    if (account && !err)
        filter->account = row.id;
    return err;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct callback_filter filter = { 0 };
    enum callback_state state;
    json_t *rows scoped(json_release) = json_array();
    enum err err = read_filter(call, store, &filter, &state, &fault);
    if (!err) {
        err = store_list_callbacks(store, &filter, add_callback, rows);
        if (!err)
            err = owner_name_all(store, rows);
        if (err)
            fault_set(&fault, err, "the callbacks could not be read");
    }
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    static const struct output_column COLUMNS[] = { { "ID", "id" },         { "ACCOUNT", "account" },
                                                    { "TASK", "task" },     { "STATUS", "status" },
                                                    { "TRIES", "tries" },   { "OUTCOME", "outcome" },
                                                    { "HTTP", "http_status" }, { "DUE", "due" },
                                                    { "URL", "url" },       { NULL } };
    output_table(call, rows, COLUMNS, "No callbacks.");
    return EXIT_OK;
}

const struct command command_callback_list = {
    .name = "callback list",
    .summary = "Lists callbacks, newest first",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" },
                                            { "status", "STATUS", "waiting, due, delivered or given_up" },
                                            { "limit", "N", "how many (default: 50)" },
                                            { NULL } },
    .run = run_list,
};

/* ---- show ---- */

static bool add_try(const struct callback_try_row *row, void *rows) {
    json_array_append_new(rows, json_pack("{s:i, s:o, s:I, s:o, s:i, s:o}", "number", row->number, "at",
                                          output_time(row->at_ms), "ms", (json_int_t)row->duration_ms, "outcome",
                                          output_text(row->outcome), "http_status", row->status, "excerpt",
                                          output_text(row->excerpt)));
    return true;
}

/* With its tries; the reference is the caller's. */
static enum err load(struct store *store, const char *id, json_t **ret) {
    struct arena arena;
    struct callback_row row;
    arena_init(&arena, ROW_BYTES_MAX);
    enum err err = store_find_callback_of_any(store, text_of(id), &arena, &row);
    json_t *value = err ? NULL : callback_value(&row);
    arena_fini(&arena);
    if (err)
        return err;
    json_t *tries = json_array();
    json_object_set_new(value, "log", tries);
    err = store_list_callback_tries(store, row.account, text_of(id), add_try, tries);
    if (!err)
        err = owner_name(store, value);
    if (err)
        json_decref(value);
    else
        *ret = value;
    return err;
}

static void put_callback(const struct invocation *call, const json_t *value) {
    static const struct output_column FACTS[] = { { "id", "id" },           { "account", "account" },
                                                  { "task", "task" },       { "url", "url" },
                                                  { "status", "status" },   { "outcome", "outcome" },
                                                  { "HTTP status", "http_status" }, { "tries", "tries" },
                                                  { "created", "created" }, { "due", "due" },
                                                  { "ended", "ended" },     { NULL } };
    static const struct output_column TRIES[] = { { "#", "number" },       { "AT", "at" },
                                                  { "MS", "ms" },          { "OUTCOME", "outcome" },
                                                  { "HTTP", "http_status" }, { "ANSWER", "excerpt" },
                                                  { NULL } };
    output_facts(call, value, FACTS);
    if (call->json || json_array_size(json_object_get(value, "log")) == 0)
        return;
    printf("\nTries\n");
    output_table(call, json_object_get(value, "log"), TRIES, "");
}

static int run_show(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    json_t *value scoped(json_release) = NULL;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = load(store, call->arguments[0], &value);
    store_close(store);
    if (err) {
        fault_set(&fault, err, err == ERR_NOT_FOUND ? "there is no callback %s" : "the callback %s could not be read",
                  call->arguments[0]);
        return command_failed(call, &fault);
    }
    put_callback(call, value);
    return EXIT_OK;
}

const struct command command_callback_show = {
    .name = "callback show",
    .arguments = "ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Shows a callback of any account with its tries",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_show,
};

/* ---- beside a server ---- */

/* Whether some process serves the directory, as its lock file says. */
static bool is_served(const char *data) {
    char path[4096];
    long process = 0;
    snprintf(path, sizeof(path), "%s/server.lock", data);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fscanf(file, "%ld", &process) != 1)
        process = 0;
    fclose(file);
    return process > 0 && kill((pid_t)process, 0) == 0;
}

static void warn_unless_served(const char *data) {
    if (!is_served(data))
        fprintf(stderr, "no server runs here now: it is sent when one does\n");
}

/* ---- replay ---- */

static enum err replay(struct store *store, const char *id, struct fault *fault) {
    char actor[CLI_ACTOR_SIZE];
    struct arena arena;
    struct callback_row row;
    arena_init(&arena, ROW_BYTES_MAX);
    enum err err = store_find_callback_of_any(store, text_of(id), &arena, &row);
    if (err)
        fault_set(fault, err, "there is no callback %s", id);
    else
        err = admin_callback_replay(store, cli_actor(actor), &row, TEXT(""), ladder_deadline_ms(clock_wall_ms()), true,
                                    fault);
    arena_fini(&arena);
    return err;
}

static int run_replay(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    struct config *config;
    if (open_config(call, &config, &fault) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = replay(store, call->arguments[0], &fault);
    store_close(store);
    if (!err)
        warn_unless_served(config->data);
    config_free(config);
    if (err)
        return command_failed(call, &fault);
    json_t *result scoped(json_release) = json_pack("{s:s, s:s}", "id", call->arguments[0], "status", "due");
    output_facts(call, result, (const struct output_column[]){ { "id", "id" }, { "status", "status" }, { NULL } });
    return EXIT_OK;
}

const struct command command_callback_replay = {
    .name = "callback replay",
    .arguments = "ID",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Sends a callback again, with the same id; a running server does so within seconds",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_replay,
};

/* ---- test ---- */

struct test_job {
    struct store_job job;
    struct callback_intake intake;
};

static void test_run(struct store_tx *tx, struct store_job *job) {
    callback_intake_write(tx, &container_of(job, struct test_job, job)->intake, NULL);
    store_tx_announce_callbacks(tx);
}

static enum err find_account(const struct invocation *call, struct store *store, struct account_row *ret,
                             struct fault *fault) {
    const char *name = invocation_option(call, "account");
    if (!name)
        return fault_set(fault, ERR_INVALID_REQUEST, "--account says whose it is");
    return owner_find(store, name, ret, fault);
}

static enum err enqueue(const struct invocation *call, const struct config *config, struct store *store,
                        struct test_job *test, struct fault *fault) {
    struct text url = text_of(call->arguments[0]);
    struct account_row account = { .id = 0 };
    enum err err = callback_url_check(url, config, "", fault);
    if (!err)
        err = find_account(call, store, &account, fault);
    if (!err)
        err = callback_intake_init(&test->intake, account.id, url,
                                   text_of(config->public_url ? config->public_url : ""), clock_wall_ms(), fault);
    if (err)
        return err;
    callback_intake_test(&test->intake);
    err = store_call(store, &test->job);
    return err ? fault_set(fault, err, "the test could not be stored") : OK;
}

/* Looks until it was tried, for a while; the delivery as it is then. */
static enum err await_outcome(struct store *store, const char *id, bool served, json_t **ret) {
    enum err err = OK;
    for (int waited_ms = 0;; waited_ms += TEST_LOOK_MS) {
        json_t *value = NULL;
        err = load(store, id, &value);
        bool tried = !err && json_integer_value(json_object_get(value, "tries")) > 0;
        if (err || tried || !served || waited_ms >= TEST_WAIT_MS) {
            *ret = value;
            return err;
        }
        json_decref(value);
        nanosleep(&(struct timespec){ .tv_nsec = (long)TEST_LOOK_MS * 1000000 }, NULL);
    }
}

static int run_test(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    struct config *config;
    json_t *value scoped(json_release) = NULL;
    struct test_job test = { .job.run = test_run };
    if (open_config(call, &config, &fault) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = enqueue(call, config, store, &test, &fault);
    if (!err) {
        warn_unless_served(config->data);
        err = await_outcome(store, test.intake.row.id, is_served(config->data), &value);
        if (err)
            fault_set(&fault, err, "the test could not be read again");
    }
    store_close(store);
    config_free(config);
    if (err)
        return command_failed(call, &fault);
    put_callback(call, value);
    return EXIT_OK;
}

const struct command command_callback_test = {
    .name = "callback test",
    .arguments = "URL",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Sends a signed test event to an address, and shows what came of it",
    .teaching = "The running server sends it, signed with the account's secret; it is tried once.\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "whose secret signs it (required)" }, { NULL } },
    .run = run_test,
};

/* ---- rotate-secret ---- */

static enum err rotate(const struct invocation *call, struct store *store, char secret[CALLBACK_SECRET_SIZE],
                       struct fault *fault) {
    const char *overlap = invocation_option(call, "overlap");
    char actor[CLI_ACTOR_SIZE];
    int64_t overlap_s = SIGNATURE_OVERLAP_S;
    struct account_row account = { .id = 0 };
    if (overlap && (!text_to_i64(text_of(overlap), &overlap_s) || overlap_s < 0 || overlap_s > SIGNATURE_OVERLAP_MAX_S))
        return fault_set(fault, ERR_INVALID_REQUEST, "--overlap needs a number of seconds from 0 to %d",
                         SIGNATURE_OVERLAP_MAX_S);
    enum err err = find_account(call, store, &account, fault);
    if (err)
        return err;
    signature_secret_new(secret);
    return admin_callback_secret_rotate(store, cli_actor(actor), account.id, text_of(secret),
                                        clock_wall_ms() + overlap_s * 1000, fault);
}

static int run_rotate(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    char secret[CALLBACK_SECRET_SIZE];
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = rotate(call, store, secret, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_t *result scoped(json_release) = json_pack("{s:s}", "secret", secret);
    if (call->json)
        output_json(result);
    else
        printf("%s\n", secret);
    return EXIT_OK;
}

const struct command command_callback_rotate_secret = {
    .name = "callback rotate-secret",
    .summary = "Makes a new secret for an account's callbacks, and prints it alone on stdout",
    .teaching = "It is shown this once. Both secrets sign for the time of the overlap, so that receivers can change over;\n"
                "--overlap 0 ends the old one at once.\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "whose secret it is (required)" },
                                            { "overlap", "SECONDS", "for which the old one signs, too (default: 86400)" },
                                            { NULL } },
    .run = run_rotate,
};
