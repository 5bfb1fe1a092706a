/* A store in a directory of its own, and short ways to write into it. */
#include "fixture.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

void directory_make(char ret[64]) {
    const char *parent = getenv("TMPDIR");
    snprintf(ret, 64, "%.40s/fennec-store-XXXXXX", parent != NULL && strlen(parent) <= 40 ? parent : "/tmp");
    assert_non_null(mkdtemp(ret));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void directory_remove(const char *directory) {
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *path_in(const char *directory, const char *name) {
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

struct store *open_store(const char *directory) {
    struct store_options options = { .directory = directory };
    struct store *store = NULL;
    struct fault fault = { 0 };
    if (store_open(&options, &store, &fault) != OK) {
        fail_msg("%s", fault.message);
    }
    return store;
}

int fixture_setup(void **state) {
    struct fixture *fixture = mem_new(sizeof(*fixture));
    directory_make(fixture->directory);
    fixture->store = open_store(fixture->directory);
    arena_init(&fixture->arena, 1 << 20);
    fixture->account = make_account(fixture->store, "acme", 1000);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    store_close(fixture->store);
    arena_fini(&fixture->arena);
    directory_remove(fixture->directory);
    free(fixture);
    return 0;
}

struct verb_job {
    struct store_job job;
    void (*verb)(struct store_tx *tx, void *context);
    void *context;
};

static void run_verb(struct store_tx *tx, struct store_job *job) {
    struct verb_job *verb = container_of(job, struct verb_job, job);
    verb->verb(tx, verb->context);
}

enum err call(struct store *store, void (*verb)(struct store_tx *tx, void *context), void *context) {
    struct verb_job job = { .job = { .run = run_verb }, .verb = verb, .context = context };
    return store_call(store, &job.job);
}

struct new_account {
    const char *name;
    int64_t microcredits, id;
};

static void add_account(struct store_tx *tx, void *context) {
    struct new_account *account = context;
    store_tx_ensure_account(tx, text_of(account->name), TEXT_NONE, NOW_MS, &account->id);
    store_tx_add_ledger(tx, &(struct ledger_row){ .account = account->id,
                                                  .kind = LEDGER_CREDIT,
                                                  .microcredits = account->microcredits,
                                                  .at_ms = NOW_MS,
                                                  .note = TEXT("start") });
}

int64_t make_account(struct store *store, const char *name, int64_t microcredits) {
    struct new_account account = { .name = name, .microcredits = microcredits };
    assert_int_equal(call(store, add_account, &account), OK);
    return account.id;
}

int64_t balance_of(struct store *store, int64_t account, enum book book) {
    struct account_row row;
    assert_int_equal(store_find_account_by_id(store, account, &row), OK);
    return row.balance[book];
}

struct task_id fresh_id(void) {
    struct task_id id;
    task_id_new(&id, false, NOW_MS / 1000);
    return id;
}

struct task_row pending_task(int64_t account, int64_t reserved) {
    return (struct task_row){
        .account = account,
        .id = fresh_id(),
        .key = 7,
        .book = BOOK_LIVE,
        .type = TASK_AUDIO,
        .state = TASK_PENDING,
        .billing = BILLING_PER_SECOND,
        .created_ms = NOW_MS,
        .reserved = reserved,
        .model = TEXT("local-speech"),
        .group = TEXT("default"),
    };
}

static void hold(struct store_tx *tx, struct store_job *job) {
    struct gate *gate = container_of(job, struct gate, job);
    (void)tx;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
}

static void end_hold(struct store_job *job, enum err err) {
    (void)job;
    assert_int_equal(err, OK);
}

void gate_close(struct gate *gate, struct store *store) {
    gate->job = (struct store_job){ .run = hold, .done = end_hold };
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    assert_int_equal(store_post(store, &gate->job), OK);
    sem_wait(&gate->entered);
}

void acceptance_run(struct store_tx *tx, struct store_job *job) {
    const struct task_row *task = &container_of(job, struct acceptance, job)->task;
    store_tx_add_task(tx, task, TEXT("{\"prompt\":\"a quiet morning at the lake, birds, light wind\",\"speed\":1.0}"));
    store_tx_add_ledger(tx, &(struct ledger_row){ .account = task->account,
                                                  .book = task->book,
                                                  .kind = LEDGER_RESERVE,
                                                  .microcredits = -task->reserved,
                                                  .task = task->id,
                                                  .at_ms = task->created_ms });
}

void accept_task(struct store *store, const struct task_row *task) {
    struct acceptance acceptance = { .job = { .run = acceptance_run }, .task = *task };
    assert_int_equal(store_call(store, &acceptance.job), OK);
}

struct ending {
    struct task_row task;
    enum task_state from;
};

static void end_task(struct store_tx *tx, void *context) {
    const struct ending *ending = context;
    const struct task_row *task = &ending->task;
    store_tx_move_task(tx, task, ending->from);
    store_tx_add_ledger(tx, &(struct ledger_row){ .account = task->account,
                                                  .book = task->book,
                                                  .kind = LEDGER_SETTLE,
                                                  .microcredits = task->refunded,
                                                  .charged = task->charged,
                                                  .task = task->id,
                                                  .at_ms = task->finished_ms });
}

enum err finish_task(struct store *store, struct task_row task, enum task_state from, enum task_state to) {
    struct settlement settlement = money_settle(task.reserved, task.reserved, to == TASK_COMPLETED);
    task.state = to;
    task.finished_ms = NOW_MS + 5000;
    task.charged = settlement.charged;
    task.refunded = settlement.refunded;
    if (to == TASK_COMPLETED) {
        task.progress = 100;
        task.results = TEXT("[{\"url\":\"\x01/v1/results/x\"}]");
    } else {
        task.error = TASK_ERROR_GENERATION_FAILED;
        task.error_message = TEXT("The generation failed.");
    }
    struct ending ending = { .task = task, .from = from };
    return call(store, end_task, &ending);
}

struct task_row stored_task(struct fixture *fixture, const struct task_row *task) {
    struct task_row row;
    assert_int_equal(store_find_task(fixture->store, task->account, &task->id, &fixture->arena, &row), OK);
    return row;
}

void tamper(const char *directory, const char *sql) {
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path_in(directory, "fennec.db"), &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_exec(database, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(database));
    }
    sqlite3_close(database);
}

struct findings {
    unsigned count;
    char *words;
};

static void keep_finding(const char *words, void *context) {
    struct findings *findings = context;
    findings->count++;
    snprintf(findings->words, 512, "%s", words);
}

unsigned audit(struct store *store, char ret_words[512]) {
    struct findings findings = { .words = ret_words };
    assert_int_equal(store_audit(store, keep_finding, &findings), OK);
    return findings.count;
}

void assert_sound(struct store *store) {
    char words[512] = "";
    if (audit(store, words) != 0) {
        fail_msg("the audit finds: %s", words);
    }
}
