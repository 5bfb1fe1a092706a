-- The video dialect of the OpenAI API. Its origin has withdrawn it; gateways still speak it, so point
-- providers["openai-videos"].url at one. A route's target is the path to post to; its field
-- files = { video = "video_url" } names the parts that are files and the parameters that they come from, and makes the
-- body multipart instead of JSON; a route that has files and no such field says inputs = "links".

-- The service's words for what went wrong, in ours, and whose fault that is.
local CODES = {
    content_policy_violation = { "content_policy_violation", "request" },
    moderation_blocked = { "content_policy_violation", "request" },
    invalid_value = { "invalid_parameters", "request" },
    invalid_image = { "image_processing_error", "request" },
    invalid_api_key = { "service_error", "key" },
    authentication_error = { "service_error", "key" },
    permission_error = { "service_error", "key" },
    insufficient_quota = { "quota_exceeded", "account" },
    billing_hard_limit_reached = { "quota_exceeded", "account" },
    rate_limit_exceeded = { "resource_exhausted", "capacity" },
    rate_limit_error = { "resource_exhausted", "capacity" },
    server_error = { "service_error", "provider" },
    video_generation_failed = { "generation_failed", "request" },
}

local BY_STATUS = {
    [400] = { "invalid_parameters", "request" }, [401] = { "service_error", "key" },
    [402] = { "quota_exceeded", "account" }, [403] = { "service_error", "key" },
    [404] = { "resource_not_found", "request" }, [413] = { "invalid_parameters", "request" },
    [422] = { "invalid_parameters", "request" }, [429] = { "resource_exhausted", "capacity" },
    [503] = { "service_unavailable", "provider" },
}

local SHOWN = { invalid_parameters = true, image_processing_error = true }

local function text(value)
    return type(value) == "string" and value ~= "" and value or nil
end

local function table_of(value)
    return type(value) == "table" and value or {}
end

-- A model or a path that is not there before there is a job is the route's matter, and neither the sender's nor a key's.
local NOT_THERE = { "service_unavailable", "route", "The service behind this model does not have it." }

-- The type that is said of all that is refused, also of keys and paths: a status that tells goes before it.
local LOOSE = { invalid_request_error = { "invalid_parameters", "request" } }

-- Gateways that number their jobs do so in integers.
local function id_of(body)
    return text(body.id) or (math.type(body.id) == "integer" and tostring(body.id)) or nil
end

-- `status` is HTTP's, or 0 when the body of a good answer says that the job failed, or was refused: what the service
-- blames on itself may have been made all the same.
local function failure_of(status, headers, err, job)
    err = table_of(err)
    local code, kind, words = text(err.code), text(err.type), text(err.message)
    local not_there = not job and (status == 404 or code == "model_not_found")
    local meaning = not_there and NOT_THERE or CODES[code] or CODES[kind] or BY_STATUS[status]
        or (status == 0 and (LOOSE[code] or LOOSE[kind] or { "generation_failed", "request" }))
        or { "service_error", "provider" }
    local retryable = status == 429 or status >= 500 or status == 0 and meaning[2] ~= "request"
    if headers["x-should-retry"] then
        retryable = headers["x-should-retry"] == "true"
    end
    return {
        code = meaning[1],
        message = meaning[3] or SHOWN[meaning[1]] and words or nil,
        detail = string.format("%s, %s: %s", status == 0 and "failed" or "HTTP " .. status, code or kind or "no code",
                               words or "no words"),
        retryable = retryable and meaning[2] ~= "account",
        taken = job ~= nil or status == 408 or (status >= 500 and status ~= 503)
            or (status == 0 and meaning[2] == "provider"),
        scope = meaning[2],
    }
end

