/* The OpenAI dialect: chunks and completions are handed on byte for byte, if they are UTF-8; what services that only
 * resemble OpenAI do is borne here.
 *
 *   event   [DONE]        the end
 *           an error      the end
 *           choices       a chunk, made anew where something lacks or a choice has a message; usage is told besides
 *           usage alone   told, no chunk */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_pick.h"
#include "base/memory.h"
#include "chat/dialect/chunk.h"
#include "chat/dialect/dialect.h"
#include "chat/dialect/lines.h"
#include "chat/dialect/openai_request.h"
#include "remote/read_json.h"

#define NO_ANSWER "The service ended its answer before it said anything."
#define BROKEN_OFF "The service's answer broke off."
#define NO_JSON "The service's answer cannot be read."
#define NO_CHOICES "The service's answer has nothing in it."

struct chat_reader {
    const struct chat_call *call;
    const struct chat_sink *sink;
    struct event_reader events;
    bool done;                    /* [DONE] came */
    bool begun;                   /* any chunk came */
    uint64_t seen, finished;      /* choices by their index, of which the last bit means all the higher ones */
    struct token_usage usage;     /* as it was told last; estimated: of less than all that came, or not told at all */
    struct chat_failure *failure; /* the caller's, during a call */
};

/* ---- what services leave out ---- */

static bool lacks(const json_t *value, const char *name) {
    const json_t *member = json_object_get(value, name);
    return member == NULL || json_is_null(member);
}

/* Clients' types want these. Whether any was lacking. */
static bool complete_head(json_t *value, const struct chat_call *call, const char *object) {
    bool id = lacks(value, "id"), kind = lacks(value, "object"), time = lacks(value, "created"), model = lacks(value, "model");
    if (id) {
        json_object_set_new(value, "id", json_string(call->id));
    }
    if (kind) {
        json_object_set_new(value, "object", json_string(object));
    }
    if (time) {
        json_object_set_new(value, "created", json_integer(call->created_s));
    }
    if (model) {
        json_object_set_new(value, "model", json_string(call->model));
    }
    return id || kind || time || model;
}

/* ---- whole completions ---- */

/* What is no completion, and why. `value` is NULL when it is no JSON. */
static enum err refuse_reply(const json_t *value, struct text reply, struct chat_failure *ret) {
    if (value) {
        chat_failure_of_value(value, ret);
    } else {
        chat_failure_of_reply(200, TEXT_NONE, reply, ret);
    }
    if (*ret->message == '\0') {
        chat_failure_set_message(ret, reply.len == 0 ? TEXT(NO_ANSWER) : value ? TEXT(NO_CHOICES) : TEXT(NO_JSON));
        ret->our_words = true;
    }
    return ERR_FETCH;
}

/* *ret is a new reference to a completion that has choices. */
static enum err read_completion(struct text reply, json_t **ret, struct chat_failure *ret_failure) {
    json_t *value scoped(json_release) = NULL;
    if (read_service_json(reply, &value, NULL) != OK) {
        return refuse_reply(NULL, reply, ret_failure);
    }
    if (chat_failure_told(value) || json_array_size(json_object_get(value, "choices")) == 0) {
        return refuse_reply(value, reply, ret_failure);
    }
    *ret = json_incref(value);
    return OK;
}

static bool is_said(struct text member) {
    return member.ptr != NULL && !text_equal(member, TEXT("null"));
}

/* A completion as OpenAI writes it, which is handed on unread: only its usage is of interest, TEXT_NONE when it has none.
 * False: it has to be read. */
static bool is_plain(struct text reply, struct text *ret_usage) {
    enum { ERROR, OBJECT, TYPE, BASE, CHOICES, USAGE, ID, CREATED, MODEL, COUNT };
    static const struct text names[COUNT] = {
        TEXT("error"), TEXT("object"), TEXT("type"),    TEXT("base_resp"), TEXT("choices"),
        TEXT("usage"), TEXT("id"),     TEXT("created"), TEXT("model"),
    };
    struct text found[COUNT];
    if (!json_pick(reply, names, COUNT, found) || found[TYPE].ptr != NULL || found[BASE].ptr != NULL ||
        !text_equal(found[OBJECT], TEXT("\"chat.completion\"")) || is_said(found[ERROR])) {
        return false;
    }
    bool has_head = is_said(found[ID]) && is_said(found[CREATED]) && is_said(found[MODEL]);
    if (!has_head || !text_starts(found[CHOICES], TEXT("["))) {
        return false;
    }
    struct text inside = text_trim((struct text){ found[CHOICES].ptr + 1, found[CHOICES].len - 1 });
    *ret_usage = found[USAGE];
    return !text_starts(inside, TEXT("]"));
}

