-- fal: a queue in front of many models. A job is submitted to the model's full name; where to ask, fetch and cancel is
-- in the answer and followed as given. COMPLETED says only that the job has ended: the model's own success or error is
-- in the status, or in the answer to fetching the result.

-- The service's words for what went wrong, in ours.
local CODES = {
    content_policy_violation = "content_policy_violation",
    image_load_error = "image_processing_error",
    file_download_error = "image_processing_error",
    image_too_small = "image_dimension_mismatch",
    image_too_large = "image_dimension_mismatch",
    no_media_generated = "generation_failed_no_content",
    generation_timeout = "generation_timeout",
    downstream_service_error = "service_error",
    downstream_service_unavailable = "service_unavailable",
    internal_server_error = "service_error",
    internal_error = "service_error",
    concurrent_requests_limit = "resource_exhausted",
    request_timeout = "generation_timeout",
    startup_timeout = "service_unavailable",
    runner_scheduling_failure = "service_unavailable",
    runner_connection_timeout = "service_unavailable",
    runner_connection_refused = "service_unavailable",
    runner_connection_error = "service_unavailable",
    runner_disconnected = "service_unavailable",
    runner_incomplete_response = "service_error",
    runner_server_error = "service_error",
    client_cancelled = "request_cancelled",
    bad_request = "invalid_parameters",
}

local BY_STATUS = {
    [400] = "invalid_parameters", [401] = "service_error", [402] = "quota_exceeded", [403] = "service_error",
    [404] = "resource_not_found", [422] = "invalid_parameters", [429] = "resource_exhausted",
    [500] = "service_error", [502] = "service_error", [503] = "service_unavailable", [504] = "generation_timeout",
}

-- What may be shown to the person who sent the task: only faults in what was sent.
local SHOWN = { invalid_parameters = true, image_processing_error = true, image_dimension_mismatch = true }

