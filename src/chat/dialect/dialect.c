/* What all dialects share: the table of them, and the request that they make. */
#include "chat/dialect/dialect.h"

static const struct chat_dialect *const dialects[] = {
    &openai_dialect,
    &anthropic_dialect,
    &gemini_dialect,
    &ollama_dialect,
};

const struct chat_dialect *chat_dialect_find(struct text name) {
    for (size_t i = 0; i < ARRAY_SIZE(dialects); i++) {
        if (text_equal(name, text_of(dialects[i]->name))) {
            return dialects[i];
        }
    }
    return NULL;
}

void chat_request_fini(struct chat_request *request) {
    buffer_fini(&request->path);
    buffer_fini(&request->body);
    *request = (struct chat_request){ 0 };
}
