/* Test mode for language models: an answer that comes at the pace of a real one, without any provider.
 *
 * What is said follows from the request alone (chat/simulator_text.h), and magic words in the last user's message
 * change it (provider/simulator_magic.h). One piece of text is one token. One timer an attempt and nothing else. The
 * engine's thread. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "chat/collect.h"
#include "chat/dialect/chunk.h"
#include "chat/simulator_text.h"
#include "chat/stream.h"
#include "chat/tokens.h"
#include "config/config.h"
#include "provider/driver.h"
#include "provider/simulator_magic.h"

#define TOKENS_DEFAULT 50
#define RATE_DEFAULT 50.0 /* tokens a second */
#define THOUGHTS 12       /* tokens of reasoning */
#define TURN_MAX 500      /* chunks in one turn of the loop */
#define TICK_MIN_MS 10
#define CHOICES_MAX 128
#define CONCURRENCY 20000
#define COMPLETION_MAX (2 * CHAT_ANSWER_MAX)

struct driver {
    uv_loop_t *loop;
    const struct config *config;
    unsigned running;
};

struct show {
    struct driver *driver;
    struct attempt *attempt; /* NULL after done */
    uv_timer_t timer;
    struct simulator_magic magic;
    struct simulator_answer thoughts, answer;
    struct chat_call asked; /* names the chunks */
    struct chat_sink sink;
    struct chunk_maker maker;
    struct chat_collector *collector;
    char id[40];
    bool full;            /* the log or the collector is */
    int64_t begun_ms;
    double rate;          /* tokens a second; 0: all at once */
    int64_t thinking;     /* tokens of it that are reasoning */
    int64_t total;        /* tokens in all, reasoning included */
    int64_t said;
    unsigned choices;
    const char *reason;   /* why it ends */
};

/* ---- the end ---- */

static void free_show(uv_handle_t *handle) {
    struct show *show = handle->data;
    simulator_answer_fini(&show->thoughts);
    simulator_answer_fini(&show->answer);
    chat_collector_free(show->collector);
    free(show);
}

static void finish(struct show *show, const struct outcome *outcome) {
    struct attempt *attempt = show->attempt;
    show->driver->running--;
    show->attempt = NULL;
    attempt->driver_data = NULL;
    attempt->done(attempt, outcome);
    uv_close((uv_handle_t *)&show->timer, free_show);
}

static void fail(struct show *show, enum task_error error, bool retryable, const char *message, const char *detail) {
    struct chat_failure failure = { .error = error, .scope = SCOPE_REQUEST, .retryable = retryable };
    snprintf(failure.message, sizeof(failure.message), "%s", message);
    const struct outcome outcome = {
        .error = error,
        .retryable = retryable,
        .message = *message ? failure.message : NULL,
        .detail = detail,
        .chat = &failure,
    };
    finish(show, &outcome);
}

static void fail_as_asked(struct show *show, enum task_error error) {
    char message[200];
    if (show->magic.unknown_code[0]) {
        snprintf(message, sizeof(message),
                 "Test mode knows no error code \"%s\"; the documented task error codes are meant.",
                 show->magic.unknown_code);
    } else {
        snprintf(message, sizeof(message), "%s (Test mode: asked for by a magic word.)", task_error_message(error));
    }
    fail(show, error, false, message, "asked for in the input");
}

static struct token_usage count_usage(const struct show *show) {
    int64_t thought = show->said < show->thinking ? show->said : show->thinking;
    return (struct token_usage){
        .input = tokens_of_request(show->attempt->input),
        .output = show->said * show->choices,
        .reasoning = thought * show->choices,
    };
}

static void succeed(struct show *show, bool despite_cancel) {
    struct buffer scoped(buffer_fini) completion;
    struct outcome outcome = { .despite_cancel = despite_cancel, .tokens = count_usage(show) };
    buffer_init(&completion, COMPLETION_MAX);
    chat_collector_put(show->collector, &outcome.tokens, &completion);
    outcome.completion = buffer_text(&completion);
    if (!buffer_ok(&completion)) {
        fail(show, TASK_ERROR_SERVICE, false, "The answer is longer than it may be.", NULL);
        return;
    }
    finish(show, &outcome);
}

/* ---- the answer ---- */

static void on_chunk(void *context, struct text json, const json_t *value) {
    struct show *show = context;
    struct attempt *attempt = show->attempt;
    bool kept = show->full || chat_collector_add(show->collector, value);
    if (!kept || (!show->full && attempt->streams && attempt->stream && chat_stream_add(attempt->stream, json) != OK)) {
        show->full = true;
    }
}

/* The next token, of every choice. */
static void say(struct show *show) {
    bool thinks = show->said < show->thinking;
    bool calls = !thinks && show->magic.tool[0];
    struct text piece = simulator_answer_next(thinks ? &show->thoughts : &show->answer);
    for (unsigned i = 0; i < show->choices; i++) {
        if (thinks) {
            chunk_reasoning(&show->maker, i, piece);
        } else if (calls) {
            chunk_tool_begin(&show->maker, i, 0, TEXT("call_fennec"), text_of(show->magic.tool), TEXT("{}"));
        } else {
            chunk_content(&show->maker, i, piece);
        }
    }
    show->said++;
}

/* How many tokens should have been said by now. */
static int64_t due(const struct show *show) {
    double gone_s = (double)(clock_monotonic_ms() - show->begun_ms) / 1000;
    double tokens = show->rate > 0 ? gone_s * show->rate : (double)show->total;
    return tokens < (double)show->total ? (int64_t)tokens : show->total;
}

