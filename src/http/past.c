/* Answers that go past libmicrohttpd, which takes none in the middle of a body, and would close over what the client still
 * sends. The connection ends with them. */
#include "http/internal.h"

#include <assert.h>
#include <microhttpd.h>
#include <sys/socket.h>

#define ANSWER_MAX 16384 /* bytes */
#define LINGER_MS 5000   /* for a client to read it that is still sending */

void past_send(struct exchange *exchange) {
    const struct reply *reply = &exchange->reply;
    struct buffer answer;

    assert(reply->kind != REPLY_KEPT); /* faults come here, and what admit says */
    buffer_init(&answer, ANSWER_MAX);
    buffer_printf(&answer, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\nX-Request-Id: %s\r\n",
                  reply->status, MHD_get_reason_phrase_for((unsigned)reply->status), reply->content_type,
                  (long long)reply->length, exchange->request_id);
    for (unsigned i = 0; i < reply->header_count; i++)
        buffer_printf(&answer, "%s: %s\r\n", reply->headers[i].name, reply->headers[i].value);
    buffer_put(&answer, TEXT("Connection: close\r\n\r\n"));
    if (!exchange->head)
        buffer_put(&answer, (struct text){ reply->bytes, (size_t)reply->length });
    if (buffer_ok(&answer))
        (void)!send(exchange->connection->fd, answer.data, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buffer_fini(&answer);
}

/* For clients that send much and listen afterwards: to close over unread bytes would reset the connection and could take
 * the answer with it. So what they send is read for a while, and dropped. */
void past_turn_away(struct exchange *exchange) {
    past_send(exchange);
    shutdown(exchange->connection->fd, SHUT_WR);
    exchange->lingers = true;
    connection_allow(exchange->connection, LINGER_MS);
    connection_waits(exchange->connection);
}
