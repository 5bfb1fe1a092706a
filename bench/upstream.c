/* A queue in front of models, simulated for measurements: what a job costs here is next to nothing, so that the load is on
 * its client. It answers on the paths and in the words of fal's queue.
 *
 *   POST /OWNER/APP…                          IN_QUEUE, a request_id and where to ask
 *   GET  /OWNER/APP/requests/ID/status        202 until the job's time is over, then 200
 *   GET  /OWNER/APP/requests/ID               the output: one picture, by a URL of this server
 *   GET  /files/ID.png                        that picture; no two are the same bytes
 *   GET  /control/counts                      what came so far, as JSON
 *   POST /control/mark                        forgets who has asked: "asked" counts from 0 again
 *   POST /control/release                     ends all jobs that are held
 *
 * bench_upstream PORT MILLISECONDS|hold [BYTES]   port 0: any free one; prints the address, serves until SIGTERM;
 *                                                 BYTES: of a picture, if they are more than it needs
 *
 * One thread serves, so nothing here needs a lock; a job is eight bytes, its id is its place. */
#include <malloc.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <zlib.h>

#include "base/compiler.h"

#define JOBS_MAX 10000000u
#define HELD UINT32_MAX
#define CONNECTIONS_MAX 4096u
#define IDLE_S 75u
#define ANSWER_MAX 1024
#define SIDE 8u /* pixels of a picture */
#define PICTURE_MAX ((size_t)1 << 20)

struct job {
    uint32_t due_ms; /* since the start; HELD: not before it is released */
    bool asked;      /* since the last mark */
};

static struct {
    struct job *jobs;
    uint32_t count, room;
    uint32_t length_ms;
    size_t picture_size; /* at least */
    uint64_t status_requests, results, files, refused;
    uint32_t asked;
    struct timespec start;
} upstream;

/* ---- jobs ---- */

static uint32_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t seconds = now.tv_sec - upstream.start.tv_sec;
    return (uint32_t)(seconds * 1000 + (now.tv_nsec - upstream.start.tv_nsec) / 1000000);
}

/* NULL: there are too many. */
static struct job *job_add(void) {
    if (upstream.count == upstream.room) {
        uint32_t room = upstream.room ? upstream.room * 2 : 4096;
        struct job *jobs = room <= 2 * JOBS_MAX ? realloc(upstream.jobs, room * sizeof(*jobs)) : NULL;
        if (jobs == NULL) {
            return NULL;
        }
        upstream.jobs = jobs;
        upstream.room = room;
    }
    struct job *job = &upstream.jobs[upstream.count++];
    *job = (struct job){ .due_ms = upstream.length_ms == HELD ? HELD : now_ms() + upstream.length_ms };
    return job;
}

static void job_release_all(void) {
    for (uint32_t i = 0; i < upstream.count; i++) {
        upstream.jobs[i].due_ms = 0;
    }
    upstream.length_ms = 0;
}

static void job_mark_all(void) {
    for (uint32_t i = 0; i < upstream.count; i++) {
        upstream.jobs[i].asked = false;
    }
    upstream.asked = 0;
}

static bool job_is_over(const struct job *job) {
    return job->due_ms != HELD && job->due_ms <= now_ms();
}

/* The job that "ID…" names, and what follows the id; NULL: none. */
static struct job *job_find(const char *id, const char **ret_rest) {
    char *end;
    unsigned long number = strtoul(id, &end, 16);
    *ret_rest = end;
    return end - id == 32 && number < upstream.count ? &upstream.jobs[number] : NULL;
}

/* ---- pictures ---- */

static uint8_t *put_u32(uint8_t *at, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        *at++ = (uint8_t)(value >> shift);
    }
    return at;
}

/* ISO/IEC 15948, 5.3: length, type, data, CRC of type and data. */
static uint8_t *put_chunk(uint8_t *at, const char *type, const void *data, size_t size) {
    uint8_t *start = put_u32(at, (uint32_t)size);
    memcpy(start, type, 4);
    memcpy(start + 4, data, size);
    return put_u32(start + 4 + size, (uint32_t)crc32(0, start, (uInt)size + 4));
}

