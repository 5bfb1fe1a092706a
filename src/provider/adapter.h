/* Adapters: a provider's dialect as a table of pure Lua functions, lua/providers/NAME.lua.
 *
 * An adapter says which request to send and how to read the reply; it sends nothing itself. All values that go in and
 * out are JSON. A file returns a table of
 *
 *   url       base URL; `urls` = { name = URL } more of them, which a request picks by `base`
 *   backup    base URL that stands in for url, once a request, when no connection to url's host came about, so that
 *             certainly nothing was sent; its host is implied, and an overridden url has no backup
 *   hosts     hosts that its replies may point us to, "*.fal.media"; those of url, urls and backup are implied
 *   auth      function(key, now) -> headers; `query` = {…} and `basic` = { user, password } may be members;
 *             `lifetime` = seconds for which the result may be used again (signed tokens)
 *   submit    function(task) -> request; task: target, input, route, model, id, number, callback_url, external_id
 *   accepted  function(reply, job) -> step; reply: status, headers (small letters), json | text | file
 *   poll      function(job) -> request; job: id, state, step, task, url (the base URL in force, to make whole URLs of
 *             files that need the key). Without poll the provider is synchronous: accepted gives the output
 *   polled    function(reply, job) -> step
 *   output    function(reply, job) -> step, from the reply to a `next` request of polled, hook or output
 *   cancel    function(job) -> request, or nil: cannot be cancelled (any more)
 *   cancelled function(reply, job) -> step, or nil: sees every reply to cancel, whatever its HTTP status. An error in the
 *             step: it is gone. Nil: the next question, asked soon, tells how it ends
 *   lookup    function(task) -> request: after a crash, has the job been made?
 *   found     function(reply, task) -> step, or nil: it has not (T3)
 *   poll_many function(jobs) -> request: one question about up to `poll_many_max` jobs of one key at once
 *   polled_many  function(reply, jobs) -> { [id] = step }; a job that is not in it is asked for by itself
 *   hook      function(event) -> step, or nil: a reason to ask and no more; event: headers, query, json | text,
 *             verified: the signature covers the body and is good. A step that ends nothing says how far it is, and the
 *             questions go on as planned. What an unverified event says, or one with another job's id, is only a reason
 *             to ask. `reply` in the step is sent back as JSON
 *   failure   function(reply, job) -> failure; without it, or on nil, the HTTP status decides
 *   statuses  { IN_QUEUE = "pending", … } the provider's words; an unknown one is `processing`, with a warning
 *   progress_max  what its progress counts to: 100 (default) or 1
 *   idempotency   name of a header that makes a repeated submit harmless
 *   signature     { scheme = "standard" | "timestamped" | "ed25519" | "keyed" | "none"; header, version, member, jwks,
 *                 tolerance } of its hooks: net/webhook.h
 *   inputs        "links" (default); "inline": files of ours as data URIs; "either": as links where there is a public_url,
 *                 else so; "files": brought to hand for multipart. A route may say another
 *   concurrency, key_concurrency, timeout  defaults
 *   poll_first, poll_min, poll_factor, poll_max  seconds until the first question, the least and the most between two,
 *                 and by what each pause is longer than the one before
 *   chat      "openai" | "anthropic" | "gemini" | "ollama": the provider speaks for language models, in that dialect
 *             (chat/dialect/dialect.h); beside it only url, auth, hosts, concurrency, key_concurrency, timeout and samples have
 *             a place
 *   samples   { { call = "accepted", reply = {…}, expect = {…} }, … }
 *
 * accepted, polled, output and found see replies with a 2xx status, and may still find a failure in the body; any
 * other reply goes to failure, without a job when it was the submission's.
 *
 * While a job has no id, replies to `next` requests go to accepted too: so a file can be uploaded before the submission;
 * only then job.task has the input.
 *
 * Integers beyond 64 bits arrive as texts, so that no id loses a digit. A binary reply that calls itself JSON (an error,
 * mostly) is reply.json besides reply.file, when it is small.
 *
 * request: one of get, post, put, patch, delete = path or whole URL; base, query, headers; one of json, form,
 *          multipart, text; auth = false leaves the key out; binary = true: the reply's body becomes reply.file;
 *          redirects, timeout; paid = false: it cannot make a job, so it may be sent again
 * step:    one or more of id, status, output, next (a request; `step` names it and is then in job.step), error (a
 *          failure); also progress, state (kept with the attempt and given back in job), cost, delay (seconds),
 *          position (in the service's queue, for operators)
 * failure: code (a task error code), message, detail, retryable, taken = false: certainly no job was made (T4), delay,
 *          scope = "request" | "key" | "account" | "capacity" | "provider" (core/failure.h); else the status decides:
 *          401, 403 key, 402 account, 429 capacity, 408 and 5xx provider, the rest request;
 *          again = true: the question failed and not the job, so it is asked once more later; false: the job has ended,
 *          whatever the HTTP status. Of poll, poll_many and paid = false requests, and in a step's error too, for
 *          services that refuse a question under HTTP 200; else the status decides: again for 408, 425, 429 and 5xx
 *
 * After loading, the engine's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"
#include "core/failure.h"
#include "core/task.h"

struct buffer;
struct json_t;
struct script;

#define ADAPTER_NAME_SIZE 64
#define ADAPTER_LIST_MAX 64

enum adapter_call {
    ADAPTER_AUTH,
    ADAPTER_SUBMIT,
    ADAPTER_ACCEPTED,
    ADAPTER_POLL,
    ADAPTER_POLLED,
    ADAPTER_OUTPUT,
    ADAPTER_CANCEL,
    ADAPTER_CANCELLED,
    ADAPTER_LOOKUP,
    ADAPTER_FOUND,
    ADAPTER_POLL_MANY,
    ADAPTER_POLLED_MANY,
    ADAPTER_HOOK,
    ADAPTER_FAILURE,
    ADAPTER_CALL_COUNT
};

enum adapter_state { ADAPTER_PENDING, ADAPTER_PROCESSING, ADAPTER_COMPLETED, ADAPTER_FAILED };

struct adapter_pair {
    char *name;
    char *value;
};

struct adapter {
    char *name;
    char *file; /* for complaints */
    struct script *script;
    char *url;
    char *backup; /* NULL: none */
    struct adapter_pair *urls;
    unsigned url_count;
    char **hosts;
    unsigned host_count;
    struct adapter_pair *statuses; /* value: the name of an adapter_state */
    unsigned status_count;
    char *idempotency;        /* NULL: none */
    char *chat;               /* the dialect of a provider of language models; NULL: it is none */
    char *inputs;             /* "links", "inline", "either" or "files"; NULL: links */
    struct json_t *signature; /* NULL: hooks are not signed */
    double progress_max;
    double concurrency, key_concurrency, timeout_s;              /* 0: the driver's default */
    double poll_first_s, poll_min_s, poll_factor, poll_max_s;    /* 0: the driver's default */
    double poll_many_max;                                        /* jobs in one question; 0: the driver's default */
    int functions[ADAPTER_CALL_COUNT];                           /* references; LUA_NONE: not there */
    struct json_t *samples;                                      /* NULL: none */
};

