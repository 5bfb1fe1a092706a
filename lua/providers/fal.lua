-- fal: a queue in front of many models. A job is submitted to the model's full name; where to ask, fetch and cancel is
-- in the answer and followed as given. COMPLETED says only that the job has ended: the model's own success or error is
-- in the status, or is the answer to fetching the result. Results are kept for an hour at most, so they are fetched at
-- once. Its queue holds what its runners cannot take yet.

-- The service's words for what went wrong: ours, and whose fault it is.
local TYPES = {
    content_policy_violation = { "content_policy_violation", "request" },
    image_load_error = { "image_processing_error", "request" },
    file_download_error = { "image_processing_error", "request" },
    face_detection_error = { "image_processing_error", "request" },
    image_too_small = { "image_dimension_mismatch", "request" },
    image_too_large = { "image_dimension_mismatch", "request" },
    no_media_generated = { "generation_failed_no_content", "request" },
    bad_request = { "invalid_parameters", "request" },
    client_cancelled = { "request_cancelled", "request" },
    generation_timeout = { "generation_timeout", "provider" },
    downstream_service_error = { "service_error", "provider" },
    downstream_service_unavailable = { "service_unavailable", "provider" },
    internal_server_error = { "service_error", "provider" },
    internal_error = { "service_error", "provider" },
    client_disconnected = { "service_error", "provider" },
    concurrent_requests_limit = { "resource_exhausted", "capacity" },
    -- no runner was free in time
    request_timeout = { "generation_timeout", "capacity" },
    startup_timeout = { "service_unavailable", "capacity" },
    runner_scheduling_failure = { "service_unavailable", "capacity" },
    runner_connection_timeout = { "service_unavailable", "provider" },
    runner_connection_refused = { "service_unavailable", "provider" },
    runner_connection_error = { "service_unavailable", "provider" },
    runner_disconnected = { "service_unavailable", "provider" },
    runner_incomplete_response = { "service_error", "provider" },
    runner_server_error = { "service_error", "provider" },
}

local STATUSES = {
    [400] = { "invalid_parameters", "request" }, [401] = { "service_error", "key" },
    [402] = { "quota_exceeded", "account" }, [403] = { "service_error", "key" },
    [404] = { "resource_not_found", "request" }, [422] = { "invalid_parameters", "request" },
    [429] = { "resource_exhausted", "capacity" }, [503] = { "service_unavailable", "provider" },
    [504] = { "generation_timeout", "provider" },
}

-- What may be shown to the person who sent the task: only faults in what was sent.
local SHOWN = { invalid_parameters = true, image_processing_error = true, image_dimension_mismatch = true }

local function text(value)
    return type(value) == "string" and value ~= "" and value or nil
end

local function table_of(value)
    return type(value) == "table" and value or {}
end

