/* POST /v1/llm/generations: a language model is asked, in one of five protocols and four modes.
 *
 *   sync   stream
 *   false  false   a task; poll it
 *   false  true    a task with a stream, which any number of readers may follow (llm_stream.c)
 *   true   false   the ChatCompletion itself
 *   true   true    its chunks, as the answer */
#include "api/chat/chat.h"

void handle_llm_generations(struct exchange *exchange) {
    chat_accept(exchange, chat_read_submission, CHAT_AS_ASKED);
}