/* Takes the table on top of the script's stack. Every member is checked: an unknown one, a missing one, a wrong type is
 * ERR_SCRIPT with "file:line: what was expected". *ret is freed by adapter_free before the script. */
enum err adapter_load(struct script *script, const char *name, const char *file, struct text source,
                      struct adapter **ret, struct fault *fault) must_check;
/* NULL is fine. */
void adapter_free(struct adapter *adapter);

/* "submit"; never NULL. */
const char *adapter_call_name(enum adapter_call call);
/* False for a name that is none. */
bool adapter_call_parse(struct text name, enum adapter_call *ret) must_check;
/* Whether the adapter has that function. */
bool adapter_has(const struct adapter *adapter, enum adapter_call call);
/* Where the function stands, "providers/x.lua:12", into `ret` of `size` bytes. The function must be there. */
void adapter_where(const struct adapter *adapter, enum adapter_call call, char *ret, size_t size);
/* What the call's arguments are named in a sample: "reply", "job", … NULL after the last. */
const char *const *adapter_call_arguments(enum adapter_call call);

/* Calls one function; NULL arguments are nil. *ret is a new reference, null for nil. The function must be there. */
enum err adapter_run(const struct adapter *adapter, enum adapter_call call, const struct json_t *first,
                     const struct json_t *second, struct json_t **ret, struct fault *fault) must_check;

