/* The dialect of Ollama's /api/chat: whole replies, failures, and streams, which are a JSON object a line. */
#include "chat/dialect/ollama.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/choice.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/lines.h"
#include "chat/dialect/request.h"
#include "remote/read_json.h"

/* ---- what replies and lines share ---- */

static struct text finish_of(const json_t *reply) {
    return text_equal(member_text(reply, "done_reason"), TEXT("length")) ? TEXT("length") : TEXT("stop");
}

/* What is said of tokens; a prompt that the service remembers whole it does not count. */
static struct token_usage usage_of(const json_t *reply) {
    struct token_usage usage = { 0 };
    bool input = usage_count(reply, "prompt_eval_count", &usage.input);
    bool output = usage_count(reply, "eval_count", &usage.output);
    usage.estimated = !input || !output;
    return usage;
}

/* Errors are a text, whatever they are about. */
static void read_words(struct chat_failure *failure) {
    if (failure->http_status == 404) { /* the name is the route's */
        failure->error = TASK_ERROR_RESOURCE_NOT_FOUND;
        failure->scope = SCOPE_ROUTE;
        failure->retryable = false;
        snprintf(failure->code, sizeof failure->code, "model_not_found");
    } else if (strcasestr(failure->message, "server busy") != NULL) {
        failure->error = TASK_ERROR_RESOURCE_EXHAUSTED;
        failure->scope = SCOPE_CAPACITY;
        failure->retryable = true;
    } else if (strcasestr(failure->message, "does not support") != NULL) {
        failure->error = TASK_ERROR_INVALID_PARAMETERS;
        failure->scope = SCOPE_REQUEST;
        failure->retryable = false;
    }
}

static enum err fail_told(const json_t *reply, struct chat_failure *ret) {
    chat_failure_of_value(reply, ret);
    read_words(ret);
    return ERR_FETCH;
}

/* ---- whole replies ---- */

static enum err ollama_completion(const struct chat_call *call, struct text reply, struct buffer *completion,
                                  struct token_usage *ret_usage, struct chat_failure *ret_failure) {
    json_t *value scoped(json_release) = NULL;
    json_t *choices scoped(json_release) = json_array();
    if (read_service_json(reply, &value, NULL) != OK) {
        chat_failure_of_break("The service's reply is no JSON.", ret_failure);
        return ERR_FETCH;
    }
    if (chat_failure_told(value)) {
        return fail_told(value, ret_failure);
    }
    const json_t *message = json_object_get(value, "message"), *calls = json_object_get(message, "tool_calls");
    if (!json_is_object(message)) {
        chat_failure_of_break("The service's reply has no message.", ret_failure);
        return ERR_FETCH;
    }
    struct choice choice;
    choice_init(&choice, 0);
    buffer_put(&choice.content, member_text(message, "content"));
    buffer_put(&choice.reasoning, member_text(message, "thinking"));
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *tool = json_array_get(calls, i), *function = json_object_get(tool, "function");
        choice_tool(&choice, call, member_text(tool, "id"), member_text(function, "name"),
                    json_object_get(function, "arguments"), NULL);
    }
    bool fits = choice_put(&choice, finish_of(value), choices);
    choice_fini(&choice);
    struct token_usage usage = usage_of(value);
    if (!fits || !completion_put(completion, call, TEXT_NONE, member_text(value, "model"), choices, &usage)) {
        chat_failure_of_break("The service's reply is too large.", ret_failure);
        return ERR_FETCH;
    }
    *ret_usage = usage;
    return OK;
}

/* ---- streams ---- */

struct chat_reader {
    const struct chat_call *call;
    const struct chat_sink *sink;
    struct line_reader lines;
    struct chunk_maker chunks;
    struct chat_failure failure;
    unsigned calls;
    bool done;
};

