/* Uploaded files: their space, who has to go for whom, lists, and their claims on blobs. */
#include "fixture.h"

#include "tests.h"

#define LIFE_MS 86400000
#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER_HASH "0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

struct adding {
    struct file_row file;
    int64_t quota;
    bool evicts;
    struct file_row gone[16];
    unsigned gone_count;
};

static void note_gone(const struct file_row *file, void *context) {
    struct adding *adding = context;
    adding->gone[adding->gone_count++] = *file;
}

static void add_file(struct store_tx *tx, void *context) {
    struct adding *adding = context;
    adding->gone_count = 0;
    store_tx_add_file(tx, &adding->file, adding->quota, adding->evicts, note_gone, adding);
}

static struct adding adding_of(int64_t account, int64_t size, int64_t created_ms) {
    struct adding adding = { .quota = 100, .evicts = true };
    adding.file = (struct file_row){
        .account = account, .hash = HASH, .size = size, .created_ms = created_ms, .expires_ms = created_ms + LIFE_MS,
        .media_type = TEXT("text/plain"), .name = TEXT("é.txt"),
    };
    file_id_new(&adding.file.id, created_ms / 1000);
    return adding;
}

static struct adding add(struct fixture *fixture, int64_t size, int64_t created_ms) {
    struct adding adding = adding_of(fixture->account, size, created_ms);
    assert_int_equal(call(fixture->store, add_file, &adding), OK);
    return adding;
}

static void assert_space(struct fixture *fixture, int64_t bytes, int64_t files) {
    int64_t found_bytes = -1, found_files = -1;
    assert_int_equal(store_file_space(fixture->store, fixture->account, &found_bytes, &found_files), OK);
    assert_int_equal(found_bytes, bytes);
    assert_int_equal(found_files, files);
    assert_sound(fixture->store);
}

static enum err find(struct fixture *fixture, int64_t account, const struct adding *adding, struct file_row *ret) {
    return store_find_file(fixture->store, account, &adding->file.id, &fixture->arena, ret);
}

static void test_a_file_is_found_by_its_account(void **state) {
    struct fixture *fixture = *state;
    struct file_row row;
    assert_space(fixture, 0, 0);
    struct adding adding = add(fixture, 60, NOW_MS);
    assert_int_equal(find(fixture, fixture->account, &adding, &row), OK);
    assert_int_equal(row.size, 60);
    assert_string_equal(row.hash, HASH);
    assert_int_equal(row.created_ms, NOW_MS);
    assert_int_equal(row.expires_ms, NOW_MS + LIFE_MS);
    assert_true(text_equal(row.name, TEXT("é.txt")));
    assert_true(text_equal(row.media_type, TEXT("text/plain")));
    assert_int_equal(find(fixture, fixture->account + 1, &adding, &row), ERR_NOT_FOUND); /* S2 */
    adding.quota = 0;
    assert_int_equal(call(fixture->store, add_file, &adding), ERR_EXISTS);
    assert_space(fixture, 60, 1);
}

static void test_the_oldest_go(void **state) {
    struct fixture *fixture = *state;
    struct file_row row;
    struct adding first = add(fixture, 40, NOW_MS), second = add(fixture, 40, NOW_MS), third = add(fixture, 20, NOW_MS);
    assert_int_equal(third.gone_count, 0);
    struct adding fourth = adding_of(fixture->account, 50, NOW_MS);
    fourth.evicts = false;
    assert_int_equal(call(fixture->store, add_file, &fourth), ERR_STORAGE_FULL);
    assert_space(fixture, 100, 3);
    fourth.evicts = true;
    assert_int_equal(call(fixture->store, add_file, &fourth), OK);
    assert_int_equal(fourth.gone_count, 2);
    assert_string_equal(fourth.gone[0].id.string, first.file.id.string);
    assert_string_equal(fourth.gone[1].id.string, second.file.id.string);
    assert_string_equal(fourth.gone[0].hash, HASH);
    assert_int_equal(find(fixture, fixture->account, &first, &row), ERR_NOT_FOUND);
    assert_int_equal(find(fixture, fixture->account, &third, &row), OK);
    assert_space(fixture, 70, 2);
}

static void test_a_file_that_can_never_fit_moves_nobody(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 100, NOW_MS);
    struct adding large = adding_of(fixture->account, 101, NOW_MS);
    assert_int_equal(call(fixture->store, add_file, &large), ERR_FILE_TOO_LARGE);
    assert_int_equal(large.gone_count, 0);
    assert_space(fixture, 100, 1);
    large.quota = 0;
    assert_int_equal(call(fixture->store, add_file, &large), OK);
    assert_space(fixture, 201, 2);
}

static void test_the_expired_go_first(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 50, NOW_MS + 10);
    struct adding old = add(fixture, 50, NOW_MS);
    struct adding next = adding_of(fixture->account, 50, NOW_MS + LIFE_MS);
    next.evicts = false;
    assert_int_equal(call(fixture->store, add_file, &next), OK);
    assert_int_equal(next.gone_count, 1);
    assert_string_equal(next.gone[0].id.string, old.file.id.string);
    assert_space(fixture, 100, 2);
}

