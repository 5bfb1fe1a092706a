/* Whether the time of a comparison tells how much was right: two kinds of guesses in random order, one that differs in its
 * first byte and one that differs in its last, and Welch's t of their times. On demand: times are not for tests.
 *
 *   ninja -C build tests/attack/timing && build/tests/attack/timing [ROUNDS]
 *
 * The first row, memcmp over 4 KiB, shows that the method finds what is there to be found. Ends with 1 when a comparison
 * of secrets is told apart (|t| > 10). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"

#define BLOCK 4096
#define KEY_SIZE 51
#define T_MAX 10.0

struct sums {
    double count, mean, squares; /* Welford's */
};

static void add(struct sums *sums, double value) {
    double before = value - sums->mean;
    sums->count++;
    sums->mean += before / sums->count;
    sums->squares += before * (value - sums->mean);
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static volatile int sink;
static uint8_t right[BLOCK], early[BLOCK], late[BLOCK];

static void by_memcmp(const uint8_t *guess) {
    sink = memcmp(right, guess, BLOCK);
}
static void by_crypto_equal(const uint8_t *guess) {
    sink = crypto_equal(right, guess, BLOCK);
}
static void by_crypto_equal_short(const uint8_t *guess) {
    /* the last 32 bytes of the late guess, the first 32 of the early one */
    sink = crypto_equal(right, guess == early ? early : late + BLOCK - SHA256_SIZE, SHA256_SIZE);
}
/* As a key is looked up: hashed whole, and the hash compared. */
static void by_hash(const uint8_t *guess) {
    uint8_t hash[SHA256_SIZE];
    const uint8_t *key = guess == early ? early : late + BLOCK - KEY_SIZE;
    crypto_sha256((struct text){ (const char *)key, KEY_SIZE }, hash);
    sink = memcmp(right, hash, sizeof(hash));
}

/* Welch's t, the slowest twentieth of all left out, since interruptions are nobody's secret. */
static double measure(void (*compare)(const uint8_t *), long rounds) {
    struct sums sums[2] = { { 0 } };
    double limit = INFINITY, total = 0;
    for (long i = 0; i < rounds; i++) {
        int kind = (int)(crypto_random_below(2));
        const uint8_t *guess = kind ? late : early;
        double start = now_ns();
        for (int repeat = 0; repeat < 16; repeat++)
            compare(guess);
        double took = now_ns() - start;
        if (i < rounds / 10) {
            total += took;
            limit = 2 * total / (double)(i + 1);
        } else if (took < limit) {
            add(&sums[kind], took);
        }
    }
    double variance = 0;
    for (int kind = 0; kind < 2; kind++)
        variance += sums[kind].squares / (sums[kind].count - 1) / sums[kind].count;
    return (sums[0].mean - sums[1].mean) / sqrt(variance);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*compare)(const uint8_t *);
        int secret;
    } rows[] = {
        { "memcmp, 4096 bytes (to be found)", by_memcmp, 0 },
        { "crypto_equal, 4096 bytes", by_crypto_equal, 1 },
        { "crypto_equal, a MAC", by_crypto_equal_short, 1 },
        { "a key's look-up by hash", by_hash, 1 },
    };
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;
    int told = 0;
    if (crypto_init() != OK)
        return 2;
    crypto_random(right, sizeof(right));
    memcpy(early, right, sizeof(right));
    memcpy(late, right, sizeof(right));
    early[0] ^= 1;
    late[BLOCK - 1] ^= 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double t = measure(rows[i].compare, rounds);
        printf("%-34s t = %8.2f%s\n", rows[i].name, t, fabs(t) > T_MAX ? "  told apart" : "");
        told |= rows[i].secret && fabs(t) > T_MAX;
    }
    return told;
}