-- Every value of a form is text.
local function parts_of(input, files)
    local parts, names, from_file = array{}, {}, {}
    for name, param in pairs(files) do
        names[#names + 1] = name
        from_file[param] = true
    end
    for name in pairs(input) do
        if not from_file[name] then
            names[#names + 1] = name
        end
    end
    table.sort(names)
    for i, name in ipairs(names) do
        if files[name] then
            parts[i] = { name = name, file = files[name] }
        else
            local value = input[name]
            parts[i] = { name = name, value = type(value) == "table" and to_json(value) or tostring(value) }
        end
    end
    return parts
end

-- What one object says: a character is there at once, a video when its status says so.
local function step_of(body, job)
    local state = job.state
    if state.path == "/videos/characters" then
        return { status = "completed", output = { id = body.id, name = body.name }, progress = 100 }
    end
    if body.status == "failed" or (body.error and body.error ~= null) then
        return { error = failure_of(0, {}, body.error, job) }
    end
    local step = { status = text(body.status) or "in_progress", progress = tonumber(body.progress) }
    if body.status == "completed" then
        -- The film itself is behind the key.
        step.output = { id = body.id, seconds = body.seconds, size = body.size,
                        video = { url = job.url .. "/videos/" .. url_encode(body.id) .. "/content", auth = true } }
    end
    return step
end

local GATEWAY = "https://gateway.example.com/v1"
local FILM = { id = "video_1", url = GATEWAY, state = { path = "/videos" } }
local CHARACTER = { id = "char_1", url = GATEWAY, state = { path = "/videos/characters" } }

return {
    url = "https://api.openai.com/v1",
    statuses = { queued = "pending", in_progress = "processing" },
    inputs = "files",
    poll_first = 2,
    poll_min = 2,
    poll_factor = 1.2,
    poll_max = 10,
    concurrency = 100,

    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,

    submit = function(task)
        -- A character is made while one waits.
        local request = { post = task.target, timeout = task.target == "/videos/characters" and 600 or nil }
        if task.route.files then
            request.multipart = parts_of(task.input, task.route.files)
        else
            request.json = task.input
        end
        return request
    end,

    accepted = function(reply, job)
        local body = table_of(reply.json)
        body.id = id_of(body)
        if not body.id and next(table_of(body.error)) then
            return { error = failure_of(0, {}, body.error) }
        end
        if not body.id then
            return { error = { code = "service_error", detail = "the answer to a submission has no id" } }
        end
        local path = job.task.target:match("^/videos/characters$") or "/videos"
        local step = step_of(body, { id = body.id, url = job.url, state = { path = path } })
        step.id, step.state = body.id, { path = path }
        return step
    end,

    poll = function(job)
        return { get = job.state.path .. "/" .. url_encode(job.id) }
    end,

    polled = function(reply, job)
        local body = table_of(reply.json)
        body.id = job.id
        return step_of(body, job)
    end,

    failure = function(reply, job)
        return failure_of(reply.status, reply.headers or {}, table_of(reply.json).error, job and job.id and job)
    end,

    samples = {
        { call = "auth", key = "sk-fake", expect = { Authorization = "Bearer sk-fake" } },
        { call = "submit",
          task = { target = "/videos", route = {}, input = { model = "sora-2", prompt = "x", seconds = "4" } },
          expect = { post = "/videos", json = { model = "sora-2", prompt = "x", seconds = "4" } } },
        { call = "submit",
          task = { target = "/videos", route = { files = { input_reference = "image_url" } },
                   input = { model = "sora-2", prompt = "x", seconds = 4, image_url = "https://u.example.com/a.png" } },
          expect = { post = "/videos",
                     multipart = { { name = "input_reference", file = "image_url" },
                                   { name = "model", value = "sora-2" }, { name = "prompt", value = "x" },
                                   { name = "seconds", value = "4" } } } },
        { call = "submit",
          task = { target = "/videos/characters", route = { files = { video = "video_url" } },
                   input = { name = "Foxy", video_url = "https://cdn.example.com/a.mp4" } },
          expect = { post = "/videos/characters", timeout = 600,
                     multipart = { { name = "name", value = "Foxy" }, { name = "video", file = "video_url" } } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos" } },
          reply = { status = 200, headers = {},
                    json = { id = "video_1", object = "video", status = "queued", progress = 0, error = null } },
          expect = { id = "video_1", status = "queued", progress = 0, state = { path = "/videos" } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos" } },
          reply = { status = 200, headers = {}, json = { id = 9007199254740993, status = "queued" } },
          expect = { id = "9007199254740993", status = "queued", state = { path = "/videos" } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos" } },
          reply = { status = 200, headers = {}, json = { error = { code = "insufficient_quota", message = "No money" } } },
          expect = { error = { code = "quota_exceeded", retryable = false, taken = false, scope = "account",
                               detail = "failed, insufficient_quota: No money" } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos" } },
          reply = { status = 200, headers = {}, json = { error = { code = "server_error", message = "Oops" } } },
          expect = { error = { code = "service_error", retryable = true, taken = true, scope = "provider",
                               detail = "failed, server_error: Oops" } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos/characters" } },
          reply = { status = 200, headers = {}, json = { id = "char_1", name = "Foxy", created_at = 1781080794 } },
          expect = { id = "char_1", status = "completed", progress = 100, output = { id = "char_1", name = "Foxy" },
                     state = { path = "/videos/characters" } } },
        { call = "accepted", job = { url = GATEWAY, task = { target = "/videos" } },
          reply = { status = 200, headers = {}, json = { object = "video" } },
          expect = { error = { code = "service_error", detail = "the answer to a submission has no id" } } },
        { call = "poll", job = FILM, expect = { get = "/videos/video_1" } },
        { call = "poll", job = CHARACTER, expect = { get = "/videos/characters/char_1" } },
        { call = "polled", job = FILM,
          reply = { status = 200, headers = {}, json = { id = "video_1", status = "in_progress", progress = 42 } },
          expect = { status = "in_progress", progress = 42 } },
        { call = "polled", job = FILM,
          reply = { status = 200, headers = {}, json = { id = "video_1", status = "completed", progress = 100,
                                                         seconds = "4", size = "1280x720", error = null } },
          expect = { status = "completed", progress = 100,
                     output = { id = "video_1", seconds = "4", size = "1280x720",
                                video = { url = GATEWAY .. "/videos/video_1/content", auth = true } } } },
        { call = "polled", job = FILM,
          reply = { status = 200, headers = {},
                    json = { id = "video_1", status = "failed", progress = 80,
                             error = { code = "moderation_blocked", message = "Blocked by our moderation system." } } },
          expect = { error = { code = "content_policy_violation", retryable = false, taken = true, scope = "request",
                               detail = "failed, moderation_blocked: Blocked by our moderation system." } } },
        { call = "polled", job = FILM,
          reply = { status = 200, headers = {}, json = { id = "video_1", status = "failed", error = null } },
          expect = { error = { code = "generation_failed", retryable = false, taken = true, scope = "request",
                               detail = "failed, no code: no words" } } },
        -- An empty or foreign body of a good answer tells nothing: it is asked again.
        { call = "polled", job = FILM, reply = { status = 200, headers = {}, text = "" },
          expect = { status = "in_progress" } },
        { call = "polled", job = CHARACTER,
          reply = { status = 200, headers = {}, json = { id = "char_1", name = "Foxy" } },
          expect = { status = "completed", progress = 100, output = { id = "char_1", name = "Foxy" } } },
        { call = "failure",
          reply = { status = 400, headers = {},
                    json = { error = { message = "seconds must be 4, 8 or 12", type = "invalid_request_error",
                                       param = "seconds", code = "invalid_value" } } },
          expect = { code = "invalid_parameters", message = "seconds must be 4, 8 or 12", retryable = false,
                     taken = false, scope = "request",
                     detail = "HTTP 400, invalid_value: seconds must be 4, 8 or 12" } },
        { call = "failure",
          reply = { status = 400, headers = {},
                    json = { error = { message = "Unknown parameter", type = "invalid_request_error", code = null } } },
          expect = { code = "invalid_parameters", message = "Unknown parameter", retryable = false, taken = false,
                     scope = "request", detail = "HTTP 400, invalid_request_error: Unknown parameter" } },
        -- What is so called need not be the request's fault.
        { call = "failure",
          reply = { status = 403, headers = {},
                    json = { error = { message = "Project x has no access", type = "invalid_request_error", code = null } } },
          expect = { code = "service_error", retryable = false, taken = false, scope = "key",
                     detail = "HTTP 403, invalid_request_error: Project x has no access" } },
        { call = "failure",
          reply = { status = 404, headers = {},
                    json = { error = { message = "Invalid URL", type = "invalid_request_error", code = null } } },
          expect = { code = "service_unavailable", message = "The service behind this model does not have it.",
                     retryable = false, taken = false, scope = "route",
                     detail = "HTTP 404, invalid_request_error: Invalid URL" } },
        { call = "failure",
          reply = { status = 429, headers = {},
                    json = { error = { message = "Slow down", type = "invalid_request_error", code = null } } },
          expect = { code = "resource_exhausted", retryable = true, taken = false, scope = "capacity",
                     detail = "HTTP 429, invalid_request_error: Slow down" } },
        { call = "polled", job = FILM,
          reply = { status = 200, headers = {},
                    json = { id = "video_1", status = "failed",
                             error = { type = "invalid_request_error", message = "Too short" } } },
          expect = { error = { code = "invalid_parameters", message = "Too short", retryable = false, taken = true,
                               scope = "request", detail = "failed, invalid_request_error: Too short" } } },
        -- 429 has two meanings; waiting does not fill an account.
        { call = "failure",
          reply = { status = 429, headers = {},
                    json = { error = { code = "insufficient_quota", message = "No money" } } },
          expect = { code = "quota_exceeded", retryable = false, taken = false, scope = "account",
                     detail = "HTTP 429, insufficient_quota: No money" } },
        { call = "failure",
          reply = { status = 429, headers = {}, json = { error = { code = "rate_limit_exceeded", message = "Slow" } } },
          expect = { code = "resource_exhausted", retryable = true, taken = false, scope = "capacity",
                     detail = "HTTP 429, rate_limit_exceeded: Slow" } },
        { call = "failure",
          reply = { status = 403, headers = {}, json = { error = { code = "model_not_found", message = "Not open" } } },
          expect = { code = "service_unavailable", message = "The service behind this model does not have it.",
                     retryable = false, taken = false, scope = "route", detail = "HTTP 403, model_not_found: Not open" } },
        { call = "failure", reply = { status = 401, headers = {}, json = { error = { code = "invalid_api_key" } } },
          expect = { code = "service_error", retryable = false, taken = false, scope = "key",
                     detail = "HTTP 401, invalid_api_key: no words" } },
        { call = "failure", reply = { status = 502, headers = {}, text = "<html>Bad gateway</html>" },
          expect = { code = "service_error", retryable = true, taken = true, scope = "provider",
                     detail = "HTTP 502, no code: no words" } },
        { call = "failure", reply = { status = 503, headers = { ["x-should-retry"] = "false" }, text = "down" },
          expect = { code = "service_unavailable", retryable = false, taken = false, scope = "provider",
                     detail = "HTTP 503, no code: no words" } },
        { call = "failure", reply = { status = 404, headers = {}, text = "404 page not found" },
          expect = { code = "service_unavailable", message = "The service behind this model does not have it.",
                     retryable = false, taken = false, scope = "route",
                     detail = "HTTP 404, no code: no words" } },
        { call = "failure", job = FILM,
          reply = { status = 404, headers = {}, json = { error = { message = "Not found" } } },
          expect = { code = "resource_not_found", retryable = false, taken = true, scope = "request",
                     detail = "HTTP 404, no code: Not found" } },
    },
}
