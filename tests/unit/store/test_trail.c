/* What a task leaves behind: attempts (T3), events in order, claims on blobs. */
#include "fixture.h"

#include "tests.h"

static void add_attempt(struct store_tx *tx, void *context) {
    store_tx_add_attempt(tx, context);
}

static void end_attempt(struct store_tx *tx, void *context) {
    store_tx_end_attempt(tx, context);
}

static void set_remote(struct store_tx *tx, void *context) {
    const struct attempt_row *attempt = context;
    store_tx_set_attempt_remote(tx, attempt->account, &attempt->task, attempt->number, attempt->remote, attempt->kept);
}

struct attempts {
    unsigned count;
    struct attempt_row rows[4];
    char remotes[4][32], details[4][32];
};

static bool see_attempt(const struct attempt_row *row, void *context) {
    struct attempts *seen = context;
    assert_true(seen->count < ARRAY_SIZE(seen->rows));
    seen->rows[seen->count] = *row;
    snprintf(seen->remotes[seen->count], 32, "%.*s", TEXT_ARG(row->remote));
    snprintf(seen->details[seen->count], 32, "%.*s", TEXT_ARG(row->detail));
    seen->count++;
    return true;
}

static void test_attempts(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    struct attempt_row attempt = {
        .account = task.account, .task = task.id, .number = 1, .started_ms = NOW_MS, .provider = TEXT("fal")
    };
    struct attempts seen = { 0 };

    assert_int_equal(call(fixture->store, add_attempt, &attempt), ERR_NOT_FOUND); /* no such task yet */
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, set_remote, &attempt), ERR_NOT_FOUND);
    assert_int_equal(call(fixture->store, end_attempt, &attempt), ERR_NOT_FOUND);
    assert_int_equal(call(fixture->store, add_attempt, &attempt), OK);
    assert_int_equal(call(fixture->store, add_attempt, &attempt), ERR_EXISTS);
    attempt.remote = TEXT("job-1");
    assert_int_equal(call(fixture->store, set_remote, &attempt), OK);
    attempt.remote = TEXT_NONE; /* an end that does not name it does not lose it */
    attempt.state = ATTEMPT_FAILED;
    attempt.ended_ms = NOW_MS + 5;
    attempt.detail = TEXT("out of capacity");
    assert_int_equal(call(fixture->store, end_attempt, &attempt), OK);
    attempt.number = 2;
    attempt.state = ATTEMPT_STARTED;
    assert_int_equal(call(fixture->store, add_attempt, &attempt), OK);

    assert_int_equal(store_list_attempts(fixture->store, task.account, &task.id, see_attempt, &seen), OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.rows[0].state, ATTEMPT_FAILED);
    assert_int_equal(seen.rows[0].ended_ms, NOW_MS + 5);
    assert_string_equal(seen.remotes[0], "job-1");
    assert_string_equal(seen.details[0], "out of capacity");
    assert_int_equal(seen.rows[1].number, 2);
}

static void test_attempts_of_another_account(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    struct attempt_row stolen = { .account = make_account(fixture->store, "other", 0), .task = task.id, .number = 1 };
    struct attempts seen = { 0 };
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, add_attempt, &stolen), ERR_NOT_FOUND);
    stolen.account = task.account;
    assert_int_equal(call(fixture->store, add_attempt, &stolen), OK);
    assert_int_equal(store_list_attempts(fixture->store, task.account + 1, &task.id, see_attempt, &seen), OK);
    assert_int_equal(seen.count, 0);
}

static void add_events(struct store_tx *tx, void *context) {
    const struct task_row *task = context;
    struct event_row event = { .account = task->account, .task = task->id, .at_ms = NOW_MS + 1 };
    event.kind = TEXT("dispatched");
    event.data = TEXT("{\"provider\":\"local\"}");
    store_tx_add_event(tx, &event);
    event.kind = TEXT("completed");
    event.data = TEXT("{}");
    store_tx_add_event(tx, &event);
}

struct events {
    unsigned count;
    char kinds[160];
};

static bool see_event(const struct event_row *row, void *context) {
    struct events *seen = context;
    size_t used = strlen(seen->kinds);
    assert_int_equal(row->sequence, ++seen->count);
    snprintf(seen->kinds + used, sizeof(seen->kinds) - used, "%.*s %.*s;", TEXT_ARG(row->kind), TEXT_ARG(row->data));
    return true;
}

