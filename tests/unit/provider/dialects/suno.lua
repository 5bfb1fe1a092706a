-- A Suno-like service: code 200 in the body or it failed; a callback a stage, of which only the last one ends
-- anything; the signature does not cover the callback's body, so it is never believed. Names differ between poll and
-- callback.

-- Of a submission: nothing was made. Of a question: it failed, and nothing is said about the job.
local function refused(body, asking)
    return body.code ~= 200 and { error = { code = body.code == 429 and "quota_exceeded" or "service_error",
                                            taken = asking, again = asking and body.code >= 500,
                                            detail = string.format("%s: %s", body.code, body.msg) } }
end

local STAGES = { text = "TEXT_SUCCESS", first = "FIRST_SUCCESS" }

return {
    url = "https://api.kie.ai",
    statuses = { PENDING = "pending", TEXT_SUCCESS = "processing", FIRST_SUCCESS = "processing",
                 SUCCESS = "completed",
                 CREATE_TASK_FAILED = "failed", GENERATE_AUDIO_FAILED = "failed", CALLBACK_EXCEPTION = "failed" },
    signature = { scheme = "keyed", header = "x-webhook", member = "data.task_id" },

    auth = function(key) return { Authorization = "Bearer " .. key } end,
    submit = function(task)
        local body = { callBackUrl = task.callback_url }
        for name, value in pairs(task.input) do body[name] = value end
        return { post = "/api/v1/generate", json = body }
    end,
    accepted = function(reply) return refused(reply.json, false) or { id = reply.json.data.taskId,
                                                                      status = "PENDING" } end,

    poll = function(job) return { get = "/api/v1/generate/record-info", query = { taskId = job.id } } end,
    polled = function(reply)
        local data = reply.json.data
        if reply.json.code ~= 200 then
            return refused(reply.json, true)
        elseif data.status == "SENSITIVE_WORD_ERROR" then
            return { error = { code = "content_policy_violation", detail = data.errorMessage } }
        end
        return { status = data.status,
                 output = data.status == "SUCCESS" and { tracks = data.response.sunoData } or nil }
    end,

    hook = function(event)
        local data = event.json.data
        local stage = STAGES[data.callbackType]
        return stage and { id = data.task_id, status = stage } or nil
    end,

    samples = {
        { call = "auth", key = "fake", expect = { Authorization = "Bearer fake" } },
        { call = "submit",
          task = { input = { prompt = "x", model = "V4_5" }, callback_url = "https://u.example.com/h" },
          expect = { post = "/api/v1/generate",
                     json = { prompt = "x", model = "V4_5", callBackUrl = "https://u.example.com/h" } } },
        { call = "accepted",
          reply = { status = 200, headers = {}, json = { code = 200, data = { taskId = "task-1" } } },
          expect = { id = "task-1", status = "PENDING" } },
        { call = "accepted", reply = { status = 200, headers = {}, json = { code = 429, msg = "No credits" } },
          expect = { error = { code = "quota_exceeded", taken = false, again = false,
                               detail = "429: No credits" } } },
        { call = "poll", job = { id = "task-1" },
          expect = { get = "/api/v1/generate/record-info", query = { taskId = "task-1" } } },
        { call = "polled", job = { id = "task-1" },
          reply = { status = 200, headers = {}, json = { code = 531, msg = "Busy" } },
          expect = { error = { code = "service_error", taken = true, again = true, detail = "531: Busy" } } },
        { call = "polled", job = { id = "task-1" },
          reply = { status = 200, headers = {},
                    json = { code = 200, data = { taskId = "task-1", status = "FIRST_SUCCESS" } } },
          expect = { status = "FIRST_SUCCESS" } },
        { call = "polled", job = { id = "task-1" },
          reply = { status = 200, headers = {},
                    json = { code = 200,
                             data = { status = "SUCCESS",
                                      response = { sunoData = { { audioUrl = "https://cdn/1.mp3" },
                                                                { audioUrl = "https://cdn/2.mp3" } } } } } },
          expect = { status = "SUCCESS",
                     output = { tracks = { { audioUrl = "https://cdn/1.mp3" },
                                           { audioUrl = "https://cdn/2.mp3" } } } } },
        { call = "polled", job = { id = "task-1" },
          reply = { status = 200, headers = {},
                    json = { code = 200, data = { status = "SENSITIVE_WORD_ERROR", errorMessage = "bad" } } },
          expect = { error = { code = "content_policy_violation", detail = "bad" } } },
        { call = "hook",
          event = { verified = false, headers = {},
                    json = { code = 200, data = { callbackType = "first", task_id = "task-1" } } },
          expect = { id = "task-1", status = "FIRST_SUCCESS" } },
        { call = "hook",
          event = { verified = false, headers = {},
                    json = { code = 200, data = { callbackType = "complete", task_id = "task-1" } } },
          expect = null },
    },
}
