/* GET /v1/configs/minimax-preset-voice-id: the voices that MiniMax's models know by name. */
#include "catalog/voices.h"

#include "api/internal.h"
#include "api/list.h"
#include "base/json.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define OWNER "minimax"

static void put_voice(struct json_writer *json, const char *name) {
    json_object_begin(json);
    json_key(json, "id");
    json_text(json, text_of(name));
    json_key(json, "object");
    json_text(json, TEXT("voice"));
    json_key(json, "owned_by");
    json_text(json, TEXT(OWNER));
    json_object_end(json);
}

/* A catalogue without them has an empty list. */
void handle_minimax_voices(struct exchange *exchange) {
    const struct voices *voices = catalog_voices(call_of(exchange)->setup->catalog, TEXT(OWNER));
    struct json_writer json;
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    json_begin(&json, &body);
    list_begin(&json);
    for (unsigned i = 0; voices != NULL && i < voices->count; i++)
        put_voice(&json, voices->names[i]);
    json_array_end(&json);
    json_object_end(&json);
    reply_json(exchange, &body);
}