/* ---- what functions return, checked ---- */

struct adapter_request {
    const char *method;     /* "POST" */
    char *url;              /* whole, with the query */
    char *backup_url;       /* where to try once when no connection to the URL's host came about; NULL: nowhere */
    struct json_t *headers; /* texts; NULL: none */
    const char *body_kind;  /* "json", "form", "multipart", "text"; NULL: no body */
    struct json_t *body;
    bool with_key;
    bool binary;
    bool redirects;
    bool paid;        /* it may make a job */
    double timeout_s; /* 0: the driver's default */
};
/* `override` replaces url and all urls (NULL: not). A whole URL must be http(s) and lead to one of the provider's
 * hosts. */
enum err adapter_read_request(const struct adapter *adapter, const struct json_t *value, const char *override,
                              struct adapter_request *ret, struct fault *fault) must_check;
void adapter_request_fini(struct adapter_request *request);
/* Whether the URL leads to one of the provider's hosts, or to the overriding URL's: by https unless the URL it goes by is
 * plain itself, and to that URL's own port. Pure. */
bool adapter_may_contact(const struct adapter *adapter, const char *override, const char *url);

/* Appends `value` as it stands in a query or a form: all but RFC 3986's unreserved characters percent-encoded. Pure. */
void adapter_put_encoded(struct buffer *buf, const char *value);

struct adapter_failure {
    enum task_error error;
    bool retryable;
    bool taken;          /* the provider may have made the job: no other route may be tried */
    const char *message; /* into the value read; NULL: the error's own words */
    const char *detail;
    double delay_s; /* before another attempt; 0: the usual */
    enum failure_scope scope;
    bool scope_said; /* else the HTTP status decides, and `scope` is what the error suggests */
    bool again_said; /* else the HTTP status decides, and `again` is false */
    bool again;      /* the question failed, not the job */
    bool taken_said;
};
/* Points into `value`. */
enum err adapter_read_failure(const struct adapter *adapter, const struct json_t *value, struct adapter_failure *ret,
                              struct fault *fault) must_check;
/* What an HTTP status alone says. */
struct adapter_failure adapter_status_failure(int http_status);
/* Whose fault a reply with this status is, and whether the same question may be asked again. */
enum failure_scope adapter_status_scope(int http_status);
bool adapter_status_again(int http_status);

struct adapter_step {
    enum adapter_state state;
    const char *unknown_status;                       /* a status that the adapter does not list; NULL: none */
    const char *id;                                   /* NULL: none given */
    int progress;                                     /* 0 to 100; -1: none given */
    const struct json_t *output, *next, *kept, *cost, *position; /* NULL: none given; `kept` is the member `state` */
    const struct json_t *reply;                       /* of a hook: what to answer; NULL: nothing */
    const char *step;
    struct adapter_failure failure; /* when state is ADAPTER_FAILED */
    double delay_s;
    char number[24]; /* where id points when it was a number */
};
/* Points into `value` and into *ret, which must stay where it is. `next` is a request still to be read. */
enum err adapter_read_step(const struct adapter *adapter, const struct json_t *value, struct adapter_step *ret,
                           struct fault *fault) must_check;

struct adapter_credentials {
    struct json_t *headers; /* texts; may be empty */
    struct json_t *query;   /* texts; NULL: none */
    struct json_t *basic;   /* user, password; NULL: none */
    double lifetime_s;      /* 0: for ever */
};
/* Runs auth (nothing when the adapter has none). Never log what it gives. */
enum err adapter_authenticate(const struct adapter *adapter, const char *key, int64_t now_s,
                              struct adapter_credentials *ret, struct fault *fault) must_check;
void adapter_credentials_fini(struct adapter_credentials *credentials);

/* The same parse as above for what `call` returns, and nothing else: for samples. */
enum err adapter_check_returned(const struct adapter *adapter, enum adapter_call call, const struct json_t *value,
                                struct fault *fault) must_check;