/* *ret_usage is a new reference to what the completion says of its usage, or NULL; *ret one to all of it, where it had to be
 * read. */
static enum err find_usage(struct text reply, json_t **ret_usage, json_t **ret, struct chat_failure *ret_failure) {
    struct text usage;
    if (is_plain(reply, &usage)) {
        if (usage.ptr != NULL) {
            (void)!read_service_json(usage, ret_usage, NULL); /* it cannot fail: it was read as JSON already */
        }
        return OK;
    }
    enum err err = read_completion(reply, ret, ret_failure);
    *ret_usage = json_incref(json_object_get(*ret, "usage"));
    return err;
}

static enum err completion(const struct chat_call *call, struct text reply, struct buffer *completion,
                           struct token_usage *ret_usage, struct chat_failure *ret_failure) {
    json_t *said scoped(json_release) = NULL;
    json_t *value scoped(json_release) = NULL;
    struct token_usage usage = { 0 };
    reply = text_trim(reply);
    enum err err = find_usage(reply, &said, &value, ret_failure);
    if (err != OK) {
        return err;
    }
    if (!usage_read(said, &usage)) {
        usage.estimated = true;
    }
    bool anew = value != NULL && (complete_head(value, call, "chat.completion") || !text_is_utf8(reply));
    if (anew) {
        json_render_to(completion, value);
    } else {
        buffer_put(completion, reply);
    }
    if (!buffer_ok(completion)) {
        return ERR_TOO_LONG;
    }
    *ret_usage = usage;
    return OK;
}

/* ---- chunks ---- */

static uint64_t bit_of(const json_t *choice) {
    json_int_t index = json_integer_value(json_object_get(choice, "index"));
    return UINT64_C(1) << (index < 0 ? 0 : index > 63 ? 63 : index);
}

static void note_choices(struct chat_reader *reader, const json_t *choices) {
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        uint64_t bit = bit_of(choice);
        reader->seen |= bit;
        reader->finished |= json_string_length(json_object_get(choice, "finish_reason")) > 0 ? bit : 0;
    }
}

/* What nobody wrote a token for. */
static bool is_silent(const char *member) {
    return strcmp(member, "role") == 0 || strcmp(member, "id") == 0 || strcmp(member, "annotations") == 0;
}

/* Whether a piece of the answer is in it, whatever it is called. */
static bool says_more(const json_t *choices) {
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const char *key;
        json_t *value;
        json_object_foreach (json_object_get(json_array_get(choices, i), "delta"), key, value) {
            bool any = json_string_length(value) + json_array_size(value) + json_object_size(value) > 0;
            if (any && !is_silent(key)) {
                return true;
            }
        }
    }
    return false;
}

/* Some say in the middle what was used until then; what follows is not in it. */
static void tell_usage(struct chat_reader *reader, const json_t *said, const json_t *choices) {
    bool told = said && usage_read(said, &reader->usage);
    bool outdated = !told && !reader->usage.estimated && says_more(choices);
    reader->usage.estimated |= outdated;
    if (told || outdated) {
        reader->sink->usage(reader->sink->context, &reader->usage);
    }
}

static bool has_message(const json_t *choices) {
    bool has = false;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        has |= json_object_get(json_array_get(choices, i), "message") != NULL;
    }
    return has;
}

/* Some services end a stream with the whole message once more: what came in pieces is not said twice. Where none came, the
 * message is the piece. */
static void drop_messages(const struct chat_reader *reader, const json_t *choices) {
    for (size_t i = 0; i < json_array_size(choices); i++) {
        json_t *choice = json_array_get(choices, i);
        bool has_delta = json_is_object(json_object_get(choice, "delta"));
        if (has_delta || reader->seen & bit_of(choice)) {
            json_object_del(choice, "message");
        }
        if (!has_delta && reader->seen & bit_of(choice)) {
            json_object_set_new(choice, "delta", json_object());
        }
    }
}

