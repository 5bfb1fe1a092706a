/* Estimates of tokens. Those of requests decide what is reserved, so all figures are the highest among the services
 * that we know, with something to spare: what turns out not to be used is given back. */
#include "chat/tokens.h"

#include <jansson.h>

#include "base/inline_file.h"
#include "base/json.h"

#define LATIN_BYTES 4   /* a token, of text that a model wrote */
#define REQUEST_BYTES 3 /* the same of a request: code, names and figures have shorter tokens than prose */

#define REQUEST_TOKENS 16
#define MESSAGE_TOKENS 8
#define MEMBER_TOKENS 2 /* quotes, colons and commas of a member or an element of JSON */

#define IMAGE_TOKENS 5000 /* Claude's largest pictures take 4,784, other services' fewer */
#define IMAGE_LOW_TOKENS 300
#define SOUND_TOKENS 40 /* a second: Gemini takes 32, others fewer */
#define FILM_TOKENS 330 /* a second with its sound: Gemini takes 295 */

#define PLAIN_SOUND_BYTES 16000 /* a second, where it is not compressed: 8 kHz, 16 bits */
#define SOUND_BYTES 3000        /* a second: 24 kbit/s */
#define FILM_BYTES 32000        /* a second: 256 kbit/s */
#define PAGE_BYTES 8            /* a token, of documents with pages */
#define TEXT_BYTES 2            /* a token, of texts of any script */

#define SOUND_LINK_TOKENS (600 * SOUND_TOKENS) /* how long a link's file is nobody knows */
#define FILM_LINK_TOKENS (300 * FILM_TOKENS)
#define FILE_LINK_TOKENS 60000
#define FILE_LEAST 3000
#define FILE_MOST 300000

#define DRAWN_TOKENS 1300 /* a picture that a model made: Gemini takes 1,290 */
#define SPOKEN_LETTERS 3200 /* a token, of sound in base64: 24 kHz, 16 bits, 20 tokens a second */

#define TOKENS_MAX INT64_C(1000000000000) /* so that no sum wraps */
#define DEPTH_MAX 64

static int64_t add(int64_t a, int64_t b) {
    return a + b < TOKENS_MAX ? a + b : TOKENS_MAX;
}

/* ---- text ---- */

/* Letters of Latin scripts and ASCII make tokens together; a character of the others is one or, where it takes four
 * bytes, two. */
void token_count_add(struct token_count *count, struct text piece) {
    size_t ascii = text_ascii_run(piece); /* often all of it */
    int64_t latin = (int64_t)ascii, others = 0;
    for (size_t i = ascii; i < piece.len; i++) {
        unsigned char c = (unsigned char)piece.ptr[i];
        latin += (c < 0x80) + 2 * (c >= 0xC2 && c <= 0xC9);
        others += (c > 0xC9) + (c >= 0xF0);
    }
    count->latin_bytes += latin;
    count->others += others;
}

int64_t token_count_total(const struct token_count *count) {
    int64_t spoken = (count->spoken_letters + SPOKEN_LETTERS - 1) / SPOKEN_LETTERS;
    return (count->latin_bytes + LATIN_BYTES - 1) / LATIN_BYTES + count->others + spoken;
}

int64_t tokens_of_text(struct text text) {
    struct token_count count = { 0 };
    token_count_add(&count, text);
    int64_t tokens = token_count_total(&count);
    return tokens == 0 && text.len > 0 ? 1 : tokens;
}

