-- Kling, first generation: a signed token instead of a key, success by a code under HTTP 200, a place to ask that
-- follows from the place of submission, jobs that can be found by an id of ours. `key` is "access key:secret key".

-- 429 says nothing here: three of its codes are about money, one about addresses.
local CODES = {
    [1000] = { "service_error", "key", false }, [1004] = { "service_error", "key", true },
    [1100] = { "quota_exceeded", "account", false }, [1101] = { "quota_exceeded", "account", false },
    [1102] = { "quota_exceeded", "account", false }, [1103] = { "service_error", "key", false },
    [1200] = { "invalid_parameters", "request", false }, [1201] = { "invalid_parameters", "request", false },
    [1301] = { "content_policy_violation", "request", false },
    [1302] = { "resource_exhausted", "capacity", true }, [1303] = { "resource_exhausted", "capacity", true },
    [1304] = { "service_error", "key", false },
    [5000] = { "service_error", "provider", true }, [5001] = { "service_unavailable", "provider", true },
}

-- `asking`: a question failed, which says nothing about the job.
local function failure_of(body, asking)
    local row = CODES[body.code] or { "service_error", "provider", true }
    return { code = row[1], scope = row[2], retryable = row[3], taken = asking, again = asking and row[3],
             delay = body.code == 1303 and 1 or nil,
             detail = string.format("code %s: %s", body.code, body.message) }
end

local function step_of(data)
    if data.task_status == "failed" then
        return { error = { code = "generation_failed", detail = data.task_status_msg } }
    end
    local done = data.task_status == "succeed"
    return { id = data.task_id, status = data.task_status, output = done and data.task_result or nil,
             cost = done and data.final_unit_deduction or nil }
end

local JOB = { id = "880123", state = { path = "/v1/videos/text2video" } }

return {
    url = "https://api-singapore.klingai.com",
    urls = { china = "https://api-beijing.klingai.com" },
    statuses = { submitted = "pending", succeed = "completed" },
    signature = { scheme = "standard" },
    concurrency = 5,

    auth = function(key, now)
        local access, secret = key:match("^(.-):(.*)$")
        -- the order of the documented example
        local claims = string.format('{"iss":"%s","exp":%d,"nbf":%d}', access, now + 1800, now - 5)
        return { Authorization = "Bearer " .. hs256_jwt(claims, secret), lifetime = 1500 }
    end,

    submit = function(task)
        local body = { external_task_id = task.external_id, callback_url = task.callback_url }
        for name, value in pairs(task.input) do body[name] = value end
        return { post = task.target, base = task.route.region, json = body }
    end,
    accepted = function(reply, job)
        if reply.json.code ~= 0 then
            return { error = failure_of(reply.json, false) }
        end
        local step = step_of(reply.json.data)
        step.state = { path = job.task.target }
        return step
    end,

    poll = function(job) return { get = job.state.path .. "/" .. job.id } end,
    polled = function(reply)
        if reply.json.code ~= 0 then
            return { error = failure_of(reply.json, true) }
        end
        return step_of(reply.json.data)
    end,

    lookup = function(task) return { get = task.target .. "/" .. url_encode(task.external_id) } end,
    found = function(reply, task)
        if reply.json.code ~= 0 then
            return nil
        end
        local step = step_of(reply.json.data)
        step.state = { path = task.target }
        return step
    end,

    hook = function(event)
        local step = step_of(event.json)
        step.id = event.json.task_id
        return step
    end,
    failure = function(reply, job) return reply.json and reply.json.code and failure_of(reply.json,
                                                                                        job ~= nil) or nil end,

    samples = {
        { call = "auth", key = "ak-test:sk-test", now = 1781080794,
          expect = { lifetime = 1500,
                     Authorization = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhay10ZXN0Ii"
            .. "wiZXhwIjoxNzgxMDgyNTk0LCJuYmYiOjE3ODEwODA3ODl9.2tVHwipIjN9ZTEArAoWe_4eaxvlc74hIlPMO0cYnyx0" } },
        { call = "submit",
          task = { target = "/v1/videos/text2video", route = { region = "china" }, external_id = "f-1",
                   input = { prompt = "x", duration = "5" } },
          expect = { post = "/v1/videos/text2video", base = "china",
                     json = { prompt = "x", duration = "5", external_task_id = "f-1" } } },
        { call = "accepted", job = { task = { target = "/v1/videos/text2video" } },
          reply = { status = 200, headers = {},
                    json = { code = 0, data = { task_id = "880123", task_status = "submitted" } } },
          expect = { id = "880123", status = "submitted", state = { path = "/v1/videos/text2video" } } },
        { call = "accepted", job = { task = { target = "/v1/videos/text2video" } },
          reply = { status = 200, headers = {}, json = { code = 1301, message = "Risky prompt" } },
          expect = { error = { code = "content_policy_violation", scope = "request", retryable = false, taken = false,
                               again = false,
                               detail = "code 1301: Risky prompt" } } },
        { call = "poll", job = JOB, expect = { get = "/v1/videos/text2video/880123" } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {},
                    json = { code = 0,
                             data = { task_id = "880123", task_status = "succeed", final_unit_deduction = "2.5",
                                                task_result = { videos = { { id = "v",
                                                                             url = "https://cdn/v.mp4" } } } } } },
          expect = { id = "880123", status = "succeed", cost = "2.5",
                     output = { videos = { { id = "v", url = "https://cdn/v.mp4" } } } } },
        { call = "polled", job = JOB,
          reply = { status = 200, headers = {}, json = { code = 5001, message = "Later" } },
          expect = { error = { code = "service_unavailable", scope = "provider", retryable = true, taken = true,
                               again = true,
                               detail = "code 5001: Later" } } },
        { call = "lookup", task = { target = "/v1/videos/text2video", external_id = "f-1" },
          expect = { get = "/v1/videos/text2video/f-1" } },
        { call = "found", task = { target = "/v1/videos/text2video" },
          reply = { status = 200, headers = {}, json = { code = 1201, message = "No such task" } }, expect = null },
        { call = "found", task = { target = "/v1/videos/text2video" },
          reply = { status = 200, headers = {},
                    json = { code = 0, data = { task_id = "880123", task_status = "processing" } } },
          expect = { id = "880123", status = "processing", state = { path = "/v1/videos/text2video" } } },
        { call = "hook",
          event = { verified = true, headers = {},
                    json = { task_id = "880123", task_status = "failed", task_status_msg = "?" } },
          expect = { id = "880123", error = { code = "generation_failed", detail = "?" } } },
        { call = "failure",
          reply = { status = 429, headers = {}, json = { code = 1102, message = "Pack used up" } },
          expect = { code = "quota_exceeded", scope = "account", retryable = false, taken = false, again = false,
                     detail = "code 1102: Pack used up" } },
        { call = "failure",
          reply = { status = 429, headers = {}, json = { code = 1303, message = "Parallel" } },
          expect = { code = "resource_exhausted", scope = "capacity", retryable = true, taken = false, again = false,
                     delay = 1,
                     detail = "code 1303: Parallel" } },
        { call = "failure", reply = { status = 502, headers = {}, text = "<html></html>" }, expect = null },
    },
}
