/* The log of an answer: what was written is read, from every place, by any number of readers at their own pace. */
#include "chat/stream.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests.h"

#define TEXT_MAX 3000

/* Chunk `number` as every test writes it: its length and its bytes follow from its number. */
static struct text chunk_of(uint64_t number, char buf[TEXT_MAX]) {
    size_t len = (size_t)snprintf(buf, TEXT_MAX, "{\"n\":%llu,\"x\":\"", (unsigned long long)number);
    size_t more = number % 97 == 0 ? 2500 : (number * 7919) % 60;
    memset(buf + len, 'a' + (int)(number % 26), more);
    memcpy(buf + len + more, "\"}", 2);
    return (struct text){ buf, len + more + 2 };
}

static struct chat_stream *open_stream(size_t bytes_max, bool trims) {
    return chat_stream_new(&(struct chat_stream_options){ .bytes_max = bytes_max, .trims = trims });
}

static void write_chunks(struct chat_stream *stream, uint64_t from, uint64_t to) {
    char buf[TEXT_MAX];
    for (uint64_t i = from; i < to; i++) {
        assert_int_equal(chat_stream_add(stream, chunk_of(i, buf)), OK);
    }
}

static void complete(struct chat_stream *stream) {
    chat_stream_complete(stream, TEXT_NONE, &(struct token_usage){ 0 });
}

/* "<number> <chunk>\n" */
static void put_numbered(struct buffer *buf, uint64_t number, struct text json) {
    buffer_printf(buf, "%llu ", (unsigned long long)number);
    buffer_put(buf, json);
    buffer_put_char(buf, '\n');
}

static void never(struct chat_cursor *cursor) {
    (void)cursor;
    fail_msg("woken");
}

static unsigned wakes;
static void count_wake(struct chat_cursor *cursor) {
    (void)cursor;
    wakes++;
}

/* Takes the chunks out of `seen`, which must be numbers `from` and so on; the number after the last. */
static uint64_t check_seen(const struct buffer *seen, uint64_t from) {
    struct text rest = buffer_text(seen);
    char buf[TEXT_MAX];
    for (; rest.len > 0; from++) {
        struct text line = text_cut(&rest, '\n');
        int64_t number = -1;
        if (!text_to_i64(text_cut(&line, ' '), &number) || number != (int64_t)from ||
            !text_equal(line, chunk_of(from, buf))) {
            fail_msg("chunk %lld is not chunk %llu", (long long)number, (unsigned long long)from);
        }
    }
    return from;
}

static void every_place_can_be_resumed_from(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(0, false);
    write_chunks(stream, 0, 400);
    complete(stream);
    for (uint64_t from = 0; from <= 405; from++) {
        struct chat_cursor cursor;
        struct buffer seen;
        enum chat_read read = CHAT_READ_MORE;
        uint64_t next = from;
        size_t room = 1 + (size_t)(from * 37) % 5000;
        chat_cursor_open(&cursor, stream, from, never);
        while (read == CHAT_READ_MORE) {
            buffer_init(&seen, 1 << 20);
            read = chat_cursor_read(&cursor, &seen, room, put_numbered);
            next = check_seen(&seen, next);
            buffer_fini(&seen);
        }
        assert_int_equal(read, CHAT_READ_DONE);
        assert_int_equal(next, from > 400 ? from : 400);
        chat_cursor_close(&cursor);
        chat_cursor_close(&cursor);
    }
    chat_stream_unref(stream);
}

static void room_bounds_what_is_read(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(0, false);
    struct chat_cursor cursor;
    struct buffer seen, tiny;
    write_chunks(stream, 1, 20);
    chat_cursor_open(&cursor, stream, 0, never);
    buffer_init(&tiny, 4);
    assert_int_equal(chat_cursor_read(&cursor, &tiny, 4, put_numbered), CHAT_READ_MORE);
    assert_false(buffer_ok(&tiny)); /* it had no room, so the chunk comes again */
    assert_int_equal(cursor.next, 0);
    buffer_init(&seen, 1 << 20);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 1, put_numbered), CHAT_READ_MORE);
    assert_int_equal(cursor.next, 1);
    assert_int_equal(chat_cursor_read(&cursor, &seen, seen.len, put_numbered), CHAT_READ_MORE);
    assert_int_equal(cursor.next, 1);
    chat_cursor_close(&cursor);
    buffer_fini(&seen);
    buffer_fini(&tiny);
    chat_stream_unref(stream);
}