-- Type, field and words of an error body: `detail` is a list of findings, or one text.
local function findings(body, headers)
    local kind = text(body.error_type) or text(headers["x-fal-error-type"])
    local first = table_of(table_of(body.detail)[1])
    if not text(first.msg) then
        return kind, text(body.detail) or text(body.error)
    end
    local place = table_of(first.loc)
    place = text(place[#place])
    return text(first.type) or kind, place and place ~= "body" and place .. ": " .. first.msg or first.msg
end

-- Meaning, type and words, from the body first: a status says little where 403 can be an empty account.
local function meaning_of(status, body, headers)
    local kind, words = findings(body, headers)
    local lower = (words or ""):lower()
    if (status == 402 or status == 403) and (lower:find("balance", 1, true) or lower:find("locked", 1, true)) then
        return { "quota_exceeded", "account" }, kind, words
    end
    return TYPES[kind] or STATUSES[status] or (status >= 500 and { "service_error", "provider" })
        or { "generation_failed", "request" }, kind, words
end

-- Its own word about another try, which stands in the answers of models and has an older name.
local function hint_of(headers)
    return headers["x-fal-retryable"] or headers["x-fal-needs-retry"]
end

local function is_retryable(status, meaning, headers)
    local hint = hint_of(headers)
    if hint then
        return hint == "true" or hint == "1"
    end
    return (status == 429 or status >= 500) and headers["x-fal-request-timeout-type"] ~= "user"
        and meaning[2] ~= "request" and meaning[2] ~= "account"
end

-- `where` is what was answered so, for operators; `taken` whether a job may be there.
local function failure_of(where, status, headers, body, taken)
    local meaning, kind, words = meaning_of(status, body, headers)
    return {
        code = meaning[1],
        message = SHOWN[meaning[1]] and words or nil,
        detail = string.format("%s, %s: %s", where, kind or "no type", words or "no words"),
        retryable = is_retryable(status, meaning, headers),
        taken = taken,
        scope = meaning[2],
    }, kind
end

local NO_MODEL = "The service behind this model does not have it."

-- An answer to the submission that is no 2xx. A refusal took nothing, and neither did a queue that says it is not
-- there; after other errors of the server, or of something between, nobody knows. What is not found is the model: its
-- name is the route's and not the sender's.
local function submission_failure(reply, headers, body)
    local status = reply.status
    local unknown = status == 408 or status == 499 or (status >= 500 and status ~= 503)
    local failure = failure_of("submission: HTTP " .. status, status, headers, body, unknown)
    if failure.code == "resource_not_found" then
        failure.code, failure.scope, failure.message = "service_unavailable", "route", NO_MODEL
    end
    return failure
end

local GONE = "The result is no longer there: the service did not keep it until it was fetched."
local UNKNOWN = "The service does not know this job any more."

-- What happened to the question, or what happened to the job: the model's own errors come back when its result is
-- fetched, and have a type, or say at least whether another try may help; a gateway's page has neither.
local function question_failure(reply, headers, body, job)
    local status, failed = reply.status, job.step == "error"
    local fetching = failed or job.step == "result"
    local failure, kind = failure_of((fetching and "result" or "status") .. ": HTTP " .. status,
                                     failed and status == 404 and 500 or status, headers, body, true)
    local models = failed or fetching and (kind or hint_of(headers))
    if status == 404 and not models then
        failure.code, failure.retryable, failure.again = "resource_not_found", false, false
        failure.message = fetching and GONE or UNKNOWN
    elseif status == 400 and failure.detail:lower():find("still in progress", 1, true) then
        failure.again = true
    elseif models and status ~= 429 then
        failure.again = false
    end
    return failure
end

-- Where to ask about a job; made up only when the answer to the submission does not say: the first two parts of the
-- model's name, or three where the first is a name space.
local function places(body, job)
    if text(body.status_url) and text(body.response_url) then
        return { status_url = body.status_url, response_url = body.response_url, cancel_url = text(body.cancel_url) }
    end
    local parts = {}
    for part in job.task.target:gmatch("[^/]+") do
        parts[#parts + 1] = part
    end
    local count = (parts[1] == "workflows" or parts[1] == "comfy") and 3 or 2
    local base = "/" .. table.concat(parts, "/", 1, math.min(count, #parts)) .. "/requests/"
        .. url_encode(body.request_id)
    return { status_url = base .. "/status", response_url = base, cancel_url = base .. "/cancel" }
end

local function place_in_queue(body)
    return math.type(body.queue_position) == "integer" and body.queue_position >= 0 and body.queue_position or nil
end

-- A list of pictures that has none.
local function is_empty(output)
    return output.images and next(table_of(output.images)) == nil
end

local QUEUE = "https://queue.fal.run/fal-ai/patina/requests/req-1"
local PLACES = { status_url = QUEUE .. "/status", response_url = QUEUE, cancel_url = QUEUE .. "/cancel" }
local TASK = { target = "fal-ai/patina/material" }
local JOB = { id = "req-1", state = PLACES, task = TASK }
local FETCHING = { id = "req-1", state = PLACES, task = TASK, step = "result" }
local FAILED = { id = "req-1", state = PLACES, task = TASK, step = "error" }
local FILM = { video = { url = "https://v3b.fal.media/files/b/x/y.mp4" }, seed = 42 }
local REFUSED = { detail = { { loc = { "body", "prompt" }, msg = "Refused", type = "content_policy_violation" } } }

return {
    url = "https://queue.fal.run",
    backup = "https://queue.falrun.com",
    hosts = { "*.fal.run", "*.falrun.com", "*.fal.media" },
    statuses = { IN_QUEUE = "pending", IN_PROGRESS = "processing", COMPLETED = "completed" },
    signature = { scheme = "ed25519", jwks = "https://rest.fal.ai/.well-known/jwks.json", header = "x-fal-webhook" },
    concurrency = 1000,
    poll_first = 1,
    inputs = "either", -- it takes data URIs as well
    poll_min = 0.5,
    poll_factor = 1.3,
    poll_max = 5,

    auth = function(key)
        return { Authorization = "Key " .. key }
    end,

    submit = function(task)
        return {
            post = "/" .. task.target,
            query = task.callback_url and { fal_webhook = task.callback_url } or nil,
            headers = { ["X-Fal-Queue-Priority"] = "normal" },
            json = task.input,
        }
    end,

    accepted = function(reply, job)
        local body = table_of(reply.json)
        if not text(body.request_id) then
            return { error = { code = "service_error", detail = "the answer to a submission has no request_id" } }
        end
        return {
            id = body.request_id,
            status = body.status == "IN_QUEUE" and "IN_QUEUE" or "IN_PROGRESS",
            position = place_in_queue(body),
            state = places(body, job),
        }
    end,

    poll = function(job)
        return { get = job.state.status_url }
    end,

    polled = function(reply, job)
        local body = table_of(reply.json)
        if body.status ~= "COMPLETED" then
            return { status = text(body.status) or "IN_PROGRESS", position = place_in_queue(body) }
        end
        local headers, failed = reply.headers or {}, text(body.error) or text(body.error_type)
        if failed and TYPES[findings(body, headers)] then
            return { error = (failure_of("status: COMPLETED", 500, headers, body, true)) }
        end
        -- An error that is none of the queue's is the model's, and is told in full where its result would be.
        return { status = "COMPLETED", next = { get = job.state.response_url }, step = failed and "error" or "result" }
    end,

    output = function(reply, job)
        if job.step == "error" then
            return { error = (failure_of("result: HTTP " .. reply.status, 500, reply.headers, table_of(reply.json), true)) }
        end
        if type(reply.json) ~= "table" then
            return { error = { code = "generation_failed_no_content", detail = "the result is not JSON",
                               retryable = false } }
        end
        if is_empty(reply.json) then
            return { error = { code = "generation_failed_no_content", detail = "the result has no pictures",
                               retryable = false } }
        end
        return { output = reply.json, cost = reply.headers["x-fal-billable-units"] }
    end,

    cancel = function(job)
        return job.state.cancel_url and { put = job.state.cancel_url } or nil
    end,

    -- 200: it was taken from the queue. 202: it was asked to stop, and may still finish. 400: it has finished. 404:
    -- there is no such job, so nothing will come of it.
    cancelled = function(reply)
        local body = table_of(reply.json)
        local said = text(body.status) or ""
        if reply.status == 404 or (reply.status == 200 and said == "" and body.success ~= false) then
            return { error = { code = "request_cancelled", retryable = false, taken = true, scope = "request",
                               detail = string.format("cancel: HTTP %d %s", reply.status, said) } }
        end
        return nil
    end,

    -- The output itself is in the call, or the model's error. What is not signed, or has nothing, is a hint to look; so is
    -- an error of the service's, as only the answer to fetching the result says whether another try may help.
    hook = function(event)
        local body = table_of(event.json)
        local id, payload = text(body.request_id), table_of(body.payload)
        if not (id and event.verified and next(payload)) or is_empty(payload) or text(body.payload_error) then
            return nil
        end
        if body.status == "OK" then
            return { id = id, status = "COMPLETED", output = payload }
        end
        local status = tonumber((text(body.error) or ""):match("%d%d%d")) or 500
        if body.status == "ERROR" and payload.detail and status < 500 then
            return { id = id, error = (failure_of("webhook: HTTP " .. status, status, {}, payload, true)) }
        end
        return nil
    end,

    failure = function(reply, job)
        local headers, body = reply.headers or {}, table_of(reply.json)
        if job and job.id then
            return question_failure(reply, headers, body, job)
        end
        return submission_failure(reply, headers, body)
    end,

    samples = {
        { call = "auth", key = "fake-id:fake-secret", expect = { Authorization = "Key fake-id:fake-secret" } },

        -- submission
        { call = "submit",
          task = { target = "bytedance/seedance-2.0/text-to-video", input = { prompt = "x", duration = "auto" } },
          expect = { post = "/bytedance/seedance-2.0/text-to-video", headers = { ["X-Fal-Queue-Priority"] = "normal" },
                     json = { prompt = "x", duration = "auto" } } },
        { call = "submit",
          task = { target = "fal-ai/patina", input = {}, callback_url = "https://media.example.com/h?x=1" },
          expect = { post = "/fal-ai/patina", query = { fal_webhook = "https://media.example.com/h?x=1" },
                     headers = { ["X-Fal-Queue-Priority"] = "normal" }, json = {} } },
        { call = "accepted", job = { task = TASK },
          reply = { status = 200, headers = {},
                    json = { status = "IN_QUEUE", request_id = "req-1", queue_position = 3,
                             response_url = PLACES.response_url, status_url = PLACES.status_url,
                             cancel_url = PLACES.cancel_url } },
          expect = { id = "req-1", status = "IN_QUEUE", position = 3, state = PLACES } },
        { call = "accepted", job = { task = TASK },
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", request_id = "req-1" } },
          expect = { id = "req-1", status = "IN_PROGRESS",
                     state = { status_url = "/fal-ai/patina/requests/req-1/status",
                               response_url = "/fal-ai/patina/requests/req-1",
                               cancel_url = "/fal-ai/patina/requests/req-1/cancel" } } },
        { call = "accepted", job = { task = { target = "workflows/me/flow/run" } },
          reply = { status = 200, headers = {}, json = { request_id = "r/1" } },
          expect = { id = "r/1", status = "IN_PROGRESS",
                     state = { status_url = "/workflows/me/flow/requests/r%2F1/status",
                               response_url = "/workflows/me/flow/requests/r%2F1",
                               cancel_url = "/workflows/me/flow/requests/r%2F1/cancel" } } },
        { call = "accepted", job = { task = TASK }, reply = { status = 200, headers = {}, json = { detail = "?" } },
          expect = { error = { code = "service_error", detail = "the answer to a submission has no request_id" } } },

        -- status
        { call = "poll", job = JOB, expect = { get = PLACES.status_url } },
        { call = "polled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "IN_QUEUE", queue_position = 1 } },
          expect = { status = "IN_QUEUE", position = 1 } },
        { call = "polled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "IN_QUEUE", queue_position = "soon" } },
          expect = { status = "IN_QUEUE" } },
        { call = "polled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "IN_PROGRESS", logs = array{} } },
          expect = { status = "IN_PROGRESS" } },
        { call = "polled", job = JOB, reply = { status = 200, headers = {}, json = { status = "WARMING" } },
          expect = { status = "WARMING" } },
        { call = "polled", job = JOB, reply = { status = 200, headers = {}, text = "<html></html>" },
          expect = { status = "IN_PROGRESS" } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", logs = null, error = null } },
          expect = { status = "COMPLETED", next = { get = PLACES.response_url }, step = "result" } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", error = "the runner died",
                                                         error_type = "runner_disconnected" } },
          expect = { error = { code = "service_unavailable", retryable = true, taken = true, scope = "provider",
                               detail = "status: COMPLETED, runner_disconnected: the runner died" } } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", error = "no runner came",
                                                         error_type = "startup_timeout" } },
          expect = { error = { code = "service_unavailable", retryable = true, taken = true, scope = "capacity",
                               detail = "status: COMPLETED, startup_timeout: no runner came" } } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", error = "Invalid status code: 422" } },
          expect = { status = "COMPLETED", next = { get = PLACES.response_url }, step = "error" } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", error = "x", error_type = "value_error" } },
          expect = { status = "COMPLETED", next = { get = PLACES.response_url }, step = "error" } },

        -- result
        { call = "output", job = FAILED, reply = { status = 200, headers = {}, json = { detail = "It broke" } },
          expect = { error = { code = "service_error", retryable = true, taken = true, scope = "provider",
                               detail = "result: HTTP 200, no type: It broke" } } },
        { call = "output", job = FETCHING,
          reply = { status = 200, headers = { ["x-fal-billable-units"] = "5" }, json = FILM },
          expect = { output = FILM, cost = "5" } },
        { call = "output", job = FETCHING, reply = { status = 200, headers = {}, text = "not JSON" },
          expect = { error = { code = "generation_failed_no_content", detail = "the result is not JSON",
                               retryable = false } } },
        { call = "output", job = FETCHING, reply = { status = 200, headers = {}, json = { images = array{} } },
          expect = { error = { code = "generation_failed_no_content", detail = "the result has no pictures",
                               retryable = false } } },
        { call = "output", job = FETCHING, reply = { status = 200, headers = {}, json = { images = null } },
          expect = { error = { code = "generation_failed_no_content", detail = "the result has no pictures",
                               retryable = false } } },

        -- cancelling
        { call = "cancel", job = JOB, expect = { put = PLACES.cancel_url } },
        { call = "cancel", job = { id = "req-1", state = { status_url = QUEUE } }, expect = null },
        { call = "cancelled", job = JOB, reply = { status = 200, headers = {}, text = "OK" },
          expect = { error = { code = "request_cancelled", retryable = false, taken = true, scope = "request",
                               detail = "cancel: HTTP 200 " } } },
        { call = "cancelled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "CANCELLATION_REQUESTED" } }, expect = null },
        { call = "cancelled", job = JOB,
          reply = { status = 400, headers = {}, json = { status = "ALREADY_COMPLETED" } }, expect = null },
        { call = "cancelled", job = JOB, reply = { status = 404, headers = {}, json = { status = "NOT_FOUND" } },
          expect = { error = { code = "request_cancelled", retryable = false, taken = true, scope = "request",
                               detail = "cancel: HTTP 404 NOT_FOUND" } } },
        { call = "cancelled", job = JOB, reply = { status = 502, headers = {}, text = "<html></html>" },
          expect = null },

        -- webhook
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", gateway_request_id = "req-1", status = "OK", payload = FILM } },
          expect = { id = "req-1", status = "COMPLETED", output = FILM } },
        { call = "hook",
          event = { verified = false, headers = {}, json = { request_id = "req-1", status = "OK", payload = FILM } },
          expect = null },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", status = "ERROR", error = "Invalid status code: 422",
                             payload = REFUSED } },
          expect = { id = "req-1",
                     error = { code = "content_policy_violation", retryable = false, taken = true, scope = "request",
                               detail = "webhook: HTTP 422, content_policy_violation: prompt: Refused" } } },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", status = "ERROR", error = "Invalid status code: 504",
                             payload = { detail = { { loc = { "body" }, msg = "Slow", type = "generation_timeout" } } } } },
          expect = null },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", status = "ERROR", error = "Invalid status code: 500",
                             payload = null } },
          expect = null },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", status = "OK", payload = null, payload_error = "not JSON" } },
          expect = null },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { request_id = "req-1", status = "OK", payload = { images = array{} } } },
          expect = null },
        { call = "hook", event = { verified = true, headers = {}, text = "hello" },
          expect = null },

        -- refused submissions
        { call = "failure",
          reply = { status = 422, headers = {},
                    json = { detail = { { loc = { "body", "duration" }, msg = "Too long", type = "value_error" } } } },
          expect = { code = "invalid_parameters", message = "duration: Too long", retryable = false, taken = false,
                     scope = "request", detail = "submission: HTTP 422, value_error: duration: Too long" } },
        { call = "failure", reply = { status = 401, headers = {}, json = { detail = "Cannot access application" } },
          expect = { code = "service_error", retryable = false, taken = false, scope = "key",
                     detail = "submission: HTTP 401, no type: Cannot access application" } },
        { call = "failure",
          reply = { status = 403, headers = {}, json = { detail = "User is locked. Reason: Exhausted balance." } },
          expect = { code = "quota_exceeded", retryable = false, taken = false, scope = "account",
                     detail = "submission: HTTP 403, no type: User is locked. Reason: Exhausted balance." } },
        { call = "failure", reply = { status = 404, headers = {}, json = { detail = "Application 'x' not found" } },
          expect = { code = "service_unavailable", message = NO_MODEL, retryable = false, taken = false, scope = "route",
                     detail = "submission: HTTP 404, no type: Application 'x' not found" } },
        { call = "failure",
          reply = { status = 429, headers = { ["x-fal-needs-retry"] = "1" },
                    json = { detail = "Too many", error_type = "concurrent_requests_limit" } },
          expect = { code = "resource_exhausted", retryable = true, taken = false, scope = "capacity",
                     detail = "submission: HTTP 429, concurrent_requests_limit: Too many" } },
        { call = "failure", reply = { status = 503, headers = {}, json = { detail = "Down" } },
          expect = { code = "service_unavailable", retryable = true, taken = false, scope = "provider",
                     detail = "submission: HTTP 503, no type: Down" } },
        -- A gateway's page instead of JSON: nobody knows what happened behind it.
        { call = "failure", reply = { status = 502, headers = {}, text = "<html>Bad gateway</html>" },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "submission: HTTP 502, no type: no words" } },
        { call = "failure", reply = { status = 500, headers = {}, json = { detail = "?" } },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "submission: HTTP 500, no type: ?" } },
        { call = "failure",
          reply = { status = 504, headers = { ["x-fal-request-timeout-type"] = "user",
                                              ["x-fal-error-type"] = "request_timeout" },
                    json = { detail = "Timed out" } },
          expect = { code = "generation_timeout", retryable = false, taken = true, scope = "capacity",
                     detail = "submission: HTTP 504, request_timeout: Timed out" } },

        -- answers to questions that are no 2xx: the model's own errors end the job, whatever their status
        { call = "failure", job = FETCHING,
          reply = { status = 422, headers = { ["x-fal-retryable"] = "false" }, json = REFUSED },
          expect = { code = "content_policy_violation", retryable = false, taken = true, scope = "request",
                     again = false, detail = "result: HTTP 422, content_policy_violation: prompt: Refused" } },
        { call = "failure", job = FETCHING,
          reply = { status = 500, headers = { ["x-fal-retryable"] = "true" },
                    json = { detail = { { loc = { "body" }, msg = "Broken", type = "downstream_service_error" } } } },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider", again = false,
                     detail = "result: HTTP 500, downstream_service_error: Broken" } },
        { call = "failure", job = FETCHING,
          reply = { status = 504, headers = { ["x-fal-retryable"] = "false" },
                    json = { detail = { { loc = { "body" }, msg = "Slow", type = "generation_timeout" } } } },
          expect = { code = "generation_timeout", retryable = false, taken = true, scope = "provider", again = false,
                     detail = "result: HTTP 504, generation_timeout: Slow" } },
        -- of a job that has failed whatever comes
        { call = "failure", job = FAILED, reply = { status = 422, headers = {}, json = REFUSED },
          expect = { code = "content_policy_violation", retryable = false, taken = true, scope = "request",
                     again = false, detail = "result: HTTP 422, content_policy_violation: prompt: Refused" } },
        { call = "failure", job = FAILED, reply = { status = 502, headers = {}, text = "<html></html>" },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider", again = false,
                     detail = "result: HTTP 502, no type: no words" } },
        { call = "failure", job = FAILED, reply = { status = 404, headers = {}, json = { detail = "Not found" } },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider", again = false,
                     detail = "result: HTTP 404, no type: Not found" } },
        -- a model's own, without a type
        { call = "failure", job = FETCHING,
          reply = { status = 500, headers = { ["x-fal-retryable"] = "false" }, json = { detail = "Internal Server Error" } },
          expect = { code = "service_error", retryable = false, taken = true, scope = "provider", again = false,
                     detail = "result: HTTP 500, no type: Internal Server Error" } },
        { call = "failure", job = FETCHING,
          reply = { status = 404, headers = { ["x-fal-retryable"] = "false" }, json = { detail = "No such voice" } },
          expect = { code = "resource_not_found", retryable = false, taken = true, scope = "request", again = false,
                     detail = "result: HTTP 404, no type: No such voice" } },
        { call = "failure", job = FETCHING,
          reply = { status = 429, headers = { ["x-fal-needs-retry"] = "1" }, json = { detail = "Too many" } },
          expect = { code = "resource_exhausted", retryable = true, taken = true, scope = "capacity",
                     detail = "result: HTTP 429, no type: Too many" } },
        { call = "failure", job = JOB,
          reply = { status = 500, headers = { ["x-fal-retryable"] = "true" }, json = { detail = "Internal Server Error" } },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "status: HTTP 500, no type: Internal Server Error" } },
        { call = "failure", job = FETCHING, reply = { status = 502, headers = {}, text = "<html></html>" },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "result: HTTP 502, no type: no words" } },
        { call = "failure", job = FETCHING,
          reply = { status = 400, headers = {}, json = { detail = "Request is still in progress" } },
          expect = { code = "invalid_parameters", message = "Request is still in progress", retryable = false,
                     taken = true, scope = "request", again = true,
                     detail = "result: HTTP 400, no type: Request is still in progress" } },
        { call = "failure", job = FETCHING, reply = { status = 404, headers = {}, json = { detail = "Not found" } },
          expect = { code = "resource_not_found", message = GONE, retryable = false, taken = true, scope = "request",
                     again = false, detail = "result: HTTP 404, no type: Not found" } },
        { call = "failure", job = JOB, reply = { status = 404, headers = {}, json = { status = "NOT_FOUND" } },
          expect = { code = "resource_not_found", message = UNKNOWN,
                     retryable = false, taken = true, scope = "request", again = false,
                     detail = "status: HTTP 404, no type: no words" } },
        { call = "failure", job = JOB,
          reply = { status = 503, headers = {}, json = { detail = "Busy", error_type = "internal_error" } },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "status: HTTP 503, internal_error: Busy" } },
    },
}
