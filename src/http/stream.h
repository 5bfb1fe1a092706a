/* What stream.c and streamer.c share: one answer that is written while it comes into being. */
#pragma once

#include "http/internal.h"

#define STREAM_ROOM 16384                  /* bytes of one piece, about */
#define STREAM_AHEAD_MAX ((size_t)8 << 20) /* bytes of the pieces of one pull, which may be more than its room */

enum stream_state { STREAM_BUSY, STREAM_WOKEN, STREAM_WAITING, STREAM_FULL };

struct stream {
    struct exchange *exchange;
    struct stream_source source;
    struct streamer *streamer; /* writes it from the first suspension on */
    atomic_int state;
    atomic_bool gone;           /* the client has closed its connection */
    _Atomic int64_t beat_at_ms; /* monotonic; when a heartbeat is due; INT64_MAX: never */
    struct buffer ahead;        /* pulled but not yet taken; of the streamer: as it goes over the wire */
    enum stream_pull last;      /* what the last pull said */
    bool listed;
    bool polled;                /* in its streamer's epoll set */
    bool whole;                 /* libmicrohttpd was told of the end */
    TAILQ_ENTRY(stream) link;   /* of http_server.streams */
    STAILQ_ENTRY(stream) due;   /* of its streamer's list, while it is due */
};

/* stream.c */
/* Whether the state was `from`; then it is `to`. What was done before it is seen by who steps from there. */
bool stream_step(struct stream *stream, int from, int to);
/* From STREAM_WOKEN to STREAM_BUSY, if it is there, and asks the source anew. By who has the stream. */
void stream_take_up(struct stream *stream);
/* The client has gone or the server stops: nothing is to be sent any more. */
bool stream_is_over(const struct stream *stream);
/* Appends about `room` bytes of what the source has, or a heartbeat if one is due; stream->last says how it goes on. By
 * who has the stream, without locks. */
void stream_fetch(struct stream *stream, struct buffer *buf, size_t room);
/* Something was sent. */
void stream_put_off_heartbeat(struct stream *stream);

/* streamer.c */
/* One after the other. Any thread. */
struct streamer *streamer_next(struct http_server *server);
/* From here on the streamer has the stream. Any thread, also with locks held; by who made the step to STREAM_WOKEN. */
void streamer_push(struct stream *stream);