static void a_reader_that_waits_is_woken_once(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(0, false);
    struct chat_cursor cursor, beyond;
    struct buffer seen;
    buffer_init(&seen, 1 << 20);
    wakes = 0;
    chat_cursor_open(&cursor, stream, 0, count_wake);
    write_chunks(stream, 0, 1);
    assert_int_equal(wakes, 0); /* it has not asked yet */
    assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    write_chunks(stream, 1, 4);
    assert_int_equal(wakes, 1);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    assert_int_equal(check_seen(&seen, 0), 4);
    buffer_clear(&seen);
    chat_cursor_close(&cursor);
    write_chunks(stream, 4, 5);
    assert_int_equal(wakes, 1);
    chat_cursor_open(&beyond, stream, 6, count_wake); /* chunk 6 is not there before 5 is */
    assert_int_equal(chat_cursor_read(&beyond, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    write_chunks(stream, 5, 6);
    assert_int_equal(chat_cursor_read(&beyond, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    write_chunks(stream, 6, 8);
    assert_int_equal(chat_cursor_read(&beyond, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    assert_int_equal(check_seen(&seen, 6), 8);
    complete(stream);
    assert_int_equal(wakes, 4);
    assert_int_equal(chat_cursor_read(&beyond, &seen, 1 << 20, put_numbered), CHAT_READ_DONE);
    chat_cursor_close(&beyond);
    buffer_fini(&seen);
    chat_stream_unref(stream);
}

static void the_end_is_told(void **state) {
    (void)state;
    struct chat_stream *done = open_stream(0, false), *failed = open_stream(0, false);
    struct chat_cursor cursor;
    struct buffer seen;
    const struct token_usage usage = { .input = 3, .output = 5 };
    const struct chat_failure failure = { .error = TASK_ERROR_SERVICE, .message = "It broke." };
    buffer_init(&seen, 100);
    wakes = 0;
    assert_null(chat_stream_usage(done));
    assert_null(chat_stream_failure(failed));
    assert_int_equal(chat_stream_completion(done).len, 0);
    chat_cursor_open(&cursor, failed, 0, count_wake);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 100, put_numbered), CHAT_READ_WAIT);
    chat_stream_complete(done, TEXT("{\"id\":\"x\"}"), &usage);
    chat_stream_fail(failed, &failure);
    assert_int_equal(wakes, 1);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 100, put_numbered), CHAT_READ_FAILED);
    assert_int_equal(chat_stream_state(done), CHAT_DONE);
    assert_true(text_equal(chat_stream_completion(done), TEXT("{\"id\":\"x\"}")));
    assert_int_equal(chat_stream_usage(done)->output, 5);
    assert_int_equal(chat_stream_state(failed), CHAT_FAILED);
    assert_string_equal(chat_stream_failure(failed)->message, "It broke.");
    assert_int_equal(chat_stream_completion(failed).len, 0);
    chat_stream_unref(failed); /* the cursor has its own reference */
    assert_int_equal(chat_cursor_read(&cursor, &seen, 100, put_numbered), CHAT_READ_FAILED);
    chat_cursor_close(&cursor);
    chat_stream_unref(done);
    chat_stream_unref(NULL);
}

static void the_log_is_bounded(void **state) {
    (void)state;
    char buf[TEXT_MAX];
    for (size_t bytes_max = 1; bytes_max < 20000; bytes_max = bytes_max * 3 + 1) {
        struct chat_stream *stream = open_stream(bytes_max, false);
        uint64_t count = 0;
        while (chat_stream_add(stream, chunk_of(count, buf)) == OK) {
            count++;
            assert_true(chat_stream_bytes(stream) <= bytes_max);
        }
        assert_int_equal(chat_stream_add(stream, chunk_of(count, buf)), ERR_TOO_LONG);
        assert_int_equal(chat_stream_count(stream), count);
        struct chat_cursor cursor;
        struct buffer seen;
        buffer_init(&seen, 1 << 20);
        chat_cursor_open(&cursor, stream, 0, never);
        assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
        assert_int_equal(check_seen(&seen, 0), count);
        chat_cursor_close(&cursor);
        buffer_fini(&seen);
        chat_stream_unref(stream);
    }
}

static void short_answers_stay_small(void **state) {
    (void)state;
    struct chat_stream *streams[5000];
    size_t bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        streams[i] = open_stream(0, false);
        write_chunks(streams[i], 1, 6);
        bytes += chat_stream_bytes(streams[i]);
    }
    assert_true(bytes <= ARRAY_SIZE(streams) * 512);
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        chat_stream_unref(streams[i]);
    }
}

