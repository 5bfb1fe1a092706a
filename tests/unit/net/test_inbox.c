/* Messages from other threads: each is delivered once, on the loop's thread, in the order in which its thread posted it; or it
 * is refused. */
#include "net/inbox.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "tests.h"

#define POSTERS 4
#define EACH 5000

struct letter {
    struct message message;
    struct poster *poster;
    unsigned number;
};

struct poster {
    struct office *office;
    pthread_t thread;
    struct letter letters[EACH];
    unsigned posted;    /* how many were taken, until one was refused */
    unsigned delivered; /* the loop's thread */
};

struct office {
    uv_loop_t loop;
    struct inbox inbox;
    uv_timer_t closing;
    pthread_t home;
    struct poster posters[POSTERS];
    unsigned delivered, close_after; /* so many deliveries */
};

static void close_office(uv_timer_t *timer) {
    struct office *office = timer->data;
    inbox_close(&office->inbox);
    uv_close((uv_handle_t *)timer, NULL);
}

static void deliver(void *owner, struct message *message) {
    struct office *office = owner;
    struct letter *letter = container_of(message, struct letter, message);
    assert_true(pthread_equal(pthread_self(), office->home));
    assert_int_equal(letter->number, letter->poster->delivered++);
    if (++office->delivered == office->close_after) {
        uv_timer_start(&office->closing, close_office, 0, 0); /* not from within a delivery */
    }
}

static struct office *office_new(unsigned close_after) {
    struct office *office = mem_new(sizeof *office);
    office->home = pthread_self();
    office->close_after = close_after;
    assert_int_equal(uv_loop_init(&office->loop), 0);
    inbox_init(&office->inbox, office);
    assert_int_equal(inbox_open(&office->inbox, &office->loop, NULL), OK);
    uv_timer_init(&office->loop, &office->closing);
    office->closing.data = office;
    for (unsigned i = 0; i < POSTERS; i++) {
        office->posters[i].office = office;
        for (unsigned k = 0; k < EACH; k++) {
            office->posters[i].letters[k] =
                (struct letter){ .message.deliver = deliver, .poster = &office->posters[i], .number = k };
        }
    }
    return office;
}

static void office_free(struct office *office) {
    assert_int_equal(uv_loop_close(&office->loop), 0);
    inbox_fini(&office->inbox);
    free(office);
}

static void *post_all(void *context) {
    struct poster *poster = context;
    while (poster->posted < EACH &&
           inbox_post(&poster->office->inbox, &poster->letters[poster->posted].message)) {
        poster->posted++;
    }
    return NULL;
}

/* Until the inbox is closed. */
static void run_with_posters(struct office *office) {
    for (unsigned i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_create(&office->posters[i].thread, NULL, post_all, &office->posters[i]), 0);
    }
    uv_run(&office->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(office->posters[i].thread, NULL);
    }
}

static void all_come_in_the_order_of_their_thread(void **state) {
    struct office *office = office_new(POSTERS * EACH);
    (void)state;
    run_with_posters(office);
    for (unsigned i = 0; i < POSTERS; i++) {
        assert_int_equal(office->posters[i].posted, EACH);
        assert_int_equal(office->posters[i].delivered, EACH);
    }
    office_free(office);
}

/* Those who post cannot know that it closes: what was taken comes all the same. */
static void what_is_taken_comes_while_it_closes(void **state) {
    struct office *office = office_new(EACH / 10);
    (void)state;
    run_with_posters(office);
    for (unsigned i = 0; i < POSTERS; i++) {
        assert_int_equal(office->posters[i].delivered, office->posters[i].posted);
    }
    office_free(office);
}

static void a_closed_one_refuses(void **state) {
    struct office *office = office_new(2);
    struct poster *poster = &office->posters[0];
    (void)state;
    assert_true(inbox_post(&office->inbox, &poster->letters[0].message));
    assert_true(inbox_post(&office->inbox, &poster->letters[1].message));
    assert_int_equal(office->delivered, 0); /* never from within */
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(office->delivered, 2);
    assert_false(inbox_post(&office->inbox, &poster->letters[2].message));
    assert_int_equal(office->delivered, 2);
    office_free(office);
}

/* No descriptor can be opened until the limit is set back. */
static void use_up_descriptors(struct rlimit *ret_before) {
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    const struct rlimit none = { 0, ret_before->rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void without_a_descriptor_it_does_not_open(void **state) {
    struct inbox inbox;
    uv_loop_t loop;
    struct rlimit before;
    struct fault fault = { 0 };
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    inbox_init(&inbox, NULL);
    use_up_descriptors(&before);
    enum err err = inbox_open(&inbox, &loop, &fault);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(err, ERR_IO);
    assert_non_null(strstr(fault.message, "eventfd"));
    inbox_close(&inbox); /* as nothing is open, nothing happens */
    assert_int_equal(uv_loop_close(&loop), 0);
    inbox_fini(&inbox);
}

int run_inbox_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_in_the_order_of_their_thread),
        cmocka_unit_test(what_is_taken_comes_while_it_closes),
        cmocka_unit_test(a_closed_one_refuses),
        cmocka_unit_test(without_a_descriptor_it_does_not_open),
    };
    return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
