/* How an attempt is carried out: one const table of functions a kind of provider (exec, simulator, remote services).
 *
 * Everything here runs on the engine's thread. A driver reports through the attempt's callbacks; after `done` it never
 * touches the attempt again, and `done` comes exactly once for each successful start or resume, cancelled or not. It
 * may come from within any of the driver's functions but start and resume. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"
#include "core/failure.h"
#include "core/task.h"
#include "core/tokens.h"

struct adapter;
struct attempt;
struct bridge;
struct chat_failure;
struct chat_stream;
struct config;
struct courier;
struct driver;
struct fetch_client;
struct json_t;
struct model;
struct route;
struct sleeper;
struct uv_loop_s;

/* How an attempt ended. The driver owns it; texts and values are valid during the callback. */
struct outcome {
    enum task_error error;    /* TASK_ERROR_NONE: success */
    bool retryable;           /* a fresh attempt may help */
    enum job_fate fate;       /* of a failure */
    enum failure_scope scope; /* of a failure at a remote service */
    bool unsent;              /* of a failure: the service was not spoken to, so that nothing is known of it or of the key */
    int64_t delay_ms;         /* the service's own word on when to try again; 0: none */
    bool despite_cancel;      /* a success that a cancel came too late for: it is paid, so it is delivered */
    const char *message;      /* for the task's owner; NULL: the error's default words */
    const char *detail;       /* for operators: exit status, the reply as it came, …; no secrets; may be NULL */
    struct json_t *output;    /* on success: what the model's results function gets as `out` */

    /* of a language model, in the place of `output` */
    struct text completion;   /* on success: the ChatCompletion, JSON text */
    struct token_usage tokens;
    const struct chat_failure *chat; /* on failure: what its client is told; NULL: nothing more than the above says */
};

/* One input file fetched or stored for a driver that needs it at hand. */
struct attempt_file {
    const char *param; /* path of the parameter: audio_url, image_urls[1] */
    const char *path;  /* absolute, in the work directory */
    const char *media_type;
};

/* What a service told us of its own accord. */
struct hook_event {
    const struct json_t *event; /* headers (small letters), query, json or text: what an adapter's hook gets */
    bool verified;              /* a signature that covers the body was found good; else it is a hint and no more */
};

#define SUBMISSION_KEY_SIZE 33

/* What a driver needs to know of an attempt; filled and owned by the engine, which outlives the driver's use of it. */
struct attempt {
    const char *task; /* task id, for names and logs */
    int number;
    const struct model *model;
    const struct route *route;  /* NULL: a resumed one whose route is gone from the catalogue */
    const char *provider;       /* remote: whose adapter speaks for it */
    const struct json_t *input; /* validated parameters; NULL for a resumed one that has `remote` */
    const struct attempt_file *files;
    unsigned file_count;
    const char *work_directory; /* the attempt's own, made before and removed after by the engine; NULL when the driver needs none */
    int64_t timeout_ms;         /* of the whole attempt; the engine keeps watch over it */
    bool test;                  /* a test key's task */

    /* remote services */
    const char *key;                           /* the provider's secret for this attempt; NULL: the service needs none */
    char submission[SUBMISSION_KEY_SIZE];      /* unguessable; of this attempt alone, and the same after a crash: for
                                                * idempotency headers and ids that we may choose */
    const char *callback_url;                  /* where the service can tell us; NULL: nowhere */
    const char *remote;                        /* of a resumed one: the service's id of the job; NULL: none is known */
    int64_t age_ms;                            /* of a resumed one: since it began; below 0: the clock was set back */
    const char *kept;                          /* of a resumed one: what `taken` was given, JSON text; NULL: nothing */

    /* language models; `input` is OpenAI's request body, and its `model` what the client asked for */
    struct chat_stream *stream; /* gets the chunks as they come (chat/stream.h); NULL: not a language model's attempt */
    bool streams;               /* the client wants chunks: the service is asked to stream */
    bool reasons;               /* the client wants the model to think */
    bool must_keep_up;          /* a full stream has too slow a reader: what was written so far is the answer */
    bool keeps_partial;         /* set before a cancel of what may have been read: what was written so far is the answer */

    void (*progress)(struct attempt *attempt, int percent);
    /* The service has the job, under this id; some time afterwards `input` is gone. `kept` (JSON text, may be NULL) is
     * given back when it is resumed. Comes again when either changes. Both are copied and made durable. */
    void (*taken)(struct attempt *attempt, const char *remote, const char *kept);
    /* A line of the timeline; `data` is a JSON object without secrets. Copied. */
    void (*note)(struct attempt *attempt, const char *kind, const char *data);
    /* The answer to `refresh`: what the service says now has been told by the other callbacks. */
    void (*refreshed)(struct attempt *attempt);
    /* The work directory, made now if there is none yet; NULL when that fails. */
    const char *(*directory)(struct attempt *attempt);
    void (*done)(struct attempt *attempt, const struct outcome *outcome);
    void *driver_data; /* the driver's own */
};