static bool is_one_of(struct text name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (text_equal(name, text_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static void add_member(struct token_count *count, struct text name, const json_t *value, unsigned depth) {
    static const char *const labels[] = { "id", "type", "name", "format", "url", "annotations" };
    json_t *object = depth > 0 ? (json_t *)(uintptr_t)value : NULL;
    if (is_one_of(name, labels, ARRAY_SIZE(labels))) {
        return;
    }
    if (text_equal(name, TEXT("image_url"))) {
        count->others += DRAWN_TOKENS;
        return;
    }
    if (text_equal(name, TEXT("data"))) {
        count->spoken_letters += (int64_t)json_string_length(value);
        return;
    }
    token_count_add(count, json_text_of(value));
    for (size_t i = 0; i < json_array_size(object); i++) {
        add_member(count, name, json_array_get(object, i), depth - 1);
    }
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct text key = { json_object_iter_key(at), json_object_iter_key_len(at) };
        add_member(count, key, json_object_iter_value(at), depth - 1);
    }
}

void token_count_add_member(struct token_count *count, struct text name, const json_t *value) {
    add_member(count, name, value, DEPTH_MAX);
}

/* Older tokenizers make up to three tokens of two such characters. */
static int64_t of_text(struct text text) {
    struct token_count count = { 0 };
    token_count_add(&count, text);
    return (count.latin_bytes + REQUEST_BYTES - 1) / REQUEST_BYTES + (count.others * 3 + 1) / 2;
}

static int64_t of_value(const json_t *value, unsigned depth) {
    int64_t tokens = 1;
    if (depth == 0) {
        return tokens;
    }
    if (json_is_string(value)) {
        return add(tokens, of_text(json_text_of(value)));
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        tokens = add(tokens, MEMBER_TOKENS + of_value(json_array_get(value, i), depth - 1));
    }
    for (void *at = json_object_iter((json_t *)value); at; at = json_object_iter_next((json_t *)value, at)) {
        struct text key = { json_object_iter_key(at), json_object_iter_key_len(at) };
        tokens = add(tokens, MEMBER_TOKENS + of_text(key) + of_value(json_object_iter_value(at), depth - 1));
    }
    return tokens;
}

/* ---- media ---- */

/* What lies in the request itself; a link is only a link. */
struct inline_data {
    struct text media_type; /* or a format, "wav" */
    int64_t bytes;
    bool is_link;
};

static bool is_link(struct text url) {
    return text_starts(url, TEXT("http://")) || text_starts(url, TEXT("https://"));
}

static struct inline_data read_data(struct text data, struct text format) {
    struct inline_data ret = { .media_type = format, .is_link = is_link(data) };
    struct data_uri_parts uri;
    if (data_uri_split(data, &uri)) {
        ret.media_type = uri.media_type;
        data = uri.data;
    }
    ret.bytes = (int64_t)(data.len / 4 * 3 + data.len % 4);
    return ret;
}

static bool contains(struct text text, struct text word) {
    return word.len > 0 && text.len >= word.len && memmem(text.ptr, text.len, word.ptr, word.len) != NULL;
}

static int64_t of_image(const json_t *image) {
    bool low = text_equal(json_text_of(json_object_get(image, "detail")), TEXT("low"));
    return low ? IMAGE_LOW_TOKENS : IMAGE_TOKENS;
}

static int64_t of_seconds(int64_t bytes, int64_t bytes_a_second, int64_t tokens_a_second) {
    return add(0, (bytes / bytes_a_second + 1) * tokens_a_second);
}

/* {url}, {data, format}, or a bare text. */
static struct inline_data of_member(const json_t *media, const char *name) {
    const json_t *data = json_is_string(media) ? media : json_object_get(media, name);
    const json_t *format = json_object_get(media, "format");
    return read_data(json_text_of(data ? data : json_object_get(media, "url")), json_text_of(format));
}

static int64_t of_sound(const json_t *sound) {
    static const struct text plain[] = { TEXT("wav"), TEXT("pcm"), TEXT("flac"), TEXT("aif") };
    struct inline_data data = of_member(sound, "data");
    int64_t bytes_a_second = SOUND_BYTES;
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        bytes_a_second = contains(data.media_type, plain[i]) ? PLAIN_SOUND_BYTES : bytes_a_second;
    }
    return data.is_link ? SOUND_LINK_TOKENS : of_seconds(data.bytes, bytes_a_second, SOUND_TOKENS);
}

static int64_t of_film(const json_t *film) {
    struct inline_data data = of_member(film, "data");
    return data.is_link ? FILM_LINK_TOKENS : of_seconds(data.bytes, FILM_BYTES, FILM_TOKENS);
}

static int64_t of_file(const json_t *file) {
    struct inline_data data = of_member(file, "file_data");
    if (data.is_link || data.bytes == 0) {
        return FILE_LINK_TOKENS; /* or its id */
    }
    if (contains(data.media_type, TEXT("text/")) || contains(data.media_type, TEXT("json"))) {
        return add(REQUEST_TOKENS, data.bytes / TEXT_BYTES);
    }
    int64_t tokens = data.bytes / PAGE_BYTES;
    return tokens < FILE_LEAST ? FILE_LEAST : tokens > FILE_MOST ? FILE_MOST : tokens;
}

static int64_t of_part(const json_t *part) {
    static const struct {
        const char *member;
        int64_t (*count)(const json_t *media);
    } kinds[] = {
        { "image_url", of_image }, { "input_audio", of_sound }, { "audio_url", of_sound },
        { "video_url", of_film },  { "file_url", of_file },     { "file", of_file },
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const json_t *media = json_object_get(part, kinds[i].member);
        if (media) {
            return kinds[i].count(media);
        }
    }
    const json_t *text = json_object_get(part, "text");
    return json_is_string(text) ? MEMBER_TOKENS + of_text(json_text_of(text)) : of_value(part, DEPTH_MAX);
}

/* ---- the whole ---- */

static int64_t of_content(const json_t *content) {
    if (!json_is_array(content)) {
        return of_value(content, DEPTH_MAX);
    }
    int64_t tokens = 0;
    for (size_t i = 0; i < json_array_size(content); i++) {
        tokens = add(tokens, of_part(json_array_get(content, i)));
    }
    return tokens;
}

static int64_t of_messages(const json_t *messages) {
    int64_t tokens = 0;
    for (size_t i = 0; i < json_array_size(messages); i++) {
        json_t *message = json_array_get(messages, i);
        tokens = add(tokens, MESSAGE_TOKENS);
        for (void *at = json_object_iter(message); at; at = json_object_iter_next(message, at)) {
            struct text key = text_of(json_object_iter_key(at));
            const json_t *value = json_object_iter_value(at);
            bool is_content = text_equal(key, TEXT("content"));
            tokens = add(tokens, is_content ? of_content(value) : of_value(value, DEPTH_MAX));
        }
    }
    return tokens;
}

/* Members that the model itself never reads. */
static bool is_aside(struct text key) {
    static const char *const names[] = { "model",    "user",           "metadata",
                                         "messages", "logit_bias",     "safety_identifier",
                                         "stream",   "stream_options", "prompt_cache_key" };
    return is_one_of(key, names, ARRAY_SIZE(names));
}

int64_t tokens_of_request(const json_t *body) {
    int64_t tokens = add(REQUEST_TOKENS, of_messages(json_object_get(body, "messages")));
    for (void *at = json_object_iter((json_t *)body); at; at = json_object_iter_next((json_t *)body, at)) {
        if (!is_aside(text_of(json_object_iter_key(at)))) {
            tokens = add(tokens, of_value(json_object_iter_value(at), DEPTH_MAX));
        }
    }
    return tokens;
}
