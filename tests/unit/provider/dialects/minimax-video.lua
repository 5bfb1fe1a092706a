-- MiniMax videos: success is base_resp's code, whatever HTTP says; what a finished job has is the id of a file, whose
-- URL is one question more; a callback is first tried with a challenge that wants to be echoed.

local SCOPES = {
    [1002] = { "resource_exhausted", "capacity" }, [1004] = { "service_error", "key" },
    [1008] = { "quota_exceeded", "account" }, [1026] = { "content_policy_violation", "request" },
    [1027] = { "content_policy_violation", "request" }, [2013] = { "invalid_parameters", "request" },
    [2049] = { "service_error", "key" }, [2056] = { "quota_exceeded", "account" },
}

-- `asking`: a question failed; a code that passes says nothing about the job.
local function refusal(body, asking)
    local code = body.base_resp and body.base_resp.status_code or 0
    if code == 0 then
        return nil
    end
    local row = SCOPES[code] or { "service_error", "provider" }
    local passes = row[2] == "provider" or row[2] == "capacity"
    return { error = { code = row[1], scope = row[2], taken = asking, again = asking and passes,
                       detail = string.format("%d: %s", code, body.base_resp.status_msg) } }
end

local OK = { status_code = 0, status_msg = "success" }

return {
    url = "https://api.minimax.io",
    urls = { china = "https://api.minimaxi.com" },
    statuses = { Preparing = "pending", Queueing = "pending", Processing = "processing", Success = "completed",
                 Fail = "failed" },

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task)
        local body = { callback_url = task.callback_url }
        for name, value in pairs(task.input) do body[name] = value end
        return { post = "/v1/video_generation", json = body }
    end,
    accepted = function(reply) return refusal(reply.json, false) or { id = reply.json.task_id,
                                                                      status = "Queueing" } end,

    poll = function(job) return { get = "/v1/query/video_generation", query = { task_id = job.id } } end,
    polled = function(reply)
        local body = reply.json
        if body.status ~= "Success" then
            return refusal(body, true) or { status = body.status }
        end
        return { status = "Success", step = "file",
                 next = { get = "/v1/files/retrieve", query = { file_id = body.file_id } } }
    end,
    output = function(reply)
        return refusal(reply.json, true) or { output = { video = { url = reply.json.file.download_url } } }
    end,

    hook = function(event)
        if event.json.challenge then
            return { reply = { challenge = event.json.challenge } }
        end
        return nil
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit", task = { input = { model = "h", prompt = "x" }, callback_url = "https://u.example.com/h" },
          expect = { post = "/v1/video_generation",
                     json = { model = "h", prompt = "x", callback_url = "https://u.example.com/h" } } },
        -- An id that a floating-point number could not hold.
        { call = "accepted",
          reply = { status = 200, headers = {}, json = { task_id = 9007199254740993, base_resp = OK } },
          expect = { id = 9007199254740993, status = "Queueing" } },
        { call = "accepted",
          reply = { status = 200, headers = {},
                    json = { task_id = "",
                             base_resp = { status_code = 1008, status_msg = "insufficient balance" } } },
          expect = { error = { code = "quota_exceeded", scope = "account", taken = false, again = false,
                               detail = "1008: insufficient balance" } } },
        { call = "poll", job = { id = "9007199254740993" },
          expect = { get = "/v1/query/video_generation", query = { task_id = "9007199254740993" } } },
        { call = "polled", job = { id = "1" },
          reply = { status = 200, headers = {}, json = { status = "Preparing", base_resp = OK } },
          expect = { status = "Preparing" } },
        { call = "polled", job = { id = "1" },
          reply = { status = 200, headers = {},
                    json = { status = "Success", file_id = 205258526306433, base_resp = OK } },
          expect = { status = "Success", step = "file",
                     next = { get = "/v1/files/retrieve", query = { file_id = 205258526306433 } } } },
        { call = "polled", job = { id = "1" },
          reply = { status = 200, headers = {},
                    json = { status = "Fail", base_resp = { status_code = 1027, status_msg = "output sensitive" } } },
          expect = { error = { code = "content_policy_violation", scope = "request", taken = true, again = false,
                               detail = "1027: output sensitive" } } },
        { call = "output", job = { id = "1", step = "file" },
          reply = { status = 200, headers = {}, json = { base_resp = { status_code = 1000, status_msg = "later" } } },
          expect = { error = { code = "service_error", scope = "provider", taken = true, again = true,
                               detail = "1000: later" } } },
        { call = "output", job = { id = "1", step = "file" },
          reply = { status = 200, headers = {},
                    json = { file = { download_url = "https://cdn/v.mp4" }, base_resp = OK } },
          expect = { output = { video = { url = "https://cdn/v.mp4" } } } },
        { call = "hook", event = { verified = false, headers = {}, json = { challenge = "c-1" } },
          expect = { reply = { challenge = "c-1" } } },
        { call = "hook", event = { verified = false, headers = {}, json = { task_id = "1", status = "Success" } },
          expect = null },
    },
}
