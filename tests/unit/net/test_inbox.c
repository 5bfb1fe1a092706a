/* Messages from other threads: each is delivered once, on the loop's thread, in the order in which its thread posted it; or it
 * is refused. */
#include "net/inbox.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "tests.h"

#define POSTERS 4
#define EACH 5000
#define ROUNDS 200 /* of few messages */
#define FEW 20

struct letter {
    struct message message;
    struct poster *poster;
    unsigned number;
};

struct poster {
    struct office *office;
    pthread_t thread;
    struct letter letters[EACH];
    unsigned count;     /* of letters that it posts */
    unsigned posted;    /* how many were taken, until one was refused */
    unsigned delivered; /* the loop's thread */
};

struct office {
    pthread_barrier_t together;
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

static struct office *office_new(unsigned each, unsigned close_after) {
    struct office *office = mem_new(sizeof *office);
    pthread_barrier_init(&office->together, NULL, POSTERS + 1);
    office->home = pthread_self();
    office->close_after = close_after;
    assert_int_equal(uv_loop_init(&office->loop), 0);
    inbox_init(&office->inbox, office);
    assert_int_equal(inbox_open(&office->inbox, &office->loop, NULL), OK);
    uv_timer_init(&office->loop, &office->closing);
    office->closing.data = office;
    for (unsigned i = 0; i < POSTERS; i++) {
        office->posters[i].office = office;
        office->posters[i].count = each;
        for (unsigned k = 0; k < each; k++) {
            office->posters[i].letters[k] =
                (struct letter){ .message.deliver = deliver, .poster = &office->posters[i], .number = k };
        }
    }
    return office;
}

static void office_free(struct office *office) {
    assert_int_equal(uv_loop_close(&office->loop), 0);
    inbox_fini(&office->inbox);
    pthread_barrier_destroy(&office->together);
    free(office);
}

static bool is_signalled(struct office *office) {
    struct pollfd signal = { .fd = office->inbox.wake_fd, .events = POLLIN };
    return poll(&signal, 1, 0) == 1;
}

/* Its next letter. */
static bool post(struct poster *poster) {
    bool taken = inbox_post(&poster->office->inbox, &poster->letters[poster->posted].message);
    poster->posted += taken;
    return taken;
}

static void *post_one(void *context) {
    assert_true(post(context));
    return NULL;
}

static void *post_all(void *context) {
    struct poster *poster = context;
    pthread_barrier_wait(&poster->office->together);
    while (poster->posted < poster->count && post(poster)) {
    }
    return NULL;
}

/* Until the inbox is closed. */
static void run_with_posters(struct office *office) {
    for (unsigned i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_create(&office->posters[i].thread, NULL, post_all, &office->posters[i]), 0);
    }
    pthread_barrier_wait(&office->together);
    uv_run(&office->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(office->posters[i].thread, NULL);
    }
}

static void all_come_in_the_order_of_their_thread(void **state) {
    struct office *office = office_new(EACH, POSTERS * EACH);
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
    unsigned refused = 0;
    (void)state;
    srandom(11);
    for (int round = 0; round < ROUNDS; round++) {
        struct office *office = office_new(FEW, 1 + (unsigned)random() % FEW);
        run_with_posters(office);
        for (unsigned i = 0; i < POSTERS; i++) {
            assert_int_equal(office->posters[i].delivered, office->posters[i].posted);
            refused += office->posters[i].posted < FEW;
        }
        office_free(office);
    }
    assert_true(refused > 0);
}

static void a_closed_one_refuses(void **state) {
    struct office *office = office_new(3, 2);
    struct poster *poster = &office->posters[0];
    (void)state;
    assert_true(post(poster));
    assert_true(post(poster));
    assert_int_equal(office->delivered, 0); /* never from within */
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(office->delivered, 2);
    assert_false(post(poster));
    assert_int_equal(office->delivered, 2);
    office_free(office);
}