static void test_events_are_numbered_in_a_task(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0), other = pending_task(fixture->account, 0);
    struct task_row unknown = pending_task(fixture->account, 0);
    struct events seen = { 0 };
    accept_task(fixture->store, &task);
    accept_task(fixture->store, &other);
    assert_int_equal(call(fixture->store, add_events, &task), OK);
    assert_int_equal(call(fixture->store, add_events, &unknown), ERR_NOT_FOUND);
    assert_int_equal(store_list_events(fixture->store, task.account, &task.id, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "accepted {};dispatched {\"provider\":\"local\"};completed {};");
    int last = -1;
    seen = (struct events){ .count = 1 };
    assert_int_equal(store_list_events_after(fixture->store, task.account, &task.id, 1, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "dispatched ;completed ;"); /* without their data */
    assert_int_equal(store_last_event(fixture->store, task.account, &task.id, &last), OK);
    assert_int_equal(last, 3);
    assert_int_equal(store_last_event(fixture->store, task.account + 1, &task.id, &last), OK); /* S2 */
    assert_int_equal(last, 0);
    seen = (struct events){ 0 };
    assert_int_equal(store_list_events(fixture->store, task.account + 1, &task.id, see_event, &seen), OK);
    assert_int_equal(seen.count, 0);
}

/* What a call writes at its end: two events have no row. */
static void add_call(struct store_tx *tx, void *context) {
    const struct task_row *task = context;
    store_tx_add_attempt(tx, &(struct attempt_row){ .account = task->account, .task = task->id, .number = 1,
                                                    .started_ms = NOW_MS + 1, .provider = TEXT("fal"),
                                                    .target = TEXT("model"), .credential = TEXT("0123") });
    store_tx_add_attempt(tx, &(struct attempt_row){ .account = task->account, .task = task->id, .number = 2,
                                                    .started_ms = NOW_MS + 2, .provider = TEXT("local") });
    const struct event_row end = { .account = task->account, .task = task->id, .at_ms = NOW_MS + 3,
                                   .kind = TEXT("completed"), .data = TEXT("{}") };
    store_tx_add_event_at(tx, &end, 3);
}

static void add_local_attempt(struct store_tx *tx, void *context) {
    const struct task_row *task = context;
    store_tx_add_attempt(tx, &(struct attempt_row){ .account = task->account, .task = task->id, .number = 1,
                                                    .started_ms = NOW_MS + 1, .provider = TEXT("local") });
}

static void test_a_calls_first_dispatch_is_told_by_its_attempt(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0), local = pending_task(fixture->account, 0);
    struct events seen = { 0 };
    int last = -1;
    accept_task(fixture->store, &task);
    accept_task(fixture->store, &local);
    assert_int_equal(call(fixture->store, add_call, &task), OK);
    assert_int_equal(call(fixture->store, add_local_attempt, &local), OK);
    assert_int_equal(store_list_events(fixture->store, task.account, &task.id, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "accepted {};dispatched {\"attempt\":1,\"provider\":\"fal\",\"target\":\"model\","
                                    "\"key\":\"0123\"};completed {};");
    seen = (struct events){ .count = 1 };
    assert_int_equal(store_list_events_after(fixture->store, task.account, &task.id, 1, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "dispatched ;completed ;");
    seen = (struct events){ .count = 2 };
    assert_int_equal(store_list_events_after(fixture->store, task.account, &task.id, 2, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "completed ;");
    assert_int_equal(store_last_event(fixture->store, task.account, &task.id, &last), OK);
    assert_int_equal(last, 3);
    seen = (struct events){ 0 };
    assert_int_equal(store_list_events(fixture->store, local.account, &local.id, see_event, &seen), OK);
    assert_string_equal(seen.kinds, "accepted {};dispatched {\"attempt\":1,\"provider\":\"local\"};");
}

static void add_artifact(struct store_tx *tx, void *context) {
    store_tx_add_artifact(tx, context);
}

static void remove_artifact(struct store_tx *tx, void *context) {
    store_tx_remove_artifact(tx, context);
}

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct artifact_row artifact_of(const struct task_row *task, enum artifact_role role, int position,
                                       const char *hash, int64_t expires_ms) {
    struct artifact_row row = { .account = task->account,
                                .task = task->id,
                                .role = role,
                                .position = position,
                                .size = 77,
                                .expires_ms = expires_ms,
                                .media_type = TEXT("audio/wav"),
                                .name = TEXT("speech.wav") };
    snprintf(row.hash, sizeof(row.hash), "%s", hash);
    return row;
}

struct artifacts {
    unsigned count;
    int64_t expiries[4];
};

static bool see_artifact(const struct artifact_row *row, void *context) {
    struct artifacts *seen = context;
    assert_true(seen->count < ARRAY_SIZE(seen->expiries));
    assert_int_equal(row->size, 77);
    assert_int_equal(strlen(row->hash), 64);
    assert_true(text_equal(row->media_type, TEXT("audio/wav")));
    assert_true(text_equal(row->name, TEXT("speech.wav")));
    seen->expiries[seen->count++] = row->expires_ms;
    return true;
}

static bool claimed(struct store *store, const char *hash) {
    bool claimed;
    assert_int_equal(store_blob_claimed(store, text_of(hash), &claimed), OK);
    return claimed;
}

static bool claimed_after(struct store *store, const char *hash, int64_t now_ms) {
    bool claimed;
    assert_int_equal(store_blob_claimed_after(store, text_of(hash), now_ms, &claimed), OK);
    return claimed;
}

static void test_artifacts_claim_blobs(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    struct artifact_row rows[] = { artifact_of(&task, ARTIFACT_OUTPUT, 1, HASH_A, NOW_MS + 30),
                                   artifact_of(&task, ARTIFACT_OUTPUT, 0, HASH_B, NOW_MS + 20),
                                   artifact_of(&task, ARTIFACT_INPUT, 0, HASH_A, NOW_MS + 10),
                                   artifact_of(&task, ARTIFACT_INPUT, 1, HASH_B, 0) };
    struct artifacts all = { 0 }, expired = { 0 }, first = { 0 };

    assert_int_equal(call(fixture->store, add_artifact, &rows[0]), ERR_NOT_FOUND); /* no such task yet */
    accept_task(fixture->store, &task);
    assert_false(claimed(fixture->store, HASH_A));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(call(fixture->store, add_artifact, &rows[i]), OK);
        assert_int_equal(call(fixture->store, add_artifact, &rows[i]), ERR_EXISTS);
    }
    assert_int_equal(store_list_artifacts(fixture->store, task.account, &task.id, see_artifact, &all), OK);
    const int64_t by_place[] = { NOW_MS + 10, 0, NOW_MS + 20, NOW_MS + 30 };
    assert_int_equal(all.count, 4);
    assert_memory_equal(all.expiries, by_place, sizeof(by_place));
    assert_int_equal(store_list_expired_artifacts(fixture->store, NOW_MS + 20, 10, see_artifact, &expired), OK);
    assert_int_equal(expired.count, 2);
    assert_int_equal(expired.expiries[0], NOW_MS + 10);
    assert_int_equal(store_list_expired_artifacts(fixture->store, NOW_MS + 20, 1, see_artifact, &first), OK);
    assert_int_equal(first.count, 1);

    assert_true(claimed_after(fixture->store, HASH_A, NOW_MS + 29));
    assert_false(claimed_after(fixture->store, HASH_A, NOW_MS + 30));
    assert_true(claimed_after(fixture->store, HASH_B, NOW_MS + 30)); /* one claim has no end */
    assert_int_equal(call(fixture->store, remove_artifact, &rows[0]), OK);
    assert_true(claimed(fixture->store, HASH_A)); /* the input claims it still */
    assert_int_equal(call(fixture->store, remove_artifact, &rows[2]), OK);
    assert_int_equal(call(fixture->store, remove_artifact, &rows[2]), OK); /* gone is gone */
    assert_false(claimed(fixture->store, HASH_A));
    assert_true(claimed(fixture->store, HASH_B));
}

static bool count_small(const struct artifact_row *row, void *context) {
    assert_int_equal(row->small, strcmp(row->hash, HASH_A) == 0);
    *(unsigned *)context += row->small;
    return true;
}

static bool count_blob(const struct artifact_row *row, void *context) {
    assert_false(row->small);
    ++*(unsigned *)context;
    return true;
}

/* With room for so many bytes; what is found is "a", a NUL and "b". */
static enum err find_small(struct store *store, const char *hash, size_t room) {
    struct buffer bytes;
    buffer_init(&bytes, room);
    enum err err = store_find_small(store, text_of(hash), &bytes);
    assert_true(err != OK || text_equal(buffer_text(&bytes), TEXT("a\0b")));
    buffer_fini(&bytes);
    return err;
}

/* Small ones have their bytes with them, each its own: nothing lies in a blob, and nothing stays. */
static void test_small_files_lie_with_their_artifacts(void **state) {
    struct fixture *fixture = *state;
    struct store *store = fixture->store;
    struct task_row task = pending_task(fixture->account, 0);
    struct artifact_row one = artifact_of(&task, ARTIFACT_OUTPUT, 0, HASH_A, NOW_MS + 20);
    struct artifact_row two = artifact_of(&task, ARTIFACT_OUTPUT, 1, HASH_A, NOW_MS + 20);
    struct artifact_row blob = artifact_of(&task, ARTIFACT_OUTPUT, 2, HASH_B, NOW_MS + 20);
    one.bytes = two.bytes = TEXT("a\0b");

    accept_task(store, &task);
    assert_int_equal(call(store, add_artifact, &one), OK);
    assert_int_equal(call(store, add_artifact, &two), OK);
    assert_int_equal(call(store, add_artifact, &two), ERR_EXISTS);
    assert_int_equal(call(store, add_artifact, &blob), OK);
    assert_false(claimed(store, HASH_A) || claimed_after(store, HASH_A, NOW_MS));
    unsigned small = 0;
    assert_int_equal(store_list_artifacts(store, task.account, &task.id, count_small, &small), OK);
    assert_int_equal(small, 2);
    unsigned blobs = 0;
    assert_int_equal(store_list_expired_blobs(store, NOW_MS + 19, 9, count_blob, &blobs), OK);
    assert_int_equal(blobs, 0);
    assert_int_equal(store_list_expired_blobs(store, NOW_MS + 20, 9, count_blob, &blobs), OK);
    assert_int_equal(blobs, 1);
    assert_int_equal(find_small(store, HASH_A, 3), OK);
    assert_int_equal(find_small(store, HASH_A, 2), ERR_NO_MEMORY);
    assert_int_equal(find_small(store, HASH_B, 3), ERR_NOT_FOUND);

    struct artifact_row renewed = one;
    renewed.expires_ms--; /* as somebody saw it before */
    assert_int_equal(call(store, remove_artifact, &renewed), OK);
    assert_int_equal(call(store, remove_artifact, &two), OK);
    assert_int_equal(find_small(store, HASH_A, 3), OK);
    assert_int_equal(call(store, remove_artifact, &blob), OK);
    assert_sound(store);
    assert_int_equal(call(store, remove_artifact, &one), OK);
    assert_int_equal(find_small(store, HASH_A, 3), ERR_NOT_FOUND);
    assert_sound(store);
}

static void test_the_audit_sees_small_files_go_astray(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    struct artifact_row one = artifact_of(&task, ARTIFACT_OUTPUT, 7, HASH_A, 0);
    char words[512];
    one.bytes = TEXT("x");
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, add_artifact, &one), OK);
    assert_sound(fixture->store);
    tamper(fixture->directory, "UPDATE small SET id = 99");
    assert_int_equal(audit(fixture->store, words), 2);
    assert_string_equal(words, "S3: small file 99 is nobody's");
    tamper(fixture->directory, "DELETE FROM small");
    assert_int_equal(audit(fixture->store, words), 1);
    assert_non_null(strstr(words, "B1: file 7 of task "));
}

static void test_states_have_names(void **state) {
    (void)state;
    assert_string_equal(attempt_state_name(ATTEMPT_STARTED), "started");
    assert_string_equal(attempt_state_name(ATTEMPT_SUCCEEDED), "succeeded");
    assert_string_equal(attempt_state_name(ATTEMPT_FAILED), "failed");
    assert_string_equal(attempt_state_name(ATTEMPT_ABANDONED), "abandoned");
    assert_string_equal(attempt_state_name(ATTEMPT_STATE_COUNT), "unknown");
}

int run_trail_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attempts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_attempts_of_another_account, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_events_are_numbered_in_a_task, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_calls_first_dispatch_is_told_by_its_attempt, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_artifacts_claim_blobs, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_small_files_lie_with_their_artifacts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_audit_sees_small_files_go_astray, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_states_have_names),
    };
    return cmocka_run_group_tests_name("store trail", tests, NULL, NULL);
}