static void what_was_read_is_let_go(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(1 << 20, true);
    struct chat_cursor cursor, late;
    struct buffer seen;
    size_t most = 0;
    chat_cursor_open(&cursor, stream, 0, count_wake);
    for (uint64_t i = 0; i < 50000; i += 5) {
        buffer_init(&seen, 1 << 20);
        write_chunks(stream, i, i + 5);
        most = chat_stream_bytes(stream) > most ? chat_stream_bytes(stream) : most;
        assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
        assert_int_equal(check_seen(&seen, i), i + 5);
        buffer_fini(&seen);
    }
    assert_true(most < 16384);
    chat_cursor_close(&cursor);
    complete(stream);
    buffer_init(&seen, 1 << 20);
    chat_cursor_open(&late, stream, 0, never); /* the oldest that is left */
    assert_true(late.next > 49000 && late.next < 50000);
    uint64_t first = late.next;
    assert_int_equal(chat_cursor_read(&late, &seen, 1 << 20, put_numbered), CHAT_READ_DONE);
    assert_int_equal(check_seen(&seen, first), 50000);
    chat_cursor_close(&late);
    buffer_fini(&seen);
    chat_stream_unref(stream);
}

/* Without a reader a trimming log fills up like any other. */
static void nothing_unread_is_let_go(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(1 << 20, true);
    struct chat_cursor cursor, other;
    struct buffer seen;
    buffer_init(&seen, 1 << 20);
    write_chunks(stream, 0, 500);
    chat_cursor_open(&cursor, stream, 0, never);
    chat_cursor_open(&other, stream, 100, never);
    assert_int_equal(chat_cursor_read(&cursor, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    buffer_clear(&seen);
    assert_int_equal(chat_cursor_read(&other, &seen, 1 << 20, put_numbered), CHAT_READ_WAIT);
    assert_int_equal(check_seen(&seen, 100), 500);
    chat_cursor_close(&cursor);
    chat_cursor_close(&other);
    buffer_fini(&seen);
    chat_stream_unref(stream);
}

static void chunks_are_stored_as_lines(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(0, false);
    struct buffer lines, again;
    buffer_init(&lines, 1 << 20);
    buffer_init(&again, 1 << 20);
    write_chunks(stream, 0, 300);
    assert_int_equal(chat_stream_add(stream, TEXT("{\r\n\"a\": 1\n}")), OK);
    chat_stream_put_lines(stream, &lines);
    assert_true(text_ends(buffer_text(&lines), TEXT("\n{  \"a\": 1 }\n")));
    struct chat_stream *copy = chat_stream_of_lines(buffer_text(&lines));
    assert_int_equal(chat_stream_state(copy), CHAT_DONE);
    assert_int_equal(chat_stream_count(copy), 301);
    chat_stream_put_lines(copy, &again);
    assert_true(text_equal(buffer_text(&lines), buffer_text(&again)));
    chat_stream_unref(copy);
    copy = chat_stream_of_lines(TEXT_NONE);
    assert_int_equal(chat_stream_count(copy), 0);
    chat_stream_unref(copy);
    chat_stream_unref(stream);
    buffer_fini(&lines);
    buffer_fini(&again);
}

/* ---- threads ---- */

#define CHUNKS 600
#define THREADS 4
#define READERS 500 /* of a thread */

struct reader {
    struct chat_cursor cursor;
    struct reading *reading;
    bool woken; /* under the mutex */
    bool over;
    uint64_t next;
    uint64_t left_at; /* where it went away last, plus one; 0: nowhere yet */
};

/* One thread and its readers. */
struct reading {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned woken;
    struct chat_stream *stream;
    struct reader readers[READERS];
};

static void pass_on(struct chat_cursor *cursor) {
    struct reader *reader = container_of(cursor, struct reader, cursor);
    struct reading *reading = reader->reading;
    pthread_mutex_lock(&reading->mutex);
    reader->woken = true;
    reading->woken++;
    pthread_cond_signal(&reading->changed);
    pthread_mutex_unlock(&reading->mutex);
}

static void open_reader(struct reader *reader, struct reading *reading, uint64_t from) {
    reader->reading = reading;
    reader->next = from;
    reader->woken = true; /* reads at once */
    chat_cursor_open(&reader->cursor, reading->stream, from, pass_on);
}

/* Some room a time, which differs by the reader; now and then it goes away and comes back, once at each such place: one
 * that did so again and again while it waits would only keep the writer from its lock. */
static void read_some(struct reader *reader, unsigned i) {
    enum chat_read read = CHAT_READ_MORE;
    struct reading *reading = reader->reading;
    while (read == CHAT_READ_MORE) {
        struct buffer seen;
        buffer_init(&seen, 1 << 20);
        read = chat_cursor_read(&reader->cursor, &seen, 1 + (size_t)i * 61, put_numbered);
        reader->next = check_seen(&seen, reader->next);
        buffer_fini(&seen);
        if (read == CHAT_READ_WAIT && reader->next % 50 == i % 50 && reader->left_at != reader->next + 1) {
            reader->left_at = reader->next + 1;
            chat_cursor_close(&reader->cursor);
            chat_cursor_open(&reader->cursor, reading->stream, reader->next, pass_on);
            read = CHAT_READ_MORE;
            reader->next = reader->cursor.next;
            break;
        }
    }
    reader->over = read == CHAT_READ_DONE;
    if (read == CHAT_READ_MORE) { /* opened anew: it has not asked yet */
        pthread_mutex_lock(&reading->mutex);
        reader->woken = true;
        reading->woken++;
        pthread_mutex_unlock(&reading->mutex);
    }
}

static void *read_all(void *context) {
    struct reading *reading = context;
    unsigned left = READERS;
    while (left > 0) {
        pthread_mutex_lock(&reading->mutex);
        while (reading->woken == 0) {
            pthread_cond_wait(&reading->changed, &reading->mutex);
        }
        reading->woken = 0;
        pthread_mutex_unlock(&reading->mutex);
        for (unsigned i = 0; i < READERS; i++) {
            struct reader *reader = &reading->readers[i];
            pthread_mutex_lock(&reading->mutex);
            bool reads = reader->woken && !reader->over;
            reader->woken = false;
            pthread_mutex_unlock(&reading->mutex);
            if (reads) {
                read_some(reader, i);
                left -= reader->over ? 1 : 0;
            }
        }
    }
    return NULL;
}

static void thousands_read_while_one_writes(void **state) {
    (void)state;
    struct chat_stream *stream = open_stream(0, false);
    struct reading *readings = mem_new_array(THREADS, sizeof(*readings));
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_mutex_init(&readings[t].mutex, NULL);
        pthread_cond_init(&readings[t].changed, NULL);
        readings[t].stream = chat_stream_ref(stream);
        readings[t].woken = 1;
        for (unsigned i = 0; i < READERS; i++) {
            open_reader(&readings[t].readers[i], &readings[t], i % 7 == 0 ? i : 0);
        }
        pthread_create(&readings[t].thread, NULL, read_all, &readings[t]);
    }
    write_chunks(stream, 0, CHUNKS);
    complete(stream);
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(readings[t].thread, NULL);
        for (unsigned i = 0; i < READERS; i++) {
            assert_int_equal(readings[t].readers[i].next, CHUNKS);
            chat_cursor_close(&readings[t].readers[i].cursor);
        }
        chat_stream_unref(readings[t].stream);
        pthread_cond_destroy(&readings[t].changed);
        pthread_mutex_destroy(&readings[t].mutex);
    }
    free(readings);
    chat_stream_unref(stream);
}

