/* bench_chat_load [options] http://ADDRESS:PORT/PATH
 *   --mode whole|stream|hold   (whole)
 *   --body JSON                of every request
 *   --header LINE              of every request, repeatable
 *   --connections N            (1)
 *   --seconds N                (1)
 *   --events N                 (1) */
#include "chat_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 16u

/* As the command line has them. */
struct words {
    const char *url, *body, *headers[HEADERS_MAX];
    unsigned header_count;
};

/* ---- the request ---- */

/* Appends; a request that is too large shows by its size. */
static printf_like(2, 3) void put(struct load_options *options, const char *format, ...) {
    size_t room = sizeof(options->request) - options->request_size;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(options->request + options->request_size, room, format, arguments);
    va_end(arguments);
    options->request_size += size > 0 && (size_t)size < room ? (size_t)size : room - 1;
}

static bool make_request(struct load_options *options, const struct words *words) {
    char address[INET_ADDRSTRLEN];
    unsigned port;
    int path = 0;
    if (sscanf(words->url, "http://%15[0-9.]:%u%n", address, &port, &path) != 2 || words->url[path] != '/' ||
        port > UINT16_MAX || inet_pton(AF_INET, address, &options->address.sin_addr) != 1) {
        return false;
    }
    options->address.sin_family = AF_INET;
    options->address.sin_port = htons((uint16_t)port);
    put(options, "POST %s HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
        words->url + path, address, port, strlen(words->body));
    for (unsigned i = 0; i < words->header_count; i++) {
        put(options, "%s\r\n", words->headers[i]);
    }
    put(options, "\r\n%s", words->body);
    return options->request_size < sizeof(options->request) - 1;
}

/* ---- the command line ---- */

static bool read_number(const char *word, uint64_t most, uint64_t *ret) {
    char *end;
    *ret = strtoull(word, &end, 10);
    return *word >= '0' && *word <= '9' && *end == '\0' && *ret > 0 && *ret <= most;
}

static bool read_mode(const char *word, enum load_mode *ret) {
    static const char *const names[] = { [WHOLE] = "whole", [STREAM] = "stream", [HOLD] = "hold" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            *ret = (enum load_mode)i;
            return true;
        }
    }
    return false;
}

static bool read_option(int letter, struct load_options *options, struct words *words) {
    uint64_t number = 0;
    bool good = true;
    switch (letter) {
    case 'm':
        return read_mode(optarg, &options->mode);
    case 'b':
        words->body = optarg;
        return true;
    case 'h':
        good = words->header_count < HEADERS_MAX;
        if (good) {
            words->headers[words->header_count++] = optarg;
        }
        return good;
    case 'c':
        good = read_number(optarg, LOAD_CONNECTIONS_MAX, &number);
        options->connections = (unsigned)number;
        return good;
    case 's':
        good = read_number(optarg, LOAD_SECONDS_MAX, &number);
        options->seconds = (unsigned)number;
        return good;
    case 'e':
        return read_number(optarg, UINT64_MAX, &options->events);
    default:
        return false;
    }
}

bool load_options_read(int argc, char **argv, struct load_options *ret) {
    static const struct option names[] = {
        { "mode", required_argument, NULL, 'm' },
        { "body", required_argument, NULL, 'b' },
        { "header", required_argument, NULL, 'h' },
        { "connections", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "events", required_argument, NULL, 'e' },
        { NULL, 0, NULL, 0 },
    };
    struct words words = { 0 };
    bool good = true;
    *ret = (struct load_options){ .connections = 1, .seconds = 1, .events = 1 };
    for (int letter; good && (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        good = read_option(letter, ret, &words);
    }
    words.url = argv[optind];
    if (!good || optind + 1 != argc || words.body == NULL || !make_request(ret, &words)) {
        fprintf(stderr,
                "usage: %s --body JSON [--mode whole|stream|hold] [--header LINE]... [--connections N] [--seconds N] "
                "[--events N] http://ADDRESS:PORT/PATH\n",
                argv[0]);
        return false;
    }
    return true;
}