static void take_call(struct chat_reader *reader, const json_t *tool) {
    const json_t *function = json_object_get(tool, "function"), *given = json_object_get(function, "arguments");
    struct text id = member_text(tool, "id");
    struct buffer made scoped(buffer_fini);
    buffer_init(&made, 256);
    if (id.len == 0) {
        choice_tool_id(&made, reader->call, 0, reader->calls);
        id = buffer_text(&made);
    }
    char *arguments = json_is_object(given) ? json_render(given) : NULL;
    chunk_tool_begin(&reader->chunks, 0, reader->calls++, id, member_text(function, "name"),
                     arguments != NULL ? text_of(arguments) : TEXT("{}"));
    free(arguments);
}

static void take_end(struct chat_reader *reader, const json_t *value) {
    struct text finish = finish_of(value);
    struct token_usage usage = usage_of(value);
    if (usage.input > 0 || usage.output > 0) {
        reader->sink->usage(reader->sink->context, &usage);
    }
    chunk_finish(&reader->chunks, 0,
                 reader->calls > 0 && text_equal(finish, TEXT("stop")) ? TEXT("tool_calls") : finish);
    reader->done = true;
}

static enum err take_line(void *context, struct text line) {
    struct chat_reader *reader = context;
    json_t *value scoped(json_release) = NULL;
    if (reader->done) {
        return OK;
    }
    if (read_service_json(line, &value, NULL) != OK) {
        chat_failure_of_break("The service sent a line that is no JSON.", &reader->failure);
        return ERR_FETCH;
    }
    if (chat_failure_told(value)) {
        return fail_told(value, &reader->failure);
    }
    const json_t *message = json_object_get(value, "message"), *calls = json_object_get(message, "tool_calls");
    chunk_maker_name(&reader->chunks, TEXT_NONE, member_text(value, "model"));
    chunk_reasoning(&reader->chunks, 0, member_text(message, "thinking"));
    chunk_content(&reader->chunks, 0, member_text(message, "content"));
    for (size_t i = 0; i < json_array_size(calls); i++) {
        take_call(reader, json_array_get(calls, i));
    }
    if (json_is_true(json_object_get(value, "done"))) {
        take_end(reader, value);
    }
    return OK;
}

static struct chat_reader *ollama_open(const struct chat_call *call, const struct chat_sink *sink) {
    struct chat_reader *reader = mem_new(sizeof *reader);
    reader->call = call;
    reader->sink = sink;
    line_reader_init(&reader->lines, take_line, reader);
    chunk_maker_init(&reader->chunks, call, sink);
    return reader;
}

static enum err ollama_feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) {
    enum err err = line_reader_feed(&reader->lines, bytes);
    if (err == ERR_FETCH) {
        *ret_failure = reader->failure;
    }
    return err;
}

static bool ollama_over(const struct chat_reader *reader) {
    return reader->done;
}

static enum err ollama_end(struct chat_reader *reader, struct chat_failure *ret_failure) {
    enum err err = line_reader_finish(&reader->lines);
    if (reader->done) {
        return OK;
    }
    if (err == OK) {
        chat_failure_of_break("The service's answer broke off.", &reader->failure);
        err = ERR_FETCH;
    }
    if (err == ERR_FETCH) {
        *ret_failure = reader->failure;
    }
    return err;
}

static void ollama_close(struct chat_reader *reader) {
    if (reader == NULL) {
        return;
    }
    line_reader_fini(&reader->lines);
    free(reader);
}

/* ---- failures ---- */

static void ollama_failure(int http_status, struct text headers, struct text reply, struct chat_failure *ret) {
    chat_failure_of_reply(http_status, headers, reply, ret);
    read_words(ret);
}

const struct chat_dialect ollama_dialect = {
    .name = "ollama",
    .needs_inline_media = true,
    .check = ollama_check,
    .request = ollama_request,
    .completion = ollama_completion,
    .failure = ollama_failure,
    .open = ollama_open,
    .feed = ollama_feed,
    .over = ollama_over,
    .finish = ollama_end,
    .close = ollama_close,
};
