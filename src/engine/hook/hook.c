/* engine_hook: from an address to the attempt, past the signature, to its driver. */
#include "engine/hook/hook.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "engine/attempt/nap.h"
#include "engine/attempt/run.h"
#include "engine/hook/keys.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "provider/adapter.h"

#define URL_MAX 8192
#define HOOK_WAITS HOOK_OUTCOME_COUNT /* no outcome yet: it waits for public keys */

struct hook_request {
    struct message message;
    struct key_wait wait;
    struct hook_call *call;
    struct json_t *event; /* for the driver */
};

static const enum err outcome_answers[] = {
#define X(name, label, err) [name] = err,
    HOOK_OUTCOME_TABLE(X)
#undef X
};

static const enum hook_outcome verdict_outcomes[] = {
    [WEBHOOK_VERIFIED] = HOOK_VERIFIED, [WEBHOOK_HINT] = HOOK_HINT,         [WEBHOOK_FORGED] = HOOK_FORGED,
    [WEBHOOK_STALE] = HOOK_STALE,       [WEBHOOK_UNSIGNED] = HOOK_UNSIGNED,
};

/* Neither token nor body nor signature is for the log. */
static void answer(struct engine *engine, struct hook_request *request, enum hook_outcome outcome) {
    struct hook_call *call = request->call;
    engine_count(engine, hooks[outcome], 1);
    log_event(outcome_answers[outcome] == OK ? LOG_DEBUG : LOG_WARNING, "webhook",
              LOG_T("task", task_id_text(&call->token.id)), LOG_I("attempt", call->token.number),
              LOG_S("outcome", hook_outcome_label(outcome)));
    json_decref(request->event);
    free(request);
    call->err = outcome_answers[outcome];
    call->done(call);
}

/* ---- who is meant ---- */

/* The attempt that a driver which takes webhooks is at; NULL: none any more, or not yet. */
static struct run *find_run(struct engine *engine, const struct hook_token *token) {
    struct task_key key = task_key(token->account, &token->id); /* S2 */
    struct live_task *task = live_find(&engine->live, &key);
    struct run *run = task != NULL ? nap_run(engine, task) : NULL;
    if (run == NULL || run->stage != RUN_DRIVING || run->attempt.number != token->number || run->ops->hook == NULL)
        return NULL;
    return run;
}

/* ---- whether to believe it ---- */

/* The path of `url` at the origin of `base`. */
static bool put_moved_url(struct buffer *buf, const char *base, const char *url) {
    const char *base_host = strstr(base, "://"), *host = strstr(url, "://");
    if (base_host == NULL || host == NULL)
        return false;
    size_t origin_length = (size_t)(base_host - base) + 3 + strcspn(base_host + 3, "/?#");
    buffer_put(buf, (struct text){ base, origin_length });
    buffer_put(buf, text_of(host + 3 + strcspn(host + 3, "/?#")));
    return buffer_ok(buf);
}

/* Where the operator has the provider elsewhere, its keys are there too. */
static struct key_set *find_keys(struct engine *engine, const struct webhook_rule *rule,
                                 const struct provider_config *provider) {
    struct key_set *set = NULL;
    struct buffer url;
    if (provider == NULL || provider->url == NULL)
        return key_set_find(engine, rule->jwks, FETCH_OUTSIDE);
    buffer_init(&url, URL_MAX);
    if (put_moved_url(&url, provider->url, rule->jwks))
        set = key_set_find(engine, url.data, provider->allow_private ? FETCH_TRUSTED : FETCH_OUTSIDE);
    buffer_fini(&url);
    return set;
}

static enum hook_outcome judge_by_public_keys(struct engine *engine, struct hook_request *request,
                                              const struct webhook_rule *rule, const struct provider_config *provider) {
    struct key_set *set = find_keys(engine, rule, provider);
    if (set == NULL)
        return HOOK_NO_KEYS;
    struct webhook_keys keys = { .public_keys = key_set_known(set) };
    enum webhook_verdict verdict = webhook_verify(rule, &request->call->webhook, &keys, clock_wall_ms());
    if (verdict != WEBHOOK_FORGED)
        return verdict_outcomes[verdict];
    switch (key_set_ask(engine, set, &request->wait)) { /* the service may have new ones */
    case KEY_SET_ASKED:
        return HOOK_WAITS;
    case KEY_SET_CURRENT:
        return HOOK_FORGED;
    case KEY_SET_UNAVAILABLE:
        break;
    }
    return HOOK_NO_KEYS;
}

static enum hook_outcome judge(struct engine *engine, struct hook_request *request, const struct run *run) {
    const struct setup *setup = run->generation->setup;
    const struct adapter *adapter = bridge_adapter(setup->bridge, run->attempt.provider);
    const struct provider_config *provider = config_provider(setup->config, text_of(run->attempt.provider));
    struct webhook_rule rule;

    if (adapter == NULL || webhook_rule_read(adapter->signature, &rule, NULL) != OK)
        return HOOK_IGNORED;
    if (webhook_has_public_keys(&rule))
        return judge_by_public_keys(engine, request, &rule, provider);
    struct webhook_keys keys = {
        .secrets = provider != NULL ? provider->hook_secrets : NULL,
        .secret_count = provider != NULL ? provider->hook_secret_count : 0,
    };
    return verdict_outcomes[webhook_verify(&rule, &request->call->webhook, &keys, clock_wall_ms())];
}

/* ---- the way ---- */

/* The attempt may be over when this comes back. */
static void tell_driver(struct run *run, struct hook_request *request, bool verified) {
    struct hook_event event = { .event = request->event, .verified = verified };
    scoped(json_release) json_t *reply = run->ops->hook(run->driver, &run->attempt, &event);
    if (reply != NULL)
        request->call->reply = json_render(reply);
}

static void consider(struct engine *engine, struct hook_request *request) {
    if (engine->stopping) {
        answer(engine, request, HOOK_STOPPED);
        return;
    }
    struct run *run = find_run(engine, &request->call->token);
    enum hook_outcome outcome = run != NULL ? judge(engine, request, run) : HOOK_IGNORED;
    if (outcome == HOOK_WAITS)
        return;
    if (outcome == HOOK_VERIFIED || outcome == HOOK_HINT)
        tell_driver(run, request, outcome == HOOK_VERIFIED);
    answer(engine, request, outcome);
}

static void keys_came(struct engine *engine, struct key_wait *wait) {
    consider(engine, container_of(wait, struct hook_request, wait));
}

static void deliver(void *owner, struct message *message) {
    struct engine *engine = owner;
    consider(engine, container_of(message, struct hook_request, message));
}

void engine_hook(struct engine *engine, struct hook_call *call) {
    struct hook_request *request = mem_new(sizeof(*request));
    request->message.deliver = deliver;
    request->wait.then = keys_came;
    request->call = call;
    request->event = hook_event_new(&call->webhook, call->query, call->query_count);
    call->reply = NULL;
    if (!inbox_post(&engine->inbox, &request->message))
        answer(engine, request, HOOK_STOPPED);
}

bool engine_hook_token(struct engine *engine, struct text token, struct hook_token *ret) {
    bool ours = hook_token_read(token, store_secret(engine->store), ret);
    if (!ours)
        engine_count(engine, hooks[HOOK_UNKNOWN], 1);
    return ours;
}

void hook_close(struct engine *engine) {
    key_sets_close(engine);
}
