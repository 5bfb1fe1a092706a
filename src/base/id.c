/* Making and reading the names of tasks, files and requests. */
#include "base/id.h"

#include <assert.h>

#include "base/clock.h"
#include "base/crypto.h"

#define RANDOM_COUNT 8
#define FILE_RANDOM_COUNT 6
#define CREATED_DIGITS_MAX 17

static const struct text prefixes[] = { TEXT("task-unified-"), TEXT("task-llm-") };
static const struct text file_prefix = TEXT("file-");
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static_assert(sizeof("task-unified-") + CREATED_DIGITS_MAX + 1 + RANDOM_COUNT <= TASK_ID_SIZE, "a task id must fit");
static_assert(sizeof("file-") + CREATED_DIGITS_MAX + 1 + FILE_RANDOM_COUNT <= FILE_ID_SIZE, "a file's id must fit");
static_assert(sizeof("req-") + 20 == REQUEST_ID_SIZE, "a request id must fit");

static bool is_random(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (!((t.ptr[i] >= 'a' && t.ptr[i] <= 'z') || (t.ptr[i] >= '0' && t.ptr[i] <= '9'))) {
            return false;
        }
    }
    return true;
}

/* The next of a thread's stock of random bytes: each of them is a system call when it is fetched alone. */
static uint8_t random_byte(void) {
    static _Thread_local uint8_t stock[256];
    static _Thread_local size_t left;
    if (left == 0) {
        crypto_random(stock, sizeof(stock));
        left = sizeof(stock);
    }
    return stock[--left];
}

void id_random(char *ret, size_t count) {
    const unsigned letters = sizeof(alphabet) - 1;
    const unsigned fair = 256 / letters * letters; /* bytes from here on would favour the first letters */
    size_t made = 0;
    while (made < count) {
        uint8_t byte = random_byte();
        if (byte < fair) {
            ret[made++] = alphabet[byte % letters];
        }
    }
    ret[count] = '\0';
}

/* Ids made later sort later: four characters tell the time within the second, in 36^-4 s, so that the rows of new tasks
 * lie side by side in the store's trees (a commit then touches few pages instead of one or more a task). Four are
 * random: two ids of one tick are alike once in 1.7 million, and then the store refuses the second. */
static void time_ordered(char ret[RANDOM_COUNT + 1]) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"; /* in the order of their bytes */
    uint64_t tick = (uint64_t)clock_system_fraction_ns() * (36 * 36 * 36 * 36) / 1000000000;
    for (int i = 3; i >= 0; i--) {
        ret[i] = digits[tick % 36];
        tick /= 36;
    }
    id_random(ret + 4, RANDOM_COUNT - 4);
}

void task_id_new(struct task_id *ret, bool llm, int64_t created_s) {
    assert(created_s >= 0 && created_s < INT64_C(100000000000000000));
    char random[RANDOM_COUNT + 1];
    time_ordered(random);
    snprintf(ret->string, sizeof(ret->string), "%s%lld-%s", prefixes[llm].ptr, (long long)created_s, random);
}

/* Seconds without needless zeros, so few digits that a number holds them. */
static bool is_created(struct text t) {
    return text_is_digits(t) && t.len <= CREATED_DIGITS_MAX && (t.len == 1 || t.ptr[0] != '0');
}

/* PREFIX, the seconds, '-', and so many random characters. */
static bool has_form(struct text t, struct text prefix, size_t random_count) {
    if (!text_starts(t, prefix)) {
        return false;
    }
    struct text rest = { t.ptr + prefix.len, t.len - prefix.len };
    struct text created = text_cut(&rest, '-');
    return is_created(created) && rest.len == random_count && is_random(rest);
}

bool task_id_parse(struct text t, struct task_id *ret) {
    if (t.len >= TASK_ID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (!has_form(t, prefixes[i], RANDOM_COUNT)) {
            continue;
        }
        struct task_id id = { 0 };
        memcpy(id.string, t.ptr, t.len);
        *ret = id;
        return true;
    }
    return false;
}

struct text task_id_text(const struct task_id *id) {
    return text_of(id->string);
}

void file_id_new(struct file_id *ret, int64_t created_s) {
    char random[FILE_RANDOM_COUNT + 1];
    assert(created_s >= 0 && created_s < INT64_C(100000000000000000));
    id_random(random, FILE_RANDOM_COUNT);
    snprintf(ret->string, sizeof(ret->string), "%s%lld-%s", file_prefix.ptr, (long long)created_s, random);
}

bool file_id_parse(struct text t, struct file_id *ret) {
    if (t.len >= FILE_ID_SIZE || !has_form(t, file_prefix, FILE_RANDOM_COUNT)) {
        return false;
    }
    struct file_id id = { 0 };
    memcpy(id.string, t.ptr, t.len);
    *ret = id;
    return true;
}

struct text file_id_text(const struct file_id *id) {
    return text_of(id->string);
}

int64_t file_id_created_s(const struct file_id *id) {
    struct text rest = { id->string + file_prefix.len, strlen(id->string) - file_prefix.len };
    int64_t created_s = 0;
    return text_to_i64(text_cut(&rest, '-'), &created_s) ? created_s : 0;
}

void request_id_new(char ret[REQUEST_ID_SIZE]) {
    static const struct text start = TEXT("req-");
    memcpy(ret, start.ptr, start.len);
    id_random(ret + start.len, REQUEST_ID_SIZE - 1 - start.len);
}
