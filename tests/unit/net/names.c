/* getaddrinfo and freeaddrinfo in the place of the system's: the program's own symbols come first. */
#include "names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NAMES_MAX 64
#define OURS 0x464e4543 /* in ai_flags: made here */

static struct name {
    char name[64], addresses[128], later[128];
    unsigned then, asked;
} names[NAMES_MAX];
static unsigned count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* curl asks on threads of its own */

static struct name *find(const char *name) {
    for (unsigned i = 0; i < count; i++)
        if (strcasecmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

void names_lead(const char *name, const char *addresses, unsigned then, const char *later) {
    pthread_mutex_lock(&mutex);
    struct name *entry = find(name);
    if (entry == NULL && count == NAMES_MAX)
        abort();
    if (entry == NULL)
        entry = &names[count++];
    *entry = (struct name){ .then = then };
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    snprintf(entry->addresses, sizeof(entry->addresses), "%s", addresses);
    snprintf(entry->later, sizeof(entry->later), "%s", later != NULL ? later : "");
    pthread_mutex_unlock(&mutex);
}

void names_forget(void) {
    pthread_mutex_lock(&mutex);
    count = 0;
    pthread_mutex_unlock(&mutex);
}

unsigned names_asked(const char *name) {
    pthread_mutex_lock(&mutex);
    const struct name *entry = find(name);
    unsigned asked = entry != NULL ? entry->asked : 0;
    pthread_mutex_unlock(&mutex);
    return asked;
}

static bool take(const char *name, char *ret, size_t size) {
    pthread_mutex_lock(&mutex);
    struct name *entry = find(name);
    if (entry != NULL) {
        entry->asked++;
        snprintf(ret, size, "%s", entry->then > 0 && entry->asked > entry->then ? entry->later : entry->addresses);
    }
    pthread_mutex_unlock(&mutex);
    return entry != NULL;
}

static struct addrinfo *make(const char *address, int port, int type) {
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    if (info == NULL)
        abort();
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(info + 1);
    struct sockaddr_in *v4 = (struct sockaddr_in *)(info + 1);
    info->ai_flags = OURS;
    info->ai_socktype = type != 0 ? type : SOCK_STREAM;
    info->ai_addr = (struct sockaddr *)(info + 1);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        info->ai_addrlen = sizeof(*v4);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        info->ai_addrlen = sizeof(*v6);
    } else {
        abort();
    }
    info->ai_family = info->ai_addr->sa_family;
    return info;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    char addresses[128], *rest = addresses;
    int (*system_one)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (node == NULL || !take(node, addresses, sizeof(addresses))) {
        *(void **)&system_one = dlsym(RTLD_NEXT, "getaddrinfo");
        return system_one(node, service, hints, ret);
    }
    struct addrinfo **end = ret;
    *ret = NULL;
    for (char *address; (address = strsep(&rest, " ")) != NULL && *address != '\0'; end = &(*end)->ai_next)
        *end = make(address, service != NULL ? atoi(service) : 0, hints != NULL ? hints->ai_socktype : 0);
    return *ret != NULL ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info) {
    void (*system_one)(struct addrinfo *);
    if (info == NULL || info->ai_flags != OURS) {
        *(void **)&system_one = dlsym(RTLD_NEXT, "freeaddrinfo");
        system_one(info);
        return;
    }
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}
