/* POST /v1/llm/generations: a language model is asked, in one of five protocols and four modes.
 *
 *   sync   stream
 *   false  false   a task; poll it
 *   false  true    a task with a stream, which any number of readers may follow (llm_stream.c)
 *   true   false   the ChatCompletion itself
 *   true   true    its chunks, as the answer */
#include "api/chat.h"

void handle_llm_generations(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct chat_work *work;

    if (chat_begin(exchange, chat_read_submission, &work, &fault) != OK)
        refuse(exchange, &fault);
    else
        chat_go_on(work, work->wishes.sync);
}
