/* Opening, asking and closing houses. */
#include "house.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "store/tx.h"
#include "tests.h"

#define PATIENCE_MS 60000

static void open_accounts(struct store_tx *tx, struct store_job *job) {
    (void)job;
    const char *names[] = { "one", "two" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int64_t id = 0;
        store_tx_ensure_account(tx, text_of(names[i]), TEXT("default"), clock_wall_ms(), &id);
        store_tx_add_ledger(tx, &(struct ledger_row){ .account = id, .book = BOOK_LIVE, .kind = LEDGER_CREDIT,
            .microcredits = HOUSE_CREDITS, .at_ms = clock_wall_ms() });
    }
}

static void read_accounts(struct house *house) {
    assert_int_equal(store_find_account(house->store, TEXT("one"), &house->accounts[0]), OK);
    assert_int_equal(store_find_account(house->store, TEXT("two"), &house->accounts[1]), OK);
}

void house_open(struct house *house, const char *directory, const struct config *limits) {
    struct fault fault = { 0 };
    char blobs[96];
    *house = (struct house){
        .seams = { .drivers = fake_drivers, .retry = { .attempts_max = 3, .first_delay_ms = 1, .max_delay_ms = 2 },
                   .recover_again_ms = 1, .reread_ms = 1, .second_ms = 20, .refresh_ms = PATIENCE_MS },
        .keep = directory != NULL,
    };
    snprintf(house->directory, sizeof(house->directory), "%s", directory != NULL ? directory : "/tmp/house-XXXXXX");
    if (directory == NULL)
        assert_non_null(mkdtemp(house->directory));
    struct store_options options = { .directory = house->directory, .serve = true, .gather = engine_gather };
    assert_int_equal(store_open(&options, &house->store, &fault), OK);
    snprintf(blobs, sizeof(blobs), "%s/blobs", house->directory);
    assert_int_equal(blob_open(blobs, &house->blobs, &fault), OK);
    house->setup = fake_setup(house->directory, limits);
    if (store_find_account(house->store, TEXT("one"), &house->accounts[0]) != OK) {
        struct store_job job = { .run = open_accounts };
        assert_int_equal(store_call(house->store, &job), OK);
    }
    read_accounts(house);
}

void house_start(struct house *house) {
    struct fault fault = { 0 };
    struct engine_options options = { .store = house->store, .blobs = house->blobs, .setup = house->setup };
    assert_int_equal(engine_start_with(&options, &house->seams, &house->engine, &fault), OK);
}

void house_stop(struct house *house) {
    engine_stop(house->engine, 0);
    engine_free(house->engine);
    house->engine = NULL;
}

void house_close(struct house *house) {
    char command[96];
    engine_stop(house->engine, 0);
    store_close(house->store);
    engine_free(house->engine);
    setup_unref(house->setup);
    blob_close(house->blobs);
    if (house->keep)
        return;
    snprintf(command, sizeof(command), "rm -rf %s", house->directory);
    assert_int_equal(system(command), 0);
}

/* ---- waiting ---- */

struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done;
    enum err err;
};

static void begin_waiting(struct waiting *waiting) {
    *waiting = (struct waiting){ 0 };
    pthread_mutex_init(&waiting->mutex, NULL);
    pthread_cond_init(&waiting->cond, NULL);
}

static void end_waiting(struct waiting *waiting, enum err err) {
    pthread_mutex_lock(&waiting->mutex);
    waiting->done = true;
    waiting->err = err;
    pthread_cond_signal(&waiting->cond);
    pthread_mutex_unlock(&waiting->mutex);
}

static enum err await(struct waiting *waiting) {
    pthread_mutex_lock(&waiting->mutex);
    while (!waiting->done)
        pthread_cond_wait(&waiting->cond, &waiting->mutex);
    enum err err = waiting->err;
    pthread_mutex_unlock(&waiting->mutex);
    pthread_mutex_destroy(&waiting->mutex);
    pthread_cond_destroy(&waiting->cond);
    return err;
}

