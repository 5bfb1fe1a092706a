/* Adapters that several groups of tests speak through. */
#pragma once

/* A queue: submitted, asked, fetched; its words are the service's own. */
#define QUEUE_PARTS_WITH(pace)                                                                                         \
    "url = 'https://queue.example', hosts = { '*.queue.example' }, " pace ",\n"                                        \
    "statuses = { WAITS = 'pending', RUNS = 'processing', DONE = 'completed', BROKE = 'failed' },\n"                   \
    "auth = function(key) return { Authorization = 'Key ' .. key } end,\n"                                             \
    "submit = function(task) return { post = '/jobs', json = { input = task.input, target = task.target } } end,\n"    \
    "accepted = function(reply)\n"                                                                                     \
    "  if reply.json.error then return { error = { code = 'invalid_parameters', taken = false } } end\n"               \
    "  return { id = reply.json.id, status = 'WAITS', state = reply.json.keep } end,\n"                                \
    "poll = function(job) return { get = '/jobs/' .. url_encode(job.id) } end,\n"                                      \
    "polled = function(reply, job)\n"                                                                                  \
    "  if reply.json.error then return { error = { code = reply.json.error } } end\n"                                  \
    "  if reply.json.status == 'DONE' then\n"                                                                          \
    "    return { status = 'DONE', next = { get = '/results/' .. url_encode(job.id) } } end\n"                         \
    "  return { status = reply.json.status, progress = reply.json.progress } end,\n"                                   \
    "output = function(reply) return { output = reply.json } end,\n"

#define QUEUE QUEUE_PARTS_WITH("poll_min = 0.1, poll_max = 0.2")
/* Asked for in an hour, unless there is a reason; the floor is a second, which is a twentieth of one here. */
#define QUEUE_SLOW QUEUE_PARTS_WITH("poll_first = 3600, poll_min = 1, poll_max = 3600")
#define QUEUE_RARE QUEUE_PARTS_WITH("poll_first = 3600, poll_min = 600, poll_max = 3600") /* never twice in a test */
#define ACCEPTED "{\"id\":\"job-1\"}"
/* Its places, for fake_reply and fake_count. */
#define SUBMIT "POST /jobs "
#define POLL "GET /jobs/job-1 "
#define RESULT "GET /results/job-1 "
