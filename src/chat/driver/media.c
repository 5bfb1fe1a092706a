/* Links of media parts, fetched and put into the request, a few at a time; what they bring is bounded together. */
#include "chat/driver/media.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "blob/media_type.h"
#include "net/fetch.h"

#define MEDIA_TYPE_SIZE 100
#define SNIFF_BYTES 512
#define FILE_TIMEOUT_MS 120000
#define AT_A_TIME 8

static const char *const kinds[] = { "image_url", "video_url", "audio_url", "file_url" };

/* One link and its place. */
struct link {
    struct chat_media *media;
    json_t *holder; /* in the copy: the object whose member is the URL */
    const char *member;
    char param[96];
    struct fetch *fetch;
    struct buffer bytes;
};

struct chat_media {
    struct fetch_client *fetcher;
    json_t *body; /* the copy */
    int64_t bytes_max;
    int64_t left; /* bytes that all together may still bring */
    struct link *links;
    unsigned count, begun, ready;
    void (*done)(void *context, enum err err, json_t *body, const struct fault *fault);
    void *context;
};

static bool is_link(const json_t *value) {
    const char *url = json_string_value(value);
    return url && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

/* Where a part's URL is: the object and the name of its member. False: the part has no link. */
static bool find_link(json_t *part, json_t **ret_holder, const char **ret_member) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        json_t *value = json_object_get(part, kinds[i]);
        if (is_link(value)) {
            *ret_holder = part;
            *ret_member = kinds[i];
            return true;
        }
        if (is_link(json_object_get(value, "url"))) {
            *ret_holder = value;
            *ret_member = "url";
            return true;
        }
    }
    return false;
}

/* Calls `each` for every link; `member` is a constant. */
static void each_link(json_t *body, void (*each)(json_t *holder, const char *member, size_t message, size_t part,
                                                 void *context),
                      void *context) {
    size_t i, k;
    json_t *message, *part, *holder = NULL;
    const char *member = NULL;
    json_array_foreach (json_object_get(body, "messages"), i, message) {
        json_array_foreach (json_object_get(message, "content"), k, part) {
            if (find_link(part, &holder, &member)) {
                each(holder, member, i, k, context);
            }
        }
    }
}

static void count_link(json_t *holder, const char *member, size_t message, size_t part, void *context) {
    (void)holder, (void)member, (void)message, (void)part;
    ++*(unsigned *)context;
}

bool chat_media_needed(const json_t *body) {
    unsigned count = 0;
    each_link((json_t *)(uintptr_t)body, count_link, &count);
    return count > 0;
}

/* ---- the end ---- */

static void free_media(struct chat_media *media) {
    for (unsigned i = 0; i < media->count; i++) {
        fetch_cancel(media->links[i].fetch);
        buffer_fini(&media->links[i].bytes);
    }
    json_decref(media->body);
    free(media->links);
    free(media);
}

void chat_media_cancel(struct chat_media *media) {
    if (media) {
        free_media(media);
    }
}

static void give_up(struct chat_media *media, const struct fault *fault) {
    void (*done)(void *, enum err, json_t *, const struct fault *) = media->done;
    void *context = media->context;
    free_media(media);
    done(context, fault->err, NULL, fault);
}

static void succeed(struct chat_media *media) {
    void (*done)(void *, enum err, json_t *, const struct fault *) = media->done;
    void *context = media->context;
    json_t *body = json_incref(media->body);
    free_media(media);
    done(context, OK, body, NULL);
}

/* ---- one link ---- */

/* One of the two words of a media type. */
static bool is_type_word(struct text word) {
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '+' && c != '-' && c != '.') {
            return false;
        }
    }
    return word.len > 0;
}

static bool is_media_type(struct text type) {
    struct text kind = text_cut(&type, '/');
    return is_type_word(kind) && is_type_word(type);
}

/* What the bytes are; where they do not tell, what the server calls them. */
static void tell_type(const struct link *link, struct text claimed, char ret[MEDIA_TYPE_SIZE]) {
    struct text bytes = buffer_text(&link->bytes);
    struct text sniffed = text_of(
        media_type_sniff((struct text){ bytes.ptr, bytes.len < SNIFF_BYTES ? bytes.len : SNIFF_BYTES }));
    struct text type = text_trim(text_cut(&claimed, ';'));
    bool says_more = text_equal(sniffed, TEXT("application/octet-stream")) ||
                     (text_equal(sniffed, TEXT("text/plain")) && text_starts(type, TEXT("text/")));
    type = says_more && type.len < MEDIA_TYPE_SIZE && is_media_type(type) ? type : sniffed;
    snprintf(ret, MEDIA_TYPE_SIZE, "%.*s", TEXT_ARG(type));
}

/* False: there is no memory. */
static bool put_data_uri(struct link *link, struct text content_type) {
    char type[MEDIA_TYPE_SIZE];
    tell_type(link, content_type, type);
    size_t encoded = base64_encoded_size(link->bytes.len), room = encoded + sizeof(type) + sizeof("data:;base64,");
    char *uri scoped(mem_free_pointer) = malloc(room);
    json_t *value = NULL;
    if (uri) {
        int head = snprintf(uri, room, "data:%s;base64,", type);
        base64_encode((const uint8_t *)(link->bytes.data ? link->bytes.data : ""), link->bytes.len, uri + head);
        value = json_stringn_nocheck(uri, (size_t)head + encoded - 1);
    }
    buffer_fini(&link->bytes);
    return value && json_object_set_new(link->holder, link->member, value) == 0;
}

