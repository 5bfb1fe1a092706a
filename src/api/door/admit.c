/* Decides, once the header section is read, whether a request may go on: key, requests per minute, an open door. */
#include "api/door/authenticate.h"
#include "api/door/desk.h"
#include "api/door/rate_headers.h"
#include "api/door/rate_limits.h"
#include "api/internal.h"
#include "base/clock.h"

static void release_call(void *attachment) {
    struct call *call = attachment;
    if (call->release_work != NULL)
        call->release_work(call->work);
    setup_share_unref(call->share);
}

static enum err identify(struct exchange *exchange, struct fault *fault) {
    struct api *api = api_of(exchange);
    struct desk *desk = exchange_desk(exchange);
    struct call *call = arena_alloc(exchange_arena(exchange), sizeof *call);

    if (call == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "No memory for a call.");
    struct text header = exchange_header(exchange, HEADER_AUTHORIZATION);
    enum err err = exchange_route(exchange)->access == ACCESS_ADMIN
                       ? authenticate_admin(api->store, desk_auth_cache(desk), header, &call->key, fault)
                       : authenticate(api->store, desk_auth_cache(desk), header, &call->key, &call->account, fault);
    if (err != OK)
        return err;
    call->api = api;
    call->share = desk_setup(desk);
    call->setup = setup_share_get(call->share);
    exchange_attach(exchange, call, release_call);
    return OK;
}

/* Where the operators' API is switched off, it is as if it was not there. */
static enum err admit_operator(struct exchange *exchange, struct fault *fault) {
    struct setup *setup = engine_setup(api_of(exchange)->engine);
    bool enabled = setup->config->admin_enabled;
    setup_unref(setup);
    reply_header(exchange, "Cache-Control", "no-store");
    return enabled ? identify(exchange, fault)
                   : fault_set(fault, ERR_ROUTE_NOT_FOUND, "The operators' API is switched off here (admin.enabled).");
}

static enum err take_rate(struct exchange *exchange, struct fault *fault) {
    const struct call *call = call_of(exchange);
    const struct group_config *group = config_group(call->setup->config, text_of(call->account.group));
    const struct rate_request request = {
        .key = call->key.id,
        .account = call->account.id,
        .group = group->name,
        .per_minute = { [RATE_KEY] = call->key.requests_per_minute,
                        [RATE_ACCOUNT] = group->requests_per_minute,
                        [RATE_GROUP] = group->group_requests_per_minute },
    };
    struct rate_answer answer;

    if (!rate_is_limited(&request))
        return OK;
    bool taken = rate_limits_take(call->api->rate_limits, &request, clock_monotonic_ms(), &answer);
    rate_put_headers(exchange, &answer.standing);
    if (taken)
        return OK;
    int64_t wait_s = rate_put_retry_after(exchange, answer.wait_ms);
    return fault_set(fault, ERR_RATE_LIMITED, "The %s's limit of %lld requests a minute is reached; try again in %lld s.",
                     rate_scope_name(answer.scope), (long long)answer.standing.per_minute, (long long)wait_s);
}

/* What ends as a task: refused first when there is too much of it. */
static bool makes_tasks(const struct http_route *route) {
    static void (*const makers[])(struct exchange *exchange) = {
        handle_submit_image,    handle_submit_video, handle_submit_audio, handle_submit_document,
        handle_llm_generations, handle_llm_async,    handle_chat_completions,
    };
    for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
        if (route->handle == makers[i])
            return true;
    return false;
}

/* Before the body is read and the rate is taken: what cannot be accepted costs next to nothing, and queries go on. */
static enum err check_room(struct exchange *exchange, struct fault *fault) {
    const struct call *call = call_of(exchange);
    if (!makes_tasks(exchange_route(exchange)) || engine_has_room(call->api->engine, call->setup))
        return OK;
    atomic_fetch_add_explicit(&call->api->shed, 1, memory_order_relaxed);
    return fault_set(fault, ERR_OVERLOADED, "Too many tasks are waiting; nothing was accepted or billed; try again.");
}

bool admit(struct exchange *exchange) {
    const struct http_route *route = exchange_route(exchange);
    struct fault fault = { .err = OK };
    enum err err = OK;

    if (route->access == ACCESS_KEY) {
        err = identify(exchange, &fault);
        if (err == OK)
            err = check_room(exchange, &fault);
        if (err == OK)
            err = take_rate(exchange, &fault);
    } else if (route->access == ACCESS_ADMIN) {
        err = admit_operator(exchange, &fault);
    } else if (route->access == ACCESS_HOOK) {
        err = admit_hook(exchange, &fault);
    }
    if (err == OK && route->takes_body && atomic_load_explicit(&api_of(exchange)->closing, memory_order_relaxed))
        err = fault_set(&fault, ERR_SHUTTING_DOWN, "The server is shutting down and takes no new tasks; try again.");
    if (err == OK && route->streams_body)
        err = admit_form(exchange, &fault);
    if (err != OK)
        refuse(exchange, &fault);
    return err == OK;
}