/* A grey picture whose shades are the job's number. `ret` has room for PICTURE_MAX bytes; those behind the picture's end,
 * which nobody who shows it looks at, stay as they are. */
static size_t make_picture(uint32_t number, uint8_t *ret) {
    static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    uint8_t head[13] = { 0 }, rows[SIDE * (SIDE + 1)] = { 0 }, packed[256];
    uLongf packed_size = sizeof(packed);
    put_u32(put_u32(head, SIDE), SIDE);
    head[8] = 8; /* bits a sample, greyscale */
    for (unsigned i = 0; i < sizeof(rows); i++) {
        rows[i] = i % (SIDE + 1) == 0 ? 0 : (uint8_t)(number >> (i % 4 * 8));
    }
    if (compress2(packed, &packed_size, rows, sizeof(rows), 1) != Z_OK) {
        abort();
    }
    memcpy(ret, signature, sizeof(signature));
    uint8_t *at = put_chunk(ret + sizeof(signature), "IHDR", head, sizeof(head));
    at = put_chunk(at, "IDAT", packed, packed_size);
    size_t size = (size_t)(put_chunk(at, "IEND", "", 0) - ret);
    return size > upstream.picture_size ? size : upstream.picture_size;
}

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, const void *bytes,
                              size_t size) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_json(struct MHD_Connection *connection, unsigned status, const char *json) {
    return answer(connection, status, "application/json", json, strlen(json));
}

static enum MHD_Result refuse(struct MHD_Connection *connection) {
    upstream.refused++;
    return answer_json(connection, MHD_HTTP_NOT_FOUND, "{\"status\":\"NOT_FOUND\"}");
}

static const char *host_of(struct MHD_Connection *connection) {
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return host != NULL ? host : "";
}

static uint32_t number_of(const struct job *job) {
    return (uint32_t)(job - upstream.jobs);
}

/* Only the owner and the name of a model are in its jobs' URLs. */
static int name_length(const char *path) {
    const char *slash = strchr(path + 1, '/');
    return (int)(slash != NULL ? strcspn(slash + 1, "/") + (size_t)(slash + 1 - path) : strlen(path));
}

static enum MHD_Result submit(struct MHD_Connection *connection, const char *path) {
    char json[ANSWER_MAX], url[256];
    struct job *job = job_add();
    if (job == NULL) {
        return answer_json(connection, MHD_HTTP_TOO_MANY_REQUESTS, "{\"detail\":\"The queue is full\"}");
    }
    snprintf(url, sizeof(url), "http://%s%.*s/requests/%032x", host_of(connection), name_length(path), path,
             number_of(job));
    snprintf(json, sizeof(json),
             "{\"status\":\"IN_QUEUE\",\"request_id\":\"%032x\",\"response_url\":\"%s\",\"status_url\":\"%s/status\","
             "\"cancel_url\":\"%s/cancel\",\"queue_position\":0}",
             number_of(job), url, url, url);
    return answer_json(connection, MHD_HTTP_OK, json);
}

static enum MHD_Result tell_status(struct MHD_Connection *connection, struct job *job) {
    char json[ANSWER_MAX];
    bool over = job_is_over(job);
    upstream.status_requests++;
    upstream.asked += !job->asked;
    job->asked = true;
    snprintf(json, sizeof(json), "{\"status\":\"%s\",\"request_id\":\"%032x\",\"logs\":[]}",
             over ? "COMPLETED" : "IN_PROGRESS", number_of(job));
    return answer_json(connection, over ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED, json);
}

static enum MHD_Result tell_result(struct MHD_Connection *connection, const struct job *job) {
    char json[ANSWER_MAX];
    if (!job_is_over(job)) {
        return answer_json(connection, MHD_HTTP_BAD_REQUEST, "{\"detail\":\"Request is still in progress\"}");
    }
    upstream.results++;
    snprintf(json, sizeof(json), "{\"images\":[{\"url\":\"http://%s/files/%032x.png\",\"content_type\":\"image/png\"}]}",
             host_of(connection), number_of(job));
    return answer_json(connection, MHD_HTTP_OK, json);
}

