/* fennec serve: brings the parts up in order, waits for signals, takes them down in the reverse order.
 *
 * SIGTERM, SIGINT: drain and stop. SIGHUP: configuration and catalogue anew, nothing dropped. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "blob/blob.h"
#include "catalog/catalog.h"
#include "cli/command.h"
#include "cli/open.h"
#include "config/config.h"
#include "engine/engine.h"
#include "provider/doubts.h"
#include "store/store.h"

#define HTTP_STOP_MS 10000

/* All that a server is made of; NULL where it is not up. */
struct server {
    const struct invocation *call;
    struct store *store;
    struct blob_store *blobs;
    struct setup *setup; /* the one in force; under the mutex, once it serves */
    pthread_mutex_t reloading;
    struct engine *engine;
    struct api *api;
    struct http_server *http;
};

/* Settings under the command line's options. */
static enum err load_config(const struct invocation *call, struct config **ret, struct fault *fault) {
    struct config *config;
    enum err err = open_config(call, &config, fault);
    if (err)
        return err;
    const char *listen = invocation_option(call, "listen");
    if (listen && (err = config_set_listen(config, text_of(listen), fault))) {
        config_free(config);
        return err;
    }
    *ret = config;
    return OK;
}

static enum err open_blobs(struct server *server, const struct config *config, struct fault *fault) {
    char *path scoped(mem_free_pointer) = NULL;
    if (asprintf(&path, "%s/blobs", config->data) < 0)
        return fault_set(fault, ERR_NO_MEMORY, "out of memory");
    return blob_open(path, &server->blobs, fault);
}

static enum err reload(void *context, struct fault *fault);

static enum err serve_http(struct server *server, const struct config *config, struct fault *fault) {
    struct http_options options;
    api_http_options(server->api, config, &options);
    unsigned count;
    const struct http_route *routes = api_routes(&count);
    enum err err = http_server_new(&options, routes, count, &server->http, fault);
    if (!err)
        api_set_server(server->api, server->http);
    return err;
}

/* What `fennec doctor` would say of the settings, which nobody else may see. */
static void say_doubt(const struct doubt *doubt, void *context) {
    (void)context;
    log_event(LOG_WARNING, "a setting leads nowhere", LOG_S("what", doubt->what), LOG_S("reason", doubt->words));
}

static enum err bring_up(struct server *server, struct config *config, struct fault *fault) {
    log_setup(config->log_level, config->log_format);
    struct store_options store_options = { .directory = config->data, .serve = true, .gather = engine_gather };
    enum err err = store_open(&store_options, &server->store, fault);
    if (!err)
        err = open_blobs(server, config, fault);
    if (err) {
        config_free(config);
        return err;
    }
    if ((err = setup_new(config, &server->setup, fault)))
        return err;
    doubts_tell(config, server->setup->bridge, say_doubt, NULL);
    struct engine_options engine_options = { .store = server->store, .blobs = server->blobs, .setup = server->setup };
    if ((err = engine_start(&engine_options, &server->engine, fault)))
        return err;
    struct api_options api_options = {
        .engine = server->engine, .store = server->store, .blobs = server->blobs, .reload = reload, .reload_context = server,
    };
    server->api = api_new(&api_options);
    return serve_http(server, server->setup->config, fault);
}

/* Refuses new work, gives running work its time, and ends what is up, last things first. */
static void take_down(struct server *server, int64_t drain_ms) {
    if (server->api)
        api_close_door(server->api);
    if (server->engine)
        engine_close_door(server->engine);
    if (server->http)
        http_server_drain(server->http);
    if (server->engine)
        engine_stop(server->engine, drain_ms); /* meanwhile, queries are still answered */
    if (server->http)
        http_server_stop(server->http, HTTP_STOP_MS);
    setup_unref(server->setup);
    store_close(server->store);
    engine_free(server->engine); /* its jobs for requests that were abandoned have come back now */
    http_server_free(server->http);
    api_free(server->api);
    blob_close(server->blobs);
}