/* How a driver wants the input files: behind links (ours made whole, inline files behind one too), as data URIs where they
 * are ours, as links where there is a public_url and as data URIs elsewhere, or at hand in the work directory. */
enum input_form { INPUT_LINKS, INPUT_INLINE, INPUT_EITHER, INPUT_FILES };

/* What a driver lives on; all of it outlives the driver. */
struct driver_host {
    struct uv_loop_s *loop;
    const struct config *config;
    struct bridge *bridge;
    struct fetch_client *fetcher; /* for what a reader waits for */
    struct courier *courier;      /* for the rest */
    const char *work;             /* a directory for files that no attempt has yet, beside the attempts' own */
};

struct driver_ops {
    const char *name;
    bool remote;          /* speaks for every provider that has an adapter */
    bool converses;       /* speaks for language models: an attempt is one request, its reply is the answer, and nothing goes
                           * on elsewhere without us */
    bool repeatable;      /* an attempt that a crash cut off may simply be run again (T3) */
    bool needs_files;     /* input files are brought into the work directory before start */
    bool needs_directory;
    bool can_cancel;      /* while running */
    unsigned concurrency; /* default number of running attempts; 0: one a core */
    struct driver *(*create)(const struct driver_host *host);
    /* Fails without calling `done`. */
    enum err (*start)(struct driver *driver, struct attempt *attempt, struct fault *fault);
    /* Asks; the answer is `done`. */
    void (*cancel)(struct driver *driver, struct attempt *attempt);
    /* After all attempts are done. */
    void (*destroy)(struct driver *driver);

    /* ---- remote only; NULL elsewhere ---- */

    /* What this attempt wants its inputs to be; asked before start. NULL: as they came. */
    enum input_form (*input_form)(struct driver *driver, const struct attempt *attempt);
    /* Goes on with an attempt of an earlier life, or asks again for the output of one that is done (its links may have
     * run out). Without attempt->remote: finds out, where the service can say, whether the job was made, or sends the
     * submission once more where that is harmless. ERR_NOT_FOUND: neither is possible, nobody knows (T3). */
    enum err (*resume)(struct driver *driver, struct attempt *attempt, struct fault *fault);
    /* The server stops: the job goes on without us. `done` follows; a failure means nothing, unless it says that no job was
     * made. A submission under way is waited for first, so that its id, or its output, is known. */
    void (*leave)(struct driver *driver, struct attempt *attempt);
    /* Asks the service now, unless it was asked a moment ago; the answer is `refreshed`, or `done`. Once at a time. */
    void (*refresh)(struct driver *driver, struct attempt *attempt);
    /* The service called. Returns what it wants to hear as JSON (a new reference), NULL: nothing in particular. */
    struct json_t *(*hook)(struct driver *driver, struct attempt *attempt, const struct hook_event *event);
    /* An attempt that only waits to ask again, for `least_ms` at least, is packed, and the driver has nothing to do with it any
     * more: no `done` follows. NULL: it does something else, or not for so long. Never from within one of the attempt's
     * callbacks. *ret_wait_ms: until it has to be woken; both in real milliseconds. */
    struct sleeper *(*sleep)(struct driver *driver, struct attempt *attempt, int64_t least_ms, int64_t *ret_wait_ms);
    /* Goes on as if it had not slept; the attempt is as the one before was, without what comes with a start or a resume. The
     * sleeper is gone. */
    void (*wake)(struct driver *driver, struct attempt *attempt, struct sleeper *sleeper);
    /* The headers that the service wants with a request for one of its files, JSON texts by name (a new reference);
     * NULL when the URL is none of the provider's, or no key belongs there. `attempt` may be done already. */
    struct json_t *(*download_headers)(struct driver *driver, const struct attempt *attempt, const char *url);
};

extern const struct driver_ops exec_driver;      /* commands on this machine */
extern const struct driver_ops simulator_driver; /* test mode */
extern const struct driver_ops remote_driver;    /* services behind adapters, src/remote */
extern const struct driver_ops chat_driver;      /* language models behind adapters with a chat dialect, src/chat */
extern const struct driver_ops chat_simulator;   /* language models in test mode, src/chat */

/* Whether a route's needs are met on this machine with this configuration. False: `why` gets words that say what to
 * configure or install. Pure look-up of configuration and files, any thread. */
bool route_available(const struct route *route, const struct config *config, const struct bridge *bridge,
                     struct fault *why);
/* How a service wants its input files: as the route says, else the adapter; links when neither does (NULL: says nothing).
 * Pure. */
enum input_form route_input_form(const struct route *route, const struct adapter *adapter);
/* Whether files of ours can be handed on along the route: at hand, inside its requests, or by links below public_url. The
 * same kind of look-up. */
bool route_takes_files(const struct route *route, const struct config *config, const struct bridge *bridge);