-- Type, field and words of an error body: `detail` is a list of findings, or one text.
local function findings(body)
    local detail = body.detail
    if type(detail) == "string" then
        return body.error_type, detail
    end
    local first = type(detail) == "table" and detail[1]
    if type(first) ~= "table" then
        return body.error_type, body.error
    end
    local place = type(first.loc) == "table" and first.loc[#first.loc]
    local words = tostring(first.msg)
    return first.type, type(place) == "string" and place ~= "body" and place .. ": " .. words or words
end

local function has_text(value)
    return type(value) == "string" and value ~= ""
end

local function failure_of(status, headers, body, submitted)
    local kind, words = findings(body)
    local code = CODES[kind] or BY_STATUS[status] or (status >= 500 and "service_error" or "generation_failed")
    local lower = has_text(words) and words:lower() or ""
    if (status == 402 or status == 403) and (lower:find("balance", 1, true) or lower:find("locked", 1, true)) then
        code = "quota_exceeded"
    end
    local hint = headers["x-fal-retryable"] or headers["x-fal-needs-retry"]
    local retryable = status == 429 or status >= 500
    if hint then
        retryable = hint == "true" or hint == "1"
    elseif headers["x-fal-request-timeout-type"] == "user" then
        retryable = false
    end
    return {
        code = code,
        message = SHOWN[code] and has_text(words) and words or nil,
        detail = string.format("HTTP %d, %s: %s", status, tostring(kind or "no type"),
                               has_text(words) and words or "no words"),
        retryable = retryable,
        taken = submitted or status >= 500,
    }
end

local QUEUE = "https://queue.fal.run/fal-ai/patina/requests/req-1"
local PLACES = { status_url = QUEUE .. "/status", response_url = QUEUE, cancel_url = QUEUE .. "/cancel" }
local JOB = { id = "req-1", state = PLACES }

return {
    url = "https://queue.fal.run",
    hosts = { "*.fal.run", "*.falrun.com", "*.fal.media" },
    statuses = { IN_QUEUE = "pending", IN_PROGRESS = "processing", COMPLETED = "completed" },
    signature = { scheme = "ed25519", jwks = "https://rest.fal.ai/.well-known/jwks.json", header = "x-fal-webhook" },
    poll_min = 0.5,
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

    accepted = function(reply)
        local body = reply.json or {}
        if not has_text(body.request_id) then
            return { error = { code = "service_error", detail = "the answer to a submission has no request_id" } }
        end
        return {
            id = body.request_id,
            status = body.status or "IN_QUEUE",
            state = { status_url = body.status_url, response_url = body.response_url, cancel_url = body.cancel_url },
        }
    end,

    poll = function(job)
        return { get = job.state.status_url }
    end,

    polled = function(reply, job)
        local body = reply.json or {}
        if body.status ~= "COMPLETED" then
            return { status = body.status or "IN_PROGRESS" }
        end
        if body.error and body.error ~= null then
            return { error = failure_of(500, {}, { error_type = body.error_type, error = body.error }, true) }
        end
        return { status = "COMPLETED", next = { get = job.state.response_url } }
    end,

    output = function(reply)
        if type(reply.json) ~= "table" then
            return { error = { code = "generation_failed_no_content", detail = "the result is not JSON" } }
        end
        return { output = reply.json, cost = reply.headers["x-fal-billable-units"] }
    end,

    cancel = function(job)
        return { put = job.state.cancel_url }
    end,

    -- A hint to look at once; what it claims is read from the queue itself.
    hook = function(event)
        return { id = event.json.request_id, status = "IN_PROGRESS" }
    end,

    failure = function(reply, job)
        local body = type(reply.json) == "table" and reply.json or {}
        return failure_of(reply.status, reply.headers or {}, body, job ~= nil)
    end,

    samples = {
        { call = "auth", key = "fake-id:fake-secret", expect = { Authorization = "Key fake-id:fake-secret" } },
        { call = "submit",
          task = { target = "bytedance/seedance-2.0/text-to-video", input = { prompt = "x", duration = "auto" } },
          expect = { post = "/bytedance/seedance-2.0/text-to-video", headers = { ["X-Fal-Queue-Priority"] = "normal" },
                     json = { prompt = "x", duration = "auto" } } },
        { call = "submit",
          task = { target = "fal-ai/patina", input = {}, callback_url = "https://media.example.com/h?x=1" },
          expect = { post = "/fal-ai/patina", query = { fal_webhook = "https://media.example.com/h?x=1" },
                     headers = { ["X-Fal-Queue-Priority"] = "normal" }, json = {} } },
        { call = "accepted",
          reply = { status = 200, headers = {},
                    json = { status = "IN_QUEUE", request_id = "req-1", queue_position = 3,
                             response_url = PLACES.response_url, status_url = PLACES.status_url,
                             cancel_url = PLACES.cancel_url } },
          expect = { id = "req-1", status = "IN_QUEUE", state = PLACES } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { detail = "?" } },
          expect = { error = { code = "service_error", detail = "the answer to a submission has no request_id" } } },
        { call = "poll", job = JOB, expect = { get = PLACES.status_url } },
        { call = "polled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "IN_QUEUE", queue_position = 1 } },
          expect = { status = "IN_QUEUE" } },
        { call = "polled", job = JOB,
          reply = { status = 202, headers = {}, json = { status = "IN_PROGRESS", logs = array{} } },
          expect = { status = "IN_PROGRESS" } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", logs = array{} } },
          expect = { status = "COMPLETED", next = { get = PLACES.response_url } } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { status = "COMPLETED", error = "the runner died",
                                                         error_type = "runner_disconnected" } },
          expect = { error = { code = "service_unavailable", detail = "HTTP 500, runner_disconnected: the runner died",
                               retryable = true, taken = true } } },
        { call = "output", job = JOB,
          reply = { status = 200, headers = { ["x-fal-billable-units"] = "5" },
                    json = { video = { url = "https://v3b.fal.media/files/b/x/y.mp4" }, seed = 42 } },
          expect = { output = { video = { url = "https://v3b.fal.media/files/b/x/y.mp4" }, seed = 42 }, cost = "5" } },
        { call = "output", job = JOB, reply = { status = 200, headers = {}, text = "not JSON" },
          expect = { error = { code = "generation_failed_no_content", detail = "the result is not JSON" } } },
        { call = "cancel", job = JOB, expect = { put = PLACES.cancel_url } },
        { call = "hook", event = { headers = {}, json = { request_id = "req-1", status = "OK", payload = {} } },
          expect = { id = "req-1", status = "IN_PROGRESS" } },
        { call = "failure", job = JOB,
          reply = { status = 422, headers = { ["x-fal-retryable"] = "false" },
                    json = { detail = { { loc = { "body", "prompt" }, msg = "Refused",
                                          type = "content_policy_violation" } } } },
          expect = { code = "content_policy_violation", detail = "HTTP 422, content_policy_violation: prompt: Refused",
                     retryable = false, taken = true } },
        { call = "failure",
          reply = { status = 422, headers = {},
                    json = { detail = { { loc = { "body", "duration" }, msg = "Too long", type = "value_error" } } } },
          expect = { code = "invalid_parameters", message = "duration: Too long",
                     detail = "HTTP 422, value_error: duration: Too long", retryable = false, taken = false } },
        { call = "failure", reply = { status = 401, headers = {}, json = { detail = "Cannot access application" } },
          expect = { code = "service_error", detail = "HTTP 401, no type: Cannot access application", retryable = false,
                     taken = false } },
        { call = "failure",
          reply = { status = 403, headers = {}, json = { detail = "User is locked. Reason: Exhausted balance." } },
          expect = { code = "quota_exceeded", detail = "HTTP 403, no type: User is locked. Reason: Exhausted balance.",
                     retryable = false, taken = false } },
        { call = "failure",
          reply = { status = 429, headers = {},
                    json = { detail = "Too many", error_type = "concurrent_requests_limit" } },
          expect = { code = "resource_exhausted", detail = "HTTP 429, concurrent_requests_limit: Too many",
                     retryable = true, taken = false } },
        { call = "failure", reply = { status = 504, headers = { ["x-fal-request-timeout-type"] = "user" },
                                      json = { detail = "Timed out", error_type = "request_timeout" } },
          expect = { code = "generation_timeout", detail = "HTTP 504, request_timeout: Timed out", retryable = false,
                     taken = true } },
        -- A gateway's page instead of JSON: nobody knows what happened behind it.
        { call = "failure", reply = { status = 502, headers = {}, text = "<html>Bad gateway</html>" },
          expect = { code = "service_error", detail = "HTTP 502, no type: no words", retryable = true, taken = true } },
    },
}