static void remove_file(struct store_tx *tx, void *context) {
    struct adding *adding = context;
    adding->gone_count = store_tx_remove_file(tx, adding->file.account, &adding->file.id, &adding->gone[0]) ? 1 : 0;
}

static void test_a_removed_file_gives_its_space_back(void **state) {
    struct fixture *fixture = *state;
    struct adding file = add(fixture, 70, NOW_MS), strange = file;
    add(fixture, 30, NOW_MS);
    strange.file.account++;
    assert_int_equal(call(fixture->store, remove_file, &strange), OK);
    assert_int_equal(strange.gone_count, 0);
    assert_int_equal(call(fixture->store, remove_file, &file), OK);
    assert_int_equal(file.gone_count, 1);
    assert_int_equal(file.gone[0].size, 70);
    assert_space(fixture, 30, 1);
    assert_int_equal(call(fixture->store, remove_file, &file), OK);
    assert_int_equal(file.gone_count, 0);
    assert_space(fixture, 30, 1);
}

struct page {
    char ids[16][FILE_ID_SIZE];
    unsigned count;
};

static bool put_id(const struct file_row *file, void *context) {
    struct page *page = context;
    memcpy(page->ids[page->count++], file->id.string, FILE_ID_SIZE);
    return true;
}

static struct page list(struct fixture *fixture, const struct file_id *after, int64_t now_ms, unsigned limit) {
    struct page page = { .count = 0 };
    const struct file_filter filter = { fixture->account, after, now_ms, limit };
    assert_int_equal(store_list_files(fixture->store, &filter, put_id, &page), OK);
    return page;
}

static void test_the_list_is_newest_first(void **state) {
    struct fixture *fixture = *state;
    struct adding files[5];
    for (int i = 0; i < 5; i++) {
        files[i] = add(fixture, 1, NOW_MS + i / 2 * 1000); /* two of them in a second */
    }
    struct page page = list(fixture, NULL, NOW_MS, 0);
    assert_int_equal(page.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(page.ids[i], files[4 - i].file.id.string);
    }
    page = list(fixture, &files[3].file.id, NOW_MS, 2);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.ids[0], files[2].file.id.string);
    assert_string_equal(page.ids[1], files[1].file.id.string);

    assert_int_equal(call(fixture->store, remove_file, &files[3]), OK); /* the cursor itself */
    page = list(fixture, &files[3].file.id, NOW_MS, 0);
    assert_int_equal(page.count, 3);
    assert_string_equal(page.ids[0], files[2].file.id.string);
    page = list(fixture, NULL, NOW_MS + LIFE_MS, 0); /* the first two have expired */
    assert_int_equal(page.count, 2);
}

static void test_files_claim_their_blobs(void **state) {
    struct fixture *fixture = *state;
    bool claimed = true;
    struct adding file = add(fixture, 1, NOW_MS);
    assert_int_equal(store_blob_claimed(fixture->store, TEXT(OTHER_HASH), &claimed), OK);
    assert_false(claimed);
    assert_int_equal(store_blob_claimed(fixture->store, TEXT(HASH), &claimed), OK);
    assert_true(claimed);
    assert_int_equal(store_blob_claimed_after(fixture->store, TEXT(HASH), NOW_MS + LIFE_MS - 1, &claimed), OK);
    assert_true(claimed);
    assert_int_equal(store_blob_claimed_after(fixture->store, TEXT(HASH), NOW_MS + LIFE_MS, &claimed), OK);
    assert_false(claimed);
    struct page page = { .count = 0 };
    assert_int_equal(store_list_expired_files(fixture->store, NOW_MS + LIFE_MS - 1, 10, put_id, &page), OK);
    assert_int_equal(page.count, 0);
    assert_int_equal(store_list_expired_files(fixture->store, NOW_MS + LIFE_MS, 10, put_id, &page), OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(call(fixture->store, remove_file, &file), OK);
    assert_int_equal(store_blob_claimed(fixture->store, TEXT(HASH), &claimed), OK);
    assert_false(claimed);
}

static void test_the_audit_sees_a_wrong_space(void **state) {
    struct fixture *fixture = *state;
    char words[512];
    add(fixture, 10, NOW_MS);
    assert_sound(fixture->store);
    tamper(fixture->directory, "UPDATE file_space SET bytes = 11");
    assert_int_equal(audit(fixture->store, words), 1);
    assert_non_null(strstr(words, "11 bytes"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int run_file_tests(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_is_found_by_its_account), TEST(test_the_oldest_go),
        TEST(test_a_file_that_can_never_fit_moves_nobody), TEST(test_the_expired_go_first),
        TEST(test_a_removed_file_gives_its_space_back), TEST(test_the_list_is_newest_first),
        TEST(test_files_claim_their_blobs), TEST(test_the_audit_sees_a_wrong_space),
    };
    return cmocka_run_group_tests_name("store files", tests, NULL, NULL);
}
