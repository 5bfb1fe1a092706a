/* The network of the server under attack, loaded before its libraries (LD_PRELOAD): names lead where a file says, and
 * all others nowhere; each connection that is tried is written down; none leaves the machine.
 *
 *   FENNEC_NAMES   a file, a line each: NAME ADDRESS[,ADDRESS…]
 *   FENNEC_DIALS   a file that gets a line for each connect(): ADDRESS PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask_system(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    int (*system_one)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&system_one = dlsym(RTLD_NEXT, "getaddrinfo");
    return system_one(node, service, hints, ret);
}

static int ask_number(const char *number, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    struct addrinfo plain = { .ai_socktype = hints != NULL ? hints->ai_socktype : 0, .ai_flags = AI_NUMERICHOST };
    return ask_system(number, service, &plain, ret);
}

/* Where the file says that the name leads: "10.0.0.1,::1". */
static int find(const char *name, char ret[512]) {
    char line[1024], known[256];
    const char *path = getenv("FENNEC_NAMES");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    int found = 0;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "%255s %511s", known, ret) == 2 && strcasecmp(known, name) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    char addresses[512], *rest = addresses;
    struct addrinfo **end = ret;
    int status = EAI_NONAME;
    if (node == NULL || strcasecmp(node, "localhost") == 0)
        return ask_system(node, service, hints, ret);
    if (!find(node, addresses))
        return ask_number(node, service, hints, ret);
    for (char *one; (one = strsep(&rest, ",")) != NULL && (status = ask_number(one, service, hints, end)) == 0;)
        while (*end != NULL)
            end = &(*end)->ai_next;
    return status;
}

static void note(const char *address, int port) {
    const char *path = getenv("FENNEC_DIALS");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        dprintf(fd, "%s %d\n", address, port);
        close(fd);
    }
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
    int (*system_one)(int, const struct sockaddr *, socklen_t);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    char text[INET6_ADDRSTRLEN] = "";
    int here = 1;
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        here = strncmp(text, "127.", 4) == 0 || strcmp(text, "0.0.0.0") == 0;
        note(text, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
        here = strcmp(text, "::1") == 0 || strcmp(text, "::") == 0 || strncmp(text, "::ffff:127.", 11) == 0;
        note(text, ntohs(v6->sin6_port));
    }
    if (!here) {
        errno = ENETUNREACH;
        return -1;
    }
    *(void **)&system_one = dlsym(RTLD_NEXT, "connect");
    return system_one(fd, address, size);
}