static void take_messages(const struct chat_reader *reader, json_t *value) {
    drop_messages(reader, json_object_get(value, "choices"));
    chunk_of_completion(value);
}

static enum err hand_on_anew(struct chat_reader *reader, const json_t *value) {
    struct buffer scoped(buffer_fini) chunk;
    buffer_init(&chunk, CHAT_CHUNK_MAX);
    json_render_to(&chunk, value);
    if (!buffer_ok(&chunk)) {
        return ERR_TOO_LONG;
    }
    reader->sink->chunk(reader->sink->context, buffer_text(&chunk), value);
    return OK;
}

/* What is no UTF-8 nobody could read: in its place goes what was read of it. */
static enum err hand_on(struct chat_reader *reader, struct text json, json_t *value) {
    const json_t *choices = json_object_get(value, "choices");
    bool anew = complete_head(value, reader->call, "chat.completion.chunk") || !text_is_utf8(json);
    if (has_message(choices)) {
        take_messages(reader, value);
        anew = true;
    }
    note_choices(reader, choices);
    if (anew) {
        return hand_on_anew(reader, value);
    }
    reader->sink->chunk(reader->sink->context, json, value);
    return OK;
}

static enum err take_chunk(struct chat_reader *reader, struct text json, json_t *value) {
    const json_t *choices = json_object_get(value, "choices");
    json_t *usage scoped(json_release) = json_incref(json_object_get(value, "usage"));
    bool only_usage = json_array_size(choices) == 0 && json_is_object(usage);
    reader->begun |= json_array_size(choices) > 0;
    enum err err = json_is_array(choices) && !only_usage ? hand_on(reader, json, value) : OK;
    tell_usage(reader, usage, choices);
    return err;
}

/* No JSON: the words of an error, or a line that broke. */
static enum err refuse_event(struct text words, struct chat_failure *ret) {
    chat_failure_of_break(NO_JSON, ret);
    if (words.len > 0) {
        chat_failure_of_reply(200, TEXT_NONE, words, ret);
    }
    return ERR_FETCH;
}

static enum err on_event(void *context, struct text name, struct text data) {
    struct chat_reader *reader = context;
    json_t *value scoped(json_release) = NULL;
    data = text_trim(data);
    if (data.len == 0 || reader->done) {
        return OK;
    }
    if (text_equal(data, TEXT("[DONE]"))) {
        reader->done = true;
        return OK;
    }
    bool is_error = text_equal(name, TEXT("error"));
    if (read_service_json(data, &value, NULL) != OK) {
        return refuse_event(is_error ? data : TEXT_NONE, reader->failure);
    }
    if (is_error || chat_failure_told(value)) {
        return refuse_reply(value, data, reader->failure);
    }
    return take_chunk(reader, data, value);
}

/* ---- the reader ---- */

static struct chat_reader *open_reader(const struct chat_call *call, const struct chat_sink *sink) {
    struct chat_reader *reader = mem_new(sizeof(*reader));
    reader->call = call;
    reader->sink = sink;
    reader->usage.estimated = true;
    event_reader_init(&reader->events, on_event, reader);
    return reader;
}

static void close_reader(struct chat_reader *reader) {
    if (reader) {
        event_reader_fini(&reader->events);
        free(reader);
    }
}

static enum err feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) {
    reader->failure = ret_failure;
    return event_reader_feed(&reader->events, bytes);
}

static bool over(const struct chat_reader *reader) {
    return reader->done;
}

static enum err finish(struct chat_reader *reader, struct chat_failure *ret_failure) {
    reader->failure = ret_failure;
    enum err err = event_reader_finish(&reader->events);
    if (err != OK) {
        return err;
    }
    bool whole = reader->done || reader->seen == reader->finished;
    if (!reader->begun || !whole) {
        chat_failure_of_break(reader->begun ? BROKEN_OFF : NO_ANSWER, ret_failure);
        return ERR_FETCH;
    }
    return OK;
}

const struct chat_dialect openai_dialect = {
    .name = "openai",
    .request = openai_request,
    .completion = completion,
    .failure = chat_failure_of_reply,
    .open = open_reader,
    .feed = feed,
    .over = over,
    .finish = finish,
    .close = close_reader,
};