/* True when the attempt is over, or says nothing more for ever. */
static bool end_if_due(struct show *show) {
    const struct simulator_magic *magic = &show->magic;
    bool halfway = show->said >= (show->total + 1) / 2;
    if (show->full) {
        fail(show, TASK_ERROR_SERVICE, false, "The answer is longer than it may be, or read too slowly.", NULL);
    } else if (magic->flaky && show->attempt->number == 1) {
        fail(show, TASK_ERROR_UNAVAILABLE, true, "", "flaky: the first attempt fails");
    } else if (magic->error != TASK_ERROR_NONE && !magic->breaks) {
        fail_as_asked(show, magic->error);
    } else if (magic->breaks && halfway) {
        fail_as_asked(show, magic->error != TASK_ERROR_NONE ? magic->error : TASK_ERROR_SERVICE);
    } else if (magic->never && halfway) {
        uv_timer_stop(&show->timer);
    } else if (show->said >= show->total) {
        for (unsigned i = 0; i < show->choices; i++) {
            chunk_finish(&show->maker, i, text_of(show->reason));
        }
        succeed(show, false);
    } else {
        return false;
    }
    return true;
}

static void on_timer(uv_timer_t *timer) {
    struct show *show = timer->data;
    int64_t now = due(show);
    for (unsigned chunks = 0; !end_if_due(show); chunks += show->choices) {
        if (show->said >= now || chunks >= TURN_MAX) {
            return;
        }
        say(show);
    }
}

/* ---- what is asked for ---- */

static int64_t limit_of(const json_t *body, const char *name) {
    int64_t limit = json_integer_value(json_object_get(body, name));
    return limit > 0 ? limit : INT64_MAX;
}

static void plan_length(struct show *show) {
    const struct attempt *attempt = show->attempt;
    const struct simulator_magic *magic = &show->magic;
    int64_t most = limit_of(attempt->input, "max_completion_tokens"), other = limit_of(attempt->input, "max_tokens");
    most = other < most ? other : most;
    show->thinking = magic->reasoning || attempt->reasons ? THOUGHTS : 0;
    show->total = magic->tool[0] ? 1 : magic->tokens > 0 ? magic->tokens : TOKENS_DEFAULT;
    show->total += show->thinking;
    show->reason = magic->tool[0] ? "tool_calls" : "stop";
    if (show->total > most) {
        show->total = most;
        show->reason = "length";
    }
    int64_t choices = json_integer_value(json_object_get(attempt->input, "n"));
    show->choices = choices < 1 ? 1 : choices > CHOICES_MAX ? CHOICES_MAX : (unsigned)choices;
}

/* A server whose test-mode tasks take less than a second wants short answers soon, too. */
static void plan_pace(struct show *show) {
    double seconds = show->driver->config->simulator_seconds;
    if (show->magic.slow_s >= 0) {
        show->rate = show->magic.slow_s > 0 ? (double)show->total / show->magic.slow_s : 0;
    } else if (show->magic.rate > 0) {
        show->rate = show->magic.rate;
    } else {
        show->rate = seconds >= 1 ? RATE_DEFAULT : seconds > 0 ? RATE_DEFAULT / seconds : 0;
    }
}

static void plan_words(struct show *show, const json_t *words) {
    const struct attempt *attempt = show->attempt;
    const char *model = json_string_value(json_object_get(attempt->input, "model"));
    snprintf(show->id, sizeof(show->id), "chatcmpl-");
    id_random(show->id + strlen(show->id), 24);
    simulator_answer_init(&show->thoughts, NULL);
    simulator_answer_init(&show->answer, words);
    show->asked = (struct chat_call){
        .body = attempt->input,
        .model = model ? model : attempt->model->name,
        .id = show->id,
        .created_s = clock_wall_ms() / 1000,
    };
    show->sink = (struct chat_sink){ .chunk = on_chunk, .context = show };
    chunk_maker_init(&show->maker, &show->asked, &show->sink);
    show->collector = chat_collector_new();
}

/* ---- the driver ---- */

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    const json_t *words = simulator_last_words(attempt->input);
    struct show *show = mem_new(sizeof(*show));
    (void)fault;
    show->driver = driver;
    show->attempt = attempt;
    simulator_magic_find(words, &show->magic);
    plan_length(show);
    plan_pace(show);
    plan_words(show, words);
    show->begun_ms = clock_monotonic_ms();
    int64_t tick_ms = show->rate > 0 ? (int64_t)(1000 / show->rate) : 0;
    tick_ms = tick_ms < TICK_MIN_MS ? TICK_MIN_MS : tick_ms;
    uv_timer_init(driver->loop, &show->timer);
    show->timer.data = show;
    uv_timer_start(&show->timer, on_timer, show->rate > 0 ? clock_timer_ms(tick_ms) : 0,
                   show->rate > 0 ? clock_timer_ms(tick_ms) : 1);
    attempt->driver_data = show;
    driver->running++;
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    struct show *show = attempt->driver_data;
    (void)driver;
    if (show == NULL) {
        return;
    }
    if (attempt->keeps_partial && show->said > 0) {
        succeed(show, true);
    } else {
        fail(show, TASK_ERROR_CANCELLED, false, "", NULL);
    }
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    *driver = (struct driver){ .loop = host->loop, .config = host->config };
    return driver;
}

static void destroy(struct driver *driver) {
    if (driver) {
        assert(driver->running == 0);
        free(driver);
    }
}

const struct driver_ops chat_simulator = {
    .name = "chat-simulator",
    .converses = true,
    .repeatable = true,
    .can_cancel = true,
    .concurrency = CONCURRENCY,
    .create = create,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};