void house_await_true(bool (*condition)(void *context), void *context) {
    int patience_ms = PATIENCE_MS; /* real ones, however fast the clock runs */
    while (!condition(context)) {
        if (patience_ms-- == 0)
            fail_msg("waited in vain");
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
}

/* ---- submitting ---- */

static void submitted(struct submission *submission, enum err err) {
    end_waiting(submission->context, err);
}

/* With an input of its own. */
static struct submission *new_submission(struct house *house, const struct order *order) {
    struct fault fault = { 0 };
    struct submission *submission = mem_new(sizeof(*submission));
    assert_int_equal(json_read_object(text_of(order->input), 16, &submission->input, &fault), OK);
    submission->account = house->accounts[order->account];
    submission->key = (struct key_row){ .id = 1, .account = submission->account.id, .book = order->test ? BOOK_TEST : BOOK_LIVE };
    submission->setup = house->setup;
    submission->model = catalog_find(house->setup->catalog, text_of(order->model));
    submission->reserved = order->reserved != 0 ? order->reserved : PRICE;
    submission->streams = order->streams;
    submission->reasons = order->reasons;
    return submission;
}

static void free_submission(struct submission *submission) {
    json_decref(submission->input);
    free(submission);
}

enum err house_submit(struct house *house, const struct order *order, struct task_id *ret) {
    struct waiting waiting;
    struct submission *submission = new_submission(house, order);
    submission->done = submitted;
    submission->context = &waiting;
    struct submission_input input;
    if (order->file != NULL) {
        input = *order->file;
        submission->inputs = &input;
        submission->input_count = 1;
    }
    begin_waiting(&waiting);
    enum err err = engine_submit(house->engine, submission);
    if (err == OK)
        err = await(&waiting);
    if (err == OK && ret != NULL)
        *ret = submission->answer.id;
    free_submission(submission);
    return err;
}

enum err house_call(struct house *house, const struct order *order, struct task_id *ret,
                    struct chat_stream **ret_stream) {
    struct submission *submission = new_submission(house, order);
    enum err err = engine_call(house->engine, submission, ret_stream);
    if (err == OK)
        *ret = submission->answer.id;
    free_submission(submission);
    return err;
}

static void settled(void *context) {
    end_waiting(context, OK);
}

void house_settle(struct house *house) {
    struct waiting waiting;
    begin_waiting(&waiting);
    engine_settled(house->engine, settled, &waiting);
    assert_int_equal(await(&waiting), OK);
}

struct task_id house_run(struct house *house, unsigned account, const char *model, const char *input) {
    struct task_id id = { "" };
    assert_int_equal(house_submit(house, &(struct order){ .account = account, .model = model, .input = input }, &id), OK);
    return id;
}

static void cancelled(enum err err, void *context) {
    end_waiting(context, err);
}

enum err house_cancel(struct house *house, unsigned account, const struct task_id *id) {
    struct waiting waiting;
    begin_waiting(&waiting);
    engine_cancel(house->engine, house->accounts[account].id, id, cancelled, &waiting);
    return await(&waiting);
}

/* ---- a writer that is held up ---- */

struct writer_hold {
    struct store_job job;
    sem_t entered, open;
    atomic_bool over;
};

static void hold_writer(struct store_tx *tx, struct store_job *job) {
    struct writer_hold *hold = container_of(job, struct writer_hold, job);
    (void)tx;
    sem_post(&hold->entered);
    while (sem_wait(&hold->open) != 0)
        ;
}

static void writer_let(struct store_job *job, enum err err) {
    (void)err;
    atomic_store(&container_of(job, struct writer_hold, job)->over, true);
}

void house_hold_writer(struct house *house) {
    struct writer_hold *hold = mem_new(sizeof(*hold));
    hold->job = (struct store_job){ .run = hold_writer, .done = writer_let };
    sem_init(&hold->entered, 0, 0);
    sem_init(&hold->open, 0, 0);
    assert_int_equal(store_post(house->store, &hold->job), OK);
    while (sem_wait(&hold->entered) != 0)
        ;
    house->writer_hold = hold;
}

static bool is_over(void *context) {
    return atomic_load(&((struct writer_hold *)context)->over);
}

void house_let_writer(struct house *house) {
    struct writer_hold *hold = house->writer_hold;
    house->writer_hold = NULL;
    sem_post(&hold->open);
    house_await_true(is_over, hold);
    sem_destroy(&hold->entered);
    sem_destroy(&hold->open);
    free(hold);
}

/* ---- asking ---- */

struct expectation {
    struct house *house;
    int64_t account;
    const struct task_id *id;
    enum task_state state;
};

static bool is_in_state(void *context) {
    struct expectation *expectation = context;
    struct arena arena;
    struct task_row row;
    arena_init(&arena, 1 << 20);
    enum err err = store_find_task(expectation->house->store, expectation->account, expectation->id, &arena, &row);
    arena_fini(&arena);
    assert_int_equal(err, OK);
    if (row.state != expectation->state && task_state_final(row.state))
        fail_msg("%s is %s, not %s", expectation->id->string, task_state_name(row.state), task_state_name(expectation->state));
    return row.state == expectation->state;
}

/* The board follows the store by a moment. */
static bool is_shown(void *context) {
    struct expectation *expectation = context;
    char wanted[64];
    struct buffer body;
    buffer_init(&body, 1 << 20);
    if (engine_query(expectation->house->engine, expectation->account, expectation->id, HOUSE_BASE, &body) != OK)
        fail_msg("the task cannot be queried");
    snprintf(wanted, sizeof(wanted), "\"status\":\"%s\"", task_state_name(expectation->state));
    bool shown = strstr(body.data, wanted) != NULL;
    buffer_fini(&body);
    return shown;
}

void house_await(struct house *house, unsigned account, const struct task_id *id, enum task_state state) {
    struct expectation expectation = { house, house->accounts[account].id, id, state };
    house_await_true(is_in_state, &expectation);
    house_await_true(is_shown, &expectation);
}

static bool have_started(void *context) {
    return fake_started() >= *(unsigned *)context;
}

void house_await_started(unsigned count) {
    house_await_true(have_started, &count);
}

char *house_query(struct house *house, unsigned account, const struct task_id *id, struct text base) {
    struct buffer body;
    buffer_init(&body, 1 << 20);
    enum err err = engine_query(house->engine, house->accounts[account].id, id, base, &body);
    char *text = err == OK ? buffer_take(&body) : NULL;
    if (err != OK)
        assert_int_equal(err, ERR_TASK_NOT_FOUND);
    buffer_fini(&body);
    return text;
}

int64_t house_balance(struct house *house, unsigned account) {
    struct account_row row;
    assert_int_equal(store_find_account_by_id(house->store, house->accounts[account].id, &row), OK);
    return row.balance[BOOK_LIVE];
}

struct words {
    char *at;
    size_t left;
};

static void add_word(struct words *words, struct text word) {
    int count = snprintf(words->at, words->left, "%.*s", TEXT_ARG(word));
    assert_true(count >= 0 && (size_t)count + 1 < words->left);
    words->at += count;
    words->left -= (size_t)count;
    *words->at++ = ' ';
    *words->at = '\0';
    words->left--;
}

static void begin_words(struct words *words, char *ret, size_t size) {
    *words = (struct words){ ret, size };
    ret[0] = '\0';
}

static void end_words(struct words *words, const char *ret) {
    if (words->at > ret)
        words->at[-1] = '\0';
}

static bool add_event(const struct event_row *row, void *context) {
    add_word(context, row->kind);
    return true;
}

void house_events(struct house *house, unsigned account, const struct task_id *id, char *ret, size_t size) {
    struct words words;
    begin_words(&words, ret, size);
    assert_int_equal(store_list_events(house->store, house->accounts[account].id, id, add_event, &words), OK);
    end_words(&words, ret);
}

struct happening {
    struct house *house;
    unsigned account;
    const struct task_id *id;
    const char *kind;
};

static bool has_happened(void *context) {
    const struct happening *happening = context;
    char events[4096];
    house_events(happening->house, happening->account, happening->id, events, sizeof(events));
    return strstr(events, happening->kind) != NULL;
}

void house_await_event(struct house *house, unsigned account, const struct task_id *id, const char *kind) {
    house_await_true(has_happened, &(struct happening){ house, account, id, kind });
}

static bool add_attempt(const struct attempt_row *row, void *context) {
    add_word(context, text_of(attempt_state_name(row->state)));
    return true;
}

void house_attempts(struct house *house, unsigned account, const struct task_id *id, char *ret, size_t size) {
    struct words words;
    begin_words(&words, ret, size);
    assert_int_equal(store_list_attempts(house->store, house->accounts[account].id, id, add_attempt, &words), OK);
    end_words(&words, ret);
}

static bool count_one(const char *hash, void *context) {
    (void)hash;
    ++*(unsigned *)context;
    return true;
}

unsigned house_blobs(struct house *house) {
    unsigned count = 0;
    assert_int_equal(blob_each(house->blobs, count_one, &count), OK);
    return count;
}

static void finding(const char *words, void *context) {
    print_error("audit: %s\n", words);
    ++*(unsigned *)context;
}

void house_spoil_input(struct house *house, const struct task_id *id) {
    sqlite3 *database;
    char path[96], sql[256];
    struct text text = task_id_text(id);
    snprintf(path, sizeof(path), "%s/fennec.db", house->directory);
    snprintf(sql, sizeof(sql), "UPDATE task SET input = 'spoilt' WHERE id = '%.*s' AND input <> '';"
                               "UPDATE task_input SET input = 'spoilt' WHERE task = '%.*s'", TEXT_ARG(text), TEXT_ARG(text));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, PATIENCE_MS);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_total_changes(database) > 0);
    sqlite3_close(database);
}

void house_audit(struct house *house) {
    unsigned findings = 0;
    assert_int_equal(store_audit(house->store, finding, &findings), OK);
    assert_int_equal(findings, 0);
}
