/* What all dialects share: the request that they make. */
#include "chat/dialect.h"

void chat_request_fini(struct chat_request *request) {
    buffer_fini(&request->path);
    buffer_fini(&request->body);
    *request = (struct chat_request){ 0 };
}