static void once_it_is_empty_the_loop_may_sleep(void **state) {
    struct office *office = office_new(2, 2);
    struct poster *poster = &office->posters[0];
    (void)state;
    assert_true(post(poster));
    assert_true(is_signalled(office));
    uv_run(&office->loop, UV_RUN_ONCE);
    assert_int_equal(office->delivered, 1);
    assert_false(is_signalled(office));
    assert_true(post(poster)); /* wakes it again */
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(office->delivered, 2);
    office_free(office);
}

/* ---- gathered ---- */

static void what_is_gathered_wakes_at_the_end(void **state) {
    struct office *office = office_new(3, 3);
    struct poster *poster = &office->posters[0];
    (void)state;
    inbox_gather(true);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(post(poster));
        assert_false(is_signalled(office));
    }
    inbox_gather(false);
    assert_true(is_signalled(office));
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(office->delivered, 3);
    office_free(office);
}

/* Who does not gather waits for nobody who does. */
static void another_threads_message_wakes_at_once(void **state) {
    struct office *office = office_new(1, 2);
    struct poster *gatherer = &office->posters[0], *other = &office->posters[1];
    (void)state;
    inbox_gather(true);
    assert_true(post(gatherer));
    assert_int_equal(pthread_create(&other->thread, NULL, post_one, other), 0);
    pthread_join(other->thread, NULL);
    assert_true(is_signalled(office));
    inbox_gather(false);
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(office->delivered, 2);
    office_free(office);
}

/* Another thread's message has made the loop take it. */
static void what_was_taken_meanwhile_wakes_nobody(void **state) {
    struct office *office = office_new(2, 3);
    struct poster *gatherer = &office->posters[0], *other = &office->posters[1];
    (void)state;
    inbox_gather(true);
    assert_true(post(gatherer));
    assert_int_equal(pthread_create(&other->thread, NULL, post_one, other), 0);
    pthread_join(other->thread, NULL);
    uv_run(&office->loop, UV_RUN_ONCE);
    assert_int_equal(office->delivered, 2);
    inbox_gather(false);
    assert_false(is_signalled(office));
    assert_true(post(gatherer)); /* gathered no more */
    assert_true(is_signalled(office));
    uv_run(&office->loop, UV_RUN_DEFAULT);
    office_free(office);
}

static void the_next_inbox_ends_the_gathering_at_the_one_before(void **state) {
    struct office *one = office_new(1, 1), *two = office_new(1, 1);
    (void)state;
    inbox_gather(true);
    assert_true(post(&one->posters[0]));
    assert_true(post(&two->posters[0]));
    assert_true(is_signalled(one));
    assert_false(is_signalled(two));
    inbox_gather(false);
    assert_true(is_signalled(two));
    uv_run(&one->loop, UV_RUN_DEFAULT);
    uv_run(&two->loop, UV_RUN_DEFAULT);
    office_free(one);
    office_free(two);
}

/* ---- a signal that comes late: its thread has left the lock, and then the inbox is closed ---- */

static struct {
    bool on;
    sem_t there, go;
    ssize_t written;
} late;

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);

ssize_t __wrap_write(int fd, const void *bytes, size_t count) {
    if (!late.on || count != sizeof(uint64_t)) {
        return __real_write(fd, bytes, count);
    }
    sem_post(&late.there);
    sem_wait(&late.go);
    usleep(20000); /* time for a close that does not wait */
    late.written = __real_write(fd, bytes, count);
    return late.written;
}

static void let_it_write(void *owner, struct message *message) {
    deliver(owner, message);
    sem_post(&late.go);
}