static enum MHD_Result send_file(struct MHD_Connection *connection, const struct job *job) {
    static uint8_t picture[PICTURE_MAX];
    size_t size = make_picture(number_of(job), picture);
    upstream.files++;
    return answer(connection, MHD_HTTP_OK, "image/png", picture, size);
}

static enum MHD_Result tell_counts(struct MHD_Connection *connection) {
    char json[ANSWER_MAX];
    snprintf(json, sizeof(json),
             "{\"jobs\":%u,\"status_requests\":%llu,\"asked\":%u,\"results\":%llu,\"files\":%llu,\"refused\":%llu}",
             upstream.count, (unsigned long long)upstream.status_requests, upstream.asked,
             (unsigned long long)upstream.results, (unsigned long long)upstream.files,
             (unsigned long long)upstream.refused);
    return answer_json(connection, MHD_HTTP_OK, json);
}

static enum MHD_Result get(struct MHD_Connection *connection, const char *path) {
    const char *rest, *requests = strstr(path, "/requests/");
    if (strcmp(path, "/control/counts") == 0) {
        return tell_counts(connection);
    }
    if (strncmp(path, "/files/", 7) == 0) {
        const struct job *job = job_find(path + 7, &rest);
        return job != NULL && strcmp(rest, ".png") == 0 ? send_file(connection, job) : refuse(connection);
    }
    struct job *job = requests != NULL ? job_find(requests + 10, &rest) : NULL;
    if (job == NULL) {
        return refuse(connection);
    }
    return strcmp(rest, "/status") == 0 ? tell_status(connection, job)
           : *rest == '\0'              ? tell_result(connection, job)
                                        : refuse(connection);
}

static enum MHD_Result post(struct MHD_Connection *connection, const char *path) {
    if (strcmp(path, "/control/release") == 0) {
        job_release_all();
        return tell_counts(connection);
    }
    if (strcmp(path, "/control/mark") == 0) {
        job_mark_all();
        return tell_counts(connection);
    }
    return submit(connection, path);
}

/* The first call for a request has its head, further ones its body, the last one nothing: then it is answered. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_size,
                                  void **state) {
    static char begun;
    (void)context, (void)version, (void)body;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*body_size > 0) {
        *body_size = 0;
        return MHD_YES;
    }
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0    ? get(connection, path)
           : strcmp(method, MHD_HTTP_METHOD_POST) == 0 ? post(connection, path)
                                                       : refuse(connection);
}

/* Until a signal comes. libmicrohttpd's own threads sleep over 128 events that come at once (src/http/worker.c). */
static void serve(struct MHD_Daemon *daemon, const sigset_t *signals) {
    const int daemon_fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd waits[] = { { daemon_fd, POLLIN, 0 }, { signalfd(-1, signals, SFD_CLOEXEC), POLLIN, 0 } };
    while (waits[1].revents == 0) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        bool any = MHD_get_timeout(daemon, &timeout_ms) == MHD_YES;
        poll(waits, ARRAY_SIZE(waits), any ? (int)timeout_ms : -1); /* IDLE_S at most */
        MHD_run(daemon);
    }
}

int main(int argc, char **argv) {
    sigset_t signals;
    mallopt(M_TRIM_THRESHOLD, 64 << 20); /* its memory is not what is measured, but giving it back and forth would be */
    upstream.picture_size = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (argc < 3 || argc > 4 || upstream.picture_size > PICTURE_MAX) {
        fprintf(stderr, "usage: %s PORT MILLISECONDS|hold [BYTES]\n", argv[0]);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &upstream.start);
    upstream.length_ms = strcmp(argv[2], "hold") == 0 ? HELD : (uint32_t)strtoul(argv[2], NULL, 10);

    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(argv[1]))
    };
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
                         MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
                         MHD_OPTION_END);
    if (daemon == NULL) {
        perror("bench_upstream");
        return 1;
    }
    printf("listening on http://127.0.0.1:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    serve(daemon, &signals);
    MHD_stop_daemon(daemon);
    free(upstream.jobs);
    return 0;
}
