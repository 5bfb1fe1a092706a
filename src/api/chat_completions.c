/* POST /v1/chat/completions: OpenAI's chat API, whole and streamed; and its older asynchronous twin. */
#include "api/chat.h"

void handle_chat_completions(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct chat_work *work;

    if (chat_begin(exchange, chat_read_completion, &work, &fault) == OK)
        chat_go_on(work, true);
    else
        refuse(exchange, &fault);
}

/* POST /v1/llm_async/chat/completions: the same request, as a task. */
void handle_llm_async(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct chat_work *work;

    if (chat_begin(exchange, chat_read_completion, &work, &fault) == OK)
        chat_go_on(work, false);
    else
        refuse(exchange, &fault);
}
