/* POST /v1/chat/completions: OpenAI's chat API, whole and streamed; and its older asynchronous twin. */
#include "api/chat/chat.h"

void handle_chat_completions(struct exchange *exchange) {
    chat_accept(exchange, chat_read_completion, CHAT_CALLS);
}

/* POST /v1/llm_async/chat/completions: the same request, as a task. */
void handle_llm_async(struct exchange *exchange) {
    chat_accept(exchange, chat_read_completion, CHAT_TASKS);
}
