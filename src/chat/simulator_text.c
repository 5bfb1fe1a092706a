/* Words for test mode. */
#include "chat/simulator_text.h"

#include <jansson.h>

#include "base/json.h"

#define ECHO_MAX 400 /* bytes of the message that are repeated */
#define TEXT_MAX 4096
#define PIECE_MAX 12 /* bytes of a word that are one token at most */

#define FILLER                                                                                                         \
    "This is test mode: no model was asked, nothing is charged, and the words after these come round again. " \
    "The fennec sits on its dune, turns its large ears to the wind and hears a beetle walk at forty paces. "

const json_t *simulator_last_words(const json_t *body) {
    const json_t *messages = json_object_get(body, "messages");
    for (size_t i = json_array_size(messages); i > 0; i--) {
        const json_t *message = json_array_get(messages, i - 1);
        const char *role = json_string_value(json_object_get(message, "role"));
        if (role && text_equal(text_of(role), TEXT("user"))) {
            return json_object_get(message, "content");
        }
    }
    return NULL;
}

static void put_words(const json_t *words, struct buffer *buf) {
    size_t i;
    json_t *part;
    struct text text = json_text_of(words);
    if (text.ptr) {
        text = text_clip(text, ECHO_MAX > buf->len ? ECHO_MAX - buf->len : 0);
        buffer_put(buf, text);
        return;
    }
    json_array_foreach (words, i, part) {
        put_words(json_object_get(part, "text"), buf);
    }
}

void simulator_answer_init(struct simulator_answer *answer, const json_t *words) {
    struct buffer scoped(buffer_fini) echo;
    buffer_init(&echo, ECHO_MAX);
    buffer_init(&answer->text, TEXT_MAX);
    put_words(words, &echo);
    if (echo.len > 0) {
        buffer_put(&answer->text, TEXT("You said: "));
        buffer_put(&answer->text, buffer_text(&echo));
        buffer_put(&answer->text, TEXT("\n\n"));
    }
    buffer_put(&answer->text, TEXT(FILLER));
    answer->rest = buffer_text(&answer->text);
}

void simulator_answer_fini(struct simulator_answer *answer) {
    buffer_fini(&answer->text);
}

struct text simulator_answer_next(struct simulator_answer *answer) {
    if (answer->rest.len == 0) {
        answer->rest = TEXT(FILLER);
    }
    struct text rest = answer->rest;
    size_t len = 0;
    while (len < rest.len && len < PIECE_MAX && rest.ptr[len] != ' ') {
        size_t step = text_utf8_length((struct text){ rest.ptr + len, rest.len - len });
        len += step > 0 ? step : 1;
    }
    while (len < rest.len && rest.ptr[len] == ' ') {
        len++;
    }
    answer->rest = (struct text){ rest.ptr + len, rest.len - len };
    return (struct text){ rest.ptr, len };
}
