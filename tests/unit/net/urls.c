/* Reads the list, a line each: verdict, URL, reason. */
#include "urls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests.h"

#define URLS_MAX 1000

static struct listed_url urls[URLS_MAX];
static size_t url_count;
static char texts[1 << 18], *free_text = texts;

static char *keep(const char *bytes, size_t len) {
    char *kept = free_text;
    assert_true(len < (size_t)(texts + sizeof(texts) - free_text));
    memcpy(kept, bytes, len);
    kept[len] = '\0';
    free_text += len + 1;
    return kept;
}

/* \xHH, \\ and \e become what they stand for. */
static struct text decoded(const char *written) {
    char bytes[4096] = "";
    size_t len = 0;
    for (const char *at = written; *at != '\0'; at++) {
        char pair[3] = "";
        assert_true(len < sizeof(bytes));
        if (*at != '\\') {
            bytes[len++] = *at;
        } else if (*++at == 'x') {
            memcpy(pair, at + 1, 2);
            bytes[len++] = (char)strtol(pair, NULL, 16);
            at += 2;
        } else if (*at == '\\') {
            bytes[len++] = '\\';
        } else {
            assert_int_equal(*at, 'e');
        }
    }
    return (struct text){ keep(bytes, len), len };
}

static void read_verdict(char *word, struct listed_url *url) {
    static const char *const words[] = { "inside", "malformed", "leads-to", "public" };
    char *addresses = strchr(word, '=');
    if (addresses != NULL) {
        *addresses++ = '\0';
        for (char *comma = addresses; (comma = strchr(comma, ',')) != NULL;)
            *comma = ' ';
        url->addresses = keep(addresses, strlen(addresses));
    }
    while (url->verdict < URL_VERDICT_COUNT && strcmp(word, words[url->verdict]) != 0)
        url->verdict++;
    assert_true(url->verdict < URL_VERDICT_COUNT);
    assert_int_equal(url->verdict == URL_LEADS_INSIDE, url->addresses != NULL);
}

const struct listed_url *listed_urls(size_t *ret_count) {
    FILE *file = url_count == 0 ? fopen(TEST_URLS, "re") : NULL;
    char line[8192], verdict[256], written[4096], reason[512];
    assert_true(url_count > 0 || file != NULL);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        /* each line says why it is there */
        assert_int_equal(sscanf(line, "%255s %4095s %511[^\n]", verdict, written, reason), 3);
        assert_true(url_count < URLS_MAX);
        read_verdict(verdict, &urls[url_count]);
        urls[url_count++].url = decoded(written);
    }
    if (file != NULL)
        fclose(file);
    *ret_count = url_count;
    return urls;
}