static enum err take_bytes(void *context, const void *bytes, size_t count) {
    struct link *link = context;
    if ((int64_t)count > link->media->left) {
        return ERR_FILE_TOO_LARGE;
    }
    link->media->left -= (int64_t)count;
    buffer_put(&link->bytes, (struct text){ bytes, count });
    return buffer_ok(&link->bytes) ? OK : ERR_NO_MEMORY;
}

/* What is so every time is the URL's fault. */
static void tell_failure(const struct link *link, const struct fetch_result *result, struct fault *ret) {
    if (result->err == OK) {
        (void)fault_set_param(ret, result->final ? ERR_INVALID_URL : ERR_FETCH, link->param,
                              "The file could not be fetched: its server answered with status %d.",
                              result->http_status);
        return;
    }
    switch (result->err) {
    case ERR_FILE_TOO_LARGE:
        (void)fault_set_param(ret, ERR_FILE_TOO_LARGE, link->param, "The request's files are larger than they may be.");
        return;
    case ERR_BLOCKED_ADDRESS:
        (void)fault_set_param(ret, ERR_BLOCKED_ADDRESS, link->param, "The URL leads to an address that is not public.");
        return;
    default:
        (void)fault_set_param(ret, result->final ? ERR_INVALID_URL : result->err, link->param,
                              "The file could not be fetched.");
    }
}

static enum err bring_more(struct chat_media *media, struct fault *fault);

static void fetched(void *context, const struct fetch_result *result) {
    struct link *link = context;
    struct chat_media *media = link->media;
    struct fault fault = { 0 };
    link->fetch = NULL;
    if (result->err != OK || result->http_status / 100 != 2) {
        tell_failure(link, result, &fault);
        give_up(media, &fault);
        return;
    }
    if (!put_data_uri(link, result->content_type)) {
        (void)fault_set_param(&fault, ERR_NO_MEMORY, link->param, "There is no memory for the file.");
        give_up(media, &fault);
        return;
    }
    if (++media->ready == media->count) {
        succeed(media);
    } else if (bring_more(media, &fault) != OK) {
        give_up(media, &fault);
    }
}

/* ---- the beginning ---- */

static enum err bring(struct link *link, struct fault *fault) {
    struct fetch_request request = {
        .url = text_of(json_string_value(json_object_get(link->holder, link->member))),
        .redirects_max = FETCH_REDIRECTS_MAX,
        .reply_max = link->media->bytes_max,
        .total_timeout_ms = FILE_TIMEOUT_MS,
        .sink = take_bytes,
        .done = fetched,
        .context = link,
    };
    enum err err = fetch_start(link->media->fetcher, &request, &link->fetch, fault);
    if (err != OK && fault) {
        snprintf(fault->param, sizeof(fault->param), "%s", link->param);
    }
    return err;
}

static enum err bring_more(struct chat_media *media, struct fault *fault) {
    enum err err = OK;
    while (err == OK && media->begun < media->count && media->begun - media->ready < AT_A_TIME) {
        err = bring(&media->links[media->begun++], fault);
    }
    return err;
}

/* "image_url" of the part whose URL is a member of `holder`. */
static const char *kind_of(const json_t *body, size_t message, size_t part, const json_t *holder) {
    const json_t *content = json_object_get(json_array_get(json_object_get(body, "messages"), message), "content");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (json_object_get(json_array_get(content, part), kinds[i]) == holder) {
            return kinds[i];
        }
    }
    return "";
}

static void add_link(json_t *holder, const char *member, size_t message, size_t part, void *context) {
    struct chat_media *media = context;
    struct link *link = &media->links[media->count++];
    bool within = strcmp(member, "url") == 0;
    link->media = media;
    link->holder = holder;
    link->member = member;
    snprintf(link->param, sizeof(link->param), "messages[%zu].content[%zu].%s%s", message, part,
             within ? kind_of(media->body, message, part, holder) : member, within ? ".url" : "");
    buffer_init(&link->bytes, (size_t)media->bytes_max);
}

struct chat_media *chat_media_start(struct fetch_client *fetcher, const json_t *body, int64_t bytes_max,
                                    void (*done)(void *context, enum err err, json_t *body, const struct fault *fault),
                                    void *context, struct fault *fault) {
    unsigned count = 0;
    struct chat_media *media = mem_new(sizeof(*media));
    *media = (struct chat_media){
        .fetcher = fetcher, .bytes_max = bytes_max, .left = bytes_max, .done = done, .context = context,
    };
    media->body = json_deep_copy(body);
    each_link(media->body, count_link, &count);
    assert(count > 0);
    media->links = mem_new_array(count, sizeof(*media->links));
    each_link(media->body, add_link, media);
    if (bring_more(media, fault) != OK) {
        free_media(media);
        return NULL;
    }
    return media;
}