static void take_over(struct server *server, struct setup *setup) {
    log_setup(setup->config->log_level, setup->config->log_format);
    engine_reload(server->engine, setup);
    setup_unref(server->setup);
    server->setup = setup;
    unsigned models;
    catalog_models(setup->catalog, &models);
    log_event(LOG_INFO, "reloaded", LOG_I("models", models));
    doubts_tell(setup->config, setup->bridge, say_doubt, NULL);
}

static void say_kept(const char *setting) {
    log_event(LOG_WARNING, "a changed setting needs a restart", LOG_S("setting", setting));
}

/* What SIGHUP does, and operators may ask for. Any thread. */
static enum err reload(void *context, struct fault *fault) {
    struct server *server = context;
    struct config *config;
    struct setup *setup;
    pthread_mutex_lock(&server->reloading);
    enum err err = load_config(server->call, &config, fault);
    if (!err) {
        config_keep(config, server->setup->config, say_kept);
        err = setup_new(config, &setup, fault);
    }
    if (!err)
        take_over(server, setup);
    else
        log_event(LOG_ERROR, "reload refused, the old settings stay in force", LOG_S("reason", fault->message));
    pthread_mutex_unlock(&server->reloading);
    return err;
}

/* Serves until told to stop; returns the signal that said so. Of several that wait the system gives the lowest number first,
 * which is SIGHUP's: so that those that keep coming do not keep it from its end, that is looked for before another reload. */
static int wait_for_the_end(struct server *server, const sigset_t *signals) {
    sigset_t ends = *signals;
    sigdelset(&ends, SIGHUP);
    for (;;) {
        int number = sigtimedwait(&ends, NULL, &(struct timespec){ 0 });
        if (number > 0)
            return number;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP)
            return number;
        struct fault fault = { 0 };
        (void)reload(server, &fault); /* the log says so */
    }
}

static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* FENNEC_CLOCK_SPEED=FACTOR[@UNIX SECONDS], for tests in which hours pass: nothing else of the environment is needed to
 * serve. What is no such text means nothing. */
static void set_clock(void) {
    const char *words = getenv("FENNEC_CLOCK_SPEED");
    long factor = 1;
    long long since_s = 0;
    if (words == NULL || sscanf(words, "%ld@%lld", &factor, &since_s) < 1 || factor <= 1 || factor > 1000000)
        return;
    clock_set_speed(factor, since_s * 1000);
    log_event(LOG_WARNING, "the clock runs fast, for a test", LOG_I("factor", factor));
}

static int run(const struct invocation *call) {
    struct fault fault = { 0 };
    set_clock();
    struct server server = { .call = call, .reloading = PTHREAD_MUTEX_INITIALIZER };
    struct config *config;
    if (load_config(call, &config, &fault))
        return command_failed(call, &fault);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is made: all inherit it */
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    if (bring_up(&server, config, &fault)) {
        take_down(&server, 0); /* the person who started it waits to hear why it does not serve */
        return command_failed(call, &fault);
    }
    printf("listening on http://%s\n", http_server_address(server.http));
    fflush(stdout);
    clearerr(stdout); /* who does not want the line need not take it: it is no failure of the server */
    log_event(LOG_INFO, "serving", LOG_S("version", FENNEC_VERSION), LOG_S("address", http_server_address(server.http)),
              LOG_S("data", server.setup->config->data));
    int number = wait_for_the_end(&server, &signals);
    log_event(LOG_INFO, "stopping", LOG_S("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    take_down(&server, (int64_t)server.setup->config->drain_s * 1000);
    log_event(LOG_INFO, "stopped");
    return EXIT_OK;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "Serves the API until SIGTERM",
    .teaching = "Prints `listening on http://HOST:PORT` when it is ready; port 0 takes any free one.\n"
                "SIGTERM refuses new work, lets running work end, keeps the rest for the next start.\n"
                "SIGHUP reads settings and catalogue anew; a mistake in them leaves the old ones in force.\n"
                "`fennec settings` lists every setting with its default.\n",
    .options = (const struct cli_option[]){ { "listen", "HOST:PORT", "over the settings' (default: 127.0.0.1:8080)" },
                                            { NULL } },
    .run = run,
};