/* Posts, by `thread`, and closes before that has signalled. */
static void close_before_the_signal(void *(*thread)(void *poster)) {
    struct office *office = office_new(1, UINT_MAX);
    struct poster *poster = &office->posters[0];
    poster->letters[0].message.deliver = let_it_write;
    sem_init(&late.there, 0, 0);
    sem_init(&late.go, 0, 0);
    assert_int_equal(pthread_create(&poster->thread, NULL, thread, poster), 0);
    sem_wait(&late.there);
    inbox_close(&office->inbox); /* delivers what has no signal yet */
    assert_int_equal(atomic_load(&office->inbox.signallers), 0);
    pthread_join(poster->thread, NULL);
    assert_int_equal(poster->delivered, 1);
    uv_close((uv_handle_t *)&office->closing, NULL);
    uv_run(&office->loop, UV_RUN_DEFAULT);
    office_free(office);
    sem_destroy(&late.there);
    sem_destroy(&late.go);
}

static void closing_waits_for_those_who_are_about_to_write(void **state) {
    (void)state;
    late.on = true;
    close_before_the_signal(post_one);
    late.on = false;
    assert_int_equal(late.written, sizeof(uint64_t));
}

/* It ends that after its message was delivered. */
static void *gather_one(void *context) {
    inbox_gather(true);
    assert_true(post(context));
    sem_post(&late.there);
    sem_wait(&late.go);
    usleep(20000); /* time for a close that does not wait */
    inbox_gather(false);
    return NULL;
}

static void closing_waits_for_those_who_gather(void **state) {
    (void)state;
    close_before_the_signal(gather_one);
}

/* ---- no descriptor ---- */

static unsigned eventfds_left = UINT_MAX;

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);

int __wrap_eventfd(unsigned count, int flags) {
    if (eventfds_left == 0) {
        errno = EMFILE;
        return -1;
    }
    eventfds_left -= eventfds_left != UINT_MAX;
    return __real_eventfd(count, flags);
}

static void without_a_descriptor_it_does_not_open(void **state) {
    struct inbox inbox;
    uv_loop_t loop;
    struct fault fault = { 0 };
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    inbox_init(&inbox, NULL);
    eventfds_left = 0;
    assert_int_equal(inbox_open(&inbox, &loop, &fault), ERR_IO);
    eventfds_left = UINT_MAX;
    assert_non_null(strstr(fault.message, "Too many open files"));
    inbox_close(&inbox); /* as nothing is open, nothing happens */
    assert_int_equal(uv_loop_close(&loop), 0);
    inbox_fini(&inbox);
}

/* The courier has two, of which home's is the second. */
static void without_descriptors_there_is_no_courier(void **state) {
    const struct fetch_options options = { .running_max = 1 };
    (void)state;
    for (unsigned left = 0; left < 2; left++) {
        uv_loop_t home;
        struct courier *courier = NULL;
        struct fault fault = { 0 };
        assert_int_equal(uv_loop_init(&home), 0);
        eventfds_left = left;
        assert_int_equal(courier_new(&home, &options, &courier, &fault), ERR_IO);
        eventfds_left = UINT_MAX;
        assert_null(courier);
        assert_int_equal(uv_loop_close(&home), 0); /* nothing is left in it */
    }
}

int run_inbox_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_in_the_order_of_their_thread),
        cmocka_unit_test(what_is_taken_comes_while_it_closes),
        cmocka_unit_test(a_closed_one_refuses),
        cmocka_unit_test(once_it_is_empty_the_loop_may_sleep),
        cmocka_unit_test(what_is_gathered_wakes_at_the_end),
        cmocka_unit_test(another_threads_message_wakes_at_once),
        cmocka_unit_test(what_was_taken_meanwhile_wakes_nobody),
        cmocka_unit_test(the_next_inbox_ends_the_gathering_at_the_one_before),
        cmocka_unit_test(closing_waits_for_those_who_are_about_to_write),
        cmocka_unit_test(closing_waits_for_those_who_gather),
        cmocka_unit_test(without_a_descriptor_it_does_not_open),
        cmocka_unit_test(without_descriptors_there_is_no_courier),
    };
    return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
