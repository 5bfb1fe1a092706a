/* The smallest server that libmicrohttpd makes, for measurements: it answers the same bytes to everybody, from a response that
 * is made once, and looks at nothing but the path. What Fennec's HTTP library alone takes of a machine.
 *
 *   GET /unchanged   304, without a body
 *   GET /...         200, the bytes
 *
 * bench_bare THREADS BYTES   at any free port, whose address it prints; serves until SIGTERM. BYTES: the body of its answer */
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_PER_CONNECTION 12288 /* as much as Fennec's connections have */

static struct {
    struct MHD_Response *answer, *unchanged;
} bare;

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *body, size_t *body_size, void **state) {
    static char begun;
    (void)context, (void)method, (void)version, (void)body, (void)body_size;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (strcmp(path, "/unchanged") == 0)
        return MHD_queue_response(connection, MHD_HTTP_NOT_MODIFIED, bare.unchanged);
    return MHD_queue_response(connection, MHD_HTTP_OK, bare.answer);
}

int main(int argc, char **argv) {
    sigset_t signals;
    int number;
    if (argc != 3) {
        fprintf(stderr, "usage: %s THREADS BYTES\n", argv[0]);
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    bare.answer = MHD_create_response_from_buffer(strlen(argv[2]), argv[2], MHD_RESPMEM_PERSISTENT);
    bare.unchanged = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(bare.answer, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(bare.unchanged, MHD_HTTP_HEADER_ETAG, "\"0123456789abcdef\"");

    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)atoi(argv[1]), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    if (daemon == NULL) {
        perror("bench_bare");
        return 1;
    }
    printf("listening on http://127.0.0.1:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&signals, &number);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(bare.answer);
    MHD_destroy_response(bare.unchanged);
    return 0;
}