static void *read_trimmed(void *context) {
    struct reading *reading = context;
    struct reader *reader = &reading->readers[0];
    while (!reader->over) {
        pthread_mutex_lock(&reading->mutex);
        while (!reader->woken) {
            pthread_cond_wait(&reading->changed, &reading->mutex);
        }
        reader->woken = false;
        pthread_mutex_unlock(&reading->mutex);
        enum chat_read read = CHAT_READ_MORE;
        while (read == CHAT_READ_MORE) {
            struct buffer seen;
            buffer_init(&seen, 1 << 20);
            read = chat_cursor_read(&reader->cursor, &seen, 700, put_numbered);
            reader->next = check_seen(&seen, reader->next);
            buffer_fini(&seen);
        }
        reader->over = read == CHAT_READ_DONE;
    }
    return NULL;
}

static void one_reads_and_trims_while_one_writes(void **state) {
    (void)state;
    struct reading *reading = mem_new(sizeof(*reading));
    pthread_mutex_init(&reading->mutex, NULL);
    pthread_cond_init(&reading->changed, NULL);
    reading->stream = open_stream(0, true);
    open_reader(&reading->readers[0], reading, 0);
    pthread_create(&reading->thread, NULL, read_trimmed, reading);
    write_chunks(reading->stream, 0, 10000);
    complete(reading->stream);
    pthread_join(reading->thread, NULL);
    assert_int_equal(reading->readers[0].next, 10000);
    assert_true(chat_stream_bytes(reading->stream) <= (128 << 10));
    chat_cursor_close(&reading->readers[0].cursor);
    chat_stream_unref(reading->stream);
    pthread_cond_destroy(&reading->changed);
    pthread_mutex_destroy(&reading->mutex);
    free(reading);
}

/* A wake that is under way, held in the middle. */
static struct {
    sem_t entered, go;
    bool over;
} slow_wake;

static void wake_slowly(struct chat_cursor *cursor) {
    (void)cursor;
    sem_post(&slow_wake.entered);
    sem_wait(&slow_wake.go);
    slow_wake.over = true;
}

static void *write_one(void *stream) {
    write_chunks(stream, 0, 1);
    return NULL;
}

static void *let_go(void *context) {
    (void)context;
    sem_post(&slow_wake.go);
    return NULL;
}

/* slow_wake.over and the cursor are read without any other order than close's: TSan sees it where it does not wait. */
static void closing_waits_for_a_wake_under_way(void **state) {
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct chat_stream *stream = open_stream(0, false);
        struct chat_cursor *cursor = mem_new(sizeof(*cursor));
        struct buffer seen;
        pthread_t writer, helper;
        buffer_init(&seen, 100);
        sem_init(&slow_wake.entered, 0, 0);
        sem_init(&slow_wake.go, 0, 0);
        slow_wake.over = false;
        chat_cursor_open(cursor, stream, 0, wake_slowly);
        assert_int_equal(chat_cursor_read(cursor, &seen, 100, put_numbered), CHAT_READ_WAIT);
        pthread_create(&writer, NULL, write_one, stream);
        sem_wait(&slow_wake.entered);
        pthread_create(&helper, NULL, let_go, NULL);
        chat_cursor_close(cursor);
        assert_true(slow_wake.over);
        free(cursor);
        pthread_join(writer, NULL);
        pthread_join(helper, NULL);
        sem_destroy(&slow_wake.entered);
        sem_destroy(&slow_wake.go);
        chat_stream_unref(stream);
    }
}

int test_stream(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_can_be_resumed_from),
        cmocka_unit_test(room_bounds_what_is_read),
        cmocka_unit_test(a_reader_that_waits_is_woken_once),
        cmocka_unit_test(the_end_is_told),
        cmocka_unit_test(the_log_is_bounded),
        cmocka_unit_test(short_answers_stay_small),
        cmocka_unit_test(what_was_read_is_let_go),
        cmocka_unit_test(nothing_unread_is_let_go),
        cmocka_unit_test(chunks_are_stored_as_lines),
        cmocka_unit_test(thousands_read_while_one_writes),
        cmocka_unit_test(one_reads_and_trims_while_one_writes),
        cmocka_unit_test(closing_waits_for_a_wake_under_way),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
